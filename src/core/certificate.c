/* Others: certificates, the judgement over leaves and manifests, and the room extension. */
#include <string.h>

#include "codec/reader.h"
#include "codec/writer.h"
#include "core/identity.h"
#include "base/text.h"
#include "wire/manifest.h"

static sotto_error refuse(sotto_fault *fault, sotto_error error, const char *what)
{
    *fault = (sotto_fault){.error = error, .what = what};
    return error;
}

/* ---- Certificates -----------------------------------------------------------------------------
 */

#define LABEL "sotto.v1 certificate"
#define LABEL_SIZE (sizeof LABEL - 1)
#define SIGNED_SIZE (LABEL_SIZE + CREDENTIAL_SIZE + SIGN_KEY_SIZE)

/* What is signed: label || AccountId || DeviceId || signature_key. */
static void signed_bytes(sotto_bytes credential, sotto_bytes signature_key,
                         uint8_t out[static SIGNED_SIZE])
{
    memcpy(out, LABEL, LABEL_SIZE);
    memcpy(out + LABEL_SIZE, credential.data, CREDENTIAL_SIZE);
    memcpy(out + LABEL_SIZE + CREDENTIAL_SIZE, signature_key.data, SIGN_KEY_SIZE);
}

sotto_error certificate_make(const struct secret *account_private,
                             const uint8_t account_key[SIGN_KEY_SIZE],
                             const struct device_id *device, sotto_bytes signature_key,
                             uint8_t certificate[CERTIFICATE_SIZE])
{
    if (signature_key.size != SIGN_KEY_SIZE || account_private->size != SIGN_SEED_SIZE)
        return SOTTO_ARGUMENT;
    struct account_id account;
    uint8_t credential[CREDENTIAL_SIZE], bytes[SIGNED_SIZE];
    account_id_of(account_key, &account);
    memcpy(credential, account.bytes, ACCOUNT_ID_SIZE);
    memcpy(credential + ACCOUNT_ID_SIZE, device->bytes, DEVICE_ID_SIZE);
    signed_bytes(sotto_bytes_of(credential, sizeof credential), signature_key, bytes);
    memcpy(certificate, account_key, SIGN_KEY_SIZE);
    wire_sign(account_private->data, sotto_bytes_of(bytes, sizeof bytes),
              certificate + SIGN_KEY_SIZE);
    return SOTTO_OK;
}

sotto_error certificate_verify(sotto_bytes certificate, sotto_bytes credential,
                               sotto_bytes signature_key, uint8_t account_key[SIGN_KEY_SIZE],
                               sotto_fault *fault)
{
    struct reader reader;
    reader_init(&reader, certificate);
    sotto_bytes key = reader_fixed(&reader, SIGN_KEY_SIZE, "Certificate.account_key");
    sotto_bytes signature = reader_fixed(&reader, SIGNATURE_SIZE, "Certificate.signature");
    if (reader_finish(&reader, "Certificate") != SOTTO_OK) {
        *fault = reader.fault;
        fault->error = SOTTO_CREDENTIAL;
        return SOTTO_CREDENTIAL;
    }
    if (credential.size != CREDENTIAL_SIZE)
        return refuse(fault, SOTTO_CREDENTIAL, "Credential.identity: not an account and a device");
    if (signature_key.size != SIGN_KEY_SIZE)
        return refuse(fault, SOTTO_CREDENTIAL, "LeafNode.signature_key: not an Ed25519 key");
    struct account_id account;
    account_id_of(key.data, &account);
    if (memcmp(account.bytes, credential.data, ACCOUNT_ID_SIZE) != 0)
        return refuse(fault, SOTTO_CREDENTIAL,
                      "Certificate.account_key: not the key of the account");
    uint8_t bytes[SIGNED_SIZE];
    signed_bytes(credential, signature_key, bytes);
    if (!wire_verify(key.data, sotto_bytes_of(bytes, sizeof bytes), signature.data))
        return refuse(fault, SOTTO_CREDENTIAL,
                      "Certificate.signature: the account key did not sign this device's key");
    memcpy(account_key, key.data, SIGN_KEY_SIZE);
    return SOTTO_OK;
}

/* ---- Leaves -----------------------------------------------------------------------------------
 */

sotto_error identity_leaf_ids(const sotto_mls_leaf *leaf, struct account_id *account,
                              struct device_id *device)
{
    sotto_bytes identity = leaf->credential.identity;
    if (leaf->credential.type != SOTTO_MLS_BASIC || identity.size != CREDENTIAL_SIZE)
        return SOTTO_CREDENTIAL;
    memcpy(account->bytes, identity.data, ACCOUNT_ID_SIZE);
    memcpy(device->bytes, identity.data + ACCOUNT_ID_SIZE, DEVICE_ID_SIZE);
    return SOTTO_OK;
}

static const sotto_mls_extension *find_certificate(const sotto_mls_leaf *leaf)
{
    for (size_t i = 0; i < leaf->extension_count; i++)
        if (leaf->extensions[i].type == IDENTITY_EXTENSION_CERTIFICATE)
            return &leaf->extensions[i];
    return NULL;
}

sotto_error identity_read_leaf(const sotto_mls_leaf *leaf, struct identity_leaf *out,
                               sotto_fault *fault)
{
    struct identity_leaf read;
    if (identity_leaf_ids(leaf, &read.account, &read.device) != SOTTO_OK)
        return refuse(fault, SOTTO_CREDENTIAL, "Credential.identity: not an account and a device");
    const sotto_mls_extension *certificate = find_certificate(leaf);
    if (certificate == NULL)
        return refuse(fault, SOTTO_CREDENTIAL, "LeafNode.extensions: no certificate");
    TRY(certificate_verify(certificate->data, leaf->credential.identity, leaf->signature_key,
                           read.account_key, fault));
    *out = read;
    return SOTTO_OK;
}

/* The ghost defence: a device that the person's own list does not have is nobody. */
static sotto_error judge_device(const struct identity_leaf *who, const sotto_mls_leaf *leaf,
                                const struct manifest *manifest, bool listed, sotto_fault *fault)
{
    if (memcmp(manifest->account_key, who->account_key, SIGN_KEY_SIZE) != 0)
        return refuse(fault, SOTTO_CREDENTIAL, "Manifest.account_key: not the leaf's account");
    const struct device *device = manifest_device(manifest, &who->device);
    if (device == NULL && !listed)
        return SOTTO_OK;
    if (device == NULL)
        return refuse(fault, SOTTO_CREDENTIAL,
                      "Manifest.devices: the leaf's device is not in the newest manifest");
    if (!sotto_bytes_equal(device->signature_key, leaf->signature_key))
        return refuse(fault, SOTTO_CREDENTIAL,
                      "Device.signature_key: the leaf has another key than the newest manifest");
    return SOTTO_OK;
}

static sotto_error judge(const sotto_env *env, const sotto_mls_leaf *leaf,
                         const sotto_mls_leaf *replaced, sotto_bytes manifest, bool listed,
                         sotto_fault *fault)
{
    struct identity_leaf who;
    TRY(identity_read_leaf(leaf, &who, fault));
    if (replaced != NULL &&
        !sotto_bytes_equal(leaf->credential.identity, replaced->credential.identity))
        return refuse(fault, SOTTO_CREDENTIAL,
                      "Credential.identity: the successor is of another account or device");
    if (manifest.size == 0)
        return SOTTO_OK;
    struct manifest newest;
    struct arena arena;
    arena_init(&arena, env);
    sotto_error error = manifest_read(manifest, &arena, &newest, fault);
    if (error == SOTTO_OK)
        error = judge_device(&who, leaf, &newest, listed, fault);
    else if (!error_is_local(error))
        error =
            refuse(fault, SOTTO_CREDENTIAL, "Manifest: the one kept of the account is not valid");
    arena_free(&arena);
    return error;
}

sotto_error identity_judge_leaf(const sotto_env *env, const sotto_mls_leaf *leaf,
                                const sotto_mls_leaf *replaced, sotto_bytes manifest,
                                sotto_fault *fault)
{
    return judge(env, leaf, replaced, manifest, true, fault);
}

sotto_error identity_judge_member(const sotto_env *env, const sotto_mls_leaf *leaf,
                                  const sotto_mls_leaf *replaced, sotto_bytes manifest,
                                  sotto_fault *fault)
{
    return judge(env, leaf, replaced, manifest, false, fault);
}

/* ---- Manifests ---------------------------------------------------------------------------------
 */

static sotto_error compare_manifests(sotto_bytes known_bytes, const struct manifest *known,
                                     sotto_bytes offered_bytes, const struct manifest *offered,
                                     sotto_fault *fault)
{
    if (offered->number < known->number)
        return SOTTO_EXISTS;
    if (offered->number == known->number) {
        if (sotto_bytes_equal(known_bytes, offered_bytes))
            return SOTTO_EXISTS;
        return refuse(fault, SOTTO_CREDENTIAL,
                      "Manifest.number: two different manifests have the same number");
    }
    /* Where manifests in between are missing their chain cannot be checked; the signature was. */
    if (offered->number == known->number + 1 &&
        manifest_follows(known_bytes, known, offered, fault) != SOTTO_OK)
        return refuse(fault, SOTTO_CREDENTIAL,
                      "Manifest.previous: it does not follow the manifest known");
    return SOTTO_OK;
}

sotto_error identity_judge_manifest(const sotto_env *env, const struct account_id *account,
                                    sotto_bytes known, sotto_bytes offered, uint64_t *number,
                                    sotto_fault *fault)
{
    struct arena arena;
    struct manifest offered_read, known_read;
    struct account_id owner;
    arena_init(&arena, env);
    sotto_error error = manifest_read(offered, &arena, &offered_read, fault);
    if (error != SOTTO_OK)
        goto out;
    account_id_of(offered_read.account_key, &owner);
    if (!account_id_equal(&owner, account)) {
        error = refuse(fault, SOTTO_CREDENTIAL, "Manifest.account_key: of another account");
        goto out;
    }
    if (known.size > 0) {
        error = manifest_read(known, &arena, &known_read, fault);
        if (error == SOTTO_OK)
            error = compare_manifests(known, &known_read, offered, &offered_read, fault);
    }
    if (error == SOTTO_OK && number != NULL)
        *number = offered_read.number;
out:
    arena_free(&arena);
    return error;
}

/* ---- Rooms (GroupContext extension 0xF502) ------------------------------------------------------
 */

#define ROOM_VERSION 1

static bool title_is_valid(const struct identity_room *room)
{
    return room->title.size <= WIRE_TITLE_MAX && text_is_line(room->title);
}

sotto_error identity_room_write(const struct identity_room *room, sotto_buf *out)
{
    if (room->kind < IDENTITY_ROOM_DIRECT || room->kind > IDENTITY_ROOM_OWN ||
        !title_is_valid(room))
        return SOTTO_ARGUMENT;
    struct writer writer;
    writer_init(&writer, out);
    writer_u16(&writer, ROOM_VERSION);
    writer_u8(&writer, (uint8_t)room->kind);
    writer_vector(&writer, room->title);
    return writer_finish(&writer);
}

sotto_error identity_room_read(sotto_bytes input, struct identity_room *room, sotto_fault *fault)
{
    struct reader reader;
    struct identity_room read;
    reader_init(&reader, input);
    if (reader_u16(&reader, "sotto_room.version") != ROOM_VERSION)
        reader_fail(&reader, SOTTO_VERSION, "sotto_room.version");
    uint8_t kind = reader_u8(&reader, "sotto_room.kind");
    if (kind < IDENTITY_ROOM_DIRECT || kind > IDENTITY_ROOM_OWN)
        reader_fail(&reader, SOTTO_VALUE, "sotto_room.kind");
    read.kind = kind;
    read.title = reader_vector(&reader, WIRE_TITLE_MAX, "sotto_room.title");
    if (reader_ok(&reader) && !title_is_valid(&read))
        reader_fail(&reader, SOTTO_VALUE, "sotto_room.title");
    sotto_error error = reader_finish(&reader, "sotto_room");
    if (error == SOTTO_OK)
        *room = read;
    else
        *fault = reader.fault;
    return error;
}
