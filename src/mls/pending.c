#include "mls/pending.h"

sotto_error pending_new(const sotto_env *env, sotto_bytes proposal, struct sender sender,
                        const struct hash *reference, struct pending **pending, sotto_fault *fault)
{
    struct pending *made = mem_alloc(env, sizeof *made);
    *fault = (sotto_fault){SOTTO_NO_MEMORY, "Proposal", 0};
    if (made == NULL)
        return SOTTO_NO_MEMORY;
    made->env = env;
    made->references = 1;
    made->dirty = true;
    made->reference = *reference;
    made->sender = sender;
    sotto_buf_init(&made->bytes, env);
    arena_init(&made->arena, env);
    sotto_error error = sotto_buf_append(&made->bytes, proposal.data, proposal.size);
    if (error == SOTTO_OK) {
        struct reader r;
        reader_init(&r, sotto_buf_view(&made->bytes));
        proposal_read(&r, &made->arena, &made->proposal);
        error = reader_finish(&r, "Proposal");
        *fault = r.fault;
    }
    if (error != SOTTO_OK) {
        pending_release(made);
        return error;
    }
    *pending = made;
    return SOTTO_OK;
}

struct pending *pending_hold(struct pending *pending)
{
    pending->references++;
    return pending;
}

void pending_release(struct pending *pending)
{
    if (pending == NULL || --pending->references > 0)
        return;
    sotto_buf_free(&pending->bytes);
    arena_free(&pending->arena);
    secret_wipe(&pending->leaf_private);
    if (pending->identity != NULL) {
        identity_free(pending->identity);
        mem_free(pending->env, pending->identity, sizeof *pending->identity);
    }
    mem_free(pending->env, pending, sizeof *pending);
}

sotto_error pending_reserve(struct pending_list *list, const sotto_env *env)
{
    if (list->count < list->capacity)
        return SOTTO_OK;
    if (list->count == LIMIT_PENDING)
        return SOTTO_LIMIT;
    size_t capacity = list->capacity == 0 ? 4 : list->capacity * 2;
    struct pending **items = env->resize(env->ctx, list->items, list->capacity * sizeof *items,
                                         capacity * sizeof *items);
    if (items == NULL)
        return SOTTO_NO_MEMORY;
    list->items = items;
    list->capacity = capacity;
    return SOTTO_OK;
}

void pending_add(struct pending_list *list, struct pending *pending)
{
    BUG_UNLESS(list->count < list->capacity);
    list->items[list->count++] = pending;
}

struct pending *pending_find(const struct pending_list *list, sotto_bytes reference)
{
    for (size_t i = 0; i < list->count; i++)
        if (sotto_bytes_equal(hash_view(&list->items[i]->reference), reference))
            return list->items[i];
    return NULL;
}

void pending_clear(struct pending_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        pending_release(list->items[i]);
    list->count = 0;
}

void pending_free(struct pending_list *list, const sotto_env *env)
{
    pending_clear(list);
    mem_free(env, list->items, list->capacity * sizeof *list->items);
    *list = (struct pending_list){0};
}
