#include "wire/token.h"

#include <string.h>

#include <sodium.h>

#include "wire/fields.h"

enum { TOKEN_KEY_SIZE = 4 + 3 * 8 + TOKEN_ELEMENT_SIZE + HASH_SIZE };

static uint8_t *put_number(uint8_t *out, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(value >> 8 * (size - 1 - i));
    return out + size;
}

void token_key_hash(const struct token_key *key, uint8_t out[static HASH_SIZE])
{
    static const char label[] = "sotto.v1 token key";
    uint8_t bytes[TOKEN_KEY_SIZE], *at = put_number(bytes, key->number, 4);
    at = put_number(at, key->begins, 8);
    at = put_number(at, key->replaced, 8);
    at = put_number(at, key->ends, 8);
    memcpy(at, key->public_key, TOKEN_ELEMENT_SIZE);
    memcpy(at + TOKEN_ELEMENT_SIZE, key->previous, HASH_SIZE);
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t *)label, sizeof label - 1);
    crypto_hash_sha256_update(&state, bytes, sizeof bytes);
    crypto_hash_sha256_final(&state, out);
}

bool token_key_follows(const struct token_key *key, const struct token_key *next)
{
    uint8_t hash[HASH_SIZE];
    token_key_hash(key, hash);
    return key->number != UINT32_MAX && next->number == key->number + 1 &&
           memcmp(next->previous, hash, HASH_SIZE) == 0;
}

static bool key_is_sound(const struct token_key *key)
{
    return key->number > 0 && key->begins < key->replaced && key->replaced <= key->ends &&
           (key->number > 1 || sodium_is_zero(key->previous, HASH_SIZE));
}

void token_key_read(struct reader *reader, struct token_key *key)
{
    size_t at = reader->pos;
    key->number = reader_u32(reader, "TokenKey.number");
    key->begins = reader_u64(reader, "TokenKey.begins");
    key->replaced = reader_u64(reader, "TokenKey.replaced");
    key->ends = reader_u64(reader, "TokenKey.ends");
    reader_copy(reader, key->public_key, TOKEN_ELEMENT_SIZE, "TokenKey.public_key");
    reader_copy(reader, key->previous, HASH_SIZE, "TokenKey.previous");
    if (!key_is_sound(key))
        reader_fail_at(reader, at, SOTTO_VALUE, "TokenKey");
}

void token_key_write(struct writer *writer, const struct token_key *key)
{
    writer_check(writer, key_is_sound(key));
    writer_u32(writer, key->number);
    writer_u64(writer, key->begins);
    writer_u64(writer, key->replaced);
    writer_u64(writer, key->ends);
    writer_fixed(writer, sotto_bytes_of(key->public_key, TOKEN_ELEMENT_SIZE));
    writer_fixed(writer, sotto_bytes_of(key->previous, HASH_SIZE));
}

bool token_parse(sotto_bytes value, struct token *token)
{
    if (value.size != TOKEN_VALUE_SIZE)
        return false;
    token->key = (uint32_t)value.data[0] << 24 | (uint32_t)value.data[1] << 16 |
                 (uint32_t)value.data[2] << 8 | value.data[3];
    token->nonce = sotto_bytes_of(value.data + 4, TOKEN_NONCE_SIZE);
    token->output = sotto_bytes_of(value.data + 4 + TOKEN_NONCE_SIZE, TOKEN_OUTPUT_SIZE);
    return true;
}
