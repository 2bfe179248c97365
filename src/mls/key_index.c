#include "mls/key_index.h"

#define FIRST_CAPACITY 16

static uint32_t ref_of(enum key_kind kind, struct node_index x)
{
    return (x.value << 1 | (uint32_t)kind) + 1;
}

bool key_index_has_room(const struct key_index *index, size_t extra)
{
    return (index->count + extra) * 4 <= index->capacity * 3;
}

sotto_error key_index_alloc(const sotto_env *env, size_t count, struct key_index *index)
{
    size_t capacity = FIRST_CAPACITY;
    while (capacity * 3 < count * 4)
        capacity *= 2;
    struct key_slot *slots = mem_alloc(env, capacity * sizeof *slots);
    if (slots == NULL)
        return SOTTO_NO_MEMORY;
    *index = (struct key_index){slots, capacity, 0};
    return SOTTO_OK;
}

void key_index_free(const sotto_env *env, struct key_index *index)
{
    mem_free(env, index->slots, index->capacity * sizeof *index->slots);
    *index = (struct key_index){0};
}

/* Where the entry is, or the empty slot where it would be. */
static size_t find(const struct key_index *index, uint32_t tag, uint32_t ref)
{
    size_t mask = index->capacity - 1;
    size_t at = tag & mask;
    while (index->slots[at].ref != 0 &&
           (index->slots[at].ref != ref || index->slots[at].tag != tag))
        at = (at + 1) & mask;
    return at;
}

static void insert(struct key_index *index, uint32_t tag, uint32_t ref)
{
    struct key_slot *slot = &index->slots[find(index, tag, ref)];
    if (slot->ref == 0)
        index->count++;
    *slot = (struct key_slot){tag, ref};
}

void key_index_move(const sotto_env *env, struct key_index *index, struct key_index *larger)
{
    for (size_t i = 0; i < index->capacity; i++)
        if (index->slots[i].ref != 0)
            insert(larger, index->slots[i].tag, index->slots[i].ref);
    key_index_free(env, index);
    *index = *larger;
    *larger = (struct key_index){0};
}

sotto_error key_index_add(const sotto_env *env, struct key_index *index, uint32_t tag,
                          enum key_kind kind, struct node_index x)
{
    if (!key_index_has_room(index, 1)) {
        struct key_index larger;
        TRY(key_index_alloc(env, 2 * (index->count + 1), &larger));
        key_index_move(env, index, &larger);
    }
    insert(index, tag, ref_of(kind, x));
    return SOTTO_OK;
}

void key_index_put(struct key_index *index, uint32_t tag, enum key_kind kind, struct node_index x)
{
    BUG_UNLESS(key_index_has_room(index, 1));
    insert(index, tag, ref_of(kind, x));
}

void key_index_remove(struct key_index *index, uint32_t tag, enum key_kind kind,
                      struct node_index x)
{
    if (index->capacity == 0)
        return;
    size_t mask = index->capacity - 1;
    size_t hole = find(index, tag, ref_of(kind, x));
    if (index->slots[hole].ref == 0)
        return;
    /* Later entries of the run move into the hole unless they stand before their own place: so no
     * grave stones are needed. */
    for (size_t at = (hole + 1) & mask; index->slots[at].ref != 0; at = (at + 1) & mask) {
        size_t home = index->slots[at].tag & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        index->slots[hole] = index->slots[at];
        hole = at;
    }
    index->slots[hole] = (struct key_slot){0};
    index->count--;
}

bool key_index_next(const struct key_index *index, uint32_t tag, enum key_kind kind,
                    size_t *position, struct node_index *x)
{
    size_t mask = index->capacity - 1;
    while (*position < index->capacity) {
        const struct key_slot *slot = &index->slots[(tag + *position) & mask];
        if (slot->ref == 0)
            return false;
        ++*position;
        if (slot->tag == tag && ((slot->ref - 1) & 1) == (uint32_t)kind) {
            *x = (struct node_index){(slot->ref - 1) >> 1};
            return true;
        }
    }
    return false;
}
