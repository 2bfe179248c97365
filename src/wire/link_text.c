#include "wire/link_text.h"

#include <string.h>

#include "base/base.h"
#include "wire/base64.h"
#include "wire/limits.h"

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static sotto_bytes trim(sotto_bytes text)
{
    while (text.size > 0 && is_space(text.data[text.size - 1]))
        text.size--;
    while (text.size > 0 && is_space(text.data[0])) {
        text.data++;
        text.size--;
    }
    return text;
}

static sotto_error refuse(sotto_fault *fault, sotto_error error, const char *what)
{
    *fault = (sotto_fault){error, what, 0};
    return error;
}

sotto_error link_text_read(const struct link_text *form, sotto_bytes link, sotto_buf *bytes,
                           sotto_bytes *content, sotto_fault *fault)
{
    uint8_t decoded[WIRE_LINK_MAX];
    size_t start = bytes->size, size = 0, prefix = strlen(form->prefix);
    sotto_bytes text = trim(link);
    if (text.size > WIRE_LINK_MAX)
        return refuse(fault, SOTTO_LIMIT, form->limit);
    if (text.size < prefix || memcmp(text.data, form->prefix, prefix) != 0)
        return refuse(fault, SOTTO_VALUE, form->expected);
    sotto_error error = base64url_read(sotto_bytes_of(text.data + prefix, text.size - prefix),
                                       decoded, sizeof decoded, &size);
    if (error == SOTTO_OK)
        error = sotto_buf_append(bytes, decoded, size);
    wipe(decoded, sizeof decoded);
    if (error != SOTTO_OK)
        return refuse(fault, error, error == SOTTO_NO_MEMORY ? form->limit : form->base64url);
    /* A link without content may have left the buffer without a block. */
    *content = size == 0 ? (sotto_bytes){0} : sotto_bytes_of(bytes->data + start, size);
    return SOTTO_OK;
}

void link_text_forget(sotto_buf *bytes, size_t start)
{
    if (bytes->size == start)
        return;
    wipe(bytes->data + start, bytes->size - start);
    bytes->size = start;
}

sotto_error link_text_write(const struct link_text *form, sotto_bytes bytes, sotto_buf *link)
{
    char text[WIRE_LINK_MAX + 1];
    size_t prefix = strlen(form->prefix), size = base64url_size(bytes.size);
    if (prefix + size > WIRE_LINK_MAX)
        return SOTTO_LIMIT;
    memcpy(text, form->prefix, prefix);
    base64url_write(bytes, text + prefix);
    sotto_error error = sotto_buf_append(link, (const uint8_t *)text, prefix + size);
    wipe(text, sizeof text);
    return error;
}
