"""SIGKILL to the keeper, to both, and to anything at any time."""

import os
import random
import signal
import time

import pytest
from instances import add_puppet, causes, inherit, start_puppet, wait_for_status
from support import (MISBEHAVE, PORTABLE, WINDOWS, free_port, get, pid_is_alive, processes_with,
                     wait_until)
from test_guard_record import kill_both
from test_guard_storm import SEED, Census, kill

ROUNDS = int(os.environ.get("SVCMGR_TEST_TRIALS", "15" if WINDOWS else "60"))


def kill_keeper(site, name="web"):
    """SIGKILL to the keeper; returns the status without one."""
    before = site.status(name)
    os.kill(before["keeper_pid"], signal.SIGKILL)
    return wait_for_status(site, name, lambda now: now["keeper_pid"] is None, "no keeper")


def kill_supervisor(site, name="web"):
    before = site.status(name)["supervisor_pid"]
    os.kill(before, signal.SIGKILL)
    return wait_for_status(site, name, lambda now: now["supervisor_pid"] not in (None, before))


# ---- The keeper -----------------------------------------------------------------------------------


def test_the_supervisor_goes_on_without_a_keeper_and_says_so(site):
    port = site.add_webui("web")
    before = site.start("web")
    after = kill_keeper(site)
    for key in ("pid", "supervisor_pid", "generation", "started_at", "state", "restarts"):
        assert after[key] == before[key]
    assert get(port)[0] == 200
    wait_until(lambda: causes(site, "web", "keeper"), "an event")
    assert "keeper has died" in causes(site, "web", "keeper")[0]
    result = site.svcmgr("start", "web")
    assert result.code == 0 and "already running" in result.out
    assert site.svcmgr("run", "web").code == 10


@pytest.mark.parametrize("revived", [False, True])
def test_without_a_keeper_it_is_still_supervised(site, revived):
    """As a child of the supervisor's, and as nobody's that a former supervisor has started."""
    port = site.add_webui("web", restart={"delay": "1ms", "burst": 0})
    before = site.start("web")
    if revived:
        kill_supervisor(site)
    kill_keeper(site)
    os.kill(before["pid"], signal.SIGKILL)
    assert get(port)[0] == 200
    after = wait_for_status(site, "web", lambda now: now["restarts"] == 1 and
                            now["state"] == "ready")
    assert after["last_exit"]["signal"] in (("KILL", None) if revived else ("KILL",))
    assert site.svcmgr("restart", "web").code == 0
    assert get(port)[0] == 200
    assert site.status("web")["generation"] == 3


@pytest.mark.skipif(PORTABLE, reason="needs a sub-reaper")
@pytest.mark.parametrize("words, revived", [
    # What a double fork left has lost both who knew it when the one is new and the other is dead.
    (["double-fork", "fork-tree", "2", "2"], False), (["fork-tree", "2", "2"], True)])
def test_without_a_keeper_stop_still_cleans_everything(site, words, revived):
    pids = site.directory / "pids"
    site.add("web", [MISBEHAVE, "pids", pids, *words, "sleep-forever"], settle="50ms",
             stop={"timeout": "300ms"})
    before = site.start("web")
    count = 6 if revived else 8
    wait_until(lambda: pids.read_text().count("\n") >= count)
    found = [int(pid) for pid in pids.read_text().split()]
    if revived:
        kill_supervisor(site)
    kill_keeper(site)
    result = site.svcmgr("stop", "web")
    assert result.code == 0, result
    assert not any(pid_is_alive(pid) for pid in [*found, before["pid"]])
    assert site.status("web")["state"] == "stopped"


def test_a_ready_that_comes_after_the_keeper_died_is_heard(site):
    puppet = add_puppet(site, ready="notify")
    starting = site.spawn("start", "web")
    pid = puppet.pid()
    kill_keeper(site)
    puppet.notify("READY=1")
    assert starting.wait(20) == 0
    assert site.status("web")["pid"] == pid


def test_one_after_the_other_is_as_both(site):
    port = site.add_webui("web")
    before = site.start("web")
    after = kill_keeper(site)
    os.kill(after["supervisor_pid"], signal.SIGKILL)
    wait_for_status(site, "web", lambda now: now["supervisor_pid"] is None)
    assert get(port)[0] == 200
    adopted = site.start("web")
    assert (adopted["pid"], adopted["adopted"]) == (before["pid"], True)
    assert adopted["keeper_pid"] is not None
    assert kill_supervisor(site)["pid"] == before["pid"]  # and is an ordinary service again
    os.kill(before["pid"], signal.SIGKILL)
    wait_for_status(site, "web", lambda now: now["restarts"] == 1 and now["state"] == "ready")
    assert site.svcmgr("stop", "web").code == 0
    assert not processes_with(str(site.directory))


def test_a_term_to_a_supervisor_without_a_keeper_stops(site):
    site.add("web", [MISBEHAVE, "sleep-forever"], settle="10ms")
    before = site.start("web")
    kill_keeper(site)
    os.kill(before["supervisor_pid"], signal.SIGTERM)
    wait_until(lambda: not any(pid_is_alive(before[key]) for key in ("pid", "supervisor_pid")))
    assert site.status("web")["state"] == "stopped"


# ---- Both -----------------------------------------------------------------------------------------


def test_status_tells_what_is_left_when_both_have_died(site):
    site.add_webui("web")
    before = site.start("web")
    kill_both(before)
    result = site.svcmgr("status", "--json", "web")
    assert result.code == 3 and result.json()["state"] == "stopped"
    assert result.json()["supervisor_pid"] is None


def test_a_service_that_binds_itself_is_taken_up_and_holds_nothing(site):
    port = free_port()
    site.add("web", [MISBEHAVE, "bind", "env", "serve"], health={"http": "/"},
             listen={"address": f"127.0.0.1:{port}", "socket": "self"})
    before = site.start("web")
    kill_both(before)
    after = site.start("web")
    assert (after["pid"], after["adopted"]) == (before["pid"], True)
    assert after["listen"][0]["held"] is False
    assert site.svcmgr("restart", "web").code == 0
    assert site.status("web")["generation"] == 2 and get(port)[0] == 200


@pytest.mark.skipif(PORTABLE, reason="sockets can be taken back on Linux only")
def test_the_socket_is_taken_back_and_outlives_the_program(site):
    port = site.add_webui("web", restart={"delay": "1ms", "burst": 0})
    before = site.start("web")
    kill_both(before)
    assert site.start("web")["listen"][0]["held"] is True
    os.kill(before["pid"], signal.SIGKILL)
    assert get(port)[0] == 200  # waited in the backlog of the socket that was taken back
    wait_for_status(site, "web", lambda now: now["restarts"] == 1 and now["state"] == "ready")


def test_of_several_sockets_each_is_taken_back(site):
    ports = [free_port(), free_port()]
    path = site.directory / "web.unix"
    site.add("web", [MISBEHAVE, "serve"], settle="20ms",
             listen=[inherit(ports[0]), inherit(ports[1]),
                     {"address": f"unix:{path}", "socket": "inherit"}])
    before = site.start("web")
    kill_both(before)
    after = site.start("web")
    assert after["pid"] == before["pid"]
    if not PORTABLE:
        assert [listener["held"] for listener in after["listen"]] == [True] * 3
    result = site.svcmgr("restart", "web")
    assert result.code == 0
    assert ("connections may be refused" in result.err) is PORTABLE
    assert site.svcmgr("restart", "web").err == ""
    after = site.status("web")
    assert after["generation"] == 3
    assert [listener["held"] for listener in after["listen"]] == [True] * 3


def test_messages_are_heard_again_after_both_have_died(site):
    puppet, before = start_puppet(site, watchdog="2s")
    kill_both(before)
    assert site.start("web")["pid"] == before["pid"]
    for number in range(12):  # for longer than the watchdog waits
        puppet.notify(f"WATCHDOG=1\nSTATUS=ping {number}")
        wait_for_status(site, "web", lambda now, n=number: now["status_text"] == f"ping {n}")
        let_pass(0.25)
    status = site.status("web")
    assert (status["pid"], status["restarts"]) == (before["pid"], 0)


def test_what_never_was_ready_is_started_anew_when_both_have_died(site):
    """It may have said so when nobody listened."""
    puppet = add_puppet(site, ready="notify", stop={"timeout": "300ms"})
    site.spawn("start", "web")
    first = puppet.pid()
    kill_both(site.status("web"))
    starting = site.spawn("start", "web")
    wait_until(lambda: not pid_is_alive(first), "the end of the first one")
    wait_for_status(site, "web", lambda now: now["pid"] not in (None, first))
    puppet.notify("READY=1")
    assert starting.wait(20) == 0
    assert site.status("web")["state"] == "ready"


# ---- Anything, at any time ------------------------------------------------------------------------


def let_pass(seconds):
    """The moment of the kill is what varies: there is no condition to wait for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.001)


@pytest.mark.parametrize("victims", [
    ["keeper_pid"], ["supervisor_pid"], ["pid"],
    ["keeper_pid", "supervisor_pid"], ["supervisor_pid", "pid"], ["keeper_pid", "pid"],
    ["keeper_pid", "supervisor_pid", "pid"]])
def test_whoever_dies_the_next_start_ends_with_exactly_one(site, victims):
    census = Census(site, restart={"delay": "1ms", "burst": 0}, stop={"timeout": "200ms"})
    status = site.start()
    kill([status[key] for key in victims])
    assert site.svcmgr("start", "webui").code == 0
    census.assert_one()


def test_random_kills_and_starts(site):
    census = Census(site, restart={"delay": "1ms", "burst": 0}, stop={"timeout": "200ms"})
    print("seed", SEED)
    dice = random.Random(SEED)
    site.start()
    for trial in range(ROUNDS):
        for _ in range(dice.randint(1, 3)):
            status = site.status()
            pids = [status[key] for key in ("keeper_pid", "supervisor_pid", "pid")
                    if status[key] is not None and dice.random() < 0.5]
            kill(pids)
            let_pass(dice.choice([0, 0.002, 0.01, 0.05]) * dice.random())
        result = site.svcmgr("start", "webui")
        if result.code == 1 and "before it was ready" in result.err:
            # It joined a start whose process had been hit a moment ago, and is told so.
            result = site.svcmgr("start", "webui")
        assert result.code == 0, (trial, result)
        census.assert_one()
    assert site.svcmgr("stop", "webui").code == 0
    assert not processes_with(str(site.directory))
