#include "tlog/leaf.h"

#include <inttypes.h>
#include <string.h>

#include <sodium.h>

static const char *const types[] = {"", "order", "withdrawal", "staying", "left"};
static const char *const authorities[] = {"",           "unknown", "court",
                                          "prosecutor", "police",  "administrative"};
static const char *const outcomes[] = {"", "answered", "not_held", "unknown_recipient", "refused"};
static const char *const givens[] = {"nothing", "phone_number", "last_ip", "phone_number last_ip"};

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

const char *tlog_leaf_type_name(enum tlog_leaf_type type)
{
    return types[type];
}

const char *tlog_given_name(bool phone_number, bool last_ip)
{
    return givens[(phone_number ? 1 : 0) | (last_ip ? 2 : 0)];
}

const char *tlog_authority_name(enum tlog_authority authority)
{
    return authorities[authority];
}

const char *tlog_outcome_name(enum tlog_outcome outcome)
{
    return outcomes[outcome];
}

/* The place of text among names, counted from 0; count: it is not there. */
static size_t place_of(sotto_bytes text, const char *const *names, size_t count)
{
    size_t i = 0;
    while (i < count && !sotto_bytes_equal(text, sotto_bytes_str(names[i])))
        i++;
    return text.size == 0 ? count : i;
}

enum tlog_leaf_type tlog_leaf_type_named(sotto_bytes name)
{
    const size_t place = place_of(name, types, COUNT_OF(types));
    return place < COUNT_OF(types) ? (enum tlog_leaf_type)place : (enum tlog_leaf_type)0;
}

enum tlog_authority tlog_authority_named(sotto_bytes name)
{
    const size_t place = place_of(name, authorities, COUNT_OF(authorities));
    return place < COUNT_OF(authorities) ? (enum tlog_authority)place : (enum tlog_authority)0;
}

bool tlog_is_date(const char *text)
{
    static const char form[] = "dddd-dd-dd";
    static const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (strlen(text) != sizeof form - 1)
        return false;
    for (size_t i = 0; i < sizeof form - 1; i++)
        if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    const unsigned year = (unsigned)strtoul(text, NULL, 10);
    const unsigned month = (unsigned)strtoul(text + 5, NULL, 10);
    const unsigned day = (unsigned)strtoul(text + 8, NULL, 10);
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return year >= 1970 && month >= 1 && month <= 12 && day >= 1 &&
           day <= days[month - 1] + (month == 2 && leap ? 1 : 0);
}

bool tlog_is_jurisdiction(sotto_bytes text)
{
    if (text.size < 2 || text.size > TLOG_JURISDICTION_MAX)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-'))
            return false;
    }
    return true;
}

void tlog_commit(const uint8_t salt[static 32], sotto_bytes bytes, struct tlog_hash *out)
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, salt, 32);
    crypto_hash_sha256_update(&state, bytes.data, bytes.size);
    crypto_hash_sha256_final(&state, out->bytes);
}

/* ---- Writing -------------------------------------------------------------------------------- */

static bool is_line(const char *text)
{
    for (; *text != '\0'; text++)
        if ((uint8_t)*text < 0x20 || (uint8_t)*text == 0x7F)
            return false;
    return true;
}

static bool is_valid(const struct tlog_leaf *leaf)
{
    if (!tlog_is_date(leaf->date) || !tlog_is_jurisdiction(sotto_bytes_str(leaf->jurisdiction)))
        return false;
    if (leaf->type != TLOG_LEAF_ORDER)
        return leaf->type >= TLOG_LEAF_WITHDRAWAL && leaf->type <= TLOG_LEAF_LEFT &&
               tlog_is_date(leaf->on) && is_line(leaf->reason);
    const bool unknown = leaf->authority == TLOG_AUTHORITY_UNKNOWN;
    return leaf->authority >= TLOG_AUTHORITY_UNKNOWN &&
           leaf->authority <= TLOG_AUTHORITY_ADMINISTRATIVE && leaf->outcome >= TLOG_ANSWERED &&
           leaf->outcome <= TLOG_REFUSED &&
           /* Nothing is given but in an answer, and none is given to strangers. */
           (leaf->outcome == TLOG_ANSWERED || (!leaf->phone_number && !leaf->last_ip)) &&
           (!unknown || leaf->outcome == TLOG_REFUSED) && leaf->acknowledged_s <= INT64_MAX &&
           leaf->answered_s <= INT64_MAX;
}

/* Into text; the size, or 0: not valid. */
static size_t put(const struct tlog_leaf *leaf, char text[static TLOG_LEAF_MAX])
{
    char order[2 * TLOG_HASH_SIZE + 1], answer[2 * TLOG_HASH_SIZE + 1];
    if (!is_valid(leaf))
        return 0;
    int size = snprintf(text, TLOG_LEAF_MAX, "sotto log v1\ntype %s\ndate %s\njurisdiction %s\n",
                        types[leaf->type], leaf->date, leaf->jurisdiction);
    char *const rest = text + size;
    const size_t room = TLOG_LEAF_MAX - (size_t)size;
    if (leaf->type == TLOG_LEAF_ORDER) {
        sodium_bin2hex(order, sizeof order, leaf->order.bytes, TLOG_HASH_SIZE);
        sodium_bin2hex(answer, sizeof answer, leaf->answer.bytes, TLOG_HASH_SIZE);
        size += snprintf(rest, room,
                         "authority %s\noutcome %s\ngiven %s\nacknowledged %" PRIu64
                         "\nanswered %" PRIu64 "\norder %s\nanswer %s\n",
                         authorities[leaf->authority], outcomes[leaf->outcome],
                         tlog_given_name(leaf->phone_number, leaf->last_ip), leaf->acknowledged_s,
                         leaf->answered_s, order, answer);
    } else {
        size += snprintf(rest, room, "on %s\nreason %s\n", leaf->on, leaf->reason);
    }
    return (size_t)size;
}

sotto_error tlog_leaf_write(const struct tlog_leaf *leaf, sotto_buf *out)
{
    char text[TLOG_LEAF_MAX];
    const size_t size = put(leaf, text);
    return size == 0 ? SOTTO_VALUE : sotto_buf_append(out, (const uint8_t *)text, size);
}

/* ---- Reading -------------------------------------------------------------------------------- */

/* The value of the line that text begins with and that has this name. */
static bool take(sotto_bytes *text, const char *name, sotto_bytes *value)
{
    const size_t size = strlen(name);
    const uint8_t *end = text->size == 0 ? NULL : memchr(text->data, '\n', text->size);
    if (end == NULL || (size_t)(end - text->data) < size + 1 ||
        memcmp(text->data, name, size) != 0 || text->data[size] != ' ')
        return false;
    *value = sotto_bytes_of(text->data + size + 1, (size_t)(end - text->data) - size - 1);
    *text = sotto_bytes_of(end + 1, text->size - (size_t)(end + 1 - text->data));
    return true;
}

static bool take_text(sotto_bytes *text, const char *name, char *out, size_t size)
{
    sotto_bytes value;
    if (!take(text, name, &value) || value.size >= size)
        return false;
    memcpy(out, value.data, value.size);
    out[value.size] = '\0';
    return strlen(out) == value.size;
}

static bool take_place(sotto_bytes *text, const char *name, const char *const *names, size_t count,
                       size_t *place)
{
    sotto_bytes value;
    return take(text, name, &value) && (*place = place_of(value, names, count)) < count;
}

static bool take_number(sotto_bytes *text, const char *name, uint64_t *number)
{
    sotto_bytes value;
    if (!take(text, name, &value) || value.size == 0 || value.size > 18)
        return false;
    *number = 0;
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return false;
        *number = *number * 10 + (uint64_t)(value.data[i] - '0');
    }
    return true;
}

static bool take_hash(sotto_bytes *text, const char *name, struct tlog_hash *hash)
{
    sotto_bytes value;
    size_t size = 0;
    return take(text, name, &value) && value.size == 2 * TLOG_HASH_SIZE &&
           sodium_hex2bin(hash->bytes, TLOG_HASH_SIZE, (const char *)value.data, value.size, NULL,
                          &size, NULL) == 0 &&
           size == TLOG_HASH_SIZE;
}

static bool take_order(sotto_bytes *text, struct tlog_leaf *leaf)
{
    size_t authority, outcome, given;
    if (!take_place(text, "authority", authorities, COUNT_OF(authorities), &authority) ||
        !take_place(text, "outcome", outcomes, COUNT_OF(outcomes), &outcome) ||
        !take_place(text, "given", givens, COUNT_OF(givens), &given))
        return false;
    leaf->authority = (enum tlog_authority)authority;
    leaf->outcome = (enum tlog_outcome)outcome;
    leaf->phone_number = (given & 1) != 0;
    leaf->last_ip = (given & 2) != 0;
    return take_number(text, "acknowledged", &leaf->acknowledged_s) &&
           take_number(text, "answered", &leaf->answered_s) &&
           take_hash(text, "order", &leaf->order) && take_hash(text, "answer", &leaf->answer);
}

sotto_error tlog_leaf_read(sotto_bytes entry, struct tlog_leaf *leaf)
{
    static const char head[] = "sotto log v1\n";
    struct tlog_leaf read;
    size_t type;
    sotto_bytes text = entry;
    memset(&read, 0, sizeof read);
    if (text.size > TLOG_LEAF_MAX)
        return SOTTO_VALUE;
    if (text.size < sizeof head - 1 || memcmp(text.data, head, sizeof head - 1) != 0)
        return SOTTO_VERSION;
    text = sotto_bytes_of(text.data + sizeof head - 1, text.size - sizeof head + 1);
    if (!take_place(&text, "type", types, COUNT_OF(types), &type))
        return SOTTO_VERSION;
    read.type = (enum tlog_leaf_type)type;
    if (!take_text(&text, "date", read.date, sizeof read.date) ||
        !take_text(&text, "jurisdiction", read.jurisdiction, sizeof read.jurisdiction))
        return SOTTO_VALUE;
    if (read.type == TLOG_LEAF_ORDER
            ? !take_order(&text, &read)
            : !take_text(&text, "on", read.on, sizeof read.on) ||
                  !take_text(&text, "reason", read.reason, sizeof read.reason))
        return SOTTO_VALUE;
    /* One text for one meaning: what is written again is the same. */
    char again[TLOG_LEAF_MAX];
    const size_t size = put(&read, again);
    if (size != entry.size || memcmp(again, entry.data, size) != 0)
        return SOTTO_VALUE;
    *leaf = read;
    return SOTTO_OK;
}
