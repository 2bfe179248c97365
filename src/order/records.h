/* What the operator keeps about orders: who may ask, who decides, what was asked and answered, and
 * the log's entries. A database of its own (DATA/orders/orders.db), which the serving relay never
 * opens. Every change is one transaction, durable when the call returns. */
#ifndef ORDER_RECORDS_H
#define ORDER_RECORDS_H

#include <sqlite3.h>

#include "order/document.h"

enum {
    RECORDS_NAME_MAX = 64, /* of an authority or an operator */
    RECORDS_JURISDICTIONS_MAX = 512,
    RECORDS_OPERATORS_MAX = 64,
    RECORDS_WITNESSES_MAX = 16,
};

struct records {
    sqlite3 *db;
    const sotto_env *env;
    char problem[ORDER_PROBLEM_MAX]; /* of the last call that failed */
};

/* Opens, or makes, the database. IO: problem. */
sotto_error records_open(const char *path, const sotto_env *env, struct records *records);
void records_close(struct records *records); /* zeroed: allowed */

/* ---- Who may ask ---------------------------------------------------------------------------- */

struct authority {
    char name[RECORDS_NAME_MAX + 1];
    unsigned kinds;                                    /* bits 1 << enum tlog_authority */
    char jurisdictions[RECORDS_JURISDICTIONS_MAX + 1]; /* separated by spaces */
    sotto_bytes certificates;                          /* as they were given */
    sotto_bytes lists;                                 /* of revoked ones; empty: none */
    uint64_t added_s;
};

/* EXISTS: one of that name is there. */
sotto_error records_authority_add(struct records *records, const struct authority *authority);
/* Newer lists for one; NOT_FOUND. */
sotto_error records_authority_lists(struct records *records, const char *name, sotto_bytes lists);
sotto_error records_authority_remove(struct records *records, const char *name); /* NOT_FOUND */
/* each false: enough. Views live for the call. */
sotto_error records_authorities(struct records *records,
                                bool (*each)(void *ctx, const struct authority *authority),
                                void *ctx);

/* ---- Who decides ---------------------------------------------------------------------------- */

struct operator_key {
    char name[RECORDS_NAME_MAX + 1];
    uint8_t public_key[32]; /* Ed25519 */
};

sotto_error records_operator_add(struct records *records, const struct operator_key *key);
sotto_error records_operator_remove(struct records *records, const char *name);
sotto_error records_operators(struct records *records, struct operator_key *keys, size_t *count);
/* How many of them have to approve an answer; 0: nobody has to. */
sotto_error records_approvals_needed(struct records *records, uint32_t *count);
sotto_error records_approvals_need(struct records *records, uint32_t count);

/* ---- Orders --------------------------------------------------------------------------------- */

/* An order is known by the SHA-256 of the document that was signed. */
struct order_row {
    struct tlog_hash digest;
    char reference[129];
    char authority[RECORDS_NAME_MAX + 1]; /* empty: none that is enrolled */
    uint64_t received_s, acknowledged_s;  /* acknowledged 0: not yet */
    int64_t leaf;                         /* of the decision; negative: not decided */
    uint64_t decided_s;
    enum tlog_outcome outcome;
};

/* That it came, once. */
sotto_error records_order_receive(struct records *records, const struct order_row *row,
                                  sotto_bytes file);
sotto_error records_order_acknowledge(struct records *records, const struct tlog_hash *digest,
                                      uint64_t now_s);
/* NOT_FOUND */
sotto_error records_order_get(struct records *records, const struct tlog_hash *digest,
                              struct order_row *row);
/* Another order of that authority and reference that was decided. NOT_FOUND: none. */
sotto_error records_order_same(struct records *records, const char *authority,
                               const char *reference, const struct tlog_hash *but,
                               struct order_row *row);
sotto_error records_orders(struct records *records,
                           bool (*each)(void *ctx, const struct order_row *row), void *ctx);

sotto_error records_approve(struct records *records, const struct tlog_hash *digest,
                            const char *name, const uint8_t signature[static 64]);
/* The signatures there are of that order's approval. */
struct approval {
    char name[RECORDS_NAME_MAX + 1];
    uint8_t signature[64];
};
sotto_error records_approvals(struct records *records, const struct tlog_hash *digest,
                              struct approval *approvals, size_t *count);

/* ---- Decisions and the log ------------------------------------------------------------------ */

struct decision {
    struct order_row order;
    uint8_t order_salt[32], answer_salt[32];
    sotto_bytes file, answer; /* the signed order as it came; the signed answer */
    /* Of one that is being made: */
    bool account_found, gave_phone, gave_ip;
    uint8_t account[32];
    sotto_bytes notice; /* what the account is told; empty: nothing */
    uint64_t notice_due_s;
};

/* The decision, the entry of the log that says so, and the notice to the account, in one
 * transaction. make is given the entry's number; it makes the entry, and fills in answer and
 * notice. EXISTS: it is decided already. */
typedef sotto_error records_make_fn(void *ctx, uint64_t index, struct decision *decision,
                                    sotto_buf *entry);
sotto_error records_decide(struct records *records, struct decision *decision,
                           records_make_fn *make, void *ctx);

/* What was decided, with what it commits to. NOT_FOUND: it is not, or its details were erased. */
sotto_error records_decision(struct records *records, const struct tlog_hash *digest,
                             struct decision *decision, sotto_buf *bytes);
/* Notices that were not handed over yet; each true: it is now, and is forgotten here. */
sotto_error records_notices(struct records *records,
                            bool (*each)(void *ctx, uint64_t number, sotto_bytes account,
                                         uint64_t due_s, sotto_bytes text),
                            void *ctx);

/* Erases order, answer and salts; the entry stays. NOT_FOUND. */
sotto_error records_forget(struct records *records, const struct tlog_hash *digest);

/* An entry of the log; NOT_FOUND: there are no more. A tlog_entry_fn; ctx is a struct
 * records_entries, which is zeroed first and freed. */
struct records_entries {
    struct records *records;
    sotto_buf entry;
};
sotto_error records_entry(void *ctx, uint64_t index, sotto_bytes *entry);

/* ---- Settings and witnesses ----------------------------------------------------------------- */

/* Text of at most size - 1 bytes. NOT_FOUND. */
sotto_error records_setting(struct records *records, const char *name, char *value, size_t size);
sotto_error records_set(struct records *records, const char *name, const char *value);

struct witness_row {
    char key[400]; /* its verifier key */
    char url[512]; /* its submission prefix */
    uint64_t size; /* of the newest checkpoint that it cosigned */
};
sotto_error records_witness_add(struct records *records, const char *key, const char *url);
sotto_error records_witness_remove(struct records *records, const char *key);
sotto_error records_witness_saw(struct records *records, const char *key, uint64_t size);
sotto_error records_witnesses(struct records *records, struct witness_row *rows, size_t *count);

#endif
