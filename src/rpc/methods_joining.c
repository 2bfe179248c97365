/* Links with which people ask to join groups, and their answers. */
#include "rpc/methods.h"
#include "rpc/objects.h"

bool group_create_link(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    uint32_t uses = (uint32_t)param_number(call, "uses", 1);
    uint64_t lifetime_s = param_number(call, "lifetime", 7 * UINT64_C(86400));
    uint64_t expires_s = call->env->now(call->env->ctx) + lifetime_s;
    sotto_buf link;
    sotto_buf_init(&link, call->env);
    bool done = call_done(call, sotto_group_link(call->core, &id, uses, lifetime_s, &link));
    if (done)
        call->result = object_invitation(call->env, (const char *)link.data, uses, expires_s);
    sotto_buf_free(&link);
    return done;
}

static void link_add(void *ctx, const struct sotto_join_link *link)
{
    struct page *page = ctx;
    if (page_takes(page))
        (void)json_array_append_new(page->items, object_join_link(link));
}

bool group_list_links(struct call *call)
{
    struct page page = page_begin(call);
    return page_end(call, &page, "links", sotto_group_links(call->core, link_add, &page));
}

bool group_revoke_link(struct call *call)
{
    return call_done(call, sotto_group_unlink(call->core, (int64_t)param_number(call, "link", 0)));
}

static bool conversation_of(struct call *call, sotto_error error, const struct sotto_id *id)
{
    if (error != SOTTO_OK)
        return call_fail(call);
    call->result = json_object();
    object_set_id(call->result, "conversation", id);
    return true;
}

bool group_ask(struct call *call)
{
    struct sotto_id id;
    sotto_error error = sotto_group_ask(call->core, param_text(call, "link"), &id);
    return conversation_of(call, error, &id);
}

static void request_add(void *ctx, const struct sotto_join_request *request)
{
    struct page *page = ctx;
    if (page_takes(page))
        (void)json_array_append_new(page->items, object_join_request(page->env, request));
}

bool group_list_requests(struct call *call)
{
    struct page page = page_begin(call);
    return page_end(call, &page, "requests", sotto_join_requests(call->core, request_add, &page));
}

bool group_approve(struct call *call)
{
    struct sotto_id id;
    sotto_error error =
        sotto_join_approve(call->core, (int64_t)param_number(call, "request", 0), &id);
    return conversation_of(call, error, &id);
}

bool group_refuse(struct call *call)
{
    return call_done(call,
                     sotto_join_refuse(call->core, (int64_t)param_number(call, "request", 0)));
}
