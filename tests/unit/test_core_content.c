/* MIMI content: the draft's own examples, the rules of its encoding, and what Sotto says. */
#include "unit/check.h"

#include <stdio.h>

#include "core/content.h"
#include "base/text.h"

static struct arena arena;
static sotto_buf file, out;
static const struct account_id alice = {{1, 2, 3}};
static const struct room_id room = {{9, 8, 7}};

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, sotto_env_system());
    sotto_buf_init(&file, sotto_env_system());
    sotto_buf_init(&out, sotto_env_system());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sotto_buf_free(&out);
    sotto_buf_free(&file);
    arena_free(&arena);
    return 0;
}

static sotto_bytes example(const char *name)
{
    char path[600];
    uint8_t bytes[4096];
    snprintf(path, sizeof path, "%s/mimi/%s.cbor", getenv("SOTTO_VECTORS"), name);
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    size_t size = fread(bytes, 1, sizeof bytes, stream);
    fclose(stream);
    assert_true(size > 0);
    sotto_buf_clear(&file);
    assert_ok(sotto_buf_append(&file, bytes, size));
    return sotto_buf_view(&file);
}

static struct content decode(sotto_bytes input)
{
    struct content content;
    sotto_fault fault = {.what = ""};
    sotto_error error = content_decode(input, &arena, &content, &fault);
    if (error != SOTTO_OK)
        fail_msg("%s: %s at %zu", sotto_error_name(error), fault.what, fault.offset);
    return content;
}

/* With the message ids that the draft gives them. */
static const struct {
    const char *name, *id;
} examples[] = {
    {"original", "017ce54837404c3696e0c747b985cb172716d0ed0a3d249ca63ace7d82a096f4"},
    {"reply", "015354973c2b65ca937bf1e035ae53a5ab80e947afa43d46920d4202e5cc0b27"},
    {"reaction", "0158c4288911e50a8f6be3f47746b6682f10fd91bc8c05557aa589a3157aff68"},
    {"mention", "018d825adf9f6be00dcafc5704c4102f5022e74219d0b603e4ba7622654042af"},
    {"mention-html", "01967ff8e9a66819738ad5cf26d2e0388a3b81d86b0f61d129c077d043ee2a4e"},
    {"edit", "014028c0deddbdea56bec26172f6ede953d11024cb82b8192b5e2aea62d7fb47"},
    {"delete", "011d9efc78d04d4dcf4d82b07d5199bbef37011c1f0c7e004b6111c6dda504b4"},
    {"unlike", "013aadbb8f313253c8930f4e93c6ca54b2ed06d258185bdcec3870534c8a4ec4"},
    {"expiring", "01e59db8173939facc2c8a4a0f0ae8d0c7a11a81239626630c9464a8d6717a03"},
    {"attachment", "0176180c7d19a925021fe446d241134d05c38e0d999cdc0f39c391d2377ed9d1"},
    {"conferencing", "01496d15a8dba28d7397f9868b70768e4a67f765d5b5b1ae9e03848c5fdeb0ba"},
    {"multipart-1", "01da5a515ec5db42cc4dcc19b90c3c31245d8a1cfcce11318f24eb11dce0990e"},
    {"multipart-2", "01d65918c6c51c8e76546337276ae6f4bfd873d867d5cb57c76bcdca3d999dd7"},
    {"multipart-3", "01cfebeadbdb83c1eefb6403ba4852daf8bbbf9cd53bf5035a74d5d741950c9f"},
};

static void the_drafts_examples_decode_and_encode_to_the_same_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        sotto_bytes input = example(examples[i].name);
        struct content content = decode(input);
        sotto_buf_clear(&out);
        assert_ok(content_encode(sotto_env_system(), &content, &out));
        assert_bytes(sotto_buf_view(&out), input);
    }
}

static void the_fields_of_the_examples_are_what_the_draft_says(void **state)
{
    (void)state;
    struct content c = decode(example("original"));
    assert_bytes(c.sender, sotto_bytes_str("mimi://example.com/u/alice-smith"));
    assert_bytes(c.room, sotto_bytes_str("mimi://example.com/r/engineering_team"));
    assert_int_equal(c.part.disposition, CONTENT_RENDER);
    assert_bytes(c.part.u.single.type, sotto_bytes_str("text/markdown;variant=GFM-MIMI"));
    assert_false(c.has_replaces || c.has_in_reply_to || c.has_expires);
    c = decode(example("expiring"));
    assert_true(c.has_expires);
    c = decode(example("delete"));
    assert_true(c.has_replaces);
    assert_int_equal(c.part.cardinality, CONTENT_PART_NULL);
    c = decode(example("attachment"));
    assert_int_equal(c.part.cardinality, CONTENT_PART_EXTERNAL);
    assert_int_equal(c.part.u.external.key.size, 16);
    c = decode(example("multipart-3"));
    assert_int_equal(c.part.cardinality, CONTENT_PART_MULTI);
    assert_true(c.part.u.multi.count >= 2);
}

static void message_ids_are_those_of_the_drafts_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        struct content c = decode(example(examples[i].name));
        uint8_t id[CONTENT_ID_SIZE];
        char hex[2 * CONTENT_ID_SIZE + 1];
        assert_ok(content_id(sotto_buf_view(&file), c.salt, c.sender, c.room, id));
        for (size_t j = 0; j < sizeof id; j++)
            snprintf(hex + 2 * j, 3, "%02x", id[j]);
        assert_string_equal(hex, examples[i].id);
    }
}

static void every_cut_of_the_examples_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        sotto_bytes input = example(examples[i].name);
        for (size_t size = 0; size < input.size; size++) {
            struct content content;
            sotto_fault fault;
            assert_error(content_decode(sotto_bytes_of(input.data, size), &arena, &content, &fault),
                         TRUNCATED);
            assert_true(fault.offset <= size);
        }
    }
}

static void every_flipped_bit_is_refused_or_encodes_to_itself(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        sotto_bytes input = example(examples[i].name);
        for (size_t bit = 0; bit < input.size * 8; bit++) {
            struct content content;
            sotto_fault fault;
            file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (content_decode(input, &arena, &content, &fault) == SOTTO_OK) {
                sotto_buf_clear(&out);
                assert_ok(content_encode(sotto_env_system(), &content, &out));
                assert_bytes(sotto_buf_view(&out), input);
            }
            file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

/* A message around extensions and a part, both given as CBOR. */
static sotto_error decode_with(const char *extensions, size_t extensions_size, const char *part,
                               size_t part_size, sotto_fault *fault)
{
    static const uint8_t head[] = {0x87, 0x50, 0, 0, 0, 0, 0, 0,    0,    0,    0,
                                   0,    0,    0, 0, 0, 0, 0, 0xF6, 0x40, 0xF6, 0xF6};
    struct content content;
    sotto_buf_clear(&file);
    assert_ok(sotto_buf_append(&file, head, sizeof head));
    assert_ok(sotto_buf_append(&file, (const uint8_t *)extensions, extensions_size));
    assert_ok(sotto_buf_append(&file, (const uint8_t *)part, part_size));
    return content_decode(sotto_buf_view(&file), &arena, &content, fault);
}

#define WITH(extensions, part, fault) \
    decode_with(extensions, sizeof(extensions) - 1, part, sizeof(part) - 1, fault)
#define NULL_PART "\x83\x00\x60\x00"

static void encodings_that_are_not_deterministic_are_refused(void **state)
{
    (void)state;
    sotto_fault fault;
    assert_ok(WITH("\xA0", NULL_PART, &fault));
    assert_error(WITH("\xA0", "\x83\x18\x00\x60\x00", &fault), LENGTH);   /* 0 in two bytes */
    assert_error(WITH("\xA0", "\x83\x00\x78\x00\x00", &fault), LENGTH);   /* "" with a long head */
    assert_error(WITH("\xA0", "\x9F\x00\x60\x00\xFF", &fault), LENGTH);   /* indefinite array */
    assert_error(WITH("\xBF\xFF", NULL_PART, &fault), LENGTH);            /* indefinite map */
    assert_error(WITH("\xA2\x04\x00\x03\x00", NULL_PART, &fault), VALUE); /* keys out of order */
    assert_error(WITH("\xA2\x03\x00\x03\x00", NULL_PART, &fault), VALUE); /* a key twice */
    assert_string_equal(fault.what, "extensions.name");
    assert_int_equal(fault.offset, 25);
    assert_ok(WITH("\xA3\x03\x00\x20\x00\x61\x61\x00", NULL_PART, &fault)); /* 3, -1, "a" */
    assert_error(WITH("\xA1\x00\x00", NULL_PART, &fault), VALUE);           /* reserved key */
    assert_error(WITH("\xA1\x41\x61\x00", NULL_PART, &fault), VALUE);       /* a key of bytes */
    assert_error(WITH("\xA1\x60\x00", NULL_PART, &fault), VALUE);           /* an empty key */
    assert_error(WITH("\xA0", NULL_PART "\x00", &fault), TRAILING);
}

static void floats_are_shortest_and_never_odd_nans(void **state)
{
    (void)state;
    sotto_fault fault;
    assert_ok(WITH("\xA1\x03\xF9\x3C\x00", NULL_PART, &fault));                    /* 1.0, half */
    assert_error(WITH("\xA1\x03\xFA\x3F\x80\x00\x00", NULL_PART, &fault), LENGTH); /* 1.0, single */
    assert_ok(WITH("\xA1\x03\xFA\x47\xC3\x50\x00", NULL_PART, &fault));            /* 100000.0 */
    assert_error(WITH("\xA1\x03\xFA\x33\x80\x00\x00", NULL_PART, &fault), LENGTH); /* 2^-24 */
    assert_ok(WITH("\xA1\x03\xFA\x33\x00\x00\x00", NULL_PART, &fault));            /* 2^-25 */
    assert_ok(WITH("\xA1\x03\xFB\x3F\xF1\x99\x99\x99\x99\x99\x9A", NULL_PART, &fault)); /* 1.1 */
    assert_error(WITH("\xA1\x03\xFB\x3F\xF0\x00\x00\x00\x00\x00\x00", NULL_PART, &fault), LENGTH);
    assert_ok(WITH("\xA1\x03\xF9\x7E\x00", NULL_PART, &fault));
    assert_error(WITH("\xA1\x03\xF9\x7E\x01", NULL_PART, &fault), LENGTH);
    assert_error(WITH("\xA1\x03\xFA\x7F\xC0\x00\x00", NULL_PART, &fault), LENGTH);
}

static void limits_hold_at_their_edges(void **state)
{
    (void)state;
    sotto_fault fault;
    /* The draft: the map is level 1, so three more. */
    assert_ok(WITH("\xA1\x03\x81\x81\x81\x00", NULL_PART, &fault));
    assert_error(WITH("\xA1\x03\x81\x81\x81\x81\x00", NULL_PART, &fault), LIMIT);
    /* A count that lies. */
    assert_error(WITH("\xA1\x03\x9B\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", NULL_PART, &fault),
                 TRUNCATED);
    assert_error(WITH("\xBA\xFF\xFF\xFF\xFF", NULL_PART, &fault), LIMIT);
    /* Parts four deep, and five. Each level: unspecified, "", multi, processAll, [null, next]. */
#define LEVEL "\x85\x00\x60\x03\x02\x82" NULL_PART
    assert_ok(WITH("\xA0", LEVEL LEVEL LEVEL NULL_PART, &fault));
    assert_error(WITH("\xA0", LEVEL LEVEL LEVEL LEVEL NULL_PART, &fault), LIMIT);
    /* One part alone is not a multi part, and there is no fourth semantics or cardinality. */
    assert_error(WITH("\xA0", "\x85\x00\x60\x03\x02\x81" NULL_PART, &fault), VALUE);
    assert_error(WITH("\xA0", "\x85\x00\x60\x03\x03\x82" NULL_PART NULL_PART, &fault), LIMIT);
    assert_error(WITH("\xA0", "\x83\x00\x60\x04", &fault), LIMIT);
    assert_error(WITH("\xA0", "\x84\x00\x60\x00\x00", &fault), VALUE);
    /* Text that is not UTF-8. */
    assert_error(WITH("\xA0", "\x83\x00\x61\xFF\x00", &fault), VALUE);
    assert_string_equal(fault.what, "NestedPart.language");
}

static void extensions_are_sorted_when_written(void **state)
{
    (void)state;
    uint8_t zero = 0;
    struct content_extension extensions[] = {
        {.text_key = true, .name = sotto_bytes_str("bb"), .value = sotto_bytes_of(&zero, 1)},
        {.number = -1, .value = sotto_bytes_of(&zero, 1)},
        {.text_key = true, .name = sotto_bytes_str("a"), .value = sotto_bytes_of(&zero, 1)},
        {.number = 500, .value = sotto_bytes_of(&zero, 1)},
    };
    struct content content = {.extensions = extensions,
                              .extension_count = 4,
                              .has_room = true,
                              .room = sotto_bytes_str("r")};
    assert_ok(content_encode(sotto_env_system(), &content, &out));
    struct content back = decode(sotto_buf_view(&out));
    assert_int_equal(back.extension_count, 4);
    assert_int_equal(back.extensions[0].number, 500);
    assert_int_equal(back.extensions[1].number, -1);
    assert_bytes(back.extensions[2].name, sotto_bytes_str("a"));
    assert_true(back.has_room);
    extensions[3].number = -1; /* twice */
    sotto_buf_clear(&out);
    assert_error(content_encode(sotto_env_system(), &content, &out), VALUE);
    assert_int_equal(out.size, 0);
}

/* ---- What Sotto says ------------------------------------------------------------------------- */

static struct content_message back_and_forth(struct content_message *message)
{
    struct content_message read;
    sotto_fault fault = {.what = ""};
    sotto_buf_clear(&out);
    assert_ok(content_write(sotto_env_system(), message, &alice, &room, &out));
    assert_ok(content_read(sotto_buf_view(&out), &alice, &room, &arena, &read, &fault));
    assert_int_equal(read.kind, message->kind);
    assert_bytes(read.text, message->text);
    assert_memory_equal(read.target, message->target, CONTENT_ID_SIZE);
    assert_memory_equal(read.id, message->id, CONTENT_ID_SIZE);
    assert_int_equal(read.id[0], 1);
    return read;
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    struct content_message m = {.kind = CONTENT_TEXT,
                                .text = sotto_bytes_str("Grüße,\nzwei Zeilen 👩🏽‍⚕️")};
    assert_false(back_and_forth(&m).markdown);
    m.markdown = true;
    assert_true(back_and_forth(&m).markdown);
    m.markdown = false;
    uint8_t first[CONTENT_ID_SIZE];
    memcpy(first, m.id, sizeof first);
    back_and_forth(&m);
    assert_memory_not_equal(first, m.id, sizeof first); /* the salt is fresh */
    memcpy(m.target, first, sizeof first);
    for (int kind = CONTENT_REPLY; kind <= CONTENT_REACTION; kind++) {
        m.kind = (enum content_kind)kind;
        m.text = kind == CONTENT_DELETE     ? (sotto_bytes){0}
                 : kind == CONTENT_REACTION ? sotto_bytes_str("❤")
                                            : sotto_bytes_str("text");
        back_and_forth(&m);
    }
    m.has_replaced = true;
    memset(m.replaced, 1, sizeof m.replaced);
    struct content_message read = back_and_forth(&m); /* one reaction instead of another */
    assert_true(read.has_replaced);
    assert_memory_equal(read.replaced, m.replaced, CONTENT_ID_SIZE);
    m = (struct content_message){.kind = CONTENT_PROFILE, .text = sotto_bytes_str("Ålice")};
    back_and_forth(&m);
}

/* A message whose part is that, of the type of receipts. */
static sotto_error read_statuses(const char *body, size_t size, struct content_message *read)
{
    sotto_fault fault;
    struct content content = {.part = {.cardinality = CONTENT_PART_SINGLE}};
    content.part.u.single.type = sotto_bytes_str("application/mimi-message-status");
    content.part.u.single.body = sotto_bytes_of((const uint8_t *)body, size);
    sotto_buf_clear(&out);
    assert_ok(content_encode(sotto_env_system(), &content, &out));
    return content_read(sotto_buf_view(&out), &alice, &room, &arena, read, &fault);
}

static void receipts_are_read_back_and_odd_ones_refused(void **state)
{
    (void)state;
    struct content_status statuses[CONTENT_STATUSES_MAX + 1] = {{{1, 2}, CONTENT_READ},
                                                                {{1, 3}, CONTENT_DELIVERED}};
    struct content_message m = {.kind = CONTENT_STATUS, .statuses = statuses, .status_count = 2};
    struct content_message read = back_and_forth(&m);
    assert_int_equal(read.status_count, 2);
    assert_memory_equal(read.statuses, statuses, 2 * sizeof *statuses);
    m.status_count = CONTENT_STATUSES_MAX;
    assert_int_equal(back_and_forth(&m).status_count, CONTENT_STATUSES_MAX);
    m.status_count = CONTENT_STATUSES_MAX + 1;
    sotto_buf_clear(&out);
    assert_error(content_write(sotto_env_system(), &m, &alice, &room, &out), LIMIT);
    m.status_count = 0;
    assert_error(content_write(sotto_env_system(), &m, &alice, &room, &out), VALUE);
    /* The draft's example, of which two statuses are unknown here or mean nothing. */
    char body[64] = "\x81\x82\x58\x20";
    body[36] = 6;
    assert_ok(read_statuses(body, 37, &read));
    assert_int_equal(read.kind, CONTENT_STATUS);
    assert_int_equal(read.statuses[0].status, 6);
    assert_error(read_statuses(body, 36, &read), TRUNCATED);
    assert_error(read_statuses(body, 38, &read), TRAILING);
    assert_error(read_statuses("\x80", 1, &read), VALUE);
    body[3] = 0x1F; /* an id of 31 bytes */
    assert_true(read_statuses(body, 36, &read) != SOTTO_OK);
}

static void a_message_says_how_long_it_stays(void **state)
{
    (void)state;
    struct content_message read;
    sotto_fault fault = {.what = ""};
    struct content_message m = {
        .kind = CONTENT_TEXT, .text = sotto_bytes_str("text"), .expires_s = 7};
    assert_int_equal(back_and_forth(&m).expires_s, 7);
    m.expires_s = CONTENT_EXPIRES_MAX;
    assert_int_equal(back_and_forth(&m).expires_s, CONTENT_EXPIRES_MAX);
    m.expires_s++;
    sotto_buf_clear(&out);
    assert_error(content_write(sotto_env_system(), &m, &alice, &room, &out), LIMIT);
    /* Of others: a time of day, no time at all, and nonsense. */
    struct content content = {.has_expires = true, .part = {.cardinality = CONTENT_PART_SINGLE}};
    content.part.u.single.type = sotto_bytes_str("text/plain");
    content.part.u.single.body = sotto_bytes_str("text");
    static const struct {
        bool relative;
        uint32_t time, after, at;
    } table[] = {{false, 5, 0, 5}, {true, 0, 1, 0}, {true, 5, 5, 0}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        content.expires.relative = table[i].relative;
        content.expires.time = table[i].time;
        sotto_buf_clear(&out);
        assert_ok(content_encode(sotto_env_system(), &content, &out));
        assert_ok(content_read(sotto_buf_view(&out), &alice, &room, &arena, &read, &fault));
        assert_int_equal(read.expires_s, table[i].after);
        assert_int_equal(read.expires_at_s, table[i].at);
    }
    content.expires.time = CONTENT_EXPIRES_MAX + 1;
    sotto_buf_clear(&out);
    assert_ok(content_encode(sotto_env_system(), &content, &out));
    assert_error(content_read(sotto_buf_view(&out), &alice, &room, &arena, &read, &fault), LIMIT);
    assert_string_equal(fault.what, "Expiration.time");
}

static void what_may_not_be_said_is_refused(void **state)
{
    (void)state;
    const sotto_env *env = sotto_env_system();
    struct content_message m = {.kind = CONTENT_TEXT};
    assert_error(content_write(env, &m, &alice, &room, &out), VALUE); /* empty */
    m.text = sotto_bytes_str("\xC0\xAF");
    assert_error(content_write(env, &m, &alice, &room, &out), VALUE); /* overlong "/" */
    m.kind = CONTENT_PROFILE;
    m.text = sotto_bytes_str("two\nlines");
    assert_error(content_write(env, &m, &alice, &room, &out), VALUE);
    m.kind = CONTENT_NEWER;
    assert_error(content_write(env, &m, &alice, &room, &out), ARGUMENT);
    assert_int_equal(out.size, 0);
    uint8_t *where;
    sotto_buf_clear(&file);
    assert_ok(sotto_buf_extend(&file, CONTENT_TEXT_MAX + 1, &where));
    memset(where, 'a', CONTENT_TEXT_MAX + 1);
    m.kind = CONTENT_TEXT;
    m.text = sotto_buf_view(&file);
    assert_error(content_write(env, &m, &alice, &room, &out), LIMIT);
    m.text.size--;
    back_and_forth(&m); /* the largest */
}

static void another_sender_or_room_than_mls_proves_is_refused(void **state)
{
    (void)state;
    const struct account_id bob = {{2}};
    const struct room_id elsewhere = {{1}};
    struct content_message m = {.kind = CONTENT_TEXT, .text = sotto_bytes_str("hello")}, read;
    sotto_fault fault;
    assert_ok(content_write(sotto_env_system(), &m, &alice, &room, &out));
    assert_error(content_read(sotto_buf_view(&out), &bob, &room, &arena, &read, &fault), SENDER);
    assert_string_equal(fault.what, "extensions.senderUri");
    assert_error(content_read(sotto_buf_view(&out), &alice, &elsewhere, &arena, &read, &fault),
                 SENDER);
    assert_string_equal(fault.what, "extensions.roomUri");
}

/* Reads an example with its URIs taken off, as it says another sender than ours. */
static struct content_message read_example(const char *name)
{
    struct content content = decode(example(name));
    struct content_message read;
    sotto_fault fault = {.what = ""};
    content.has_sender = content.has_room = false;
    sotto_buf_clear(&out);
    assert_ok(content_encode(sotto_env_system(), &content, &out));
    assert_ok(content_read(sotto_buf_view(&out), &alice, &room, &arena, &read, &fault));
    return read;
}

static void the_drafts_examples_are_understood_or_need_a_newer_version(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum content_kind kind;
    } table[] = {
        {"original", CONTENT_TEXT},      {"reply", CONTENT_REPLY},
        {"reaction", CONTENT_REACTION},  {"mention", CONTENT_REPLY},
        {"mention-html", CONTENT_NEWER}, {"edit", CONTENT_EDIT},
        {"delete", CONTENT_DELETE},      {"unlike", CONTENT_DELETE},
        {"expiring", CONTENT_TEXT},      {"attachment", CONTENT_NEWER},
        {"conferencing", CONTENT_NEWER}, {"multipart-1", CONTENT_TEXT},
        {"multipart-2", CONTENT_NEWER},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct content_message read = read_example(table[i].name);
        if (read.kind != table[i].kind)
            fail_msg("%s: kind %d", table[i].name, read.kind);
    }
    assert_true(read_example("mention").text.size > 0);
    assert_bytes(read_example("multipart-1").text, sotto_bytes_str("# Welcome!"));
}

static void padding_makes_padme_sizes(void **state)
{
    (void)state;
    /* 2 + 100 + 66 = 168, padded to 256. */
    assert_int_equal(content_padding(100), 256 - 168);
    for (size_t size = 0; size < 70000; size += 7) {
        size_t head = size < 64 ? 1 : size < 16384 ? 2 : 4;
        size_t whole = head + size + 66 + content_padding(size);
        assert_true(whole >= 256);
        assert_true(whole <= 256 || whole * 100 <= (head + size + 66) * 113);
    }
}

static void utf8_is_told_from_what_is_not(void **state)
{
    (void)state;
    static const char *const good[] = {"", "a", "\xC2\x80", "\xEF\xBF\xBF", "\xF4\x8F\xBF\xBF"};
    static const char *const bad[] = {"\x80",         "\xC1\xBF",         "\xE0\x9F\xBF",
                                      "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF0\x8F\xBF\xBF",
                                      "\xC2",         "\xE2\x82",         "\xFF"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(text_is_utf8(sotto_bytes_str(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(text_is_utf8(sotto_bytes_str(bad[i])));
    assert_true(text_is_line(sotto_bytes_str("Grüße 👋")));
    assert_false(text_is_line(sotto_bytes_str("a\nb")));
    assert_false(text_is_line(sotto_bytes_str("\x1B[31m")));
    assert_false(text_is_line(sotto_bytes_str("\xC2\x9B")));     /* C1 */
    assert_false(text_is_line(sotto_bytes_str("\xE2\x80\xA8"))); /* line separator */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_drafts_examples_decode_and_encode_to_the_same_bytes),
        TEST(the_fields_of_the_examples_are_what_the_draft_says),
        TEST(message_ids_are_those_of_the_drafts_examples),
        TEST(every_cut_of_the_examples_is_refused),
        TEST(every_flipped_bit_is_refused_or_encodes_to_itself),
        TEST(encodings_that_are_not_deterministic_are_refused),
        TEST(floats_are_shortest_and_never_odd_nans),
        TEST(limits_hold_at_their_edges),
        TEST(extensions_are_sorted_when_written),
        TEST(what_is_written_is_read_back),
        TEST(receipts_are_read_back_and_odd_ones_refused),
        TEST(a_message_says_how_long_it_stays),
        TEST(what_may_not_be_said_is_refused),
        TEST(another_sender_or_room_than_mls_proves_is_refused),
        TEST(the_drafts_examples_are_understood_or_need_a_newer_version),
        TEST(padding_makes_padme_sizes),
        TEST(utf8_is_told_from_what_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
