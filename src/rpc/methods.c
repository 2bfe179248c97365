#include "rpc/methods.h"

#define END          \
    {                \
        .name = NULL \
    }
#define TEXT(name_, most_, text_)                                                   \
    {                                                                               \
        .name = name_, .type = RPC_STRING, .least = 1, .most = most_, .text = text_ \
    }
#define MAYBE(name_, most_, text_)                                                      \
    {                                                                                   \
        .name = name_, .type = RPC_STRING, .optional = true, .least = 1, .most = most_, \
        .text = text_                                                                   \
    }
#define NUMBER(name_, least_, most_, text_)                                               \
    {                                                                                     \
        .name = name_, .type = RPC_INTEGER, .least = least_, .most = most_, .text = text_ \
    }
#define MAYBE_NUMBER(name_, least_, most_, text_)                                             \
    {                                                                                         \
        .name = name_, .type = RPC_INTEGER, .optional = true, .least = least_, .most = most_, \
        .text = text_                                                                         \
    }
#define CONVERSATION                                                            \
    {                                                                           \
        .name = "conversation", .type = RPC_ID, .text = "the conversation's id" \
    }
#define CLIENT_ID                                                                               \
    MAYBE("clientId", SOTTO_CLIENT_ID_MAX,                                                      \
          "a name for this message, printable ASCII: with the same one again nothing is sent a" \
          " second time")
#define MESSAGE                                                                \
    {                                                                          \
        .name = "message", .type = RPC_INTEGER, .least = 1, .most = INT64_MAX, \
        .text = "the message's id"                                             \
    }
#define MARKDOWN                                                                             \
    {                                                                                        \
        .name = "markdown", .type = RPC_BOOLEAN, .optional = true,                           \
        .text = "whether the text is Markdown (GFM-MIMI: no HTML; a mention is a link to"    \
                " sotto:account/ and the account's id in base64url without padding) (false)" \
    }
#define MEMBERS(least_)                                                               \
    {                                                                                 \
        .name = "members", .type = RPC_STRINGS, .least = least_, .most = MEMBERS_MAX, \
        .text = "people, by account id, the beginning of one, or name"                \
    }
#define PAGE                                                           \
    MAYBE_NUMBER("offset", 0, INT64_MAX, "how many to leave out (0)"), \
        MAYBE_NUMBER("limit", 1, 1000, "how many at most (100)")

static const struct rpc_field none[] = {END};
static const struct rpc_field page[] = {PAGE, END};
static const struct rpc_field conversation[] = {CONVERSATION, END};

#define ADMISSION                                                                    \
    MAYBE("phone", 64, "a number like +4930123456, where the relay wants one"),      \
        MAYBE("invitation", 256, "the relay's invitation code, where it wants one"), \
        MAYBE("code", 64, "the code that was sent to the phone")
static const struct rpc_field list[] = {
    {.name = "archived",
     .type = RPC_BOOLEAN,
     .optional = true,
     .text = "those that are archived instead of the others (false)"},
    PAGE,
    END,
};
#define ON(text_)                                        \
    {                                                    \
        .name = "on", .type = RPC_BOOLEAN, .text = text_ \
    }
static const struct rpc_field pinned[] = {CONVERSATION, ON("whether it stands before the others"),
                                          END};
static const struct rpc_field archived[] = {
    CONVERSATION, ON("whether it is put away until something comes"), END};
static const struct rpc_field typing[] = {CONVERSATION, ON("whether one types"), END};
static const struct rpc_field muted[] = {
    CONVERSATION,
    ON("whether it is"),
    MAYBE_NUMBER("until", 1, INT64_MAX, "when that ends, in seconds since 1970; left out: never"),
    {.name = "mentions",
     .type = RPC_BOOLEAN,
     .optional = true,
     .text = "whether messages that mention oneself are muted too (false)"},
    END};
static const struct rpc_field draft[] = {
    CONVERSATION, MAYBE("text", SOTTO_DRAFT_MAX, "what was written so far; left out: nothing"),
    MARKDOWN, MAYBE_NUMBER("replyTo", 1, INT64_MAX, "the id of the message that it answers"), END};

static const struct rpc_field notices[] = {{.name = "unread",
                                            .type = RPC_BOOLEAN,
                                            .optional = true,
                                            .text = "those alone that were not read (false)"},
                                           PAGE,
                                           END};
static const struct rpc_field notice[] = {
    {.name = "notice", .type = RPC_ID, .text = "the notice's id"}, END};
static const struct rpc_field notice_number[] = {
    MAYBE_NUMBER("number", 1, INT64_MAX, "the notice's number; left out: all that there are"), END};
static const struct rpc_field registration[] = {
    MAYBE("relay", RPC_STRING_MAX, "host:port or host:port#PIN; left out: that of an earlier try"),
    MAYBE("name", 256, "the name that others see"),
    ADMISSION,
    END,
};
static const struct rpc_field relocation[] = {
    TEXT("relay", RPC_STRING_MAX, "the other relay, as host:port or host:port#PIN"), ADMISSION,
    END};
static const struct rpc_field end[] = {
    {.name = "confirm", .type = RPC_ID, .text = "the account's id, once more"},
    {.name = "force",
     .type = RPC_BOOLEAN,
     .optional = true,
     .text = "conversations whose relays cannot be reached are left as they are (false)"},
    END,
};
static const struct rpc_field account_name[] = {
    TEXT("name", 64, "letters, digits and, behind the first, any of - _ . @ +"), END};
#define COMING_BACK                                                                        \
    {.name = "alone",                                                                      \
     .type = RPC_BOOLEAN,                                                                  \
     .optional = true,                                                                     \
     .text = "the account's other devices are removed: lost, or in wrong hands (false)"},  \
        {.name = "anew",                                                                   \
         .type = RPC_BOOLEAN,                                                              \
         .optional = true,                                                                 \
         .text = "the relay need not know the account: where it was, it is gone (false)"}, \
        ADMISSION
static const struct rpc_field recovery[] = {
    TEXT("phrase", RPC_STRING_MAX, "the 24 words, in any case, with any blanks between"),
    TEXT("relay", RPC_STRING_MAX, "where the account is, as host:port or host:port#PIN"),
    MAYBE("name", 256, "the name that others see"),
    COMING_BACK,
    END,
};
static const struct rpc_field name[] = {TEXT("name", 256, "the name that others see"), END};
static const struct rpc_field downloads[] = {
    MAYBE_NUMBER("most", 0, INT64_MAX, "bytes of a file; 0: none is fetched; left out: all"), END};
static const struct rpc_field lock[] = {
    MAYBE("passphrase", SOTTO_PASSPHRASE_MAX, "the new one; left out: none any more"), END};
static const struct rpc_field backup[] = {
    TEXT("path", RPC_STRING_MAX, "of the file"),
    MAYBE("passphrase", SOTTO_PASSPHRASE_MAX, "what opens it; left out: a key is made and told"),
    {.name = "accountKey",
     .type = RPC_BOOLEAN,
     .optional = true,
     .text = "the account's key too: whoever opens the file is the account (false)"},
    {.name = "replace",
     .type = RPC_BOOLEAN,
     .optional = true,
     .text = "a file that is there gives way, once the new one is whole (false)"},
    END,
};
static const struct rpc_field export[] = {
    CONVERSATION,
    TEXT("path", RPC_STRING_MAX, "of a folder, which is made"),
    {.name = "files",
     .type = RPC_BOOLEAN,
     .optional = true,
     .text = "fetch the conversation's files too (false)"},
    END};
static const struct rpc_field import[] = {
    TEXT("path", RPC_STRING_MAX, "of a folder that an export made"), END};
static const struct rpc_field restore[] = {
    TEXT("path", RPC_STRING_MAX, "of the file"),
    TEXT("passphrase", SOTTO_PASSPHRASE_MAX, "the backup's passphrase or key"),
    {.name = "historyOnly",
     .type = RPC_BOOLEAN,
     .optional = true,
     .text = "no device of the account is made, whether its key is in the backup or not (false)"},
    MAYBE("relay", RPC_STRING_MAX, "where the account is; left out: where the backup says"),
    MAYBE("name", 256, "the name that others see; left out: the backup's"),
    COMING_BACK,
    END,
};
#define PERSON \
    TEXT("contact", RPC_STRING_MAX, "a person, by account id, the beginning of one, or name")
static const struct rpc_field who[] = {PERSON, END};
static const struct rpc_field rename_contact[] = {
    PERSON, MAYBE("name", 256, "what they are called here; left out: as they call themselves"),
    END};
static const struct rpc_field set_verified[] = {
    PERSON,
    {.name = "verified", .type = RPC_BOOLEAN, .text = "whether the numbers are the same on both"},
    END};
#define LABEL_OF TEXT("label", 64, "@ and a username, or a number like +4930123456, whole")
static const struct rpc_field label_of[] = {LABEL_OF, END};
static const struct rpc_field add_contact[] = {
    LABEL_OF,
    MAYBE("text", SOTTO_TEXT_MAX, "the first thing that is said; the request shows its beginning"),
    {.name = "changed",
     .type = RPC_BOOLEAN,
     .optional = true,
     .text = "take it although it led to another account before (false)"},
    END};
static const struct rpc_field username[] = {
    MAYBE("username", 64, "3 to 32 of a to z, 0 to 9, _, . and -; left out: none any more"), END};
static const struct rpc_field findable[] = {
    {.name = "on", .type = RPC_BOOLEAN, .text = "whether one may be found by one's number"}, END};
static const struct rpc_field own_picture[] = {
    MAYBE("path", RPC_STRING_MAX, "a JPEG, PNG or WebP, as the daemon sees it; left out: none"),
    END};
static const struct rpc_field own_picture_to[] = {
    TEXT("to", RPC_STRING_MAX, "the file's name: it must not be there"), END};
static const struct rpc_field their_picture_to[] = {
    PERSON, TEXT("to", RPC_STRING_MAX, "the file's name: it must not be there"), END};
static const struct rpc_field verify_link[] = {
    TEXT("link", RPC_STRING_MAX, "sotto://verify/..., as the other person's device shows it"),
    MAYBE("contact", RPC_STRING_MAX,
          "whose it has to be, by account id, the beginning of one, or name"),
    END};
#define DEVICE TEXT("device", RPC_STRING_MAX, "its name, or the beginning of its id")
static const struct rpc_field link_device[] = {
    TEXT("relay", RPC_STRING_MAX, "the account's relay, as host:port or host:port#PIN"),
    MAYBE("name", 256, "what the device is called"), END};
static const struct rpc_field add_device[] = {
    TEXT("link", RPC_STRING_MAX, "sotto://link/..., whole"),
    {.name = "limited",
     .type = RPC_BOOLEAN,
     .optional = true,
     .text = "it may not link or remove others (false)"},
    END};
static const struct rpc_field rename_device[] = {
    DEVICE, TEXT("name", 256, "what it is called from now on"), END};
static const struct rpc_field which_device[] = {DEVICE, END};
#define LINK                                                                 \
    MAYBE_NUMBER("uses", 1, SOTTO_LINK_USES_MAX, "for how many people (1)"), \
        MAYBE_NUMBER("lifetime", 1, SOTTO_LINK_LIFETIME_MAX, "seconds (7 days)")
static const struct rpc_field invite[] = {LINK, END};
static const struct rpc_field link[] = {TEXT("link", RPC_STRING_MAX, "sotto://invite/..., whole"),
                                        END};
static const struct rpc_field request[] = {NUMBER("request", 1, INT64_MAX, "the request's number"),
                                           END};
static const struct rpc_field find[] = {
    TEXT("name", RPC_STRING_MAX, "a title, a person's name, or the beginning of an id"), END};
static const struct rpc_field mark[] = {
    CONVERSATION,
    MAYBE_NUMBER("message", 1, INT64_MAX,
                 "the id of the last message that was seen; left out: all"),
    END};
static const struct rpc_field send[] = {
    CONVERSATION,
    TEXT("text", SOTTO_TEXT_MAX, "what is said"),
    MAYBE_NUMBER("replyTo", 1, INT64_MAX, "the id of the message that it answers"),
    MARKDOWN,
    CLIENT_ID,
    END};
static const struct rpc_field edit[] = {MESSAGE, TEXT("text", SOTTO_TEXT_MAX, "what it says now"),
                                        MARKDOWN, CLIENT_ID, END};
static const struct rpc_field forward[] = {
    MESSAGE, {.name = "conversation", .type = RPC_ID, .text = "where it goes"}, CLIENT_ID, END};
static const struct rpc_field timer[] = {
    CONVERSATION, NUMBER("seconds", 0, SOTTO_TIMER_MAX, "after being read; 0: never"), END};
static const struct rpc_field message[] = {MESSAGE, END};
static const struct rpc_field message_of_link[] = {
    TEXT("link", RPC_STRING_MAX, "sotto://message/..., whole"), END};
static const struct rpc_field proxy[] = {
    MAYBE("proxy", RPC_STRING_MAX,
          "socks5://HOST:PORT; socks5://HOST:PORT?isolate=no, for one that knows no passwords;"
          " socks5://USER:PASSWORD@HOST:PORT; left out: none"),
    END};
static const struct rpc_field on[] = {
    {.name = "on", .type = RPC_BOOLEAN, .text = "whether they are sent and shown"}, END};
static const struct rpc_field delete[] = {MESSAGE, CLIENT_ID, END};
static const struct rpc_field react[] = {
    MESSAGE, MAYBE("reaction", SOTTO_REACTION_MAX, "an emoji, or a word; left out: none any more"),
    CLIENT_ID, END};
static const struct rpc_field send_file[] = {
    CONVERSATION,
    TEXT("path", RPC_STRING_MAX,
         "the file: it is read where it lies until it is sent, and has to stay as it is"),
    MAYBE("caption", SOTTO_CAPTION_MAX, "what is said about it"),
    {.name = "asFile",
     .type = RPC_BOOLEAN,
     .optional = true,
     .text = "a picture too is sent as it is, with all that it tells beside (false)"},
    CLIENT_ID,
    END};
static const struct rpc_field send_album[] = {
    CONVERSATION,
    {.name = "paths",
     .type = RPC_STRINGS,
     .least = 2,
     .most = SOTTO_ALBUM_MAX,
     .text = "the files, in order; read as by message.sendFile"},
    MAYBE("caption", SOTTO_CAPTION_MAX, "what is said about them: with the first"),
    {.name = "asFile",
     .type = RPC_BOOLEAN,
     .optional = true,
     .text = "pictures too are sent as they are, with all that they tell beside (false)"},
    MAYBE("clientId", SOTTO_CLIENT_ID_MAX - 4,
          "a name for the album: with the same one, what was sent is not sent again; file i, from"
          " 0, has it with a dot and i"),
    END};
static const struct rpc_field send_voice[] = {
    CONVERSATION,
    TEXT("path", RPC_STRING_MAX,
         "the recording: Ogg Opus, M4A or AAC; read as by message.sendFile"),
    MAYBE_NUMBER("duration", 1, 24 * UINT64_C(3600000),
                 "in milliseconds; left out: measured, of Ogg Opus"),
    {.name = "waveform",
     .type = RPC_NUMBERS,
     .optional = true,
     .most = SOTTO_PEAKS_MAX,
     .text = "its loudness in equal steps, 0 to 255; left out: measured, of Ogg Opus"},
    MAYBE("caption", SOTTO_CAPTION_MAX, "what is said about it"),
    CLIENT_ID,
    END};
static const struct rpc_field cancel[] = {
    MAYBE_NUMBER("message", 1, INT64_MAX, "a message whose file message.saveFile is fetching"),
    {.name = "conversation",
     .type = RPC_ID,
     .optional = true,
     .text = "of a file that is sent: where it goes"},
    MAYBE("clientId", SOTTO_CLIENT_ID_MAX,
          "of a file or album that is sent: what it was sent with"),
    END};
static const struct rpc_field history[] = {
    CONVERSATION, MAYBE_NUMBER("before", 1, INT64_MAX, "only messages before the one of this id"),
    MAYBE_NUMBER("limit", 1, 1000, "how many at most (100)"), END};
static const struct rpc_field search[] = {
    TEXT("words", RPC_STRING_MAX, "in any case, with or without accents"),
    {.name = "conversation",
     .type = RPC_ID,
     .optional = true,
     .text = "only in this one; left out: in all"},
    MAYBE_NUMBER("before", 1, INT64_MAX, "only messages before the one of this id"),
    MAYBE_NUMBER("limit", 1, 1000, "how many at most (100)"),
    END};
static const struct rpc_field sent[] = {
    CONVERSATION, TEXT("clientId", SOTTO_CLIENT_ID_MAX, "what it was sent with"), END};
static const struct rpc_field save[] = {
    NUMBER("message", 1, INT64_MAX, "the message's id"),
    TEXT("to", RPC_STRING_MAX, "a folder, where it gets the name it was sent under, or a name"),
    END};
static const struct rpc_field group[] = {TEXT("title", 256, "what it is called"), MEMBERS(0), END};
static const struct rpc_field people[] = {CONVERSATION, MEMBERS(1), END};
static const struct rpc_field members[] = {CONVERSATION, PAGE, END};
static const struct rpc_field set_title[] = {CONVERSATION, TEXT("title", 256, "the new one"), END};
static const struct rpc_field set_description[] = {
    CONVERSATION, MAYBE("description", SOTTO_DESCRIPTION_MAX, "left out: none any more"), END};
static const struct rpc_field set_picture[] = {
    CONVERSATION,
    MAYBE("path", RPC_STRING_MAX,
          "a PNG, JPEG, WebP or GIF of 8192 bytes at most; left out: none any more"),
    END};
static const struct rpc_field save_picture[] = {
    CONVERSATION, TEXT("to", RPC_STRING_MAX, "the file that is to be made"), END};
#define WHO TEXT("who", RPC_STRING_MAX, "a person, by account id, the beginning of one, or name")
#define ROLE                                                                                    \
    {                                                                                           \
        .name = "role", .type = RPC_STRING, .least = 1, .most = 16, .of = "member|admin|owner", \
        .text = "the role"                                                                      \
    }
static const struct rpc_field set_role[] = {CONVERSATION, WHO, ROLE, END};
static const struct rpc_field set_policy[] = {CONVERSATION,
                                              {.name = "policy",
                                               .type = RPC_STRING,
                                               .least = 1,
                                               .most = 16,
                                               .of = "add|remove|write|change",
                                               .text = "what is done"},
                                              ROLE,
                                              END};
static const struct rpc_field set_join[] = {CONVERSATION,
                                            {.name = "rule",
                                             .type = RPC_STRING,
                                             .least = 1,
                                             .most = 16,
                                             .of = "closed|ask|open",
                                             .text = "what becomes of who asks by a link"},
                                            END};
static const struct rpc_field create_link[] = {CONVERSATION, LINK, END};
static const struct rpc_field revoke_link[] = {NUMBER("link", 1, INT64_MAX, "the link's number"),
                                               END};
static const struct rpc_field ask_link[] = {TEXT("link", RPC_STRING_MAX, "sotto://join/..., whole"),
                                            END};
static const struct rpc_field somebody[] = {CONVERSATION, WHO, END};
static const struct rpc_field since[] = {
    MAYBE_NUMBER("since", 0, INT64_MAX,
                 "the last event's number that was seen: those behind it come first; left out:"
                 " only what happens from now on"),
    END};

const struct rpc_method rpc_methods[] = {
    {"account.get", "One's own account", none, "Account", false, account_get},
    {"account.register",
     "Make an account at a relay. With `code_needed`, call again with the code. Safe to repeat",
     registration, "Account", true, account_register},
    {"account.recoveryPhrase",
     "The account's key in 24 words. Whoever has them has the account: show them when the person"
     " asks, and keep them nowhere",
     none, "RecoveryPhrase", false, account_recovery_phrase},
    {"account.recover",
     "In a profile without an account: become a new device of the account of that phrase. Codes as"
     " with account.register. Safe to repeat",
     recovery, "Account", true, account_recover},
    {"account.move",
     "Move the account to another relay, as the same. Contacts and one's other devices follow by"
     " themselves; the old relay is left when they have. Codes as with account.register. Safe to"
     " repeat",
     relocation, "Account", true, account_move},
    {"account.delete",
     "Delete the account, at its relay, in every conversation, on every device, for good. Safe to"
     " repeat until it is done; the daemon then ends",
     end, "Nothing", true, account_delete},
    {"account.setName", "Change the name that others see; the conversations are told", name,
     "Account", false, account_set_name},
    {"account.setReceipts",
     "Whether delivery and read receipts are sent and shown. Off also forgets those that are here",
     on, "Account", false, account_set_receipts},
    {"account.setDownloads",
     "Which files of contacts are fetched as they come, while the daemon runs; at first those of a"
     " mebibyte at most. Each device has its own: the account's others are not told",
     downloads, "Account", false, account_set_downloads},
    {"account.setTyping", "Whether others are told that one types, and one is told of them", on,
     "Account", false, account_set_typing},
    {"account.setPicture",
     "Your picture: your contacts get it, in the conversations with them alone. What a picture "
     "tells"
     " beside itself is left out",
     own_picture, "Account", false, account_set_picture},
    {"account.savePicture", "Write your picture to a file", own_picture_to, "Saved", false,
     account_save_picture},
    {"account.labels", "By what people at the relay find you: asked of the relay", none, "Labels",
     true, account_labels},
    {"account.setUsername",
     "Be found by that username by people at your relay, which then has it, or by none", username,
     "Labels", true, account_set_username},
    {"account.setFindable", "Whether people at your relay may find you by your phone number",
     findable, "Labels", true, account_set_findable},
    {"account.fingerprint", "One's own account's safety number", none, "Fingerprint", false,
     account_fingerprint},
    {"network.proxy", "The proxy that relays are reached through", none, "Proxy", false,
     network_proxy},
    {"network.setProxy",
     "Reach all relays through a SOCKS5 proxy, such as Tor's, and in no other way; connections that"
     " go another way are ended",
     proxy, "Proxy", false, network_set_proxy},
    {"status.get", "The account, and what there is in the profile", none, "Status", false,
     status_get},
    {"profile.setPassphrase",
     "Lock the profile with a passphrase, another one, or none: whoever opens it next needs it. The"
     " desktop's keyring, where the command line put the one before, is not told",
     lock, "Nothing", true, profile_set_passphrase},

    {"device.link",
     "On a new device, without an account: make its keys and a link for the account's other device."
     " Then call device.waitLinked",
     link_device, "DeviceLink", false, device_link},
    {"device.waitLinked",
     "Wait until the other device has let this one in; then this is a device of the account, and"
     " gets its conversations and their history",
     none, "Account", true, device_wait_linked},
    {"device.add",
     "On a device of the account: let the new device in whose link that is. Safe to repeat",
     add_device, "DeviceId", true, device_add},
    {"device.list", "The account's devices", page, "Devices", false, device_list},
    {"device.rename", "Change what one's own devices call one of them", rename_device, "Nothing",
     false, device_rename},
    {"device.revoke",
     "Remove a device from the account: it reads nothing more, in any conversation", which_device,
     "Nothing", true, device_revoke},

    {"conversation.export",
     "Write a conversation into a folder, as a page and as lines of JSON, not encrypted. `progress`"
     " counts messages",
     export, "Exported", true, conversation_export},
    {"conversation.import",
     "Take the texts of an export into the history of its conversation, marked as `imported`. What"
     " is there stays as it is. `progress` counts bytes",
     import, "Imported", true, conversation_import},
    {"backup.create",
     "Write contacts, conversations and messages into one encrypted file. `progress` counts "
     "messages",
     backup, "Backup", true, backup_create},
    {"backup.restore",
     "Take a backup over, into a profile without an account or one of the same account. If the"
     " account's key is in it, this becomes a new device of the account, and members of the"
     " conversations are asked to let it in (`rejoining` until then). `progress` counts bytes",
     restore, "Restored", true, backup_restore},

    {"invitation.create", "Make a link with which somebody can write to you", invite, "Invitation",
     true, invitation_create},
    {"invitation.accept",
     "Take somebody's link. The conversation is there at once and becomes active once the relay has"
     " it",
     link, "ConversationId", false, invitation_accept},
    {"request.list", "Strangers who want to write", page, "Requests", false, request_list},
    {"request.accept", "Let one in", request, "ConversationId", false, request_accept},
    {"request.decline", "Refuse one, on all your devices; the sender is not told", request,
     "Nothing", false, request_decline},
    {"request.block", "Refuse one and block its sender, whose other requests go too", request,
     "Nothing", false, request_block},
    {"contact.list", "The people you know", page, "Contacts", false, contact_list},
    {"contact.listBlocked", "The people you have blocked, contacts or not", page, "Contacts", false,
     contact_list_blocked},
    {"contact.find",
     "Who has that username or number at your relay. It says so and could lie: they are not "
     "verified"
     " by it",
     label_of, "Found", true, contact_find},
    {"contact.add",
     "Find somebody and begin a conversation, which is a request to them. `changed` if it led to"
     " another account before",
     add_contact, "ConversationId", true, contact_add},
    {"contact.savePicture", "Write a contact's picture to a file", their_picture_to, "Saved", false,
     contact_save_picture},
    {"contact.setName", "What somebody is called on your devices alone", rename_contact, "Nothing",
     false, contact_set_name},
    {"contact.delete", "Somebody is a contact no more; conversations stay", who, "Nothing", false,
     contact_delete},
    {"contact.block",
     "Let nothing more of somebody in: requests, and messages between you two, are dropped for "
     "good;"
     " in groups they are marked. They are not told",
     who, "Nothing", false, contact_block},
    {"contact.unblock", "Let them write again; what was dropped is gone", who, "Nothing", false,
     contact_unblock},
    {"contact.setVerified",
     "You have compared contact.fingerprint with theirs and it is the same, or take that back",
     set_verified, "Nothing", false, contact_set_verified},
    {"contact.verifyLink",
     "Compare by scanning: the link of contact.fingerprint as the other person's device shows it."
     " `bad_identity` if it is somebody else's, or for somebody else",
     verify_link, "ContactId", false, contact_verify_link},
    {"contact.fingerprint", "The safety number to compare with somebody", who, "Fingerprint", false,
     contact_fingerprint},

    {"conversation.list",
     "Your conversations: the pinned ones, then the others, in order of activity", list,
     "Conversations", false, conversation_list},
    {"conversation.get", "One of them", conversation, "Conversation", false, conversation_get},
    {"conversation.find", "The one that a name means", find, "ConversationId", false,
     conversation_find},
    {"conversation.setTimer",
     "After how long messages that anybody writes here from now on disappear: at readers since they"
     " are read, at their sender since they are sent",
     timer, "Conversation", false, conversation_set_timer},
    {"conversation.markRead", "Messages up to one, or all, were seen", mark, "Nothing", false,
     conversation_mark_read},
    {"conversation.markUnread", "Mark one as unread, until something in it is read", conversation,
     "Conversation", false, conversation_mark_unread},
    {"conversation.setPinned", "Let one stand before the others", pinned, "Conversation", false,
     conversation_set_pinned},
    {"conversation.setArchived",
     "Put one away. It comes back with a message of one's own, and with one of others unless it is"
     " muted",
     archived, "Conversation", false, conversation_set_archived},
    {"conversation.setMuted", "Notify nobody of one's messages", muted, "Conversation", false,
     conversation_set_muted},
    {"conversation.setDraft", "Keep what was begun to be written, in place of an earlier draft",
     draft, "Conversation", false, conversation_set_draft},
    {"conversation.setTyping",
     "One types there, or stopped: call it with each key. Others are told once in four seconds at"
     " most, and forget it by themselves",
     typing, "Nothing", false, conversation_set_typing},
    {"conversation.erase",
     "Erase what was said in one, on all of one's own devices. One stays a member; a conversation"
     " that is over goes whole. Answers when nothing is left",
     conversation, "Nothing", true, conversation_erase},

    {"message.send",
     "Send a text. When this answers, the message is in the outbox on disk, and leaves when the"
     " relay can be reached",
     send, "Sending", false, message_send},
    {"message.sendFile",
     "Send a file, likewise; a JPEG, PNG, WebP or GIF as a picture: with a preview, and without "
     "what"
     " it tells beside, such as where it was taken",
     send_file, "Sending", true, message_send_file},
    {"message.sendVoice", "Send a voice note, likewise", send_voice, "Sending", true,
     message_send_voice},
    {"message.sendAlbum",
     "Send several files that belong together: each as by message.sendFile and as a message of its"
     " own, which says which album it is of. With the same clientId, after a failure, what is"
     " missing is sent",
     send_album, "AlbumSent", true, message_send_album},
    {"message.preview", "The small picture that came with a picture", message, "Preview", false,
     message_preview},
    {"message.edit", "Put another text in an own text's place", edit, "Sending", false,
     message_edit},
    {"message.delete", "Take an own text or file back, at everybody: nothing is left of it", delete,
     "Sending", false, message_delete},
    {"message.react", "React to a text or file, in place of an earlier reaction", react, "Sending",
     false, message_react},
    {"message.forward", "Send a text or a file on to another conversation", forward, "Sending",
     false, message_forward},
    {"message.retry", "Send a text or a file once more that failed; nothing, if it did not", sent,
     "Sending", true, message_retry},
    {"message.link", "A link to a message, the same at all who have it", message, "MessageLink",
     false, message_link},
    {"message.find", "The message that a link means, which one may have got from somebody else",
     message_of_link, "Message", false, message_find},
    {"message.info", "A message, and who has it", message, "MessageInfo", false, message_info},
    {"message.list",
     "A conversation's newest messages, oldest first, and what waits behind them; none counts as"
     " read by this",
     history, "Messages", false, message_list},
    {"message.search",
     "Messages that have all these words in them, or a word that begins as the last one; the newest"
     " first",
     search, "Messages", false, message_search},
    {"message.status", "How far an own message is, or an own change of one", sent, "Sending", false,
     message_status},
    {"message.saveFile",
     "Fetch a file that was sent. Nothing that is there is overwritten; broken off, the same call"
     " goes on",
     save, "Saved", true, message_save_file},

    {"file.cancel",
     "Fetch a file no longer, and leave nothing of it; or take one back that is not sent yet, with"
     " its message. A message.sendFile, sendVoice or sendAlbum that is still reading is answered"
     " `cancelled`",
     cancel, "Nothing", false, file_cancel},

    {"group.create", "Make a group", group, "ConversationId", false, group_create},
    {"group.add", "Add people", people, "Nothing", false, group_add},
    {"group.remove", "Remove people: they can read nothing that comes after", people, "Nothing",
     false, group_remove},
    {"group.leave", "Leave a conversation; its history stays", conversation, "Nothing", false,
     group_leave},
    {"group.members", "Who is in a conversation", members, "Members", false, group_members},
    {"group.renewKeys", "Renew this device's keys in a conversation", conversation, "Nothing",
     false, group_renew_keys},

    {"group.setTitle", "Change the title", set_title, "Nothing", false, group_set_title},
    {"group.setDescription", "Change what is said about the group", set_description, "Nothing",
     false, group_set_description},
    {"group.setPicture", "Change the picture", set_picture, "Nothing", false, group_set_picture},
    {"group.savePicture", "Write the picture to a file, which must not be there yet", save_picture,
     "Saved", false, group_save_picture},
    {"group.setRole", "Make somebody an owner, an admin or a member", set_role, "Nothing", false,
     group_set_role},
    {"group.setPolicy", "Say from which role on one may do something", set_policy, "Nothing", false,
     group_set_policy},
    {"group.setJoin", "Say what becomes of people who ask by a link", set_join, "Nothing", false,
     group_set_join},
    {"group.ban", "Remove somebody and keep them out", somebody, "Nothing", false, group_ban},
    {"group.unban", "Let somebody in again who was banned", somebody, "Nothing", false,
     group_unban},
    {"group.continue",
     "Make a new group where one was stopped, with all who were in it but whoever stopped it; an"
     " owner's Sotto does it by itself where it is known who that was",
     conversation, "ConversationId", false, group_continue},
    {"group.createLink", "Make a link with which people can ask to join", create_link, "Invitation",
     true, group_create_link},
    {"group.listLinks", "The links that the account's devices made", page, "JoinLinks", false,
     group_list_links},
    {"group.revokeLink", "A link is good for nothing any more", revoke_link, "Nothing", true,
     group_revoke_link},
    {"group.ask",
     "Ask to join with a link. The conversation that it gives is in state `asked` until the answer"
     " comes, and is gone then; the group has an id of its own",
     ask_link, "ConversationId", true, group_ask},
    {"group.listRequests", "Who asks to join, by links of the account", page, "JoinRequests", false,
     group_list_requests},
    {"group.approve", "Let somebody in who asks to join", request, "ConversationId", false,
     group_approve},
    {"group.refuse", "Do not; who asked is not told", request, "Nothing", false, group_refuse},
    {"group.standings", "Who has a role of their own, and who is banned", members, "Standings",
     false, group_standings},

    {"relay.get",
     "What the account's relay says of lawful orders, and whether it stays with what it said", none,
     "Relay", false, relay_get},
    {"relay.evidence", "What logs of orders were convicted by: signed checkpoints", page,
     "EvidencePage", false, relay_evidence},
    {"relay.followAnew",
     "Take the relay's log of orders for what it says next, as on the first day: for a person who"
     " knows why it is another one. The evidence is kept",
     none, "Relay", false, relay_follow_anew},
    {"notice.list", "What relays told the account, the newest first", notices, "Notices", false,
     notice_list},
    {"notice.get", "One notice", notice, "Notice", false, notice_get},
    {"notice.markRead", "It was read, on all devices", notice_number, "Nothing", false,
     notice_mark_read},

    {"sync", "Fetch and send all that waits, and answer then", none, "Nothing", true, rpc_sync},

    {"events.subscribe",
     "From now on this connection gets the notifications `event` (params: Event), `overflow`"
     " (Overflow: you were away too long, read all lists anew), `connection` (Connection), `typing`"
     " (Typing) and `transfer` (Transfer: how far a file is), of which the last three are not kept",
     since, "Subscription", false, events_subscribe},
    {"events.unsubscribe", "No more of them", none, "Nothing", false, events_unsubscribe},

    {"accounts.list",
     "Of `sotto daemon --accounts`: the accounts that it serves. Every other method takes the"
     " parameter `profile` there, and notifications have it in their params",
     page, "Profiles", false, accounts_list},
    {"accounts.add", "Make a place for another one; then account.register, recover or device.link",
     account_name, "Profile", false, accounts_add},
    {"accounts.remove",
     "Erase what is here of one. At its relay and on other devices it stays: account.delete ends it"
     " there",
     account_name, "Nothing", false, accounts_remove},
    {"accounts.select", "The one that is meant on this connection where `profile` is left out",
     account_name, "Profile", false, accounts_select},
    {"rpc.discover", "This description", none, "Document", false, rpc_discover},
    {"daemon.version", "The program's version", none, "Version", false, version_get},
    {"calls.stop",
     "Stop the calls of this connection that take long: each answers `stopped` soon, and goes on"
     " when it is made again",
     none, "Stopped", false, calls_stop},
    {"daemon.stop", "End the daemon; what waits in the outbox stays there", none, "Nothing", false,
     daemon_stop},
    {NULL, NULL, NULL, NULL, false, NULL},
};
