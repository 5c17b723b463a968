"""The main job: start, stop, status, restart of a web server."""

from channel import both_kinds
from support import (MISBEHAVE, PORTABLE, WINDOWS, end_process, free_port, get, left_of,
                     wait_until)

site = both_kinds(sanitized=("unix",))
# A process that somebody else has ended says so with a code there.
KILLED = None if WINDOWS else "KILL"


def test_start_serves_and_stop_leaves_nothing(site):
    port = site.add_webui()
    status = site.start()
    assert status["state"] == "ready"
    assert get(port)[0] == 200
    result = site.svcmgr("stop", "webui")
    assert result.code == 0, result
    assert left_of(status, "pid", "supervisor_pid", *[] if WINDOWS else ["keeper_pid"]) == []
    assert site.status()["state"] == "stopped"


def test_second_start_says_already_running(site):
    site.add_webui()
    first = site.start()
    again = site.svcmgr("start", "webui")
    assert again.code == 0, again
    assert "already running" in again.out
    assert str(first["pid"]) in again.out
    assert site.status()["pid"] == first["pid"]


def test_run_beside_it_is_a_duplicate(site):
    site.add_webui()
    status = site.start()
    result = site.svcmgr("run", "webui")
    assert result.code == 10, result
    assert str(status["pid"]) in result.err
    assert site.status()["pid"] == status["pid"]


def test_restart_replaces_the_instance(site):
    port = site.add_webui()
    before = site.start()
    result = site.svcmgr("restart", "webui")
    assert result.code == 0, result
    after = site.status()
    assert after["generation"] == before["generation"] + 1
    assert after["pid"] != before["pid"]
    assert after["supervisor_pid"] == before["supervisor_pid"]
    assert get(port)[0] == 200


def test_a_crash_is_restarted(site):
    port = site.add_webui(restart={"delay": "1ms", "burst": 0})
    before = site.start()
    end_process(before["pid"])
    assert get(port)[0] == 200  # the connection waits in the backlog of the held socket
    after = site.wait_for_state("webui", "ready")
    assert after["pid"] != before["pid"]
    assert after["last_exit"]["signal"] == KILLED
    assert after["restarts"] == 1


def test_a_killed_supervisor_is_back_with_the_same_instance(site):
    port = site.add_webui()
    before = site.start()
    end_process(before["supervisor_pid"])
    assert get(port)[0] == 200
    after = wait_until(lambda: (lambda s: s if s["supervisor_pid"] not in
                                (None, before["supervisor_pid"]) else None)(site.status()))
    assert after["pid"] == before["pid"]
    assert after["generation"] == before["generation"]
    assert after["keeper_pid"] == before["keeper_pid"]
    end_process(after["pid"])
    wait_until(lambda: site.status()["restarts"] == 1)
    # Without a sub-reaper it is nobody's child any more.
    assert site.status()["last_exit"]["signal"] == (None if PORTABLE else "KILL")


def test_a_failing_start_says_why_and_leaves_nothing(site):
    site.add("bad", [MISBEHAVE, "print", "last words", "exit", "3"],
             listen={"address": f"127.0.0.1:{free_port()}", "socket": "inherit"},
             health={"http": "/health"})
    result = site.svcmgr("start", "bad")
    assert result.code == 1, result
    assert "exited with code 3" in result.err
    assert "last words" in result.err
    assert site.status("bad")["state"] == "stopped"
