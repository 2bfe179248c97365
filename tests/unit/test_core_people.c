/* What is known of people: names, blocks, compared keys, and lists of devices that contradict. */
#include <stdlib.h>

#include "core/people.h"
#include "unit/check.h"
#include "unit/core_account.h"
#include "unit/folder.h"
#include "wire/verify_link.h"

#define RELAY "127.0.0.1:7443"

static char folder[64];
static struct sotto *core;
static struct identity bob;
static sotto_buf first; /* Bob's manifest */

static int start(void **state)
{
    (void)state;
    struct sotto_problem problem;
    assert_true(folder_make(folder, "people"));
    assert_ok(sotto_open(sotto_env_system(), folder, NULL, &core, &problem));
    core_account_make(core, RELAY, "Alice");
    assert_ok(identity_create(core->crypto, &bob));
    sotto_buf_init(&first, core->env);
    assert_ok(identity_first_manifest(&bob, &first));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    identity_wipe(&bob);
    sotto_buf_free(&first);
    sotto_close(core);
    core = NULL;
    assert_int_equal(folder_remove(folder), 0);
    return 0;
}

/* Bob is a contact, and there is a conversation with him. */
static void know_bob(const char *name)
{
    struct arena arena;
    struct store_contact contact;
    struct store_room row;
    struct room_id room;
    sotto_bytes newest;
    sotto_fault fault;
    arena_init(&arena, core->env);
    assert_ok(store_begin(core->store));
    assert_ok(manifest_learn(core, &bob.account, sotto_buf_view(&first), &arena, &newest, &fault));
    assert_ok(store_contact_get(core->store, &bob.account, &arena, &contact));
    contact.contact = true;
    contact.name = name;
    contact.relay = RELAY;
    assert_ok(store_contact_put(core->store, &contact));
    assert_ok(room_make(core, STORE_ROOM_DIRECT, "", &bob.account, &room));
    assert_ok(store_room_get(core->store, &room, &arena, &row));
    row.state = STORE_ROOM_ACTIVE;
    row.next_seq = 7;
    assert_ok(store_room_put(core->store, &row));
    assert_ok(store_commit(core->store));
    arena_free(&arena);
}

static struct store_contact contact_of(struct arena *arena)
{
    struct store_contact contact;
    assert_ok(store_contact_get(core->store, &bob.account, arena, &contact));
    return contact;
}

/* The successor of `known` with one device more, whose keys are made of `mark`. */
static void successor(sotto_bytes known, uint8_t mark, sotto_buf *out)
{
    uint8_t signature[SIGN_KEY_SIZE], inbox[INBOX_KEY_SIZE];
    sotto_fault fault;
    memset(signature, mark, sizeof signature);
    memset(inbox, mark, sizeof inbox);
    const struct device device = {.id = {{mark}},
                                  .signature_key = sotto_bytes_of(signature, sizeof signature),
                                  .inbox_key = sotto_bytes_of(inbox, sizeof inbox),
                                  .added = 1};
    assert_ok(identity_next_manifest(&bob, core->env, known, &device, NULL, out, &fault));
}

static sotto_error learn(const sotto_buf *offered)
{
    struct arena arena;
    struct account_id account;
    arena_init(&arena, core->env);
    assert_ok(store_begin(core->store));
    sotto_error error = manifest_learn_any(core, sotto_buf_view(offered), &arena, &account);
    assert_ok(store_commit(core->store));
    arena_free(&arena);
    return error;
}

static void count_conflict(void *ctx, const struct sotto_message *message)
{
    if (message->kind == SOTTO_KIND_CONFLICT)
        ++*(size_t *)ctx;
}

static size_t conflicts(void)
{
    struct sotto_id conversation;
    size_t count = 0;
    assert_ok(sotto_find(core, "Bob", &conversation));
    assert_ok(sotto_history(core, &conversation, 100, 0, count_conflict, &count));
    return count;
}

static void two_lists_of_one_number_are_told_and_not_taken(void **state)
{
    (void)state;
    struct arena arena;
    sotto_buf one, other;
    arena_init(&arena, core->env);
    sotto_buf_init(&one, core->env);
    sotto_buf_init(&other, core->env);
    know_bob("Bob");
    assert_ok(sotto_set_verified(core, "Bob", true));
    successor(sotto_buf_view(&first), 1, &one);
    successor(sotto_buf_view(&first), 2, &other);
    assert_ok(learn(&one));
    assert_int_equal(contact_of(&arena).verified, STORE_VERIFIED_COMPARED); /* another device */
    assert_false(contact_of(&arena).conflict);
    assert_int_equal(learn(&other), SOTTO_CREDENTIAL);
    assert_true(contact_of(&arena).conflict);
    assert_int_equal(contact_of(&arena).verified, STORE_UNVERIFIED);
    assert_bytes(contact_of(&arena).manifest, sotto_buf_view(&one));
    assert_int_equal(conflicts(), 1);
    assert_int_equal(learn(&other), SOTTO_CREDENTIAL); /* told once */
    assert_int_equal(conflicts(), 1);
    /* Whoever has compared again knows of it. */
    assert_ok(sotto_set_verified(core, "Bob", true));
    assert_false(contact_of(&arena).conflict);
    sotto_buf_free(&one);
    sotto_buf_free(&other);
    arena_free(&arena);
}

static void a_list_that_does_not_follow_is_told_also_where_a_relay_brings_it(void **state)
{
    (void)state;
    struct arena arena;
    sotto_buf one, other, next;
    arena_init(&arena, core->env);
    sotto_buf_init(&one, core->env);
    sotto_buf_init(&other, core->env);
    sotto_buf_init(&next, core->env);
    know_bob("Bob");
    successor(sotto_buf_view(&first), 1, &one);
    successor(sotto_buf_view(&first), 2, &other);
    successor(sotto_buf_view(&other), 3, &next);
    assert_ok(learn(&one));
    people_conflict_note(core, &core->identity.account, sotto_buf_view(&next)); /* of another */
    assert_false(contact_of(&arena).conflict);
    people_conflict_note(core, &bob.account, sotto_buf_view(&next));
    assert_true(contact_of(&arena).conflict);
    assert_int_equal(conflicts(), 1);
    assert_int_equal(learn(&next), SOTTO_CREDENTIAL);
    sotto_buf_free(&one);
    sotto_buf_free(&other);
    sotto_buf_free(&next);
    arena_free(&arena);
}

static void what_one_calls_somebody_comes_before_what_they_call_themselves(void **state)
{
    (void)state;
    struct sotto_id conversation;
    know_bob("Bob");
    assert_ok(sotto_contact_rename(core, "Bob", "Robert"));
    assert_ok(sotto_find(core, "Robert", &conversation));
    assert_int_equal(sotto_find(core, "Bob", &conversation), SOTTO_NOT_FOUND);
    assert_int_equal(sotto_contact_rename(core, "Robert", "a\nb"), SOTTO_ARGUMENT);
    assert_ok(sotto_contact_rename(core, "Robert", ""));
    assert_ok(sotto_find(core, "Bob", &conversation));
}

/* Events of contacts and requests since. */
static void count_event(void *ctx, const struct sotto_event *event)
{
    if (event->kind == SOTTO_EVENT_CONTACT)
        ++*(size_t *)ctx;
}

static size_t contact_events(uint64_t *since)
{
    uint64_t oldest;
    size_t count = 0;
    assert_ok(sotto_events(core, *since, 1000, count_event, &count));
    assert_ok(sotto_events_range(core, &oldest, since));
    return count;
}

static void each_change_of_a_contact_is_one_event(void **state)
{
    (void)state;
    uint64_t since = 0;
    struct sotto_id conversation;
    know_bob("Bob");
    (void)contact_events(&since);
    assert_ok(sotto_block(core, "Bob", true));
    assert_ok(sotto_block(core, "Bob", true)); /* it is so already */
    assert_int_equal(contact_events(&since), 1);
    assert_ok(sotto_find(core, "Bob", &conversation));
    const struct sotto_text text = {.text = sotto_bytes_str("hello")};
    assert_int_equal(sotto_send(core, &conversation, NULL, &text, NULL), SOTTO_STATE);
    assert_int_equal(sotto_problem(core)->code, SOTTO_CODE_BLOCKED);
    assert_ok(sotto_block(core, "Bob", false));
    assert_ok(sotto_send(core, &conversation, NULL, &text, NULL));
    assert_ok(sotto_set_verified(core, "Bob", true));
    assert_ok(sotto_contact_rename(core, "Bob", "Robert"));
    assert_ok(sotto_contact_delete(core, "Robert"));
    assert_int_equal(contact_events(&since), 4);
    assert_int_equal(sotto_contact_delete(core, "Bob"), SOTTO_NOT_FOUND);
}

/* How many receipts the conversation with Bob owes. */
static size_t owed(const struct room_id *room)
{
    struct arena arena;
    struct store_receipt_owed *list = NULL;
    size_t count = 0;
    arena_init(&arena, core->env);
    assert_ok(store_receipts_owed(core->store, room, 10, &arena, &list, &count));
    arena_free(&arena);
    return count;
}

static void bob_says(const struct room_id *room, uint64_t seq)
{
    const uint8_t id[CONTENT_ID_SIZE] = {(uint8_t)seq};
    const struct store_message message = {.room = *room,
                                          .seq = seq,
                                          .kind = SOTTO_KIND_TEXT,
                                          .state = STORE_MESSAGE_RECEIVED,
                                          .sender = bob.account,
                                          .unread = true,
                                          .client_id = "",
                                          .content_id = sotto_bytes_of(id, sizeof id),
                                          .text = sotto_bytes_str("hello"),
                                          .owes = true};
    assert_ok(store_begin(core->store));
    assert_ok(store_message_add(core->store, &message, &(int64_t){0}, &(int64_t){0}));
    assert_ok(store_commit(core->store));
}

static void who_is_blocked_is_owed_nothing(void **state)
{
    (void)state;
    struct arena arena;
    struct sotto_id conversation;
    struct room_id room;
    struct store_request *requests = NULL;
    size_t count = 0;
    arena_init(&arena, core->env);
    know_bob("Bob");
    assert_ok(sotto_find(core, "Bob", &conversation));
    memcpy(room.bytes, conversation.bytes, sizeof room.bytes);
    bob_says(&room, 8);
    const struct store_request request = {
        .room = {{9}}, .sender = bob.account, .envelope = sotto_bytes_str("sealed")};
    assert_ok(store_begin(core->store));
    assert_ok(store_request_add(core->store, &request, &(int64_t){0}));
    assert_ok(store_commit(core->store));
    assert_int_equal(owed(&room), 1);
    assert_ok(sotto_block(core, "Bob", true));
    assert_int_equal(owed(&room), 0);
    assert_ok(store_requests(core->store, &arena, &requests, &count));
    assert_int_equal(count, 0);
    assert_ok(sotto_mark_read(core, &conversation, INT64_MAX));
    assert_int_equal(owed(&room), 0);
    /* Reading what somebody else wrote does owe one. */
    assert_ok(sotto_block(core, "Bob", false));
    bob_says(&room, 9);
    assert_ok(sotto_mark_read(core, &conversation, INT64_MAX));
    assert_int_equal(owed(&room), 1);
    arena_free(&arena);
}

/* A code of Bob's for `with`; NULL: for anybody. */
static void bobs_code(const struct account_id *with, sotto_buf *text)
{
    struct verify_link link = {.account = bob.account, .has_with = with != NULL};
    if (with != NULL)
        link.with = *with;
    sotto_buf_clear(text);
    assert_ok(verify_link_format(&link, text));
    assert_ok(sotto_buf_append(text, (const uint8_t *)"", 1));
}

static void a_code_verifies_whose_keys_it_names(void **state)
{
    (void)state;
    struct arena arena;
    struct sotto_id account;
    sotto_buf text;
    arena_init(&arena, core->env);
    sotto_buf_init(&text, core->env);
    bobs_code(NULL, &text);
    assert_int_equal(sotto_verify_link(core, (char *)text.data, NULL, &account), SOTTO_NOT_FOUND);
    know_bob("Bob");
    bobs_code(&bob.account, &text); /* made for somebody else than Alice */
    assert_int_equal(sotto_verify_link(core, (char *)text.data, NULL, &account), SOTTO_CREDENTIAL);
    assert_int_equal(contact_of(&arena).verified, STORE_UNVERIFIED);
    bobs_code(&core->identity.account, &text);
    assert_ok(sotto_verify_link(core, (char *)text.data, "Bob", &account));
    assert_memory_equal(account.bytes, bob.account.bytes, sizeof account.bytes);
    assert_int_equal(contact_of(&arena).verified, STORE_VERIFIED_COMPARED);
    sotto_buf_free(&text);
    arena_free(&arena);
}

static void tell(const uint8_t *record, size_t size)
{
    struct arena arena;
    struct reader reader;
    arena_init(&arena, core->env);
    assert_ok(store_begin(core->store));
    reader_init(&reader, sotto_bytes_of(record, size));
    assert_ok(own_records_read(core, &reader, &arena));
    assert_ok(store_commit(core->store));
    arena_free(&arena);
}

/* A device that has not seen it yet does not take it back; one where keys were compared does. */
static void a_contradiction_ends_when_keys_were_compared_on_some_device(void **state)
{
    (void)state;
    struct arena arena;
    uint8_t contact[2 + ACCOUNT_ID_SIZE + 1 + 3] = {OWN_CONTACT, ACCOUNT_ID_SIZE + 1 + 3};
    uint8_t compared[2 + ACCOUNT_ID_SIZE] = {OWN_COMPARED, ACCOUNT_ID_SIZE};
    arena_init(&arena, core->env);
    know_bob("Bob");
    assert_ok(store_begin(core->store));
    assert_ok(people_conflict(core, &bob.account));
    assert_ok(store_commit(core->store));
    memcpy(contact + 2, bob.account.bytes, ACCOUNT_ID_SIZE);
    memcpy(compared + 2, bob.account.bytes, ACCOUNT_ID_SIZE);
    contact[2 + ACCOUNT_ID_SIZE] = 1 | 2;
    tell(contact, sizeof contact);
    assert_true(contact_of(&arena).conflict);
    assert_int_equal(contact_of(&arena).verified, STORE_UNVERIFIED);
    tell(compared, sizeof compared);
    assert_false(contact_of(&arena).conflict);
    assert_int_equal(contact_of(&arena).verified, STORE_VERIFIED_COMPARED);
    arena_free(&arena);
}

static void tell_as(uint8_t version, sotto_bytes records)
{
    struct content_message content;
    struct arena arena;
    sotto_buf text;
    const uint8_t to_all[DEVICE_ID_SIZE] = {0};
    arena_init(&arena, core->env);
    sotto_buf_init(&text, core->env);
    assert_ok(sotto_buf_append(&text, &version, 1));
    assert_ok(sotto_buf_append(&text, to_all, sizeof to_all));
    assert_ok(sotto_buf_append(&text, records.data, records.size));
    memset(&content, 0, sizeof content);
    content.kind = CONTENT_OWN;
    content.text = sotto_buf_view(&text);
    assert_ok(store_begin(core->store));
    assert_ok(own_receive(core, &content, &arena));
    assert_ok(store_commit(core->store));
    sotto_buf_free(&text);
    arena_free(&arena);
}

/* Logs, and outboxes, have what older versions said. */
static void what_older_versions_said_is_read_without_lengths(void **state)
{
    (void)state;
    struct arena arena;
    uint8_t records[2 * (1 + ACCOUNT_ID_SIZE + 4) + 2] = {OWN_CONTACT};
    uint8_t *label = records + 1 + ACCOUNT_ID_SIZE + 1 + 3;
    arena_init(&arena, core->env);
    know_bob("Bob");
    memcpy(records + 1, bob.account.bytes, ACCOUNT_ID_SIZE);
    records[1 + ACCOUNT_ID_SIZE] = 1 | 4;
    *label++ = OWN_LABEL;
    memcpy(label, bob.account.bytes, ACCOUNT_ID_SIZE);
    label += ACCOUNT_ID_SIZE;
    memcpy(label, "\3Rob", 4);
    label += 4;
    *label++ = 0xFE; /* not known, and so the end */
    tell_as(3, sotto_bytes_of(records, (size_t)(label - records)));
    assert_false(contact_of(&arena).blocked); /* of a version to come */
    tell_as(1, sotto_bytes_of(records, (size_t)(label - records)));
    assert_true(contact_of(&arena).blocked);
    assert_string_equal(contact_of(&arena).label, "Rob");
    arena_free(&arena);
}

/* What another device of one's own tells, written as own.c writes it. */
static void other_devices_changes_are_taken_over(void **state)
{
    (void)state;
    struct arena arena;
    struct reader reader;
    sotto_buf records;
    /* With more in it than is known, as a newer version may have. */
    uint8_t contact[2 + ACCOUNT_ID_SIZE + 1 + 3 + 1] = {OWN_CONTACT, ACCOUNT_ID_SIZE + 1 + 3 + 1};
    static const uint8_t newer[] = {0xFE, 3, 1, 2, 3};    /* of a newer version */
    static const uint8_t broken[] = {OWN_LABEL, 2, 7, 7}; /* too short */
    arena_init(&arena, core->env);
    sotto_buf_init(&records, core->env);
    know_bob("Bob");
    memcpy(contact + 2, bob.account.bytes, ACCOUNT_ID_SIZE);
    contact[2 + ACCOUNT_ID_SIZE] = 1 | 2 | 4 | 8; /* contact, verified, blocked, by link */
    assert_ok(sotto_buf_append(&records, newer, sizeof newer));
    assert_ok(sotto_buf_append(&records, contact, sizeof contact));
    assert_ok(sotto_buf_append(&records, broken, sizeof broken));
    assert_ok(people_label_write(&bob.account, "Robert", &records));
    const struct store_pin pin = {RELAY, "@bob", bob.account, 7};
    assert_ok(people_pin_write(&pin, &records));
    assert_ok(store_begin(core->store));
    reader_init(&reader, sotto_buf_view(&records));
    assert_int_equal(own_records_read(core, &reader, &arena), SOTTO_UNSUPPORTED); /* of the first */
    assert_ok(store_commit(core->store));
    struct store_contact now = contact_of(&arena);
    assert_true(now.contact && now.blocked);
    assert_int_equal(now.verified, STORE_VERIFIED_LINK);
    assert_string_equal(now.label, "Robert");
    assert_string_equal(now.name, "Bob");
    struct store_pin known;
    const char *label = "";
    assert_ok(store_pin_get(core->store, RELAY, "@bob", &arena, &known));
    assert_memory_equal(&known.account, &bob.account, sizeof known.account);
    assert_ok(store_pin_of(core->store, &bob.account, &arena, &label));
    assert_string_equal(label, "@bob");
    sotto_buf_free(&records);
    arena_free(&arena);
}

static void a_link_is_for_somebody_and_for_some_time(void **state)
{
    (void)state;
    sotto_buf link;
    sotto_buf_init(&link, core->env);
    static const struct {
        uint32_t uses;
        uint64_t lifetime_s;
    } refused[] = {{0, 60},
                   {SOTTO_LINK_USES_MAX + 1, 60},
                   {1, 0},
                   {1, SOTTO_LINK_LIFETIME_MAX + 1},
                   {1, UINT64_MAX}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_error(sotto_invite(core, refused[i].uses, refused[i].lifetime_s, &link), ARGUMENT);
        assert_int_equal(sotto_problem(core)->code, SOTTO_CODE_USAGE);
        struct store_invitation *invitations = NULL;
        size_t count = 1;
        struct arena arena;
        arena_init(&arena, core->env);
        assert_ok(store_invitations(core->store, &arena, &invitations, &count));
        assert_int_equal(count, 0);
        arena_free(&arena);
    }
    sotto_buf_free(&link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_link_is_for_somebody_and_for_some_time, start, stop),
        cmocka_unit_test_setup_teardown(two_lists_of_one_number_are_told_and_not_taken, start,
                                        stop),
        cmocka_unit_test_setup_teardown(
            a_list_that_does_not_follow_is_told_also_where_a_relay_brings_it, start, stop),
        cmocka_unit_test_setup_teardown(
            what_one_calls_somebody_comes_before_what_they_call_themselves, start, stop),
        cmocka_unit_test_setup_teardown(each_change_of_a_contact_is_one_event, start, stop),
        cmocka_unit_test_setup_teardown(who_is_blocked_is_owed_nothing, start, stop),
        cmocka_unit_test_setup_teardown(a_code_verifies_whose_keys_it_names, start, stop),
        cmocka_unit_test_setup_teardown(a_contradiction_ends_when_keys_were_compared_on_some_device,
                                        start, stop),
        cmocka_unit_test_setup_teardown(what_older_versions_said_is_read_without_lengths, start,
                                        stop),
        cmocka_unit_test_setup_teardown(other_devices_changes_are_taken_over, start, stop),
    };
    return cmocka_run_group_tests_name("core_people", tests, NULL, NULL);
}
