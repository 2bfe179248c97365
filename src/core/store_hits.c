#include "core/store_hits.h"

#include <limits.h>
#include <string.h>

#include "core/store_query.h"

enum { PARTS_MAX = 16 }; /* of one word: more are left out, which marks a little more */

/* A word of the search as the index has it: what was cut from it, one after another. */
struct wanted {
    sotto_bytes parts[PARTS_MAX];
    size_t count;
    bool unfinished; /* its last part need only begin a word */
};

struct looking {
    struct arena arena;
    fts5_tokenizer functions;
    Fts5Tokenizer *tokenizer;
    struct wanted *wanted;
    size_t wanted_count;
    size_t *matched; /* of each, how many of its parts the last words of the text were */
    size_t *begun;   /* and where the first of them stood */
    struct store_hit *hits;
    size_t most, count;
    sotto_error error;
};

/* ---- The tokenizer of the index ------------------------------------------------------------- */

static sotto_error tokenizer_make(struct store *store, struct looking *l)
{
    static const char *arguments[] = {"remove_diacritics", "2"}; /* as version_6 of the schema */
    fts5_api *api = NULL;
    sqlite3_stmt *stmt = NULL;
    void *with = NULL;
    int code = sqlite3_prepare_v2(store->db, "SELECT fts5(?1)", -1, &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_pointer(stmt, 1, &api, "fts5_api_ptr", NULL);
    if (code == SQLITE_OK)
        (void)sqlite3_step(stmt);
    (void)sqlite3_finalize(stmt);
    if (code == SQLITE_NOMEM)
        return SOTTO_NO_MEMORY;
    if (api == NULL || api->xFindTokenizer(api, "unicode61", &with, &l->functions) != SQLITE_OK)
        return SOTTO_UNSUPPORTED;
    return l->functions.xCreate(with, arguments, 2, &l->tokenizer) == SQLITE_OK ? SOTTO_OK
                                                                                : SOTTO_NO_MEMORY;
}

static void cut(struct looking *l, sotto_bytes text, int why,
                int (*each)(void *ctx, int flags, const char *token, int size, int from, int to))
{
    int size = text.size > INT_MAX ? INT_MAX : (int)text.size;
    if (size == 0 || l->error != SOTTO_OK)
        return;
    int code = l->functions.xTokenize(l->tokenizer, l, why, (const char *)text.data, size, each);
    if (code != SQLITE_OK && code != SQLITE_DONE && l->error == SOTTO_OK)
        l->error = SOTTO_NO_MEMORY;
}

/* ---- What is looked for ---------------------------------------------------------------------- */

static int take_part(void *ctx, int flags, const char *token, int size, int from, int to)
{
    struct looking *l = ctx;
    struct wanted *wanted = &l->wanted[l->wanted_count];
    (void)flags, (void)from, (void)to;
    if (wanted->count == PARTS_MAX || size <= 0)
        return SQLITE_OK;
    uint8_t *copy = arena_array(&l->arena, (size_t)size, 1);
    if (copy == NULL) {
        l->error = SOTTO_NO_MEMORY;
        return SQLITE_NOMEM;
    }
    memcpy(copy, token, (size_t)size);
    wanted->parts[wanted->count++] = sotto_bytes_of(copy, (size_t)size);
    return SQLITE_OK;
}

static void take_words(struct looking *l, const sotto_bytes *words, size_t count)
{
    l->wanted = arena_array(&l->arena, count > 0 ? count : 1, sizeof *l->wanted);
    l->matched = arena_array(&l->arena, count > 0 ? count : 1, sizeof *l->matched);
    l->begun = arena_array(&l->arena, count > 0 ? count : 1, sizeof *l->begun);
    if (l->wanted == NULL || l->matched == NULL || l->begun == NULL)
        l->error = SOTTO_NO_MEMORY;
    for (size_t i = 0; i < count && l->error == SOTTO_OK; i++) {
        l->wanted[l->wanted_count].unfinished = i + 1 == count;
        cut(l, words[i], FTS5_TOKENIZE_QUERY, take_part);
        l->wanted_count += l->wanted[l->wanted_count].count > 0;
    }
}

/* ---- Where it is ----------------------------------------------------------------------------- */

/* Whether the next word of the text is that part. */
static bool fits(const struct wanted *wanted, size_t part, sotto_bytes token)
{
    sotto_bytes want = wanted->parts[part];
    bool begun = wanted->unfinished && part + 1 == wanted->count;
    return (begun ? token.size >= want.size : token.size == want.size) &&
           memcmp(token.data, want.data, want.size) == 0;
}

static void mark(struct looking *l, size_t from, size_t to)
{
    if (l->count > 0 && from < l->hits[l->count - 1].at + l->hits[l->count - 1].size)
        return; /* another word of the search marked it */
    if (l->count < l->most)
        l->hits[l->count++] = (struct store_hit){from, to - from};
}

static int take_token(void *ctx, int flags, const char *token, int size, int from, int to)
{
    struct looking *l = ctx;
    const sotto_bytes word = sotto_bytes_of((const uint8_t *)token, (size_t)size);
    (void)flags;
    for (size_t i = 0; i < l->wanted_count; i++) {
        if (l->matched[i] > 0 && !fits(&l->wanted[i], l->matched[i], word))
            l->matched[i] = 0;
        if (!fits(&l->wanted[i], l->matched[i], word))
            continue;
        if (l->matched[i]++ == 0)
            l->begun[i] = (size_t)from;
        if (l->matched[i] == l->wanted[i].count) {
            l->matched[i] = 0;
            mark(l, l->begun[i], (size_t)to);
        }
    }
    return l->count < l->most ? SQLITE_OK : SQLITE_DONE;
}

sotto_error store_search_hits(struct store *store, const sotto_bytes *words, size_t word_count,
                              sotto_bytes text, struct store_hit *hits, size_t most, size_t *count)
{
    struct looking l = {.hits = hits, .most = most};
    arena_init(&l.arena, store->env);
    l.error = tokenizer_make(store, &l);
    if (l.error == SOTTO_OK)
        take_words(&l, words, word_count);
    cut(&l, text, FTS5_TOKENIZE_DOCUMENT, take_token);
    if (l.tokenizer != NULL)
        l.functions.xDelete(l.tokenizer);
    arena_free(&l.arena);
    if (l.error == SOTTO_OK)
        *count = l.count;
    return l.error;
}
