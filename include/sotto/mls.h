/* MLS, RFC 9420, as a library: end-to-end encrypted groups.
 *
 * The engine is pure: no I/O, no clock, no threads, no logging, no global state. It takes bytes and
 * a sotto_env and gives bytes. What an application must do itself is listed in docs/mls/DUTIES.md;
 * read that first.
 *
 * Objects. A sotto_mls is the engine: environment, callbacks, fetched algorithms, the last fault. A
 * sotto_mls_group is one group as one member sees it. A sotto_mls_staged is an epoch that was made
 * or received but not yet entered: look at it, then apply or drop it. Groups belong
 * to the engine that made them and staged epochs to their group; they must be freed before it. An
 * engine and all that belongs to it serve one thread at a time; engines are independent of one
 * another.
 *
 * Errors. As in docs/CONVENTIONS.md: a call that fails changes nothing, neither the group nor its
 * outputs; sotto_mls_fault says which field or rule was broken. Output buffers are appended to.
 *
 * Secrets. Private keys and secrets pass through sotto_buf, which wipes itself. The engine wipes
 * each secret when the RFC says that it goes: message keys when used, a tree's secrets with the
 * epoch, init keys when the group was joined (the caller erases its stored copy, see
 * sotto_mls_join). */
#ifndef SOTTO_MLS_H
#define SOTTO_MLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sotto/api.h"
#include "sotto/bytes.h"
#include "sotto/env.h"
#include "sotto/error.h"
#include "sotto/mls_provider.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sotto_mls sotto_mls;
typedef struct sotto_mls_group sotto_mls_group;
typedef struct sotto_mls_staged sotto_mls_staged;
typedef struct sotto_mls_proposal sotto_mls_proposal;

/* ---- Suites (RFC 9420, 17.1) ----------------------------------------------------------------- */

enum {
    SOTTO_MLS_X25519_AES128_SHA256_ED25519 = 0x0001,
    SOTTO_MLS_P256_AES128_SHA256_P256 = 0x0002,
    SOTTO_MLS_X25519_CHACHA_SHA256_ED25519 = 0x0003,
    SOTTO_MLS_X448_AES256_SHA512_ED448 = 0x0004,
    SOTTO_MLS_P521_AES256_SHA512_P521 = 0x0005,
    SOTTO_MLS_X448_CHACHA_SHA512_ED448 = 0x0006,
    SOTTO_MLS_P384_AES256_SHA384_P384 = 0x0007,
    /* X-Wing (ML-KEM-768 + X25519), private-use number shared with OpenMLS and ts-mls. */
    SOTTO_MLS_XWING_CHACHA_SHA256_ED25519 = 0x004D,
    /* Rows of draft-ietf-mls-pq-ciphersuites-06, which has no code points yet: 0xFA00 and the row's
     * number, in the private-use range. They change when the draft's are assigned: for trying out,
     * not for groups that are to last. XWING and P256 are
     * hybrids, the last two ML-KEM-768 alone. */
    SOTTO_MLS_PQ_XWING_AES128_SHA256_ED25519 = 0xFA01,
    SOTTO_MLS_PQ_XWING_AES256_SHA384_ED25519 = 0xFA02,
    SOTTO_MLS_PQ_MLKEM768P256_AES128_SHA256_P256 = 0xFA03,
    SOTTO_MLS_PQ_MLKEM768P256_AES256_SHA384_P256 = 0xFA04,
    SOTTO_MLS_PQ_MLKEM768_AES256_SHA384_ED25519 = 0xFA06,
    SOTTO_MLS_PQ_MLKEM768_AES256_SHA384_P256 = 0xFA07,

    SOTTO_MLS_DEFAULT_SUITE = SOTTO_MLS_XWING_CHACHA_SHA256_ED25519,
};

/* The suite's IANA name, or "unknown". Static. Any thread. */
SOTTO_API const char *sotto_mls_suite_name(uint16_t suite);

/* ---- Values ---------------------------------------------------------------------------------- */

enum { SOTTO_MLS_BASIC = 1, SOTTO_MLS_X509 = 2 };

/* A credential (5.3). basic: identity. x509: chain, leaf certificate first, each DER. */
typedef struct sotto_mls_credential {
    uint16_t type;
    sotto_bytes identity;
    const sotto_bytes *chain;
    size_t chain_count;
} sotto_mls_credential;

typedef struct sotto_mls_extension {
    uint16_t type;
    sotto_bytes data;
} sotto_mls_extension;

/* What a client supports beyond the RFC's defaults (7.2). Arrays may be empty. The engine adds the
 * suite it is given, the protocol version and the identity's credential type by itself, and leaves
 * out suites that it cannot run. It also adds a GREASE value (13.5) to each list. */
typedef struct sotto_mls_capabilities {
    const uint16_t *suites;
    size_t suite_count;
    const uint16_t *extensions;
    size_t extension_count;
    const uint16_t *proposals;
    size_t proposal_count;
    const uint16_t *credentials;
    size_t credential_count;
} sotto_mls_capabilities;

/* Who a client is: what its leaves say and the key that signs for them. Borrowed by calls that take
 * it; a group keeps its own copy. */
typedef struct sotto_mls_identity {
    uint16_t suite;
    sotto_mls_credential credential;
    sotto_bytes signature_private; /* as sotto_mls_signature_key gave it */
    sotto_bytes signature_public;
    sotto_mls_capabilities capabilities;
    const sotto_mls_extension *leaf_extensions;
    size_t leaf_extension_count;
} sotto_mls_identity;

/* A member or a candidate, borrowed from a group, a staged epoch or a KeyPackage. */
typedef struct sotto_mls_leaf {
    uint32_t index; /* leaf index; UINT32_MAX for a KeyPackage that is not in a tree */
    sotto_mls_credential credential;
    sotto_bytes signature_key;
    sotto_bytes encryption_key;
    const sotto_mls_extension *extensions;
    size_t extension_count;
    uint64_t not_before, not_after; /* lifetime, KeyPackage leaves only; else 0 and UINT64_MAX */
} sotto_mls_leaf;

#define SOTTO_MLS_NO_SENDER UINT32_MAX /* no member: an external sender, a new member, nobody */

/* ---- Engine ---------------------------------------------------------------------------------- */

typedef struct sotto_mls_config {
    void *ctx; /* for the callbacks below */

    /* Asked for every leaf that is about to count: each leaf of a tree at joining, each added or
     * updated leaf in a proposal or path, one's own excepted. The leaf's signature was verified
     * already; this decides whether the credential speaks for who it says (5.3.1), including its
     * extensions. replaced: the leaf in the same place before, NULL for a new member; whether the
     * successor may follow it is decided here too. Anything but SOTTO_OK refuses the whole message
     * with CREDENTIAL, except that NO_MEMORY, NO_RANDOM, INTERNAL, IO, FULL and BUSY say that this
     * could not be decided now: they are returned as they are, and the message can be processed
     * again. NULL: every credential is accepted, which is for tests only. */
    sotto_error (*validate_leaf)(void *ctx, const sotto_mls_group *group,
                                 const sotto_mls_leaf *leaf, const sotto_mls_leaf *replaced);

    /* The external PSK of that id (8.4), appended to psk; NOT_FOUND if there is none. NULL: none.
     */
    sotto_error (*external_psk)(void *ctx, sotto_bytes id, sotto_buf *psk);

    /* The resumption PSK of another group's or an earlier epoch, which the application kept from
     * sotto_mls_resumption_psk. NULL: only epochs that the group itself still holds. */
    sotto_error (*resumption_psk)(void *ctx, sotto_bytes group_id, uint64_t epoch, sotto_buf *psk);

    /* A record of a group that was loaded, as the last save wrote it, appended to value. Where this
     * is set, sotto_mls_group_load need not be given records of kind 7, the public keys of parent
     * nodes, which are half of a large group of a post-quantum suite: each is asked for here when
     * it is used (some twenty for a commit, all for a Welcome with the tree) and is not kept. An
     * error fails the call that needed the key. NULL: loading takes all records. */
    sotto_error (*stored)(void *ctx, const sotto_mls_group *group, uint32_t kind, uint32_t index,
                          sotto_buf *value);

    /* How far a sender's generation may be ahead of what was received (9.1, forward limit), and
     * how many skipped keys a sender's ratchet keeps. 0: 1000 and 100. */
    uint32_t max_forward_generations;
    uint32_t max_skipped_keys;

    /* How many past epochs' message keys a group keeps so that late messages can be read. 0: none;
     * the log of a Sotto room needs none. */
    uint32_t past_epochs;

    /* Whether lifetimes of KeyPackages are checked against env's clock when they are added. */
    bool ignore_lifetimes;

    /* The longest lifetime of a KeyPackage, in seconds, that is acceptable when it is added or
     * inspected (7.2 demands that an application has one). 0: any. */
    uint64_t max_lifetime_s;

    /* Whether one's leaves and KeyPackages have a GREASE extension too, as the RFC wishes (13.5).
     * false because OpenMLS up to 0.9.2 refuses them; capabilities and GroupInfos have GREASE
     * always. */
    bool grease_extensions;
} sotto_mls_config;

/* Makes an engine. config is copied, its ctx and env are borrowed and must outlive the engine;
 * NULL: all zero. NO_MEMORY or INTERNAL. Freed with sotto_mls_free, after all that belongs to it.
 */
SOTTO_API sotto_error sotto_mls_new(const sotto_env *env, const sotto_mls_config *config,
                                    sotto_mls **mls);
/* The same over another crypto provider (sotto/mls_provider.h), which must outlive the engine;
 * config and env as there. It refers to no library: a program that uses nothing else links without
 * the default provider. An error of the provider's start is returned. */
SOTTO_API sotto_error sotto_mls_new_with_provider(const sotto_env *env,
                                                  const sotto_mls_config *config,
                                                  const sotto_mls_provider *provider,
                                                  sotto_mls **mls);
/* Stops the provider and frees the engine; the groups and staged epochs that belong to it must be
 * freed before. NULL allowed. */
SOTTO_API void sotto_mls_free(sotto_mls *mls);

/* Whether this engine can run the suite: known, and its provider has what it needs. */
SOTTO_API bool sotto_mls_suite_available(const sotto_mls *mls, uint16_t suite);

/* The last failed call's error, field or rule, and offset. Never NULL; valid until the next call.
 */
SOTTO_API const sotto_fault *sotto_mls_fault(const sotto_mls *mls);

/* A new signature key pair for suite: appended to private_key, which is a secret of the caller's,
 * and to public_key. UNSUPPORTED if the suite is not available. */
SOTTO_API sotto_error sotto_mls_signature_key(sotto_mls *mls, uint16_t suite,
                                              sotto_buf *private_key, sotto_buf *public_key);

/* ---- KeyPackages (10) ------------------------------------------------------------------------ */

enum {
    SOTTO_MLS_LAST_RESORT = 1, /* may be used more than once (extensions draft) */
};

/* Makes a KeyPackage, valid from not_before to not_after (seconds since 1970); flags: 0 or
 * SOTTO_MLS_LAST_RESORT. Appends to
 * key_package an MLSMessage holding it, and to secrets its private keys, which the caller stores
 * under the KeyPackage's reference, erases once a group was joined with it, and gives to nobody. */
SOTTO_API sotto_error sotto_mls_key_package(sotto_mls *mls, const sotto_mls_identity *identity,
                                            uint64_t not_before, uint64_t not_after, unsigned flags,
                                            sotto_buf *key_package, sotto_buf *secrets);

/* Verifies a KeyPackage (10.1) and shows its leaf, whose views borrow from key_package and, for
 * lists, from the engine until its next call. suite and reference (the KeyPackageRef, appended) may
 * be NULL. SIGNATURE, LIFETIME, ... or a decoding error: do not use it. */
SOTTO_API sotto_error sotto_mls_key_package_inspect(sotto_mls *mls, sotto_bytes key_package,
                                                    sotto_mls_leaf *leaf, uint16_t *suite,
                                                    sotto_buf *reference);

/* ---- Groups: making, joining, looking -------------------------------------------------------- */

/* A group of one at epoch 0 (11), called group_id, which no other group may be: take random
 * bytes. The context_extension_count context_extensions go into the GroupContext. *group is freed
 * with sotto_mls_group_free. LIMIT: group_id is too long; UNSUPPORTED, CAPABILITY: the suite, or an
 * extension that identity does not say it supports; other errors: identity cannot be used. */
SOTTO_API sotto_error sotto_mls_group_create(sotto_mls *mls, const sotto_mls_identity *identity,
                                             sotto_bytes group_id,
                                             const sotto_mls_extension *context_extensions,
                                             size_t context_extension_count,
                                             sotto_mls_group **group);

/* The references of the KeyPackages that welcome is for: calls each once a reference, so that the
 * caller can look up its secrets; stops and returns its error if that is not SOTTO_OK. */
SOTTO_API sotto_error sotto_mls_welcome_references(sotto_mls *mls, sotto_bytes welcome,
                                                   sotto_error (*each)(void *ctx, sotto_bytes ref),
                                                   void *ctx);

/* Appends to one what of welcome, a Welcome, concerns one new member: an MLSMessage with the
 * secrets for the KeyPackage of that reference and no others. What a commit that adds many makes
 * grows with their number, and each needs its own part only (12.4.3.1 lets a committer send
 * several). WELCOME: it is not for that reference; a decoding error: it is no Welcome. */
SOTTO_API sotto_error sotto_mls_welcome_for(sotto_mls *mls, sotto_bytes welcome,
                                            sotto_bytes reference, sotto_buf *one);

/* Joins by welcome, a Welcome (12.4.3.1). key_package and secrets are what sotto_mls_key_package
 * gave; tree is the ratchet tree where the Welcome does not carry it, else empty. The tree is
 * verified whole. On success the caller looks at the members, keeps the group, and erases secrets
 * (unless the KeyPackage is a last resort). WELCOME: not for this KeyPackage; other errors: the
 * Welcome is bad, drop it. */
SOTTO_API sotto_error sotto_mls_join(sotto_mls *mls, const sotto_mls_identity *identity,
                                     sotto_bytes key_package, sotto_bytes secrets,
                                     sotto_bytes welcome, sotto_bytes tree,
                                     sotto_mls_group **group);

/* What an external commit holds besides; all zero: nothing. */
typedef struct sotto_mls_external_options {
    /* Remove one's own former leaf in the same commit; nobody is asked about it. */
    bool removes_prior;
    uint32_t prior; /* its leaf index */
    /* SelfRemove proposals of the GroupInfo's epoch that wait for a commit, as they were sent (each
     * an MLSMessage). The extensions draft demands that all known ones are given. Each is verified,
     * the membership tag excepted, which a joiner has no key for; one that is bad fails the call.
     */
    const sotto_bytes *self_removes;
    size_t self_remove_count;
    const sotto_mls_proposal *psks; /* PreSharedKeys, asked from the callbacks */
    size_t psk_count;
    sotto_bytes authenticated; /* authenticated_data of the commit */
} sotto_mls_external_options;

/* Joins by an external commit (12.4.3.2) on group_info, a signed GroupInfo; tree: the ratchet tree
 * where that does not carry it, else empty. Appends to commit the PublicMessage
 * to send. The group is that of the epoch which the commit starts: keep it when the commit was
 * accepted, else free it. options NULL: all zero. NOT_FOUND: the GroupInfo is not made for external
 * joins; WELCOME: the tree is missing; PROPOSAL: a SelfRemove is not one, or of another epoch or
 * group; SIGNATURE: nor of its sender's. */
SOTTO_API sotto_error sotto_mls_external_join(sotto_mls *mls, const sotto_mls_identity *identity,
                                              sotto_bytes group_info, sotto_bytes tree,
                                              const sotto_mls_external_options *options,
                                              sotto_buf *commit, sotto_mls_group **group);

/* The leaf index of the member who signed the GroupInfo with which one joined: of a Welcome, the
 * one who made it (12.4.3.1). That member's leaf tells who invited; a name outside of MLS proves
 * nothing. Known from joining until the next epoch or a load; else SOTTO_MLS_NO_SENDER, which is
 * also said of a group that one created, and where an external commit removed that member. */
SOTTO_API uint32_t sotto_mls_group_info_signer(const sotto_mls_group *group);

/* The ReInit whose commit ended the group (11.2): nothing can be sent or processed any more.
 * NOT_FOUND if there was none. A member then makes the new group with those parameters:
 * sotto_mls_group_create, and as the first commit Adds of all members and a PreSharedKey of usage 2
 * (reinit) that names this group and its present epoch. */
SOTTO_API sotto_error sotto_mls_reinit(const sotto_mls_group *group, sotto_mls_proposal *reinit);

/* *psk: the PreSharedKey of usage reinit or branch in the Welcome that one joined with: where the
 * group comes from. NOT_FOUND if there was none. Whoever joins compares with the former group
 * (12.4.3.1): sotto_mls_check_origin. */
SOTTO_API sotto_error sotto_mls_origin(const sotto_mls_group *group, sotto_mls_proposal *psk);

/* Whether a group that was just joined is what its origin says: former is the group that it names,
 * at the epoch that it names; for reinit (11.2) former was ended by a ReInit with this group's id,
 * suite and extensions, and the members are the same; for branch (11.3) the suite is the same and
 * each member is one of former's. same decides whether two leaves are the same client, and is asked
 * for each pair until it says true; NULL: their credentials are equal. WELCOME, with a fault that
 * says what differs: leave the group. GROUP or EPOCH: former is another one, or at another epoch;
 * NOT_FOUND: no origin; STATE: the group is not at epoch 1 any more. Both of one engine. */
SOTTO_API sotto_error sotto_mls_check_origin(
    const sotto_mls_group *group, const sotto_mls_group *former,
    bool (*same)(void *ctx, const sotto_mls_leaf *member, const sotto_mls_leaf *before), void *ctx);

/* Wipes all secrets and frees. NULL allowed. */
SOTTO_API void sotto_mls_group_free(sotto_mls_group *group);

/* The group's id. Borrowed until the group is freed. */
SOTTO_API sotto_bytes sotto_mls_group_id(const sotto_mls_group *group);
/* The epoch that the group is at. */
SOTTO_API uint64_t sotto_mls_epoch(const sotto_mls_group *group);
/* Its suite. */
SOTTO_API uint16_t sotto_mls_group_suite(const sotto_mls_group *group);
/* One's own leaf index. */
SOTTO_API uint32_t sotto_mls_own_index(const sotto_mls_group *group);
/* How many leaves have a member, oneself included. */
SOTTO_API uint32_t sotto_mls_member_count(const sotto_mls_group *group);

/* The next member at or after *index, in leaf order; moves *index behind it. False at the end. leaf
 * borrows from the group until the next epoch is applied. Start with *index = 0. */
SOTTO_API bool sotto_mls_next_member(const sotto_mls_group *group, uint32_t *index,
                                     sotto_mls_leaf *leaf);

/* The member at a leaf index; NOT_FOUND if the leaf is blank or outside. */
SOTTO_API sotto_error sotto_mls_member(const sotto_mls_group *group, uint32_t index,
                                       sotto_mls_leaf *leaf);

/* GroupContext extension of that type; NOT_FOUND if absent. data borrows until the next epoch. */
SOTTO_API sotto_error sotto_mls_context_extension(const sotto_mls_group *group, uint16_t type,
                                                  sotto_bytes *data);

/* The epoch authenticator (8.7): equal at all members of an epoch. Borrowed until the next epoch.
 */
SOTTO_API sotto_bytes sotto_mls_epoch_authenticator(const sotto_mls_group *group);

/* The confirmed transcript hash (8.2). Borrowed until the next epoch. */
SOTTO_API sotto_bytes sotto_mls_confirmed_transcript_hash(const sotto_mls_group *group);

/* MLS-Exporter (8.5) with that label and context; size bytes (at most 64), a secret, are appended
 * to out. */
SOTTO_API sotto_error sotto_mls_export(sotto_mls_group *group, const char *label,
                                       sotto_bytes context, size_t size, sotto_buf *out);

/* SafeExportSecret (draft-ietf-mls-extensions-09): one secret an epoch and component of the
 * application, as long as the suite's hash, appended to out. Unlike sotto_mls_export it is forward
 * secret: what it came from is deleted, so that a second call in the epoch says REUSED, and who
 * takes the device later cannot derive it. Save the group afterwards: until then the store still
 * holds what it came from. */
SOTTO_API sotto_error sotto_mls_safe_export(sotto_mls_group *group, uint16_t component,
                                            sotto_buf *out);

/* The epoch's resumption PSK (8.6), appended to psk; a secret. */
SOTTO_API sotto_error sotto_mls_resumption_psk(const sotto_mls_group *group, sotto_buf *psk);

/* A signed GroupInfo (12.4.3), appended to group_info as an MLSMessage. with_tree: with the ratchet
 * tree in it; external_joins: others can join with it by an external commit. */
SOTTO_API sotto_error sotto_mls_group_info(sotto_mls_group *group, bool with_tree,
                                           bool external_joins, sotto_buf *group_info);
/* The ratchet tree (7.8), appended to tree. */
SOTTO_API sotto_error sotto_mls_ratchet_tree(const sotto_mls_group *group, sotto_buf *tree);

/* ---- Sending --------------------------------------------------------------------------------- */

/* How handshake messages are framed (6): encrypted by default. Application data always is. */
typedef enum sotto_mls_framing {
    SOTTO_MLS_PRIVATE = 0,
    SOTTO_MLS_PUBLIC = 1,
} sotto_mls_framing;

/* Encrypts application data as a PrivateMessage (an MLSMessage is appended). authenticated is sent
 * in the clear and authenticated. padding: zero bytes added before encryption. The sender's ratchet
 * has advanced when this returns: sotto_mls_group_save must be durable before the message leaves
 * the process, or a crash would use the same key for another message. */
SOTTO_API sotto_error sotto_mls_encrypt(sotto_mls_group *group, sotto_bytes data,
                                        sotto_bytes authenticated, size_t padding,
                                        sotto_buf *message);

enum {
    SOTTO_MLS_PSK_APPLICATION = 1,
    SOTTO_MLS_PSK_REINIT = 2, /* in the first commit of a group that replaces another (11.2) */
    SOTTO_MLS_PSK_BRANCH =
        3, /* in the first commit of a group of some of another's members (11.3) */
};

typedef enum sotto_mls_proposal_type {
    SOTTO_MLS_ADD = 1,
    SOTTO_MLS_UPDATE = 2,
    SOTTO_MLS_REMOVE = 3,
    SOTTO_MLS_PSK = 4,
    SOTTO_MLS_REINIT = 5,
    SOTTO_MLS_EXTERNAL_INIT = 6,
    SOTTO_MLS_CONTEXT_EXTENSIONS = 7,
    /* Leaving (extensions draft): another member or an external joiner commits it. Sent as
     * SOTTO_MLS_PUBLIC, so that joiners can read it, and once an epoch. */
    SOTTO_MLS_SELF_REMOVE = 0x000a,
} sotto_mls_proposal_type;

/* A proposal to make, or one that was received (views borrow from where it came). */
struct sotto_mls_proposal {
    uint16_t type; /* sotto_mls_proposal_type, or a number of the application's own */
    union {
        struct {
            sotto_bytes key_package; /* making: MLSMessage or bare KeyPackage; received: bare */
            sotto_mls_leaf leaf;     /* received only */
        } add;
        struct {
            sotto_mls_leaf leaf; /* received only; making an Update renews the own leaf */
        } update;
        struct {
            uint32_t index;
        } remove;
        struct {
            bool resumption; /* false: external */
            sotto_bytes id;  /* external: psk_id; resumption: group id */
            uint64_t epoch;  /* resumption */
            uint8_t usage;   /* resumption: SOTTO_MLS_PSK_... */
        } psk;
        struct {
            sotto_bytes group_id;
            uint16_t suite;
            const sotto_mls_extension *extensions;
            size_t extension_count;
        } reinit;
        struct {
            const sotto_mls_extension *extensions;
            size_t extension_count;
        } context;
        sotto_bytes other; /* the proposal's content, for types of the application's own */
    } u;
};

/* Makes a proposal for others to commit by reference; appends the MLSMessage, in that framing, to
 * message. The group keeps it as
 * if received: once, if it is proposed twice in the same words. identity: for an Update that
 * changes credential or extensions, else NULL. ARGUMENT: a SelfRemove that is not public; EXISTS: a
 * second one in an epoch. */
SOTTO_API sotto_error sotto_mls_propose(sotto_mls_group *group, const sotto_mls_proposal *proposal,
                                        const sotto_mls_identity *identity,
                                        sotto_mls_framing framing, sotto_buf *message);

/* A proposal from outside the group (12.1.8) for the group of that group_id at that epoch, appended
 * to message as a PublicMessage: by a service that is number sender_index in the group's
 * external_senders extension, and whose key identity has. */
SOTTO_API sotto_error sotto_mls_external_proposal(
    sotto_mls *mls, const sotto_mls_identity *identity, sotto_bytes group_id, uint64_t epoch,
    uint32_t sender_index, const sotto_mls_proposal *proposal, sotto_buf *message);
/* The same by one who wants to be added with that key_package (an MLSMessage): an Add for the group
 * of that group_id at that epoch, appended to message. */
SOTTO_API sotto_error sotto_mls_new_member_proposal(sotto_mls *mls,
                                                    const sotto_mls_identity *identity,
                                                    sotto_bytes group_id, uint64_t epoch,
                                                    sotto_bytes key_package, sotto_buf *message);

typedef struct sotto_mls_commit_options {
    const sotto_mls_proposal *proposals; /* committed by value, besides all pending ones */
    size_t proposal_count;
    bool ignore_pending; /* leave proposals received by reference out */
    bool no_path;        /* no UpdatePath where the RFC allows it (12.4) */
    bool no_tree;        /* Welcome without the ratchet_tree extension */
    sotto_mls_framing framing;
    sotto_bytes authenticated;
    const sotto_mls_identity *identity; /* renew own credential or leaf extensions; NULL: as is */
} sotto_mls_commit_options;

/* Makes a commit (12.4.1). Appends the MLSMessage to commit and, if members are added, the Welcome
 * for all of them to welcome (an MLSMessage; empty otherwise). Pending proposals that are not valid
 * together are left out: among several for one leaf, a SelfRemove before a Remove before an Update,
 * the newest of its kind. The group stays at its epoch: send the commit, and when it was accepted
 * apply the staged epoch, else drop it and process what won. A commit that is framed privately has
 * used up a key, as in sotto_mls_encrypt: save the group before the commit leaves the process.
 * options NULL: all zero. STATE: the group was ended by a ReInit. */
SOTTO_API sotto_error sotto_mls_commit(sotto_mls_group *group,
                                       const sotto_mls_commit_options *options, sotto_buf *commit,
                                       sotto_buf *welcome, sotto_mls_staged **staged);

/* ---- Receiving ------------------------------------------------------------------------------- */

typedef enum sotto_mls_received_kind {
    SOTTO_MLS_RECEIVED_APPLICATION = 1,
    SOTTO_MLS_RECEIVED_PROPOSAL = 2, /* kept as pending */
    SOTTO_MLS_RECEIVED_COMMIT = 3,
} sotto_mls_received_kind;

typedef struct sotto_mls_received {
    sotto_mls_received_kind kind;
    uint64_t epoch;
    uint32_t sender;             /* leaf index in that epoch, or SOTTO_MLS_NO_SENDER */
    sotto_buf data;              /* application data; owned by the caller, see _clear */
    sotto_buf authenticated;     /* authenticated_data */
    sotto_mls_proposal proposal; /* borrows from the group's pending proposals */
    sotto_mls_staged *staged;    /* a commit's; owned by the caller, see _clear */
} sotto_mls_received;

/* Processes one MLSMessage (PublicMessage or PrivateMessage). On success fills received, which the
 * caller clears with sotto_mls_received_clear. The key of a PrivateMessage is used up: save the
 * group. (A commit's key goes with its epoch, when the staged epoch is applied: one that was
 * dropped can be processed again.) EPOCH: for another epoch, nothing wrong with it; REUSED: already
 * processed, or its key has gone; GROUP: for another group; other errors: the message is bad, drop
 * it. One's own messages cannot be processed (SENDER): the sender remembers what it sent and
 * applies its own staged commit. */
SOTTO_API sotto_error sotto_mls_process(sotto_mls_group *group, sotto_bytes message,
                                        sotto_mls_received *received);

/* Frees what received owns, also a staged epoch that was neither applied nor dropped (apply and
 * drop through received.staged set it NULL only if the caller does). */
SOTTO_API void sotto_mls_received_clear(sotto_mls_received *received);

/* How many proposals are pending: received, or made, and not committed yet. */
SOTTO_API size_t sotto_mls_pending_count(const sotto_mls_group *group);
/* The pending proposal of that number, from 0; it borrows from the group until its next call, and
 * *sender is who proposed it. NOT_FOUND behind the last. */
SOTTO_API sotto_error sotto_mls_pending(const sotto_mls_group *group, size_t number,
                                        sotto_mls_proposal *proposal, uint32_t *sender);
/* Drops all pending proposals (after the application decided against them). */
SOTTO_API void sotto_mls_pending_clear(sotto_mls_group *group);

/* ---- Staged epochs --------------------------------------------------------------------------- */

/* How many proposals are in the commit of a staged epoch. */
SOTTO_API size_t sotto_mls_staged_count(const sotto_mls_staged *staged);
/* The one of that number, from 0, in the order in which they apply. NOT_FOUND behind the last.
 * proposal borrows from staged. sender: who proposed it; the committer for those by value. */
SOTTO_API sotto_error sotto_mls_staged_proposal(const sotto_mls_staged *staged, size_t number,
                                                sotto_mls_proposal *proposal, uint32_t *sender);
/* The leaf index of who made the commit of staged; SOTTO_MLS_NO_SENDER of an external one. */
SOTTO_API uint32_t sotto_mls_staged_committer(const sotto_mls_staged *staged);
/* The epoch that applying staged enters. */
SOTTO_API uint64_t sotto_mls_staged_epoch(const sotto_mls_staged *staged);

/* Whether this client is removed by staged: then there is nothing to export, and applying it wipes
 * the group, whose every later call says REMOVED. */
SOTTO_API bool sotto_mls_staged_removes_self(const sotto_mls_staged *staged);

/* The leaf at that index of the staged tree: as sotto_mls_member after applying; *leaf borrows from
 * staged. */
SOTTO_API sotto_error sotto_mls_staged_member(const sotto_mls_staged *staged, uint32_t index,
                                              sotto_mls_leaf *leaf);
/* As sotto_mls_member_count after applying staged. */
SOTTO_API uint32_t sotto_mls_staged_member_count(const sotto_mls_staged *staged);
/* As sotto_mls_context_extension, of that type, after applying; *data borrows from staged. */
SOTTO_API sotto_error sotto_mls_staged_context_extension(const sotto_mls_staged *staged,
                                                         uint16_t type, sotto_bytes *data);

/* As sotto_mls_export, with that label and context, size bytes appended to out, of the staged
 * epoch. */
SOTTO_API sotto_error sotto_mls_staged_export(sotto_mls_staged *staged, const char *label,
                                              sotto_bytes context, size_t size, sotto_buf *out);
/* The epoch authenticator (8.7) of the staged epoch. Borrows from staged. */
SOTTO_API sotto_bytes sotto_mls_staged_epoch_authenticator(const sotto_mls_staged *staged);

/* Enters the staged epoch; frees staged. Cannot fail: memory was set aside before. staged must come
 * from this group's present epoch (else it is a bug of the caller, which aborts). */
SOTTO_API void sotto_mls_staged_apply(sotto_mls_group *group, sotto_mls_staged *staged);

/* Forgets staged; wipes and frees. The group is as if it had never been. NULL allowed. */
SOTTO_API void sotto_mls_staged_drop(sotto_mls_staged *staged);

/* An own commit's staged epoch as bytes (secret!), appended to out, to be stored before the commit
 * is sent, so that a crash between sending and the answer loses nothing. The size grows with the
 * change, not with the group. */
SOTTO_API sotto_error sotto_mls_staged_save(const sotto_mls_staged *staged, sotto_buf *out);
/* Makes *staged of what sotto_mls_staged_save saved, in the same epoch of the same group (EPOCH
 * otherwise). A record that is damaged is refused, with a fault. */
SOTTO_API sotto_error sotto_mls_staged_load(sotto_mls_group *group, sotto_bytes saved,
                                            sotto_mls_staged **staged);

/* ---- Keeping --------------------------------------------------------------------------------- */

/* A group is kept as records, each small, under (kind, index). Saving gives only those that changed
 * since the last save or load: after a message one record of one sender's ratchet, after a commit
 * the nodes on its path and the epoch's secrets. The application writes all records of one save in
 * one transaction. Kinds and contents are the engine's business; all but kinds 1 and 7 are secret.
 */
typedef struct sotto_mls_store {
    void *ctx;
    /* value is borrowed for the call. Any error ends the save and is returned. */
    sotto_error (*put)(void *ctx, uint32_t kind, uint32_t index, sotto_bytes value);
    sotto_error (*erase)(void *ctx, uint32_t kind, uint32_t index);
} sotto_mls_store;

/* Writes what changed to store. If a callback fails, all of it is written again by the next save.
 */
SOTTO_API sotto_error sotto_mls_group_save(sotto_mls_group *group, const sotto_mls_store *store);

/* Reads a group back. next gives every stored record once (kind 7 may be left out where
 * config.stored is set), in any order, and NOT_FOUND at the end; value is borrowed until the next
 * call. The group's own record (kind 2) early saves memory. identity as at creation or as last
 * renewed by an applied commit (its private key is not stored by the group); ARGUMENT if it is not
 * the own leaf's. A record that is missing, damaged or of another save is refused, with a fault. A
 * group that one was removed from is kept as one record that says so. */
SOTTO_API sotto_error sotto_mls_group_load(sotto_mls *mls, const sotto_mls_identity *identity,
                                           sotto_error (*next)(void *ctx, uint32_t *kind,
                                                               uint32_t *index, sotto_bytes *value),
                                           void *ctx, sotto_mls_group **group);

#ifdef __cplusplus
}
#endif
#endif
