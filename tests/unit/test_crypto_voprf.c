/* RFC 9497 by its vectors (ristretto255-SHA512, all modes), and what must be refused. */
#include "crypto/voprf.h"

#include "unit/vectors.h"

enum { BATCH = 4 };

/* An environment whose scalars are a vector's: 32 bytes given, 32 of zeros behind them, which
 * reduces to what was given. */
static sotto_error scripted_random(void *ctx, uint8_t *out, size_t size)
{
    sotto_bytes *script = ctx;
    assert_int_equal(size, 64);
    assert_true(script->size >= VOPRF_SCALAR);
    memset(out, 0, size);
    memcpy(out, script->data, VOPRF_SCALAR);
    script->data += VOPRF_SCALAR;
    script->size -= VOPRF_SCALAR;
    return SOTTO_OK;
}

static sotto_env scripted(sotto_bytes *script)
{
    sotto_env env = *sotto_env_system();
    env.ctx = script;
    env.random = scripted_random;
    return env;
}

/* "aa,bb" as two views. */
static size_t list_of(struct vectors *v, const json_t *c, const char *key, sotto_bytes *list)
{
    char text[4096];
    size_t count = 0;
    char *save = NULL;
    (void)snprintf(text, sizeof text, "%s", vectors_text(v, c, key));
    for (char *word = strtok_r(text, ",", &save); word != NULL; word = strtok_r(NULL, ",", &save)) {
        assert_true(count < BATCH);
        list[count++] = vectors_hex_text(&v->arena, word);
    }
    return count;
}

static void concat(const sotto_bytes *list, size_t count, uint8_t *out)
{
    for (size_t i = 0; i < count; i++)
        memcpy(out + i * list[i].size, list[i].data, list[i].size);
}

struct vector_case {
    enum voprf_mode mode;
    struct voprf_key key;
    sotto_bytes info, proof, r;
    sotto_bytes inputs[BATCH], blinds[BATCH], blinded[BATCH], evaluated[BATCH], outputs[BATCH];
    size_t count;
};

static void run_case(const struct vector_case *c)
{
    uint8_t blinded[BATCH * VOPRF_ELEMENT], evaluated[BATCH * VOPRF_ELEMENT];
    uint8_t expected[BATCH * VOPRF_OUTPUT], outputs[BATCH * VOPRF_OUTPUT], proof[VOPRF_PROOF];
    struct secret blinds[BATCH] = {0};
    struct voprf_blinded sent[BATCH];
    sotto_bytes script;
    sotto_env env = scripted(&script);
    const sotto_bytes all = sotto_bytes_of(blinded, c->count * VOPRF_ELEMENT);
    for (size_t i = 0; i < c->count; i++) {
        script = c->blinds[i];
        assert_ok(
            voprf_blind(c->mode, &env, c->inputs[i], &blinds[i], blinded + i * VOPRF_ELEMENT));
        assert_bytes(sotto_bytes_of(blinded + i * VOPRF_ELEMENT, VOPRF_ELEMENT), c->blinded[i]);
        sent[i] = (struct voprf_blinded){c->inputs[i], secret_view(&blinds[i])};
    }
    script = c->r;
    assert_ok(voprf_blind_evaluate(c->mode, &env, &c->key, c->info, all, evaluated, proof));
    for (size_t i = 0; i < c->count; i++)
        assert_bytes(sotto_bytes_of(evaluated + i * VOPRF_ELEMENT, VOPRF_ELEMENT), c->evaluated[i]);
    if (c->mode != VOPRF_MODE_OPRF)
        assert_bytes(sotto_bytes_of(proof, sizeof proof), c->proof);
    concat(c->outputs, c->count, expected);
    assert_ok(voprf_finalize(c->mode, sotto_bytes_of(c->key.public_key, VOPRF_ELEMENT), c->info,
                             sent, c->count, all, sotto_bytes_of(evaluated, all.size),
                             sotto_bytes_of(proof, sizeof proof), outputs));
    assert_memory_equal(outputs, expected, c->count * VOPRF_OUTPUT);
    for (size_t i = 0; i < c->count; i++) {
        assert_ok(voprf_evaluate(c->mode, &c->key, c->info, c->inputs[i], outputs));
        assert_bytes(sotto_bytes_of(outputs, VOPRF_OUTPUT), c->outputs[i]);
    }
}

static void read_case(struct vectors *v, const json_t *vector, struct vector_case *c)
{
    c->count = list_of(v, vector, "Input", c->inputs);
    assert_int_equal(list_of(v, vector, "Blind", c->blinds), c->count);
    assert_int_equal(list_of(v, vector, "BlindedElement", c->blinded), c->count);
    assert_int_equal(list_of(v, vector, "EvaluationElement", c->evaluated), c->count);
    assert_int_equal(list_of(v, vector, "Output", c->outputs), c->count);
    c->info = vectors_has(vector, "Info") ? vectors_hex(v, vector, "Info") : (sotto_bytes){0};
    if (vectors_has(vector, "Proof")) {
        const json_t *proof = vectors_member(v, vector, "Proof");
        c->proof = vectors_hex(v, proof, "proof");
        c->r = vectors_hex(v, proof, "r");
    }
}

static void rfc_9497_vectors_hold(void **state)
{
    (void)state;
    struct vectors v;
    size_t index, ran = 0;
    json_t *suite;
    vectors_open(&v, "crypto/voprf-ristretto255-sha512.json");
    json_array_foreach(v.root, index, suite)
    {
        struct vector_case c = {.mode = (enum voprf_mode)vectors_u64(&v, suite, "mode")};
        const json_t *list = vectors_member(&v, suite, "vectors");
        struct voprf_key loaded = {0};
        size_t at;
        json_t *vector;
        assert_ok(voprf_key_derive(c.mode, vectors_hex(&v, suite, "seed"),
                                   vectors_hex(&v, suite, "keyInfo"), &c.key));
        assert_bytes(secret_view(&c.key.private_key), vectors_hex(&v, suite, "skSm"));
        if (vectors_has(suite, "pkSm"))
            assert_bytes(sotto_bytes_of(c.key.public_key, VOPRF_ELEMENT),
                         vectors_hex(&v, suite, "pkSm"));
        assert_ok(voprf_key_load(secret_view(&c.key.private_key), &loaded));
        assert_memory_equal(loaded.public_key, c.key.public_key, VOPRF_ELEMENT);
        json_array_foreach(list, at, vector)
        {
            read_case(&v, vector, &c);
            run_case(&c);
            ran++;
        }
    }
    assert_int_equal(ran, 8);
    print_message("# voprf-ristretto255-sha512.json: %zu cases\n", ran);
    vectors_close(&v);
}

/* ---- Refusals ------------------------------------------------------------------------------- */

struct exchange {
    struct voprf_key key;
    uint8_t inputs[BATCH][32], blinded[BATCH * VOPRF_ELEMENT], evaluated[BATCH * VOPRF_ELEMENT];
    uint8_t proof[VOPRF_PROOF], outputs[BATCH * VOPRF_OUTPUT];
    struct secret blinds[BATCH];
    struct voprf_blinded sent[BATCH];
};

static void blind_all(struct exchange *x)
{
    const sotto_env *env = sotto_env_system();
    memset(x, 0, sizeof *x);
    assert_ok(voprf_key_generate(env, &x->key));
    for (size_t i = 0; i < BATCH; i++) {
        assert_ok(env->random(env->ctx, x->inputs[i], 32));
        assert_ok(voprf_blind(VOPRF_MODE_VOPRF, env, sotto_bytes_of(x->inputs[i], 32),
                              &x->blinds[i], x->blinded + i * VOPRF_ELEMENT));
        x->sent[i] =
            (struct voprf_blinded){sotto_bytes_of(x->inputs[i], 32), secret_view(&x->blinds[i])};
    }
}

static sotto_error evaluate_all(struct exchange *x)
{
    return voprf_blind_evaluate(VOPRF_MODE_VOPRF, sotto_env_system(), &x->key, (sotto_bytes){0},
                                sotto_bytes_of(x->blinded, sizeof x->blinded), x->evaluated,
                                x->proof);
}

static sotto_error finalize_with(struct exchange *x, const uint8_t *public_key)
{
    return voprf_finalize(VOPRF_MODE_VOPRF, sotto_bytes_of(public_key, VOPRF_ELEMENT),
                          (sotto_bytes){0}, x->sent, BATCH,
                          sotto_bytes_of(x->blinded, sizeof x->blinded),
                          sotto_bytes_of(x->evaluated, sizeof x->evaluated),
                          sotto_bytes_of(x->proof, sizeof x->proof), x->outputs);
}

static void assert_no_outputs(const struct exchange *x)
{
    static const uint8_t zeros[BATCH * VOPRF_OUTPUT];
    assert_memory_equal(x->outputs, zeros, sizeof zeros);
}

static void every_flipped_bit_of_an_answer_is_refused(void **state)
{
    (void)state;
    struct exchange x;
    blind_all(&x);
    assert_ok(evaluate_all(&x));
    assert_ok(finalize_with(&x, x.key.public_key));
    for (size_t bit = 0; bit < sizeof x.proof * 8; bit += 7) {
        x.proof[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_error(finalize_with(&x, x.key.public_key), SIGNATURE);
        assert_no_outputs(&x);
        x.proof[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < sizeof x.evaluated * 8; bit += 13) {
        x.evaluated[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(finalize_with(&x, x.key.public_key), SOTTO_OK);
        assert_no_outputs(&x);
        x.evaluated[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_ok(finalize_with(&x, x.key.public_key));
}

static void one_element_under_another_key_spoils_the_batch(void **state)
{
    (void)state;
    struct exchange x;
    struct voprf_key other = {0};
    uint8_t proof[VOPRF_PROOF];
    blind_all(&x);
    assert_ok(evaluate_all(&x));
    assert_ok(voprf_key_generate(sotto_env_system(), &other));
    assert_ok(voprf_blind_evaluate(VOPRF_MODE_VOPRF, sotto_env_system(), &other, (sotto_bytes){0},
                                   sotto_bytes_of(x.blinded + VOPRF_ELEMENT, VOPRF_ELEMENT),
                                   x.evaluated + VOPRF_ELEMENT, proof));
    assert_error(finalize_with(&x, x.key.public_key), SIGNATURE);
    assert_ok(evaluate_all(&x));
    assert_error(finalize_with(&x, other.public_key), SIGNATURE);
}

/* Section 4.1: the identity and every encoding that is not the one. From the test vectors of
 * RFC 9496, appendix A.3. */
static void elements_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
        "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e",
    };
    struct exchange x;
    struct arena arena;
    arena_init(&arena, sotto_env_system());
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sotto_bytes element = vectors_hex_text(&arena, bad[i]);
        assert_error(voprf_check_element(element), KEY);
        blind_all(&x);
        memcpy(x.blinded + VOPRF_ELEMENT, element.data, VOPRF_ELEMENT);
        assert_error(evaluate_all(&x), KEY);
        blind_all(&x);
        assert_ok(evaluate_all(&x));
        memcpy(x.evaluated, element.data, VOPRF_ELEMENT);
        assert_error(finalize_with(&x, x.key.public_key), KEY);
        assert_error(finalize_with(&x, element.data), KEY);
    }
    arena_free(&arena);
}

static void scalars_and_sizes_that_are_wrong_are_refused(void **state)
{
    (void)state;
    struct exchange x;
    struct voprf_key key = {0};
    uint8_t order[VOPRF_SCALAR] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                   0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14};
    uint8_t zero[VOPRF_SCALAR] = {0};
    order[31] = 0x10;
    assert_error(voprf_key_load(sotto_bytes_of(order, sizeof order), &key), KEY);
    assert_error(voprf_key_load(sotto_bytes_of(zero, sizeof zero), &key), KEY);
    assert_error(voprf_key_load(sotto_bytes_of(zero, 31), &key), KEY);
    assert_int_equal(key.private_key.size, 0);
    blind_all(&x);
    for (size_t size = 0; size < sizeof x.blinded; size++)
        if (size % VOPRF_ELEMENT != 0 || size == 0)
            assert_error(voprf_blind_evaluate(VOPRF_MODE_VOPRF, sotto_env_system(), &x.key,
                                              (sotto_bytes){0}, sotto_bytes_of(x.blinded, size),
                                              x.evaluated, x.proof),
                         LENGTH);
    assert_ok(evaluate_all(&x));
    memcpy(x.proof + VOPRF_SCALAR, order, sizeof order);
    assert_error(finalize_with(&x, x.key.public_key), SIGNATURE);
}

/* The same tokens asked for twice get the same answer: nothing is lost with a lost answer. */
static void evaluating_again_gives_the_same_elements(void **state)
{
    (void)state;
    struct exchange x;
    uint8_t first[sizeof x.evaluated];
    blind_all(&x);
    assert_ok(evaluate_all(&x));
    memcpy(first, x.evaluated, sizeof first);
    assert_ok(evaluate_all(&x));
    assert_memory_equal(x.evaluated, first, sizeof first);
}

static sotto_error no_random(void *ctx, uint8_t *out, size_t size)
{
    (void)ctx;
    memset(out, 0, size);
    return SOTTO_NO_RANDOM;
}

static void without_randomness_nothing_is_given_out(void **state)
{
    (void)state;
    struct exchange x;
    static const uint8_t zeros[sizeof x.evaluated];
    sotto_env env = *sotto_env_system();
    env.random = no_random;
    blind_all(&x);
    assert_error(voprf_blind_evaluate(VOPRF_MODE_VOPRF, &env, &x.key, (sotto_bytes){0},
                                      sotto_bytes_of(x.blinded, sizeof x.blinded), x.evaluated,
                                      x.proof),
                 NO_RANDOM);
    assert_memory_equal(x.evaluated, zeros, sizeof zeros);
    assert_error(voprf_blind(VOPRF_MODE_VOPRF, &env, sotto_bytes_of(x.inputs[0], 32), &x.blinds[0],
                             x.blinded),
                 NO_RANDOM);
    assert_int_equal(x.blinds[0].size, 0);
    assert_error(voprf_key_generate(&env, &x.key), NO_RANDOM);
    assert_int_equal(x.key.private_key.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_9497_vectors_hold),
        cmocka_unit_test(every_flipped_bit_of_an_answer_is_refused),
        cmocka_unit_test(one_element_under_another_key_spoils_the_batch),
        cmocka_unit_test(elements_that_are_none_are_refused),
        cmocka_unit_test(scalars_and_sizes_that_are_wrong_are_refused),
        cmocka_unit_test(evaluating_again_gives_the_same_elements),
        cmocka_unit_test(without_randomness_nothing_is_given_out),
    };
    return cmocka_run_group_tests_name("crypto_voprf", tests, NULL, NULL);
}
