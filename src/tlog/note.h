/* Signed notes (C2SP signed-note v1.0.0) with Ed25519, and the timestamped cosignatures of
 * witnesses over them (C2SP tlog-cosignature, the Ed25519 kind). Other kinds of signature are
 * passed over, as the specification wants. */
#ifndef TLOG_NOTE_H
#define TLOG_NOTE_H

#include "base/base.h"

enum {
    TLOG_NAME_MAX = 255,
    TLOG_KEY_TEXT_MAX = TLOG_NAME_MAX + 1 + 8 + 1 + 44,
    TLOG_NOTE_MAX = 128 * 1024, /* bytes: room for 16 signatures of 5 KiB, which verifiers owe */
    TLOG_COSIGNED_MAX = 2048,   /* bytes of the text, for cosignatures */
    TLOG_SIGNATURES_MAX = 64,
    TLOG_SECRET_SIZE = 64, /* libsodium's form: seed and public key */
};

enum tlog_key_type {
    TLOG_KEY_LOG = 0x01,     /* signs the text */
    TLOG_KEY_WITNESS = 0x04, /* cosigns a checkpoint, with a time */
};

struct tlog_key {
    char name[TLOG_NAME_MAX + 1];
    enum tlog_key_type type;
    uint8_t id[4];
    uint8_t public_key[32];
};

/* VALUE: the name is empty, too long, not UTF-8, or has a space, a plus or a control character. */
sotto_error tlog_key_make(const char *name, enum tlog_key_type type,
                          const uint8_t public_key[static 32], struct tlog_key *key);

/* A verifier key ("vkey"): name+id+base64(type, key). VALUE: not one, or its id is not the one that
 * follows from the rest. UNSUPPORTED: of another type of signature. */
sotto_error tlog_key_read(sotto_bytes text, struct tlog_key *key);
void tlog_key_write(const struct tlog_key *key, char text[static TLOG_KEY_TEXT_MAX + 1]);

/* Splits a note into its text (with the last newline) and its signature lines; checks the form of
 * all of it. VALUE: not a note; LIMIT: above TLOG_NOTE_MAX or TLOG_SIGNATURES_MAX. */
sotto_error tlog_note_split(sotto_bytes note, sotto_bytes *text, sotto_bytes *signatures);

/* Whether the note, which was split into these, bears a good signature by key. time_s: of a
 * witness's cosignature, may be NULL. NOT_FOUND: there is none by this key; SIGNATURE: there is
 * one, and it is wrong: refuse the whole note; LIMIT: cosigned, and above TLOG_COSIGNED_MAX. */
sotto_error tlog_note_check(sotto_bytes text, sotto_bytes signatures, const struct tlog_key *key,
                            uint64_t *time_s);

/* Appends the signature line over text by a log's key, whose private key is secret; text may lie
 * in out. ARGUMENT: a witness's key. */
sotto_error tlog_note_sign(sotto_bytes text, const struct tlog_key *key,
                           const uint8_t secret[static TLOG_SECRET_SIZE], sotto_buf *out);
/* The lines of `signatures` that are good cosignatures by one of these keys and not yet in `note`
 * are appended to note: what a witness answered, moved into one's own view. added: how many. */
sotto_error tlog_note_adopt(sotto_buf *note, sotto_bytes signatures, const struct tlog_key *keys,
                            size_t count, size_t *added);

#endif
