#include "codec/reader.h"
#include "codec/writer.h"
#include "unit/check.h"

static void lengths_round_trip_at_every_boundary(void **state)
{
    (void)state;
    static const struct {
        size_t length, header;
    } cases[] = {{0, 1}, {1, 1}, {63, 1}, {64, 2}, {16383, 2}, {16384, 4}, {70000, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sotto_buf content, out, nested;
        sotto_buf_init(&content, sotto_env_system());
        sotto_buf_init(&out, sotto_env_system());
        sotto_buf_init(&nested, sotto_env_system());
        uint8_t *at;
        assert_ok(sotto_buf_extend(&content, cases[i].length, &at));
        memset(at, 0x5a, cases[i].length);

        struct writer w;
        writer_init(&w, &out);
        writer_vector(&w, sotto_buf_view(&content));
        assert_ok(writer_finish(&w));
        assert_int_equal(out.size, cases[i].length + cases[i].header);

        writer_init(&w, &nested);
        size_t mark = writer_open(&w);
        writer_fixed(&w, sotto_buf_view(&content));
        writer_close(&w, mark);
        assert_ok(writer_finish(&w));
        assert_bytes(sotto_buf_view(&nested), sotto_buf_view(&out));

        struct reader r;
        reader_init(&r, sotto_buf_view(&out));
        assert_bytes(reader_vector(&r, 70000, "v"), sotto_buf_view(&content));
        assert_ok(reader_finish(&r, "end"));

        for (size_t cut = 0; cut < out.size; cut += cut < 8 ? 1 : 997) {
            reader_init(&r, sotto_bytes_of(out.data, cut));
            reader_vector(&r, 70000, "v");
            assert_error(reader_finish(&r, "end"), TRUNCATED);
            assert_string_equal(r.fault.what, "v");
        }
        sotto_buf_free(&content);
        sotto_buf_free(&out);
        sotto_buf_free(&nested);
    }
}

static void lengths_must_be_minimal(void **state)
{
    (void)state;
    static const uint8_t bad[][4] = {
        {0x40, 0x3f}, {0x80, 0x00, 0x3f, 0xff}, {0xc0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct reader r;
        reader_init(&r, sotto_bytes_of(bad[i], 4));
        reader_length(&r, "length");
        assert_int_equal(r.fault.error, SOTTO_LENGTH);
        assert_int_equal(r.fault.offset, 0);
        assert_string_equal(r.fault.what, "length");
    }
}

static void the_first_fault_stays(void **state)
{
    (void)state;
    struct reader r, inner;
    reader_init(&r, sotto_bytes_of((const uint8_t[]){1, 3, 9, 9, 9, 7}, 6));
    assert_int_equal(reader_u8(&r, "a"), 1);
    reader_enter(&r, &inner, 10, "list");
    assert_int_equal(reader_u16(&inner, "b"), 0x0909);
    reader_leave(&r, &inner, "list");
    assert_int_equal(r.fault.error, SOTTO_TRAILING);
    assert_int_equal(r.fault.offset, 4);
    assert_int_equal(reader_u8(&r, "later"), 0);
    assert_string_equal(r.fault.what, "list");

    reader_init(&r, sotto_bytes_of((const uint8_t[]){3, 9, 9, 9}, 4));
    reader_vector(&r, 2, "small");
    assert_int_equal(r.fault.error, SOTTO_LIMIT);
    assert_string_equal(r.fault.what, "small");
}

static void inner_readers_cannot_read_past_their_vector(void **state)
{
    (void)state;
    struct reader r, inner;
    reader_init(&r, sotto_bytes_of((const uint8_t[]){1, 0xaa, 0xbb, 0xcc}, 4));
    reader_enter(&r, &inner, 10, "list");
    reader_u16(&inner, "two");
    reader_leave(&r, &inner, "list");
    assert_int_equal(r.fault.error, SOTTO_TRUNCATED);
    assert_string_equal(r.fault.what, "two");
}

static void presence_is_zero_or_one(void **state)
{
    (void)state;
    struct reader r;
    reader_init(&r, sotto_bytes_of((const uint8_t[]){0, 1, 2}, 3));
    assert_false(reader_present(&r, "p"));
    assert_true(reader_present(&r, "p"));
    assert_false(reader_present(&r, "p"));
    assert_int_equal(r.fault.error, SOTTO_VALUE);
    assert_int_equal(r.fault.offset, 2);
}

static void a_failed_writer_takes_back_what_it_wrote(void **state)
{
    (void)state;
    sotto_buf buf;
    sotto_buf_init(&buf, sotto_env_system());
    assert_ok(sotto_buf_append(&buf, (const uint8_t *)"x", 1));
    struct writer w;
    writer_init(&w, &buf);
    writer_u64(&w, 1);
    writer_vector(&w, sotto_bytes_of((const uint8_t *)"", (size_t)1 << 30));
    writer_u8(&w, 1);
    assert_error(writer_finish(&w), LENGTH);
    assert_bytes(sotto_buf_view(&buf), sotto_bytes_str("x"));
    sotto_buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_round_trip_at_every_boundary),
        cmocka_unit_test(lengths_must_be_minimal),
        cmocka_unit_test(the_first_fault_stays),
        cmocka_unit_test(inner_readers_cannot_read_past_their_vector),
        cmocka_unit_test(presence_is_zero_or_one),
        cmocka_unit_test(a_failed_writer_takes_back_what_it_wrote),
    };
    return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}
