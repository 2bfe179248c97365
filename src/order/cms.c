#include "order/cms.h"

#include <stdarg.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

enum {
    SECURITY_LEVEL = 2, /* OpenSSL's: 112 bits */
    SECURITY_BITS = 112,
    CLOCK_SLACK_S = 600, /* how far ahead a signer's clock may be */
};

__attribute__((format(printf, 2, 3))) static sotto_error
refuse(char problem[static ORDER_PROBLEM_MAX], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(problem, ORDER_PROBLEM_MAX, format, args);
    va_end(args);
    ERR_clear_error();
    return SOTTO_SIGNATURE;
}

/* The newest thing that OpenSSL said. */
static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    return text != NULL ? text : "unknown reason";
}

static BIO *view(sotto_bytes bytes)
{
    return bytes.size > INT32_MAX ? NULL : BIO_new_mem_buf(bytes.data, (int)bytes.size);
}

static sotto_error take_out(BIO *bio, sotto_buf *out)
{
    char *data = NULL;
    long size = BIO_get_mem_data(bio, &data);
    return size < 0 ? SOTTO_INTERNAL : sotto_buf_append(out, (uint8_t *)data, (size_t)size);
}

/* ---- Reading -------------------------------------------------------------------------------- */

sotto_error order_signed_read(sotto_bytes file, struct order_signed *is_signed,
                              char problem[static ORDER_PROBLEM_MAX])
{
    static const char pem[] = "-----BEGIN ";
    *is_signed = (struct order_signed){0};
    if (file.size == 0 || file.size > ORDER_FILE_MAX) {
        refuse(problem, "the file is empty or larger than %d bytes", ORDER_FILE_MAX);
        return SOTTO_VALUE;
    }
    BIO *bio = view(file);
    if (bio == NULL)
        return SOTTO_NO_MEMORY;
    if (file.data[0] == 0x30)
        is_signed->cms = d2i_CMS_bio(bio, NULL);
    else if (file.size > sizeof pem && memcmp(file.data, pem, sizeof pem - 1) == 0)
        is_signed->cms = PEM_read_bio_CMS(bio, NULL, NULL, NULL);
    else
        is_signed->cms = SMIME_read_CMS(bio, &is_signed->detached);
    BIO_free(bio);
    const bool good =
        is_signed->cms != NULL && OBJ_obj2nid(CMS_get0_type(is_signed->cms)) == NID_pkcs7_signed;
    if (!good) {
        order_signed_free(is_signed);
        refuse(problem, "the file is not signed: it is no CMS SignedData in DER, PEM or S/MIME");
        return SOTTO_VALUE;
    }
    ERR_clear_error();
    return SOTTO_OK;
}

void order_signed_free(struct order_signed *is_signed)
{
    CMS_ContentInfo_free(is_signed->cms);
    BIO_free(is_signed->detached);
    *is_signed = (struct order_signed){0};
}

sotto_error order_certificates_read(sotto_bytes file, STACK_OF(X509) * *certificates,
                                    char problem[static ORDER_PROBLEM_MAX])
{
    BIO *bio = view(file);
    STACK_OF(X509) *stack = sk_X509_new_null();
    if (bio != NULL && stack != NULL && file.size > 0 && file.data[0] == 0x30) {
        X509 *one = d2i_X509_bio(bio, NULL);
        if (one != NULL && sk_X509_push(stack, one) == 0)
            X509_free(one);
    } else if (bio != NULL && stack != NULL) {
        for (X509 *one; (one = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL;)
            if (sk_X509_push(stack, one) == 0)
                X509_free(one);
    }
    BIO_free(bio);
    ERR_clear_error();
    if (sk_X509_num(stack) < 1 || sk_X509_num(stack) > ORDER_CERTIFICATES_MAX) {
        sk_X509_pop_free(stack, X509_free);
        refuse(problem, "the file does not hold 1 to %d certificates in PEM or DER",
               ORDER_CERTIFICATES_MAX);
        return SOTTO_VALUE;
    }
    *certificates = stack;
    return SOTTO_OK;
}

sotto_error order_lists_read(sotto_bytes file, STACK_OF(X509_CRL) * *lists,
                             char problem[static ORDER_PROBLEM_MAX])
{
    BIO *bio = view(file);
    STACK_OF(X509_CRL) *stack = sk_X509_CRL_new_null();
    if (bio != NULL && stack != NULL && file.size > 0 && file.data[0] == 0x30) {
        X509_CRL *one = d2i_X509_CRL_bio(bio, NULL);
        if (one != NULL && sk_X509_CRL_push(stack, one) == 0)
            X509_CRL_free(one);
    } else if (bio != NULL && stack != NULL) {
        for (X509_CRL *one; (one = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL;)
            if (sk_X509_CRL_push(stack, one) == 0)
                X509_CRL_free(one);
    }
    BIO_free(bio);
    ERR_clear_error();
    if (sk_X509_CRL_num(stack) < 1 || sk_X509_CRL_num(stack) > ORDER_CERTIFICATES_MAX) {
        sk_X509_CRL_pop_free(stack, X509_CRL_free);
        refuse(problem,
               "the file does not hold 1 to %d lists of revoked certificates in PEM or DER",
               ORDER_CERTIFICATES_MAX);
        return SOTTO_VALUE;
    }
    *lists = stack;
    return SOTTO_OK;
}

/* ---- Checking ------------------------------------------------------------------------------- */

/* The one signer, with its certificate. */
static CMS_SignerInfo *only_signer(CMS_ContentInfo *cms, X509 **certificate, char *problem)
{
    STACK_OF(CMS_SignerInfo) *signers = CMS_get0_SignerInfos(cms);
    if (sk_CMS_SignerInfo_num(signers) != 1) {
        refuse(problem, "the order is not signed by exactly one signer");
        return NULL;
    }
    CMS_SignerInfo *signer = sk_CMS_SignerInfo_value(signers, 0);
    EVP_PKEY *key = NULL;
    *certificate = NULL;
    if (CMS_set1_signers_certs(cms, NULL, 0) >= 0) /* 0 too: it was found by an earlier try */
        CMS_SignerInfo_get0_algs(signer, &key, certificate, NULL, NULL);
    if (*certificate == NULL) {
        refuse(problem, "the signer's certificate is not in the file");
        return NULL;
    }
    return signer;
}

static bool signing_time(CMS_SignerInfo *signer, uint64_t *time_s)
{
    struct tm tm;
    const int at = CMS_signed_get_attr_by_NID(signer, NID_pkcs9_signingTime, -1);
    X509_ATTRIBUTE *attribute = at < 0 ? NULL : CMS_signed_get_attr(signer, at);
    const ASN1_TYPE *value = X509_ATTRIBUTE_get0_type(attribute, 0);
    if (value == NULL || X509_ATTRIBUTE_count(attribute) != 1 ||
        (value->type != V_ASN1_UTCTIME && value->type != V_ASN1_GENERALIZEDTIME) ||
        ASN1_TIME_to_tm(value->value.asn1_string, &tm) != 1)
        return false;
    const time_t time = timegm(&tm);
    *time_s = (uint64_t)time;
    return time >= 0;
}

static sotto_error check_strength(CMS_SignerInfo *signer, X509 *certificate, char *problem)
{
    static const int digests[] = {NID_sha256,   NID_sha384,   NID_sha512,
                                  NID_sha3_256, NID_sha3_384, NID_sha3_512};
    const ASN1_OBJECT *object = NULL;
    X509_ALGOR *digest = NULL;
    EVP_PKEY *key = NULL;
    bool good = false;
    CMS_SignerInfo_get0_algs(signer, &key, NULL, &digest, NULL);
    X509_ALGOR_get0(&object, NULL, NULL, digest);
    for (size_t i = 0; i < sizeof digests / sizeof *digests; i++)
        good = good || OBJ_obj2nid(object) == digests[i];
    if (!good)
        return refuse(problem, "the order is signed with a digest that is too weak: SHA-256 or "
                               "better is needed");
    if (key == NULL || EVP_PKEY_get_security_bits(key) < SECURITY_BITS)
        return refuse(problem,
                      "the signer's key is too weak: RSA of 2048 bits or better is needed");
    const uint32_t usage = X509_get_key_usage(certificate);
    if (usage != UINT32_MAX &&
        (usage & (X509v3_KU_DIGITAL_SIGNATURE | X509v3_KU_NON_REPUDIATION)) == 0)
        return refuse(problem, "the signer's certificate is not one to sign with (keyUsage)");
    return SOTTO_OK;
}

/* Whether a certificate has ended says nothing here: that was asked for the time of signing. */
static int bear_expiry(int good, X509_STORE_CTX *ctx)
{
    const int error = X509_STORE_CTX_get_error(ctx);
    return good == 1 || error == X509_V_ERR_CERT_HAS_EXPIRED ||
           error == X509_V_ERR_CERT_NOT_YET_VALID;
}

/* A store of the anchors, for the time of signing; with the lists, for now. */
static X509_STORE *make_store(const struct order_trust *trust, bool with_lists, uint64_t time_s)
{
    X509_STORE *store = X509_STORE_new();
    X509_VERIFY_PARAM *param = store == NULL ? NULL : X509_STORE_get0_param(store);
    if (param == NULL)
        return NULL;
    for (int i = 0; i < sk_X509_num(trust->certificates); i++)
        X509_STORE_add_cert(store, sk_X509_value(trust->certificates, i));
    /* The authority's own certificate may be the anchor. */
    unsigned long flags = X509_V_FLAG_X509_STRICT | X509_V_FLAG_PARTIAL_CHAIN;
    if (with_lists) {
        for (int i = 0; i < sk_X509_CRL_num(trust->lists); i++)
            X509_STORE_add_crl(store, sk_X509_CRL_value(trust->lists, i));
        flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
        X509_STORE_set_verify_cb(store, bear_expiry);
    }
    X509_VERIFY_PARAM_set_flags(param, flags);
    X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_ANY);
    X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
    X509_VERIFY_PARAM_set_time(param, (time_t)time_s);
    return store;
}

/* OpenSSL's own verdict on the chain, in its words. */
static sotto_error check_chain(X509_STORE *store, CMS_ContentInfo *cms, X509 *certificate,
                               const char *when, char *problem)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *others = CMS_get1_certs(cms);
    sotto_error error = SOTTO_OK;
    if (ctx == NULL || X509_STORE_CTX_init(ctx, store, certificate, others) != 1)
        error = SOTTO_NO_MEMORY;
    else if (X509_verify_cert(ctx) != 1)
        error = refuse(problem, "the signer's certificate does not hold%s: %s", when,
                       X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    X509_STORE_CTX_free(ctx);
    sk_X509_pop_free(others, X509_free);
    return error;
}

/* As text is signed where nobody said that it is binary: every line ends in CR LF. */
static sotto_error put_canonical(sotto_bytes content, sotto_buf *out)
{
    for (size_t i = 0; i < content.size; i++) {
        if (content.data[i] == '\n' && (i == 0 || content.data[i - 1] != '\r'))
            TRY(sotto_buf_append(out, (const uint8_t *)"\r", 1));
        TRY(sotto_buf_append(out, &content.data[i], 1));
    }
    return SOTTO_OK;
}

static bool verifies(const struct order_signed *is_signed, const sotto_bytes *content,
                     X509_STORE *store, BIO *out)
{
    /* A BIO is read once: each try gets its own over the same bytes. */
    char *part = NULL;
    const long size =
        is_signed->detached == NULL ? 0 : BIO_get_mem_data(is_signed->detached, &part);
    BIO *given = content != NULL ? view(*content)
                 : part != NULL && size > 0
                     ? view(sotto_bytes_of((const uint8_t *)part, (size_t)size))
                     : NULL;
    const bool good =
        CMS_verify(is_signed->cms, NULL, store, given, out, CMS_CADES | CMS_BINARY) == 1;
    BIO_free(given);
    return good;
}

static sotto_error check_signature(const struct order_signed *is_signed, const sotto_bytes *content,
                                   X509_STORE *store, sotto_buf *out, char *problem)
{
    BIO *said = BIO_new(BIO_s_mem());
    sotto_buf canonical;
    sotto_buf_init(&canonical, out->env);
    sotto_error error = said == NULL ? SOTTO_NO_MEMORY : SOTTO_OK;
    bool good = error == SOTTO_OK && verifies(is_signed, content, store, said);
    if (error == SOTTO_OK && !good && content != NULL) {
        error = put_canonical(*content, &canonical);
        const sotto_bytes text = sotto_buf_view(&canonical);
        (void)BIO_reset(said);
        good = error == SOTTO_OK && verifies(is_signed, &text, store, said);
    }
    if (error == SOTTO_OK && !good)
        error = refuse(problem, "the signature is not good: %s", reason());
    if (error == SOTTO_OK)
        error = take_out(said, out);
    BIO_free(said);
    sotto_buf_free(&canonical);
    return error;
}

static void name_signer(X509 *certificate, struct order_signer *signer)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int size = 0;
    if (bio != NULL && X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0,
                                          XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) >= 0)
        size = BIO_read(bio, signer->name, sizeof signer->name - 1);
    signer->name[size > 0 ? size : 0] = '\0';
    BIO_free(bio);
}

sotto_error order_signed_check(struct order_signed *is_signed, const sotto_bytes *content,
                               const struct order_trust *trust, sotto_buf *out,
                               struct order_signer *signer, char problem[static ORDER_PROBLEM_MAX])
{
    X509 *certificate = NULL;
    X509_STORE *then = NULL, *now = NULL;
    uint64_t time_s = 0;
    problem[0] = '\0';
    CMS_SignerInfo *info = only_signer(is_signed->cms, &certificate, problem);
    if (info == NULL)
        return SOTTO_SIGNATURE;
    if (CMS_is_detached(is_signed->cms) == 1 && content == NULL && is_signed->detached == NULL)
        return refuse(problem,
                      "the signature is detached: the document that it is of is needed too");
    if (CMS_is_detached(is_signed->cms) != 1 && content != NULL)
        return refuse(problem,
                      "the document is in the signed file: another one beside it is too much");
    if (!signing_time(info, &time_s))
        return refuse(problem, "the signature has no signing time");
    if (time_s > trust->now_s + CLOCK_SLACK_S)
        return refuse(problem, "the signature is of a time that is still to come");
    sotto_error error = check_strength(info, certificate, problem);
    if (error != SOTTO_OK)
        return error;
    then = make_store(trust, false, time_s);
    now = trust->lists == NULL ? NULL : make_store(trust, true, trust->now_s);
    if (then == NULL || (now == NULL && trust->lists != NULL))
        error = SOTTO_NO_MEMORY;
    if (error == SOTTO_OK)
        error = check_chain(then, is_signed->cms, certificate, " at the time of signing", problem);
    if (error == SOTTO_OK && now != NULL)
        error = check_chain(now, is_signed->cms, certificate, "", problem);
    if (error == SOTTO_OK)
        error = check_signature(is_signed, content, then, out, problem);
    if (error == SOTTO_OK) {
        X509_up_ref(certificate);
        signer->certificate = certificate;
        signer->time_s = time_s;
        name_signer(certificate, signer);
    }
    X509_STORE_free(then);
    X509_STORE_free(now);
    return error;
}

/* ---- Making --------------------------------------------------------------------------------- */

static sotto_error put_cms(CMS_ContentInfo *cms, sotto_buf *out)
{
    uint8_t *der = NULL;
    int size = i2d_CMS_ContentInfo(cms, &der);
    sotto_error error = size <= 0 ? SOTTO_INTERNAL : sotto_buf_append(out, der, (size_t)size);
    OPENSSL_free(der);
    ERR_clear_error();
    return error;
}

sotto_error order_sign(sotto_bytes content, X509 *certificate, EVP_PKEY *key, sotto_buf *out)
{
    const unsigned flags = CMS_BINARY | CMS_NOSMIMECAP | CMS_CADES;
    BIO *bio = view(content);
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, flags | CMS_PARTIAL);
    sotto_error error = SOTTO_INTERNAL;
    if (bio != NULL && cms != NULL &&
        CMS_add1_signer(cms, certificate, key, EVP_sha256(), flags) != NULL &&
        CMS_final(cms, bio, NULL, flags) == 1)
        error = put_cms(cms, out);
    CMS_ContentInfo_free(cms);
    BIO_free(bio);
    ERR_clear_error();
    return error;
}

bool order_can_encrypt(X509 *certificate)
{
    const EVP_PKEY *key = X509_get0_pubkey(certificate);
    const int kind = key == NULL ? EVP_PKEY_NONE : EVP_PKEY_get_base_id(key);
    return kind == EVP_PKEY_RSA || kind == EVP_PKEY_EC;
}

sotto_error order_encrypt(sotto_bytes content, X509 *certificate, sotto_buf *out)
{
    STACK_OF(X509) *recipients = sk_X509_new_null();
    BIO *bio = view(content);
    sotto_error error = SOTTO_INTERNAL;
    if (bio != NULL && recipients != NULL && sk_X509_push(recipients, certificate) > 0) {
        CMS_ContentInfo *cms = CMS_encrypt(recipients, bio, EVP_aes_256_gcm(), CMS_BINARY);
        if (cms != NULL)
            error = put_cms(cms, out);
        CMS_ContentInfo_free(cms);
    }
    sk_X509_free(recipients);
    BIO_free(bio);
    ERR_clear_error();
    return error;
}
