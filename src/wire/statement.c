#include "wire/statement.h"

#include <string.h>

#include "wire/fields.h"
#include "wire/proof.h"

#define LABEL "sotto.v1 statement"
enum { LABEL_SIZE = sizeof LABEL - 1 };

static void read_fields(struct reader *reader, struct statement *statement)
{
    if (reader_u8(reader, "Statement.version") != 1)
        reader_fail_at(reader, 0, SOTTO_VERSION, "Statement.version");
    uint8_t kind = reader_u8(reader, "Statement.kind");
    if (kind != STATEMENT_MOVED && kind != STATEMENT_DELETED)
        reader_fail_at(reader, 1, SOTTO_VALUE, "Statement.kind");
    statement->kind = (enum statement_kind)kind;
    reader_copy(reader, statement->account_key, SIGN_KEY_SIZE, "Statement.account_key");
    statement->number = reader_u64(reader, "Statement.number");
    statement->relay = reader_address(reader, kind == STATEMENT_DELETED, "Statement.relay");
    if (kind == STATEMENT_DELETED && statement->relay.size > 0)
        reader_fail(reader, SOTTO_VALUE, "Statement.relay");
}

static bool is_signed(sotto_bytes covered, const struct statement *statement,
                      const uint8_t signature[static SIGNATURE_SIZE])
{
    uint8_t labelled[LABEL_SIZE + STATEMENT_MAX];
    BUG_UNLESS(covered.size <= STATEMENT_MAX); /* the relay's length is limited */
    memcpy(labelled, LABEL, LABEL_SIZE);
    memcpy(labelled + LABEL_SIZE, covered.data, covered.size);
    return wire_verify(statement->account_key, sotto_bytes_of(labelled, LABEL_SIZE + covered.size),
                       signature);
}

sotto_error statement_read(sotto_bytes bytes, struct statement *statement, sotto_fault *fault)
{
    struct reader reader;
    uint8_t signature[SIGNATURE_SIZE];
    memset(statement, 0, sizeof *statement);
    reader_init(&reader, bytes);
    read_fields(&reader, statement);
    sotto_bytes covered = reader_since(&reader, 0);
    reader_copy(&reader, signature, sizeof signature, "Statement.signature");
    (void)reader_finish(&reader, "Statement (end)");
    if (reader_ok(&reader) && !is_signed(covered, statement, signature))
        reader_fail(&reader, SOTTO_SIGNATURE, "Statement.signature");
    *fault = reader.fault;
    if (!reader_ok(&reader))
        memset(statement, 0, sizeof *statement);
    return reader.fault.error;
}

sotto_error statement_write(const struct statement *statement,
                            const uint8_t seed[static SIGN_SEED_SIZE], sotto_buf *out)
{
    uint8_t key[SIGN_KEY_SIZE], signature[SIGNATURE_SIZE];
    struct writer writer;
    sotto_buf labelled;
    bool moved = statement->kind == STATEMENT_MOVED;
    wire_sign_public(seed, key);
    sotto_buf_init(&labelled, out->env);
    writer_init(&writer, &labelled);
    writer_fixed(&writer, sotto_bytes_str(LABEL));
    writer_u8(&writer, 1);
    writer_check(&writer, moved || statement->kind == STATEMENT_DELETED);
    writer_u8(&writer, (uint8_t)statement->kind);
    writer_fixed(&writer, sotto_bytes_of(key, sizeof key));
    writer_u64(&writer, statement->number);
    writer_check(&writer, moved || statement->relay.size == 0);
    writer_address(&writer, statement->relay, !moved);
    sotto_error error = writer_finish(&writer);
    if (error == SOTTO_OK) {
        wire_sign(seed, sotto_buf_view(&labelled), signature);
        writer_init(&writer, out);
        writer_fixed(&writer,
                     sotto_bytes_of(labelled.data + LABEL_SIZE, labelled.size - LABEL_SIZE));
        writer_fixed(&writer, sotto_bytes_of(signature, sizeof signature));
        error = writer_finish(&writer);
    }
    sotto_buf_free(&labelled);
    return error;
}
