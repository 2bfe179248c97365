/* Which usernames and numbers there are. */
#include <string.h>

#include "unit/check.h"
#include "wire/label.h"

static void usernames_have_one_form(void **state)
{
    (void)state;
    static const char *const good[] = {"abc", "anna",   "a.b-c_d",
                                       "x1",  "anna42", "a23456789012345678901234567890ab"};
    static const char *const bad[] = {
        "",      "ab",    "Anna",   "anna ", "1anna",
        ".anna", "anna.", "a..b",   "a_-b",  "ann\xC3\xA4",
        "an na", "@anna", "anna\n", "a/b",   "a234567890123456789012345678901bc"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(username_is_valid(sotto_bytes_str(good[i])), strlen(good[i]) >= 3);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(username_is_valid(sotto_bytes_str(bad[i])));
}

static void numbers_are_e164(void **state)
{
    (void)state;
    static const char *const good[] = {"+4930123456", "+1234567", "+123456789012345"};
    static const char *const bad[] = {"",           "4930123456",        "+0493012345",
                                      "+123456",    "+1234567890123456", "+49 30123456",
                                      "+49a0123456"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(phone_is_valid(sotto_bytes_str(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(phone_is_valid(sotto_bytes_str(bad[i])));
}

static void each_sort_has_its_own_rule(void **state)
{
    (void)state;
    assert_true(label_is_valid(LABEL_USERNAME, sotto_bytes_str("anna")));
    assert_false(label_is_valid(LABEL_PHONE, sotto_bytes_str("anna")));
    assert_true(label_is_valid(LABEL_PHONE, sotto_bytes_str("+4930123456")));
    assert_false(label_is_valid(LABEL_USERNAME, sotto_bytes_str("+4930123456")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usernames_have_one_form),
        cmocka_unit_test(numbers_are_e164),
        cmocka_unit_test(each_sort_has_its_own_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
