/* The transparency log's formats. The figures were computed by golang.org/x/mod/sumdb/tlog and note
 * v0.24.0 and filippo.io/torchwood v0.6.1 over the entries "entry 0", "entry 1", ...; the tree of
 * eight is Certificate Transparency's own reference data; the example note is the specification's
 * (C2SP signed-note v1.0.0). */
#include <inttypes.h>
#include <string.h>

#include <sodium.h>

#include "base/print.h"
#include "tlog/checkpoint.h"
#include "tlog/folder.h"
#include "tlog/leaf.h"
#include "unit/check.h"
#include "unit/folder.h"

enum { ENTRIES = 700 };

static struct tlog_hash leaves[ENTRIES];
static char entry_text[32];

static sotto_error entry(void *ctx, uint64_t index, sotto_bytes *out)
{
    (void)ctx;
    snprintf(entry_text, sizeof entry_text, "entry %" PRIu64, index);
    *out = sotto_bytes_str(entry_text);
    return SOTTO_OK;
}

static sotto_error read_leaves(void *ctx, unsigned level, uint64_t index, struct tlog_hash *out)
{
    if (level == 0) {
        assert_true(index < ENTRIES);
        *out = leaves[index];
        return SOTTO_OK;
    }
    struct tlog_hash right;
    TRY(read_leaves(ctx, level - 1, 2 * index, out));
    TRY(read_leaves(ctx, level - 1, 2 * index + 1, &right));
    tlog_hash_node(out, &right, out);
    return SOTTO_OK;
}

static int make_leaves(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < ENTRIES; i++) {
        sotto_bytes bytes;
        assert_ok(entry(NULL, i, &bytes));
        tlog_hash_leaf(bytes, &leaves[i]);
    }
    return sodium_init() < 0 ? -1 : 0;
}

static void is_hex(const uint8_t *bytes, const char *hex)
{
    char text[2 * TLOG_HASH_SIZE + 1];
    sodium_bin2hex(text, sizeof text, bytes, TLOG_HASH_SIZE);
    assert_string_equal(text, hex);
}

/* ---- The tree ------------------------------------------------------------------------------- */

static const struct {
    uint64_t size;
    const char *root;
} roots[] = {
    {1, "773885a613489e24ce2cf76199d6a423f042e4bbf12d7eecee912ef276c65701"},
    {2, "5a47662fd8a317d96049a3f9f47c55dc67ca66051baa3683dbb19b2fe09a07b0"},
    {3, "94fbd0dd836f50301692e6d0eade728ee19ec52bfff1606ed807c8575d5aaa19"},
    {255, "cf66793e6329dff242eb3cee0a6f36ad3e3a196dcc573a1ec775e102be863f1c"},
    {256, "da6596d95369f5fef322ab8e4e0da3b0b50236aa9c8a3b1d246f7411c9e2e32e"},
    {257, "5c1fdfe835358022f2392de478dbe053fc130cfe1d3a082879a90cf6bf14bf7e"},
    {512, "c6db949e76cfd5d61407c73a481921265ab024ea6131d02dc6b70defdfd4fada"},
    {513, "78d674cc3de6985c25d64763bb968acf022d827ebc1158584a6629baebc4c31c"},
    {700, "c70e73499a9c19c590d98494bd050eb3a646bf38c9f7a397dce5a3fede3b2407"},
};

static void roots_are_those_of_another_implementation(void **state)
{
    (void)state;
    struct tlog_frontier frontier = {0};
    struct tlog_hash root;
    assert_ok(tlog_root(read_leaves, NULL, 0, &root));
    is_hex(root.bytes, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    tlog_frontier_root(&frontier, &root);
    is_hex(root.bytes, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        assert_ok(tlog_root(read_leaves, NULL, roots[i].size, &root));
        is_hex(root.bytes, roots[i].root);
        while (frontier.size < roots[i].size)
            assert_ok(tlog_frontier_append(&frontier, &leaves[frontier.size]));
        tlog_frontier_root(&frontier, &root);
        is_hex(root.bytes, roots[i].root);
    }
}

static void the_reference_tree_of_certificate_transparency_has_its_roots(void **state)
{
    (void)state;
    static const char *const data[] = {"",
                                       "00",
                                       "10",
                                       "2021",
                                       "3031",
                                       "40414243",
                                       "5051525354555657",
                                       "606162636465666768696a6b6c6d6e6f"};
    static const char *const expected[] = {
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    };
    struct tlog_frontier frontier = {0};
    for (size_t i = 0; i < sizeof data / sizeof *data; i++) {
        uint8_t bytes[16];
        size_t size = 0;
        struct tlog_hash leaf, root;
        assert_int_equal(
            sodium_hex2bin(bytes, sizeof bytes, data[i], strlen(data[i]), NULL, &size, NULL), 0);
        tlog_hash_leaf(sotto_bytes_of(bytes, size), &leaf);
        assert_ok(tlog_frontier_append(&frontier, &leaf));
        tlog_frontier_root(&frontier, &root);
        is_hex(root.bytes, expected[i]);
    }
}

/* A proof as one hash, which is how the other implementation's were noted. */
static void is_proof(const struct tlog_hash *proof, size_t count, size_t expected, const char *hex)
{
    uint8_t hash[TLOG_HASH_SIZE];
    assert_int_equal(count, expected);
    crypto_hash_sha256(hash, (const uint8_t *)proof, count * TLOG_HASH_SIZE);
    is_hex(hash, hex);
}

static void proofs_are_those_of_another_implementation(void **state)
{
    (void)state;
    static const struct {
        uint64_t index, size;
        size_t count;
        const char *hash;
    } inclusion[] =
        {
            {0, 1, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
            {6, 7, 2, "3c054d8897f4c7a44d95b43f2eca0f39b590b359b1cfce6a29bf99e2d75ad27f"},
            {255, 700, 10, "f269fad9f260d3f0a38580c27a4b8fd45a4a45a53266f3fb4ae4a6c996efd9be"},
            {256, 700, 10, "67af145cf2b6dcc33de727d02f41156b29236b22b4ca4d025c73ab259a96238b"},
            {699, 700, 7, "a82740b61ebc20083149cbfe2737e8ece04e1e8ce4d2672d242ef8674c364666"},
            {300, 513, 10, "52c232bb3093ebc568455b155dc4e4a14d35163a0125be76f645e3fe2dc68eae"},
        },
      consistency[] = {
          {1, 2, 1, "1e30c9fb18f7eb86837f1f1e3762ad7f5bc0b04fdade58504d6b6dd0c72320ae"},
          {3, 7, 4, "c63bd033fc58b84a05f85c36fbb0b1574aa6d888d5a872f2832e05de027ce706"},
          {255, 700, 11, "d570a9219b29d13fccf42423db04f2fb0810935ea7d43763f3b17c87b6a06131"},
          {256, 700, 2, "4df352b44bd6a66f16982f571f849f21d5f6463b61cb29947479fb3973f33428"},
          {257, 513, 11, "777ce2a5761a00149451e8dce2122cca030cc7ecd81a6f8ba898283224cb1b13"},
          {512, 700, 1, "f0d3444dab3773097413a4d9ad04423b22a069d99b8a445c86416c33edca111d"},
          {699, 700, 8, "b0e8da38c741b35acb139224cc0a6fbeb98f4f23a792a56d467dcff88e3383d4"},
      };
    struct tlog_hash proof[TLOG_PROOF_MAX];
    size_t count = 0;
    for (size_t i = 0; i < sizeof inclusion / sizeof *inclusion; i++) {
        assert_ok(tlog_prove_inclusion(read_leaves, NULL, inclusion[i].index, inclusion[i].size,
                                       proof, &count));
        is_proof(proof, count, inclusion[i].count, inclusion[i].hash);
    }
    for (size_t i = 0; i < sizeof consistency / sizeof *consistency; i++) {
        assert_ok(tlog_prove_consistency(read_leaves, NULL, consistency[i].index,
                                         consistency[i].size, proof, &count));
        is_proof(proof, count, consistency[i].count, consistency[i].hash);
    }
}

static void every_proof_checks_and_none_for_anything_else(void **state)
{
    (void)state;
    struct tlog_hash proof[TLOG_PROOF_MAX], root[70], other;
    size_t count = 0;
    for (uint64_t size = 0; size < 70; size++)
        assert_ok(tlog_root(read_leaves, NULL, size, &root[size]));
    for (uint64_t size = 1; size < 70; size++) {
        for (uint64_t index = 0; index < size; index++) {
            assert_ok(tlog_prove_inclusion(read_leaves, NULL, index, size, proof, &count));
            assert_true(
                tlog_check_inclusion(index, size, &leaves[index], proof, count, &root[size]));
            assert_false(
                tlog_check_inclusion(index, size, &leaves[index + 1], proof, count, &root[size]));
            assert_false(
                tlog_check_inclusion(index, size, &leaves[index], proof, count + 1, &root[size]));
            for (uint64_t wrong = 0; wrong < size; wrong++)
                assert_true(wrong == index || !tlog_check_inclusion(wrong, size, &leaves[index],
                                                                    proof, count, &root[size]));
            for (size_t at = 0; at < count; at++) {
                proof[at].bytes[7] ^= 1;
                assert_false(
                    tlog_check_inclusion(index, size, &leaves[index], proof, count, &root[size]));
                proof[at].bytes[7] ^= 1;
            }
        }
        for (uint64_t from = 0; from <= size; from++) {
            assert_ok(tlog_prove_consistency(read_leaves, NULL, from, size, proof, &count));
            assert_true(tlog_check_consistency(from, &root[from], size, &root[size], proof, count));
            other = root[from];
            other.bytes[0] ^= 1;
            assert_false(tlog_check_consistency(from, &other, size, &root[size], proof, count));
            other = root[size];
            other.bytes[0] ^= 1;
            assert_true(from == 0 ||
                        !tlog_check_consistency(from, &root[from], size, &other, proof, count));
            assert_false(
                tlog_check_consistency(from, &root[from], size, &root[size], proof, count + 1));
            for (size_t at = 0; at < count; at++) {
                proof[at].bytes[31] ^= 1;
                assert_false(
                    tlog_check_consistency(from, &root[from], size, &root[size], proof, count));
                proof[at].bytes[31] ^= 1;
            }
        }
    }
    assert_int_equal(tlog_prove_inclusion(read_leaves, NULL, 5, 5, proof, &count), SOTTO_ARGUMENT);
    assert_int_equal(tlog_prove_consistency(read_leaves, NULL, 6, 5, proof, &count),
                     SOTTO_ARGUMENT);
}

/* ---- Tiles ---------------------------------------------------------------------------------- */

static void tiles_have_the_paths_of_the_specification(void **state)
{
    (void)state;
    static const struct {
        struct tlog_tile tile;
        const char *path;
    } cases[] = {
        {{0, 0, 256}, "tile/0/000"},
        {{0, 273, 112}, "tile/0/273.p/112"},
        {{1, 1234067, 256}, "tile/1/x001/x234/067"},
        {{TLOG_ENTRIES, 1000, 1}, "tile/entries/x001/000.p/1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[TLOG_TILE_PATH_MAX];
        struct tlog_tile tile;
        tlog_tile_path(&cases[i].tile, path);
        assert_string_equal(path, cases[i].path);
        assert_ok(tlog_tile_parse(sotto_bytes_str(path), &tile));
        assert_int_equal(tile.level, cases[i].tile.level);
        assert_int_equal(tile.index, cases[i].tile.index);
        assert_int_equal(tile.width, cases[i].tile.width);
    }
    static const char *const wrong[] = {
        "",
        "tile/",
        "tile/8/000",
        "tile/00/000",
        "tile/0/0",
        "tile/0/00x",
        "tile/0/x001",
        "tile/0/001/000",
        "tile/0/x000/000",
        "tile/0/000.p/0",
        "tile/0/../",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/",
        "tile/entries",
        "tile/0/000/",
        "tile/0/000.p/1/",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct tlog_tile tile;
        if (tlog_tile_parse(sotto_bytes_str(wrong[i]), &tile) == SOTTO_OK)
            fail_msg("%s", wrong[i]);
    }
    /* The specification's tree of 70,000. */
    assert_int_equal(tlog_tile_width(0, 272, 70000), 256);
    assert_int_equal(tlog_tile_width(0, 273, 70000), 112);
    assert_int_equal(tlog_tile_width(0, 274, 70000), 0);
    assert_int_equal(tlog_tile_width(1, 0, 70000), 256);
    assert_int_equal(tlog_tile_width(1, 1, 70000), 17);
    assert_int_equal(tlog_tile_width(2, 0, 70000), 1);
    assert_int_equal(tlog_tile_width(1, 0, 256), 1);
}

static void a_folder_that_grew_in_steps_has_the_same_root_and_proofs(void **state)
{
    (void)state;
    char top[64], path[80];
    struct tlog_hash root, proof[TLOG_PROOF_MAX], expected[TLOG_PROOF_MAX];
    size_t count = 0, expected_count = 0;
    assert_true(folder_make(top, "tlog"));
    snprintf(path, sizeof path, "%s/log", top);
    uint64_t size = 0;
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        assert_ok(tlog_folder_extend(path, size, roots[i].size, entry, NULL, sotto_env_system()));
        size = roots[i].size;
        assert_ok(tlog_folder_root(path, size, sotto_env_system(), &root));
        is_hex(root.bytes, roots[i].root);
    }
    for (uint64_t from = 1; from < ENTRIES; from += 37) {
        assert_ok(tlog_folder_consistency(path, from, ENTRIES, sotto_env_system(), proof, &count));
        assert_ok(
            tlog_prove_consistency(read_leaves, NULL, from, ENTRIES, expected, &expected_count));
        assert_int_equal(count, expected_count);
        assert_memory_equal(proof, expected, count * TLOG_HASH_SIZE);
    }
    sotto_buf bundle;
    sotto_buf_init(&bundle, sotto_env_system());
    assert_ok(tlog_folder_get(path, "tile/entries/002.p/188", 1 << 20, &bundle));
    sotto_bytes rest = sotto_buf_view(&bundle), one;
    for (uint64_t i = 512; i < ENTRIES; i++) {
        struct tlog_hash leaf;
        assert_ok(tlog_bundle_take(&rest, &one));
        tlog_hash_leaf(one, &leaf);
        assert_true(tlog_hash_equal(&leaf, &leaves[i]));
    }
    assert_int_equal(rest.size, 0);
    assert_int_equal(tlog_bundle_take(&rest, &one), SOTTO_TRUNCATED);
    sotto_buf_clear(&bundle);
    assert_int_equal(tlog_folder_get(path, "checkpoint", 10, &bundle), SOTTO_NOT_FOUND);
    assert_ok(tlog_folder_put(path, "checkpoint", sotto_bytes_str("one")));
    assert_ok(tlog_folder_put(path, "checkpoint", sotto_bytes_str("another")));
    assert_int_equal(tlog_folder_get(path, "checkpoint", 6, &bundle), SOTTO_LIMIT);
    assert_ok(tlog_folder_get(path, "checkpoint", 7, &bundle));
    assert_true(sotto_bytes_equal(sotto_buf_view(&bundle), sotto_bytes_str("another")));
    sotto_buf_free(&bundle);
    assert_int_equal(folder_remove(top), 0);
}

/* ---- Notes ---------------------------------------------------------------------------------- */

static const char log_key[] =
    "relay.example/orders+66c72a09+Af0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY";
static const char witness_key[] =
    "witness.example/w1+aa4a09d1+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
static const char note[] =
    "relay.example/orders\n700\nxw5zSZqcGcWQ2YSUvQUOs6ZGvzjJ96OX3OWj/t47JAc=\n\n"
    "\xe2\x80\x94 relay.example/orders ZscqCToPZWEWA0BZYf5G+ciaKc6QDj2pmORf35NzVFxwlazds+"
    "a5iHc6TP2kMJiINTLUBSSvTy7QR49bdIqMRjfIawU=\n"
    "\xe2\x80\x94 witness.example/w1 qkoJ0QAAAABrB8yFp6jBCMYfUNR54VfPuumNnnhkC1wHEVkKW0rspQr6g2g8l"
    "VOxEAL0tWdRm0tGrtCQ2xYdXrMPAIHbiejL84ERBw==\n";

static struct tlog_key key_of(const char *text)
{
    struct tlog_key key;
    assert_ok(tlog_key_read(sotto_bytes_str(text), &key));
    return key;
}

static void the_specifications_note_verifies(void **state)
{
    (void)state;
    const struct tlog_key key =
        key_of("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k");
    sotto_bytes text, signatures;
    assert_ok(tlog_note_split(
        sotto_bytes_str("This is an example message.\n\n\xe2\x80\x94 example.com/foo "
                        "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRK"
                        "uwHjG1Yu72IneyaQM=\n"),
        &text, &signatures));
    assert_ok(tlog_note_check(text, signatures, &key, NULL));
    assert_int_equal(
        tlog_note_check(sotto_bytes_str("This is an example message!\n"), signatures, &key, NULL),
        SOTTO_SIGNATURE);
}

static void another_implementations_checkpoint_and_cosignature_verify(void **state)
{
    (void)state;
    const struct tlog_key log = key_of(log_key), witness = key_of(witness_key);
    struct tlog_checkpoint checkpoint;
    sotto_bytes text, signatures;
    uint64_t time = 0;
    char again[TLOG_KEY_TEXT_MAX + 1];
    tlog_key_write(&witness, again);
    assert_string_equal(again, witness_key);
    assert_ok(tlog_checkpoint_open(sotto_bytes_str(note), &log, &checkpoint, &text, &signatures));
    assert_int_equal(checkpoint.size, 700);
    assert_string_equal(checkpoint.origin, "relay.example/orders");
    is_hex(checkpoint.root.bytes, roots[8].root);
    assert_ok(tlog_note_check(text, signatures, &witness, &time));
    assert_int_equal(time, 0x6b07cc85);
    struct tlog_key stranger = log;
    stranger.id[0] ^= 1;
    assert_int_equal(tlog_note_check(text, signatures, &stranger, NULL), SOTTO_NOT_FOUND);
    sotto_buf written;
    sotto_buf_init(&written, sotto_env_system());
    assert_ok(tlog_checkpoint_write(&checkpoint, &written));
    assert_true(sotto_bytes_equal(sotto_buf_view(&written), text));
    sotto_buf_free(&written);
}

static void every_byte_of_a_note_counts(void **state)
{
    (void)state;
    const struct tlog_key log = key_of(log_key), witness = key_of(witness_key);
    for (size_t i = 0; i + 1 < sizeof note; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            char changed[sizeof note];
            struct tlog_checkpoint checkpoint;
            sotto_bytes text, signatures;
            memcpy(changed, note, sizeof note);
            changed[i] = (char)(changed[i] ^ (char)(1u << bit));
            const sotto_bytes bytes = sotto_bytes_of((uint8_t *)changed, sizeof note - 1);
            const bool good =
                tlog_checkpoint_open(bytes, &log, &checkpoint, &text, &signatures) == SOTTO_OK &&
                tlog_note_check(text, signatures, &witness, NULL) == SOTTO_OK;
            if (good)
                fail_msg("bit %u of byte %zu", bit, i);
        }
}

static void what_is_no_note_key_or_checkpoint_is_refused(void **state)
{
    (void)state;
    static const char *const notes[] = {
        "",
        "\n",
        "\n\n",
        "text\n",
        "text\n\n",
        "text\n\nx\n",
        "text\n\n\xe2\x80\x94 a b\n",
        "text\n\n\xe2\x80\x94 a AAAAAAAA",
        "text\n\n\xe2\x80\x94 a+b AAAAAAAA\n",
        "te\txt\n\n\xe2\x80\x94 a AAAAAAAA\n",
        "te\xffxt\n\n\xe2\x80\x94 a AAAAAAAA\n",
        ("text\n\n\xe2\x80\x94 a\xc2\xa0"
         "b AAAAAAAA\n"),
        "text\n\n\xe2\x80\x94 a AAAAAAAB=\n",
    };
    static const char *const keys[] = {
        "",
        "a",
        "a+66c72a09",
        "a+66c72a09+",
        "+66c72a09+Af0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY",
        "relay.example/orders+66c72a08+Af0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY",
        "relay.example/orders+66C72A09+Af0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY",
        "relay.example/orders+66c72a09+Af0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fY",
        "relay.example/orders+66c72a09+Bv0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY",
    };
    static const char *const checkpoints[] = {
        "",
        "a\n",
        "a\n1\n",
        "a\n01\nxw5zSZqcGcWQ2YSUvQUOs6ZGvzjJ96OX3OWj/t47JAc=\n",
        "a\n-1\nxw5zSZqcGcWQ2YSUvQUOs6ZGvzjJ96OX3OWj/t47JAc=\n",
        "a\n0\nxw5zSZqcGcWQ2YSUvQUOs6ZGvzjJ96OX3OWj/t47JAc=\n",
        "a\n99999999999999999999\nxw5zSZqcGcWQ2YSUvQUOs6ZGvzjJ96OX3OWj/t47JAc=\n",
        "\n1\nxw5zSZqcGcWQ2YSUvQUOs6ZGvzjJ96OX3OWj/t47JAc=\n",
        "a\n1\nxw5zSZqcGcWQ2YSUvQUOs6ZGvzjJ96OX3OWj/t47JA==\n",
        "a\n1\nxw5zSZqcGcWQ2YSUvQUOs6ZGvzjJ96OX3OWj/t47JAc=",
        "a\n1\nxw5zSZqcGcWQ2YSUvQUOs\xca\xa9GvzjJ96OX3OWj/t47JAc=\n",
        "a\n1\nxw5zSZqcGcWQ2YSUvQUOs6ZGvzjJ96OX3OWj/t47JAc=\n\nx\n",
    };
    struct tlog_key key;
    struct tlog_checkpoint checkpoint;
    sotto_bytes text, signatures;
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        if (tlog_note_split(sotto_bytes_str(notes[i]), &text, &signatures) == SOTTO_OK)
            fail_msg("%s", notes[i]);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (tlog_key_read(sotto_bytes_str(keys[i]), &key) == SOTTO_OK)
            fail_msg("%s", keys[i]);
    for (size_t i = 0; i < sizeof checkpoints / sizeof *checkpoints; i++)
        if (tlog_checkpoint_read(sotto_bytes_str(checkpoints[i]), &checkpoint) == SOTTO_OK)
            fail_msg("%s", checkpoints[i]);
    static const char *const names[] = {"", "a b", "a+b", "a\nb",
                                        ("a\xe2\x80\x83"
                                         "b")};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(tlog_key_make(names[i], TLOG_KEY_LOG, leaves[0].bytes, &key), SOTTO_VALUE);
}

/* As a witness makes it (C2SP tlog-cosignature). */
static void cosign(sotto_bytes text, const struct tlog_key *key,
                   const uint8_t secret[static TLOG_SECRET_SIZE], uint8_t time_s, sotto_buf *out)
{
    char base64[128];
    uint8_t value[4 + 8 + crypto_sign_BYTES] = {0};
    sotto_buf message;
    sotto_buf_init(&message, sotto_env_system());
    assert_ok(buf_print(&message, "cosignature/v1\ntime %u\n", time_s));
    assert_ok(sotto_buf_append(&message, text.data, text.size));
    memcpy(value, key->id, 4);
    value[11] = time_s;
    crypto_sign_detached(value + 12, NULL, message.data, message.size, secret);
    sodium_bin2base64(base64, sizeof base64, value, sizeof value, sodium_base64_VARIANT_ORIGINAL);
    assert_ok(buf_print(out, "\xe2\x80\x94 %s %s\n", key->name, base64));
    sotto_buf_free(&message);
}

static void only_good_cosignatures_of_known_witnesses_are_adopted_and_once(void **state)
{
    (void)state;
    struct tlog_key keys[2], log;
    uint8_t public_key[32], secret[TLOG_SECRET_SIZE], log_secret[TLOG_SECRET_SIZE];
    struct tlog_checkpoint checkpoint = {.origin = "a", .size = 700};
    sotto_buf whole, lines;
    size_t added = 0;
    sotto_buf_init(&whole, sotto_env_system());
    sotto_buf_init(&lines, sotto_env_system());
    crypto_sign_keypair(public_key, log_secret);
    assert_ok(tlog_key_make("a", TLOG_KEY_LOG, public_key, &log));
    crypto_sign_keypair(public_key, secret);
    assert_ok(tlog_key_make("w1", TLOG_KEY_WITNESS, public_key, &keys[0]));
    assert_ok(tlog_key_make("w2", TLOG_KEY_WITNESS, public_key, &keys[1]));
    checkpoint.root = leaves[0];
    assert_ok(tlog_checkpoint_write(&checkpoint, &whole));
    assert_ok(sotto_buf_append(&whole, (const uint8_t *)"\n", 1));
    const size_t text_size = whole.size - 1;
    assert_ok(tlog_note_sign(sotto_bytes_of(whole.data, text_size), &log, log_secret, &whole));
    const sotto_bytes text = sotto_bytes_of(whole.data, text_size);
    cosign(text, &keys[1], secret, 5, &lines);
    cosign(text, &keys[0], secret, 5, &lines);
    cosign(text, &keys[0], log_secret, 6, &lines); /* a wrong one */
    assert_ok(tlog_note_adopt(&whole, sotto_buf_view(&lines), keys, 1, &added));
    assert_int_equal(added, 1);
    assert_ok(tlog_note_adopt(&whole, sotto_buf_view(&lines), keys, 1, &added));
    assert_int_equal(added, 0);
    assert_ok(tlog_note_adopt(&whole, sotto_buf_view(&lines), keys, 2, &added));
    assert_int_equal(added, 1);
    sotto_bytes said, signatures;
    uint64_t time = 0;
    assert_ok(tlog_checkpoint_open(sotto_buf_view(&whole), &log, &checkpoint, &said, &signatures));
    assert_ok(tlog_note_check(said, signatures, &keys[1], &time));
    assert_int_equal(time, 5);
    sotto_buf_free(&whole);
    sotto_buf_free(&lines);
}

/* ---- Entries -------------------------------------------------------------------------------- */

static struct tlog_leaf answered(void)
{
    return (struct tlog_leaf){.type = TLOG_LEAF_ORDER,
                              .date = "2026-11-26",
                              .jurisdiction = "DE",
                              .authority = TLOG_AUTHORITY_COURT,
                              .outcome = TLOG_ANSWERED,
                              .phone_number = true,
                              .acknowledged_s = 60,
                              .answered_s = 86400,
                              .order = leaves[0],
                              .answer = leaves[1]};
}

static void an_entry_has_one_text(void **state)
{
    (void)state;
    struct tlog_leaf leaf = answered(), read;
    sotto_buf text;
    sotto_buf_init(&text, sotto_env_system());
    assert_ok(tlog_leaf_write(&leaf, &text));
    static const char expected[] = "sotto log v1\ntype order\ndate 2026-11-26\njurisdiction DE\n"
                                   "authority court\noutcome answered\ngiven phone_number\n"
                                   "acknowledged 60\nanswered 86400\norder ";
    assert_true(text.size > sizeof expected);
    assert_memory_equal(text.data, expected, sizeof expected - 1);
    assert_ok(tlog_leaf_read(sotto_buf_view(&text), &read));
    assert_memory_equal(&read, &leaf, sizeof leaf);
    for (size_t i = 0; i < text.size;
         i++) { /* whatever is changed is refused or means something else */
        const uint8_t kept = text.data[i];
        for (unsigned value = 0; value < 256; value++) {
            text.data[i] = (uint8_t)value;
            if (value != kept && tlog_leaf_read(sotto_buf_view(&text), &read) == SOTTO_OK)
                assert_memory_not_equal(&read, &leaf, sizeof leaf);
        }
        text.data[i] = kept;
    }
    sotto_buf_clear(&text);
    leaf = (struct tlog_leaf){.type = TLOG_LEAF_WITHDRAWAL,
                              .date = "2026-11-26",
                              .jurisdiction = "GB",
                              .on = "2027-02-28",
                              .reason = "A back door was ordered."};
    for (leaf.type = TLOG_LEAF_WITHDRAWAL; leaf.type <= TLOG_LEAF_LEFT; leaf.type++) {
        sotto_buf_clear(&text);
        assert_ok(tlog_leaf_write(&leaf, &text));
        assert_ok(tlog_leaf_read(sotto_buf_view(&text), &read));
        assert_memory_equal(&read, &leaf, sizeof leaf);
    }
    assert_error(tlog_leaf_write(&leaf, &text), VALUE);
    sotto_buf_free(&text);
    assert_error(tlog_leaf_read(sotto_bytes_str("sotto log v2\n"), &read), VERSION);
    assert_error(tlog_leaf_read(sotto_bytes_str("sotto log v1\ntype x\n"), &read), VERSION);
}

static void an_entry_cannot_say_what_must_not_be(void **state)
{
    (void)state;
    sotto_buf text;
    sotto_buf_init(&text, sotto_env_system());
    struct tlog_leaf leaf = answered();
    leaf.outcome = TLOG_REFUSED; /* and yet a number was given */
    assert_error(tlog_leaf_write(&leaf, &text), VALUE);
    leaf = answered();
    leaf.authority = TLOG_AUTHORITY_UNKNOWN;
    assert_error(tlog_leaf_write(&leaf, &text), VALUE);
    leaf = answered();
    memcpy(leaf.date, "2026-02-29", 11);
    assert_error(tlog_leaf_write(&leaf, &text), VALUE);
    leaf = answered();
    memcpy(leaf.jurisdiction, "D\nE", 4);
    assert_error(tlog_leaf_write(&leaf, &text), VALUE);
    assert_int_equal(text.size, 0);
    sotto_buf_free(&text);
    assert_true(tlog_is_date("2028-02-29"));
    assert_false(tlog_is_date("2026-13-01"));
    assert_false(tlog_is_date("2026-1-01"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_are_those_of_another_implementation),
        cmocka_unit_test(the_reference_tree_of_certificate_transparency_has_its_roots),
        cmocka_unit_test(proofs_are_those_of_another_implementation),
        cmocka_unit_test(every_proof_checks_and_none_for_anything_else),
        cmocka_unit_test(tiles_have_the_paths_of_the_specification),
        cmocka_unit_test(a_folder_that_grew_in_steps_has_the_same_root_and_proofs),
        cmocka_unit_test(the_specifications_note_verifies),
        cmocka_unit_test(another_implementations_checkpoint_and_cosignature_verify),
        cmocka_unit_test(every_byte_of_a_note_counts),
        cmocka_unit_test(what_is_no_note_key_or_checkpoint_is_refused),
        cmocka_unit_test(only_good_cosignatures_of_known_witnesses_are_adopted_and_once),
        cmocka_unit_test(an_entry_has_one_text),
        cmocka_unit_test(an_entry_cannot_say_what_must_not_be),
    };
    return cmocka_run_group_tests_name("tlog", tests, make_leaves, NULL);
}
