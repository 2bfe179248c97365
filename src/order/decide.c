#include "order/decide.h"

#include <stdarg.h>
#include <inttypes.h>
#include <string.h>

#include <sodium.h>

#include "order/words.h"
#include "tlog/notice.h"

enum { DAY_S = 86400 };

static const char *const refusal_names[] = {
    [ORDER_GOOD] = "good",
    [ORDER_UNSIGNED] = "unsigned",
    [ORDER_UNKNOWN_AUTHORITY] = "unknown_authority",
    [ORDER_BAD_DOCUMENT] = "bad_document",
    [ORDER_WRONG_JURISDICTION] = "wrong_jurisdiction",
    [ORDER_WRONG_KIND] = "wrong_kind",
    [ORDER_NOT_VALIDATED] = "not_validated",
    [ORDER_WRONG_DATE] = "wrong_date",
    [ORDER_REPEATED] = "repeated",
};

const char *order_refusal_name(enum order_refusal refusal)
{
    return refusal_names[refusal];
}

__attribute__((format(printf, 3, 4))) static void
refuse(struct order_case *order, enum order_refusal refusal, const char *format, ...)
{
    va_list args;
    order->refusal = refusal;
    va_start(args, format);
    vsnprintf(order->problem, sizeof order->problem, format, args);
    va_end(args);
}

static void hash_of(sotto_bytes bytes, struct tlog_hash *hash)
{
    crypto_hash_sha256(hash->bytes, bytes.data, bytes.size);
}

/* ---- Examining ------------------------------------------------------------------------------ */

/* The search for the authority that signed. */
struct search {
    struct order_case *order;
    struct order_signed *is_signed;
    const sotto_bytes *content;
    uint64_t now_s;
    size_t tried;
    bool found;
    struct authority authority;
    sotto_error error; /* of this machine */
    char problem[ORDER_PROBLEM_MAX];
};

static bool try_authority(void *ctx, const struct authority *authority)
{
    struct search *search = ctx;
    struct order_trust trust = {.now_s = search->now_s};
    char problem[ORDER_PROBLEM_MAX] = "";
    sotto_buf_clear(&search->order->content);
    sotto_error error =
        order_certificates_read(authority->certificates, &trust.certificates, problem);
    if (error == SOTTO_OK && authority->lists.size > 0)
        error = order_lists_read(authority->lists, &trust.lists, problem);
    if (error == SOTTO_OK)
        error = order_signed_check(search->is_signed, search->content, &trust,
                                   &search->order->content, &search->order->signer, problem);
    sk_X509_pop_free(trust.certificates, X509_free);
    sk_X509_CRL_pop_free(trust.lists, X509_CRL_free);
    search->tried++;
    if (error == SOTTO_OK) {
        search->found = true;
        search->authority = *authority;
        search->authority.certificates = search->authority.lists = sotto_bytes_of(NULL, 0);
        return false;
    }
    if (error != SOTTO_SIGNATURE && error != SOTTO_VALUE) {
        search->error = error;
        return false;
    }
    /* Of several, the one that got furthest says most; a chain that leads elsewhere says least. */
    if (search->problem[0] == '\0' || strstr(search->problem, "issuer certificate") != NULL)
        memcpy(search->problem, problem, sizeof search->problem);
    return true;
}

static void check_authority(struct order_case *order, const struct authority *authority)
{
    const struct order_document *document = &order->document;
    if (!words_have(authority->jurisdictions, document->jurisdiction)) {
        refuse(order, ORDER_WRONG_JURISDICTION, "%s may order for %s, and not for %s",
               authority->name, authority->jurisdictions, document->jurisdiction);
        return;
    }
    if ((authority->kinds & 1u << document->issuer_kind) == 0) {
        refuse(order, ORDER_WRONG_KIND, "%s is not enrolled as a %s", authority->name,
               tlog_authority_name(document->issuer_kind));
        return;
    }
    /* Regulation (EU) 2023/1543, Article 4(1): data that identify a person may be ordered by a
     * judge, a court or a prosecutor, or by another authority if one of these validated it. */
    const bool judicial = document->issuer_kind == TLOG_AUTHORITY_COURT ||
                          document->issuer_kind == TLOG_AUTHORITY_PROSECUTOR;
    const bool validated =
        document->validator != NULL && (document->validator_kind == TLOG_AUTHORITY_COURT ||
                                        document->validator_kind == TLOG_AUTHORITY_PROSECUTOR);
    if (document->framework == ORDER_E_EVIDENCE && !judicial && !validated)
        refuse(order, ORDER_NOT_VALIDATED,
               "an order under Regulation (EU) 2023/1543 by a %s has to be validated by a judge, a "
               "court or a prosecutor (validatedBy)",
               tlog_authority_name(document->issuer_kind));
}

static void check_dates(struct order_case *order, uint64_t now_s)
{
    const struct order_document *document = &order->document;
    if (document->issued_s > now_s + DAY_S)
        refuse(order, ORDER_WRONG_DATE, "the order is issued at a time that is still to come");
    else if (document->issued_s > order->signer.time_s + DAY_S)
        refuse(order, ORDER_WRONG_DATE, "the order was signed before it was issued");
    else if (order->signer.time_s + ORDER_AGE_MAX_S < now_s)
        refuse(order, ORDER_WRONG_DATE,
               "the order was signed more than %d days ago: it has to be "
               "issued anew",
               ORDER_AGE_MAX_S / DAY_S);
    else if (document->confidential_until_s > document->issued_s + ORDER_CONFIDENTIAL_MAX_S)
        refuse(order, ORDER_WRONG_DATE, "the order is to be confidential for more than five years");
}

static sotto_error check_repeated(struct records *records, struct order_case *order)
{
    struct order_row row;
    memset(&row, 0, sizeof row);
    sotto_error error = records_order_get(records, &order->digest, &row);
    if (error == SOTTO_NOT_FOUND || (error == SOTTO_OK && row.leaf < 0))
        error = order->has_document
                    ? records_order_same(records, order->authority, order->document.reference,
                                         &order->digest, &row)
                    : SOTTO_NOT_FOUND;
    if (error == SOTTO_NOT_FOUND)
        return SOTTO_OK;
    if (error != SOTTO_OK)
        return error;
    char when[ORDER_TIME_TEXT];
    order_time_write(row.decided_s, when);
    order->earlier = row.leaf;
    refuse(order, ORDER_REPEATED,
           "%s was decided on %.10s (entry %" PRId64 " of the log, %s): an order is answered once",
           memcmp(row.digest.bytes, order->digest.bytes, TLOG_HASH_SIZE) == 0
               ? "this order"
               : "another order of this authority with the same reference",
           when, row.leaf, tlog_outcome_name(row.outcome));
    return SOTTO_OK;
}

sotto_error order_examine(struct records *records, sotto_bytes file, const sotto_bytes *content,
                          uint64_t now_s, struct order_case *order)
{
    struct order_signed is_signed = {0};
    memset(order, 0, sizeof *order);
    order->earlier = -1;
    sotto_buf_init(&order->content, records->env);
    hash_of(file, &order->digest);
    sotto_error error = order_signed_read(file, &is_signed, order->problem);
    if (error == SOTTO_VALUE) {
        order->refusal = ORDER_UNSIGNED;
        return check_repeated(records, order);
    }
    if (error != SOTTO_OK)
        return error;
    struct search search = {order, &is_signed,   content,  now_s, 0,
                            false, {.name = ""}, SOTTO_OK, ""};
    error = records_authorities(records, try_authority, &search);
    if (error == SOTTO_OK)
        error = search.error;
    order_signed_free(&is_signed);
    if (error != SOTTO_OK)
        return error;
    if (!search.found) {
        refuse(order, ORDER_UNKNOWN_AUTHORITY, "%s",
               search.tried == 0 ? "no authority is enrolled (sottod authority add)"
                                 : search.problem);
        return check_repeated(records, order);
    }
    memcpy(order->authority, search.authority.name, sizeof order->authority);
    hash_of(sotto_buf_view(&order->content), &order->digest);
    if (order_document_read(sotto_buf_view(&order->content), &order->document, order->problem) !=
        SOTTO_OK) {
        order->refusal = ORDER_BAD_DOCUMENT;
        return check_repeated(records, order);
    }
    order->has_document = true;
    check_authority(order, &search.authority);
    if (order->refusal == ORDER_GOOD)
        check_dates(order, now_s);
    /* Last, so that it is known of what was refused as well: nothing is decided twice. */
    return check_repeated(records, order);
}

void order_case_free(struct order_case *order)
{
    order_document_free(&order->document);
    X509_free(order->signer.certificate);
    order->signer.certificate = NULL;
    sotto_buf_free(&order->content);
}

/* ---- Approvals ------------------------------------------------------------------------------ */

void order_approval_text(const struct tlog_hash *digest, char text[static ORDER_APPROVAL_TEXT])
{
    char hex[2 * TLOG_HASH_SIZE + 1];
    sodium_bin2hex(hex, sizeof hex, digest->bytes, TLOG_HASH_SIZE);
    snprintf(text, ORDER_APPROVAL_TEXT,
             "sotto: I have read the order with this SHA-256 and approve that it is answered\n%s\n",
             hex);
}

sotto_error order_approved(struct records *records, const struct tlog_hash *digest,
                           char problem[static ORDER_PROBLEM_MAX])
{
    struct approval approvals[RECORDS_OPERATORS_MAX];
    struct operator_key operators[RECORDS_OPERATORS_MAX];
    size_t given = 0, known = 0;
    uint32_t needed = 0, good = 0;
    char text[ORDER_APPROVAL_TEXT];
    TRY(records_approvals_needed(records, &needed));
    if (needed == 0)
        return SOTTO_OK;
    TRY(records_approvals(records, digest, approvals, &given));
    TRY(records_operators(records, operators, &known));
    order_approval_text(digest, text);
    /* Of each operator one counts, and only one that verifies with the key that is enrolled now. */
    for (size_t i = 0; i < known; i++)
        for (size_t k = 0; k < given; k++)
            if (strcmp(operators[i].name, approvals[k].name) == 0 &&
                crypto_sign_verify_detached(approvals[k].signature, (const uint8_t *)text,
                                            strlen(text), operators[i].public_key) == 0)
                good++;
    if (good >= needed)
        return SOTTO_OK;
    snprintf(problem, ORDER_PROBLEM_MAX,
             "%" PRIu32 " of %" PRIu32 " approvals are there: the others come with `sottod order "
             "approve`",
             good, needed);
    return SOTTO_STATE;
}

/* ---- The answer ----------------------------------------------------------------------------- */

/* Why something is not held: the first that the order's word contains. */
static const struct {
    const char *part, *because;
} reasons[] = {
    {"content", "Messages and files are encrypted from device to device. The relay has no key, and "
                "keeps ciphertext without a sender."},
    {"message", "Messages are encrypted from device to device. The relay has no key, and keeps "
                "ciphertext without a sender."},
    {"file", "Files are encrypted from device to device. The relay has no key, and does not know "
             "whose they are."},
    {"contact", "The relay does not know who knows whom: contact lists exist on devices only."},
    {"group", "The relay does not know who is in which conversation."},
    {"member", "The relay does not know who is in which conversation."},
    {"conversation", "The relay does not know who is in which conversation."},
    {"traffic", "The relay keeps no record of who wrote to whom, or when."},
    {"log", "The relay's logs hold no identifiers."},
    {"location", "The relay never learns where a device is."},
    {"ip", "The relay keeps the last IP address of an account and no earlier ones."},
    {"name", "Names and pictures exist on devices only."},
    {"picture", "Names and pictures exist on devices only."},
    {"mail", "The relay never asks for an e-mail address."},
    {"payment", "The relay takes no payments."},
    {"password", "There are no passwords: devices sign with keys that never leave them."},
    {"key", "Private keys never leave the devices."},
};

static const char *because(const char *asked)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (strstr(asked, reasons[i].part) != NULL)
            return reasons[i].because;
    return "About a person the relay holds a phone number and a last IP address, and nothing else.";
}

struct making {
    const struct order_office *office;
    const struct order_case *order;
    const char *reason;
    enum tlog_outcome outcome;
    struct disclosure disclosure;
    bool gives_phone, gives_ip;
    sotto_buf *answer; /* signed; the decision's */
    size_t answer_at;
    sotto_buf notice;
};

static sotto_error put_not_held(json_t *list, const char *asked, const char *why)
{
    json_t *one = json_pack("{s:s, s:s}", "asked", asked, "because", why);
    return one != NULL && json_array_append_new(list, one) == 0 ? SOTTO_OK : SOTTO_NO_MEMORY;
}

/* Everything that the order asked for and does not get, each with its reason. */
static sotto_error list_not_held(const struct making *making, json_t *list)
{
    const struct order_document *document = &making->order->document;
    for (size_t i = 0; i < document->asked_count; i++) {
        const char *asked = document->asked[i];
        if (strcmp(asked, ORDER_PHONE_NUMBER) == 0) {
            if (!making->gives_phone)
                TRY(put_not_held(list, asked, "The account has no phone number."));
        } else if (strcmp(asked, ORDER_LAST_IP) == 0) {
            if (!making->gives_ip)
                TRY(put_not_held(list, asked,
                                 making->disclosure.last_ip[0] == '\0'
                                     ? "The relay does not hold an IP address of this account."
                                     : "The last IP address is not of the period that the order "
                                       "names, and the relay keeps no earlier ones."));
        } else {
            TRY(put_not_held(list, asked, because(asked)));
        }
    }
    return SOTTO_OK;
}

static bool set_new(json_t *object, const char *name, json_t *value)
{
    return value != NULL && json_object_set_new(object, name, value) == 0;
}

static sotto_error fill_answer(const struct making *making, uint64_t index, json_t *root)
{
    char when[ORDER_TIME_TEXT], digest[2 * TLOG_HASH_SIZE + 1];
    const struct order_case *order = making->order;
    order_time_write(making->office->now_s, when);
    sodium_bin2hex(digest, sizeof digest, order->digest.bytes, TLOG_HASH_SIZE);
    json_t *about = json_pack("{s:s}", "sha256", digest);
    bool good = set_new(root, "sotto", json_string("answer")) &&
                set_new(root, "version", json_integer(1)) &&
                (!order->has_document ||
                 set_new(about, "reference", json_string(order->document.reference))) &&
                set_new(root, "order", about) && set_new(root, "decided", json_string(when)) &&
                set_new(root, "outcome", json_string(tlog_outcome_name(making->outcome)));
    if (!good)
        return SOTTO_NO_MEMORY;
    if (making->outcome == TLOG_REFUSED) {
        const bool own = order->refusal == ORDER_GOOD;
        good = set_new(root, "refusal",
                       json_string(own ? "declined" : order_refusal_name(order->refusal))) &&
               set_new(root, "because", json_string(own ? making->reason : order->problem));
    } else if (making->outcome == TLOG_UNKNOWN_RECIPIENT) {
        good = set_new(root, "because", json_string("The relay has no such account."));
    } else {
        json_t *not_held = json_array();
        if (making->gives_phone)
            good = set_new(root, ORDER_PHONE_NUMBER, json_string(making->disclosure.phone_number));
        if (good && making->gives_ip) {
            order_time_write(making->disclosure.last_ip_s, when);
            good = set_new(
                root, ORDER_LAST_IP,
                json_pack("{s:s, s:s}", "address", making->disclosure.last_ip, "time", when));
        }
        sotto_error error = list_not_held(making, not_held);
        good = set_new(root, "notHeld", not_held) && good;
        if (error != SOTTO_OK)
            return error;
    }
    good = good && set_new(root, "log",
                           json_pack("{s:s, s:I}", "origin", making->office->origin, "entry",
                                     (json_int_t)index));
    return good ? SOTTO_OK : SOTTO_NO_MEMORY;
}

static sotto_error make_answer(struct making *making, uint64_t index)
{
    json_t *root = json_object();
    sotto_error error = root == NULL ? SOTTO_NO_MEMORY : fill_answer(making, index, root);
    char *text = error != SOTTO_OK ? NULL : json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    json_decref(root);
    if (error == SOTTO_OK && text == NULL)
        error = SOTTO_NO_MEMORY;
    if (error == SOTTO_OK)
        error = order_sign(sotto_bytes_str(text), making->office->certificate, making->office->key,
                           making->answer);
    if (text != NULL)
        wipe(text, strlen(text));
    free(text);
    return error;
}

/* ---- Telling the person --------------------------------------------------------------------- */

/* What was asked for, a line for each. */
static sotto_error put_asked(const struct order_document *document, sotto_buf *out)
{
    static const uint8_t newline = '\n', end = 0;
    for (size_t i = 0; i < document->asked_count; i++) {
        if (i > 0)
            TRY(sotto_buf_append(out, &newline, 1));
        TRY(sotto_buf_append(out, (const uint8_t *)document->asked[i], strlen(document->asked[i])));
    }
    return sotto_buf_append(out, &end, 1);
}

static sotto_error put_notice(const struct order_case *order, const struct decision *decision,
                              const struct tlog_leaf *leaf, const char *origin, sotto_buf *out)
{
    const struct order_document *document = &order->document;
    sotto_buf asked;
    struct tlog_notice notice = {
        .type = TLOG_LEAF_ORDER,
        .entry = (uint64_t)decision->order.leaf,
        .authority = leaf->authority,
        .outcome = leaf->outcome,
        .phone_number = leaf->phone_number,
        .last_ip = leaf->last_ip,
        .issuer = document->issuer,
        .reference = document->reference,
        .basis = document->legal_basis,
        .reasons = document->reasons,
        .reasons_withheld = document->reasons_withheld,
        .redress = document->redress,
    };
    memcpy(notice.account, decision->account, sizeof notice.account);
    snprintf(notice.log, sizeof notice.log, "%s", origin);
    memcpy(notice.date, leaf->date, sizeof notice.date);
    memcpy(notice.jurisdiction, leaf->jurisdiction, sizeof notice.jurisdiction);
    sotto_buf_init(&asked, out->env);
    sotto_error error = put_asked(document, &asked);
    notice.asked = (const char *)asked.data;
    if (error == SOTTO_OK)
        error = tlog_notice_write(&notice, out);
    sotto_buf_free(&asked);
    return error;
}

/* ---- Deciding ------------------------------------------------------------------------------- */

/* The log's entry; and the answer, which it commits to and which names it. */
static sotto_error make_entry(void *ctx, uint64_t index, struct decision *decision,
                              sotto_buf *entry)
{
    struct making *making = ctx;
    const struct order_case *order = making->order;
    const bool known = order->authority[0] != '\0' && order->has_document;
    char now[ORDER_TIME_TEXT];
    struct tlog_leaf leaf = {
        .type = TLOG_LEAF_ORDER,
        .authority = known ? order->document.issuer_kind : TLOG_AUTHORITY_UNKNOWN,
        .outcome = making->outcome,
        .phone_number = making->gives_phone,
        .last_ip = making->gives_ip,
        .acknowledged_s = decision->order.acknowledged_s - decision->order.received_s,
        .answered_s = decision->order.decided_s - decision->order.received_s,
    };
    order_time_write(making->office->now_s, now);
    memcpy(leaf.date, now, 10);
    snprintf(leaf.jurisdiction, sizeof leaf.jurisdiction, "%s",
             known ? order->document.jurisdiction : "unknown");
    TRY(make_answer(making, index));
    decision->answer = sotto_bytes_of(making->answer->data + making->answer_at,
                                      making->answer->size - making->answer_at);
    if (making->outcome == TLOG_ANSWERED || making->outcome == TLOG_NOT_HELD) {
        decision->account_found = true;
        decision->gave_phone = making->gives_phone;
        decision->gave_ip = making->gives_ip;
        memcpy(decision->account, making->disclosure.account, sizeof decision->account);
        TRY(put_notice(order, decision, &leaf, making->office->origin, &making->notice));
        decision->notice = sotto_buf_view(&making->notice);
        decision->notice_due_s = order->document.confidential_until_s;
    }
    tlog_commit(decision->order_salt, decision->file, &leaf.order);
    tlog_commit(decision->answer_salt, decision->answer, &leaf.answer);
    return tlog_leaf_write(&leaf, entry);
}

/* What is held of what was asked for; the only place where the door is opened. */
static sotto_error look(const struct order_office *office, struct order_case *order,
                        struct making *making)
{
    const struct order_document *document = &order->document;
    struct disclosure_door door = {0};
    TRY(disclosure_open(office->database, &door, order->problem));
    sotto_error error =
        disclosure_find(&door, document->recipient_kind, document->recipient, &making->disclosure);
    disclosure_close(&door);
    if (error == SOTTO_NOT_FOUND) {
        making->outcome = TLOG_UNKNOWN_RECIPIENT;
        return SOTTO_OK;
    }
    if (error != SOTTO_OK) {
        snprintf(order->problem, sizeof order->problem, "the relay's database cannot be read");
        return error;
    }
    const struct disclosure *found = &making->disclosure;
    const bool in_period = !document->has_period || (found->last_ip_s >= document->period_from_s &&
                                                     found->last_ip_s <= document->period_to_s);
    making->gives_phone =
        order_asks_for(document, ORDER_PHONE_NUMBER) && found->phone_number[0] != '\0';
    making->gives_ip =
        order_asks_for(document, ORDER_LAST_IP) && found->last_ip[0] != '\0' && in_period;
    making->outcome = making->gives_phone || making->gives_ip ? TLOG_ANSWERED : TLOG_NOT_HELD;
    return SOTTO_OK;
}

sotto_error order_decide(struct records *records, const struct order_office *office,
                         struct order_case *order, sotto_bytes file, const char *reason,
                         struct decision *decision, sotto_buf *answer)
{
    struct making making = {.office = office,
                            .order = order,
                            .reason = reason,
                            .outcome = TLOG_REFUSED,
                            .answer = answer,
                            .answer_at = answer->size};
    struct order_row known;
    memset(decision, 0, sizeof *decision);
    memset(&known, 0, sizeof known);
    sotto_buf_init(&making.notice, records->env);
    if (order->earlier >= 0)
        return SOTTO_EXISTS;
    sotto_error error = SOTTO_OK;
    if (order->refusal == ORDER_GOOD && reason == NULL) {
        error = order_approved(records, &order->digest, order->problem);
        if (error == SOTTO_OK)
            error = look(office, order, &making);
    }
    if (error == SOTTO_OK)
        error = records_order_get(records, &order->digest, &known);
    if (error == SOTTO_OK)
        decision->order = known;
    else if (error == SOTTO_NOT_FOUND)
        error = SOTTO_OK;
    struct order_row *row = &decision->order;
    row->digest = order->digest;
    if (order->has_document)
        snprintf(row->reference, sizeof row->reference, "%s", order->document.reference);
    snprintf(row->authority, sizeof row->authority, "%s", order->authority);
    if (row->received_s == 0 || row->received_s > office->now_s)
        row->received_s = office->now_s;
    if (row->acknowledged_s < row->received_s)
        row->acknowledged_s = office->now_s;
    row->decided_s = office->now_s;
    row->outcome = making.outcome;
    decision->file = file;
    if (error == SOTTO_OK)
        error = records->env->random(records->env->ctx, decision->order_salt,
                                     sizeof decision->order_salt);
    if (error == SOTTO_OK)
        error = records->env->random(records->env->ctx, decision->answer_salt,
                                     sizeof decision->answer_salt);
    if (error == SOTTO_OK)
        error = records_decide(records, decision, make_entry, &making);
    if (error != SOTTO_OK && order->problem[0] == '\0')
        snprintf(order->problem, sizeof order->problem, "%s", records->problem);
    decision->notice = sotto_bytes_of(NULL, 0);
    sotto_buf_free(&making.notice);
    wipe(&making.disclosure, sizeof making.disclosure);
    return error;
}
