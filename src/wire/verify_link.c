#include "wire/verify_link.h"

#include "wire/fields.h"
#include "wire/link_text.h"

static const struct link_text form = {
    .prefix = VERIFY_LINK_PREFIX,
    .limit = "verify link",
    .expected = "verify link: sotto://verify/ expected",
    .base64url = "verify link: base64url",
};

sotto_error verify_link_parse(const sotto_env *env, sotto_bytes text, struct verify_link *link,
                              sotto_fault *fault)
{
    struct verify_link parsed = {0};
    struct reader reader;
    sotto_bytes content;
    sotto_buf bytes;
    *fault = (sotto_fault){SOTTO_OK, "", 0};
    sotto_buf_init(&bytes, env);
    sotto_error error = link_text_read(&form, text, &bytes, &content, fault);
    if (error == SOTTO_OK) {
        reader_init(&reader, content);
        if (reader_u8(&reader, "VerifyLink.version") != 1)
            reader_fail_at(&reader, 0, SOTTO_VERSION, "VerifyLink.version");
        reader_copy(&reader, parsed.account.bytes, ACCOUNT_ID_SIZE, "VerifyLink.account_id");
        parsed.has_with = reader_present(&reader, "VerifyLink.with");
        if (parsed.has_with)
            reader_copy(&reader, parsed.with.bytes, ACCOUNT_ID_SIZE, "VerifyLink.with");
        error = reader_finish(&reader, "VerifyLink (end)");
        *fault = reader.fault;
    }
    if (error == SOTTO_OK)
        *link = parsed;
    sotto_buf_free(&bytes);
    return error;
}

sotto_error verify_link_format(const struct verify_link *link, sotto_buf *text)
{
    sotto_buf bytes;
    struct writer writer;
    sotto_buf_init(&bytes, text->env);
    writer_init(&writer, &bytes);
    writer_u8(&writer, 1);
    writer_fixed(&writer, sotto_bytes_of(link->account.bytes, ACCOUNT_ID_SIZE));
    writer_present(&writer, link->has_with);
    if (link->has_with)
        writer_fixed(&writer, sotto_bytes_of(link->with.bytes, ACCOUNT_ID_SIZE));
    sotto_error error = writer_finish(&writer);
    if (error == SOTTO_OK)
        error = link_text_write(&form, sotto_buf_view(&bytes), text);
    sotto_buf_free(&bytes);
    return error;
}
