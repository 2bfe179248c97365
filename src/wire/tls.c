#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <sodium.h>

#include "wire/tls_internal.h"

struct tls {
    const sotto_env *env;
    SSL_CTX *context;
    BIO_METHOD *method;
    atomic_uint references;
    atomic_bool has_roots; /* of a client */
    uint8_t pin[PIN_SIZE];
};

/* ---- The socket as OpenSSL sees it: no SIGPIPE, bytes counted ------------------------------ */

static int socket_read(BIO *bio, char *data, int size)
{
    struct tls_socket *socket = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t got = recv(socket->fd, data, (size_t)size, 0);
    socket->drained = got < (ssize_t)size;
    if (got > 0)
        socket->received += (uint64_t)got;
    else if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        BIO_set_retry_read(bio);
    else if (got == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return (int)got;
}

static int socket_write(BIO *bio, const char *data, int size)
{
    const struct tls_socket *socket = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t sent = send(socket->fd, data, (size_t)size, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)sent;
}

static long socket_control(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    default:
        return 0;
    }
}

static BIO_METHOD *socket_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "sotto socket");
    if (method == NULL)
        return NULL;
    BIO_meth_set_read(method, socket_read);
    BIO_meth_set_write(method, socket_write);
    BIO_meth_set_ctrl(method, socket_control);
    return method;
}

/* ---- Contexts ------------------------------------------------------------------------------ */

static bool spki_hash(X509 *certificate, uint8_t hash[static PIN_SIZE])
{
    unsigned char *der = NULL;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    if (size <= 0)
        return false;
    crypto_hash_sha256(hash, der, (unsigned long long)size);
    OPENSSL_free(der);
    return true;
}

/* To read the system's roots takes longer than all else that a short command does: only for an
 * address without a pin. Two threads that do it at once do no harm. */
static void load_roots(struct tls *tls)
{
    if (!atomic_load(&tls->has_roots) && SSL_CTX_set_default_verify_paths(tls->context) == 1)
        atomic_store(&tls->has_roots, true); /* else no chain is good, and the next one tries */
}

/* With a pin, exactly that key and nothing else counts: no chain, no name, no dates. Without one,
 * OpenSSL checks the chain to the system's roots and the name (set in channel_connect). */
static int verify_certificate(X509_STORE_CTX *store, void *ctx)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_socket *socket = SSL_get_app_data(ssl);
    if (!socket->has_pin) {
        load_roots(ctx);
        return X509_verify_cert(store);
    }
    uint8_t hash[PIN_SIZE];
    X509 *certificate = X509_STORE_CTX_get0_cert(store);
    bool same = certificate != NULL && spki_hash(certificate, hash) &&
                sodium_memcmp(hash, socket->pin, PIN_SIZE) == 0;
    socket->pin_mismatch = !same;
    X509_STORE_CTX_set_error(store, same ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
    return same;
}

/* The hybrid group first, where this OpenSSL has it. */
static bool set_groups(SSL_CTX *context)
{
    ERR_set_mark();
    bool hybrid = SSL_CTX_set1_groups_list(context, "X25519MLKEM768:X25519:P-256:P-384") == 1;
    ERR_pop_to_mark();
    return hybrid || SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1;
}

static bool configure(SSL_CTX *context)
{
    SSL_CTX_set_options(context,
                        SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(context, 1);
    return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_num_tickets(context, 0) == 1 && set_groups(context);
}

static sotto_error tls_new(const sotto_env *env, const SSL_METHOD *protocol, struct tls **out)
{
    struct tls *tls = mem_alloc(env, sizeof *tls);
    if (tls == NULL)
        return SOTTO_NO_MEMORY;
    tls->env = env;
    atomic_init(&tls->references, 1);
    tls->method = socket_method();
    tls->context = SSL_CTX_new(protocol);
    if (tls->method == NULL || tls->context == NULL || !configure(tls->context)) {
        tls_free(tls);
        return SOTTO_INTERNAL;
    }
    *out = tls;
    return SOTTO_OK;
}

static sotto_error load_files(struct tls *tls, const char *certificate_path, const char *key_path)
{
    if (SSL_CTX_use_certificate_chain_file(tls->context, certificate_path) != 1)
        return ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_SYS ? SOTTO_IO : SOTTO_KEY;
    if (SSL_CTX_use_PrivateKey_file(tls->context, key_path, SSL_FILETYPE_PEM) != 1)
        return ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_SYS ? SOTTO_IO : SOTTO_KEY;
    X509 *certificate = SSL_CTX_get0_certificate(tls->context);
    if (SSL_CTX_check_private_key(tls->context) != 1 || !spki_hash(certificate, tls->pin))
        return SOTTO_KEY;
    return SOTTO_OK;
}

sotto_error tls_server(const sotto_env *env, const char *certificate_path, const char *key_path,
                       struct tls **out, const char **why)
{
    struct tls *tls;
    ERR_clear_error();
    TRY(tls_new(env, TLS_server_method(), &tls));
    sotto_error error = load_files(tls, certificate_path, key_path);
    if (error != SOTTO_OK) {
        const char *reason = ERR_reason_error_string(ERR_peek_error());
        if (why != NULL)
            *why = reason == NULL ? sotto_error_text(error) : reason;
        ERR_clear_error();
        tls_free(tls);
        return error;
    }
    *out = tls;
    return SOTTO_OK;
}

sotto_error tls_client(const sotto_env *env, struct tls **out)
{
    struct tls *tls;
    static const unsigned char http[] = "\x08http/1.1"; /* what a browser says for a WebSocket */
    TRY(tls_new(env, TLS_client_method(), &tls));
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(tls->context, verify_certificate, tls);
    if (SSL_CTX_set_alpn_protos(tls->context, http, sizeof http - 1) != 0) {
        tls_free(tls);
        return SOTTO_INTERNAL;
    }
    *out = tls;
    return SOTTO_OK;
}

void tls_pin(const struct tls *tls, uint8_t pin[static PIN_SIZE])
{
    memcpy(pin, tls->pin, PIN_SIZE);
}

struct tls *tls_hold(struct tls *tls)
{
    atomic_fetch_add(&tls->references, 1);
    return tls;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL || atomic_fetch_sub(&tls->references, 1) != 1)
        return;
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->method);
    mem_free(tls->env, tls, sizeof *tls);
}

/* ---- Sessions ------------------------------------------------------------------------------ */

SSL *tls_session(struct tls *tls, struct tls_socket *socket)
{
    SSL *ssl = SSL_new(tls->context);
    BIO *bio = BIO_new(tls->method);
    if (ssl == NULL || bio == NULL) {
        SSL_free(ssl);
        BIO_free(bio);
        return NULL;
    }
    BIO_set_data(bio, socket);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_app_data(ssl, socket);
    tls_hold(tls);
    return ssl;
}

void tls_session_free(struct tls *tls, SSL *ssl)
{
    if (ssl == NULL)
        return;
    SSL_free(ssl);
    tls_free(tls);
}
