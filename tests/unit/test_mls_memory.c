/* What the RFC says must be deleted (9.2, 7.5, 8, 14) is not in the process's memory afterwards:
 * not in freed blocks, not in dead stack frames. Secrets are noted while they are alive, and what
 * was drawn at random, and what follows from it; then all writable memory is searched for them. The
 * notes themselves are kept under a mask, so that the search does not find them. */
#include <fcntl.h>
#include <unistd.h>

#include "mls/group.h"
#include "unit/check.h"

#define NOTES 4096
#define PIECE                                                                          \
    16 /* what is looked for: any 16 octets of a secret that start at a multiple of 16 \
        */
#define MASK UINT64_C(0x5bd1e9955bd1e995)

struct note {
    uint64_t piece[2];
    const char *what;
    bool dead; /* may not be found any more */
};

struct member {
    sotto_buf private_key, public_key, key_package, secrets;
    sotto_mls_identity identity;
    sotto_mls_group *group;
};

static struct note notes[NOTES];
static size_t note_count;
static bool noting_draws;
static uint64_t draws[64][4]; /* of 32 octets, masked */
static size_t draw_count;
static sotto_mls *engine;
static struct member people[3];

/* ---- Notes ----------------------------------------------------------------------------------- */

static void mask_piece(const uint8_t *data, uint64_t piece[2])
{
    memcpy(piece, data, PIECE);
    piece[0] ^= MASK;
    piece[1] ^= MASK;
}

static void note(const char *what, sotto_bytes secret)
{
    for (size_t at = 0; at + PIECE <= secret.size; at += PIECE) {
        assert_true(note_count < NOTES);
        mask_piece(secret.data + at, notes[note_count].piece);
        notes[note_count].dead = true;
        notes[note_count++].what = what;
    }
}

static void still_alive(const char *what, sotto_bytes secret)
{
    (void)what;
    for (size_t at = 0; at + PIECE <= secret.size; at += PIECE) {
        uint64_t piece[2];
        mask_piece(secret.data + at, piece);
        for (size_t i = 0; i < note_count; i++)
            if (memcmp(notes[i].piece, piece, PIECE) == 0)
                notes[i].dead = false;
    }
}

typedef void visit(const char *what, sotto_bytes secret);

static void walk_epoch(struct epoch *epoch, visit *each)
{
    const struct epoch_secrets *s = &epoch->secrets;
    each("sender_data_secret", secret_view(&s->sender_data));
    each("encryption_secret", secret_view(&s->encryption));
    each("exporter_secret", secret_view(&s->exporter));
    each("external_secret", secret_view(&s->external));
    each("confirmation_key", secret_view(&s->confirmation_key));
    each("membership_key", secret_view(&s->membership_key));
    each("resumption_psk", secret_view(&s->resumption_psk));
    each("init_secret", secret_view(&s->init));
    each("application_export_secret", secret_view(&s->application_export));
    uint32_t key;
    void *value;
    for (size_t at = 0; (value = sparse_next(&epoch->components.nodes, &at, &key)) != NULL;)
        each("exporter tree node", secret_view(value));
    for (size_t at = 0; (value = sparse_next(&epoch->tree.nodes, &at, &key)) != NULL;)
        each("secret tree node", secret_view(value));
    for (size_t at = 0; (value = sparse_next(&epoch->tree.ratchets, &at, &key)) != NULL;) {
        const struct ratchet *ratchet = value;
        each("ratchet secret", secret_view(&ratchet->secret));
        for (uint32_t i = 0; i < ratchet->skipped_count; i++)
            each("skipped message key", sotto_bytes_of(ratchet->skipped[i].key, epoch->suite->nk));
    }
}

static void walk_keys(const struct treekem_private *keys, visit *each)
{
    for (size_t i = 0; i < keys->count; i++)
        each("private key of a tree node", secret_view(&keys->keys[i].private_key));
}

static void walk(const sotto_mls_group *group, visit *each)
{
    walk_epoch(group->epoch, each);
    walk_keys(&group->private_state, each);
    for (const struct past_epoch *past = group->past; past != NULL; past = past->next)
        walk_epoch(past->epoch, each);
    for (size_t i = 0; i < group->pending.count; i++)
        each("private key of an Update", secret_view(&group->pending.items[i]->leaf_private));
}

/* ---- The search ------------------------------------------------------------------------------ */

static uint8_t window[1 << 16]; /* not looked into */
static char maps[1 << 16];
static unsigned char filter[1 << 16];

static size_t search_window(size_t size, const char *region)
{
    size_t found = 0;
    for (size_t at = 0; at + PIECE <= size; at++) {
        uint64_t piece[2];
        mask_piece(window + at, piece);
        if (!filter[piece[0] & 0xffff])
            continue;
        for (size_t i = 0; i < note_count; i++) {
            if (!notes[i].dead || memcmp(notes[i].piece, piece, PIECE) != 0)
                continue;
            print_error("left in memory: %s, in %.60s\n", notes[i].what, region);
            notes[i].dead = false; /* say it once */
            found++;
        }
    }
    return found;
}

static size_t search_region(int memory, uint64_t from, uint64_t to, const char *region)
{
    size_t found = 0;
    while (from < to) {
        uint64_t own = (uint64_t)(uintptr_t)window;
        if (from >= own && from < own + sizeof window) {
            from = own + sizeof window;
            continue;
        }
        size_t size = to - from < sizeof window ? (size_t)(to - from) : sizeof window;
        if (from < own && own - from < size)
            size = (size_t)(own - from);
        ssize_t got = pread(memory, window, size, (off_t)from);
        if (got <= PIECE)
            break;
        found += search_window((size_t)got, region);
        /* A secret may lie across two windows. */
        from += (uint64_t)got < to - from ? (uint64_t)got - PIECE + 1 : (uint64_t)got;
        if (size < sizeof window && from < own)
            from = from + PIECE > own ? own : from;
    }
    return found;
}

/* Only open, read and static memory: the search must not tidy up what it looks for. */
static size_t leftovers(void)
{
    size_t length = 0, found = 0;
    ssize_t got;
    int list = open("/proc/self/maps", O_RDONLY), memory = open("/proc/self/mem", O_RDONLY);
    assert_true(list >= 0 && memory >= 0);
    while ((got = read(list, maps + length, sizeof maps - 1 - length)) > 0)
        length += (size_t)got;
    maps[length] = 0;
    assert_true(length < sizeof maps - 1);
    memset(filter, 0, sizeof filter);
    for (size_t i = 0; i < note_count; i++)
        filter[notes[i].piece[0] & 0xffff] = 1;
    for (char *line = maps; *line != 0;) {
        char *end = strchr(line, '\n'), *rest;
        *end = 0;
        uint64_t from = strtoull(line, &rest, 16), to = strtoull(rest + 1, &rest, 16);
        if (rest[2] == 'w')
            found += search_region(memory, from, to, line);
        line = end + 1;
    }
    close(list);
    close(memory);
    return found;
}

static void assert_gone(void)
{
    for (size_t i = 0; i < 3; i++)
        if (people[i].group != NULL)
            walk(people[i].group, still_alive);
    assert_int_equal(leftovers(), 0);
    note_count = 0;
    draw_count = 0;
}

/* ---- People ---------------------------------------------------------------------------------- */

static sotto_error noted_random(void *ctx, uint8_t *out, size_t size)
{
    (void)ctx;
    sotto_error error = sotto_env_system()->random(NULL, out, size);
    if (!noting_draws)
        return error;
    if (size >= 32) /* shorter: the seed of a table, a reuse guard */
        note("drawn at random", sotto_bytes_of(out, size));
    if (size == 32 && draw_count < 64) {
        memcpy(draws[draw_count], out, size);
        for (size_t i = 0; i < 4; i++)
            draws[draw_count][i] ^= MASK;
        draw_count++;
    }
    return error;
}

static void *resize(void *ctx, void *block, size_t old_size, size_t new_size)
{
    (void)ctx;
    return sotto_env_system()->resize(NULL, block, old_size, new_size);
}

static uint64_t now(void *ctx)
{
    (void)ctx;
    return 1000;
}

static const sotto_env env = {.resize = resize, .random = noted_random, .now = now};

static void person(struct member *member, uint16_t suite, const char *name)
{
    *member = (struct member){0};
    sotto_buf_init(&member->private_key, &env);
    sotto_buf_init(&member->public_key, &env);
    sotto_buf_init(&member->key_package, &env);
    sotto_buf_init(&member->secrets, &env);
    assert_ok(sotto_mls_signature_key(engine, suite, &member->private_key, &member->public_key));
    member->identity = (sotto_mls_identity){
        .suite = suite,
        .credential = {.type = SOTTO_MLS_BASIC, .identity = sotto_bytes_str(name)},
        .signature_private = sotto_buf_view(&member->private_key),
        .signature_public = sotto_buf_view(&member->public_key),
    };
    noting_draws = true;
    assert_ok(sotto_mls_key_package(engine, &member->identity, 0, UINT64_MAX - 1, 0,
                                    &member->key_package, &member->secrets));
}

static sotto_error put_away(void *ctx, uint32_t kind, uint32_t index, sotto_bytes value)
{
    (void)ctx, (void)kind, (void)index, (void)value;
    return SOTTO_OK;
}

static sotto_error erase_none(void *ctx, uint32_t kind, uint32_t index)
{
    (void)ctx, (void)kind, (void)index;
    return SOTTO_OK;
}

static void save(struct member *member)
{
    const sotto_mls_store store = {NULL, put_away, erase_none};
    assert_ok(sotto_mls_group_save(member->group, &store));
}

/* The secrets on the way from one draw to the next epoch, if it was the first path secret: notes
 * them and says so. levels: nodes on the path. */
static bool note_schedule(const struct epoch *before, const struct epoch *after,
                          struct secret *path, size_t levels)
{
    struct crypto *crypto = after->mls->crypto;
    struct secret node = {0}, joiner = {0}, member = {0}, zero = {0}, welcome = {0}, last = {0};
    struct epoch_secrets derived = {0};
    for (size_t i = 0; i <= levels; i++) {
        note("path secret", secret_view(path));
        assert_ok(crypto_derive_secret(crypto, after->suite, secret_view(path), "node", &node));
        note("node secret", secret_view(&node));
        last = *path;
        assert_ok(crypto_derive_secret(crypto, after->suite, secret_view(&last), "path", path));
    }
    key_schedule_zero(after->suite, &zero);
    sotto_bytes context = sotto_buf_view(&after->context);
    assert_ok(key_schedule_joiner(crypto, after->suite, secret_view(&before->secrets.init),
                                  secret_view(&last), context, &joiner));
    assert_ok(key_schedule_member(crypto, after->suite, secret_view(&joiner), secret_view(&zero),
                                  &member));
    assert_ok(key_schedule_epoch(crypto, after->suite, secret_view(&member), context, &derived));
    bool right = sotto_bytes_equal(secret_view(&derived.epoch_authenticator),
                                   secret_view(&after->secrets.epoch_authenticator));
    if (right) {
        assert_ok(
            crypto_derive_secret(crypto, after->suite, secret_view(&member), "welcome", &welcome));
        note("joiner_secret", secret_view(&joiner));
        note("joiner_secret with PSKs", secret_view(&member));
        note("welcome_secret", secret_view(&welcome));
        note("encryption_secret", secret_view(&derived.encryption));
        assert_ok(crypto_expand_with_label(crypto, after->suite, secret_view(&member), "epoch",
                                           context, after->suite->nh, &welcome));
        note("epoch_secret", secret_view(&welcome));
    }
    struct secret *own[] = {&node, &joiner, &member, &welcome, &last, path};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        secret_wipe(own[i]);
    epoch_secrets_wipe(&derived);
    return right;
}

static void note_commit(const struct epoch *before, struct epoch *after)
{
    size_t right = 0;
    for (size_t i = 0; i < draw_count; i++)
        for (size_t levels = 0; levels < 4; levels++) {
            struct secret path = {.size = 32};
            uint64_t draw[4];
            for (size_t j = 0; j < 4; j++)
                draw[j] = draws[i][j] ^ MASK;
            memcpy(path.data, draw, 32);
            wipe(draw, sizeof draw);
            right += note_schedule(before, after, &path, levels);
        }
    assert_int_equal(right, 1); /* or this test does not know what it looks for */
    walk_epoch(after, note);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void add_everybody(void)
{
    sotto_mls_proposal adds[2] = {{.type = SOTTO_MLS_ADD}, {.type = SOTTO_MLS_ADD}};
    sotto_mls_staged *staged;
    sotto_buf commit, welcome;
    sotto_buf_init(&commit, &env);
    sotto_buf_init(&welcome, &env);
    for (size_t i = 0; i < 2; i++)
        adds[i].u.add.key_package = sotto_buf_view(&people[i + 1].key_package);
    const sotto_mls_commit_options options = {.proposals = adds, .proposal_count = 2};
    walk(people[0].group, note);
    draw_count = 0;
    assert_ok(sotto_mls_commit(people[0].group, &options, &commit, &welcome, &staged));
    note_commit(people[0].group->epoch, staged->next);
    sotto_mls_staged_apply(people[0].group, staged);
    for (size_t i = 1; i < 3; i++) {
        struct member *m = &people[i];
        assert_ok(sotto_mls_join(engine, &m->identity, sotto_buf_view(&m->key_package),
                                 sotto_buf_view(&m->secrets), sotto_buf_view(&welcome),
                                 (sotto_bytes){0}, &m->group));
        sotto_buf_free(&m->secrets);
    }
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
}

static void start(uint16_t suite)
{
    static const char *const names[] = {"alice", "bob", "carol"};
    assert_ok(sotto_mls_new(&env, NULL, &engine));
    note_count = draw_count = 0;
    for (size_t i = 0; i < 3; i++) {
        noting_draws = false;
        person(&people[i], suite, names[i]);
    }
    sotto_buf_free(&people[0].secrets);
    assert_ok(sotto_mls_group_create(engine, &people[0].identity, sotto_bytes_str("memory"), NULL,
                                     0, &people[0].group));
    add_everybody();
}

static void stop(void)
{
    noting_draws = false;
    for (size_t i = 0; i < 3; i++) {
        sotto_mls_group_free(people[i].group);
        people[i].group = NULL;
        sotto_buf_free(&people[i].private_key);
        sotto_buf_free(&people[i].public_key);
        sotto_buf_free(&people[i].key_package);
        sotto_buf_free(&people[i].secrets);
    }
}

/* Notes the key of the sender's next message, as it and each receiver will derive it. */
static void send(struct member *from, sotto_buf *message)
{
    struct secret_step step;
    assert_ok(secret_tree_take_next(&from->group->epoch->tree, sotto_mls_own_index(from->group),
                                    RATCHET_APPLICATION, &step));
    note("message key", sotto_bytes_of(step.key.key, from->group->suite->nk));
    secret_step_free(&step);
    walk(from->group, note);
    sotto_buf_init(message, &env);
    assert_ok(
        sotto_mls_encrypt(from->group, sotto_bytes_str("a message"), (sotto_bytes){0}, 0, message));
}

static void receive(struct member *to, const sotto_buf *message)
{
    sotto_mls_received received;
    walk(to->group, note);
    assert_ok(sotto_mls_process(to->group, sotto_buf_view(message), &received));
    walk(to->group, note);
    sotto_mls_received_clear(&received);
}

static void messages(void)
{
    sotto_buf sent[3];
    for (size_t i = 0; i < 3; i++)
        send(&people[0], &sent[i]);
    for (size_t i = 3; i-- > 0;) { /* out of order: keys are kept, then used */
        receive(&people[1], &sent[i]);
        receive(&people[2], &sent[i]);
        save(&people[1]);
    }
    assert_gone();
    for (size_t i = 0; i < 3; i++)
        sotto_buf_free(&sent[i]);
}

static void take_commit(struct member *to, const sotto_buf *commit, bool apply)
{
    sotto_mls_received received;
    walk(to->group, note);
    assert_ok(sotto_mls_process(to->group, sotto_buf_view(commit), &received));
    walk_epoch(received.staged->next, note);
    walk_keys(&received.staged->private_state, note);
    if (apply) {
        sotto_mls_staged_apply(to->group, received.staged);
        received.staged = NULL;
    }
    sotto_mls_received_clear(&received);
}

static void commits(void)
{
    sotto_buf commit, welcome, saved;
    sotto_mls_staged *staged;
    sotto_buf_init(&commit, &env);
    sotto_buf_init(&welcome, &env);
    sotto_buf_init(&saved, &env);
    for (int apply = 0; apply < 2; apply++) {
        sotto_buf_clear(&commit);
        walk(people[0].group, note);
        assert_ok(sotto_mls_commit(people[0].group, NULL, &commit, &welcome, &staged));
        note_commit(people[0].group->epoch, staged->next);
        walk_keys(&staged->private_state, note);
        assert_ok(sotto_mls_staged_save(staged, &saved));
        sotto_buf_free(&saved);
        take_commit(&people[1], &commit, apply);
        take_commit(&people[2], &commit, apply);
        if (apply)
            sotto_mls_staged_apply(people[0].group, staged);
        else
            sotto_mls_staged_drop(staged);
        save(&people[0]);
        assert_gone();
    }
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
}

static void scenario(uint16_t suite)
{
    start(suite);
    assert_gone(); /* init keys, the joiner secret, epoch 0 */
    messages();
    commits();
    messages();
    for (size_t i = 0; i < 3; i++)
        walk(people[i].group, note);
    stop();
    assert_gone();
    sotto_mls_free(engine);
}

/* The search must be able to find: a copy on purpose, and its noted original. */
static void test_search_finds(void **state)
{
    (void)state;
    static uint8_t copy[32];
    note_count = 0;
    assert_ok(sotto_env_system()->random(NULL, copy, sizeof copy));
    note("a copy, on purpose", sotto_bytes_of(copy, sizeof copy));
    assert_int_equal(leftovers(), 2);
    wipe(copy, sizeof copy);
    for (size_t i = 0; i < note_count; i++)
        notes[i].dead = true;
    assert_int_equal(leftovers(), 0);
}

static void test_x25519(void **state)
{
    (void)state;
    scenario(SOTTO_MLS_X25519_AES128_SHA256_ED25519);
}

static void test_xwing(void **state)
{
    (void)state;
    scenario(SOTTO_MLS_XWING_CHACHA_SHA256_ED25519);
}

int main(void)
{
    if (SANITIZED) {
        /* Its shadow memory is terabytes to search, and it keeps freed blocks on its own account.
         */
        puts("1..0 # SKIP a sanitizer keeps freed blocks and dead frames");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_search_finds),
        cmocka_unit_test(test_x25519),
        cmocka_unit_test(test_xwing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
