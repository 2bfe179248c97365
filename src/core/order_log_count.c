/* What the entries of a log of orders say. */
#include <string.h>

#include "codec/writer.h"
#include "core/order_log.h"
#include "tlog/leaf.h"

enum { COUNTING_VERSION = 1 };

static void count_order(struct sotto_order_counts *counts, const struct tlog_leaf *leaf)
{
    counts->answered += leaf->outcome == TLOG_ANSWERED;
    counts->phone_numbers += leaf->phone_number;
    counts->last_ips += leaf->last_ip;
    counts->not_held += leaf->outcome == TLOG_NOT_HELD;
    counts->unknown_recipient += leaf->outcome == TLOG_UNKNOWN_RECIPIENT;
    counts->refused += leaf->outcome == TLOG_REFUSED;
}

sotto_error order_counting_add(struct order_counting *counting, sotto_bytes entry)
{
    struct sotto_order_counts *counts = &counting->counts;
    struct tlog_hash hash;
    struct tlog_leaf leaf;
    const sotto_error error = tlog_leaf_read(entry, &leaf);
    if (error != SOTTO_OK && error != SOTTO_VERSION)
        return error;
    tlog_hash_leaf(entry, &hash);
    TRY(tlog_frontier_append(&counting->frontier, &hash));
    counts->read++;
    if (error == SOTTO_VERSION)
        counts->others++;
    else if (leaf.type == TLOG_LEAF_ORDER)
        count_order(counts, &leaf);
    else if (leaf.type == TLOG_LEAF_WITHDRAWAL)
        counts->withdrawals++;
    else if (leaf.type == TLOG_LEAF_STAYING)
        counts->stayings++;
    else
        counts->left++;
    return SOTTO_OK;
}

/* ---- Kept ----------------------------------------------------------------------------------- */

enum { NUMBERS = 11 };

static void numbers_of(struct sotto_order_counts *counts, uint64_t *numbers[NUMBERS])
{
    uint64_t *const all[NUMBERS] = {
        &counts->read,     &counts->answered,    &counts->phone_numbers,
        &counts->last_ips, &counts->not_held,    &counts->unknown_recipient,
        &counts->refused,  &counts->withdrawals, &counts->stayings,
        &counts->left,     &counts->others};
    memcpy(numbers, all, sizeof all);
}

sotto_error order_counting_write(const struct order_counting *counting, sotto_buf *out)
{
    struct sotto_order_counts counts = counting->counts;
    uint64_t *numbers[NUMBERS];
    struct writer writer;
    numbers_of(&counts, numbers);
    writer_init(&writer, out);
    writer_u8(&writer, COUNTING_VERSION);
    for (size_t i = 0; i < NUMBERS; i++)
        writer_u64(&writer, *numbers[i]);
    for (size_t i = 0; i < tlog_frontier_count(&counting->frontier); i++)
        writer_fixed(&writer, sotto_bytes_of(counting->frontier.hashes[i].bytes, TLOG_HASH_SIZE));
    return writer_finish(&writer);
}

void order_counting_read(sotto_bytes bytes, struct order_counting *counting)
{
    struct order_counting read;
    uint64_t *numbers[NUMBERS];
    struct reader reader;
    memset(&read, 0, sizeof read);
    memset(counting, 0, sizeof *counting);
    numbers_of(&read.counts, numbers);
    reader_init(&reader, bytes);
    if (reader_u8(&reader, "counted.version") != COUNTING_VERSION)
        return;
    for (size_t i = 0; i < NUMBERS; i++)
        *numbers[i] = reader_u64(&reader, "counted.number");
    read.frontier.size = read.counts.read;
    for (size_t i = 0; i < tlog_frontier_count(&read.frontier); i++)
        reader_copy(&reader, read.frontier.hashes[i].bytes, TLOG_HASH_SIZE, "counted.hash");
    if (reader_finish(&reader, "counted") == SOTTO_OK)
        *counting = read;
}
