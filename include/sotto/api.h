/* Which symbols the shared library exports; src/mls/symbols.map lists them. */
#ifndef SOTTO_API_H
#define SOTTO_API_H

#if defined(__GNUC__)
#define SOTTO_API __attribute__((visibility("default")))
#else
#define SOTTO_API
#endif

#endif
