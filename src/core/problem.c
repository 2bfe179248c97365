#include "core/problem.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

static const struct {
    const char *name;
    enum sotto_trouble trouble;
} codes[] = {
#define CODE_ROW(name, text, trouble) [SOTTO_CODE_##name] = {text, SOTTO_TROUBLE_##trouble},
    SOTTO_CODES(CODE_ROW)
#undef CODE_ROW
};

const char *sotto_code_name(enum sotto_code code)
{
    return (size_t)code < sizeof codes / sizeof codes[0] ? codes[code].name : "internal";
}

enum sotto_code sotto_code_named(const char *name)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(codes[i].name, name) == 0)
            return (enum sotto_code)i;
    return SOTTO_CODE_INTERNAL;
}

enum sotto_trouble sotto_code_trouble(enum sotto_code code)
{
    return (size_t)code < sizeof codes / sizeof codes[0] ? codes[code].trouble
                                                         : SOTTO_TROUBLE_FAILURE;
}

void problem_clear(struct sotto_problem *problem)
{
    memset(problem, 0, sizeof *problem);
}

sotto_error problem_set(struct sotto_problem *problem, sotto_error error, enum sotto_code code,
                        const char *next, const char *format, ...)
{
    va_list list;
    problem->error = error;
    problem->code = code;
    va_start(list, format);
    (void)vsnprintf(problem->message, sizeof problem->message, format, list);
    va_end(list);
    (void)snprintf(problem->next, sizeof problem->next, "%s", next != NULL ? next : "");
    return error;
}

/* The address without its pin: people read this. */
void problem_relay_name(const char *relay, char out[static 300])
{
    size_t size = strcspn(relay, "#");
    if (size > 299)
        size = 299;
    memcpy(out, relay, size);
    out[size] = '\0';
}

void problem_network(struct sotto_problem *problem, const char *relay, sotto_error error,
                     const char *text)
{
    char name[300];
    problem_relay_name(relay, name);
    switch (error) {
    case SOTTO_PIN:
        if (strchr(relay, '#') == NULL) {
            problem_set(problem, error, SOTTO_CODE_WRONG_PIN,
                        "Nothing was sent. A relay with a certificate of its own making is named "
                        "with its pin: host:port#PIN. Ask whoever runs it.",
                        "The relay %s cannot prove who it is: %s.", name, text);
            break;
        }
        problem_set(problem, error, SOTTO_CODE_WRONG_PIN,
                    "Nothing was sent. Ask whoever runs the relay for its address with the right "
                    "pin; if it did not change, somebody may be reading along.",
                    "The relay %s is not the one it should be: its certificate has another pin.",
                    name);
        break;
    case SOTTO_TIMEOUT:
        problem_set(problem, error, SOTTO_CODE_TIMEOUT,
                    "What was to be sent waits in the outbox. Try again later: sotto sync",
                    "The relay %s does not answer in time.", name);
        break;
    case SOTTO_NO_MEMORY:
        problem_set(problem, error, SOTTO_CODE_NO_MEMORY, NULL, "Out of memory.");
        break;
    case SOTTO_IO:
        problem_set(problem, error, SOTTO_CODE_UNREACHABLE,
                    "Close other programs' files or connections and try again.",
                    "No connection to the relay %s can be opened: %s.", name, text);
        break;
    default:
        problem_set(
            problem, error, SOTTO_CODE_UNREACHABLE,
            "Is the relay running? What was to be sent waits in the outbox; try again with: "
            "sotto sync",
            "No connection to the relay %s: %s.", name, text);
    }
}

/* The jurisdiction that the refusal names, if it is the name of one: nothing else of a relay's
 * choosing is shown. */
static bool is_jurisdiction(sotto_bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-'))
            return false;
    }
    return text.size >= 2 && text.size <= 32;
}

static void problem_withdrawn(struct sotto_problem *problem, const char *relay,
                              const struct wire_error *refusal)
{
    char day[32] = "";
    struct tm parts;
    const time_t when = refusal->detail < INT32_MAX ? (time_t)refusal->detail : 0;
    if (when == 0 || gmtime_r(&when, &parts) == NULL ||
        strftime(day, sizeof day, " on %Y-%m-%d", &parts) == 0)
        day[0] = '\0';
    const bool named = is_jurisdiction(refusal->text);
    problem_set(
        problem, SOTTO_REFUSED, SOTTO_CODE_WITHDRAWN,
        "If you had an account there, what is on your devices stays yours, and this takes it "
        "to another relay with your contacts and conversations, also now: sotto account move "
        "--relay ADDRESS",
        "The relay %s has left the jurisdiction%s%.*s%s: nobody can register or sign in from "
        "there any more, and it has erased the accounts.",
        relay, named ? " " : "", named ? (int)refusal->text.size : 0,
        named ? (const char *)refusal->text.data : "", day);
}

void problem_refused(struct sotto_problem *problem, const char *relay,
                     const struct wire_error *refusal)
{
    static const struct {
        uint16_t wire;
        enum sotto_code code;
        const char *message;
        const char *next;
    } rows[] = {
        {WIRE_CODE_RATE_LIMITED, SOTTO_CODE_RATE_LIMITED, "The relay %s asks to go slower.",
         "Nothing is lost. Try again in a minute: sotto sync"},
        {WIRE_CODE_UNAVAILABLE, SOTTO_CODE_UNAVAILABLE,
         "The relay %s cannot store anything at the moment.",
         "Nothing is lost. Try again later: sotto sync"},
        {WIRE_CODE_SIGN_IN_FAILED, SOTTO_CODE_SIGN_IN_FAILED,
         "The relay %s does not know this account and device.",
         "If another device of yours removed this one, it reads nothing more: link it anew, in a "
         "new "
         "profile. If the relay lost its data, register again in a new profile."},
        {WIRE_CODE_BAD_MANIFEST, SOTTO_CODE_BUSY,
         "Another device of yours changed the list of devices at the relay %s at the same time.",
         "Run the command again."},
        {WIRE_CODE_CODE_SENT, SOTTO_CODE_CODE_NEEDED,
         "The relay %s has sent a code to the phone number.",
         "Run the same command again with --code CODE."},
        {WIRE_CODE_WRONG_CODE, SOTTO_CODE_WRONG_CODE,
         "That is not the code that the relay %s sent.",
         "Run the command again with the right --code."},
        {WIRE_CODE_INVITATION_NEEDED, SOTTO_CODE_INVITATION_NEEDED,
         "The relay %s takes invited people only.",
         "Ask whoever runs it for a code, and register with --invitation CODE."},
        {WIRE_CODE_INVITATION_USED, SOTTO_CODE_INVITATION_USED,
         "The relay %s says that this registration code was used already, expired, or never given.",
         "Ask whoever runs it for a new one."},
        {WIRE_CODE_PHONE_NEEDED, SOTTO_CODE_PHONE_NEEDED, "The relay %s wants a phone number.",
         "Register with --phone NUMBER, such as +4930123456."},
        {WIRE_CODE_PHONE_TAKEN, SOTTO_CODE_PHONE_TAKEN,
         "At the relay %s the phone number belongs to another account.",
         "Use another number, or delete the other account first."},
        {WIRE_CODE_NO_ACCOUNT, SOTTO_CODE_NO_ACCOUNT,
         "The relay %s does not know the other person's account.",
         "It may have been deleted, or live at another relay: ask for an invitation link."},
        {WIRE_CODE_NO_KEY_PACKAGE, SOTTO_CODE_NO_KEY_PACKAGE,
         "The other person's device has no keys left for new conversations at the relay %s.",
         "It leaves new ones there when it is next connected. Try again later."},
        {WIRE_CODE_CAPABILITY_USED, SOTTO_CODE_INVITATION_USED,
         "This invitation was used already, the relay %s says.",
         "Ask for a new link: each lets in only as many people as it was made for."},
        {WIRE_CODE_CAPABILITY_UNKNOWN, SOTTO_CODE_INVITATION_UNKNOWN,
         "The relay %s does not know this invitation: it expired or was taken back.",
         "Ask for a new link."},
        {WIRE_CODE_INBOX_FULL, SOTTO_CODE_INBOX_FULL,
         "The other person's inbox at the relay %s is full.",
         "It empties when they connect. Try again later: sotto sync"},
        {WIRE_CODE_USERNAME_TAKEN, SOTTO_CODE_USERNAME_TAKEN,
         "At the relay %s that username belongs to another account.", "Choose another one."},
        {WIRE_CODE_TOKEN_NEEDED, SOTTO_CODE_TOKEN_NEEDED,
         "The relay %s does this for people who have a token of its own, or an invitation.",
         "Your own relay gives tokens out: sotto sync fetches them, so many a day. At somebody "
         "else's, ask for an invitation link."},
        {WIRE_CODE_ROOM_FULL, SOTTO_CODE_ROOM_FULL,
         "The conversation is full at the relay %s, until a token is spent on it.",
         "A member whose account is there makes room by writing, as soon as they have a token: "
         "sotto sync fetches them, so many a day. What is older than the relay keeps makes room "
         "too."},
        {WIRE_CODE_LIMIT, SOTTO_CODE_TOO_LONG, "This is more than the relay %s takes at once.",
         "Send less at once."},
        {WIRE_CODE_NO_ROOM, SOTTO_CODE_REFUSED,
         "The relay %s does not know this conversation any more.",
         "Its data may have been lost or have expired. Begin a new conversation."},
    };
    char name[300];
    problem_relay_name(relay, name);
    if (refusal->code == WIRE_CODE_WITHDRAWN) {
        problem_withdrawn(problem, name, refusal);
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].wire == refusal->code) {
            problem_set(problem, SOTTO_REFUSED, rows[i].code, rows[i].next, "%s", "");
            /* The formats stand in the table above, each with one %s. */
            const char *mark = strstr(rows[i].message, "%s");
            int before = mark != NULL ? (int)(mark - rows[i].message) : 0;
            (void)snprintf(problem->message, sizeof problem->message, "%.*s%s%s", before,
                           rows[i].message, name, mark != NULL ? mark + 2 : rows[i].message);
            return;
        }
    problem_set(problem, SOTTO_REFUSED, SOTTO_CODE_REFUSED,
                "If it happens again, this version of Sotto and the relay's do not fit together.",
                "The relay %s refused (%s).", name, wire_code_name(refusal->code));
}

sotto_error problem_damaged(struct sotto_problem *problem, const char *path, const char *what)
{
    return problem_set(
        problem, SOTTO_VALUE, SOTTO_CODE_STORAGE_DAMAGED,
        "Before anything else, copy the directory as it is. Then put a backup in its "
        "place, profile.db and keys from the same one, or begin anew in another "
        "--profile DIR.",
        "The storage is damaged: %s (%s).", what, path);
}

sotto_error problem_local(struct sotto_problem *problem, sotto_error error, const char *doing)
{
    switch (error) {
    case SOTTO_FULL:
        return problem_set(problem, error, SOTTO_CODE_STORAGE_FULL,
                           "Make room on the disk, then run the command again. What was stored "
                           "before is safe.",
                           "The disk is full while %s.", doing);
    case SOTTO_BUSY:
        return problem_set(problem, error, SOTTO_CODE_STORAGE_BUSY,
                           "Another sotto command works on this profile; try again.",
                           "The profile is in use while %s.", doing);
    case SOTTO_IO:
        return problem_set(problem, error, SOTTO_CODE_STORAGE,
                           "Check that the profile directory is yours and can be written to.",
                           "The profile cannot be read or written while %s.", doing);
    case SOTTO_VERSION:
        return problem_set(problem, error, SOTTO_CODE_STORAGE_NEWER, "Install the newer version.",
                           "This profile was made by a newer version of Sotto.");
    case SOTTO_NO_MEMORY:
        return problem_set(problem, error, SOTTO_CODE_NO_MEMORY, NULL, "Out of memory while %s.",
                           doing);
    default:
        return problem_set(problem, error, SOTTO_CODE_INTERNAL,
                           "If it happens again, please report it with this text.",
                           "Something failed while %s (%s).", doing, sotto_error_text(error));
    }
}
