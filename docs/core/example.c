/* A messenger in ninety lines: registers, meets somebody by a link, and talks.
 *
 *     cc example.c $(pkg-config --cflags --libs sotto) -o example
 *     ./example PROFILE RELAY Alice               prints a link, then what is said to her
 *     ./example PROFILE RELAY Bob LINK "Hello!"   takes the link, says it, and is done
 *
 * PROFILE is a folder, made if it is not there; RELAY is what sottod prints when it starts. */
#include <stdio.h>
#include <string.h>

#include <sotto/sotto.h>

static int failed(const struct sotto_problem *problem)
{
    fprintf(stderr, "%s\n%s\n", problem->message, problem->next);
    return 1;
}

/* Once an account is there, it stays: the second time nothing is asked of the relay. */
static sotto_error have_account(struct sotto *core, const char *relay, const char *name)
{
    const struct sotto_registration with = {.relay = relay, .name = name};
    struct sotto_account account;
    sotto_error error = sotto_account(core, &account);
    return error != SOTTO_OK || account.registered ? error : sotto_register(core, &with);
}

/* Text comes from other people: a program for people escapes what a terminal would obey. */
static void on_message(void *core, const struct sotto_message *message)
{
    if (message->kind != SOTTO_KIND_TEXT || message->own)
        return;
    printf("%s: %.*s\n", message->sender_name, (int)message->text.size, message->text.data);
    sotto_stop(core); /* one is enough here */
}

static bool on_flush(void *core)
{
    (void)core;
    return fflush(stdout) == 0; /* only now it counts as given */
}

static sotto_error wait_for_somebody(struct sotto *core)
{
    const struct sotto_listener listener = {.ctx = core, .message = on_message, .flush = on_flush};
    sotto_buf link;
    sotto_buf_init(&link, sotto_env_system());
    sotto_error error = sotto_invite(core, 1, 3600, &link);
    if (error == SOTTO_OK)
        printf("%s\n", (const char *)link.data);
    fflush(stdout);
    sotto_buf_free(&link);
    return error == SOTTO_OK ? sotto_listen(core, 0, false, &listener) : error;
}

/* sotto_send is done when the message is on this disk; sotto_settle takes it to the relay. */
static sotto_error say(struct sotto *core, const char *link, const char *words)
{
    const struct sotto_text text = {.text = sotto_bytes_str(words)};
    struct sotto_id conversation;
    char client_id[SOTTO_CLIENT_ID_MAX + 1];
    sotto_error error = sotto_accept(core, link, &conversation);
    if (error == SOTTO_OK)
        error = sotto_send(core, &conversation, NULL, &text, client_id);
    return error == SOTTO_OK ? sotto_settle(core, &conversation) : error;
}

int main(int argc, char **argv)
{
    struct sotto *core = NULL;
    struct sotto_problem problem;
    if (argc != 4 && argc != 6) {
        fputs("usage: example PROFILE RELAY NAME [LINK TEXT]\n", stderr);
        return 2;
    }
    if (sotto_open(sotto_env_system(), argv[1], NULL, &core, &problem) != SOTTO_OK)
        return failed(&problem);
    sotto_error error = have_account(core, argv[2], argv[3]);
    if (error == SOTTO_OK)
        error = argc == 6 ? say(core, argv[4], argv[5]) : wait_for_somebody(core);
    int code = error == SOTTO_OK ? 0 : failed(sotto_problem(core));
    sotto_close(core);
    return code;
}
