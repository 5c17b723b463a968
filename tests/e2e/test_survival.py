"""SIGKILL to the supervisor at any moment of a service's life: nobody notices, nothing is lost."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time

import pytest
from instances import Control, add_puppet, causes, inherit, start_puppet, wait_for_status
from support import MISBEHAVE, PORTABLE, free_port, get, left_of, pid_is_alive, wait_until

KEPT = ("pid", "generation", "started_at", "ready_at", "restarts", "keeper_pid")


def is_another(before):
    return lambda now: now["supervisor_pid"] not in (None, before)


def kill_supervisor(site, name="web"):
    """SIGKILL to the supervisor; returns the status under the next one."""
    before = site.status(name)["supervisor_pid"]
    os.kill(before, signal.SIGKILL)
    return wait_for_status(site, name, is_another(before), "another supervisor")


def is_stopped(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] == "T"


def known(code, name):
    """Without a sub-reaper nobody is told how an orphan ended: it counts as a failure."""
    return (None, None) if PORTABLE else (code, name)


@contextlib.contextmanager
def gap(site, name="web"):
    """What happens in here no supervisor sees: it is stopped before and killed after."""
    pid = site.status(name)["supervisor_pid"]
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: is_stopped(pid))
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def load(port, threads=3):
    """Requests all the time, each on a connection of its own; the list gets what went wrong."""
    failed, answered, ended = [], [], threading.Event()

    def ask():
        while not ended.is_set():
            try:
                status = get(port, timeout=30)[0]
                (answered if status == 200 else failed).append(status)
            except OSError as fault:
                failed.append(repr(fault))

    running = [threading.Thread(target=ask) for _ in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield answered, failed
    finally:
        ended.set()
        for thread in running:
            thread.join()


def wait_for_more(answered, count=20):
    goal = len(answered) + count
    wait_until(lambda: len(answered) >= goal, "answers")


# ---- While it serves ------------------------------------------------------------------------------


def test_nobody_who_asks_notices_that_the_supervisor_dies(site):
    port = site.add_webui("web")
    before = site.start("web")
    with load(port) as (answered, failed):
        for _ in range(6):
            wait_for_more(answered)
            after = kill_supervisor(site)
            assert {key: after[key] for key in KEPT} == {key: before[key] for key in KEPT}
            assert (after["state"], after["listen"][0]["held"]) == ("ready", True)
        wait_for_more(answered)
    assert failed == []


def hello_from_another(site, former):
    """One that is being killed may still accept a connection and take it along."""
    with contextlib.suppress(ConnectionError, AssertionError), Control(site, "web") as control:
        hello = control.call("hello")["result"]
        return hello if hello["supervisor_pid"] != former else None


def test_a_hundred_kills_in_a_row(site):
    port = site.add_webui("web")
    before = site.start("web")
    last = before["supervisor_pid"]
    for _ in range(100):
        os.kill(last, signal.SIGKILL)
        hello = wait_until(lambda former=last: hello_from_another(site, former))
        assert hello["pid"] == before["pid"]
        last = hello["supervisor_pid"]
    after = site.status("web")
    assert {key: after[key] for key in KEPT} == {key: before[key] for key in KEPT}
    assert get(port)[0] == 200
    assert site.svcmgr("stop", "web").code == 0
    assert left_of(before, "pid", "keeper_pid") == []


def test_counters_are_kept(site):
    puppet = add_puppet(site, settle="10ms", restart={"delay": "1ms", "burst": 0})
    site.start("web")
    for number in (1, 2, 3):
        pid = puppet.pid()
        os.kill(pid, signal.SIGKILL)
        wait_for_status(site, "web", lambda now, n=number: now["restarts"] == n and
                        now["state"] == "ready")
    before = site.status("web")
    after = kill_supervisor(site)
    assert (after["restarts"], after["generation"]) == (3, 4)
    assert after["last_exit"] == before["last_exit"]
    assert after["uptime_ms"] >= before["uptime_ms"]


@pytest.mark.parametrize("how, code, name", [
    ("os._exit(7)", 7, None), ("os._exit(0)", 0, None),
    ("os.kill(os.getpid(), signal.SIGUSR1)", None, "USR1"),
])
def test_how_it_ended_in_the_gap_is_known(site, how, code, name):
    puppet, before = start_puppet(site, restart={"when": "always"})
    with gap(site):
        with contextlib.suppress(ConnectionError):
            puppet._ask(how)  # it ends without an answer
        wait_until(lambda: not pid_is_alive(before["pid"]))
    puppet.notify("READY=1")
    after = wait_for_status(site, "web", lambda now: now["generation"] == 2 and
                            now["state"] == "ready")
    assert (after["last_exit"]["code"], after["last_exit"]["signal"]) == known(code, name)
    assert after["restarts"] == 1 and after["pid"] == puppet.pid()
    assert len(causes(site, "web", "exit")) == 1


def test_a_dead_instance_hides_no_dead_supervisor(site):
    """The keeper has both as children, and lets the one lie that the next supervisor asks for."""
    puppet, before = start_puppet(site, restart={"when": "always"})
    kill_supervisor(site)  # from now on the instance is the keeper's child, and an older one
    with gap(site):
        with contextlib.suppress(ConnectionError):
            puppet._ask("os._exit(7)")
        wait_until(lambda: not pid_is_alive(before["pid"]))
    puppet.notify("READY=1")
    after = wait_for_status(site, "web", lambda now: now["generation"] == 2 and
                            now["state"] == "ready")
    assert (after["last_exit"]["code"], after["last_exit"]["signal"]) == known(7, None)


@pytest.mark.parametrize("first", ["supervisor_pid", "pid"])
def test_both_die_in_the_same_instant(site, first):
    port = site.add_webui("web", restart={"delay": "1ms", "burst": 0})
    before = site.start("web")
    for key in sorted(("supervisor_pid", "pid"), key=lambda key: key != first):
        os.kill(before[key], signal.SIGKILL)
    assert get(port)[0] == 200  # it waited in the backlog
    after = wait_for_status(site, "web", lambda now: now["restarts"] == 1 and
                            now["state"] == "ready")
    # Without a sub-reaper it is known only if the supervisor saw it first.
    seen = (after["last_exit"]["code"], after["last_exit"]["signal"])
    assert seen in ((None, "KILL"), known(None, "KILL"))
    assert after["generation"] == 2


# ---- While something is under way -----------------------------------------------------------------


def test_a_start_goes_on(site):
    puppet = add_puppet(site, ready="notify")
    starting = site.spawn("start", "web")
    pid = puppet.pid()
    for _ in range(3):
        assert kill_supervisor(site)["state"] == "starting"
    assert starting.poll() is None
    puppet.notify("READY=1")
    assert starting.wait(20) == 0
    assert site.status("web")["pid"] == pid


def test_a_start_that_fails_under_the_next_supervisor_fails_as_any_other(site):
    puppet = add_puppet(site, ready="notify", start_timeout="3s")
    starting = site.spawn("start", "web", stderr=subprocess.PIPE)
    pid = puppet.pid()
    kill_supervisor(site)
    assert starting.wait(30) == 1
    assert "3000 ms" in starting.stderr.read()
    assert not pid_is_alive(pid)
    assert site.status("web")["state"] == "stopped"


def test_backoff_goes_on_with_its_socket(site):
    port = free_port()
    site.add("web", [MISBEHAVE, "exit-after-ms", "50", "3"], settle="1ms", listen=inherit(port),
             restart={"delay": "1h", "max_delay": "1h"})
    site.svcmgr("start", "web")
    before = site.wait_for_state("web", "backoff")
    with socket.create_connection(("127.0.0.1", port)):
        after = kill_supervisor(site)
    assert (after["state"], after["restarts"]) == ("backoff", before["restarts"])
    assert after["last_exit"] == before["last_exit"]
    assert 600e3 < after["next_try_ms"] <= before["next_try_ms"]
    assert after["listen"][0]["held"] is True
    assert site.svcmgr("stop", "web").code == 0


def test_backoff_ends_in_time(site):
    site.add("web", [MISBEHAVE, "exit-after-ms", "50", "3"], settle="1ms",
             restart={"delay": "1500ms", "max_delay": "1500ms", "burst": 0})
    site.svcmgr("start", "web")
    site.wait_for_state("web", "backoff")
    generation = kill_supervisor(site)["generation"]
    wait_for_status(site, "web", lambda now: now["generation"] > generation)


def test_failed_stays_failed_and_can_be_started(site):
    site.add("web", [MISBEHAVE, "exit-after-ms", "30", "1"], settle="1ms",
             restart={"delay": "1ms", "max_delay": "5ms", "burst": 1})
    site.svcmgr("start", "web")
    site.wait_for_state("web", "failed")
    assert kill_supervisor(site)["state"] == "failed"
    site.add("web", [MISBEHAVE, "sleep-forever"], settle="1ms")
    assert site.svcmgr("restart", "web").code == 0
    assert site.status("web")["state"] == "ready"


def test_a_stop_is_finished(site):
    puppet, before = start_puppet(site, stop={"timeout": "1h"})
    puppet.do("on('TERM', None)")
    stopping = site.spawn("stop", "web")
    site.wait_for_state("web", "stopping")
    assert kill_supervisor(site)["state"] == "stopping"
    assert stopping.poll() is None
    with contextlib.suppress(ConnectionError):
        puppet._ask("os._exit(0)")
    assert stopping.wait(20) == 0
    assert left_of(before, "pid", "keeper_pid") == []
    assert site.status("web")["state"] == "stopped"


def test_who_waits_for_long_goes_on_waiting(site):
    """The five seconds without an answer count from the last answer, not from the beginning."""
    puppet, _ = start_puppet(site, stop={"timeout": "1h"})
    puppet.do("on('TERM', None)")
    stopping = site.spawn("stop", "web")
    begin = time.monotonic()
    site.wait_for_state("web", "stopping")
    wait_until(lambda: time.monotonic() - begin > 5.5)
    for _ in range(3):
        kill_supervisor(site)
    assert stopping.poll() is None
    with contextlib.suppress(ConnectionError):
        puppet._ask("os._exit(0)")
    assert stopping.wait(20) == 0


def test_a_stop_keeps_its_time_limit(site):
    puppet, before = start_puppet(site, stop={"timeout": "2s"})
    puppet.do("on('TERM', None)")
    stopping = site.spawn("stop", "web")
    site.wait_for_state("web", "stopping")
    kill_supervisor(site)
    assert stopping.wait(20) == 0
    assert not pid_is_alive(before["pid"])
    assert len(causes(site, "web", "exit")) == 1


def test_a_sequential_restart_goes_on(site):
    port = free_port()
    puppet, before = start_puppet(site, replace="sequential", listen=inherit(port),
                                  stop={"timeout": "1h"})
    puppet.do("on('TERM', None)")
    restarting = site.spawn("restart", "web")
    wait_for_status(site, "web", lambda now: now["state"] != "ready")
    kill_supervisor(site)
    with contextlib.suppress(ConnectionError):
        puppet._ask("os._exit(0)")
    wait_for_status(site, "web", lambda now: now["generation"] == 2)
    kill_supervisor(site)
    puppet.notify("READY=1")
    assert restarting.wait(20) == 0
    after = site.status("web")
    assert (after["state"], after["generation"], after["pid"]) == ("ready", 2, puppet.pid())
    assert not pid_is_alive(before["pid"])


def test_a_restart_by_overlap_goes_on(site):
    puppet, before = start_puppet(site, replace="overlap", listen=inherit(),
                                  stop={"timeout": "1h"})
    restarting = site.spawn("restart", "web")
    new = wait_until(lambda: puppet.pid() if puppet.pid() != before["pid"] else None)
    after = kill_supervisor(site)
    assert (after["state"], after["pid"]) == ("replacing", before["pid"])
    puppet.notify("READY=1")
    assert restarting.wait(20) == 0
    after = site.wait_for_state("web", "ready")  # the old one may still be on its way out
    assert (after["generation"], after["pid"]) == (2, new)
    assert not pid_is_alive(before["pid"])
