"""Health after the start, health commands, and the watchdog."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from instances import (add_puppet, add_server, causes, inherit, start_puppet, states,
                       wait_for_status)
from support import (LIMIT, MISBEHAVE, NO_FILE, WINDOWS, alive, end_process, pid_is_alive,
                     processes_with, wait_until)

# Wine needs some time to start a program at all.
TIMEOUT = "2s" if WINDOWS else "200ms"
AGAIN = {"delay": "1ms", "burst": 0}


# ---- Going bad ---------------------------------------------------------------------------------------


def test_so_many_failures_in_a_row_restart_the_service(site):
    answers = add_server(site, health={"failures": 3}, restart=AGAIN)
    before = site.start("web")
    answers.are(503)
    after = wait_for_status(site, "web", lambda status: status["generation"] == 2)
    assert after["restarts"] == 1
    assert "3 health checks in a row failed: HTTP 503 from /health" in causes(site, "web")
    assert not pid_is_alive(before["pid"])
    # It was asked first; Wine 8 does not deliver that.
    assert after["last_exit"]["signal"] == ("KILL" if WINDOWS else "TERM")


def test_fewer_failures_than_that_do_nothing(site):
    answers = add_server(site, health={"failures": 1000}, restart=AGAIN)
    before = site.start("web")
    for _ in range(2):
        answers.are(500)
        status = wait_for_status(site, "web", lambda now: now["health"]["failures"] >= 2)
        assert (status["state"], status["health"]["status"]) == ("ready", "unhealthy")
        assert status["health"]["reply"] == "HTTP 500 from /health"
        answers.are(200)
        wait_for_status(site, "web", lambda now: now["health"]["failures"] == 0)
    after = site.status("web")
    assert (after["pid"], after["state"]) == (before["pid"], "ready")


def test_one_late_answer_never_kills(site):
    interval = "5s" if WINDOWS else "2s"  # in which the failure has to be seen
    answers = add_server(site, health={"failures": 2, "timeout": "1s", "interval": interval},
                         restart=AGAIN)
    before = site.start("web")
    answers.are(200, 1500)
    status = wait_for_status(site, "web", lambda now: now["health"]["failures"] == 1)
    answers.are(200)
    assert "no answer from /health in 1s" in status["health"]["reply"]
    wait_for_status(site, "web", lambda now: now["health"]["failures"] == 0)
    assert site.status("web")["pid"] == before["pid"]


def test_with_failures_1_the_first_bad_answer_counts(site):
    answers = add_server(site, health={"failures": 1}, restart=AGAIN)
    site.start("web")
    answers.are(404)
    wait_for_status(site, "web", lambda status: status["generation"] > 1)
    assert "1 health checks in a row failed: HTTP 404 from /health" in causes(site, "web")


def test_a_redirect_is_healthy_and_is_not_followed(site):
    answers = add_server(site, health={"failures": 1}, restart=AGAIN)
    answers.are(302)
    before = site.start("web")
    assert before["health"]["reply"] == "HTTP 302 from /health"


def test_unhealthy_without_a_restart_comes_back_by_itself(site):
    answers = add_server(site, health={"failures": 2}, restart={"on_unhealthy": False})
    before = site.start("web")
    answers.are(503)
    status = site.wait_for_state("web", "unhealthy")
    assert status["pid"] == before["pid"]
    assert site.svcmgr("status", "web").code == 0
    answers.are(200)
    after = site.wait_for_state("web", "ready")
    assert (after["pid"], after["restarts"]) == (before["pid"], 0)
    assert "healthy again: HTTP 200 from /health" in causes(site, "web")


def test_unhealthy_stays_known_and_ends_also_under_a_new_supervisor(site):
    answers = add_server(site, health={"failures": 2}, restart={"on_unhealthy": False})
    before = site.start("web")
    answers.are(503)
    site.wait_for_state("web", "unhealthy")
    os.kill(before["supervisor_pid"], signal.SIGKILL)
    status = wait_for_status(site, "web",
                             lambda now: now["supervisor_pid"] != before["supervisor_pid"])
    assert (status["state"], status["pid"]) == ("unhealthy", before["pid"])
    answers.are(200)
    assert site.wait_for_state("web", "ready")["pid"] == before["pid"]


def test_failures_in_the_start_period_do_not_count(site):
    puppet = add_puppet(site, ready="notify", restart=AGAIN,
                        health={"command": ["/bin/false"], "interval": "20ms", "failures": 1,
                                "start_period": "700ms"})
    starting = site.spawn("start", "web")
    puppet.notify("READY=1")
    begin = time.monotonic()
    assert starting.wait(20) == 0
    status = wait_for_status(site, "web", lambda now: now["health"]["checked_at"] is not None)
    if time.monotonic() - begin < 0.5:
        assert (status["state"], status["health"]["failures"]) == ("ready", 0)
    wait_for_status(site, "web", lambda now: now["restarts"] >= 1)
    assert time.monotonic() - begin > 0.6


def test_a_sick_service_whose_policy_is_never_ends_with_1(site):
    answers = add_server(site, health={"failures": 1}, restart={"when": "never"})
    running = site.spawn("run", "web")
    site.wait_for_state("web", "ready")
    answers.are(503)
    assert running.wait(20) == 1
    assert site.status("web")["state"] == "stopped"


# ---- Health commands -------------------------------------------------------------------------------


def test_a_health_command_decides_when_it_is_ready(site):
    flag = site.directory / "flag"
    site.add("job", [MISBEHAVE, "sleep", "150", "touch", flag, "sleep-forever"],
             health={"command": [MISBEHAVE, "exit-unless", flag, "1"]})
    status = site.start("job")
    assert flag.exists()
    assert status["health"]["reply"] == "health.command exited with code 0"


def test_a_health_command_gets_the_environment_of_its_generation(site):
    report = site.directory / "report"
    site.add("job", [MISBEHAVE, "sleep-forever"],
             listen=inherit(), environment={"COLOUR": "blue {port}"},
             **{} if WINDOWS else {"umask": "027"},
             health={"command": [MISBEHAVE, "report", str(report)], "interval": "20ms"})
    status = site.start("job")
    said = json.loads(report.read_text())
    port = status["listen"][0]["port"]
    environment = said["environment"]
    assert environment["SVCMGR_PID"] == str(status["pid"])
    assert environment["SVCMGR_GENERATION"] == "1"
    assert environment["COLOUR"] == f"blue {port}"
    assert environment["PORT"] == str(port)
    assert "LISTEN_FDS" not in environment and "NOTIFY_SOCKET" not in environment
    assert said["cwd"].replace("\\", "/") == site.native(site.directory)
    if not WINDOWS:
        instance = Path(f"/proc/{status['pid']}/environ").read_bytes().split(b"\0")
        assert f"SVCMGR_INSTANCE={environment['SVCMGR_INSTANCE']}".encode() in instance
        assert said["umask"] == 0o027
        assert [fd["fd"] for fd in said["fds"]] == [0, 1, 2]
        assert {fd["target"] for fd in said["fds"]} == {"/dev/null"}
        assert said["sid"] == said["pid"]
    end_process(status["pid"])
    wait_until(lambda: json.loads(report.read_text())["environment"]["SVCMGR_GENERATION"] == "2")
    after = site.wait_for_state("job", "ready")
    said = json.loads(report.read_text())
    assert said["environment"]["SVCMGR_PID"] == str(after["pid"])


def test_a_health_command_that_takes_too_long_is_ended_with_its_children(site):
    pids = site.directory / "pids"
    slow = site.directory / "slow"
    site.add("job", [MISBEHAVE, "sleep-forever"], restart={"on_unhealthy": False},
             health={"command": [MISBEHAVE, "exit-unless", slow, "0", "pids", pids, "fork-tree", "1",
                                 "2", "sleep-forever"],
                     "interval": "50ms", "timeout": TIMEOUT, "failures": 1})
    before = site.start("job")
    slow.touch()
    status = site.wait_for_state("job", "unhealthy")
    assert status["health"]["reply"] == "health.command did not end in time"
    slow.unlink()
    site.wait_for_state("job", "ready")
    found = [int(line) for line in pids.read_text().split()]
    assert len(found) >= 2
    wait_until(lambda: not alive(found), "its processes are gone")
    assert site.status("job")["pid"] == before["pid"]


def test_what_a_health_command_leaves_behind_is_ended(site):
    pids = site.directory / "pids"
    site.add("job", [MISBEHAVE, "sleep-forever"],
             health={"command": [MISBEHAVE, "pids", pids, "fork-tree", "1", "1", "exit", "0"]})
    status = site.start("job")
    left = wait_until(lambda: pids.exists() and pids.read_text().split())
    wait_until(lambda: not alive([int(pid) for pid in left]), "the leftovers are gone")
    assert pid_is_alive(status["pid"])
    assert site.svcmgr("stop", "job").code == 0


def test_a_health_command_that_cannot_be_executed_is_named(site):
    site.add("job", [MISBEHAVE, "sleep-forever"], start_timeout="2s",
             health={"command": ["/no/such/checker"]})
    result = site.svcmgr("start", "job")
    assert result.code == 1, result
    assert "health.command: cannot execute" in result.err
    assert NO_FILE in result.err


def test_stop_does_not_wait_for_a_health_command(site):
    slow = site.directory / "slow"
    site.add("job", [MISBEHAVE, "sleep-forever"], ready="spawn", health={
        "command": [MISBEHAVE, "touch", slow, "sleep-forever"],
        "interval": "10ms", "timeout": "60s", "failures": 5})
    site.start("job")
    wait_until(slow.exists, "a health command runs")
    result = site.svcmgr("stop", "job")
    assert result.code == 0, result
    assert result.seconds < LIMIT
    wait_until(lambda: not processes_with(str(slow)), "what was killed is gone")


# ---- Watchdog ---------------------------------------------------------------------------------------


def test_a_silent_child_is_restarted(site):
    puppet, before = start_puppet(site, watchdog="2s", restart=AGAIN)
    environment = puppet.environment()
    assert environment["WATCHDOG_USEC"] == "2000000"
    assert environment["WATCHDOG_PID"] == str(before["pid"])
    begin = time.monotonic()
    while time.monotonic() - begin < 3:
        puppet.notify("WATCHDOG=1")
    assert site.status("web")["pid"] == before["pid"]
    wait_for_status(site, "web", lambda status: status["generation"] == 2)
    assert "its watchdog was silent for 2000 ms" in causes(site, "web")
    assert not pid_is_alive(before["pid"])


def test_a_watchdog_that_is_pulled_restarts_at_once(site):
    puppet, before = start_puppet(site, watchdog="1h", restart=AGAIN)
    puppet.notify("WATCHDOG=trigger")
    wait_for_status(site, "web", lambda status: status["generation"] == 2)
    assert not pid_is_alive(before["pid"])


def test_a_watchdog_without_notify_has_its_socket_too(site):
    site.add("job", [MISBEHAVE, "watchdog-ping", "30", "0"], settle="50ms", watchdog="500ms")
    before = site.start("job")
    begin = time.monotonic()
    wait_until(lambda: time.monotonic() - begin > 0.8)
    after = site.status("job")
    assert (after["pid"], after["state"]) == (before["pid"], "ready")


def test_a_stopped_child_is_ended_by_its_watchdog(site):
    site.add("job", [MISBEHAVE, "watchdog-ping", "30", "0"], settle="50ms", watchdog="300ms",
             restart=AGAIN, stop={"timeout": "200ms"})
    before = site.start("job")
    os.kill(before["pid"], signal.SIGSTOP)
    after = wait_for_status(site, "job", lambda status: status["generation"] == 2)
    assert after["last_exit"]["signal"] in ("KILL", "TERM")
    assert not pid_is_alive(before["pid"])


def test_with_on_unhealthy_false_a_silent_child_lives_and_may_come_back(site):
    puppet, before = start_puppet(site, watchdog="150ms", restart={"on_unhealthy": False})
    site.wait_for_state("web", "unhealthy")
    puppet.notify("WATCHDOG=1")
    puppet.barrier()
    wait_until(lambda: "ready" in states(site, "web")[states(site, "web").index("unhealthy"):],
               "it is ready again")
    assert site.status("web")["pid"] == before["pid"]


@pytest.mark.parametrize("text", ["STOPPING=1", "STOPPING=1\nSTATUS=bye"])
def test_a_child_that_stops_by_itself_is_not_watched(site, text):
    puppet, before = start_puppet(site, watchdog="2s", restart={"when": "never"})
    puppet.notify(text)
    puppet.barrier()
    begin = time.monotonic()
    wait_until(lambda: time.monotonic() - begin > 3)
    assert pid_is_alive(before["pid"])
    assert site.status("web")["state"] == "ready"
