/* Usernames and numbers at one's relay: one's own, and whom others' lead to. The relay says which
 * account has a label and could name any; so the account is not verified by it, and what a label
 * led to first is kept, here and on one's other devices. */
#include <ctype.h>
#include <string.h>

#include "codec/writer.h"
#include "core/meeting.h"
#include "core/people.h"

enum { FIND_TRIES = 4, LABEL_SIZE = SOTTO_USERNAME_MAX + 2 };

/* ---- Asking over the account connection -------------------------------------------------------
 */

/* Signs in first. */
static sotto_error ask_signed_in(struct sotto *core, const struct message *message,
                                 struct meeting_answer *answer)
{
    TRY(core_need_account(core));
    inbox_reset(core);
    core->inbox.wanted = true;
    sotto_error error = run_until_settled(core);
    bool in = core->inbox.phase == INBOX_SIGNED_IN && core->inbox.conn != NULL;
    core->inbox.wanted = false;
    if (in)
        return meeting_ask(core, core->inbox.conn, message, answer);
    return error != SOTTO_OK ? error
                             : problem_set(&core->problem, SOTTO_TIMEOUT, SOTTO_CODE_TIMEOUT,
                                           "Try again.", "The relay did not answer.");
}

sotto_error sotto_labels(struct sotto *core, struct sotto_labels *labels)
{
    struct meeting_answer answer = {0};
    struct message message;
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_GET_LABELS;
    sotto_buf_init(&answer.bytes, core->env);
    sotto_error error = ask_signed_in(core, &message, &answer);
    if (error == SOTTO_OK)
        *labels = answer.labels;
    sotto_buf_free(&answer.bytes);
    return error;
}

static sotto_error set(struct sotto *core, const struct message *message)
{
    struct meeting_answer answer = {0};
    sotto_buf_init(&answer.bytes, core->env);
    sotto_error error = ask_signed_in(core, message, &answer);
    sotto_buf_free(&answer.bytes);
    return error;
}

/* As people write it; false: it is none. */
static bool username_read(const char *text, char out[static LABEL_SIZE])
{
    size_t size = 0;
    if (*text == '@')
        text++;
    for (; *text != '\0' && size < SOTTO_USERNAME_MAX; text++)
        out[size++] = (char)(*text >= 'A' && *text <= 'Z' ? *text - 'A' + 'a' : *text);
    out[size] = '\0';
    return *text == '\0' && username_is_valid(sotto_bytes_str(out));
}

static sotto_error bad_username(struct sotto *core, const char *text)
{
    return problem_set(&core->problem, SOTTO_VALUE, SOTTO_CODE_BAD_NAME,
                       "It has 3 to 32 letters from a to z, digits, and single signs _ . - between "
                       "them, and begins with a letter.",
                       "`%.80s` is no username.", text);
}

sotto_error sotto_set_username(struct sotto *core, const char *username)
{
    char name[LABEL_SIZE] = "";
    struct message message;
    if (username[0] != '\0' && !username_read(username, name))
        return bad_username(core, username);
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_SET_USERNAME;
    message.username = sotto_bytes_str(name);
    return set(core, &message);
}

sotto_error sotto_set_findable(struct sotto *core, bool findable)
{
    struct message message;
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_SET_FINDABLE;
    message.findable = findable;
    return set(core, &message);
}

/* ---- Finding -------------------------------------------------------------------------------- */

struct finding {
    struct sotto *core;
    struct arena arena;
    enum label_kind kind;
    char label[LABEL_SIZE + 1]; /* with its sign in front */
    sotto_bytes manifest;
    struct account_id account;
    struct store_contact contact;
    struct store_pin pin;
    bool pinned;
};

/* A number without the spaces, hyphens and brackets that people put into it. */
static bool phone_read(const char *text, char out[static LABEL_SIZE])
{
    size_t size = 0;
    for (; *text != '\0'; text++) {
        if (strchr(" -()/.", *text) != NULL)
            continue;
        if (size == LABEL_SIZE - 1)
            return false;
        out[size++] = *text;
    }
    out[size] = '\0';
    return phone_is_valid(sotto_bytes_str(out));
}

static sotto_error label_read(struct finding *f, const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    f->kind = *text == '+' ? LABEL_PHONE : LABEL_USERNAME;
    if (f->kind == LABEL_PHONE) {
        if (phone_read(text, f->label))
            return SOTTO_OK;
        return problem_set(&f->core->problem, SOTTO_VALUE, SOTTO_CODE_BAD_NAME,
                           "It looks like +4930123456.", "`%.80s` is no phone number.", text);
    }
    f->label[0] = '@';
    return *text == '@' && username_read(text, f->label + 1) ? SOTTO_OK
                                                             : bad_username(f->core, text);
}

static sotto_bytes label_sent(const struct finding *f)
{
    return sotto_bytes_str(f->label + (f->kind == LABEL_USERNAME));
}

/* One try, with a token of its own where there is one. */
static sotto_error ask_once(struct finding *f, sotto_bytes owner, struct meeting_answer *answer)
{
    struct sotto *core = f->core;
    struct token_payment payment = {0};
    struct message message;
    sotto_error error = token_pay(core, core->profile.relay, owner, &payment);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "taking a token");
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_FIND;
    message.find.permission = payment.permission;
    message.find.kind = (uint8_t)f->kind;
    message.find.label = label_sent(f);
    error =
        meeting_ask(core, net_conn(core, core->profile.relay, CONNECTION_ROOM), &message, answer);
    token_payment_wipe(&payment);
    return error;
}

/* Fetches tokens over the other connection. */
static void fetch_tokens(struct sotto *core)
{
    struct sotto_problem problem = core->problem;
    inbox_reset(core);
    core->inbox.wanted = true;
    core->tokens.urgent = true;
    (void)run_until_settled(core);
    core->inbox.wanted = false;
    core->problem = problem;
}

/* The token counts as spent once the question is answered, or may have been: a lost answer costs
 * one. A refusal costs none. */
static sotto_error token_end(struct sotto *core, sotto_bytes owner, bool refused)
{
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = refused ? store_token_release(core->store, owner)
                        : store_token_erase(core->store, owner);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error == SOTTO_OK)
        return SOTTO_OK;
    store_rollback(core->store);
    return core_store_problem(core, error, "spending a token");
}

static sotto_error ask(struct finding *f, struct meeting_answer *answer)
{
    struct sotto *core = f->core;
    uint8_t id[REQUEST_ID_SIZE];
    sotto_bytes owner = sotto_bytes_of(id, sizeof id);
    sotto_error error = core->env->random(core->env->ctx, id, sizeof id);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "asking the relay");
    for (unsigned i = 0; i < FIND_TRIES; i++) {
        error = ask_once(f, owner, answer);
        if (error == SOTTO_OK)
            break;
        struct sotto_problem problem = core->problem;
        struct message refusal;
        memset(&refusal, 0, sizeof refusal);
        refusal.type = MESSAGE_ERROR;
        refusal.error.code = answer->code;
        refusal.error.detail = answer->detail;
        enum token_outcome outcome =
            token_refused(core, core->profile.relay, owner, error, &refusal);
        core->problem = problem;
        if (outcome == TOKEN_NOT_IT)
            break;
        if (outcome == TOKEN_WAIT)
            fetch_tokens(core);
    }
    struct sotto_problem problem = core->problem;
    sotto_error ended = token_end(core, owner, error == SOTTO_REFUSED);
    if (error == SOTTO_OK)
        return ended;
    core->problem = problem;
    return error;
}

static sotto_error not_valid(struct finding *f, const char *what)
{
    return problem_set(
        &f->core->problem, SOTTO_CREDENTIAL, SOTTO_CODE_BAD_IDENTITY,
        "Nothing was kept of it. Ask the person for an invitation link instead, over "
        "another channel; the relay may be lying.",
        "What the relay gave out for %s is not valid: %s.", f->label, what);
}

static sotto_error contact_learn(struct finding *f, sotto_fault *fault)
{
    struct sotto *core = f->core;
    sotto_bytes newest;
    TRY(manifest_learn(core, &f->account, f->manifest, &f->arena, &newest, fault));
    TRY(store_contact_get(core->store, &f->account, &f->arena, &f->contact));
    if (f->contact.relay[0] != '\0')
        return SOTTO_OK;
    f->contact.relay = core->profile.relay;
    return store_contact_put(core->store, &f->contact);
}

/* Inside a transaction: what was found is known from here on; also where a label leads to oneself,
 * so that it does not lead elsewhere later without a word. */
static sotto_error learn(struct finding *f, sotto_fault *fault)
{
    struct sotto *core = f->core;
    struct manifest manifest;
    TRY(manifest_read(f->manifest, &f->arena, &manifest, fault));
    account_id_of(manifest.account_key, &f->account);
    if (!core_is_own(core, &f->account))
        TRY(contact_learn(f, fault));
    sotto_error error =
        store_pin_get(core->store, core->profile.relay, f->label, &f->arena, &f->pin);
    f->pinned = error == SOTTO_OK;
    if (f->pinned || error != SOTTO_NOT_FOUND)
        return error;
    f->pin = (struct store_pin){core->profile.relay, f->label, f->account, core_now_s(core)};
    f->pinned = true;
    TRY(store_pin_put(core->store, &f->pin));
    return people_pin_tell(core, &f->pin);
}

static sotto_error find(struct finding *f, const char *label)
{
    struct sotto *core = f->core;
    struct meeting_answer answer = {0};
    sotto_fault fault = {SOTTO_OK, "manifest", 0};
    TRY(core_need_account(core));
    TRY(label_read(f, label));
    sotto_buf_init(&answer.bytes, core->env);
    sotto_error error = ask(f, &answer);
    if (error == SOTTO_OK && answer.bytes.size == 0)
        error =
            problem_set(&core->problem, SOTTO_NOT_FOUND, SOTTO_CODE_NOT_FOUND,
                        "Is it written right? People are found by what they have set "
                        "themselves, at your own relay. For others, ask for an invitation link.",
                        "Nobody is found under %s at your relay.", f->label);
    else if (error == SOTTO_OK) {
        error = arena_copy(&f->arena, sotto_buf_view(&answer.bytes), &f->manifest);
        if (error == SOTTO_OK)
            error = store_begin(core->store);
        if (error == SOTTO_OK)
            error = learn(f, &fault);
        if (error == SOTTO_OK)
            error = store_commit(core->store);
        if (error != SOTTO_OK) {
            store_rollback(core->store);
            if (error == SOTTO_CREDENTIAL)
                people_conflict_note(core, &f->account, f->manifest);
            error = error_is_local(error) ? core_store_problem(core, error, "saving who was found")
                                          : not_valid(f, fault.what);
        }
    }
    sotto_buf_free(&answer.bytes);
    return error;
}

static bool leads_elsewhere(const struct finding *f)
{
    return f->pinned && !account_id_equal(&f->pin.account, &f->account);
}

sotto_error sotto_find_person(struct sotto *core, const char *label, struct sotto_found *found)
{
    struct finding f;
    memset(&f, 0, sizeof f);
    f.core = core;
    arena_init(&f.arena, core->env);
    sotto_error error = find(&f, label);
    if (error == SOTTO_OK) {
        memset(found, 0, sizeof *found);
        memcpy(found->account.bytes, f.account.bytes, ACCOUNT_ID_SIZE);
        (void)snprintf(found->label, sizeof found->label, "%s", f.label);
        bool own = core_is_own(core, &f.account);
        (void)snprintf(found->name, sizeof found->name, "%s",
                       own ? core->profile.name : people_name(&f.contact));
        found->contact = f.contact.contact;
        found->blocked = f.contact.blocked;
        found->verified = (enum sotto_verified)f.contact.verified;
        found->changed = leads_elsewhere(&f);
        if (found->changed)
            memcpy(found->before.bytes, f.pin.account.bytes, ACCOUNT_ID_SIZE);
    }
    arena_free(&f.arena);
    return error;
}

/* ---- Adding --------------------------------------------------------------------------------- */

static sotto_error add_check(struct finding *f, bool changed)
{
    struct sotto *core = f->core;
    if (core_is_own(core, &f->account))
        return problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_OWN_LINK, "",
                           "%s is you yourself.", f->label);
    if (f->contact.blocked)
        return problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_BLOCKED,
                           "Unblock them first: sotto unblock WHO", "You have blocked %s.",
                           f->label);
    if (leads_elsewhere(f) && !changed)
        return problem_set(
            &core->problem, SOTTO_CREDENTIAL, SOTTO_CODE_CHANGED,
            "Perhaps they made a new account, or gave the name away; perhaps the relay lies. Ask "
            "them over another channel, or take it all the same with --changed, and compare "
            "fingerprints.",
            "%s led to another account before%s%s.", f->label,
            names_of(core, &f->pin.account, &f->arena)[0] != '\0' ? ", that of " : "",
            names_of(core, &f->pin.account, &f->arena));
    return SOTTO_OK;
}

/* Inside a transaction. */
static sotto_error add(struct finding *f, const char *greeting, struct room_id *room)
{
    struct sotto *core = f->core;
    struct store_room row;
    struct content_message content;
    char client_id[33];
    f->contact.contact = true;
    TRY(store_contact_put(core->store, &f->contact));
    TRY(own_tell_contact(core, &f->account));
    if (leads_elsewhere(f)) {
        f->pin.account = f->account;
        f->pin.seen_s = core_now_s(core);
        TRY(store_pin_put(core->store, &f->pin));
        TRY(people_pin_tell(core, &f->pin));
    }
    if (!people_conversation(core, &f->account, &f->arena, room)) {
        struct commit_intent intent;
        memset(&intent, 0, sizeof intent);
        TRY(room_make(core, STORE_ROOM_DIRECT, "", &f->account, room));
        intent.action = COMMIT_ADD;
        intent.account = f->account;
        intent.relay = sotto_bytes_str(f->contact.relay);
        TRY(commit_queue(core, room, &intent, "", 0));
    }
    if (greeting == NULL)
        return SOTTO_OK;
    memset(&content, 0, sizeof content);
    content.kind = CONTENT_TEXT;
    content.text = sotto_bytes_str(greeting);
    TRY(core_random_client_id(core, client_id));
    TRY(store_room_get(core->store, room, &f->arena, &row));
    return room_text_queue(core, &row, &content, client_id);
}

sotto_error sotto_add_person(struct sotto *core, const char *label, const char *greeting,
                             bool changed, struct sotto_id *conversation)
{
    struct finding f;
    struct room_id room;
    memset(&f, 0, sizeof f);
    f.core = core;
    if (greeting != NULL)
        TRY(core_text_check(core, sotto_bytes_str(greeting)));
    arena_init(&f.arena, core->env);
    sotto_error error = find(&f, label);
    if (error == SOTTO_OK)
        error = add_check(&f, changed);
    if (error == SOTTO_OK) {
        error = store_begin(core->store);
        if (error == SOTTO_OK)
            error = add(&f, greeting, &room);
        if (error == SOTTO_OK)
            error = store_commit(core->store);
        if (error != SOTTO_OK) {
            room_abort_all(core);
            (void)core_text_failed(core, error);
        } else
            memcpy(conversation->bytes, room.bytes, ROOM_ID_SIZE);
    }
    arena_free(&f.arena);
    return error;
}

/* ---- Records among one's own devices --------------------------------------------------------- */

sotto_error people_pin_write(const struct store_pin *pin, sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    size_t opened = own_record(&writer, OWN_PIN);
    writer_vector(&writer, sotto_bytes_str(pin->relay));
    writer_vector(&writer, sotto_bytes_str(pin->label));
    writer_fixed(&writer, sotto_bytes_of(pin->account.bytes, ACCOUNT_ID_SIZE));
    writer_u64(&writer, pin->seen_s);
    writer_close(&writer, opened);
    return writer_finish(&writer);
}

sotto_error people_pin_tell(struct sotto *core, const struct store_pin *pin)
{
    sotto_buf record;
    sotto_buf_init(&record, core->env);
    sotto_error error = people_pin_write(pin, &record);
    return own_tell(core, error, &record);
}

sotto_error people_pin_read(struct sotto *core, struct reader *reader, struct arena *arena)
{
    struct store_pin pin, known;
    pin.relay = own_text(reader, arena, WIRE_ADDRESS_MAX, "own.relay");
    pin.label = own_text(reader, arena, LABEL_SIZE, "own.label");
    reader_copy(reader, pin.account.bytes, ACCOUNT_ID_SIZE, "own.account");
    pin.seen_s = reader_u64(reader, "own.seen");
    TRY(reader->fault.error);
    sotto_error error = store_pin_get(core->store, pin.relay, pin.label, arena, &known);
    if (error == SOTTO_OK && account_id_equal(&known.account, &pin.account))
        return SOTTO_OK;
    if (error != SOTTO_OK && error != SOTTO_NOT_FOUND)
        return error;
    return store_pin_put(core->store, &pin);
}
