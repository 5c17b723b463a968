"""logs: what was printed, across rotations, restarts and stops."""

import subprocess

import pytest
from instances import add_puppet, start_puppet
from logfiles import add_job, log_files, numbers, texts, wait_for_text, whole_log
from support import wait_until

SMALL = {"max_size": "4KiB", "keep": 1000}


def logs(site, *options, name="web"):
    result = site.svcmgr("logs", name, *options)
    assert result.code == 0, result
    return result.out.encode("utf-8", "surrogateescape")


def print_lines(site, count, **settings):
    add_job(site, "lines", str(count), logs=settings)
    site.start("web")
    wait_for_text(site, f"line {count}\n")


class Follower:
    """logs -f with what it has printed so far in a file."""

    def __init__(self, site, *options, name="web"):
        self.path = site.directory / "followed"
        with open(self.path, "wb") as output:
            self.child = site.spawn("logs", name, "-f", *options, stdout=output,
                                    stderr=subprocess.PIPE)

    def read(self):
        return self.path.read_bytes()

    def wait_for(self, text):
        wait_until(lambda: text.encode() in self.read(), f"{text!r} from logs -f")
        return self.read()


def test_logs_prints_what_is_in_the_files_whether_it_runs_or_not(site):
    print_lines(site, 1000, **SMALL)
    assert len(log_files(site)) > 3
    assert logs(site) == whole_log(site)
    assert site.svcmgr("stop", "web").code == 0
    assert logs(site) == whole_log(site)
    assert numbers(texts(logs(site))) == list(range(1, 1001))


@pytest.mark.parametrize("count", [0, 1, 7, 100, 999, 1000, 5000])
def test_the_last_lines_may_be_in_several_files(site, count):
    print_lines(site, 1000, **SMALL)
    assert numbers(texts(logs(site, "-n", count))) == list(range(1, 1001))[1000 - min(count, 1000):]


def test_an_unfinished_line_is_the_last_one(site):
    add_job(site, "lines", "3", "no-newline", "the rest")
    site.start("web")
    wait_for_text(site, "the rest")
    assert texts(logs(site, "-n", 2)) == [b"line 3", b"the rest"]


@pytest.mark.parametrize("count", ["x", "-1", "1.5", ""])
def test_a_number_of_lines_that_is_none_is_refused(site, count):
    site.add_webui("web")
    result = site.svcmgr("logs", "web", "-n", count)
    assert result.code == 2 and result.err.count("\n") == 1, result


def test_logs_of_an_unknown_service(site):
    for options in ([], ["-f"], ["-n", "3"]):
        result = site.svcmgr("logs", "nobody", *options)
        assert result.code == 5 and "nobody" in result.err and result.out == "", result


def test_logs_of_a_service_that_never_ran(site):
    site.add_webui("web")
    result = site.svcmgr("logs", "web")
    assert (result.code, result.out) == (0, "")
    assert "nothing" in result.err


def test_since_takes_a_time_as_it_stands_in_the_log(site):
    print_lines(site, 1000, **SMALL)
    lines = whole_log(site).splitlines()
    time = lines[700].split()[0].decode()
    expected = [line for line in lines if line.split()[0].decode() >= time]
    assert logs(site, "--since", time).splitlines() == expected
    assert logs(site, "--since", "1h") == whole_log(site)
    assert logs(site, "--since", "2999-01-01T00:00:00Z") == b""


# ---- Following ------------------------------------------------------------------------------------


def numbered(begin, end):
    return "".join(f"line {n}\n" for n in range(begin, end))


def test_follow_loses_nothing_however_fast_the_log_is_rotated(site):
    puppet, _ = start_puppet(site, logs=SMALL)
    puppet.say("line 0\n")
    wait_for_text(site, "line 0\n")
    follower = Follower(site)
    follower.wait_for("line 0\n")
    for begin in range(1, 3001, 60):
        puppet.say(numbered(begin, begin + 60))
    raw = follower.wait_for("line 3000\n")
    assert len(log_files(site)) > 10
    assert numbers(texts(raw)) == list(range(3001))


def test_follow_goes_on_across_restart_stop_and_start(site):
    puppet = add_puppet(site, settle="10ms")
    site.start("web")
    follower = Follower(site)
    puppet.say("line 1\n")
    follower.wait_for("line 1\n")
    assert site.svcmgr("restart", "web").code == 0
    puppet.say("line 2\n")
    follower.wait_for("line 2\n")
    assert site.svcmgr("stop", "web").code == 0
    assert follower.child.poll() is None
    site.start("web")
    puppet.say("line 3\n")
    assert numbers(texts(follower.wait_for("line 3\n"))) == [1, 2, 3]


def test_follow_begins_with_the_last_lines_if_asked(site):
    puppet = add_puppet(site, settle="10ms", logs=SMALL)
    site.start("web")
    puppet.say(numbered(0, 1000))
    wait_for_text(site, "line 999\n")
    follower = Follower(site, "-n", "5")
    follower.wait_for("line 999\n")
    puppet.say("line 1000\n")
    assert numbers(texts(follower.wait_for("line 1000\n"))) == list(range(995, 1001))


def test_follow_waits_for_a_service_that_has_not_run_yet(site):
    puppet = add_puppet(site, settle="10ms")
    follower = Follower(site)
    site.start("web")
    puppet.say("line 1\n")
    assert texts(follower.wait_for("line 1\n")) == [b"line 1"]


def test_follow_ends_when_nobody_reads(site):
    puppet = add_puppet(site, settle="10ms")
    site.start("web")
    puppet.say("line 1\n")
    follower = site.spawn("logs", "web", "-f", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert follower.stdout.readline().endswith("line 1\n")
    follower.stdout.close()
    puppet.say("line 2\n")
    assert follower.wait(20) != 0
    assert follower.stderr.read().count("\n") <= 1
