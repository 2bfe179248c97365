#include "rpc/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/problem.h"

#define END          \
    {                \
        .name = NULL \
    }
#define STRING(name_, text_)                                                     \
    {                                                                            \
        .name = name_, .type = RPC_STRING, .most = RPC_STRING_MAX, .text = text_ \
    }
#define MAYBE(name_, text_)                                                                        \
    {                                                                                              \
        .name = name_, .type = RPC_STRING, .optional = true, .most = RPC_STRING_MAX, .text = text_ \
    }
#define ONE_OF(name_, values_, text_)                                               \
    {                                                                               \
        .name = name_, .type = RPC_STRING, .most = 64, .of = values_, .text = text_ \
    }
#define ID(name_, text_)                             \
    {                                                \
        .name = name_, .type = RPC_ID, .text = text_ \
    }
#define MAYBE_ID(name_, text_)                                         \
    {                                                                  \
        .name = name_, .type = RPC_ID, .optional = true, .text = text_ \
    }
#define NUMBER(name_, text_)                                                 \
    {                                                                        \
        .name = name_, .type = RPC_INTEGER, .most = INT64_MAX, .text = text_ \
    }
#define MAYBE_NUMBER(name_, text_)                                                             \
    {                                                                                          \
        .name = name_, .type = RPC_INTEGER, .optional = true, .most = INT64_MAX, .text = text_ \
    }
#define BOOLEAN(name_, text_)                             \
    {                                                     \
        .name = name_, .type = RPC_BOOLEAN, .text = text_ \
    }
#define OBJECT(name_, of_, text_)                                                     \
    {                                                                                 \
        .name = name_, .type = RPC_OBJECT, .optional = true, .of = of_, .text = text_ \
    }
#define OBJECTS(name_, of_, text_)                                   \
    {                                                                \
        .name = name_, .type = RPC_OBJECTS, .of = of_, .text = text_ \
    }

/* ---- Objects -------------------------------------------------------------------------------- */

#define ACCOUNT_FIELDS                                                                             \
    BOOLEAN("registered", "whether there is an account in this profile; without one, no more"),    \
        MAYBE_ID("account", "the account's id: a hash of its key"),                                \
        MAYBE("device", "this device's id"), MAYBE("name", "the name that others see"),            \
        MAYBE_ID("picture", "SHA-256 of one's own picture; absent: none"),                         \
        MAYBE("relay", "the relay's address"),                                                     \
        MAYBE("movingFrom", "the relay that is not left yet; absent: none"),                       \
        MAYBE("suite", "the cipher suite of new groups"),                                          \
        {.name = "receipts",                                                                       \
         .type = RPC_BOOLEAN,                                                                      \
         .optional = true,                                                                         \
         .text = "whether delivery and read receipts are sent and shown"},                         \
        {.name = "typing",                                                                         \
         .type = RPC_BOOLEAN,                                                                      \
         .optional = true,                                                                         \
         .text = "whether others are told that one types, and one is told of them"},               \
        MAYBE_NUMBER("downloads", "files of contacts of at most so many bytes are fetched as they" \
                                  " come; 0: none; absent: all")

static const struct rpc_field account[] = {ACCOUNT_FIELDS, END};

static const struct rpc_field status[] = {
    ACCOUNT_FIELDS,
    BOOLEAN("passphrase", "whether the profile is locked with one"),
    NUMBER("conversations", "how many there are"),
    NUMBER("waiting", "messages in the outbox"),
    NUMBER("requests", "people who want to write and wait for an answer"),
    NUMBER("contacts", "how many there are"),
    NUMBER("notices", "of the relay's to the account, unread"),
    BOOLEAN("relayConvicted", "whether the relay contradicts its log of orders: see relay.get"),
    NUMBER("tokens", "anonymous tokens in stock"),
    MAYBE_NUMBER("clockAhead", "by how many seconds this machine's clock is ahead of the relay's;"
                               " absent: it is not, or less than two hours"),
    MAYBE_NUMBER("clockBehind", "likewise behind"),
    NUMBER("tokenKey", "number of the relay's newest issuing key; 0: none seen"),
    ID("tokenKeyHash", "of that key's announcement: the same for everybody at the relay"),
    MAYBE_NUMBER("history", "of a linked device: messages of the past that came so far"),
    MAYBE_NUMBER("historyOf", "of how many"),
    END,
};

/* What is known of somebody's keys. */
#define VERIFIED_FIELDS                                                                      \
    BOOLEAN("verified", "whether one knows that the keys are that person's"),                \
    {                                                                                        \
        .name = "verifiedBy", .type = RPC_STRING, .optional = true, .most = 64,              \
        .of = "compared|link",                                                               \
        .text = "if so: numbers were compared or a code scanned, or they gave an invitation" \
                " link, which names the key and is as good as the way by which it came"      \
    }

static const struct rpc_field contact[] = {
    ID("account", "the account's id"),
    STRING("name", "what one calls them, else as that person calls themself; may be empty"),
    STRING("profileName", "as that person calls themself; empty: not known yet"),
    STRING("relay", "where the account is; may be empty"),
    MAYBE_ID("picture", "SHA-256 of their picture: another one, another picture; absent: none"),
    MAYBE("foundBy", "the username or number by which they were found, the last one"),
    BOOLEAN("contact", "false: somebody else whom one has blocked"),
    BOOLEAN("blocked", "whether nothing of theirs is let in"),
    VERIFIED_FIELDS,
    {.name = "identityConflict",
     .type = RPC_BOOLEAN,
     .optional = true,
     .text = "true: the account's key has signed lists of devices that contradict each other:"
             " somebody else may have it; compare fingerprints"},
    END,
};

static const struct rpc_field request[] = {
    NUMBER("request", "its number"),
    ID("conversation", "what it would lead to"),
    ID("sender", "the account that asks"),
    STRING("name",
           "as one knows that person, else as the request calls them, which nobody has proved;"
           " empty: not known"),
    MAYBE("greeting", "the beginning of what they want to say, on one line"),
    NUMBER("time", "when it came, in seconds since 1970"),
    END,
};

static const struct rpc_field invitation[] = {
    STRING("link", "to be given to the person, who takes it with invitation.accept"),
    NUMBER("uses", "for how many people"),
    NUMBER("expires", "when it ends, in seconds since 1970"),
    END,
};

static const struct rpc_field proxy[] = {
    STRING("proxy", "socks5://HOST:PORT, without a login; empty: none"),
    BOOLEAN("isolates", "each connection shows it credentials of its own"),
    BOOLEAN("login", "it has a user and a password"),
    BOOLEAN("overridden", "the daemon's environment says so, not the profile"), END};
static const struct rpc_field fingerprint[] = {
    STRING("digits", "60 decimal digits in groups of five: compare them with the other person's"),
    STRING("name", "whom it is with; one's own name for one's own"),
    BOOLEAN("own", "whether it is one's own account's"),
    STRING("link", "the same to be scanned or pasted at the other's: contact.verifyLink there"),
    {.name = "verified",
     .type = RPC_BOOLEAN,
     .optional = true,
     .text = "of somebody else's: whether one knows that the keys are theirs"},
    MAYBE("verifiedBy", "by what: as of a contact"),
    END,
};

static const struct rpc_field conversation[] = {
    ID("conversation", "its id"),
    STRING("title", "the group's, or the other person's name"),
    ONE_OF("kind", "group|person", "with how many"),
    ONE_OF("state", "creating|active|removed|left|forked|rejoining|asked|unknown",
           "creating: not at the relay yet; removed, left: over; forked: the relay's log"
           " contradicts itself"),
    STRING("relay", "where it is"),
    NUMBER("epoch", "of the MLS group"),
    NUMBER("seq", "the last entry of its log that was applied"),
    NUMBER("members", "devices in the MLS group"),
    NUMBER("waiting", "messages in the outbox"),
    NUMBER("unread", "messages that were not read"),
    {.name = "blocked",
     .type = RPC_BOOLEAN,
     .optional = true,
     .text = "with one person: whether they are blocked"},
    {.name = "verified",
     .type = RPC_BOOLEAN,
     .optional = true,
     .text = "with one person: whether one knows that the keys are theirs"},
    MAYBE("verifiedBy", "by what: as of a contact"),
    NUMBER("mentions", "of them those that mention oneself"),
    NUMBER("active", "when something happened there last, in seconds since 1970"),
    BOOLEAN("markedUnread", "whether it was marked as unread by hand"),
    BOOLEAN("pinned", "whether it stands before the others"),
    BOOLEAN("archived", "whether it is put away"),
    BOOLEAN("hidden", "whether it was erased, and is in no list until its next message"),
    OBJECT("muted", "Muted", "absent: somebody is notified of all messages"),
    OBJECT("draft", "Draft", "absent: there is none"),
    OBJECT("last", "Message",
           "what came or was written last, with the beginning of its text; absent: nothing"),
    MAYBE_NUMBER("timer", "after how many seconds one's own messages disappear; absent: never"),
    MAYBE("epochAuthenticator", "of the epoch, in hex: the same for all members"),
    MAYBE("trouble", "why it is forked, or what it waits for"),
    OBJECT("settings", "Settings", "of conversation.get: what its members agreed on"),
    END,
};

static const struct rpc_field muted[] = {
    MAYBE_NUMBER("until", "when that ends, in seconds since 1970; absent: never"),
    BOOLEAN("mentions", "whether messages that mention oneself are muted too"),
    END,
};

static const struct rpc_field draft[] = {
    {.name = "text", .type = RPC_STRING, .most = SOTTO_DRAFT_MAX, .text = "so far; may be empty"},
    BOOLEAN("markdown", "whether it is Markdown"),
    MAYBE_NUMBER("replyTo", "the id of the message that it answers; absent: none, or it is gone"),
    NUMBER("time", "when it was written, on whichever device, in seconds since 1970"),
    END,
};
#define ROLES "member|admin|owner"
static const struct rpc_field settings[] = {
    BOOLEAN("agreed", "false: of an earlier version, where everybody is an owner"),
    ONE_OF("role", ROLES, "one's own"),
    ONE_OF("others", ROLES, "of whoever was given none"),
    ONE_OF("add", ROLES, "the least role that adds people"),
    ONE_OF("remove", ROLES, "that removes and bans people of lower ones"),
    ONE_OF("write", ROLES, "that writes"),
    ONE_OF("change", ROLES, "that changes title, description, picture and timer"),
    BOOLEAN("mayAdd", "whether oneself may, and so on"),
    BOOLEAN("mayRemove", "likewise"),
    BOOLEAN("mayWrite", "likewise"),
    BOOLEAN("mayChange", "likewise"),
    BOOLEAN("mayGovern", "give roles, and say who may do what"),
    ONE_OF("join", "closed|ask|open", "what becomes of who asks by a link"),
    STRING("description", "may be empty, may have several lines"),
    NUMBER("picture", "bytes of the picture; 0: none"),
    MAYBE_ID("successor", "the conversation where it goes on, if it was stopped"),
    END,
};

static const struct rpc_field join_link[] = {
    NUMBER("link", "its number"),
    ID("conversation", "the group"),
    NUMBER("uses", "for how many people"),
    NUMBER("used", "how many asked with it"),
    NUMBER("expires", "when it ends, in seconds since 1970"),
    END};
static const struct rpc_field join_links[] = {OBJECTS("links", "JoinLink", "a page of them"),
                                              NUMBER("total", "how many there are in all"), END};
static const struct rpc_field join_request[] = {
    NUMBER("request", "its number"),
    ID("conversation", "the group"),
    STRING("title", "what the group is called"),
    ID("account", "who asks: a device of that account signed it"),
    STRING("name", "as one calls them, else as they call themself"),
    NUMBER("time", "when it came, in seconds since 1970"),
    END};
static const struct rpc_field join_requests[] = {
    OBJECTS("requests", "JoinRequest", "a page of them, oldest first"),
    NUMBER("total", "how many there are in all"), END};

static const struct rpc_field standing[] = {
    ID("account", "the account's id"),
    STRING("name", "what one calls them, else as they call themselves"),
    ONE_OF("role", ROLES, "its role"),
    BOOLEAN("banned", "whether it is kept out"),
    BOOLEAN("own", "whether it is one's own account"),
    END,
};
static const struct rpc_field standings[] = {
    OBJECTS("standings", "Standing", "a page of them: who has a role of their own, who is banned"),
    NUMBER("total", "how many there are in all"), END};

static const struct rpc_field member[] = {
    ID("account", "the account's id"),
    STRING("device", "the device's id"),
    STRING("name", "what one calls them, else as that person calls themself"),
    BOOLEAN("own", "whether it is one's own account"),
    BOOLEAN("blocked", "whether one has blocked them"),
    VERIFIED_FIELDS,
    {.name = "waits",
     .type = RPC_BOOLEAN,
     .optional = true,
     .text = "this device added them, and they are not in yet, since their relay has not taken what"
             " lets them in"},
    MAYBE("trouble", "why, once it was refused, and what to do"),
    END,
};

static const struct rpc_field message[] = {
    MAYBE_NUMBER("id", "grows with each message of this profile; absent while it waits"),
    ID("conversation", "where it is"),
    STRING("title", "what the conversation is called"),
    ONE_OF("kind",
           "text|file|picture|voice|deleted|unreadable|newer|added|removed|left|joined|forked|"
           "missing|deviceAdded"
           "|deviceRemoved|identityConflict|title|role|setting|ban|refused|accountDeleted",
           "deleted: its sender took it back; unreadable: of a member, cannot be read; newer: needs"
           " a newer version; refused: of a member who may not write, not kept; behind these what "
           "happened in the conversation; identityConflict: the"
           " other person's key has signed lists of devices that contradict each other"),
    ONE_OF("status", "received|sent|waiting|failed|delivered|read|unknown",
           "waiting: in the outbox; delivered, read: sent, and the other person said so, in"
           " conversations of two"),
    MAYBE_NUMBER("seq", "its place in the conversation's log; absent while it waits"),
    ID("sender", "the account that sent it, or did it"),
    STRING("name", "what one calls them, else as they call themselves"),
    BOOLEAN("own", "whether it is one's own"),
    {.name = "blocked",
     .type = RPC_BOOLEAN,
     .optional = true,
     .text = "true: its sender is blocked; of groups, where it is kept and not unread"},
    NUMBER("time", "when this device stored it, in seconds since 1970"),
    {.name = "text",
     .type = RPC_STRING,
     .optional = true,
     .most = SOTTO_TEXT_MAX,
     .text = "of kinds text, file, picture and voice"},
    MAYBE("fileName", "of kinds file, picture and voice: a harmless name"),
    MAYBE_NUMBER("fileSize", "likewise: bytes"),
    {.name = "fetched",
     .type = RPC_BOOLEAN,
     .optional = true,
     .text = "likewise: true: it was fetched already, and message.saveFile needs no network"},
    MAYBE("mediaType", "likewise: what its sender calls it, such as image/png; absent: anything"),
    MAYBE_NUMBER("width", "of kind picture: as it is shown, in pixels"),
    MAYBE_NUMBER("height", "likewise"),
    {.name = "preview",
     .type = RPC_BOOLEAN,
     .optional = true,
     .text = "of kind picture: whether there is a small one, for message.preview"},
    MAYBE_NUMBER("duration", "of kind voice: in milliseconds; absent: not said"),
    {.name = "waveform",
     .type = RPC_NUMBERS,
     .optional = true,
     .most = SOTTO_PEAKS_MAX,
     .text = "of kind voice: its loudness in equal steps, 0 to 255; absent: not said"},
    OBJECT("album", "Album", "of files that their sender sent together: which they are"),
    MAYBE_ID("subject", "who was added or removed, or left, was banned or has another role; whose "
                        "device or key it is about"),
    MAYBE("detail", "of kind title: the new one; of role: it; of ban: `banned` or `allowed`; of"
                    " setting: its name and value, such as `timer 3600`, `write admin`, `picture`"),
    MAYBE("subjectName", "likewise"),
    MAYBE("clientId", "of one's own messages: what it was sent with"),
    {.name = "markdown",
     .type = RPC_BOOLEAN,
     .optional = true,
     .text = "whether the text is Markdown (GFM-MIMI: no HTML in it)"},
    {.name = "mentions",
     .type = RPC_OBJECTS,
     .optional = true,
     .of = "Mention",
     .text = "whom a Markdown text links to; absent: nobody"},
    MAYBE_NUMBER("timer",
                 "it disappears so many seconds after it was read, one's own after it was sent"),
    MAYBE_NUMBER("erase", "when it disappears; absent: the clock does not run"),
    MAYBE_NUMBER("since", "of kind missing: what was said between then and time did not reach this"
                          " device"),
    MAYBE_NUMBER("edited", "when the newest edit came; absent: never"),
    {.name = "imported",
     .type = RPC_BOOLEAN,
     .optional = true,
     .text = "true: from an export, so that nobody proved who wrote it, and when; absent: not"},
    OBJECT("replyTo", "Quote", "what it answers"),
    {.name = "reactions",
     .type = RPC_OBJECTS,
     .optional = true,
     .of = "Reaction",
     .text = "oldest first; absent: none"},
    {.name = "snippet",
     .type = RPC_OBJECTS,
     .optional = true,
     .of = "Piece",
     .text = "of message.search: a line of the text around what was found, in pieces"},
    END,
};

static const struct rpc_field album_sent[] = {
    STRING("clientId", "the album's"),
    {.name = "clientIds",
     .type = RPC_STRINGS,
     .least = 2,
     .most = SOTTO_ALBUM_MAX,
     .text = "those of its messages, in order: ask for each with message.status"},
    END,
};

static const struct rpc_field album[] = {
    STRING("id", "the same of all that one sender sent together; of others' it says nothing"),
    NUMBER("place", "among them, from 1"),
    NUMBER("of", "how many they are: some may be missing, or come later"),
    END,
};

static const struct rpc_field piece[] = {
    STRING("text", "of the line; an ellipsis where something is left out"),
    BOOLEAN("hit", "whether this is what was searched for"),
    END,
};

static const struct rpc_field quote[] = {
    MAYBE_NUMBER("id", "the message's; absent, like all else: it is not here, or gone"),
    MAYBE_ID("sender", "the account that sent it"),
    MAYBE("name", "what one calls them, else as they call themselves"),
    {.name = "own", .type = RPC_BOOLEAN, .optional = true, .text = "whether it is one's own"},
    MAYBE("text", "the beginning of its first line; of a file, of what was said about it"),
    END,
};

static const struct rpc_field mention[] = {ID("account", "the account's id"), END};

static const struct rpc_field reaction[] = {
    ID("sender", "the account that reacted"),
    STRING("name", "what one calls them, else as they call themselves"),
    BOOLEAN("own", "whether it is one's own"),
    STRING("reaction", "an emoji, or a word"),
    END,
};

static const struct rpc_field receipt[] = {
    ID("account", "whose it is"),
    STRING("name", "what one calls them, else as they call themselves"),
    ONE_OF("status", "delivered|read", "what it says"),
    NUMBER("time", "when this device stored it, in seconds since 1970"),
    END,
};

static const struct rpc_field info[] = {
    OBJECT("message", "Message", "the message"),
    OBJECTS("receipts", "Receipt", "of one's own message: who has it, in the order of coming"),
    END,
};

static const struct rpc_field sending[] = {
    ID("conversation", "where it goes"),
    STRING("clientId",
           "the message's or the change's: sending it again with the same one sends it once"),
    ONE_OF("status", "received|sent|waiting|failed|delivered|read|unknown", "as of a message"),
    MAYBE_NUMBER("seq", "its place in the conversation's log, once it is sent"),
    END,
};

static const struct rpc_field device_link[] = {
    STRING("link", "to be shown as text or as a QR code, and given to the account's other device,"
                   " which takes it with device.add"),
    NUMBER("expires", "when it is over, in seconds since 1970"), END};
static const struct rpc_field backup[] = {
    STRING("path", "as it was given"),
    NUMBER("size", "bytes of the file"),
    NUMBER("messages", "that are in it"),
    NUMBER("conversations", "likewise"),
    MAYBE("key", "that opens it, if it was made: 48 digits. It is told this once"),
    END};
static const struct rpc_field restored[] = {
    ID("account", "whose backup it is"),
    NUMBER("made", "when it was made, in seconds since 1970"),
    BOOLEAN("accountKey", "whether the account's key is in it"),
    NUMBER("messages", "that are in it"),
    NUMBER("skipped", "records that only a newer version understands"),
    END};
static const struct rpc_field exported[] = {
    STRING("path", "as it was given"), NUMBER("messages", "that were written"),
    NUMBER("files", "likewise"),
    NUMBER("missing", "files that were wanted and cannot be had any more"), END};
static const struct rpc_field imported[] = {ID("conversation", "into which"),
                                            NUMBER("messages", "that were not here"),
                                            NUMBER("known", "that were: they stay as they are"),
                                            NUMBER("skipped", "lines of other kinds"), END};
static const struct rpc_field stopped[] = {NUMBER("stopped", "how many calls were told"), END};
#define OF_ACCOUNT MAYBE("profile", "of `sotto daemon --accounts`: whose it is")
static const struct rpc_field profile[] = {
    STRING("name", "what it is called here, and its folder"),
    BOOLEAN("running", "whether its daemon runs; what asks for it starts it"),
    BOOLEAN("selected", "whether this connection means it where `profile` is left out"), END};
static const struct rpc_field profiles[] = {OBJECTS("accounts", "Profile", "a page of them"),
                                            NUMBER("total", "how many there are in all"), END};
static const struct rpc_field recovery_phrase[] = {
    STRING("phrase", "24 words, with one space between them"), END};
static const struct rpc_field device[] = {
    STRING("device", "its id"), STRING("name", "what it is called; empty: nothing"),
    NUMBER("added", "when its keys were made, in seconds since 1970"),
    BOOLEAN("own", "whether it is this one"), END};
static const struct rpc_field device_id[] = {STRING("device", "its id"), END};
static const struct rpc_field devices[] = {OBJECTS("devices", "Device", "a page of them"),
                                           NUMBER("total", "how many there are in all"), END};
static const struct rpc_field labels[] = {
    MAYBE("username", "by which people at the relay find one; absent: none"),
    MAYBE("phone", "the number that the relay has; absent: none"),
    BOOLEAN("findable", "whether people at the relay find one by that number"), END};
static const struct rpc_field found[] = {
    ID("account", "whom the relay names for it"),
    STRING("label", "what was asked for, as the relay knows it"),
    STRING("name", "as one knows that person; empty: not at all"),
    BOOLEAN("contact", "whether they are a contact"),
    BOOLEAN("blocked", "whether one has blocked them"),
    VERIFIED_FIELDS,
    BOOLEAN("changed", "whether it led to another account before: the person moved, or the relay"
                       " lies"),
    MAYBE_ID("before", "if so: to which"),
    END};
static const struct rpc_field contact_id[] = {ID("account", "the account's id"), END};
static const struct rpc_field contacts[] = {
    OBJECTS("contacts", "Contact", "a page of them, by name"),
    NUMBER("total", "how many there are in all"), END};
static const struct rpc_field requests[] = {
    OBJECTS("requests", "Request", "a page of them, oldest first"),
    NUMBER("total", "how many there are in all"), END};
static const struct rpc_field conversations[] = {
    OBJECTS("conversations", "Conversation",
            "a page of them: the pinned ones, then the others, in order of activity"),
    NUMBER("total", "how many there are in all"), END};
static const struct rpc_field members[] = {
    OBJECTS("members", "Member", "a page of them: one for each device"),
    NUMBER("total", "how many there are in all"), END};
static const struct rpc_field messages[] = {
    OBJECTS("messages", "Message", "a page of them"),
    BOOLEAN("more", "whether there are older ones: ask with before set to the oldest one's id"),
    END};

#define LONG_TEXT(name_, text_)                                                            \
    {                                                                                      \
        .name = name_, .type = RPC_STRING, .optional = true, .most = 131072, .text = text_ \
    }
static const struct rpc_field counts[] = {
    NUMBER("read", "so many entries, from the first on, were read so far; the rest is about them"),
    NUMBER("answered", "orders that got something"),
    NUMBER("phoneNumbers", "how many got a phone number"),
    NUMBER("lastIps", "how many got a last IP address"),
    NUMBER("notHeld", "orders for what the relay does not hold, such as content"),
    NUMBER("unknownRecipient", "orders about accounts that are not there"),
    NUMBER("refused", "orders that were none"),
    NUMBER("withdrawals", "announcements that the relay leaves a jurisdiction"),
    NUMBER("stayings", "that it stays after all"),
    NUMBER("left", "jurisdictions that it has left"),
    NUMBER("others", "entries of kinds that this version does not know"),
    END};
static const struct rpc_field relay[] = {
    STRING("relay", "the account's"),
    ONE_OF("state", "unknown|none|followed|convicted",
           "of its log of lawful orders. unknown: not asked yet; none: it keeps none; convicted: it"
           " contradicts what it signed"),
    MAYBE_NUMBER("looked", "when it was asked last, to some hours, in seconds since 1970"),
    MAYBE("log", "the log's name; absent, like all below: there is none"),
    MAYBE("key", "its verifier key (C2SP signed-note), which is held to"),
    MAYBE_NUMBER("size", "entries of the newest good checkpoint"),
    MAYBE_ID("root", "of that"),
    MAYBE_NUMBER("grew", "when that came"),
    LONG_TEXT("checkpoint", "as the log signed it"),
    MAYBE("witnesses", "names beneath it besides the log's, separated by spaces: unverified here,"
                       " sotto-audit verifies them"),
    OBJECT("counts", "OrderCounts", "what its entries say"),
    MAYBE_NUMBER("convicted", "since when it is"),
    OBJECT("trouble", "Problem", "of what"),
    END};
static const struct rpc_field evidence[] = {
    NUMBER("number", "its number"),
    STRING("relay", "whose log it is"),
    NUMBER("time", "when it was found, in seconds since 1970"),
    ONE_OF("what", "unsigned|shrunk|forked|withheld|different|gone|other_key|bad_entry",
           "of what the log is convicted"),
    STRING("key", "its verifier key"),
    MAYBE("otherKey", "that of the log in its place"),
    LONG_TEXT("before", "the signed checkpoint that was seen before; may be empty"),
    LONG_TEXT("after", "the one that contradicts it; may be empty"),
    END};
static const struct rpc_field evidence_page[] = {
    OBJECTS("evidence", "Evidence", "a page of it, the oldest first"),
    NUMBER("total", "how much there is in all"), END};
static const struct rpc_field notice[] = {
    NUMBER("number", "its number on this device"),
    ID("notice", "its id, the same on all devices"),
    ONE_OF("kind", "order|withdrawal|staying",
           "order: a lawful order about this account was answered; withdrawal: the relay leaves the"
           " jurisdiction; staying: it does not, after all"),
    NUMBER("received", "when it came, in seconds since 1970"),
    BOOLEAN("read", "whether it was read, on any device"),
    STRING("relay", "that it came from"),
    STRING("log", "whose key signed it"),
    NUMBER("logEntry", "which of its entries it is about, counted from 0"),
    ONE_OF("entry", "unchecked|confirmed|missing|other",
           "whether that is there and says the same; other: it says something else"),
    STRING("date", "of the decision, such as 2026-11-26"),
    STRING("jurisdiction", "such as DE"),
    MAYBE("authority", "of kind order: court, prosecutor, police or administrative"),
    MAYBE("issuer", "likewise: who ordered it"),
    MAYBE("reference", "likewise: the authority's own"),
    {.name = "asked",
     .type = RPC_STRINGS,
     .optional = true,
     .most = 64,
     .text = "likewise: what was asked for"},
    {.name = "gavePhoneNumber", .type = RPC_BOOLEAN, .optional = true, .text = "likewise"},
    {.name = "gaveLastIp", .type = RPC_BOOLEAN, .optional = true, .text = "likewise"},
    LONG_TEXT("legalBasis", "likewise"),
    LONG_TEXT("reasons", "likewise; or why they are withheld"),
    {.name = "reasonsWithheld", .type = RPC_BOOLEAN, .optional = true, .text = "likewise"},
    LONG_TEXT("redress", "likewise: what the person can do about it"),
    MAYBE("on", "of the other kinds: the day"),
    LONG_TEXT("reason", "likewise; may be empty"),
    LONG_TEXT("text", "all of it in plain words; others' words in lines that begin with > "),
    END};
static const struct rpc_field notices[] = {OBJECTS("notices", "Notice", "a page of them"),
                                           NUMBER("total", "how many there are in all"), END};
static const struct rpc_field conversation_id[] = {ID("conversation", "its id"), END};
static const struct rpc_field preview[] = {
    STRING("mediaType", "image/jpeg"),
    {.name = "data",
     .type = RPC_STRING,
     .most = 65536,
     .text = "its bytes in base64, 32 KiB of them at most. They come from another person: decode"
             " them where that can do no harm"},
    END};
static const struct rpc_field saved[] = {STRING("path", "where the file is now"), END};
static const struct rpc_field message_link[] = {STRING("link", "sotto://message/..."), END};
static const struct rpc_field nothing[] = {END};
static const struct rpc_field subscription[] = {
    NUMBER("event", "the newest event's number at this moment"), END};
static const struct rpc_field version[] = {STRING("version", "of this program"), END};

static const struct rpc_field event[] = {
    OF_ACCOUNT,
    NUMBER("number", "grows by one with each; kept over restarts"),
    ONE_OF(
        "type",
        "message|messageChanged|messageErased|conversation|conversationErased|contact|request|"
        "account|joinRequest|notice|relay",
        "what changed; messageErased: its time was over; conversationErased: all that was said"
        " there is gone; joinRequest: somebody asks to join or was answered, or a link to join was"
        " made, used or revoked"),
    MAYBE_ID("about", "the conversation's id; of type contact, the account's; of type notice,"
                      " the notice's"),
    MAYBE_NUMBER("erased", "of type messageErased: the id that it had"),
    OBJECT("message", "Message", "of types message and messageChanged, unless it is gone"),
    OBJECT("conversation", "Conversation",
           "of types conversation and conversationErased, unless it is gone"),
    OBJECT("contact", "Contact", "of type contact, unless it is none any more, nor blocked"),
    OBJECT("account", "Account", "of type account"),
    OBJECT("notice", "Notice", "of type notice"),
    OBJECT("relay", "Relay", "of type relay: its log of orders grew, was read, or is convicted"),
    END,
};
static const struct rpc_field typing[] = {
    OF_ACCOUNT,
    ID("conversation", "where"),
    ID("account", "who types"),
    STRING("name", "what one calls them, else as they call themselves"),
    BOOLEAN("on", "false: no more"),
    END,
};
static const struct rpc_field overflow[] = {
    OF_ACCOUNT,
    NUMBER("event", "what lies before this number is not kept any more: read all lists anew"), END};
static const struct rpc_field progress[] = {
    OF_ACCOUNT,
    {.name = "id", .type = RPC_CALL, .text = "the id of the request that takes long"},
    NUMBER("done", "how far it is"),
    NUMBER("of", "when it is done"),
    END};
static const struct rpc_field problem_fields[] = {
    STRING("code", "stable: `sotto --help` and docs/CLI.md list them"),
    STRING("message", "what happened, for people"), STRING("next", "what to do; may be empty"),
    END};
static const struct rpc_field transfer[] = {
    OF_ACCOUNT,
    ONE_OF("kind", "reading|sending|fetching|unknown",
           "reading: message.sendFile or sendVoice looks at the file first"),
    ID("conversation", "where it goes, or is from"),
    MAYBE("clientId", "of a file that is sent: what it is sent with"),
    MAYBE_NUMBER("id", "of a file that is fetched: the message's"),
    NUMBER("done", "bytes"),
    NUMBER("of", "bytes in all"),
    END};
static const struct rpc_field connection[] = {
    OF_ACCOUNT, ONE_OF("state", "lost|back", "whether a relay can be reached"),
    OBJECT("problem", "Problem", "why not"), END};

const struct rpc_object rpc_objects[] = {
    {"Account", "One's own account.", account},
    {"Status", "The account, and what there is in the profile.", status},
    {"Device", "A device of one's own account.", device},
    {"DeviceId", "Which device.", device_id},
    {"Profile", "One of the accounts that `sotto daemon --accounts` serves.", profile},
    {"Profiles", "A page of them.", profiles},
    {"RecoveryPhrase", "The account's key in words.", recovery_phrase},
    {"Backup", "A backup that was made.", backup},
    {"Restored", "A backup that was taken over.", restored},
    {"Exported", "A conversation that was written into a folder.", exported},
    {"Imported", "An export that was taken into the history.", imported},
    {"Stopped", "Calls that were told to stop.", stopped},
    {"DeviceLink", "What a new device shows.", device_link},
    {"Devices", "A page of one's own devices.", devices},
    {"Contact", "Somebody one wants to know, or has blocked.", contact},
    {"ContactId", "Which person.", contact_id},
    {"Labels", "What one is found by at one's relay.", labels},
    {"Found", "Who has a username or number, says the relay.", found},
    {"Contacts", "A page of contacts.", contacts},
    {"Request", "Somebody who is no contact and wants to write.", request},
    {"Requests", "A page of requests.", requests},
    {"Invitation", "A link with which somebody can begin a conversation.", invitation},
    {"Proxy", "The SOCKS5 proxy that all relays are reached through.", proxy},
    {"Fingerprint", "What two people compare.", fingerprint},
    {"Conversation", "A conversation.", conversation},
    {"Conversations", "A page of conversations.", conversations},
    {"Muted", "Whether somebody is notified.", muted},
    {"Draft", "What a person began to write.", draft},
    {"ConversationId", "A conversation by its id.", conversation_id},
    {"Settings", "What the members of a group agreed on, and what oneself may do.", settings},
    {"JoinLink", "A link with which people ask to join a group.", join_link},
    {"JoinLinks", "A page of them.", join_links},
    {"JoinRequest", "Somebody who asks to join a group.", join_request},
    {"JoinRequests", "A page of them.", join_requests},
    {"Standing", "Somebody with a role, or who is banned.", standing},
    {"Standings", "A page of them.", standings},
    {"Member", "A device in a conversation.", member},
    {"Members", "A page of members.", members},
    {"Message", "A message, or what happened in a conversation.", message},
    {"Messages", "A page of messages.", messages},
    {"Quote", "What a message answers.", quote},
    {"Receipt", "What a member says of a message: one a person.", receipt},
    {"MessageLink", "A link to a message.", message_link},
    {"MessageInfo", "A message, and who has it.", info},
    {"Mention", "Somebody whom a message mentions.", mention},
    {"Reaction", "What somebody thinks of a message: one a person.", reaction},
    {"AlbumSent", "Several files that wait to be sent.", album_sent},
    {"Album", "The place of a file among several that belong together.", album},
    {"Piece", "A part of a line: found, or what stands between.", piece},
    {"Sending", "How far an own message is, or an own change of one.", sending},
    {"Preview", "A small picture of a picture.", preview},
    {"Saved", "A file that was fetched.", saved},
    {"Relay", "The account's relay, as far as lawful orders go.", relay},
    {"OrderCounts", "What the entries of a log of orders say; none can say that content was given.",
     counts},
    {"Evidence", "What a log of orders was convicted by.", evidence},
    {"EvidencePage", "A page of it.", evidence_page},
    {"Notice", "What a relay told the account, signed by its log of orders.", notice},
    {"Notices", "A page of them.", notices},
    {"Subscription", "From where on events come.", subscription},
    {"Event", "Something that changed: the parameters of the notification `event`.", event},
    {"Overflow", "The parameters of the notification `overflow`.", overflow},
    {"Typing", "Who types: the parameters of the notification `typing`.", typing},
    {"Connection", "The parameters of the notification `connection`.", connection},
    {"Transfer",
     "How far a file is: the parameters of the notification `transfer`, a few times a second.",
     transfer},
    {"Progress", "The parameters of the notification `progress`.", progress},
    {"Problem", "What went wrong: in words and as a code.", problem_fields},
    {"Version", "The program.", version},
    {"Nothing", "It is done; there is nothing to say.", nothing},
    {"Document", "An OpenRPC document.", nothing},
    {NULL, NULL, NULL},
};

const struct rpc_method *rpc_method_named(const char *name)
{
    const struct rpc_method *method = rpc_methods;
    while (method->name != NULL && strcmp(method->name, name) != 0)
        method++;
    return method->name != NULL ? method : NULL;
}

/* ---- Checking ------------------------------------------------------------------------------- */

static bool wrong(struct sotto_problem *problem, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool wrong(struct sotto_problem *problem, const char *name, const char *format, ...)
{
    char what[200];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(what, sizeof what, format, list);
    va_end(list);
    (void)problem_set(problem, SOTTO_ARGUMENT, SOTTO_CODE_USAGE,
                      "See docs/openrpc.json, or rpc.discover.", "The parameter `%.60s` %s.", name,
                      what);
    return false;
}

/* Whether bars ("a|b|c") has it. */
static bool is_one_of(const char *bars, const char *text)
{
    size_t wanted = strlen(text);
    while (*bars != '\0') {
        size_t size = strcspn(bars, "|");
        if (size == wanted && memcmp(bars, text, size) == 0)
            return true;
        bars += size + (bars[size] == '|');
    }
    return false;
}

static bool check_string(const struct rpc_field *field, const json_t *value,
                         struct sotto_problem *problem)
{
    if (!json_is_string(value))
        return wrong(problem, field->name, "takes a string");
    size_t size = json_string_length(value);
    if (size < field->least)
        return wrong(problem, field->name, "may not be empty");
    if (size > field->most)
        return wrong(problem, field->name, "may have %llu bytes at most",
                     (unsigned long long)field->most);
    if (field->of != NULL && !is_one_of(field->of, json_string_value(value)))
        return wrong(problem, field->name, "takes one of %s", field->of);
    return true;
}

static bool check_id(const struct rpc_field *field, const json_t *value,
                     struct sotto_problem *problem)
{
    const char *text = json_string_value(value);
    if (text == NULL || strlen(text) != 64 || strspn(text, "0123456789abcdef") != 64)
        return wrong(problem, field->name, "takes an id of 64 hex digits");
    return true;
}

static bool check_strings(const struct rpc_field *field, const json_t *value,
                          struct sotto_problem *problem)
{
    size_t count = json_array_size(value); /* 0 for what is no array */
    if (!json_is_array(value) || count < field->least || count > field->most)
        return wrong(problem, field->name, "takes an array of %llu to %llu strings",
                     (unsigned long long)field->least, (unsigned long long)field->most);
    for (size_t i = 0; i < count; i++) {
        const json_t *one = json_array_get(value, i);
        if (!json_is_string(one) || json_string_length(one) == 0 ||
            json_string_length(one) > RPC_STRING_MAX)
            return wrong(problem, field->name, "takes strings that are not empty");
    }
    return true;
}

static bool check_numbers(const struct rpc_field *field, const json_t *value,
                          struct sotto_problem *problem)
{
    bool fits = json_is_array(value) && json_array_size(value) <= field->most;
    for (size_t i = 0; fits && i < json_array_size(value); i++) {
        const json_t *one = json_array_get(value, i);
        fits = json_is_integer(one) && json_integer_value(one) >= 0 &&
               json_integer_value(one) <= UINT8_MAX;
    }
    return fits ||
           wrong(problem, field->name, "takes an array of %llu numbers from 0 to 255 at most",
                 (unsigned long long)field->most);
}

static bool check_value(const struct rpc_field *field, const json_t *value,
                        struct sotto_problem *problem)
{
    switch (field->type) {
    case RPC_STRING:
        return check_string(field, value, problem);
    case RPC_INTEGER:
        if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            (uint64_t)json_integer_value(value) < field->least ||
            (uint64_t)json_integer_value(value) > field->most)
            return wrong(problem, field->name, "takes a whole number from %llu to %llu",
                         (unsigned long long)field->least, (unsigned long long)field->most);
        return true;
    case RPC_BOOLEAN:
        return json_is_boolean(value) || wrong(problem, field->name, "takes true or false");
    case RPC_ID:
        return check_id(field, value, problem);
    case RPC_STRINGS:
        return check_strings(field, value, problem);
    case RPC_NUMBERS:
        return check_numbers(field, value, problem);
    case RPC_OBJECT:
    case RPC_OBJECTS:
    case RPC_CALL:
        break; /* no method takes one */
    }
    return wrong(problem, field->name, "cannot be given");
}

static const struct rpc_field *field_named(const struct rpc_field *fields, const char *name)
{
    while (fields->name != NULL && strcmp(fields->name, name) != 0)
        fields++;
    return fields->name != NULL ? fields : NULL;
}

bool rpc_params_check(const struct rpc_method *method, const json_t *params,
                      struct sotto_problem *problem)
{
    const char *name;
    json_t *value;
    if (params != NULL && !json_is_object(params)) {
        (void)problem_set(problem, SOTTO_ARGUMENT, SOTTO_CODE_USAGE,
                          "Write {\"name\": value, ...}.", "Parameters are given by name.");
        return false;
    }
    json_object_foreach((json_t *)params, name, value)
    {
        const struct rpc_field *field = field_named(method->params, name);
        if (field == NULL)
            return wrong(problem, name, "is not one of %s", method->name);
        if (!check_value(field, value, problem))
            return false;
    }
    for (const struct rpc_field *field = method->params; field->name != NULL; field++)
        if (!field->optional && json_object_get(params, field->name) == NULL)
            return wrong(problem, field->name, "is missing");
    return true;
}
