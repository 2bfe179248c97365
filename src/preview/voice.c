#include "preview/preview.h"

#include <stdlib.h>
#include <string.h>

#include <opusfile.h>

enum {
    RATE = 48000, /* samples a second, whatever was recorded: opusfile's */
    CHANNELS = 2,
    BLOCK = 11520, /* the longest packet, in values */
};

/* The loudest value of each part. */
static bool peaks_find(OggOpusFile *file, ogg_int64_t total, uint16_t peaks[static VOICE_PEAKS])
{
    opus_int16 block[BLOCK];
    ogg_int64_t at = 0;
    for (;;) {
        int count = op_read_stereo(file, block, BLOCK);
        if (count <= 0)
            return count == 0;
        for (int i = 0; i < CHANNELS * count; i++) {
            ogg_int64_t part = (at + i / CHANNELS) * VOICE_PEAKS / total;
            int loud = abs(block[i]);
            if (part < VOICE_PEAKS && loud > peaks[part])
                peaks[part] = (uint16_t)loud;
        }
        at += count;
    }
}

bool voice_measure(const uint8_t *file, size_t size, uint8_t out[static VOICE_SIZE])
{
    uint16_t peaks[VOICE_PEAKS] = {0};
    int error = 0;
    OggOpusFile *opus = op_open_memory(file, size, &error);
    if (opus == NULL)
        return false;
    ogg_int64_t total = op_pcm_total(opus, -1);
    bool good =
        total > 0 && total < (ogg_int64_t)RATE * 24 * 3600 && peaks_find(opus, total, peaks);
    op_free(opus);
    if (!good)
        return false;
    const uint32_t ms = (uint32_t)(total * 1000 / RATE);
    uint16_t loudest = 1;
    for (unsigned i = 0; i < VOICE_PEAKS; i++)
        loudest = peaks[i] > loudest ? peaks[i] : loudest;
    for (unsigned i = 0; i < 4; i++)
        out[i] = (uint8_t)(ms >> (24 - 8 * i));
    for (unsigned i = 0; i < VOICE_PEAKS; i++)
        out[4 + i] = (uint8_t)((uint32_t)peaks[i] * 255 / loudest);
    return true;
}
