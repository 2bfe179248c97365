/* Which symbols the shared libraries export: in libsotto-mls, whose map lists them, functions
 * marked SOTTO_API; in libsotto, whose map is made from them, all functions of its headers, which
 * stand between SOTTO_API_BEGIN and SOTTO_API_END. */
#ifndef SOTTO_API_H
#define SOTTO_API_H

#if defined(__GNUC__)
#define SOTTO_API __attribute__((visibility("default")))
#define SOTTO_API_PUSH _Pragma("GCC visibility push(default)")
#define SOTTO_API_POP _Pragma("GCC visibility pop")
#else
#define SOTTO_API
#define SOTTO_API_PUSH
#define SOTTO_API_POP
#endif

#ifdef __cplusplus
#define SOTTO_API_BEGIN \
    extern "C" {        \
    SOTTO_API_PUSH
#define SOTTO_API_END \
    SOTTO_API_POP     \
    }
#else
#define SOTTO_API_BEGIN SOTTO_API_PUSH
#define SOTTO_API_END SOTTO_API_POP
#endif

#endif
