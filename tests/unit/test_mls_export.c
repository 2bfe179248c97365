/* Exported secrets: MLS-Exporter (RFC 9420, 8.5), and the extensions draft's, which are consumed.
 */
#include "mls/group.h"
#include "unit/mls_clients.h"

#define SUITE SOTTO_MLS_X25519_AES128_SHA256_ED25519

static struct client clients[3];
static struct client *all[3];

static void start(void)
{
    for (size_t i = 0; i < 3; i++) {
        char name[24];
        snprintf(name, sizeof name, "client %zu", i);
        client_new(&clients[i], SUITE, name, NULL);
        all[i] = &clients[i];
    }
    client_create(all[0], "group");
    world_add(all[0], all + 1, 2, NULL, 0);
}

static void stop(void)
{
    for (size_t i = 0; i < 3; i++)
        client_free(&clients[i]);
}

/* The leaf's tree_node_secret by the definition (RFC 9420, 9): bit by bit from the root. */
static void by_definition(const struct client *client, uint16_t component, struct secret *secret)
{
    const struct epoch *epoch = client->group->epoch;
    *secret = epoch->secrets.application_export;
    for (int bit = 15; bit >= 0; bit--)
        assert_ok(crypto_expand_with_label(
            epoch->mls->crypto, epoch->suite, secret_view(secret), "tree",
            sotto_bytes_str(component >> bit & 1 ? "right" : "left"), 32, secret));
}

static void each_component_gets_its_secret_once(void **state)
{
    (void)state;
    static const uint16_t components[] = {0, 1, 0x1234, 0x8000, 0xfffe, 0xffff};
    start();
    struct secret expected[6];
    for (size_t i = 0; i < 6; i++)
        by_definition(all[0], components[i], &expected[i]);
    sotto_buf out;
    sotto_buf_init(&out, sotto_env_system());
    for (size_t c = 0; c < 3; c++) {
        for (size_t i = 0; i < 6; i++) {
            size_t which = (i + 2 * c) % 6; /* each client in another order */
            sotto_buf_clear(&out);
            assert_ok(sotto_mls_safe_export(all[c]->group, components[which], &out));
            assert_bytes(sotto_buf_view(&out), secret_view(&expected[which]));
            if (i % 2 == c % 2)
                client_reload(all[c]);
            sotto_buf_clear(&out);
            assert_error(sotto_mls_safe_export(all[c]->group, components[which], &out), REUSED);
            assert_int_equal(out.size, 0);
        }
    }
    for (size_t i = 0; i < 6; i++)
        for (size_t j = 0; j < i; j++)
            assert_false(sotto_bytes_equal(secret_view(&expected[i]), secret_view(&expected[j])));
    sotto_buf_free(&out);
    stop();
}

static bool holds(const struct memory_store *store, sotto_bytes secret)
{
    for (size_t i = 0; i < store->count; i++)
        for (size_t at = 0; at + secret.size <= store->records[i].size; at++)
            if (memcmp(store->records[i].data + at, secret.data, secret.size) == 0)
                return true;
    return false;
}

/* What is stored afterwards gives no way back: neither the secret nor a node above it. */
static void what_is_exported_can_not_be_derived_again(void **state)
{
    (void)state;
    start();
    struct epoch *epoch = all[0]->group->epoch;
    struct secret path[17];
    path[0] = epoch->secrets.application_export;
    for (size_t i = 0; i < 16; i++)
        assert_ok(crypto_expand_with_label(epoch->mls->crypto, epoch->suite, secret_view(&path[i]),
                                           "tree", sotto_bytes_str(i % 3 == 0 ? "right" : "left"),
                                           32, &path[i + 1]));
    client_save(all[0]);
    assert_true(holds(&all[0]->store, secret_view(&path[0])));
    uint16_t component = 0;
    for (unsigned i = 0; i < 16; i++)
        component = (uint16_t)(component << 1 | (i % 3 == 0));
    sotto_buf out;
    sotto_buf_init(&out, sotto_env_system());
    assert_ok(sotto_mls_safe_export(all[0]->group, component, &out));
    assert_bytes(sotto_buf_view(&out), secret_view(&path[16]));
    client_save(all[0]);
    for (size_t i = 0; i < 17; i++)
        assert_false(holds(&all[0]->store, secret_view(&path[i])));
    /* The next epoch has secrets of its own. */
    sotto_buf commit, next;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&next, sotto_env_system());
    client_commit(all[1], NULL, &commit);
    world_process(all, 3, all[1], sotto_buf_view(&commit));
    assert_ok(sotto_mls_safe_export(all[0]->group, component, &next));
    assert_false(sotto_bytes_equal(sotto_buf_view(&out), sotto_buf_view(&next)));
    world_agrees(all, 3);
    sotto_buf_free(&out);
    sotto_buf_free(&next);
    sotto_buf_free(&commit);
    stop();
}

/* A damaged record of the exporter tree is refused as any other. */
static void damaged_exporter_trees_are_refused(void **state)
{
    (void)state;
    start();
    sotto_buf record;
    sotto_buf_init(&record, sotto_env_system());
    struct writer w;
    writer_init(&w, &record);
    static const struct {
        uint32_t nodes[2];
        size_t secret_size;
    } cases[] = {
        {{131071, 0}, 32}, /* outside */
        {{4, 2}, 32},      /* not from left to right */
        {{1, 2}, 32},      /* one within the other */
        {{0, 2}, 31},
    };
    struct epoch *epoch = all[0]->group->epoch;
    for (size_t i = 0; i < 4; i++) {
        uint8_t secret[32] = {0};
        sotto_buf_clear(&record);
        epoch->secrets.application_export.size = 0;
        writer_init(&w, &record);
        epoch_write(&w, epoch);
        assert_ok(writer_finish(&w));
        record.size--; /* the empty list of nodes */
        writer_init(&w, &record);
        size_t list = writer_open(&w);
        for (size_t j = 0; j < 2; j++) {
            writer_u32(&w, cases[i].nodes[j]);
            writer_vector(&w, sotto_bytes_of(secret, cases[i].secret_size));
        }
        writer_close(&w, list);
        assert_ok(writer_finish(&w));
        struct reader r;
        reader_init(&r, sotto_buf_view(&record));
        assert_null(epoch_read(epoch->mls, epoch->suite, &r));
        assert_string_equal(r.fault.what, "record.components");
    }
    sotto_buf_free(&record);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_component_gets_its_secret_once),
        cmocka_unit_test(what_is_exported_can_not_be_derived_again),
        cmocka_unit_test(damaged_exporter_trees_are_refused),
    };
    return cmocka_run_group_tests_name("mls_export", tests, NULL, NULL);
}
