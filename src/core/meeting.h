/* Two devices of one account meet at a relay (linking): blobs whose places both derive from the
 * secret of the link. One request after the other, each waited for; over the connection that
 * carries nothing but blobs. */
#ifndef CORE_MEETING_H
#define CORE_MEETING_H

#include "core/internal.h"
#include "wire/device_link.h"

/* Asks and waits for the answer. The problem is set, but for refusals: code then says which. bytes:
 * appended to, what blob_get, get_manifest or find gave. */
struct meeting_answer {
    uint16_t code; /* of a refusal; else 0 */
    uint64_t detail;
    struct blob_state state;    /* of blob_status */
    struct sotto_labels labels; /* of get_labels */
    sotto_buf bytes;            /* initialised by the caller */
};
sotto_error meeting_ask(struct sotto *core, struct conn *conn, const struct message *message,
                        struct meeting_answer *answer);

/* Makes the blob's place, paid with a token where there is one. EXISTS: somebody else did, or it
 * was used. */
sotto_error meeting_create(struct sotto *core, const char *relay, const struct link_place *place,
                           uint64_t size);
/* Whether it is whole. NOT_FOUND: there is no such place (yet). */
sotto_error meeting_is_whole(struct sotto *core, const char *relay, const struct link_place *place,
                             bool *whole);
/* Puts the box and finishes. EXISTS: something lies there whole already, and stays. */
sotto_error meeting_put(struct sotto *core, const char *relay, const struct link_place *place,
                        sotto_bytes box);
/* Appends the whole blob. NOT_FOUND: it is not there (yet). */
sotto_error meeting_get(struct sotto *core, const char *relay, const struct link_place *place,
                        size_t size, sotto_buf *box);
/* Takes it away, if that can be done now. */
void meeting_forget(struct sotto *core, const char *relay, const struct link_place *place);

/* How often the relay is asked whether the other device has done its part: soon at first and after
 * each sign of it, ever less while it does not come. Zeroed by the caller to begin, and to be quick
 * again. */
struct meeting_pace {
    uint32_t pause_ms;
};
/* The next pause, in milliseconds. */
uint32_t meeting_pause(struct meeting_pace *pace);
/* Waits; false: it is time to stop (sotto_stop, or until_s is over). */
bool meeting_wait(struct sotto *core, struct meeting_pace *pace, uint64_t until_s);

#endif
