/* For people. All text from others goes through clean_print. */
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "cli/output_text.h"

void time_print(uint64_t seconds)
{
    time_t when = (time_t)seconds;
    struct tm local;
    char text[32];
    if (localtime_r(&when, &local) == NULL || strftime(text, sizeof text, "%F %H:%M", &local) == 0)
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)seconds);
    fputs(text, stdout);
}

/* The first digits of an id. */
static void id_print(const struct sotto_id *id, int digits)
{
    char hex[2 * sizeof id->bytes + 1];
    sodium_bin2hex(hex, sizeof hex, id->bytes, sizeof id->bytes);
    printf("%.*s", digits, hex);
}

/* The name, or the beginning of the id where no name is known yet. */
static void person_print(const char *name, const struct sotto_id *account)
{
    if (name != NULL && name[0] != '\0') {
        clean_print_str(stdout, name);
        return;
    }
    id_print(account, 8);
}

static void subject_print(const struct sotto_message *message)
{
    if (message->subject_own)
        fputs("you", stdout);
    else
        person_print(message->subject_name, &message->subject);
}

static void event_print(const struct sotto_message *message)
{
    if (message->kind == SOTTO_KIND_MISSING) {
        fputs("-- Messages between ", stdout);
        time_print(message->since_s);
        fputs(" and ", stdout);
        time_print(message->time_s);
        fputs(" did not reach this device", stdout);
        return;
    }
    fputs("-- ", stdout);
    if (message->own)
        fputs("You", stdout);
    else
        person_print(message->sender_name, &message->sender);
    switch (message->kind) {
    case SOTTO_KIND_UNREADABLE:
        fputs(": a message that could not be read", stdout);
        break;
    case SOTTO_KIND_NEWER:
        fputs(": a message that needs a newer version of Sotto", stdout);
        break;
    case SOTTO_KIND_JOINED:
        fputs(" joined the conversation", stdout);
        break;
    case SOTTO_KIND_ADDED:
        fputs(" added ", stdout);
        subject_print(message);
        break;
    case SOTTO_KIND_REMOVED:
        fputs(" removed ", stdout);
        subject_print(message);
        break;
    case SOTTO_KIND_LEFT:
        fputs(" left the conversation", stdout);
        break;
    case SOTTO_KIND_FORK:
        fputs(": the relay's record of this conversation contradicts itself; it was stopped here",
              stdout);
        break;
    case SOTTO_KIND_ACCOUNT_DELETED:
        fputs(" deleted the account", stdout);
        break;
    case SOTTO_KIND_DELETED:
        fputs(": a message that was deleted", stdout);
        break;
    case SOTTO_KIND_DEVICE_ADDED:
        fputs(" writes from another device too, from here on", stdout);
        break;
    case SOTTO_KIND_DEVICE_REMOVED:
        fputs(" has a device less, from here on", stdout);
        break;
    case SOTTO_KIND_CONFLICT:
        fputs(
            ": their key has signed two lists of devices that contradict each other, and somebody "
            "else may have it; compare fingerprints before you write anything that must stay "
            "private",
            stdout);
        break;
    case SOTTO_KIND_TITLE:
        fputs(" changed the title to ", stdout);
        clean_print(stdout, message->detail, -1);
        break;
    case SOTTO_KIND_ROLE:
        fputs(" changed the role of ", stdout);
        subject_print(message);
        fputs(": ", stdout);
        clean_print(stdout, message->detail, -1);
        break;
    case SOTTO_KIND_SETTING:
        fputs(" changed the settings: ", stdout);
        clean_print(stdout, message->detail, -1);
        break;
    case SOTTO_KIND_BAN:
        fputs(": ", stdout);
        subject_print(message);
        fputs(" from now on ", stdout);
        clean_print(stdout, message->detail, -1);
        break;
    case SOTTO_KIND_REFUSED:
        fputs(" wrote something, but may not write here", stdout);
        break;
    case SOTTO_KIND_TEXT:
    case SOTTO_KIND_FILE:
    case SOTTO_KIND_PICTURE:
    case SOTTO_KIND_VOICE:
    case SOTTO_KIND_MISSING:
        break;
    }
}

/* 1536 as "1.5 KiB". */
static void size_print(uint64_t size)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB"};
    size_t unit = 0;
    uint64_t whole = size, rest = 0;
    for (; whole >= 1024 && unit < 3; unit++) {
        rest = whole % 1024;
        whole /= 1024;
    }
    if (unit == 0)
        printf("%llu bytes", (unsigned long long)size);
    else
        printf("%llu.%llu %s", (unsigned long long)whole, (unsigned long long)(rest * 10 / 1024),
               units[unit]);
}

/* Of what was searched for the line where it stands, marked where a person sees it. */
static void body_print(const struct sotto_message *message)
{
    const bool marked = isatty(STDOUT_FILENO) == 1;
    if (message->snippet_count == 0) {
        clean_print(stdout, message->text, 4);
        return;
    }
    for (size_t i = 0; i < message->snippet_count; i++) {
        const bool hit = message->snippet[i].hit && marked;
        fputs(hit ? "\033[1m" : "", stdout);
        clean_print(stdout, message->snippet[i].text, -1);
        fputs(hit ? "\033[0m" : "", stdout);
    }
}

static void file_print(const struct sotto_message *message)
{
    fputs(message->kind == SOTTO_KIND_PICTURE ? "[picture"
          : message->kind == SOTTO_KIND_VOICE ? "[voice"
                                              : "[file",
          stdout);
    if (message->album[0] != '\0')
        printf(" %u of %u", message->album_place, message->album_of);
    fputs("] ", stdout);
    clean_print_str(stdout, message->file_name);
    fputs(" (", stdout);
    size_print(message->file_size);
    if (message->kind == SOTTO_KIND_PICTURE)
        printf(", %u x %u", message->width, message->height);
    if (message->duration_ms != 0)
        printf(", %u:%02u", message->duration_ms / 60000, message->duration_ms / 1000 % 60);
    if (message->id != 0)
        printf("; sotto save %lld", (long long)message->id);
    if (message->fetched)
        fputs("; fetched", stdout);
    putchar(')');
    if (message->text.size > 0) {
        fputs(" ", stdout);
        body_print(message);
    }
}

static void quote_print(const struct sotto_quote *quote)
{
    fputs("    > ", stdout);
    if (quote->id == 0)
        fputs("(a message that is not here)", stdout);
    else {
        if (quote->own)
            fputs("You", stdout);
        else
            person_print(quote->name, &quote->sender);
        fputs(": ", stdout);
        clean_print(stdout, quote->text, -1);
    }
    putchar('\n');
}

static void reactions_print(const struct sotto_message *message)
{
    for (size_t i = 0; i < message->reaction_count; i++) {
        const struct sotto_reaction *one = &message->reactions[i];
        fputs(i == 0 ? "    " : "  ", stdout);
        clean_print(stdout, one->text, -1);
        putchar(' ');
        if (one->own)
            fputs("You", stdout);
        else
            person_print(one->name, &one->sender);
    }
    if (message->reaction_count > 0)
        putchar('\n');
}

static void text_message(struct cli *cli, const struct sotto_message *message, bool with_title)
{
    (void)cli;
    if (message->reply)
        quote_print(&message->quote);
    if (message->id != 0)
        printf("%lld ", (long long)message->id);
    putchar('[');
    time_print(message->time_s);
    fputs("] ", stdout);
    if (with_title) {
        person_print(message->title, &message->conversation);
        fputs(" | ", stdout);
    }
    const bool file = sotto_message_has_file(message->kind);
    if (message->kind != SOTTO_KIND_TEXT && !file)
        event_print(message);
    else {
        if (message->own)
            fputs("You", stdout);
        else
            person_print(message->sender_name, &message->sender);
        fputs(message->blocked ? " [blocked]: " : ": ", stdout);
        if (file)
            file_print(message);
        else
            body_print(message);
    }
    if (message->imported)
        fputs("  (imported: not proved)", stdout);
    if (message->edited_s != 0)
        fputs("  (edited)", stdout);
    if (message->timer_s != 0)
        fputs("  (disappears)", stdout);
    if (message->status == SOTTO_STATUS_WAITING)
        fputs("  (waiting)", stdout);
    if (message->status == SOTTO_STATUS_DELIVERED)
        fputs("  (delivered)", stdout);
    if (message->status == SOTTO_STATUS_READ)
        fputs("  (read)", stdout);
    if (message->status == SOTTO_STATUS_FAILED)
        fputs(file ? "  (not sent)" : "  (not sent: the conversation is over)", stdout);
    putchar('\n');
    reactions_print(message);
}

static void text_receipt(struct cli *cli, const struct sotto_receipt *receipt)
{
    (void)cli;
    putchar('[');
    time_print(receipt->time_s);
    fputs("] ", stdout);
    person_print(receipt->name, &receipt->account);
    puts(receipt->status == SOTTO_STATUS_READ ? " read it" : " got it");
}

static void text_conversation(struct cli *cli, const struct sotto_conversation *one)
{
    (void)cli;
    id_print(&one->id, 8);
    fputs("  ", stdout);
    clean_print_str(stdout, one->title[0] != '\0' ? one->title : "(no name yet)");
    if (one->group && one->state == SOTTO_ROOM_ACTIVE)
        printf("  (group of %u)", one->members);
    if (one->verified != SOTTO_UNVERIFIED)
        fputs("  [verified]", stdout);
    if (one->blocked)
        fputs("  [blocked]", stdout);
    if (one->pinned)
        fputs("  pinned", stdout);
    if (one->muted)
        fputs("  muted", stdout);
    if (one->unread > 0)
        printf("  %u new", one->unread);
    else if (one->marked_unread)
        fputs("  unread", stdout);
    if (one->mentions > 0)
        printf(" (%u to you)", one->mentions);
    if (one->draft.time_s != 0)
        fputs("  draft", stdout);
    if (one->waiting > 0)
        printf("  %u waiting to be sent", one->waiting);
    if (one->state != SOTTO_ROOM_ACTIVE)
        printf("  [%s]", sotto_room_state_name(one->state));
    if (one->trouble[0] != '\0') {
        fputs("\n          ", stdout);
        clean_print_str(stdout, one->trouble);
    }
    putchar('\n');
}

static void text_settings(struct cli *cli, const struct sotto_conversation *one)
{
    static const char *const verbs[SOTTO_POLICY_COUNT] = {
        "add people", "remove people", "write", "change title, picture, description and timer"};
    const struct sotto_settings *settings = &one->settings;
    text_conversation(cli, one);
    if (settings->description[0] != '\0') {
        fputs("          ", stdout);
        clean_print(stdout, sotto_bytes_str(settings->description), 10);
        putchar('\n');
    }
    if (!one->group)
        return;
    static const struct sotto_id nowhere;
    if (memcmp(&settings->successor, &nowhere, sizeof nowhere) != 0) {
        fputs("goes on in    ", stdout);
        id_print(&settings->successor, 12);
        putchar('\n');
    }
    if (!settings->agreed)
        puts("This group is of an earlier version: everybody in it may do everything.");
    printf("You are       %s\n", sotto_role_name(settings->role));
    for (int i = 0; i < SOTTO_POLICY_COUNT; i++)
        printf("%-12s  from %s on may %s\n", sotto_policy_name((enum sotto_policy)i),
               sotto_role_name(settings->policy[i]), verbs[i]);
    printf("join          %s\n", sotto_join_rule_name(settings->join));
    if (settings->picture > 0)
        printf("picture       %zu bytes\n", settings->picture);
    if (one->timer_s > 0)
        printf("timer         %u s\n", (unsigned)one->timer_s);
}

static void text_join_link(struct cli *cli, const struct sotto_join_link *link)
{
    (void)cli;
    printf("%lld  group ", (long long)link->number);
    id_print(&link->conversation, 8);
    printf(", %u of %u asked with it, until ", link->used, link->uses);
    time_print(link->expires_s);
    putchar('\n');
}

static void text_join_request(struct cli *cli, const struct sotto_join_request *request)
{
    (void)cli;
    printf("%lld  ", (long long)request->id);
    person_print(request->name, &request->account);
    fputs(" (account ", stdout);
    id_print(&request->account, 16);
    fputs(") asks to join ", stdout);
    clean_print_str(stdout, request->title);
    printf("\n   let them in: sotto group approve %lld    or not: sotto group refuse %lld\n",
           (long long)request->id, (long long)request->id);
}

static void text_standing(struct cli *cli, const struct sotto_standing *standing)
{
    (void)cli;
    id_print(&standing->account, 8);
    fputs("  ", stdout);
    person_print(standing->name, &standing->account);
    printf("  %s%s\n", standing->banned ? "banned" : sotto_role_name(standing->role),
           standing->own ? "  (you)" : "");
}

static void text_contact(struct cli *cli, const struct sotto_contact *contact)
{
    (void)cli;
    id_print(&contact->account, 8);
    fputs("  ", stdout);
    clean_print_str(stdout, contact->name[0] != '\0' ? contact->name : "(no name yet)");
    if (contact->profile_name[0] != '\0' && strcmp(contact->name, contact->profile_name) != 0) {
        fputs("  (calls themself ", stdout);
        clean_print_str(stdout, contact->profile_name);
        putchar(')');
    }
    if (contact->verified != SOTTO_UNVERIFIED)
        fputs(contact->verified == SOTTO_VERIFIED_LINK ? "  [verified by their link]"
                                                       : "  [verified]",
              stdout);
    if (contact->blocked)
        fputs("  [blocked]", stdout);
    if (contact->conflict)
        fputs("  [contradictory lists of devices: compare fingerprints]", stdout);
    putchar('\n');
}

static void text_labels(struct cli *cli, const struct sotto_labels *labels)
{
    (void)cli;
    printf("Username  %s%s\n", labels->username[0] != '\0' ? "@" : "(none)", labels->username);
    if (labels->phone[0] != '\0')
        printf("Number    %s, by which people at your relay %s you\n", labels->phone,
               labels->findable ? "find" : "do not find");
}

static void text_found(struct cli *cli, const struct sotto_found *found)
{
    (void)cli;
    printf("%s is account ", found->label);
    id_print(&found->account, 16);
    if (found->name[0] != '\0') {
        fputs(", ", stdout);
        clean_print_str(stdout, found->name);
    }
    puts(found->verified != SOTTO_UNVERIFIED
             ? "  [verified]"
             : ", says the relay: compare fingerprints to be sure.");
    if (!found->changed)
        return;
    fputs("It led to account ", stdout);
    id_print(&found->before, 16);
    puts(" before. Ask them over another channel.");
}

static void text_member(struct cli *cli, const struct sotto_member *member)
{
    (void)cli;
    id_print(&member->account, 8);
    fputs("  ", stdout);
    person_print(member->name, &member->account);
    if (member->verified != SOTTO_UNVERIFIED)
        fputs("  [verified]", stdout);
    if (member->blocked)
        fputs("  [blocked]", stdout);
    fputs(member->own ? "  (you)" : "", stdout);
    fputs(member->waits ? "  [not in yet]\n" : "\n", stdout);
    if (member->trouble[0] != '\0')
        printf("          %s\n", member->trouble);
}

static void text_request(struct cli *cli, const struct sotto_request *request)
{
    (void)cli;
    printf("%lld  ", (long long)request->id);
    if (request->sender_name[0] != '\0')
        clean_print_str(stdout, request->sender_name);
    else
        fputs("Somebody", stdout);
    fputs(" (account ", stdout);
    id_print(&request->sender, 16);
    fputs(") wants to write to you, since ", stdout);
    time_print(request->time_s);
    if (request->greeting[0] != '\0') {
        fputs("\n   \"", stdout);
        clean_print_str(stdout, request->greeting);
        putchar('"');
    }
    printf("\n   let them in: sotto accept %lld    or not: sotto decline %lld, with --block for "
           "good\n",
           (long long)request->id, (long long)request->id);
}

static void text_account(struct cli *cli, const struct sotto_account *account)
{
    (void)cli;
    fputs("Account  ", stdout);
    id_print(&account->account, 64);
    fputs("\nName     ", stdout);
    clean_print_str(stdout, account->name[0] != '\0' ? account->name : "(none; see sotto name)");
    printf("\nRelay    %s\n", account->relay);
}

/* Half of the hash in groups, to be read out. */
static void text_tokens(const struct sotto_status *status)
{
    printf("Tokens   %u", status->tokens);
    if (status->token_key != 0)
        printf(", token key number %u:", status->token_key);
    for (size_t i = 0; i < 16 && status->token_key != 0; i += 2)
        printf(" %02x%02x", status->token_key_hash[i], status->token_key_hash[i + 1]);
    putchar('\n');
}

static void text_status(struct cli *cli, const struct sotto_account *account,
                        const struct sotto_status *status)
{
    printf("Profile  %s\n", cli->profile);
    puts(status->passphrase
             ? "Locked   by a passphrase"
             : "Locked   no: whoever copies it can read it; see sotto passphrase set --help");
    if (!account->registered) {
        puts("Not registered yet. Begin with: sotto register --relay ADDRESS --name NAME");
        return;
    }
    text_account(cli, account);
    printf("Suite    %s\n", account->suite);
    text_tokens(status);
    printf("%u conversations, %u contacts, %u requests, %u messages waiting to be sent\n",
           status->conversations, status->contacts, status->requests, status->waiting);
    if (status->notices > 0)
        printf("%" PRIu64 " unread %s of your relay: sotto notices\n", status->notices,
               status->notices == 1 ? "notice" : "notices");
    if (status->relay_convicted)
        puts("YOUR RELAY CONTRADICTS ITS OWN LOG OF LAWFUL ORDERS: sotto relay");
    if (status->clock_off_s != 0)
        printf("Clock    seems wrong: it is %" PRIu64 " hours %s the relay's\n",
               (uint64_t)(status->clock_off_s > 0 ? status->clock_off_s : -status->clock_off_s) /
                   3600,
               status->clock_off_s > 0 ? "ahead of" : "behind");
    if (status->history_of > status->history)
        printf("%" PRIu64 " of %" PRIu64 " messages of the past have come\n", status->history,
               status->history_of);
}

static void text_invitation(struct cli *cli, const struct shown_invitation *invitation)
{
    puts(invitation->link);
    if (!cli->terminal)
        return;
    qr_print(stdout, invitation->link);
    printf("Good for %u %s until ", invitation->uses, invitation->uses == 1 ? "person" : "people");
    time_print(invitation->expires_s);
    puts(". They take it with: sotto accept LINK\nRun sotto listen to be there when they write.");
}

static void text_fingerprint(struct cli *cli, const struct sotto_fingerprint *fingerprint, bool own)
{
    puts(fingerprint->digits);
    if (cli->terminal)
        qr_print(stdout, fingerprint->link);
    puts(fingerprint->link);
    if (own) {
        puts("This is your own account's number, and its code for sotto verify on another's side.");
        return;
    }
    fputs("Compare it with what ", stdout);
    clean_print_str(stdout, fingerprint->name[0] != '\0' ? fingerprint->name : "the other person");
    puts(" sees. The same digits on both sides: nobody is in between; then sotto verify WHO, or "
         "with "
         "the code: sotto verify LINK there.");
    if (fingerprint->verified != SOTTO_UNVERIFIED)
        puts(fingerprint->verified == SOTTO_VERIFIED_LINK
                 ? "Verified by the invitation link that they gave you."
                 : "You have compared it before.");
}

static void text_backup(struct cli *cli, const char *path, const struct sotto_backup_made *made)
{
    if (made->key[0] != '\0') {
        puts(made->key);
        if (cli->terminal)
            puts("This key opens the backup. Write it down: it is shown this once.");
    }
    if (cli->terminal)
        printf("%s: %u conversations, %llu messages, %llu bytes.\n", path, made->conversations,
               (unsigned long long)made->messages, (unsigned long long)made->size);
}

static void text_exported(struct cli *cli, const char *path, const struct sotto_exported *exported)
{
    (void)cli;
    printf("%s: %llu messages, %llu files. It is not encrypted.\n", path,
           (unsigned long long)exported->messages, (unsigned long long)exported->files);
    if (exported->missing > 0)
        printf("%llu files are not at the relay any more.\n",
               (unsigned long long)exported->missing);
}

static void text_imported(struct cli *cli, const struct sotto_imported *imported)
{
    (void)cli;
    printf("%llu messages are new, %llu were here.\n", (unsigned long long)imported->messages,
           (unsigned long long)imported->known);
}

static void text_restored(struct cli *cli, const struct sotto_restored *restored)
{
    (void)cli;
    printf("Restored: %llu messages, as they were on ", (unsigned long long)restored->messages);
    time_print(restored->made_s);
    puts(".");
    if (restored->skipped > 0)
        printf("%llu records need a newer version of Sotto and were left out.\n",
               (unsigned long long)restored->skipped);
    puts("Your other devices let this one into the conversations, or members, who are asked by\n"
         "themselves, once it is a device of the account; what you write there waits until then.");
}

static void text_device_link(struct cli *cli, const char *link, uint64_t expires_s)
{
    if (cli->terminal)
        qr_print(stdout, link);
    puts(link);
    if (!cli->terminal)
        return;
    fputs("On your other device: sotto device add LINK\nGood until ", stdout);
    time_print(expires_s);
    puts(". Waiting...");
}

static void text_phrase(struct cli *cli, const char *phrase)
{
    puts(phrase);
    if (cli->terminal)
        puts("\nWrite these words on paper, in their order, and keep it where nobody finds it: "
             "whoever has\nthem has your account. With them, sotto recover brings it back when all "
             "your devices are gone.");
}

static void text_device(struct cli *cli, const struct sotto_device *device)
{
    (void)cli;
    printf("%.12s  ", device->device);
    clean_print_str(stdout, device->name[0] != '\0' ? device->name : "(no name)");
    fputs("  since ", stdout);
    time_print(device->added_s);
    puts(device->own ? "  (this one)" : "");
}

static void text_progress(struct cli *cli, const char *what, uint64_t done, uint64_t of,
                          const char *unit)
{
    if (cli->terminal)
        fprintf(stderr, "\r%s: %llu of %llu %s%s", what, (unsigned long long)done,
                (unsigned long long)of, unit, done == of ? "\n" : "");
}

static void text_sending(struct cli *cli, const struct shown_sending *sending)
{
    (void)cli;
    switch (sending->status) {
    case SOTTO_STATUS_SENT:
    case SOTTO_STATUS_DELIVERED:
    case SOTTO_STATUS_READ:
        puts("Sent.");
        break;
    case SOTTO_STATUS_WAITING:
        puts("Waiting in the outbox.");
        break;
    case SOTTO_STATUS_FAILED:
    case SOTTO_STATUS_RECEIVED:
        puts("Not sent.");
        break;
    }
}

static void text_saved(struct cli *cli, const char *path)
{
    (void)cli;
    fputs("Saved as ", stdout);
    clean_print_str(stdout, path);
    putchar('\n');
}

static void text_message_link(struct cli *cli, const char *link)
{
    (void)cli;
    puts(link);
}

static void text_proxy(struct cli *cli, const struct sotto_proxy *proxy)
{
    (void)cli;
    if (proxy->address[0] == '\0')
        puts("Relays are reached directly.");
    else
        printf("Relays are reached through %s%s and not at all without it.\n", proxy->address,
               proxy->isolates ? ", each connection with credentials of its own," : "");
    if (proxy->overridden)
        puts("$SOTTO_PROXY says so.");
}

static void text_done(struct cli *cli, const char *what, const struct sotto_id *conversation,
                      const char *sentence)
{
    (void)cli;
    (void)what;
    (void)conversation;
    clean_print_str(stdout, sentence);
    putchar('\n');
}

static void text_nothing(struct cli *cli, const char *sentence)
{
    if (cli->terminal)
        puts(sentence);
}

/* A problem goes to standard error, so that it never mixes with what a script reads. */
static void problem_print(const struct sotto_problem *problem)
{
    clean_print_str(stderr, problem->message);
    fputc('\n', stderr);
    if (problem->next[0] != '\0') {
        clean_print(stderr, sotto_bytes_str(problem->next), 0);
        fputc('\n', stderr);
    }
}

static void text_notice(struct cli *cli, const struct sotto_problem *problem)
{
    (void)cli;
    (void)fflush(stdout);
    if (problem == NULL)
        fputs("Connected again.\n", stderr);
    else {
        clean_print_str(stderr, problem->message);
        fputs(" Trying again by itself.\n", stderr);
    }
}

static void text_problem(struct cli *cli, const struct sotto_problem *problem)
{
    (void)cli;
    (void)fflush(stdout);
    problem_print(problem);
}

const struct output output_text = {
    text_message,      text_receipt,  text_conversation, text_settings,    text_join_link,
    text_join_request, text_standing, text_contact,      text_labels,      text_found,
    text_member,       text_request,  text_account,      text_status,      text_invitation,
    text_backup,       text_exported, text_imported,     text_restored,    text_device_link,
    text_phrase,       text_device,   text_progress,     text_fingerprint, text_proxy,
    text_sending,      text_saved,    text_message_link, text_done,        text_nothing,
    text_notice,       text_problem,  text_relay,        text_evidence,    text_told,
};
