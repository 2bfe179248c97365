#include "preview/preview.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gif_lib.h>
#include <jpeglib.h>
#include <png.h>
#include <webp/decode.h>
#include <webp/demux.h>

static bool fits(uint64_t width, uint64_t height)
{
    return width > 0 && height > 0 && width * height <= PREVIEW_PIXELS;
}

/* Red, green, blue, opacity, on white. */
static bool from_rgba(const uint8_t *rgba, uint32_t width, uint32_t height, struct pixels *out)
{
    const size_t count = (size_t)width * height;
    out->rgb = malloc(count * 3);
    if (out->rgb == NULL)
        return false;
    out->width = width;
    out->height = height;
    for (size_t i = 0; i < count; i++) {
        const unsigned alpha = rgba[4 * i + 3];
        for (unsigned k = 0; k < 3; k++)
            out->rgb[3 * i + k] =
                (uint8_t)((rgba[4 * i + k] * alpha + 255u * (255u - alpha) + 127u) / 255u);
    }
    return true;
}

/* ---- JPEG ------------------------------------------------------------------------------------ */

struct failure {
    struct jpeg_error_mgr base;
    jmp_buf back;
};

static void on_jpeg_error(j_common_ptr info)
{
    longjmp(((struct failure *)info->err)->back, 1);
}

static void on_jpeg_message(j_common_ptr info)
{
    (void)info;
}

/* Inks, as Adobe writes them: 255 is none. */
static void inks_to_rgb(const uint8_t *from, uint8_t *to, uint32_t width)
{
    for (uint32_t x = 0; x < width; x++)
        for (unsigned k = 0; k < 3; k++)
            to[3 * x + k] = (uint8_t)(from[4 * x + k] * from[4 * x + 3] / 255u);
}

/* Rows into out->rgb; row has room for one of four colours. */
static void jpeg_rows(struct jpeg_decompress_struct *info, uint8_t *row, struct pixels *out)
{
    while (info->output_scanline < info->output_height) {
        uint8_t *to = out->rgb + (size_t)3 * info->output_scanline * out->width;
        JSAMPROW at = info->output_components == 4 ? row : to;
        (void)jpeg_read_scanlines(info, &at, 1);
        if (info->output_components == 4)
            inks_to_rgb(row, to, out->width);
    }
}

bool decode_jpeg(const uint8_t *file, size_t size, struct pixels *out)
{
    struct jpeg_decompress_struct info;
    struct failure failure;
    uint8_t *volatile row = NULL;
    info.err = jpeg_std_error(&failure.base);
    failure.base.error_exit = on_jpeg_error;
    failure.base.output_message = on_jpeg_message;
    if (setjmp(failure.back) != 0) {
        jpeg_destroy_decompress(&info);
        free(row);
        return false;
    }
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, file, (unsigned long)size);
    (void)jpeg_read_header(&info, TRUE);
    info.out_color_space = info.num_components == 4 ? JCS_CMYK : JCS_RGB;
    const JDIMENSION longest =
        info.image_width > info.image_height ? info.image_width : info.image_height;
    info.scale_denom = 8;
    while (info.scale_denom > 1 && longest / info.scale_denom < PREVIEW_SIDE)
        info.scale_denom /= 2;
    (void)jpeg_start_decompress(&info);
    out->width = info.output_width;
    out->height = info.output_height;
    row = calloc(out->width, 4);
    out->rgb = calloc((size_t)out->width * out->height, 3);
    if (row == NULL || out->rgb == NULL || !fits(out->width, out->height))
        on_jpeg_error((j_common_ptr)&info);
    jpeg_rows(&info, row, out);
    (void)jpeg_finish_decompress(&info);
    jpeg_destroy_decompress(&info);
    free(row);
    return true;
}

/* ---- PNG ------------------------------------------------------------------------------------- */

bool decode_png(const uint8_t *file, size_t size, struct pixels *out)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (png_image_begin_read_from_memory(&image, file, size) == 0)
        return false;
    image.format = PNG_FORMAT_RGBA;
    uint8_t *rgba = fits(image.width, image.height) ? malloc(PNG_IMAGE_SIZE(image)) : NULL;
    bool good = rgba != NULL && png_image_finish_read(&image, NULL, rgba, 0, NULL) != 0 &&
                from_rgba(rgba, image.width, image.height, out);
    png_image_free(&image);
    free(rgba);
    return good;
}

/* ---- WebP ------------------------------------------------------------------------------------ */

static bool decode_animation(const uint8_t *file, size_t size, struct pixels *out)
{
    const WebPData data = {file, size};
    WebPAnimInfo info;
    uint8_t *rgba = NULL;
    int when = 0;
    WebPAnimDecoder *decoder = WebPAnimDecoderNew(&data, NULL);
    bool good = decoder != NULL && WebPAnimDecoderGetInfo(decoder, &info) != 0 &&
                WebPAnimDecoderGetNext(decoder, &rgba, &when) != 0 &&
                from_rgba(rgba, info.canvas_width, info.canvas_height, out);
    if (decoder != NULL)
        WebPAnimDecoderDelete(decoder);
    return good;
}

bool decode_webp(const uint8_t *file, size_t size, struct pixels *out)
{
    WebPDecoderConfig config;
    if (WebPInitDecoderConfig(&config) == 0 ||
        WebPGetFeatures(file, size, &config.input) != VP8_STATUS_OK ||
        !fits((uint64_t)config.input.width, (uint64_t)config.input.height))
        return false;
    if (config.input.has_animation != 0)
        return decode_animation(file, size, out);
    const int longest =
        config.input.width > config.input.height ? config.input.width : config.input.height;
    if (longest > 2 * PREVIEW_SIDE) { /* the rest is ours: a mean is smoother */
        config.options.use_scaling = 1;
        config.options.scaled_width =
            (int)((int64_t)config.input.width * 2 * PREVIEW_SIDE / longest);
        config.options.scaled_height =
            (int)((int64_t)config.input.height * 2 * PREVIEW_SIDE / longest);
        config.options.scaled_width += config.options.scaled_width == 0;
        config.options.scaled_height += config.options.scaled_height == 0;
    }
    config.output.colorspace = MODE_RGBA;
    bool good = WebPDecode(file, size, &config) == VP8_STATUS_OK &&
                config.output.u.RGBA.stride == 4 * config.output.width &&
                from_rgba(config.output.u.RGBA.rgba, (uint32_t)config.output.width,
                          (uint32_t)config.output.height, out);
    WebPFreeDecBuffer(&config.output);
    return good;
}

/* ---- GIF ------------------------------------------------------------------------------------- */

struct rest {
    const uint8_t *at;
    size_t size;
};

static int gif_read(GifFileType *gif, GifByteType *to, int size)
{
    struct rest *rest = gif->UserData;
    size_t take = (size_t)size < rest->size ? (size_t)size : rest->size;
    memcpy(to, rest->at, take);
    rest->at += take;
    rest->size -= take;
    return (int)take;
}

static void gif_row(const GifFileType *gif, const uint8_t *row, uint32_t y, int transparent,
                    struct pixels *out)
{
    const ColorMapObject *colours =
        gif->Image.ColorMap != NULL ? gif->Image.ColorMap : gif->SColorMap;
    for (uint32_t x = 0; x < (uint32_t)gif->Image.Width; x++) {
        const uint64_t column = (uint64_t)gif->Image.Left + x, line = (uint64_t)gif->Image.Top + y;
        if (colours == NULL || row[x] == transparent || row[x] >= colours->ColorCount ||
            column >= out->width || line >= out->height)
            continue;
        const GifColorType *colour = &colours->Colors[row[x]];
        uint8_t *to = out->rgb + 3 * (line * out->width + column);
        to[0] = colour->Red;
        to[1] = colour->Green;
        to[2] = colour->Blue;
    }
}

/* The first picture of the file, on white. */
static bool gif_frame(GifFileType *gif, int transparent, struct pixels *out)
{
    static const unsigned starts[] = {0, 4, 2, 1}, steps[] = {8, 8, 4, 2};
    if (DGifGetImageDesc(gif) == GIF_ERROR ||
        !fits((uint64_t)gif->Image.Width, (uint64_t)gif->Image.Height))
        return false;
    const uint32_t width = (uint32_t)gif->Image.Width, height = (uint32_t)gif->Image.Height;
    uint8_t *row = malloc(width);
    bool good = row != NULL;
    for (unsigned pass = 0; pass < (gif->Image.Interlace ? 4u : 1u) && good; pass++) {
        const unsigned step = gif->Image.Interlace ? steps[pass] : 1;
        for (uint32_t y = gif->Image.Interlace ? starts[pass] : 0; y < height && good; y += step) {
            good = DGifGetLine(gif, row, (int)width) != GIF_ERROR;
            if (good)
                gif_row(gif, row, y, transparent, out);
        }
    }
    free(row);
    return good;
}

static bool gif_find(GifFileType *gif, struct pixels *out)
{
    GifRecordType type;
    int transparent = -1;
    while (DGifGetRecordType(gif, &type) != GIF_ERROR && type != TERMINATE_RECORD_TYPE) {
        GifByteType *extension = NULL;
        int code = 0;
        if (type == IMAGE_DESC_RECORD_TYPE)
            return gif_frame(gif, transparent, out);
        if (type != EXTENSION_RECORD_TYPE || DGifGetExtension(gif, &code, &extension) == GIF_ERROR)
            return false;
        if (code == GRAPHICS_EXT_FUNC_CODE && extension != NULL && extension[0] == 4 &&
            (extension[1] & 1) != 0)
            transparent = extension[4];
        while (extension != NULL)
            if (DGifGetExtensionNext(gif, &extension) == GIF_ERROR)
                return false;
    }
    return false;
}

bool decode_gif(const uint8_t *file, size_t size, struct pixels *out)
{
    struct rest rest = {file, size};
    int code = 0;
    GifFileType *gif = DGifOpen(&rest, gif_read, &code);
    if (gif == NULL)
        return false;
    out->width = (uint32_t)gif->SWidth;
    out->height = (uint32_t)gif->SHeight;
    const size_t bytes = (size_t)out->width * out->height * 3;
    out->rgb = fits(out->width, out->height) ? malloc(bytes) : NULL;
    if (out->rgb != NULL)
        memset(out->rgb, 255, bytes);
    bool good = out->rgb != NULL && gif_find(gif, out);
    (void)DGifCloseFile(gif, &code);
    return good;
}
