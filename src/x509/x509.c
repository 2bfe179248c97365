/* The shipped verifier of X.509 credentials. Stands beside the engine, not in it: the engine knows
 * credentials as bytes only, and builds without this file. */
#include "sotto/mls_x509.h"

#include <limits.h>
#include <string.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/base.h"

#define DER_SEQUENCE 0x30
#define SECURITY_LEVEL 2 /* OpenSSL's level of 112 bits */

struct sotto_mls_x509 {
    const sotto_env *env;
    X509_STORE *store;
    sotto_fault fault;
};

static sotto_error fail(sotto_mls_x509 *verifier, sotto_error error, const char *what)
{
    verifier->fault = (sotto_fault){.error = error, .what = what};
    ERR_clear_error(); /* OpenSSL's queue belongs to the thread, and so to the caller */
    return error;
}

static sotto_error succeed(sotto_mls_x509 *verifier)
{
    return fail(verifier, SOTTO_OK, "");
}

sotto_error sotto_mls_x509_new(const sotto_env *env, sotto_mls_x509 **verifier)
{
    sotto_mls_x509 *made = mem_alloc(env, sizeof *made);
    if (made == NULL)
        return SOTTO_NO_MEMORY;
    made->env = env;
    made->fault.what = "";
    made->store = X509_STORE_new();
    if (made->store == NULL) {
        mem_free(env, made, sizeof *made);
        ERR_clear_error();
        return SOTTO_NO_MEMORY;
    }
    *verifier = made;
    return SOTTO_OK;
}

void sotto_mls_x509_free(sotto_mls_x509 *verifier)
{
    if (verifier == NULL)
        return;
    X509_STORE_free(verifier->store);
    mem_free(verifier->env, verifier, sizeof *verifier);
}

const sotto_fault *sotto_mls_x509_fault(const sotto_mls_x509 *verifier)
{
    return &verifier->fault;
}

/* ---- Reading certificates -------------------------------------------------------------------- */

static sotto_error read_der(sotto_mls_x509 *verifier, sotto_bytes der, X509 **certificate)
{
    const uint8_t *at = der.data;
    if (der.size == 0 || der.size > LONG_MAX)
        return fail(verifier, SOTTO_VALUE, "certificate");
    X509 *read = d2i_X509(NULL, &at, (long)der.size);
    if (read == NULL)
        return fail(verifier, SOTTO_VALUE, "certificate");
    if (at != der.data + der.size) {
        X509_free(read);
        return fail(verifier, SOTTO_TRAILING, "certificate");
    }
    *certificate = read;
    return SOTTO_OK;
}

/* OpenSSL would otherwise ask at the terminal for the password of an encrypted block. */
static int no_password(char *out, int size, int writing, void *ctx)
{
    (void)out, (void)size, (void)writing, (void)ctx;
    return -1;
}

static sotto_error push(sotto_mls_x509 *verifier, STACK_OF(X509) * list, X509 *certificate)
{
    if (sk_X509_push(list, certificate) > 0)
        return SOTTO_OK;
    X509_free(certificate);
    return fail(verifier, SOTTO_NO_MEMORY, "certificate");
}

static sotto_error read_pem(sotto_mls_x509 *verifier, sotto_bytes pem, STACK_OF(X509) * list)
{
    if (pem.size == 0 || pem.size > INT_MAX)
        return fail(verifier, SOTTO_VALUE, "certificates");
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    if (bio == NULL)
        return fail(verifier, SOTTO_NO_MEMORY, "certificates");
    sotto_error error = SOTTO_OK;
    X509 *read;
    ERR_clear_error();
    while (error == SOTTO_OK && (read = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL)
        error = push(verifier, list, read);
    BIO_free(bio);
    if (error != SOTTO_OK)
        return error;
    /* Only the end of the text may end the list: a damaged block must not shorten it silently. */
    bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (!ended || sk_X509_num(list) == 0)
        return fail(verifier, SOTTO_VALUE, "certificates");
    return SOTTO_OK;
}

static sotto_error read_any(sotto_mls_x509 *verifier, sotto_bytes bytes, STACK_OF(X509) * list)
{
    if (bytes.size == 0 || bytes.data[0] != DER_SEQUENCE)
        return read_pem(verifier, bytes, list);
    X509 *certificate;
    TRY(read_der(verifier, bytes, &certificate));
    return push(verifier, list, certificate);
}

sotto_error sotto_mls_x509_trust(sotto_mls_x509 *verifier, sotto_bytes certificates)
{
    STACK_OF(X509) *list = sk_X509_new_null();
    if (list == NULL)
        return fail(verifier, SOTTO_NO_MEMORY, "certificates");
    sotto_error error = read_any(verifier, certificates, list);
    for (int i = 0; error == SOTTO_OK && i < sk_X509_num(list); i++)
        if (!X509_STORE_add_cert(verifier->store, sk_X509_value(list, i)))
            error = fail(verifier, SOTTO_NO_MEMORY, "certificates");
    sk_X509_pop_free(list, X509_free);
    return error == SOTTO_OK ? succeed(verifier) : error;
}

/* The credential's certificates, leaf first. */
static sotto_error read_credential(sotto_mls_x509 *verifier, const sotto_mls_credential *credential,
                                   STACK_OF(X509) * list)
{
    if (credential->type != SOTTO_MLS_X509 || credential->chain_count == 0)
        return fail(verifier, SOTTO_CREDENTIAL, "Credential.credential_type");
    if (credential->chain_count > SOTTO_MLS_X509_CHAIN_MAX)
        return fail(verifier, SOTTO_LIMIT, "Credential.certificates");
    for (size_t i = 0; i < credential->chain_count; i++) {
        X509 *certificate;
        sotto_error error = read_der(verifier, credential->chain[i], &certificate);
        if (error != SOTTO_OK)
            return fail(verifier, SOTTO_VALUE, "Credential.certificates");
        TRY(push(verifier, list, certificate));
    }
    return SOTTO_OK;
}

/* ---- The leaf's key -------------------------------------------------------------------------- */

/* What the suites sign with, in OpenSSL's words (RFC 9420, 17.1). curve: NULL but for ECDSA. */
struct signer {
    uint16_t suite;
    const char *algorithm, *curve;
};

static const struct signer signers[] = {
    {SOTTO_MLS_X25519_AES128_SHA256_ED25519, "ED25519", NULL},
    {SOTTO_MLS_P256_AES128_SHA256_P256, "EC", "P-256"},
    {SOTTO_MLS_X25519_CHACHA_SHA256_ED25519, "ED25519", NULL},
    {SOTTO_MLS_X448_AES256_SHA512_ED448, "ED448", NULL},
    {SOTTO_MLS_P521_AES256_SHA512_P521, "EC", "P-521"},
    {SOTTO_MLS_X448_CHACHA_SHA512_ED448, "ED448", NULL},
    {SOTTO_MLS_P384_AES256_SHA384_P384, "EC", "P-384"},
    {SOTTO_MLS_XWING_CHACHA_SHA256_ED25519, "ED25519", NULL},
    {SOTTO_MLS_PQ_XWING_AES128_SHA256_ED25519, "ED25519", NULL},
    {SOTTO_MLS_PQ_XWING_AES256_SHA384_ED25519, "ED25519", NULL},
    {SOTTO_MLS_PQ_MLKEM768P256_AES128_SHA256_P256, "EC", "P-256"},
    {SOTTO_MLS_PQ_MLKEM768P256_AES256_SHA384_P256, "EC", "P-256"},
    {SOTTO_MLS_PQ_MLKEM768_AES256_SHA384_ED25519, "ED25519", NULL},
    {SOTTO_MLS_PQ_MLKEM768_AES256_SHA384_P256, "EC", "P-256"},
};

static const struct signer *signer_of(uint16_t suite)
{
    for (size_t i = 0; i < sizeof signers / sizeof signers[0]; i++)
        if (signers[i].suite == suite)
            return &signers[i];
    return NULL;
}

/* A point on the signer's curve as an OpenSSL key; NULL if it is none, or without memory. */
static EVP_PKEY *point_key(const struct signer *signer, sotto_bytes key)
{
    EVP_PKEY *made = NULL;
    OSSL_PARAM *params = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, signer->algorithm, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    if (context != NULL && build != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, signer->curve, 0) &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, key.data, key.size))
        params = OSSL_PARAM_BLD_to_param(build);
    if (params != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &made, EVP_PKEY_PUBLIC_KEY, params) != 1)
        made = NULL;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(context);
    return made;
}

/* 5.3: the public key of the end-entity certificate MUST be identical to the LeafNode's. */
static sotto_error check_key(sotto_mls_x509 *verifier, uint16_t suite, X509 *leaf,
                             sotto_bytes signature_key)
{
    const struct signer *signer = signer_of(suite);
    if (signer == NULL)
        return fail(verifier, SOTTO_UNSUPPORTED, "cipher suite");
    EVP_PKEY *certified = X509_get0_pubkey(leaf);
    EVP_PKEY *expected =
        signer->curve != NULL
            ? point_key(signer, signature_key)
            : EVP_PKEY_new_raw_public_key_ex(NULL, signer->algorithm, NULL, signature_key.data,
                                             signature_key.size);
    bool same = certified != NULL && expected != NULL && EVP_PKEY_eq(certified, expected) == 1;
    EVP_PKEY_free(expected);
    if (!same)
        return fail(verifier, SOTTO_CREDENTIAL, "the certificate's key is not the signature_key");
    /* UINT32_MAX without the extension: then the key may sign (RFC 5280, 4.2.1.3). */
    if ((X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE) == 0)
        return fail(verifier, SOTTO_CREDENTIAL, "the certificate's key may not sign");
    return SOTTO_OK;
}

/* ---- The chain ------------------------------------------------------------------------------- */

/* 5.3: the certificates stand in the chain's order. Those that the verifier knows may be missing;
 * so what was presented is part of what was built, in the same order. */
static bool in_order(STACK_OF(X509) * presented, STACK_OF(X509) * built)
{
    int next = 0;
    for (int i = 0; i < sk_X509_num(built) && next < sk_X509_num(presented); i++)
        if (X509_cmp(sk_X509_value(presented, next), sk_X509_value(built, i)) == 0)
            next++;
    return next == sk_X509_num(presented);
}

static sotto_error build_chain(sotto_mls_x509 *verifier, X509_STORE_CTX *context,
                               STACK_OF(X509) * presented, time_t time)
{
    if (!X509_STORE_CTX_init(context, verifier->store, sk_X509_value(presented, 0), presented))
        return fail(verifier, SOTTO_NO_MEMORY, "Credential.certificates");
    X509_VERIFY_PARAM *rules = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_time(rules, time);
    X509_VERIFY_PARAM_set_depth(rules, SOTTO_MLS_X509_CHAIN_MAX);
    X509_VERIFY_PARAM_set_auth_level(rules, SECURITY_LEVEL);
    /* An anchor is trusted because the caller says so, not because it signed itself. */
    X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_PARTIAL_CHAIN);
    if (X509_verify_cert(context) != 1) {
        int reason = X509_STORE_CTX_get_error(context);
        if (reason == X509_V_ERR_OUT_OF_MEM)
            return fail(verifier, SOTTO_NO_MEMORY, "Credential.certificates");
        return fail(verifier, SOTTO_CREDENTIAL, X509_verify_cert_error_string(reason));
    }
    if (!in_order(presented, X509_STORE_CTX_get0_chain(context)))
        return fail(verifier, SOTTO_CREDENTIAL, "a certificate is out of order");
    return SOTTO_OK;
}

static sotto_error check_chain(sotto_mls_x509 *verifier, STACK_OF(X509) * presented, uint64_t time)
{
    time_t at = (time_t)time;
    if (at < 0 || (uint64_t)at != time)
        return fail(verifier, SOTTO_ARGUMENT, "time");
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    if (context == NULL)
        return fail(verifier, SOTTO_NO_MEMORY, "Credential.certificates");
    sotto_error error = build_chain(verifier, context, presented, at);
    X509_STORE_CTX_free(context);
    return error;
}

sotto_error sotto_mls_x509_verify(sotto_mls_x509 *verifier, uint16_t suite,
                                  const sotto_mls_credential *credential, sotto_bytes signature_key,
                                  uint64_t time)
{
    STACK_OF(X509) *presented = sk_X509_new_null();
    if (presented == NULL)
        return fail(verifier, SOTTO_NO_MEMORY, "Credential.certificates");
    sotto_error error = read_credential(verifier, credential, presented);
    if (error == SOTTO_OK)
        error = check_key(verifier, suite, sk_X509_value(presented, 0), signature_key);
    if (error == SOTTO_OK)
        error = check_chain(verifier, presented, time);
    sk_X509_pop_free(presented, X509_free);
    return error == SOTTO_OK ? succeed(verifier) : error;
}

/* ---- Names ----------------------------------------------------------------------------------- */

typedef sotto_error name_fn(void *ctx, sotto_mls_x509_name kind, sotto_bytes name);

static sotto_error alternative_name(sotto_mls_x509 *verifier, const GENERAL_NAME *name,
                                    name_fn *each, void *ctx)
{
    int type;
    const ASN1_IA5STRING *text = GENERAL_NAME_get0_value(name, &type);
    sotto_mls_x509_name kind;
    if (type == GEN_DNS)
        kind = SOTTO_MLS_X509_DNS;
    else if (type == GEN_EMAIL)
        kind = SOTTO_MLS_X509_EMAIL;
    else if (type == GEN_URI)
        kind = SOTTO_MLS_X509_URI;
    else
        return SOTTO_OK;
    sotto_bytes view =
        sotto_bytes_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
    /* "good.example\0.evil.example" must not pass for its beginning anywhere. */
    if (view.size > 0 && memchr(view.data, 0, view.size) != NULL)
        return fail(verifier, SOTTO_CREDENTIAL, "SubjectAltName");
    return each(ctx, kind, view);
}

static sotto_error alternative_names(sotto_mls_x509 *verifier, X509 *leaf, name_fn *each, void *ctx)
{
    int critical;
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, &critical, NULL);
    if (names == NULL) /* -1: there is none; else it is damaged, or there are two */
        return critical == -1 ? SOTTO_OK : fail(verifier, SOTTO_VALUE, "SubjectAltName");
    sotto_error error = SOTTO_OK;
    for (int i = 0; error == SOTTO_OK && i < sk_GENERAL_NAME_num(names); i++)
        error = alternative_name(verifier, sk_GENERAL_NAME_value(names, i), each, ctx);
    GENERAL_NAMES_free(names);
    return error;
}

static sotto_error subject_name(sotto_mls_x509 *verifier, X509 *leaf, name_fn *each, void *ctx)
{
    X509_NAME *subject = X509_get_subject_name(leaf);
    if (X509_NAME_entry_count(subject) == 0)
        return SOTTO_OK;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL)
        return fail(verifier, SOTTO_NO_MEMORY, "Subject");
    sotto_error error;
    char *text = NULL;
    unsigned long form = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB; /* UTF-8 as is */
    long size = 0;
    if (X509_NAME_print_ex(bio, subject, 0, form) < 0 || (size = BIO_get_mem_data(bio, &text)) < 0)
        error = fail(verifier, SOTTO_VALUE, "Subject");
    else
        error =
            each(ctx, SOTTO_MLS_X509_SUBJECT, sotto_bytes_of((const uint8_t *)text, (size_t)size));
    BIO_free(bio);
    return error;
}

sotto_error sotto_mls_x509_names(sotto_mls_x509 *verifier, const sotto_mls_credential *credential,
                                 name_fn *each, void *ctx)
{
    STACK_OF(X509) *presented = sk_X509_new_null();
    if (presented == NULL)
        return fail(verifier, SOTTO_NO_MEMORY, "Credential.certificates");
    succeed(verifier);
    sotto_error error = read_credential(verifier, credential, presented);
    if (error == SOTTO_OK)
        error = alternative_names(verifier, sk_X509_value(presented, 0), each, ctx);
    if (error == SOTTO_OK)
        error = subject_name(verifier, sk_X509_value(presented, 0), each, ctx);
    sk_X509_pop_free(presented, X509_free);
    if (error != SOTTO_OK && verifier->fault.error != error)
        return fail(verifier, error, "names");
    return error;
}

/* ---- The callback ---------------------------------------------------------------------------- */

/* Names as bytes that can be searched: kind, size in four bytes, name; one after another. */
struct name_list {
    sotto_buf bytes;
    const struct name_list *within; /* where each name that comes must be, or NULL: collected */
};

static bool list_has(const struct name_list *list, uint8_t kind, sotto_bytes name)
{
    sotto_bytes rest = sotto_buf_view(&list->bytes);
    while (rest.size > 0) {
        uint32_t size;
        memcpy(&size, rest.data + 1, sizeof size);
        sotto_bytes one = sotto_bytes_of(rest.data + 1 + sizeof size, size);
        if (rest.data[0] == kind && sotto_bytes_equal(one, name))
            return true;
        rest = sotto_bytes_of(one.data + size, rest.size - 1 - sizeof size - size);
    }
    return false;
}

static sotto_error take_name(void *ctx, sotto_mls_x509_name kind, sotto_bytes name)
{
    struct name_list *list = ctx;
    uint8_t number = (uint8_t)kind;
    uint32_t size = (uint32_t)name.size; /* a certificate is far smaller */
    if (list->within != NULL && !list_has(list->within, number, name))
        return SOTTO_CREDENTIAL;
    TRY(sotto_buf_reserve(&list->bytes, 1 + sizeof size + name.size));
    TRY(sotto_buf_append(&list->bytes, &number, 1));
    TRY(sotto_buf_append(&list->bytes, (const uint8_t *)&size, sizeof size));
    return sotto_buf_append(&list->bytes, name.data, name.size);
}

/* 5.3.1: the presented identifiers of the successor are valid after the old ones: the same set. */
static sotto_error check_successor(sotto_mls_x509 *verifier, const sotto_mls_credential *credential,
                                   const sotto_mls_credential *before)
{
    struct name_list old = {.within = NULL}, new = {.within = &old}, again = {.within = &new};
    struct name_list *lists[] = {&old, &new, &again};
    for (size_t i = 0; i < 3; i++)
        sotto_buf_init(&lists[i]->bytes, verifier->env);
    sotto_error error = sotto_mls_x509_names(verifier, before, take_name, &old);
    if (error == SOTTO_OK)
        error = sotto_mls_x509_names(verifier, credential, take_name, &new);
    if (error == SOTTO_OK)
        error = sotto_mls_x509_names(verifier, before, take_name, &again);
    for (size_t i = 0; i < 3; i++)
        sotto_buf_free(&lists[i]->bytes);
    if (error == SOTTO_CREDENTIAL)
        return fail(verifier, error, "the successor of a leaf presents other names");
    return error;
}

sotto_error sotto_mls_x509_validate_leaf(void *ctx, const sotto_mls_group *group,
                                         const sotto_mls_leaf *leaf, const sotto_mls_leaf *replaced)
{
    sotto_mls_x509 *verifier = ctx;
    TRY(sotto_mls_x509_verify(verifier, sotto_mls_group_suite(group), &leaf->credential,
                              leaf->signature_key, verifier->env->now(verifier->env->ctx)));
    if (replaced == NULL)
        return SOTTO_OK;
    return check_successor(verifier, &leaf->credential, &replaced->credential);
}
