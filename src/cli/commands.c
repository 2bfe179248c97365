/* The table of commands: what each is called, takes and does. The help is made from it. */
#include <string.h>

#include "cli/cli.h"

static const struct option_spec no_options[] = {{NULL, NULL, NULL}};

static const struct option_spec register_options[] = {
    {"relay", "ADDRESS", "the relay, as host:port or host:port#PIN ($SOTTO_RELAY)"},
    {"name", "NAME", "the name that others see"},
    {"phone", "NUMBER", "a phone number like +4930123456, where the relay wants one"},
    {"invitation", "CODE", "the relay's invitation code, where it wants one"},
    {"code", "CODE", "the code that was sent to the phone"},
    {NULL, NULL, NULL}};

static const struct option_spec account_move_options[] = {
    {"relay", "ADDRESS", "the relay to move to"},
    {"phone", "NUMBER", "a phone number like +4930123456, where that relay wants one"},
    {"invitation", "CODE", "that relay's invitation code, where it wants one"},
    {"code", "CODE", "the code that was sent to the phone"},
    {NULL, NULL, NULL}};

static const struct option_spec account_delete_options[] = {
    {"yes", NULL, "do it: there is no way back"},
    {"force", NULL, "leave conversations as they are whose relays cannot be reached"},
    {NULL, NULL, NULL}};

static const struct option_spec recover_options[] = {
    {"relay", "ADDRESS", "the relay where the account is ($SOTTO_RELAY)"},
    {"name", "NAME", "the name that others see"},
    {"phone", "NUMBER", "a phone number like +4930123456, where the relay wants one"},
    {"invitation", "CODE", "the relay's invitation code, where it wants one"},
    {"code", "CODE", "the code that was sent to the phone"},
    {"alone", NULL, "remove the account's other devices: they are lost, or in wrong hands"},
    {"anew", NULL, "the relay need not know the account: where it was, it is gone"},
    {NULL, NULL, NULL}};

static const struct option_spec passphrase_options[] = {
    {"new-file", "PATH", "the new passphrase is the first line of that file; /dev/fd/N is one too"},
    {NULL, NULL, NULL}};

static const struct option_spec backup_options[] = {
    {"passphrase-file", "PATH", "the passphrase is the first line of that file"},
    {"key", NULL, "make a key of 48 digits in a passphrase's place, and show it once"},
    {"account-key", NULL, "the account's key too: file and passphrase together are the account"},
    {"replace", NULL, "a file that is there gives way, once the new one is whole"},
    {NULL, NULL, NULL}};

static const struct option_spec export_options[] = {
    {"files", NULL, "fetch the conversation's files too"}, {NULL, NULL, NULL}};

static const struct option_spec restore_options[] = {
    {"relay", "ADDRESS", "where the account is ($SOTTO_RELAY; else where the backup says)"},
    {"name", "NAME", "the name that others see (the backup's)"},
    {"phone", "NUMBER", "a phone number like +4930123456, where the relay wants one"},
    {"invitation", "CODE", "the relay's invitation code, where it wants one"},
    {"code", "CODE", "the code that was sent to the phone"},
    {"passphrase-file", "PATH", "passphrase or key are the first line of that file"},
    {"history-only", NULL, "make no device of the account, even if its key is in the backup"},
    {"alone", NULL, "remove the account's other devices: they are lost, or in wrong hands"},
    {"anew", NULL, "the relay need not know the account: where it was, it is gone"},
    {NULL, NULL, NULL}};

static const struct option_spec invite_options[] = {
    {"uses", "N", "how many people may take it (1)"},
    {"expires", "TIME", "for how long it is good, such as 12h or 7d (7d)"},
    {NULL, NULL, NULL}};

static const struct option_spec link_options[] = {
    {"relay", "ADDRESS", "the account's relay ($SOTTO_RELAY); `sotto status` there shows it"},
    {"device", "NAME", "what this device is called"},
    {NULL, NULL, NULL}};

static const struct option_spec device_add_options[] = {
    {"limited", NULL, "the new device may not link or remove others"}, {NULL, NULL, NULL}};

static const struct option_spec send_options[] = {
    {"id", "ID", "a name for this message: sending it again with the same one sends it once"},
    {"file", "PATH", "send that file; the text is what you say about it"},
    {"markdown", NULL, "the text is Markdown"},
    {"as-file", NULL, "send a picture as it is, with all that it tells beside"},
    {"voice", NULL, "the file is a voice note (Ogg Opus, M4A or AAC)"},
    {NULL, NULL, NULL}};

static const struct option_spec album_options[] = {
    {"text", "TEXT", "what you say about them"},
    {"id", "ID", "a name for the album: sending it again with the same one sends it once"},
    {"as-file", NULL, "send pictures as they are, with all that they tell beside"},
    {NULL, NULL, NULL}};

static const struct option_spec text_options[] = {
    {"id", "ID", "a name for this: the same again is sent once"},
    {"markdown", NULL, "the text is Markdown"},
    {NULL, NULL, NULL}};

static const struct option_spec change_options[] = {
    {"id", "ID", "a name for this: the same again is sent once"}, {NULL, NULL, NULL}};

static const struct option_spec save_options[] = {
    {"to", "PATH", "the directory or the name to save it under (the working directory)"},
    {"preview", NULL, "the small picture that came with a picture, without fetching anything"},
    {NULL, NULL, NULL}};

static const struct option_spec listen_options[] = {
    {"once", NULL, "print what is new, then end"},
    {"for", "TIME", "end after that time, such as 30s or 5m"},
    {NULL, NULL, NULL}};

static const struct option_spec list_options[] = {
    {"archived", NULL, "those that are archived instead of the others"},
    {"limit", "N", "how many at most (all)"},
    {NULL, NULL, NULL}};

static const struct option_spec mute_options[] = {
    {"mentions", NULL, "also of those that mention you"}, {NULL, NULL, NULL}};

static const struct option_spec draft_options[] = {
    {"reply-to", "ID", "the message that it answers"},
    {"markdown", NULL, "the text is Markdown"},
    {NULL, NULL, NULL}};

static const struct option_spec history_options[] = {
    {"limit", "N", "how many messages (50)"},
    {"before", "ID", "only messages before the one with this number"},
    {NULL, NULL, NULL}};

static const struct option_spec search_options[] = {
    {"in", "WHO", "only in that conversation"},
    {"limit", "N", "how many messages (50)"},
    {"before", "ID", "only messages before the one with this number"},
    {NULL, NULL, NULL}};

static const struct option_spec decline_options[] = {
    {"block", NULL, "and block the sender, whose other requests go too"}, {NULL, NULL, NULL}};

static const struct option_spec picture_options[] = {
    {"remove", NULL, "have none any more"},
    {"save", "PATH", "write the one that you have to that file instead"},
    {NULL, NULL, NULL}};

static const struct option_spec contact_picture_options[] = {
    {"save", "PATH", "the file: it must not be there"}, {NULL, NULL, NULL}};

static const struct option_spec add_options[] = {
    {"text", "TEXT", "the first thing that you say; the request shows its beginning"},
    {"changed", NULL, "take it although it led to another account before"},
    {NULL, NULL, NULL}};

static const struct option_spec username_options[] = {{"remove", NULL, "have none any more"},
                                                      {NULL, NULL, NULL}};

static const struct option_spec verify_options[] = {{"undo", NULL, "take it back"},
                                                    {NULL, NULL, NULL}};

static const struct option_spec daemon_options[] = {
    {"socket", "PATH", "listen there (PROFILE/daemon.sock)"},
    {"stdio", NULL, "serve standard input and output instead, until their end"},
    {"accounts", "DIR",
     "serve several accounts: each folder in DIR is a profile (DIR/daemon.sock)"},
    {"openrpc", NULL, "print the interface's OpenRPC document, then end"},
    {NULL, NULL, NULL}};

static const struct option_spec call_options[] = {
    {"socket", "PATH", "where the daemon listens (PROFILE/daemon.sock)"}, {NULL, NULL, NULL}};

static const struct option_spec group_picture_options[] = {
    {"save", "PATH", "write the present one to a new file"}, {NULL, NULL, NULL}};

static const struct option_spec relay_options[] = {
    {"evidence", NULL, "and what logs of orders were convicted by"},
    {"follow-anew", NULL, "take the log for what it says next; the evidence is kept"},
    {NULL, NULL, NULL}};
static const struct option_spec notices_options[] = {{"unread", NULL, "those alone"},
                                                     {NULL, NULL, NULL}};
const struct command commands[] = {
    {"register", "", "Make an account at a relay",
     "Makes your keys in the profile and registers them. Where the relay sends a code, a terminal "
     "asks for it; a script runs the command again with --code.",
     "sotto register --relay relay.example:7443#PIN --name Alice", register_options, 0, 0,
     run_register, false},
    {"link", "", "Make this a device of an account that you have on another one",
     "Shows a link. Give it to the other device, with `sotto device add LINK` there, and leave "
     "this "
     "command running until it is done: your conversations and their history come over. Whoever "
     "sees the link before it is used could put this device into an account of theirs, so look at "
     "the fingerprint at the end.",
     "sotto link --relay relay.example:7443#PIN --device Laptop", link_options, 0, 0, run_link,
     false},
    {"devices", "", "List the devices of your account", NULL, "sotto devices", no_options, 0, 0,
     run_devices, false},
    {"device add", "LINK", "Let a new device into your account",
     "LINK is what `sotto link` shows there. The new device gets your conversations, your contacts "
     "and your whole history, encrypted to it, and may link and remove devices itself. Broken off, "
     "the same command goes on.",
     "sotto device add sotto://link/...", device_add_options, 1, 1, run_device_add, false},
    {"device rename", "DEVICE NAME", "Change what one of your devices is called",
     "Only your own devices see the name.", "sotto device rename 3fa8 'Old phone'", no_options, 2,
     2, run_device_rename, false},
    {"device revoke", "DEVICE", "Remove a device from your account",
     "It keeps what it has read and can read nothing that comes after, in any conversation. There "
     "is no way back but to link it anew.",
     "sotto device revoke 'Old phone'", no_options, 1, 1, run_device_revoke, false},
    {"account move", "", "Move to another relay, as who you are",
     "Registers your account there, and tells everybody in your conversations: their programs "
     "follow "
     "by themselves, and so do your other devices when they next connect. When they have, the "
     "account at the old relay is deleted. Conversations stay where they are and go on. Broken "
     "off, "
     "the same command goes on.",
     "sotto account move --relay other.example:7443#PIN", account_move_options, 0, 0,
     run_account_move, false},
    {"account delete", "", "Delete your account, everywhere",
     "Tells everybody in your conversations, leaves them, deletes files that you sent from this "
     "device and the account at the relay, and erases this profile. Your other devices erase "
     "themselves when they hear of it. What others have read, they have. Broken off, the same "
     "command goes on.",
     "sotto account delete --yes", account_delete_options, 0, 0, run_account_delete, false},
    {"phrase", "", "Show the words that bring your account back when all devices are gone",
     "Twenty-four words that are the account's key. Write them down; whoever has them has your "
     "account. They are the same every time. A device that was linked with --limited has none.",
     "sotto phrase", no_options, 0, 0, run_phrase, false},
    {"recover", "", "Make this a device of the account whose recovery phrase you have",
     "Asks for the phrase, or reads it from standard input; four letters of each word are enough. "
     "Your other devices add this one to the conversations and give it their history. Where there "
     "are none, or with --alone, contacts who hear of this device take it into the conversations "
     "that they share with you: write to one, with a new invitation. What was said before is gone. "
     "Restore a backup first if you have one (`sotto restore`): then the members are known and "
     "are asked by themselves. "
     "Broken off, the same command goes on.",
     "sotto recover --relay relay.example:7443#PIN --name Alice", recover_options, 0, 0,
     run_recover, false},
    {"name", "NAME", "Change the name that others see", NULL, "sotto name 'Alice B.'", no_options,
     1, 1, run_name, false},
    {"receipts", "SETTING", "Whether others learn that you got and read their messages",
     "SETTING is on or off. Off, nothing is told, nothing is shown of what others tell, and what "
     "is "
     "here is forgotten. On, as it is at first, a conversation's receipts go out together, in at "
     "most "
     "one message every ten seconds; in groups of more than 32 devices there are none.",
     "sotto receipts off", no_options, 1, 1, run_receipts, false},
    {"downloads", "SIZE|off|all", "Which files of contacts are fetched as they come",
     "At first those of 1M at most, while `sotto listen`, `sotto sync` or a daemon runs. They are "
     "kept"
     " in the profile, encrypted, until their message goes, and `sotto save` then needs no network."
     " Of people who are no contacts none is fetched. Each of your devices has its own setting, "
     "since one may be on a dear connection or a small disk: set it on each.",
     "sotto downloads 20M", no_options, 1, 1, run_downloads, false},
    {"relay", "", "Show what your relay says of lawful orders, and whether it stays with it",
     "Relays keep a log of every order that a court or an authority gave them, and of what they "
     "answered: a phone number and a last IP address at most, for they hold nothing else. With "
     "each "
     "connection it is looked at whether the log goes on from what was seen before. Exit code 7: "
     "it "
     "does not. --evidence prints what it signed then; --follow-anew takes it for what it says "
     "next, for somebody who knows why it is another one.",
     "sotto relay", relay_options, 0, 0, run_relay, false},
    {"notices", "", "List what your relay tells you, such as an order about your account",
     "Shown is what the key of the relay's log signed, for you.", "sotto notices --unread",
     notices_options, 0, 0, run_notices, false},
    {"notice read", "[NUMBER]", "Mark a notice, or all, as read on all your devices", NULL,
     "sotto notice read 1", no_options, 0, 1, run_notice_read, false},
    {"config proxy", "[PROXY]", "Show or set the SOCKS5 proxy that relays are reached through",
     "PROXY is socks5://HOST:PORT, such as socks5://127.0.0.1:9050 for Tor: each connection then "
     "shows credentials of its own, which keeps them on circuits of their own. A proxy that knows "
     "no passwords needs socks5://HOST:PORT?isolate=no, one with a login "
     "socks5://USER:PASSWORD@HOST:PORT; - reads that from standard input, none takes it away. With "
     "a proxy nothing is connected in another way, and no name is looked up here. $SOTTO_PROXY "
     "goes before what is set.",
     "sotto config proxy socks5://127.0.0.1:9050", no_options, 0, 1, run_config_proxy, false},
    {"status", "", "Show this profile's account and what waits", NULL, "sotto status", no_options,
     0, 0, run_status, false},
    {"passphrase set", "", "Lock this profile with a passphrase",
     "From then on every command needs it: a terminal asks, a script lets $SOTTO_PASSPHRASE_FILE "
     "name a file whose first line it is. Nobody can open the profile without it. Without one, "
     "the key lies in the profile, in a file that only you may read. A copy of the profile that "
     "was made before opens without the passphrase.",
     "sotto passphrase set", passphrase_options, 0, 0, run_passphrase_set, false},
    {"passphrase change", "", "Lock this profile with another passphrase",
     "A copy of the profile that was made before opens with the one that it had.",
     "sotto passphrase change", passphrase_options, 0, 0, run_passphrase_change, false},
    {"passphrase remove", "", "Let this profile be opened without a passphrase", NULL,
     "sotto passphrase remove", no_options, 0, 0, run_passphrase_remove, false},
    {"passphrase keyring", "on|off|status", "Let the desktop's keyring keep the passphrase",
     "With it on, commands open the profile while the keyring is unlocked: for as long as you are "
     "logged in, mostly. Every program that you run can ask the keyring for it. A terminal asks "
     "where the keyring does not give it.",
     "sotto passphrase keyring on", no_options, 1, 1, run_passphrase_keyring, true},
    {"backup", "PATH", "Write what you have into one encrypted file",
     "Contacts, conversations and messages, under a passphrase that is asked for, or with --key "
     "under a key that is made and shown once: write it down, nobody can give it back to you. A "
     "daemon goes on meanwhile. Files that were sent are not in it. With --account-key a new "
     "device "
     "can be made of it when all others are lost; without, the recovery phrase (`sotto phrase`) or "
     "another device is needed for that.",
     "sotto backup ~/sotto-2026-11.backup --key", backup_options, 1, 1, run_backup, false},
    {"export", "WHO FOLDER", "Write a conversation into a folder, as a page and for programs",
     "FOLDER is made, and is NOT encrypted: index.html for people, messages.jsonl for programs, "
     "and with --files what was sent. What waits is not in it.",
     "sotto export Kitchen kitchen-2026", export_options, 2, 2, run_export, false},
    {"import", "FOLDER", "Take the texts of an export into the history",
     "FOLDER is what `sotto export` made of a conversation that this profile has. What is here "
     "already stays as it is. What was not is shown as imported: nobody proved who wrote it. "
     "Nothing is sent.",
     "sotto import kitchen-2026", no_options, 1, 1, run_import, false},
    {"restore", "PATH", "Take a backup over",
     "Into a profile without an account, or one of the same account. The messages are there at "
     "once. If the account's key is in the backup, this becomes a new device of the account; if "
     "not, go on with `sotto link` or `sotto recover`. Then your other devices let it into the "
     "conversations, or members, who are asked by themselves as they come online: at once with "
     "--alone, which removes your other devices, else after a minute. Broken off, the same command "
     "goes on.",
     "sotto restore ~/sotto-2026-11.backup", restore_options, 1, 1, run_restore, false},
    {"fingerprint", "[WHO]", "Show the safety number to compare with someone",
     "Read it to each other in person or by phone. If both see the same digits, nobody is in "
     "between. Without WHO it is your own account's. The code below it is for `sotto verify` on "
     "the "
     "other side.",
     "sotto fingerprint Bob", no_options, 0, 1, run_fingerprint, false},
    {"verify", "WHO|LINK [WHO]", "Note that you have compared keys with someone",
     "Either you have compared `sotto fingerprint WHO` with theirs, number by number; or LINK is "
     "what "
     "`sotto fingerprint` shows on their side, sotto://verify/..., which is compared here. With "
     "WHO "
     "behind it, it has to be that person's.",
     "sotto verify Bob", verify_options, 1, 2, run_verify, false},
    {"invite", "", "Make a link with which someone can write to you",
     "Give the link to the person over any channel you trust. Each use lets one person in.",
     "sotto invite --uses 1 --expires 7d", invite_options, 0, 0, run_invite, false},
    {"accept", "LINK|REQUEST", "Take someone's invitation link, or let a request in", NULL,
     "sotto accept sotto://invite/...", no_options, 1, 1, run_accept, false},
    {"decline", "REQUEST", "Refuse a request; the sender is not told", NULL, "sotto decline 3",
     decline_options, 1, 1, run_decline, false},
    {"requests", "", "List strangers who want to write to you", NULL, "sotto requests", no_options,
     0, 0, run_requests, false},
    {"contacts", "", "List the people you know", NULL, "sotto contacts", no_options, 0, 0,
     run_contacts, false},
    {"picture", "[FILE]", "Change the picture that your contacts see",
     "FILE is a JPEG, PNG or WebP of at most 256 KiB; where and when it was taken, and what else "
     "it "
     "tells beside the picture, is left out. Your contacts get it, in the conversations with them "
     "alone.",
     "sotto picture me.jpg", picture_options, 0, 1, run_picture, false},
    {"contact picture", "WHO", "Save the picture of a contact", NULL,
     "sotto contact picture Bob --save bob.jpg", contact_picture_options, 1, 1, run_contact_picture,
     false},
    {"username", "[NAME]", "Be found by a username at your relay, or show by what you are",
     "Everybody with an account at your relay can look it up, one exact name at a time, and the "
     "relay has it: whoever may ask the relay for what it knows of you gets it. Without NAME, what "
     "the relay has is shown.",
     "sotto username alice", username_options, 0, 1, run_username, false},
    {"findable", "SETTING", "Whether people at your relay may find you by your phone number",
     "SETTING is on or off; it is off until you say otherwise.", "sotto findable on", no_options, 1,
     1, run_findable, false},
    {"find", "@NAME|+NUMBER", "Look up who has a username or number at your relay",
     "The relay says who, and could lie: compare fingerprints before you trust it.",
     "sotto find @bob", no_options, 1, 1, run_find, false},
    {"add", "@NAME|+NUMBER", "Begin a conversation with someone at your relay",
     "They get a request, with your name and the beginning of what you say, and accept or refuse "
     "it. "
     "If the name led to another account before, nothing is done unless you say --changed.",
     "sotto add @bob --text 'It is me, Alice'", add_options, 1, 1, run_add, false},
    {"contact name", "WHO [NAME]", "Change what you call someone",
     "Only your own devices see it. Without NAME they are called as they call themselves.",
     "sotto contact name Bob 'Bob from work'", no_options, 1, 2, run_contact_name, false},
    {"contact delete", "WHO", "Take someone out of your contacts",
     "Conversations stay; what they want to begin from now on is a request.",
     "sotto contact delete Bob", no_options, 1, 1, run_contact_delete, false},
    {"block", "WHO", "Let nothing more of someone in",
     "Their requests, and what they write between you two, are dropped for good, and they are told "
     "nothing. In groups it is marked.",
     "sotto block Mallory", no_options, 1, 1, run_block, false},
    {"unblock", "WHO", "Let someone write again", "What was dropped is gone.",
     "sotto unblock Mallory", no_options, 1, 1, run_unblock, false},
    {"blocked", "", "List the people you have blocked", NULL, "sotto blocked", no_options, 0, 0,
     run_blocked, false},
    {"send", "WHO [TEXT...|-]", "Send a message or a file",
     "WHO is a conversation's title, a contact's name, or the beginning of an id. Without TEXT, or "
     "with -, the text is read from standard input to its end, without its last line break. If the "
     "relay cannot be reached, the message waits in the outbox and leaves with the next command "
     "that reaches it.\n"
     "A file is encrypted here and read where it lies while it is sent: leave it there until it "
     "is. A broken connection, or a stop, loses nothing; `sotto sync` goes on. JPEG, PNG, WebP and "
     "GIF are sent as pictures: with a small preview, and without what they tell beside, such as "
     "where and when they were taken; with --as-file they are sent as they are.",
     "sotto send Bob 'See you at eight'", send_options, 1, POSITIONALS_ANY, run_send, false},
    {"album", "WHO FILE FILE...", "Send several pictures or files that belong together",
     "Each is sent as by `sotto send --file`, as a message of its own that says which album it is "
     "of"
     " and where it stands there; the text goes with the first.",
     "sotto album Bob beach.jpg boat.jpg --text 'From the sea'", album_options, 3,
     SOTTO_ALBUM_MAX + 1, run_album, false},
    {"reply", "ID [TEXT...|-]", "Answer a message",
     "ID is the number that `sotto history` shows. The text is taken as by `sotto send`.",
     "sotto reply 12 'Eight is fine'", text_options, 1, POSITIONALS_ANY, run_reply, false},
    {"edit", "ID [TEXT...|-]", "Put another text in your message's place",
     "Everyone sees that it was edited, and not what it said before.",
     "sotto edit 12 'See you at nine'", text_options, 1, POSITIONALS_ANY, run_edit, false},
    {"delete", "ID", "Take your message back, at everyone",
     "It is erased here at once when the relay has taken that, and there when they next read. "
     "Nobody "
     "can be made to forget: what they saved or copied, they have.",
     "sotto delete 12", change_options, 1, 1, run_delete, false},
    {"react", "ID [EMOJI]", "React to a message; without EMOJI, take that back",
     "There is one reaction a person and message; another one takes its place.", "sotto react 12 👍",
     change_options, 1, 2, run_react, false},
    {"forward", "ID WHO", "Send a text or a file on to another conversation",
     "It goes out as yours; who wrote it is not told.", "sotto forward 12 Carol", change_options, 2,
     2, run_forward, false},
    {"retry", "WHO ID", "Send a text or file once more that was not sent",
     "ID is what it was sent with (--id), or what --json shows as clientId.",
     "sotto retry Bob 500d1d64", no_options, 2, 2, run_retry, false},
    {"cancel", "WHO ID", "Take a file back that is not sent yet",
     "ID is what it was sent with (--id), or what --json shows as clientId. The message goes too, "
     "and what the relay has of the file.",
     "sotto cancel Bob 500d1d64", no_options, 2, 2, run_cancel, false},
    {"message link", "ID", "Print a link to a message",
     "It opens for members of the conversation, and tells others nothing.", "sotto message link 12",
     no_options, 1, 1, run_message_link, false},
    {"message find", "LINK", "Show the message that a link means", NULL,
     "sotto message find sotto://message/...", no_options, 1, 1, run_message_find, false},
    {"info", "ID", "Show a message, and who got and read it", NULL, "sotto info 12", no_options, 1,
     1, run_info, false},
    {"save", "ID", "Fetch a file that was sent to you",
     "ID is the number that `sotto listen` and `sotto history` show with the file. Nothing that is "
     "there is overwritten. If it is broken off, the same command goes on where it stopped.",
     "sotto save 12 --to ~/Downloads", save_options, 1, 1, run_save, false},
    {"listen", "", "Print messages as they come",
     "Prints what came since the last time, then waits for more. Stays connected until Ctrl-C.",
     "sotto listen --for 10m", listen_options, 0, 0, run_listen, false},
    {"sync", "", "Fetch and send all that waits, print nothing of it", NULL, "sotto sync",
     no_options, 0, 0, run_sync, false},
    {"conversations", "", "List your conversations",
     "The pinned ones first, then the others, the newest activity first.", "sotto conversations",
     list_options, 0, 0, run_conversations, false},
    {"pin", "WHO on|off", "Let a conversation stand before the others", NULL, "sotto pin Bob on",
     no_options, 2, 2, run_pin, false},
    {"archive", "WHO on|off", "Put a conversation away, until something comes",
     "What is muted too stays away until you write there, or are mentioned.",
     "sotto archive Kitchen on", no_options, 2, 2, run_archive, false},
    {"mute", "WHO TIME|on|off", "Let nobody notify you of a conversation's messages", NULL,
     "sotto mute Kitchen 8h", mute_options, 2, 2, run_mute, false},
    {"unread", "WHO", "Mark a conversation as unread, until it is read", NULL, "sotto unread Bob",
     no_options, 1, 1, run_unread, false},
    {"draft", "WHO [TEXT...|-]", "Keep what you begin to write; without TEXT, forget it",
     "Your other devices have it too. `sotto conversations` shows that there is one.",
     "sotto draft Bob 'Dear Bob,'", draft_options, 1, POSITIONALS_ANY, run_draft, false},
    {"typing", "on|off [WHO]", "Whether others see that you type; with WHO, tell them now",
     "With WHO, whoever is connected there sees for ten seconds that you type, or that you "
     "stopped. "
     "Without, the setting is changed: off, nothing is told and nothing shown. A daemon shows who "
     "types.",
     "sotto typing off", no_options, 1, 2, run_typing, false},
    {"erase", "WHO", "Erase what was said in a conversation, on all of your devices",
     "Others keep what they have, and you stay in it: it is in the list again when something "
     "comes. "
     "`sotto group leave` is for leaving.",
     "sotto erase Bob", no_options, 1, 1, run_erase, false},
    {"timer", "WHO TIME|off", "Let what is written disappear after a time",
     "What anybody writes in that conversation from now on is erased so long after it was read, at"
     " its sender so long after it was sent. Everybody in it sees who changed that.",
     "sotto timer Bob 7d", no_options, 2, 2, run_timer, false},
    {"history", "WHO", "Print a conversation's messages", NULL, "sotto history Bob --limit 20",
     history_options, 1, 1, run_history, false},
    {"search", "WORDS...", "Find messages that have all these words in them",
     "Words in any case, with or without accents; of the last one its beginning is enough. The"
     " newest come first.",
     "sotto search plan tuesday", search_options, 1, POSITIONALS_ANY, run_search, false},
    {"group create", "TITLE [WHO...]", "Make a group", NULL, "sotto group create Kitchen Bob Carol",
     no_options, 1, POSITIONALS_ANY, run_group_create, false},
    {"group add", "TITLE WHO...", "Add people to a group", NULL, "sotto group add Kitchen Dave",
     no_options, 2, POSITIONALS_ANY, run_group_add, false},
    {"group remove", "TITLE WHO...", "Remove people from a group",
     "They keep what they have read and can read nothing that comes after.",
     "sotto group remove Kitchen Dave", no_options, 2, POSITIONALS_ANY, run_group_remove, false},
    {"group leave", "TITLE", "Leave a conversation; its history stays with you", NULL,
     "sotto group leave Kitchen", no_options, 1, 1, run_group_leave, false},
    {"group members", "TITLE", "List who is in a conversation", NULL, "sotto group members Kitchen",
     no_options, 1, 1, run_group_members, false},
    {"group update", "TITLE", "Renew your keys in a conversation",
     "Whoever stole your old ones can read nothing that comes after.", "sotto group update Kitchen",
     no_options, 1, 1, run_group_update, false},
    {"group settings", "TITLE", "Show a group's settings, and what you may do there", NULL,
     "sotto group settings Kitchen", no_options, 1, 1, run_group_settings, false},
    {"group roles", "TITLE", "List who has a role in a group, and who is banned",
     "Whoever is not listed is a member.", "sotto group roles Kitchen", no_options, 1, 1,
     run_group_roles, false},
    {"group title", "TITLE NEW", "Change a group's title", NULL,
     "sotto group title Kitchen 'The kitchen'", no_options, 2, 2, run_group_title, false},
    {"group description", "TITLE [TEXT]", "Change what is said about a group",
     "Without TEXT nothing is said any more.", "sotto group description Kitchen 'Who cooks when'",
     no_options, 1, 2, run_group_description, false},
    {"group picture", "TITLE [FILE]", "Change a group's picture",
     "A PNG, JPEG, WebP or GIF of at most 8192 bytes when what it tells beside the picture is left"
     " out: 96 by 96 is enough. Without FILE there is none any more.",
     "sotto group picture Kitchen pot.png", group_picture_options, 1, 2, run_group_picture, false},
    {"group role", "TITLE WHO ROLE", "Make somebody an owner, an admin or a member",
     "Only owners can. To hand a group over, make somebody an owner, then yourself a member. If the"
     " last owner leaves, the first admin is the owner, else the first member.",
     "sotto group role Kitchen Bob admin", no_options, 3, 3, run_group_role, false},
    {"group policy", "TITLE WHAT ROLE", "Say from which role on one may add, remove, write, change",
     "Only owners can. remove: and ban, people of a lower role. change: title, description, picture"
     " and timer.",
     "sotto group policy News write admin", no_options, 3, 3, run_group_policy, false},
    {"group join", "TITLE RULE", "Say what becomes of people who ask by a link",
     "closed: no link is good. ask: who made the link is asked. open: they are let in.",
     "sotto group join Kitchen ask", no_options, 2, 2, run_group_join, false},
    {"group link", "TITLE", "Make a link with which people can ask to join a group",
     "Their requests come to this device; `sotto group join` says what becomes of them.",
     "sotto group link Kitchen --uses 5", invite_options, 1, 1, run_group_link, false},
    {"group links", "", "List the links that your devices made", NULL, "sotto group links",
     no_options, 0, 0, run_group_links, false},
    {"group unlink", "NUMBER", "Make a link good for nothing", NULL, "sotto group unlink 1",
     no_options, 1, 1, run_group_unlink, false},
    {"group ask", "LINK", "Ask to join a group", "Whoever made the link has to let you in.",
     "sotto group ask sotto://join/...", no_options, 1, 1, run_group_ask, false},
    {"group requests", "", "List who asks to join a group", NULL, "sotto group requests",
     no_options, 0, 0, run_group_requests, false},
    {"group approve", "NUMBER", "Let somebody in who asks to join", NULL, "sotto group approve 1",
     no_options, 1, 1, run_group_approve, false},
    {"group refuse", "NUMBER", "Do not let them in; they are not told", NULL,
     "sotto group refuse 1", no_options, 1, 1, run_group_refuse, false},
    {"group continue", "TITLE", "Make a new group where one was stopped",
     "Only an owner can. All who were in it come along by themselves, but whoever stopped it.",
     "sotto group continue Kitchen", no_options, 1, 1, run_group_continue, false},
    {"group ban", "TITLE WHO", "Remove somebody from a group and keep them out", NULL,
     "sotto group ban Kitchen Mallory", no_options, 2, 2, run_group_ban, false},
    {"group unban", "TITLE WHO", "Let somebody be added again who was banned", NULL,
     "sotto group unban Kitchen Mallory", no_options, 2, 2, run_group_unban, false},
    {"daemon", "", "Keep the profile's keys and serve other programs",
     "Speaks JSON-RPC 2.0, one object a line, over a socket in the profile, until it is stopped: "
     "docs/RPC.md. Stays connected and sends what other commands leave in the outbox.",
     "sotto daemon", daemon_options, 0, 0, run_daemon, true},
    {"call", "METHOD [PARAMS|-]", "Call a method of the JSON-RPC interface",
     "PARAMS is a JSON object; with - it is read from standard input. Asks the daemon if one runs; "
     "else the call is made here, and what it queues leaves with `sotto sync`. Prints the result.",
     "sotto call conversation.find '{\"name\": \"Bob\"}'", call_options, 1, 2, run_call, true},
    {"completion", "SHELL", "Print what bash, zsh or fish needs to complete commands",
     "The first line of what is printed says where to put it.", "sotto completion bash", no_options,
     1, 1, run_completion, true},
    {NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL, false}};

void help_program(FILE *out)
{
    fputs("sotto: private conversations over a relay that can read nothing\n\n"
          "Use: sotto COMMAND [ARGUMENT...] [OPTION...]\n\n",
          out);
    for (const struct command *command = commands; command->name != NULL; command++) {
        char left[80];
        (void)snprintf(left, sizeof left, "%s %s", command->name, command->arguments);
        fprintf(out, "  %-30s %s\n", left, command->summary);
    }
    fputs("\nOptions of every command:\n"
          "  --profile DIR   keys and messages live there ($SOTTO_PROFILE; else "
          "~/.local/share/sotto)\n"
          "  --json          one JSON object a line, errors too; the fields are in docs/CLI.md\n"
          "  --help          help for the command\n"
          "  --version       the version\n"
          "\nExit codes:\n"
          "  0  done\n"
          "  1  something failed on this machine\n"
          "  2  the command was not understood\n"
          "  3  the relay cannot be reached now; what was to be sent waits in the outbox\n"
          "  4  the relay, or the other side, refused\n"
          "  5  not found, or more than one fits\n"
          "  6  something is needed from you first, such as a code\n"
          "  7  something is not as it must be: a wrong pin, a forked conversation\n"
          "\nBegin with: sotto register --relay ADDRESS --name NAME\n",
          out);
}

void help_command(FILE *out, const struct command *command)
{
    fprintf(out, "Use: sotto %s %s\n\n%s.\n", command->name, command->arguments, command->summary);
    if (command->text != NULL)
        fprintf(out, "%s\n", command->text);
    if (command->options[0].name != NULL)
        fputs("\nOptions:\n", out);
    for (const struct option_spec *option = command->options; option->name != NULL; option++) {
        char left[64];
        (void)snprintf(left, sizeof left, "--%s %s", option->name,
                       option->argument != NULL ? option->argument : "");
        fprintf(out, "  %-20s %s\n", left, option->help);
    }
    fprintf(
        out,
        "\nExample:\n  %s\n\n--profile DIR, --json and --help work here too; see sotto --help.\n",
        command->example);
}
