/* kill_at N COMMAND...: runs a command and kills it right before its Nth system call that changes a
 * file. Exit code 137 if it was killed, else the command's. */
#include "unit/check.h"
#include "unit/killed.h"

int main(int argc, char **argv)
{
    int code = 0;
    if (argc < 3 || !killed_possible())
        return 77;
    return killed_program_before((unsigned)strtoul(argv[1], NULL, 10), argv + 2, &code) ? 137
                                                                                        : code;
}
