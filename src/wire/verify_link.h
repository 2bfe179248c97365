/* What two people compare by scanning, as text: sotto://verify/... (PROTOCOL.md section 6). */
#ifndef WIRE_VERIFY_LINK_H
#define WIRE_VERIFY_LINK_H

#include "wire/ids.h"
#include "wire/limits.h"

#define VERIFY_LINK_PREFIX "sotto://verify/"

struct verify_link {
    struct account_id account; /* of whoever shows it */
    bool has_with;
    struct account_id with; /* whom they show it to, as they know them */
};

/* As invitation_parse and invitation_format; what is read borrows from nothing. */
sotto_error verify_link_parse(const sotto_env *env, sotto_bytes text, struct verify_link *link,
                              sotto_fault *fault);
sotto_error verify_link_format(const struct verify_link *link, sotto_buf *text);

#endif
