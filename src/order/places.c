#include "order/places.h"

#include <stdlib.h>
#include <string.h>

/* Country codes and what is behind them where several share one: ITU-T E.164 (assigned country
 * codes, as of 2024), the area codes of the North American Numbering Plan, and the ranges that the
 * numbering plans of +7, +39, +44, +47, +61, +64, +212, +262, +290, +358 and +599 give to others
 * than the country that the code is named after. Compared with the example numbers of
 * libphonenumber 9.0.43: of 734 in 245 places all lead to theirs, but for mobile numbers of AX, CC,
 * CX, EH, SJ and VA, which nothing tells from those of the country they share. */
static const struct {
    const char *jurisdiction, *codes;
} places[] = {
    {"AC", "247"},
    {"AD", "376"},
    {"AE", "971"},
    {"AF", "93"},
    {"AG", "1268"},
    {"AI", "1264"},
    {"AL", "355"},
    {"AM", "374"},
    {"AO", "244"},
    {"AR", "54"},
    {"AS", "1684"},
    {"AT", "43"},
    {"AU", "61"},
    {"AW", "297"},
    {"AX", "35818"},
    {"AZ", "994"},
    {"BA", "387"},
    {"BB", "1246"},
    {"BD", "880"},
    {"BE", "32"},
    {"BF", "226"},
    {"BG", "359"},
    {"BH", "973"},
    {"BI", "257"},
    {"BJ", "229"},
    {"BL", "590"},
    {"BM", "1441"},
    {"BN", "673"},
    {"BO", "591"},
    {"BQ", "5993 5994 5997"},
    {"BR", "55"},
    {"BS", "1242"},
    {"BT", "975"},
    {"BW", "267"},
    {"BY", "375"},
    {"BZ", "501"},
    {"CA", "1204 1226 1236 1249 1250 1257 1263 1289 1306 1343 1354 1365 1367 1368 1382 1403 1416 "
           "1418 1428 1431 1437 1438 1450 1468 1474 1506 1514 1519 1548 1579 1581 1584 1587 1600 "
           "1604 1613 1622 1633 1639 1644 1647 1655 1672 1677 1683 1688 1705 1709 1742 1753 1778 "
           "1780 1782 1807 1819 1825 1867 1873 1879 1902 1905 1942"},
    {"CC", "6189162"},
    {"CD", "243"},
    {"CF", "236"},
    {"CG", "242"},
    {"CH", "41"},
    {"CI", "225"},
    {"CK", "682"},
    {"CL", "56"},
    {"CM", "237"},
    {"CN", "86"},
    {"CO", "57"},
    {"CR", "506"},
    {"CU", "53"},
    {"CV", "238"},
    {"CW", "5999"},
    {"CX", "6189164"},
    {"CY", "357"},
    {"CZ", "420"},
    {"DE", "49"},
    {"DJ", "253"},
    {"DK", "45"},
    {"DM", "1767"},
    {"DO", "1809 1829 1849"},
    {"DZ", "213"},
    {"EC", "593"},
    {"EE", "372"},
    {"EG", "20"},
    {"EH", "2125288 2125289"},
    {"ER", "291"},
    {"ES", "34"},
    {"ET", "251"},
    {"FI", "358"},
    {"FJ", "679"},
    {"FK", "500"},
    {"FM", "691"},
    {"FO", "298"},
    {"FR", "33"},
    {"GA", "241"},
    {"GB", "44"},
    {"GD", "1473"},
    {"GE", "995"},
    {"GF", "594"},
    {"GG", "441481 447781 447839 4479111 4479117"},
    {"GH", "233"},
    {"GI", "350"},
    {"GL", "299"},
    {"GM", "220"},
    {"GN", "224"},
    {"GP", "590"},
    {"GQ", "240"},
    {"GR", "30"},
    {"GT", "502"},
    {"GU", "1671"},
    {"GW", "245"},
    {"GY", "592"},
    {"HK", "852"},
    {"HN", "504"},
    {"HR", "385"},
    {"HT", "509"},
    {"HU", "36"},
    {"ID", "62"},
    {"IE", "353"},
    {"IL", "972"},
    {"IM", "441624 4474576 447524 447624 447924"},
    {"IN", "91"},
    {"IO", "246"},
    {"IQ", "964"},
    {"IR", "98"},
    {"IS", "354"},
    {"IT", "39"},
    {"JE", "441534 447509 4477003 4477007 4477008 447797 447829 447937"},
    {"JM", "1658 1876"},
    {"JO", "962"},
    {"JP", "81"},
    {"KE", "254"},
    {"KG", "996"},
    {"KH", "855"},
    {"KI", "686"},
    {"KM", "269"},
    {"KN", "1869"},
    {"KP", "850"},
    {"KR", "82"},
    {"KW", "965"},
    {"KY", "1345"},
    {"KZ", "76 77"},
    {"LA", "856"},
    {"LB", "961"},
    {"LC", "1758"},
    {"LI", "423"},
    {"LK", "94"},
    {"LR", "231"},
    {"LS", "266"},
    {"LT", "370"},
    {"LU", "352"},
    {"LV", "371"},
    {"LY", "218"},
    {"MA", "212"},
    {"MC", "377"},
    {"MD", "373"},
    {"ME", "382"},
    {"MF", "590"},
    {"MG", "261"},
    {"MH", "692"},
    {"MK", "389"},
    {"ML", "223"},
    {"MM", "95"},
    {"MN", "976"},
    {"MO", "853"},
    {"MP", "1670"},
    {"MQ", "596"},
    {"MR", "222"},
    {"MS", "1664"},
    {"MT", "356"},
    {"MU", "230"},
    {"MV", "960"},
    {"MW", "265"},
    {"MX", "52"},
    {"MY", "60"},
    {"MZ", "258"},
    {"NA", "264"},
    {"NC", "687"},
    {"NE", "227"},
    {"NF", "672"},
    {"NG", "234"},
    {"NI", "505"},
    {"NL", "31"},
    {"NO", "47"},
    {"NP", "977"},
    {"NR", "674"},
    {"NU", "683"},
    {"NZ", "64"},
    {"OM", "968"},
    {"PA", "507"},
    {"PE", "51"},
    {"PF", "689"},
    {"PG", "675"},
    {"PH", "63"},
    {"PK", "92"},
    {"PL", "48"},
    {"PM", "508"},
    {"PR", "1787 1939"},
    {"PS", "970"},
    {"PT", "351"},
    {"PW", "680"},
    {"PY", "595"},
    {"QA", "974"},
    {"RE", "262"},
    {"RO", "40"},
    {"RS", "381"},
    {"RU", "7"},
    {"RW", "250"},
    {"SA", "966"},
    {"SB", "677"},
    {"SC", "248"},
    {"SD", "249"},
    {"SE", "46"},
    {"SG", "65"},
    {"SH", "290"},
    {"SI", "386"},
    {"SJ", "4779"},
    {"SK", "421"},
    {"SL", "232"},
    {"SM", "378"},
    {"SN", "221"},
    {"SO", "252"},
    {"SR", "597"},
    {"SS", "211"},
    {"ST", "239"},
    {"SV", "503"},
    {"SX", "1721"},
    {"SY", "963"},
    {"SZ", "268"},
    {"TA", "2908"},
    {"TC", "1649"},
    {"TD", "235"},
    {"TG", "228"},
    {"TH", "66"},
    {"TJ", "992"},
    {"TK", "690"},
    {"TL", "670"},
    {"TM", "993"},
    {"TN", "216"},
    {"TO", "676"},
    {"TR", "90"},
    {"TT", "1868"},
    {"TV", "688"},
    {"TW", "886"},
    {"TZ", "255"},
    {"UA", "380"},
    {"UG", "256"},
    {"US", "1"},
    {"UY", "598"},
    {"UZ", "998"},
    {"VA", "3906698 379"},
    {"VC", "1784"},
    {"VE", "58"},
    {"VG", "1284"},
    {"VI", "1340"},
    {"VN", "84"},
    {"VU", "678"},
    {"WF", "681"},
    {"WS", "685"},
    {"XK", "383"},
    {"YE", "967"},
    {"YT", "262269 262639"},
    {"ZA", "27"},
    {"ZM", "260"},
    {"ZW", "263"},
};

enum { PLACES = sizeof places / sizeof *places };

const char *places_name(size_t place)
{
    return place < PLACES ? places[place].jurisdiction : NULL;
}

/* ---- Codes ---------------------------------------------------------------------------------- */

struct code {
    size_t place;
    char digits[WITHDRAWAL_NUMBER_MAX];
};

/* The next code in the text. */
static bool next_code(const char **text, char digits[static WITHDRAWAL_NUMBER_MAX])
{
    const size_t size = strcspn(*text, " ");
    if (size == 0)
        return false;
    memcpy(digits, *text, size); /* the table's are short */
    digits[size] = '\0';
    *text += size + strspn(*text + size, " ");
    return true;
}

static size_t place_of(const char *jurisdiction)
{
    size_t place = 0;
    while (place < PLACES && strcmp(places[place].jurisdiction, jurisdiction) != 0)
        place++;
    return place;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct code *)a)->digits, ((const struct code *)b)->digits);
}

/* Codes of others that begin like this one and are longer, in order. */
static size_t within(size_t place, const char *digits, struct code *codes, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < PLACES; i++) {
        const char *text = places[i].codes;
        while (i != place && count < max && next_code(&text, codes[count].digits))
            if (begins(codes[count].digits, digits) && strcmp(codes[count].digits, digits) != 0)
                codes[count++].place = i;
    }
    qsort(codes, count, sizeof *codes, compare);
    return count;
}

/* ---- Ranges --------------------------------------------------------------------------------- */

/* low and high are digits; empty ranges are left out. */
static sotto_error add_range(struct withdrawal *withdrawal, const char *low, const char *high)
{
    if (strcmp(low, high) >= 0)
        return SOTTO_OK;
    if (withdrawal->range_count == WITHDRAWAL_RANGES_MAX)
        return SOTTO_LIMIT;
    struct withdrawal_range *range = &withdrawal->ranges[withdrawal->range_count++];
    snprintf(range->low, sizeof range->low, "+%.16s", low);
    snprintf(range->high, sizeof range->high, "+%.16s", high);
    return SOTTO_OK;
}

/* The first text behind all that begins like this: of 49 it is 4:, since : follows 9. */
static void behind(const char *digits, char next[static WITHDRAWAL_NUMBER_MAX])
{
    const size_t size = strlen(digits);
    memcpy(next, digits, size + 1);
    next[size - 1]++;
}

static sotto_error add_code(struct withdrawal *withdrawal, size_t place, const char *digits)
{
    struct code codes[256];
    char low[WITHDRAWAL_NUMBER_MAX], end[WITHDRAWAL_NUMBER_MAX];
    const size_t count = within(place, digits, codes, sizeof codes / sizeof *codes);
    snprintf(low, sizeof low, "%s", digits);
    behind(digits, end);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(codes[i].digits, low) < 0)
            continue; /* within the one before */
        TRY(add_range(withdrawal, low, codes[i].digits));
        behind(codes[i].digits, low);
    }
    return add_range(withdrawal, low, end);
}

sotto_error places_add(struct withdrawal *withdrawal, const char *jurisdiction)
{
    char digits[WITHDRAWAL_NUMBER_MAX];
    const size_t place = place_of(jurisdiction);
    if (place == PLACES)
        return SOTTO_NOT_FOUND;
    for (const char *text = places[place].codes; next_code(&text, digits);)
        TRY(add_code(withdrawal, place, digits));
    return SOTTO_OK;
}

sotto_error places_add_prefix(struct withdrawal *withdrawal, const char *prefix)
{
    char end[WITHDRAWAL_NUMBER_MAX];
    const size_t size = strlen(prefix);
    if (size < 2 || size >= WITHDRAWAL_NUMBER_MAX || prefix[0] != '+' || prefix[1] == '0' ||
        strspn(prefix + 1, "0123456789") != size - 1)
        return SOTTO_VALUE;
    behind(prefix + 1, end);
    return add_range(withdrawal, prefix + 1, end);
}

bool places_have(const struct withdrawal *withdrawal, const char *number)
{
    for (size_t i = 0; i < withdrawal->range_count; i++)
        if (strcmp(number, withdrawal->ranges[i].low) >= 0 &&
            strcmp(number, withdrawal->ranges[i].high) < 0)
            return true;
    return false;
}

/* ---- Explaining ----------------------------------------------------------------------------- */

/* Others with the very same code, and the code that this one is a part of. */
static void explain_shared(size_t place, const char *digits, FILE *file)
{
    char other[WITHDRAWAL_NUMBER_MAX];
    for (size_t i = 0; i < PLACES; i++)
        for (const char *text = places[i].codes; i != place && next_code(&text, other);) {
            if (strcmp(other, digits) == 0)
                fprintf(
                    file,
                    "+%s is the code of %s too: nothing tells their numbers apart, and both are "
                    "affected.\n",
                    digits, places[i].jurisdiction);
            else if (begins(digits, other))
                fprintf(file,
                        "+%s is a part of +%s (%s): other numbers of %s in that code are not known "
                        "here.\n",
                        digits, other, places[i].jurisdiction, places[place].jurisdiction);
        }
}

void places_explain(const char *jurisdiction, FILE *file)
{
    struct code codes[256];
    char digits[WITHDRAWAL_NUMBER_MAX];
    const size_t place = place_of(jurisdiction);
    if (place == PLACES)
        return;
    for (const char *text = places[place].codes; next_code(&text, digits);) {
        explain_shared(place, digits, file);
        const size_t count = within(place, digits, codes, sizeof codes / sizeof *codes);
        if (count == 0)
            continue;
        fprintf(file, "+%s is shared; numbers of others in it are left out:", digits);
        for (size_t i = 0; i < count; i++)
            fprintf(file, " +%s (%s)", codes[i].digits, places[codes[i].place].jurisdiction);
        fprintf(file, ".\n");
    }
}
