/* A conversation as a page and as lines of JSON. What people wrote is data in both: escaped, and
 * cut off from what stands around it. */
#ifndef CORE_EXPORT_PAGE_H
#define CORE_EXPORT_PAGE_H

#include <stdio.h>

#include "core/internal.h"

/* file: where a file of the message lies in the folder, or NULL. Failures stay in the stream. */
void page_begin_html(FILE *out, const char *title, uint64_t now_s);
void page_message_html(FILE *out, const struct sotto_message *message, const char *file);
void page_end_html(FILE *out);
void page_begin_json(FILE *out, const struct room_id *room, const char *title, uint64_t now_s);
void page_message_json(FILE *out, const struct store_message *row,
                       const struct sotto_message *message, const char *file);

#endif
