"""What comes while no supervisor lives, a supervisor that hangs, and one that finds no file."""

import contextlib
import os
import signal

import nthcall
import pytest
from instances import Control, add_puppet, start_puppet, states, wait_for_status
from strangers import silent_listener
from support import MISBEHAVE, PORTABLE, get, left_of, pid_is_alive, sockets_of, wait_until
from test_guard_record import read_record
from test_survival import KEPT, gap, is_another, kill_supervisor


# ---- What comes in the gap ------------------------------------------------------------------------


def test_ready_in_the_gap_is_heard(site):
    puppet = add_puppet(site, ready="notify")
    starting = site.spawn("start", "web")
    pid = puppet.pid()
    with gap(site):
        puppet.notify("READY=1\nSTATUS=said in the gap")
    assert starting.wait(20) == 0
    status = site.status("web")
    assert (status["state"], status["pid"]) == ("ready", pid)


def test_a_watchdog_is_not_pulled_by_the_death_of_who_listens(site):
    puppet, before = start_puppet(site, watchdog="3s")
    for _ in range(3):
        puppet.notify("WATCHDOG=1")
        with gap(site):
            puppet.notify("WATCHDOG=1")
        wait_for_status(site, "web", lambda now: now["state"] == "ready")
    puppet.barrier()
    assert site.status("web")["restarts"] == 0
    assert puppet.pid() == before["pid"]


def test_a_watchdog_goes_on_under_the_next_supervisor(site):
    puppet, before = start_puppet(site, watchdog="1s", restart={"delay": "1ms"})
    kill_supervisor(site)
    wait_until(lambda: not pid_is_alive(before["pid"]), "the end of the silent one")
    puppet.notify("READY=1")
    wait_for_status(site, "web", lambda now: now["restarts"] == 1 and now["state"] == "ready")


def test_a_client_that_comes_in_the_gap_is_answered(site):
    site.add("web", [MISBEHAVE, "sleep-forever"], settle="10ms")
    before = site.start("web")
    with contextlib.ExitStack() as stack:
        with gap(site) as former:
            controls = [stack.enter_context(Control(site, "web")) for _ in range(5)]
            for control in controls:
                control.send("initialized")
        for control in controls:
            hello = control.call("hello")["result"]
            assert hello["pid"] == before["pid"] and hello["supervisor_pid"] != former


@pytest.mark.parametrize("words", [["status"], ["restart"], ["stop"], ["signal"]])
def test_a_command_that_comes_in_the_gap_does_its_work(site, words):
    site.add("web", [MISBEHAVE, "note", "USR1", "sleep-forever"], settle="50ms")
    before = site.start("web")
    words = ["signal", "web", "USR1"] if words == ["signal"] else [*words, "web"]
    with gap(site):
        asking = site.spawn(*words)
        # It is connected when it waits; then its supervisor dies.
        wait_until(lambda: asking.poll() is not None or sockets_of(asking.pid))
    assert asking.wait(20) == 0
    if words[0] == "signal":
        wait_until(lambda: "caught USR1" in site.log("web"))
    elif words[0] == "restart":
        assert site.status("web")["generation"] == 2
    elif words[0] == "stop":
        assert left_of(before, "pid", "keeper_pid") == []


def test_a_stop_that_is_asked_for_in_the_gap_is_remembered(site):
    site.add("web", [MISBEHAVE, "sleep-forever"], settle="10ms")
    running = site.spawn("run", "web")
    before = site.wait_for_state("web", "ready")
    with gap(site):
        os.kill(before["keeper_pid"], signal.SIGTERM)
    assert running.wait(20) == 0
    assert not pid_is_alive(before["pid"])
    assert states(site, "web")[-1] == "stopped"


# ---- A supervisor that hangs ----------------------------------------------------------------------


def test_commands_to_a_supervisor_that_hangs_end_in_bounds(site):
    site.add("web", [MISBEHAVE, "sleep-forever"], settle="10ms")
    before = site.start("web")
    os.kill(before["supervisor_pid"], signal.SIGSTOP)
    commands = (["status", "web"], ["restart", "web"], ["stop", "web"], ["start", "web"],
                ["signal", "web", "USR1"], ["reload", "web"], ["run", "web"])
    try:
        children = {command[0]: site.spawn(*command) for command in commands}
        codes = {word: child.wait(40) for word, child in children.items()}
    finally:
        os.kill(before["supervisor_pid"], signal.SIGCONT)
    assert codes == dict.fromkeys(codes, 8)


def test_a_second_term_goes_through_a_supervisor_that_hangs(site):
    site.add("web", [MISBEHAVE, "ignore", "TERM", "sleep-forever"], settle="50ms",
             stop={"timeout": "1h"})
    running = site.spawn("run", "web")
    before = site.wait_for_state("web", "ready")
    os.kill(before["supervisor_pid"], signal.SIGSTOP)
    running.terminate()
    # The first one is taken when it is not pending any more; two at once would be one.
    wait_until(lambda: not is_pending(running.pid, signal.SIGTERM))
    running.terminate()
    assert running.wait(20) == 0
    assert left_of(before, "pid", "supervisor_pid") == []


@pytest.mark.parametrize("dies", [False, True])
def test_a_keeper_that_hangs_does_not_keep_a_stop_from_its_end(site, dies):
    """What a former supervisor started is the keeper's child, and only the keeper hears its end."""
    site.add("web", [MISBEHAVE, "sleep-forever"], settle="10ms", stop={"timeout": "100ms"})
    before = site.start("web")
    os.kill(before["supervisor_pid"], signal.SIGKILL)
    wait_until(lambda: supervisor_of(site) not in (None, before["supervisor_pid"]))
    os.kill(before["keeper_pid"], signal.SIGSTOP)
    if dies:
        os.kill(before["pid"], signal.SIGKILL)
    result = site.svcmgr("stop", "web")
    os.kill(before["keeper_pid"], signal.SIGCONT)
    assert result.code == 0, result
    assert not pid_is_alive(before["pid"])
    assert site.start("web")["generation"] == 1


def supervisor_of(site):
    return site.status("web").get("supervisor_pid")


def is_pending(pid, number):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        masks = [int(line.split()[1], 16) for line in status if line.startswith(("SigPnd", "ShdPnd"))]
    return any(mask >> (number - 1) & 1 for mask in masks)


# ---- A configuration that is not there any more ---------------------------------------------------


@pytest.mark.parametrize("what", ["broken", "gone"])
def test_the_configuration_in_use_is_what_counts(site, what):
    port = site.add_webui("web", restart={"delay": "1ms", "burst": 0})
    before = site.start("web")
    path = site.config_dir / "web.json"
    if what == "broken":
        path.write_text("{")
    else:
        path.unlink()
    after = kill_supervisor(site)
    assert {key: after[key] for key in KEPT} == {key: before[key] for key in KEPT}
    assert after["state"] == "ready" and get(port)[0] == 200
    os.kill(after["pid"], signal.SIGKILL)
    wait_for_status(site, "web", lambda now: now["restarts"] == 1 and now["state"] == "ready")
    assert get(port)[0] == 200
    with Control(site, "web") as control:
        control.send("stop")
        wait_until(lambda: not pid_is_alive(before["keeper_pid"]), "the end")


# ---- Before the guard has said yes ----------------------------------------------------------------


def test_the_record_of_a_former_run_is_not_the_one_of_this(site):
    """Until the guard says yes the record tells how the run before ended."""
    port = site.add_webui("web", bind_timeout="30s")
    site.start("web")
    assert site.svcmgr("stop", "web").code == 0
    stranger = silent_listener(site, port)
    starting = site.spawn("start", "web")
    wait_until((site.state_of("web") / "control.sock").exists)
    kill_supervisor(site)
    stranger.end()
    assert starting.wait(20) == 0
    assert get(port)[0] == 200 and site.status("web")["generation"] == 1


@pytest.mark.skipif(PORTABLE, reason="needs a sub-reaper")
def test_a_child_that_the_keeper_never_heard_of(site):
    """Recorded, and its supervisor dies before the barrier opens: it may be slow to go."""
    site.without_leak_check()
    port = site.add_webui("web")
    calls = nthcall.run(site, nthcall.target(nthcall.SUPERVISOR), ["count"], "start", "web").calls
    assert site.svcmgr("stop", "web").code == 0
    fork = next(at for at, call in enumerate(calls) if call in ("fork", "clone", "clone3"))
    writes = calls[:fork].count("pwrite64") + 1  # the one after the fork tells the child's pid
    outcome = nthcall.run(site, nthcall.target(nthcall.SUPERVISOR), ["stop", "pwrite64", writes],
                          "start", "web")
    assert (outcome.acted, outcome.code) == ("pwrite64", 8)
    supervisor = int((site.state_of("web") / "pid").read_text())
    child = read_record(site, "web")["generations"][0]["process"]["pid"]
    os.kill(child, signal.SIGSTOP)
    os.kill(supervisor, signal.SIGKILL)
    wait_for_status(site, "web", is_another(supervisor), "another supervisor")
    os.kill(child, signal.SIGCONT)
    wait_until(lambda: not pid_is_alive(child), "the end of the child")
    site.svcmgr("start", "web")  # may join the one that ends with the child
    site.start("web")
    assert get(port)[0] == 200
