#include "wire/label.h"

enum { PHONE_DIGITS_MIN = 7, PHONE_DIGITS_MAX = 15 };

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
    return c >= 'a' && c <= 'z';
}

bool username_is_valid(sotto_bytes username)
{
    if (username.size < USERNAME_MIN || username.size > USERNAME_MAX ||
        !is_letter(username.data[0]))
        return false;
    bool sign = false;
    for (size_t i = 0; i < username.size; i++) {
        uint8_t c = username.data[i];
        if (is_letter(c) || is_digit(c)) {
            sign = false;
            continue;
        }
        if (sign || (c != '_' && c != '.' && c != '-'))
            return false;
        sign = true;
    }
    return !sign;
}

bool phone_is_valid(sotto_bytes phone)
{
    if (phone.size < 1 + PHONE_DIGITS_MIN || phone.size > 1 + PHONE_DIGITS_MAX)
        return false;
    if (phone.data[0] != '+' || phone.data[1] == '0')
        return false;
    for (size_t i = 1; i < phone.size; i++)
        if (!is_digit(phone.data[i]))
            return false;
    return true;
}

bool label_is_valid(enum label_kind kind, sotto_bytes label)
{
    return kind == LABEL_USERNAME ? username_is_valid(label) : phone_is_valid(label);
}
