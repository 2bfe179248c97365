#include "unit/certificates.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    assert_true(X509_add_ext(certificate, extension, -1));
    X509_EXTENSION_free(extension);
}

static void sign(struct certified *made, EVP_PKEY *key)
{
    assert_true(X509_sign(made->certificate, key, NULL) > 0);
    uint8_t *at = made->der;
    int size = i2d_X509(made->certificate, NULL);
    assert_true(size > 0 && (size_t)size <= sizeof made->der);
    made->size = (size_t)i2d_X509(made->certificate, &at);
}

static EVP_PKEY *signing_key(const struct certified *made, const struct certified *issuer)
{
    return issuer == NULL ? made->key : issuer->key;
}

void certify_key(struct certified *made, const struct terms *terms, const struct certified *issuer,
                 EVP_PKEY *key)
{
    static long serial = 1;
    bool dated = terms->not_before != 0 || terms->not_after != 0;
    X509 *c = X509_new();
    assert_non_null(c);
    made->key = key;
    made->certificate = c;
    X509 *by = issuer == NULL ? c : issuer->certificate;
    assert_true(X509_set_version(c, X509_VERSION_3));
    assert_true(ASN1_INTEGER_set(X509_get_serialNumber(c), serial++));
    assert_true(X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_UTF8,
                                           (const uint8_t *)terms->name, -1, -1, 0));
    assert_true(X509_set_issuer_name(c, X509_get_subject_name(by)));
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(c),
                                  (time_t)(dated ? terms->not_before : CERTIFIED_AT - 3600)));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(c),
                                  (time_t)(dated ? terms->not_after : CERTIFIED_AT + 3600)));
    assert_true(X509_set_pubkey(c, key));
    add_extension(c, by, NID_basic_constraints, terms->authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (terms->alternative != NULL)
        add_extension(c, by, NID_subject_alt_name, terms->alternative);
    if (terms->key_usage != NULL)
        add_extension(c, by, NID_key_usage, terms->key_usage);
    sign(made, signing_key(made, issuer));
}

void certify_new(struct certified *made, const struct terms *terms, const struct certified *issuer)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_non_null(key);
    certify_key(made, terms, issuer, key);
}

void certify_extension(struct certified *made, const struct certified *issuer, int nid,
                       sotto_bytes der)
{
    ASN1_OCTET_STRING *content = ASN1_OCTET_STRING_new();
    assert_true(ASN1_OCTET_STRING_set(content, der.data, (int)der.size));
    X509_EXTENSION *extension = X509_EXTENSION_create_by_NID(NULL, nid, 0, content);
    assert_non_null(extension);
    assert_true(X509_add_ext(made->certificate, extension, -1));
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(content);
    sign(made, signing_key(made, issuer));
}

void certified_free(struct certified *made)
{
    EVP_PKEY_free(made->key);
    X509_free(made->certificate);
}

void certified_pem(const struct certified *made, sotto_buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert_true(PEM_write_bio_X509(bio, made->certificate));
    char *text;
    long size = BIO_get_mem_data(bio, &text);
    assert_true(size > 0);
    assert_ok(sotto_buf_append(out, (const uint8_t *)text, (size_t)size));
    BIO_free(bio);
}
