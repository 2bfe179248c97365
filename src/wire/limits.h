/* Every limit of the client-relay protocol. A relay may be configured to less, never to more. */
#ifndef WIRE_LIMITS_H
#define WIRE_LIMITS_H

#include <stdint.h>

enum {
    WIRE_VERSION = 1, /* of hello */

    /* PROTOCOL.md section 1: one WebSocket message. The 4 KiB are for what stands around the
     * largest entry or envelope. */
    WIRE_BODY_MAX = 4 * 1024 * 1024,
    WIRE_MESSAGE_MAX = WIRE_BODY_MAX + 4096,
    WIRE_HEAD = 6, /* type and request */

    WIRE_ENTRY_MAX = WIRE_BODY_MAX,    /* Append.bytes; hello_ok.max_entry may say less */
    WIRE_ENVELOPE_MAX = WIRE_BODY_MAX, /* sealed; hello_ok.max_envelope may say less */
    WIRE_ENTRIES_MAX = 1024,           /* entries in one push */
    WIRE_WHISPER_MAX = 1024,
    WIRE_KEY_PACKAGE_MAX = 16 * 1024,
    WIRE_KEY_PACKAGES_MAX = 128, /* in one publish */
    WIRE_MANIFEST_MAX = 64 * 1024,
    WIRE_DEVICES_MAX = 32,
    WIRE_PERMISSION_MAX = 512,
    WIRE_TOKENS_MAX = 32,       /* in one issue_tokens */
    WIRE_TOKEN_KEYS_MAX = 1024, /* in one token_keys_ok */

    WIRE_BLOB_PIECE_MAX = 256 * 1024, /* of a blob, in one request or answer */
    WIRE_PERMISSIONS_MAX = 256,       /* of one blob */

    WIRE_LOG_PATH_MAX = 64,         /* log_get.path */
    WIRE_LOG_FILE_MAX = 512 * 1024, /* log_get_ok.file */
    WIRE_TEXT_MAX = 512,            /* error.text, hello_ok.name */
    WIRE_PHONE_MAX = 16,            /* E.164: "+" and 15 digits */
    WIRE_INVITATION_MAX = 256,      /* register.invitation */
    WIRE_CODE_MAX = 32,             /* register.code */
    WIRE_NAME_MAX = 256,            /* Invitation.name */
    WIRE_TITLE_MAX = 256,           /* sotto_room.title */

    WIRE_HOST_MAX = 253,    /* a DNS name */
    WIRE_ADDRESS_MAX = 320, /* host:port#PIN as text, brackets of IPv6 included */

    WIRE_LINK_MAX = 2048, /* sotto://invite/... or sotto://link/... as text */

    WIRE_GREETING_MAX = 1024, /* Envelope.greeting */

    WIRE_MANIFESTS_MAX = 1024 * 1024, /* Envelope.manifests, all of them */

    /* What is exchanged in linking a device: the plaintexts, padded to one size. */
    WIRE_DEVICE_KEYS_SIZE = 2048,
    WIRE_DEVICE_PACKAGE_SIZE = 80 * 1024,

    WIRE_ENC_MAX = 1216, /* SealedEnvelope.enc; X-Wing has 1120 */
    WIRE_KEY_PACKAGE_REF_MAX = 64,

    WIRE_PADDING_MIN = 256, /* smallest padded size of an envelope or a message */

    /* WebSocket. */
    WS_HANDSHAKE_MAX = 4096, /* request or answer, headers included */
    WS_CONTROL_MAX = 125,    /* RFC 6455, 5.5 */
};

#define WIRE_BLOB_MAX (UINT64_C(1) << 40)    /* bytes of a blob; a relay's blob-max says less */
#define WIRE_BLOB_TOKEN (UINT64_C(64) << 20) /* a token is good for so many, or a part of them */

/* Times that the client's link keeps to. */
enum {
    LINK_CONNECT_MS = 20000, /* from link_open to hello_ok */
    LINK_ADDRESS_MS = 5000,  /* for one address while others are left to try */
    LINK_ANSWER_MS = 30000,  /* from a request to its answer */
    LINK_PING_MS = 25000,    /* silence after which the link pings */
    LINK_SILENCE_MS = 55000, /* silence after which it gives the connection up */
    LINK_PROBE_MS = 10000,   /* the same after link_probe */
};

#endif
