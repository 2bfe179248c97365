/* Links to join groups, as an account's devices tell each other. Between devices: test_devices.py.
 */
#include "core/own_links.h"
#include "core/joining.h"
#include "core/store_query.h"
#include "unit/check.h"
#include "unit/core_account.h"
#include "unit/folder.h"

static char folder[64];
static struct sotto *core;

static int start(void **state)
{
    (void)state;
    return core_account_open(folder, "own-links", &core);
}

static int stop(void **state)
{
    (void)state;
    sotto_close(core);
    return folder_remove(folder);
}

static sotto_error tell(const uint8_t *records, size_t size)
{
    struct arena arena;
    struct reader reader;
    arena_init(&arena, core->env);
    assert_ok(store_begin(core->store));
    reader_init(&reader, sotto_bytes_of(records, size));
    sotto_error error = own_records_read(core, &reader, &arena);
    assert_ok(store_commit(core->store));
    arena_free(&arena);
    return error;
}

/* A link of 3 uses, 1 used, made at 0, by the device of those bytes. */
static sotto_error told(uint8_t capability, const uint8_t *device, uint64_t expires_s)
{
    uint8_t record[2 + CAPABILITY_SIZE + ROOM_ID_SIZE + DEVICE_ID_SIZE + 24 + 1] = {OWN_LINK, 0x40};
    size_t at = 3;
    record[2] = (uint8_t)(sizeof record - 3);
    memset(record + at, capability, CAPABILITY_SIZE);
    at += CAPABILITY_SIZE;
    memset(record + at, 7, ROOM_ID_SIZE);
    at += ROOM_ID_SIZE;
    memcpy(record + at, device, DEVICE_ID_SIZE);
    at += DEVICE_ID_SIZE;
    record[at + 3] = 3;
    record[at + 7] = 1;
    for (size_t i = 0; i < 8; i++)
        record[at + 16 + i] = (uint8_t)(expires_s >> (56 - 8 * i));
    return tell(record, sizeof record);
}

static sotto_error told_used(uint8_t capability, uint8_t used)
{
    uint8_t record[2 + CAPABILITY_SIZE + 4] = {OWN_LINK_USED, CAPABILITY_SIZE + 4};
    memset(record + 2, capability, CAPABILITY_SIZE);
    record[sizeof record - 1] = used;
    return tell(record, sizeof record);
}

static sotto_error told_revoked(uint8_t capability)
{
    uint8_t record[2 + CAPABILITY_SIZE] = {OWN_LINK_REVOKED, CAPABILITY_SIZE};
    memset(record + 2, capability, CAPABILITY_SIZE);
    return tell(record, sizeof record);
}

struct seen {
    size_t count;
    struct sotto_join_link last;
};

static void see(void *ctx, const struct sotto_join_link *link)
{
    struct seen *seen = ctx;
    seen->count++;
    seen->last = *link;
}

static struct seen links(void)
{
    struct seen seen = {0};
    assert_ok(sotto_group_links(core, see, &seen));
    return seen;
}

static uint64_t count(const char *sql)
{
    struct query q;
    query_read(&q, core->store, sql);
    assert_true(query_next(&q));
    uint64_t number = column_u64(&q);
    assert_ok(query_end(&q));
    return number;
}

#define EVENTS "SELECT count(*) FROM event WHERE kind = 20"

static const uint8_t other[DEVICE_ID_SIZE] = {9};

static void a_link_of_another_device_is_listed_counted_and_revoked(void **state)
{
    uint8_t capability[CAPABILITY_SIZE];
    (void)state;
    uint64_t later = core_now_s(core) + 1000, before = count(EVENTS);
    assert_ok(told(1, other, later)); /* its room is not known here yet */
    assert_int_equal(count(EVENTS), before + 1);
    assert_ok(told(1, other, later)); /* again: no news */
    assert_int_equal(count(EVENTS), before + 1);
    assert_int_equal(links().count, 1);
    assert_int_equal(links().last.uses, 3);
    assert_int_equal(links().last.used, 1);
    assert_int_equal(links().last.expires_s, later);
    assert_ok(told_used(1, 2));
    assert_int_equal(links().last.used, 2);
    assert_ok(told_used(1, 1)); /* what was said before */
    assert_int_equal(links().last.used, 2);
    assert_ok(told_used(1, 200));
    assert_int_equal(links().last.used, 3);
    assert_int_equal(count(EVENTS), before + 3);
    assert_false(joining_revoked_next(core, capability));
    assert_ok(told_revoked(1));
    assert_int_equal(links().count, 0);
    assert_int_equal(count(EVENTS), before + 4);
    assert_true(joining_revoked_next(core, capability)); /* the relay is told from here too */
    assert_int_equal(capability[0], 1);
    assert_ok(joining_revoked(core, capability));
    assert_false(joining_revoked_next(core, capability));
    assert_int_equal(count("SELECT count(*) FROM invitation"), 0);
    assert_ok(told_revoked(1));
    assert_ok(told_used(1, 3));
    assert_int_equal(links().count, 0);
}

static void what_this_device_said_brings_no_revoked_link_back(void **state)
{
    (void)state;
    assert_ok(told(2, core->identity.device.bytes, core_now_s(core) + 1000));
    assert_int_equal(links().count, 0);
}

static void a_use_counts_for_no_invitation_to_write(void **state)
{
    (void)state;
    struct store_invitation invitation = {.uses = 5, .expires_s = core_now_s(core) + 1000};
    memset(invitation.capability, 3, CAPABILITY_SIZE);
    assert_ok(store_begin(core->store));
    assert_ok(store_invitation_put(core->store, &invitation));
    assert_ok(store_commit(core->store));
    assert_ok(told_used(3, 4));
    assert_int_equal(count("SELECT sum(used) FROM invitation"), 0);
    /* Nor does one become a link, which would be another thing to whoever holds it. */
    assert_ok(told(3, other, core_now_s(core) + 1000));
    assert_int_equal(links().count, 0);
}

static void what_cannot_be_is_refused(void **state)
{
    static const uint8_t cut[] = {OWN_LINK, 3, 1, 2, 3};
    (void)state;
    assert_error(told(4, other, UINT64_C(1) << 63), VALUE);
    assert_error(tell(cut, sizeof cut), TRUNCATED);
    assert_int_equal(links().count, 0);
}

static void what_is_over_is_not_given_on_and_goes(void **state)
{
    struct arena arena;
    struct own_sink sink = {0};
    (void)state;
    assert_ok(told(5, other, 1));
    arena_init(&arena, core->env);
    sotto_buf_init(&sink.records, core->env);
    assert_ok(own_links_write(core, &arena, &sink));
    assert_int_equal(sink.records.size, 0);
    assert_ok(told(6, other, core_now_s(core) + 1000));
    assert_ok(own_links_write(core, &arena, &sink));
    assert_int_equal(sink.records.data[0], OWN_LINK);
    assert_ok(store_begin(core->store));
    assert_ok(store_invitations_expire(core->store, core_now_s(core)));
    assert_ok(store_commit(core->store));
    assert_int_equal(count("SELECT count(*) FROM join_link"), 1);
    /* And a conversation that is erased takes its own along. */
    assert_ok(store_begin(core->store));
    struct store_room row;
    memset(&row, 0, sizeof row);
    memset(row.room.bytes, 7, ROOM_ID_SIZE);
    row.kind = STORE_ROOM_GROUP;
    row.state = STORE_ROOM_REMOVED;
    row.title = row.relay = row.trouble = "";
    row.next_seq = 1;
    assert_ok(store_room_add(core->store, &row));
    assert_int_equal(links().count, 1);
    assert_ok(store_room_erase(core->store, &row.room));
    assert_ok(store_commit(core->store));
    assert_int_equal(links().count, 0);
    assert_int_equal(count("SELECT revoked FROM join_link"), 1);
    sotto_buf_free(&sink.records);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_link_of_another_device_is_listed_counted_and_revoked,
                                        start, stop),
        cmocka_unit_test_setup_teardown(what_this_device_said_brings_no_revoked_link_back, start,
                                        stop),
        cmocka_unit_test_setup_teardown(a_use_counts_for_no_invitation_to_write, start, stop),
        cmocka_unit_test_setup_teardown(what_cannot_be_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(what_is_over_is_not_given_on_and_goes, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
