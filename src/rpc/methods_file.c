/* Files: sending, fetching, and what is done to them on their way. */
#include <limits.h>
#include <string.h>

#include <sodium.h>

#include "base/base.h"
#include "core/problem.h"
#include "rpc/methods.h"
#include "rpc/objects.h"
#include "rpc/work.h"

/* ---- Sending and fetching -------------------------------------------------------------------- */

bool message_send_file(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    const char *caption = param_text(call, "caption");
    char client_id[SOTTO_CLIENT_ID_MAX + 1];
    const struct sotto_file file = {
        .path = param_text(call, "path"),
        .caption = sotto_bytes_str(caption != NULL ? caption : ""),
        .as_file = param_flag(call, "asFile"),
    };
    if (sotto_send_file(call->core, &id, param_text(call, "clientId"), &file, client_id) !=
        SOTTO_OK)
        return call_fail(call);
    return call_sending(call, &id, client_id);
}

bool message_send_voice(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    const char *caption = param_text(call, "caption");
    const json_t *given = json_object_get(call->params, "waveform");
    uint8_t peaks[SOTTO_PEAKS_MAX];
    char client_id[SOTTO_CLIENT_ID_MAX + 1];
    for (size_t i = 0; i < json_array_size(given); i++)
        peaks[i] = (uint8_t)json_integer_value(json_array_get(given, i));
    const struct sotto_file file = {
        .path = param_text(call, "path"),
        .caption = sotto_bytes_str(caption != NULL ? caption : ""),
        .voice = true,
        .duration_ms = (uint32_t)param_number(call, "duration", 0),
        .waveform = sotto_bytes_of(peaks, json_array_size(given)),
    };
    if (sotto_send_file(call->core, &id, param_text(call, "clientId"), &file, client_id) !=
        SOTTO_OK)
        return call_fail(call);
    return call_sending(call, &id, client_id);
}

bool message_send_album(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    const json_t *paths = json_object_get(call->params, "paths");
    const char *caption = param_text(call, "caption");
    char client_id[SOTTO_CLIENT_ID_MAX + 1];
    struct sotto_file files[SOTTO_ALBUM_MAX] = {0};
    const size_t count = json_array_size(paths);
    for (size_t i = 0; i < count; i++) {
        files[i].path = json_string_value(json_array_get(paths, i));
        files[i].as_file = param_flag(call, "asFile");
    }
    files[0].caption = sotto_bytes_str(caption != NULL ? caption : "");
    if (sotto_send_album(call->core, &id, param_text(call, "clientId"), files, count, client_id) !=
        SOTTO_OK)
        return call_fail(call);
    json_t *ids = json_array();
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(ids, json_sprintf("%s.%zu", client_id, i));
    call->result = json_object();
    object_set_text(call->env, call->result, "clientId", client_id);
    (void)json_object_set_new(call->result, "clientIds", ids);
    return true;
}

bool message_save_file(struct call *call)
{
    char saved[PATH_MAX];
    if (sotto_save(call->core, (int64_t)param_number(call, "message", 0), param_text(call, "to"),
                   saved, sizeof saved) != SOTTO_OK)
        return call_fail(call);
    call->result = json_object();
    object_set_text(call->env, call->result, "path", saved);
    return true;
}

static void take_preview(void *ctx, const struct sotto_message *message)
{
    json_t **result = ctx;
    char text[sodium_base64_ENCODED_LEN(SOTTO_PREVIEW_MAX, sodium_base64_VARIANT_ORIGINAL)];
    if (message->preview.size == 0)
        return;
    sodium_bin2base64(text, sizeof text, message->preview.data, message->preview.size,
                      sodium_base64_VARIANT_ORIGINAL);
    *result = json_object();
    (void)json_object_set_new(*result, "mediaType", json_string("image/jpeg"));
    (void)json_object_set_new(*result, "data", json_string(text));
    wipe(text, sizeof text);
}

/* ---- On their way ---------------------------------------------------------------------------- */

/* Calls under way that move this file. */
struct moved {
    const char *client_id, *conversation; /* of what is sent, else NULL */
    uint64_t message;
    bool one_of_album; /* client_id is that of a file of one that is read */
};

static bool id_fits(const struct moved *moved, const char *id)
{
    size_t size = strlen(id);
    if (!moved->one_of_album)
        return strcmp(id, moved->client_id) == 0;
    return strncmp(id, moved->client_id, size) == 0 && moved->client_id[size] == '.' &&
           moved->client_id[size + 1] != '\0' &&
           strspn(moved->client_id + size + 1, "0123456789") == strlen(moved->client_id + size + 1);
}

static bool is_moved(void *ctx, const struct rpc_method *method, const json_t *params)
{
    const struct moved *moved = ctx;
    if (moved->client_id == NULL)
        return method->run == message_save_file &&
               (uint64_t)json_integer_value(json_object_get(params, "message")) == moved->message;
    if (method->run != message_send_album &&
        (moved->one_of_album ||
         (method->run != message_send_file && method->run != message_send_voice)))
        return false;
    const char *id = json_string_value(json_object_get(params, "clientId"));
    return id != NULL && id_fits(moved, id) &&
           strcmp(json_string_value(json_object_get(params, "conversation")),
                  moved->conversation) == 0;
}

static bool fail(struct call *call, sotto_error error, enum sotto_code code, const char *message)
{
    (void)problem_set(&call->problem, error, code, NULL, "%s", message);
    return false;
}

bool message_preview(struct call *call)
{
    if (sotto_message(call->core, (int64_t)param_number(call, "message", 0), take_preview,
                      &call->result) != SOTTO_OK)
        return call_fail(call);
    return call->result != NULL || fail(call, SOTTO_NOT_FOUND, SOTTO_CODE_NOT_FOUND,
                                        "There is no preview with that message.");
}

bool file_cancel(struct call *call)
{
    struct moved moved = {
        .message = param_number(call, "message", 0),
        .client_id = param_text(call, "clientId"),
        .conversation = param_text(call, "conversation"),
    };
    bool sent = moved.client_id != NULL && moved.conversation != NULL;
    if (sent == (moved.message != 0) || (moved.client_id == NULL) != (moved.conversation == NULL))
        return fail(call, SOTTO_ARGUMENT, SOTTO_CODE_USAGE,
                    "Name a message whose file is fetched, or a conversation and a clientId whose"
                    " file is sent.");
    if (call->works != NULL && works_cancel(call->works, is_moved, &moved))
        return true;
    if (!sent)
        return fail(call, SOTTO_NOT_FOUND, SOTTO_CODE_NOT_FOUND,
                    "The file of that message is not being fetched.");
    struct sotto_id conversation = param_id(call, "conversation");
    sotto_error error = sotto_cancel_file(call->core, &conversation, moved.client_id);
    /* A file of an album that is not queued yet: it is being read, or will be. */
    moved.one_of_album = true;
    if (error == SOTTO_NOT_FOUND && call->works != NULL &&
        works_cancel(call->works, is_moved, &moved))
        return true;
    return call_done(call, error);
}
