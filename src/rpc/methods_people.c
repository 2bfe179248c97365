/* invitation.*, request.*, contact.*, and what people find one another by. */
#include <inttypes.h>
#include <stdio.h>

#include "rpc/methods.h"
#include "rpc/objects.h"

bool call_invite(struct call *call, const struct sotto_id *group)
{
    uint32_t uses = (uint32_t)param_number(call, "uses", 1);
    uint64_t lifetime_s = param_number(call, "lifetime", 7 * UINT64_C(86400));
    uint64_t expires_s = call->env->now(call->env->ctx) + lifetime_s;
    sotto_buf link;
    sotto_buf_init(&link, call->env);
    bool done =
        call_done(call, group != NULL ? sotto_group_link(call->core, group, uses, lifetime_s, &link)
                                      : sotto_invite(call->core, uses, lifetime_s, &link));
    if (done)
        call->result = object_invitation(call->env, (const char *)link.data, uses, expires_s);
    sotto_buf_free(&link);
    return done;
}

bool invitation_create(struct call *call)
{
    return call_invite(call, NULL);
}

static bool accept(struct call *call, const char *what)
{
    struct sotto_id conversation;
    return call_conversation(call, sotto_accept(call->core, what, &conversation), &conversation);
}

bool invitation_accept(struct call *call)
{
    return accept(call, param_text(call, "link"));
}

static void request_number(const struct call *call, char out[static 24])
{
    (void)snprintf(out, 24, "%" PRIu64, param_number(call, "request", 0));
}

bool request_accept(struct call *call)
{
    char number[24];
    request_number(call, number);
    return accept(call, number);
}

bool request_decline(struct call *call)
{
    char number[24];
    request_number(call, number);
    return call_done(call, sotto_decline(call->core, number));
}

bool request_block(struct call *call)
{
    char number[24];
    request_number(call, number);
    return call_done(call, sotto_block_request(call->core, number));
}

static void request_add(void *ctx, const struct sotto_request *request)
{
    struct page *page = ctx;
    if (page_takes(page))
        (void)json_array_append_new(page->items, object_request(page->env, request));
}

bool request_list(struct call *call)
{
    struct page page = page_begin(call);
    return page_end(call, &page, "requests", sotto_requests(call->core, request_add, &page));
}

static void contact_append(void *ctx, const struct sotto_contact *contact)
{
    struct page *page = ctx;
    if (page_takes(page))
        (void)json_array_append_new(page->items, object_contact(page->env, contact));
}

bool contact_list(struct call *call)
{
    struct page page = page_begin(call);
    return page_end(call, &page, "contacts", sotto_contacts(call->core, contact_append, &page));
}

bool contact_list_blocked(struct call *call)
{
    struct page page = page_begin(call);
    return page_end(call, &page, "contacts", sotto_blocked(call->core, contact_append, &page));
}

bool contact_set_name(struct call *call)
{
    const char *name = param_text(call, "name");
    return call_done(call, sotto_contact_rename(call->core, param_text(call, "contact"),
                                                name != NULL ? name : ""));
}

bool contact_delete(struct call *call)
{
    return call_done(call, sotto_contact_delete(call->core, param_text(call, "contact")));
}

bool contact_block(struct call *call)
{
    return call_done(call, sotto_block(call->core, param_text(call, "contact"), true));
}

bool contact_unblock(struct call *call)
{
    return call_done(call, sotto_block(call->core, param_text(call, "contact"), false));
}

bool contact_set_verified(struct call *call)
{
    return call_done(call, sotto_set_verified(call->core, param_text(call, "contact"),
                                              param_flag(call, "verified")));
}

bool contact_verify_link(struct call *call)
{
    struct sotto_id account;
    if (sotto_verify_link(call->core, param_text(call, "link"), param_text(call, "contact"),
                          &account) != SOTTO_OK)
        return call_fail(call);
    call->result = json_object();
    object_set_id(call->result, "account", &account);
    return true;
}

bool account_labels(struct call *call)
{
    struct sotto_labels labels;
    if (sotto_labels(call->core, &labels) != SOTTO_OK)
        return call_fail(call);
    call->result = object_labels(call->env, &labels);
    return true;
}

bool account_set_username(struct call *call)
{
    const char *username = param_text(call, "username");
    if (sotto_set_username(call->core, username != NULL ? username : "") != SOTTO_OK)
        return call_fail(call);
    return account_labels(call);
}

bool account_set_findable(struct call *call)
{
    if (sotto_set_findable(call->core, param_flag(call, "on")) != SOTTO_OK)
        return call_fail(call);
    return account_labels(call);
}

bool contact_find(struct call *call)
{
    struct sotto_found found;
    if (sotto_find_person(call->core, param_text(call, "label"), &found) != SOTTO_OK)
        return call_fail(call);
    call->result = object_found(call->env, &found);
    return true;
}

bool contact_add(struct call *call)
{
    struct sotto_id conversation;
    sotto_error error =
        sotto_add_person(call->core, param_text(call, "label"), param_text(call, "text"),
                         param_flag(call, "changed"), &conversation);
    return call_conversation(call, error, &conversation);
}

bool account_set_picture(struct call *call)
{
    if (sotto_set_picture(call->core, param_text(call, "path")) != SOTTO_OK)
        return call_fail(call);
    return account_get(call);
}

static bool save_picture(struct call *call, const char *who)
{
    const char *to = param_text(call, "to");
    if (sotto_save_picture(call->core, who, to) != SOTTO_OK)
        return call_fail(call);
    call->result = json_object();
    object_set_text(call->env, call->result, "path", to);
    return true;
}

bool account_save_picture(struct call *call)
{
    return save_picture(call, NULL);
}

bool contact_save_picture(struct call *call)
{
    return save_picture(call, param_text(call, "contact"));
}
