/* Links and addresses as people paste them. */
#include "wire/address.h"
#include "wire/invitation.h"
#include "wire/verify_link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The text of a read address is read as the same address. */
static void check_address(sotto_bytes input)
{
    struct address address, again;
    sotto_fault fault;
    sotto_buf text;
    sotto_buf_init(&text, sotto_env_system());
    if (address_parse(input, &address, &fault) == SOTTO_OK) {
        BUG_UNLESS(address_format(&address, &text) == SOTTO_OK);
        BUG_UNLESS(address_parse(sotto_buf_view(&text), &again, &fault) == SOTTO_OK);
        BUG_UNLESS(address_equal(&address, &again));
    } else {
        BUG_UNLESS(fault.offset <= input.size);
    }
    sotto_buf_free(&text);
}

/* The text of a read invitation is the link, white space around it aside. */
static void check_invitation(sotto_bytes input)
{
    struct invitation invitation;
    sotto_fault fault;
    sotto_buf bytes, link;
    sotto_buf_init(&bytes, sotto_env_system());
    sotto_buf_init(&link, sotto_env_system());
    if (invitation_parse(input, &bytes, &invitation, &fault) == SOTTO_OK) {
        BUG_UNLESS(invitation_format(&invitation, &link) == SOTTO_OK);
        BUG_UNLESS(link.size <= input.size);
    }
    sotto_buf_free(&bytes);
    sotto_buf_free(&link);
}

/* Likewise a code to compare. */
static void check_code(sotto_bytes input)
{
    struct verify_link link;
    sotto_fault fault;
    sotto_buf text;
    sotto_buf_init(&text, sotto_env_system());
    if (verify_link_parse(sotto_env_system(), input, &link, &fault) == SOTTO_OK) {
        BUG_UNLESS(verify_link_format(&link, &text) == SOTTO_OK);
        BUG_UNLESS(text.size <= input.size);
    }
    sotto_buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_code(sotto_bytes_of(data, size));
    check_address(sotto_bytes_of(data, size));
    check_invitation(sotto_bytes_of(data, size));
    return 0;
}
