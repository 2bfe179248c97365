#include "cli/cli.h"

#ifdef HAVE_QRENCODE
#include <qrencode.h>

/* Two rows of modules a line of text; the quiet zone of four modules is part of the standard. */
void qr_print(FILE *out, const char *text)
{
    const int quiet = 4;
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
    if (code == NULL)
        return;
    for (int y = -quiet; y < code->width + quiet; y += 2) {
        for (int x = -quiet; x < code->width + quiet; x++) {
            bool dark[2];
            for (int half = 0; half < 2; half++) {
                int row = y + half;
                dark[half] = x >= 0 && x < code->width && row >= 0 && row < code->width &&
                             (code->data[row * code->width + x] & 1) != 0;
            }
            /* Light modules are drawn, so that it reads on a dark terminal. */
            fputs(dark[0] ? (dark[1] ? " " : "\xE2\x96\x84")
                          : (dark[1] ? "\xE2\x96\x80" : "\xE2\x96\x88"),
                  out);
        }
        fputc('\n', out);
    }
    QRcode_free(code);
}
#else
void qr_print(FILE *out, const char *text)
{
    (void)out;
    (void)text;
}
#endif
