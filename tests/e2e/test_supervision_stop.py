"""The stop ladder: ask, wait, kill; and nothing of the tree is left, whatever it did."""

import os
import signal
import socket
import time

import pytest
from instances import causes, inherit, start_puppet, states, wait_for_status
from support import (FOUND_BY, LIMIT, MISBEHAVE, PORTABLE, STOPPED, WINDOWS, alive, free_port, get,
                     runner, wait_until)

SHORT = {"timeout": "300ms"}
DOUBLE = 1 if WINDOWS else 2  # processes that a double fork makes; the first of two ends


def read_pids(path, count=1):
    """The pids that a tree has noted, when there are as many as expected."""
    def look():
        found = path.read_text().split() if path.exists() else []
        return [int(pid) for pid in found] if len(found) >= count else None

    return wait_until(look, f"{count} pids")


def gone(pids):
    return not alive(pids)


def stop(site, name):
    result = site.svcmgr("stop", name)
    assert result.code == 0, result
    assert result.seconds < LIMIT, result
    return result


# ---- The ladder ----------------------------------------------------------------------------------------


def test_the_signal_is_enough_for_a_polite_program(site):
    site.add("job", [MISBEHAVE, "trap", "TERM", "100", "0", "sleep-forever"], settle="50ms",
             stop={"timeout": "1h"})
    status = site.start("job")
    result = stop(site, "job")
    assert result.seconds >= 0.1
    assert gone([status[key] for key in ("pid", "supervisor_pid", "keeper_pid")])
    assert causes(site, "job", "exit") == ["exited with code 0"]


@pytest.mark.parametrize("name", ["HUP", "INT", "QUIT", "USR1"])
def test_another_signal(site, name):
    site.add("job", [MISBEHAVE, "ignore", "TERM", "trap", name, "1", "42", "sleep-forever"],
             settle="50ms", stop={"signal": name, "timeout": "1h"})
    site.start("job")
    stop(site, "job")
    assert causes(site, "job", "exit") == ["exited with code 42"]


def test_kill_as_the_signal_kills_at_once(site):
    pids = site.directory / "pids"
    site.add("job", [MISBEHAVE, "ignore", "TERM", "pids", pids, "fork-tree", "1", "3",
                     "sleep-forever"], settle="50ms", stop={"signal": "KILL", "timeout": "1h"})
    site.start("job")
    stop(site, "job")
    assert gone(read_pids(pids, 3))
    assert causes(site, "job", "exit") == ["ended by SIGKILL"]


def test_after_the_timeout_it_is_killed(site):
    site.add("job", [MISBEHAVE, "ignore", "TERM", "sleep-forever"], settle="50ms",
             stop={"timeout": "400ms"})
    site.start("job")
    result = stop(site, "job")
    assert result.seconds >= 0.4
    assert result.out == "job: stopped; it did not end when it was asked to, and was killed" + \
        (FOUND_BY if PORTABLE else "") + "\n"
    assert causes(site, "job", "exit") == ["ended by SIGKILL"]


def test_a_stopped_process_is_killed_too(site):
    site.add("job", [MISBEHAVE, "sleep-forever"], settle="50ms", stop=SHORT)
    status = site.start("job")
    os.kill(status["pid"], signal.SIGSTOP)
    stop(site, "job")
    assert gone([status["pid"]])


def test_stop_now_does_not_wait(site):
    site.add("job", [MISBEHAVE, "ignore", "TERM", "sleep-forever"], settle="50ms",
             stop={"timeout": "1h"})
    status = site.start("job")
    result = site.svcmgr("stop", "--now", "job")
    assert result.code == 0 and result.seconds < LIMIT and result.out == f"job: {STOPPED}\n"
    assert gone([status["pid"]])


def test_two_stops_at_once_both_get_their_answer(site):
    site.add("job", [MISBEHAVE, "trap", "TERM", "300", "0", "sleep-forever"], settle="50ms",
             stop={"timeout": "1h"})
    site.start("job")
    stops = [site.spawn("stop", "job") for _ in range(3)]
    assert [child.wait(20) for child in stops] == [0, 0, 0]
    assert causes(site, "job", "exit") == ["exited with code 0"]  # asked once


def test_stop_closes_the_socket_before_it_answers(site):
    port = free_port()
    site.add("web", [MISBEHAVE, "serve"], listen=inherit(port), health={"http": "/health"})
    site.start("web")
    stop(site, "web")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


# ---- The stop command -----------------------------------------------------------------------------------


def test_the_stop_command_comes_first_and_the_signal_after_it(site):
    notes = site.directory / "notes"
    site.add("job", [MISBEHAVE, "trap", "TERM", "1", "0", "sleep-forever"], settle="50ms",
             stop={"timeout": "1h", "command": [
                 "/bin/sh", "-c", f"sleep 0.2; kill -0 $SVCMGR_PID && echo alive $SVCMGR_PID "
                                  f"$SVCMGR_GENERATION {{port}} > {notes}"]},
             listen=inherit())
    status = site.start("job")
    result = stop(site, "job")
    assert result.seconds >= 0.2
    assert notes.read_text() == f"alive {status['pid']} 1 {status['listen'][0]['port']}\n"


def test_a_stop_command_that_ends_the_program_itself(site):
    site.add("job", [MISBEHAVE, "ignore", "TERM", "trap", "USR2", "1", "7", "sleep-forever"],
             settle="50ms", stop={"timeout": "1h",
                                  "command": ["/bin/sh", "-c", "kill -USR2 $SVCMGR_PID"]})
    site.start("job")
    stop(site, "job")
    assert causes(site, "job", "exit") == ["exited with code 7"]


def test_a_stop_command_that_hangs_is_ended_with_the_program(site):
    pids = site.directory / "pids"
    site.add("job", [MISBEHAVE, "ignore", "TERM", "sleep-forever"], settle="50ms",
             stop={"timeout": "2s", "command": [
                 MISBEHAVE, "ignore", "TERM", "pids", str(pids), "fork-tree", "1", "2",
                 "sleep-forever"]})
    status = site.start("job")
    stop(site, "job")
    assert gone([status["pid"]])
    assert gone(read_pids(pids, 2))


def test_a_stop_command_that_cannot_be_executed_does_not_keep_it_alive(site):
    site.add("job", [MISBEHAVE, "sleep-forever"], settle="50ms",
             stop={"timeout": "1h", "command": ["/no/such/program"]})
    status = site.start("job")
    stop(site, "job")
    assert gone([status["pid"]])


# ---- Trees ----------------------------------------------------------------------------------------------


@pytest.mark.skipif(PORTABLE, reason="needs a sub-reaper")
def test_nothing_of_a_hostile_tree_is_left(site):
    """Double forks, own sessions, no environment, deaf to TERM, stdout held."""
    pids = site.directory / "pids"
    site.add("job", [MISBEHAVE, "pids", pids, "double-fork", "double-fork", "fork-tree", "3", "3",
                     "sleep-forever"], settle="50ms", stop=SHORT)
    status = site.start("job")
    found = read_pids(pids, 2 * DOUBLE + 3 + 9 + 27)
    assert len(alive(found)) == 2 + 39
    stop(site, "job")
    assert gone([*found, status["pid"]])


@pytest.mark.skipif(PORTABLE, reason="needs a sub-reaper")
def test_an_orphan_without_its_parents_is_found(site):
    """The main process dies by itself: what it left is cleared before the next one starts."""
    pids = site.directory / "pids"
    site.add("job", [MISBEHAVE, "pids", pids, "double-fork", "fork-tree", "2", "2",
                     "exit-after-ms", "300", "1", "sleep-forever"], settle="50ms",
             restart={"delay": "1h", "max_delay": "1h"})
    site.start("job")
    found = read_pids(pids, DOUBLE + 6)
    site.wait_for_state("job", "backoff")
    assert gone(found)


@pytest.mark.skipif(PORTABLE, reason="needs a sub-reaper")
def test_processes_that_fork_faster_than_they_are_killed(site):
    pids = site.directory / "pids"
    site.add("job", [MISBEHAVE, "pids", pids, "runaway", "8000", "500", "sleep-forever"],
             settle="50ms", stop=SHORT)
    status = site.start("job")
    first = read_pids(pids, 10)
    stop(site, "job")
    born = pids.stat().st_size
    assert gone([*first, status["pid"]])
    begin = time.monotonic()
    wait_until(lambda: time.monotonic() - begin > 0.1)
    assert pids.stat().st_size == born  # each adds its pid: nobody was born since


def add_asked(site):
    """A program that notes that it is up and that it was asked to end; returns it and its notes."""
    notes = site.directory / "notes"
    program = site.directory / "asked"
    program.write_text(f"""#!/bin/sh
trap 'echo asked >> {notes}; exit 0' TERM
echo up >> {notes}
while :; do sleep 0.02; done
""")
    program.chmod(0o755)
    return program, notes


@pytest.mark.parametrize("script, programs", [
    ("{0} & {0} & wait", 2), ("{0}; true", 1), ("({0} &) ; {0}", 2),
    ("trap 'exit 3' TERM; {0} & wait $!", 1), ("setsid {0} & exec sleep 1000", 1),
])
def test_the_children_of_a_wrapper_are_asked_too(site, script, programs):
    program, notes = add_asked(site)
    site.add("job", ["/bin/sh", "-c", script.format(program)], settle="50ms",
             stop={"timeout": "1h"})
    site.start("job")
    wait_until(lambda: notes.exists() and notes.read_text().count("up") == programs)
    stop(site, "job")
    assert notes.read_text().count("asked") == programs


@pytest.mark.skipif(PORTABLE, reason="needs a sub-reaper")
def test_a_restart_leaves_nothing_of_the_old_tree(site):
    pids = site.directory / "pids"
    site.add("job", [MISBEHAVE, "pids", pids, "double-fork", "fork-tree", "1", "2",
                     "sleep-forever"], settle="50ms", stop=SHORT)
    site.start("job")
    old = read_pids(pids, DOUBLE + 2)
    assert site.svcmgr("restart", "job").code == 0
    assert gone(old)
    assert site.status("job")["generation"] == 2


@pytest.mark.skipif(PORTABLE, reason="needs a sub-reaper")
def test_a_tree_is_gone_also_when_the_supervisor_was_killed_meanwhile(site):
    pids = site.directory / "pids"
    site.add("job", [MISBEHAVE, "pids", pids, "double-fork", "fork-tree", "2", "2",
                     "sleep-forever"], settle="50ms", stop=SHORT)
    before = site.start("job")
    found = read_pids(pids, 2 + 6)
    os.kill(before["supervisor_pid"], signal.SIGKILL)
    wait_for_status(site, "job", lambda now: now["supervisor_pid"] != before["supervisor_pid"])
    stop(site, "job")
    assert gone([*found, before["pid"]])


# ---- A service that another one has started --------------------------------------------------------------


def start_other(site, puppet):
    """Has the puppet start the service 'other'; returns its status."""
    assert puppet.run(site.words("start", "other")) == 0
    return site.status("other")


def add_other(site):
    port = site.add_webui("other")
    return port


def test_a_service_started_from_inside_another_one_outlives_it(site):
    port = add_other(site)
    puppet, outer = start_puppet(site)
    other = start_other(site, puppet)
    assert other["state"] == "ready"
    stop(site, "web")
    assert gone([outer["pid"], outer["supervisor_pid"], runner(outer)])
    after = site.status("other")
    assert (after["state"], after["pid"]) == ("ready", other["pid"])
    assert get(port)[0] == 200
    if not WINDOWS:  # where the supervisor's death is the instance's
        os.kill(other["supervisor_pid"], signal.SIGKILL)
        wait_for_status(site, "other", lambda now: now["supervisor_pid"] != other["supervisor_pid"])
        assert get(port)[0] == 200


@pytest.mark.skipif(PORTABLE, reason="needs a sub-reaper")
@pytest.mark.parametrize("killed", ["keeper_pid", "supervisor_pid"])
def test_nor_does_the_death_of_its_keeper_or_supervisor_make_it_part_of_that_tree(site, killed):
    port = add_other(site)
    puppet, _ = start_puppet(site)
    other = start_other(site, puppet)
    os.kill(other[killed], signal.SIGKILL)
    wait_for_status(site, "other", lambda now: now[killed] != other[killed])
    stop(site, "web")
    after = site.status("other")
    assert (after["state"], after["pid"]) == ("ready", other["pid"])
    assert get(port)[0] == 200


def test_a_service_that_runs_in_the_foreground_of_another_one_is_part_of_it(site):
    add_other(site)
    site.add("web", site.words("run", "other"), settle="50ms", stop={"timeout": "1h"})
    outer = site.start("web")
    other = site.wait_for_state("other", "ready")
    assert runner(other) == outer["pid"]
    assert site.svcmgr("stop", "--now", "web").code == 0
    assert gone([other["pid"], other["supervisor_pid"], runner(other)])


def test_stop_from_inside_the_tree_is_accepted(site):
    puppet, outer = start_puppet(site)
    puppet.begin(site.words("stop", "web"), site.directory / "said")
    wait_until(lambda: gone([outer["pid"], runner(outer)]), "it is stopped")
    assert site.status("web")["state"] == "stopped"
    assert states(site, "web")[-1] == "stopped"
