/* The simulated relay's usernames. It has no phone numbers. */
#include "sim/sim.h"

static struct sim_account *holder_of(struct world *world, sotto_bytes username)
{
    for (size_t i = 0; i < world->account_count; i++)
        if (username.size > 0 &&
            sotto_bytes_equal(sotto_bytes_str(world->accounts[i]->username), username))
            return world->accounts[i];
    return NULL;
}

static void set_username(struct conn_sim *conn, const struct message *message)
{
    struct world *world = conn->world;
    const struct sim_account *holder = holder_of(world, message->username);
    struct digest key;
    if (message->username.size > 0 && !username_is_valid(message->username)) {
        world_fails(world, "client %u asks for what is no username", conn->client->number);
        relay_refuse(conn, message->request, WIRE_CODE_BAD_REQUEST, 0);
        return;
    }
    if (holder != NULL && holder != conn->account) {
        relay_refuse(conn, message->request, WIRE_CODE_USERNAME_TAKEN, 0);
        return;
    }
    (void)snprintf(conn->account->username, sizeof conn->account->username, "%.*s",
                   (int)message->username.size,
                   message->username.size > 0 ? (const char *)message->username.data : "");
    digest_of(message->username, sotto_bytes_of(conn->account->id.bytes, ACCOUNT_ID_SIZE), &key);
    (void)digest_put(&world->named, &key, &key);
    relay_answer_empty(conn, message);
}

/* It costs a token in any case. */
static void find(struct conn_sim *conn, const struct message *message)
{
    struct world *world = conn->world;
    const struct find *body = &message->find;
    struct message answer = {.type = MESSAGE_FIND_OK, .request = message->request};
    struct payment payment;
    uint16_t code = body->permission.kind == PERMISSION_TOKEN
                        ? relay_admit(world, &body->permission, NULL, &payment)
                        : WIRE_CODE_TOKEN_NEEDED;
    if (code != 0) {
        relay_refuse(conn, message->request, code, 0);
        return;
    }
    relay_spend(world, &payment);
    const struct sim_account *holder =
        body->kind == LABEL_USERNAME ? holder_of(world, body->label) : NULL;
    if (holder != NULL)
        answer.manifest = sotto_buf_view(&holder->manifest);
    relay_answer(conn, &answer);
}

void labels_request(struct conn_sim *conn, const struct message *message)
{
    struct message answer = {.type = MESSAGE_GET_LABELS_OK, .request = message->request};
    switch (message->type) {
    case MESSAGE_SET_USERNAME:
        set_username(conn, message);
        return;
    case MESSAGE_FIND:
        find(conn, message);
        return;
    case MESSAGE_GET_LABELS:
        answer.labels.username = sotto_bytes_str(conn->account->username);
        relay_answer(conn, &answer);
        return;
    default: /* SET_FINDABLE */
        relay_refuse(conn, message->request, WIRE_CODE_PHONE_NEEDED, 0);
    }
}
