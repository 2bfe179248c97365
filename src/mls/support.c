#include "mls/support.h"

#define FIRST_CAPACITY 16

static uint32_t ref_of(enum support_kind kind, uint16_t type)
{
    return ((uint32_t)kind << 16 | type) + 1;
}

void support_free(const sotto_env *env, struct support *support)
{
    mem_free(env, support->slots, support->capacity * sizeof *support->slots);
    *support = (struct support){0};
}

static sotto_error alloc(const sotto_env *env, size_t count, struct support *support)
{
    size_t capacity = FIRST_CAPACITY;
    while (capacity < count * 2)
        capacity *= 2;
    struct support_slot *slots = mem_alloc(env, capacity * sizeof *slots);
    if (slots == NULL)
        return SOTTO_NO_MEMORY;
    *support = (struct support){slots, capacity, 0};
    return SOTTO_OK;
}

/* Where ref is, or the empty slot where it would be. Types are few; members choose them, but can
 * only make runs longer that all lie within 2^18 slots. */
static struct support_slot *find(const struct support *support, uint32_t ref)
{
    size_t mask = support->capacity - 1;
    size_t at = (ref * (size_t)0x9e3779b1u >> 8) & mask;
    while (support->slots[at].ref != 0 && support->slots[at].ref != ref)
        at = (at + 1) & mask;
    return &support->slots[at];
}

int64_t support_count(const struct support *support, enum support_kind kind, uint16_t type)
{
    return support->capacity == 0 ? 0 : find(support, ref_of(kind, type))->count;
}

static void add_count(struct support *support, uint32_t ref, int32_t count)
{
    struct support_slot *slot = find(support, ref);
    if (slot->ref == 0) {
        slot->ref = ref;
        support->used++;
    }
    slot->count += count;
}

static void move(const sotto_env *env, struct support *support, struct support *larger)
{
    for (size_t i = 0; i < support->capacity; i++)
        if (support->slots[i].count != 0)
            add_count(larger, support->slots[i].ref, support->slots[i].count);
    support_free(env, support);
    *support = *larger;
    *larger = (struct support){0};
}

static sotto_error count_one(const sotto_env *env, struct support *support, enum support_kind kind,
                             uint16_t type, int32_t by)
{
    if ((support->used + 1) * 2 > support->capacity) {
        struct support larger;
        TRY(alloc(env, 2 * (support->used + 1), &larger));
        move(env, support, &larger);
    }
    add_count(support, ref_of(kind, type), by);
    return SOTTO_OK;
}

static sotto_error count_list(const sotto_env *env, struct support *support, enum support_kind kind,
                              struct u16_list list, int32_t by)
{
    for (size_t i = 0; i < u16_list_count(list); i++) {
        uint16_t type = u16_list_at(list, i);
        struct u16_list before = {sotto_bytes_of(list.wire.data, 2 * i)};
        if (!u16_list_has(before, type))
            TRY(count_one(env, support, kind, type, by));
    }
    return SOTTO_OK;
}

sotto_error support_count_leaf(const sotto_env *env, struct support *support,
                               const struct leaf_node *leaf, int32_t by)
{
    const struct capabilities *listed = &leaf->capabilities;
    TRY(count_list(env, support, SUPPORT_EXTENSION, listed->extensions, by));
    TRY(count_list(env, support, SUPPORT_PROPOSAL, listed->proposals, by));
    TRY(count_list(env, support, SUPPORT_CREDENTIAL, listed->credentials, by));
    return count_one(env, support, SUPPORT_CREDENTIAL_IN_USE, leaf->credential.type, by);
}

bool support_same(const struct leaf_node *a, const struct leaf_node *b)
{
    return a->credential.type == b->credential.type &&
           sotto_bytes_equal(a->capabilities.extensions.wire, b->capabilities.extensions.wire) &&
           sotto_bytes_equal(a->capabilities.proposals.wire, b->capabilities.proposals.wire) &&
           sotto_bytes_equal(a->capabilities.credentials.wire, b->capabilities.credentials.wire);
}

sotto_error support_prepare(const sotto_env *env, const struct support *base,
                            const struct support *difference, struct support *larger)
{
    size_t most = base->used + difference->used;
    if (most * 2 <= base->capacity)
        return SOTTO_OK;
    return alloc(env, 2 * most, larger);
}

void support_merge(const sotto_env *env, struct support *base, const struct support *difference,
                   struct support *larger)
{
    if (larger->capacity != 0)
        move(env, base, larger);
    for (size_t i = 0; i < difference->capacity; i++)
        if (difference->slots[i].count != 0)
            add_count(base, difference->slots[i].ref, difference->slots[i].count);
}
