"""The other end of misbehave's puppet, where there is no Python for the child (helpers/windows)."""

import contextlib
import json
import socket
import subprocess
import time
from pathlib import Path

import windows
from puppet import Puppet
from support import MISBEHAVE


PIECE = 30_000  # bytes, of which an order has two digits each: LINE_MAX_BYTES


def encoded(word):
    return (word if isinstance(word, bytes) else word.encode()).hex()


class WindowsPuppet(Puppet):
    """Has the same orders as far as Windows has what they are about."""

    @property
    def command(self):
        return [MISBEHAVE, "puppet", self.path]

    def do(self, code):
        raise NotImplementedError(f"it is no Python: {code}")

    def pid(self):
        return self._order("hello")[0]

    def notify(self, text):
        assert text == "READY=1", "there is nothing else to say"
        self._order("ready")

    def say(self, text, fd=1):
        data = text if isinstance(text, bytes) else text.encode()
        assert b"\0" not in data, "it would end there"
        for at in range(0, len(data), PIECE):
            self._order("say", str(fd), data[at:at + PIECE])

    def end(self, code):
        self._once("exit", str(code))

    def environment(self):
        path = Path(f"{self.path}.report")
        self._order("report", windows.path(path))
        return json.loads(path.read_text())["environment"]

    def run(self, words):
        """Has it run a program to its end; returns its code."""
        return self._order("run", subprocess.list2cmdline(words), windows.path("/dev/null"))[1]

    def begin(self, words, output):
        """Has it start a program that appends to a file, and which may end it before it answers."""
        self.pid()
        with contextlib.suppress(ConnectionError):
            self._once("begin", subprocess.list2cmdline(words), windows.path(output))

    def _order(self, *words):
        """Its pid and what it answers, as soon as it is there; it has taken over from a former one."""
        deadline = time.monotonic() + self.limit
        while True:
            try:
                return self._once(*words)
            except (FileNotFoundError, ConnectionError):
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.005)

    def _once(self, order, *words):
        port, pid = map(int, Path(self.path).read_text().split())
        line = " ".join([str(pid), order, *[encoded(word) for word in words]])
        with socket.create_connection(("127.0.0.1", port), timeout=self.limit) as connection:
            connection.sendall(line.encode() + b"\n")
            with connection.makefile("r") as answers:
                answer = answers.readline()
        if not answer:
            raise ConnectionRefusedError("the puppet ended")
        return pid, int(answer)
