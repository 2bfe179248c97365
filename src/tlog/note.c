#include "tlog/note.h"

#include <inttypes.h>
#include <string.h>

#include <sodium.h>

#include "base/print.h"
#include "base/text.h"
#include "tlog/base64.h"

enum {
    ID_SIZE = 4,
    TIME_SIZE = 8,
    SIGNED_MAX = ID_SIZE + TIME_SIZE + crypto_sign_BYTES,
    DASH_SIZE = 4, /* an em dash in UTF-8, and a space */
};
static const char dash[] = "\xe2\x80\x94 ";

/* ---- Text ----------------------------------------------------------------------------------- */

/* UTF-8 without ASCII's control characters; newline is the note's to allow. */
static bool is_text(sotto_bytes text, bool newline)
{
    uint32_t scalar;
    for (size_t at = 0, size; at < text.size; at += size) {
        size = text_next(sotto_bytes_of(text.data + at, text.size - at), &scalar);
        if (size == 0 || (scalar < 0x20 && !(newline && scalar == '\n')))
            return false;
    }
    return true;
}

/* What Unicode calls White_Space. */
static bool is_space(uint32_t scalar)
{
    static const uint32_t spaces[] = {0x20,   0x85,   0xA0,   0x1680, 0x2028,
                                      0x2029, 0x202F, 0x205F, 0x3000};
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
        if (scalar == spaces[i])
            return true;
    return (scalar >= 0x09 && scalar <= 0x0D) || (scalar >= 0x2000 && scalar <= 0x200A);
}

static bool is_name(sotto_bytes name)
{
    uint32_t scalar;
    for (size_t at = 0, size; at < name.size; at += size) {
        size = text_next(sotto_bytes_of(name.data + at, name.size - at), &scalar);
        if (size == 0 || scalar < 0x20 || scalar == 0x7F || scalar == '+' || is_space(scalar))
            return false;
    }
    return name.size > 0 && name.size <= TLOG_NAME_MAX;
}

/* ---- Keys ----------------------------------------------------------------------------------- */

sotto_error tlog_key_make(const char *name, enum tlog_key_type type,
                          const uint8_t public_key[static 32], struct tlog_key *key)
{
    const sotto_bytes view = sotto_bytes_str(name);
    const uint8_t behind[] = {'\n', (uint8_t)type};
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    if (!is_name(view))
        return SOTTO_VALUE;
    memset(key, 0, sizeof *key);
    memcpy(key->name, view.data, view.size);
    key->type = type;
    memcpy(key->public_key, public_key, sizeof key->public_key);
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, view.data, view.size);
    crypto_hash_sha256_update(&state, behind, sizeof behind);
    crypto_hash_sha256_update(&state, public_key, sizeof key->public_key);
    crypto_hash_sha256_final(&state, hash);
    memcpy(key->id, hash, ID_SIZE);
    return SOTTO_OK;
}

sotto_error tlog_key_read(sotto_bytes text, struct tlog_key *key)
{
    char name[TLOG_NAME_MAX + 1] = "";
    uint8_t id[ID_SIZE], material[2048];
    size_t size = 0;
    const char *end = NULL;
    const uint8_t *plus = text.size == 0 ? NULL : memchr(text.data, '+', text.size);
    if (plus == NULL || (size_t)(plus - text.data) > TLOG_NAME_MAX)
        return SOTTO_VALUE;
    memcpy(name, text.data, (size_t)(plus - text.data));
    if (strlen(name) != (size_t)(plus - text.data))
        return SOTTO_VALUE;
    const char *hex = (const char *)plus + 1;
    const char *stop = (const char *)text.data + text.size;
    if (stop - hex < 10 || hex[8] != '+' ||
        sodium_hex2bin(id, sizeof id, hex, 8, NULL, &size, &end) != 0 || size != sizeof id ||
        end != hex + 8)
        return SOTTO_VALUE;
    for (const char *digit = hex; digit < hex + 8; digit++)
        if (*digit >= 'A' && *digit <= 'F')
            return SOTTO_VALUE;
    const sotto_bytes base64 = sotto_bytes_of((const uint8_t *)hex + 9, (size_t)(stop - hex) - 9);
    if (!tlog_base64_read(base64, material, sizeof material, &size) || size < 1)
        return SOTTO_VALUE;
    if (material[0] != TLOG_KEY_LOG && material[0] != TLOG_KEY_WITNESS)
        return SOTTO_UNSUPPORTED;
    if (size != 1 + sizeof key->public_key)
        return SOTTO_VALUE;
    struct tlog_key read;
    TRY(tlog_key_make(name, (enum tlog_key_type)material[0], material + 1, &read));
    if (memcmp(read.id, id, ID_SIZE) != 0)
        return SOTTO_VALUE;
    *key = read;
    return SOTTO_OK;
}

void tlog_key_write(const struct tlog_key *key, char text[static TLOG_KEY_TEXT_MAX + 1])
{
    uint8_t material[1 + sizeof key->public_key];
    char base64[45];
    material[0] = (uint8_t)key->type;
    memcpy(material + 1, key->public_key, sizeof key->public_key);
    sodium_bin2base64(base64, sizeof base64, material, sizeof material,
                      sodium_base64_VARIANT_ORIGINAL);
    snprintf(text, TLOG_KEY_TEXT_MAX + 1, "%s+%02x%02x%02x%02x+%s", key->name, key->id[0],
             key->id[1], key->id[2], key->id[3], base64);
}

/* ---- Lines ---------------------------------------------------------------------------------- */

struct line {
    sotto_bytes name;
    sotto_bytes whole;         /* with its newline */
    uint8_t value[SIGNED_MAX]; /* of a signature that is longer: its beginning */
    size_t size;               /* 0: longer than any that is known here */
};

/* The signature line that lines begins with; lines is left behind it. */
static bool take_line(sotto_bytes *lines, struct line *line)
{
    const uint8_t *end = lines->size == 0 ? NULL : memchr(lines->data, '\n', lines->size);
    if (end == NULL)
        return false;
    const size_t size = (size_t)(end - lines->data);
    if (size <= DASH_SIZE || memcmp(lines->data, dash, DASH_SIZE) != 0)
        return false;
    const uint8_t *name = lines->data + DASH_SIZE;
    const uint8_t *space = memchr(name, ' ', size - DASH_SIZE);
    if (space == NULL)
        return false;
    line->name = sotto_bytes_of(name, (size_t)(space - name));
    line->whole = sotto_bytes_of(lines->data, size + 1);
    const sotto_bytes base64 = sotto_bytes_of(space + 1, (size_t)(end - space) - 1);
    uint8_t value[8 * 1024];
    line->size = 0;
    if (!is_name(line->name) || !tlog_base64_read(base64, value, sizeof value, &line->size) ||
        line->size <= ID_SIZE)
        return false;
    if (line->size > sizeof line->value)
        line->size = 0;
    memcpy(line->value, value, line->size);
    *lines = sotto_bytes_of(end + 1, lines->size - size - 1);
    return true;
}

sotto_error tlog_note_split(sotto_bytes note, sotto_bytes *text, sotto_bytes *signatures)
{
    static const uint8_t blank[] = {'\n', '\n'};
    size_t at = 0, count = 0;
    struct line line;
    if (note.size > TLOG_NOTE_MAX)
        return SOTTO_LIMIT;
    if (!is_text(note, true))
        return SOTTO_VALUE;
    for (size_t i = 0; i + sizeof blank <= note.size; i++)
        if (memcmp(note.data + i, blank, sizeof blank) == 0)
            at = i + 1;
    if (at < 2 || at + 1 >= note.size)
        return SOTTO_VALUE;
    sotto_bytes lines = sotto_bytes_of(note.data + at + 1, note.size - at - 1);
    const sotto_bytes all = lines;
    while (lines.size > 0) {
        if (!take_line(&lines, &line))
            return SOTTO_VALUE;
        if (++count > TLOG_SIGNATURES_MAX)
            return SOTTO_LIMIT;
    }
    *text = sotto_bytes_of(note.data, at);
    *signatures = all;
    return SOTTO_OK;
}

/* ---- Signing and checking ------------------------------------------------------------------- */

/* What a witness signs: the text behind a head. The size, or 0: text is too long. */
static size_t put_cosigned(sotto_bytes text, uint64_t time_s,
                           uint8_t out[static TLOG_COSIGNED_MAX + 64])
{
    if (text.size > TLOG_COSIGNED_MAX)
        return 0;
    int head = snprintf((char *)out, 64, "cosignature/v1\ntime %" PRIu64 "\n", time_s);
    memcpy(out + head, text.data, text.size);
    return (size_t)head + text.size;
}

static bool is_by(const struct line *line, const struct tlog_key *key)
{
    return sotto_bytes_equal(line->name, sotto_bytes_str(key->name)) && line->size >= ID_SIZE &&
           memcmp(line->value, key->id, ID_SIZE) == 0;
}

static sotto_error check_line(sotto_bytes text, const struct line *line, const struct tlog_key *key,
                              uint64_t *time_s)
{
    const bool witness = key->type == TLOG_KEY_WITNESS;
    const uint8_t *signature = line->value + ID_SIZE + (witness ? TIME_SIZE : 0);
    uint64_t time = 0;
    uint8_t cosigned[TLOG_COSIGNED_MAX + 64];
    sotto_bytes message = text;
    if (line->size != ID_SIZE + (size_t)(witness ? TIME_SIZE : 0) + crypto_sign_BYTES)
        return SOTTO_SIGNATURE;
    if (witness) {
        for (size_t i = 0; i < TIME_SIZE; i++)
            time = time << 8 | line->value[ID_SIZE + i];
        if (time > INT64_MAX)
            return SOTTO_SIGNATURE;
        message = sotto_bytes_of(cosigned, put_cosigned(text, time, cosigned));
        if (message.size == 0)
            return SOTTO_LIMIT;
    }
    if (crypto_sign_verify_detached(signature, message.data, message.size, key->public_key) != 0)
        return SOTTO_SIGNATURE;
    if (time_s != NULL)
        *time_s = time;
    return SOTTO_OK;
}

sotto_error tlog_note_check(sotto_bytes text, sotto_bytes signatures, const struct tlog_key *key,
                            uint64_t *time_s)
{
    sotto_error found = SOTTO_NOT_FOUND;
    struct line line;
    while (take_line(&signatures, &line)) {
        if (!is_by(&line, key))
            continue;
        TRY(check_line(text, &line, key, time_s));
        found = SOTTO_OK;
    }
    return found;
}

sotto_error tlog_note_sign(sotto_bytes text, const struct tlog_key *key,
                           const uint8_t secret[static TLOG_SECRET_SIZE], sotto_buf *out)
{
    uint8_t value[ID_SIZE + crypto_sign_BYTES];
    char base64[128];
    if (key->type != TLOG_KEY_LOG)
        return SOTTO_ARGUMENT;
    memcpy(value, key->id, ID_SIZE);
    crypto_sign_detached(value + ID_SIZE, NULL, text.data, text.size, secret);
    sodium_bin2base64(base64, sizeof base64, value, sizeof value, sodium_base64_VARIANT_ORIGINAL);
    return buf_print(out, "%s%s %s\n", dash, key->name, base64);
}

sotto_error tlog_note_adopt(sotto_buf *note, sotto_bytes signatures, const struct tlog_key *keys,
                            size_t count, size_t *added)
{
    sotto_bytes text, present;
    struct line line;
    *added = 0;
    if (signatures.size > TLOG_NOTE_MAX)
        return SOTTO_LIMIT;
    TRY(tlog_note_split(sotto_buf_view(note), &text, &present));
    const size_t text_size = text.size, present_at = (size_t)(present.data - note->data);
    while (take_line(&signatures, &line)) {
        for (size_t i = 0; i < count; i++) {
            /* The buffer may have moved since. */
            text = sotto_bytes_of(note->data, text_size);
            present = sotto_bytes_of(note->data + present_at, note->size - present_at);
            if (!is_by(&line, &keys[i]) ||
                tlog_note_check(text, present, &keys[i], NULL) != SOTTO_NOT_FOUND ||
                check_line(text, &line, &keys[i], NULL) != SOTTO_OK)
                continue;
            TRY(sotto_buf_append(note, line.whole.data, line.whole.size));
            ++*added;
        }
    }
    return SOTTO_OK;
}
