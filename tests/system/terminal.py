"""A person at a terminal."""

import os
import pty
import re
import select
import signal
import time

from world import SOTTO, PATIENCE, Skip


def need_terminal():
    try:
        for end in os.openpty():
            os.close(end)
    except OSError as reason:  # in a container without /dev/pts
        raise Skip("there is no terminal to ask on here: %s" % reason)


def on_terminal(person, args, answers):
    """Runs a command on a terminal and types an answer at each question; what was shown, and the
    exit code."""
    child, terminal = pty.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # whatever started us
        os.execv(SOTTO, [SOTTO, "--profile", person.profile, *args])
    shown, until, answers = "", time.monotonic() + PATIENCE, list(answers)
    asked = 0
    while time.monotonic() < until:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                data = os.read(terminal, 4096)
            except OSError:
                break
            if not data:
                break
            shown += data.decode(errors="replace")
        questions = len(re.findall(r"(?:assphrase|again): ", shown))
        if questions > asked and answers:
            asked = questions
            os.write(terminal, answers.pop(0).encode())
    late = time.monotonic() >= until
    if late:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert not late, "it still asks: " + shown[-500:]
    return shown, os.waitstatus_to_exitcode(status)
