/* sotto-preview: reads a picture, writes a small one. A program of its own, because decoding is
 * where pictures do harm: it is started afresh (so that nothing of the profile is in its memory),
 * may do nothing but read its input and write its output, and has little memory and time. */
#ifndef PREVIEW_PREVIEW_H
#define PREVIEW_PREVIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PREVIEW_SIDE = 320,               /* of the longest side, in pixels */
    PREVIEW_MAX = 32 * 1024,          /* bytes of the result */
    PREVIEW_PIXELS = 64 * 1024 * 1024 /* of a picture that is decoded whole */
};

/* Rows of red, green, blue; the owner frees pixels. */
struct pixels {
    uint8_t *rgb;
    uint32_t width, height;
};

/* decode.c: the first frame, already smaller if that is cheap, on white. False: it cannot be shown.
 */
bool decode_jpeg(const uint8_t *file, size_t size, struct pixels *out);
bool decode_png(const uint8_t *file, size_t size, struct pixels *out);
bool decode_webp(const uint8_t *file, size_t size, struct pixels *out);
bool decode_gif(const uint8_t *file, size_t size, struct pixels *out);

/* scale.c: a new picture whose longest side is PREVIEW_SIDE at most, turned upright as the EXIF
 * orientation says. False: no memory. */
bool scale_down(const struct pixels *from, uint8_t orientation, struct pixels *out);

/* encode.c: as JPEG, with whatever quality fits PREVIEW_MAX. The caller frees *file. */
bool encode_jpeg(const struct pixels *from, uint8_t **file, size_t *size);

/* voice.c: of an Ogg Opus recording: its length in milliseconds (big-endian, four bytes), then
 * VOICE_PEAKS bytes: how loud each of so many equal parts is. False: it is none. */
enum { VOICE_PEAKS = 64, VOICE_SIZE = 4 + VOICE_PEAKS };
bool voice_measure(const uint8_t *file, size_t size, uint8_t out[static VOICE_SIZE]);

/* confine.c: from here on only reading, writing, memory and the end. False: this kernel cannot do
 * that. */
bool confine(void);

#endif
