/* The methods' functions, by concept; methods.c has the table. */
#ifndef RPC_METHODS_H
#define RPC_METHODS_H

#include "rpc/call.h"

enum { MEMBERS_MAX = 1000 }; /* people that one call names */

/* The parameters of registering: relay, name, phone, invitation, code. */
struct sotto_registration param_registration(const struct call *call);

/* methods_account.c */
bool account_get(struct call *call);
bool account_register(struct call *call);
bool account_recovery_phrase(struct call *call);
bool account_recover(struct call *call);
bool account_move(struct call *call);
bool account_delete(struct call *call);
bool account_set_name(struct call *call);
bool account_set_receipts(struct call *call);
bool account_set_typing(struct call *call);
bool account_set_downloads(struct call *call);
bool account_set_picture(struct call *call);
bool account_save_picture(struct call *call);
bool contact_save_picture(struct call *call);
bool account_labels(struct call *call);
bool account_set_username(struct call *call);
bool account_set_findable(struct call *call);
bool network_proxy(struct call *call);
bool network_set_proxy(struct call *call);
bool account_fingerprint(struct call *call);
bool contact_fingerprint(struct call *call);
bool status_get(struct call *call);
bool profile_set_passphrase(struct call *call);
bool version_get(struct call *call);
bool rpc_discover(struct call *call);

/* A link by the parameters uses and lifetime, as the result: to write to oneself or, unless group
 * is NULL, to ask to join that one. */
bool call_invite(struct call *call, const struct sotto_id *group);

/* methods_people.c */
bool invitation_create(struct call *call);
bool invitation_accept(struct call *call);
bool request_list(struct call *call);
bool request_accept(struct call *call);
bool request_decline(struct call *call);
bool request_block(struct call *call);
bool contact_list(struct call *call);
bool contact_list_blocked(struct call *call);
bool contact_find(struct call *call);
bool contact_add(struct call *call);
bool contact_set_name(struct call *call);
bool contact_delete(struct call *call);
bool contact_block(struct call *call);
bool contact_unblock(struct call *call);
bool contact_set_verified(struct call *call);
bool contact_verify_link(struct call *call);

/* methods_device.c */
bool device_link(struct call *call);
bool device_wait_linked(struct call *call);
bool device_add(struct call *call);
bool device_list(struct call *call);
bool device_rename(struct call *call);
bool device_revoke(struct call *call);

/* methods_listing.c */
bool conversation_list(struct call *call);
bool conversation_set_pinned(struct call *call);
bool conversation_set_archived(struct call *call);
bool conversation_set_muted(struct call *call);
bool conversation_set_timer(struct call *call);
bool conversation_mark_unread(struct call *call);
bool conversation_set_draft(struct call *call);
bool conversation_set_typing(struct call *call);
bool conversation_erase(struct call *call);

/* methods_talk.c */
bool conversation_get(struct call *call);
bool conversation_find(struct call *call);
bool conversation_mark_read(struct call *call);
bool message_send(struct call *call);
bool message_edit(struct call *call);
bool message_delete(struct call *call);
bool message_react(struct call *call);
bool message_info(struct call *call);
bool message_link(struct call *call);
bool message_find(struct call *call);
bool message_forward(struct call *call);
bool message_retry(struct call *call);
bool message_list(struct call *call);
bool message_search(struct call *call);
bool message_status(struct call *call);
bool rpc_sync(struct call *call);

/* methods_file.c */
bool message_send_file(struct call *call);
bool message_send_voice(struct call *call);
bool message_send_album(struct call *call);
bool message_preview(struct call *call);
bool message_save_file(struct call *call);
bool file_cancel(struct call *call);

/* methods_group.c */
bool group_create(struct call *call);
bool group_add(struct call *call);
bool group_remove(struct call *call);
bool group_leave(struct call *call);
bool group_members(struct call *call);
bool group_renew_keys(struct call *call);

/* methods_settings.c */
bool group_set_title(struct call *call);
bool group_set_description(struct call *call);
bool group_set_picture(struct call *call);
bool group_save_picture(struct call *call);
bool group_set_role(struct call *call);
bool group_set_policy(struct call *call);
bool group_set_join(struct call *call);
bool group_ban(struct call *call);
bool group_unban(struct call *call);
bool group_standings(struct call *call);
bool group_continue(struct call *call);

/* methods_keeping.c */
bool backup_create(struct call *call);
bool backup_restore(struct call *call);
bool conversation_export(struct call *call);
bool conversation_import(struct call *call);

/* accounts.c */
bool accounts_list(struct call *call);
bool accounts_add(struct call *call);
bool accounts_remove(struct call *call);
bool accounts_select(struct call *call);

/* methods_joining.c */
bool group_create_link(struct call *call);
bool group_list_links(struct call *call);
bool group_revoke_link(struct call *call);
bool group_ask(struct call *call);
bool group_list_requests(struct call *call);
bool group_approve(struct call *call);
bool group_refuse(struct call *call);

/* methods_relay.c */
bool relay_get(struct call *call);
bool relay_evidence(struct call *call);
bool relay_follow_anew(struct call *call);
bool notice_list(struct call *call);
bool notice_get(struct call *call);
bool notice_mark_read(struct call *call);

/* server.c */
bool calls_stop(struct call *call);
bool events_subscribe(struct call *call);
bool events_unsubscribe(struct call *call);
bool daemon_stop(struct call *call);

#endif
