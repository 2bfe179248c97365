/* Whose keys were compared, and how; and what speaks against them. */
#include <string.h>

#include "codec/writer.h"
#include "core/people.h"
#include "wire/verify_link.h"

/* ---- The mark -------------------------------------------------------------------------------- */

static sotto_error compared_tell(struct sotto *core, const struct account_id *account)
{
    sotto_buf record;
    struct writer writer;
    sotto_buf_init(&record, core->env);
    writer_init(&writer, &record);
    size_t opened = own_record(&writer, OWN_COMPARED);
    writer_fixed(&writer, sotto_bytes_of(account->bytes, ACCOUNT_ID_SIZE));
    writer_close(&writer, opened);
    return own_tell(core, writer_finish(&writer), &record);
}

sotto_error people_compared_read(struct sotto *core, struct reader *reader, struct arena *arena)
{
    struct store_contact contact;
    struct account_id account;
    reader_copy(reader, account.bytes, ACCOUNT_ID_SIZE, "own.account");
    TRY(reader->fault.error);
    sotto_error error = store_contact_get(core->store, &account, arena, &contact);
    if (error != SOTTO_OK)
        return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
    contact.verified = STORE_VERIFIED_COMPARED;
    contact.conflict = false;
    return store_contact_put(core->store, &contact);
}

/* Inside a transaction. A person who has compared again knows of what was contradictory. */
static sotto_error mark(struct sotto *core, const struct account_id *account,
                        enum store_verified verified, struct arena *arena)
{
    struct store_contact contact;
    TRY(store_contact_get(core->store, account, arena, &contact));
    if (contact.verified == verified && !contact.conflict)
        return SOTTO_OK;
    bool ends = contact.conflict && verified != STORE_UNVERIFIED;
    contact.verified = verified;
    if (ends)
        contact.conflict = false;
    TRY(store_contact_put(core->store, &contact));
    return ends ? compared_tell(core, account) : own_tell_contact(core, account);
}

static sotto_error mark_now(struct sotto *core, const struct account_id *account,
                            enum store_verified verified, struct arena *arena)
{
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = mark(core, account, verified, arena);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error == SOTTO_OK)
        return SOTTO_OK;
    store_rollback(core->store);
    return core_store_problem(core, error, "saving the contact");
}

sotto_error sotto_set_verified(struct sotto *core, const char *who, bool verified)
{
    struct arena arena;
    struct store_contact contact;
    TRY(core_need_account(core));
    arena_init(&arena, core->env);
    sotto_error error = names_person(core, who, &arena, &contact);
    if (error == SOTTO_OK && verified && !contact.has_key)
        error = problem_set(&core->problem, SOTTO_NOT_FOUND, SOTTO_CODE_NOT_FOUND,
                            "Run sotto sync, then compare and try again.",
                            "The keys of `%s` are not known yet.", who);
    if (error == SOTTO_OK)
        error = mark_now(core, &contact.account,
                         verified ? STORE_VERIFIED_COMPARED : STORE_UNVERIFIED, &arena);
    arena_free(&arena);
    return error;
}

/* ---- The link -------------------------------------------------------------------------------- */

sotto_error verify_link_show(struct sotto *core, const struct account_id *with, char *out,
                             size_t size)
{
    struct verify_link link;
    sotto_buf text;
    memset(&link, 0, sizeof link);
    link.account = core->identity.account;
    link.has_with = with != NULL;
    if (with != NULL)
        link.with = *with;
    sotto_buf_init(&text, core->env);
    sotto_error error = verify_link_format(&link, &text);
    if (error == SOTTO_OK)
        (void)snprintf(out, size, "%.*s", (int)text.size, (const char *)text.data);
    sotto_buf_free(&text);
    return error == SOTTO_OK ? error : core_store_problem(core, error, "writing the code");
}

static sotto_error mismatch(struct sotto *core, const char *what)
{
    return problem_set(&core->problem, SOTTO_CREDENTIAL, SOTTO_CODE_BAD_IDENTITY,
                       "Write nothing that must stay private, and find out over another channel "
                       "who is who: somebody may stand between you.",
                       "%s", what);
}

/* Whom the link is about, if all fits. */
static sotto_error link_judge(struct sotto *core, const struct verify_link *link, const char *who,
                              struct arena *arena, struct store_contact *contact)
{
    if (core_is_own(core, &link->account))
        return problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_OWN_LINK,
                           "Let the other person take it.", "This is your own account's code.");
    if (link->has_with && !core_is_own(core, &link->with))
        return mismatch(core, "This code was shown for another account than yours: whoever shows "
                              "it has somebody else in your place.");
    if (who != NULL) {
        TRY(names_person(core, who, arena, contact));
        if (!account_id_equal(&contact->account, &link->account))
            return mismatch(core, "The keys do not match: this code is not that of the person "
                                  "whom you know by that name.");
        return SOTTO_OK;
    }
    sotto_error error = store_contact_get(core->store, &link->account, arena, contact);
    if (error == SOTTO_NOT_FOUND)
        return problem_set(
            &core->problem, error, SOTTO_CODE_NOT_FOUND,
            "If whoever shows it is a contact of yours, somebody may stand between you: write "
            "nothing that must stay private. If not, meet first: sotto invite",
            "Nobody whom you know has these keys.");
    return error == SOTTO_OK ? error : core_store_problem(core, error, "reading the contact");
}

sotto_error sotto_verify_link(struct sotto *core, const char *text, const char *who,
                              struct sotto_id *account)
{
    struct arena arena;
    struct store_contact contact = {0};
    struct verify_link link;
    sotto_fault fault = {SOTTO_OK, "", 0};
    TRY(core_need_account(core));
    if (verify_link_parse(core->env, sotto_bytes_str(text), &link, &fault) != SOTTO_OK)
        return problem_set(&core->problem, fault.error, SOTTO_CODE_BAD_LINK,
                           "Copy it whole, from sotto:// to its last character.",
                           "This is not a whole code to compare (%s).", fault.what);
    arena_init(&arena, core->env);
    sotto_error error = link_judge(core, &link, who, &arena, &contact);
    if (error == SOTTO_OK)
        error = mark_now(core, &contact.account, STORE_VERIFIED_COMPARED, &arena);
    if (error == SOTTO_OK)
        memcpy(account->bytes, contact.account.bytes, ACCOUNT_ID_SIZE);
    arena_free(&arena);
    return error;
}

/* ---- Lists of devices that contradict each other ----------------------------------------------
 */

enum { CONFLICT_PART = 1000 }; /* behind whatever the entry itself tells */

/* A line in each living conversation with that person alone. */
static sotto_error conflict_lines(struct sotto *core, const struct account_id *account,
                                  struct arena *arena)
{
    struct store_room *rooms = NULL;
    size_t count = 0;
    TRY(store_rooms(core->store, arena, &rooms, &count));
    for (size_t i = 0; i < count; i++) {
        const struct store_room *row = &rooms[i];
        if (row->kind != STORE_ROOM_DIRECT || row->state != STORE_ROOM_ACTIVE || !row->has_peer ||
            !account_id_equal(&row->peer, account) || row->next_seq < 2)
            continue;
        sotto_error error = event_add(core, &row->room, row->next_seq - 1, CONFLICT_PART,
                                      SOTTO_KIND_CONFLICT, account, account);
        if (error != SOTTO_OK && error != SOTTO_EXISTS)
            return error;
    }
    return SOTTO_OK;
}

sotto_error people_conflict(struct sotto *core, const struct account_id *account)
{
    struct arena arena;
    struct store_contact contact;
    arena_init(&arena, core->env);
    sotto_error error = store_contact_get(core->store, account, &arena, &contact);
    if (error == SOTTO_OK && !contact.conflict) {
        contact.conflict = true;
        contact.verified = STORE_UNVERIFIED;
        error = store_contact_put(core->store, &contact);
        if (error == SOTTO_OK)
            error = conflict_lines(core, account, &arena);
        if (error == SOTTO_OK && contact.contact)
            error = own_tell_contact(core, account);
    }
    arena_free(&arena);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

void people_conflict_note(struct sotto *core, const struct account_id *account, sotto_bytes offered)
{
    struct arena arena;
    struct manifest manifest;
    struct account_id owner;
    sotto_fault fault;
    arena_init(&arena, core->env);
    if (manifest_read(offered, &arena, &manifest, &fault) == SOTTO_OK) {
        account_id_of(manifest.account_key, &owner);
        sotto_error error =
            account_id_equal(&owner, account) ? store_begin(core->store) : SOTTO_NOT_FOUND;
        if (error == SOTTO_OK)
            error = people_conflict(core, account);
        if (error == SOTTO_OK)
            error = store_commit(core->store);
        if (error != SOTTO_OK && error != SOTTO_NOT_FOUND)
            store_rollback(core->store); /* the same list will be offered again */
    }
    arena_free(&arena);
}
