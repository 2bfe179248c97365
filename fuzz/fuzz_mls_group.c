/* Whole groups, driven by the input: its octets are operations of up to six players, among them
 * forks, late, repeated, damaged and hostile messages, crashes between saves. A network is a log of
 * all that was sent; delivering any of it to anybody in any order is one of the operations.
 *
 * Every epoch gets a number when its commit is made. What must always hold:
 *  - players at one number have one epoch authenticator, and read one another's messages; players
 *    at two numbers have two;
 *  - a call that fails leaves the player's group as it was, byte for byte;
 *  - a damaged message is refused; a commit is taken by whoever has the committer's proposals;
 *  - a group that was saved and loaded is the same group. */
#include <sodium.h>
#include <string.h>

#include "mls/group.h"
#include "mls/group_save.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PLAYERS 6
#define SUITES 2
#define STEPS 48 /* so that no ratchet passes over more keys than it keeps */
#define LOGGED 64
#define RECORDS 256

struct record {
    uint32_t kind, index;
    sotto_buf value;
};

struct player {
    char name[8];
    sotto_buf private_key, public_key, key_package, secrets;
    sotto_mls_identity identity;
    sotto_mls_group *group;
    uint32_t at;    /* the epoch's number */
    uint64_t state; /* of the group, if it is as it was when that was taken; else 0 */
    sotto_mls_staged *staged;
    uint32_t staged_at;
    struct record records[RECORDS];
    size_t record_count, cursor;
    bool got[LOGGED];
};

struct logged {
    enum content_type type;
    sotto_buf bytes, welcome;
    struct player *sender;
    uint32_t at, leads_to;
    uint64_t pending; /* the committer's proposals */
    bool private_framing, self_remove;
    bool repeated; /* a proposal that the sender has made in this epoch already */
    bool psk;      /* a commit with an epoch's PSK, which later members do not have */
};

/* The cheap one nearly always. */
static const uint16_t suites[SUITES] = {SOTTO_MLS_X25519_AES128_SHA256_ED25519,
                                        SOTTO_MLS_XWING_CHACHA_SHA256_ED25519};

static sotto_mls *engine;
static uint16_t suite;
static struct player players[PLAYERS];
static struct logged network[LOGGED];
static size_t network_count;
static uint32_t last_number;
static sotto_bytes input;

/* ---- Environment ----------------------------------------------------------------------------- */

static uint64_t random_state;

/* The same randomness for the same input, so that what was found stays found. */
static sotto_error counted_random(void *ctx, uint8_t *out, size_t size)
{
    (void)ctx;
    for (size_t i = 0; i < size; i += 8) {
        random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t mixed = random_state ^ random_state >> 29;
        memcpy(out + i, &mixed, size - i < 8 ? size - i : 8);
    }
    return SOTTO_OK;
}

static uint64_t fixed_now(void *ctx)
{
    (void)ctx;
    return 1000;
}

static void *resize(void *ctx, void *block, size_t old_size, size_t new_size)
{
    return sotto_env_system()->resize(ctx, block, old_size, new_size);
}

static const sotto_env env = {.resize = resize, .random = counted_random, .now = fixed_now};

static uint8_t next_octet(void)
{
    if (input.size == 0)
        return 0;
    input.size--;
    return *input.data++;
}

static sotto_bytes next_bytes(size_t size)
{
    sotto_bytes taken = sotto_bytes_of(input.data, size < input.size ? size : input.size);
    input.data += taken.size;
    input.size -= taken.size;
    return taken;
}

static struct player *next_player(void)
{
    return &players[next_octet() % PLAYERS];
}

static struct player *next_member(void)
{
    size_t first = next_octet();
    for (size_t i = 0; i < PLAYERS; i++)
        if (players[(first + i) % PLAYERS].group != NULL)
            return &players[(first + i) % PLAYERS];
    return NULL;
}

static sotto_mls_framing next_framing(void)
{
    return next_octet() % 2 == 0 ? SOTTO_MLS_PRIVATE : SOTTO_MLS_PUBLIC;
}

/* What went wrong when a call failed that may not. */
static bool must(sotto_error error)
{
    if (error != SOTTO_OK)
        fprintf(stderr, "%s: %s\n", sotto_error_name(error), sotto_mls_fault(engine)->what);
    return error == SOTTO_OK;
}

/* ---- Stores and fingerprints ----------------------------------------------------------------- */

/* libsodium's hash, because one of ours would be slowed by the sanitizers. */
static uint64_t short_hash(uint32_t kind, uint32_t index, sotto_bytes value)
{
    const uint32_t key[4] = {kind, index, kind, index};
    uint64_t hash;
    crypto_shorthash((uint8_t *)&hash, value.data, value.size, (const uint8_t *)key);
    return hash;
}

/* A sum, because records come in no order. */
static sotto_error fingerprint_record(void *ctx, uint32_t kind, uint32_t index, sotto_bytes value)
{
    uint64_t *sum = ctx;
    *sum += short_hash(kind, index, value);
    return SOTTO_OK;
}

static sotto_error fingerprint_erase(void *ctx, uint32_t kind, uint32_t index)
{
    (void)ctx, (void)kind, (void)index;
    return SOTTO_OK;
}

static uint64_t state_of(struct player *player)
{
    uint64_t sum = 0;
    const sotto_mls_store store = {&sum, fingerprint_record, fingerprint_erase};
    BUG_UNLESS(must(group_dump(player->group, &store)));
    player->state = sum;
    return sum;
}

/* Before a call that may fail. A call that succeeded sets the state 0. */
static uint64_t known_state(struct player *player)
{
    return player->state != 0 ? player->state : state_of(player);
}

static uint64_t pending_fingerprint(const struct player *player)
{
    uint64_t sum = 0;
    const struct pending_list *list = &player->group->pending;
    for (size_t i = 0; i < list->count; i++)
        sum += short_hash(0, 0, hash_view(&list->items[i]->reference));
    return sum;
}

static sotto_error erase_record(void *ctx, uint32_t kind, uint32_t index)
{
    struct player *player = ctx;
    for (size_t i = 0; i < player->record_count; i++) {
        struct record *record = &player->records[i];
        if (record->kind != kind || record->index != index)
            continue;
        sotto_buf_free(&record->value);
        *record = player->records[--player->record_count];
        break;
    }
    return SOTTO_OK;
}

static sotto_error put_record(void *ctx, uint32_t kind, uint32_t index, sotto_bytes value)
{
    struct player *player = ctx;
    erase_record(player, kind, index);
    BUG_UNLESS(player->record_count < RECORDS);
    struct record *record = &player->records[player->record_count++];
    *record = (struct record){.kind = kind, .index = index};
    sotto_buf_init(&record->value, &env);
    return sotto_buf_append(&record->value, value.data, value.size);
}

static sotto_error next_record(void *ctx, uint32_t *kind, uint32_t *index, sotto_bytes *value)
{
    struct player *player = ctx;
    if (player->cursor == player->record_count)
        return SOTTO_NOT_FOUND;
    const struct record *record = &player->records[player->cursor++];
    *kind = record->kind;
    *index = record->index;
    *value = sotto_buf_view(&record->value);
    return SOTTO_OK;
}

static void clear_records(struct player *player)
{
    while (player->record_count > 0)
        erase_record(player, player->records[0].kind, player->records[0].index);
}

/* ---- Players --------------------------------------------------------------------------------- */

static void drop_staged(struct player *player)
{
    sotto_mls_staged_drop(player->staged);
    player->staged = NULL;
}

static void forget_group(struct player *player)
{
    drop_staged(player);
    sotto_mls_group_free(player->group);
    player->group = NULL;
    player->state = 0;
    player->at = 0;
    clear_records(player);
    memset(player->got, 0, sizeof player->got);
}

static void new_key_package(struct player *player)
{
    sotto_buf_clear(&player->key_package);
    sotto_buf_clear(&player->secrets);
    BUG_UNLESS(must(sotto_mls_key_package(engine, &player->identity, 0, UINT64_MAX - 1, 0,
                                          &player->key_package, &player->secrets)));
}

static void make_player(struct player *player, char name)
{
    player->name[0] = name;
    sotto_buf_init(&player->private_key, &env);
    sotto_buf_init(&player->public_key, &env);
    sotto_buf_init(&player->key_package, &env);
    sotto_buf_init(&player->secrets, &env);
    BUG_UNLESS(must(
        sotto_mls_signature_key(engine, suites[0], &player->private_key, &player->public_key)));
    static const uint16_t custom[] = {0xf0f0, SOTTO_MLS_SELF_REMOVE};
    player->identity = (sotto_mls_identity){
        .credential = {.type = SOTTO_MLS_BASIC, .identity = sotto_bytes_str(player->name)},
        .signature_private = sotto_buf_view(&player->private_key),
        .signature_public = sotto_buf_view(&player->public_key),
        .capabilities = {.proposals = custom, .proposal_count = 2},
    };
}

/* A group that a ReInit has ended takes and gives nothing any more. */
static bool ended(const struct player *player)
{
    sotto_mls_proposal reinit;
    return sotto_mls_reinit(player->group, &reinit) == SOTTO_OK;
}

static struct logged *log_message(enum content_type type, struct player *sender)
{
    if (network_count == LOGGED)
        return NULL;
    struct logged *message = &network[network_count++];
    *message = (struct logged){.type = type, .sender = sender, .at = sender->at};
    sotto_buf_init(&message->bytes, &env);
    sotto_buf_init(&message->welcome, &env);
    return message;
}

static void unlog(void)
{
    struct logged *message = &network[--network_count];
    sotto_buf_free(&message->bytes);
    sotto_buf_free(&message->welcome);
}

/* ---- Sending --------------------------------------------------------------------------------- */

static void choose_proposal(struct player *by, sotto_mls_proposal *proposal)
{
    static const sotto_mls_extension none = {0};
    struct player *other = next_player();
    *proposal = (sotto_mls_proposal){0};
    switch (next_octet() % 8) {
    case 0:
        proposal->type = SOTTO_MLS_UPDATE;
        break;
    case 1:
        proposal->type = SOTTO_MLS_REMOVE;
        proposal->u.remove.index = next_octet() % (PLAYERS + 2);
        break;
    case 2:
        proposal->type = 0xf0f0;
        proposal->u.other = next_bytes(4);
        break;
    case 3:
        proposal->type = SOTTO_MLS_CONTEXT_EXTENSIONS;
        proposal->u.context.extensions = &none;
        break;
    case 4:
        proposal->type = SOTTO_MLS_SELF_REMOVE;
        break;
    case 5:
        proposal->type = SOTTO_MLS_PSK;
        proposal->u.psk.resumption = true;
        proposal->u.psk.usage = SOTTO_MLS_PSK_APPLICATION;
        proposal->u.psk.id = sotto_mls_group_id(by->group);
        proposal->u.psk.epoch = sotto_mls_epoch(by->group) - next_octet() % 3;
        break;
    case 6:
        if (next_octet() % 8 == 0) {
            proposal->type = SOTTO_MLS_REINIT;
            proposal->u.reinit.group_id = sotto_bytes_str("next");
            proposal->u.reinit.suite = suite;
            break;
        }
        /* FALLTHROUGH */
    default:
        proposal->type = SOTTO_MLS_ADD;
        proposal->u.add.key_package = sotto_buf_view(&other->key_package);
    }
}

static void op_propose(struct player *by)
{
    sotto_mls_proposal proposal;
    struct logged *message = log_message(CONTENT_PROPOSAL, by);
    if (message == NULL)
        return;
    choose_proposal(by, &proposal);
    sotto_mls_framing framing = next_framing();
    uint64_t before = known_state(by);
    size_t pending = by->group->pending.count;
    message->private_framing = framing == SOTTO_MLS_PRIVATE;
    if (sotto_mls_propose(by->group, &proposal, NULL, framing, &message->bytes) != SOTTO_OK) {
        BUG_UNLESS(state_of(by) == before && message->bytes.size == 0);
        unlog();
        return;
    }
    message->self_remove = proposal.type == SOTTO_MLS_SELF_REMOVE;
    by->state = 0;
    message->repeated = by->group->pending.count == pending;
}

static void op_encrypt(struct player *by)
{
    struct logged *message = log_message(CONTENT_APPLICATION, by);
    if (message == NULL)
        return;
    message->private_framing = true;
    uint64_t before = known_state(by);
    sotto_error error = sotto_mls_encrypt(by->group, sotto_bytes_str(by->name), (sotto_bytes){0},
                                          next_octet() % 64, &message->bytes);
    if (error != SOTTO_OK) {
        BUG_UNLESS(ended(by) && state_of(by) == before);
        unlog();
        return;
    }
    by->state = 0;
}

/* Consumed or not, and in the store the same. */
static void op_safe_export(struct player *by)
{
    uint16_t component = (uint16_t)(next_octet() * 257);
    uint64_t before = known_state(by);
    sotto_buf out;
    sotto_buf_init(&out, &env);
    if (sotto_mls_safe_export(by->group, component, &out) == SOTTO_OK) {
        BUG_UNLESS(sotto_mls_safe_export(by->group, component, &out) == SOTTO_REUSED);
        by->state = 0;
        BUG_UNLESS(state_of(by) != before);
    } else {
        BUG_UNLESS(sotto_mls_fault(engine)->error == SOTTO_REUSED && state_of(by) == before);
    }
    sotto_buf_free(&out);
}

static void enter(struct player *player, sotto_mls_staged *staged, uint32_t number)
{
    bool removed = sotto_mls_staged_removes_self(staged);
    if (player->staged == staged)
        player->staged = NULL;
    drop_staged(player); /* of the epoch that ends */
    sotto_mls_staged_apply(player->group, staged);
    player->state = 0;
    player->at = number;
    if (removed)
        forget_group(player);
}

static bool holds_psk(const sotto_mls_staged *staged)
{
    sotto_mls_proposal proposal;
    for (size_t i = 0; i < sotto_mls_staged_count(staged); i++)
        if (sotto_mls_staged_proposal(staged, i, &proposal, NULL) == SOTTO_OK &&
            proposal.type == SOTTO_MLS_PSK)
            return true;
    return false;
}

static void op_commit(struct player *by)
{
    sotto_mls_proposal proposals[3];
    uint8_t flags = next_octet();
    sotto_mls_commit_options options = {
        .proposals = proposals,
        .proposal_count = flags & 3,
        .ignore_pending = (flags & 4) != 0,
        .no_path = (flags & 8) != 0,
        .framing = flags & 16 ? SOTTO_MLS_PUBLIC : SOTTO_MLS_PRIVATE,
    };
    for (size_t i = 0; i < options.proposal_count; i++)
        choose_proposal(by, &proposals[i]);
    struct logged *message = log_message(CONTENT_COMMIT, by);
    if (message == NULL)
        return;
    message->private_framing = options.framing == SOTTO_MLS_PRIVATE;
    message->pending = options.ignore_pending ? 0 : pending_fingerprint(by);
    uint64_t before = known_state(by);
    sotto_mls_staged *staged;
    if (sotto_mls_commit(by->group, &options, &message->bytes, &message->welcome, &staged) !=
        SOTTO_OK) {
        BUG_UNLESS(state_of(by) == before && message->bytes.size == 0 &&
                   message->welcome.size == 0);
        unlog();
        return;
    }
    by->state = 0; /* the commit's key is used */
    message->psk = holds_psk(staged);
    message->leads_to = ++last_number;
    drop_staged(by);
    by->staged = staged;
    by->staged_at = message->leads_to;
    if ((flags & 32) == 0)
        enter(by, staged, message->leads_to);
}

/* What became of an own commit. */
static void op_settle(struct player *by)
{
    if (by->staged == NULL)
        return;
    if (next_octet() % 2 == 0) {
        enter(by, by->staged, by->staged_at);
        return;
    }
    uint64_t before = known_state(by);
    drop_staged(by);
    BUG_UNLESS(state_of(by) == before);
}

static bool find_self_remove(uint32_t at, sotto_bytes *found)
{
    for (size_t i = 0; i < network_count; i++) {
        if (network[i].self_remove && network[i].at == at) {
            *found = sotto_buf_view(&network[i].bytes);
            return true;
        }
    }
    return false;
}

/* A player without a group comes by itself, in the place of its former leaf if there is one. */
static void op_external_join(struct player *by, struct player *from)
{
    if (by->group != NULL)
        return;
    sotto_buf info;
    sotto_buf_init(&info, &env);
    sotto_mls_external_options options = {0};
    uint32_t index = 0;
    sotto_mls_leaf leaf;
    while (sotto_mls_next_member(from->group, &index, &leaf)) {
        if (sotto_bytes_equal(leaf.signature_key, sotto_buf_view(&by->public_key))) {
            options.removes_prior = true;
            options.prior = leaf.index;
        }
    }
    sotto_bytes leaving;
    if (next_octet() % 2 == 0 && find_self_remove(from->at, &leaving)) {
        options.self_removes = &leaving;
        options.self_remove_count = 1;
    }
    by->at = from->at;
    struct logged *message = log_message(CONTENT_COMMIT, by);
    if (message != NULL && sotto_mls_group_info(from->group, true, true, &info) == SOTTO_OK &&
        sotto_mls_external_join(engine, &by->identity, sotto_buf_view(&info), (sotto_bytes){0},
                                &options, &message->bytes, &by->group) == SOTTO_OK) {
        message->leads_to = by->at = ++last_number;
        message->pending = options.self_remove_count; /* not owed to those who may not know it */
    } else {
        BUG_UNLESS(message == NULL || ended(from));
        by->at = 0;
        if (message != NULL)
            unlog();
    }
    sotto_buf_free(&info);
}

/* ---- Receiving ------------------------------------------------------------------------------- */

/* Whether a message that nobody touched may not be refused. */
static bool owed(const struct player *to, const struct logged *message, bool got)
{
    if (got || message->repeated || to == message->sender || to->at != message->at || ended(to))
        return false;
    if (message->type == CONTENT_COMMIT)
        return message->pending == 0 || message->pending == pending_fingerprint(to);
    return true;
}

/* Whether to has had a repetition of what the sender proposed in that epoch. */
static bool got_repeated(const struct player *to, const struct logged *message)
{
    for (size_t i = 0; i < network_count; i++)
        if (to->got[i] && network[i].repeated && network[i].sender == message->sender &&
            network[i].at == message->at)
            return true;
    return false;
}

/* What lies with the receiver and is nobody's fault. */
static bool excused(const struct player *to, const struct logged *message, sotto_error error)
{
    if (error == SOTTO_PSK)
        return message->psk;
    return error == SOTTO_REUSED && message->type == CONTENT_PROPOSAL && got_repeated(to, message);
}

static void took(struct player *to, const struct logged *message, sotto_mls_received *received,
                 uint64_t before)
{
    BUG_UNLESS(received->kind == (sotto_mls_received_kind)message->type);
    if (message->type == CONTENT_APPLICATION)
        BUG_UNLESS(sotto_bytes_equal(sotto_buf_view(&received->data),
                                     sotto_bytes_str(message->sender->name)));
    if (message->type != CONTENT_COMMIT)
        return;
    sotto_mls_staged *staged = received->staged;
    received->staged = NULL;
    if (next_octet() % 4 > 0) {
        enter(to, staged, message->leads_to);
        return;
    }
    sotto_mls_staged_drop(staged);
    BUG_UNLESS(state_of(to) == before);
}

static void op_deliver(struct player *to, size_t number)
{
    const struct logged *message = &network[number];
    sotto_mls_received received;
    uint64_t before = known_state(to);
    /* The log may outlive one's group: what an earlier group got says nothing about this one. */
    bool got = to->got[number], due = owed(to, message, got);
    sotto_error error = sotto_mls_process(to->group, sotto_buf_view(&message->bytes), &received);
    if (error != SOTTO_OK) {
        BUG_UNLESS(!due || excused(to, message, error) || must(error));
        BUG_UNLESS(state_of(to) == before);
        return;
    }
    BUG_UNLESS(to != message->sender || to->at != message->at);
    BUG_UNLESS(!(got && message->private_framing && message->type != CONTENT_COMMIT));
    to->got[number] = true;
    to->state = 0;
    took(to, message, &received, before);
    sotto_mls_received_clear(&received);
}

/* Bits changed, cut, or longer: never taken. */
static void op_damage(struct player *to, const struct logged *message)
{
    sotto_buf damaged;
    sotto_buf_init(&damaged, &env);
    sotto_bytes whole = sotto_buf_view(&message->bytes);
    uint8_t how = next_octet();
    size_t at = ((size_t)next_octet() << 8 | next_octet()) % whole.size;
    size_t size = how % 4 == 1 ? at : whole.size;
    BUG_UNLESS(sotto_buf_append(&damaged, whole.data, size) == SOTTO_OK);
    if (how % 4 == 2)
        BUG_UNLESS(sotto_buf_append(&damaged, &how, 1) == SOTTO_OK);
    if (how % 4 == 0 || how % 4 == 3)
        damaged.data[at] ^= (uint8_t)(1U << how / 4 % 8);
    uint64_t before = known_state(to);
    sotto_mls_received received;
    BUG_UNLESS(sotto_mls_process(to->group, sotto_buf_view(&damaged), &received) != SOTTO_OK);
    BUG_UNLESS(state_of(to) == before);
    sotto_buf_free(&damaged);
}

static void op_join(struct player *to, const struct logged *message)
{
    if (to->group != NULL || message->welcome.size == 0)
        return;
    sotto_error error = sotto_mls_join(
        engine, &to->identity, sotto_buf_view(&to->key_package), sotto_buf_view(&to->secrets),
        sotto_buf_view(&message->welcome), (sotto_bytes){0}, &to->group);
    BUG_UNLESS(error == SOTTO_WELCOME || (message->psk && error == SOTTO_PSK) || must(error));
    if (error != SOTTO_OK)
        return;
    to->at = message->leads_to;
    new_key_package(to);
}

/* ---- Hostile --------------------------------------------------------------------------------- */

static void op_hostile_bytes(struct player *to)
{
    sotto_mls_received received;
    uint64_t before = known_state(to);
    sotto_bytes bytes = next_bytes((size_t)next_octet() * 4);
    BUG_UNLESS(sotto_mls_process(to->group, bytes, &received) != SOTTO_OK);
    BUG_UNLESS(state_of(to) == before);
}

/* A member signs and protects what no honest one would. */
static void op_hostile_member(struct player *by, struct player *to)
{
    enum content_type type = (enum content_type)(1 + next_octet() % 3);
    sotto_mls_framing framing = type == CONTENT_APPLICATION ? SOTTO_MLS_PRIVATE : next_framing();
    sotto_bytes body = next_bytes(next_octet());
    if (by == to || ended(by) || ended(to) || body.size == 0)
        return;
    struct sending sending;
    sotto_mls_received received;
    sotto_buf bytes;
    sotto_buf_init(&bytes, &env);
    sending_init(&sending, &env);
    sending_address(&sending, by->group, type, framing, (sotto_bytes){0});
    sending.message.auth.confirmation_tag = sotto_bytes_str("thirty-two octets and no good tag");
    uint64_t before = known_state(to);
    if (sending_sign(&sending, by->group, body) == SOTTO_OK &&
        sending_protect(&sending, by->group, 0, &bytes) == SOTTO_OK) {
        sotto_error error = sotto_mls_process(to->group, sotto_buf_view(&bytes), &received);
        BUG_UNLESS(error == SOTTO_OK || state_of(to) == before);
        BUG_UNLESS(error != SOTTO_OK || type != CONTENT_COMMIT);
        if (error == SOTTO_OK) {
            sotto_mls_received_clear(&received);
            to->state = by->state = 0;
            if (framing == SOTTO_MLS_PRIVATE)
                sending_done(&sending, by->group);
        }
    }
    sending_free(&sending);
    sotto_buf_free(&bytes);
}

/* ---- Keeping --------------------------------------------------------------------------------- */

/* The process ends and starts again; an own commit that was sent is kept over it. */
static void op_restart(struct player *player)
{
    const sotto_mls_store store = {player, put_record, erase_record};
    sotto_buf saved;
    sotto_buf_init(&saved, &env);
    bool sent = player->staged != NULL;
    if (sent)
        BUG_UNLESS(must(sotto_mls_staged_save(player->staged, &saved)));
    drop_staged(player);
    uint64_t before = known_state(player);
    BUG_UNLESS(must(sotto_mls_group_save(player->group, &store)));
    sotto_mls_group_free(player->group);
    player->group = NULL;
    player->cursor = 0;
    BUG_UNLESS(
        must(sotto_mls_group_load(engine, &player->identity, next_record, player, &player->group)));
    BUG_UNLESS(state_of(player) == before);
    if (sent)
        BUG_UNLESS(
            must(sotto_mls_staged_load(player->group, sotto_buf_view(&saved), &player->staged)));
    sotto_buf_free(&saved);
}

/* ---- What always holds ----------------------------------------------------------------------- */

static void check_agreement(void)
{
    for (size_t i = 0; i < PLAYERS; i++) {
        for (size_t j = 0; j < i; j++) {
            if (players[i].group == NULL || players[j].group == NULL)
                continue;
            bool same = sotto_bytes_equal(sotto_mls_epoch_authenticator(players[i].group),
                                          sotto_mls_epoch_authenticator(players[j].group));
            BUG_UNLESS(same == (players[i].at == players[j].at));
        }
    }
}

/* All at the speaker's epoch read it, and nobody at another that follows a different history. */
static void check_talk(struct player *from)
{
    if (from->group == NULL || ended(from))
        return;
    sotto_buf message;
    sotto_buf_init(&message, &env);
    BUG_UNLESS(must(
        sotto_mls_encrypt(from->group, sotto_bytes_str("heard"), (sotto_bytes){0}, 0, &message)));
    from->state = 0;
    for (size_t i = 0; i < PLAYERS; i++) {
        struct player *to = &players[i];
        if (to == from || to->group == NULL || to->at != from->at)
            continue;
        sotto_mls_received received;
        BUG_UNLESS(must(sotto_mls_process(to->group, sotto_buf_view(&message), &received)));
        to->state = 0;
        BUG_UNLESS(sotto_bytes_equal(sotto_buf_view(&received.data), sotto_bytes_str("heard")));
        sotto_mls_received_clear(&received);
    }
    sotto_buf_free(&message);
}

/* ---- The world ------------------------------------------------------------------------------- */

static void start(void)
{
    static const sotto_mls_config config = {.past_epochs = 1};
    BUG_UNLESS(sotto_mls_new(&env, &config, &engine) == SOTTO_OK);
    for (size_t i = 0; i < PLAYERS; i++)
        make_player(&players[i], (char)('a' + i));
}

static void begin(void)
{
    random_state = 1;
    last_number = 1;
    suite = suites[next_octet() >= 0xf8];
    for (size_t i = 0; i < PLAYERS; i++) {
        players[i].identity.suite = suite;
        new_key_package(&players[i]);
    }
    BUG_UNLESS(must(sotto_mls_group_create(engine, &players[0].identity, sotto_bytes_str("fuzz"),
                                           NULL, 0, &players[0].group)));
    players[0].at = 1;
    struct logged *first = log_message(CONTENT_COMMIT, &players[0]);
    sotto_mls_proposal adds[2] = {{.type = SOTTO_MLS_ADD}, {.type = SOTTO_MLS_ADD}};
    for (size_t i = 0; i < 2; i++)
        adds[i].u.add.key_package = sotto_buf_view(&players[i + 1].key_package);
    const sotto_mls_commit_options options = {.proposals = adds, .proposal_count = 2};
    sotto_mls_staged *staged;
    BUG_UNLESS(must(
        sotto_mls_commit(players[0].group, &options, &first->bytes, &first->welcome, &staged)));
    first->leads_to = ++last_number;
    first->private_framing = true;
    enter(&players[0], staged, first->leads_to);
    op_join(&players[1], first);
    op_join(&players[2], first);
}

static void end(void)
{
    for (size_t i = 0; i < PLAYERS; i++)
        forget_group(&players[i]);
    while (network_count > 0)
        unlog();
}

static void step(void)
{
    uint8_t operation = next_octet() % 16;
    struct player *by = next_member();
    if (by == NULL)
        return;
    size_t number = network_count - 1;
    switch (operation) {
    case 0:
    case 1:
        op_propose(by);
        break;
    case 2:
    case 3:
    case 4:
        op_commit(by);
        break;
    case 5:
        op_settle(by);
        break;
    case 6:
        if (next_octet() % 4 > 0)
            op_encrypt(by);
        else
            op_safe_export(by);
        break;
    case 7: /* the newest to everybody in some order, by far the most common */
    case 8:
    case 9:
        for (size_t i = 0; i < PLAYERS; i++) {
            if (players[i].group != NULL && &players[i] != network[number].sender)
                op_deliver(&players[i], number);
            else
                op_join(&players[i], &network[number]);
        }
        break;
    case 10: /* late, again, out of order */
        op_deliver(by, next_octet() % network_count);
        break;
    case 11:
        op_damage(by, &network[next_octet() % network_count]);
        break;
    case 12:
        op_restart(by);
        break;
    case 13:
        if (next_octet() % 2 == 0)
            op_external_join(next_player(), by);
        else
            op_join(next_player(), &network[next_octet() % network_count]);
        break;
    case 14:
        if (next_octet() % 8 == 0)
            forget_group(by);
        else
            op_hostile_bytes(by);
        break;
    default:
        op_hostile_member(by, next_member());
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (engine == NULL)
        start();
    input = sotto_bytes_of(data, size);
    begin();
    for (size_t i = 0; i < STEPS && input.size > 0; i++) {
        step();
        check_agreement();
        if (i % 4 == 3)
            check_talk(&players[i / 4 % PLAYERS]);
    }
    for (size_t i = 0; i < PLAYERS; i++)
        check_talk(&players[i]);
    end();
    return 0;
}
