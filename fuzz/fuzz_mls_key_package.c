/* KeyPackage: refused, or written back as it was. */
#include "mls/types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader reader;
    struct writer writer;
    struct arena arena;
    struct key_package key_package;
    sotto_buf again;
    arena_init(&arena, sotto_env_system());
    sotto_buf_init(&again, sotto_env_system());
    reader_init(&reader, sotto_bytes_of(data, size));
    key_package_read(&reader, &arena, &key_package);
    if (reader_finish(&reader, "KeyPackage") == SOTTO_OK) {
        writer_init(&writer, &again);
        key_package_write(&writer, &key_package);
        BUG_UNLESS(writer_finish(&writer) == SOTTO_OK);
        BUG_UNLESS(sotto_bytes_equal(sotto_buf_view(&again), sotto_bytes_of(data, size)));
    } else {
        BUG_UNLESS(reader.fault.what != NULL && reader.fault.offset <= size);
    }
    sotto_buf_free(&again);
    arena_free(&arena);
    return 0;
}
