/* What people do with their cores, one thing at a time: write, change what was written, make
 * groups, meet. */
#include "sim/sim.h"

#include <unistd.h>

#include "core/internal.h"

/* ---- What it sees ------------------------------------------------------------------------------
 */

struct choice {
    struct client *client;
    unsigned count; /* seen so far; one of them is taken, each as likely */
    bool groups;
    struct sotto_id id;
    int64_t message;
    bool own;
    char hex[65];
};

static bool takes(struct choice *choice)
{
    return chance_below(&choice->client->chance, ++choice->count) == 0;
}

static void on_conversation(void *ctx, const struct sotto_conversation *one)
{
    struct choice *choice = ctx;
    if ((one->state == SOTTO_ROOM_ACTIVE || one->state == SOTTO_ROOM_CREATING) &&
        (one->group || !choice->groups) && takes(choice))
        choice->id = one->id;
}

bool some_conversation(struct client *client, bool groups, struct sotto_id *id)
{
    struct choice choice = {.client = client, .groups = groups};
    if (client->world->options.busy && groups && client->crowded) {
        *id = client->crowd; /* there is one, and nobody is removed from it */
        return true;
    }
    check_error(client,
                sotto_conversations(client->core, &(struct sotto_list){.limit = 1000}, NULL,
                                    on_conversation, &choice),
                "listing");
    *id = client->crowd = choice.id;
    client->crowded = groups && choice.count > 0;
    return choice.count > 0;
}

static void on_message(void *ctx, const struct sotto_message *message)
{
    struct choice *choice = ctx;
    if (message->id == 0 || (message->kind != SOTTO_KIND_TEXT) || (choice->own && !message->own) ||
        !takes(choice))
        return;
    choice->message = message->id;
}

int64_t some_message(struct client *client, const struct sotto_id *id, bool own)
{
    struct choice choice = {.client = client, .own = own};
    check_error(client, sotto_history(client->core, id, 12, 0, on_message, &choice), "reading");
    return choice.message;
}

static void on_contact(void *ctx, const struct sotto_contact *contact)
{
    struct choice *choice = ctx;
    if (takes(choice))
        core_id_hex(contact->account.bytes, sizeof contact->account.bytes, choice->hex);
}

static void on_member(void *ctx, const struct sotto_member *member)
{
    struct choice *choice = ctx;
    if (!member->own && takes(choice))
        core_id_hex(member->account.bytes, sizeof member->account.bytes, choice->hex);
}

/* ---- What it does ------------------------------------------------------------------------------
 */

static void on_timer(void *ctx, const struct sotto_conversation *one)
{
    *(uint32_t *)ctx = one->timer_s;
}

/* What is written there now; number 0 in a run without timers, which asks for none. */
static struct sent sent_begin(struct client *client, const struct sotto_id *id)
{
    struct world *world = client->world;
    struct sent sent = {
        .client = client, .room = *id, .number = ++world->texts, .ms = world->now_ms};
    if (world->habits.timers)
        check_error(client, sotto_conversation(client->core, id, on_timer, &sent.timer_s),
                    "looking at a conversation");
    return sent;
}

static void sent_end(const struct sent *sent, sotto_error error)
{
    struct world *world = sent->client->world;
    if (error == SOTTO_OK)
        *(struct sent *)sim_grow((void **)&world->sent, &world->sent_count, &world->sent_room,
                                 sizeof *sent) = *sent;
}

void say(struct client *client, const struct sotto_id *id)
{
    char text[2048];
    struct sent sent = sent_begin(client, id);
    size_t filler = chance_of(&client->chance, 20000) ? 1800 : chance_below(&client->chance, 160);
    int size = snprintf(text, sizeof text, "m%llu ", (unsigned long long)sent.number);
    memset(text + size, 'x', filler);
    struct sotto_text what = {
        .text = sotto_bytes_of((const uint8_t *)text, (size_t)size + filler),
        .reply_to = chance_of(&client->chance, 100000) ? some_message(client, id, false) : 0,
    };
    sotto_error error = sotto_send(client->core, id, NULL, &what, sent.client_id);
    sent_end(&sent, error);
    client_tells(client, "says", (long long)sent.number);
    check_error(client, error, "sending");
}

void change(struct client *client, const struct sotto_id *id)
{
    static const char *const reactions[] = {"+1", "heart", "", "laughs"};
    unsigned what = (unsigned)chance_below(&client->chance, 6);
    int64_t message = some_message(client, id, what < 2);
    char text[64];
    sotto_error error = SOTTO_OK;
    if (message == 0)
        return;
    if (what == 0) {
        (void)snprintf(text, sizeof text, "e%llu",
                       (unsigned long long)chance_next(&client->chance));
        error = sotto_edit(client->core, message, NULL, sotto_bytes_str(text), false, NULL);
    } else if (what == 1) {
        error = sotto_delete(client->core, message, NULL, NULL);
    } else {
        error = sotto_react(client->core, message, NULL,
                            sotto_bytes_str(reactions[chance_below(&client->chance, 4)]), NULL);
    }
    client_tells(client,
                 what == 0   ? "edits"
                 : what == 1 ? "deletes"
                             : "reacts to",
                 (long long)message);
    check_error(client, error, "changing");
}

void group_make(struct client *client)
{
    char members[8][65];
    const char *names[8];
    size_t count = 0, most = 1 + chance_below(&client->chance, 8);
    for (unsigned tries = 0; tries < 4 * most && count < most; tries++) {
        struct choice choice = {.client = client};
        check_error(client, sotto_contacts(client->core, on_contact, &choice), "listing people");
        bool there = choice.count == 0;
        for (size_t i = 0; i < count; i++)
            there |= strcmp(members[i], choice.hex) == 0;
        if (there)
            continue;
        memcpy(members[count], choice.hex, sizeof members[count]);
        names[count] = members[count];
        count++;
    }
    struct sotto_id id;
    char title[32];
    (void)snprintf(title, sizeof title, "Group %u", (unsigned)chance_below(&client->chance, 1000));
    if (count > 0)
        check_error(client, sotto_group_create(client->core, title, names, count, &id),
                    "making a group");
}

/* ---- The one group of a busy run ----------------------------------------------------------------
 */

struct crowd {
    char (*hex)[65];
    size_t count, room;
};

static void crowd_add(struct crowd *crowd, const struct sotto_id *account)
{
    char *hex = sim_grow((void **)&crowd->hex, &crowd->count, &crowd->room, sizeof *crowd->hex);
    core_id_hex(account->bytes, sizeof account->bytes, hex);
}

static void on_known(void *ctx, const struct sotto_contact *contact)
{
    crowd_add(ctx, &contact->account);
}

static void on_inside(void *ctx, const struct sotto_member *member)
{
    crowd_add(ctx, &member->account);
}

static bool crowd_has(const struct crowd *crowd, const char *hex)
{
    for (size_t i = 0; i < crowd->count; i++)
        if (strcmp(crowd->hex[i], hex) == 0)
            return true;
    return false;
}

void crowd_gather(struct client *client)
{
    struct world *world = client->world;
    struct crowd known = {0}, inside = {0};
    check_error(client, sotto_contacts(client->core, on_known, &known), "listing people");
    if (known.count > world->grouped) {
        const char **names = sim_alloc(known.count * sizeof *names);
        struct sotto_id id;
        size_t count = 0;
        bool there = some_conversation(client, true, &id);
        if (there)
            check_error(client, sotto_members(client->core, &id, on_inside, &inside),
                        "listing members");
        for (size_t i = 0; i < known.count; i++)
            if (!crowd_has(&inside, known.hex[i]))
                names[count++] = known.hex[i];
        sotto_error error = SOTTO_OK;
        if (count > 0)
            error = there ? sotto_group_add(client->core, &id, names, count)
                          : sotto_group_create(client->core, "Crowd", names, count, &id);
        check_error(client, error, "gathering all");
        if (error == SOTTO_OK)
            world->grouped = known.count;
        free(names);
    }
    free(known.hex);
    free(inside.hex);
}

void group_add(struct client *client)
{
    struct sotto_id id;
    struct choice choice = {.client = client};
    if (!some_conversation(client, true, &id))
        return;
    check_error(client, sotto_contacts(client->core, on_contact, &choice), "listing people");
    const char *who = choice.hex;
    if (choice.count > 0)
        check_error(client, sotto_group_add(client->core, &id, &who, 1), "adding");
}

void group_remove(struct client *client)
{
    struct sotto_id id;
    struct choice choice = {.client = client};
    if (!some_conversation(client, true, &id))
        return;
    check_error(client, sotto_members(client->core, &id, on_member, &choice), "listing members");
    const char *who = choice.hex;
    if (choice.count > 0)
        check_error(client, sotto_group_remove(client->core, &id, &who, 1), "removing");
}

/* ---- Files -------------------------------------------------------------------------------------
 */

enum { FILE_MOST = 200000 };

/* What a message's number says of its file. */
static size_t file_bytes(uint64_t number, uint8_t *bytes)
{
    struct chance chance = {.state = number};
    size_t size = (size_t)chance_below(&chance, chance_below(&chance, 4) == 0 ? FILE_MOST : 3000);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)chance_next(&chance);
    return size;
}

/* Real files: the core reads and writes them as a program does. */
void send_file(struct client *client, const struct sotto_id *id)
{
    struct world *world = client->world;
    char path[128], caption[32];
    uint8_t *bytes = sim_alloc(FILE_MOST);
    struct sent sent = sent_begin(client, id);
    (void)snprintf(path, sizeof path, "%s/sent-%llu", world->folder,
                   (unsigned long long)sent.number);
    (void)snprintf(caption, sizeof caption, "m%llu ", (unsigned long long)sent.number);
    FILE *file = fopen(path, "wb");
    size_t size = file_bytes(sent.number, bytes);
    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        abort();
    free(bytes);
    const struct sotto_file what = {
        .path = path, .caption = sotto_bytes_str(caption), .as_file = true};
    sotto_error error = sotto_send_file(client->core, id, NULL, &what, sent.client_id);
    sent_end(&sent, error);
    client_tells(client, "sends file", (long long)sent.number);
    check_error(client, error, "sending a file");
}

struct picked {
    struct client *client;
    unsigned count;
    int64_t message;
    uint64_t number;
};

static void on_file(void *ctx, const struct sotto_message *message)
{
    struct picked *picked = ctx;
    if (message->kind != SOTTO_KIND_FILE || message->seq == 0 ||
        chance_below(&picked->client->chance, ++picked->count) != 0)
        return;
    picked->message = message->id;
    picked->number = message_number(message->text);
}

static bool file_is(const char *path, uint64_t number)
{
    uint8_t *wanted = sim_alloc(FILE_MOST), *there = sim_alloc(FILE_MOST + 1);
    size_t size = file_bytes(number, wanted), read = 0;
    FILE *file = fopen(path, "rb");
    if (file != NULL) {
        read = fread(there, 1, FILE_MOST + 1, file);
        (void)fclose(file);
    }
    bool is = file != NULL && read == size && memcmp(there, wanted, size) == 0;
    free(wanted);
    free(there);
    return is;
}

/* Whoever wrote it may have taken it back, or its time may be over. */
static bool may_be_gone(const struct world *world, uint64_t number)
{
    for (size_t i = 0; i < world->sent_count; i++)
        if (world->sent[i].number == number)
            return world->sent[i].timer_s > 0;
    return false;
}

void fetch_file(struct client *client, bool strict)
{
    struct world *world = client->world;
    struct picked picked = {.client = client};
    struct sotto_id id;
    char path[128], saved[512];
    if (!some_conversation(client, false, &id))
        return;
    check_error(client, sotto_history(client->core, &id, 30, 0, on_file, &picked), "reading");
    if (picked.message == 0)
        return;
    /* What is fetched lies beside: in a folder of its own, for others fetch the same. */
    (void)snprintf(path, sizeof path, "%s/saved", client->folder);
    (void)unlink(path);
    client_tells(client, "fetches file", (long long)picked.number);
    sotto_error error = sotto_save(client->core, picked.message, path, saved, sizeof saved);
    check_error(client, error, "fetching a file");
    if (client->dead)
        return;
    enum sotto_code code = error == SOTTO_OK ? SOTTO_CODE_OK : sotto_problem(client->core)->code;
    if (error == SOTTO_OK && !file_is(path, picked.number))
        world_fails(world, "client %u fetched another file than that of message %llu",
                    client->number, (unsigned long long)picked.number);
    else if (code == SOTTO_CODE_BAD_FILE)
        world_fails(world, "client %u: the file of message %llu is bad", client->number,
                    (unsigned long long)picked.number);
    else if (error != SOTTO_OK && strict && !may_be_gone(world, picked.number))
        world_fails(world, "client %u cannot fetch the file of message %llu: %s", client->number,
                    (unsigned long long)picked.number, sotto_problem(client->core)->message);
    (void)unlink(path);
}

/* ---- Timers and usernames ----------------------------------------------------------------------
 */

void set_timer(struct client *client)
{
    static const uint32_t seconds[] = {0, 60, 3600, 86400, 3 * 86400};
    struct sotto_id id;
    if (!some_conversation(client, false, &id))
        return;
    uint32_t timer_s = seconds[chance_below(&client->chance, 5)];
    client_tells(client, "sets the timer to", timer_s);
    check_error(client, sotto_set_timer(client->core, &id, timer_s), "setting a timer");
}

/* Few, so that people want the same ones. */
static void some_name(struct client *client, char out[static 16])
{
    (void)snprintf(out, 16, "@name%u",
                   (unsigned)chance_below(&client->chance, client->world->options.people));
}

void name_self(struct client *client)
{
    char name[16];
    some_name(client, name);
    bool none = chance_of(&client->chance, 200000);
    check_error(client, sotto_set_username(client->core, none ? "" : name), "taking a name");
}

/* What a label led to first is remembered, and what it leads to is somebody who had it. Where an
 * account has several devices, the others' memories come in between. */
static void found_check(struct client *client, const struct sotto_found *found)
{
    struct world *world = client->world;
    struct digest key, first;
    uint32_t number = client->number;
    sotto_bytes account = sotto_bytes_of(found->account.bytes, sizeof found->account.bytes);
    digest_of(sotto_bytes_str(found->label + 1), account, &key);
    if (digest_get(&world->named, &key) == NULL)
        world_fails(world, "client %u finds somebody under %s who never had it", client->number,
                    found->label);
    digest_of(sotto_bytes_str(found->label),
              sotto_bytes_of((const uint8_t *)&number, sizeof number), &key);
    digest_of(account, (sotto_bytes){0}, &first);
    const struct digest *before = digest_get(&world->found, &key);
    if (before == NULL)
        (void)digest_put(&world->found, &key, &first);
    else if (client->person->client_count == 1 &&
             found->changed != (memcmp(before, &first, sizeof first) != 0))
        world_fails(world, "client %u takes %s for %s", client->number, found->label,
                    found->changed ? "another one, which it is not" : "the same, which it is not");
}

/* How many people had that name at some time. */
static size_t holders(const struct world *world, const char *name)
{
    struct digest key;
    size_t count = 0;
    for (size_t i = 0; i < world->account_count; i++) {
        const struct account_id *id = &world->accounts[i]->id;
        digest_of(sotto_bytes_str(name + 1), sotto_bytes_of(id->bytes, sizeof id->bytes), &key);
        count += digest_get(&world->named, &key) != NULL;
    }
    return count;
}

void find_somebody(struct client *client)
{
    char name[16];
    const struct world *world = client->world;
    struct sotto_found found;
    struct sotto_id id;
    some_name(client, name);
    if (chance_of(&client->chance, 500000)) {
        sotto_error error = sotto_find_person(client->core, name, &found);
        if (error == SOTTO_OK && !client->dead)
            found_check(client, &found);
        check_error(client, error, "looking for somebody");
    } else {
        sotto_error error = sotto_add_person(client->core, name, "hello", false, &id);
        /* It is taken for another one's than before: some had it after one another. */
        if (error == SOTTO_CREDENTIAL && sotto_problem(client->core)->code == SOTTO_CODE_CHANGED &&
            holders(world, name) > 1)
            return;
        check_error(client, error, "adding somebody");
    }
}

/* ---- Meeting -----------------------------------------------------------------------------------
 */

static void give_link(struct person *to, const char *link)
{
    *(char **)sim_grow((void **)&to->links, &to->link_count, &to->link_room, sizeof *to->links) =
        strdup(link);
}

void invite(struct client *client, struct person *other)
{
    sotto_buf link;
    sotto_buf_init(&link, &client->world->env);
    sotto_error error = sotto_invite(client->core, 1, 14 * 86400, &link);
    if (error == SOTTO_OK)
        give_link(other, (const char *)link.data);
    check_error(client, error, "inviting");
    sotto_buf_free(&link);
}

void take_links(struct client *client)
{
    struct person *person = client->person;
    while (person->link_count > 0 && !client->dead) {
        struct sotto_id id;
        sotto_error error = sotto_accept(client->core, person->links[0], &id);
        check_error(client, error, "accepting a link");
        if (client->dead)
            return; /* it stands in the mail: the next time */
        free(person->links[0]);
        memmove(person->links, person->links + 1, --person->link_count * sizeof *person->links);
    }
}

static void on_request(void *ctx, const struct sotto_request *request)
{
    struct choice *choice = ctx;
    if (takes(choice))
        (void)snprintf(choice->hex, sizeof choice->hex, "%lld", (long long)request->id);
}

void take_request(struct client *client)
{
    struct choice choice = {.client = client};
    struct sotto_id id;
    check_error(client, sotto_requests(client->core, on_request, &choice), "listing requests");
    if (choice.count == 0)
        return;
    if (chance_of(&client->chance, 900000))
        check_error(client, sotto_accept(client->core, choice.hex, &id), "accepting a request");
    else
        check_error(client, sotto_decline(client->core, choice.hex), "declining a request");
}
