#include "core/picture.h"

#include <string.h>

#include "codec/reader.h"

/* What is written goes through here, so that looking is stripping without an output. */
struct strip {
    struct reader in;
    sotto_buf *out; /* NULL: only looked at */
    sotto_error error;
    struct picture picture;
};

static void keep(struct strip *s, sotto_bytes bytes)
{
    if (s->out != NULL && s->error == SOTTO_OK && reader_ok(&s->in))
        s->error = sotto_buf_append(s->out, bytes.data, bytes.size);
}

static void keep_bytes(struct strip *s, const uint8_t *bytes, size_t size)
{
    keep(s, sotto_bytes_of(bytes, size));
}

static size_t written(const struct strip *s)
{
    return s->out != NULL ? s->out->size : 0;
}

static bool starts(sotto_bytes bytes, const char *with, size_t size)
{
    return bytes.size >= size && memcmp(bytes.data, with, size) == 0;
}

static bool is_one_of(const uint8_t type[4], const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(type, list[i], 4) == 0)
            return true;
    return false;
}

static uint32_t le16(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static uint32_t le24(const uint8_t *at)
{
    return le16(at) | (uint32_t)at[2] << 16;
}

static uint32_t le32(const uint8_t *at)
{
    return le24(at) | (uint32_t)at[3] << 24;
}

static uint32_t be16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t be32(const uint8_t *at)
{
    return be16(at) << 16 | be16(at + 2);
}

static void be32_put(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void le32_put(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static void size_take(struct strip *s, uint32_t width, uint32_t height, const char *what)
{
    if (width == 0 || height == 0)
        reader_fail(&s->in, SOTTO_VALUE, what);
    s->picture.width = width;
    s->picture.height = height;
}

/* ---- EXIF: the orientation and nothing else ---------------------------------------------------
 */

#define TIFF_SIZE 26 /* a header, one entry, no next list */
#define TAG_ORIENTATION 0x0112
#define TIFF_SHORT 3

/* Of a TIFF structure (EXIF 2.32, 4.5); 1 where it cannot be read: others would not turn it either.
 */
static uint8_t tiff_orientation(sotto_bytes tiff)
{
    bool little = starts(tiff, "II*\0", 4);
    if (tiff.size < 8 || (!little && !starts(tiff, "MM\0*", 4)))
        return 1;
    uint32_t at = little ? le32(tiff.data + 4) : be32(tiff.data + 4);
    if (at > tiff.size - 2)
        return 1;
    const uint8_t *list = tiff.data + at;
    size_t left = tiff.size - at - 2;
    uint32_t count = little ? le16(list) : be16(list);
    list += 2;
    for (; count > 0 && left >= 12; count--, list += 12, left -= 12) {
        uint32_t tag = little ? le16(list) : be16(list);
        uint32_t type = little ? le16(list + 2) : be16(list + 2);
        uint32_t value = little ? le16(list + 8) : be16(list + 8);
        if (tag == TAG_ORIENTATION)
            return type == TIFF_SHORT && value >= 1 && value <= 8 ? (uint8_t)value : 1;
    }
    return 1;
}

static void tiff_write(uint8_t orientation, uint8_t tiff[static TIFF_SIZE])
{
    static const uint8_t form[TIFF_SIZE] = {
        'M', 'M',  0, '*',        0, 0, 0, 8, /* the list's place */
        0,   1,                               /* one entry: */
        1,   0x12, 0, TIFF_SHORT, 0, 0, 0, 1};
    memcpy(tiff, form, TIFF_SIZE);
    tiff[19] = orientation;
}

/* ---- JPEG (ITU-T T.81, annex B) ---------------------------------------------------------------
 */

enum {
    JPEG_RST0 = 0xD0,
    JPEG_RST7 = 0xD7,
    JPEG_EOI = 0xD9,
    JPEG_SOS = 0xDA,
    JPEG_DQT = 0xDB,
    JPEG_DRI = 0xDD,
    JPEG_APP0 = 0xE0,
    JPEG_APP1 = 0xE1,
    JPEG_APP2 = 0xE2,
    JPEG_APP14 = 0xEE,
};

static bool jpeg_is_frame(uint8_t marker)
{
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

/* A segment of so many bytes behind its length. */
static void jpeg_keep(struct strip *s, uint8_t marker, const uint8_t *body, size_t size)
{
    uint8_t head[4] = {0xFF, marker, (uint8_t)((size + 2) >> 8), (uint8_t)(size + 2)};
    keep_bytes(s, head, sizeof head);
    keep_bytes(s, body, size);
}

static void jpeg_exif(struct strip *s, sotto_bytes body)
{
    uint8_t exif[6 + TIFF_SIZE] = "Exif\0";
    if (!starts(body, "Exif\0", 6) || s->picture.orientation != 1)
        return;
    s->picture.orientation = tiff_orientation(sotto_bytes_of(body.data + 6, body.size - 6));
    if (s->picture.orientation == 1)
        return;
    tiff_write(s->picture.orientation, exif + 6);
    jpeg_keep(s, JPEG_APP1, exif, sizeof exif);
}

static void jpeg_segment(struct strip *s, uint8_t marker, sotto_bytes body, bool *framed)
{
    uint8_t jfif[14];
    if (jpeg_is_frame(marker)) {
        if (body.size < 6)
            reader_fail(&s->in, SOTTO_LENGTH, "JPEG.frame");
        else if (!*framed)
            size_take(s, be16(body.data + 3), be16(body.data + 1), "JPEG.frame: size");
        *framed = true;
    }
    if (marker == JPEG_APP1) {
        jpeg_exif(s, body);
    } else if (marker == JPEG_APP0) {
        if (starts(body, "JFIF", 5) && body.size >= sizeof jfif) {
            memcpy(jfif, body.data, sizeof jfif);
            jfif[12] = jfif[13] = 0; /* no thumbnail */
            jpeg_keep(s, marker, jfif, sizeof jfif);
        }
    } else if (marker == JPEG_APP2) {
        if (starts(body, "ICC_PROFILE", 12))
            jpeg_keep(s, marker, body.data, body.size);
    } else if (marker == JPEG_APP14) {
        if (starts(body, "Adobe", 5) && body.size >= 12) /* says which colours these are */
            jpeg_keep(s, marker, body.data, 12);
    } else if ((marker >= 0xC0 && marker <= 0xCF && marker != 0xC8) ||
               (marker >= JPEG_SOS && marker <= 0xDF))
        jpeg_keep(s, marker, body.data, body.size);
}

/* The coded bytes behind a scan's header, up to the next marker; or to the end: a picture that was
 * cut there can be shown as far as it goes. */
static void jpeg_scan(struct strip *s)
{
    const uint8_t *start = s->in.start + s->in.pos;
    const size_t size = s->in.end - s->in.pos;
    size_t at = 0;
    for (; at < size; at++) {
        if (start[at] != 0xFF || at + 1 == size)
            continue;
        uint8_t next = start[at + 1];
        if (next != 0 && (next < JPEG_RST0 || next > JPEG_RST7))
            break;
        at++; /* both bytes are of the scan */
    }
    if (at > size)
        at = size;
    if (at == size && size > 0 && start[size - 1] == 0xFF)
        at--; /* half a marker */
    keep_bytes(s, start, at);
    s->in.pos += at < size && start[at] == 0xFF && at + 1 < size ? at : size;
}

static void jpeg_walk(struct strip *s)
{
    static const uint8_t soi[2] = {0xFF, 0xD8}, eoi[2] = {0xFF, JPEG_EOI};
    bool framed = false, scanned = false;
    (void)reader_fixed(&s->in, 2, "JPEG");
    keep_bytes(s, soi, sizeof soi);
    while (reader_ok(&s->in) && (reader_more(&s->in) || !scanned)) {
        if (reader_u8(&s->in, "JPEG.marker") != 0xFF)
            reader_fail(&s->in, SOTTO_VALUE, "JPEG.marker");
        uint8_t marker = 0xFF;
        while (reader_ok(&s->in) && marker == 0xFF)
            marker = reader_u8(&s->in, "JPEG.marker");
        if (marker == JPEG_EOI)
            break;
        if (marker < 0xC0 || (marker >= JPEG_RST0 && marker < JPEG_SOS))
            reader_fail(&s->in, SOTTO_VALUE, "JPEG.marker");
        uint16_t size = reader_u16(&s->in, "JPEG.length");
        if (reader_ok(&s->in) && size < 2)
            reader_fail(&s->in, SOTTO_LENGTH, "JPEG.length");
        sotto_bytes body = reader_fixed(&s->in, reader_ok(&s->in) ? size - 2u : 0, "JPEG.segment");
        if (!reader_ok(&s->in))
            return;
        if (marker == JPEG_SOS && !framed)
            reader_fail(&s->in, SOTTO_VALUE, "JPEG.scan: before the frame");
        jpeg_segment(s, marker, body, &framed);
        if (marker == JPEG_SOS && reader_ok(&s->in)) {
            scanned = true;
            jpeg_scan(s);
        }
    }
    if (reader_ok(&s->in) && !scanned)
        reader_fail(&s->in, SOTTO_TRUNCATED, "JPEG.scan");
    keep_bytes(s, eoi, sizeof eoi);
}

/* ---- PNG (third edition, section 5) -----------------------------------------------------------
 */

static const uint8_t png_signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};

static uint32_t png_crc(const uint8_t *bytes, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = (crc & 1) != 0 ? 0xEDB88320u ^ crc >> 1 : crc >> 1;
    }
    return ~crc;
}

static void png_exif(struct strip *s, sotto_bytes body)
{
    uint8_t chunk[4 + 4 + TIFF_SIZE + 4] = {0, 0, 0, TIFF_SIZE, 'e', 'X', 'I', 'f'};
    if (s->picture.orientation != 1)
        return;
    s->picture.orientation = tiff_orientation(body);
    if (s->picture.orientation == 1)
        return;
    tiff_write(s->picture.orientation, chunk + 8);
    be32_put(chunk + 8 + TIFF_SIZE, png_crc(chunk + 4, 4 + TIFF_SIZE));
    keep_bytes(s, chunk, sizeof chunk);
}

static void png_walk(struct strip *s)
{
    static const char *const kept[] = {"IHDR", "PLTE", "IDAT", "IEND", "tRNS", "cHRM",
                                       "gAMA", "iCCP", "sBIT", "sRGB", "cICP", "mDCV",
                                       "cLLI", "bKGD", "pHYs", "acTL", "fcTL", "fdAT"};
    bool first = true, data = false, end = false;
    keep(s, reader_fixed(&s->in, sizeof png_signature, "PNG"));
    while (!end && reader_ok(&s->in)) {
        size_t from = s->in.pos;
        uint32_t size = reader_u32(&s->in, "PNG.length");
        sotto_bytes type = reader_fixed(&s->in, 4, "PNG.type");
        sotto_bytes body = reader_fixed(&s->in, size, "PNG.chunk");
        (void)reader_u32(&s->in, "PNG.crc");
        if (!reader_ok(&s->in))
            return;
        if (first && (!starts(type, "IHDR", 4) || size != 13))
            reader_fail(&s->in, SOTTO_VALUE, "PNG.IHDR");
        else if (first)
            size_take(s, be32(body.data), be32(body.data + 4), "PNG.IHDR: size");
        first = false;
        end = starts(type, "IEND", 4);
        data |= starts(type, "IDAT", 4);
        if (starts(type, "eXIf", 4))
            png_exif(s, body);
        else if (is_one_of(type.data, kept, sizeof kept / sizeof *kept))
            keep(s, reader_since(&s->in, from));
    }
    if (!data)
        reader_fail(&s->in, SOTTO_VALUE, "PNG.IDAT");
}

/* ---- WebP (RFC 9649) --------------------------------------------------------------------------
 */

enum { WEBP_HAS_XMP = 0x04, WEBP_HAS_EXIF = 0x08, WEBP_FRAME_HEAD = 16 };

/* The next chunk of a reader; its padding is passed over. */
static bool webp_chunk(struct reader *in, sotto_bytes *type, sotto_bytes *body)
{
    *type = reader_fixed(in, 4, "WebP.type");
    sotto_bytes size = reader_fixed(in, 4, "WebP.size");
    *body = reader_fixed(in, reader_ok(in) ? le32(size.data) : 0, "WebP.chunk");
    if (reader_ok(in) && body->size % 2 == 1 && reader_more(in)) /* some writers forget the last */
        (void)reader_u8(in, "WebP.padding");
    return reader_ok(in);
}

static void webp_keep(struct strip *s, const char *type, sotto_bytes body)
{
    static const uint8_t padding = 0;
    uint8_t head[8];
    memcpy(head, type, 4);
    le32_put(head + 4, (uint32_t)body.size);
    keep_bytes(s, head, sizeof head);
    keep(s, body);
    keep_bytes(s, &padding, body.size % 2);
}

/* The size in a frame's own bytes, where there is no VP8X. */
static void webp_frame_size(struct strip *s, sotto_bytes type, sotto_bytes body)
{
    if (starts(type, "VP8 ", 4)) {
        if (body.size < 10 || memcmp(body.data + 3, "\x9D\x01\x2A", 3) != 0)
            reader_fail(&s->in, SOTTO_VALUE, "WebP.VP8");
        else
            size_take(s, le16(body.data + 6) & 0x3FFF, le16(body.data + 8) & 0x3FFF,
                      "WebP.VP8: size");
    } else if (body.size < 5 || body.data[0] != 0x2F)
        reader_fail(&s->in, SOTTO_VALUE, "WebP.VP8L");
    else
        size_take(s, (le32(body.data + 1) & 0x3FFF) + 1, (le32(body.data + 1) >> 14 & 0x3FFF) + 1,
                  "WebP.VP8L: size");
}

/* A frame of an animation has chunks of its own. */
static void webp_frame(struct strip *s, sotto_bytes body)
{
    static const char *const kept[] = {"ALPH", "VP8 ", "VP8L"};
    struct reader in;
    sotto_bytes type, inner;
    uint8_t head[8] = "ANMF";
    if (body.size < WEBP_FRAME_HEAD) {
        reader_fail(&s->in, SOTTO_LENGTH, "WebP.ANMF");
        return;
    }
    const size_t start = written(s);
    keep_bytes(s, head, sizeof head);
    keep_bytes(s, body.data, WEBP_FRAME_HEAD);
    reader_init(&in, sotto_bytes_of(body.data + WEBP_FRAME_HEAD, body.size - WEBP_FRAME_HEAD));
    while (reader_more(&in) && webp_chunk(&in, &type, &inner))
        if (is_one_of(type.data, kept, sizeof kept / sizeof *kept))
            webp_keep(s, (const char *)type.data, inner);
    if (!reader_ok(&in))
        reader_fail(&s->in, in.fault.error, "WebP.ANMF");
    if (s->out != NULL && s->error == SOTTO_OK && reader_ok(&s->in))
        le32_put(s->out->data + start + 4, (uint32_t)(written(s) - start - 8));
}

struct webp {
    size_t flags; /* where VP8X's are in the output; 0: nowhere */
    bool extended, shown;
};

static void webp_exif(struct strip *s, struct webp *webp, sotto_bytes body)
{
    uint8_t tiff[TIFF_SIZE];
    if (!webp->extended || s->picture.orientation != 1)
        return;
    bool prefixed = starts(body, "Exif\0", 6);
    s->picture.orientation =
        tiff_orientation(prefixed ? sotto_bytes_of(body.data + 6, body.size - 6) : body);
    if (s->picture.orientation == 1)
        return;
    tiff_write(s->picture.orientation, tiff);
    webp_keep(s, "EXIF", sotto_bytes_of(tiff, sizeof tiff));
    if (s->out != NULL && s->error == SOTTO_OK && reader_ok(&s->in))
        s->out->data[webp->flags] |= WEBP_HAS_EXIF;
}

static void webp_extended(struct strip *s, struct webp *webp, sotto_bytes body)
{
    uint8_t copy[10];
    if (body.size < sizeof copy || webp->extended || webp->shown) {
        reader_fail(&s->in, SOTTO_VALUE, "WebP.VP8X");
        return;
    }
    memcpy(copy, body.data, sizeof copy);
    copy[0] &= (uint8_t) ~(WEBP_HAS_EXIF | WEBP_HAS_XMP);
    webp->extended = true;
    webp->flags = written(s) + 8;
    size_take(s, le24(copy + 4) + 1, le24(copy + 7) + 1, "WebP.VP8X: size");
    webp_keep(s, "VP8X", sotto_bytes_of(copy, sizeof copy));
}

static void webp_walk(struct strip *s)
{
    static const char *const kept[] = {"ALPH", "ANIM", "ICCP"};
    struct webp webp = {0};
    sotto_bytes type, body;
    const size_t start = written(s);
    sotto_bytes head = reader_fixed(&s->in, 12, "WebP");
    if (!reader_ok(&s->in))
        return;
    uint32_t size = le32(head.data + 4);
    if (size < 4 || size - 4 > s->in.end - s->in.pos)
        reader_fail(&s->in, SOTTO_TRUNCATED, "WebP.size");
    else
        s->in.end = s->in.pos + size - 4; /* what follows is no picture */
    keep(s, head);
    while (reader_more(&s->in) && webp_chunk(&s->in, &type, &body)) {
        bool frame = starts(type, "VP8 ", 4) || starts(type, "VP8L", 4);
        if (starts(type, "VP8X", 4))
            webp_extended(s, &webp, body);
        else if (starts(type, "EXIF", 4))
            webp_exif(s, &webp, body);
        else if (starts(type, "ANMF", 4))
            webp_frame(s, body);
        else if (frame || is_one_of(type.data, kept, sizeof kept / sizeof *kept))
            webp_keep(s, (const char *)type.data, body);
        if (frame && !webp.extended && !webp.shown)
            webp_frame_size(s, type, body);
        webp.shown |= frame || starts(type, "ANMF", 4);
    }
    if (!webp.shown)
        reader_fail(&s->in, SOTTO_VALUE, "WebP: no frame");
    if (s->out != NULL && s->error == SOTTO_OK && reader_ok(&s->in))
        le32_put(s->out->data + start + 4, (uint32_t)(written(s) - start - 8));
}

/* ---- GIF (89a) --------------------------------------------------------------------------------
 */

enum {
    GIF_IMAGE = 0x2C,
    GIF_EXTENSION = 0x21,
    GIF_TRAILER = 0x3B,
    GIF_GRAPHIC_CONTROL = 0xF9,
    GIF_APPLICATION = 0xFF,
};

/* A table of colours, if the flags say that there is one. */
static void gif_table(struct reader *in, uint8_t flags)
{
    if ((flags & 0x80) != 0)
        (void)reader_fixed(in, (size_t)3 << ((flags & 7) + 1), "GIF.colours");
}

static void gif_blocks(struct reader *in)
{
    uint8_t size = 1;
    while (reader_ok(in) && size > 0) {
        size = reader_u8(in, "GIF.block");
        (void)reader_fixed(in, size, "GIF.block");
    }
}

/* The loop count of an animation is the only word of an application that is kept. */
static bool gif_is_loop(sotto_bytes extension)
{
    return extension.size >= 14 && (memcmp(extension.data + 3, "NETSCAPE2.0", 11) == 0 ||
                                    memcmp(extension.data + 3, "ANIMEXTS1.0", 11) == 0);
}

static void gif_extension(struct strip *s, size_t from)
{
    uint8_t label = reader_u8(&s->in, "GIF.extension");
    gif_blocks(&s->in);
    sotto_bytes whole = reader_since(&s->in, from);
    bool loop = label == GIF_APPLICATION && gif_is_loop(whole);
    if (loop && whole.size >= 19) { /* one block of three bytes */
        uint8_t copy[19];
        memcpy(copy, whole.data, sizeof copy - 1);
        copy[2] = 11;
        copy[14] = 3;
        copy[18] = 0;
        keep_bytes(s, copy, sizeof copy);
    } else if (label == GIF_GRAPHIC_CONTROL && whole.size == 8)
        keep(s, whole);
}

static void gif_walk(struct strip *s)
{
    static const uint8_t trailer = GIF_TRAILER;
    bool shown = false;
    sotto_bytes head = reader_fixed(&s->in, 13, "GIF");
    if (!reader_ok(&s->in))
        return;
    size_take(s, le16(head.data + 6), le16(head.data + 8), "GIF: size");
    gif_table(&s->in, head.data[10]);
    keep(s, reader_since(&s->in, 0));
    while (reader_more(&s->in)) {
        size_t from = s->in.pos;
        uint8_t what = reader_u8(&s->in, "GIF.block");
        if (what == GIF_TRAILER)
            break;
        if (what == GIF_EXTENSION) {
            gif_extension(s, from);
            continue;
        }
        if (what != GIF_IMAGE) {
            reader_fail(&s->in, SOTTO_VALUE, "GIF.block");
            break;
        }
        sotto_bytes image = reader_fixed(&s->in, 9, "GIF.image");
        gif_table(&s->in, reader_ok(&s->in) ? image.data[8] : 0);
        (void)reader_u8(&s->in, "GIF.image");
        gif_blocks(&s->in);
        keep(s, reader_since(&s->in, from));
        shown = true;
    }
    if (!shown)
        reader_fail(&s->in, SOTTO_VALUE, "GIF: no image");
    keep_bytes(s, &trailer, 1);
}

/* ---- All four ---------------------------------------------------------------------------------
 */

bool picture_type_of(sotto_bytes start, enum picture_type *type)
{
    if (starts(start, "\xFF\xD8\xFF", 3))
        *type = PICTURE_JPEG;
    else if (starts(start, (const char *)png_signature, sizeof png_signature))
        *type = PICTURE_PNG;
    else if (starts(start, "RIFF", 4) && start.size >= 12 && memcmp(start.data + 8, "WEBP", 4) == 0)
        *type = PICTURE_WEBP;
    else if (starts(start, "GIF87a", 6) || starts(start, "GIF89a", 6))
        *type = PICTURE_GIF;
    else
        return false;
    return true;
}

const char *picture_media_type(enum picture_type type)
{
    switch (type) {
    case PICTURE_JPEG:
        return "image/jpeg";
    case PICTURE_PNG:
        return "image/png";
    case PICTURE_WEBP:
        return "image/webp";
    case PICTURE_GIF:
        return "image/gif";
    }
    return "application/octet-stream";
}

static sotto_error walk(sotto_bytes file, struct picture *picture, sotto_buf *out,
                        sotto_fault *fault)
{
    static void (*const walks[])(struct strip *) = {
        [PICTURE_JPEG] = jpeg_walk,
        [PICTURE_PNG] = png_walk,
        [PICTURE_WEBP] = webp_walk,
        [PICTURE_GIF] = gif_walk,
    };
    struct strip s = {.out = out, .picture = {.orientation = 1}};
    if (file.size > PICTURE_MAX || !picture_type_of(file, &s.picture.type)) {
        fault->error = file.size > PICTURE_MAX ? SOTTO_LIMIT : SOTTO_UNSUPPORTED;
        fault->what = "picture";
        fault->offset = 0;
        return fault->error;
    }
    reader_init(&s.in, file);
    walks[s.picture.type](&s);
    if (!reader_ok(&s.in)) {
        *fault = s.in.fault;
        return fault->error;
    }
    if (s.error != SOTTO_OK) {
        *fault = (sotto_fault){.error = s.error, .what = "picture"};
        return s.error;
    }
    *picture = s.picture;
    return SOTTO_OK;
}

sotto_error picture_look(sotto_bytes file, struct picture *picture, sotto_fault *fault)
{
    return walk(file, picture, NULL, fault);
}

sotto_error picture_strip(sotto_bytes file, struct picture *picture, sotto_buf *out,
                          sotto_fault *fault)
{
    return walk(file, picture, out, fault);
}
