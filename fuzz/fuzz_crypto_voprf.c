/* Elements, proofs, keys and batches of arbitrary bytes: all are refused or used, none crashes, and
 * no arbitrary bytes are a proof. Input: one byte that picks mode and call, then the bytes. */
#include <string.h>

#include "crypto/voprf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COUNT = 2 };

static struct voprf_key keys[3];
static struct secret blinds[3][COUNT];
static uint8_t blinded[3][COUNT * VOPRF_ELEMENT];

static void prepare(void)
{
    const uint8_t seed[VOPRF_SEED] = {1};
    for (int mode = 0; mode < 3; mode++) {
        if (voprf_key_derive((enum voprf_mode)mode, sotto_bytes_of(seed, sizeof seed),
                             sotto_bytes_str("fuzz"), &keys[mode]) != SOTTO_OK)
            abort();
        for (size_t i = 0; i < COUNT; i++)
            if (voprf_blind((enum voprf_mode)mode, sotto_env_system(), sotto_bytes_str("input"),
                            &blinds[mode][i], blinded[mode] + i * VOPRF_ELEMENT) != SOTTO_OK)
                abort();
    }
}

static void evaluate(enum voprf_mode mode, sotto_bytes batch)
{
    uint8_t evaluated[64 * VOPRF_ELEMENT], proof[VOPRF_PROOF];
    if (batch.size > sizeof evaluated)
        batch.size = sizeof evaluated;
    (void)voprf_blind_evaluate(mode, sotto_env_system(), &keys[mode], (sotto_bytes){0}, batch,
                               evaluated, proof);
}

static void finalize(enum voprf_mode mode, sotto_bytes answer)
{
    struct voprf_blinded sent[COUNT];
    uint8_t outputs[COUNT * VOPRF_OUTPUT];
    size_t evaluated = COUNT * VOPRF_ELEMENT;
    if (answer.size < evaluated)
        evaluated = answer.size;
    for (size_t i = 0; i < COUNT; i++)
        sent[i] = (struct voprf_blinded){sotto_bytes_str("input"), secret_view(&blinds[mode][i])};
    sotto_error error = voprf_finalize(
        mode, sotto_bytes_of(keys[mode].public_key, VOPRF_ELEMENT), (sotto_bytes){0}, sent, COUNT,
        sotto_bytes_of(blinded[mode], sizeof blinded[mode]), sotto_bytes_of(answer.data, evaluated),
        sotto_bytes_of(answer.data + evaluated, answer.size - evaluated), outputs);
    if (error == SOTTO_OK && mode != VOPRF_MODE_OPRF)
        abort(); /* a proof without the key, fresh blinds each run */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct voprf_key key = {0};
    uint8_t output[VOPRF_OUTPUT];
    if (keys[0].private_key.size == 0)
        prepare();
    if (size == 0)
        return 0;
    enum voprf_mode mode = (enum voprf_mode)(data[0] % 3);
    sotto_bytes input = sotto_bytes_of(data + 1, size - 1);
    switch (data[0] / 3 % 4) {
    case 0:
        evaluate(mode, input);
        break;
    case 1:
        finalize(mode, input);
        break;
    case 2:
        if (voprf_key_load(input, &key) == SOTTO_OK &&
            voprf_check_element(sotto_bytes_of(key.public_key, VOPRF_ELEMENT)) != SOTTO_OK)
            abort();
        voprf_key_wipe(&key);
        break;
    default:
        if (voprf_evaluate(mode, &keys[mode], input, input, output) != SOTTO_OK)
            abort();
        break;
    }
    return 0;
}
