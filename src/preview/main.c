/* Standard input to its end is a picture; standard output gets a JPEG of at most 320 pixels and 32
 * KiB. With the argument "voice" it is a recording, and what voice_measure says is written. Exit
 * code 1: it cannot be shown, or heard. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/write.h"
#include "core/picture.h"
#include "preview/preview.h"

static bool read_all(uint8_t *file, size_t *size)
{
    for (;;) {
        ssize_t n = read(STDIN_FILENO, file + *size, PICTURE_MAX + 1 - *size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 && *size <= PICTURE_MAX;
        *size += (size_t)n;
    }
}

static bool run(void)
{
    static bool (*const decoders[])(const uint8_t *, size_t, struct pixels *) = {
        [PICTURE_JPEG] = decode_jpeg,
        [PICTURE_PNG] = decode_png,
        [PICTURE_WEBP] = decode_webp,
        [PICTURE_GIF] = decode_gif,
    };
    struct pixels whole = {0}, small = {0};
    struct picture picture;
    sotto_fault fault;
    size_t size = 0, length = 0;
    uint8_t *file = malloc(PICTURE_MAX + 1), *preview = NULL;
    bool good = file != NULL && read_all(file, &size) &&
                picture_look(sotto_bytes_of(file, size), &picture, &fault) == SOTTO_OK &&
                decoders[picture.type](file, size, &whole) &&
                scale_down(&whole, picture.orientation, &small) &&
                encode_jpeg(&small, &preview, &length) &&
                write_whole(STDOUT_FILENO, sotto_bytes_of(preview, length));
    free(file);
    free(whole.rgb);
    free(small.rgb);
    free(preview);
    return good;
}

static bool listen_to(void)
{
    uint8_t said[VOICE_SIZE], *file = malloc(PICTURE_MAX + 1);
    size_t size = 0;
    bool good = file != NULL && read_all(file, &size) && voice_measure(file, size, said) &&
                write_whole(STDOUT_FILENO, sotto_bytes_of(said, sizeof said));
    free(file);
    return good;
}

int main(int argc, char **argv)
{
    if (!confine())
        return 1;
    bool voice = argc > 1 && strcmp(argv[1], "voice") == 0;
    return (voice ? listen_to() : run()) ? 0 : 1;
}
