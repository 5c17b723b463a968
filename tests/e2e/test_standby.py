"""run --duplicate standby and takeover behind our own other supervisor: in line, and what ends that."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import pytest
from channel import both_kinds
from instances import Control, wait_for_status
from strangers import add_marked, http_server, names
from support import (LIMIT, STOPPED, WINDOWS, end_process, free_port, get, pauses, pid_is_alive,
                     wait_until)
from windows import KILLED

LINE_MAX = 16  # STATUS_STANDBY_MAX
# What a stop says that asks first.
ASKED = STOPPED + (KILLED if WINDOWS else "")

site = both_kinds(sanitized=("unix",))


def run(site, *options):
    """The command, which writes its messages to a file."""
    messages = site.directory / f"messages-{len(site.children)}"
    with open(messages, "w") as output:
        running = site.spawn("run", "webui", *site.control_words(), *options, stdout=subprocess.DEVNULL,
                             stderr=output)
    running.messages = messages
    return running


def is_of(shown, running):
    """Whether a status, or an entry of the line, is of that command, whose pid Wine does not know."""
    return WINDOWS or shown["keeper_pid"] == running.pid


def line(site):
    return site.status()["standby"]


def stand_by(site, *options):
    """A supervisor in line, once the holder lists it; and its entry there."""
    known = {entry["pid"] for entry in line(site)}
    running = run(site, *(options or ("--duplicate", "standby")))
    entry = wait_until(lambda: next((one for one in line(site) if one["pid"] not in known), None),
                       "its place in line")
    return running, entry


def said(running):
    running.wait(LIMIT)
    return running.messages.read_text()


def leave(running, entry):
    """It is asked to end; on Windows nobody can ask just one of them, and it is killed."""
    if WINDOWS:
        end_process(entry["pid"])
        running.wait(LIMIT)
    else:
        running.terminate()
        assert running.wait(LIMIT) == 0


def kill(*pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def web(site):
    port = free_port()
    add_marked(site, port=port)
    site.start()
    site.port = port
    return site


# ---- In line --------------------------------------------------------------------------------------------


def test_who_stands_in_line_is_listed(web):
    first, entry = stand_by(web)
    assert is_of(entry, first) and entry["launcher"] == "manual"
    assert entry["since"] <= wait_until(lambda: web.status(), "a status")["standby"][0]["since"]
    second, other = stand_by(web)
    assert is_of(other, second)
    assert {one["pid"] for one in line(web)} == {entry["pid"], other["pid"]}
    shown = web.svcmgr("status", "webui").out
    for one in (entry, other):
        assert f"standby    supervisor pid {one['pid']}, started by manual" in shown
    assert web.svcmgr("stop", "webui").code == 0


def test_it_says_who_serves_and_touches_nothing(web):
    status = web.status()
    events = (web.state_of("webui") / "events").read_bytes()
    running, entry = stand_by(web)
    assert (web.state_of("webui") / "events").read_bytes() == events
    assert web.status()["pid"] == status["pid"]
    leave(running, entry)
    text = said(running)
    assert f"pid {status['pid']} serves, under the supervisor with pid " \
           f"{status['supervisor_pid']}" in text
    wait_until(lambda: line(web) == [], "an empty line")
    assert web.status()["state"] == "ready"


def test_the_configuration_asks_for_it_too(site):
    add_marked(site, port=free_port(), duplicate="standby")
    site.start()
    running, _ = stand_by(site, "--exit-code-from-instance")
    assert site.svcmgr("stop", "webui").code == 0
    assert running.wait(LIMIT) == 0


def test_the_command_line_wins_over_the_configuration(site):
    add_marked(site, port=free_port(), duplicate="standby")
    site.start()
    running = run(site, "--duplicate", "refuse")
    assert running.wait(LIMIT) == 10
    assert "already running" in said(running)


def test_start_does_not_stand_in_line(site):
    """A start by hand of what runs already is done."""
    add_marked(site, port=free_port(), duplicate="standby")
    pid = site.start()["pid"]
    result = site.svcmgr("start", "webui")
    assert result.code == 0 and f"already running: pid {pid}" in result.out
    assert line(site) == []


def test_the_line_has_an_end(web):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Control(web, "webui")) for _ in range(LINE_MAX + 1)]
        for client in clients[:LINE_MAX]:
            assert client.call("standby", launcher="test")["result"]["pid"]
        assert clients[LINE_MAX].call("standby")["error"]["code"] == -32001
        assert len(line(web)) == LINE_MAX
        assert web.svcmgr("status", "webui").code == 0
    wait_until(lambda: line(web) == [], "an empty line")


@pytest.mark.parametrize("params", [{"keeper_pid": "x"}, {"keeper_pid": 0}, {"keeper_pid": -1}])
def test_wrong_parameters_are_refused(web, params):
    with Control(web, "webui") as client:
        assert client.call("standby", **params)["error"]["code"] == -32602
    assert line(web) == []


def test_what_a_client_says_of_its_launcher_stays_harmless(web):
    with Control(web, "webui") as client:
        client.call("standby", launcher="\033[31m" + "x" * 100)
        assert len(line(web)[0]["launcher"]) <= 15
        assert "\033" not in line(web)[0]["launcher"]


def test_it_does_not_wake_up(web):
    """While others talk to the holder, who stands in line sleeps."""
    running, entry = stand_by(web)

    pids = [running.pid] if WINDOWS else [running.pid, entry["pid"]]

    def wakes():
        return sum(map(pauses, pids))

    before = wakes()
    for _ in range(30):
        assert len(line(web)) == 1
    # What they were told while they got in line may still have been on its way.
    assert wakes() - before < 15


# ---- Going on -------------------------------------------------------------------------------------------


def test_it_goes_on_when_the_holder_ends_by_a_signal(site):
    add_marked(site, port=free_port())
    holder = run(site)
    former = site.wait_for_state("webui", "ready")
    running, entry = stand_by(site)
    holder.terminate()
    assert holder.wait(LIMIT) == 0
    status = wait_for_status(site, "webui", lambda status: status["state"] == "ready" and
                             status["supervisor_pid"] == entry["pid"])
    assert status["keeper_pid"] == running.pid and status["standby"] == []
    assert status["pid"] != former["pid"] and not pid_is_alive(former["pid"])
    running.terminate()
    assert "the other supervisor has ended" in said(running)


def test_stop_keeps_the_line_when_asked(web):
    running, entry = stand_by(web)
    result = web.svcmgr("stop", "webui", "--keep-standby")
    assert result.code == 0
    assert f"{ASKED}; the standby with pid {entry['pid']} takes over" in result.out
    status = web.wait_for_state("webui", "ready")
    assert status["supervisor_pid"] == entry["pid"] and running.poll() is None
    assert web.svcmgr("stop", "--keep-standby", "webui").out == f"webui: {ASKED}\n"
    assert running.wait(LIMIT) == 0


@pytest.mark.parametrize("words", [[], ["--now"]])
def test_stop_ends_the_line_first(web, words):
    runs = [stand_by(web)[0] for _ in range(5)]
    result = web.svcmgr("stop", "webui", *words)
    assert result.code == 0 and result.out == f"webui: {STOPPED if words else ASKED}\n"
    for running in runs:
        assert running.wait(LIMIT) == 0
    assert web.status()["state"] == "stopped"


def kill_for_good(status, *others):
    """Keeper and supervisor; the keeper is stopped first, so that it brings nobody back.  On Windows
    there is none, and the instance ends with the supervisor."""
    if WINDOWS:
        end_process(status["supervisor_pid"])
        return
    os.kill(status["keeper_pid"], signal.SIGSTOP)
    kill(status["supervisor_pid"], *others, status["keeper_pid"])


@pytest.mark.parametrize("round_", range(5))
def test_both_killed_the_instance_is_taken_up(web, round_):
    """Nobody brings the holder back, and its instance lives: the one in line adopts it."""
    former = web.status()
    running, entry = stand_by(web)
    if round_ % 2:
        kill(former["keeper_pid"], former["supervisor_pid"])
    else:
        kill_for_good(former)
    status = wait_for_status(web, "webui", lambda status: status["state"] == "ready" and
                             status["supervisor_pid"] == entry["pid"])
    assert status["pid"] == former["pid"] and status["generation"] == 1 and status["adopted"]
    assert get(web.port)[0] == 200 and running.poll() is None


def test_everything_killed_it_starts_anew(web):
    former = web.status()
    _, entry = stand_by(web)
    kill_for_good(former, former["pid"])
    status = wait_for_status(web, "webui", lambda status: status["state"] == "ready" and
                             status["supervisor_pid"] == entry["pid"])
    assert status["pid"] != former["pid"]
    assert get(web.port)[0] == 200


def test_a_killed_holder_comes_back_and_the_line_stays(web):
    """The keeper brings it back: whoever stands in line connects to the new one."""
    former = web.status()
    running, entry = stand_by(web)
    for _ in range(20):
        pid = web.status()["supervisor_pid"]
        kill(pid)
        status = wait_for_status(web, "webui", lambda status, pid=pid:
                                 status["supervisor_pid"] not in (None, pid) and
                                 [one["pid"] for one in status["standby"]] == [entry["pid"]])
        assert status["pid"] == former["pid"] and status["keeper_pid"] == former["keeper_pid"]
    assert running.poll() is None


def test_one_in_line_that_is_killed_comes_back(web):
    running, entry = stand_by(web)
    kill(entry["pid"])
    wait_until(lambda: [one["keeper_pid"] for one in line(web)
                        if one["pid"] != entry["pid"]] == [running.pid], "its new place in line")
    assert web.svcmgr("stop", "webui").code == 0
    assert running.wait(LIMIT) == 0


def children(pid):
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def sleeps(pid):
    """Whether a supervisor has come to its loop, where it sleeps."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return "poll" in Path(f"/proc/{pid}/wchan").read_text()
    return False


def test_a_holder_that_hangs_is_waited_for(web):
    holder = web.status()["supervisor_pid"]
    os.kill(holder, signal.SIGSTOP)
    try:
        running = run(web, "--duplicate", "standby")
        wait_until(lambda: any(sleeps(pid) for pid in children(running.pid)), "that it waits")
        assert running.poll() is None
    finally:
        os.kill(holder, signal.SIGCONT)
    wait_until(lambda: [one["keeper_pid"] for one in line(web)] == [running.pid])


def test_one_after_the_other_until_the_line_is_empty(web):
    """Each takes over from the one before; there is one instance at any time."""
    runs = dict(reversed([(entry["pid"], running) for running, entry in
                          [stand_by(web) for _ in range(5)]]))
    served = set()
    for left in range(5, 0, -1):
        assert len(line(web)) == left
        status = web.status()
        served.add(status["pid"])
        kill_for_good(status, status["pid"])
        wait_for_status(web, "webui", lambda now, former=status, left=left:
                        now["state"] == "ready" and now["pid"] != former["pid"] and
                        len(now["standby"]) == left - 1)
        assert not pid_is_alive(status["pid"])
    assert len(served) == 5 and line(web) == []
    assert web.status()["supervisor_pid"] in runs


def test_it_waits_for_a_stranger_after_the_holder(web):
    """The whole guard is passed: a stranger that took the address meanwhile is left alone."""
    running, entry = stand_by(web)
    former = web.status()
    kill_for_good(former, former["pid"])
    stranger = None
    with contextlib.suppress(AssertionError):
        stranger = http_server(web, web.port)
    status = wait_for_status(web, "webui", lambda status: status["supervisor_pid"] == entry["pid"]
                             and status["state"] in ("ready", "standby"))
    if status["state"] == "standby":
        assert status["other"]["pid"] == stranger.known_pid and stranger.is_untouched()
        stranger.child.kill()
        assert web.wait_for_state("webui", "ready")
    assert get(web.port)[0] == 200 and running.poll() is None


# ---- Takeover -------------------------------------------------------------------------------------------


def test_takeover_stops_the_other_one_and_starts(site):
    add_marked(site, port=free_port())
    holder = run(site)
    former = site.wait_for_state("webui", "ready")
    running = run(site, "--duplicate", "takeover")
    status = wait_for_status(site, "webui", lambda status: status["state"] == "ready" and
                             status["supervisor_pid"] != former["supervisor_pid"] and
                             is_of(status, running))
    assert running.poll() is None and holder.wait(LIMIT) == 0
    assert status["pid"] != former["pid"] and not pid_is_alive(former["pid"])


def test_takeover_leaves_the_line_as_it_is(web):
    former = web.status()
    others, entries = zip(*[stand_by(web) for _ in range(3)], strict=True)
    known = {former["supervisor_pid"], *(entry["pid"] for entry in entries)}
    running = run(web, "--duplicate", "takeover")
    status = wait_for_status(web, "webui", lambda status: status["state"] == "ready" and
                             status["supervisor_pid"] not in known and is_of(status, running))
    wait_until(lambda: len(line(web)) + sum(one.poll() is not None for one in others) == 3)
    assert running.poll() is None and status["state"] == "ready"
    assert web.svcmgr("stop", "webui").code == 0
    assert all(one.wait(LIMIT) == 0 for one in [*others, running])


def test_takeover_of_nothing_is_a_start(site):
    add_marked(site, port=free_port())
    running = run(site, "--duplicate", "takeover")
    assert is_of(site.wait_for_state("webui", "ready"), running)


def test_takeover_never_touches_a_stranger(site):
    port = free_port()
    add_marked(site, port=port)
    stranger = http_server(site, port)
    running = run(site, "--duplicate", "takeover")
    assert running.wait(LIMIT) == 10
    assert names(said(running), stranger)
    assert stranger.is_untouched()


def test_takeover_of_one_that_hangs_says_so(web):
    holder = web.status()["supervisor_pid"]
    os.kill(holder, signal.SIGSTOP)
    try:
        running = run(web, "--duplicate", "takeover")
        assert running.wait(LIMIT) == 8
        assert "did not answer in 5 s" in said(running)
    finally:
        os.kill(holder, signal.SIGCONT)
    wait_until(lambda: web.status()["state"] in ("ready", "stopped"))


def test_takeover_at_once_from_everywhere_leaves_one(web):
    runs = [run(web, "--duplicate", "takeover") for _ in range(4)]

    def one_serves():
        left = [one for one in runs if one.poll() is None]
        status = web.status()
        return len(left) == 1 and is_of(status, left[0]) and status["state"] == "ready"

    wait_until(one_serves, "one that serves")
    assert web.svcmgr("stop", "webui").code == 0
    for one in runs:
        assert one.wait(LIMIT) in (0, 10), said(one)


def test_it_is_told_when_another_instance_serves(web):
    running, _ = stand_by(web)
    assert web.svcmgr("restart", "webui").code == 0
    pid = web.status("webui")["pid"]
    assert web.svcmgr("stop", "webui").code == 0
    assert f"standby: pid {pid} serves" in said(running)
