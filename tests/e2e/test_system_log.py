"""logs.destination: journal.  Its socket is where a program can stand in for the journal that takes
what it is told apart as the native protocol says (systemd.io/JOURNAL_NATIVE_PROTOCOL); the real one
is in systemd/test_system_log.py."""

import json
import os
import signal
import socket
import struct
import subprocess

import pytest
from instances import add_puppet, wait_for_status
from logfiles import whole_log
from strangers import has_program, is_root
from support import PORTABLE, WINDOWS, wait_until

needs_journal = pytest.mark.skipif(
    PORTABLE or WINDOWS or not is_root() or not has_program("unshare"),
    reason="needs Linux as it is, root and unshare")


def fields_of(message):
    fields = {}
    while message:
        line, _, message = message.partition(b"\n")
        key, is_text, value = line.partition(b"=")
        if not is_text:
            length, = struct.unpack_from("<Q", message)
            value, message = message[8:8 + length], message[8 + length:]
            assert message[:1] == b"\n"
            message = message[1:]
        fields[key.decode()] = value
    return fields


class Journal:
    """Stands in for it, for whatever is started by words()."""

    def __init__(self, site):
        self.site = site
        self.place = site.directory / "journal"
        self.place.mkdir()
        self.entries = []
        self.socket = None
        self.begin()

    def begin(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.place / "socket"))
        self.socket.setblocking(False)

    def end(self):
        self.socket.close()
        (self.place / "socket").unlink()

    def svcmgr(self, *words):
        """In a mount namespace with this journal."""
        script = ("mount -t tmpfs none /run; mkdir -p /run/systemd/journal; "
                  f"mount --bind '{self.place}' /run/systemd/journal; exec \"$@\"")
        done = subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-ec", script,
                               "sh", *self.site.command(*words)], env=self.site.environment,
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done

    def read(self):
        while True:
            try:
                self.entries.append(fields_of(self.socket.recv(1 << 20)))
            except BlockingIOError:
                return self.entries

    def texts(self):
        return [entry["MESSAGE"] for entry in self.read()]


@pytest.fixture
def journal(site):
    found = Journal(site)
    yield found
    found.socket.close()


def start(site, journal, **logs):
    puppet = add_puppet(site, ready="spawn", settle="10ms",
                        logs={"destination": "journal", **logs})
    journal.svcmgr("start", "web")
    return puppet


@needs_journal
def test_each_line_is_an_entry_and_in_the_file_too(site, journal):
    puppet = start(site, journal)
    puppet.do("say('one\\ntw')")
    puppet.do("say(b'o \\xff\\x00=\\n<3>bad\\n')")
    wait_until(lambda: len(journal.read()) == 3, "three entries")
    assert journal.entries == [
        {"PRIORITY": priority, "SYSLOG_IDENTIFIER": b"web", "SVCMGR_NAME": b"web",
         "SVCMGR_GENERATION": b"1", "MESSAGE": message}
        for priority, message in [(b"6", b"one"), (b"6", b"two \xff\0="), (b"3", b"bad")]]
    assert [line.split(b" ", 1)[1] for line in whole_log(site).splitlines()] == \
        [b"one", b"two \xff\0=", b"<3>bad"]
    assert site.status("web")["log_error"] is None


@needs_journal
def test_separate_streams_and_generations_are_told_apart(site, journal):
    puppet = start(site, journal, streams="separate")
    puppet.say("good\n")
    puppet.say("bad\n", 2)
    site.svcmgr("restart", "web")
    puppet.say("again\n", 2)
    wait_until(lambda: len(journal.read()) == 3, "three entries")
    assert sorted((entry["SVCMGR_GENERATION"], entry["SVCMGR_STREAM"], entry["MESSAGE"])
                  for entry in journal.entries) == \
        [(b"1", b"err", b"bad"), (b"1", b"out", b"good"), (b"2", b"err", b"again")]


@needs_journal
@pytest.mark.parametrize("how", ["exit", "upgrade"])
def test_a_line_without_an_end_is_there_in_the_end(site, journal, how):
    puppet = start(site, journal)
    puppet.say("begun")
    wait_until(lambda: b"begun" in whole_log(site), "it in the log")
    if how == "exit":
        puppet.end(0)
        wait_until(lambda: journal.texts() == [b"begun"], "the entry")
    else:
        assert site.svcmgr("upgrade", "web").code == 0
        puppet.say(" ended\n")
        wait_until(lambda: journal.texts() == [b"begun", b" ended"], "both entries")


@needs_journal
def test_a_new_supervisor_goes_on(site, journal):
    puppet = start(site, journal)
    before = site.status("web")
    os.kill(before["supervisor_pid"], signal.SIGKILL)
    wait_for_status(site, "web", lambda now: now["supervisor_pid"] not in
                    (None, before["supervisor_pid"]))
    puppet.say("after it\n")
    wait_until(lambda: journal.texts() == [b"after it"], "the entry")


@needs_journal
def test_a_journal_that_is_not_there_stops_nothing_and_is_said(site, journal):
    puppet = start(site, journal)
    journal.end()
    puppet.say("one\ntwo\n")
    said = ("the journal takes nothing at /run/systemd/journal/socket: No such file or directory; "
            "2 lines are in the log's files only")
    wait_until(lambda: site.status("web")["log_error"] == said, "the error")
    assert said in site.svcmgr("status", "web").out
    assert [line.split(b" ", 1)[1] for line in whole_log(site).splitlines()] == [b"one", b"two"]
    journal.begin()
    puppet.say("three\n")
    wait_until(lambda: journal.texts() == [b"three"], "the entry")
    wait_until(lambda: site.status("web")["log_error"] is None, "no error")


@needs_journal
def test_one_that_reads_nothing_is_not_waited_for(site, journal):
    puppet = start(site, journal)
    count = 2000  # a socket holds some hundred: net.unix.max_dgram_qlen
    puppet.do(f"say(''.join(f'{{n}}\\n' for n in range({count})))")
    wait_until(lambda: whole_log(site).count(b"\n") == count, "all lines in the log")
    got = [int(text) for text in journal.texts()]
    assert 0 < len(got) < count and got == sorted(set(got))
    assert f"; {count - len(got)} lines are in the log's files only" in site.status("web")["log_error"]


def destination(site, word):
    site.write("job", json.dumps({"command": [site.native("/bin/true")], "logs":
                                  {"destination": word}}))
    return site.svcmgr("check", "job")


@pytest.mark.parametrize("word", ["journal", "eventlog"])
def test_a_log_that_the_system_has_not_is_a_fault_of_the_configuration(site, word):
    result = destination(site, word)
    if word == ("eventlog" if WINDOWS else None if PORTABLE else "journal"):
        assert result.code == 0, result
    else:
        assert result.code == 6 and f"has no {word}; there are \"file\"" in result.err, result
