#include "relay/tokens.h"

#include <pthread.h>
#include <string.h>

#include <sodium.h>

#include "crypto/voprf.h"

_Static_assert((int)VOPRF_ELEMENT == TOKEN_ELEMENT_SIZE && (int)VOPRF_PROOF == TOKEN_PROOF_SIZE &&
                   (int)VOPRF_OUTPUT == TOKEN_OUTPUT_SIZE,
               "the wire carries what voprf.h makes");

struct living {
    uint32_t number;
    struct voprf_key key;
};

struct tokens {
    const sotto_env *env;
    pthread_rwlock_t lock;
    struct token_key *announced; /* all that there ever were, ascending */
    size_t announced_count;
    struct living living[TOKEN_KEYS_LIVING];
    size_t living_count;
};

sotto_error tokens_new(const sotto_env *env, struct tokens **tokens)
{
    struct tokens *made = mem_alloc(env, sizeof *made);
    if (made == NULL)
        return SOTTO_NO_MEMORY;
    made->env = env;
    pthread_rwlock_init(&made->lock, NULL);
    *tokens = made;
    return SOTTO_OK;
}

void tokens_free(struct tokens *tokens)
{
    if (tokens == NULL)
        return;
    pthread_rwlock_destroy(&tokens->lock);
    mem_free(tokens->env, tokens->announced, tokens->announced_count * sizeof *tokens->announced);
    mem_free(tokens->env, tokens, sizeof *tokens);
}

static sotto_error load(const struct store_token_keys *keys, struct living *living, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < keys->count; i++) {
        const struct store_token_key *row = &keys->keys[i];
        if (row->private_key.size == 0)
            continue;
        if (*count == TOKEN_KEYS_LIVING)
            return SOTTO_LIMIT;
        struct living *made = &living[(*count)++];
        made->number = row->key.number;
        TRY(voprf_key_load(row->private_key, &made->key));
        if (memcmp(made->key.public_key, row->key.public_key, VOPRF_ELEMENT) != 0)
            return SOTTO_KEY;
    }
    return SOTTO_OK;
}

sotto_error tokens_set(struct tokens *tokens, const struct store_token_keys *keys)
{
    struct living living[TOKEN_KEYS_LIVING] = {0};
    size_t living_count = 0;
    struct token_key *announced = NULL, *old = NULL;
    sotto_error error = load(keys, living, &living_count);
    if (error == SOTTO_OK && keys->count > 0) {
        announced = mem_alloc(tokens->env, keys->count * sizeof *announced);
        error = announced == NULL ? SOTTO_NO_MEMORY : SOTTO_OK;
    }
    if (error == SOTTO_OK) {
        for (size_t i = 0; i < keys->count; i++)
            announced[i] = keys->keys[i].key;
        pthread_rwlock_wrlock(&tokens->lock);
        old = tokens->announced;
        size_t old_count = tokens->announced_count;
        tokens->announced = announced;
        tokens->announced_count = keys->count;
        memcpy(tokens->living, living, sizeof living);
        tokens->living_count = living_count;
        pthread_rwlock_unlock(&tokens->lock);
        mem_free(tokens->env, old, old_count * sizeof *old);
    }
    wipe(living, sizeof living);
    return error;
}

/* Where the announcements begin that are asked for. */
static size_t first_of(const struct tokens *tokens, uint32_t from)
{
    size_t count = tokens->announced_count, at = 0;
    uint32_t oldest = tokens->living_count > 0 ? tokens->living[0].number : 0;
    if (from == 0 || from > tokens->announced[count - 1].number)
        from = oldest;
    while (at + 1 < count && tokens->announced[at].number < from)
        at++;
    return at;
}

sotto_error tokens_announce(struct tokens *tokens, uint32_t from, struct arena *arena,
                            const struct token_key **keys, size_t *count)
{
    struct token_key *copy = NULL;
    size_t copied = 0;
    sotto_error error = SOTTO_OK;
    pthread_rwlock_rdlock(&tokens->lock);
    if (tokens->announced_count > 0) {
        size_t first = first_of(tokens, from);
        copied = tokens->announced_count - first;
        if (copied > WIRE_TOKEN_KEYS_MAX)
            copied = WIRE_TOKEN_KEYS_MAX;
        copy = arena_array(arena, copied, sizeof *copy);
        if (copy != NULL)
            memcpy(copy, tokens->announced + first, copied * sizeof *copy);
        else
            error = SOTTO_NO_MEMORY;
    }
    pthread_rwlock_unlock(&tokens->lock);
    if (error == SOTTO_OK) {
        *keys = copy;
        *count = copied;
    }
    return error;
}

/* A copy, so that nobody waits for the lock while another computes. False: no such key lives. */
static bool copy_key(struct tokens *tokens, uint32_t number, struct voprf_key *key)
{
    bool found = false;
    pthread_rwlock_rdlock(&tokens->lock);
    for (size_t i = 0; i < tokens->living_count && !found; i++) {
        found = tokens->living[i].number == number;
        if (found)
            *key = tokens->living[i].key;
    }
    pthread_rwlock_unlock(&tokens->lock);
    return found;
}

bool tokens_check(struct tokens *tokens, const struct token *token)
{
    struct voprf_key key = {0};
    uint8_t output[VOPRF_OUTPUT];
    if (!copy_key(tokens, token->key, &key))
        return false;
    bool good = voprf_evaluate(VOPRF_MODE_VOPRF, &key, (sotto_bytes){0}, token->nonce, output) ==
                    SOTTO_OK &&
                token->output.size == sizeof output &&
                sodium_memcmp(output, token->output.data, sizeof output) == 0;
    wipe(output, sizeof output);
    voprf_key_wipe(&key);
    return good;
}

sotto_error tokens_issue(struct tokens *tokens, uint32_t number, sotto_bytes blinded,
                         uint8_t *evaluated, uint8_t *proof)
{
    struct voprf_key key = {0};
    if (!copy_key(tokens, number, &key))
        return SOTTO_NOT_FOUND;
    sotto_error error = voprf_blind_evaluate(VOPRF_MODE_VOPRF, tokens->env, &key, (sotto_bytes){0},
                                             blinded, evaluated, proof);
    voprf_key_wipe(&key);
    return error;
}
