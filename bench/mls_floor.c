#include "mls_floor.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <sodium.h>

#define SAMPLES 9
#define SAMPLE_NS 400000.0
#define SMALL 200
#define LARGE 65536

double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

struct tools {
    struct crypto *crypto;
    const struct suite *suite;
    struct secret signature_private, kem_private, key, prk, out;
    sotto_buf signature_public, kem_public, signature, enc, sealed, opened;
    uint8_t *text, *box;
    size_t size;
    uint8_t hash[HASH_MAX];
};

static void check(sotto_error error)
{
    if (error != SOTTO_OK) {
        fprintf(stderr, "bench_mls: a primitive failed: %s\n", sotto_error_text(error));
        exit(1);
    }
}

static sotto_bytes text(const struct tools *t)
{
    return sotto_bytes_of(t->text, t->size);
}

static void run_sign(struct tools *t)
{
    sotto_buf_clear(&t->signature);
    check(crypto_sign_with_label(t->crypto, t->suite, secret_view(&t->signature_private),
                                 sotto_buf_view(&t->signature_public), "LeafNodeTBS", text(t),
                                 &t->signature));
}

static void run_verify(struct tools *t)
{
    check(crypto_verify_with_label(t->crypto, t->suite, sotto_buf_view(&t->signature_public),
                                   "LeafNodeTBS", text(t), sotto_buf_view(&t->signature)));
}

static void run_derive(struct tools *t)
{
    sotto_buf_clear(&t->kem_public);
    check(crypto_kem_derive(t->crypto, t->suite, secret_view(&t->prk), &t->kem_private,
                            &t->kem_public));
}

static void run_check(struct tools *t)
{
    check(crypto_kem_check(t->crypto, t->suite, sotto_buf_view(&t->kem_public)));
}

static void run_seal(struct tools *t)
{
    sotto_buf_clear(&t->enc);
    sotto_buf_clear(&t->sealed);
    check(crypto_encrypt_with_label(t->crypto, t->suite, sotto_buf_view(&t->kem_public),
                                    "UpdatePathNode", sotto_bytes_of(t->text, 150),
                                    secret_view(&t->prk), &t->enc, &t->sealed));
}

static void run_open(struct tools *t)
{
    sotto_buf_clear(&t->opened);
    check(crypto_decrypt_with_label(t->crypto, t->suite, secret_view(&t->kem_private),
                                    sotto_buf_view(&t->kem_public), "UpdatePathNode",
                                    sotto_bytes_of(t->text, 150), sotto_buf_view(&t->enc),
                                    sotto_buf_view(&t->sealed), &t->opened));
}

static void run_expand(struct tools *t)
{
    check(crypto_expand_with_label(t->crypto, t->suite, secret_view(&t->prk), "path",
                                   (sotto_bytes){0}, t->suite->nh, &t->out));
}

static void run_mac(struct tools *t)
{
    sotto_bytes part = sotto_bytes_of(t->text, 32);
    check(crypto_mac(t->crypto, t->suite, secret_view(&t->prk), &part, 1, t->hash));
}

static void run_hash(struct tools *t)
{
    sotto_bytes part = text(t);
    check(crypto_hash_parts(t->crypto, t->suite, &part, 1, t->hash));
}

static void run_aead(struct tools *t)
{
    check(crypto_seal(t->crypto, t->suite, secret_view(&t->key), sotto_bytes_of(t->hash, 12),
                      sotto_bytes_of(t->text, 40), text(t), t->box));
}

/* The least of the samples: what disturbs only adds. */
static double least(struct tools *t, void (*run)(struct tools *t), size_t size)
{
    double best = 0;
    t->size = size;
    run(t);
    double start = cpu_ns();
    run(t);
    double once = cpu_ns() - start;
    unsigned calls = once > SAMPLE_NS ? 1 : (unsigned)(SAMPLE_NS / (once + 1)) + 1;
    for (unsigned sample = 0; sample < SAMPLES; sample++) {
        start = cpu_ns();
        for (unsigned i = 0; i < calls; i++)
            run(t);
        double ns = (cpu_ns() - start) / calls;
        if (sample == 0 || ns < best)
            best = ns;
    }
    return best;
}

static double of_a_byte(struct tools *t, void (*run)(struct tools *t), double small)
{
    return (least(t, run, LARGE) - small) / (LARGE - SMALL);
}

/* Any steady work serves as a yardstick: here, X25519. */
static double yardstick(void)
{
    static uint8_t block[64];
    double best = 0;
    for (int sample = 0; sample < 3; sample++) {
        double start = cpu_ns();
        for (int i = 0; i < 3; i++)
            crypto_scalarmult_base(block, block + 32);
        double ns = cpu_ns() - start;
        if (sample == 0 || ns < best)
            best = ns;
    }
    return best;
}

void prims_measure(struct crypto *crypto, const struct suite *suite, struct prims *p)
{
    struct tools t = {.crypto = crypto, .suite = suite};
    sotto_buf *bufs[] = {&t.signature_public, &t.kem_public, &t.signature, &t.enc,
                         &t.sealed,           &t.opened};
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
        sotto_buf_init(bufs[i], sotto_env_system());
    t.text = calloc(1, LARGE);
    t.box = calloc(1, LARGE + AEAD_TAG);
    if (t.text == NULL || t.box == NULL)
        exit(1);
    check(secret_random(&t.key, suite->nk, sotto_env_system()));
    check(secret_random(&t.prk, suite->nh, sotto_env_system()));
    check(crypto_signature_generate(crypto, suite, &t.signature_private, &t.signature_public));
    *p = (struct prims){.suite = suite, .yardstick = yardstick()};
    for (int i = 0; i < SAMPLES; i++) {
        double now = yardstick();
        if (now < p->yardstick)
            p->yardstick = now;
    }
    p->kem_derive = least(&t, run_derive, SMALL);
    p->kem_check = least(&t, run_check, SMALL);
    p->seal = least(&t, run_seal, SMALL);
    p->open = least(&t, run_open, SMALL);
    p->expand = least(&t, run_expand, SMALL);
    p->mac = least(&t, run_mac, SMALL);
    p->sign = least(&t, run_sign, SMALL);
    p->verify = least(&t, run_verify, SMALL);
    p->hash = least(&t, run_hash, SMALL);
    p->hash_byte = of_a_byte(&t, run_hash, p->hash);
    p->aead = least(&t, run_aead, SMALL);
    p->aead_byte = of_a_byte(&t, run_aead, p->aead);
    t.size = LARGE;
    run_sign(&t);
    p->sha512_byte = of_a_byte(&t, run_verify, p->verify);
    free(t.text);
    free(t.box);
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
        sotto_buf_free(bufs[i]);
}

double prims_pace(const struct prims *p)
{
    return yardstick() / p->yardstick;
}

/* ---- Parts of floors ------------------------------------------------------------------------- */

static double more(double byte, size_t bytes)
{
    return bytes > SMALL ? byte * (double)(bytes - SMALL) : 0;
}

static double hash_of(const struct prims *p, size_t bytes)
{
    return p->hash + p->hash_byte * ((double)bytes - SMALL);
}

static double verify_of(const struct prims *p, size_t bytes)
{
    return p->verify + more(p->sha512_byte, bytes);
}

/* Ed25519 hashes the message twice when it signs. */
static double sign_of(const struct prims *p, size_t bytes)
{
    return p->sign + 2 * more(p->sha512_byte, bytes);
}

static double aead_of(const struct prims *p, size_t bytes)
{
    return p->aead + p->aead_byte * ((double)bytes - SMALL);
}

/* 6.3, 9.1: key, nonce and the ratchet's next secret; sender data's key and nonce; both AEADs. */
static double private_message(const struct prims *p, size_t bytes)
{
    return 5 * p->expand + aead_of(p, bytes) + aead_of(p, 12);
}

/* 9: from the root of the secret tree to a leaf that was not used in this epoch. Both children of
 * each node, because the node is deleted; then the leaf's two ratchets. */
static double secret_tree_walk(const struct prims *p, unsigned depth)
{
    return (2.0 * depth + 2) * p->expand;
}

/* 8: joiner, member, epoch and its nine secrets; 8.2 interim transcript and confirmation tag. */
static double key_schedule(const struct prims *p)
{
    return 3 * p->mac + 11 * p->expand + hash_of(p, 100);
}

static double parent_bytes_hash(const struct prims *p)
{
    return hash_of(p, p->suite->npk + 3U * p->suite->nh);
}

/* 7.8, 7.9: the changed leaf and the nodes above it, and the parent hashes of the path. */
static double path_hashes(const struct prims *p, const struct work *w)
{
    return hash_of(p, w->leaf) + (w->depth + w->path) * parent_bytes_hash(p);
}

/* 7.4: one node's key pair from its path secret, and the next path secret. */
static double path_node(const struct prims *p)
{
    return p->kem_derive + 2 * p->expand;
}

/* All hashes of a tree: members, as many parents as leaves, the blank leaves up to its width. */
static double tree_hashes(const struct prims *p, const struct work *w)
{
    double width = (double)(1U << w->depth);
    double blank = width - w->members;
    double filled = w->parents, empty = width - 1 - filled;
    return w->members * hash_of(p, w->leaf) + blank * hash_of(p, 10) +
           filled * parent_bytes_hash(p) + empty * hash_of(p, 70);
}

/* ---- Floors ---------------------------------------------------------------------------------- */

/* Two signatures (the leaf's, the message's), one path secret opened, the keys from the common
 * ancestor upwards, hashes along the path, the transcript, the key schedule, and the message's own
 * protection in a ratchet that was not used yet. */
double floor_commit_process(const struct prims *p, const struct work *w)
{
    return verify_of(p, w->leaf) + verify_of(p, w->bytes) + p->open + w->above * path_node(p) +
           path_hashes(p, w) + hash_of(p, w->bytes) + key_schedule(p) +
           secret_tree_walk(p, w->depth) + private_message(p, w->bytes);
}

/* Two signatures made, a key pair for the leaf and each node of the path, one encryption for each
 * node in the resolutions of its copath; the rest as above. */
double floor_commit_create(const struct prims *p, const struct work *w)
{
    return sign_of(p, w->leaf) + sign_of(p, w->bytes) + p->kem_derive + w->path * path_node(p) +
           w->seals * p->seal + path_hashes(p, w) + hash_of(p, w->bytes) + key_schedule(p) +
           secret_tree_walk(p, w->depth) + private_message(p, w->bytes);
}

/* For each member: the KeyPackage's two signatures, its and its proposal's hash, one encryption for
 * the Welcome. Once: the tree's hashes, the path's keys, three signatures (leaf, commit,
 * GroupInfo), the external key, the encryption of the GroupInfo, whose hash is common to all
 * entries of the Welcome (it is HPKE's info). */
double floor_group_create(const struct prims *p, const struct work *w)
{
    double each = verify_of(p, w->leaf) + verify_of(p, w->package) + p->kem_check * 2 + p->seal +
                  hash_of(p, w->package);
    return w->added * each + tree_hashes(p, w) + p->kem_derive * 2 + w->path * path_node(p) +
           sign_of(p, w->leaf) + sign_of(p, w->commit) + sign_of(p, w->bytes) +
           hash_of(p, w->commit) + hash_of(p, w->bytes) + aead_of(p, w->bytes) + key_schedule(p) +
           secret_tree_walk(p, 0) + private_message(p, w->commit);
}

/* Each member's leaf signature, each key checked, the tree's hashes and one parent hash for each
 * parent; the Welcome opened, GroupInfo decrypted and its signature verified; own path keys. */
double floor_join(const struct prims *p, const struct work *w)
{
    return w->members * (verify_of(p, w->leaf) + p->kem_check) +
           w->parents * (p->kem_check + parent_bytes_hash(p)) + tree_hashes(p, w) + p->open +
           hash_of(p, w->bytes) + aead_of(p, w->bytes) + verify_of(p, w->bytes) +
           w->above * path_node(p) + key_schedule(p);
}

double floor_encrypt(const struct prims *p, const struct work *w)
{
    return sign_of(p, SMALL) + private_message(p, w->bytes);
}

double floor_decrypt(const struct prims *p, const struct work *w)
{
    return verify_of(p, SMALL) + private_message(p, w->bytes);
}

/* The tree's hashes. */
double floor_load(const struct prims *p, const struct work *w)
{
    return tree_hashes(p, w);
}
