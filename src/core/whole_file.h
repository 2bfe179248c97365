/* Small files, read and written whole: what goes into the profile as it is, and comes out. */
#ifndef CORE_WHOLE_FILE_H
#define CORE_WHOLE_FILE_H

#include "core/internal.h"

/* Appends a file's bytes; of one that is larger than most, most + 1 of them. NO_FILE, with the
 * problem: it cannot be read, or is no plain file. */
sotto_error whole_file_read(struct sotto *core, const char *path, size_t most, sotto_buf *out);

/* Makes a file of mode 0600, or none. EXISTS, NO_FILE, with the problem. */
sotto_error whole_file_write(struct sotto *core, const char *path, sotto_bytes bytes);

#endif
