/* A notice in plain words. What others wrote stands behind "> ", line by line, so that nothing of
 * it looks like the program's own words. */
#include <inttypes.h>
#include <string.h>

#include "base/print.h"
#include "base/text.h"
#include "core/notices.h"

static sotto_error say(sotto_buf *out, const char *text)
{
    return sotto_buf_append(out, (const uint8_t *)text, strlen(text));
}

static sotto_error quote(sotto_buf *out, const char *text)
{
    sotto_bytes left = sotto_bytes_str(text);
    TRY(say(out, "> "));
    while (left.size > 0) {
        uint32_t scalar = 0;
        const size_t size = text_next(left, &scalar);
        if (size == 1 && scalar == '\n')
            TRY(say(out, "\n> "));
        else if (size == 0 || text_is_harmful(scalar)) /* a line of ours it is not */
            TRY(say(out, "\xEF\xBF\xBD"));
        else
            TRY(sotto_buf_append(out, left.data, size));
        left = sotto_bytes_of(left.data + (size > 0 ? size : 1), left.size - (size > 0 ? size : 1));
    }
    return say(out, "\n");
}

static sotto_error say_order(const struct sotto_notice *notice, const char *relay, sotto_buf *out)
{
    const bool phone = notice->gave_phone_number, ip = notice->gave_last_ip;
    TRY(buf_print(out,
                  "On %s the relay %s answered a lawful order about your account.\n"
                  "It was asked for:\n",
                  notice->date, relay));
    TRY(quote(out, notice->asked));
    TRY(buf_print(out, "It gave: %s.\nIt holds nothing else that it could give.\n",
                  phone && ip ? "your phone number, and your last IP address with its time"
                  : phone     ? "your phone number"
                  : ip        ? "your last IP address with its time"
                              : "nothing, for it holds nothing of that"));
    TRY(buf_print(out, "Who ordered it (%s, %s):\n", notice->authority, notice->jurisdiction));
    TRY(quote(out, notice->issuer));
    TRY(say(out, "Their reference:\n"));
    TRY(quote(out, notice->reference));
    TRY(say(out, "On which legal basis:\n"));
    TRY(quote(out, notice->legal_basis));
    TRY(say(out, notice->reasons_withheld ? "The reasons are withheld, because:\n" : "Why:\n"));
    TRY(quote(out, notice->reasons));
    TRY(say(out, "What you can do about it:\n"));
    return quote(out, notice->redress);
}

static sotto_error say_withdrawal(const struct sotto_notice *notice, const char *relay,
                                  sotto_buf *out)
{
    TRY(buf_print(
        out,
        "On %s the relay %s announced that it leaves the jurisdiction %s. From %s on, "
        "accounts there can no longer sign in, and what it has of them is erased.\nWhy:\n",
        notice->date, relay, notice->jurisdiction, notice->on));
    TRY(quote(out, notice->reason));
    return say(out, "What is on your devices stays yours, and what you can do:\n"
                    "- move to another relay as who you are, with your devices, contacts and "
                    "conversations: sotto account move\n"
                    "- keep a copy of everything: sotto backup\n"
                    "- take conversations out as readable files: sotto export\n");
}

static sotto_error say_staying(const struct sotto_notice *notice, const char *relay, sotto_buf *out)
{
    TRY(buf_print(out,
                  "On %s the relay %s said that it does not leave the jurisdiction %s on %s after "
                  "all. You need do nothing.\n",
                  notice->date, relay, notice->jurisdiction, notice->on));
    if (notice->reason[0] == '\0')
        return SOTTO_OK;
    TRY(say(out, "Why:\n"));
    return quote(out, notice->reason);
}

static const char *of_entry(enum sotto_notice_entry entry)
{
    switch (entry) {
    case SOTTO_ENTRY_CONFIRMED:
        return "This device has looked: the entry is there, and says the same.";
    case SOTTO_ENTRY_MISSING:
        return "THE LOG DOES NOT HAVE THAT ENTRY. This device looks again; if that stays so, the "
               "relay hides what it did: keep this notice, which it signed.";
    case SOTTO_ENTRY_OTHER:
        return "THE ENTRY SAYS SOMETHING ELSE than this notice. The relay signed both: keep the "
               "notice, and show it to others.";
    case SOTTO_ENTRY_UNCHECKED:
        break;
    }
    return "This device has not looked at the entry yet.";
}

sotto_error notice_text(const struct sotto_notice *notice, sotto_buf *out)
{
    char relay[300];
    static const uint8_t end = 0;
    problem_relay_name(notice->relay, relay);
    TRY(notice->kind == SOTTO_NOTICE_ORDER        ? say_order(notice, relay, out)
        : notice->kind == SOTTO_NOTICE_WITHDRAWAL ? say_withdrawal(notice, relay, out)
                                                  : say_staying(notice, relay, out));
    TRY(buf_print(out, "It is entry %" PRIu64 " of the log %s. %s\n", notice->log_entry,
                  notice->log, of_entry(notice->entry)));
    return sotto_buf_append(out, &end, 1);
}
