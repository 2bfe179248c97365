//! An OpenMLS provider of its published parts: RustCrypto for the suites of RFC 9420, libcrux for
//! X-Wing. On demand, X-Wing's DeriveKeyPair is that of draft-ietf-hpke-pq instead of OpenMLS's own.

use hpke_rs_crypto::{types::KemAlgorithm, HpkeCrypto};
use hpke_rs_libcrux::HpkeLibcrux;
use openmls_libcrux_crypto::CryptoProvider;
use openmls_rust_crypto::{MemoryStorage, RustCrypto};
use openmls_traits::crypto::OpenMlsCrypto;
use openmls_traits::types::*;
use openmls_traits::OpenMlsProvider;
use openmls::prelude::tls_codec::SecretVLBytes;

pub struct Crypto {
    rust: RustCrypto,
    libcrux: CryptoProvider,
    hpke_pq: bool,
}

impl Crypto {
    pub fn new(hpke_pq: bool) -> Result<Self, CryptoError> {
        Ok(Crypto { rust: RustCrypto::default(), libcrux: CryptoProvider::new()?, hpke_pq })
    }
}

fn x_wing(config: &HpkeConfig) -> bool {
    config.0 == HpkeKemType::XWingKemDraft6
}

/// draft-ietf-hpke-pq: SHAKE256.LabeledDerive(ikm, "DeriveKeyPair", "", 32) for KEM 0x647a.
fn derive_seed(ikm: &[u8]) -> [u8; 32] {
    const LABEL: &[u8] = b"DeriveKeyPair";
    let mut input = ikm.to_vec();
    input.extend_from_slice(b"HPKE-v1KEM");
    input.extend_from_slice(&0x647a_u16.to_be_bytes());
    input.extend_from_slice(&(LABEL.len() as u16).to_be_bytes());
    input.extend_from_slice(LABEL);
    input.extend_from_slice(&32_u16.to_be_bytes());
    libcrux_sha3::shake256::<32>(&input)
}

impl OpenMlsCrypto for Crypto {
    fn supports(&self, suite: Ciphersuite) -> Result<(), CryptoError> {
        if suite == Ciphersuite::MLS_256_XWING_CHACHA20POLY1305_SHA256_Ed25519 {
            return self.libcrux.supports(suite);
        }
        self.rust.supports(suite)
    }

    fn supported_ciphersuites(&self) -> Vec<Ciphersuite> {
        let mut all = self.rust.supported_ciphersuites();
        all.push(Ciphersuite::MLS_256_XWING_CHACHA20POLY1305_SHA256_Ed25519);
        all
    }

    fn hkdf_extract(&self, hash: HashType, salt: &[u8], ikm: &[u8]) -> Result<SecretVLBytes, CryptoError> {
        self.rust.hkdf_extract(hash, salt, ikm)
    }

    fn hmac(&self, hash: HashType, key: &[u8], message: &[u8]) -> Result<SecretVLBytes, CryptoError> {
        self.rust.hmac(hash, key, message)
    }

    fn hkdf_expand(&self, hash: HashType, prk: &[u8], info: &[u8], size: usize) -> Result<SecretVLBytes, CryptoError> {
        self.rust.hkdf_expand(hash, prk, info, size)
    }

    fn hash(&self, hash: HashType, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.rust.hash(hash, data)
    }

    fn aead_encrypt(&self, alg: AeadType, key: &[u8], data: &[u8], nonce: &[u8], aad: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.rust.aead_encrypt(alg, key, data, nonce, aad)
    }

    fn aead_decrypt(&self, alg: AeadType, key: &[u8], sealed: &[u8], nonce: &[u8], aad: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.rust.aead_decrypt(alg, key, sealed, nonce, aad)
    }

    fn signature_key_gen(&self, alg: SignatureScheme) -> Result<(Vec<u8>, Vec<u8>), CryptoError> {
        self.rust.signature_key_gen(alg)
    }

    fn verify_signature(&self, alg: SignatureScheme, data: &[u8], key: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        self.rust.verify_signature(alg, data, key, signature)
    }

    fn sign(&self, alg: SignatureScheme, data: &[u8], key: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.rust.sign(alg, data, key)
    }

    fn hpke_seal(&self, config: HpkeConfig, key: &[u8], info: &[u8], aad: &[u8], plain: &[u8]) -> Result<HpkeCiphertext, CryptoError> {
        if x_wing(&config) {
            return self.libcrux.hpke_seal(config, key, info, aad, plain);
        }
        self.rust.hpke_seal(config, key, info, aad, plain)
    }

    fn hpke_open(&self, config: HpkeConfig, input: &HpkeCiphertext, key: &[u8], info: &[u8], aad: &[u8]) -> Result<Vec<u8>, CryptoError> {
        if x_wing(&config) {
            return self.libcrux.hpke_open(config, input, key, info, aad);
        }
        self.rust.hpke_open(config, input, key, info, aad)
    }

    fn hpke_setup_sender_and_export(
        &self,
        config: HpkeConfig,
        key: &[u8],
        info: &[u8],
        context: &[u8],
        size: usize,
    ) -> Result<(KemOutput, ExporterSecret), CryptoError> {
        if x_wing(&config) {
            return self.libcrux.hpke_setup_sender_and_export(config, key, info, context, size);
        }
        self.rust.hpke_setup_sender_and_export(config, key, info, context, size)
    }

    fn hpke_setup_receiver_and_export(
        &self,
        config: HpkeConfig,
        enc: &[u8],
        key: &[u8],
        info: &[u8],
        context: &[u8],
        size: usize,
    ) -> Result<ExporterSecret, CryptoError> {
        if x_wing(&config) {
            return self.libcrux.hpke_setup_receiver_and_export(config, enc, key, info, context, size);
        }
        self.rust.hpke_setup_receiver_and_export(config, enc, key, info, context, size)
    }

    fn derive_hpke_keypair(&self, config: HpkeConfig, ikm: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
        if !x_wing(&config) {
            return self.rust.derive_hpke_keypair(config, ikm);
        }
        if !self.hpke_pq {
            return self.libcrux.derive_hpke_keypair(config, ikm);
        }
        let (public, private) = HpkeLibcrux::kem_key_gen_derand(KemAlgorithm::XWingDraft06, &derive_seed(ikm))
            .map_err(|_| CryptoError::CryptoLibraryError)?;
        Ok(HpkeKeyPair { private: private.into(), public })
    }
}

/// Each member has a storage of its own, as if each were a process.
pub struct Provider {
    crypto: std::rc::Rc<Crypto>,
    storage: MemoryStorage,
}

impl Provider {
    pub fn new(crypto: &std::rc::Rc<Crypto>) -> Self {
        Provider { crypto: crypto.clone(), storage: MemoryStorage::default() }
    }
}

impl OpenMlsProvider for Provider {
    type CryptoProvider = Crypto;
    type RandProvider = RustCrypto;
    type StorageProvider = MemoryStorage;

    fn storage(&self) -> &MemoryStorage {
        &self.storage
    }

    fn crypto(&self) -> &Crypto {
        &self.crypto
    }

    fn rand(&self) -> &RustCrypto {
        &self.crypto.rust
    }
}
