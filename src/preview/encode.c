#include "preview/preview.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

struct failure {
    struct jpeg_error_mgr base;
    jmp_buf back;
};

static void on_error(j_common_ptr info)
{
    longjmp(((struct failure *)info->err)->back, 1);
}

static void on_message(j_common_ptr info)
{
    (void)info;
}

static bool encode_at(const struct pixels *from, int quality, uint8_t **file, size_t *size)
{
    struct jpeg_compress_struct info;
    struct failure failure;
    unsigned char *bytes = NULL;
    unsigned long length = 0;
    info.err = jpeg_std_error(&failure.base);
    failure.base.error_exit = on_error;
    failure.base.output_message = on_message;
    if (setjmp(failure.back) != 0) {
        jpeg_destroy_compress(&info);
        return false;
    }
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &bytes, &length);
    info.image_width = from->width;
    info.image_height = from->height;
    info.input_components = 3;
    info.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, quality, TRUE);
    info.optimize_coding = TRUE;
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
        JSAMPROW row = from->rgb + (size_t)3 * info.next_scanline * from->width;
        (void)jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    *file = bytes;
    *size = length;
    return true;
}

bool encode_jpeg(const struct pixels *from, uint8_t **file, size_t *size)
{
    for (int quality = 80; quality >= 20; quality -= 15) {
        if (!encode_at(from, quality, file, size))
            return false;
        if (*size <= PREVIEW_MAX)
            return true;
        free(*file);
    }
    return false;
}
