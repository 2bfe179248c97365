#include "relay/registration.h"

#include <stdio.h>

#include "relay/limits.h"

sotto_error code_make(const sotto_env *env, char code[static CODE_DIGITS + 1])
{
    uint64_t number;
    /* 2^64 modulo 10^6: the bias is nothing beside the few tries. */
    TRY(env->random(env->ctx, (uint8_t *)&number, sizeof number));
    snprintf(code, CODE_DIGITS + 1, "%06u", (unsigned)(number % 1000000));
    wipe(&number, sizeof number);
    return SOTTO_OK;
}

void code_hash(sotto_bytes phone, sotto_bytes code, uint8_t hash[static HASH_SIZE])
{
    char text[WIRE_PHONE_MAX + WIRE_CODE_MAX + 2];
    int size = snprintf(text, sizeof text, "%.*s %.*s", (int)phone.size,
                        phone.size > 0 ? (const char *)phone.data : "", (int)code.size,
                        code.size > 0 ? (const char *)code.data : "");
    wire_hash(sotto_bytes_of((const uint8_t *)text, (size_t)size), hash);
    wipe(text, sizeof text);
}

sotto_error invitation_make(const sotto_env *env, char text[static INVITATION_TEXT])
{
    /* 32 letters and digits that are not mistaken for one another. */
    static const char alphabet[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    uint8_t random[16];
    TRY(env->random(env->ctx, random, sizeof random));
    for (size_t i = 0, at = 0; i < sizeof random; i++) {
        if (i > 0 && i % 4 == 0)
            text[at++] = '-';
        text[at++] = alphabet[random[i] % 32];
    }
    text[INVITATION_TEXT - 1] = '\0';
    wipe(random, sizeof random);
    return SOTTO_OK;
}

void invitation_hash(sotto_bytes text, uint8_t hash[static HASH_SIZE])
{
    uint8_t plain[WIRE_INVITATION_MAX];
    size_t size = 0;
    for (size_t i = 0; i < text.size && size < sizeof plain; i++) {
        uint8_t byte = text.data[i];
        if (byte == '-' || byte == ' ')
            continue;
        plain[size++] = byte >= 'a' && byte <= 'z' ? (uint8_t)(byte - 32) : byte;
    }
    wire_hash(sotto_bytes_of(plain, size), hash);
}
