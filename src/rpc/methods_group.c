/* group.* */
#include "rpc/methods.h"
#include "rpc/objects.h"

/* The parameter members. Returns how many. */
static size_t members_of(const struct call *call, const char *names[static MEMBERS_MAX])
{
    const json_t *list = json_object_get(call->params, "members");
    size_t count = json_array_size(list);
    for (size_t i = 0; i < count; i++)
        names[i] = json_string_value(json_array_get(list, i));
    return count;
}

bool group_create(struct call *call)
{
    const char *names[MEMBERS_MAX];
    struct sotto_id conversation;
    size_t count = members_of(call, names);
    sotto_error error =
        sotto_group_create(call->core, param_text(call, "title"), names, count, &conversation);
    return call_conversation(call, error, &conversation);
}

bool group_add(struct call *call)
{
    const char *names[MEMBERS_MAX];
    struct sotto_id id = param_id(call, "conversation");
    size_t count = members_of(call, names);
    return call_done(call, sotto_group_add(call->core, &id, names, count));
}

bool group_remove(struct call *call)
{
    const char *names[MEMBERS_MAX];
    struct sotto_id id = param_id(call, "conversation");
    size_t count = members_of(call, names);
    return call_done(call, sotto_group_remove(call->core, &id, names, count));
}

bool group_leave(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    return call_done(call, sotto_group_leave(call->core, &id));
}

bool group_renew_keys(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    return call_done(call, sotto_group_update(call->core, &id));
}

static void member_add(void *ctx, const struct sotto_member *member)
{
    struct page *page = ctx;
    if (page_takes(page))
        (void)json_array_append_new(page->items, object_member(page->env, member));
}

bool group_members(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    struct page page = page_begin(call);
    return page_end(call, &page, "members", sotto_members(call->core, &id, member_add, &page));
}
