#include "core/file_copy.h"

sotto_error file_copy_make(struct sotto *core, const struct room_id *room, const char *client_id,
                           const char *relay, struct content_message *content, struct arena *arena,
                           struct store_upload *upload)
{
    const sotto_env *env = core->env;
    uint8_t *blob = arena_array(arena, BLOB_ID_SIZE, 1);
    uint8_t *token = arena_array(arena, TOKEN_SIZE, 1);
    if (blob == NULL || token == NULL)
        return SOTTO_NO_MEMORY;
    TRY(env->random(env->ctx, blob, BLOB_ID_SIZE));
    TRY(env->random(env->ctx, token, TOKEN_SIZE));
    *upload = (struct store_upload){
        .room = *room,
        .client_id = client_id,
        .blob = sotto_bytes_of(blob, BLOB_ID_SIZE),
        .key = content->file.key,
        .write_token = sotto_bytes_of(token, TOKEN_SIZE),
        .path = sotto_bytes_str(relay),
        .size = content->file.size,
        .form = STORE_UPLOAD_COPY,
        .digest = content->file.blob,
    };
    content->file.blob = upload->blob;
    return SOTTO_OK;
}

sotto_error file_copy_store(struct sotto *core, const struct store_room *row,
                            const struct store_upload *upload)
{
    const struct store_blob blob = {upload->blob, row->relay, upload->write_token};
    TRY(store_upload_add(core->store, upload));
    TRY(store_blob_add(core->store, &blob));
    return store_blob_refer(core->store, &row->room, upload->client_id, upload->blob);
}
