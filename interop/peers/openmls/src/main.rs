//! OpenMLS behind the interoperability protocol: JSON lines on stdio, see interop/README.md.
//! With --hpke-pq, only X-Wing is offered, with the DeriveKeyPair of draft-ietf-hpke-pq.

mod provider;

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, Write};
use std::rc::Rc;

use openmls::prelude::tls_codec::{Deserialize, Serialize};
use openmls::prelude::*;
use openmls::schedule::psk::{ExternalPsk, PreSharedKeyId, Psk, ResumptionPskUsage};
use openmls_basic_credential::SignatureKeyPair;
use provider::{Crypto, Provider};
use serde_json::{json, Value};

/// The extension type that every client of the protocol lists in its capabilities.
const PROBE_EXTENSION: u16 = 0xF01D;
const SUITES: [u16; 4] = [1, 2, 3, 0x4D];

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

struct Party {
    provider: Provider,
    signer: Rc<SignatureKeyPair>,
    credential: CredentialWithKey,
}

struct Member {
    party: Party,
    group: MlsGroup,
    own: HashSet<String>, // one's own proposals, which the group holds already
}

struct Server {
    crypto: Rc<Crypto>,
    hpke_pq: bool,
    next: u64,
    members: HashMap<u64, Member>,
    candidates: HashMap<u64, Party>,
    signers: HashMap<(u16, Vec<u8>), Rc<SignatureKeyPair>>,
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

fn encode(value: &impl Serialize) -> Result<String, Failure> {
    Ok(hex::encode(value.tls_serialize_detached()?))
}

fn message(value: &[u8]) -> Result<MlsMessageIn, Failure> {
    Ok(MlsMessageIn::tls_deserialize_exact(value)?)
}

fn protocol(value: &[u8]) -> Result<ProtocolMessage, Failure> {
    Ok(message(value)?.try_into_protocol_message()?)
}

fn tree(request: &Value) -> Result<Option<RatchetTreeIn>, Failure> {
    let value = bytes(request, "ratchetTree")?;
    if value.is_empty() {
        return Ok(None);
    }
    Ok(Some(RatchetTreeIn::tls_deserialize_exact(&value[..])?))
}

fn extensions(request: &Value) -> Result<Extensions<GroupContext>, Failure> {
    let mut result = Vec::new();
    for item in list(request, "extensions") {
        // Decoded, so that OpenMLS sees the types that it knows as such.
        let mut encoded = (number(item, "extensionType")? as u16).tls_serialize_detached()?;
        encoded.extend(VLBytes::new(bytes(item, "extensionData")?).tls_serialize_detached()?);
        result.push(Extension::tls_deserialize_exact(&encoded[..])?);
    }
    Ok(Extensions::from_vec(result)?)
}

fn capabilities() -> Result<Capabilities, Failure> {
    let suites: Vec<Ciphersuite> =
        SUITES.iter().map(|suite| Ciphersuite::try_from(*suite)).collect::<Result<_, _>>()?;
    Ok(Capabilities::new(
        None,
        Some(&suites),
        Some(&[ExtensionType::Unknown(PROBE_EXTENSION)]),
        Some(&[ProposalType::SelfRemove]),
        None,
    ))
}

fn join_config(request: &Value) -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(wire_format(request))
        .use_ratchet_tree_extension(true)
        .number_of_resumption_psks(16)
        .padding_size(64)
        .build()
}

fn wire_format(request: &Value) -> WireFormatPolicy {
    if flag(request, "encryptHandshake") {
        MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY
    } else {
        MIXED_PLAINTEXT_WIRE_FORMAT_POLICY
    }
}

fn key_package(value: &[u8], provider: &Provider) -> Result<KeyPackage, Failure> {
    match message(value)?.extract() {
        MlsMessageBodyIn::KeyPackage(package) => {
            Ok(package.validate(provider.crypto(), ProtocolVersion::Mls10)?)
        }
        _ => refuse("not a KeyPackage"),
    }
}

impl Member {
    fn index_of(&self, identity: Vec<u8>) -> Result<LeafNodeIndex, Failure> {
        let credential: Credential = BasicCredential::new(identity).into();
        match self.group.member_leaf_index(&credential) {
            Some(index) => Ok(index),
            None => refuse("no member of that identity"),
        }
    }

    fn cache_proposals(&mut self, proposals: &[Value]) -> Result<(), Failure> {
        for proposal in proposals {
            let encoded = proposal.as_str().unwrap_or("");
            if self.own.contains(encoded) {
                continue;
            }
            let received = protocol(&hex::decode(encoded)?)?;
            let processed = self.group.process_message(&self.party.provider, received)?;
            match processed.into_content() {
                ProcessedMessageContent::ProposalMessage(proposal) => {
                    let storage = self.party.provider.storage();
                    self.group.store_pending_proposal(storage, *proposal)?;
                }
                _ => return refuse("not a proposal"),
            }
        }
        Ok(())
    }

    fn psk_id(&self, psk: Psk) -> Result<PreSharedKeyId, Failure> {
        Ok(PreSharedKeyId::new(self.group.ciphersuite(), self.party.provider.rand(), psk)?)
    }

    fn external_psk(&self, request: &Value) -> Result<PreSharedKeyId, Failure> {
        self.psk_id(Psk::External(ExternalPsk::new(bytes(request, "pskId")?)))
    }

    fn resumption_psk(&self, request: &Value) -> Result<PreSharedKeyId, Failure> {
        let nonce = self.external_psk(&json!({"pskId": ""}))?.psk_nonce().to_vec();
        Ok(PreSharedKeyId::resumption(
            ResumptionPskUsage::Application,
            self.group.group_id().clone(),
            GroupEpoch::from(number(request, "epochId")?),
            nonce,
        ))
    }

    fn entered(&mut self, request: &Value) -> Answer {
        self.own.clear();
        if !self.group.is_active() {
            return Ok(json!({"stateId": request["stateId"], "epochAuthenticator": "", "removed": true}));
        }
        Ok(json!({
            "stateId": request["stateId"],
            "epochAuthenticator": hex::encode(self.group.epoch_authenticator().as_slice()),
        }))
    }
}

impl Server {
    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn suite(&self, value: u16) -> Result<Ciphersuite, Failure> {
        if SUITES.contains(&value) && (!self.hpke_pq || value == 0x4D) {
            return Ok(Ciphersuite::try_from(value)?);
        }
        Err(Failure { message: format!("suite {value} is not offered"), unsupported: true })
    }

    fn party(&mut self, suite: Ciphersuite, identity: Vec<u8>, again: bool) -> Result<Party, Failure> {
        let key = (suite.into(), identity.clone());
        let signer = match (again, self.signers.get(&key)) {
            (true, Some(signer)) => signer.clone(),
            (true, None) => return refuse("no prior appearance of that identity"),
            _ => Rc::new(SignatureKeyPair::new(suite.signature_algorithm())?),
        };
        self.signers.insert(key, signer.clone());
        let provider = Provider::new(&self.crypto);
        signer.store(provider.storage())?;
        let credential = CredentialWithKey {
            credential: BasicCredential::new(identity).into(),
            signature_key: signer.public().into(),
        };
        Ok(Party { provider, signer, credential })
    }

    fn member(&mut self, request: &Value) -> Result<&mut Member, Failure> {
        let id = number(request, "stateId")?;
        match self.members.get_mut(&id) {
            Some(member) => Ok(member),
            None => refuse("no such state"),
        }
    }

    fn adopt(&mut self, party: Party, group: MlsGroup) -> u64 {
        let id = self.fresh();
        self.members.insert(id, Member { party, group, own: HashSet::new() });
        id
    }

    fn create_group(&mut self, request: &Value) -> Answer {
        let suite = self.suite(number(request, "cipherSuite")? as u16)?;
        let party = self.party(suite, bytes(request, "identity")?, false)?;
        let group = MlsGroup::builder()
            .with_group_id(GroupId::from_slice(&bytes(request, "groupId")?))
            .with_wire_format_policy(wire_format(request))
            .use_ratchet_tree_extension(true)
            .number_of_resumption_psks(16)
            .padding_size(64)
            .ciphersuite(suite)
            .with_capabilities(capabilities()?)
            .build(&party.provider, &*party.signer, party.credential.clone())?;
        Ok(json!({"stateId": self.adopt(party, group)}))
    }

    fn create_key_package(&mut self, request: &Value) -> Answer {
        let suite = self.suite(number(request, "cipherSuite")? as u16)?;
        let party = self.party(suite, bytes(request, "identity")?, false)?;
        let bundle = KeyPackage::builder()
            .leaf_node_capabilities(capabilities()?)
            .build(suite, &party.provider, &*party.signer, party.credential.clone())?;
        let package = MlsMessageOut::from(bundle.key_package().clone());
        let id = self.fresh();
        self.candidates.insert(id, party);
        Ok(json!({"transactionId": id, "keyPackage": encode(&package)?}))
    }

    fn join_group(&mut self, request: &Value) -> Answer {
        let Some(party) = self.candidates.remove(&number(request, "transactionId")?) else {
            return refuse("no such transaction");
        };
        let MlsMessageBodyIn::Welcome(welcome) = message(&bytes(request, "welcome")?)?.extract() else {
            return refuse("not a Welcome");
        };
        let staged = StagedWelcome::new_from_welcome(
            &party.provider,
            &join_config(request),
            welcome,
            tree(request)?,
        )?;
        let group = staged.into_group(&party.provider)?;
        let secret = hex::encode(group.epoch_authenticator().as_slice());
        Ok(json!({"stateId": self.adopt(party, group), "epochAuthenticator": secret}))
    }

    fn external_join(&mut self, request: &Value) -> Answer {
        let MlsMessageBodyIn::GroupInfo(info) = message(&bytes(request, "groupInfo")?)?.extract() else {
            return refuse("not a GroupInfo");
        };
        let suite = self.suite(info.ciphersuite().into())?;
        // OpenMLS finds its prior appearance by the signature key.
        let party = self.party(suite, bytes(request, "identity")?, flag(request, "removePrior"))?;
        let mut proposals = Vec::new();
        for psk in list(request, "psks") {
            let psk_id = ExternalPsk::new(bytes(psk, "pskId")?);
            let id = PreSharedKeyId::new(suite, party.provider.rand(), Psk::External(psk_id))?;
            id.store(&party.provider, &bytes(psk, "pskSecret")?)?;
            proposals.push(PreSharedKeyProposal::new(id));
        }
        let mut leaving = Vec::new();
        for item in list(request, "selfRemoves") {
            match message(&hex::decode(item.as_str().unwrap_or(""))?)?.extract() {
                MlsMessageBodyIn::PublicMessage(public) => leaving.push(public),
                _ => return refuse("not a PublicMessage"),
            }
        }
        let mut builder = MlsGroup::external_commit_builder()
            .with_config(join_config(request))
            .with_proposals(leaving);
        if let Some(tree) = tree(request)? {
            builder = builder.with_ratchet_tree(tree);
        }
        let leaf = LeafNodeParameters::builder().with_capabilities(capabilities()?).build();
        let (group, bundle) = builder
            .build_group(&party.provider, info, party.credential.clone())?
            .add_psk_proposals(proposals)
            .leaf_node_parameters(leaf)
            .load_psks(party.provider.storage())?
            .build(party.provider.rand(), party.provider.crypto(), &*party.signer, |_| true)?
            .finalize(&party.provider)?;
        let commit = encode(bundle.commit())?;
        let secret = hex::encode(group.epoch_authenticator().as_slice());
        let state = self.adopt(party, group);
        Ok(json!({"stateId": state, "commit": commit, "epochAuthenticator": secret}))
    }

    fn group_info(&mut self, request: &Value) -> Answer {
        let outside = flag(request, "externalTree");
        let member = self.member(request)?;
        let info = member.group.export_group_info(
            member.party.provider.crypto(),
            &*member.party.signer,
            !outside,
        )?;
        let tree = if outside { encode(&member.group.export_ratchet_tree())? } else { String::new() };
        Ok(json!({"groupInfo": encode(&info)?, "ratchetTree": tree}))
    }

    fn state_auth(&mut self, request: &Value) -> Answer {
        let member = self.member(request)?;
        Ok(json!({"stateAuthSecret": hex::encode(member.group.epoch_authenticator().as_slice())}))
    }

    fn export(&mut self, request: &Value) -> Answer {
        let label = text(request, "label")?;
        let context = bytes(request, "context")?;
        let size = number(request, "keyLength")? as usize;
        let member = self.member(request)?;
        let crypto = member.party.provider.crypto();
        let secret = member.group.export_secret(crypto, &label, &context, size)?;
        Ok(json!({"exportedSecret": hex::encode(secret)}))
    }

    fn safe_export(&mut self, request: &Value) -> Answer {
        let component = number(request, "componentId")? as u16;
        let member = self.member(request)?;
        let provider = &member.party.provider;
        let secret = member.group.safe_export_secret(provider.crypto(), provider.storage(), component)?;
        Ok(json!({"exportedSecret": hex::encode(secret)}))
    }

    fn self_remove(&mut self, request: &Value) -> Answer {
        let member = self.member(request)?;
        let provider = &member.party.provider;
        // OpenMLS refuses where all it sends is encrypted.
        let before = member.group.configuration().clone();
        let public = MlsGroupJoinConfig::builder()
            .wire_format_policy(MIXED_PLAINTEXT_WIRE_FORMAT_POLICY)
            .use_ratchet_tree_extension(true)
            .number_of_resumption_psks(16)
            .padding_size(64)
            .build();
        member.group.set_configuration(provider.storage(), &public)?;
        let sent = member.group.leave_group_via_self_remove(provider, &*member.party.signer)?;
        member.group.set_configuration(provider.storage(), &before)?;
        let sent = encode(&sent)?;
        member.own.insert(sent.clone());
        Ok(json!({"proposal": sent}))
    }

    fn protect(&mut self, request: &Value) -> Answer {
        let plain = bytes(request, "plaintext")?;
        let authenticated = bytes(request, "authenticatedData")?;
        let member = self.member(request)?;
        member.group.set_aad(authenticated);
        let sent =
            member.group.create_message(&member.party.provider, &*member.party.signer, &plain)?;
        Ok(json!({"ciphertext": encode(&sent)?}))
    }

    fn unprotect(&mut self, request: &Value) -> Answer {
        let received = protocol(&bytes(request, "ciphertext")?)?;
        let member = self.member(request)?;
        let processed = member.group.process_message(&member.party.provider, received)?;
        let authenticated = hex::encode(processed.aad());
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(application) => Ok(json!({
                "plaintext": hex::encode(application.into_bytes()),
                "authenticatedData": authenticated,
            })),
            _ => refuse("not an application message"),
        }
    }

    fn store_psk(&mut self, request: &Value) -> Answer {
        let id = number(request, "stateOrTransactionId")?;
        let psk = PreSharedKeyId::external(bytes(request, "pskId")?, Vec::new());
        let provider = match (self.members.get(&id), self.candidates.get(&id)) {
            (Some(member), _) => &member.party.provider,
            (_, Some(party)) => &party.provider,
            _ => return refuse("no such state or transaction"),
        };
        psk.store(provider, &bytes(request, "pskSecret")?)?;
        Ok(json!({}))
    }

    fn propose(&mut self, method: &str, request: &Value) -> Answer {
        let member = self.member(request)?;
        let value = match method {
            "addProposal" => {
                Propose::Add(key_package(&bytes(request, "keyPackage")?, &member.party.provider)?)
            }
            "updateProposal" => Propose::Update(LeafNodeParameters::default()),
            "removeProposal" => Propose::Remove(member.index_of(bytes(request, "removedId")?)?.u32()),
            "externalPskProposal" => Propose::PreSharedKey(member.external_psk(request)?),
            "resumptionPskProposal" => Propose::PreSharedKey(member.resumption_psk(request)?),
            _ => Propose::GroupContextExtensions(extensions(request)?),
        };
        let (sent, _) = member.group.propose(
            &member.party.provider,
            &*member.party.signer,
            value,
            ProposalOrRefType::Reference,
        )?;
        let sent = encode(&sent)?;
        member.own.insert(sent.clone());
        Ok(json!({"proposal": sent}))
    }

    fn commit(&mut self, request: &Value) -> Answer {
        let outside = flag(request, "externalTree");
        let member = self.member(request)?;
        member.cache_proposals(list(request, "byReference"))?;
        let by_value = ByValue::read(member, list(request, "byValue"))?;
        let provider = &member.party.provider;
        let mut builder = member
            .group
            .commit_builder()
            .force_self_update(flag(request, "forcePath"))
            .propose_adds(by_value.adds)
            .propose_removals(by_value.removals)
            .add_proposals(by_value.psks);
        if let Some(context) = by_value.context {
            builder = builder.propose_group_context_extensions(context)?;
        }
        let bundle = builder
            .load_psks(provider.storage())?
            .create_group_info(true)
            .use_ratchet_tree_extension(!outside)
            .build(provider.rand(), provider.crypto(), &*member.party.signer, |_| true)?
            .stage_commit(provider)?;
        let commit = encode(bundle.commit())?;
        let welcome = match bundle.to_welcome_msg() {
            Some(welcome) => encode(&welcome)?,
            None => String::new(),
        };
        let tree = match (outside, member.group.pending_commit()) {
            (true, Some(staged)) => match staged.export_ratchet_tree(provider.crypto(), member.group.export_ratchet_tree())? {
                Some(tree) => encode(&tree)?,
                None => String::new(),
            },
            _ => String::new(),
        };
        Ok(json!({"commit": commit, "welcome": welcome, "ratchetTree": tree}))
    }

    fn handle_commit(&mut self, request: &Value) -> Answer {
        let member = self.member(request)?;
        member.cache_proposals(list(request, "proposal"))?;
        let commit = protocol(&bytes(request, "commit")?)?;
        let processed = member.group.process_message(&member.party.provider, commit)?;
        match processed.into_content() {
            ProcessedMessageContent::StagedCommitMessage(staged) => {
                member.group.merge_staged_commit(&member.party.provider, *staged)?;
            }
            _ => return refuse("not a commit"),
        }
        member.entered(request)
    }

    fn handle_pending_commit(&mut self, request: &Value) -> Answer {
        let member = self.member(request)?;
        member.group.merge_pending_commit(&member.party.provider)?;
        member.entered(request)
    }

    fn suites(&self) -> Value {
        if self.hpke_pq {
            return json!({
                "ciphersuites": [0x4D],
                "derivation": {"77": "hpke-pq"},
                "notes": {"77": "X-Wing's DeriveKeyPair replaced by draft-ietf-hpke-pq's"},
            });
        }
        json!({
            "ciphersuites": SUITES,
            "derivation": {"77": "shake256"},
            "notes": {"77": "X-Wing's DeriveKeyPair is SHAKE256(ikm), not draft-ietf-hpke-pq's"},
        })
    }

    fn call(&mut self, method: &str, request: &Value) -> Answer {
        match method {
            "name" => Ok(json!({"name": "OpenMLS 0.9.2"})),
            "supportedCiphersuites" => Ok(self.suites()),
            "createGroup" => self.create_group(request),
            "createKeyPackage" => self.create_key_package(request),
            "joinGroup" => self.join_group(request),
            "externalJoin" => self.external_join(request),
            "groupInfo" => self.group_info(request),
            "stateAuth" => self.state_auth(request),
            "export" => self.export(request),
            "safeExport" => self.safe_export(request),
            "selfRemoveProposal" => self.self_remove(request),
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

#[derive(Default)]
struct ByValue {
    adds: Vec<KeyPackage>,
    removals: Vec<LeafNodeIndex>,
    psks: Vec<Proposal>,
    context: Option<Extensions<GroupContext>>,
}

impl ByValue {
    fn read(member: &Member, items: &[Value]) -> Result<Self, Failure> {
        let mut result = ByValue::default();
        let psk = |id| Proposal::PreSharedKey(Box::new(PreSharedKeyProposal::new(id)));
        for item in items {
            match text(item, "proposalType")?.as_str() {
                "add" => {
                    let package = key_package(&bytes(item, "keyPackage")?, &member.party.provider)?;
                    result.adds.push(package);
                }
                "remove" => result.removals.push(member.index_of(bytes(item, "removedId")?)?),
                "externalPSK" => result.psks.push(psk(member.external_psk(item)?)),
                "resumptionPSK" => result.psks.push(psk(member.resumption_psk(item)?)),
                "groupContextExtensions" => result.context = Some(extensions(item)?),
                other => return refuse(format!("no such proposal by value: {other}")),
            }
        }
        Ok(result)
    }
}

fn main() -> std::io::Result<()> {
    let hpke_pq = std::env::args().any(|argument| argument == "--hpke-pq");
    let crypto = Crypto::new(hpke_pq).map_err(|_| std::io::Error::other("no crypto"))?;
    let mut server = Server {
        crypto: Rc::new(crypto),
        hpke_pq,
        next: 0,
        members: HashMap::new(),
        candidates: HashMap::new(),
        signers: HashMap::new(),
    };
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
