/* Full-text search: what a person types, as a query of FTS5. */
#include <string.h>

#include "core/internal.h"
#include "base/text.h"

/* A character that belongs to a word. Above ASCII FTS5 itself decides: what is no letter there
 * splits a quoted string in two words that follow one another, which is what one wants. */
static bool of_word(sotto_bytes text, size_t size)
{
    uint8_t first = text.data[0];
    return size > 1 || (first >= '0' && first <= '9') || (first >= 'a' && first <= 'z') ||
           (first >= 'A' && first <= 'Z');
}

/* "two words" becomes "two" "words"*: within quotation marks nothing has a meaning to FTS5. Only
 * the last word may be unfinished: for each beginning FTS5 merges the rows of all words that begin
 * so before it gives the first one, 20 ms for a frequent word of a million messages. */
static sotto_error query_make(sotto_bytes words, sotto_buf *out, size_t *count)
{
    sotto_error error = SOTTO_OK;
    bool inside = false;
    *count = 0;
    for (size_t at = 0; at < words.size && error == SOTTO_OK;) {
        uint32_t scalar;
        sotto_bytes rest = sotto_bytes_of(words.data + at, words.size - at);
        size_t size = text_next(rest, &scalar);
        bool word = size > 0 && of_word(rest, size);
        if (word && !inside) {
            error = sotto_buf_append(out, (const uint8_t *)"\"", 1);
            ++*count;
        } else if (!word && inside)
            error = sotto_buf_append(out, (const uint8_t *)"\" ", 2);
        if (word && error == SOTTO_OK)
            error = sotto_buf_append(out, rest.data, size);
        inside = word;
        at += size > 0 ? size : 1;
    }
    if (inside && error == SOTTO_OK)
        error = sotto_buf_append(out, (const uint8_t *)"\"", 1);
    if (*count > 0 && error == SOTTO_OK)
        error = sotto_buf_append(out, (const uint8_t *)"*", 1);
    if (error == SOTTO_OK)
        error = sotto_buf_append(out, (const uint8_t *)"", 1);
    return error;
}

sotto_error sotto_search(struct sotto *core, const struct sotto_id *conversation, const char *words,
                         uint32_t limit, int64_t before, sotto_message_fn *each, void *ctx)
{
    TRY(core_need_past(core));
    struct arena arena;
    struct store_message *messages = NULL;
    struct room_id room;
    sotto_buf query;
    size_t count = 0, word_count = 0;
    if (conversation != NULL)
        memcpy(room.bytes, conversation->bytes, ROOM_ID_SIZE);
    arena_init(&arena, core->env);
    sotto_buf_init(&query, core->env);
    sotto_error error = query_make(sotto_bytes_str(words), &query, &word_count);
    if (error == SOTTO_OK && word_count == 0)
        error = problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_BAD_TEXT, "Give a word.",
                            "There is nothing to search for.");
    else if (error == SOTTO_OK) {
        error = store_messages_search(core->store, (const char *)query.data,
                                      conversation != NULL ? &room : NULL, before, limit, &arena,
                                      &messages, &count);
        if (error != SOTTO_OK)
            (void)core_store_problem(core, error, "searching");
    }
    if (error == SOTTO_OK)
        messages_show(core, messages, count, each, ctx);
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
