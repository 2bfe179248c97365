#include "mls/message_protection.h"
#include "unit/mls_clients.h"

/* Every message that a small group makes, decoded and encoded again, cut at each length and with
 * bytes left over. */

#define SUITE SOTTO_MLS_X25519_CHACHA_SHA256_ED25519

static sotto_error decode(sotto_bytes input, sotto_fault *fault, sotto_buf *again)
{
    struct arena arena;
    arena_init(&arena, sotto_env_system());
    struct mls_message message;
    sotto_error error = mls_message_decode(input, &arena, &message, fault);
    if (error == SOTTO_OK && again != NULL) {
        struct writer w;
        writer_init(&w, again);
        mls_message_write(&w, &message);
        assert_ok(writer_finish(&w));
    }
    arena_free(&arena);
    return error;
}

static void check_codec(sotto_bytes message)
{
    sotto_fault fault = {SOTTO_OK, "", 0};
    sotto_buf again, longer;
    sotto_buf_init(&again, sotto_env_system());
    sotto_buf_init(&longer, sotto_env_system());
    assert_ok(decode(message, &fault, &again));
    assert_bytes(sotto_buf_view(&again), message);
    for (size_t cut = 0; cut < message.size; cut++) {
        fault = (sotto_fault){SOTTO_OK, "", 0};
        assert_error(decode(sotto_bytes_of(message.data, cut), &fault, NULL), TRUNCATED);
        assert_true(fault.what[0] != 0 && fault.offset <= cut);
    }
    assert_ok(sotto_buf_append(&longer, message.data, message.size));
    assert_ok(sotto_buf_append(&longer, (const uint8_t *)"x", 1));
    assert_error(decode(sotto_buf_view(&longer), &fault, NULL), TRAILING);
    assert_int_equal(fault.offset, message.size);
    sotto_buf_free(&again);
    sotto_buf_free(&longer);
}

static void messages_are_decoded_whole_or_refused(void **state)
{
    (void)state;
    struct client a, b;
    client_new(&a, SUITE, "a", NULL);
    client_new(&b, SUITE, "b", NULL);
    client_create(&a, "group");
    client_key_package(&b);
    check_codec(sotto_buf_view(&b.key_package));

    sotto_buf commit, welcome, other;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_buf_init(&other, sotto_env_system());
    const sotto_mls_proposal add = {.type = SOTTO_MLS_ADD,
                                    .u.add.key_package = sotto_buf_view(&b.key_package)};
    const sotto_mls_commit_options options = {
        .proposals = &add, .proposal_count = 1, .framing = SOTTO_MLS_PUBLIC};
    sotto_mls_staged *staged;
    assert_ok(sotto_mls_commit(a.group, &options, &commit, &welcome, &staged));
    sotto_mls_staged_apply(a.group, staged);
    check_codec(sotto_buf_view(&commit));
    check_codec(sotto_buf_view(&welcome));

    assert_ok(
        sotto_mls_encrypt(a.group, sotto_bytes_str("text"), sotto_bytes_str("aad"), 7, &other));
    check_codec(sotto_buf_view(&other));
    sotto_buf_clear(&other);
    assert_ok(sotto_mls_group_info(a.group, true, true, &other));
    check_codec(sotto_buf_view(&other));
    sotto_buf_clear(&other);
    const sotto_mls_proposal update = {.type = SOTTO_MLS_UPDATE};
    assert_ok(sotto_mls_propose(a.group, &update, NULL, SOTTO_MLS_PUBLIC, &other));
    check_codec(sotto_buf_view(&other));

    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
    sotto_buf_free(&other);
    client_free(&a);
    client_free(&b);
}

static void what_is_not_allowed_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        sotto_error error;
        size_t offset;
        uint8_t bytes[24];
        size_t size;
    } cases[] = {
        {"MLSMessage.version", SOTTO_VERSION, 2, {0, 2, 0, 1}, 4},
        {"MLSMessage.wire_format", SOTTO_VALUE, 4, {0, 1, 0, 9}, 4},
        {"Sender.sender_type", SOTTO_VALUE, 14, {0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}, 14},
        {"PrivateMessage.content_type",
         SOTTO_VALUE,
         14,
         {0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4},
         14},
        {"Welcome.cipher_suite", SOTTO_TRUNCATED, 4, {0, 1, 0, 3, 0}, 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sotto_fault fault = {SOTTO_OK, "", 0};
        sotto_bytes input = sotto_bytes_of(cases[i].bytes, cases[i].size);
        assert_int_equal(decode(input, &fault, NULL), cases[i].error);
        assert_string_equal(fault.what, cases[i].what);
        assert_int_equal(fault.offset, cases[i].offset);
    }
}

/* 6.3.1: padding that is not zero, encrypted by a member who holds the keys. */
static void padding_is_zero(void **state)
{
    (void)state;
    struct crypto *crypto;
    assert_ok(crypto_new(sotto_env_system(), &crypto));
    const struct suite *suite = suite_by_id(SUITE);
    static const uint8_t secret[32] = {1};
    struct secret_tree tree;
    assert_ok(secret_tree_init(&tree, crypto, suite, 2, sotto_bytes_of(secret, 32)));
    const struct message_keys keys = {
        .crypto = crypto,
        .suite = suite,
        .sender_data_secret = sotto_bytes_of(secret, 32),
        .tree = &tree,
        .limits = {10, 10},
    };
    struct authenticated message, opened;
    authenticated_init(&message, sotto_env_system());
    message.wire_format = WIRE_PRIVATE_MESSAGE;
    message.content =
        (struct framed_content){.sender = {SENDER_MEMBER, 0}, .content_type = CONTENT_APPLICATION};
    sotto_buf private_key, public_key, out;
    sotto_buf_init(&private_key, sotto_env_system());
    sotto_buf_init(&public_key, sotto_env_system());
    sotto_buf_init(&out, sotto_env_system());
    struct secret signer = {0};
    assert_ok(crypto_signature_generate(crypto, suite, &signer, &public_key));
    const sotto_bytes body = sotto_bytes_of((const uint8_t *)"\4text", 5);
    assert_ok(
        message_sign(&keys, &message, body, secret_view(&signer), sotto_buf_view(&public_key)));
    struct secret_step step;
    assert_ok(message_protect_private(&keys, &message, 8, &step, &out));

    struct arena arena;
    arena_init(&arena, sotto_env_system());
    for (size_t bad = 0; bad < 2; bad++) {
        struct mls_message wire;
        struct sender_data sender;
        sotto_fault fault = {SOTTO_OK, "", 0};
        assert_ok(mls_message_decode(sotto_buf_view(&out), &arena, &wire, &fault));
        const struct private_message *sealed = &wire.u.private_message;
        assert_ok(message_open_sender_data(&keys, sealed, &sender));
        authenticated_init(&opened, sotto_env_system());
        sotto_error error =
            message_open_private(&keys, sealed, &sender, &step.key, &opened, &fault);
        assert_int_equal(error, bad ? SOTTO_VALUE : SOTTO_OK);
        if (bad)
            assert_string_equal(fault.what, "PrivateMessageContent.padding");
        /* The sample for the sender data stays: only the last octet of padding changes. */
        uint8_t nonce[12], plain[256];
        memcpy(nonce, step.key.nonce, sizeof nonce);
        for (size_t i = 0; i < 4; i++)
            nonce[i] ^= sender.reuse_guard[i];
        size_t size = opened.plaintext.size;
        assert_true(size <= sizeof plain && size > 0);
        memcpy(plain, opened.plaintext.data, size);
        plain[size - 1] = 1;
        assert_ok(crypto_seal(crypto, suite, sotto_bytes_of(step.key.key, suite->nk),
                              sotto_bytes_of(nonce, sizeof nonce), sealed->content_aad,
                              sotto_bytes_of(plain, size),
                              out.data + (sealed->ciphertext.data - out.data)));
        authenticated_free(&opened);
    }
    arena_free(&arena);
    secret_step_free(&step);
    secret_tree_free(&tree);
    authenticated_free(&message);
    sotto_buf_free(&private_key);
    sotto_buf_free(&public_key);
    sotto_buf_free(&out);
    crypto_free(crypto);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_decoded_whole_or_refused),
        cmocka_unit_test(what_is_not_allowed_is_named),
        cmocka_unit_test(padding_is_zero),
    };
    return cmocka_run_group_tests_name("mls_framing", tests, NULL, NULL);
}
