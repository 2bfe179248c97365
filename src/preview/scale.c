#include "preview/preview.h"

#include <stdlib.h>

/* The mean of the pixels that one pixel of the smaller picture covers. */
static void mean_of(const struct pixels *from, const struct pixels *to, uint32_t x, uint32_t y,
                    uint8_t rgb[static 3])
{
    uint32_t left = (uint32_t)((uint64_t)x * from->width / to->width);
    uint32_t right = (uint32_t)((uint64_t)(x + 1) * from->width / to->width);
    uint32_t top = (uint32_t)((uint64_t)y * from->height / to->height);
    uint32_t bottom = (uint32_t)((uint64_t)(y + 1) * from->height / to->height);
    uint64_t sum[3] = {0};
    right += right == left;
    bottom += bottom == top;
    const uint64_t count = (uint64_t)(right - left) * (bottom - top); /* one at least */
    if (count == 0)
        abort(); /* our own bug */
    for (uint32_t row = top; row < bottom; row++)
        for (uint32_t column = left; column < right; column++) {
            const uint8_t *at = from->rgb + 3 * ((size_t)row * from->width + column);
            for (unsigned i = 0; i < 3; i++)
                sum[i] += at[i];
        }
    for (unsigned i = 0; i < 3; i++)
        rgb[i] = (uint8_t)((sum[i] + count / 2) / count);
}

/* Where a pixel goes (EXIF 2.32, 4.6.4, Orientation). */
static size_t place_of(uint8_t orientation, const struct pixels *small, uint32_t x, uint32_t y)
{
    const uint32_t right = small->width - 1 - x, bottom = small->height - 1 - y;
    const size_t width = small->width, height = small->height;
    switch (orientation) {
    case 2:
        return y * width + right;
    case 3:
        return bottom * width + right;
    case 4:
        return bottom * width + x;
    case 5:
        return x * height + y;
    case 6:
        return x * height + bottom;
    case 7:
        return right * height + bottom;
    case 8:
        return right * height + y;
    default:
        return y * width + x;
    }
}

bool scale_down(const struct pixels *from, uint8_t orientation, struct pixels *out)
{
    struct pixels small = {.width = from->width, .height = from->height};
    const uint32_t longest = from->width > from->height ? from->width : from->height;
    if (longest > PREVIEW_SIDE) {
        small.width = (uint32_t)((uint64_t)from->width * PREVIEW_SIDE / longest);
        small.height = (uint32_t)((uint64_t)from->height * PREVIEW_SIDE / longest);
    }
    small.width += small.width == 0;
    small.height += small.height == 0;
    out->rgb = malloc((size_t)small.width * small.height * 3);
    if (out->rgb == NULL)
        return false;
    for (uint32_t y = 0; y < small.height; y++)
        for (uint32_t x = 0; x < small.width; x++)
            mean_of(from, &small, x, y, out->rgb + 3 * place_of(orientation, &small, x, y));
    out->width = orientation >= 5 ? small.height : small.width;
    out->height = orientation >= 5 ? small.width : small.height;
    return true;
}
