// ts-mls behind the interoperability protocol: JSON lines on stdio, see interop/README.md.
// With --hpke-pq, only X-Wing with ChaCha20-Poly1305 and SHA-256 is offered, composed of ts-mls's
// parts (1.6.4 itself gives 0x004D to ML-KEM-512), with the DeriveKeyPair of draft-ietf-hpke-pq.
import { createHash } from "node:crypto"
import { createInterface } from "node:readline"
import { XWing } from "@hpke/hybridkem-x-wing"
import { p256 } from "@noble/curves/nist.js"
import {
  bytesToBase64,
  ciphersuites,
  createApplicationMessage,
  createCommit,
  createGroup,
  createGroupInfoWithExternalPub,
  createGroupInfoWithExternalPubAndRatchetTree,
  createProposal,
  decodeMlsMessage,
  defaultCapabilities,
  encodeMlsMessage,
  generateKeyPackageWithKey,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  joinGroup,
  joinGroupExternal,
  makePskIndex,
  mlsExporter,
  processPrivateMessage,
  processPublicMessage,
} from "ts-mls"
import { signWithLabel } from "ts-mls/crypto/signature.js"
import { encodeLeafNodeTBS } from "ts-mls/leafNode.js"
import { decodeRatchetTree, encodeRatchetTree } from "ts-mls/ratchetTree.js"

const PROBE_EXTENSION = 0xf01d // every client of the protocol lists it in its capabilities
const hpkePq = process.argv.includes("--hpke-pq")
const suites = hpkePq ? [0x4d] : [1, 2, 3]
const suiteNames = Object.fromEntries(Object.entries(ciphersuites).map(([name, id]) => [id, name]))

class Unsupported extends Error {}

const members = new Map() // stateId -> { state, pending, impl, publicMessages, psks, own, update }
const candidates = new Map() // transactionId -> { impl, pair, psks }
const signers = new Map() // suite and identity -> signature key pair
let next = 0

const hex = (bytes) => Buffer.from(bytes).toString("hex")
const bytes = (text) => Uint8Array.from(Buffer.from(text ?? "", "hex"))

// draft-ietf-hpke-pq: SHAKE256.LabeledDerive(ikm, "DeriveKeyPair", "", 32) for KEM 0x647a.
function deriveSeed(ikm) {
  const label = Buffer.from("DeriveKeyPair")
  const hash = createHash("shake256", { outputLength: 32 })
  hash.update(ikm).update("HPKE-v1KEM").update(Buffer.from([0x64, 0x7a, 0, label.length]))
  return Uint8Array.from(hash.update(label).update(Buffer.from([0, 32])).digest())
}

const implementations = new Map()

async function implementation(suite) {
  if (!suites.includes(suite)) throw new Unsupported(`suite ${suite} is not offered`)
  if (!implementations.has(suite)) implementations.set(suite, await makeImplementation(suite))
  return implementations.get(suite)
}

async function makeImplementation(suite) {
  if (suite !== 0x4d) return getCiphersuiteImpl(getCiphersuiteFromName(suiteNames[suite]))
  const impl = await getCiphersuiteImpl({
    hash: "SHA-256",
    hpke: { kem: "X-Wing", aead: "CHACHA20POLY1305", kdf: "HKDF-SHA256" },
    signature: "Ed25519",
    name: suiteNames[suite], // what 1.6.4 encodes as 0x004D
  })
  const kem = new XWing()
  impl.hpke.deriveKeyPair = (ikm) => kem.generateKeyPairDerand(deriveSeed(ikm))
  return impl
}

function capabilities() {
  return {
    ...defaultCapabilities(),
    ciphersuites: suites.map((suite) => suiteNames[suite]),
    extensions: [PROBE_EXTENSION],
  }
}

// ts-mls makes 33-byte P-256 keys; RFC 9420, 5.1.2 wants the uncompressed form.
async function signatureKey(impl) {
  const { signKey, publicKey } = await impl.signature.keygen()
  if (impl.name !== suiteNames[2]) return { signKey, publicKey }
  return { signKey, publicKey: p256.Point.fromBytes(publicKey).toBytes(false) }
}

async function keyPackage(impl, identity, again) {
  const key = `${impl.name}/${hex(identity)}`
  if (again && !signers.has(key)) throw new Error("no prior appearance of that identity")
  if (!again) signers.set(key, await signatureKey(impl))
  const now = BigInt(Math.floor(Date.now() / 1000))
  const lifetime = { notBefore: now - 3600n, notAfter: now + 28n * 86400n }
  const credential = { credentialType: "basic", identity }
  return generateKeyPackageWithKey(credential, capabilities(), lifetime, [], signers.get(key), impl)
}

function decode(text, wireformat) {
  const raw = bytes(text)
  const decoded = decodeMlsMessage(raw, 0)
  if (decoded === undefined || decoded[1] !== raw.length) throw new Error("not an MLSMessage")
  if (wireformat !== undefined && decoded[0].wireformat !== wireformat) {
    throw new Error(`expected ${wireformat}, got ${decoded[0].wireformat}`)
  }
  return decoded[0]
}

const encode = (message) => hex(encodeMlsMessage({ version: "mls10", ...message }))

function tree(params) {
  return params.ratchetTree ? decodeRatchetTree(bytes(params.ratchetTree), 0)[0] : undefined
}

function extensions(list) {
  const known = { 3: "required_capabilities", 5: "external_senders" }
  return (list ?? []).map((item) => ({
    extensionType: known[item.extensionType] ?? item.extensionType,
    extensionData: bytes(item.extensionData),
  }))
}

function member(params) {
  const found = members.get(params.stateId)
  if (found === undefined) throw new Error("no such state")
  return found
}

function adopt(impl, state, encrypted, psks) {
  members.set(++next, {
    impl, state, publicMessages: !encrypted, psks: psks ?? {}, own: new Set(), pending: undefined, update: undefined,
  })
  return next
}

const authenticator = (state) => hex(state.keySchedule.epochAuthenticator)

function leafIndex(state, identity) {
  const found = state.ratchetTree.findIndex(
    (node) =>
      node?.nodeType === "leaf" &&
      node.leaf.credential.credentialType === "basic" &&
      hex(node.leaf.credential.identity) === identity,
  )
  if (found < 0) throw new Error("no member of that identity")
  return found / 2
}

async function process_(self, message) {
  const index = makePskIndex(self.state, self.psks)
  if (message.wireformat === "mls_private_message") {
    return processPrivateMessage(self.state, message.privateMessage, index, self.impl)
  }
  if (message.wireformat === "mls_public_message") {
    return processPublicMessage(self.state, message.publicMessage, index, self.impl)
  }
  throw new Error(`unexpected ${message.wireformat}`)
}

async function cacheProposals(self, proposals) {
  for (const proposal of proposals ?? []) {
    if (!self.own.has(proposal)) self.state = (await process_(self, decode(proposal))).newState
  }
}

function external(impl, pskId) {
  const preSharedKeyId = { psktype: "external", pskId: bytes(pskId), pskNonce: impl.rng.randomBytes(impl.kdf.size) }
  return { proposalType: "psk", psk: { preSharedKeyId } }
}

function resumption(self, epoch) {
  return {
    proposalType: "psk",
    psk: {
      preSharedKeyId: {
        psktype: "resumption",
        usage: "application",
        pskGroupId: self.state.groupContext.groupId,
        pskEpoch: BigInt(epoch),
        pskNonce: self.impl.rng.randomBytes(self.impl.kdf.size),
      },
    },
  }
}

function proposalOf(self, kind, item) {
  switch (kind) {
    case "add":
      return { proposalType: "add", add: { keyPackage: decode(item.keyPackage, "mls_key_package").keyPackage } }
    case "remove":
      return { proposalType: "remove", remove: { removed: leafIndex(self.state, item.removedId) } }
    case "externalPSK":
      return external(self.impl, item.pskId)
    case "resumptionPSK":
      return resumption(self, item.epochId)
    case "groupContextExtensions":
      return {
        proposalType: "group_context_extensions",
        groupContextExtensions: { extensions: extensions(item.extensions) },
      }
    default:
      throw new Unsupported(`no such proposal: ${kind}`)
  }
}

async function propose(self, proposal) {
  const result = await createProposal(self.state, self.publicMessages, proposal, self.impl)
  self.state = result.newState
  const encoded = encode(result.message)
  self.own.add(encoded)
  return { proposal: encoded }
}

// ts-mls makes no Update itself: the leaf is made here, its private key put in place when committed.
async function proposeUpdate(self) {
  const { state, impl } = self
  const index = state.privatePath.leafIndex
  const old = state.ratchetTree[2 * index].leaf
  const pair = await impl.hpke.generateKeyPair()
  const unsigned = {
    hpkePublicKey: await impl.hpke.exportPublicKey(pair.publicKey),
    signaturePublicKey: old.signaturePublicKey,
    credential: old.credential,
    capabilities: old.capabilities,
    leafNodeSource: "update",
    extensions: old.extensions,
  }
  const signed = encodeLeafNodeTBS({ ...unsigned, groupId: state.groupContext.groupId, leafIndex: index })
  const signature = await signWithLabel(state.signaturePrivateKey, "LeafNodeTBS", signed, impl.signature)
  const leafNode = { ...unsigned, signature }
  self.update = await impl.hpke.exportPrivateKey(pair.privateKey)
  return propose(self, { proposalType: "update", update: { leafNode } })
}

function usePendingUpdate(self) {
  const { state, update } = self
  const privateKeys = { ...state.privatePath.privateKeys, [2 * state.privatePath.leafIndex]: update }
  self.state = { ...state, privatePath: { ...state.privatePath, privateKeys } }
}

function entered(self, params, state) {
  Object.assign(self, { state, pending: undefined, update: undefined })
  self.own.clear()
  if (state.groupActiveState.kind === "removedFromGroup") {
    return { stateId: params.stateId, epochAuthenticator: "", removed: true }
  }
  return { stateId: params.stateId, epochAuthenticator: authenticator(state) }
}

const methods = {
  name: () => ({ name: "ts-mls 1.6.4" }),

  supportedCiphersuites: () =>
    hpkePq
      ? {
          ciphersuites: suites,
          derivation: { 77: "hpke-pq" },
          notes: { 77: "0x004D composed of its parts, X-Wing's DeriveKeyPair replaced by draft-ietf-hpke-pq's" },
        }
      : {
          ciphersuites: suites,
          notes: { 2: "its compressed P-256 signature keys are made uncompressed by the peer program" },
          cannot: { 77: "ts-mls 1.6.4 gives 0x004D to ML-KEM-512 (and its X-Wing derives keys by SHAKE256(ikm))" },
        },

  async createGroup(params) {
    const impl = await implementation(params.cipherSuite)
    const pair = await keyPackage(impl, bytes(params.identity), false)
    const state = await createGroup(bytes(params.groupId), pair.publicPackage, pair.privatePackage, [], impl)
    return { stateId: adopt(impl, state, params.encryptHandshake) }
  },

  async createKeyPackage(params) {
    const impl = await implementation(params.cipherSuite)
    const pair = await keyPackage(impl, bytes(params.identity), false)
    candidates.set(++next, { impl, pair, psks: {} })
    return { transactionId: next, keyPackage: encode({ wireformat: "mls_key_package", keyPackage: pair.publicPackage }) }
  },

  async joinGroup(params) {
    const candidate = candidates.get(params.transactionId)
    if (candidate === undefined) throw new Error("no such transaction")
    const { impl, pair, psks } = candidate
    const { welcome } = decode(params.welcome, "mls_welcome")
    const index = makePskIndex(undefined, psks)
    const state = await joinGroup(welcome, pair.publicPackage, pair.privatePackage, index, impl, tree(params))
    candidates.delete(params.transactionId)
    return { stateId: adopt(impl, state, params.encryptHandshake, psks), epochAuthenticator: authenticator(state) }
  },

  async externalJoin(params) {
    if (params.psks?.length) throw new Unsupported("ts-mls takes no PSK in an external commit")
    const { groupInfo } = decode(params.groupInfo, "mls_group_info")
    const impl = await implementation(ciphersuites[groupInfo.groupContext.cipherSuite])
    const resync = params.removePrior === true
    const pair = await keyPackage(impl, bytes(params.identity), resync)
    const { publicMessage, newState } = await joinGroupExternal(
      groupInfo, pair.publicPackage, pair.privatePackage, resync, impl, tree(params))
    const commit = encode({ wireformat: "mls_public_message", publicMessage })
    const stateId = adopt(impl, newState, params.encryptHandshake)
    return { stateId, commit, epochAuthenticator: authenticator(newState) }
  },

  async groupInfo(params) {
    const { state, impl } = member(params)
    const make = params.externalTree ? createGroupInfoWithExternalPub : createGroupInfoWithExternalPubAndRatchetTree
    const groupInfo = await make(state, [], impl)
    return {
      groupInfo: encode({ wireformat: "mls_group_info", groupInfo }),
      ratchetTree: params.externalTree ? hex(encodeRatchetTree(state.ratchetTree)) : "",
    }
  },

  stateAuth: (params) => ({ stateAuthSecret: authenticator(member(params).state) }),

  async export(params) {
    const { state, impl } = member(params)
    const context = bytes(params.context)
    const secret = await mlsExporter(state.keySchedule.exporterSecret, params.label, context, params.keyLength, impl)
    return { exportedSecret: hex(secret) }
  },

  async protect(params) {
    const self = member(params)
    const result = await createApplicationMessage(
      self.state, bytes(params.plaintext), self.impl, bytes(params.authenticatedData))
    self.state = result.newState
    return { ciphertext: encode({ wireformat: "mls_private_message", privateMessage: result.privateMessage }) }
  },

  async unprotect(params) {
    const self = member(params)
    const message = decode(params.ciphertext, "mls_private_message")
    const result = await process_(self, message)
    if (result.kind !== "applicationMessage") throw new Error("not an application message")
    self.state = result.newState
    return { plaintext: hex(result.message), authenticatedData: hex(message.privateMessage.authenticatedData) }
  },

  storePsk(params) {
    const id = params.stateOrTransactionId
    const holder = members.get(id) ?? candidates.get(id)
    if (holder === undefined) throw new Error("no such state or transaction")
    holder.psks[bytesToBase64(bytes(params.pskId))] = bytes(params.pskSecret)
    return {}
  },

  addProposal: (params) => propose(member(params), proposalOf(member(params), "add", params)),
  removeProposal: (params) => propose(member(params), proposalOf(member(params), "remove", params)),
  externalPskProposal: (params) => propose(member(params), proposalOf(member(params), "externalPSK", params)),
  resumptionPskProposal: (params) => propose(member(params), proposalOf(member(params), "resumptionPSK", params)),
  groupContextExtensionsProposal: (params) =>
    propose(member(params), proposalOf(member(params), "groupContextExtensions", params)),
  updateProposal: (params) => proposeUpdate(member(params)),

  async commit(params) {
    const self = member(params)
    await cacheProposals(self, params.byReference)
    const byValue = (params.byValue ?? []).map((item) => proposalOf(self, item.proposalType, item))
    const pathless = byValue.length + Object.keys(self.state.unappliedProposals).length > 0
    const removes = [...byValue, ...Object.values(self.state.unappliedProposals).map((p) => p.proposal)].some(
      (p) => p.proposalType === "remove" || p.proposalType === "update")
    if (params.forcePath && pathless && !removes) throw new Unsupported("ts-mls cannot be told to add a path")
    const result = await createCommit(
      { state: self.state, cipherSuite: self.impl, pskIndex: makePskIndex(self.state, self.psks) },
      { wireAsPublicMessage: self.publicMessages, extraProposals: byValue, ratchetTreeExtension: !params.externalTree },
    )
    self.pending = result.newState
    return {
      commit: encode(result.commit),
      welcome: result.welcome ? encode({ wireformat: "mls_welcome", welcome: result.welcome }) : "",
      ratchetTree: params.externalTree ? hex(encodeRatchetTree(result.newState.ratchetTree)) : "",
    }
  },

  async handleCommit(params) {
    const self = member(params)
    await cacheProposals(self, params.proposal)
    // The protocol has every proposal of an epoch committed: one's own Update is in this commit.
    const before = self.state
    if (self.update !== undefined) usePendingUpdate(self)
    try {
      const result = await process_(self, decode(params.commit))
      if (result.kind === "applicationMessage") throw new Error("not a commit")
      return entered(self, params, result.newState)
    } catch (error) {
      self.state = before
      throw error
    }
  },

  handlePendingCommit(params) {
    const self = member(params)
    if (self.pending === undefined) throw new Error("no pending commit")
    return entered(self, params, self.pending)
  },

  free(params) {
    members.delete(params.stateId)
    candidates.delete(params.stateId)
    return {}
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line)
  let answer
  try {
    const method = methods[request.method]
    if (method === undefined) throw new Unsupported(`${request.method} is not offered`)
    answer = { id: request.id, result: await method(request.params ?? {}) }
  } catch (error) {
    const unsupported = error instanceof Unsupported
    answer = { id: request.id, error: { message: `${error.name}: ${error.message}`, unsupported } }
  }
  process.stdout.write(JSON.stringify(answer) + "\n")
}
