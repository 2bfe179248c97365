/* What relays told the account (notices.h): signed notes, each once. See store.h. */
#ifndef CORE_STORE_NOTICES_H
#define CORE_STORE_NOTICES_H

#include "core/store.h"

/* What the relay's log says to it. */
enum store_notice_entry {
    STORE_ENTRY_UNCHECKED = 0,
    STORE_ENTRY_CONFIRMED = 1, /* the entry is in the log, and says the same */
    STORE_ENTRY_MISSING = 2,   /* the log is shorter than that */
    STORE_ENTRY_OTHER = 3,     /* the entry says something else */
};

struct store_notice {
    int64_t number;          /* here; grows */
    uint8_t hash[HASH_SIZE]; /* SHA-256 of the signed text */
    const char *relay;       /* that it came from */
    sotto_bytes note;        /* as it came */
    uint64_t received_s;
    bool good; /* signed by the relay's log. Else it waits for the log's key, and nobody sees it */
    enum store_notice_entry entry;
    bool read;
};

/* [tx] Adds it unless one of that hash is there; one that waits becomes good. added: whether
 * somebody can see it who could not before. */
sotto_error store_notice_add(struct store *store, const struct store_notice *notice, bool *added);
/* [tx] Of one that is there: it is the newest from now on, so that whoever counts on does not pass
 * it over. */
sotto_error store_notice_set_good(struct store *store, int64_t number);
/* [tx] Of the good ones of that relay the newest so many stay, and of these so many bytes: it can
 * sign as many as it likes. */
enum { STORE_NOTICES_MAX = 1000, STORE_NOTICES_SIZE = 8 * 1024 * 1024 };
sotto_error store_notices_limit(struct store *store, const char *relay);
sotto_error store_notice_set_entry(struct store *store, int64_t number,
                                   enum store_notice_entry entry);
/* [tx] Marks it as read; nothing if there is none of that hash. */
sotto_error store_notice_set_read(struct store *store, const uint8_t hash[static HASH_SIZE]);
/* [tx] */
sotto_error store_notice_erase(struct store *store, int64_t number);

/* Good ones, the newest first. */
sotto_error store_notices(struct store *store, uint64_t offset, uint64_t limit, bool unread,
                          struct arena *arena, struct store_notice **list, size_t *count);
sotto_error store_notices_count(struct store *store, bool unread, uint64_t *count);
/* Good ones behind that number, in order. */
sotto_error store_notices_after(struct store *store, int64_t number, struct arena *arena,
                                struct store_notice **list, size_t *count);
/* A good one by its hash, or its number. NOT_FOUND. */
sotto_error store_notice_get(struct store *store, const uint8_t hash[static HASH_SIZE],
                             struct arena *arena, struct store_notice *notice);
sotto_error store_notice_numbered(struct store *store, int64_t number, struct arena *arena,
                                  struct store_notice *notice);

/* The number of the newest, good or not; 0: there is none. */
sotto_error store_notices_newest(struct store *store, int64_t *number);
/* Those that wait for the key of that relay's log, the oldest first. */
sotto_error store_notices_waiting(struct store *store, const char *relay, struct arena *arena,
                                  struct store_notice **list, size_t *count);
/* The oldest good one of that relay behind number whose entry is not confirmed. NOT_FOUND. */
sotto_error store_notice_unconfirmed(struct store *store, const char *relay, int64_t number,
                                     struct arena *arena, struct store_notice *notice);

#endif
