/* Manifests, their succession, and the proof of signing in. */
#include "unit/check.h"
#include "wire/manifest.h"
#include "wire/proof.h"

static const uint8_t seed[SIGN_SEED_SIZE] = {1, 2, 3};
static const uint8_t other_seed[SIGN_SEED_SIZE] = {4, 5, 6};
static uint8_t inbox_key[INBOX_KEY_SIZE];
static uint8_t signature_key[SIGN_KEY_SIZE];

struct scene {
    struct arena arena;
    sotto_buf bytes;
    struct device devices[WIRE_DEVICES_MAX + 1];
    struct manifest manifest, read;
    sotto_fault fault;
};

static int setup(void **state)
{
    static struct scene scene;
    memset(&scene, 0, sizeof scene);
    arena_init(&scene.arena, sotto_env_system());
    sotto_buf_init(&scene.bytes, sotto_env_system());
    for (size_t i = 0; i <= WIRE_DEVICES_MAX; i++) {
        scene.devices[i].id.bytes[0] = (uint8_t)(i + 1);
        scene.devices[i].signature_key = sotto_bytes_of(signature_key, SIGN_KEY_SIZE);
        scene.devices[i].inbox_key = sotto_bytes_of(inbox_key, INBOX_KEY_SIZE);
        scene.devices[i].added = 1000 + i;
    }
    scene.manifest.number = 1;
    scene.manifest.issued = 1800000000;
    scene.manifest.devices = scene.devices;
    scene.manifest.device_count = 2;
    *state = &scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    arena_free(&scene->arena);
    sotto_buf_free(&scene->bytes);
    return 0;
}

static sotto_error read_bytes(struct scene *scene, sotto_bytes bytes)
{
    arena_free(&scene->arena);
    return manifest_read(bytes, &scene->arena, &scene->read, &scene->fault);
}

static void make(struct scene *scene)
{
    sotto_buf_clear(&scene->bytes);
    assert_ok(manifest_write(&scene->manifest, seed, &scene->bytes));
}

static void a_manifest_survives_the_round_trip(void **state)
{
    struct scene *scene = *state;
    uint8_t key[SIGN_KEY_SIZE];
    make(scene);
    assert_ok(read_bytes(scene, sotto_buf_view(&scene->bytes)));
    wire_sign_public(seed, key);
    assert_memory_equal(scene->read.account_key, key, SIGN_KEY_SIZE);
    assert_int_equal(scene->read.number, 1);
    assert_int_equal(scene->read.issued, 1800000000);
    assert_int_equal(scene->read.device_count, 2);
    assert_int_equal(scene->read.devices[1].added, 1001);
    assert_ptr_equal(manifest_device(&scene->read, &scene->devices[1].id), &scene->read.devices[1]);
    assert_null(manifest_device(&scene->read, &scene->devices[2].id));
    assert_int_equal(scene->bytes.size,
                     2 + 32 + 8 + 8 + 32 + 2 + 2 * (16 + 33 + 2 + 1216 + 32 + 8) + 64);
}

static void each_cut_and_each_flipped_bit_is_refused(void **state)
{
    struct scene *scene = *state;
    scene->manifest.device_count = 1;
    make(scene);
    for (size_t size = 0; size < scene->bytes.size; size++)
        assert_error(read_bytes(scene, sotto_bytes_of(scene->bytes.data, size)), TRUNCATED);
    /* Each bit of the frame around the keys; of the long inbox key each 64th byte. */
    for (size_t byte = 0; byte < scene->bytes.size; byte++) {
        if (byte > 200 && byte < 1300 && byte % 64 != 0)
            continue;
        for (unsigned bit = 0; bit < 8; bit++) {
            scene->bytes.data[byte] ^= (uint8_t)(1U << bit);
            assert_true(read_bytes(scene, sotto_buf_view(&scene->bytes)) != SOTTO_OK);
            assert_int_equal(scene->read.device_count, 0);
            scene->bytes.data[byte] ^= (uint8_t)(1U << bit);
        }
    }
    static const uint8_t zero;
    assert_ok(sotto_buf_append(&scene->bytes, &zero, 1));
    assert_error(read_bytes(scene, sotto_buf_view(&scene->bytes)), TRAILING);
    scene->bytes.size--;
    scene->bytes.data[scene->bytes.size - 1] ^= 1;
    assert_error(read_bytes(scene, sotto_buf_view(&scene->bytes)), SIGNATURE);
    assert_string_equal(scene->fault.what, "Manifest.signature");
    assert_int_equal(scene->fault.offset, scene->bytes.size - SIGNATURE_SIZE);
}

static void what_a_reader_refuses_is_not_written(void **state)
{
    struct scene *scene = *state;
    struct manifest *manifest = &scene->manifest;
    manifest->device_count = 0;
    assert_error(manifest_write(manifest, seed, &scene->bytes), ARGUMENT);
    manifest->device_count = WIRE_DEVICES_MAX + 1;
    assert_error(manifest_write(manifest, seed, &scene->bytes), LIMIT);
    manifest->device_count = 2;
    scene->devices[1].id = scene->devices[0].id;
    assert_error(manifest_write(manifest, seed, &scene->bytes), ARGUMENT);
    scene->devices[1].id.bytes[0] = 2;
    scene->devices[1].inbox_key.size--;
    assert_error(manifest_write(manifest, seed, &scene->bytes), ARGUMENT);
    scene->devices[1].inbox_key.size++;
    manifest->previous[0] = 1; /* number 1 has none */
    assert_error(manifest_write(manifest, seed, &scene->bytes), ARGUMENT);
    manifest->number = 0;
    assert_error(manifest_write(manifest, seed, &scene->bytes), ARGUMENT);
    assert_int_equal(scene->bytes.size, 0);
    manifest->number = 2;
    manifest->device_count = WIRE_DEVICES_MAX;
    make(scene);
    assert_ok(read_bytes(scene, sotto_buf_view(&scene->bytes)));
}

static void a_device_twice_is_refused_by_name(void **state)
{
    struct scene *scene = *state;
    make(scene);
    size_t first = 2 + 32 + 8 + 8 + 32 + 2;
    size_t device = 16 + 33 + 2 + 1216 + 32 + 8;
    memcpy(scene->bytes.data + first + device, scene->bytes.data + first, DEVICE_ID_SIZE);
    assert_error(read_bytes(scene, sotto_buf_view(&scene->bytes)), VALUE);
    assert_string_equal(scene->fault.what, "Device.device_id (twice)");
    assert_int_equal(scene->fault.offset, first + device);
}

static void only_the_successor_follows(void **state)
{
    struct scene *scene = *state;
    struct manifest first;
    struct arena arena;
    sotto_buf first_bytes;
    sotto_fault fault;
    arena_init(&arena, sotto_env_system());
    sotto_buf_init(&first_bytes, sotto_env_system());
    assert_ok(manifest_write(&scene->manifest, seed, &first_bytes));
    sotto_bytes before = sotto_buf_view(&first_bytes);
    assert_ok(manifest_read(before, &arena, &first, &fault));
    assert_ok(manifest_follows((sotto_bytes){0}, NULL, &first, &fault));

    scene->manifest.number = 2;
    wire_hash(before, scene->manifest.previous);
    make(scene);
    assert_ok(read_bytes(scene, sotto_buf_view(&scene->bytes)));
    assert_ok(manifest_follows(before, &first, &scene->read, &fault));
    assert_error(manifest_follows((sotto_bytes){0}, NULL, &scene->read, &fault), VALUE);
    assert_error(manifest_follows(before, &first, &first, &fault), VALUE);
    assert_string_equal(fault.what, "Manifest.number");

    scene->manifest.previous[3] ^= 1;
    make(scene);
    assert_ok(read_bytes(scene, sotto_buf_view(&scene->bytes)));
    assert_error(manifest_follows(before, &first, &scene->read, &fault), VALUE);
    assert_string_equal(fault.what, "Manifest.previous");

    scene->manifest.previous[3] ^= 1;
    sotto_buf_clear(&scene->bytes);
    assert_ok(manifest_write(&scene->manifest, other_seed, &scene->bytes));
    assert_ok(read_bytes(scene, sotto_buf_view(&scene->bytes)));
    assert_error(manifest_follows(before, &first, &scene->read, &fault), VALUE);
    assert_string_equal(fault.what, "Manifest.account_key");
    arena_free(&arena);
    sotto_buf_free(&first_bytes);
}

static void a_proof_is_for_one_challenge_account_and_device(void **state)
{
    (void)state;
    struct account_id account = {{1}}, other_account = {{2}};
    struct device_id device = {{3}}, other_device = {{4}};
    uint8_t challenge[CHALLENGE_SIZE] = {5}, other_challenge[CHALLENGE_SIZE] = {6};
    uint8_t hash[HASH_SIZE];
    struct proof proof;
    proof_make(seed, challenge, &account, &device, &proof);
    assert_ok(proof_verify(&proof, challenge, &account, &device));
    assert_error(proof_verify(&proof, other_challenge, &account, &device), SIGNATURE);
    assert_error(proof_verify(&proof, challenge, &other_account, &device), SIGNATURE);
    assert_error(proof_verify(&proof, challenge, &account, &other_device), SIGNATURE);
    wire_hash(sotto_bytes_of(proof.sign_in_key, SIGN_KEY_SIZE), hash);
    assert_true(proof_key_is(&proof, hash));
    hash[31] ^= 1;
    assert_false(proof_key_is(&proof, hash));
    proof.signature[0] ^= 1;
    assert_error(proof_verify(&proof, challenge, &account, &device), SIGNATURE);
}

static void a_gate_opens_to_its_token_alone(void **state)
{
    (void)state;
    struct gate gate;
    uint8_t token[TOKEN_SIZE] = {7};
    gate_of(sotto_bytes_of(token, TOKEN_SIZE), &gate);
    assert_true(gate_opens(&gate, sotto_bytes_of(token, TOKEN_SIZE)));
    token[31] ^= 1;
    assert_false(gate_opens(&gate, sotto_bytes_of(token, TOKEN_SIZE)));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_manifest_survives_the_round_trip),
        TEST(each_cut_and_each_flipped_bit_is_refused),
        TEST(what_a_reader_refuses_is_not_written),
        TEST(a_device_twice_is_refused_by_name),
        TEST(only_the_successor_follows),
        cmocka_unit_test(a_proof_is_for_one_challenge_account_and_device),
        cmocka_unit_test(a_gate_opens_to_its_token_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
