#include "relay/withdrawals.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tlog/folder.h"

enum {
    AGAIN_MS = 3600 * 1000, /* after which full inboxes are tried again */
    TRIES = 4,              /* rounds in a row, to empty the write-ahead log */
    STEPS = 64,             /* at a time */
};

/* One withdrawal, in the works. */
struct work {
    const sotto_env *env;
    struct store_port *port;
    char folder[PATH_MAX];
    uint64_t now_s;
    struct withdrawal withdrawal;
    enum withdrawal_state state;
    uint64_t accounts;
    unsigned steps; /* that are left */
};

static bool step(struct work *work, int64_t *after)
{
    struct store_op *op = store_op_new(work->env, STORE_WITHDRAWAL);
    bool good = false;
    if (op != NULL) {
        op->withdrawal.withdrawal = &work->withdrawal;
        op->withdrawal.due = work->now_s >= withdrawal_on_s(&work->withdrawal);
        op->withdrawal.after = *after;
        store_call(work->port, op);
        good = op->code == 0;
        work->state = op->withdrawal.state;
        work->accounts = op->withdrawal.accounts;
        if (good) /* else nothing of it happened */
            *after = op->withdrawal.after;
    }
    store_op_free(op);
    return good;
}

/* To the end of the round. False: it does not end now, or has not ended it all. */
static bool sweep(struct work *work, struct withdrawal_seen *seen)
{
    while (work->steps > 0) {
        work->steps--;
        if (!step(work, &seen->after))
            return false;
        if (seen->after != 0)
            continue;
        const bool all = work->state != WITHDRAWAL_LEFT;
        seen->tries = all ? 0 : (seen->tries + 1) % TRIES;
        if (seen->tries == 0)
            return all;
    }
    return false;
}

/* The office is told, which makes an entry of the log of it. */
static bool tell_office(const struct work *work, bool *told)
{
    char name[WITHDRAWAL_NAME], path[PATH_MAX];
    struct stat there;
    sotto_buf text;
    withdrawal_name(work->withdrawal.id, true, name);
    *told = false;
    if (snprintf(path, sizeof path, "%s/%s", work->folder, name) >= PATH_MAX)
        return false;
    if (stat(path, &there) == 0)
        return true;
    sotto_buf_init(&text, work->env);
    *told = withdrawal_left_write(work->accounts, work->now_s, &text) == SOTTO_OK &&
            tlog_folder_put(work->folder, name, sotto_buf_view(&text)) == SOTTO_OK;
    sotto_buf_free(&text);
    return *told;
}

/* Its place among those that were seen; count if there is no room for it. */
static size_t place_of(struct withdrawals *withdrawals, const struct work *work)
{
    size_t at = 0;
    while (at < withdrawals->count &&
           memcmp(withdrawals->seen[at].id, work->withdrawal.id, WITHDRAWAL_ID_SIZE) != 0)
        at++;
    if (at == withdrawals->count && at < WITHDRAWALS_MAX) {
        memset(&withdrawals->seen[at], 0, sizeof withdrawals->seen[at]);
        memcpy(withdrawals->seen[at].id, work->withdrawal.id, WITHDRAWAL_ID_SIZE);
        withdrawals->count++;
    }
    return at;
}

static void go_on(struct withdrawals *withdrawals, struct work *work, uint64_t now_ms,
                  struct withdrawals_done *done)
{
    const size_t at = place_of(withdrawals, work);
    const bool staying = work->withdrawal.staying;
    const bool due = work->now_s >= withdrawal_on_s(&work->withdrawal);
    bool told = false;
    if (at == WITHDRAWALS_MAX)
        return;
    struct withdrawal_seen *seen = &withdrawals->seen[at];
    if (seen->staying != staying || seen->due != due) {
        seen->staying = staying;
        seen->due = due;
        seen->after = 0;
        seen->tries = 0;
        seen->again_ms = 0;
    }
    if (now_ms < seen->again_ms || !sweep(work, seen) ||
        (work->state == WITHDRAWAL_ERASED && !tell_office(work, &told)))
        return;
    done->left += told;
    done->accounts += told ? work->accounts : 0;
    seen->again_ms = now_ms + AGAIN_MS;
}

void withdrawals_go_on(struct withdrawals *withdrawals, const struct config *config,
                       const sotto_env *env, struct store_port *port, uint64_t now_s,
                       uint64_t now_ms, struct withdrawals_done *done)
{
    sotto_buf file;
    struct work *work = mem_alloc(env, sizeof *work);
    *done = (struct withdrawals_done){0};
    if (work == NULL)
        return;
    sotto_buf_init(&file, env);
    work->env = env;
    work->port = port;
    work->now_s = now_s;
    work->steps = STEPS;
    DIR *dir = data_path(config, DATA_WITHDRAWALS, work->folder) ? opendir(work->folder) : NULL;
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        sotto_buf_clear(&file);
        if (withdrawal_named(entry->d_name, work->withdrawal.id) &&
            tlog_folder_get(work->folder, entry->d_name, WITHDRAWAL_FILE_MAX, &file) == SOTTO_OK &&
            withdrawal_read(sotto_buf_view(&file), &work->withdrawal) == SOTTO_OK)
            go_on(withdrawals, work, now_ms, done);
    }
    done->more = work->steps == 0;
    if (dir != NULL)
        closedir(dir);
    sotto_buf_free(&file);
    mem_free(env, work, sizeof *work);
}

/* ---- By a command --------------------------------------------------------------------------- */

/* What of a command line says where the relay's data is. */
static bool read_place(int argc, char **argv, struct config *config)
{
    char problem[CONFIG_TEXT], *place[5] = {argv[0]};
    int count = 1;
    for (int i = 1; i < argc && count < 4; i++) {
        const bool one =
            strncmp(argv[i], "--data=", 7) == 0 || strncmp(argv[i], "--config=", 9) == 0;
        const bool two = strcmp(argv[i], "--data") == 0 || strcmp(argv[i], "--config") == 0;
        if (one || (two && i + 1 < argc))
            place[count++] = argv[i];
        if (two && i + 1 < argc)
            place[count++] = argv[++i];
    }
    return config_read(config, count, place, problem);
}

void withdrawals_go_on_now(int argc, char **argv)
{
    static struct config config;
    static struct withdrawals withdrawals;
    const sotto_env *env = sotto_env_system();
    char problem[CONFIG_TEXT], path[PATH_MAX];
    struct store *store = NULL;
    struct store_port *port = NULL;
    struct stat folder;
    struct withdrawals_done done;
    if (!read_place(argc, argv, &config) || !data_path(&config, DATA_WITHDRAWALS, path) ||
        stat(path, &folder) != 0 || data_is_served(&config))
        return;
    if (data_store(&config, env, NULL, NULL, &store, problem) &&
        store_port_open(store, NULL, NULL, &port) == SOTTO_OK)
        do
            withdrawals_go_on(&withdrawals, &config, env, port, env->now(env->ctx), 0, &done);
        while (done.more);
    store_close(store);
    store_port_close(port);
}
