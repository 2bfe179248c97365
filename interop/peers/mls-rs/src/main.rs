//! mls-rs behind the interoperability protocol: JSON lines on stdio, see interop/README.md.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use mls_rs::client_builder::{MlsConfig, PaddingMode};
use mls_rs::crypto::SignatureSecretKey;
use mls_rs::error::MlsError;
use mls_rs::extension::ExtensionType;
use mls_rs::group::{CommitBuilder, CommitEffect, ExportedTree, GroupContext, ReceivedMessage, Roster};
use mls_rs::identity::basic::{BasicCredential, BasicIdentityProvider};
use mls_rs::identity::SigningIdentity;
use mls_rs::mls_rules::{
    CommitDirection, CommitOptions, CommitSource, EncryptionOptions, ProposalBundle,
};
use mls_rs::psk::{ExternalPskId, PreSharedKey};
use mls_rs::storage_provider::in_memory::InMemoryPreSharedKeyStorage;
use mls_rs::{
    CipherSuite, CipherSuiteProvider, Client, CryptoProvider, Extension, ExtensionList, Group,
    MlsMessage, MlsRules,
};
use mls_rs_crypto_openssl::OpensslCryptoProvider;
use serde_json::{json, Value};

/// The extension type that every client of the protocol lists in its capabilities.
const PROBE_EXTENSION: u16 = 0xF01D;
const SUITES: [u16; 3] = [1, 2, 3];

struct Failure {
    message: String,
    unsupported: bool,
}

impl<E: std::fmt::Debug> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure { message: format!("{error:?}"), unsupported: false }
    }
}

fn refuse<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure { message: message.into(), unsupported: false })
}

type Answer = Result<Value, Failure>;

/// What the protocol chooses per member and per commit; mls-rs asks for it through its rules.
#[derive(Clone, Default)]
struct Rules {
    encrypt: bool,
    force_path: Arc<AtomicBool>,
    external_tree: Arc<AtomicBool>,
}

impl MlsRules for Rules {
    type Error = MlsError;

    fn filter_proposals(
        &self,
        _: CommitDirection,
        _: CommitSource,
        _: &Roster,
        _: &GroupContext,
        proposals: ProposalBundle,
    ) -> Result<ProposalBundle, MlsError> {
        Ok(proposals)
    }

    fn commit_options(
        &self,
        _: &Roster,
        _: &GroupContext,
        _: &ProposalBundle,
    ) -> Result<CommitOptions, MlsError> {
        Ok(CommitOptions::new()
            .with_path_required(self.force_path.load(Ordering::Relaxed))
            .with_ratchet_tree_extension(!self.external_tree.load(Ordering::Relaxed)))
    }

    fn encryption_options(&self, _: &Roster, _: &GroupContext) -> Result<EncryptionOptions, MlsError> {
        Ok(EncryptionOptions::new(self.encrypt, PaddingMode::Padme))
    }
}

#[derive(Clone)]
struct Party {
    suite: CipherSuite,
    identity: Vec<u8>,
    signer: SignatureSecretKey,
    public: SigningIdentity,
    psks: InMemoryPreSharedKeyStorage,
}

impl Party {
    fn new(suite: u16, identity: Vec<u8>) -> Result<Self, Failure> {
        if !SUITES.contains(&suite) {
            return Err(Failure { message: format!("suite {suite} is not offered"), unsupported: true });
        }
        let suite = CipherSuite::from(suite);
        let Some(crypto) = OpensslCryptoProvider::default().cipher_suite_provider(suite) else {
            return Err(Failure { message: "suite not in this provider".into(), unsupported: true });
        };
        let (signer, public) = crypto.signature_key_generate()?;
        let credential = BasicCredential::new(identity.clone()).into_credential();
        Ok(Party {
            suite,
            identity,
            signer,
            public: SigningIdentity::new(credential, public),
            psks: InMemoryPreSharedKeyStorage::default(),
        })
    }
}

fn make_client(
    party: &Party,
    rules: &Rules,
    packages: &mls_rs::storage_provider::in_memory::InMemoryKeyPackageStorage,
) -> Client<impl MlsConfig> {
    Client::builder()
        .identity_provider(BasicIdentityProvider::new())
        .crypto_provider(OpensslCryptoProvider::default())
        .extension_type(ExtensionType::from(PROBE_EXTENSION))
        .psk_store(party.psks.clone())
        .key_package_repo(packages.clone())
        .mls_rules(rules.clone())
        .signing_identity(party.public.clone(), party.signer.clone(), party.suite)
        .build()
}

type Packages = mls_rs::storage_provider::in_memory::InMemoryKeyPackageStorage;

struct Member<C: MlsConfig> {
    group: Group<C>,
    rules: Rules,
    psks: InMemoryPreSharedKeyStorage,
    removed: bool,
}

struct Server<C: MlsConfig> {
    make: fn(&Party, &Rules, &Packages) -> Client<C>,
    next: u64,
    members: HashMap<u64, Member<C>>,
    candidates: HashMap<u64, (Party, Packages)>,
}

fn text(request: &Value, name: &str) -> Result<String, Failure> {
    match request[name].as_str() {
        Some(value) => Ok(value.to_string()),
        None => refuse(format!("{name} is missing")),
    }
}

fn bytes(request: &Value, name: &str) -> Result<Vec<u8>, Failure> {
    Ok(hex::decode(request[name].as_str().unwrap_or(""))?)
}

fn number(request: &Value, name: &str) -> Result<u64, Failure> {
    match request[name].as_u64() {
        Some(value) => Ok(value),
        None => refuse(format!("{name} is missing")),
    }
}

fn flag(request: &Value, name: &str) -> bool {
    request[name].as_bool().unwrap_or(false)
}

fn list<'a>(request: &'a Value, name: &str) -> &'a [Value] {
    request[name].as_array().map(Vec::as_slice).unwrap_or(&[])
}

fn message(value: &[u8]) -> Result<MlsMessage, Failure> {
    Ok(MlsMessage::from_bytes(value)?)
}

fn tree(request: &Value) -> Result<Option<ExportedTree<'static>>, Failure> {
    let value = bytes(request, "ratchetTree")?;
    if value.is_empty() {
        return Ok(None);
    }
    Ok(Some(ExportedTree::from_bytes(&value)?))
}

fn extensions(request: &Value) -> Result<ExtensionList, Failure> {
    let mut result = ExtensionList::new();
    for item in list(request, "extensions") {
        let kind = number(item, "extensionType")? as u16;
        result.set(Extension::new(ExtensionType::from(kind), bytes(item, "extensionData")?));
    }
    Ok(result)
}

fn encode(message: &MlsMessage) -> Result<Value, Failure> {
    Ok(Value::String(hex::encode(message.to_bytes()?)))
}

impl<C: MlsConfig> Server<C> {
    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn member(&mut self, request: &Value) -> Result<&mut Member<C>, Failure> {
        let id = number(request, "stateId")?;
        match self.members.get_mut(&id) {
            Some(member) if !member.removed => Ok(member),
            Some(_) => refuse("this member was removed"),
            None => refuse("no such state"),
        }
    }

    fn adopt(&mut self, group: Group<C>, rules: Rules, psks: InMemoryPreSharedKeyStorage) -> u64 {
        let id = self.fresh();
        self.members.insert(id, Member { group, rules, psks, removed: false });
        id
    }

    fn create_group(&mut self, request: &Value) -> Answer {
        let party = Party::new(number(request, "cipherSuite")? as u16, bytes(request, "identity")?)?;
        let rules = Rules { encrypt: flag(request, "encryptHandshake"), ..Rules::default() };
        let client = (self.make)(&party, &rules, &Packages::default());
        let group = client.group_builder()?.with_group_id(bytes(request, "groupId")?).build()?;
        Ok(json!({"stateId": self.adopt(group, rules, party.psks)}))
    }

    fn create_key_package(&mut self, request: &Value) -> Answer {
        let party = Party::new(number(request, "cipherSuite")? as u16, bytes(request, "identity")?)?;
        let packages = Packages::default();
        let client = (self.make)(&party, &Rules::default(), &packages);
        let package =
            client.generate_key_package_message(Default::default(), Default::default(), None)?;
        let id = self.fresh();
        self.candidates.insert(id, (party, packages));
        Ok(json!({"transactionId": id, "keyPackage": encode(&package)?}))
    }

    fn join_group(&mut self, request: &Value) -> Answer {
        let id = number(request, "transactionId")?;
        let Some((party, packages)) = self.candidates.get(&id).cloned() else {
            return refuse("no such transaction");
        };
        let rules = Rules { encrypt: flag(request, "encryptHandshake"), ..Rules::default() };
        let client = (self.make)(&party, &rules, &packages);
        let welcome = message(&bytes(request, "welcome")?)?;
        let (group, _) = client.join_group(tree(request)?, &welcome, None)?;
        let secret = group.epoch_authenticator()?;
        self.candidates.remove(&id);
        let state = self.adopt(group, rules, party.psks);
        Ok(json!({"stateId": state, "epochAuthenticator": hex::encode(secret.as_bytes())}))
    }

    fn external_join(&mut self, request: &Value) -> Answer {
        let info = message(&bytes(request, "groupInfo")?)?;
        let Some(suite) = info.cipher_suite() else { return refuse("not a GroupInfo") };
        let mut party = Party::new(suite.into(), bytes(request, "identity")?)?;
        let rules = Rules { encrypt: flag(request, "encryptHandshake"), ..Rules::default() };
        for psk in list(request, "psks") {
            let secret = PreSharedKey::new(bytes(psk, "pskSecret")?);
            party.psks.insert(ExternalPskId::new(bytes(psk, "pskId")?), secret);
        }
        let client = (self.make)(&party, &rules, &Packages::default());
        let mut builder = client.external_commit_builder()?;
        for psk in list(request, "psks") {
            builder = builder.with_external_psk(ExternalPskId::new(bytes(psk, "pskId")?));
        }
        let tree = tree(request)?;
        if flag(request, "removePrior") {
            let Some(tree) = &tree else {
                return refuse("removePrior needs ratchetTree here");
            };
            let prior = tree.roster().members_iter().find(|member| {
                let credential = member.signing_identity.credential.as_basic();
                credential.is_some_and(|basic| basic.identifier == party.identity)
            });
            match prior {
                Some(member) => builder = builder.with_removal(member.index),
                None => return refuse("no prior appearance in the tree"),
            }
        }
        if let Some(tree) = tree {
            builder = builder.with_tree_data(tree);
        }
        let (group, commit) = builder.build(info)?;
        let secret = group.epoch_authenticator()?;
        let state = self.adopt(group, rules, party.psks);
        Ok(json!({
            "stateId": state,
            "commit": encode(&commit)?,
            "epochAuthenticator": hex::encode(secret.as_bytes()),
        }))
    }

    fn group_info(&mut self, request: &Value) -> Answer {
        let outside = flag(request, "externalTree");
        let group = &self.member(request)?.group;
        let info = group.group_info_message_allowing_ext_commit(!outside)?;
        let tree = if outside { hex::encode(group.export_tree().to_bytes()?) } else { String::new() };
        Ok(json!({"groupInfo": encode(&info)?, "ratchetTree": tree}))
    }

    fn state_auth(&mut self, request: &Value) -> Answer {
        let secret = self.member(request)?.group.epoch_authenticator()?;
        Ok(json!({"stateAuthSecret": hex::encode(secret.as_bytes())}))
    }

    fn export(&mut self, request: &Value) -> Answer {
        let label = text(request, "label")?;
        let context = bytes(request, "context")?;
        let size = number(request, "keyLength")? as usize;
        let secret = self.member(request)?.group.export_secret(label.as_bytes(), &context, size)?;
        Ok(json!({"exportedSecret": hex::encode(secret.as_bytes())}))
    }

    fn protect(&mut self, request: &Value) -> Answer {
        let plain = bytes(request, "plaintext")?;
        let authenticated = bytes(request, "authenticatedData")?;
        let sent = self.member(request)?.group.encrypt_application_message(&plain, authenticated)?;
        Ok(json!({"ciphertext": encode(&sent)?}))
    }

    fn unprotect(&mut self, request: &Value) -> Answer {
        let received = message(&bytes(request, "ciphertext")?)?;
        match self.member(request)?.group.process_incoming_message(received)? {
            ReceivedMessage::ApplicationMessage(application) => Ok(json!({
                "plaintext": hex::encode(application.data()),
                "authenticatedData": hex::encode(&application.authenticated_data),
            })),
            other => refuse(format!("not an application message: {other:?}")),
        }
    }

    fn store_psk(&mut self, request: &Value) -> Answer {
        let id = number(request, "stateOrTransactionId")?;
        let psk = (ExternalPskId::new(bytes(request, "pskId")?), PreSharedKey::new(bytes(request, "pskSecret")?));
        let store = match (self.members.get_mut(&id), self.candidates.get_mut(&id)) {
            (Some(member), _) => &mut member.psks,
            (_, Some((party, _))) => &mut party.psks,
            _ => return refuse("no such state or transaction"),
        };
        store.insert(psk.0, psk.1);
        Ok(json!({}))
    }

    fn propose(&mut self, method: &str, request: &Value) -> Answer {
        let group = &mut self.member(request)?.group;
        let none = Vec::new();
        let proposal = match method {
            "addProposal" => group.propose_add(message(&bytes(request, "keyPackage")?)?, none)?,
            "updateProposal" => group.propose_update(none)?,
            "removeProposal" => {
                let index = group.member_with_identity(&bytes(request, "removedId")?)?.index;
                group.propose_remove(index, none)?
            }
            "externalPskProposal" => {
                group.propose_external_psk(ExternalPskId::new(bytes(request, "pskId")?), none)?
            }
            "resumptionPskProposal" => {
                group.propose_resumption_psk(number(request, "epochId")?, none)?
            }
            _ => group.propose_group_context_extensions(extensions(request)?, none)?,
        };
        Ok(json!({"proposal": encode(&proposal)?}))
    }

    fn commit(&mut self, request: &Value) -> Answer {
        let outside = flag(request, "externalTree");
        let member = self.member(request)?;
        member.rules.force_path.store(flag(request, "forcePath"), Ordering::Relaxed);
        member.rules.external_tree.store(outside, Ordering::Relaxed);
        cache_proposals(&mut member.group, list(request, "byReference"))?;
        let mut removals = Vec::new();
        for item in list(request, "byValue") {
            if item["proposalType"] == "remove" {
                removals.push(member.group.member_with_identity(&bytes(item, "removedId")?)?.index);
            }
        }
        let mut builder = member.group.commit_builder();
        for index in removals {
            builder = builder.remove_member(index)?;
        }
        for item in list(request, "byValue") {
            builder = by_value(builder, item)?;
        }
        let output = builder.build()?;
        let welcome = match output.welcome_messages.first() {
            Some(welcome) => encode(welcome)?,
            None => json!(""),
        };
        let tree = match (&output.ratchet_tree, outside) {
            (Some(tree), true) => hex::encode(tree.to_bytes()?),
            _ => String::new(),
        };
        Ok(json!({
            "commit": encode(&output.commit_message)?,
            "welcome": welcome,
            "ratchetTree": tree,
        }))
    }

    fn handle_commit(&mut self, request: &Value) -> Answer {
        let member = self.member(request)?;
        cache_proposals(&mut member.group, list(request, "proposal"))?;
        let commit = message(&bytes(request, "commit")?)?;
        let effect = match member.group.process_incoming_message(commit)? {
            ReceivedMessage::Commit(commit) => commit.effect,
            other => return refuse(format!("not a commit: {other:?}")),
        };
        entered(request, member, effect)
    }

    fn handle_pending_commit(&mut self, request: &Value) -> Answer {
        let member = self.member(request)?;
        let effect = member.group.apply_pending_commit()?.effect;
        entered(request, member, effect)
    }

    fn call(&mut self, method: &str, request: &Value) -> Answer {
        match method {
            "name" => Ok(json!({"name": "mls-rs 0.57.0"})),
            "supportedCiphersuites" => Ok(json!({
                "ciphersuites": SUITES,
                "cannot": {"77": "mls-rs 0.57 has no X-Wing suite"},
            })),
            "createGroup" => self.create_group(request),
            "createKeyPackage" => self.create_key_package(request),
            "joinGroup" => self.join_group(request),
            "externalJoin" => self.external_join(request),
            "groupInfo" => self.group_info(request),
            "stateAuth" => self.state_auth(request),
            "export" => self.export(request),
            "protect" => self.protect(request),
            "unprotect" => self.unprotect(request),
            "storePsk" => self.store_psk(request),
            "addProposal" | "updateProposal" | "removeProposal" | "externalPskProposal"
            | "resumptionPskProposal" | "groupContextExtensionsProposal" => {
                self.propose(method, request)
            }
            "commit" => self.commit(request),
            "handleCommit" => self.handle_commit(request),
            "handlePendingCommit" => self.handle_pending_commit(request),
            "free" => {
                let id = number(request, "stateId")?;
                self.members.remove(&id);
                self.candidates.remove(&id);
                Ok(json!({}))
            }
            _ => Err(Failure { message: format!("{method} is not offered"), unsupported: true }),
        }
    }
}

/// mls-rs answers its own proposals from its cache, so all of them can be handed over.
fn cache_proposals<C: MlsConfig>(group: &mut Group<C>, proposals: &[Value]) -> Result<(), Failure> {
    for proposal in proposals {
        let received = message(&hex::decode(proposal.as_str().unwrap_or(""))?)?;
        match group.process_incoming_message(received) {
            Ok(_) => {}
            // A PublicMessage of one's own: the proposal is in the cache already.
            Err(MlsError::CantProcessMessageFromSelf) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn by_value<'a, C: MlsConfig>(
    builder: CommitBuilder<'a, C>,
    item: &Value,
) -> Result<CommitBuilder<'a, C>, Failure> {
    Ok(match text(item, "proposalType")?.as_str() {
        "remove" => builder,
        "add" => builder.add_member(message(&bytes(item, "keyPackage")?)?)?,
        "externalPSK" => builder.add_external_psk(ExternalPskId::new(bytes(item, "pskId")?))?,
        "resumptionPSK" => builder.add_resumption_psk(number(item, "epochId")?)?,
        "groupContextExtensions" => builder.set_group_context_ext(extensions(item)?)?,
        other => return refuse(format!("no such proposal by value: {other}")),
    })
}

fn entered<C: MlsConfig>(request: &Value, member: &mut Member<C>, effect: CommitEffect) -> Answer {
    if matches!(effect, CommitEffect::Removed { .. }) {
        member.removed = true;
        return Ok(json!({"stateId": request["stateId"], "epochAuthenticator": "", "removed": true}));
    }
    let secret = member.group.epoch_authenticator()?;
    Ok(json!({
        "stateId": request["stateId"],
        "epochAuthenticator": hex::encode(secret.as_bytes()),
    }))
}

fn serve<C: MlsConfig>(make: fn(&Party, &Rules, &Packages) -> Client<C>) -> std::io::Result<()> {
    let mut server = Server { make, next: 0, members: HashMap::new(), candidates: HashMap::new() };
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = match serde_json::from_str::<Value>(&line?) {
            Ok(request) => {
                let method = request["method"].as_str().unwrap_or("").to_string();
                match server.call(&method, &request["params"]) {
                    Ok(result) => json!({"id": request["id"], "result": result}),
                    Err(failure) => json!({"id": request["id"], "error": {
                        "message": failure.message, "unsupported": failure.unsupported}}),
                }
            }
            Err(error) => json!({"id": null, "error": {"message": error.to_string()}}),
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn main() -> std::io::Result<()> {
    serve(make_client)
}
