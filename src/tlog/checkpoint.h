/* Checkpoints (C2SP tlog-checkpoint): the text of a signed note that says how large a log is and
 * what its root is. */
#ifndef TLOG_CHECKPOINT_H
#define TLOG_CHECKPOINT_H

#include "tlog/merkle.h"
#include "tlog/note.h"

struct tlog_checkpoint {
    char origin[TLOG_NAME_MAX + 1];
    uint64_t size;
    struct tlog_hash root;
};

/* From a note's text. Extension lines are passed over: they say nothing that can be checked. VALUE:
 * not a checkpoint, or an empty tree with another root than the empty one. */
sotto_error tlog_checkpoint_read(sotto_bytes text, struct tlog_checkpoint *checkpoint);

/* Appends the text, with its last newline. */
sotto_error tlog_checkpoint_write(const struct tlog_checkpoint *checkpoint, sotto_buf *out);

/* A whole note of a log: split, signed by that key, of the origin that the key is named for.
 * text and signatures may be NULL. VALUE, NOT_FOUND, SIGNATURE. */
sotto_error tlog_checkpoint_open(sotto_bytes note, const struct tlog_key *log,
                                 struct tlog_checkpoint *checkpoint, sotto_bytes *text,
                                 sotto_bytes *signatures);

#endif
