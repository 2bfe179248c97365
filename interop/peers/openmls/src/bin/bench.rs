//! OpenMLS for `./dev bench mls --peers`; the lines are those of bench/mls_peer.h.

#[path = "../provider.rs"]
mod provider;

use std::io::{BufRead, Write};
use std::rc::Rc;

use openmls::prelude::tls_codec::{Deserialize, Serialize};
use openmls::prelude::*;
use openmls_basic_credential::SignatureKeyPair;
use provider::{Crypto, Provider};

type Failure = String;

fn fail(error: impl std::fmt::Debug) -> Failure {
    format!("{error:?}").replace('\n', " ")
}

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

/// Processor time of the whole process, threads included: CLOCK_PROCESS_CPUTIME_ID of Linux.
fn cpu_ns() -> i64 {
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    unsafe { clock_gettime(2, &mut time) };
    time.seconds * 1_000_000_000 + time.nanoseconds
}

struct Client {
    provider: Provider,
    signer: SignatureKeyPair,
    credential: CredentialWithKey,
    group: Option<MlsGroup>,
}

impl Client {
    fn new(crypto: &Rc<Crypto>, suite: Ciphersuite, name: &str) -> Result<Self, Failure> {
        let signer = SignatureKeyPair::new(suite.signature_algorithm()).map_err(fail)?;
        let provider = Provider::new(crypto);
        signer.store(provider.storage()).map_err(fail)?;
        let credential = CredentialWithKey {
            credential: BasicCredential::new(name.as_bytes().to_vec()).into(),
            signature_key: signer.public().into(),
        };
        Ok(Client { provider, signer, credential, group: None })
    }

    fn package(&self, suite: Ciphersuite) -> Result<String, Failure> {
        let bundle = KeyPackage::builder()
            .leaf_node_capabilities(capabilities(suite))
            .build(suite, &self.provider, &self.signer, self.credential.clone())
            .map_err(fail)?;
        let message = MlsMessageOut::from(bundle.key_package().clone());
        Ok(hex::encode(message.tls_serialize_detached().map_err(fail)?))
    }
}

fn capabilities(suite: Ciphersuite) -> Capabilities {
    Capabilities::new(None, Some(&[suite]), None, None, None)
}

struct Server {
    crypto: Rc<Crypto>,
    clients: Vec<Client>,
    message: Vec<u8>,
}


impl Server {
    fn create(&mut self, suite: Ciphersuite, words: &[&str]) -> Result<String, Failure> {
        let client = Client::new(&self.crypto, suite, "creator")?;
        let packages: Vec<Vec<u8>> =
            words.iter().map(hex::decode).collect::<Result<_, _>>().map_err(fail)?;
        let start = cpu_ns();
        let mut group = MlsGroup::builder()
            .with_wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
            .use_ratchet_tree_extension(true)
            .ciphersuite(suite)
            .with_capabilities(capabilities(suite))
            .build(&client.provider, &client.signer, client.credential.clone())
            .map_err(fail)?;
        let mut added = Vec::new();
        for package in &packages {
            let message = MlsMessageIn::tls_deserialize_exact(&package[..]).map_err(fail)?;
            let MlsMessageBodyIn::KeyPackage(package) = message.extract() else {
                return Err("not a KeyPackage".into());
            };
            let checked = package.validate(client.provider.crypto(), ProtocolVersion::Mls10);
            added.push(checked.map_err(fail)?);
        }
        let (commit, welcome, _) =
            group.add_members(&client.provider, &client.signer, &added).map_err(fail)?;
        commit.tls_serialize_detached().map_err(fail)?;
        welcome.tls_serialize_detached().map_err(fail)?;
        group.merge_pending_commit(&client.provider).map_err(fail)?;
        Ok((cpu_ns() - start).to_string())
    }

    fn packages(&mut self, suite: Ciphersuite) -> Result<String, Failure> {
        self.clients =
            vec![Client::new(&self.crypto, suite, "a")?, Client::new(&self.crypto, suite, "b")?];
        Ok(format!("{} {}", self.clients[0].package(suite)?, self.clients[1].package(suite)?))
    }

    fn join(&mut self, word: &str) -> Result<String, Failure> {
        let bytes = hex::decode(word).map_err(fail)?;
        let config = MlsGroupJoinConfig::builder()
            .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
            .use_ratchet_tree_extension(true)
            .build();
        let mut first = 0;
        for (number, client) in self.clients.iter_mut().enumerate() {
            let start = cpu_ns();
            let message = MlsMessageIn::tls_deserialize_exact(&bytes[..]).map_err(fail)?;
            let MlsMessageBodyIn::Welcome(welcome) = message.extract() else {
                return Err("not a Welcome".into());
            };
            let staged = StagedWelcome::new_from_welcome(&client.provider, &config, welcome, None)
                .map_err(fail)?;
            client.group = Some(staged.into_group(&client.provider).map_err(fail)?);
            if number == 0 {
                first = cpu_ns() - start;
            }
        }
        Ok(first.to_string())
    }

    fn commit_create(&mut self) -> Result<String, Failure> {
        let client = &mut self.clients[0];
        let group = client.group.as_mut().ok_or("no group")?;
        let start = cpu_ns();
        let bundle = group
            .self_update(&client.provider, &client.signer, LeafNodeParameters::default())
            .map_err(fail)?;
        self.message = bundle.commit().tls_serialize_detached().map_err(fail)?;
        group.merge_pending_commit(&client.provider).map_err(fail)?;
        Ok((cpu_ns() - start).to_string())
    }

    fn encrypt(&mut self) -> Result<String, Failure> {
        let client = &mut self.clients[0];
        let group = client.group.as_mut().ok_or("no group")?;
        let start = cpu_ns();
        let sent =
            group.create_message(&client.provider, &client.signer, &[0; 100]).map_err(fail)?;
        self.message = sent.tls_serialize_detached().map_err(fail)?;
        Ok((cpu_ns() - start).to_string())
    }

    fn process(&mut self) -> Result<String, Failure> {
        let client = &mut self.clients[1];
        let group = client.group.as_mut().ok_or("no group")?;
        let start = cpu_ns();
        let message = MlsMessageIn::tls_deserialize_exact(&self.message[..]).map_err(fail)?;
        let message = message.try_into_protocol_message().map_err(fail)?;
        let processed = group.process_message(&client.provider, message).map_err(fail)?;
        if let ProcessedMessageContent::StagedCommitMessage(staged) = processed.into_content() {
            group.merge_staged_commit(&client.provider, *staged).map_err(fail)?;
        }
        Ok((cpu_ns() - start).to_string())
    }

    fn answer(&mut self, words: &[&str]) -> Result<String, Failure> {
        let suite = |word: &str| -> Result<Ciphersuite, Failure> {
            Ciphersuite::try_from(word.parse::<u16>().map_err(fail)?).map_err(fail)
        };
        match words {
            ["create", number, rest @ ..] => self.create(suite(number)?, rest),
            ["packages", number] => self.packages(suite(number)?),
            ["join", welcome] => self.join(welcome),
            ["commit_create"] => self.commit_create(),
            ["encrypt"] => self.encrypt(),
            ["commit_process"] | ["decrypt"] => self.process(),
            _ => Err("not offered".into()),
        }
    }
}

fn main() -> std::io::Result<()> {
    // Sotto derives X-Wing keys as draft-ietf-hpke-pq has it.
    let crypto = Crypto::new(true).map_err(|_| std::io::Error::other("no crypto"))?;
    let mut server = Server { crypto: Rc::new(crypto), clients: Vec::new(), message: Vec::new() };
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        match server.answer(&words) {
            Ok(text) => writeln!(out, "ok {text}")?,
            Err(reason) => writeln!(out, "no {reason}")?,
        }
        out.flush()?;
    }
    Ok(())
}
