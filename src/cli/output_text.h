/* What the files of the output for people share. All text from others goes through clean_print. */
#ifndef CLI_OUTPUT_TEXT_H
#define CLI_OUTPUT_TEXT_H

#include "cli/cli.h"

/* Local, to the minute. */
void time_print(uint64_t seconds);

/* output_relay.c */
void text_relay(struct cli *cli, const struct sotto_relay *relay);
void text_evidence(struct cli *cli, const struct sotto_order_evidence *evidence);
void text_told(struct cli *cli, const struct sotto_notice *notice);

#endif
