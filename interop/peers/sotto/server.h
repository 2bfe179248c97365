/* Sotto behind the interoperability protocol (interop/README.md): what the program's files share.
 * It uses the public header sotto/mls.h alone, as any other program would. */
#ifndef INTEROP_SERVER_H
#define INTEROP_SERVER_H

#include <jansson.h>

#include "sotto/mls.h"

enum {
    PROBE_EXTENSION = 0xF01D, /* every client of the protocol lists it in its capabilities */
};

/* A named secret: an external PSK by its id, or a resumption PSK by its epoch. */
struct secret_entry {
    struct secret_entry *next;
    uint64_t epoch;
    sotto_buf id;
    sotto_buf secret;
};

/* A proposal of one's own, as it was sent. */
struct sent {
    struct sent *next;
    sotto_buf message;
};

/* A client: first a KeyPackage that waits for its Welcome, or nothing; then a member. */
struct party {
    struct party *next;
    json_int_t id;
    sotto_mls *mls;
    sotto_mls_group *group;
    sotto_mls_staged *pending;
    uint16_t suite;
    sotto_mls_framing framing;
    sotto_buf name, signature_private, signature_public;
    sotto_buf key_package, key_package_secrets;
    struct secret_entry *external_psks, *resumption_psks;
    struct sent *own;
    bool removed;
};

struct server {
    const sotto_env *env;
    struct party *parties;
    json_int_t next_id;
};

/* One request: its parameters, and what is answered. */
struct call {
    json_t *params;
    json_t *result;
    char message[256];
    bool unsupported;
};

typedef bool verb(struct server *server, struct call *call);

/* ---- answers and parameters; what gives false has set the call's message */

bool refuse(struct call *call, const char *message);
bool check(struct call *call, const struct party *party, sotto_error error);
bool set_hex(struct call *call, const char *name, sotto_bytes value);
bool get_hex(struct call *call, const json_t *from, const char *name, sotto_buf *out);
bool get_number(struct call *call, const json_t *from, const char *name, uint64_t *out);
bool get_flag(const struct call *call, const char *name);
bool decode_hex(struct call *call, const char *text, sotto_buf *out);

/* ---- parties */

struct party *party_new(struct server *server, struct call *call, uint16_t suite, sotto_bytes name);
void party_free(struct server *server, struct party *party);
void party_keep(struct server *server, struct party *party);
struct party *party_of(struct server *server, struct call *call, const char *parameter);
struct party *member_of(struct server *server, struct call *call);
void party_identity(const struct party *party, sotto_mls_identity *identity);
bool party_add_psk(struct call *call, struct party *party, sotto_bytes id, sotto_bytes secret);
bool party_keep_resumption(struct call *call, struct party *party);
bool party_remember(struct call *call, struct party *party, sotto_bytes message);
bool party_sent(const struct party *party, sotto_bytes message);
void party_forget(struct party *party);
/* but: an index that is passed over, or UINT32_MAX. */
bool find_member(struct call *call, const sotto_mls_group *group, sotto_bytes name, uint32_t but,
                 uint32_t *index);

/* ---- verbs */

verb create_group, create_key_package, join_group, external_join;
verb group_info, state_auth, export_secret, safe_export, protect, unprotect, store_psk, free_state;
verb add_proposal, update_proposal, remove_proposal, external_psk_proposal, self_remove_proposal;
verb resumption_psk_proposal, context_extensions_proposal;
verb make_commit, handle_commit, handle_pending_commit;

#endif
