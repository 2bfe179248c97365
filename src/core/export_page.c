#include "core/export_page.h"

#include <sodium.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

static const char style[] =
    "body{font:16px/1.45 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;"
    "color:#1b1b1f;background:#f6f6f4}h1{font-size:1.4rem}p,blockquote{margin:.3rem 0;"
    "white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:plaintext}article{background:#fff;"
    "border-radius:.6rem;padding:.5rem .8rem;margin:.5rem 6rem .5rem "
    "0}article.own{background:#dfeedd;"
    "margin:.5rem 0 .5rem 6rem}header,footer{font-size:.8rem;color:#666}.event{text-align:center;"
    "font-size:.85rem;color:#666;margin:1rem}blockquote{border-left:3px solid "
    "#bbb;padding-left:.6rem;"
    "color:#555}bdi{font-weight:600}@media(prefers-color-scheme:dark){body{color:#e6e6e3;"
    "background:#17181a}article{background:#232427}article.own{background:#20372a}}";

static void time_write(FILE *out, uint64_t seconds)
{
    struct tm parts;
    char text[40];
    time_t when = (time_t)seconds;
    if (gmtime_r(&when, &parts) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0)
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)seconds);
    fputs(text, out);
}

/* ---- HTML ----------------------------------------------------------------------------------- */

/* Text alone: no markup, no control characters but line breaks, nothing that turns what follows
 * around (a paragraph ends it). What is not UTF-8 is shown as such. */
static void html_text(FILE *out, sotto_bytes text)
{
    while (text.size > 0) {
        uint32_t scalar = 0;
        size_t size = text_next(text, &scalar);
        bool bad = size == 0 || (scalar < 0x20 && scalar != '\n' && scalar != '\t') ||
                   (scalar >= 0x7F && scalar < 0xA0);
        if (bad)
            fputs("\xEF\xBF\xBD", out);
        else if (scalar == '&')
            fputs("&amp;", out);
        else if (scalar == '<')
            fputs("&lt;", out);
        else if (scalar == '>')
            fputs("&gt;", out);
        else if (scalar == '"')
            fputs("&quot;", out);
        else if (scalar == '\'')
            fputs("&#39;", out);
        else
            fwrite(text.data, 1, size, out);
        if (size == 0)
            size = 1;
        text = sotto_bytes_of(text.data + size, text.size - size);
    }
}

static void html_str(FILE *out, const char *text)
{
    html_text(out, sotto_bytes_str(text));
}

/* A path in the folder as a link: whatever is no plain letter is escaped. */
static void html_link(FILE *out, const char *path)
{
    for (const char *c = path; *c != '\0'; c++)
        if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
            *c == '/' || *c == '-' || *c == '.' || *c == '_')
            fputc(*c, out);
        else
            fprintf(out, "%%%02X", (unsigned)(uint8_t)*c);
}

void page_begin_html(FILE *out, const char *title, uint64_t now_s)
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    char base64[sodium_base64_ENCODED_LEN(sizeof hash, sodium_base64_VARIANT_ORIGINAL)];
    crypto_hash_sha256(hash, (const uint8_t *)style, sizeof style - 1);
    sodium_bin2base64(base64, sizeof base64, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
    fprintf(out,
            "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\">\n"
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
            "'sha256-%s'; base-uri 'none'; form-action 'none'\">\n"
            "<meta name=\"referrer\" content=\"no-referrer\">\n"
            "<meta name=\"viewport\" content=\"width=device-width\">\n<title>",
            base64);
    html_str(out, title);
    fprintf(out, "</title>\n<style>%s</style></head>\n<body><h1>", style);
    html_str(out, title);
    fputs("</h1><p class=\"event\">As it was on ", out);
    time_write(out, now_s);
    fputs("</p>\n", out);
}

static bool is_said(const struct sotto_message *message)
{
    return message->kind == SOTTO_KIND_TEXT || sotto_message_has_file(message->kind) ||
           message->kind == SOTTO_KIND_DELETED || message->kind == SOTTO_KIND_NEWER ||
           message->kind == SOTTO_KIND_UNREADABLE;
}

static void html_event(FILE *out, const struct sotto_message *message)
{
    fputs("<p class=\"event\">", out);
    html_str(out, message->sender_name);
    fprintf(out, " %s ", sotto_message_kind_name(message->kind));
    html_str(out, message->subject_name != NULL ? message->subject_name : "");
    fputs(" &middot; ", out);
    time_write(out, message->time_s);
    fputs("</p>\n", out);
}

static void html_file(FILE *out, const struct sotto_message *message, const char *file)
{
    fputs("<p>", out);
    if (file != NULL) {
        fputs("<a href=\"", out);
        html_link(out, file);
        fputs("\">", out);
    }
    html_str(out, message->file_name);
    fputs(file != NULL ? "</a>" : "", out);
    fprintf(out, " (%llu bytes)</p>", (unsigned long long)message->file_size);
}

static void html_body(FILE *out, const struct sotto_message *message, const char *file)
{
    if (message->reply && message->quote.id != 0) {
        fputs("<blockquote>", out);
        html_str(out, message->quote.name);
        fputs(": ", out);
        html_text(out, message->quote.text);
        fputs("</blockquote>", out);
    }
    if (sotto_message_has_file(message->kind))
        html_file(out, message, file);
    if (message->text.size > 0) {
        fputs("<p>", out);
        html_text(out, message->text);
        fputs("</p>", out);
    } else if (!sotto_message_has_file(message->kind))
        fprintf(out, "<p class=\"event\">%s</p>", sotto_message_kind_name(message->kind));
}

void page_message_html(FILE *out, const struct sotto_message *message, const char *file)
{
    if (!is_said(message)) {
        html_event(out, message);
        return;
    }
    fprintf(out, "<article%s id=\"m%lld\"><header><bdi>", message->own ? " class=\"own\"" : "",
            (long long)message->id);
    html_str(out, message->sender_name);
    fputs("</bdi> ", out);
    time_write(out, message->time_s);
    fputs(message->edited_s != 0 ? ", edited" : "", out);
    fputs("</header>", out);
    html_body(out, message, file);
    if (message->reaction_count > 0)
        fputs("<footer>", out);
    for (size_t i = 0; i < message->reaction_count; i++) {
        fputs("<span dir=\"auto\">", out);
        html_text(out, message->reactions[i].text);
        fputs(" ", out);
        html_str(out, message->reactions[i].name);
        fputs("</span> ", out);
    }
    fputs(message->reaction_count > 0 ? "</footer></article>\n" : "</article>\n", out);
}

void page_end_html(FILE *out)
{
    fputs("</body></html>\n", out);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void json_text(FILE *out, sotto_bytes text)
{
    fputc('"', out);
    while (text.size > 0) {
        uint32_t scalar = 0;
        size_t size = text_next(text, &scalar);
        if (size == 0) {
            fputs("\\ufffd", out);
            size = 1;
        } else if (scalar == '"' || scalar == '\\')
            fprintf(out, "\\%c", (char)scalar);
        else if (scalar < 0x20 || scalar == 0x7F)
            fprintf(out, "\\u%04x", (unsigned)scalar);
        else
            fwrite(text.data, 1, size, out);
        text = sotto_bytes_of(text.data + size, text.size - size);
    }
    fputc('"', out);
}

static void json_key(FILE *out, const char *key, const char *value)
{
    fprintf(out, ",\"%s\":", key);
    json_text(out, sotto_bytes_str(value));
}

static void json_number(FILE *out, const char *key, uint64_t value)
{
    fprintf(out, ",\"%s\":%llu", key, (unsigned long long)value);
}

static void json_hex(FILE *out, const char *key, sotto_bytes bytes)
{
    fprintf(out, ",\"%s\":\"", key);
    for (size_t i = 0; i < bytes.size; i++)
        fprintf(out, "%02x", bytes.data[i]);
    fputc('"', out);
}

void page_begin_json(FILE *out, const struct room_id *room, const char *title, uint64_t now_s)
{
    fputs("{\"type\":\"export\",\"version\":1", out);
    json_hex(out, "conversation", sotto_bytes_of(room->bytes, ROOM_ID_SIZE));
    json_key(out, "title", title);
    json_number(out, "time", now_s);
    fputs("}\n", out);
}

static void json_reactions(FILE *out, const struct sotto_message *message)
{
    fputs(",\"reactions\":[", out);
    for (size_t i = 0; i < message->reaction_count; i++) {
        const struct sotto_reaction *one = &message->reactions[i];
        fprintf(out, "%s{\"own\":%s", i > 0 ? "," : "", one->own ? "true" : "false");
        json_hex(out, "sender", sotto_bytes_of(one->sender.bytes, sizeof one->sender.bytes));
        json_key(out, "name", one->name);
        fputs(",\"reaction\":", out);
        json_text(out, one->text);
        fputc('}', out);
    }
    fputc(']', out);
}

void page_message_json(FILE *out, const struct store_message *row,
                       const struct sotto_message *message, const char *file)
{
    fputs("{\"type\":\"message\"", out);
    json_number(out, "id", (uint64_t)message->id);
    json_number(out, "seq", message->seq);
    if ((row->part & ~STORE_PART_IMPORTED) != 0)
        json_number(out, "part", row->part & ~STORE_PART_IMPORTED);
    if (message->imported)
        fputs(",\"imported\":true", out);
    json_key(out, "kind", sotto_message_kind_name(message->kind));
    json_key(out, "status", sotto_message_status_name(message->status));
    json_hex(out, "sender", sotto_bytes_of(message->sender.bytes, sizeof message->sender.bytes));
    json_key(out, "name", message->sender_name);
    fprintf(out, ",\"own\":%s", message->own ? "true" : "false");
    json_number(out, "time", message->time_s);
    if (row->has_subject) {
        json_hex(out, "subject", sotto_bytes_of(row->subject.bytes, ACCOUNT_ID_SIZE));
        json_key(out, "subjectName", message->subject_name);
    }
    if (row->content_id.size > 0)
        json_hex(out, "contentId", row->content_id);
    if (row->target.size > 0)
        json_hex(out, "target", row->target);
    if (message->text.size > 0) {
        fputs(",\"text\":", out);
        json_text(out, message->text);
    }
    if (message->markdown)
        fputs(",\"markdown\":true", out);
    if (message->edited_s != 0)
        json_number(out, "edited", message->edited_s);
    if (sotto_message_has_file(message->kind)) {
        json_key(out, "fileName", message->file_name);
        json_number(out, "fileSize", message->file_size);
        if (file != NULL)
            json_key(out, "file", file);
    }
    if (message->reaction_count > 0)
        json_reactions(out, message);
    fputs("}\n", out);
}
