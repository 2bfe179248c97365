/* Orders: checked, acknowledged, approved, answered, refused, shown, forgotten. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "order/commands.h"

/* An order's file, read and examined. */
struct opened {
    sotto_buf file, document;
    sotto_bytes content; /* of document */
    struct order_case order;
};

static void opened_free(struct opened *opened)
{
    order_case_free(&opened->order);
    sotto_buf_free(&opened->file);
    sotto_buf_free(&opened->document);
}

/* The file that the command names, with the document beside it if one is named. */
static int open_order(struct command_line *line, struct opened *opened)
{
    struct office *office = line->office;
    const char *path = line->args->words[2], *document = args_value(line->args, "document");
    memset(opened, 0, sizeof *opened);
    sotto_buf_init(&opened->file, office->env);
    sotto_buf_init(&opened->document, office->env);
    sotto_buf_init(&opened->order.content, office->env);
    if (path == NULL)
        return EXIT_USAGE;
    sotto_error error = office_read(office, path, ORDER_FILE_MAX, &opened->file);
    if (error == SOTTO_OK && document != NULL)
        error = office_read(office, document, ORDER_DOCUMENT_MAX, &opened->document);
    opened->content = sotto_buf_view(&opened->document);
    if (error == SOTTO_OK)
        error = order_examine(&office->records, sotto_buf_view(&opened->file),
                              document == NULL ? NULL : &opened->content,
                              office->env->now(office->env->ctx), &opened->order);
    return error == SOTTO_OK ? EXIT_GOOD : orders_fail_office(office, error);
}

static void print_digest(FILE *file, const struct tlog_hash *digest)
{
    char hex[2 * TLOG_HASH_SIZE + 1];
    sodium_bin2hex(hex, sizeof hex, digest->bytes, TLOG_HASH_SIZE);
    fputs(hex, file);
}

static void print_field(const char *name, const char *value)
{
    printf("%-14s", name);
    orders_print(stdout, value);
    putchar('\n');
}

static void print_document(const struct order_case *order)
{
    static const char *const by[] = {"", "phone number", "username", "account"};
    const struct order_document *document = &order->document;
    char time[ORDER_TIME_TEXT];
    print_field("Reference", document->reference);
    print_field("Issued by", document->issuer);
    printf("%-14s%s, %s\n", "", tlog_authority_name(document->issuer_kind), document->jurisdiction);
    if (document->validator != NULL)
        print_field("Validated by", document->validator);
    print_field("Legal basis", document->legal_basis);
    printf("%-14s%s ", "About", by[document->recipient_kind]);
    orders_print(stdout, document->recipient);
    putchar('\n');
    for (size_t i = 0; i < document->asked_count; i++)
        print_field(i == 0 ? "Asks for" : "", document->asked[i]);
    order_time_write(document->issued_s, time);
    print_field("Issued", time);
    order_time_write(order->signer.time_s, time);
    print_field("Signed", time);
    print_field("By", order->signer.name);
    if (document->confidential_until_s != 0) {
        order_time_write(document->confidential_until_s, time);
        print_field("Confidential", time);
    }
    print_field("Answer to", document->answer_to);
    print_field("", document->answer_address);
}

/* What the case is, for people. */
static void print_case(const struct order_case *order)
{
    printf("%-14s", "Order");
    print_digest(stdout, &order->digest);
    putchar('\n');
    if (order->authority[0] != '\0')
        print_field("Authority", order->authority);
    if (order->has_document)
        print_document(order);
    if (order->refusal == ORDER_GOOD) {
        printf("The order is good: it can be answered.\n");
    } else {
        printf("The order cannot be answered (%s): ", order_refusal_name(order->refusal));
        orders_print(stdout, order->problem);
        printf(".\n");
    }
}

int command_order_check(struct command_line *line)
{
    struct opened opened;
    int code = open_order(line, &opened);
    if (code == EXIT_GOOD) {
        print_case(&opened.order);
        code = opened.order.refusal == ORDER_GOOD ? EXIT_GOOD : EXIT_REFUSED;
    }
    opened_free(&opened);
    return code;
}

static struct order_row row_of(const struct opened *opened, uint64_t now_s)
{
    struct order_row row = {.digest = opened->order.digest, .received_s = now_s, .leaf = -1};
    snprintf(row.authority, sizeof row.authority, "%s", opened->order.authority);
    if (opened->order.has_document)
        snprintf(row.reference, sizeof row.reference, "%s", opened->order.document.reference);
    return row;
}

int command_order_acknowledge(struct command_line *line)
{
    struct office *office = line->office;
    const uint64_t now_s = office->env->now(office->env->ctx);
    struct opened opened;
    int code = open_order(line, &opened);
    if (code == EXIT_GOOD && opened.order.refusal != ORDER_GOOD) {
        print_case(&opened.order);
        code = EXIT_REFUSED;
    }
    if (code == EXIT_GOOD) {
        const struct order_row row = row_of(&opened, now_s);
        sotto_error error =
            records_order_receive(&office->records, &row, sotto_buf_view(&opened.file));
        if (error == SOTTO_OK)
            error = records_order_acknowledge(&office->records, &row.digest, now_s);
        if (error != SOTTO_OK)
            code = orders_fail_office(office, error);
        else
            printf("The receipt is recorded. The order is to be decided with `sottod order answer` "
                   "or `refuse`.\n");
    }
    opened_free(&opened);
    return code;
}

/* ---- Approving ------------------------------------------------------------------------------ */

static bool read_seed(struct office *office, const char *path, uint8_t seed[static 32])
{
    size_t size = 0;
    sotto_buf text;
    sotto_buf_init(&text, office->env);
    bool good = office_read(office, path, 66, &text) == SOTTO_OK && text.size >= 64 &&
                sodium_hex2bin(seed, 32, (const char *)text.data, 64, NULL, &size, NULL) == 0 &&
                size == 32;
    sotto_buf_free(&text);
    return good;
}

/* The key file is the operator's own; that it belongs to the name is what the records say. */
static int approve(struct office *office, const struct opened *opened, const char *name,
                   const char *path)
{
    struct operator_key keys[RECORDS_OPERATORS_MAX];
    uint8_t seed[32], public_key[32], secret[64], signature[64];
    char text[ORDER_APPROVAL_TEXT];
    size_t count = 0, at = 0;
    sotto_error error = records_operators(&office->records, keys, &count);
    if (error != SOTTO_OK)
        return orders_fail_office(office, error);
    while (at < count && strcmp(keys[at].name, name) != 0)
        at++;
    if (at == count)
        return orders_fail("there is no operator %s", name);
    if (!read_seed(office, path, seed))
        return orders_fail("%.300s is no key as `sottod operator key` makes it", path);
    crypto_sign_seed_keypair(public_key, secret, seed);
    order_approval_text(&opened->order.digest, text);
    crypto_sign_detached(signature, NULL, (const uint8_t *)text, strlen(text), secret);
    wipe(seed, sizeof seed);
    wipe(secret, sizeof secret);
    if (memcmp(public_key, keys[at].public_key, sizeof public_key) != 0)
        return orders_fail("this is not the key that is enrolled for %s", name);
    const struct order_row row = row_of(opened, office->env->now(office->env->ctx));
    error = records_order_receive(&office->records, &row, sotto_buf_view(&opened->file));
    if (error == SOTTO_OK)
        error = records_approve(&office->records, &row.digest, name, signature);
    return error == SOTTO_OK ? EXIT_GOOD : orders_fail_office(office, error);
}

int command_order_approve(struct command_line *line)
{
    const char *name = args_value(line->args, "as"), *key = args_value(line->args, "key");
    char problem[ORDER_PROBLEM_MAX];
    struct opened opened;
    int code = open_order(line, &opened);
    if (code == EXIT_GOOD && (name == NULL || key == NULL))
        code = EXIT_USAGE;
    if (code == EXIT_GOOD) {
        print_case(&opened.order);
        code = opened.order.refusal == ORDER_GOOD ? approve(line->office, &opened, name, key)
                                                  : EXIT_REFUSED;
    }
    if (code == EXIT_GOOD) {
        if (order_approved(&line->office->records, &opened.order.digest, problem) == SOTTO_OK)
            printf("Approved by %s. It can be answered now.\n", name);
        else
            printf("Approved by %s; %s.\n", name, problem);
    }
    opened_free(&opened);
    return code;
}

/* ---- Deciding ------------------------------------------------------------------------------- */

/* What could keep an answer from being handed over is found before it is given. */
static int check_output(struct command_line *line, const struct opened *opened)
{
    const char *path = args_value(line->args, "out");
    if (path == NULL)
        return EXIT_USAGE;
    if (strcmp(path, "-") != 0 && access(path, F_OK) == 0)
        return orders_fail("%.400s is there already: an answer does not overwrite", path);
    if (!args_has(line->args, "encrypt"))
        return EXIT_GOOD;
    if (opened->order.signer.certificate == NULL)
        return orders_fail("there is nobody to encrypt for: the order is not signed well");
    if (!order_can_encrypt(opened->order.signer.certificate))
        return orders_fail("nothing can be encrypted for the signer's certificate: its key is "
                           "neither RSA nor of an elliptic curve");
    return EXIT_GOOD;
}

/* The signed answer; for nobody but the one who signed the order, if --encrypt is given. */
static int write_answer(struct command_line *line, const struct opened *opened, sotto_bytes answer)
{
    const char *path = args_value(line->args, "out");
    int code = EXIT_GOOD;
    sotto_buf sealed;
    sotto_buf_init(&sealed, line->office->env);
    if (args_has(line->args, "encrypt")) {
        if (order_encrypt(answer, opened->order.signer.certificate, &sealed) != SOTTO_OK)
            code = orders_fail("the answer cannot be encrypted; `sottod order show` has it");
        answer = sotto_buf_view(&sealed);
    }
    if (code == EXIT_GOOD && !orders_write(path, answer))
        code = EXIT_FAILED;
    sotto_buf_free(&sealed);
    return code;
}

static void print_decision(const struct decision *decision)
{
    printf("Decided: %s%s%s%s. Entry %" PRId64 " of the log.\n",
           tlog_outcome_name(decision->order.outcome),
           decision->gave_phone || decision->gave_ip ? ", with" : "",
           decision->gave_phone ? " the phone number" : "",
           decision->gave_ip
               ? decision->gave_phone ? " and the last IP address" : " the last IP address"
               : "",
           decision->order.leaf);
    if (decision->account_found && decision->notice_due_s != 0) {
        char until[ORDER_TIME_TEXT];
        order_time_write(decision->notice_due_s, until);
        printf("The person will be told on %.10s.\n", until);
    } else if (decision->account_found) {
        printf("The person is told now.\n");
    }
}

static int decide(struct command_line *line, const char *reason)
{
    struct office *office = line->office;
    const struct order_office as = {office->key.name, office->database, office->certificate,
                                    office->answer_key, office->env->now(office->env->ctx)};
    struct opened opened;
    struct decision decision;
    sotto_buf answer;
    sotto_buf_init(&answer, office->env);
    int code = open_order(line, &opened);
    if (code == EXIT_GOOD)
        code = check_output(line, &opened);
    if (code == EXIT_GOOD) {
        print_case(&opened.order);
        sotto_error error = order_decide(&office->records, &as, &opened.order,
                                         sotto_buf_view(&opened.file), reason, &decision, &answer);
        if (error == SOTTO_EXISTS) {
            printf("Nothing was read and nothing is recorded. `sottod order show` has the answer "
                   "that was given.\n");
            code = EXIT_REFUSED;
        } else if (error != SOTTO_OK) {
            code = orders_fail("%s", opened.order.problem[0] != '\0' ? opened.order.problem
                                                                     : sotto_error_text(error));
        }
    }
    if (code == EXIT_GOOD) {
        print_decision(&decision);
        code = write_answer(line, &opened, sotto_buf_view(&answer));
        const int published = orders_publish(office);
        code = code == EXIT_GOOD ? published : code;
        if (code == EXIT_GOOD && decision.order.outcome == TLOG_REFUSED && reason == NULL)
            code = EXIT_REFUSED;
    }
    sotto_buf_free(&answer);
    opened_free(&opened);
    return code;
}

int command_order_answer(struct command_line *line)
{
    return decide(line, NULL);
}

int command_order_refuse(struct command_line *line)
{
    const char *reason = args_value(line->args, "reason");
    return reason == NULL || reason[0] == '\0' || strlen(reason) > 1000 ? EXIT_USAGE
                                                                        : decide(line, reason);
}

/* ---- Looking back --------------------------------------------------------------------------- */

static bool print_row(void *ctx, const struct order_row *row)
{
    (void)ctx;
    char received[ORDER_TIME_TEXT];
    order_time_write(row->received_s, received);
    print_digest(stdout, &row->digest);
    printf(" %.10s %-17s ", received,
           row->leaf < 0 ? "undecided" : tlog_outcome_name(row->outcome));
    if (row->leaf >= 0)
        printf("entry %" PRId64 " ", row->leaf);
    orders_print(stdout, row->authority[0] != '\0' ? row->authority : "(unknown)");
    putchar(' ');
    orders_print(stdout, row->reference);
    putchar('\n');
    return true;
}

int command_order_list(struct command_line *line)
{
    sotto_error error = records_orders(&line->office->records, print_row, NULL);
    return error == SOTTO_OK ? EXIT_GOOD : orders_fail_office(line->office, error);
}

static bool read_digest(const char *text, struct tlog_hash *digest)
{
    size_t size = 0;
    return text != NULL && strlen(text) == 2 * TLOG_HASH_SIZE &&
           sodium_hex2bin(digest->bytes, TLOG_HASH_SIZE, text, 2 * TLOG_HASH_SIZE, NULL, &size,
                          NULL) == 0 &&
           size == TLOG_HASH_SIZE;
}

/* What the entry commits to, so that it can be opened before others. */
static void print_salts(const struct decision *decision)
{
    char hex[65];
    sodium_bin2hex(hex, sizeof hex, decision->order_salt, 32);
    printf("Salt of the order:  %s\n", hex);
    sodium_bin2hex(hex, sizeof hex, decision->answer_salt, 32);
    printf("Salt of the answer: %s\n", hex);
}

int command_order_show(struct command_line *line)
{
    const char *order_path = args_value(line->args, "order");
    const char *answer_path = args_value(line->args, "out");
    struct tlog_hash digest;
    struct decision decision;
    sotto_buf bytes;
    int code = EXIT_GOOD;
    if (!read_digest(line->args->words[2], &digest))
        return EXIT_USAGE;
    memset(&decision, 0, sizeof decision);
    sotto_buf_init(&bytes, line->office->env);
    sotto_error error = records_decision(&line->office->records, &digest, &decision, &bytes);
    if (error == SOTTO_NOT_FOUND)
        code = orders_fail("there is no decision of such an order, or its details were erased");
    else if (error != SOTTO_OK)
        code = orders_fail_office(line->office, error);
    if (code == EXIT_GOOD) {
        print_row(NULL, &decision.order);
        print_salts(&decision);
        if ((order_path != NULL && !orders_write(order_path, decision.file)) ||
            (answer_path != NULL && !orders_write(answer_path, decision.answer)))
            code = EXIT_FAILED;
    }
    sotto_buf_free(&bytes);
    return code;
}

int command_order_forget(struct command_line *line)
{
    struct tlog_hash digest;
    if (!read_digest(line->args->words[2], &digest))
        return EXIT_USAGE;
    sotto_error error = records_forget(&line->office->records, &digest);
    if (error == SOTTO_NOT_FOUND)
        return orders_fail("there is no decision of such an order, or its details were erased");
    if (error != SOTTO_OK)
        return orders_fail_office(line->office, error);
    printf(
        "Order, answer and salts are erased; the entry of the log stays, and cannot be opened any "
        "more.\n");
    return EXIT_GOOD;
}
