/* Who may ask, who decides, who witnesses. */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "order/commands.h"

static bool is_name(const char *name)
{
    return name != NULL && name[0] != '\0' && strlen(name) <= RECORDS_NAME_MAX &&
           strpbrk(name, "\n\r\t\x1b") == NULL;
}

/* ---- Authorities ---------------------------------------------------------------------------- */

/* "court,prosecutor" */
static bool read_kinds(const char *text, unsigned *kinds)
{
    *kinds = 0;
    for (const char *at = text; at != NULL && *at != '\0';) {
        const size_t size = strcspn(at, ",");
        const enum tlog_authority kind =
            tlog_authority_named(sotto_bytes_of((const uint8_t *)at, size));
        if (kind < TLOG_AUTHORITY_COURT)
            return false;
        *kinds |= 1u << kind;
        at += size;
        at += *at == ',';
    }
    return *kinds != 0;
}

/* "DE,EU" to "DE EU" */
static bool read_jurisdictions(const char *text, char out[static RECORDS_JURISDICTIONS_MAX + 1])
{
    size_t used = 0;
    out[0] = '\0';
    for (const char *at = text; at != NULL && *at != '\0';) {
        const size_t size = strcspn(at, ",");
        if (!tlog_is_jurisdiction(sotto_bytes_of((const uint8_t *)at, size)) ||
            used + size + 2 > RECORDS_JURISDICTIONS_MAX)
            return false;
        if (used > 0)
            out[used++] = ' ';
        memcpy(out + used, at, size);
        used += size;
        out[used] = '\0';
        at += size;
        at += *at == ',';
    }
    return used > 0;
}

/* The certificates and lists are read once here, so that a wrong file is told at once. */
static int read_files(struct office *office, const char *certificate, const char *crl,
                      sotto_buf *certificates, sotto_buf *lists)
{
    STACK_OF(X509) *stack = NULL;
    STACK_OF(X509_CRL) *crls = NULL;
    sotto_error error = office_read(office, certificate, ORDER_FILE_MAX, certificates);
    if (error == SOTTO_OK)
        error = order_certificates_read(sotto_buf_view(certificates), &stack, office->problem);
    if (error == SOTTO_OK && crl != NULL)
        error = office_read(office, crl, ORDER_FILE_MAX, lists);
    if (error == SOTTO_OK && crl != NULL)
        error = order_lists_read(sotto_buf_view(lists), &crls, office->problem);
    sk_X509_pop_free(stack, X509_free);
    sk_X509_CRL_pop_free(crls, X509_CRL_free);
    return error == SOTTO_OK ? EXIT_GOOD : orders_fail_office(office, error);
}

int command_authority_add(struct command_line *line)
{
    struct args *args = line->args;
    struct office *office = line->office;
    struct authority authority = {.added_s = office->env->now(office->env->ctx)};
    const char *name = args->words[2], *certificate = args_value(args, "certificate");
    const char *crl = args_value(args, "crl");
    sotto_buf certificates, lists;
    if (!is_name(name) || certificate == NULL || (crl != NULL) == args_has(args, "no-crl"))
        return EXIT_USAGE;
    if (!read_kinds(args_value(args, "kind"), &authority.kinds))
        return orders_fail("--kind takes one or more of court, prosecutor, police, administrative, "
                           "with commas between");
    if (!read_jurisdictions(args_value(args, "jurisdiction"), authority.jurisdictions))
        return orders_fail("--jurisdiction takes codes like DE or EU, with commas between");
    memcpy(authority.name, name, strlen(name) + 1);
    sotto_buf_init(&certificates, office->env);
    sotto_buf_init(&lists, office->env);
    int code = read_files(office, certificate, crl, &certificates, &lists);
    if (code == EXIT_GOOD) {
        authority.certificates = sotto_buf_view(&certificates);
        authority.lists = sotto_buf_view(&lists);
        sotto_error error = records_authority_add(&office->records, &authority);
        if (error == SOTTO_EXISTS)
            code = orders_fail("there is an authority %s already: remove it first", name);
        else if (error != SOTTO_OK)
            code = orders_fail_office(office, error);
    }
    if (code == EXIT_GOOD && crl == NULL)
        fprintf(stderr,
                "Nobody will hear that a certificate of %s was revoked: without --crl this "
                "relay believes it until it ends.\n",
                name);
    sotto_buf_free(&certificates);
    sotto_buf_free(&lists);
    return code;
}

int command_authority_crl(struct command_line *line)
{
    struct office *office = line->office;
    const char *name = line->args->words[2], *path = line->args->words[3];
    STACK_OF(X509_CRL) *crls = NULL;
    sotto_buf lists;
    if (!is_name(name) || path == NULL)
        return EXIT_USAGE;
    sotto_buf_init(&lists, office->env);
    sotto_error error = office_read(office, path, ORDER_FILE_MAX, &lists);
    if (error == SOTTO_OK)
        error = order_lists_read(sotto_buf_view(&lists), &crls, office->problem);
    if (error == SOTTO_OK) {
        error = records_authority_lists(&office->records, name, sotto_buf_view(&lists));
        if (error == SOTTO_NOT_FOUND)
            snprintf(office->problem, sizeof office->problem, "there is no authority %s", name);
    }
    sk_X509_CRL_pop_free(crls, X509_CRL_free);
    sotto_buf_free(&lists);
    return error == SOTTO_OK ? EXIT_GOOD : orders_fail_office(office, error);
}

static bool print_authority(void *ctx, const struct authority *authority)
{
    (void)ctx;
    char added[ORDER_TIME_TEXT];
    const char *comma = "";
    order_time_write(authority->added_s, added);
    printf("%s\n  may order for: %s\n  as: ", authority->name, authority->jurisdictions);
    for (enum tlog_authority kind = TLOG_AUTHORITY_COURT; kind <= TLOG_AUTHORITY_ADMINISTRATIVE;
         kind++)
        if ((authority->kinds & 1u << kind) != 0) {
            printf("%s%s", comma, tlog_authority_name(kind));
            comma = ", ";
        }
    printf("\n  revoked certificates: %s\n  enrolled: %.10s\n",
           authority->lists.size > 0 ? "known" : "not known", added);
    return true;
}

int command_authority_list(struct command_line *line)
{
    sotto_error error = records_authorities(&line->office->records, print_authority, NULL);
    return error == SOTTO_OK ? EXIT_GOOD : orders_fail_office(line->office, error);
}

int command_authority_remove(struct command_line *line)
{
    const char *name = line->args->words[2];
    if (!is_name(name))
        return EXIT_USAGE;
    sotto_error error = records_authority_remove(&line->office->records, name);
    if (error == SOTTO_NOT_FOUND)
        return orders_fail("there is no authority %s", name);
    return error == SOTTO_OK ? EXIT_GOOD : orders_fail_office(line->office, error);
}

/* ---- Operators ------------------------------------------------------------------------------ */

int command_operator_key(struct command_line *line)
{
    const char *path = line->args->words[2];
    const sotto_env *env = sotto_env_system();
    uint8_t seed[crypto_sign_SEEDBYTES], public_key[32], secret[TLOG_SECRET_SIZE];
    char hex[65], text[66];
    if (path == NULL || strcmp(path, "-") == 0)
        return EXIT_USAGE;
    if (env->random(env->ctx, seed, sizeof seed) != SOTTO_OK)
        return orders_fail("the random source failed");
    crypto_sign_seed_keypair(public_key, secret, seed);
    sodium_bin2hex(hex, sizeof hex, seed, sizeof seed);
    snprintf(text, sizeof text, "%s\n", hex);
    bool good = orders_write(path, sotto_bytes_str(text));
    wipe(seed, sizeof seed);
    wipe(secret, sizeof secret);
    wipe(text, sizeof text);
    sodium_bin2hex(hex, sizeof hex, public_key, sizeof public_key);
    if (good)
        printf("%s\n", hex);
    wipe(hex, sizeof hex);
    return good ? EXIT_GOOD : EXIT_FAILED;
}

int command_operator_add(struct command_line *line)
{
    const char *name = line->args->words[2], *hex = line->args->words[3];
    struct operator_key key, others[RECORDS_OPERATORS_MAX];
    size_t size = 0, count = 0;
    memset(&key, 0, sizeof key);
    if (!is_name(name) || hex == NULL)
        return EXIT_USAGE;
    if (strlen(hex) != 64 ||
        sodium_hex2bin(key.public_key, sizeof key.public_key, hex, 64, NULL, &size, NULL) != 0 ||
        size != 32)
        return orders_fail("the public key is 64 hexadecimal digits, as `sottod operator key` "
                           "printed them");
    memcpy(key.name, name, strlen(name) + 1);
    sotto_error error = records_operators(&line->office->records, others, &count);
    if (error == SOTTO_OK && count == RECORDS_OPERATORS_MAX)
        return orders_fail("there are %d operators already", RECORDS_OPERATORS_MAX);
    if (error == SOTTO_OK)
        error = records_operator_add(&line->office->records, &key);
    if (error == SOTTO_EXISTS)
        return orders_fail("there is an operator of that name, or with that key, already");
    return error == SOTTO_OK ? EXIT_GOOD : orders_fail_office(line->office, error);
}

int command_operator_list(struct command_line *line)
{
    struct operator_key keys[RECORDS_OPERATORS_MAX];
    size_t count = 0;
    uint32_t needed = 0;
    char hex[65];
    sotto_error error = records_operators(&line->office->records, keys, &count);
    if (error == SOTTO_OK)
        error = records_approvals_needed(&line->office->records, &needed);
    if (error != SOTTO_OK)
        return orders_fail_office(line->office, error);
    for (size_t i = 0; i < count; i++) {
        sodium_bin2hex(hex, sizeof hex, keys[i].public_key, 32);
        printf("%s %s\n", hex, keys[i].name);
    }
    printf("An answer needs %" PRIu32 " of their approvals.\n", needed);
    return EXIT_GOOD;
}

int command_operator_remove(struct command_line *line)
{
    struct operator_key keys[RECORDS_OPERATORS_MAX];
    const char *name = line->args->words[2];
    size_t count = 0;
    uint32_t needed = 0;
    if (!is_name(name))
        return EXIT_USAGE;
    sotto_error error = records_operators(&line->office->records, keys, &count);
    if (error == SOTTO_OK)
        error = records_approvals_needed(&line->office->records, &needed);
    if (error == SOTTO_OK && count <= needed)
        return orders_fail("then there were fewer operators than approvals are needed: lower that "
                           "first (sottod operator require)");
    if (error == SOTTO_OK)
        error = records_operator_remove(&line->office->records, name);
    if (error == SOTTO_NOT_FOUND)
        return orders_fail("there is no operator %s", name);
    return error == SOTTO_OK ? EXIT_GOOD : orders_fail_office(line->office, error);
}

int command_operator_require(struct command_line *line)
{
    struct operator_key keys[RECORDS_OPERATORS_MAX];
    const char *text = line->args->words[2];
    size_t count = 0;
    if (text == NULL || text[0] == '\0' || strlen(text) > 2 ||
        strspn(text, "0123456789") != strlen(text))
        return EXIT_USAGE;
    const uint32_t needed = (uint32_t)strtoul(text, NULL, 10);
    sotto_error error = records_operators(&line->office->records, keys, &count);
    if (error == SOTTO_OK && needed > count)
        return orders_fail("there are %zu operators, so %" PRIu32 " cannot approve", count, needed);
    if (error == SOTTO_OK)
        error = records_approvals_need(&line->office->records, needed);
    return error == SOTTO_OK ? EXIT_GOOD : orders_fail_office(line->office, error);
}

/* ---- The log and its witnesses -------------------------------------------------------------- */

int command_log_show(struct command_line *line)
{
    struct tlog_checkpoint checkpoint = {.size = 0};
    char key[TLOG_KEY_TEXT_MAX + 1];
    sotto_buf note;
    sotto_buf_init(&note, line->office->env);
    sotto_error error = office_checkpoint(line->office, &checkpoint, &note);
    if (error == SOTTO_OK) {
        tlog_key_write(&line->office->key, key);
        printf("key %s\n\n", key);
        fwrite(note.data, 1, note.size, stdout);
    }
    sotto_buf_free(&note);
    return error == SOTTO_OK ? EXIT_GOOD : orders_fail_office(line->office, error);
}

int command_log_publish(struct command_line *line)
{
    return orders_publish(line->office);
}

int command_witness_add(struct command_line *line)
{
    const char *text = line->args->words[2], *url = line->args->words[3];
    struct witness_row rows[RECORDS_WITNESSES_MAX];
    struct tlog_key key;
    size_t count = 0;
    if (text == NULL || url == NULL)
        return EXIT_USAGE;
    if (tlog_key_read(sotto_bytes_str(text), &key) != SOTTO_OK || key.type != TLOG_KEY_WITNESS)
        return orders_fail("the key is no verifier key of a witness with Ed25519 "
                           "(NAME+ID+BASE64)");
    if ((strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0) ||
        strlen(url) >= sizeof rows[0].url)
        return orders_fail("the witness's address is no http:// or https:// URL");
    sotto_error error = records_witnesses(&line->office->records, rows, &count);
    if (error == SOTTO_OK && count == RECORDS_WITNESSES_MAX)
        return orders_fail("there are %d witnesses already", RECORDS_WITNESSES_MAX);
    if (error == SOTTO_OK)
        error = records_witness_add(&line->office->records, text, url);
    if (error == SOTTO_EXISTS)
        return orders_fail("this witness is there already");
    return error == SOTTO_OK ? orders_publish(line->office)
                             : orders_fail_office(line->office, error);
}

int command_witness_list(struct command_line *line)
{
    struct witness_row rows[RECORDS_WITNESSES_MAX];
    size_t count = 0;
    sotto_error error = records_witnesses(&line->office->records, rows, &count);
    for (size_t i = 0; i < count; i++)
        printf("%s %s cosigned up to %" PRIu64 "\n", rows[i].key, rows[i].url, rows[i].size);
    return error == SOTTO_OK ? EXIT_GOOD : orders_fail_office(line->office, error);
}

int command_witness_remove(struct command_line *line)
{
    const char *key = line->args->words[2];
    if (key == NULL)
        return EXIT_USAGE;
    sotto_error error = records_witness_remove(&line->office->records, key);
    if (error == SOTTO_NOT_FOUND)
        return orders_fail("there is no witness with this key");
    return error == SOTTO_OK ? EXIT_GOOD : orders_fail_office(line->office, error);
}
