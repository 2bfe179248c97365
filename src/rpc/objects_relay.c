/* The relay's log of orders, and what it tells the account. */
#include <string.h>

#include "rpc/objects.h"

static void set_bool(json_t *object, const char *key, bool value)
{
    (void)json_object_set_new(object, key, json_boolean(value));
}

static json_t *object_counts(const struct sotto_order_counts *counts)
{
    json_t *object = json_object();
    object_set_number(object, "read", counts->read);
    object_set_number(object, "answered", counts->answered);
    object_set_number(object, "phoneNumbers", counts->phone_numbers);
    object_set_number(object, "lastIps", counts->last_ips);
    object_set_number(object, "notHeld", counts->not_held);
    object_set_number(object, "unknownRecipient", counts->unknown_recipient);
    object_set_number(object, "refused", counts->refused);
    object_set_number(object, "withdrawals", counts->withdrawals);
    object_set_number(object, "stayings", counts->stayings);
    object_set_number(object, "left", counts->left);
    object_set_number(object, "others", counts->others);
    return object;
}

json_t *object_relay(const sotto_env *env, const struct sotto_relay *relay)
{
    json_t *object = json_object();
    object_set_text(env, object, "relay", relay->relay);
    object_set_text(env, object, "state", sotto_order_log_state_name(relay->state));
    if (relay->looked_s != 0)
        object_set_number(object, "looked", relay->looked_s);
    if (relay->key[0] != '\0') {
        struct sotto_id root;
        memcpy(root.bytes, relay->root, sizeof root.bytes);
        object_set_text(env, object, "log", relay->log);
        object_set_text(env, object, "key", relay->key);
        object_set_number(object, "size", relay->size);
        object_set_id(object, "root", &root);
        object_set_number(object, "grew", relay->grew_s);
        object_set_text(env, object, "checkpoint", relay->checkpoint);
        object_set_text(env, object, "witnesses", relay->witnesses);
        (void)json_object_set_new(object, "counts", object_counts(&relay->counts));
    }
    if (relay->state == SOTTO_ORDER_LOG_CONVICTED) {
        object_set_number(object, "convicted", relay->convicted_s);
        (void)json_object_set_new(object, "trouble", object_problem(env, &relay->trouble));
    }
    return object;
}

json_t *object_evidence(const sotto_env *env, const struct sotto_order_evidence *evidence)
{
    json_t *object = json_object();
    object_set_number(object, "number", (uint64_t)evidence->number);
    object_set_text(env, object, "relay", evidence->relay);
    object_set_number(object, "time", evidence->time_s);
    object_set_text(env, object, "what", evidence->what);
    object_set_text(env, object, "key", evidence->key);
    if (evidence->other_key[0] != '\0')
        object_set_text(env, object, "otherKey", evidence->other_key);
    object_set_text(env, object, "before", evidence->before);
    object_set_text(env, object, "after", evidence->after);
    return object;
}

/* A line for each. */
static json_t *lines_of(const sotto_env *env, const char *text)
{
    json_t *list = json_array();
    for (;;) {
        const size_t size = strcspn(text, "\n");
        (void)json_array_append_new(list,
                                    object_text(env, sotto_bytes_of((const uint8_t *)text, size)));
        if (text[size] == '\0')
            return list;
        text += size + 1;
    }
}

static void set_order(const sotto_env *env, json_t *object, const struct sotto_notice *notice)
{
    object_set_text(env, object, "authority", notice->authority);
    object_set_text(env, object, "issuer", notice->issuer);
    object_set_text(env, object, "reference", notice->reference);
    (void)json_object_set_new(object, "asked", lines_of(env, notice->asked));
    set_bool(object, "gavePhoneNumber", notice->gave_phone_number);
    set_bool(object, "gaveLastIp", notice->gave_last_ip);
    object_set_text(env, object, "legalBasis", notice->legal_basis);
    object_set_text(env, object, "reasons", notice->reasons);
    set_bool(object, "reasonsWithheld", notice->reasons_withheld);
    object_set_text(env, object, "redress", notice->redress);
}

json_t *object_notice(const sotto_env *env, const struct sotto_notice *notice)
{
    json_t *object = json_object();
    object_set_number(object, "number", (uint64_t)notice->number);
    object_set_id(object, "notice", &notice->id);
    object_set_text(env, object, "kind", sotto_notice_kind_name(notice->kind));
    object_set_number(object, "received", notice->received_s);
    set_bool(object, "read", notice->read);
    object_set_text(env, object, "relay", notice->relay);
    object_set_text(env, object, "log", notice->log);
    object_set_number(object, "logEntry", notice->log_entry);
    object_set_text(env, object, "entry", sotto_notice_entry_name(notice->entry));
    object_set_text(env, object, "date", notice->date);
    object_set_text(env, object, "jurisdiction", notice->jurisdiction);
    if (notice->kind == SOTTO_NOTICE_ORDER) {
        set_order(env, object, notice);
    } else {
        object_set_text(env, object, "on", notice->on);
        object_set_text(env, object, "reason", notice->reason);
    }
    object_set_text(env, object, "text", notice->text);
    return object;
}
