"""One implementation behind the JSON-lines protocol (interop/README.md), as a child process."""

import json
import os
import selectors
import subprocess
import tempfile

CALL_TIMEOUT_S = 120


class PeerError(Exception):
    """The implementation answered with an error, or not at all."""

    def __init__(self, who, method, message, unsupported=False):
        super().__init__(f"{who}.{method}: {message}")
        self.who = who
        self.method = method
        self.message = message
        self.unsupported = unsupported


class Peer:
    """label names it in the table; the child is started by the first call."""

    def __init__(self, label, command, folder=None):
        self.label = label
        self.command = command
        self.folder = folder
        self.child = None
        self.exit_status = 0
        self.next_id = 0
        self.pending = b""
        self.log = tempfile.TemporaryFile()
        self.suites = []
        self.cannot = {}
        self.notes = {}
        self.derivation = {}

    def start(self):
        self.child = subprocess.Popen(
            self.command, cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.log, env=dict(os.environ, RUST_BACKTRACE="0"))
        os.set_blocking(self.child.stdout.fileno(), False)
        self.pending = b""

    def describe(self):
        answer = self.call("supportedCiphersuites")
        self.suites = answer["ciphersuites"]
        self.cannot = {int(suite): reason for suite, reason in answer.get("cannot", {}).items()}
        self.notes = {int(suite): note for suite, note in answer.get("notes", {}).items()}
        self.derivation = {int(suite): way for suite, way in answer.get("derivation", {}).items()}

    def call(self, method, **params):
        if self.child is None:
            self.start()
        self.next_id += 1
        request = {"id": self.next_id, "method": method, "params": params}
        try:
            self.child.stdin.write(json.dumps(request).encode() + b"\n")
            self.child.stdin.flush()
            answer = json.loads(self.read_line())
        except (BrokenPipeError, EOFError, TimeoutError, json.JSONDecodeError) as error:
            detail = self.stop() or type(error).__name__
            raise PeerError(self.label, method, f"died: {detail}") from error
        if answer.get("id") != self.next_id:
            self.stop()
            raise PeerError(self.label, method, f"answered out of turn: {answer}")
        if "error" in answer:
            error = answer["error"]
            raise PeerError(self.label, method, error.get("message", "?"), error.get("unsupported", False))
        return answer["result"]

    def read_line(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self.child.stdout, selectors.EVENT_READ)
            while b"\n" not in self.pending:
                if not selector.select(CALL_TIMEOUT_S):
                    raise TimeoutError
                chunk = self.child.stdout.read()
                if not chunk:
                    raise EOFError
                self.pending += chunk
        line, self.pending = self.pending.split(b"\n", 1)
        return line

    def stop(self):
        """Ends the child; returns the end of what it said on standard error."""
        if self.child is None:
            return ""
        self.child.stdin.close()
        try:
            self.child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.child.stdout.close()
        status = self.child.returncode
        self.child = None
        self.exit_status = status
        self.log.seek(0)
        said = self.log.read().decode(errors="replace").strip().splitlines()
        self.log.seek(0)
        self.log.truncate()
        return " | ".join(said[-3:]) or (f"exit status {status}" if status else "")
