/* Pictures without what they tell beside the picture: where and when it was taken, with what, by
 * whom. JPEG, PNG, WebP and GIF are taken apart into their segments, and only those that a picture
 * is made of are kept: nothing is decoded, and no pixel changes. No I/O, no global state. */
#ifndef CORE_PICTURE_H
#define CORE_PICTURE_H

#include "base/base.h"

#define PICTURE_MAX (32u * 1024u * 1024u) /* bytes of a file that is taken for a picture */

enum picture_type {
    PICTURE_JPEG = 1, /* ITU-T T.81 */
    PICTURE_PNG = 2,  /* PNG, third edition, animated ones too */
    PICTURE_WEBP = 3, /* RFC 9649 */
    PICTURE_GIF = 4,  /* GIF89a */
};

struct picture {
    enum picture_type type;
    uint32_t width, height; /* of the pixels as they are stored, at least 1 */
    uint8_t orientation;    /* 1 to 8, as EXIF has it: how to turn them to see them upright */
};

/* The type that a file's first bytes show. False: none of the four. */
bool picture_type_of(sotto_bytes start, enum picture_type *type);

/* "image/jpeg" */
const char *picture_media_type(enum picture_type type);

/* Looks at a whole picture. UNSUPPORTED: it is none of the four types; LIMIT: it is larger than
 * PICTURE_MAX; TRUNCATED, LENGTH, VALUE: it is none that could be shown. fault says what and where.
 */
sotto_error picture_look(sotto_bytes file, struct picture *picture, sotto_fault *fault);

/* The same, and appends the picture without EXIF, GPS, XMP, IPTC, comments, dates, thumbnails,
 * names of programs, segments of makers and whatever stands behind its end. Kept beside the pixels:
 * what changes how they look (colour profile, gamma, transparency, animation), and the orientation,
 * if it is not 1, as the only entry of a fresh EXIF block. Stripping what was stripped changes
 * nothing. On failure out may have got bytes. */
sotto_error picture_strip(sotto_bytes file, struct picture *picture, sotto_buf *out,
                          sotto_fault *fault);

#endif
