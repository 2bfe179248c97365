#include "core/settings.h"

#include <string.h>

#include "codec/reader.h"
#include "codec/writer.h"
#include "base/text.h"
#include "sotto/conversation.h"

/* Types of fields, written in this order. What is as in settings_init is left out. */
enum {
    FIELD_TITLE = 1,
    FIELD_DESCRIPTION = 2,
    FIELD_PICTURE = 3,
    FIELD_ROLES = 4,
    FIELD_OTHERS = 5,
    FIELD_POLICY = 6,
    FIELD_TIMER = 7,
    FIELD_JOIN = 8,
    FIELD_BANNED = 9,
    FIELD_BEFORE = 10,
    FIELD_LAST = FIELD_BEFORE,
};

static const uint8_t usual_policy[SOTTO_POLICY_COUNT] = {
    [SOTTO_POLICY_ADD] = SOTTO_ROLE_MEMBER,
    [SOTTO_POLICY_REMOVE] = SOTTO_ROLE_ADMIN,
    [SOTTO_POLICY_WRITE] = SOTTO_ROLE_MEMBER,
    [SOTTO_POLICY_CHANGE] = SOTTO_ROLE_MEMBER,
};

void settings_init(struct settings *settings)
{
    memset(settings, 0, sizeof *settings);
    settings->others = SOTTO_ROLE_MEMBER;
    settings->join = SOTTO_JOIN_ASK;
    memcpy(settings->policy, usual_policy, sizeof usual_policy);
}

void settings_legacy(struct settings *settings)
{
    settings_init(settings);
    settings->others = SOTTO_ROLE_OWNER;
}

/* ---- Values ---------------------------------------------------------------------------------- */

static bool role_fits(uint32_t role)
{
    return role >= SOTTO_ROLE_MEMBER && role <= SOTTO_ROLE_OWNER;
}

static bool title_fits(sotto_bytes text)
{
    return text.size <= WIRE_TITLE_MAX && text_is_utf8(text) && text_is_line(text);
}

static bool description_fits(sotto_bytes text)
{
    if (text.size > SOTTO_DESCRIPTION_MAX || !text_is_utf8(text))
        return false;
    size_t from = 0; /* several lines, each without control characters */
    for (size_t at = 0; at <= text.size; at++) {
        if (at < text.size && text.data[at] != '\n')
            continue;
        if (!text_is_line(sotto_bytes_of(text.data + from, at - from)))
            return false;
        from = at + 1;
    }
    return true;
}

bool settings_picture_fits(sotto_bytes picture)
{
    static const struct {
        const char *bytes;
        size_t size;
    } begins[] = {{"\x89PNG\r\n\x1a\n", 8}, {"\xFF\xD8\xFF", 3}, {"GIF8", 4}, {"RIFF", 4}};
    if (picture.size == 0)
        return true;
    if (picture.size > SOTTO_PICTURE_MAX || picture.size < 16)
        return false;
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (memcmp(picture.data, begins[i].bytes, begins[i].size) == 0)
            return begins[i].bytes[0] != 'R' || memcmp(picture.data + 8, "WEBP", 4) == 0;
    return false;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void field_bytes(struct writer *writer, uint16_t type, sotto_bytes value)
{
    if (value.size == 0)
        return;
    writer_u16(writer, type);
    writer_vector(writer, value);
}

static void field_number(struct writer *writer, uint16_t type, uint8_t value, uint8_t usual)
{
    if (value != usual)
        field_bytes(writer, type, sotto_bytes_of(&value, 1));
}

static void field_roles(struct writer *writer, const struct settings *settings)
{
    if (settings->role_count == 0)
        return;
    writer_u16(writer, FIELD_ROLES);
    size_t opened = writer_open(writer);
    for (size_t i = 0; i < settings->role_count; i++) {
        writer_fixed(writer, sotto_bytes_of(settings->roles[i].account.bytes, ACCOUNT_ID_SIZE));
        writer_u8(writer, settings->roles[i].role);
    }
    writer_close(writer, opened);
}

static void field_banned(struct writer *writer, const struct settings *settings)
{
    if (settings->banned_count == 0)
        return;
    writer_u16(writer, FIELD_BANNED);
    size_t opened = writer_open(writer);
    for (size_t i = 0; i < settings->banned_count; i++)
        writer_fixed(writer, sotto_bytes_of(settings->banned[i].bytes, ACCOUNT_ID_SIZE));
    writer_close(writer, opened);
}

sotto_error settings_write(const struct settings *settings, sotto_buf *out)
{
    size_t from = out->size;
    struct writer writer;
    writer_init(&writer, out);
    writer_u16(&writer, SETTINGS_VERSION);
    field_bytes(&writer, FIELD_TITLE, settings->title);
    field_bytes(&writer, FIELD_DESCRIPTION, settings->description);
    field_bytes(&writer, FIELD_PICTURE, settings->picture);
    field_roles(&writer, settings);
    field_number(&writer, FIELD_OTHERS, settings->others, SOTTO_ROLE_MEMBER);
    if (memcmp(settings->policy, usual_policy, sizeof usual_policy) != 0)
        field_bytes(&writer, FIELD_POLICY, sotto_bytes_of(settings->policy, SOTTO_POLICY_COUNT));
    if (settings->timer_s != 0) {
        writer_u16(&writer, FIELD_TIMER);
        size_t opened = writer_open(&writer);
        writer_u32(&writer, settings->timer_s);
        writer_close(&writer, opened);
    }
    field_number(&writer, FIELD_JOIN, settings->join, SOTTO_JOIN_ASK);
    field_banned(&writer, settings);
    if (settings->continues)
        field_bytes(&writer, FIELD_BEFORE, sotto_bytes_of(settings->before.bytes, ROOM_ID_SIZE));
    writer_fixed(&writer, settings->unknown);
    if (writer.error == SOTTO_OK && out->size - from > SETTINGS_MAX)
        writer.error = SOTTO_LIMIT;
    return writer_finish(&writer);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static int account_order(const struct account_id *a, const struct account_id *b)
{
    return memcmp(a->bytes, b->bytes, ACCOUNT_ID_SIZE);
}

static void read_roles(struct reader *value, struct arena *arena, struct settings *settings)
{
    size_t count = (value->end - value->pos) / (ACCOUNT_ID_SIZE + 1);
    if (count == 0 || count > SETTINGS_ROLES_MAX) {
        reader_fail(value, SOTTO_LIMIT, "Settings.roles");
        return;
    }
    settings->roles = arena_array(arena, count, sizeof *settings->roles);
    if (settings->roles == NULL) {
        reader_fail(value, SOTTO_NO_MEMORY, "Settings.roles");
        return;
    }
    for (size_t i = 0; reader_more(value); i++) {
        struct settings_role role;
        reader_copy(value, role.account.bytes, ACCOUNT_ID_SIZE, "Settings.roles");
        role.role = reader_u8(value, "Settings.roles");
        if (reader_ok(value) &&
            (!role_fits(role.role) ||
             (i > 0 && account_order(&settings->roles[i - 1].account, &role.account) >= 0)))
            reader_fail(value, SOTTO_VALUE, "Settings.roles");
        if (!reader_ok(value))
            return;
        settings->roles[i] = role;
        settings->role_count = i + 1;
    }
}

static void read_banned(struct reader *value, struct arena *arena, struct settings *settings)
{
    size_t count = (value->end - value->pos) / ACCOUNT_ID_SIZE;
    if (count == 0 || count > SETTINGS_BANNED_MAX) {
        reader_fail(value, SOTTO_LIMIT, "Settings.banned");
        return;
    }
    settings->banned = arena_array(arena, count, sizeof *settings->banned);
    if (settings->banned == NULL) {
        reader_fail(value, SOTTO_NO_MEMORY, "Settings.banned");
        return;
    }
    for (size_t i = 0; reader_more(value); i++) {
        struct account_id account;
        reader_copy(value, account.bytes, ACCOUNT_ID_SIZE, "Settings.banned");
        if (reader_ok(value) && i > 0 && account_order(&settings->banned[i - 1], &account) >= 0)
            reader_fail(value, SOTTO_VALUE, "Settings.banned");
        if (!reader_ok(value))
            return;
        settings->banned[i] = account;
        settings->banned_count = i + 1;
    }
}

static uint8_t read_between(struct reader *value, uint8_t least, uint8_t most, const char *what)
{
    uint8_t number = reader_u8(value, what);
    if (reader_ok(value) && (number < least || number > most))
        reader_fail(value, SOTTO_VALUE, what);
    return number;
}

static sotto_bytes read_fitting(struct reader *value, bool (*fits)(sotto_bytes), const char *what)
{
    sotto_bytes bytes = reader_fixed(value, value->end - value->pos, what);
    if (reader_ok(value) && (bytes.size == 0 || !fits(bytes)))
        reader_fail(value, SOTTO_VALUE, what);
    return bytes;
}

static void read_field(uint16_t type, struct reader *value, struct arena *arena,
                       struct settings *settings)
{
    switch (type) {
    case FIELD_TITLE:
        settings->title = read_fitting(value, title_fits, "Settings.title");
        break;
    case FIELD_DESCRIPTION:
        settings->description = read_fitting(value, description_fits, "Settings.description");
        break;
    case FIELD_PICTURE:
        settings->picture = read_fitting(value, settings_picture_fits, "Settings.picture");
        break;
    case FIELD_ROLES:
        read_roles(value, arena, settings);
        break;
    case FIELD_OTHERS:
        settings->others =
            read_between(value, SOTTO_ROLE_MEMBER, SOTTO_ROLE_OWNER, "Settings.others");
        break;
    case FIELD_POLICY:
        for (size_t i = 0; i < SOTTO_POLICY_COUNT; i++)
            settings->policy[i] =
                read_between(value, SOTTO_ROLE_MEMBER, SOTTO_ROLE_OWNER, "Settings.policy");
        break;
    case FIELD_TIMER:
        settings->timer_s = reader_u32(value, "Settings.timer");
        if (reader_ok(value) && settings->timer_s > SOTTO_TIMER_MAX)
            reader_fail(value, SOTTO_LIMIT, "Settings.timer");
        break;
    case FIELD_JOIN:
        settings->join = read_between(value, SOTTO_JOIN_CLOSED, SOTTO_JOIN_OPEN, "Settings.join");
        break;
    case FIELD_BANNED:
        read_banned(value, arena, settings);
        break;
    case FIELD_BEFORE:
        settings->continues = true;
        reader_copy(value, settings->before.bytes, ROOM_ID_SIZE, "Settings.before");
        break;
    default:
        reader_fail(value, SOTTO_VALUE, "Settings.type");
    }
}

static void read_fields(struct reader *reader, struct arena *arena, struct settings *settings)
{
    uint16_t last = 0;
    size_t unknown = 0; /* where the first field of a newer version begins */
    while (reader_more(reader)) {
        size_t from = reader->pos;
        uint16_t type = reader_u16(reader, "Settings.type");
        if (reader_ok(reader) && type <= last)
            reader_fail(reader, SOTTO_VALUE, "Settings.type");
        last = type;
        struct reader value;
        reader_enter(reader, &value, SETTINGS_MAX, "Settings.value");
        if (!reader_ok(reader))
            return;
        if (type <= FIELD_LAST)
            read_field(type, &value, arena, settings);
        else {
            unknown = unknown == 0 ? from : unknown;
            (void)reader_fixed(&value, value.end - value.pos, "Settings.value");
        }
        reader_leave(reader, &value, "Settings.value");
    }
    if (!reader_ok(reader) || unknown == 0)
        return;
    settings->unknown = reader_since(reader, unknown);
    if (settings->unknown.size > SETTINGS_UNKNOWN_MAX)
        reader_fail(reader, SOTTO_LIMIT, "Settings: fields of newer versions");
}

sotto_error settings_read(sotto_bytes input, struct arena *arena, struct settings *settings,
                          sotto_fault *fault)
{
    struct reader reader;
    struct settings read;
    settings_init(&read);
    reader_init(&reader, input);
    if (input.size > SETTINGS_MAX)
        reader_fail(&reader, SOTTO_LIMIT, "Settings");
    uint16_t version = reader_u16(&reader, "Settings.version");
    if (reader_ok(&reader) && version != SETTINGS_VERSION)
        reader_fail(&reader, SOTTO_VERSION, "Settings.version");
    read_fields(&reader, arena, &read);
    sotto_error error = reader_finish(&reader, "Settings");
    if (error == SOTTO_OK)
        *settings = read;
    else
        *fault = reader.fault;
    return error;
}

/* ---- Looking --------------------------------------------------------------------------------- */

/* Where the account is in the list, or would be. */
static size_t role_place(const struct settings *settings, const struct account_id *account)
{
    size_t low = 0, high = settings->role_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (account_order(&settings->roles[middle].account, account) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t banned_place(const struct settings *settings, const struct account_id *account)
{
    size_t low = 0, high = settings->banned_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (account_order(&settings->banned[middle], account) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint8_t settings_role(const struct settings *settings, const struct account_id *account)
{
    size_t place = role_place(settings, account);
    return place < settings->role_count &&
                   account_id_equal(&settings->roles[place].account, account)
               ? settings->roles[place].role
               : settings->others;
}

bool settings_banned(const struct settings *settings, const struct account_id *account)
{
    size_t place = banned_place(settings, account);
    return place < settings->banned_count && account_id_equal(&settings->banned[place], account);
}

/* ---- Changes --------------------------------------------------------------------------------- */

sotto_error settings_change_write(const struct settings_change *change, sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    writer_u8(&writer, change->what);
    writer_u8(&writer, change->which);
    writer_u32(&writer, change->value);
    writer_fixed(&writer, sotto_bytes_of(change->account.bytes, ACCOUNT_ID_SIZE));
    writer_vector(&writer, change->text);
    return writer_finish(&writer);
}

sotto_error settings_change_read(sotto_bytes input, struct settings_change *change)
{
    struct reader reader;
    reader_init(&reader, input);
    change->what = reader_u8(&reader, "change.what");
    change->which = reader_u8(&reader, "change.which");
    change->value = reader_u32(&reader, "change.value");
    reader_copy(&reader, change->account.bytes, ACCOUNT_ID_SIZE, "change.account");
    change->text = reader_vector(&reader, SOTTO_PICTURE_MAX, "change.text");
    return reader_finish(&reader, "change");
}

static sotto_error apply_bytes(sotto_bytes *at, sotto_bytes value, bool (*fits)(sotto_bytes),
                               bool *changed)
{
    if (!fits(value))
        return SOTTO_VALUE;
    *changed = !sotto_bytes_equal(*at, value);
    *at = value;
    return SOTTO_OK;
}

static sotto_error apply_role(struct settings *settings, const struct settings_change *change,
                              struct arena *arena, bool *changed)
{
    if (!role_fits(change->value))
        return SOTTO_VALUE;
    size_t place = role_place(settings, &change->account);
    bool listed = place < settings->role_count &&
                  account_id_equal(&settings->roles[place].account, &change->account);
    bool list = change->value != settings->others;
    *changed = settings_role(settings, &change->account) != change->value || listed != list;
    if (!*changed)
        return SOTTO_OK;
    if (list && !listed && settings->role_count == SETTINGS_ROLES_MAX)
        return SOTTO_LIMIT;
    struct settings_role *roles =
        arena_array(arena, settings->role_count + 1, sizeof *settings->roles);
    if (roles == NULL)
        return SOTTO_NO_MEMORY;
    size_t behind = place + (listed ? 1 : 0), count = place;
    if (place > 0)
        memcpy(roles, settings->roles, place * sizeof *roles);
    if (list)
        roles[count++] = (struct settings_role){change->account, (uint8_t)change->value};
    if (behind < settings->role_count)
        memcpy(roles + count, settings->roles + behind,
               (settings->role_count - behind) * sizeof *roles);
    settings->role_count = count + settings->role_count - behind;
    settings->roles = roles;
    return SOTTO_OK;
}

static sotto_error apply_ban(struct settings *settings, const struct settings_change *change,
                             struct arena *arena, bool *changed)
{
    bool banned = settings_banned(settings, &change->account), ban = change->value != 0;
    if (change->value > 1)
        return SOTTO_VALUE;
    *changed = banned != ban;
    if (!*changed)
        return SOTTO_OK;
    if (ban && settings->banned_count == SETTINGS_BANNED_MAX)
        return SOTTO_LIMIT;
    size_t place = banned_place(settings, &change->account);
    struct account_id *list =
        arena_array(arena, settings->banned_count + 1, sizeof *settings->banned);
    if (list == NULL)
        return SOTTO_NO_MEMORY;
    size_t behind = place + (banned ? 1 : 0), count = place;
    if (place > 0)
        memcpy(list, settings->banned, place * sizeof *list);
    if (ban)
        list[count++] = change->account;
    if (behind < settings->banned_count)
        memcpy(list + count, settings->banned + behind,
               (settings->banned_count - behind) * sizeof *list);
    settings->banned_count = count + settings->banned_count - behind;
    settings->banned = list;
    return SOTTO_OK;
}

sotto_error settings_apply(struct settings *settings, const struct settings_change *change,
                           struct arena *arena, bool *changed)
{
    *changed = false;
    switch ((enum settings_what)change->what) {
    case SETTINGS_TITLE:
        return apply_bytes(&settings->title, change->text, title_fits, changed);
    case SETTINGS_DESCRIPTION:
        return apply_bytes(&settings->description, change->text, description_fits, changed);
    case SETTINGS_PICTURE:
        return apply_bytes(&settings->picture, change->text, settings_picture_fits, changed);
    case SETTINGS_ROLE:
        return apply_role(settings, change, arena, changed);
    case SETTINGS_POLICY:
        if (change->which >= SOTTO_POLICY_COUNT || !role_fits(change->value))
            return SOTTO_VALUE;
        *changed = settings->policy[change->which] != change->value;
        settings->policy[change->which] = (uint8_t)change->value;
        return SOTTO_OK;
    case SETTINGS_TIMER:
        if (change->value > SOTTO_TIMER_MAX)
            return SOTTO_VALUE;
        *changed = settings->timer_s != change->value;
        settings->timer_s = change->value;
        return SOTTO_OK;
    case SETTINGS_JOIN:
        if (change->value > SOTTO_JOIN_OPEN)
            return SOTTO_VALUE;
        *changed = settings->join != change->value;
        settings->join = (uint8_t)change->value;
        return SOTTO_OK;
    case SETTINGS_BAN:
        return apply_ban(settings, change, arena, changed);
    }
    return SOTTO_VALUE;
}
