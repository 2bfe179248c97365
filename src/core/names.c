/* Who and what people mean by a word: titles, names, prefixes of ids. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "core/people.h"

enum { PREFIX_MIN = 4 };

/* How well a word fits something; the best fit that only one thing has is meant. */
enum fit { FIT_NONE, FIT_PREFIX, FIT_CASE, FIT_EXACT };

static bool is_hex_prefix(const char *who, const uint8_t id[32])
{
    size_t size = strlen(who);
    if (size < PREFIX_MIN || size > 64)
        return false;
    char hex[65];
    core_id_hex(id, 32, hex);
    return strncasecmp(who, hex, size) == 0;
}

static enum fit fit_of(const char *who, const char *name, const uint8_t id[32])
{
    if (name[0] != '\0' && strcmp(who, name) == 0)
        return FIT_EXACT;
    if (name[0] != '\0' && strcasecmp(who, name) == 0)
        return FIT_CASE;
    return is_hex_prefix(who, id) ? FIT_PREFIX : FIT_NONE;
}

/* ---- What things are called ---- */

const char *names_of(struct sotto *core, const struct account_id *account, struct arena *arena)
{
    if (core_is_own(core, account))
        return core->profile.name;
    struct store_contact contact;
    if (store_contact_get(core->store, account, arena, &contact) != SOTTO_OK)
        return "";
    return people_name(&contact);
}

const char *names_title(struct sotto *core, const struct store_room *room, struct arena *arena)
{
    if (room->kind == STORE_ROOM_DIRECT && room->has_peer)
        return names_of(core, &room->peer, arena);
    return room->title;
}

/* ---- Choosing ---- */

struct choice {
    enum fit best;
    size_t count;
    char list[500]; /* of those that fit best, for the person */
};

static bool choice_add(struct choice *choice, enum fit fit, const char *name, const uint8_t id[32])
{
    if (fit == FIT_NONE || fit < choice->best)
        return false;
    if (fit > choice->best) {
        choice->best = fit;
        choice->count = 0;
        choice->list[0] = '\0';
    }
    choice->count++;
    char hex[65];
    core_id_hex(id, 32, hex);
    size_t used = strlen(choice->list);
    (void)snprintf(choice->list + used, sizeof choice->list - used, "%s%.12s (%s)",
                   used > 0 ? ", " : "", hex, name[0] != '\0' ? name : "no name yet");
    return true;
}

static sotto_error choice_end(struct sotto *core, const struct choice *choice, const char *who,
                              bool person)
{
    if (choice->count == 1)
        return SOTTO_OK;
    if (choice->count > 1) {
        char next[600];
        (void)snprintf(next, sizeof next, "Say which by its id: %s", choice->list);
        return problem_set(&core->problem, SOTTO_NOT_FOUND, SOTTO_CODE_AMBIGUOUS, next,
                           "More than one fits `%s`.", who);
    }
    if (person)
        return problem_set(&core->problem, SOTTO_NOT_FOUND, SOTTO_CODE_NOT_FOUND,
                           "See `sotto contacts`. To meet someone, give them a link: sotto invite",
                           "Nobody here is called `%s`.", who);
    return problem_set(&core->problem, SOTTO_NOT_FOUND, SOTTO_CODE_NOT_FOUND,
                       "See `sotto conversations` and `sotto contacts`.",
                       "There is no conversation `%s`.", who);
}

static sotto_error choose_person(struct sotto *core, const char *who,
                                 const struct store_contact *all, size_t count,
                                 struct store_contact *contact)
{
    struct choice choice = {FIT_NONE, 0, ""};
    const struct store_contact *found = NULL;
    /* Contacts come before people known from groups only: two passes. */
    for (int pass = 0; pass < 2 && choice.count == 0; pass++)
        for (size_t i = 0; i < count; i++)
            if (all[i].contact == (pass == 0) &&
                choice_add(&choice, fit_of(who, people_name(&all[i]), all[i].account.bytes),
                           people_name(&all[i]), all[i].account.bytes))
                found = &all[i];
    TRY(choice_end(core, &choice, who, true));
    BUG_UNLESS(found != NULL);
    *contact = *found;
    return SOTTO_OK;
}

sotto_error names_people(struct sotto *core, const char *const *who, size_t count,
                         struct arena *arena, struct store_contact *contacts)
{
    struct store_contact *all = NULL;
    size_t all_count = 0;
    sotto_error error = store_contacts(core->store, arena, &all, &all_count);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "looking for a person");
    for (size_t i = 0; i < count; i++)
        TRY(choose_person(core, who[i], all, all_count, &contacts[i]));
    return SOTTO_OK;
}

sotto_error names_person(struct sotto *core, const char *who, struct arena *arena,
                         struct store_contact *contact)
{
    return names_people(core, &who, 1, arena, contact);
}

/* Of several conversations with one person, the live and most recent one is meant. */
static bool same_peer(const struct store_room *a, const struct store_room *b)
{
    return a != NULL && a->kind == STORE_ROOM_DIRECT && b->kind == STORE_ROOM_DIRECT &&
           a->has_peer && b->has_peer && account_id_equal(&a->peer, &b->peer);
}

static enum fit fit_room(const char *who, const struct store_room *room, const char *title)
{
    enum fit fit = fit_of(who, title, room->room.bytes);
    if (room->kind == STORE_ROOM_DIRECT && room->has_peer) {
        enum fit peer = fit_of(who, "", room->peer.bytes);
        fit = peer > fit ? peer : fit;
    }
    return fit;
}

sotto_error sotto_find(struct sotto *core, const char *who, struct sotto_id *conversation)
{
    TRY(core_need_past(core));
    struct arena arena;
    arena_init(&arena, core->env);
    struct store_room *rooms = NULL;
    size_t count = 0;
    sotto_error error = store_rooms(core->store, &arena, &rooms, &count);
    if (error != SOTTO_OK) {
        (void)core_store_problem(core, error, "looking for a conversation");
        goto out;
    }
    struct choice choice = {FIT_NONE, 0, ""};
    const struct store_room *found = NULL;
    /* The living first; the others only if none of those fits. */
    for (int pass = 0; pass < 2 && choice.count == 0; pass++)
        for (size_t i = 0; i < count; i++) {
            if (store_room_alive(rooms[i].state) != (pass == 0) || rooms[i].kind == STORE_ROOM_OWN)
                continue;
            const char *title = names_title(core, &rooms[i], &arena);
            enum fit fit = fit_room(who, &rooms[i], title);
            if (same_peer(found, &rooms[i]) && fit <= choice.best)
                continue;
            if (choice_add(&choice, fit, title, rooms[i].room.bytes))
                found = &rooms[i];
        }
    if (choice.count == 1 && found != NULL)
        memcpy(conversation->bytes, found->room.bytes, ROOM_ID_SIZE);
    else
        error = choice_end(core, &choice, who, false);
out:
    arena_free(&arena);
    return error;
}
