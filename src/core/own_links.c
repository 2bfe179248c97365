#include "core/own_links.h"

#include <string.h>

#include "codec/writer.h"

static sotto_error link_write(const struct store_join_link *link,
                              const struct store_invitation *invitation,
                              const struct device_id *device, sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    size_t opened = own_record(&writer, OWN_LINK);
    writer_fixed(&writer, sotto_bytes_of(link->capability, CAPABILITY_SIZE));
    writer_fixed(&writer, sotto_bytes_of(link->room.bytes, ROOM_ID_SIZE));
    writer_fixed(&writer, sotto_bytes_of(device->bytes, DEVICE_ID_SIZE));
    writer_u32(&writer, invitation->uses);
    writer_u32(&writer, invitation->used);
    writer_u64(&writer, invitation->created_s);
    writer_u64(&writer, invitation->expires_s);
    writer_close(&writer, opened);
    return writer_finish(&writer);
}

sotto_error own_link_tell(struct sotto *core, const struct store_join_link *link,
                          const struct store_invitation *invitation)
{
    sotto_buf record;
    sotto_buf_init(&record, core->env);
    return own_tell(core, link_write(link, invitation, &core->identity.device, &record), &record);
}

sotto_error own_link_used_tell(struct sotto *core, const struct store_invitation *invitation)
{
    struct writer writer;
    sotto_buf record;
    sotto_buf_init(&record, core->env);
    writer_init(&writer, &record);
    size_t opened = own_record(&writer, OWN_LINK_USED);
    writer_fixed(&writer, sotto_bytes_of(invitation->capability, CAPABILITY_SIZE));
    writer_u32(&writer, invitation->used);
    writer_close(&writer, opened);
    return own_tell(core, writer_finish(&writer), &record);
}

sotto_error own_link_revoked_tell(struct sotto *core, const struct store_join_link *link)
{
    struct writer writer;
    sotto_buf record;
    sotto_buf_init(&record, core->env);
    writer_init(&writer, &record);
    size_t opened = own_record(&writer, OWN_LINK_REVOKED);
    writer_fixed(&writer, sotto_bytes_of(link->capability, CAPABILITY_SIZE));
    writer_close(&writer, opened);
    return own_tell(core, writer_finish(&writer), &record);
}

sotto_error own_links_write(struct sotto *core, struct arena *arena, struct own_sink *sink)
{
    static const struct device_id any; /* the reader's own it is not */
    struct store_join_link *links = NULL;
    size_t count = 0;
    TRY(store_join_links(core->store, arena, &links, &count));
    for (size_t i = 0; i < count; i++) {
        struct store_invitation invitation;
        sotto_bytes capability = sotto_bytes_of(links[i].capability, CAPABILITY_SIZE);
        if (links[i].revoked)
            continue;
        sotto_error error = store_invitation_get(core->store, capability, &invitation);
        if (error == SOTTO_OK && invitation.expires_s > core_now_s(core))
            error = link_write(&links[i], &invitation, &any, &sink->records);
        wipe(&invitation, sizeof invitation);
        if (error != SOTTO_OK && error != SOTTO_NOT_FOUND)
            return error;
        TRY(own_sink_flush(sink, false));
    }
    return SOTTO_OK;
}

/* Inside a transaction. The relay has heard of it from the device that made it. */
static sotto_error keep(struct sotto *core, const struct store_join_link *link,
                        const struct store_invitation *invitation)
{
    struct store_invitation known;
    sotto_error error = store_invitation_get(
        core->store, sotto_bytes_of(link->capability, CAPABILITY_SIZE), &known);
    wipe(&known, sizeof known);
    if (error != SOTTO_NOT_FOUND)
        return error;
    TRY(store_join_link_add(core->store, link));
    return store_invitation_put(core->store, invitation);
}

sotto_error own_link_read(struct sotto *core, struct reader *reader)
{
    struct store_join_link link = {0};
    struct store_invitation invitation = {.granted = true};
    struct device_id device;
    reader_copy(reader, link.capability, CAPABILITY_SIZE, "own.link");
    reader_copy(reader, link.room.bytes, ROOM_ID_SIZE, "own.room");
    reader_copy(reader, device.bytes, DEVICE_ID_SIZE, "own.device");
    invitation.uses = reader_u32(reader, "own.uses");
    invitation.used = reader_u32(reader, "own.used");
    invitation.created_s = reader_u64(reader, "own.created");
    invitation.expires_s = reader_u64(reader, "own.expires");
    if (reader_ok(reader) && (invitation.created_s > INT64_MAX || invitation.expires_s > INT64_MAX))
        reader_fail(reader, SOTTO_VALUE, "own.expires");
    memcpy(invitation.capability, link.capability, CAPABILITY_SIZE);
    sotto_error error = reader->fault.error;
    /* What this one made is here, unless it was revoked since it said so. */
    if (error == SOTTO_OK &&
        !(core->has_identity && device_id_equal(&device, &core->identity.device)))
        error = keep(core, &link, &invitation);
    wipe(&link, sizeof link);
    wipe(&invitation, sizeof invitation);
    return error;
}

sotto_error own_link_used_read(struct sotto *core, struct reader *reader)
{
    sotto_bytes capability = reader_fixed(reader, CAPABILITY_SIZE, "own.link");
    uint32_t used = reader_u32(reader, "own.used");
    return reader_ok(reader) ? store_join_link_used(core->store, capability, used)
                             : reader->fault.error;
}

sotto_error own_link_revoked_read(struct sotto *core, struct reader *reader)
{
    sotto_bytes capability = reader_fixed(reader, CAPABILITY_SIZE, "own.link");
    TRY(reader->fault.error);
    struct store_join_link link;
    sotto_error error = store_join_link_get(core->store, capability, &link);
    /* Each device tells the relay: the one that was asked to may be gone before it could. */
    if (error == SOTTO_OK)
        error = store_join_link_revoke(core->store, link.number);
    wipe(&link, sizeof link);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}
