/* relay.*, notice.* */
#include "rpc/methods.h"
#include "rpc/objects.h"

static void relay_take(void *ctx, const struct sotto_relay *relay)
{
    struct call *call = ctx;
    call->result = object_relay(call->env, relay);
}

bool relay_get(struct call *call)
{
    return sotto_relay(call->core, relay_take, call) == SOTTO_OK || call_fail(call);
}

bool relay_follow_anew(struct call *call)
{
    if (sotto_order_log_anew(call->core) != SOTTO_OK)
        return call_fail(call);
    return relay_get(call);
}

static void evidence_add(void *ctx, const struct sotto_order_evidence *evidence)
{
    struct page *page = ctx;
    if (page_takes(page))
        (void)json_array_append_new(page->items, object_evidence(page->env, evidence));
}

bool relay_evidence(struct call *call)
{
    struct page page = page_begin(call);
    return page_end(call, &page, "evidence", sotto_order_evidence(call->core, evidence_add, &page));
}

static void notice_add(void *ctx, const struct sotto_notice *notice)
{
    struct page *page = ctx;
    (void)json_array_append_new(page->items, object_notice(page->env, notice));
}

bool notice_list(struct call *call)
{
    struct page page = page_begin(call);
    const sotto_error error =
        sotto_notices(call->core, page.offset, page.limit, param_flag(call, "unread"), &page.total,
                      notice_add, &page);
    return page_end(call, &page, "notices", error);
}

static void notice_take(void *ctx, const struct sotto_notice *notice)
{
    struct call *call = ctx;
    call->result = object_notice(call->env, notice);
}

bool notice_get(struct call *call)
{
    const struct sotto_id id = param_id(call, "notice");
    return sotto_notice(call->core, &id, notice_take, call) == SOTTO_OK || call_fail(call);
}

bool notice_mark_read(struct call *call)
{
    return call_done(call,
                     sotto_notice_mark_read(call->core, (int64_t)param_number(call, "number", 0)));
}
