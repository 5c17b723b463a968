"""events: what has happened, why, and who asked."""

import contextlib
import json
import os
import re
import signal
import subprocess

import pytest
from instances import start_puppet, wait_for_status
from strangers import is_root
from support import MISBEHAVE, WINDOWS, end_process, wait_until


def told(site, *words):
    result = site.svcmgr("events", *words, "--json")
    assert result.code == 0, result
    return json.loads(result.out) if result.out else []


def states(events):
    return [event["to"] for event in events if event["event"] == "state"]


@pytest.fixture
def job(site):
    site.add("job", [MISBEHAVE, "sleep-forever"], settle="10ms", restart={"delay": "1ms"})
    return site


def test_every_change_with_its_cause_and_who_asked(job):
    job.start("job")
    assert job.svcmgr("restart", "job").code == 0
    end_process(job.status("job")["pid"])
    wait_for_status(job, "job", lambda now: now["restarts"] == 1 and now["state"] == "ready")
    assert job.svcmgr("stop", "job").code == 0
    events = told(job, "job")
    assert states(events) == ["ready", "replacing", "starting", "ready", "backoff", "starting", "ready",
                              "stopping", "stopped"]
    asked = [event for event in events if event["by"]]
    assert [(re.search(r"(\w+) job$", event["by"]["command"])[1], event["to"]) for event in asked] == [
        ("start", "ready"), ("restart", "replacing"), ("restart", "starting"), ("restart", "ready"),
        ("stop", "stopping"), ("stop", "stopped")]
    for event in asked:
        assert event["by"]["pid"] > 1 and (WINDOWS or event["by"]["uid"] == os.getuid())
        assert event["by"]["user"] == ("root" if is_root() else event["by"]["user"])
    crash = next(event for event in events if event["to"] == "backoff")
    killed = "exited with code 1" if WINDOWS else "ended by SIGKILL"
    assert crash["cause"] == killed and crash["by"] is None
    assert all(event["name"] == "job" for event in events)
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)


def test_for_people(job):
    job.start("job")
    result = job.svcmgr("events", "job")
    assert result.code == 0 and result.err == ""
    (line,) = result.out.splitlines()
    pid = job.status("job")["pid"]
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\dT\S+Z  ready       \S.* \(pid {pid}, generation 1\); asked by "
                        r"\S+, \".*svcmgr\S* .*start job\", pid \d+.*", line), line


def test_the_last_ones(job):
    job.start("job")
    assert job.svcmgr("stop", "job").code == 0
    events = told(job, "job")
    assert told(job, "job", "-n", "2") == events[-2:]
    assert told(job, "job", "-n", "1000") == events
    result = job.svcmgr("events", "job", "-n", "many")
    assert result.code == 2 and "-n needs a number" in result.err


def test_of_several_services_in_the_order_of_time(job):
    job.add("other", [MISBEHAVE, "sleep-forever"], settle="10ms")
    job.start("job")
    job.start("other")
    assert job.svcmgr("stop", "--all").code == 0
    for words in ((), ("job", "other"), ("other", "job")):
        events = told(job, *words)
        assert [event["at"] for event in events] == sorted(event["at"] for event in events)
        assert states(events)[:2] == ["ready", "ready"]
        assert {event["name"] for event in events} == {"job", "other"}
    lines = job.svcmgr("events").out.splitlines()
    assert len(lines) == len(events) and all(re.search(r"Z  (job|other) +\S", line) for line in lines)


def test_nothing_yet_and_nobody_there(job):
    result = job.svcmgr("events", "job")
    assert (result.code, result.out) == (0, "nothing has happened yet\n")
    assert job.svcmgr("events", "job", "--json").out.strip() == "[]"
    assert job.svcmgr("events", "nobody").code == 5
    assert job.svcmgr("events", "job", "nobody").code == 5


def test_following_across_the_file_s_end(site):
    """As it comes, also when the file is put aside."""
    puppet, _ = start_puppet(site)
    following = site.spawn("events", "web", "-f", "--json", stdout=subprocess.PIPE)
    first = json.loads(following.stdout.readline())
    assert first["to"] == "ready"
    events = site.state_of("web") / "events"
    padding = '{"at":"2020-01-01T00:00:00.000Z","name":"web","event":"padding"}\n' * 17000
    with events.open("a", encoding="ascii") as file:
        file.write(padding)
    assert len(padding) > 1 << 20
    for _ in range(17000):
        assert json.loads(following.stdout.readline())["event"] == "padding"
    # The supervisor counts what it writes itself; the next one sees how long the file is.
    os.kill(site.status("web")["supervisor_pid"], signal.SIGKILL)
    wait_for_status(site, "web", lambda now: now["adopted"])
    assert site.svcmgr("reload", "web").code == 0
    wait_until((site.state_of("web") / "events.old").exists)
    wait_until(lambda: json.loads(following.stdout.readline())["event"] == "reload")
    following.terminate()
    following.wait(20)
    names = [event["event"] for event in told(site, "web")]
    assert names.count("padding") == 17000 and names[-1] == "reload"
    assert puppet.pid() == site.status("web")["pid"]


def test_the_history_is_bounded(site):
    start_puppet(site)
    for name in ("events", "events.old"):
        with (site.state_of("web") / name).open("a", encoding="ascii") as file:
            file.write('{"at":"2020-01-01T00:00:00.000Z","name":"web","event":"padding"}\n' * 17000)
    os.kill(site.status("web")["supervisor_pid"], signal.SIGKILL)
    wait_for_status(site, "web", lambda now: now["adopted"])
    for _ in range(3):
        assert site.svcmgr("reload", "web").code == 0
    files = [path for path in site.state_of("web").iterdir() if path.name.startswith("events")]
    assert sorted(path.name for path in files) == ["events", "events.old"]
    assert sum(path.stat().st_size for path in files) < 2 << 20


@pytest.mark.parametrize("cut", ['{"at":"2026-01-01T00:00:00.000Z","name":"jo', "\0\0\0", "{}{", '{"at":'])
def test_a_line_that_was_cut_off_takes_no_other_with_it(job, cut):
    job.start("job")
    events = job.state_of("job") / "events"
    with events.open("a", encoding="ascii") as file:
        file.write(cut)
    assert job.svcmgr("stop", "job").code == 0
    assert states(told(job, "job")) == ["ready", "stopping", "stopped"]
    assert len(job.svcmgr("events", "job").out.splitlines()) == len(told(job, "job"))


@pytest.mark.skipif(not is_root(), reason="needs root")
def test_a_unit_that_asks_is_named(job):
    """By its control group, as systemd names them."""
    mounts = [line.split() for line in open("/proc/mounts", encoding="ascii", errors="replace")]
    group = next((mount[1] for mount in mounts if mount[2] == "cgroup2"), "/none") + \
        "/system.slice/asker.service"
    try:
        os.makedirs(group)
    except OSError:
        pytest.skip("control groups cannot be made here")
    try:
        script = f"echo $$ > {group}/cgroup.procs && exec \"$@\""
        subprocess.run(["sh", "-c", script, "sh", *job.command("start", "job")], check=True, timeout=60,
                       env=job.environment, capture_output=True)
        (event,) = [event for event in told(job, "job") if event["by"]]
        assert event["by"]["launcher"] == "systemd unit asker.service"
    finally:
        job.svcmgr("stop", "job")
        wait_until(lambda: not open(f"{group}/cgroup.procs", encoding="ascii").read())
        os.rmdir(group)
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(group))
