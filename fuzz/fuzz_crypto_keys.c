/* Public keys, encapsulations, signatures and ciphertexts of arbitrary bytes, for every suite: all
 * are refused or used, none crashes. Input: one byte that picks the suite, one that picks the call,
 * then the bytes. */
#include "crypto/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct crypto *crypto;

/* Key pairs to be attacked, one a suite, made once. */
#define SUITES_MAX 16
static struct secret private_keys[SUITES_MAX];
static sotto_buf public_keys[SUITES_MAX];
static size_t suite_count;

static void prepare(void)
{
    const struct suite *const *suites = suite_all();
    if (crypto_new(sotto_env_system(), &crypto) != SOTTO_OK)
        abort();
    for (; suites[suite_count] != NULL && suite_count < SUITES_MAX; suite_count++) {
        uint8_t ikm[32] = {(uint8_t)suite_count};
        sotto_buf_init(&public_keys[suite_count], sotto_env_system());
        if (crypto_kem_derive(crypto, suites[suite_count], sotto_bytes_of(ikm, sizeof ikm),
                              &private_keys[suite_count], &public_keys[suite_count]) != SOTTO_OK)
            abort();
    }
}

/* A view of the first size bytes of the input, which it consumes; all that is left if it is less.
 */
static sotto_bytes take(sotto_bytes *input, size_t size)
{
    sotto_bytes taken = *input;
    if (taken.size > size)
        taken.size = size;
    input->data += taken.size;
    input->size -= taken.size;
    return taken;
}

static void encrypt_to(const struct suite *suite, sotto_bytes public_key)
{
    sotto_buf enc, ciphertext;
    struct secret secret = {0};
    sotto_buf_init(&enc, sotto_env_system());
    sotto_buf_init(&ciphertext, sotto_env_system());
    sotto_error checked = crypto_kem_check(crypto, suite, public_key);
    sotto_error sealed = crypto_encrypt_with_label(crypto, suite, public_key, "fuzz", public_key,
                                                   sotto_bytes_str("text"), &enc, &ciphertext);
    if (checked != SOTTO_OK && sealed == SOTTO_OK)
        abort(); /* a key that the check refuses is never encrypted to */
    if (sealed != SOTTO_OK && (enc.size != 0 || ciphertext.size != 0))
        abort();
    sotto_buf_clear(&enc);
    if (crypto_hpke_export_send(crypto, suite, public_key, sotto_bytes_str("fuzz"), suite->nh, &enc,
                                &secret) != SOTTO_OK &&
        secret.size != 0)
        abort();
    secret_wipe(&secret);
    sotto_buf_free(&enc);
    sotto_buf_free(&ciphertext);
}

static void decrypt(const struct suite *suite, size_t own, sotto_bytes input)
{
    sotto_buf plaintext;
    struct secret secret = {0};
    sotto_bytes enc = take(&input, suite->nenc);
    sotto_buf_init(&plaintext, sotto_env_system());
    if (crypto_decrypt_with_label(crypto, suite, secret_view(&private_keys[own]),
                                  sotto_buf_view(&public_keys[own]), "fuzz", (sotto_bytes){0}, enc,
                                  input, &plaintext) != SOTTO_OK &&
        plaintext.size != 0)
        abort();
    crypto_hpke_export_receive(crypto, suite, secret_view(&private_keys[own]), (sotto_bytes){0},
                               enc, input, suite->nh, &secret);
    secret_wipe(&secret);
    sotto_buf_free(&plaintext);
}

static void verify(const struct suite *suite, sotto_bytes input)
{
    /* The key's length is not told by the interface: try what a first byte says. */
    size_t size = input.size > 0 ? input.data[0] : 0;
    take(&input, 1);
    sotto_bytes public_key = take(&input, size), signature = take(&input, SIGNATURE_MAX + 1);
    crypto_verify_with_label(crypto, suite, public_key, "fuzz", input, signature);
}

static void sign(const struct suite *suite, sotto_bytes input)
{
    sotto_buf public_key, signature;
    sotto_buf_init(&public_key, sotto_env_system());
    sotto_buf_init(&signature, sotto_env_system());
    if (crypto_signature_public(crypto, suite, input, &public_key) == SOTTO_OK) {
        if (crypto_sign_with_label(crypto, suite, input, sotto_buf_view(&public_key), "fuzz", input,
                                   &signature) != SOTTO_OK ||
            crypto_verify_with_label(crypto, suite, sotto_buf_view(&public_key), "fuzz", input,
                                     sotto_buf_view(&signature)) != SOTTO_OK)
            abort();
    }
    sotto_buf_free(&public_key);
    sotto_buf_free(&signature);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (crypto == NULL)
        prepare();
    if (size < 2)
        return 0;
    size_t own = data[0] % suite_count;
    const struct suite *suite = suite_all()[own];
    sotto_bytes input = sotto_bytes_of(data + 2, size - 2);
    switch (data[1] % 5) {
    case 0:
        encrypt_to(suite, input);
        break;
    case 1:
        decrypt(suite, own, input);
        break;
    case 2:
        verify(suite, input);
        break;
    case 3:
        sign(suite, input);
        break;
    default:
        crypto_kem_check_pair(crypto, suite, take(&input, suite->nsk), input);
        break;
    }
    return 0;
}
