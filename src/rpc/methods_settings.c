/* group.set*, roles and bans. */
#include "base/base.h"
#include "rpc/methods.h"
#include "rpc/objects.h"

bool group_set_title(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    return call_done(call, sotto_group_set_title(call->core, &id, param_text(call, "title")));
}

bool group_set_description(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    const char *text = param_text(call, "description");
    return call_done(call, sotto_group_set_description(call->core, &id, text != NULL ? text : ""));
}

bool group_set_picture(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    return call_done(call, sotto_group_set_picture(call->core, &id, param_text(call, "path")));
}

bool group_save_picture(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    const char *to = param_text(call, "to");
    if (sotto_group_save_picture(call->core, &id, to) != SOTTO_OK)
        return call_fail(call);
    call->result = json_object();
    object_set_text(call->env, call->result, "path", to);
    return true;
}

/* The schema lets in names that there are alone. */
static enum sotto_role role_of(const struct call *call)
{
    enum sotto_role role = SOTTO_ROLE_MEMBER;
    BUG_UNLESS(sotto_role_named(param_text(call, "role"), &role));
    return role;
}

bool group_set_role(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    return call_done(call,
                     sotto_group_set_role(call->core, &id, param_text(call, "who"), role_of(call)));
}

bool group_set_policy(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    enum sotto_policy policy = SOTTO_POLICY_ADD;
    BUG_UNLESS(sotto_policy_named(param_text(call, "policy"), &policy));
    return call_done(call, sotto_group_set_policy(call->core, &id, policy, role_of(call)));
}

bool group_set_join(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    enum sotto_join_rule rule = SOTTO_JOIN_CLOSED;
    BUG_UNLESS(sotto_join_rule_named(param_text(call, "rule"), &rule));
    return call_done(call, sotto_group_set_join(call->core, &id, rule));
}

bool group_continue(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation"), successor;
    return call_conversation(call, sotto_group_continue(call->core, &id, &successor), &successor);
}

bool group_ban(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    return call_done(call, sotto_group_ban(call->core, &id, param_text(call, "who")));
}

bool group_unban(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    return call_done(call, sotto_group_unban(call->core, &id, param_text(call, "who")));
}

static void standing_add(void *ctx, const struct sotto_standing *standing)
{
    struct page *page = ctx;
    if (page_takes(page))
        (void)json_array_append_new(page->items, object_standing(page->env, standing));
}

bool group_standings(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    struct page page = page_begin(call);
    return page_end(call, &page, "standings",
                    sotto_group_standings(call->core, &id, standing_add, &page));
}
