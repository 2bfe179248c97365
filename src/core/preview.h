/* Small pictures of pictures, by sotto-preview (src/preview), a program of its own. */
#ifndef CORE_PREVIEW_H
#define CORE_PREVIEW_H

#include "base/base.h"

#define CORE_PREVIEW_MAX (32u * 1024u)

/* Appends a JPEG of at most CORE_PREVIEW_MAX bytes to out. file: a picture of one's own, without
 * what it tells beside. Starts the program and waits for it, some seconds at most. NOT_FOUND: it is
 * not installed; REFUSED: it made nothing of it. Nothing of the process's memory, descriptors or
 * environment goes to it but the picture. */
sotto_error preview_make(sotto_bytes file, sotto_buf *out);

/* The same for an Ogg Opus recording: its length, and its loudness in equal steps. */
#define PREVIEW_PEAKS 64
struct preview_voice {
    uint32_t duration_ms;
    uint8_t peaks[PREVIEW_PEAKS];
};
sotto_error preview_listen(sotto_bytes file, const sotto_env *env, struct preview_voice *voice);

#endif
