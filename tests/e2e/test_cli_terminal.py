"""On a terminal: progress while something is waited for."""

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios

import pytest
from instances import add_puppet
from support import MISBEHAVE, wait_until


class Terminal:
    """A command on a terminal of its own, and all that it has written there."""

    def __init__(self, site, *words, rows=24, columns=80, **environment):
        self.master, slave = pty.openpty()
        os.set_blocking(self.master, False)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.child = subprocess.Popen(
            site.command(*words), stdin=slave, stdout=slave, stderr=slave, close_fds=True,
            env={**site.environment, "TERM": "xterm", **environment}, start_new_session=True)
        os.close(slave)
        site.children.append(self.child)
        self.child.stdout = self.child.stderr = self.child.stdin = None
        self.data = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.master)

    def text(self):
        with contextlib.suppress(OSError):
            while piece := os.read(self.master, 65536):
                self.data += piece
        return self.data.decode()

    def end(self):
        wait_until(lambda: (self.text(), self.child.poll() is not None)[1], "its end")
        return self.text()


def test_what_is_waited_for_is_shown_and_for_how_long_and_goes_away(site):
    puppet = add_puppet(site, "job", ready="notify")
    with Terminal(site, "start", "job") as terminal:
        puppet.notify("STATUS=warming up")
        wait_until(lambda: "job: starting: warming up" in terminal.text(), "the progress")
        assert "\r\033[K" in terminal.text()
        wait_until(lambda: re.search(r"warming up \(\d+ ?m?s", terminal.text()), "for how long")
        puppet.notify("READY=1")
        text = terminal.end()
    last = text.rsplit("\033[K", 1)[1]
    assert terminal.child.returncode == 0
    assert last.startswith("job: started: ") and last.count("\n") == 1, text


@pytest.mark.parametrize("option", ["-q", "--json"])
def test_quiet_and_json_show_none(site, option):
    puppet = add_puppet(site, "job", ready="notify")
    with Terminal(site, option, "start", "job") as terminal:
        puppet.notify("STATUS=warming up")
        puppet.barrier()
        puppet.notify("READY=1")
        assert "\033" not in terminal.end()
    assert terminal.child.returncode == 0


def test_no_color_means_no_colour(site):
    site.add("plain", [MISBEHAVE, "sleep-forever"], settle="10ms")
    for words in (["start", "plain"], ["status", "plain"], ["list"], ["doctor", "plain"],
                  ["help"], ["stop", "plain"]):
        with Terminal(site, *words, NO_COLOR="1") as terminal:
            text = terminal.end()
        assert "\033[3" not in text and "\033[1" not in text and "\033[0" not in text, (words, text)


@pytest.mark.parametrize("columns", [1, 2, 10, 40])
def test_a_narrow_terminal_gets_no_more_than_a_line(site, columns):
    puppet = add_puppet(site, "job", ready="notify")
    with Terminal(site, "start", "job", columns=columns) as terminal:
        puppet.notify("STATUS=" + "long " * 40)
        wait_until(lambda: "\r\033[K" in terminal.text(), "the progress")
        for line in terminal.text().split("\r\033[K"):
            assert len(line) <= max(columns - 1, 0), (columns, line)
        puppet.notify("READY=1")
        terminal.end()
    assert terminal.child.returncode == 0


def test_what_a_program_says_of_itself_cannot_steer_the_terminal(site):
    puppet = add_puppet(site, "job", ready="notify")
    with Terminal(site, "start", "job") as terminal:
        puppet.notify("STATUS=\033[31mred\007\r")
        puppet.barrier()
        wait_until(lambda: "red" in terminal.text(), "the progress")
        puppet.notify("READY=1")
        text = terminal.end()
    assert "\033[31m" not in text and "\007" not in text, repr(text)


def test_an_interrupt_ends_the_command_and_not_the_start(site):
    puppet = add_puppet(site, "job", ready="notify")
    with Terminal(site, "start", "job") as terminal:
        pid = puppet.pid()
        wait_until(lambda: "starting" in terminal.text(), "the progress")
        os.kill(terminal.child.pid, signal.SIGINT)
        terminal.end()
    assert terminal.child.returncode == -signal.SIGINT
    puppet.notify("READY=1")
    assert site.wait_for_state("job", "ready")["pid"] == pid
