/* mls-vectors FILE...: runs files of MLS test vectors in any of the working group's formats, which
 * it recognises by their members. Prints by suite how many cases passed, failed or do not apply to
 * this build; exit status 1 if any failed or a file cannot be read. */
#include "vectors/vectors.h"

#include <stdio.h>
#include <string.h>

#define SUITES 256

struct tally {
    unsigned count[3];
};

bool run_fail(struct run *run, const char *what, int line)
{
    if (run->failed == NULL) {
        run->failed = what;
        run->line = line;
    }
    return false;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

sotto_bytes hex_bytes(struct run *run, const json_t *value)
{
    const char *text = json_string_value(value);
    size_t size = text == NULL ? 0 : strlen(text);
    if (text == NULL || size % 2 != 0)
        run_fail(run, "hex string expected", __LINE__);
    if (size < 2)
        return (sotto_bytes){0};
    uint8_t *out = arena_array(&run->arena, size / 2, 1);
    BUG_UNLESS(out != NULL);
    for (size_t i = 0; i < size / 2; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            run_fail(run, "hex digit expected", __LINE__);
        out[i] = (uint8_t)((unsigned)high << 4 | (unsigned)low);
    }
    return sotto_bytes_of(out, size / 2);
}

sotto_bytes field_bytes(struct run *run, const json_t *object, const char *name)
{
    return hex_bytes(run, json_object_get(object, name));
}

sotto_bytes field_private(struct run *run, const json_t *object, const char *name)
{
    sotto_bytes key = field_bytes(run, object, name);
    if (key.size >= run->suite->nsk)
        return key;
    uint8_t *padded = arena_array(&run->arena, run->suite->nsk, 1);
    BUG_UNLESS(padded != NULL);
    if (key.size > 0)
        memcpy(padded + run->suite->nsk - key.size, key.data, key.size);
    return sotto_bytes_of(padded, run->suite->nsk);
}

const char *field_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

uint64_t field_uint(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

static const struct format *recognise(const json_t *item)
{
    static const struct format *const groups[] = {formats_basics, formats_messages, formats_trees,
                                                  formats_passive};
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        for (const struct format *format = groups[g]; format->name != NULL; format++) {
            bool all = true;
            for (size_t k = 0; k < 3 && format->keys[k] != NULL; k++)
                all = all && json_object_get(item, format->keys[k]) != NULL;
            if (all)
                return format;
        }
    }
    return NULL;
}

static enum verdict run_case(struct run *run, const struct format *format, const json_t *item)
{
    const json_t *suite = json_object_get(item, "cipher_suite");
    run->suite = suite == NULL ? NULL : suite_by_id((uint16_t)json_integer_value(suite));
    run->failed = NULL;
    if (suite != NULL && (run->suite == NULL || !crypto_has(run->crypto, run->suite)))
        return NOT_APPLICABLE;
    bool held = format->check(run, item);
    arena_free(&run->arena);
    return held && run->failed == NULL ? PASSED : FAILED;
}

static void print_tally(const char *format, const char *suite, const struct tally *tally)
{
    unsigned all = tally->count[PASSED] + tally->count[FAILED] + tally->count[NOT_APPLICABLE];
    if (all > 0)
        printf("%-18s %-6s passed %4u  failed %4u  not applicable %4u\n", format, suite,
               tally->count[PASSED], tally->count[FAILED], tally->count[NOT_APPLICABLE]);
}

/* False if any case failed. */
static bool run_cases(struct run *run, const char *path, const json_t *cases)
{
    static struct tally tallies[SUITES];
    memset(tallies, 0, sizeof tallies);
    const struct format *format = recognise(json_array_get(cases, 0));
    if (format == NULL) {
        fprintf(stderr, "%s: not in a format of MLS test vectors\n", path);
        return false;
    }
    size_t number;
    json_t *item;
    unsigned failed = 0;
    json_array_foreach(cases, number, item)
    {
        enum verdict verdict = run_case(run, format, item);
        uint64_t suite = field_uint(item, "cipher_suite");
        tallies[suite < SUITES ? suite : SUITES - 1].count[verdict]++;
        if (verdict != FAILED)
            continue;
        failed++;
        fprintf(stderr, "%s: case %zu: %s (line %d)\n", path, number, run->failed, run->line);
    }
    for (size_t suite = 0; suite < SUITES; suite++) {
        char name[16] = "-";
        if (suite > 0)
            snprintf(name, sizeof name, "0x%04zX", suite);
        print_tally(format->name, name, &tallies[suite]);
    }
    return failed == 0;
}

static bool run_file(struct run *run, const char *path)
{
    json_error_t error;
    json_t *cases = json_load_file(path, 0, &error);
    if (cases == NULL) {
        fprintf(stderr, "%s:%d: %s\n", path, error.line, error.text);
        return false;
    }
    if (json_is_object(cases)) { /* a single case */
        json_t *one = json_pack("[o]", cases);
        cases = one;
    }
    bool held = json_array_size(cases) > 0 && run_cases(run, path, cases);
    json_decref(cases);
    return held;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: mls-vectors FILE...\n"
                        "Runs MLS test vectors; the format of each file is recognised.\n");
        return 2;
    }
    struct run run = {0};
    arena_init(&run.arena, sotto_env_system());
    if (crypto_new_with(sotto_env_system(), VECTORS_PROVIDER(), &run.crypto) != SOTTO_OK) {
        fprintf(stderr, "mls-vectors: cryptography is not available\n");
        return 1;
    }
    bool held = true;
    for (int i = 1; i < argc; i++)
        held = run_file(&run, argv[i]) && held;
    crypto_free(run.crypto);
    return held ? 0 : 1;
}
