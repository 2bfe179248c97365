/* Links with which people ask to join groups, and their answers. */
#include "rpc/methods.h"
#include "rpc/objects.h"

bool group_create_link(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    return call_invite(call, &id);
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

bool group_ask(struct call *call)
{
    struct sotto_id id;
    sotto_error error = sotto_group_ask(call->core, param_text(call, "link"), &id);
    return call_conversation(call, error, &id);
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
    return call_conversation(call, error, &id);
}

bool group_refuse(struct call *call)
{
    return call_done(call,
                     sotto_join_refuse(call->core, (int64_t)param_number(call, "request", 0)));
}
