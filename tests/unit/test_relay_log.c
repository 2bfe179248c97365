/* What a line of the relay's log looks like, and what it begins with in systemd's journal. */
#include "unit/check.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/log.h"

static int open_file(void **state)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    *state = file;
    return 0;
}

static int close_file(void **state)
{
    unsetenv("JOURNAL_STREAM");
    return fclose(*state);
}

/* As systemd does for a unit whose output goes to the journal. */
static void name_journal(FILE *file, uintmax_t inode_more)
{
    char stream[64];
    struct stat about;
    assert_int_equal(fstat(fileno(file), &about), 0);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)about.st_dev,
             (uintmax_t)about.st_ino + inode_more);
    setenv("JOURNAL_STREAM", stream, 1);
}

static void expect_line(FILE *file, enum log_level level, const char *begin, const char *end)
{
    char line[256];
    const struct log log = log_to(fileno(file), LOG_INFO, LOG_TEXT);
    assert_int_equal(lseek(fileno(file), 0, SEEK_SET), 0);
    log_event(&log, level, "met", (struct log_field[]){log_number("count", 7), LOG_END});
    ssize_t size = pread(fileno(file), line, sizeof line - 1, 0);
    assert_true(size > 0);
    line[size] = '\0';
    assert_memory_equal(line, begin, strlen(begin));
    assert_non_null(strstr(line, end));
}

static void a_line_begins_with_its_time(void **state)
{
    expect_line(*state, LOG_WARNING, "2", "Z warning met count=7\n");
}

static void the_journal_is_told_the_level(void **state)
{
    name_journal(*state, 0);
    expect_line(*state, LOG_INFO, "<6>2", "Z info met count=7\n");
    expect_line(*state, LOG_WARNING, "<4>2", "Z warning met count=7\n");
    expect_line(*state, LOG_ERROR, "<3>2", "Z error met count=7\n");
}

static void a_file_that_is_not_the_journal_is_not_told(void **state)
{
    name_journal(*state, 1);
    expect_line(*state, LOG_ERROR, "2", "Z error met count=7\n");
    setenv("JOURNAL_STREAM", "nonsense", 1);
    expect_line(*state, LOG_ERROR, "2", "Z error met count=7\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_file, close_file)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_begins_with_its_time),
        TEST(the_journal_is_told_the_level),
        TEST(a_file_that_is_not_the_journal_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
