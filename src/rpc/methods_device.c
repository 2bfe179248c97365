/* device.* */
#include "rpc/methods.h"
#include "rpc/objects.h"

bool device_link(struct call *call)
{
    uint64_t expires_s = 0;
    sotto_buf link;
    sotto_buf_init(&link, call->env);
    bool done = call_done(call, sotto_link(call->core, param_text(call, "relay"),
                                           param_text(call, "name"), &link, &expires_s));
    if (done)
        call->result = object_device_link(call->env, (const char *)link.data, expires_s);
    sotto_buf_free(&link);
    return done;
}

bool device_wait_linked(struct call *call)
{
    if (sotto_link_wait(call->core, NULL, NULL) != SOTTO_OK)
        return call_fail(call);
    return account_get(call);
}

bool device_add(struct call *call)
{
    char device[33];
    if (sotto_device_add(call->core, param_text(call, "link"), param_flag(call, "limited"),
                         device) != SOTTO_OK)
        return call_fail(call);
    call->result = json_object();
    object_set_text(call->env, call->result, "device", device);
    return true;
}

static void device_show(void *ctx, const struct sotto_device *device)
{
    struct page *page = ctx;
    if (page_takes(page))
        (void)json_array_append_new(page->items, object_device(page->env, device));
}

bool device_list(struct call *call)
{
    struct page page = page_begin(call);
    return page_end(call, &page, "devices", sotto_devices(call->core, device_show, &page));
}

bool device_rename(struct call *call)
{
    return call_done(call, sotto_device_rename(call->core, param_text(call, "device"),
                                               param_text(call, "name")));
}

bool device_revoke(struct call *call)
{
    return call_done(call, sotto_device_revoke(call->core, param_text(call, "device")));
}
