#include "rpc/objects.h"

#include <string.h>

#include <sodium.h>

#include "base/base.h"
#include "base/text.h"

json_t *object_text(const sotto_env *env, sotto_bytes text)
{
    json_t *whole = json_stringn(text.size > 0 ? (const char *)text.data : "", text.size);
    if (whole != NULL)
        return whole;
    sotto_buf clean;
    sotto_buf_init(&clean, env);
    sotto_error error = SOTTO_OK;
    for (size_t pos = 0; pos < text.size && error == SOTTO_OK;) {
        uint32_t scalar = 0;
        size_t size = text_next(sotto_bytes_of(text.data + pos, text.size - pos), &scalar);
        error = size > 0 ? sotto_buf_append(&clean, text.data + pos, size)
                         : sotto_buf_append(&clean, (const uint8_t *)"\xEF\xBF\xBD", 3);
        pos += size > 0 ? size : 1;
    }
    whole = json_stringn((const char *)clean.data, clean.size);
    sotto_buf_free(&clean);
    return whole;
}

void object_set_text(const sotto_env *env, json_t *object, const char *key, const char *text)
{
    (void)json_object_set_new(object, key,
                              object_text(env, sotto_bytes_str(text != NULL ? text : "")));
}

void object_set_number(json_t *object, const char *key, uint64_t value)
{
    (void)json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void set_bool(json_t *object, const char *key, bool value)
{
    (void)json_object_set_new(object, key, json_boolean(value));
}

static void set_hex(json_t *object, const char *key, const uint8_t bytes[static 32])
{
    char hex[65];
    sodium_bin2hex(hex, sizeof hex, bytes, 32);
    (void)json_object_set_new(object, key, json_string(hex));
}

void object_set_id(json_t *object, const char *key, const struct sotto_id *id)
{
    set_hex(object, key, id->bytes);
}

static json_t *object_quote(const sotto_env *env, const struct sotto_quote *quote)
{
    json_t *object = json_object();
    if (quote->id == 0)
        return object;
    object_set_number(object, "id", (uint64_t)quote->id);
    object_set_id(object, "sender", &quote->sender);
    object_set_text(env, object, "name", quote->name);
    set_bool(object, "own", quote->own);
    (void)json_object_set_new(object, "text", object_text(env, quote->text));
    return object;
}

static json_t *object_mentions(const struct sotto_message *message)
{
    json_t *list = json_array();
    for (size_t i = 0; i < message->mention_count; i++) {
        json_t *one = json_object();
        object_set_id(one, "account", &message->mentions[i]);
        (void)json_array_append_new(list, one);
    }
    return list;
}

static json_t *object_reactions(const sotto_env *env, const struct sotto_message *message)
{
    json_t *list = json_array();
    for (size_t i = 0; i < message->reaction_count; i++) {
        const struct sotto_reaction *one = &message->reactions[i];
        json_t *object = json_object();
        object_set_id(object, "sender", &one->sender);
        object_set_text(env, object, "name", one->name);
        set_bool(object, "own", one->own);
        (void)json_object_set_new(object, "reaction", object_text(env, one->text));
        (void)json_array_append_new(list, object);
    }
    return list;
}

static void set_album(const sotto_env *env, json_t *object, const struct sotto_message *message)
{
    json_t *album = json_object();
    object_set_text(env, album, "id", message->album);
    object_set_number(album, "place", message->album_place);
    object_set_number(album, "of", message->album_of);
    (void)json_object_set_new(object, "album", album);
}

static void set_file(const sotto_env *env, json_t *object, const struct sotto_message *message)
{
    object_set_text(env, object, "fileName", message->file_name);
    object_set_number(object, "fileSize", message->file_size);
    if (message->fetched)
        set_bool(object, "fetched", true);
    if (message->file_type[0] != '\0')
        object_set_text(env, object, "mediaType", message->file_type);
    if (message->kind == SOTTO_KIND_PICTURE) {
        object_set_number(object, "width", message->width);
        object_set_number(object, "height", message->height);
        set_bool(object, "preview", message->preview.size > 0);
    }
    if (message->album[0] != '\0')
        set_album(env, object, message);
    if (message->duration_ms != 0)
        object_set_number(object, "duration", message->duration_ms);
    if (message->waveform.size == 0)
        return;
    json_t *peaks = json_array();
    for (size_t i = 0; i < message->waveform.size; i++)
        (void)json_array_append_new(peaks, json_integer(message->waveform.data[i]));
    (void)json_object_set_new(object, "waveform", peaks);
}

static json_t *object_snippet(const sotto_env *env, const struct sotto_message *message)
{
    json_t *list = json_array();
    for (size_t i = 0; i < message->snippet_count; i++) {
        json_t *piece = json_object();
        (void)json_object_set_new(piece, "text", object_text(env, message->snippet[i].text));
        set_bool(piece, "hit", message->snippet[i].hit);
        (void)json_array_append_new(list, piece);
    }
    return list;
}

json_t *object_message(const sotto_env *env, const struct sotto_message *message)
{
    json_t *object = json_object();
    if (message->id != 0)
        object_set_number(object, "id", (uint64_t)message->id);
    object_set_id(object, "conversation", &message->conversation);
    object_set_text(env, object, "title", message->title);
    object_set_text(env, object, "kind", sotto_message_kind_name(message->kind));
    object_set_text(env, object, "status", sotto_message_status_name(message->status));
    if (message->seq != 0)
        object_set_number(object, "seq", message->seq);
    object_set_id(object, "sender", &message->sender);
    object_set_text(env, object, "name", message->sender_name);
    set_bool(object, "own", message->own);
    if (message->blocked)
        set_bool(object, "blocked", true);
    if (message->imported)
        set_bool(object, "imported", true);
    object_set_number(object, "time", message->time_s);
    if (message->kind == SOTTO_KIND_TEXT || sotto_message_has_file(message->kind))
        (void)json_object_set_new(object, "text", object_text(env, message->text));
    if (sotto_message_has_file(message->kind))
        set_file(env, object, message);
    if (message->kind == SOTTO_KIND_ADDED || message->kind == SOTTO_KIND_REMOVED ||
        message->kind == SOTTO_KIND_LEFT || message->kind == SOTTO_KIND_DEVICE_ADDED ||
        message->kind == SOTTO_KIND_DEVICE_REMOVED || message->kind == SOTTO_KIND_CONFLICT ||
        message->kind == SOTTO_KIND_ROLE || message->kind == SOTTO_KIND_BAN) {
        object_set_id(object, "subject", &message->subject);
        object_set_text(env, object, "subjectName", message->subject_name);
    }
    if (message->kind == SOTTO_KIND_MISSING)
        object_set_number(object, "since", message->since_s);
    if (message->detail.size > 0)
        (void)json_object_set_new(object, "detail", object_text(env, message->detail));
    if (message->client_id[0] != '\0')
        object_set_text(env, object, "clientId", message->client_id);
    if (message->markdown)
        set_bool(object, "markdown", true);
    if (message->mention_count > 0)
        (void)json_object_set_new(object, "mentions", object_mentions(message));
    if (message->timer_s != 0)
        object_set_number(object, "timer", message->timer_s);
    if (message->erase_s != 0)
        object_set_number(object, "erase", message->erase_s);
    if (message->edited_s != 0)
        object_set_number(object, "edited", message->edited_s);
    if (message->reply)
        (void)json_object_set_new(object, "replyTo", object_quote(env, &message->quote));
    if (message->reaction_count > 0)
        (void)json_object_set_new(object, "reactions", object_reactions(env, message));
    if (message->snippet_count > 0)
        (void)json_object_set_new(object, "snippet", object_snippet(env, message));
    return object;
}

json_t *object_receipt(const sotto_env *env, const struct sotto_receipt *receipt)
{
    json_t *object = json_object();
    object_set_id(object, "account", &receipt->account);
    object_set_text(env, object, "name", receipt->name);
    object_set_text(env, object, "status", sotto_message_status_name(receipt->status));
    object_set_number(object, "time", receipt->time_s);
    return object;
}

static void set_verified(const sotto_env *env, json_t *object, enum sotto_verified verified)
{
    set_bool(object, "verified", verified != SOTTO_UNVERIFIED);
    if (verified != SOTTO_UNVERIFIED)
        object_set_text(env, object, "verifiedBy", sotto_verified_name(verified));
}

static void listing_set(const sotto_env *env, json_t *object, const struct sotto_conversation *one)
{
    object_set_number(object, "mentions", one->mentions);
    object_set_number(object, "active", one->active_s);
    set_bool(object, "markedUnread", one->marked_unread);
    set_bool(object, "pinned", one->pinned);
    set_bool(object, "archived", one->archived);
    set_bool(object, "hidden", one->hidden);
    if (one->muted) {
        json_t *muted = json_object();
        if (one->muted_until_s != 0)
            object_set_number(muted, "until", one->muted_until_s);
        set_bool(muted, "mentions", one->mentions_muted);
        (void)json_object_set_new(object, "muted", muted);
    }
    if (one->draft.time_s != 0) {
        json_t *draft = json_object();
        (void)json_object_set_new(draft, "text", object_text(env, one->draft.text));
        set_bool(draft, "markdown", one->draft.markdown);
        if (one->draft.reply_to != 0)
            object_set_number(draft, "replyTo", (uint64_t)one->draft.reply_to);
        object_set_number(draft, "time", one->draft.time_s);
        (void)json_object_set_new(object, "draft", draft);
    }
    if (one->last != NULL)
        (void)json_object_set_new(object, "last", object_message(env, one->last));
}

json_t *object_conversation(const sotto_env *env, const struct sotto_conversation *one)
{
    json_t *object = json_object();
    object_set_id(object, "conversation", &one->id);
    object_set_text(env, object, "title", one->title);
    object_set_text(env, object, "kind", one->group ? "group" : "person");
    object_set_text(env, object, "state", sotto_room_state_name(one->state));
    object_set_text(env, object, "relay", one->relay);
    object_set_number(object, "epoch", one->epoch);
    object_set_number(object, "seq", one->seq);
    object_set_number(object, "members", one->members);
    object_set_number(object, "waiting", one->waiting);
    object_set_number(object, "unread", one->unread);
    if (!one->group) {
        set_bool(object, "blocked", one->blocked);
        set_verified(env, object, one->verified);
    }
    listing_set(env, object, one);
    if (one->timer_s != 0)
        object_set_number(object, "timer", one->timer_s);
    if (one->authenticator[0] != '\0')
        object_set_text(env, object, "epochAuthenticator", one->authenticator);
    if (one->trouble[0] != '\0')
        object_set_text(env, object, "trouble", one->trouble);
    return object;
}

json_t *object_settings(const sotto_env *env, const struct sotto_settings *settings)
{
    static const struct sotto_id none;
    static const char *const may[SOTTO_POLICY_COUNT] = {"mayAdd", "mayRemove", "mayWrite",
                                                        "mayChange"};
    json_t *object = json_object();
    set_bool(object, "agreed", settings->agreed);
    object_set_text(env, object, "role", sotto_role_name(settings->role));
    object_set_text(env, object, "others", sotto_role_name(settings->others));
    for (int i = 0; i < SOTTO_POLICY_COUNT; i++) {
        object_set_text(env, object, sotto_policy_name((enum sotto_policy)i),
                        sotto_role_name(settings->policy[i]));
        set_bool(object, may[i], settings->may[i]);
    }
    set_bool(object, "mayGovern", settings->may_govern);
    object_set_text(env, object, "join", sotto_join_rule_name(settings->join));
    object_set_text(env, object, "description", settings->description);
    object_set_number(object, "picture", settings->picture);
    if (memcmp(&settings->successor, &none, sizeof none) != 0)
        object_set_id(object, "successor", &settings->successor);
    return object;
}

json_t *object_join_link(const struct sotto_join_link *link)
{
    json_t *object = json_object();
    object_set_number(object, "link", (uint64_t)link->number);
    object_set_id(object, "conversation", &link->conversation);
    object_set_number(object, "uses", link->uses);
    object_set_number(object, "used", link->used);
    object_set_number(object, "expires", link->expires_s);
    return object;
}

json_t *object_join_request(const sotto_env *env, const struct sotto_join_request *request)
{
    json_t *object = json_object();
    object_set_number(object, "request", (uint64_t)request->id);
    object_set_id(object, "conversation", &request->conversation);
    object_set_text(env, object, "title", request->title);
    object_set_id(object, "account", &request->account);
    object_set_text(env, object, "name", request->name);
    object_set_number(object, "time", request->time_s);
    return object;
}

json_t *object_standing(const sotto_env *env, const struct sotto_standing *standing)
{
    json_t *object = json_object();
    object_set_id(object, "account", &standing->account);
    object_set_text(env, object, "name", standing->name);
    object_set_text(env, object, "role", sotto_role_name(standing->role));
    set_bool(object, "banned", standing->banned);
    set_bool(object, "own", standing->own);
    return object;
}

json_t *object_contact(const sotto_env *env, const struct sotto_contact *contact)
{
    json_t *object = json_object();
    object_set_id(object, "account", &contact->account);
    object_set_text(env, object, "name", contact->name);
    object_set_text(env, object, "profileName", contact->profile_name);
    object_set_text(env, object, "relay", contact->relay);
    set_bool(object, "contact", contact->contact);
    set_bool(object, "blocked", contact->blocked);
    set_verified(env, object, contact->verified);
    if (contact->picture[0] != '\0')
        object_set_text(env, object, "picture", contact->picture);
    if (contact->found_by[0] != '\0')
        object_set_text(env, object, "foundBy", contact->found_by);
    if (contact->conflict)
        set_bool(object, "identityConflict", true);
    return object;
}

json_t *object_member(const sotto_env *env, const struct sotto_member *member)
{
    json_t *object = json_object();
    object_set_id(object, "account", &member->account);
    object_set_text(env, object, "device", member->device);
    object_set_text(env, object, "name", member->name);
    set_bool(object, "own", member->own);
    set_bool(object, "blocked", member->blocked);
    set_verified(env, object, member->verified);
    if (member->waits)
        set_bool(object, "waits", true);
    if (member->trouble[0] != '\0')
        object_set_text(env, object, "trouble", member->trouble);
    return object;
}

json_t *object_request(const sotto_env *env, const struct sotto_request *request)
{
    json_t *object = json_object();
    object_set_number(object, "request", (uint64_t)request->id);
    object_set_id(object, "conversation", &request->conversation);
    object_set_id(object, "sender", &request->sender);
    object_set_text(env, object, "name", request->sender_name);
    if (request->greeting[0] != '\0')
        object_set_text(env, object, "greeting", request->greeting);
    object_set_number(object, "time", request->time_s);
    return object;
}

json_t *object_account(const sotto_env *env, const struct sotto_account *account)
{
    json_t *object = json_object();
    set_bool(object, "registered", account->registered);
    if (account->registered) {
        object_set_id(object, "account", &account->account);
        object_set_text(env, object, "device", account->device);
        object_set_text(env, object, "name", account->name);
        if (account->picture[0] != '\0')
            object_set_text(env, object, "picture", account->picture);
        object_set_text(env, object, "relay", account->relay);
        if (account->moving_from[0] != '\0')
            object_set_text(env, object, "movingFrom", account->moving_from);
        object_set_text(env, object, "suite", account->suite);
        set_bool(object, "receipts", account->receipts);
        set_bool(object, "typing", account->typing);
        if (account->downloads != UINT64_MAX)
            object_set_number(object, "downloads", account->downloads);
    }
    return object;
}

void object_set_status(json_t *object, const struct sotto_status *status)
{
    set_bool(object, "passphrase", status->passphrase);
    object_set_number(object, "conversations", status->conversations);
    object_set_number(object, "waiting", status->waiting);
    object_set_number(object, "requests", status->requests);
    object_set_number(object, "contacts", status->contacts);
    object_set_number(object, "notices", status->notices);
    set_bool(object, "relayConvicted", status->relay_convicted);
    object_set_number(object, "tokens", status->tokens);
    object_set_number(object, "tokenKey", status->token_key);
    set_hex(object, "tokenKeyHash", status->token_key_hash);
    if (status->clock_off_s != 0) {
        object_set_number(object, status->clock_off_s > 0 ? "clockAhead" : "clockBehind",
                          status->clock_off_s > 0 ? (uint64_t)status->clock_off_s
                                                  : (uint64_t)-status->clock_off_s);
    }
    if (status->history_of > 0) {
        object_set_number(object, "history", status->history);
        object_set_number(object, "historyOf", status->history_of);
    }
}

json_t *object_invitation(const sotto_env *env, const char *link, uint32_t uses, uint64_t expires_s)
{
    json_t *object = json_object();
    object_set_text(env, object, "link", link);
    object_set_number(object, "uses", uses);
    object_set_number(object, "expires", expires_s);
    return object;
}

json_t *object_backup(const sotto_env *env, const char *path, const struct sotto_backup_made *made)
{
    json_t *object = json_object();
    object_set_text(env, object, "path", path);
    object_set_number(object, "size", made->size);
    object_set_number(object, "messages", made->messages);
    object_set_number(object, "conversations", made->conversations);
    if (made->key[0] != '\0')
        object_set_text(env, object, "key", made->key);
    return object;
}

json_t *object_exported(const sotto_env *env, const char *path,
                        const struct sotto_exported *exported)
{
    json_t *object = json_object();
    object_set_text(env, object, "path", path);
    object_set_number(object, "messages", exported->messages);
    object_set_number(object, "files", exported->files);
    object_set_number(object, "missing", exported->missing);
    return object;
}

json_t *object_imported(const struct sotto_imported *imported)
{
    json_t *object = json_object();
    object_set_id(object, "conversation", &imported->conversation);
    object_set_number(object, "messages", imported->messages);
    object_set_number(object, "known", imported->known);
    object_set_number(object, "skipped", imported->skipped);
    return object;
}

json_t *object_restored(const struct sotto_restored *restored)
{
    json_t *object = json_object();
    object_set_id(object, "account", &restored->account);
    object_set_number(object, "made", restored->made_s);
    set_bool(object, "accountKey", restored->account_key);
    object_set_number(object, "messages", restored->messages);
    object_set_number(object, "skipped", restored->skipped);
    return object;
}

json_t *object_device_link(const sotto_env *env, const char *link, uint64_t expires_s)
{
    json_t *object = json_object();
    object_set_text(env, object, "link", link);
    object_set_number(object, "expires", expires_s);
    return object;
}

json_t *object_phrase(const sotto_env *env, const char *phrase)
{
    json_t *object = json_object();
    object_set_text(env, object, "phrase", phrase);
    return object;
}

json_t *object_device(const sotto_env *env, const struct sotto_device *device)
{
    json_t *object = json_object();
    object_set_text(env, object, "device", device->device);
    object_set_text(env, object, "name", device->name);
    object_set_number(object, "added", device->added_s);
    set_bool(object, "own", device->own);
    return object;
}

json_t *object_fingerprint(const sotto_env *env, const struct sotto_fingerprint *fingerprint,
                           bool own)
{
    json_t *object = json_object();
    object_set_text(env, object, "digits", fingerprint->digits);
    object_set_text(env, object, "name", fingerprint->name);
    set_bool(object, "own", own);
    object_set_text(env, object, "link", fingerprint->link);
    if (!own)
        set_verified(env, object, fingerprint->verified);
    return object;
}

json_t *object_proxy(const sotto_env *env, const struct sotto_proxy *proxy)
{
    json_t *object = json_object();
    object_set_text(env, object, "proxy", proxy->address);
    set_bool(object, "isolates", proxy->isolates);
    set_bool(object, "login", proxy->login);
    set_bool(object, "overridden", proxy->overridden);
    return object;
}

json_t *object_sending(const sotto_env *env, const struct sotto_id *conversation,
                       const char *client_id, enum sotto_message_status status, uint64_t seq)
{
    json_t *object = json_object();
    object_set_id(object, "conversation", conversation);
    object_set_text(env, object, "clientId", client_id);
    object_set_text(env, object, "status", sotto_message_status_name(status));
    if (seq != 0)
        object_set_number(object, "seq", seq);
    return object;
}

json_t *object_transfer(const sotto_env *env, const struct sotto_transfer *transfer)
{
    json_t *object = json_object();
    object_set_text(env, object, "kind", sotto_transfer_kind_name(transfer->kind));
    object_set_id(object, "conversation", &transfer->conversation);
    if (transfer->client_id[0] != '\0')
        object_set_text(env, object, "clientId", transfer->client_id);
    if (transfer->message != 0)
        object_set_number(object, "id", (uint64_t)transfer->message);
    object_set_number(object, "done", transfer->done);
    object_set_number(object, "of", transfer->of);
    return object;
}

json_t *object_problem(const sotto_env *env, const struct sotto_problem *problem)
{
    json_t *object = json_object();
    object_set_text(env, object, "code", sotto_code_name(problem->code));
    object_set_text(env, object, "message", problem->message);
    object_set_text(env, object, "next", problem->next);
    return object;
}

json_t *object_labels(const sotto_env *env, const struct sotto_labels *labels)
{
    json_t *object = json_object();
    if (labels->username[0] != '\0')
        object_set_text(env, object, "username", labels->username);
    if (labels->phone[0] != '\0')
        object_set_text(env, object, "phone", labels->phone);
    set_bool(object, "findable", labels->findable);
    return object;
}

json_t *object_found(const sotto_env *env, const struct sotto_found *found)
{
    json_t *object = json_object();
    object_set_id(object, "account", &found->account);
    object_set_text(env, object, "label", found->label);
    object_set_text(env, object, "name", found->name);
    set_bool(object, "contact", found->contact);
    set_bool(object, "blocked", found->blocked);
    set_verified(env, object, found->verified);
    set_bool(object, "changed", found->changed);
    if (found->changed)
        object_set_id(object, "before", &found->before);
    return object;
}
