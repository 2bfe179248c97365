/* LeafNode: refused, or written back as it was; its block in a tree is a faithful copy. */
#include "mls/tree_node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_copy(const struct leaf_node *leaf, sotto_bytes input)
{
    const struct node_maker maker = {.env = sotto_env_system()};
    const struct tree_node *node;
    struct writer writer;
    sotto_buf again;
    sotto_buf_init(&again, sotto_env_system());
    if (tree_node_of_leaf(&maker, leaf, &node) == SOTTO_OK) {
        writer_init(&writer, &again);
        leaf_node_write(&writer, &node->u.leaf);
        BUG_UNLESS(writer_finish(&writer) == SOTTO_OK);
        BUG_UNLESS(sotto_bytes_equal(sotto_buf_view(&again), input));
        tree_node_release(sotto_env_system(), node);
    }
    sotto_buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader reader;
    struct arena arena;
    struct leaf_node leaf;
    arena_init(&arena, sotto_env_system());
    reader_init(&reader, sotto_bytes_of(data, size));
    leaf_node_read(&reader, &arena, &leaf);
    if (reader_finish(&reader, "LeafNode") == SOTTO_OK)
        check_copy(&leaf, sotto_bytes_of(data, size));
    else
        BUG_UNLESS(reader.fault.what != NULL && reader.fault.offset <= size);
    arena_free(&arena);
    return 0;
}
