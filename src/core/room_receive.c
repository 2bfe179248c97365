/* Entries of the log, applied strictly in order, many in one transaction. */
#include <string.h>

#include "base/text.h"
#include "core/downloads.h"
#include "core/leaving.h"
#include "core/listing.h"
#include "core/own_absent.h"
#include "core/own_blobs.h"
#include "core/profile_picture.h"
#include "core/rejoin.h"
#include "core/store_arriving.h"
#include "core/successor.h"
#include "core/typing.h"
#include "core/statement.h"

struct receiving {
    struct room *room;
    struct store_room row;
    struct arena *arena;
    bool quiet; /* the entry is no activity that people care for */

    /* Looked up once for all entries that come together. */
    bool own_sent; /* something of this device's own may come */
    bool owes;     /* receipts are owed here */
    bool listed;   /* what came is where people look: what follows changes nothing there */
    bool has_sender, blocked;
    struct account_id sender; /* of the newest message, and whether they are blocked */
};

sotto_error event_add(struct sotto *core, const struct room_id *room, uint64_t seq, uint32_t part,
                      enum sotto_message_kind kind, const struct account_id *sender,
                      const struct account_id *subject)
{
    return event_add_text(core, room, seq, part, kind, sender, subject, sotto_bytes_of(NULL, 0));
}

sotto_error event_add_text(struct sotto *core, const struct room_id *room, uint64_t seq,
                           uint32_t part, enum sotto_message_kind kind,
                           const struct account_id *sender, const struct account_id *subject,
                           sotto_bytes text)
{
    struct store_message message;
    memset(&message, 0, sizeof message);
    message.room = *room;
    message.seq = seq;
    message.part = part;
    message.kind = (uint32_t)kind;
    message.state = STORE_MESSAGE_RECEIVED;
    message.sender = *sender;
    message.own = core_is_own(core, sender);
    message.unread = !message.own;
    if (subject != NULL) {
        message.has_subject = true;
        message.subject = *subject;
    }
    message.time_s = core_now_s(core);
    message.client_id = "";
    message.content = text; /* not its text, which the search finds */
    return store_message_add(core->store, &message, &(int64_t){0}, &(int64_t){0});
}

/* ---- The log contradicts itself ---- */

sotto_error room_stop(struct room *room, struct store_room *row, uint64_t seq, const char *trouble)
{
    struct sotto *core = room->core;
    row->state = STORE_ROOM_FORKED;
    row->trouble = trouble;
    TRY(room_fail_outbox(core, &room->id));
    sotto_error error =
        event_add(core, &room->id, seq, 0, SOTTO_KIND_FORK, &core->identity.account, NULL);
    return error == SOTTO_EXISTS ? SOTTO_OK : error;
}

static sotto_error fork_found(struct receiving *r, const struct entry *entry, const char *trouble)
{
    return room_stop(r->room, &r->row, entry->seq, trouble);
}

/* ---- Own entries ---- */

static sotto_error own_change(struct receiving *r, const struct store_outgoing *outgoing,
                              sotto_bytes data, uint64_t seq)
{
    struct sotto *core = r->room->core;
    const struct account_id *self = &core->identity.account;
    struct content_message content;
    sotto_fault fault;
    TRY(content_read(data, self, &r->room->id, r->arena, &content, &fault));
    TRY(change_apply(core, &r->room->id, self, seq, data, &content, r->arena));
    TRY(own_change_tell(r->room, self, seq, data, r->arena));
    sotto_error error =
        store_change_end(core->store, &r->room->id, outgoing->client_id, STORE_MESSAGE_SENT, seq);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

static sotto_error came(struct receiving *r, bool own, bool mention)
{
    return r->listed ? SOTTO_OK
                     : listing_came(r->room->core, &r->room->id, own, mention, &r->listed);
}

/* What this device told the others counts here at its place among what they told. */
static sotto_error own_said(struct receiving *r, sotto_bytes bytes)
{
    struct sotto *core = r->room->core;
    struct content_message content;
    sotto_fault fault;
    sotto_error error =
        content_read(bytes, &core->identity.account, &r->room->id, r->arena, &content, &fault);
    return error == SOTTO_OK ? own_receive(core, &content, r->arena) : error;
}

static sotto_error own_message(struct receiving *r, const struct store_outgoing *outgoing,
                               const struct entry *entry)
{
    struct store *store = r->room->core->store;
    struct queued_message queued;
    TRY(queued_message_read(outgoing->intent, &queued));
    r->quiet = queued.intent == MESSAGE_INTENT_RECEIPT;
    if (queued.intent == MESSAGE_INTENT_CHANGE)
        TRY(own_change(r, outgoing, queued.content, entry->seq));
    if (message_intent_shown(queued.intent)) {
        sotto_error error = store_message_place(store, &r->room->id, outgoing->client_id,
                                                entry->seq, core_now_s(r->room->core),
                                                queued.content, queued.content_id, &(int64_t){0});
        if (error == SOTTO_OK)
            error = came(r, true, false);
        /* EXISTS: it was given as the past, before this device had seen that it was sent. */
        if ((error == SOTTO_OK || error == SOTTO_EXISTS) && queued.intent == MESSAGE_INTENT_FILE)
            error = own_blob_tell(r->room->core, &r->room->id, outgoing->client_id, r->arena);
        if (error != SOTTO_OK && error != SOTTO_EXISTS && error != SOTTO_NOT_FOUND)
            return error;
    }
    TRY(store_outgoing_erase(store, outgoing->id));
    return queued.intent == MESSAGE_INTENT_OWN ? own_said(r, queued.content) : SOTTO_OK;
}

static sotto_error left_line(struct receiving *r, const struct entry *entry)
{
    struct sotto *core = r->room->core;
    sotto_error error = event_add(core, &r->room->id, entry->seq, 0, SOTTO_KIND_LEFT,
                                  &core->identity.account, &core->identity.account);
    return error == SOTTO_EXISTS ? SOTTO_OK : error;
}

/* The person left, on another device, which sees to it. */
static sotto_error other_left(struct receiving *r, const struct entry *entry)
{
    struct sotto *core = r->room->core;
    r->row.state = STORE_ROOM_LEFT;
    TRY(room_fail_outbox(core, &r->room->id));
    TRY(leaving_end(r->room));
    return left_line(r, entry);
}

static sotto_error own_entry(struct receiving *r, const struct store_outgoing *outgoing,
                             const struct entry *entry)
{
    if (!sotto_bytes_equal(outgoing->bytes, entry->bytes) || outgoing->epoch != entry->epoch)
        return fork_found(r, entry,
                          "The relay changed what this device had written. This "
                          "conversation was stopped; begin a new one.");
    switch (outgoing->kind) {
    case STORE_OUT_MESSAGE:
        return own_message(r, outgoing, entry);
    case STORE_OUT_COMMIT:
        return commit_won(r->room, &r->row, r->arena, outgoing, entry->seq);
    case STORE_OUT_LEAVE:
        TRY(leaving_said(r->room, &r->row, outgoing->id, r->arena));
        return left_line(r, entry);
    case STORE_OUT_CREATE:
    case STORE_OUT_ENVELOPE:
        break;
    }
    return SOTTO_OK;
}

/* ---- Application messages ---- */

static sotto_error unreadable(struct receiving *r, const struct entry *entry,
                              const struct account_id *sender)
{
    struct account_id nobody;
    memset(&nobody, 0, sizeof nobody);
    sotto_error error = event_add(r->room->core, &r->room->id, entry->seq, 0, SOTTO_KIND_UNREADABLE,
                                  sender != NULL ? sender : &nobody, NULL);
    return error == SOTTO_EXISTS ? SOTTO_OK : error;
}

/* The sender calls itself something: everybody sees it from here on. */
static sotto_error profile_received(struct receiving *r, const struct account_id *sender,
                                    sotto_bytes name)
{
    struct sotto *core = r->room->core;
    struct store_contact contact;
    sotto_error error = store_contact_get(core->store, sender, r->arena, &contact);
    if (error == SOTTO_NOT_FOUND) {
        memset(&contact, 0, sizeof contact);
        contact.account = *sender;
        contact.relay = contact.label = "";
        contact.added_s = core_now_s(core);
    } else if (error != SOTTO_OK)
        return error;
    char *text = arena_array(r->arena, name.size + 1, 1);
    if (text == NULL)
        return SOTTO_NO_MEMORY;
    if (name.size > 0)
        memcpy(text, name.data, name.size);
    bool same = contact.name != NULL && strcmp(contact.name, text) == 0;
    contact.name = text;
    TRY(store_contact_put(core->store, &contact));
    /* Devices that were added later did not hear it. */
    return same ? SOTTO_OK : own_tell_contact(core, sender);
}

static sotto_error content_store(struct receiving *r, const struct entry *entry,
                                 const struct account_id *sender, bool blocked, sotto_bytes data,
                                 const struct content_message *content)
{
    struct sotto *core = r->room->core;
    struct store_message message;
    memset(&message, 0, sizeof message);
    message.room = r->room->id;
    message.seq = entry->seq;
    bool text = content->kind == CONTENT_TEXT || content->kind == CONTENT_REPLY;
    bool file = content->kind == CONTENT_FILE;
    message.kind = text ? SOTTO_KIND_TEXT : file ? SOTTO_KIND_FILE : SOTTO_KIND_NEWER;
    message.own = core_is_own(core, sender); /* written on another device */
    message.state = message.own ? STORE_MESSAGE_SENT : STORE_MESSAGE_RECEIVED;
    message.unread = !message.own && !blocked;
    message.sender = *sender;
    message.time_s = core_now_s(core);
    message.client_id = "";
    message.content_id = sotto_bytes_of(content->id, CONTENT_ID_SIZE);
    if (content->kind == CONTENT_REPLY)
        message.target = sotto_bytes_of(content->target, CONTENT_ID_SIZE);
    message.content = data;
    message.text = text || file ? content->text : sotto_bytes_of(NULL, 0);
    message.markdown = content->markdown;
    message.timer_s = content->expires_s;
    message.erase_s = content->expires_at_s;
    if (message.own && message.timer_s > 0)
        message.erase_s = core_now_s(core) + message.timer_s;
    message.mentions_self = !message.own && listing_mentions(core, message.text, message.markdown);
    message.owes = r->owes && (text || file) && !message.own && !blocked;
    int64_t local = 0;
    sotto_error error = store_message_add(core->store, &message, &(int64_t){0}, &local);
    if (error == SOTTO_EXISTS)
        return SOTTO_OK;
    TRY(error);
    if (file && !message.own)
        TRY(downloads_came(core, local, sender, &content->file));
    if (message.own && file) /* this device may have been told of the blob before */
        TRY(store_blob_refer_local(core->store, local, content->file.blob));
    typing_said(core, &r->room->id, sender);
    return blocked ? SOTTO_OK : came(r, message.own, message.mentions_self);
}

static sotto_error sender_blocked(struct receiving *r, const struct account_id *sender,
                                  bool *blocked)
{
    if (!r->has_sender || !account_id_equal(&r->sender, sender)) {
        TRY(store_contact_blocked(r->room->core->store, sender, &r->blocked));
        r->sender = *sender;
        r->has_sender = true;
    }
    *blocked = r->blocked;
    return SOTTO_OK;
}

/* What a member's role does not let them say is said to nobody: all members judge alike. */
static sotto_error may_write(struct receiving *r, const struct account_id *sender, bool *may)
{
    struct settings settings;
    *may = true;
    if (r->row.kind != STORE_ROOM_GROUP)
        return SOTTO_OK;
    TRY(rules_settings(r->room->group, r->arena, &settings, NULL));
    uint8_t least = settings.policy[SOTTO_POLICY_WRITE];
    *may = settings_role(&settings, sender) >= least ||
           rules_role(r->room->group, &settings, sender) >= least;
    return SOTTO_OK;
}

static sotto_error refused(struct receiving *r, const struct entry *entry,
                           const struct account_id *sender)
{
    r->quiet = true;
    sotto_error error =
        event_add(r->room->core, &r->room->id, entry->seq, 0, SOTTO_KIND_REFUSED, sender, NULL);
    return error == SOTTO_EXISTS ? SOTTO_OK : error;
}

static sotto_error message_received(struct receiving *r, const struct entry *entry,
                                    const sotto_mls_received *received)
{
    struct sotto *core = r->room->core;
    sotto_mls_leaf leaf;
    struct account_id sender;
    struct device_id device;
    if (received->sender == SOTTO_MLS_NO_SENDER ||
        sotto_mls_member(r->room->group, received->sender, &leaf) != SOTTO_OK ||
        identity_leaf_ids(&leaf, &sender, &device) != SOTTO_OK)
        return unreadable(r, entry, NULL);
    struct content_message content;
    sotto_fault fault;
    sotto_bytes data = sotto_buf_view(&received->data);
    sotto_error error = content_read(data, &sender, &r->room->id, r->arena, &content, &fault);
    if (error == SOTTO_NO_MEMORY)
        return error;
    if (error != SOTTO_OK)
        return unreadable(r, entry, &sender);
    if (content.kind == CONTENT_MANIFEST) {
        struct account_id account; /* its own or another one's: the signature says whose it is */
        error = manifest_learn_any(core, content.text, r->arena, &account);
        return error_is_local(error) ? error : SOTTO_OK;
    }
    if (content.kind == CONTENT_STATEMENT) /* likewise */
        return statement_take(core, &r->row, entry->seq, content.text, r->arena);
    bool own = core_is_own(core, &sender);
    if (own && r->row.kind == STORE_ROOM_OWN)
        return own_receive(core, &content, r->arena);
    if (content.kind == CONTENT_OWN)
        return SOTTO_OK; /* nobody else is obeyed */
    if (own) {
        r->quiet = content.kind == CONTENT_STATUS;
        if (content.kind == CONTENT_PROFILE || r->quiet)
            return SOTTO_OK;
    }
    bool blocked = false;
    TRY(sender_blocked(r, &sender, &blocked));
    if (blocked && r->row.kind == STORE_ROOM_DIRECT) {
        r->quiet = true; /* nothing of it is shown, ever */
        return SOTTO_OK;
    }
    if (content.kind == CONTENT_PROFILE) {
        if (content.has_picture)
            TRY(profile_picture_received(core, &r->row, &sender, content.picture));
        return content.text.size > 0 && text_is_line(content.text)
                   ? profile_received(r, &sender, content.text)
                   : SOTTO_OK;
    }
    if (content.kind == CONTENT_STATUS) {
        r->quiet = true;
        return receipts_apply(r->room->core, &r->room->id, &sender, &content);
    }
    bool may = false;
    TRY(may_write(r, &sender, &may));
    if (!may)
        return refused(r, entry, &sender);
    if (content.kind == CONTENT_EDIT || content.kind == CONTENT_DELETE ||
        content.kind == CONTENT_REACTION) {
        TRY(change_apply(core, &r->room->id, &sender, entry->seq, data, &content, r->arena));
        return own_change_tell(r->room, &sender, entry->seq, data, r->arena);
    }
    return content_store(r, entry, &sender, blocked, data, &content);
}

/* ---- Proposals ---- */

/* Members propose one thing: that they themselves leave. Everyone who stays queues the commit that
 * does it, by value; who wins the race does not matter. Other proposals are left alone. */
static sotto_error proposal_received(struct receiving *r, const struct entry *entry,
                                     const sotto_mls_received *received)
{
    struct sotto *core = r->room->core;
    sotto_mls_leaf leaf;
    struct commit_intent intent;
    memset(&intent, 0, sizeof intent);
    intent.action = COMMIT_LEAVE;
    if (received->proposal.type != SOTTO_MLS_REMOVE ||
        received->proposal.u.remove.index != received->sender ||
        sotto_mls_member(r->room->group, received->sender, &leaf) != SOTTO_OK ||
        identity_leaf_ids(&leaf, &intent.account, &intent.device) != SOTTO_OK)
        return SOTTO_OK;
    if (core_is_own(core, &intent.account))
        return other_left(r, entry);
    memset(&intent.device, 0, sizeof intent.device);
    char client_id[STORE_CLIENT_ID_MAX + 1];
    commit_leave_id(&intent.account, client_id);
    /* Where people are connected all the time, not all of them jump at once. */
    uint64_t pause = core->patient ? net_jitter(core, 4) : 0;
    sotto_error error = commit_queue(core, &r->room->id, &intent, client_id,
                                     pause > 0 ? core_now_s(core) + pause : 0);
    return error == SOTTO_EXISTS ? SOTTO_OK : error;
}

/* ---- Commits of others ---- */

/* Whether the commit leaves the account another device in the group, or finds one there. */
static bool account_remains(const struct receiving *r, const sotto_mls_staged *staged,
                            const struct account_id *account)
{
    size_t count = sotto_mls_staged_count(staged);
    uint32_t at = 0;
    sotto_mls_leaf leaf;
    while (sotto_mls_next_member(r->room->group, &at, &leaf)) {
        struct account_id its_account;
        struct device_id device;
        bool removed = false;
        if (identity_leaf_ids(&leaf, &its_account, &device) != SOTTO_OK ||
            !account_id_equal(&its_account, account))
            continue;
        for (size_t i = 0; i < count && !removed; i++) {
            sotto_mls_proposal proposal;
            uint32_t proposer;
            removed = sotto_mls_staged_proposal(staged, i, &proposal, &proposer) == SOTTO_OK &&
                      proposal.type == SOTTO_MLS_REMOVE && proposal.u.remove.index == leaf.index;
        }
        if (!removed)
            return true;
    }
    return false;
}

/* Between two people a line tells of a device more or less of the other one. */
static sotto_error device_line(struct receiving *r, const struct entry *entry,
                               enum sotto_message_kind kind, uint32_t *part,
                               const struct account_id *account)
{
    if (r->row.kind != STORE_ROOM_DIRECT || core_is_own(r->room->core, account))
        return SOTTO_OK;
    sotto_error error =
        event_add(r->room->core, &r->room->id, entry->seq, (*part)++,
                  kind == SOTTO_KIND_ADDED ? SOTTO_KIND_DEVICE_ADDED : SOTTO_KIND_DEVICE_REMOVED,
                  account, account);
    return error == SOTTO_EXISTS ? SOTTO_OK : error;
}

/* Whether the commit both removes and adds that device: it comes back (rejoin.h), and nobody came
 * or went. */
static bool comes_back(const struct receiving *r, const sotto_mls_staged *staged,
                       const struct account_id *account, const struct device_id *device)
{
    size_t count = sotto_mls_staged_count(staged);
    bool adds = false, removes = false;
    for (size_t i = 0; i < count; i++) {
        sotto_mls_proposal proposal;
        uint32_t proposer;
        struct account_id its_account;
        struct device_id its_device;
        sotto_mls_leaf leaf;
        if (sotto_mls_staged_proposal(staged, i, &proposal, &proposer) != SOTTO_OK)
            continue;
        if (proposal.type == SOTTO_MLS_ADD)
            leaf = proposal.u.add.leaf;
        else if (proposal.type != SOTTO_MLS_REMOVE ||
                 sotto_mls_member(r->room->group, proposal.u.remove.index, &leaf) != SOTTO_OK)
            continue;
        if (identity_leaf_ids(&leaf, &its_account, &its_device) != SOTTO_OK ||
            !account_id_equal(&its_account, account) || !device_id_equal(&its_device, device))
            continue;
        adds |= proposal.type == SOTTO_MLS_ADD;
        removes |= proposal.type == SOTTO_MLS_REMOVE;
    }
    return adds && removes;
}

/* The lines about who came and who went, from the proposals that the commit carries: one for each
 * person. */
static sotto_error commit_events(struct receiving *r, const struct entry *entry,
                                 const sotto_mls_staged *staged, const struct account_id *committer,
                                 bool *adds, bool *removes, uint32_t *parts)
{
    struct sotto *core = r->room->core;
    size_t count = sotto_mls_staged_count(staged);
    uint32_t part = 0;
    struct account_id last;
    bool has_last = false;
    for (size_t i = 0; i < count; i++) {
        sotto_mls_proposal proposal;
        uint32_t proposer;
        struct account_id subject;
        struct device_id device;
        sotto_mls_leaf leaf;
        enum sotto_message_kind kind;
        TRY(sotto_mls_staged_proposal(staged, i, &proposal, &proposer));
        if (proposal.type == SOTTO_MLS_ADD) {
            kind = SOTTO_KIND_ADDED;
            leaf = proposal.u.add.leaf;
        } else if (proposal.type == SOTTO_MLS_REMOVE) {
            *removes = true;
            kind = SOTTO_KIND_REMOVED;
            if (sotto_mls_member(r->room->group, proposal.u.remove.index, &leaf) != SOTTO_OK)
                continue;
        } else
            continue;
        if (identity_leaf_ids(&leaf, &subject, &device) != SOTTO_OK)
            continue;
        if (kind == SOTTO_KIND_REMOVED)
            TRY(store_arriving_gone(core->store, &r->room->id, &subject, &device));
        bool told = has_last && account_id_equal(&last, &subject);
        last = subject;
        has_last = true;
        if (kind == SOTTO_KIND_REMOVED && core_is_own(core, &subject))
            TRY(store_room_judged_put(core->store, &r->room->id, 0)); /* add it again, if wrongly */
        if (kind == SOTTO_KIND_ADDED && group_has(r->room->group, &subject, NULL, NULL))
            TRY(rejoin_came(core, &r->room->id, &subject, &device, &leaf));
        if (kind == SOTTO_KIND_ADDED && r->row.kind != STORE_ROOM_OWN &&
            core_is_own(core, &subject))
            TRY(own_device_added(core, &r->row, &device));
        if (told || comes_back(r, staged, &subject, &device))
            continue;
        if (account_remains(r, staged, &subject)) {
            TRY(device_line(r, entry, kind, &part, &subject));
            continue;
        }
        *adds |= kind == SOTTO_KIND_ADDED;
        /* Whoever asked to go was not thrown out. */
        if (kind == SOTTO_KIND_REMOVED) {
            bool asked = false;
            TRY(commit_left(core, &r->room->id, &subject, 0, &asked));
            if (asked)
                kind = SOTTO_KIND_LEFT;
        }
        const struct account_id *who = kind == SOTTO_KIND_LEFT ? &subject : committer;
        sotto_error error = event_add(core, &r->room->id, entry->seq, part++, kind, who, &subject);
        if (error != SOTTO_OK && error != SOTTO_EXISTS)
            return error;
    }
    *parts = part;
    return SOTTO_OK;
}

static sotto_error removed_by(struct receiving *r)
{
    r->row.state = STORE_ROOM_REMOVED;
    room_forget_group(r->room);
    TRY(store_records_clear(r->room->core->store, &r->room->id));
    return room_fail_outbox(r->room->core, &r->room->id);
}

/* Whether the commit adds this device, or a device of this account. This one: somebody answers a
 * request of it a second time, and its Welcome is on the way. */
static bool self_comes_back(const struct receiving *r, const sotto_mls_staged *staged,
                            bool this_device)
{
    const struct identity *own = &r->room->core->identity;
    size_t count = sotto_mls_staged_count(staged);
    for (size_t i = 0; i < count; i++) {
        sotto_mls_proposal proposal;
        uint32_t proposer;
        struct account_id account;
        struct device_id device;
        if (sotto_mls_staged_proposal(staged, i, &proposal, &proposer) == SOTTO_OK &&
            proposal.type == SOTTO_MLS_ADD &&
            identity_leaf_ids(&proposal.u.add.leaf, &account, &device) == SOTTO_OK &&
            account_id_equal(&account, &own->account) &&
            (!this_device || device_id_equal(&device, &own->device)))
            return true;
    }
    return false;
}

/* This device is out and the person in: it was revoked, or a member put it out who may not put out
 * the person. Then it asks to be let in again: the others of the account may be lost. */
static sotto_error device_removed(struct receiving *r)
{
    struct sotto *core = r->room->core;
    struct manifest manifest;
    bool found = false;
    TRY(manifest_newest(core, &core->identity.account, r->arena, &manifest, &found));
    if (!found || manifest_device(&manifest, &core->identity.device) == NULL) {
        r->row.trouble = "This device was removed from your account, and reads nothing more here.";
        return removed_by(r);
    }
    TRY(rejoin_begin(r->room, &r->row, REJOIN_WELCOME_S));
    if (r->row.state == STORE_ROOM_REJOINING)
        r->row.trouble = "Somebody put this device out, though it is one of yours. It asks to be "
                         "let in again; what you write waits until then.";
    return SOTTO_OK;
}

/* A commit that its committer may not make is one for no member: all stay where they are, and as
 * the relay has moved on, the room ends here (PROTOCOL.md, "Commits that are refused"). */
static sotto_error commit_refused(struct receiving *r, const struct entry *entry, const char *why,
                                  const struct account_id *committer)
{
    struct sotto *core = r->room->core;
    size_t size = 600;
    char *trouble = arena_array(r->arena, size, 1);
    if (trouble == NULL)
        return SOTTO_NO_MEMORY;
    const char *name = names_of(core, committer, r->arena);
    (void)snprintf(trouble, size,
                   "%s changed this conversation without being allowed to (%s). No member follows, "
                   "and it ends here; an owner's Sotto makes a new one without them.",
                   name[0] != '\0' ? name : "A member", why);
    TRY(room_stopped_by(r->room, r->arena, committer));
    TRY(fork_found(r, entry, trouble));
    return successor_after(r->room, &r->row, r->arena, committer);
}

static sotto_error commit_enter(struct receiving *r, const struct entry *entry,
                                sotto_mls_received *received, const struct account_id *committer)
{
    struct sotto *core = r->room->core;
    struct room *room = r->room;
    uint32_t part = 0;
    bool adds = false, removes = false;
    TRY(commit_events(r, entry, received->staged, committer, &adds, &removes, &part));
    if (sotto_mls_staged_removes_self(received->staged)) {
        bool back = self_comes_back(r, received->staged, true);
        bool person_stays = account_remains(r, received->staged, &core->identity.account) ||
                            self_comes_back(r, received->staged, false);
        sotto_mls_received_clear(received); /* of the group that goes now */
        if (back)
            return rejoin_begin(room, &r->row, REJOIN_WELCOME_S);
        return person_stays ? device_removed(r) : removed_by(r);
    }
    sotto_mls_staged_apply(room->group, received->staged);
    received->staged = NULL;
    if (removes)
        TRY(room_read_token(room, &r->row));
    if (adds)
        TRY(room_queue_profile_later(core, &room->id));
    TRY(room_settings_entered(room, &r->row, r->arena, entry->seq, &part, committer));
    return commit_unseal(room, sotto_mls_epoch(room->group));
}

static sotto_error commit_received(struct receiving *r, const struct entry *entry,
                                   sotto_mls_received *received)
{
    struct account_id committer;
    const char *why = "";
    bool allowed = false;
    TRY(rules_judge(r->room->group, received->staged, r->room->core->env, &allowed, &why,
                    &committer));
    return allowed ? commit_enter(r, entry, received, &committer)
                   : commit_refused(r, entry, why, &committer);
}

/* ---- One entry ---- */

static sotto_error foreign_entry(struct receiving *r, const struct entry *entry)
{
    sotto_mls_received received;
    memset(&received, 0, sizeof received);
    sotto_error error = sotto_mls_process(r->room->group, entry->bytes, &received);
    if (error_is_local(error))
        return error;
    bool commit = error == SOTTO_OK && received.kind == SOTTO_MLS_RECEIVED_COMMIT;
    if (entry->kind == ENTRY_COMMIT)
        error = commit ? commit_received(r, entry, &received)
                       : fork_found(r, entry,
                                    "The relay's record of this conversation does not "
                                    "follow from what came before: it was altered, or a "
                                    "member's client is broken. The conversation was "
                                    "stopped; begin a new one. (sotto group continue, of "
                                    "an owner, makes one with all of a group.)");
    else if (error != SOTTO_OK || commit)
        error = unreadable(r, entry, NULL);
    else if (received.kind == SOTTO_MLS_RECEIVED_PROPOSAL)
        error = proposal_received(r, entry, &received);
    else
        error = message_received(r, entry, &received);
    sotto_mls_received_clear(&received);
    return error;
}

static sotto_error apply(struct receiving *r, const struct entry *entry)
{
    struct sotto *core = r->room->core;
    if (entry->seq < r->row.next_seq)
        return SOTTO_OK; /* another process was faster */
    if (entry->seq > r->row.next_seq)
        return fork_found(r, entry,
                          "The relay left entries out. This conversation was stopped; "
                          "begin a new one.");
    if (entry->epoch != sotto_mls_epoch(r->room->group))
        return fork_found(r, entry,
                          "The relay's record of this conversation does not follow from "
                          "what came before. The conversation was stopped; begin a new "
                          "one.");
    struct store_outgoing outgoing;
    r->quiet = false;
    sotto_error error = SOTTO_NOT_FOUND;
    if (r->own_sent)
        error = store_outgoing_by_request(core->store, &r->room->id, &entry->append_id, r->arena,
                                          &outgoing);
    if (error == SOTTO_OK)
        error = own_entry(r, &outgoing, entry);
    else if (error == SOTTO_NOT_FOUND)
        error = foreign_entry(r, entry);
    TRY(error);
    if (r->row.state == STORE_ROOM_FORKED)
        return SOTTO_OK; /* the cursor stays in front of what was not understood */
    r->row.next_seq = entry->seq + 1;
    if (!r->quiet)
        r->row.active_s = core_now_s(core);
    return SOTTO_OK;
}

static sotto_error apply_all(struct receiving *r, const struct entry *entries, size_t count)
{
    struct store *store = r->room->core->store;
    uint32_t unread = 0, before = 0;
    TRY(store_begin(store));
    TRY(room_enter(r->room, r->arena, &r->row));
    TRY(store_messages_unread(store, &r->room->id, &before));
    TRY(store_outgoing_any(store, &r->room->id, &r->own_sent));
    TRY(receipt_owed(r->room->core, &r->row, &r->owes));
    for (size_t i = 0; i < count; i++)
        if (r->row.state == STORE_ROOM_ACTIVE)
            TRY(apply(r, &entries[i]));
        else if (r->row.state == STORE_ROOM_LEFT)
            TRY(leaving_entry(r->room, &r->row, r->arena, &entries[i]));
    TRY(room_save(r->room, &r->row));
    TRY(store_messages_unread(store, &r->room->id, &unread));
    if (unread != before) /* once for all of them */
        TRY(store_event_add(store, SOTTO_EVENT_CONVERSATION, r->room->id.bytes));
    return store_commit(store);
}

/* What was pushed comes again after the next subscription; nothing behind it may come before. */
static void unkept(struct room *room, sotto_error error)
{
    room_unsubscribe(room);
    room_local_failure(room, error, "storing what came");
}

void rooms_unkept(struct conn *conn, sotto_error error)
{
    room_abort_all(conn->core);
    for (struct room *room = conn->core->rooms; room != NULL; room = room->next)
        if (room->conn == conn && room->subscribed != ROOM_UNSUBSCRIBED)
            unkept(room, error);
}

void room_receive(struct room *room, const struct entry *entries, size_t count)
{
    struct arena arena;
    arena_init(&arena, room->core->env);
    struct receiving receiving;
    memset(&receiving, 0, sizeof receiving);
    receiving.room = room;
    receiving.arena = &arena;
    sotto_error error = apply_all(&receiving, entries, count);
    if (error != SOTTO_OK) {
        room_abort(room);
        unkept(room, error);
    }
    arena_free(&arena);
    store_scrub(room->core->store, false);
}
