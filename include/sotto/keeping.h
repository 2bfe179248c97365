/* Keeping what one has: backups, and conversations as readable files (sotto/sotto.h). */
#ifndef SOTTO_KEEPING_H
#define SOTTO_KEEPING_H

#include "sotto/account.h"

SOTTO_API_BEGIN

/* ---- Backups ---------------------------------------------------------------------------------
 *
 * A backup is one encrypted file: contacts, conversations, messages with their edits, reactions and
 * receipts, settings; and, if the person wants, the account's key. It holds no key of any
 * conversation and of no device: who restores it is a new device, which is added to the
 * conversations anew. */

/* Bytes of a backup's key as text, with NUL: 48 digits in groups of six. */
#define SOTTO_BACKUP_KEY_SIZE 56

struct sotto_backup {
    const char *path;       /* of the file, which gets mode 0600 */
    sotto_bytes passphrase; /* of 1 to SOTTO_PASSPHRASE_MAX bytes; empty: a key is made */
    bool account_key;       /* the account's key too: who has file and passphrase is this account */
    bool replace;           /* a file that is there gives way, once the new one is whole */
};

struct sotto_backup_made {
    uint64_t size; /* of the file, bytes */
    uint64_t messages;
    uint32_t conversations;
    char
        key[SOTTO_BACKUP_KEY_SIZE]; /* the key that was made, to be shown once and wiped; else "" */
};

/* Local; takes as long as there is to write, with flat memory, and hinders nobody else on the
 * profile. The file is there under its name once it is whole and on the disk. What is said while it
 * runs is not in it. backup is borrowed for the call, what is derived from the passphrase wiped;
 * made is zeroed on failure, and made->key the caller's to wipe. progress counts messages, may be
 * NULL, and is called within this call. NOT_REGISTERED; BAD_TEXT: the passphrase is too long;
 * EXISTS: the file is there; LIMITED_DEVICE: account_key is wanted of a device that does not have
 * it; STOPPED: sotto_stop was called; STORAGE, STORAGE_FULL, STORAGE_BUSY: of the file's place,
 * where nothing is left behind but in a crash a hidden .sotto-NAME.part, which the next call for
 * that name writes over. */
sotto_error sotto_backup(struct sotto *core, const struct sotto_backup *backup,
                         struct sotto_backup_made *made, sotto_progress_fn *progress, void *ctx);

struct sotto_restored {
    struct sotto_id account; /* whose backup it is */
    uint64_t made_s;         /* when it was made, seconds since 1970 */
    bool account_key;        /* it holds the account's key */
    uint64_t messages;       /* that are in it */
    uint64_t skipped;        /* records of a newer version, which this one left out */
};

/* Takes over what is in the backup at path: into a profile without an account, or one of the same
 * account, whose own contacts and settings then stay as they are. secret: the passphrase, or the
 * backup's key in any grouping. The file is read twice: before anything is taken over, all of it
 * was found whole. Conversations are there to be read. restored is filled once the records are
 * there. progress counts bytes, of both times together, may be NULL, and is called within this
 * call. Killed or stopped, the same call goes on: what was taken over before is known. The secret
 * is borrowed for the call; copies of it and of the account's key are wiped.
 *
 * recovery NULL: local, and that is all; a profile without an account then becomes a device of it
 * by sotto_link or sotto_recover. Else, network: if the backup holds the account's key, the profile
 * becomes a new device of the account as by sotto_recover, at the backup's relay and under its name
 * where recovery names none; its phrase is not looked at. As a device of the account it asks the
 * members that the backup names to be let in (SOTTO_ROOM_REJOINING until then), at once if alone,
 * else after a minute in which the account's other devices may do so.
 *
 * NO_FILE; WRONG_PASSPHRASE; BAD_BACKUP: not a backup, damaged, cut off; STORAGE_NEWER;
 * ALREADY_REGISTERED: the profile is another account's; STOPPED; of the account, what sotto_recover
 * says, and then the rest is there. */
sotto_error sotto_restore(struct sotto *core, const char *path, sotto_bytes secret,
                          const struct sotto_recovery *recovery, struct sotto_restored *restored,
                          sotto_progress_fn *progress, void *ctx);

/* ---- Export ---------------------------------------------------------------------------------- */

struct sotto_export {
    struct sotto_id conversation;
    const char *path; /* of a folder, which is made with mode 0700 */
    bool files;       /* fetch the conversation's files too, into files/ in it */
};

struct sotto_exported {
    uint64_t messages, files;
    uint64_t missing; /* files that were wanted and cannot be had any more */
};

/* Local; network, if files are wanted. Writes a conversation into a folder, for people and programs
 * to read, NOT encrypted: index.html, a page without scripts that loads nothing from elsewhere;
 * messages.jsonl, a JSON object a line (docs/BACKUP.md). Messages that wait are not in it. The
 * folder has its name once it is whole and on the disk; a process that is killed before leaves a
 * .sotto-NAME.part beside, which the next call for that name removes. exported is filled on success
 * alone. progress counts messages, may be NULL, and is called within this call. NOT_FOUND: the
 * conversation; EXISTS: there is something of that name; STORAGE, STORAGE_FULL: the folder cannot
 * be written; STORAGE_BUSY: another process writes it; STOPPED: sotto_stop was called, nothing is
 * left; of files, what sotto_save says of a relay that cannot be reached. */
sotto_error sotto_export(struct sotto *core, const struct sotto_export *what,
                         struct sotto_exported *exported, sotto_progress_fn *progress, void *ctx);

/* ---- Import ---------------------------------------------------------------------------------- */

struct sotto_imported {
    struct sotto_id conversation;
    uint64_t messages; /* that were not here */
    uint64_t known;    /* that were: they stay as they are */
    uint64_t skipped;  /* lines of other kinds, such as what happened in the conversation */
};

/* Local. Takes the texts of an export (the folder at path, of which messages.jsonl alone is read)
 * into the history of the conversation that it names, which has to be here. Anybody can have
 * written such a file: what it adds is shown as `imported`, gives way to the message itself when
 * that comes, and sends nothing, changes no key, contact or setting, counts as read, is given to no
 * listener. Of a file sent, name and caption become a text. The file is read twice: before anything
 * is taken over, all of it was found good. imported is filled on success alone. progress counts
 * bytes, of both times together, may be NULL, and is called within this call. Killed or stopped,
 * the same call goes on. NO_FILE; BAD_EXPORT: says which line and
 * field; STORAGE_NEWER; NOT_FOUND: the conversation; STOPPED. */
sotto_error sotto_import(struct sotto *core, const char *path, struct sotto_imported *imported,
                         sotto_progress_fn *progress, void *ctx);

SOTTO_API_END

#endif
