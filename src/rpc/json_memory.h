/* JSON values hold what people write to one another: their memory is wiped when it is freed. */
#ifndef RPC_JSON_MEMORY_H
#define RPC_JSON_MEMORY_H

#include <jansson.h>

#include "sotto/bytes.h"

/* Once, at the program's start, before any JSON is made. */
void json_memory_init(void);

/* Appends value as one line of JSON, without a line break, to out. */
sotto_error json_write(const json_t *value, sotto_buf *out);

#endif
