"""`sotto completion`: each shell completes commands, second words and options with what it prints."""
import os
import shutil
import subprocess
import tempfile

from world import SOTTO, Skip, main

COMMANDS = {"register", "send", "group", "listen", "daemon"}


def printed(shell):
    return subprocess.run([SOTTO, "completion", shell], check=True, capture_output=True, text=True).stdout


def run(shell, script):
    if shutil.which(shell) is None:
        raise Skip("there is no %s here" % shell)
    done = subprocess.run([shell, *(["--norc"] if shell == "bash" else []), "-c", script], capture_output=True,
                          text=True, timeout=60, env={**os.environ, "HOME": tempfile.gettempdir()})
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout


def bash():
    """bash"""
    def complete(*words):
        script = printed("bash") + "\nCOMP_WORDS=(sotto %s)\nCOMP_CWORD=%d\n_sotto\necho \"${COMPREPLY[@]}\"\n"
        return set(run("bash", script % (" ".join(w or "''" for w in words), len(words))).split())
    assert COMMANDS <= complete("")
    assert complete("conv") == {"conversations"}
    assert {"create", "leave"} <= complete("group", "") and "register" not in complete("group", "")
    assert {"--relay", "--json"} <= complete("register", "--")
    assert complete("send", "Bob", "--fi") == {"--file"}
    assert complete("group", "create", "--j") == {"--json"}
    # One command's name begins another's; options that name files complete files.
    assert "--uses" in complete("group", "link", "--") and "--uses" not in complete("group", "links", "--")
    assert complete("backup", "--passphrase-file", "/etc/passw") >= {"/etc/passwd"}


def fish():
    """fish"""
    def complete(line):
        out = run("fish", printed("fish") + "\ncomplete -C '%s'\n" % line)
        return {one.split("\t")[0] for one in out.splitlines()}
    assert COMMANDS <= complete("sotto ")
    assert complete("sotto conv") == {"conversations"}
    assert {"create", "leave"} <= complete("sotto group ") and "register" not in complete("sotto group ")
    assert {"--relay", "--json"} <= complete("sotto register --")


def zsh():
    """zsh"""
    # What it would offer is only seen on a terminal: here, which function gets which words.
    script = """
_describe() { eval 'print -l -- "${'$2'[@]%%:*}"' }
_arguments() { print -l -- "${@%%\\[*}" }
try() { words=("$@"); CURRENT=$#; source $FILE }
"""
    with tempfile.NamedTemporaryFile("w", suffix=".zsh") as file:
        file.write(printed("zsh"))
        file.flush()

        def complete(*words):
            return set(run("zsh", "FILE=%s\n%s\ntry sotto %s\n" % (file.name, script,
                                                                    " ".join(w or "''" for w in words))).split())
        assert COMMANDS <= complete(""), complete("")
        assert {"create", "leave"} <= complete("group", "")
        assert {"--relay", "--json"} <= complete("register", "--")


main([bash, fish, zsh])
