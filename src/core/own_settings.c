#include "core/own_settings.h"

#include <string.h>

#include "codec/writer.h"

enum { NAME_MAX_SIZE = 64 };

const char *const own_settings[] = {SETTING_RECEIPTS_OFF, SETTING_TYPING_OFF, NULL};

sotto_error own_setting_get(struct sotto *core, const char *name, bool *on)
{
    uint64_t number = 0;
    TRY(store_number_get(core->store, name, &number));
    *on = number != 0;
    return SOTTO_OK;
}

/* Inside a transaction: keeps it, with what follows from it here. */
static sotto_error keep(struct sotto *core, const char *name, bool on, bool *changed)
{
    static const uint8_t nobody[32];
    bool before = false;
    TRY(own_setting_get(core, name, &before));
    *changed = before != on;
    if (!*changed)
        return SOTTO_OK;
    TRY(store_number_put(core->store, name, on));
    if (on && strcmp(name, SETTING_RECEIPTS_OFF) == 0)
        TRY(store_receipts_clear(core->store));
    return store_event_add(core->store, SOTTO_EVENT_ACCOUNT, nobody);
}

static sotto_error record_write(const char *name, bool on, sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    size_t opened = own_record(&writer, OWN_SETTING);
    writer_vector(&writer, sotto_bytes_str(name));
    writer_u8(&writer, on);
    writer_close(&writer, opened);
    return writer_finish(&writer);
}

static sotto_error tell(struct sotto *core, const char *name, bool on)
{
    sotto_buf record;
    sotto_buf_init(&record, core->env);
    sotto_error error = record_write(name, on, &record);
    return own_tell(core, error, &record);
}

sotto_error own_setting_set(struct sotto *core, const char *name, bool on)
{
    bool changed = false;
    TRY(core_need_account(core));
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = keep(core, name, on, &changed);
    if (error == SOTTO_OK && changed)
        error = tell(core, name, on);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        return core_store_problem(core, error, "saving the setting");
    }
    store_scrub(core->store, false);
    return SOTTO_OK;
}

sotto_error own_settings_write(struct sotto *core, sotto_buf *out)
{
    for (size_t i = 0; own_settings[i] != NULL; i++) {
        bool on = false;
        TRY(own_setting_get(core, own_settings[i], &on));
        if (on)
            TRY(record_write(own_settings[i], on, out));
    }
    return SOTTO_OK;
}

sotto_error own_setting_read(struct sotto *core, struct reader *reader)
{
    bool changed = false;
    sotto_bytes name = reader_vector(reader, NAME_MAX_SIZE, "own.setting");
    uint8_t on = reader_u8(reader, "own.on");
    if (reader_ok(reader) && on > 1)
        reader_fail(reader, SOTTO_VALUE, "own.on");
    TRY(reader->fault.error);
    for (size_t i = 0; own_settings[i] != NULL; i++)
        if (sotto_bytes_equal(name, sotto_bytes_str(own_settings[i])))
            return keep(core, own_settings[i], on == 1, &changed);
    return SOTTO_OK; /* of a newer version */
}
