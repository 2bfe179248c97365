/* Every limit of the MLS engine on what it decodes or holds. Sizes are in bytes. They bound memory
 * and time for a hostile peer; RFC 9420 itself allows vectors up to 2^30 - 1. */
#ifndef MLS_LIMITS_H
#define MLS_LIMITS_H

#define LIMIT_DEPTH 20                            /* levels of parents above the leaves */
#define LIMIT_LEAVES ((uint32_t)1 << LIMIT_DEPTH) /* leaves of a ratchet tree */
#define LIMIT_NODES (2 * LIMIT_LEAVES - 1)
#define LIMIT_TREE (((size_t)1 << 30) - 1) /* an encoded ratchet tree */

#define LIMIT_PUBLIC_KEY 2048 /* HPKE and signature public keys */
#define LIMIT_SIGNATURE 8192
#define LIMIT_HASH 64 /* tree hashes, parent hashes */
#define LIMIT_KEM_OUTPUT 2048
#define LIMIT_PATH_CIPHERTEXT 256           /* one encrypted path secret */
#define LIMIT_UPDATE_PATH ((size_t)1 << 28) /* the nodes of an UpdatePath */

#define LIMIT_GROUP_ID 1024
#define LIMIT_IDENTITY 65536    /* basic credential */
#define LIMIT_CERTIFICATE 65536 /* one DER certificate */
#define LIMIT_CHAIN 262144      /* all certificates of a credential */
#define LIMIT_CHAIN_COUNT 16

#define LIMIT_CAPABILITY_COUNT 256 /* values in one list of Capabilities */
#define LIMIT_CAPABILITY_LIST (2 * LIMIT_CAPABILITY_COUNT)

#define LIMIT_EXTENSION 65536     /* one extension_data */
#define LIMIT_EXTENSION_COUNT 128 /* extensions in one list */
#define LIMIT_EXTENSIONS 262144   /* a list, GroupInfo's excepted: it may carry a tree */
#define LIMIT_GROUP_INFO_EXTENSIONS (((size_t)1 << 30) - 1)

/* Messages. */
#define LIMIT_MESSAGE (((size_t)1 << 30) - 1)    /* application data, a list of proposals */
#define LIMIT_GROUP_INFO (((size_t)1 << 30) - 1) /* encrypted in a Welcome: it may carry a tree */
#define LIMIT_PROPOSALS 65536                    /* in a commit; new members of a Welcome */
#define LIMIT_PROPOSAL 65536                     /* the content of a type unknown here */
#define LIMIT_PSK_ID 1024
#define LIMIT_PSKS 64        /* pre-shared keys of one epoch */
#define LIMIT_SENDER_DATA 64 /* encrypted */
#define LIMIT_PENDING 4096   /* proposals that a group keeps in an epoch */

#endif
