#include "relay/notices.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "relay/data.h"
#include "tlog/folder.h"

/* DUE-ACCOUNT-NUMBER.note, as office.c names them. */
static bool read_name(const char *name, uint64_t *due_s, struct account_id *account)
{
    enum { DUE = 20, HEX = 2 * ACCOUNT_ID_SIZE };
    size_t size = 0;
    const size_t length = strlen(name);
    if (length < DUE + 1 + HEX + 1 + 1 + 5 || strspn(name, "0123456789") != DUE ||
        name[DUE] != '-' || name[DUE + 1 + HEX] != '-' || strcmp(name + length - 5, ".note") != 0)
        return false;
    errno = 0;
    *due_s = strtoull(name, NULL, 10);
    return errno == 0 &&
           sodium_hex2bin(account->bytes, ACCOUNT_ID_SIZE, name + DUE + 1, HEX, NULL, &size,
                          NULL) == 0 &&
           size == ACCOUNT_ID_SIZE;
}

/* Whether it is done with. */
static bool deliver(const struct relay *relay, struct store_port *port, const char *folder,
                    const char *name, const struct account_id *account)
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    sotto_buf note;
    sotto_buf_init(&note, relay->env);
    struct store_op *op = store_op_new(relay->env, STORE_NOTICE);
    bool done = false;
    if (op != NULL && tlog_folder_get(folder, name, WIRE_ENVELOPE_MAX, &note) == SOTTO_OK) {
        /* The same file is the same post: a crash before its removal delivers it once. */
        crypto_hash_sha256(hash, note.data, note.size);
        memcpy(op->post.post_id.bytes, hash, sizeof op->post.post_id.bytes);
        op->post.account = *account;
        op->post.sealed = sotto_buf_view(&note);
        store_call(port, op);
        done = op->code == 0 || op->code == WIRE_CODE_NO_ACCOUNT;
    }
    store_op_free(op);
    sotto_buf_free(&note);
    return done;
}

size_t notices_deliver(const struct relay *relay, struct store_port *port, uint64_t now_s)
{
    char folder[PATH_MAX];
    size_t count = 0;
    if (!data_path(relay->config, DATA_NOTICES, folder))
        return 0;
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        struct account_id account;
        uint64_t due_s = 0;
        if (!read_name(entry->d_name, &due_s, &account) || due_s > now_s ||
            !deliver(relay, port, folder, entry->d_name, &account))
            continue;
        count += unlinkat(dirfd(dir), entry->d_name, 0) == 0;
    }
    closedir(dir);
    return count;
}
