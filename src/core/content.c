/* The structure of MIMI content (draft-ietf-mimi-content, "MIMI Content Container Message
 * Semantics"): reader and writer of each part stand together. */
#include "core/content.h"

#include <sodium.h>
#include <string.h>

#include "core/content_cbor.h"

#define MESSAGE_FIELDS 7
#define PART_NULL_FIELDS 3
#define PART_SINGLE_FIELDS 5
#define PART_EXTERNAL_FIELDS 15
#define PART_MULTI_FIELDS 5
#define HASH_SHA256 0x01 /* IANA named information hash algorithms */
#define EXTENSION_SENDER 1
#define EXTENSION_ROOM 2

/* ---- Parts ---------------------------------------------------------------------------------- */

struct part_reader {
    struct cbor_reader *cbor;
    struct arena *arena;
    size_t parts; /* read so far */
};

static void read_part(struct part_reader *r, unsigned depth, struct content_part *part);

static void read_external(struct cbor_reader *c, struct content_part *part)
{
    part->u.external.type = cbor_read_text(c, CONTENT_FIELD_MAX, "ExternalPart.contentType");
    part->u.external.url = cbor_read_text(c, CONTENT_FIELD_MAX, "ExternalPart.url");
    part->u.external.expires = (uint32_t)cbor_read_uint(c, UINT32_MAX, "ExternalPart.expires");
    part->u.external.size = cbor_read_uint(c, UINT64_MAX, "ExternalPart.size");
    part->u.external.aead = (uint16_t)cbor_read_uint(c, UINT16_MAX, "ExternalPart.encAlg");
    part->u.external.key = cbor_read_bytes(c, CONTENT_FIELD_MAX, "ExternalPart.key");
    part->u.external.nonce = cbor_read_bytes(c, CONTENT_FIELD_MAX, "ExternalPart.nonce");
    part->u.external.aad = cbor_read_bytes(c, CONTENT_FIELD_MAX, "ExternalPart.aad");
    part->u.external.hash = (uint8_t)cbor_read_uint(c, UINT8_MAX, "ExternalPart.hashAlg");
    part->u.external.content_hash =
        cbor_read_bytes(c, CONTENT_FIELD_MAX, "ExternalPart.contentHash");
    part->u.external.description = cbor_read_text(c, CONTENT_FIELD_MAX, "ExternalPart.description");
    part->u.external.filename = cbor_read_text(c, CONTENT_FIELD_MAX, "ExternalPart.filename");
}

static void write_external(struct cbor_writer *w, const struct content_part *part)
{
    cbor_write_text(w, part->u.external.type);
    cbor_write_text(w, part->u.external.url);
    cbor_write_uint(w, part->u.external.expires);
    cbor_write_uint(w, part->u.external.size);
    cbor_write_uint(w, part->u.external.aead);
    cbor_write_bytes(w, part->u.external.key);
    cbor_write_bytes(w, part->u.external.nonce);
    cbor_write_bytes(w, part->u.external.aad);
    cbor_write_uint(w, part->u.external.hash);
    cbor_write_bytes(w, part->u.external.content_hash);
    cbor_write_text(w, part->u.external.description);
    cbor_write_text(w, part->u.external.filename);
}

static void read_multi(struct part_reader *r, unsigned depth, struct content_part *part)
{
    struct cbor_reader *c = r->cbor;
    part->u.multi.semantics =
        (enum content_semantics)cbor_read_uint(c, CONTENT_PROCESS_ALL, "MultiPart.partSemantics");
    size_t count = cbor_read_array(c, CONTENT_PARTS_MAX, "MultiPart.parts");
    if (cbor_ok(c) && count < 2)
        cbor_fail(c, SOTTO_VALUE, "MultiPart.parts");
    /* The draft, "General handling": more than 1024 parts, or nested deeper than 4, is no message.
     */
    if (cbor_ok(c) && (depth == CONTENT_DEPTH_MAX || r->parts + count > CONTENT_PARTS_MAX))
        cbor_fail(c, SOTTO_LIMIT, "MultiPart.parts");
    if (!cbor_ok(c))
        return;
    part->u.multi.parts = arena_array(r->arena, count, sizeof *part->u.multi.parts);
    if (part->u.multi.parts == NULL) {
        cbor_fail(c, SOTTO_NO_MEMORY, "MultiPart.parts");
        return;
    }
    part->u.multi.count = count;
    for (size_t i = 0; i < count && cbor_ok(c); i++)
        read_part(r, depth + 1, &part->u.multi.parts[i]);
}

static size_t part_fields(enum content_cardinality cardinality)
{
    switch (cardinality) {
    case CONTENT_PART_NULL:
        return PART_NULL_FIELDS;
    case CONTENT_PART_SINGLE:
        return PART_SINGLE_FIELDS;
    case CONTENT_PART_EXTERNAL:
        return PART_EXTERNAL_FIELDS;
    case CONTENT_PART_MULTI:
        return PART_MULTI_FIELDS;
    }
    return 0;
}

static void read_part(struct part_reader *r, unsigned depth, struct content_part *part)
{
    struct cbor_reader *c = r->cbor;
    r->parts++;
    size_t fields = cbor_read_array(c, PART_EXTERNAL_FIELDS, "NestedPart");
    part->disposition = (uint8_t)cbor_read_uint(c, UINT8_MAX, "NestedPart.disposition");
    part->language = cbor_read_text(c, CONTENT_FIELD_MAX, "NestedPart.language");
    part->cardinality =
        (enum content_cardinality)cbor_read_uint(c, CONTENT_PART_MULTI, "NestedPart.cardinality");
    if (cbor_ok(c) && fields != part_fields(part->cardinality))
        cbor_fail(c, SOTTO_VALUE, "NestedPart");
    if (!cbor_ok(c))
        return;
    switch (part->cardinality) {
    case CONTENT_PART_NULL:
        break;
    case CONTENT_PART_SINGLE:
        part->u.single.type = cbor_read_text(c, CONTENT_FIELD_MAX, "SinglePart.contentType");
        part->u.single.body = cbor_read_bytes(c, CONTENT_MAX, "SinglePart.content");
        break;
    case CONTENT_PART_EXTERNAL:
        read_external(c, part);
        break;
    case CONTENT_PART_MULTI:
        read_multi(r, depth, part);
        break;
    }
}

static void write_part(struct cbor_writer *w, unsigned depth, const struct content_part *part)
{
    size_t fields = part_fields(part->cardinality);
    if (depth > CONTENT_DEPTH_MAX) { /* before it is written: the recursion ends here */
        cbor_write_fail(w, SOTTO_LIMIT);
        return;
    }
    cbor_write_array(w, fields);
    cbor_write_uint(w, part->disposition);
    cbor_write_text(w, part->language);
    cbor_write_uint(w, part->cardinality);
    switch (part->cardinality) {
    case CONTENT_PART_NULL:
        break;
    case CONTENT_PART_SINGLE:
        cbor_write_text(w, part->u.single.type);
        cbor_write_bytes(w, part->u.single.body);
        break;
    case CONTENT_PART_EXTERNAL:
        write_external(w, part);
        break;
    case CONTENT_PART_MULTI:
        cbor_write_uint(w, part->u.multi.semantics);
        cbor_write_array(w, part->u.multi.count);
        for (size_t i = 0; i < part->u.multi.count && w->error == SOTTO_OK; i++)
            write_part(w, depth + 1, &part->u.multi.parts[i]);
        break;
    }
}

/* ---- Extensions ------------------------------------------------------------------------------ */

static void read_extension(struct cbor_reader *c, const struct cbor_head *key,
                           struct content *content)
{
    if (key->kind == CBOR_KIND_UINT && key->value == EXTENSION_SENDER) {
        content->sender = cbor_read_text(c, CONTENT_EXTENSION_MAX, "extensions.senderUri");
        content->has_sender = true;
        return;
    }
    if (key->kind == CBOR_KIND_UINT && key->value == EXTENSION_ROOM) {
        content->room = cbor_read_text(c, CONTENT_EXTENSION_MAX, "extensions.roomUri");
        content->has_room = true;
        return;
    }
    struct content_extension *out = &content->extensions[content->extension_count++];
    out->text_key = key->kind == CBOR_KIND_TEXT;
    out->name = out->text_key ? key->bytes : (sotto_bytes){0};
    if (!out->text_key)
        out->number = key->kind == CBOR_KIND_UINT ? (int64_t)key->value : -1 - (int64_t)key->value;
    /* The key 0 is reserved; a text key has 1 to 255 bytes. */
    if (out->text_key ? out->name.size == 0 || out->name.size > CONTENT_KEY_MAX : out->number == 0)
        cbor_fail(c, SOTTO_VALUE, "extensions.name");
    /* The extensions map is the first level. */
    out->value = cbor_read_any(c, CONTENT_EXTENSION_DEPTH_MAX - 1, "extensions.value");
    if (out->value.size > CONTENT_EXTENSION_MAX)
        cbor_fail(c, SOTTO_LIMIT, "extensions.value");
}

static void read_extensions(struct cbor_reader *c, struct arena *arena, struct content *content)
{
    size_t count = cbor_read_map(c, CONTENT_EXTENSIONS_MAX, "mimiContent.mimiExtensions");
    if (count == 0)
        return;
    content->extensions = arena_array(arena, count, sizeof *content->extensions);
    if (content->extensions == NULL) {
        cbor_fail(c, SOTTO_NO_MEMORY, "mimiContent.mimiExtensions");
        return;
    }
    sotto_bytes previous = {0};
    for (size_t i = 0; i < count && cbor_ok(c); i++) {
        struct cbor_head key;
        cbor_read_key(c, &key, false, &previous, "extensions.name");
        if (cbor_ok(c))
            read_extension(c, &key, content);
    }
}

/* One pair as it will stand: in one buffer, one after the other, sorted through this index. */
struct pair {
    size_t start, key_size, size;
};

static void write_pair(struct cbor_writer *w, const struct content_extension *e, struct pair *pair)
{
    pair->start = w->buf->size;
    if (e->text_key)
        cbor_write_text(w, e->name);
    else
        cbor_write_int(w, e->number);
    pair->key_size = w->buf->size - pair->start;
    cbor_write_raw(w, e->value);
    pair->size = w->buf->size - pair->start;
}

static void write_uri_pair(struct cbor_writer *w, uint64_t key, sotto_bytes uri, struct pair *pair)
{
    pair->start = w->buf->size;
    cbor_write_uint(w, key);
    pair->key_size = w->buf->size - pair->start;
    cbor_write_text(w, uri);
    pair->size = w->buf->size - pair->start;
}

static int pair_order(const uint8_t *data, const struct pair *a, const struct pair *b)
{
    size_t common = a->key_size < b->key_size ? a->key_size : b->key_size;
    return memcmp(data + a->start, data + b->start, common);
}

/* Insertion: there are few. VALUE if a key is there twice. */
static void sort_pairs(struct cbor_writer *w, struct pair *pairs, size_t count)
{
    for (size_t i = 1; i < count && w->error == SOTTO_OK; i++) {
        for (size_t j = i; j > 0; j--) {
            int order = pair_order(w->buf->data, &pairs[j - 1], &pairs[j]);
            if (order == 0)
                cbor_write_fail(w, SOTTO_VALUE);
            if (order <= 0)
                break;
            struct pair moved = pairs[j];
            pairs[j] = pairs[j - 1];
            pairs[j - 1] = moved;
        }
    }
}

static void write_extensions(struct cbor_writer *w, const sotto_env *env,
                             const struct content *content)
{
    struct pair pairs[CONTENT_EXTENSIONS_MAX];
    size_t count = 0;
    if (content->extension_count > CONTENT_EXTENSIONS_MAX - 2) {
        cbor_write_fail(w, SOTTO_LIMIT);
        return;
    }
    sotto_buf scratch;
    sotto_buf_init(&scratch, env);
    struct cbor_writer inner;
    cbor_writer_init(&inner, &scratch);
    if (content->has_sender)
        write_uri_pair(&inner, EXTENSION_SENDER, content->sender, &pairs[count++]);
    if (content->has_room)
        write_uri_pair(&inner, EXTENSION_ROOM, content->room, &pairs[count++]);
    for (size_t i = 0; i < content->extension_count; i++)
        write_pair(&inner, &content->extensions[i], &pairs[count++]);
    sort_pairs(&inner, pairs, count);
    if (inner.error != SOTTO_OK)
        cbor_write_fail(w, inner.error);
    cbor_write_map(w, count);
    for (size_t i = 0; i < count && w->error == SOTTO_OK; i++)
        cbor_write_raw(w, sotto_bytes_of(scratch.data + pairs[i].start, pairs[i].size));
    sotto_buf_free(&scratch);
}

/* ---- The message ------------------------------------------------------------------------------
 */

static void read_expires(struct cbor_reader *c, struct content *content)
{
    struct cbor_head head;
    if (!cbor_read(c, &head, "mimiContent.expires") || head.kind == CBOR_KIND_NULL)
        return;
    if (head.kind != CBOR_KIND_ARRAY || head.value != 2)
        cbor_fail(c, SOTTO_VALUE, "mimiContent.expires");
    content->has_expires = true;
    content->expires.relative = cbor_read_bool(c, "Expiration.relative");
    content->expires.time = (uint32_t)cbor_read_uint(c, UINT32_MAX, "Expiration.time");
}

/* A message id, or null. The draft: one of an unknown hash algorithm is no message. */
static bool read_reference(struct cbor_reader *c, uint8_t id[CONTENT_ID_SIZE], const char *what)
{
    bool present = cbor_read_optional(c, id, CONTENT_ID_SIZE, what);
    if (present && id[0] != HASH_SHA256)
        cbor_fail(c, SOTTO_VALUE, what);
    return present;
}

static void read_content(struct cbor_reader *c, struct arena *arena, struct content *out)
{
    if (cbor_read_array(c, MESSAGE_FIELDS, "mimiContent") != MESSAGE_FIELDS)
        cbor_fail(c, SOTTO_VALUE, "mimiContent");
    if (!cbor_read_optional(c, out->salt, CONTENT_SALT_SIZE, "mimiContent.salt"))
        cbor_fail(c, SOTTO_VALUE, "mimiContent.salt");
    out->has_replaces = read_reference(c, out->replaces, "mimiContent.replaces");
    out->topic = cbor_read_bytes(c, CONTENT_TOPIC_MAX, "mimiContent.topicId");
    read_expires(c, out);
    out->has_in_reply_to = read_reference(c, out->in_reply_to, "mimiContent.inReplyTo");
    read_extensions(c, arena, out);
    struct part_reader parts = {.cbor = c, .arena = arena};
    read_part(&parts, 1, &out->part);
}

sotto_error content_decode(sotto_bytes input, struct arena *arena, struct content *content,
                           sotto_fault *fault)
{
    struct cbor_reader reader;
    struct content read = {0};
    cbor_reader_init(&reader, input);
    if (input.size > CONTENT_MAX)
        cbor_fail(&reader, SOTTO_LIMIT, "mimiContent");
    else
        read_content(&reader, arena, &read);
    sotto_error error = cbor_finish(&reader, "mimiContent");
    if (error == SOTTO_OK)
        *content = read;
    else
        *fault = reader.fault;
    return error;
}

static void write_reference(struct cbor_writer *w, bool present, const uint8_t *id)
{
    if (!present)
        cbor_write_null(w);
    else if (id[0] != HASH_SHA256)
        cbor_write_fail(w, SOTTO_VALUE);
    else
        cbor_write_bytes(w, sotto_bytes_of(id, CONTENT_ID_SIZE));
}

/* Whether what was written is what content_decode takes: one place for all rules. */
static sotto_error check_encoding(const sotto_env *env, sotto_bytes encoding)
{
    struct arena arena;
    struct content content;
    sotto_fault fault;
    arena_init(&arena, env);
    sotto_error error = content_decode(encoding, &arena, &content, &fault);
    arena_free(&arena);
    return error;
}

sotto_error content_encode(const sotto_env *env, const struct content *content, sotto_buf *out)
{
    struct cbor_writer w;
    size_t start = out->size;
    cbor_writer_init(&w, out);
    cbor_write_array(&w, MESSAGE_FIELDS);
    cbor_write_bytes(&w, sotto_bytes_of(content->salt, CONTENT_SALT_SIZE));
    write_reference(&w, content->has_replaces, content->replaces);
    cbor_write_bytes(&w, content->topic);
    if (content->has_expires) {
        cbor_write_array(&w, 2);
        cbor_write_bool(&w, content->expires.relative);
        cbor_write_uint(&w, content->expires.time);
    } else {
        cbor_write_null(&w);
    }
    write_reference(&w, content->has_in_reply_to, content->in_reply_to);
    write_extensions(&w, env, content);
    write_part(&w, 1, &content->part);
    if (w.error == SOTTO_OK)
        cbor_write_fail(&w,
                        check_encoding(env, sotto_bytes_of(out->data + start, out->size - start)));
    return cbor_writer_finish(&w);
}

/* ---- Ids ----------------------------------------------------------------------------------------
 */

static void hash_uri(crypto_hash_sha256_state *state, sotto_bytes uri)
{
    uint8_t size[2] = {(uint8_t)(uri.size >> 8), (uint8_t)uri.size};
    crypto_hash_sha256_update(state, size, sizeof size);
    crypto_hash_sha256_update(state, uri.data, uri.size);
}

sotto_error content_id(sotto_bytes message, const uint8_t salt[CONTENT_SALT_SIZE],
                       sotto_bytes sender_uri, sotto_bytes room_uri, uint8_t id[CONTENT_ID_SIZE])
{
    if (sender_uri.size > UINT16_MAX || room_uri.size > UINT16_MAX)
        return SOTTO_LENGTH;
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    hash_uri(&state, sender_uri);
    hash_uri(&state, room_uri);
    crypto_hash_sha256_update(&state, message.data, message.size);
    crypto_hash_sha256_update(&state, salt, CONTENT_SALT_SIZE);
    crypto_hash_sha256_final(&state, hash);
    id[0] = HASH_SHA256;
    memcpy(id + 1, hash, CONTENT_ID_SIZE - 1);
    return SOTTO_OK;
}

static void uri_of(const char *scheme, const uint8_t id[32], char uri[CONTENT_URI_SIZE])
{
    const int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
    char text[sodium_base64_ENCODED_LEN(32, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
    sodium_bin2base64(text, sizeof text, id, 32, variant);
    snprintf(uri, CONTENT_URI_SIZE, "%s%s", scheme, text);
}

void content_account_uri(const struct account_id *account, char uri[CONTENT_URI_SIZE])
{
    uri_of("sotto:account/", account->bytes, uri);
}

void content_room_uri(const struct room_id *room, char uri[CONTENT_URI_SIZE])
{
    uri_of("sotto:room/", room->bytes, uri);
}
