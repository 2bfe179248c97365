/* The relay's self-made certificate: what is pinned is its key. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/write.h"
#include "wire/tls.h"

/* A certificate without a date at which it stops: the pin decides, RFC 5280, 4.1.2.5. */
#define NOT_AFTER "99991231235959Z"

/* A new name in a folder is durable when the folder is. */
static bool sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL ? 1 : (size_t)(slash - path) + 1;
    if (size >= sizeof folder)
        return false;
    memcpy(folder, slash == NULL ? "." : path, size);
    folder[size] = 0;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool synced = fsync(fd) == 0;
    close(fd);
    return synced;
}

/* Written beside, made durable, then linked to its name: link refuses where rename overwrites. */
static sotto_error write_file(const char *path, mode_t mode, const char *data, size_t size)
{
    char beside[PATH_MAX];
    int length = snprintf(beside, sizeof beside, "%s.new", path);
    if (length < 0 || (size_t)length >= sizeof beside)
        return SOTTO_LIMIT;
    if (unlink(beside) != 0 && errno != ENOENT) /* of a run that was cut off */
        return SOTTO_IO;
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return SOTTO_IO;
    bool written = write_whole(fd, sotto_bytes_of((const uint8_t *)data, size)) && fsync(fd) == 0;
    written = close(fd) == 0 && written;
    bool linked = written && link(beside, path) == 0;
    sotto_error error = linked ? SOTTO_OK : written && errno == EEXIST ? SOTTO_EXISTS : SOTTO_IO;
    unlink(beside);
    return linked && !sync_folder(path) ? SOTTO_IO : error;
}

static sotto_error write_bio(BIO *bio, const char *path, mode_t mode)
{
    char *data;
    long size = BIO_get_mem_data(bio, &data);
    return size <= 0 ? SOTTO_INTERNAL : write_file(path, mode, data, (size_t)size);
}

static sotto_error make_key(const char *path, EVP_PKEY **key)
{
    sotto_error error = SOTTO_INTERNAL;
    BIO *bio = BIO_new(BIO_s_secmem()); /* wiped when freed */
    *key = EVP_EC_gen("P-256");
    if (bio != NULL && *key != NULL &&
        PEM_write_bio_PrivateKey(bio, *key, NULL, NULL, 0, NULL, NULL) == 1)
        error = write_bio(bio, path, 0600);
    BIO_free(bio);
    return error;
}

static sotto_error load_key(const char *path, EVP_PKEY **key)
{
    BIO *bio = BIO_new_file(path, "r");
    if (bio == NULL)
        return SOTTO_IO;
    *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return *key == NULL ? SOTTO_KEY : SOTTO_OK;
}

static bool set_serial(X509 *certificate, const sotto_env *env)
{
    uint8_t octets[16];
    if (env->random(env->ctx, octets, sizeof octets) != SOTTO_OK)
        return false;
    octets[0] &= 0x7f; /* positive, RFC 5280, 4.1.2.2 */
    octets[0] |= 0x40;
    BIGNUM *number = BN_bin2bn(octets, sizeof octets, NULL);
    bool set =
        number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return set;
}

static bool fill_certificate(X509 *certificate, EVP_PKEY *key, const sotto_env *env)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate, env) &&
           /* A fixed day: the certificate does not tell when the relay was set up. */
           ASN1_TIME_set_string_X509(X509_getm_notBefore(certificate), "20250101000000Z") == 1 &&
           ASN1_TIME_set_string_X509(X509_getm_notAfter(certificate), NOT_AFTER) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"relay", -1,
                                      -1, 0) == 1 &&
           X509_set_issuer_name(certificate, name) == 1 && X509_set_pubkey(certificate, key) == 1 &&
           X509_sign(certificate, key, EVP_sha256()) > 0;
}

static sotto_error make_certificate(const char *path, EVP_PKEY *key, const sotto_env *env)
{
    sotto_error error = SOTTO_INTERNAL;
    BIO *bio = BIO_new(BIO_s_mem());
    X509 *certificate = X509_new();
    if (bio != NULL && certificate != NULL && fill_certificate(certificate, key, env) &&
        PEM_write_bio_X509(bio, certificate) == 1)
        error = write_bio(bio, path, 0644);
    X509_free(certificate);
    BIO_free(bio);
    return error;
}

static bool exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

static sotto_error make_files(const sotto_env *env, const char *certificate_path,
                              const char *key_path, const char **what)
{
    bool has_key = exists(key_path), has_certificate = exists(certificate_path);
    EVP_PKEY *key = NULL;
    if (has_key && has_certificate)
        return SOTTO_OK;
    *what = "a certificate is there, but not its key";
    if (has_certificate)
        return SOTTO_EXISTS;
    *what = has_key ? "the private key cannot be read" : "the private key cannot be written";
    sotto_error error = has_key ? load_key(key_path, &key) : make_key(key_path, &key);
    if (error == SOTTO_OK) {
        *what = "the certificate cannot be written";
        error = make_certificate(certificate_path, key, env);
    }
    EVP_PKEY_free(key);
    return error;
}

sotto_error tls_make_certificate(const sotto_env *env, const char *certificate_path,
                                 const char *key_path, const char **why)
{
    const char *what = "";
    sotto_error error = make_files(env, certificate_path, key_path, &what);
    ERR_clear_error();
    if (error != SOTTO_OK && why != NULL)
        *why = what;
    return error;
}
