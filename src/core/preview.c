#include "core/preview.h"

#include <string.h>

#include "core/helper.h"

static sotto_error ask(sotto_bytes file, bool voice, sotto_buf *out)
{
    static const char *const what[] = {"voice", NULL};
    const struct helper helper = {.program = "sotto-preview",
                                  .arguments = voice ? what : NULL,
                                  .wait_ms = 20000,
                                  .most = CORE_PREVIEW_MAX};
    sotto_buf made;
    int code = 1;
    sotto_buf_init(&made, out->env);
    sotto_error error = helper_run(&helper, file, &made, &code);
    if (error == SOTTO_OK)
        error = code == 0 && made.size > 0 ? sotto_buf_append(out, made.data, made.size)
                                           : SOTTO_REFUSED;
    sotto_buf_free(&made);
    return error;
}

sotto_error preview_make(sotto_bytes file, sotto_buf *out)
{
    return ask(file, false, out);
}

sotto_error preview_listen(sotto_bytes file, const sotto_env *env, struct preview_voice *voice)
{
    sotto_buf said;
    sotto_buf_init(&said, env);
    sotto_error error = ask(file, true, &said);
    if (error == SOTTO_OK && said.size != 4 + PREVIEW_PEAKS)
        error = SOTTO_REFUSED;
    if (error == SOTTO_OK) {
        voice->duration_ms = (uint32_t)said.data[0] << 24 | (uint32_t)said.data[1] << 16 |
                             (uint32_t)said.data[2] << 8 | said.data[3];
        memcpy(voice->peaks, said.data + 4, PREVIEW_PEAKS);
    }
    sotto_buf_free(&said);
    return error;
}
