/* What Sotto says in MIMI content, and what it understands. */
#include <string.h>
#include <strings.h>

#include "core/content.h"
#include <sodium.h>

#include "core/content_cbor.h"
#include "core/file_cipher.h"
#include "base/text.h"
#include "wire/limits.h"
#include "wire/padme.h"
#include "wire/statement.h"

#define TYPE_PLAIN "text/plain;charset=utf-8"
#define TYPE_MARKDOWN "text/markdown;variant=GFM-MIMI"
#define TYPE_PROFILE "application/vnd.sotto.profile+cbor"
#define TYPE_STATUS "application/mimi-message-status"
#define TYPE_MANIFEST "application/vnd.sotto.manifest"
#define TYPE_STATEMENT "application/vnd.sotto.statement"
#define TYPE_OWN "application/vnd.sotto.own"
#define TYPE_FILE "application/octet-stream"
#define TYPE_PREVIEW "image/jpeg"
#define SHOWN_AS "vnd.sotto.file" /* the extension that says what a file is to be shown as */
#define SHOWN_KEYS_MAX 64
#define SHOWN_DEPTH_MAX 3
#define BLOB_URI "sotto:blob/"
#define BASE64_VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define BLOB_URI_SIZE (sizeof BLOB_URI - 1 + sodium_base64_ENCODED_LEN(32, BASE64_VARIANT))
#define HASH_ALG_SHA256 1
#define PROFILE_NAME 1 /* keys of the profile's map */
#define PROFILE_PICTURE 2
#define PROFILE_KEYS_MAX 64
#define PROFILE_DEPTH_MAX 4

/* ---- Padding -------------------------------------------------------------------------------- */

/* RFC 9420, 6.3.1: PrivateMessageContent is application_data<V>, signature<V> and the padding; the
 * suite signs with Ed25519. The head of a vector (2.1.2) has 1, 2 or 4 bytes. */
#define SIGNATURE_FIELD (2 + SIGNATURE_SIZE)

size_t content_padding(size_t size)
{
    size_t head = size < 64 ? 1 : size < 16384 ? 2 : 4;
    size_t whole = head + size + SIGNATURE_FIELD;
    return padme_size(whole) - whole;
}

/* ---- Profile parts -------------------------------------------------------------------------- */

static sotto_error profile_write(const struct content_message *message, sotto_buf *out)
{
    struct cbor_writer w;
    cbor_writer_init(&w, out);
    cbor_write_map(&w, (size_t)(message->text.size > 0) + message->has_picture);
    if (message->text.size > 0) {
        cbor_write_uint(&w, PROFILE_NAME);
        cbor_write_text(&w, message->text);
    }
    if (message->has_picture) {
        cbor_write_uint(&w, PROFILE_PICTURE);
        cbor_write_bytes(&w, message->picture);
    }
    return cbor_writer_finish(&w);
}

/* What the profile does not have stays as it was. Keys of newer versions are passed over. */
static sotto_error profile_read(sotto_bytes input, struct content_message *out, sotto_fault *fault)
{
    struct cbor_reader r;
    sotto_bytes previous = {0};
    cbor_reader_init(&r, input);
    size_t count = cbor_read_map(&r, PROFILE_KEYS_MAX, "profile");
    for (size_t i = 0; i < count && cbor_ok(&r); i++) {
        struct cbor_head key;
        cbor_read_key(&r, &key, false, &previous, "profile.key");
        if (key.kind == CBOR_KIND_UINT && key.value == PROFILE_NAME)
            out->text = cbor_read_text(&r, CONTENT_NAME_MAX, "profile.name");
        else if (key.kind == CBOR_KIND_UINT && key.value == PROFILE_PICTURE) {
            out->picture = cbor_read_bytes(&r, CONTENT_PICTURE_MAX, "profile.picture");
            out->has_picture = cbor_ok(&r);
        } else
            cbor_read_any(&r, PROFILE_DEPTH_MAX, "profile.value");
    }
    if (cbor_ok(&r) && !text_is_line(out->text))
        cbor_fail(&r, SOTTO_VALUE, "profile.name");
    sotto_error error = cbor_finish(&r, "profile");
    if (error != SOTTO_OK)
        *fault = r.fault;
    return error;
}

/* ---- Receipts ------------------------------------------------------------------------------- */

static sotto_error statuses_write(const struct content_message *message, sotto_buf *out)
{
    struct cbor_writer w;
    cbor_writer_init(&w, out);
    cbor_write_array(&w, message->status_count);
    for (size_t i = 0; i < message->status_count; i++) {
        cbor_write_array(&w, 2);
        cbor_write_bytes(&w, sotto_bytes_of(message->statuses[i].id, CONTENT_ID_SIZE));
        cbor_write_uint(&w, message->statuses[i].status);
    }
    return cbor_writer_finish(&w);
}

static sotto_error statuses_read(sotto_bytes input, struct arena *arena,
                                 struct content_message *out, sotto_fault *fault)
{
    struct cbor_reader r;
    cbor_reader_init(&r, input);
    size_t count = cbor_read_array(&r, CONTENT_STATUSES_MAX, "statuses");
    if (cbor_ok(&r) && count == 0)
        cbor_fail(&r, SOTTO_VALUE, "statuses");
    struct content_status *list = arena_array(arena, count > 0 ? count : 1, sizeof *list);
    if (list == NULL)
        return SOTTO_NO_MEMORY;
    for (size_t i = 0; i < count && cbor_ok(&r); i++) {
        size_t fields = cbor_read_array(&r, 2, "status");
        sotto_bytes id = cbor_read_bytes(&r, CONTENT_ID_SIZE, "status.messageId");
        if (cbor_ok(&r) && (fields != 2 || id.size != CONTENT_ID_SIZE))
            cbor_fail(&r, SOTTO_LENGTH, "status");
        list[i].status = (uint8_t)cbor_read_uint(&r, UINT8_MAX, "status.status");
        if (cbor_ok(&r))
            memcpy(list[i].id, id.data, CONTENT_ID_SIZE);
    }
    sotto_error error = cbor_finish(&r, "statuses");
    if (error != SOTTO_OK) {
        *fault = r.fault;
        return error;
    }
    out->kind = CONTENT_STATUS;
    out->statuses = list;
    out->status_count = count;
    return SOTTO_OK;
}

/* ---- What files are shown as ----------------------------------------------------------------- */

enum shown_key {
    SHOWN_WIDTH = 1,
    SHOWN_HEIGHT = 2,
    SHOWN_DURATION = 3,
    SHOWN_WAVEFORM = 4,
    SHOWN_ALBUM = 5,
    SHOWN_PLACE = 6,
    SHOWN_OF = 7,
};

static bool in_album(const struct content_album *album)
{
    return album->id.size == CONTENT_ALBUM_SIZE && album->of >= 2 &&
           album->of <= CONTENT_ALBUM_MAX && album->place < album->of;
}

static sotto_error shown_check(const struct content_file *file)
{
    if (file->album.id.size > 0 && !in_album(&file->album))
        return SOTTO_VALUE;
    switch (file->form) {
    case CONTENT_AS_FILE:
        return SOTTO_OK;
    case CONTENT_AS_PICTURE:
        if (file->width > CONTENT_SIDE_MAX || file->height > CONTENT_SIDE_MAX ||
            file->preview.size > CONTENT_PREVIEW_MAX)
            return SOTTO_LIMIT;
        return file->width > 0 && file->height > 0 ? SOTTO_OK : SOTTO_VALUE;
    case CONTENT_AS_VOICE:
        return file->duration_ms > CONTENT_DURATION_MAX || file->waveform.size > CONTENT_PEAKS_MAX
                   ? SOTTO_LIMIT
                   : SOTTO_OK;
    }
    return SOTTO_ARGUMENT;
}

static sotto_error shown_write(const struct content_file *file, sotto_buf *out)
{
    struct cbor_writer w;
    const bool album = file->album.id.size > 0;
    cbor_writer_init(&w, out);
    cbor_write_map(&w, (file->form != CONTENT_AS_FILE ? 2u : 0u) + (album ? 3u : 0u));
    if (file->form == CONTENT_AS_PICTURE) {
        cbor_write_uint(&w, SHOWN_WIDTH);
        cbor_write_uint(&w, file->width);
        cbor_write_uint(&w, SHOWN_HEIGHT);
        cbor_write_uint(&w, file->height);
    } else if (file->form == CONTENT_AS_VOICE) {
        cbor_write_uint(&w, SHOWN_DURATION);
        cbor_write_uint(&w, file->duration_ms);
        cbor_write_uint(&w, SHOWN_WAVEFORM);
        cbor_write_bytes(&w, file->waveform);
    }
    if (album) {
        cbor_write_uint(&w, SHOWN_ALBUM);
        cbor_write_bytes(&w, file->album.id);
        cbor_write_uint(&w, SHOWN_PLACE);
        cbor_write_uint(&w, file->album.place);
        cbor_write_uint(&w, SHOWN_OF);
        cbor_write_uint(&w, file->album.of);
    }
    return cbor_writer_finish(&w);
}

/* What of an album cannot be read makes none of it, and the file is there all the same. */
static uint32_t album_number(struct cbor_reader *r, const char *what)
{
    struct cbor_reader item;
    cbor_reader_init(&item, cbor_read_any(r, SHOWN_DEPTH_MAX, what));
    uint64_t number = cbor_read_uint(&item, CONTENT_ALBUM_MAX, what);
    return cbor_ok(&item) ? (uint32_t)number : UINT32_MAX;
}

static sotto_bytes album_id(struct cbor_reader *r, const char *what)
{
    struct cbor_reader item;
    cbor_reader_init(&item, cbor_read_any(r, SHOWN_DEPTH_MAX, what));
    return cbor_read_bytes(&item, CONTENT_ALBUM_SIZE, what);
}

static void shown_pair(struct cbor_reader *r, const struct cbor_head *key,
                       struct content_file *file)
{
    uint64_t number = key->kind == CBOR_KIND_UINT ? key->value : 0;
    switch (number) {
    case SHOWN_WIDTH:
        file->width = (uint32_t)cbor_read_uint(r, CONTENT_SIDE_MAX, "file.width");
        break;
    case SHOWN_HEIGHT:
        file->height = (uint32_t)cbor_read_uint(r, CONTENT_SIDE_MAX, "file.height");
        break;
    case SHOWN_DURATION:
        file->duration_ms = (uint32_t)cbor_read_uint(r, CONTENT_DURATION_MAX, "file.duration");
        file->form = CONTENT_AS_VOICE;
        break;
    case SHOWN_WAVEFORM:
        file->waveform = cbor_read_bytes(r, CONTENT_PEAKS_MAX, "file.waveform");
        break;
    case SHOWN_ALBUM:
        file->album.id = album_id(r, "file.album");
        break;
    case SHOWN_PLACE:
        file->album.place = album_number(r, "file.place");
        break;
    case SHOWN_OF:
        file->album.of = album_number(r, "file.of");
        break;
    default: /* of a newer version */
        cbor_read_any(r, SHOWN_DEPTH_MAX, "file.value");
    }
}

/* Leaves the form a file where nothing, or nothing that is understood, says otherwise. */
static sotto_error shown_read(const struct content *content, struct content_file *file,
                              sotto_fault *fault)
{
    const struct content_extension *found = NULL;
    for (size_t i = 0; i < content->extension_count; i++)
        if (content->extensions[i].text_key &&
            sotto_bytes_equal(content->extensions[i].name, sotto_bytes_str(SHOWN_AS)))
            found = &content->extensions[i];
    if (found == NULL)
        return SOTTO_OK;
    struct cbor_reader r;
    sotto_bytes previous = {0};
    file->album.place = UINT32_MAX; /* 0 has to be said */
    cbor_reader_init(&r, found->value);
    size_t count = cbor_read_map(&r, SHOWN_KEYS_MAX, "file");
    for (size_t i = 0; i < count && cbor_ok(&r); i++) {
        struct cbor_head key;
        cbor_read_key(&r, &key, false, &previous, "file.key");
        if (cbor_ok(&r))
            shown_pair(&r, &key, file);
    }
    sotto_error error = cbor_finish(&r, "file");
    if (error != SOTTO_OK)
        *fault = r.fault;
    else if (file->form == CONTENT_AS_FILE && file->width > 0 && file->height > 0)
        file->form = CONTENT_AS_PICTURE;
    if (!in_album(&file->album)) /* it stands alone */
        file->album = (struct content_album){0};
    return error;
}

/* ---- Writing -------------------------------------------------------------------------------- */

/* What each kind demands of its text. */
static sotto_error check_text(const struct content_message *message)
{
    sotto_bytes text = message->text;
    switch (message->kind) {
    case CONTENT_TEXT:
    case CONTENT_REPLY:
    case CONTENT_EDIT:
        if (text.size > CONTENT_TEXT_MAX)
            return SOTTO_LIMIT;
        return text.size > 0 && text_is_utf8(text) ? SOTTO_OK : SOTTO_VALUE;
    case CONTENT_REACTION:
        if (text.size > CONTENT_REACTION_MAX)
            return SOTTO_LIMIT;
        return text.size > 0 && text_is_line(text) ? SOTTO_OK : SOTTO_VALUE;
    case CONTENT_PROFILE:
        if (text.size > CONTENT_NAME_MAX || message->picture.size > CONTENT_PICTURE_MAX)
            return SOTTO_LIMIT;
        return text_is_line(text) ? SOTTO_OK : SOTTO_VALUE;
    case CONTENT_DELETE:
        return text.size == 0 ? SOTTO_OK : SOTTO_VALUE;
    case CONTENT_FILE:
        if (text.size > CONTENT_FIELD_MAX || message->file.name.size > CONTENT_FIELD_MAX)
            return SOTTO_LIMIT;
        if (message->file.type.size > CONTENT_FIELD_MAX)
            return SOTTO_LIMIT;
        return text_is_utf8(text) && text_is_utf8(message->file.name) &&
                       text_is_utf8(message->file.type)
                   ? SOTTO_OK
                   : SOTTO_VALUE;
    case CONTENT_STATUS:
        if (message->status_count > CONTENT_STATUSES_MAX)
            return SOTTO_LIMIT;
        return text.size == 0 && message->status_count > 0 ? SOTTO_OK : SOTTO_VALUE;
    case CONTENT_MANIFEST:
        if (text.size > WIRE_MANIFEST_MAX)
            return SOTTO_LIMIT;
        return text.size > 0 ? SOTTO_OK : SOTTO_VALUE;
    case CONTENT_STATEMENT:
        if (text.size > STATEMENT_MAX)
            return SOTTO_LIMIT;
        return text.size > 0 ? SOTTO_OK : SOTTO_VALUE;
    case CONTENT_OWN:
        if (text.size > CONTENT_OWN_MAX)
            return SOTTO_LIMIT;
        return text.size > 0 ? SOTTO_OK : SOTTO_VALUE;
    case CONTENT_NEWER:
        break;
    }
    return SOTTO_ARGUMENT;
}

static sotto_error check_file(const struct content_file *file)
{
    bool sizes = file->blob.size == BLOB_ID_SIZE && file->key.size == FILE_KEY_SIZE &&
                 file->hash.size == HASH_SIZE;
    return !sizes ? SOTTO_LENGTH : file->size > FILE_SIZE_MAX ? SOTTO_LIMIT : shown_check(file);
}

static void fill_external(const struct content_message *message, const char *uri,
                          struct content_part *part)
{
    const struct content_file *file = &message->file;
    part->disposition = file->form == CONTENT_AS_FILE ? CONTENT_ATTACHMENT : CONTENT_RENDER;
    part->cardinality = CONTENT_PART_EXTERNAL;
    part->u.external.type = file->type.size > 0 ? file->type : sotto_bytes_str(TYPE_FILE);
    part->u.external.url = sotto_bytes_str(uri);
    part->u.external.size = file->size;
    part->u.external.aead = CONTENT_ENC_ALG;
    part->u.external.key = file->key;
    part->u.external.hash = HASH_ALG_SHA256;
    part->u.external.content_hash = file->hash;
    part->u.external.description = message->text;
    part->u.external.filename = file->name;
}

/* The file, and its preview where there is one: pair has room for both. */
static void fill_file(const struct content_message *message, const char *uri,
                      struct content_part pair[static 2], struct content_part *part)
{
    const sotto_bytes preview = message->file.preview;
    if (message->file.form != CONTENT_AS_PICTURE || preview.size == 0) {
        fill_external(message, uri, part);
        return;
    }
    fill_external(message, uri, &pair[0]);
    pair[1] = (struct content_part){
        .disposition = CONTENT_PREVIEW,
        .cardinality = CONTENT_PART_SINGLE,
        .u.single = {.type = sotto_bytes_str(TYPE_PREVIEW), .body = preview},
    };
    part->disposition = CONTENT_RENDER;
    part->cardinality = CONTENT_PART_MULTI;
    part->u.multi.semantics = CONTENT_SINGLE_UNIT;
    part->u.multi.parts = pair;
    part->u.multi.count = 2;
}

static void fill_part(const struct content_message *message, sotto_bytes body,
                      struct content_part *part)
{
    part->disposition = message->kind == CONTENT_REACTION  ? CONTENT_REACT
                        : message->kind == CONTENT_PROFILE ? CONTENT_PROFILE_OF
                        : message->kind == CONTENT_STATUS  ? CONTENT_UNSPECIFIED
                                                           : CONTENT_RENDER;
    if (message->kind == CONTENT_DELETE) {
        part->disposition = CONTENT_UNSPECIFIED;
        part->cardinality = CONTENT_PART_NULL;
        return;
    }
    part->cardinality = CONTENT_PART_SINGLE;
    part->u.single.type = sotto_bytes_str(message->kind == CONTENT_PROFILE     ? TYPE_PROFILE
                                          : message->kind == CONTENT_STATUS    ? TYPE_STATUS
                                          : message->kind == CONTENT_MANIFEST  ? TYPE_MANIFEST
                                          : message->kind == CONTENT_OWN       ? TYPE_OWN
                                          : message->kind == CONTENT_STATEMENT ? TYPE_STATEMENT
                                          : message->markdown                  ? TYPE_MARKDOWN
                                                                               : TYPE_PLAIN);
    part->u.single.body = body;
}

static void fill_target(const struct content_message *message, struct content *content)
{
    content->has_in_reply_to = message->kind == CONTENT_REPLY || message->kind == CONTENT_REACTION;
    content->has_replaces = message->kind == CONTENT_EDIT || message->kind == CONTENT_DELETE;
    if (content->has_in_reply_to)
        memcpy(content->in_reply_to, message->target, CONTENT_ID_SIZE);
    if (content->has_replaces)
        memcpy(content->replaces, message->target, CONTENT_ID_SIZE);
    if (message->kind == CONTENT_REACTION && message->has_replaced) {
        content->has_replaces = true;
        memcpy(content->replaces, message->replaced, CONTENT_ID_SIZE);
    }
}

sotto_error content_write(const sotto_env *env, struct content_message *message,
                          const struct account_id *account, const struct room_id *room,
                          sotto_buf *out)
{
    TRY(check_text(message));
    if (message->expires_s > CONTENT_EXPIRES_MAX)
        return SOTTO_LIMIT;
    if (message->kind == CONTENT_FILE)
        TRY(check_file(&message->file));
    char sender_uri[CONTENT_URI_SIZE], room_uri[CONTENT_URI_SIZE];
    content_account_uri(account, sender_uri);
    content_room_uri(room, room_uri);
    struct content content = {.has_sender = true, .has_room = true};
    content.sender = sotto_bytes_str(sender_uri);
    content.room = sotto_bytes_str(room_uri);
    TRY(env->random(env->ctx, content.salt, CONTENT_SALT_SIZE));
    fill_target(message, &content);
    content.has_expires = message->expires_s > 0;
    content.expires.relative = true;
    content.expires.time = message->expires_s;
    sotto_buf body; /* of what is no text */
    sotto_buf_init(&body, env);
    char blob_uri[BLOB_URI_SIZE] = BLOB_URI;
    size_t start = out->size;
    sotto_error error = SOTTO_OK;
    if (message->kind == CONTENT_PROFILE)
        error = profile_write(message, &body);
    if (message->kind == CONTENT_STATUS)
        error = statuses_write(message, &body);
    struct content_part pair[2] = {0};
    struct content_extension shown = {.text_key = true, .name = sotto_bytes_str(SHOWN_AS)};
    if (message->kind == CONTENT_FILE) {
        sodium_bin2base64(blob_uri + sizeof BLOB_URI - 1, BLOB_URI_SIZE - sizeof BLOB_URI + 1,
                          message->file.blob.data, BLOB_ID_SIZE, BASE64_VARIANT);
        fill_file(message, blob_uri, pair, &content.part);
        if (message->file.form != CONTENT_AS_FILE || message->file.album.id.size > 0) {
            error = shown_write(&message->file, &body);
            shown.value = sotto_buf_view(&body);
            content.extensions = &shown;
            content.extension_count = 1;
        }
    } else
        fill_part(message, body.size > 0 ? sotto_buf_view(&body) : message->text, &content.part);
    if (error == SOTTO_OK)
        error = content_encode(env, &content, out);
    if (error == SOTTO_OK)
        error = content_id(sotto_bytes_of(out->data + start, out->size - start), content.salt,
                           content.sender, content.room, message->id);
    sotto_buf_free(&body);
    return error;
}

/* ---- Understanding -------------------------------------------------------------------------- */

/* Whether a media type is the one named: case does not matter, parameters are looked at by the
 * caller. parameters: what stands behind it. */
static bool is_type(sotto_bytes type, const char *name, sotto_bytes *parameters)
{
    size_t size = strlen(name);
    if (type.size < size || strncasecmp((const char *)type.data, name, size) != 0)
        return false;
    if (type.size > size && type.data[size] != ';' && type.data[size] != ' ')
        return false;
    *parameters = sotto_bytes_of(type.data + size, type.size - size);
    return true;
}

/* text/plain is understood as UTF-8: charset utf-8, us-ascii, or not said. */
static bool charset_is_utf8(sotto_bytes parameters)
{
    static const char *const accepted[] = {"", ";charset=utf-8", ";charset=us-ascii",
                                           ";charset=\"utf-8\""};
    char text[64];
    size_t used = 0;
    for (size_t i = 0; i < parameters.size; i++) {
        if (parameters.data[i] == ' ')
            continue;
        if (used + 1 == sizeof text)
            return false;
        text[used++] = (char)parameters.data[i];
    }
    text[used] = '\0';
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++)
        if (strcasecmp(text, accepted[i]) == 0)
            return true;
    return false;
}

/* The part to show as text: itself, or the first that can be among alternatives and among parts
 * that stand for themselves. Of a unit whose parts are not all understood nothing may be shown. */
static const struct content_part *find_text(const struct content_part *part, bool *markdown)
{
    sotto_bytes parameters;
    if (part->cardinality == CONTENT_PART_SINGLE) {
        *markdown = is_type(part->u.single.type, "text/markdown", &parameters);
        bool plain =
            is_type(part->u.single.type, "text/plain", &parameters) && charset_is_utf8(parameters);
        return *markdown || plain ? part : NULL;
    }
    if (part->cardinality != CONTENT_PART_MULTI || part->u.multi.semantics == CONTENT_SINGLE_UNIT)
        return NULL;
    for (size_t i = 0; i < part->u.multi.count; i++) {
        const struct content_part *found = find_text(&part->u.multi.parts[i], markdown);
        if (found != NULL)
            return found;
    }
    return NULL;
}

static sotto_error refuse(sotto_fault *fault, sotto_error error, const char *what)
{
    *fault = (sotto_fault){.error = error, .what = what};
    return error;
}

static sotto_error understand_text(const struct content *content, struct content_message *out,
                                   sotto_fault *fault)
{
    const struct content_part *part = find_text(&content->part, &out->markdown);
    bool reaction = content->part.disposition == CONTENT_REACT;
    /* A reaction to nothing is not understood. */
    if (part == NULL || (reaction && !content->has_in_reply_to)) {
        out->markdown = false;
        return SOTTO_OK;
    }
    out->text = part->u.single.body;
    out->kind = reaction                   ? CONTENT_REACTION
                : content->has_replaces    ? CONTENT_EDIT
                : content->has_in_reply_to ? CONTENT_REPLY
                                           : CONTENT_TEXT;
    sotto_error error = check_text(out);
    return error == SOTTO_OK ? SOTTO_OK : refuse(fault, error, "SinglePart.content: text");
}

/* The blob's id of a URI, in the arena; empty if it is none of ours. */
static sotto_error blob_of_uri(sotto_bytes uri, struct arena *arena, sotto_bytes *blob)
{
    const size_t prefix = sizeof BLOB_URI - 1;
    size_t size = 0;
    uint8_t id[BLOB_ID_SIZE];
    *blob = sotto_bytes_of(NULL, 0);
    if (uri.size != BLOB_URI_SIZE - 1 || memcmp(uri.data, BLOB_URI, prefix) != 0)
        return SOTTO_OK;
    if (sodium_base642bin(id, sizeof id, (const char *)uri.data + prefix, uri.size - prefix, NULL,
                          &size, NULL, BASE64_VARIANT) != 0 ||
        size != sizeof id)
        return SOTTO_OK;
    sotto_error error = arena_copy(arena, sotto_bytes_of(id, sizeof id), blob);
    wipe(id, sizeof id);
    return error;
}

/* The external part of a file's message, which may stand beside its preview and nothing else. NULL:
 * none. A preview that is too large, or none that Sotto shows, is passed over. */
static const struct content_part *find_file(const struct content_part *part, sotto_bytes *preview)
{
    sotto_bytes parameters;
    const struct content_part *found = NULL;
    if (part->cardinality == CONTENT_PART_EXTERNAL)
        return part;
    if (part->cardinality != CONTENT_PART_MULTI)
        return NULL;
    for (size_t i = 0; i < part->u.multi.count; i++) {
        const struct content_part *one = &part->u.multi.parts[i];
        if (one->cardinality == CONTENT_PART_EXTERNAL && found == NULL)
            found = one;
        else if (one->cardinality != CONTENT_PART_SINGLE || one->disposition != CONTENT_PREVIEW)
            return NULL;
        else if (is_type(one->u.single.type, TYPE_PREVIEW, &parameters) &&
                 one->u.single.body.size <= CONTENT_PREVIEW_MAX)
            *preview = one->u.single.body;
    }
    return found;
}

/* What is encrypted in another way, or lies elsewhere, needs a newer version. A client never
 * follows a URI to a place that a member chose: that would tell the place who reads. */
static sotto_error understand_file(const struct content *content, const struct content_part *part,
                                   sotto_bytes preview, struct arena *arena,
                                   struct content_message *out, sotto_fault *fault)
{
    struct content_file file = {
        .key = part->u.external.key,
        .hash = part->u.external.content_hash,
        .size = part->u.external.size,
        .name = part->u.external.filename,
        .type = part->u.external.type,
    };
    if (part->u.external.aead != CONTENT_ENC_ALG || part->u.external.nonce.size != 0 ||
        part->u.external.aad.size != 0 || part->u.external.hash != HASH_ALG_SHA256 ||
        content->has_replaces)
        return SOTTO_OK;
    sotto_error error = blob_of_uri(part->u.external.url, arena, &file.blob);
    if (error != SOTTO_OK)
        return refuse(fault, error, "ExternalPart.url");
    if (file.blob.size == 0)
        return SOTTO_OK;
    TRY(shown_read(content, &file, fault));
    if (file.form == CONTENT_AS_PICTURE)
        file.preview = preview;
    error = check_file(&file);
    if (error != SOTTO_OK)
        return refuse(fault, error, "ExternalPart");
    out->kind = CONTENT_FILE;
    out->file = file;
    out->text = part->u.external.description;
    return SOTTO_OK;
}

/* kind is NEWER at first, and stays so for what is not understood. */
static sotto_error understand(const struct content *content, struct arena *arena,
                              struct content_message *out, sotto_fault *fault)
{
    const struct content_part *part = &content->part;
    sotto_bytes parameters;
    if (part->cardinality == CONTENT_PART_NULL) {
        if (content->has_replaces)
            out->kind = CONTENT_DELETE;
        return SOTTO_OK;
    }
    if (part->cardinality == CONTENT_PART_SINGLE &&
        is_type(part->u.single.type, TYPE_PROFILE, &parameters)) {
        out->kind = CONTENT_PROFILE;
        return profile_read(part->u.single.body, out, fault);
    }
    if (part->cardinality == CONTENT_PART_SINGLE &&
        is_type(part->u.single.type, TYPE_STATUS, &parameters))
        return statuses_read(part->u.single.body, arena, out, fault);
    bool manifest = part->cardinality == CONTENT_PART_SINGLE &&
                    is_type(part->u.single.type, TYPE_MANIFEST, &parameters);
    bool own = part->cardinality == CONTENT_PART_SINGLE &&
               is_type(part->u.single.type, TYPE_OWN, &parameters);
    bool statement = part->cardinality == CONTENT_PART_SINGLE &&
                     is_type(part->u.single.type, TYPE_STATEMENT, &parameters);
    if (manifest || own || statement) {
        out->kind = manifest ? CONTENT_MANIFEST : own ? CONTENT_OWN : CONTENT_STATEMENT;
        out->text = part->u.single.body;
        sotto_error error = check_text(out);
        return error == SOTTO_OK ? SOTTO_OK : refuse(fault, error, "SinglePart.content");
    }
    sotto_bytes preview = {0};
    const struct content_part *file = find_file(part, &preview);
    if (file != NULL)
        return understand_file(content, file, preview, arena, out, fault);
    return understand_text(content, out, fault);
}

static void take_target(const struct content *content, struct content_message *out)
{
    if (out->kind == CONTENT_EDIT || out->kind == CONTENT_DELETE)
        memcpy(out->target, content->replaces, CONTENT_ID_SIZE);
    if (out->kind == CONTENT_REPLY || out->kind == CONTENT_REACTION)
        memcpy(out->target, content->in_reply_to, CONTENT_ID_SIZE);
    if (out->kind == CONTENT_REACTION && content->has_replaces) {
        out->has_replaced = true;
        memcpy(out->replaced, content->replaces, CONTENT_ID_SIZE);
    }
}

sotto_error content_read(sotto_bytes input, const struct account_id *account,
                         const struct room_id *room, struct arena *arena,
                         struct content_message *message, sotto_fault *fault)
{
    struct content content;
    struct content_message read = {.kind = CONTENT_NEWER};
    char sender_uri[CONTENT_URI_SIZE], room_uri[CONTENT_URI_SIZE];
    content_account_uri(account, sender_uri);
    content_room_uri(room, room_uri);
    TRY(content_decode(input, arena, &content, fault));
    /* Who and where is what MLS proves; a message that says otherwise was made to deceive. */
    if (content.has_sender && !sotto_bytes_equal(content.sender, sotto_bytes_str(sender_uri)))
        return refuse(fault, SOTTO_SENDER, "extensions.senderUri");
    if (content.has_room && !sotto_bytes_equal(content.room, sotto_bytes_str(room_uri)))
        return refuse(fault, SOTTO_SENDER, "extensions.roomUri");
    /* "General handling": more than a year is nonsense. */
    if (content.has_expires && content.expires.relative &&
        content.expires.time > CONTENT_EXPIRES_MAX)
        return refuse(fault, SOTTO_LIMIT, "Expiration.time");
    TRY(understand(&content, arena, &read, fault));
    take_target(&content, &read);
    if (content.has_expires && content.expires.relative)
        read.expires_s = content.expires.time > 0 ? content.expires.time : 1;
    else if (content.has_expires)
        read.expires_at_s = content.expires.time > 0 ? content.expires.time : 1;
    TRY(content_id(input, content.salt, sotto_bytes_str(sender_uri), sotto_bytes_str(room_uri),
                   read.id));
    *message = read;
    return SOTTO_OK;
}
