/* Copies and removes files and folders. Every function that returns false has left errno. */
#ifndef RELAY_FILES_H
#define RELAY_FILES_H

#include <sys/types.h>

#include "base/base.h"

/* Copies a regular file, or a folder with the files and folders in it, to a new name, readable by
 * nobody but its owner (0600, 0700), and waits until it is on the disk. What vanishes meanwhile is
 * left out; what is neither file nor folder too. False: errno; some of it may be there. */
bool files_copy(const char *from, const char *to);

/* Removes a file, or a folder with all that is in it. What is not there is no failure. */
bool files_remove(const char *path);

/* Gives a file, or a folder with all that is in it, to somebody else. */
bool files_give(const char *path, uid_t user, gid_t group);

/* Waits until what was made, renamed or removed in the folder is on the disk. */
bool files_sync_folder(const char *path);

bool files_exist(const char *path);

#endif
