/* The structures of RFC 9420 that make up a ratchet tree, decoded: values, views and arrays. Reader
 * and writer of each stand side by side in types.c.
 *
 * A decoded struct borrows: its views point into the input, its arrays into the arena given to the
 * reader. Readers are sticky (codec/reader.h): fields are zero after a failure, and the reader
 * holds the fault. NO_MEMORY of the arena is such a fault too. Limits are in mls/limits.h.
 *
 * Lists of numbers (Capabilities, unmerged leaves) stay in wire form, big-endian, so that they cost
 * no memory of their own and are written and hashed as they are; see u16_list and u32_list. */
#ifndef MLS_TYPES_H
#define MLS_TYPES_H

#include "codec/reader.h"
#include "codec/writer.h"
#include "crypto/crypto.h"
#include "mls/limits.h"
#include "sotto/mls.h"

/* Positions in a tree. Distinct types, so that one is never taken for the other. */
struct leaf_index {
    uint32_t value;
};
struct node_index {
    uint32_t value;
};

#define MLS_VERSION_10 1 /* ProtocolVersion mls10 */

/* ExtensionType (17.3). */
enum extension_type {
    EXTENSION_APPLICATION_ID = 1,
    EXTENSION_RATCHET_TREE = 2,
    EXTENSION_REQUIRED_CAPABILITIES = 3,
    EXTENSION_EXTERNAL_PUB = 4,
    EXTENSION_EXTERNAL_SENDERS = 5,
};

/* ProposalType (17.4). */
enum proposal_type {
    PROPOSAL_ADD = 1,
    PROPOSAL_UPDATE = 2,
    PROPOSAL_REMOVE = 3,
    PROPOSAL_PSK = 4,
    PROPOSAL_REINIT = 5,
    PROPOSAL_EXTERNAL_INIT = 6,
    PROPOSAL_GROUP_CONTEXT_EXTENSIONS = 7,
};

/* CredentialType (17.5): the types that this engine can parse; others are refused (UNSUPPORTED),
 * because their length cannot be known. */
enum credential_type {
    CREDENTIAL_BASIC = 1,
    CREDENTIAL_X509 = 2,
};

/* Lists of 16-bit and 32-bit numbers in wire form. */
struct u16_list {
    sotto_bytes wire;
};
struct u32_list {
    sotto_bytes wire;
};

static inline size_t u16_list_count(struct u16_list list)
{
    return list.wire.size / 2;
}

static inline uint16_t u16_list_at(struct u16_list list, size_t i)
{
    return (uint16_t)(list.wire.data[2 * i] << 8 | list.wire.data[2 * i + 1]);
}

static inline size_t u32_list_count(struct u32_list list)
{
    return list.wire.size / 4;
}

static inline uint32_t u32_list_at(struct u32_list list, size_t i)
{
    const uint8_t *at = list.wire.data + 4 * i;
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

bool u16_list_has(struct u16_list list, uint16_t value);

/* An arena's list with the count values; NO_MEMORY. */
sotto_error u16_list_make(struct arena *arena, const uint16_t *values, size_t count,
                          struct u16_list *list);

/* max: largest size of the wire form. Odd sizes are refused (LENGTH). */
struct u16_list u16_list_read(struct reader *reader, size_t max, const char *what);
void u16_list_write(struct writer *writer, struct u16_list list);

/* ---- Extension (13.4) ------------------------------------------------------------------------ */

struct extensions {
    const sotto_mls_extension *items; /* in the order of the wire, no type twice */
    size_t count;
};

/* limit: LIMIT_EXTENSIONS or LIMIT_GROUP_INFO_EXTENSIONS; with the former each extension_data is at
 * most LIMIT_EXTENSION. A type that comes twice is refused (VALUE). */
void extensions_read(struct reader *reader, struct arena *arena, size_t limit,
                     struct extensions *extensions, const char *what);
void extensions_write(struct writer *writer, const struct extensions *extensions);

/* NULL if there is none of that type. */
const sotto_mls_extension *extensions_find(const struct extensions *extensions, uint16_t type);

/* Types that every client knows: they are not listed in Capabilities (7.2). */
bool extension_is_default(uint16_t type);
bool proposal_is_default(uint16_t type);

/* required_capabilities (11.1), as the data of an extension. */
struct required_capabilities {
    struct u16_list extensions;
    struct u16_list proposals;
    struct u16_list credentials;
};

void required_capabilities_read(struct reader *reader, struct required_capabilities *required);
void required_capabilities_write(struct writer *writer,
                                 const struct required_capabilities *required);

/* ---- Credential (5.3) ------------------------------------------------------------------------ */

/* basic: identity. x509: chain, at least one certificate. */
void credential_read(struct reader *reader, struct arena *arena, sotto_mls_credential *credential);
void credential_write(struct writer *writer, const sotto_mls_credential *credential);

/* ---- LeafNode (7.2) -------------------------------------------------------------------------- */

struct capabilities {
    struct u16_list versions;
    struct u16_list suites;
    struct u16_list extensions;
    struct u16_list proposals;
    struct u16_list credentials;
};

enum leaf_source {
    LEAF_SOURCE_KEY_PACKAGE = 1,
    LEAF_SOURCE_UPDATE = 2,
    LEAF_SOURCE_COMMIT = 3,
};

struct leaf_node {
    sotto_bytes encryption_key;
    sotto_bytes signature_key;
    sotto_mls_credential credential;
    struct capabilities capabilities;
    enum leaf_source source;
    uint64_t not_before, not_after; /* key_package; else 0 and UINT64_MAX */
    sotto_bytes parent_hash;        /* commit; else empty */
    struct extensions extensions;
    sotto_bytes signature;
    /* Set by leaf_node_read alone: the whole encoding, and its part above the signature. Whoever
     * takes a leaf into a tree or verifies it needs a leaf that was read. */
    sotto_bytes wire;
    sotto_bytes unsigned_wire;
};

void leaf_node_read(struct reader *reader, struct arena *arena, struct leaf_node *leaf);

/* From fields, signature included; wire is not looked at. */
void leaf_node_write(struct writer *writer, const struct leaf_node *leaf);

/* Appends LeafNodeTBS of a leaf that was read. group_id and index count for update and commit only.
 */
sotto_error leaf_node_tbs(const struct leaf_node *leaf, sotto_bytes group_id,
                          struct leaf_index index, sotto_buf *tbs);

/* Signs the fields (signature, wire are not looked at) and appends the LeafNode's encoding to wire,
 * from which leaf_node_read makes the finished leaf. */
sotto_error leaf_node_sign(struct crypto *crypto, const struct suite *suite,
                           sotto_bytes private_key, const struct leaf_node *leaf,
                           sotto_bytes group_id, struct leaf_index index, sotto_buf *wire);

/* Verifies the signature of a leaf that was read: SIGNATURE, KEY or the environment's errors. */
sotto_error leaf_node_verify(struct crypto *crypto, const struct suite *suite,
                             const struct leaf_node *leaf, sotto_bytes group_id,
                             struct leaf_index index);

/* ---- KeyPackage (10) ------------------------------------------------------------------------- */

struct key_package {
    uint16_t version; /* MLS_VERSION_10; others are refused (VERSION) */
    uint16_t suite;
    sotto_bytes init_key;
    struct leaf_node leaf;
    struct extensions extensions;
    sotto_bytes signature;
    sotto_bytes wire; /* as in struct leaf_node */
    sotto_bytes unsigned_wire;
    bool verified; /* its signature and the leaf's were found to hold (verify_many.h) */
};

void key_package_read(struct reader *reader, struct arena *arena, struct key_package *key_package);
void key_package_write(struct writer *writer, const struct key_package *key_package);

/* Signs the fields; leaf must be one that was read. Appends the KeyPackage's encoding to wire. */
sotto_error key_package_sign(struct crypto *crypto, const struct suite *suite,
                             sotto_bytes private_key, const struct key_package *key_package,
                             sotto_buf *wire);

/* The KeyPackage's own signature, by the leaf's signature_key. Not the leaf's: leaf_node_verify. */
sotto_error key_package_verify(struct crypto *crypto, const struct suite *suite,
                               const struct key_package *key_package);

/* KeyPackageRef (5.2) of one that was read; out: nh bytes. */
sotto_error key_package_ref(struct crypto *crypto, const struct suite *suite,
                            const struct key_package *key_package, uint8_t *out);

/* ---- ParentNode (7.1), Node (12.4.3.3) ------------------------------------------------------- */

enum node_type {
    NODE_LEAF = 1,
    NODE_PARENT = 2,
};

struct parent_node {
    sotto_bytes encryption_key;
    sotto_bytes parent_hash;
    struct u32_list unmerged_leaves; /* strictly increasing, else refused (VALUE) */
};

void parent_node_read(struct reader *reader, struct parent_node *parent);
void parent_node_write(struct writer *writer, const struct parent_node *parent);

/* All but the encryption key, which stands in front and stays empty. */
void parent_node_read_links(struct reader *reader, struct parent_node *parent);

/* ---- UpdatePath (7.6) ------------------------------------------------------------------------ */

struct hpke_ciphertext {
    sotto_bytes kem_output;
    sotto_bytes ciphertext;
};

struct update_path_node {
    sotto_bytes encryption_key;
    const struct hpke_ciphertext *encrypted_path_secret;
    size_t count;
};

struct update_path {
    struct leaf_node leaf;
    const struct update_path_node *nodes; /* at most LIMIT_DEPTH */
    size_t count;
};

void hpke_ciphertext_read(struct reader *reader, struct hpke_ciphertext *ciphertext);
void hpke_ciphertext_write(struct writer *writer, const struct hpke_ciphertext *ciphertext);

void update_path_read(struct reader *reader, struct arena *arena, struct update_path *path);
void update_path_write(struct writer *writer, const struct update_path *path);

#endif
