/* How often two devices that meet ask the relay. What they say: test_devices.py. */
#include "core/meeting.h"
#include "unit/check.h"

static void who_waits_for_nobody_asks_ever_less_and_soon_again_after_a_sign(void **state)
{
    (void)state;
    struct meeting_pace pace = {0};
    uint32_t before = 0, asked = 0;
    uint64_t waited_ms = 0;
    for (; waited_ms < 15 * 60 * 1000; asked++) { /* as long as a link is good */
        uint32_t pause = meeting_pause(&pace);
        assert_true(pause >= before && pause >= 400 && pause <= 3000);
        before = pause;
        waited_ms += pause;
        if (asked == 2)
            assert_true(waited_ms < 2000); /* the other device may be there already */
    }
    assert_true(asked < 320); /* not 2250 */
    pace = (struct meeting_pace){0};
    assert_int_equal(meeting_pause(&pace), 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_for_nobody_asks_ever_less_and_soon_again_after_a_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
