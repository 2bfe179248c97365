/* Full-text search: what a person types, as a query of FTS5. */
#include <string.h>

#include "core/snippet.h"
#include "base/text.h"

/* A character that belongs to a word. Above ASCII FTS5 itself decides: what is no letter there
 * splits a quoted string in two words that follow one another, which is what one wants. */
static bool of_word(sotto_bytes text, size_t size)
{
    uint8_t first = text.data[0];
    return size > 1 || (first >= '0' && first <= '9') || (first >= 'a' && first <= 'z') ||
           (first >= 'A' && first <= 'Z');
}

/* The words of what was typed; the list lives in the arena. */
static sotto_error words_split(sotto_bytes text, struct arena *arena, sotto_bytes **words,
                               size_t *count)
{
    sotto_bytes *list = arena_array(arena, text.size / 2 + 1, sizeof *list);
    bool inside = false;
    size_t found = 0;
    if (list == NULL)
        return SOTTO_NO_MEMORY;
    for (size_t at = 0; at < text.size;) {
        uint32_t scalar;
        sotto_bytes rest = sotto_bytes_of(text.data + at, text.size - at);
        size_t size = text_next(rest, &scalar);
        bool word = size > 0 && of_word(rest, size);
        if (word && !inside)
            list[found++] = sotto_bytes_of(rest.data, 0);
        if (word)
            list[found - 1].size += size;
        inside = word;
        at += size > 0 ? size : 1;
    }
    *words = list;
    *count = found;
    return SOTTO_OK;
}

/* "two words" becomes "two" "words"*: within quotation marks nothing has a meaning to FTS5. Only
 * the last word may be unfinished: for each beginning FTS5 merges the rows of all words that begin
 * so before it gives the first one, 20 ms for a frequent word of a million messages. */
static sotto_error query_make(const sotto_bytes *words, size_t count, sotto_buf *out)
{
    for (size_t i = 0; i < count; i++) {
        TRY(sotto_buf_append(out, (const uint8_t *)"\"", 1));
        TRY(sotto_buf_append(out, words[i].data, words[i].size));
        TRY(sotto_buf_append(out, (const uint8_t *)"\" ", 2));
    }
    return sotto_buf_append(out, (const uint8_t *)"*", 2); /* and NUL */
}

/* One that was found, with the place where it was. */
static void found_show(struct sotto *core, const struct store_message *from,
                       const sotto_bytes *words, size_t word_count, sotto_message_fn *each,
                       void *ctx)
{
    struct arena arena;
    struct sotto_message message;
    struct store_hit hits[SNIPPET_HITS_MAX];
    size_t count = 0;
    arena_init(&arena, core->env);
    message_show(core, from, &arena, &message);
    /* Without a snippet it is found all the same. */
    if (store_search_hits(core->store, words, word_count, message.text, hits, SNIPPET_HITS_MAX,
                          &count) == SOTTO_OK)
        (void)snippet_make(hits, count, &arena, &message);
    each(ctx, &message);
    arena_free(&arena);
}

sotto_error sotto_search(struct sotto *core, const struct sotto_id *conversation, const char *words,
                         uint32_t limit, int64_t before, sotto_message_fn *each, void *ctx)
{
    TRY(core_need_past(core));
    struct arena arena;
    struct store_message *messages = NULL;
    struct room_id room;
    sotto_bytes *list = NULL;
    sotto_buf query;
    size_t count = 0, word_count = 0;
    if (conversation != NULL)
        memcpy(room.bytes, conversation->bytes, ROOM_ID_SIZE);
    arena_init(&arena, core->env);
    sotto_buf_init(&query, core->env);
    sotto_error error = words_split(sotto_bytes_str(words), &arena, &list, &word_count);
    if (error == SOTTO_OK && word_count == 0) {
        error = problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_BAD_TEXT, "Give a word.",
                            "There is nothing to search for.");
        goto out;
    }
    if (error == SOTTO_OK)
        error = query_make(list, word_count, &query);
    if (error == SOTTO_OK)
        error = store_messages_search(core->store, (const char *)query.data,
                                      conversation != NULL ? &room : NULL, before, limit, &arena,
                                      &messages, &count);
    if (error != SOTTO_OK)
        (void)core_store_problem(core, error, "searching");
    for (size_t i = 0; i < count; i++)
        found_show(core, &messages[i], list, word_count, each, ctx);
out:
    sotto_buf_free(&query);
    arena_free(&arena);
    return error;
}

/* Merging the index of a million messages writes a hundred megabytes: not after each deletion. */
enum { RENEW_EVERY_S = 600 };

/* Inside a transaction. */
static sotto_error tidy(struct sotto *core, bool *more)
{
    enum store_search_state state = STORE_SEARCH_CLEAN;
    uint64_t last = 0, now = core_now_s(core);
    bool done = false;
    TRY(store_search_state(core->store, &state));
    if (state == STORE_SEARCH_CLEAN)
        return SOTTO_OK;
    if (state == STORE_SEARCH_MERGING) {
        TRY(store_search_merge_step(core->store, &done));
        *more = !done;
        return SOTTO_OK;
    }
    TRY(store_number_get(core->store, "search.renewed", &last));
    if (now >= last && now - last < RENEW_EVERY_S)
        return SOTTO_OK;
    *more = true;
    TRY(store_search_merge(core->store));
    return store_number_put(core->store, "search.renewed", now);
}

sotto_error search_tidy(struct sotto *core, bool *more)
{
    enum store_search_state state = STORE_SEARCH_CLEAN;
    *more = false;
    TRY(store_search_state(core->store, &state));
    if (state == STORE_SEARCH_CLEAN)
        return SOTTO_OK;
    TRY(store_begin(core->store));
    sotto_error error = tidy(core, more);
    if (error == SOTTO_OK)
        return store_commit(core->store);
    store_rollback(core->store);
    *more = false;
    return error;
}
