/* One's own account and its devices (sotto/sotto.h). */
#ifndef SOTTO_ACCOUNT_H
#define SOTTO_ACCOUNT_H

#include "sotto/bytes.h"
#include "sotto/contact.h"

SOTTO_API_BEGIN

/* ---- Account -------------------------------------------------------------------------------- */

/* 60 decimal digits in groups of five: two people who read the same number have the right keys. */
struct sotto_fingerprint {
    char digits[80];
    char name[260]; /* whom it is with; one's own for one's own */
    char link[120]; /* the same to be scanned or pasted on the other's device: sotto_verify_link */
    enum sotto_verified verified; /* whether it was compared; of one's own: UNVERIFIED */
};

struct sotto_account {
    bool registered;
    struct sotto_id account;
    char device[33]; /* hex */
    const char *name;
    char picture[65]; /* SHA-256 of one's own picture, in hex; empty: none */
    const char *relay;
    const char *moving_from; /* a relay that is not left yet; empty: none */
    const char *suite;
    bool receipts;      /* whether delivery and read receipts are sent and shown */
    bool typing;        /* whether others are told that one types, and one is told of them */
    uint64_t downloads; /* see sotto_set_downloads */
};

struct sotto_registration {
    const char *relay; /* host:port or host:port#PIN; NULL: that of an earlier try */
    const char *name;  /* NULL: none yet */
    const char *phone, *invitation, *code; /* NULL: none */
};

/* Network. Makes the keys if there are none, registers as registration says, publishes KeyPackages.
 * Safe to repeat, also after it was killed. CODE_NEEDED: call again with the code; WRONG_CODE;
 * RELAY_NEEDED; BAD_ADDRESS: of the relay; BAD_NAME; PHONE_NEEDED, PHONE_TAKEN, INVITATION_NEEDED,
 * INVITATION_USED: ask the person for another one; ALREADY_REGISTERED: it is. */
sotto_error sotto_register(struct sotto *core, const struct sotto_registration *registration);

/* Local. The account key in 24 words (BIP-39, English list), with a NUL; appended to phrase.
 * Whoever has them is the account, with any device: show them when the person asks, and nowhere
 * else, then free phrase, which wipes it. LIMITED_DEVICE: this device has no account key. */
sotto_error sotto_recovery_phrase(struct sotto *core, sotto_buf *phrase);

struct sotto_recovery {
    struct sotto_registration
        with;           /* the relay where the account is; what registering there takes */
    sotto_bytes phrase; /* the words, in any case, with any blanks between */
    bool alone; /* the account's other devices are removed: they are lost, or in wrong hands */
    bool anew;  /* the relay need not know the account: it is gone from wherever it was */
};

/* Network. In a profile without an account: makes this a new device of the account of recovery's
 * phrase, of which copies are wiped. Its other devices, unless alone, hear of it, add it to the
 * conversations and give it their past; where there is none, contacts who hear of it do the first,
 * and nothing does the second; in a profile into which a backup was restored, members are asked as
 * sotto_restore says. Killed or interrupted, the same call goes on. BAD_PHRASE; NO_ACCOUNT: the
 * relay does not know it, and not anew; else as sotto_register. */
sotto_error sotto_recover(struct sotto *core, const struct sotto_recovery *recovery);

/* Network. Moves the account to another relay as what it is: registers it there (with: a code and
 * the like as in sotto_register; name is not looked at), tells everybody in its conversations,
 * whose clients follow by themselves, and its other devices. When all is said and those have
 * followed, what came to the old relay meanwhile is fetched and the account there is deleted: by
 * this call, or by whichever syncs or serves later; after 30 days without waiting longer.
 * Conversations stay at their relays. Invitation links made before end with the old relay; what it
 * lent (a username) is not taken along. Killed or interrupted, the same call goes on. OK: it is at
 * the new relay. LIMITED_DEVICE; BUSY: an earlier move is not done; else as sotto_register. */
sotto_error sotto_account_move(struct sotto *core, const struct sotto_registration *with);

/* Network. Deletes the account: leaves every conversation, tells those who are in it, deletes what
 * relays have of it (files that this device sent, the account with all that belongs to it, also
 * where it moved from and has not left yet) and wipes this profile; sotto_close then removes its
 * files. The account's other devices wipe themselves when they hear of it. There is no way back but
 * the recovery phrase, and that brings back none of this. Killed or interrupted, the same call goes
 * on, and sotto_serve does; all others say ACCOUNT_DELETED until it is done. force: conversations
 * whose relays cannot be reached are left as they are, and so is what a relay has that it was
 * moving away from; one that is REJOINING always is. LIMITED_DEVICE. */
sotto_error sotto_account_delete(struct sotto *core, bool force);

/* Local. *account: what this profile's account is; its strings are valid until the core's next
 * call. Without an account registered is false, and strings are empty. */
sotto_error sotto_account(struct sotto *core, struct sotto_account *account);

/* Local. *out: the fingerprint shared with that contact; who NULL: one's own account's. NOT_FOUND:
 * also somebody whose keys did not come yet. */
sotto_error sotto_fingerprint(struct sotto *core, const char *who, struct sotto_fingerprint *out);

/* Local: queues. Changes one's own name, one line of at most 256 bytes (BAD_NAME); the
 * conversations are told at the next settling. */
sotto_error sotto_set_name(struct sotto *core, const char *name);

/* Local: reads the file at path, and queues. One's own picture from now on: a JPEG, PNG or WebP, of
 * which what it tells beside the picture is left out. One's contacts get it, in the conversations
 * with them alone: nobody else, and no group. path NULL: none any more. BAD_PICTURE: it is of
 * another type, or larger than SOTTO_PROFILE_PICTURE_MAX bytes or SOTTO_PROFILE_PICTURE_SIDE pixels
 * either way; NO_FILE. */
#define SOTTO_PROFILE_PICTURE_MAX (256 * 1024)
#define SOTTO_PROFILE_PICTURE_SIDE 2048
sotto_error sotto_set_picture(struct sotto *core, const char *path);

/* Local. on: whether delivery and read receipts are sent and shown, on all devices of the account;
 * they are unless this is called with false, which also forgets those that are here. Several
 * receipts are one message of a room, at most one every ten seconds; in rooms of more than 32
 * devices there are none. */
sotto_error sotto_set_receipts(struct sotto *core, bool on);

/* Local. on: whether others are told that one types, and sotto_host's typing is called, on all
 * devices of the account; they are unless this is called with false. */
sotto_error sotto_allow_typing(struct sotto *core, bool on);

/* Local. Files of contacts that have at most so many bytes are fetched as they come, while
 * sotto_sync, sotto_listen or sotto_serve runs: a mebibyte unless this is called; 0: none;
 * UINT64_MAX: all up to a gibibyte. They are kept as they were encrypted, in the profile's folder
 * `files`, a gibibyte of them at most beside the one that is being fetched, and go with their
 * messages. Unlike receipts and typing this is each device's own, and a backup does not have it:
 * what a machine's disk and connection bear, another's may not. A device that is linked or restored
 * begins with a mebibyte. */
sotto_error sotto_set_downloads(struct sotto *core, uint64_t most);

/* ---- Devices of one's own ---------------------------------------------------------------------
 *
 * A new device calls sotto_link and shows the link to the person; sotto_link_wait then waits for
 * the other device's sotto_device_add of it. */

/* Local. On the new device, in a profile without an account: makes its keys, and a link that the
 * account's other device takes; appended to link, with a NUL. relay: the account's. name: what the
 * device is called, one line of at most 256 bytes, may be NULL. expires_s: until when the link is
 * good. Again, until then: the same link. Whoever has it can become a device of the account only
 * with the help of one: show it to nobody else. ALREADY_REGISTERED; RELAY_NEEDED, BAD_ADDRESS,
 * BAD_NAME. */
sotto_error sotto_link(struct sotto *core, const char *relay, const char *name, sotto_buf *link,
                       uint64_t *expires_s);

/* Network. Waits until the link was taken; then this profile is a device of the account. Joins its
 * conversations and fetches the history as long as that comes; the rest comes with later calls.
 * Killed or interrupted, the same call goes on. INVITATION_EXPIRED: nobody took the link; make
 * another one. BAD_IDENTITY: what came was not from a device that saw the link. progress, of the
 * history in messages, is called with ctx and may be NULL. */
sotto_error sotto_link_wait(struct sotto *core, sotto_progress_fn *progress, void *ctx);

/* Network. On a device that has the account's key: lets the device of that link in, and waits a
 * while for it to be in all conversations; the rest happens with later calls. limited: it does not
 * get the account's key, and may not link or remove others. Killed or interrupted, the same call
 * goes on. device: its id, in hex with a NUL. LIMITED_DEVICE; BAD_LINK; OWN_LINK: it is this
 * device's; INVITATION_USED, INVITATION_EXPIRED: of the link; BUSY: another device changed the list
 * at this moment, call again; BAD_IDENTITY: the relay changed the new device's keys. */
sotto_error sotto_device_add(struct sotto *core, const char *link, bool limited, char device[33]);

struct sotto_device {
    char device[33]; /* hex */
    const char *name;
    uint64_t added_s;
    bool own; /* this one */
};

/* Local. Calls each with ctx for every device of the account. */
sotto_error sotto_devices(struct sotto *core,
                          void (*each)(void *ctx, const struct sotto_device *device), void *ctx);

/* Local: queues; the other devices are told at the next settling. what: the name of a device of the
 * account, or the beginning of its id. name: what it is called from now on, one line of at most 256
 * bytes (BAD_NAME). */
sotto_error sotto_device_rename(struct sotto *core, const char *what, const char *name);

/* Network. The device that what names, as in sotto_device_rename, is no longer the account's: the
 * relay refuses it, and all members' clients remove it from all conversations. LIMITED_DEVICE;
 * USAGE: it is this one; BUSY: another device changed the list at this moment, call again. */
sotto_error sotto_device_revoke(struct sotto *core, const char *what);

SOTTO_API_END

#endif
