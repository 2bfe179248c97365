/* Names of files. What comes from another person names a file here, so it is made harmless first.
 */
#ifndef CORE_FILE_NAME_H
#define CORE_FILE_NAME_H

#include "sotto/bytes.h"

enum { FILE_NAME_MAX = 200 }; /* bytes; the usual limit is 255 */

/* The last part of name as a name that stays in its directory and looks as it is: nothing before
 * the last "/" or "\", no control or direction characters, no bytes that are not UTF-8, no leading
 * "." or "-", no blanks at either end, at most FILE_NAME_MAX bytes with what stands behind the last
 * "." kept. "file" where nothing is left. Ends with NUL. */
void file_name_clean(sotto_bytes name, char out[static FILE_NAME_MAX + 1]);

#endif
