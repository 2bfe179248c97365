/* Invitations: making links, taking them, and letting requests in. */
#include <ctype.h>
#include <string.h>

#include "core/people.h"
#include "base/text.h"

/* ---- Making a link ---- */

sotto_error invite_terms(struct sotto *core, uint32_t uses, uint64_t lifetime_s)
{
    if (uses == 0 || uses > SOTTO_LINK_USES_MAX)
        return problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_USAGE, "Give a whole number.",
                           "A link is for 1 to %d people.", SOTTO_LINK_USES_MAX);
    if (lifetime_s == 0 || lifetime_s > SOTTO_LINK_LIFETIME_MAX)
        return problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_USAGE, "Choose another time.",
                           "A link is good for a second to %d days.",
                           (int)(SOTTO_LINK_LIFETIME_MAX / 86400));
    return SOTTO_OK;
}

static sotto_error invitation_new(struct sotto *core, uint32_t uses, uint64_t lifetime_s,
                                  struct store_invitation *invitation)
{
    memset(invitation, 0, sizeof *invitation);
    invitation->uses = uses;
    invitation->created_s = core_now_s(core);
    invitation->expires_s = invitation->created_s + lifetime_s;
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_invitations_expire(core->store, invitation->created_s);
    if (error == SOTTO_OK)
        error = core->env->random(core->env->ctx, invitation->capability, CAPABILITY_SIZE);
    if (error == SOTTO_OK)
        error = store_invitation_put(core->store, invitation);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        store_rollback(core->store);
    return error;
}

static sotto_error link_write(struct sotto *core, const struct store_invitation *from,
                              sotto_buf *link)
{
    struct invitation invitation;
    memset(&invitation, 0, sizeof invitation);
    invitation.relay = sotto_bytes_str(core->profile.relay);
    invitation.account = core->identity.account;
    invitation.device = core->identity.device;
    invitation.capability = sotto_bytes_of(from->capability, CAPABILITY_SIZE);
    invitation.expires = from->expires_s;
    invitation.name = sotto_bytes_str(core->profile.name);
    TRY(invitation_format(&invitation, link));
    return sotto_buf_append(link, (const uint8_t *)"", 1);
}

/* A link that the relay was not told of is not given to anybody: it must not be told later. */
static void invitation_forget(struct sotto *core, struct store_invitation *invitation)
{
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK) {
        invitation->expires_s = 1;
        error = store_invitation_put(core->store, invitation);
    }
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        store_rollback(core->store);
}

sotto_error sotto_invite(struct sotto *core, uint32_t uses, uint64_t lifetime_s, sotto_buf *link)
{
    TRY(core_need_account(core));
    TRY(invite_terms(core, uses, lifetime_s));
    struct store_invitation invitation, stored;
    sotto_error error = invitation_new(core, uses, lifetime_s, &invitation);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "saving the invitation");
    inbox_reset(core);
    core->inbox.wanted = true;
    error = run_until_settled(core);
    core->inbox.wanted = false;
    sotto_bytes capability = sotto_bytes_of(invitation.capability, CAPABILITY_SIZE);
    bool granted =
        store_invitation_get(core->store, capability, &stored) == SOTTO_OK && stored.granted;
    if (granted) {
        error = link_write(core, &invitation, link);
        if (error != SOTTO_OK)
            (void)core_store_problem(core, error, "writing the link");
    } else {
        invitation_forget(core, &invitation);
        if (error == SOTTO_OK)
            error = problem_set(&core->problem, SOTTO_TIMEOUT, SOTTO_CODE_TIMEOUT, "Try again.",
                                "The relay did not confirm the invitation.");
    }
    wipe(&invitation, sizeof invitation);
    wipe(&stored, sizeof stored);
    return error;
}

/* ---- Taking a link ---- */

static sotto_error link_check(struct sotto *core, const struct invitation *invitation)
{
    if (core_is_own(core, &invitation->account))
        return problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_OWN_LINK,
                           "Give it to somebody else.", "This is your own invitation.");
    if (invitation->expires <= core_now_s(core))
        return problem_set(&core->problem, SOTTO_LIFETIME, SOTTO_CODE_INVITATION_EXPIRED,
                           "Ask for a new link.", "This invitation has expired.");
    return SOTTO_OK;
}

static char *text_of(struct arena *arena, sotto_bytes text)
{
    char *copy = arena_array(arena, text.size + 1, 1);
    if (copy != NULL && text.size > 0)
        memcpy(copy, text.data, text.size);
    return copy;
}

/* Inside a transaction: the inviter is somebody whom one wants to know. The link names the key. */
static sotto_error inviter_learn(struct sotto *core, const struct invitation *invitation,
                                 struct arena *arena)
{
    struct store_contact contact;
    sotto_error error = store_contact_get(core->store, &invitation->account, arena, &contact);
    if (error == SOTTO_NOT_FOUND) {
        memset(&contact, 0, sizeof contact);
        contact.account = invitation->account;
        contact.name = contact.relay = contact.label = "";
        contact.added_s = core_now_s(core);
    } else if (error != SOTTO_OK)
        return error;
    contact.contact = true;
    contact.blocked = false;
    if (contact.verified == STORE_UNVERIFIED && !contact.conflict)
        contact.verified = STORE_VERIFIED_LINK;
    contact.relay = text_of(arena, invitation->relay);
    if (contact.relay == NULL)
        return SOTTO_NO_MEMORY;
    if (contact.name[0] == '\0' && text_is_line(invitation->name)) {
        contact.name = text_of(arena, invitation->name);
        if (contact.name == NULL)
            return SOTTO_NO_MEMORY;
    }
    TRY(store_contact_put(core->store, &contact));
    return own_tell_contact(core, &invitation->account);
}

/* Inside a transaction. */
static sotto_error link_queue(struct sotto *core, const struct invitation *invitation,
                              struct arena *arena, struct room_id *room)
{
    struct store_accepted accepted;
    struct store_room row;
    TRY(inviter_learn(core, invitation, arena));
    /* They invite who cannot get back into their conversation: perhaps they lost it as well, and
     * nobody is left who would let anybody in. */
    if (people_conversation(core, &invitation->account, arena, room) &&
        store_room_get(core->store, room, arena, &row) == SOTTO_OK &&
        row.state != STORE_ROOM_REJOINING)
        return SOTTO_OK;
    TRY(room_make(core, STORE_ROOM_DIRECT, "", &invitation->account, room));
    struct commit_intent intent;
    memset(&intent, 0, sizeof intent);
    intent.action = COMMIT_ADD;
    intent.account = invitation->account;
    intent.device = invitation->device;
    intent.relay = invitation->relay;
    intent.capability = invitation->capability;
    TRY(commit_queue(core, room, &intent, "", 0));
    (void)store_accepted_erase(core->store, invitation->capability);
    memset(&accepted, 0, sizeof accepted);
    memcpy(accepted.capability, invitation->capability.data, CAPABILITY_SIZE);
    accepted.account = invitation->account;
    accepted.device = invitation->device;
    accepted.room = *room;
    accepted.accepted_s = core_now_s(core);
    sotto_error error = store_accepted_put(core->store, &accepted);
    wipe(&accepted, sizeof accepted);
    return error;
}

static sotto_error accept_link(struct sotto *core, const char *link, struct sotto_id *conversation)
{
    struct arena arena;
    struct invitation invitation;
    sotto_fault fault = {SOTTO_OK, "", 0};
    sotto_buf bytes;
    struct room_id room;
    arena_init(&arena, core->env);
    sotto_buf_init(&bytes, core->env);
    sotto_error error = invitation_parse(sotto_bytes_str(link), &bytes, &invitation, &fault);
    if (error != SOTTO_OK)
        (void)problem_set(&core->problem, error, SOTTO_CODE_BAD_LINK,
                          "Copy it whole, from sotto:// to its last character.",
                          "This is not a whole invitation link (%s).", fault.what);
    else
        error = link_check(core, &invitation);
    if (error == SOTTO_OK) {
        error = store_begin(core->store);
        if (error == SOTTO_OK)
            error = link_queue(core, &invitation, &arena, &room);
        if (error == SOTTO_OK)
            error = store_commit(core->store);
        if (error != SOTTO_OK) {
            room_abort_all(core);
            (void)core_store_problem(core, error, "beginning the conversation");
        } else
            memcpy(conversation->bytes, room.bytes, ROOM_ID_SIZE);
    }
    sotto_buf_free(&bytes);
    arena_free(&arena);
    return error;
}

/* ---- Requests ---- */

/* By number, or by the beginning of the conversation's or the sender's id. */
static bool request_fits(const struct store_request *request, const char *what)
{
    char number[24], room[65], sender[65];
    (void)snprintf(number, sizeof number, "%lld", (long long)request->id);
    if (strcmp(number, what) == 0)
        return true;
    size_t size = strlen(what);
    core_id_hex(request->room.bytes, ROOM_ID_SIZE, room);
    core_id_hex(request->sender.bytes, ACCOUNT_ID_SIZE, sender);
    return size >= 4 && size <= 64 &&
           (strncmp(room, what, size) == 0 || strncmp(sender, what, size) == 0);
}

sotto_error request_find(struct sotto *core, const char *what, struct arena *arena,
                         struct store_request *found)
{
    struct store_request *requests = NULL;
    size_t count = 0;
    sotto_error error = store_requests(core->store, arena, &requests, &count);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading the requests");
    size_t fitting = 0;
    for (size_t i = 0; i < count; i++)
        if (request_fits(&requests[i], what)) {
            *found = requests[i];
            fitting++;
        }
    if (fitting == 1)
        return SOTTO_OK;
    if (fitting > 1)
        return problem_set(&core->problem, SOTTO_NOT_FOUND, SOTTO_CODE_AMBIGUOUS,
                           "Say which by its number: sotto requests", "More than one fits `%s`.",
                           what);
    return problem_set(&core->problem, SOTTO_NOT_FOUND, SOTTO_CODE_NOT_FOUND,
                       "See `sotto requests`; a link begins with sotto://invite/",
                       "`%s` is neither an invitation link nor a request.", what);
}

/* Inside a transaction. The KeyPackage may have been used up by an earlier Welcome: NOT_FOUND. */
static sotto_error request_let_in(struct sotto *core, const struct store_request *request,
                                  struct arena *arena)
{
    struct store_contact contact;
    struct envelope envelope;
    sotto_fault fault;
    TRY(store_contact_get(core->store, &request->sender, arena, &contact));
    contact.contact = true;
    contact.blocked = false;
    TRY(store_contact_put(core->store, &contact));
    TRY(own_tell_contact(core, &request->sender));
    TRY(store_request_erase(core->store, request->id));
    TRY(envelope_read(request->envelope, &envelope, &fault));
    return join_room(core, &envelope, &request->sender);
}

static sotto_error accept_request(struct sotto *core, const char *what,
                                  struct sotto_id *conversation)
{
    struct arena arena;
    struct store_request request;
    arena_init(&arena, core->env);
    sotto_error error = request_find(core, what, &arena, &request);
    if (error == SOTTO_OK) {
        memcpy(conversation->bytes, request.room.bytes, ROOM_ID_SIZE);
        error = store_begin(core->store);
        if (error == SOTTO_OK)
            error = request_let_in(core, &request, &arena);
        if (error == SOTTO_OK)
            error = store_commit(core->store);
        if (error != SOTTO_OK) {
            room_abort_all(core);
            if (error_is_local(error))
                (void)core_store_problem(core, error, "joining");
            else
                (void)problem_set(&core->problem, error, SOTTO_CODE_BAD_IDENTITY,
                                  "Decline it, and ask the person to add you again.",
                                  "This request cannot be joined: %s.", sotto_error_text(error));
        }
    }
    arena_free(&arena);
    return error;
}

sotto_error sotto_accept(struct sotto *core, const char *what, struct sotto_id *conversation)
{
    TRY(core_need_account(core));
    while (isspace((unsigned char)*what))
        what++;
    if (strncmp(what, "sotto:", 6) == 0)
        return accept_link(core, what, conversation);
    return accept_request(core, what, conversation);
}
