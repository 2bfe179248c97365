//! mls-rs for `./dev bench mls --peers`; the lines are those of bench/mls_peer.h.

use std::io::{BufRead, Write};

use mls_rs::client_builder::{MlsConfig, PaddingMode};
use mls_rs::group::{CommitEffect, ReceivedMessage};
use mls_rs::identity::basic::{BasicCredential, BasicIdentityProvider};
use mls_rs::identity::SigningIdentity;
use mls_rs::mls_rules::{CommitOptions, DefaultMlsRules, EncryptionOptions};
use mls_rs::{CipherSuite, CipherSuiteProvider, Client, CryptoProvider, Group, MlsMessage};
use mls_rs_crypto_openssl::OpensslCryptoProvider;

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

fn make_client(suite: CipherSuite, name: &str) -> Result<Client<impl MlsConfig>, Failure> {
    let provider = OpensslCryptoProvider::default();
    let crypto = provider.cipher_suite_provider(suite).ok_or("suite not in this provider")?;
    let (private, public) = crypto.signature_key_generate().map_err(fail)?;
    let credential = BasicCredential::new(name.as_bytes().to_vec()).into_credential();
    let rules = DefaultMlsRules::new()
        .with_commit_options(
            CommitOptions::new().with_path_required(true).with_ratchet_tree_extension(true),
        )
        .with_encryption_options(EncryptionOptions::new(true, PaddingMode::None));
    Ok(Client::builder()
        .identity_provider(BasicIdentityProvider::new())
        .crypto_provider(provider)
        .mls_rules(rules)
        .signing_identity(SigningIdentity::new(credential, public), private, suite)
        .build())
}

struct Server<C: MlsConfig> {
    make: fn(CipherSuite, &str) -> Result<Client<C>, Failure>,
    clients: Vec<Client<C>>,
    groups: Vec<Group<C>>,
    message: Vec<u8>,
}

impl<C: MlsConfig> Server<C> {
    fn create(&mut self, suite: CipherSuite, words: &[&str]) -> Result<String, Failure> {
        let client = (self.make)(suite, "creator")?;
        let packages: Vec<Vec<u8>> =
            words.iter().map(hex::decode).collect::<Result<_, _>>().map_err(fail)?;
        let start = cpu_ns();
        let mut group =
            client.create_group(Default::default(), Default::default(), None).map_err(fail)?;
        let mut builder = group.commit_builder();
        for package in &packages {
            builder = builder
                .add_member(MlsMessage::from_bytes(package).map_err(fail)?)
                .map_err(fail)?;
        }
        let output = builder.build().map_err(fail)?;
        output.commit_message.to_bytes().map_err(fail)?;
        for welcome in &output.welcome_messages {
            welcome.to_bytes().map_err(fail)?;
        }
        group.apply_pending_commit().map_err(fail)?;
        Ok((cpu_ns() - start).to_string())
    }

    fn packages(&mut self, suite: CipherSuite) -> Result<String, Failure> {
        self.groups.clear();
        self.clients = vec![(self.make)(suite, "a")?, (self.make)(suite, "b")?];
        let mut words = Vec::new();
        for client in &self.clients {
            let package = client
                .generate_key_package_message(Default::default(), Default::default(), None)
                .map_err(fail)?;
            words.push(hex::encode(package.to_bytes().map_err(fail)?));
        }
        Ok(words.join(" "))
    }

    fn join(&mut self, word: &str) -> Result<String, Failure> {
        let bytes = hex::decode(word).map_err(fail)?;
        let mut first = 0;
        for client in &self.clients {
            let start = cpu_ns();
            let welcome = MlsMessage::from_bytes(&bytes).map_err(fail)?;
            let (group, _) = client.join_group(None, &welcome, None).map_err(fail)?;
            if self.groups.is_empty() {
                first = cpu_ns() - start;
            }
            self.groups.push(group);
        }
        Ok(first.to_string())
    }

    fn commit_create(&mut self) -> Result<String, Failure> {
        let group = self.groups.first_mut().ok_or("no group")?;
        let start = cpu_ns();
        let output = group.commit(Vec::new()).map_err(fail)?;
        self.message = output.commit_message.to_bytes().map_err(fail)?;
        group.apply_pending_commit().map_err(fail)?;
        Ok((cpu_ns() - start).to_string())
    }

    fn encrypt(&mut self) -> Result<String, Failure> {
        let group = self.groups.first_mut().ok_or("no group")?;
        let start = cpu_ns();
        let sent = group.encrypt_application_message(&[0; 100], Vec::new()).map_err(fail)?;
        self.message = sent.to_bytes().map_err(fail)?;
        Ok((cpu_ns() - start).to_string())
    }

    fn process(&mut self, commit: bool) -> Result<String, Failure> {
        let group = self.groups.get_mut(1).ok_or("no group")?;
        let start = cpu_ns();
        let message = MlsMessage::from_bytes(&self.message).map_err(fail)?;
        let received = group.process_incoming_message(message).map_err(fail)?;
        let spent = cpu_ns() - start;
        match received {
            ReceivedMessage::Commit(done)
                if commit && matches!(done.effect, CommitEffect::NewEpoch(_)) =>
            {
                Ok(spent.to_string())
            }
            ReceivedMessage::ApplicationMessage(_) if !commit => Ok(spent.to_string()),
            _ => Err("another message than expected".into()),
        }
    }

    fn answer(&mut self, words: &[&str]) -> Result<String, Failure> {
        let suite = |word: &str| -> Result<CipherSuite, Failure> {
            Ok(CipherSuite::from(word.parse::<u16>().map_err(fail)?))
        };
        match words {
            ["create", number, rest @ ..] => self.create(suite(number)?, rest),
            ["packages", number] => self.packages(suite(number)?),
            ["join", welcome] => self.join(welcome),
            ["commit_create"] => self.commit_create(),
            ["encrypt"] => self.encrypt(),
            ["commit_process"] => self.process(true),
            ["decrypt"] => self.process(false),
            _ => Err("not offered".into()),
        }
    }
}

fn main() -> std::io::Result<()> {
    let mut server =
        Server { make: make_client, clients: Vec::new(), groups: Vec::new(), message: Vec::new() };
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
