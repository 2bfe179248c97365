/* sotto-keyring: the passphrase of a profile in the system's keyring (org.freedesktop.secrets).
 *
 *     sotto-keyring get NAME         writes it to standard output
 *     sotto-keyring put NAME LABEL   stores what standard input has to its end; LABEL is for people
 *     sotto-keyring has NAME         whether it is there, without unlocking anything
 *     sotto-keyring drop NAME        removes it
 *
 * The exit code is an enum keyring_answer. */
#include <errno.h>
#include <libsecret/secret.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/write.h"
#include "core/process.h"
#include "keyring/keyring.h"

static const SecretSchema schema = {.name = "sotto.Profile",
                                    .flags = SECRET_SCHEMA_NONE,
                                    .attributes = {{"profile", SECRET_SCHEMA_ATTRIBUTE_STRING}}};

/* Without the bus or the service there is no keyring; with them it did not do what it was asked. */
static enum keyring_answer failed(GError *error)
{
    bool away = error->domain == G_DBUS_ERROR || error->domain == G_IO_ERROR ||
                /* no bus, and nothing that starts one */
                error->domain == G_SPAWN_ERROR || error->domain == G_FILE_ERROR;
    g_error_free(error);
    return away ? KEYRING_AWAY : KEYRING_REFUSED;
}

static enum keyring_answer get(const char *name)
{
    GError *error = NULL;
    gsize size = 0;
    SecretValue *value =
        secret_password_lookup_binary_sync(&schema, NULL, &error, "profile", name, NULL);
    if (error != NULL)
        return failed(error);
    if (value == NULL)
        return KEYRING_NOTHING;
    const uint8_t *bytes = (const uint8_t *)secret_value_get(value, &size);
    bool written = size > 0 && size <= SOTTO_PASSPHRASE_MAX &&
                   write_whole(STDOUT_FILENO, sotto_bytes_of(bytes, size));
    secret_value_unref(value); /* wipes */
    return written ? KEYRING_DONE : KEYRING_REFUSED;
}

/* One byte more than there may be shows that there are too many. */
static bool read_all(char bytes[static SOTTO_PASSPHRASE_MAX + 1], size_t *size)
{
    while (*size <= SOTTO_PASSPHRASE_MAX) {
        ssize_t n = read(STDIN_FILENO, bytes + *size, SOTTO_PASSPHRASE_MAX + 1 - *size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 && *size > 0;
        *size += (size_t)n;
    }
    return false;
}

static enum keyring_answer put(const char *name, const char *label)
{
    char bytes[SOTTO_PASSPHRASE_MAX + 1];
    size_t size = 0;
    GError *error = NULL;
    SecretValue *value = NULL;
    if (read_all(bytes, &size))
        value = secret_value_new(bytes, (gssize)size, "text/plain");
    wipe(bytes, sizeof bytes);
    if (value == NULL)
        return KEYRING_REFUSED;
    bool stored = secret_password_store_binary_sync(&schema, SECRET_COLLECTION_DEFAULT, label,
                                                    value, NULL, &error, "profile", name, NULL);
    secret_value_unref(value);
    if (error != NULL)
        return failed(error);
    return stored ? KEYRING_DONE : KEYRING_REFUSED;
}

static enum keyring_answer has(const char *name)
{
    GError *error = NULL;
    GList *found = secret_password_search_sync(&schema, SECRET_SEARCH_NONE, NULL, &error, "profile",
                                               name, NULL);
    bool there = found != NULL;
    g_list_free_full(found, g_object_unref);
    if (error != NULL)
        return failed(error);
    return there ? KEYRING_DONE : KEYRING_NOTHING;
}

/* A locked keyring does not say that it kept it. */
static enum keyring_answer drop(const char *name)
{
    GError *error = NULL;
    enum keyring_answer there = has(name);
    if (there != KEYRING_DONE)
        return there;
    (void)secret_password_clear_sync(&schema, NULL, &error, "profile", name, NULL);
    if (error != NULL)
        return failed(error);
    there = has(name);
    return there == KEYRING_NOTHING ? KEYRING_DONE
           : there == KEYRING_DONE  ? KEYRING_REFUSED
                                    : there;
}

int main(int argc, char **argv)
{
    (void)process_protect(); /* a system without it is no worse than before */
    if (argc == 3 && strcmp(argv[1], "get") == 0)
        return (int)get(argv[2]);
    if (argc == 4 && strcmp(argv[1], "put") == 0)
        return (int)put(argv[2], argv[3]);
    if (argc == 3 && strcmp(argv[1], "has") == 0)
        return (int)has(argv[2]);
    if (argc == 3 && strcmp(argv[1], "drop") == 0)
        return (int)drop(argv[2]);
    return KEYRING_REFUSED;
}
