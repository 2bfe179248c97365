#include "order/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "order/witness.h"

int orders_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("sottod: ", stderr);
    vfprintf(stderr, format, args);
    fputs(".\n", stderr);
    va_end(args);
    return EXIT_FAILED;
}

int orders_fail_office(const struct office *office, sotto_error error)
{
    if (office->records.problem[0] != '\0')
        return orders_fail("%s", office->records.problem);
    return orders_fail("%s",
                       office->problem[0] != '\0' ? office->problem : sotto_error_text(error));
}

static void tell(void *ctx, const char *name, const char *why)
{
    (void)ctx;
    if (why == NULL)
        fprintf(stderr, "Cosigned by the witness %.*s.\n", (int)strcspn(name, "+"), name);
    else
        fprintf(stderr, "Not cosigned by the witness %.*s: %s. `sottod log publish` asks again.\n",
                (int)strcspn(name, "+"), name, why);
}

int orders_publish(struct office *office)
{
    size_t cosigned = 0;
    sotto_error error = office_publish(office);
    if (error == SOTTO_OK)
        error = office_hand_over(office);
    if (error == SOTTO_OK)
        error = witness_ask_all(office, tell, NULL, &cosigned);
    return error == SOTTO_OK ? EXIT_GOOD : orders_fail_office(office, error);
}

bool orders_write(const char *path, sotto_bytes bytes)
{
    if (strcmp(path, "-") == 0) {
        if (fwrite(bytes.data, 1, bytes.size, stdout) == bytes.size && fflush(stdout) == 0)
            return true;
        orders_fail("standard output cannot be written: %s", strerror(errno));
        return false;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool good =
        fd >= 0 && write(fd, bytes.data, bytes.size) == (ssize_t)bytes.size && fsync(fd) == 0;
    const int kept = errno;
    if (fd >= 0)
        good = close(fd) == 0 && good;
    if (!good)
        orders_fail("%.400s cannot be written: %s", path, strerror(kept));
    return good;
}

void orders_print(FILE *file, const char *text)
{
    for (; *text != '\0'; text++)
        fputc((uint8_t)*text < 0x20 || *text == 0x7F ? ' ' : *text, file);
}
