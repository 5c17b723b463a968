"""svcmgr exec: as if the command had been typed here."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios

import pytest
from channel import assert_web_is_untouched, begin_web
from support import (LIMIT, MISBEHAVE, WINDOWS, end_process, pid_is_alive, processes_with,
                     wait_until)


@pytest.fixture
def web(site):
    begin_web(site)
    yield site
    assert_web_is_untouched(site)


def run(site, *words):
    return site.svcmgr("exec", *words)


def feed(site, data, *words):
    """With bytes, or a file, as our standard input; its output as bytes."""
    source = {"input": data} if isinstance(data, bytes) else {"stdin": data}
    return subprocess.run(site.command("exec", *words), stdout=subprocess.PIPE, env=site.environment,
                          timeout=LIMIT, check=False, **source)


# ---- Codes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words, code", [
    (["exit", 0], 0), (["exit", 3], 3), (["exit", 255], 255),
    *([] if WINDOWS else [(["die", "KILL"], 137), (["die", "TERM"], 143)])])
def test_the_code_is_the_command_s_own(web, words, code):
    assert run(web, "web", "--", MISBEHAVE, *words).code == code


def test_what_cannot_be_run_has_the_codes_of_env(web):
    missing = run(web, "web", "--", "no-such-program")
    assert missing.code == 127 and missing.out == ""
    assert missing.err.startswith(
        "svcmgr: web: failed to spawn command: cannot execute no-such-program: ")
    file = web.directory / "file"
    file.write_text("")
    result = run(web, "web", "--", file)
    assert result.code == 126
    assert result.err.startswith(
        f"svcmgr: web: failed to spawn command: cannot execute {web.native(file)}: "), result
    assert WINDOWS or result.err.endswith(": Permission denied\n")
    assert run(web, "web", "--", "/nowhere/program").code == 127


def test_svcmgr_s_own_failures_are_125(site):
    site.add_webui("web")
    result = run(site, "web", "--", "true")
    assert result.code == 125 and "not running; type svcmgr start web" in result.err
    assert run(site, "nosuch", "--", "true").code == 125
    site.start("web")
    for words in (["web"], ["web", "--"], ["--", "true"], ["web", "--timeout", "x", "--", "true"],
                  ["web", "--output-cap", "x", "--", "true"], ["web", "--json", "--tty", "--", "true"]):
        result = run(site, *words)
        assert result.code == 2 and result.err.startswith("svcmgr: "), (words, result)


# ---- Streams ----------------------------------------------------------------------------------------


def test_both_streams_are_ours(web):
    result = run(web, "web", "--", MISBEHAVE, "print", "out", "print-err", "err")
    assert (result.code, result.out, result.err) == (0, "out\n", "err\n")


def test_input_only_when_it_is_asked_for(web):
    assert feed(web, b"text", "web", "--", MISBEHAVE, "cat").stdout == b""
    assert feed(web, b"text", "web", "--stdin", "--", MISBEHAVE, "cat").stdout == b"text"
    ended = feed(web, b"", "web", "-i", "--", MISBEHAVE, "cat", "print", "end").stdout
    assert ended == b"end\n"


def test_great_amounts_go_through_both_ways(web):
    """Back-pressure: neither side holds more than a part of it."""
    data = os.urandom(20_000_000)
    done = feed(web, data, "web", "-i", "--", MISBEHAVE, "cat")
    assert done.returncode == 0 and done.stdout == data


def test_a_command_that_does_not_read_its_input_ends_all_the_same(web):
    with open("/dev/zero", "rb") as endless:
        assert feed(web, endless, "web", "-i", "--", MISBEHAVE, "exit", "0").returncode == 0


def test_a_reader_that_ends_ends_the_command(web):
    report = web.directory / "report"
    child = web.spawn("exec", "web", "--", MISBEHAVE, "report", report, "lines", 1000000000,
                      stdout=subprocess.PIPE)
    assert child.stdout.read(7) == "line 1\n"
    child.stdout.close()
    assert child.wait(LIMIT) == 128 + signal.SIGPIPE
    wait_until(lambda: not pid_is_alive(json.loads(report.read_text())["pid"]))


def test_limits(web):
    result = run(web, "web", "--timeout", "1s", "--", MISBEHAVE, "print", "begun", "sleep-forever")
    assert (result.code, result.out) == (124, "begun\n")
    result = run(web, "web", "--output-cap", "5", "--", MISBEHAVE, "no-newline", "abcdef",
                 "exit", 4)
    assert (result.code, result.out) == (4, "abcde")
    assert result.err == "svcmgr: web: its standard output was cut at 5 bytes\n"


def test_with_json_it_is_one_document(web):
    result = run(web, "--json", "web", "--", MISBEHAVE, "print", "out", "print-err", "err", "exit", 3)
    assert result.code == 3
    assert json.loads(result.out) == {"name": "web", "exit_code": 3, "stdout": "out\n", "stderr": "err\n"}


# ---- Signals and the end ----------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_and_us(web, number):
    mark = f"sleep-{web.directory.name}"
    child = web.spawn("exec", "web", "--", "bash", "-c", f"echo ready; exec -a {mark} sleep 1000",
                      stdout=subprocess.PIPE)
    assert child.stdout.readline() == "ready\n"
    child.send_signal(number)
    assert child.wait(LIMIT) == 128 + number
    wait_until(lambda: not processes_with(mark), "what was killed is gone")


def test_killed_it_takes_its_command_along(web):
    report = web.directory / "report"
    child = web.spawn("exec", "web", "--", MISBEHAVE, "report", report, "print", "ready",
                      "sleep-forever", stdout=subprocess.PIPE)
    assert child.stdout.readline() == "ready\n"
    child.kill()
    child.wait()
    wait_until(lambda: not pid_is_alive(json.loads(report.read_text())["pid"]), "its command's end")


def test_a_supervisor_that_ends_ends_it(site):
    begin_web(site)
    child = site.spawn("exec", "web", "--", MISBEHAVE, "print", "ready", "sleep-forever",
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout.readline() == "ready\n"
    end_process(site.supervisor_pid)
    _, err = child.communicate(timeout=LIMIT)
    assert child.returncode == 125 and "the supervisor has ended" in err
    assert pid_is_alive(site.pid) is not WINDOWS


# ---- Terminals --------------------------------------------------------------------------------------


class Terminal:
    """A terminal with svcmgr exec on it."""

    def __init__(self, site, *words):
        self.ours, theirs = pty.openpty()
        self.resize(30, 100)
        self.before = termios.tcgetattr(theirs)
        self.child = subprocess.Popen(
            site.command("exec", *words), stdin=theirs, stdout=theirs, stderr=theirs,
            env={**site.environment, "TERM": "vt220"}, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        site.children.append(self.child)
        self.theirs = theirs
        self.text = b""

    def resize(self, rows, cols):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def wait_for(self, wanted):
        while wanted not in self.text:
            assert select.select([self.ours], [], [], LIMIT)[0], self.text
            self.text += os.read(self.ours, 4096)
        return self.text

    def type(self, text):
        os.write(self.ours, text)

    def end(self):
        code = self.child.wait(LIMIT)
        assert termios.tcgetattr(self.theirs) == self.before, "its modes are what they were"
        os.close(self.ours)
        os.close(self.theirs)
        return code


def test_a_shell_on_a_terminal(web):
    terminal = Terminal(web, "web", "--tty", "--", "sh", "-i")
    terminal.type(b"stty size; echo $TERM-$SVCMGR_NAME\n")
    terminal.wait_for(b"30 100")
    terminal.wait_for(b"vt220-web")
    terminal.resize(45, 132)
    terminal.type(b"until stty size | grep '45 13[2]'; do :; done\n")
    terminal.wait_for(b"45 132")
    seconds = f"1000.{web.port}{os.getpid()}"
    terminal.type(f"sleep {seconds}\n".encode())
    wait_until(lambda: processes_with(seconds))
    terminal.type(b"\x03")  # for the shell's command, not for us
    wait_until(lambda: not processes_with(seconds))
    terminal.type(b"echo still-$((1 + 1))\n")
    terminal.wait_for(b"still-2")
    terminal.type(b"exit 7\n")
    assert terminal.end() == 7


def test_the_terminal_is_given_back_after_a_failure(web):
    assert Terminal(web, "web", "-t", "--", "/nowhere/program").end() == 127
    terminal = Terminal(web, "web", "-t", "--", "sh", "-c", "echo ready; exec sleep 1000")
    terminal.wait_for(b"ready")
    terminal.child.terminate()
    assert terminal.end() == 128 + signal.SIGTERM


def test_a_terminal_for_the_command_without_one_of_ours(web):
    result = run(web, "web", "-t", "--", "sh", "-c", "test -t 0 && test -t 1 && stty size")
    assert (result.code, result.out.strip()) == (0, "24 80")
