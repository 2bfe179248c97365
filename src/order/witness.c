#include "order/witness.h"

#include <inttypes.h>
#include <string.h>

#include <curl/curl.h>
#include <sodium.h>

#include "tlog/folder.h"

enum { TIMEOUT_S = 20, ANSWER_MAX = 64 * 1024 };

/* ---- HTTP ----------------------------------------------------------------------------------- */

static size_t take_bytes(char *data, size_t one, size_t count, void *ctx)
{
    sotto_buf *answer = ctx;
    const size_t size = one * count;
    if (answer->size + size > ANSWER_MAX ||
        sotto_buf_append(answer, (uint8_t *)data, size) != SOTTO_OK)
        return 0;
    return size;
}

/* POST: the status, or 0: why says what failed. */
static long post(const char *url, sotto_bytes body, sotto_buf *answer, char why[CURL_ERROR_SIZE])
{
    long status = 0;
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: text/plain");
    snprintf(why, CURL_ERROR_SIZE, "out of memory");
    if (curl != NULL && headers != NULL) {
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)body.data);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)body.size);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
        why[0] = '\0';
        const CURLcode code = curl_easy_perform(curl);
        if (code == CURLE_OK)
            curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        else if (why[0] == '\0')
            snprintf(why, CURL_ERROR_SIZE, "%s", curl_easy_strerror(code));
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return status;
}

/* ---- One witness ---------------------------------------------------------------------------- */

static sotto_error put_line(sotto_buf *out, const char *text)
{
    TRY(sotto_buf_append(out, (const uint8_t *)text, strlen(text)));
    return sotto_buf_append(out, (const uint8_t *)"\n", 1);
}

/* "old N", the proof, an empty line, the checkpoint; and a NUL that does not count. */
static sotto_error put_request(const char *log, uint64_t from, uint64_t to, sotto_bytes note,
                               const sotto_env *env, sotto_buf *out)
{
    struct tlog_hash proof[TLOG_PROOF_MAX];
    char line[64];
    size_t count = 0;
    TRY(tlog_folder_consistency(log, from, to, env, proof, &count));
    snprintf(line, sizeof line, "old %" PRIu64, from);
    TRY(put_line(out, line));
    for (size_t i = 0; i < count; i++) {
        sodium_bin2base64(line, sizeof line, proof[i].bytes, TLOG_HASH_SIZE,
                          sodium_base64_VARIANT_ORIGINAL);
        TRY(put_line(out, line));
    }
    TRY(put_line(out, ""));
    return sotto_buf_append(out, note.data, note.size);
}

struct asking {
    struct office *office;
    const char *log;
    uint64_t size; /* of the checkpoint */
    sotto_buf *note;
};

static sotto_error ask(struct asking *asking, const struct witness_row *row, uint64_t from,
                       sotto_buf *answer, long *status, char why[CURL_ERROR_SIZE])
{
    char url[sizeof row->url + 32];
    sotto_buf request;
    snprintf(url, sizeof url, "%s%sadd-checkpoint", row->url,
             row->url[0] != '\0' && row->url[strlen(row->url) - 1] == '/' ? "" : "/");
    sotto_buf_init(&request, asking->office->env);
    sotto_error error = put_request(asking->log, from, asking->size, sotto_buf_view(asking->note),
                                    asking->office->env, &request);
    if (error == SOTTO_OK)
        *status = post(url, sotto_buf_view(&request), answer, why);
    sotto_buf_free(&request);
    return error;
}

/* The size that a witness says it is at, of a 409. */
static bool read_size(const sotto_buf *answer, uint64_t most, uint64_t *size)
{
    uint64_t value = 0;
    size_t i = 0;
    for (; i < answer->size && answer->data[i] >= '0' && answer->data[i] <= '9' && i < 19; i++)
        value = value * 10 + (uint64_t)(answer->data[i] - '0');
    *size = value;
    return i > 0 && i + 1 == answer->size && answer->data[i] == '\n' && value <= most;
}

static sotto_error ask_one(struct asking *asking, const struct witness_row *row,
                           const struct tlog_key *key, char why[CURL_ERROR_SIZE], bool *cosigned)
{
    sotto_buf answer;
    long status = 0;
    uint64_t from = row->size <= asking->size ? row->size : 0, said = 0;
    size_t added = 0;
    sotto_buf_init(&answer, asking->office->env);
    sotto_error error = ask(asking, row, from, &answer, &status, why);
    /* It may have seen more, or forgotten: it says where it is. */
    if (error == SOTTO_OK && status == 409 && read_size(&answer, asking->size, &said)) {
        sotto_buf_clear(&answer);
        error = ask(asking, row, said, &answer, &status, why);
    }
    if (error == SOTTO_OK && status == 200)
        error = tlog_note_adopt(asking->note, sotto_buf_view(&answer), key, 1, &added);
    *cosigned = added > 0;
    if (error == SOTTO_OK && status == 200 && added == 0)
        snprintf(why, CURL_ERROR_SIZE, "it answered without a good cosignature by its key");
    else if (error == SOTTO_OK && status == 409)
        snprintf(why, CURL_ERROR_SIZE, "it has seen a larger log than this one");
    else if (error == SOTTO_OK && status != 0 && status != 200)
        snprintf(why, CURL_ERROR_SIZE, "it answered with status %ld", status);
    if (error == SOTTO_OK && added > 0)
        error = records_witness_saw(&asking->office->records, row->key, asking->size);
    sotto_buf_free(&answer);
    return error;
}

sotto_error witness_ask_all(struct office *office,
                            void (*told)(void *ctx, const char *name, const char *why), void *ctx,
                            size_t *cosigned)
{
    struct witness_row rows[RECORDS_WITNESSES_MAX];
    struct tlog_checkpoint checkpoint;
    char log[PATH_MAX], why[CURL_ERROR_SIZE];
    size_t count = 0;
    sotto_buf note;
    *cosigned = 0;
    snprintf(log, sizeof log, "%s/log", office->folder);
    sotto_buf_init(&note, office->env);
    sotto_error error = records_witnesses(&office->records, rows, &count);
    if (error == SOTTO_OK && count > 0)
        error = office_checkpoint(office, &checkpoint, &note);
    struct asking asking = {office, log, count > 0 ? checkpoint.size : 0, &note};
    for (size_t i = 0; error == SOTTO_OK && i < count; i++) {
        struct tlog_key key;
        bool good = false;
        snprintf(why, sizeof why, "its key in the records is damaged");
        if (tlog_key_read(sotto_bytes_str(rows[i].key), &key) == SOTTO_OK)
            error = ask_one(&asking, &rows[i], &key, why, &good);
        *cosigned += good;
        if (error == SOTTO_OK && told != NULL)
            told(ctx, rows[i].key, good ? NULL : why);
    }
    if (error == SOTTO_OK && *cosigned > 0)
        error = tlog_folder_put(log, "checkpoint", sotto_buf_view(&note));
    sotto_buf_free(&note);
    return error;
}
