/* People in the store: contacts, KeyPackages, invitations made and accepted, requests. See store.h.
 */
#ifndef CORE_STORE_PEOPLE_H
#define CORE_STORE_PEOPLE_H

#include "core/store.h"

/* ---- Contacts ------------------------------------------------------------------------------- */

/* By what the person knows that the account's key is theirs. The numbers are stored. */
enum store_verified {
    STORE_UNVERIFIED = 0,
    STORE_VERIFIED_COMPARED = 1, /* numbers were compared, or a code was scanned */
    STORE_VERIFIED_LINK = 2,     /* their invitation link, which names the key */
};

/* Everybody whom this profile knows of. */
struct store_contact {
    struct account_id account;
    const char *name;  /* as that person calls itself; may be empty */
    const char *relay; /* address of the relay where the account is; may be empty */
    const char *label; /* what the person calls them; empty: as they call themselves */
    bool contact;      /* the person wants to know them; else known from groups or a request only */
    enum store_verified verified;
    bool blocked;
    bool conflict; /* two manifests of the account contradict each other */
    bool has_key;  /* account_key is known */
    uint8_t account_key[SIGN_KEY_SIZE];
    uint64_t manifest_number; /* 0: none known */
    sotto_bytes manifest;     /* the newest, judged before; empty if none */
    uint64_t added_s;
};

sotto_error store_contact_get(struct store *store, const struct account_id *account,
                              struct arena *arena, struct store_contact *contact); /* NOT_FOUND */
/* [tx] Inserts or replaces. */
sotto_error store_contact_put(struct store *store, const struct store_contact *contact);
/* Whether the person has blocked that account; false where it is not known. */
sotto_error store_contact_blocked(struct store *store, const struct account_id *account,
                                  bool *blocked);
/* Whether it is a contact, and not blocked. */
sotto_error store_contact_accepted(struct store *store, const struct account_id *account,
                                   bool *accepted);
/* [tx] What an account that was blocked waited for: its requests go, and no receipt is owed. */
sotto_error store_contact_silence(struct store *store, const struct account_id *account);
/* All, by name. */
sotto_error store_contacts(struct store *store, struct arena *arena,
                           struct store_contact **contacts, size_t *count);

/* The newest manifest alone; empty if the account or its manifest is not known. */
sotto_error store_manifest_get(struct store *store, const struct account_id *account,
                               struct arena *arena, sotto_bytes *manifest);
/* [tx] Keeps a manifest that identity_judge_manifest let pass, and the account key; makes the
 * contact (contact = false) if it is not there. */
sotto_error store_manifest_put(struct store *store, const struct account_id *account,
                               const uint8_t account_key[static SIGN_KEY_SIZE], uint64_t number,
                               sotto_bytes manifest, uint64_t now_s);

/* ---- KeyPackages ---------------------------------------------------------------------------- */

struct store_key_package {
    sotto_bytes ref;     /* KeyPackageRef: the key */
    sotto_bytes package; /* MLSMessage */
    sotto_bytes secrets; /* as sotto_mls_key_package gave them */
    bool uploaded;
    bool last_resort;
    uint64_t created_s, not_after_s;
};

sotto_error store_key_package_get(struct store *store, sotto_bytes ref, struct arena *arena,
                                  struct store_key_package *package); /* NOT_FOUND */
/* [tx] Inserts; EXISTS. */
sotto_error store_key_package_put(struct store *store, const struct store_key_package *package);
/* [tx] NOT_FOUND is no error for either. */
sotto_error store_key_package_uploaded(struct store *store, sotto_bytes ref);
sotto_error store_key_package_erase(struct store *store, sotto_bytes ref);
/* [tx] Erases those whose time was over before `before_s`, and last resorts that were followed by a
 * newer one that was made, and uploaded, before followed_s. */
sotto_error store_key_packages_expire(struct store *store, uint64_t before_s, uint64_t followed_s);
/* When the newest last resort was made that was uploaded; 0: none. */
sotto_error store_last_resort_made(struct store *store, uint64_t *made_s);
/* Those that were not uploaded, oldest first; and how many were, without last resorts. */
sotto_error store_key_packages_waiting(struct store *store, struct arena *arena,
                                       struct store_key_package **packages, size_t *count);
sotto_error store_key_packages_uploaded(struct store *store, uint32_t *count);

/* ---- Invitations made ------------------------------------------------------------------------ */

struct store_invitation {
    uint8_t capability[CAPABILITY_SIZE]; /* the key; a secret */
    uint32_t uses, used;
    uint64_t created_s, expires_s;
    bool granted; /* the relay knows of it */
};

sotto_error store_invitation_get(struct store *store, sotto_bytes capability,
                                 struct store_invitation *invitation); /* NOT_FOUND */
/* [tx] Inserts or replaces. */
sotto_error store_invitation_put(struct store *store, const struct store_invitation *invitation);
/* [tx] One use more. NOT_FOUND: not ours, or expired at now_s, or used up: nothing was changed. */
sotto_error store_invitation_use(struct store *store, sotto_bytes capability, uint64_t now_s);
sotto_error store_invitations(struct store *store, struct arena *arena,
                              struct store_invitation **invitations, size_t *count);
/* [tx] Those that expired before. */
sotto_error store_invitations_expire(struct store *store, uint64_t before_s);

/* ---- Invitations accepted, and KeyPackages taken ------------------------------------------- */

/* A KeyPackage of somebody else's that is wanted for a room, so that a retry repeats take_id and a
 * crash takes no second one. */
struct store_take {
    struct room_id room; /* room, account and device are the key */
    struct account_id account;
    struct device_id device;
    struct request_id take_id;
    const char *relay;       /* where the KeyPackage is */
    sotto_bytes capability;  /* of the invitation that was accepted, or empty; a secret */
    sotto_bytes key_package; /* as taken; empty: not yet */
    sotto_bytes manifest;    /* of the account, as fetched; empty: not yet */
    uint64_t created_s;
};

sotto_error store_take_get(struct store *store, const struct room_id *room,
                           const struct account_id *account, const struct device_id *device,
                           struct arena *arena, struct store_take *take); /* NOT_FOUND */
/* All of a room. */
/* Those of one account; one's own devices are one account too. */
sotto_error store_takes_of(struct store *store, const struct room_id *room,
                           const struct account_id *account, struct arena *arena,
                           struct store_take **takes, size_t *count);
/* [tx] Inserts or replaces. */
sotto_error store_take_put(struct store *store, const struct store_take *take);
/* [tx] NOT_FOUND is no error. */
sotto_error store_take_erase(struct store *store, const struct room_id *room,
                             const struct account_id *account, const struct device_id *device);

/* The links that were accepted, so that accepting one again leads to the same room. */
struct store_accepted {
    uint8_t capability[CAPABILITY_SIZE]; /* the key; a secret */
    struct account_id account;
    struct device_id device;
    struct room_id room;
    uint64_t accepted_s;
};

sotto_error store_accepted_get(struct store *store, sotto_bytes capability,
                               struct store_accepted *accepted); /* NOT_FOUND */
/* [tx] Inserts; EXISTS. */
sotto_error store_accepted_put(struct store *store, const struct store_accepted *accepted);
/* [tx] NOT_FOUND is no error. */
sotto_error store_accepted_erase(struct store *store, sotto_bytes capability);

/* ---- Requests: Welcomes that wait for the person ----------------------------------------------
 */

struct store_request {
    int64_t id; /* given by the store */
    struct room_id room;
    struct account_id sender;
    uint64_t received_s;
    sotto_bytes envelope; /* the opened Envelope (wire/envelope.h); a secret */
};

/* [tx] Inserts and says the id. EXISTS: one for that room waits already. */
sotto_error store_request_add(struct store *store, const struct store_request *request,
                              int64_t *id);
sotto_error store_request_get(struct store *store, int64_t id, struct arena *arena,
                              struct store_request *request); /* NOT_FOUND */
/* Oldest first. */
sotto_error store_requests(struct store *store, struct arena *arena,
                           struct store_request **requests, size_t *count);
/* [tx] NOT_FOUND. */
sotto_error store_request_erase(struct store *store, int64_t id);
/* [tx] That of a room, if there is one. */
sotto_error store_request_erase_of(struct store *store, const struct room_id *room);

#endif
