#include "mls/welcome.h"

#include "mls/limits.h"

/* ---- GroupContext, GroupInfo ----------------------------------------------------------------- */

void group_context_read(struct reader *reader, struct arena *arena, struct group_context *context)
{
    *context = (struct group_context){0};
    if (reader_u16(reader, "GroupContext.version") != MLS_VERSION_10)
        reader_fail(reader, SOTTO_VERSION, "GroupContext.version");
    context->suite = reader_u16(reader, "GroupContext.cipher_suite");
    context->group_id = reader_vector(reader, LIMIT_GROUP_ID, "GroupContext.group_id");
    context->epoch = reader_u64(reader, "GroupContext.epoch");
    context->tree_hash = reader_vector(reader, LIMIT_HASH, "GroupContext.tree_hash");
    context->confirmed_transcript_hash =
        reader_vector(reader, LIMIT_HASH, "GroupContext.confirmed_transcript_hash");
    extensions_read(reader, arena, LIMIT_EXTENSIONS, &context->extensions,
                    "GroupContext.extensions");
}

void group_context_write(struct writer *writer, const struct group_context *context)
{
    writer_u16(writer, MLS_VERSION_10);
    writer_u16(writer, context->suite);
    writer_vector(writer, context->group_id);
    writer_u64(writer, context->epoch);
    writer_vector(writer, context->tree_hash);
    writer_vector(writer, context->confirmed_transcript_hash);
    extensions_write(writer, &context->extensions);
}

void group_info_read(struct reader *reader, struct arena *arena, struct group_info *info)
{
    *info = (struct group_info){0};
    size_t start = reader->pos;
    group_context_read(reader, arena, &info->context);
    info->context_bytes = reader_since(reader, start);
    extensions_read(reader, arena, LIMIT_GROUP_INFO_EXTENSIONS, &info->extensions,
                    "GroupInfo.extensions");
    info->confirmation_tag = reader_vector(reader, LIMIT_HASH, "GroupInfo.confirmation_tag");
    info->signer = reader_u32(reader, "GroupInfo.signer");
    info->tbs = reader_since(reader, start);
    info->signature = reader_vector(reader, LIMIT_SIGNATURE, "GroupInfo.signature");
}

void group_info_tbs_write(struct writer *writer, const struct group_info *info)
{
    group_context_write(writer, &info->context);
    extensions_write(writer, &info->extensions);
    writer_vector(writer, info->confirmation_tag);
    writer_u32(writer, info->signer);
}

void group_info_write(struct writer *writer, const struct group_info *info)
{
    group_info_tbs_write(writer, info);
    writer_vector(writer, info->signature);
}

/* ---- GroupSecrets ---------------------------------------------------------------------------- */

/* The PSKs of a Welcome; a first pass counts, so that the list is one block. */
static void psks_read(struct reader *reader, struct arena *arena, struct group_secrets *secrets)
{
    struct reader list;
    reader_enter(reader, &list, LIMIT_MESSAGE, "GroupSecrets.psks");
    struct reader counting = list;
    size_t count = 0;
    while (reader_more(&counting)) {
        struct psk_id unused;
        psk_id_read(&counting, &unused);
        count++;
    }
    if (count > LIMIT_PSKS)
        reader_fail(&list, SOTTO_LIMIT, "GroupSecrets.psks");
    if (reader_ok(&list) && count > 0) {
        secrets->psks = arena_array(arena, count, sizeof *secrets->psks);
        if (secrets->psks == NULL)
            reader_fail(&list, SOTTO_NO_MEMORY, "GroupSecrets.psks");
    }
    while (reader_more(&list))
        psk_id_read(&list, &secrets->psks[secrets->psk_count++]);
    reader_leave(reader, &list, "GroupSecrets.psks");
}

void group_secrets_read(struct reader *reader, struct arena *arena, struct group_secrets *secrets)
{
    *secrets = (struct group_secrets){0};
    secrets->joiner_secret = reader_vector(reader, LIMIT_HASH, "GroupSecrets.joiner_secret");
    secrets->has_path_secret = reader_present(reader, "GroupSecrets.path_secret");
    if (secrets->has_path_secret)
        secrets->path_secret = reader_vector(reader, LIMIT_HASH, "GroupSecrets.path_secret");
    psks_read(reader, arena, secrets);
}

void group_secrets_write(struct writer *writer, const struct group_secrets *secrets)
{
    writer_vector(writer, secrets->joiner_secret);
    writer_present(writer, secrets->has_path_secret);
    if (secrets->has_path_secret)
        writer_vector(writer, secrets->path_secret);
    size_t list = writer_open(writer);
    for (size_t i = 0; i < secrets->psk_count; i++)
        psk_id_write(writer, &secrets->psks[i]);
    writer_close(writer, list);
}

/* ---- Welcome --------------------------------------------------------------------------------- */

static void encrypted_secrets_read(struct reader *reader, struct encrypted_group_secrets *secrets)
{
    secrets->new_member = reader_vector(reader, LIMIT_HASH, "EncryptedGroupSecrets.new_member");
    secrets->kem_output =
        reader_vector(reader, LIMIT_KEM_OUTPUT, "EncryptedGroupSecrets.kem_output");
    secrets->ciphertext = reader_vector(reader, LIMIT_MESSAGE, "EncryptedGroupSecrets.ciphertext");
}

void welcome_read(struct reader *reader, struct arena *arena, struct welcome *welcome)
{
    *welcome = (struct welcome){0};
    welcome->suite = reader_u16(reader, "Welcome.cipher_suite");
    struct reader list;
    reader_enter(reader, &list, LIMIT_MESSAGE, "Welcome.secrets");
    struct reader counting = list;
    size_t count = 0;
    while (reader_more(&counting)) {
        struct encrypted_group_secrets unused;
        encrypted_secrets_read(&counting, &unused);
        count++;
    }
    if (count > LIMIT_PROPOSALS)
        reader_fail(&list, SOTTO_LIMIT, "Welcome.secrets");
    if (reader_ok(&list) && count > 0) {
        welcome->secrets = arena_array(arena, count, sizeof *welcome->secrets);
        if (welcome->secrets == NULL)
            reader_fail(&list, SOTTO_NO_MEMORY, "Welcome.secrets");
    }
    while (reader_more(&list) && welcome->secrets != NULL)
        encrypted_secrets_read(&list, &welcome->secrets[welcome->secret_count++]);
    reader_leave(reader, &list, "Welcome.secrets");
    welcome->encrypted_group_info =
        reader_vector(reader, LIMIT_GROUP_INFO, "Welcome.encrypted_group_info");
}

void welcome_write(struct writer *writer, const struct welcome *welcome)
{
    writer_u16(writer, welcome->suite);
    size_t list = writer_open(writer);
    for (size_t i = 0; i < welcome->secret_count; i++) {
        writer_vector(writer, welcome->secrets[i].new_member);
        writer_vector(writer, welcome->secrets[i].kem_output);
        writer_vector(writer, welcome->secrets[i].ciphertext);
    }
    writer_close(writer, list);
    writer_vector(writer, welcome->encrypted_group_info);
}
