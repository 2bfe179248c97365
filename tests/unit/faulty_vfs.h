/* A VFS that stands before the system's: it fails on demand, and it knows what a power cut leaves
 * of the files. Its name is "faulty". One at a time in a process. */
#ifndef TESTS_UNIT_FAULTY_VFS_H
#define TESTS_UNIT_FAULTY_VFS_H

#include <stdatomic.h>
#include <stdint.h>

/* Result codes of SQLite; 0: none. */
extern atomic_int faulty_write_fault, faulty_sync_fault;
extern atomic_int faulty_writes_left; /* before the write fault strikes; negative: at once */
extern atomic_int faulty_syncs_left;  /* the same for the sync fault */
/* How many writes until one has a flipped bit on the disk, and says nothing; negative: none. */
extern atomic_int faulty_flip;

void faulty_register(void);

/* ---- Power cuts -----------------------------------------------------------------------------
 *
 * A disk keeps what was synced. Of what was written since, it may keep all, nothing, a part in any
 * order, and of one write the first sectors alone. */

/* From now on writes are remembered. path: of the database, whose files are quiet at this moment.
 */
void faulty_record(const char *path);

/* Writes to copy and copy-wal what a power cut at this moment would leave; random chooses among
 * what is possible. Any thread, while others write. */
void faulty_cut(const char *copy, uint64_t random);

void faulty_record_end(void);

#endif
