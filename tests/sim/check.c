/* What has to be true, whatever the relay, the disk and chance did. */
#include "sim/sim.h"

#include <stdarg.h>

#include "core/internal.h"

enum { FAILURES_SHOWN = 12 };

void world_fails(struct world *world, const char *format, ...)
{
    va_list arguments;
    if (world->failures++ >= FAILURES_SHOWN)
        return;
    printf("%sseed %llu, day %llu: ", world->options.tap ? "# " : "",
           (unsigned long long)world->options.seed,
           (unsigned long long)(world->now_ms / SIM_DAY_MS));
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

/* A relay may be away and people may be told no; a core that fails by itself is broken. */
void check_error(struct client *client, sotto_error error, const char *doing)
{
    if (error == SOTTO_OK || client->dead || client->core == NULL)
        return;
    const struct sotto_problem *problem = sotto_problem(client->core);
    if (client->world->options.trace)
        printf("%llu client %u, %s: %s\n", (unsigned long long)client->world->now_ms,
               client->number, doing, problem->message);
    enum sotto_trouble trouble = sotto_code_trouble(problem->code);
    bool forked = problem->code == SOTTO_CODE_FORKED && client->world->forks > 0;
    bool unreached = client->world->healed && trouble == SOTTO_TROUBLE_NETWORK;
    if (trouble == SOTTO_TROUBLE_FAILURE || (trouble == SOTTO_TROUBLE_SECURITY && !forked) ||
        unreached || problem->code == SOTTO_CODE_OK)
        world_fails(client->world, "client %u, %s: %s (%s)", client->number, doing,
                    problem->message, sotto_error_text(error));
}

static void check_store(struct client *client)
{
    if (store_check(client->core->store) != SOTTO_OK)
        world_fails(client->world, "client %u: its store is damaged", client->number);
}

void check_reopened(struct client *client)
{
    if (client->world->crashes % 4 == 0)
        check_store(client);
}

/* ---- What each client has of each room ---------------------------------------------------------
 */

struct line {
    uint64_t seq;
    enum sotto_message_kind kind;
    uint64_t number; /* of the text; 0: none */
    struct digest content;
    uint32_t timer_s;
    bool gap_begins, gap_ends, missing, edited;
    char shown[64]; /* for whoever looks for the reason */
};

struct view {
    struct client *client;
    struct sotto_id id;
    bool group;
    enum sotto_room_state state;
    uint64_t epoch, seq;
    uint32_t waiting;
    char authenticator[65], trouble[200];
    struct line *lines; /* in order of seq */
    size_t line_count, line_room;
    struct line *changes; /* those of them with which its person came or went, or came back */
    size_t change_count, change_room;
    struct digest members;
    bool stranded; /* nobody can let it in, and it cannot know: see is_stranded */
};

struct views {
    struct client *client;
    struct view *views;
    size_t count, room;
};

static void on_conversation(void *ctx, const struct sotto_conversation *one)
{
    struct views *views = ctx;
    struct view *view = sim_grow((void **)&views->views, &views->count, &views->room, sizeof *view);
    view->client = views->client;
    view->id = one->id;
    view->group = one->group;
    view->state = one->state;
    view->epoch = one->epoch;
    view->seq = one->seq;
    view->waiting = one->waiting;
    memcpy(view->authenticator, one->authenticator, sizeof view->authenticator);
    (void)snprintf(view->trouble, sizeof view->trouble, "%s", one->trouble);
}

uint64_t message_number(sotto_bytes text)
{
    uint64_t number = 0;
    if (text.size < 2 || text.data[0] != 'm')
        return 0;
    for (size_t i = 1; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++)
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    return number;
}

/* Reactions in no order. */
static void content_of(const struct sotto_message *message, struct digest *out)
{
    digest_of(message->text, sotto_bytes_of(message->sender.bytes, sizeof message->sender.bytes),
              out);
    for (size_t i = 0; i < message->reaction_count; i++) {
        const struct sotto_reaction *reaction = &message->reactions[i];
        struct digest one;
        digest_of(reaction->text,
                  sotto_bytes_of(reaction->sender.bytes, sizeof reaction->sender.bytes), &one);
        for (size_t b = 0; b < sizeof one.bytes; b++)
            out->bytes[b] ^= one.bytes[b];
    }
}

/* sotto_history gives nothing whose time is over, and the time of one's own runs from when it was
 * sent. */
static void check_disappears(struct client *client, const struct sotto_message *message)
{
    if (message->erase_s != 0 && message->erase_s <= client_now_s(client))
        world_fails(client->world, "client %u shows entry %llu, whose time is over", client->number,
                    (unsigned long long)message->seq);
    if (message->own && message->timer_s > 0 && message->erase_s == 0 &&
        message->kind != SOTTO_KIND_DELETED)
        world_fails(client->world, "client %u: the time of entry %llu does not run", client->number,
                    (unsigned long long)message->seq);
}

static void on_line(void *ctx, const struct sotto_message *message)
{
    struct view *view = ctx;
    if (message->seq == 0)
        return;
    struct line *line =
        sim_grow((void **)&view->lines, &view->line_count, &view->line_room, sizeof *line);
    line->seq = message->seq;
    line->kind = message->kind;
    line->number = message_number(message->text);
    line->edited = message->edited_s != 0;
    line->timer_s = message->timer_s;
    line->missing = message->kind == SOTTO_KIND_MISSING;
    check_disappears(view->client, message);
    line->gap_begins = (message->kind == SOTTO_KIND_REMOVED || message->kind == SOTTO_KIND_LEFT) &&
                       message->subject_own;
    line->gap_ends = message->kind == SOTTO_KIND_JOINED;
    content_of(message, &line->content);
    int size = snprintf(
        line->shown, sizeof line->shown, "%s \"%.*s\"", sotto_message_kind_name(message->kind),
        message->text.size < 12 ? (int)message->text.size : 12, (const char *)message->text.data);
    for (size_t i = 0; i < message->reaction_count && size < (int)sizeof line->shown; i++)
        size += snprintf(line->shown + size, sizeof line->shown - (size_t)size, " %.*s",
                         (int)message->reactions[i].text.size,
                         (const char *)message->reactions[i].text.data);
}

static void on_member(void *ctx, const struct sotto_member *member)
{
    struct view *view = ctx;
    struct digest one;
    digest_of(sotto_bytes_of(member->account.bytes, sizeof member->account.bytes),
              sotto_bytes_str(member->device), &one);
    for (size_t b = 0; b < sizeof one.bytes; b++)
        view->members.bytes[b] ^= one.bytes[b];
    for (unsigned i = 0; i < view->client->world->client_count; i++) {
        const struct client *other = &view->client->world->clients[i];
        if (other->revoked && strcmp(other->device, member->device) == 0)
            view->members.bytes[0] ^= 0xFF; /* see below: reported once */
    }
}

static int by_seq(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int by_number(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static void view_fill(struct view *view)
{
    struct client *client = view->client;
    struct world *world = client->world;
    check_error(client, sotto_history(client->core, &view->id, UINT32_MAX, 0, on_line, view),
                "reading all");
    if (view->state == SOTTO_ROOM_ACTIVE)
        check_error(client, sotto_members(client->core, &view->id, on_member, view),
                    "listing members");
    if (view->line_count == 0)
        return;
    qsort(view->lines, view->line_count, sizeof *view->lines, by_number);
    for (size_t i = 1; i < view->line_count; i++)
        if (view->lines[i].number != 0 && !view->lines[i].edited &&
            view->lines[i].number == view->lines[i - 1].number)
            world_fails(world, "client %u shows message %llu twice, as entries %llu and %llu",
                        client->number, (unsigned long long)view->lines[i].number,
                        (unsigned long long)view->lines[i - 1].seq,
                        (unsigned long long)view->lines[i].seq);
    qsort(view->lines, view->line_count, sizeof *view->lines, by_seq);
    for (size_t i = 0; i < view->line_count; i++)
        if (view->lines[i].gap_begins || view->lines[i].gap_ends || view->lines[i].missing)
            *(struct line *)sim_grow((void **)&view->changes, &view->change_count,
                                     &view->change_room, sizeof *view->changes) = view->lines[i];
}

/* ---- One room ----------------------------------------------------------------------------------
 */

static const struct sim_room *room_of_view(const struct world *world, const struct view *view)
{
    for (size_t i = 0; i < world->room_count; i++)
        if (memcmp(world->rooms[i]->id.bytes, view->id.bytes, ROOM_ID_SIZE) == 0)
            return world->rooms[i];
    return NULL;
}

static bool is_text(const struct line *line)
{
    return line->kind == SOTTO_KIND_TEXT || line->kind == SOTTO_KIND_FILE ||
           line->kind == SOTTO_KIND_DELETED || line->kind == SOTTO_KIND_NEWER ||
           line->kind == SOTTO_KIND_UNREADABLE;
}

/* Whether the person was a member at that time, as its own lines tell. */
static bool was_member(const struct view *view, uint64_t seq)
{
    bool in = view->line_count > 0 && view->lines[0].seq <= seq;
    for (size_t i = 0; i < view->change_count && view->changes[i].seq <= seq; i++)
        if (!view->changes[i].missing)
            in = view->changes[i].gap_ends;
    return in;
}

/* What a room's views are held against. */
struct room_check {
    struct world *world;
    const struct sim_room *room;
    struct view *const *views;
    size_t count;
};

/* Whether what came at that place may have expired before a device of that person saw it: one asked
 * for it too late, and one says behind it that something is missing. Devices that are linked later
 * have their history from it. */
static bool may_miss(const struct room_check *c, const struct person *person, uint64_t seq)
{
    bool asked_late = false, says = false;
    for (size_t i = 0; c->room != NULL && i < c->room->lapse_count; i++)
        asked_late |=
            c->room->lapses[i].client->person == person && c->room->lapses[i].from_seq <= seq;
    for (size_t i = 0; asked_late && i < c->count; i++)
        for (size_t n = 0; c->views[i]->client->person == person && n < c->views[i]->change_count;
             n++)
            says |= c->views[i]->changes[n].missing && c->views[i]->changes[n].seq >= seq;
    return says;
}

/* Whether a message of that place with that timer may be gone: at its sender at the latest, and at
 * others, its time runs from when the log had it. */
static bool may_be_over(const struct room_check *c, const struct line *line)
{
    const struct sim_log *log = c->room == NULL ? NULL : &c->room->logs[0];
    return line->timer_s > 0 && log != NULL && line->seq <= log->when_count &&
           log->when[line->seq - 1] + line->timer_s * UINT64_C(1000) <= c->world->now_ms;
}

/* Whether the device was in ever since: else it knows nothing of later changes. */
static bool stayed(const struct room_check *c, const struct view *view, uint64_t seq)
{
    for (size_t i = 0; i < view->change_count; i++)
        if (view->changes[i].gap_begins && view->changes[i].seq > seq)
            return false;
    for (size_t i = 0; i < c->count; i++)
        for (size_t n = 0;
             c->views[i]->client->person == view->client->person && n < c->views[i]->change_count;
             n++)
            if (c->views[i]->changes[n].missing && c->views[i]->changes[n].seq > seq)
                return false;
    return true;
}

static const struct line *text_at(const struct view *view, uint64_t seq)
{
    size_t least = 0, most = view->line_count;
    while (least < most) {
        size_t middle = least + (most - least) / 2;
        if (view->lines[middle].seq < seq)
            least = middle + 1;
        else
            most = middle;
    }
    for (; least < view->line_count && view->lines[least].seq == seq; least++)
        if (is_text(&view->lines[least]))
            return &view->lines[least];
    return NULL;
}

/* Whether the view has that message elsewhere: who came back into a room says again what it did not
 * see there, and each member has it where it saw it first. */
static bool said_again(const struct room_check *c, const struct view *view, uint64_t number)
{
    bool came_back = false;
    for (size_t i = 0; i < c->count && !came_back; i++)
        for (size_t n = 0; n < c->views[i]->change_count; n++)
            came_back |= c->views[i]->changes[n].missing;
    for (size_t i = 0; came_back && number != 0 && i < view->line_count; i++)
        if (view->lines[i].number == number)
            return true;
    return false;
}

/* Whether the two were shown different branches. */
static bool were_parted(const struct room_check *c, const struct view *a, const struct view *b)
{
    return c->room != NULL && c->room->fork != FORK_NONE &&
           ((a->client->person->number ^ b->client->person->number) & 1) != 0;
}

/* Whether they were there. Whose branch has expired by the time that all are shown the other one
 * can be let in there like anybody who was away, and who is in the same epoch goes on unawares. */
static bool on_branches(const struct room_check *c, const struct view *a, const struct view *b,
                        uint64_t seq)
{
    return were_parted(c, a, b) && seq >= c->room->fork_seq &&
           (seq < c->room->heal_seq || seq < c->room->logs[1].next_seq);
}

static void same_history(const struct room_check *c, const struct view *a, const struct view *b)
{
    struct world *world = c->world;
    for (size_t i = 0; i < a->line_count; i++) {
        const struct line *line = &a->lines[i];
        if (!is_text(line) || !was_member(a, line->seq) || !was_member(b, line->seq) ||
            on_branches(c, a, b, line->seq))
            continue;
        const struct line *other = text_at(b, line->seq);
        if (other == NULL && (may_be_over(c, line) || may_miss(c, b->client->person, line->seq) ||
                              said_again(c, b, line->number)))
            continue;
        if (other == NULL) {
            world_fails(world, "client %u has entry %llu (message %llu), client %u has not",
                        a->client->number, (unsigned long long)line->seq,
                        (unsigned long long)line->number, b->client->number);
            return;
        }
        /* What came before may have been changed on one branch. */
        if (!stayed(c, a, line->seq) || !stayed(c, b, line->seq) || were_parted(c, a, b))
            continue;
        if (other->kind != line->kind ||
            memcmp(&other->content, &line->content, sizeof line->content) != 0) {
            world_fails(world, "entry %llu is %s at client %u, and %s at client %u",
                        (unsigned long long)line->seq, line->shown, a->client->number, other->shown,
                        b->client->number);
            return;
        }
    }
}

static void same_group(struct world *world, const struct view *a, const struct view *b)
{
    if (strcmp(a->authenticator, b->authenticator) != 0 || a->epoch != b->epoch)
        world_fails(world, "clients %u and %u are in one room in epochs %llu and %llu",
                    a->client->number, b->client->number, (unsigned long long)a->epoch,
                    (unsigned long long)b->epoch);
    else if (memcmp(&a->members, &b->members, sizeof a->members) != 0)
        world_fails(world, "clients %u and %u see other members", a->client->number,
                    b->client->number);
    else if (a->seq != b->seq)
        world_fails(world, "clients %u and %u have read up to %llu and %llu", a->client->number,
                    b->client->number, (unsigned long long)a->seq, (unsigned long long)b->seq);
}

static void view_alone(struct world *world, const struct view *view)
{
    const struct sim_room *room = room_of_view(world, view);
    bool forked = room != NULL && room->fork != FORK_NONE;
    const struct client *client = view->client;
    if (view->state == SOTTO_ROOM_FORKED && !forked)
        world_fails(world, "client %u says that a room is forked that is not: %s", client->number,
                    view->trouble);
    if (view->state == SOTTO_ROOM_ACTIVE && view->waiting > 0 && !forked && !view->stranded)
        world_fails(world, "client %u still has %u in an outbox", client->number, view->waiting);
    for (size_t i = 0; i < view->line_count; i++)
        if (view->lines[i].kind == SOTTO_KIND_UNREADABLE && !forked) {
            world_fails(world, "client %u cannot read entry %llu", client->number,
                        (unsigned long long)view->lines[i].seq);
            break;
        }
    /* Out is out: nothing that came later is there. */
    for (size_t i = 0; i < view->line_count; i++)
        if (view->state != SOTTO_ROOM_FORKED && is_text(&view->lines[i]) &&
            !was_member(view, view->lines[i].seq)) {
            world_fails(world, "client %u reads entry %llu, when it was out", client->number,
                        (unsigned long long)view->lines[i].seq);
            break;
        }
}

/* For whoever looks for the reason of a failure: --trace. */
static void view_tell(const struct view *view)
{
    struct store *store = view->client->core->store;
    struct store_outgoing outgoing;
    struct room_id id;
    struct arena arena;
    memcpy(id.bytes, view->id.bytes, sizeof id.bytes);
    arena_init(&arena, &view->client->env);
    printf("(%.12s) room %02x%02x of client %u: state %d, epoch %llu, seq %llu, waits %u; %s\n",
           view->client->person->account, id.bytes[0], id.bytes[1], view->client->number,
           (int)view->state, (unsigned long long)view->epoch, (unsigned long long)view->seq,
           view->waiting, view->trouble);
    for (size_t i = 0; i < view->line_count; i++)
        printf("    %llu: %s%s%s\n", (unsigned long long)view->lines[i].seq, view->lines[i].shown,
               view->lines[i].gap_begins ? ", out" : "", view->lines[i].gap_ends ? ", in" : "");
    for (int64_t after = 0;
         store_outgoing_next(store, &id, STORE_OUT_ALL, after, &arena, &outgoing) == SOTTO_OK;
         after = outgoing.id)
        printf("    %s: kind %d, state %d, in %lld s, action %d, %s\n", outgoing.client_id,
               (int)outgoing.kind, (int)outgoing.state,
               (long long)outgoing.not_before_s - (long long)client_now_s(view->client),
               outgoing.intent.size > 0 ? outgoing.intent.data[0] : 0, outgoing.error);
    arena_free(&arena);
}

struct sought {
    const char *account, *device; /* NULL: any device */
    bool found;
};

static void on_sought(void *ctx, const struct sotto_member *member)
{
    struct sought *sought = ctx;
    char account[65];
    core_id_hex(member->account.bytes, sizeof member->account.bytes, account);
    sought->found |= strcmp(account, sought->account) == 0 &&
                     (sought->device == NULL || strcmp(member->device, sought->device) == 0);
}

static bool lists(const struct view *view, const char *account, const char *device)
{
    struct sought sought = {.account = account, .device = device};
    check_error(view->client, sotto_members(view->client->core, &view->id, on_sought, &sought),
                "listing members");
    return sought.found;
}

/* What it asks the relay for has expired: some of it, or (shut) its gate too. */
static bool has_lapsed(const struct room_check *c, const struct view *view, bool shut)
{
    for (size_t i = 0; c->room != NULL && i < c->room->lapse_count; i++) {
        const struct lapse *lapse = &c->room->lapses[i];
        if (lapse->client == view->client && lapse->from_seq == view->seq + 1 &&
            (lapse->shut || !shut))
            return true;
    }
    return false;
}

/* Whoever has the log's newest epoch; NULL: nobody. */
static const struct view *head_of(const struct room_check *c)
{
    for (size_t i = 0; c->room != NULL && i < c->count; i++)
        if (c->views[i]->state == SOTTO_ROOM_ACTIVE &&
            c->views[i]->epoch == c->room->logs[0].epoch && !has_lapsed(c, c->views[i], false))
            return c->views[i];
    return NULL;
}

/* Who was put out while it was away for longer than the relay keeps entries and closed gates is not
 * told, and asks in vain to be let in. So does who comes too late into a room where nobody has the
 * newest epoch any more: the others have left, or were away for as long. */
static bool is_stranded(const struct room_check *c, const struct view *view)
{
    const struct view *head = head_of(c);
    return head != NULL ? has_lapsed(c, view, true) &&
                              !lists(head, view->client->person->account, view->client->device)
                        : has_lapsed(c, view, false);
}

/* Who asks to be let in is in by the end where the person is. */
static void comes_back(const struct room_check *c, const struct view *view)
{
    const struct view *head = head_of(c);
    bool forked = c->room != NULL && c->room->fork != FORK_NONE;
    if (view->state == SOTTO_ROOM_REJOINING && !forked && !view->client->revoked && head != NULL &&
        lists(head, view->client->person->account, NULL))
        world_fails(c->world, "client %u asks in vain to be let into a room where client %u is",
                    view->client->number, head->client->number);
}

static void check_room(struct world *world, struct view *const *views, size_t count)
{
    const struct view *first = NULL;
    const struct room_check c = {world, room_of_view(world, views[0]), views, count};
    for (size_t i = 0; i < count; i++) {
        if (world->options.trace)
            view_tell(views[i]);
        views[i]->stranded = is_stranded(&c, views[i]);
        view_alone(world, views[i]);
        comes_back(&c, views[i]);
        if (views[i]->state != SOTTO_ROOM_ACTIVE || views[i]->stranded)
            continue;
        if (views[i]->client->revoked) {
            world_fails(world, "client %u was revoked and is still in a room",
                        views[i]->client->number);
            continue;
        }
        if (first == NULL) {
            first = views[i];
            continue;
        }
        same_group(world, first, views[i]);
        same_history(&c, first, views[i]);
        same_history(&c, views[i], first);
    }
}

/* ---- What was sent -----------------------------------------------------------------------------
 */

static const struct view *view_of(const struct views *all, const struct sent *sent)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->views[i].client == sent->client &&
            memcmp(all->views[i].id.bytes, sent->room.bytes, sizeof sent->room.bytes) == 0)
            return &all->views[i];
    return NULL;
}

static void check_sent(struct world *world, const struct views *all, const struct sent *sent)
{
    struct client *client = sent->client;
    enum sotto_message_status status;
    uint64_t seq = 0;
    if (client->core == NULL || client->finished)
        return;
    const struct view *view = view_of(all, sent);
    sotto_error error = sotto_sending(client->core, &sent->room, sent->client_id, &status, &seq);
    unsigned long long number = sent->number;
    if (error == SOTTO_NOT_FOUND && sent->timer_s > 0 &&
        sent->ms + sent->timer_s * UINT64_C(1000) <= world->now_ms)
        return;
    if (error != SOTTO_OK || view == NULL) {
        world_fails(world, "message %llu of client %u is lost", number, client->number);
        return;
    }
    bool active = view->state == SOTTO_ROOM_ACTIVE;
    const struct sim_room *room = room_of_view(world, view);
    bool forked = room != NULL && room->fork != FORK_NONE;
    if (status == SOTTO_STATUS_WAITING && active && !forked && !view->stranded)
        world_fails(world, "message %llu of client %u, room %02x%02x, still waits", number,
                    client->number, sent->room.bytes[0], sent->room.bytes[1]);
    bool over = !active || forked;
    for (size_t i = 0; i < view->change_count; i++)
        over |= view->changes[i].gap_begins;
    if (status == SOTTO_STATUS_FAILED && !over)
        world_fails(world, "message %llu of client %u failed", number, client->number);
    if (status == SOTTO_STATUS_WAITING || status == SOTTO_STATUS_FAILED)
        return;
    const struct line *line = text_at(view, seq);
    if (line == NULL ||
        (line->number != sent->number &&
         (line->kind == SOTTO_KIND_TEXT || line->kind == SOTTO_KIND_FILE) && !line->edited))
        world_fails(world, "message %llu of client %u is not where it was sent to", number,
                    client->number);
}

static void on_event(void *ctx, const struct sotto_event *event)
{
    uint64_t *next = ctx;
    *next = event->number == *next ? *next + 1 : 0;
}

static void check_events(struct client *client)
{
    uint64_t oldest = 0, newest = 0;
    check_error(client, sotto_events_range(client->core, &oldest, &newest), "counting events");
    if (oldest == 0)
        return;
    uint64_t next = oldest;
    check_error(client, sotto_events(client->core, oldest - 1, SOTTO_EVENTS_KEPT, on_event, &next),
                "reading events");
    if (next != newest + 1)
        world_fails(client->world, "client %u: its events have a gap", client->number);
}

/* ---- All ---------------------------------------------------------------------------------------
 */

static int by_room(const void *a, const void *b)
{
    const struct view *x = *(struct view *const *)a, *y = *(struct view *const *)b;
    int order = memcmp(x->id.bytes, y->id.bytes, sizeof x->id.bytes);
    if (order == 0)
        order = x->client->number < y->client->number ? -1 : 1;
    return order;
}

void check_end(struct world *world)
{
    struct views all = {0};
    for (unsigned i = 0; i < world->client_count; i++) {
        struct client *client = &world->clients[i];
        if (client->core == NULL || !client->registered)
            continue;
        client->revoked |= relay_has_revoked(world, client);
        all.client = client;
        check_error(client,
                    sotto_conversations(client->core, &(struct sotto_list){.limit = 1000}, NULL,
                                        on_conversation, &all),
                    "listing");
        check_store(client);
        check_events(client);
    }
    struct view **sorted = sim_alloc(all.count * sizeof *sorted);
    for (size_t i = 0; i < all.count; i++) {
        view_fill(&all.views[i]);
        sorted[i] = &all.views[i];
    }
    if (all.count > 0)
        qsort(sorted, all.count, sizeof *sorted, by_room);
    for (size_t i = 0, end; i < all.count; i = end) {
        for (end = i + 1; end < all.count && memcmp(sorted[i]->id.bytes, sorted[end]->id.bytes,
                                                    sizeof sorted[i]->id.bytes) == 0;)
            end++;
        check_room(world, sorted + i, end - i);
    }
    for (size_t i = 0; i < world->sent_count; i++)
        check_sent(world, &all, &world->sent[i]);
    for (size_t i = 0; i < all.count; i++) {
        free(all.views[i].lines);
        free(all.views[i].changes);
    }
    free(all.views);
    free(sorted);
}
