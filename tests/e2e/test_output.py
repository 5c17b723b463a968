"""What the instances print: how it is written down, and how it is rotated."""

import contextlib
import os
import threading
from datetime import datetime, timezone

import pytest
from instances import start_puppet
from logfiles import STAMP, add_job, log_files, numbers, texts, wait_for_text, whole_log
from support import LIMIT, wait_until


def print_and_wait(site, *words, until, **logs):
    """Starts a service that prints, waits for the last of it, and returns the log's bytes."""
    add_job(site, *words, logs=logs)
    site.start("web")
    wait_for_text(site, until)
    return whole_log(site)


# ---- The format -----------------------------------------------------------------------------------


def test_each_line_begins_with_the_time_when_it_came(site):
    puppet, _ = start_puppet(site)
    before = datetime.now(timezone.utc)
    puppet.say("one\n")
    wait_for_text(site, "one\n")
    between = datetime.now(timezone.utc)
    puppet.say("two\n\nend\n")
    wait_for_text(site, "end\n")
    after = datetime.now(timezone.utc)
    raw = whole_log(site)
    assert texts(raw) == [b"one", b"two", b"", b"end"]
    times = [datetime.fromisoformat(line.split()[0].decode()) for line in raw.splitlines()]
    assert before <= times[0] <= between <= times[1] <= times[2] <= times[3] <= after


def test_merged_streams_keep_their_order(site):
    words = []
    for number in range(40):
        words += ["print" if number % 2 else "print-err", f"n {number}"]
    raw = print_and_wait(site, *words, until="n 39\n")
    assert numbers(texts(raw)) == list(range(40))


def test_separate_streams_are_tagged(site):
    puppet, _ = start_puppet(site, logs={"streams": "separate"})
    puppet.say("good\n")
    wait_for_text(site, "good\n")
    puppet.say("bad\n", 2)
    wait_for_text(site, "bad\n")
    assert texts(whole_log(site)) == [b"out good", b"err bad"]


def test_a_line_never_holds_bytes_of_two_streams(site):
    puppet, _ = start_puppet(site, logs={"streams": "separate"})
    puppet.say("half")
    wait_for_text(site, "out half")
    puppet.say("error\n", 2)
    wait_for_text(site, "error\n")
    puppet.say(" a line\n")
    wait_for_text(site, "a line\n")
    assert texts(whole_log(site)) == [b"out half", b"err error", b"out  a line"]


def test_a_line_is_stamped_where_it_begins_and_nowhere_else(site):
    puppet, _ = start_puppet(site)
    for text in ("be", "gin", "ning\nnext"):
        puppet.say(text)
        wait_for_text(site, text[-2:])
    puppet.say("\n")
    wait_for_text(site, "next\n")
    assert texts(whole_log(site)) == [b"beginning", b"next"]


def test_a_line_of_any_length_stays_one_line(site):
    raw = print_and_wait(site, "long-line", str(3 << 20), "print", "end", until="end\n")
    assert texts(raw) == [b"x" * (3 << 20), b"end"]


def test_bytes_are_kept_as_they_came(site):
    raw = print_and_wait(site, "binary", "print", "", "print", "end", until="end\n",
                         timestamps=False)
    assert raw == bytes(range(256)) + b"\nend\n"


def test_bytes_between_stamps_are_kept_too(site):
    raw = print_and_wait(site, "binary", "print", "", "print", "end", until="end\n")
    assert STAMP.sub(b"", raw) == bytes(range(256)) + b"\nend\n"
    assert len(STAMP.findall(raw)) == 3


def test_words_without_a_newline_at_the_end_do_not_swallow_the_next_generation(site):
    add_job(site, "no-newline", "hello")
    site.start("web")
    wait_for_text(site, "hello")
    assert site.svcmgr("restart", "web").code == 0
    wait_until(lambda: whole_log(site).count(b"hello") == 2)
    assert texts(whole_log(site)) == [b"hello", b"hello"]


# ---- Rotation -------------------------------------------------------------------------------------


@pytest.mark.parametrize("timestamps", [True, False])
def test_rotation_loses_nothing_and_cuts_no_line(site, timestamps):
    count = 20000
    print_and_wait(site, "lines", str(count), until=f"line {count}\n", max_size="16KiB",
                   keep=1000, timestamps=timestamps)
    files = log_files(site)
    assert len(files) > 10
    for path in files:
        raw = path.read_bytes()
        assert raw.startswith(b"20" if timestamps else b"line ") and raw.endswith(b"\n")
        assert len(raw) < (16 << 10) + 100, path
    lines = texts(whole_log(site)) if timestamps else whole_log(site).splitlines()
    assert numbers(lines) == list(range(1, count + 1))


def test_a_line_without_an_end_does_not_grow_for_ever(site):
    """Nobody else would bound the log of a program that prints no newline."""
    puppet, _ = start_puppet(site, logs={"max_size": "8KiB", "keep": 100, "timestamps": False})
    for letter in "abcdefgh":
        puppet.say(letter * 9000)
        wait_for_text(site, letter * 9000)
    assert len(log_files(site)) == 4
    assert whole_log(site) == b"".join(letter * 9000 for letter in
                                       (b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"h"))


def test_only_so_many_rotated_files_are_kept(site):
    print_and_wait(site, "lines", "20000", until="line 20000\n", max_size="16KiB", keep=3)
    wait_until(lambda: len(log_files(site)) == 4)
    kept = numbers(texts(whole_log(site)))
    assert kept == list(range(kept[0], 20001)) and kept[0] > 1


def test_without_rotated_files_the_last_ones_remain(site):
    print_and_wait(site, "lines", "5000", until="line 5000\n", max_size="16KiB", keep=0)
    assert len(log_files(site)) == 1
    kept = numbers(texts(whole_log(site)))
    assert kept == list(range(kept[0], 5001)) and kept[0] > 1


def test_rotation_goes_on_after_a_reload(site):
    puppet, status = start_puppet(site)
    site.add("web", puppet.command, ready="notify", logs={"max_size": "1KiB", "keep": 2})
    assert site.svcmgr("reload", "web").code == 0
    puppet.say("".join(f"line {n}\n" for n in range(200)))
    wait_for_text(site, "line 199\n")
    wait_until(lambda: len(log_files(site)) == 3)
    assert site.status("web")["pid"] == status["pid"]


# ---- The end of a generation ----------------------------------------------------------------------


def test_last_words_are_in_the_log_when_stop_returns(site):
    site.add("web", ["/bin/sh", "-c", "trap 'seq -f \"line %g\" 1 20000; exit 0' TERM; echo up; "
                     "while :; do sleep 0.02; done"], settle="10ms")
    site.start("web")
    wait_for_text(site, "up\n")
    assert site.svcmgr("stop", "web").code == 0
    lines = texts(whole_log(site))
    assert lines[0] == b"up" and numbers(lines[1:]) == list(range(1, 20001))


@contextlib.contextmanager
def pipe_of(pid):
    """Somebody outside the tree who holds the pipe that the instance writes to."""
    fd = os.open(f"/proc/{pid}/fd/1", os.O_WRONLY)
    try:
        yield fd
    finally:
        os.close(fd)


def test_a_pipe_that_somebody_holds_open_delays_nothing(site):
    puppet, status = start_puppet(site)
    with pipe_of(status["pid"]) as fd:
        puppet.say("last words\n")
        result = site.svcmgr("stop", "web")
        assert result.code == 0 and result.seconds < LIMIT
        with pytest.raises(BrokenPipeError):
            os.write(fd, b"too late\n")
    assert texts(whole_log(site)) == [b"last words"]


def test_a_pipe_that_somebody_writes_to_without_end_is_left_at_last(site):
    _, status = start_puppet(site)
    ended = threading.Event()

    def chatter(fd):
        with contextlib.suppress(BrokenPipeError):
            while not ended.wait(0.01):
                os.write(fd, b"and another thing\n")

    with pipe_of(status["pid"]) as fd:
        thread = threading.Thread(target=chatter, args=[fd])
        thread.start()
        try:
            wait_for_text(site, "thing")
            result = site.svcmgr("stop", "web")
        finally:
            ended.set()
            thread.join()
    assert result.code == 0 and result.seconds < LIMIT
    assert set(texts(whole_log(site))) == {b"and another thing"}
