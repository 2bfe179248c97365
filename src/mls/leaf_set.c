#include "mls/leaf_set.h"

#include <string.h>

static size_t words_for(uint32_t leaf_count)
{
    return ((size_t)leaf_count + 63) / 64;
}

sotto_error leaf_set_alloc(const sotto_env *env, uint32_t leaf_count, struct leaf_set *set)
{
    uint64_t *words = mem_alloc(env, words_for(leaf_count) * sizeof *words);
    if (words == NULL)
        return SOTTO_NO_MEMORY;
    *set = (struct leaf_set){words, words_for(leaf_count)};
    return SOTTO_OK;
}

void leaf_set_free(const sotto_env *env, struct leaf_set *set)
{
    mem_free(env, set->words, set->word_count * sizeof *set->words);
    *set = (struct leaf_set){0};
}

sotto_error leaf_set_copy(const sotto_env *env, const struct leaf_set *from, uint32_t leaf_count,
                          struct leaf_set *copy)
{
    struct leaf_set set;
    TRY(leaf_set_alloc(env, leaf_count, &set));
    size_t common = from->word_count < set.word_count ? from->word_count : set.word_count;
    if (common > 0)
        memcpy(set.words, from->words, common * sizeof *set.words);
    if (leaf_count % 64 != 0)
        set.words[set.word_count - 1] &= ((uint64_t)1 << leaf_count % 64) - 1;
    *copy = set;
    return SOTTO_OK;
}

bool leaf_set_has(const struct leaf_set *set, uint32_t leaf)
{
    return leaf / 64 < set->word_count && (set->words[leaf / 64] >> leaf % 64 & 1) != 0;
}

void leaf_set_add(struct leaf_set *set, uint32_t leaf)
{
    BUG_UNLESS(leaf / 64 < set->word_count);
    set->words[leaf / 64] |= (uint64_t)1 << leaf % 64;
}

void leaf_set_remove(struct leaf_set *set, uint32_t leaf)
{
    if (leaf / 64 < set->word_count)
        set->words[leaf / 64] &= ~((uint64_t)1 << leaf % 64);
}

/* The first leaf from `from` on whose bit differs from that of flip's; beyond the room bits are 0.
 */
static uint32_t next_bit(const struct leaf_set *set, uint32_t from, uint32_t limit, uint64_t flip)
{
    for (uint64_t at = from; at < limit; at = (at / 64 + 1) * 64) {
        uint64_t word = at / 64 < set->word_count ? set->words[at / 64] : 0;
        uint64_t rest = (word ^ flip) >> at % 64;
        if (rest != 0) {
            uint64_t found = at + (uint64_t)__builtin_ctzll(rest);
            return found < limit ? (uint32_t)found : limit;
        }
    }
    return limit;
}

uint32_t leaf_set_next(const struct leaf_set *set, uint32_t from, uint32_t limit)
{
    return next_bit(set, from, limit, 0);
}

uint32_t leaf_set_next_absent(const struct leaf_set *set, uint32_t from, uint32_t limit)
{
    return next_bit(set, from, limit, UINT64_MAX);
}

bool leaf_set_any(const struct leaf_set *set, uint32_t first, uint32_t count)
{
    return leaf_set_next(set, first, first + count) < first + count;
}
