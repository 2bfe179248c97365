/* bench_rooms [MEMBERS...]: groups of many, in one process: what adding people, changing settings
 * and judging commits cost as the group grows, in processor time, and how large what travels is.
 * Without arguments 250, 500 and 1000. Read the columns as ratios: where the members double and the
 * time more than doubles, something is quadratic. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/internal.h"
#include "core/room_rules.h"

enum { AT_ONCE = 64, ROUNDS = 5 };

struct person {
    struct identity identity;
    struct identity_mls mls;
    sotto_buf package, secrets;
};

static struct crypto *crypto;
static sotto_mls *mls;

static void must(sotto_error error, const char *doing)
{
    if (error == SOTTO_OK)
        return;
    fprintf(stderr, "bench_rooms: %s: %s\n", doing, sotto_error_name(error));
    exit(1);
}

static double now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static sotto_error judge_leaf(void *ctx, const sotto_mls_group *group, const sotto_mls_leaf *leaf,
                              const sotto_mls_leaf *replaced)
{
    sotto_fault fault;
    (void)ctx;
    (void)group;
    return identity_judge_member(sotto_env_system(), leaf, replaced, sotto_bytes_of(NULL, 0),
                                 &fault);
}

static void person_make(struct person *person)
{
    memset(person, 0, sizeof *person);
    must(identity_create(crypto, &person->identity), "keys");
    identity_for_mls(&person->identity, &person->mls);
    sotto_buf_init(&person->package, sotto_env_system());
    sotto_buf_init(&person->secrets, sotto_env_system());
    must(sotto_mls_key_package(mls, &person->mls.mls, 0, UINT64_MAX, 0, &person->package,
                               &person->secrets),
         "KeyPackage");
}

static void person_free(struct person *person)
{
    identity_wipe(&person->identity);
    sotto_buf_free(&person->package);
    sotto_buf_free(&person->secrets);
}

struct bench {
    size_t members;
    struct person *people;
    sotto_mls_group *owner, *last; /* as the first and the last member see it */
    struct arena arena;
    size_t welcome_size;
    double add_ms, join_ms, make_ms, process_ms, judge_us, role_us, remove_ms;
};

static void extensions_make(const struct settings *settings, sotto_buf *room, sotto_buf *agreed,
                            sotto_mls_extension out[static 2])
{
    const struct identity_room info = {IDENTITY_ROOM_GROUP, sotto_bytes_str("Many")};
    must(identity_room_write(&info, room), "room");
    must(settings_write(settings, agreed), "settings");
    out[0] = (sotto_mls_extension){IDENTITY_EXTENSION_ROOM, sotto_buf_view(room)};
    out[1] = (sotto_mls_extension){SETTINGS_EXTENSION, sotto_buf_view(agreed)};
}

static void create(struct bench *b)
{
    struct settings settings;
    struct settings_role owner = {b->people[0].identity.account, SOTTO_ROLE_OWNER};
    sotto_mls_extension extensions[2];
    sotto_buf room, agreed;
    sotto_buf_init(&room, sotto_env_system());
    sotto_buf_init(&agreed, sotto_env_system());
    settings_init(&settings);
    settings.title = sotto_bytes_str("Many");
    settings.roles = &owner;
    settings.role_count = 1;
    extensions_make(&settings, &room, &agreed, extensions);
    must(sotto_mls_group_create(mls, &b->people[0].mls.mls, sotto_bytes_str("many"), extensions, 2,
                                &b->owner),
         "group");
    sotto_buf_free(&room);
    sotto_buf_free(&agreed);
}

static void add_all(struct bench *b)
{
    sotto_mls_proposal adds[AT_ONCE];
    sotto_buf commit, welcome;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    double from = now_ms();
    for (size_t done = 1; done < b->members;) {
        sotto_mls_staged *staged = NULL;
        size_t count = b->members - done < AT_ONCE ? b->members - done : AT_ONCE;
        memset(adds, 0, sizeof adds);
        for (size_t i = 0; i < count; i++) {
            adds[i].type = SOTTO_MLS_ADD;
            adds[i].u.add.key_package = sotto_buf_view(&b->people[done + i].package);
        }
        const sotto_mls_commit_options options = {.proposals = adds, .proposal_count = count};
        sotto_buf_clear(&commit);
        sotto_buf_clear(&welcome);
        must(sotto_mls_commit(b->owner, &options, &commit, &welcome, &staged), "adding");
        sotto_mls_staged_apply(b->owner, staged);
        done += count;
    }
    b->add_ms = now_ms() - from;
    b->welcome_size = welcome.size;
    from = now_ms();
    struct person *last = &b->people[b->members - 1];
    must(sotto_mls_join(mls, &last->mls.mls, sotto_buf_view(&last->package),
                        sotto_buf_view(&last->secrets), sotto_buf_view(&welcome), (sotto_bytes){0},
                        &b->last),
         "joining");
    b->join_ms = now_ms() - from;
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
}

/* One commit of the owner's, followed and judged by the last member. */
static void commit_one(struct bench *b, const sotto_mls_proposal *proposal, double *make_ms,
                       double *process_ms, double *judge_us)
{
    sotto_buf commit, welcome;
    sotto_mls_staged *staged = NULL;
    sotto_mls_received received;
    struct account_id committer;
    const char *why;
    bool allowed = false;
    memset(&received, 0, sizeof received);
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    const sotto_mls_commit_options options = {.proposals = proposal, .proposal_count = 1};
    double a = now_ms();
    must(sotto_mls_commit(b->owner, &options, &commit, &welcome, &staged), "a commit");
    double c = now_ms();
    must(sotto_mls_process(b->last, sotto_buf_view(&commit), &received), "following");
    double d = now_ms();
    must(rules_judge(b->last, received.staged, sotto_env_system(), &allowed, &why, &committer),
         "judging");
    double e = now_ms();
    if (!allowed)
        must(SOTTO_COMMIT, why);
    sotto_mls_staged_apply(b->owner, staged);
    sotto_mls_staged_apply(b->last, received.staged);
    received.staged = NULL;
    *make_ms += (c - a) / ROUNDS;
    *process_ms += (d - c) / ROUNDS;
    *judge_us += (e - d) * 1e3 / ROUNDS;
    sotto_mls_received_clear(&received);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
}

static void change_all(struct bench *b)
{
    double ignored = 0;
    for (int i = 0; i < ROUNDS; i++) {
        char title[16];
        struct settings settings;
        sotto_mls_extension extensions[2];
        sotto_buf room, agreed;
        sotto_buf_init(&room, sotto_env_system());
        sotto_buf_init(&agreed, sotto_env_system());
        (void)snprintf(title, sizeof title, "title %d", i);
        must(rules_settings(b->owner, &b->arena, &settings, NULL), "settings");
        settings.title = sotto_bytes_str(title);
        extensions_make(&settings, &room, &agreed, extensions);
        const sotto_mls_proposal proposal = {
            .type = SOTTO_MLS_CONTEXT_EXTENSIONS,
            .u.context = {.extensions = extensions, .extension_count = 2}};
        commit_one(b, &proposal, &b->make_ms, &b->process_ms, &b->judge_us);
        sotto_buf_free(&room);
        sotto_buf_free(&agreed);
    }
    for (int i = 0; i < ROUNDS; i++) { /* out of the middle */
        const sotto_mls_proposal proposal = {
            .type = SOTTO_MLS_REMOVE, .u.remove.index = (uint32_t)(b->members / 2) + (uint32_t)i};
        commit_one(b, &proposal, &ignored, &b->remove_ms, &ignored);
    }
    struct settings settings;
    must(rules_settings(b->last, &b->arena, &settings, NULL), "settings");
    double from = now_ms();
    for (int i = 0; i < 1000; i++)
        if (rules_role(b->last, &settings, &b->people[b->members - 1].identity.account) !=
            SOTTO_ROLE_MEMBER)
            must(SOTTO_VALUE, "a role");
    b->role_us = now_ms() - from;
}

static void run(size_t members)
{
    struct bench b;
    memset(&b, 0, sizeof b);
    b.members = members;
    b.people = calloc(members, sizeof *b.people);
    if (b.people == NULL)
        must(SOTTO_NO_MEMORY, "people");
    arena_init(&b.arena, sotto_env_system());
    for (size_t i = 0; i < members; i++)
        person_make(&b.people[i]);
    create(&b);
    add_all(&b);
    change_all(&b);
    printf("%7zu  %9.1f  %9.2f  %8.1f  %9.2f  %10.2f  %8.1f  %10.2f  %7.2f\n", members, b.add_ms,
           (double)b.welcome_size / 1048576, b.join_ms, b.make_ms, b.process_ms, b.judge_us,
           b.remove_ms, b.role_us);
    sotto_mls_group_free(b.owner);
    sotto_mls_group_free(b.last);
    arena_free(&b.arena);
    for (size_t i = 0; i < members; i++)
        person_free(&b.people[i]);
    free(b.people);
}

int main(int argc, char **argv)
{
    const sotto_mls_config config = {.validate_leaf = judge_leaf};
    must(crypto_new(sotto_env_system(), &crypto), "crypto");
    must(sotto_mls_new(sotto_env_system(), &config, &mls), "mls");
    puts("members  adding/ms  Welcome/MiB  join/ms  change/ms  follow/ms  judge/us  "
         "removal/ms  role/us");
    for (int i = 1; i < argc; i++)
        run((size_t)strtoul(argv[i], NULL, 10));
    if (argc < 2) {
        run(250);
        run(500);
        run(1000);
    }
    sotto_mls_free(mls);
    crypto_free(crypto);
    return 0;
}
