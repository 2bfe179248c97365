/* Files: sending and fetching them, and how far that is (sotto/sotto.h). */
#ifndef SOTTO_FILE_H
#define SOTTO_FILE_H

#include "sotto/message.h"

SOTTO_API_BEGIN

/* ---- Sending -------------------------------------------------------------------------------- */

#define SOTTO_CAPTION_MAX 4096
struct sotto_file {
    const char *path;    /* of the file, absolute or from the working directory */
    sotto_bytes caption; /* UTF-8, may be empty, at most SOTTO_CAPTION_MAX bytes */
    bool as_file;        /* as it is, also if it is a picture */
    bool voice;          /* a voice note: Ogg Opus, M4A or AAC */
    /* Of a voice note, in milliseconds, and its loudness in SOTTO_PEAKS_MAX steps at most, 0 to
     * 255; 0 and empty: of Ogg Opus of at most 32 MiB they are measured, else not
     * said. */
    uint32_t duration_ms;
    sotto_bytes waveform;
};
#define SOTTO_PEAKS_MAX 64

/* Local: reads the file once, whole, and queues. It is read again where it lies while it is sent,
 * in later runs too: until then it has to stay as it is. The rest as sotto_send.
 *
 * A JPEG, PNG, WebP or GIF is sent as a picture: with its size and a small preview in the message,
 * and without what it tells beside (EXIF, GPS, comments, ...); its pixels stay as they are. The
 * preview is made by the program sotto-preview, and left out where that is missing or fails.
 *
 * NO_FILE: it cannot be read, is no file, or no voice note; BAD_PICTURE: it begins like a picture
 * but cannot be freed of what it tells (damaged, or above 32 MiB): it could be sent as_file;
 * TOO_LONG: the caption, the file (900 GiB at most), a voice note (a day at most) or its waveform;
 * CANCELLED: by sotto_stop, while it was read. client_id and client_id_out as sotto_send's. */
sotto_error sotto_send_file(struct sotto *core, const struct sotto_id *conversation,
                            const char *client_id, const struct sotto_file *file,
                            char *client_id_out);

#define SOTTO_ALBUM_MAX 64

/* Local: sends 2 to SOTTO_ALBUM_MAX files (count) that belong together, each as by sotto_send_file
 * and as a message of its own; their messages say which album they are of, and which place they
 * have in it. The client id of file i, from 0, is client_id (at most 60 characters; NULL: a fresh
 * one), a "." and i. client_id_out, if not NULL: as sotto_send's, of the album. Killed or failed in
 * between, the same call with the same client_id sends those that are missing. As sotto_send_file;
 * CANCELLED by sotto_cancel: those that were read before are taken back, but for what is on its
 * way. USAGE: too few or too many. */
sotto_error sotto_send_album(struct sotto *core, const struct sotto_id *conversation,
                             const char *client_id, const struct sotto_file *files, size_t count,
                             char *client_id_out);

/* Local: a file of one's own that waits, or failed, goes out of the outbox, and the message with
 * it; what the relay has of it is deleted there when it can be reached. client_id: as
 * sotto_send_file gave it; as sotto_send_album gave it: all files of the album. NOT_FOUND;
 * CANNOT_CHANGE: it is no file, or it, or one of the album, is on its way already, and nothing was
 * taken back: sotto_delete it when it is there. */
sotto_error sotto_cancel_file(struct sotto *core, const struct sotto_id *conversation,
                              const char *client_id);

/* ---- Fetching ------------------------------------------------------------------------------- */

/* Network. Fetches the file of message `id` to `to`: a directory, where it gets the name it was
 * sent under, or a file's name; NULL: the working directory. Nothing that is there is overwritten
 * (EXISTS). What was fetched when it is broken off, also by sotto_stop (TIMEOUT), lies beside, as
 * .sotto-*.part, and the next call goes on behind it. saved: where it is, cut to size bytes with
 * NUL; filled on success alone. NOT_FOUND: there is no such file; STORAGE, STORAGE_FULL: it cannot
 * be written; STORAGE_BUSY: another process saves the same one; FILE_GONE: the relay does not have
 * it any more; BAD_FILE: the relay gave something else than what was sent; CANCELLED: by
 * sotto_cancel, which leaves nothing of it. */
sotto_error sotto_save(struct sotto *core, int64_t id, const char *to, char *saved, size_t size);

/* As sotto_stop, from a signal handler or any thread: and what a sotto_save under way has fetched,
 * or a sotto_send_album has queued, goes too. */
void sotto_cancel(struct sotto *core);

/* ---- How far -------------------------------------------------------------------------------- */

enum sotto_transfer_kind {
    SOTTO_TRANSFER_READING = 1, /* sotto_send_file, before it queues */
    SOTTO_TRANSFER_SENDING = 2,
    SOTTO_TRANSFER_FETCHING = 3,
};

/* What a kind is called: "sending". Static text. */
const char *sotto_transfer_kind_name(enum sotto_transfer_kind kind);

struct sotto_transfer {
    enum sotto_transfer_kind kind;
    struct sotto_id conversation;
    const char *client_id; /* of what is read or sent, else "" */
    int64_t message;       /* that is fetched, else 0 */
    uint64_t done, of;     /* bytes */
};

/* Calls each, within calls that reach the network or read a file, as files move: at the beginning,
 * at the end, and at most SOTTO_TRANSFERS_A_SECOND times a second for each in between, in the
 * thread that made the call. What each is given is good until it returns. each NULL: no longer. */
#define SOTTO_TRANSFERS_A_SECOND 4
typedef void sotto_transfer_fn(void *ctx, const struct sotto_transfer *transfer);
void sotto_on_transfer(struct sotto *core, sotto_transfer_fn *each, void *ctx);

SOTTO_API_END

#endif
