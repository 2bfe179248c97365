/* What the core shows, as JSON objects: the same in `sotto --json` and in JSON-RPC. Fields are only
 * ever added. Each is described in schema.c; text that is not UTF-8 has U+FFFD where it is not.
 * NULL: out of memory. The caller owns what it gets. */
#ifndef RPC_OBJECTS_H
#define RPC_OBJECTS_H

#include <jansson.h>

#include "sotto/sotto.h"

json_t *object_text(const sotto_env *env, sotto_bytes text);
void object_set_text(const sotto_env *env, json_t *object, const char *key, const char *text);
void object_set_number(json_t *object, const char *key, uint64_t value);
void object_set_id(json_t *object, const char *key, const struct sotto_id *id);

json_t *object_message(const sotto_env *env, const struct sotto_message *message);
json_t *object_receipt(const sotto_env *env, const struct sotto_receipt *receipt);
json_t *object_conversation(const sotto_env *env, const struct sotto_conversation *one);
json_t *object_settings(const sotto_env *env, const struct sotto_settings *settings);
json_t *object_join_link(const struct sotto_join_link *link);
json_t *object_join_request(const sotto_env *env, const struct sotto_join_request *request);
json_t *object_standing(const sotto_env *env, const struct sotto_standing *standing);
json_t *object_contact(const sotto_env *env, const struct sotto_contact *contact);
json_t *object_member(const sotto_env *env, const struct sotto_member *member);
json_t *object_request(const sotto_env *env, const struct sotto_request *request);
json_t *object_account(const sotto_env *env, const struct sotto_account *account);
/* Into an account's object. */
void object_set_status(json_t *object, const struct sotto_status *status);
json_t *object_invitation(const sotto_env *env, const char *link, uint32_t uses,
                          uint64_t expires_s);
json_t *object_backup(const sotto_env *env, const char *path, const struct sotto_backup_made *made);
json_t *object_exported(const sotto_env *env, const char *path,
                        const struct sotto_exported *exported);
json_t *object_imported(const struct sotto_imported *imported);
json_t *object_restored(const struct sotto_restored *restored);
json_t *object_device_link(const sotto_env *env, const char *link, uint64_t expires_s);
json_t *object_phrase(const sotto_env *env, const char *phrase);
json_t *object_device(const sotto_env *env, const struct sotto_device *device);
json_t *object_fingerprint(const sotto_env *env, const struct sotto_fingerprint *fingerprint,
                           bool own);
json_t *object_proxy(const sotto_env *env, const struct sotto_proxy *proxy);
json_t *object_sending(const sotto_env *env, const struct sotto_id *conversation,
                       const char *client_id, enum sotto_message_status status, uint64_t seq);
json_t *object_transfer(const sotto_env *env, const struct sotto_transfer *transfer);
json_t *object_problem(const sotto_env *env, const struct sotto_problem *problem);

json_t *object_relay(const sotto_env *env, const struct sotto_relay *relay);
json_t *object_evidence(const sotto_env *env, const struct sotto_order_evidence *evidence);
json_t *object_notice(const sotto_env *env, const struct sotto_notice *notice);
json_t *object_labels(const sotto_env *env, const struct sotto_labels *labels);
json_t *object_found(const sotto_env *env, const struct sotto_found *found);

#endif
