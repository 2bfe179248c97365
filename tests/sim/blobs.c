/* The simulated relay's blobs. */
#include "sim/sim.h"

static struct sim_blob *blob_find(struct world *world, const struct blob_id *id)
{
    uint8_t hash[HASH_SIZE];
    wire_hash(sotto_bytes_of(id->bytes, BLOB_ID_SIZE), hash);
    for (size_t i = 0; i < world->blob_count; i++)
        if (!world->blobs[i]->gone && memcmp(world->blobs[i]->hash, hash, HASH_SIZE) == 0)
            return world->blobs[i];
    return NULL;
}

static uint16_t pay(struct world *world, const struct blob_create *body)
{
    size_t cost = (size_t)((body->size + WIRE_BLOB_TOKEN - 1) / WIRE_BLOB_TOKEN);
    struct payment payment;
    if (body->permissions[0].kind == PERMISSION_CAPABILITY)
        return WIRE_CODE_CAPABILITY_UNKNOWN;
    if (body->permissions[0].kind == PERMISSION_TOKEN && body->permission_count != cost)
        return WIRE_CODE_TOKEN_NEEDED;
    for (size_t i = 0; i < body->permission_count; i++) {
        uint16_t code = relay_admit(world, &body->permissions[i], NULL, &payment);
        if (code != 0)
            return code;
    }
    for (size_t i = 0; i < body->permission_count; i++) {
        (void)relay_admit(world, &body->permissions[i], NULL, &payment);
        relay_spend(world, &payment);
    }
    return 0;
}

static uint16_t create(struct world *world, const struct blob_create *body)
{
    struct sim_blob *blob = blob_find(world, &body->blob);
    if (blob != NULL)
        return blob->size == body->size &&
                       memcmp(blob->gate.bytes, body->write_gate.bytes, GATE_SIZE) == 0
                   ? 0
                   : WIRE_CODE_BLOB_EXISTS;
    uint16_t code = pay(world, body);
    if (code != 0)
        return code;
    blob = sim_alloc(sizeof *blob);
    wire_hash(sotto_bytes_of(body->blob.bytes, BLOB_ID_SIZE), blob->hash);
    blob->gate = body->write_gate;
    blob->size = body->size;
    blob->bytes = sim_alloc((size_t)body->size);
    *(struct sim_blob **)sim_grow((void **)&world->blobs, &world->blob_count, &world->blob_room,
                                  sizeof blob) = blob;
    return 0;
}

static uint16_t put(struct world *world, const struct blob_put *body, uint64_t *detail,
                    uint64_t *stored)
{
    struct sim_blob *blob = blob_find(world, &body->blob);
    if (blob == NULL || !gate_opens(&blob->gate, body->write_token))
        return WIRE_CODE_NO_BLOB;
    *detail = body->offset > blob->stored ? blob->stored : blob->size;
    if (body->offset > blob->stored)
        return WIRE_CODE_BLOB_INCOMPLETE;
    if (body->bytes.size > blob->size - body->offset)
        return WIRE_CODE_LIMIT;
    uint64_t end = body->offset + body->bytes.size;
    if (end > blob->stored) {
        size_t fresh = (size_t)(end - blob->stored);
        memcpy(blob->bytes + blob->stored, body->bytes.data + body->bytes.size - fresh, fresh);
        blob->stored = end;
    }
    *stored = blob->stored;
    return 0;
}

static uint16_t owner(struct sim_blob *blob, const struct message *message, struct message *answer,
                      uint64_t *detail)
{
    if (blob == NULL || !gate_opens(&blob->gate, message->blob_owner.write_token))
        return WIRE_CODE_NO_BLOB;
    if (message->type == MESSAGE_BLOB_STATUS) {
        answer->blob_state = (struct blob_state){blob->size, blob->stored, blob->finished};
    } else if (message->type == MESSAGE_BLOB_DELETE) {
        blob->gone = true;
    } else if (blob->stored < blob->size) {
        *detail = blob->stored;
        return WIRE_CODE_BLOB_INCOMPLETE;
    } else {
        blob->finished = true;
    }
    return 0;
}

static uint16_t get(struct world *world, const struct blob_get *body, uint64_t *detail,
                    sotto_bytes *bytes)
{
    const struct sim_blob *blob = blob_find(world, &body->blob);
    if (blob == NULL || !blob->finished)
        return WIRE_CODE_NO_BLOB;
    *detail = blob->size;
    if (body->offset >= blob->size || body->length > blob->size - body->offset)
        return WIRE_CODE_LIMIT;
    *bytes = sotto_bytes_of(blob->bytes + body->offset, body->length);
    return 0;
}

void blobs_request(struct conn_sim *conn, const struct message *message)
{
    struct world *world = conn->world;
    struct message answer = {.type = (uint16_t)(message->type | MESSAGE_ANSWER_BIT),
                             .request = message->request};
    uint64_t detail = 0;
    uint16_t code = WIRE_CODE_UNKNOWN_TYPE;
    if (message->type == MESSAGE_BLOB_CREATE)
        code = create(world, &message->blob_create);
    else if (message->type == MESSAGE_BLOB_PUT)
        code = put(world, &message->blob_put, &detail, &answer.blob_stored);
    else if (message->type == MESSAGE_BLOB_GET)
        code = get(world, &message->blob_get, &detail, &answer.blob_bytes);
    else if (message->type == MESSAGE_BLOB_STATUS || message->type == MESSAGE_BLOB_FINISH ||
             message->type == MESSAGE_BLOB_DELETE)
        code = owner(blob_find(world, &message->blob_owner.blob), message, &answer, &detail);
    if (code != 0)
        relay_refuse(conn, message->request, code, detail);
    else
        relay_answer(conn, &answer);
}

void blobs_free(struct world *world)
{
    for (size_t i = 0; i < world->blob_count; i++) {
        free(world->blobs[i]->bytes);
        free(world->blobs[i]);
    }
    free(world->blobs);
}
