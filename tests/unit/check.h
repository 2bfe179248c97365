/* What every unit test includes: cmocka with its prerequisites, and a check for byte views. */
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"

/* Whether this is the build with sanitizers: slower by much, and its memory is not what it is
 * otherwise. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define assert_ok(expression) assert_string_equal(sotto_error_name(expression), "OK")
#define assert_error(expression, name) \
    assert_string_equal(sotto_error_name(expression), sotto_error_name(SOTTO_##name))

#define assert_bytes(actual, expected)                                         \
    do {                                                                       \
        sotto_bytes actual_ = (actual), expected_ = (expected);                \
        assert_int_equal(actual_.size, expected_.size);                        \
        if (expected_.size > 0)                                                \
            assert_memory_equal(actual_.data, expected_.data, expected_.size); \
    } while (0)

#endif
