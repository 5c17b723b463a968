"""A start by hand beside the unit that we installed ourselves, in every state that it can be in."""

import os
import signal
import subprocess

import pytest
from instances import wait_for_status
from strangers import add_marked
from support import LIMIT, free_port, get, wait_until
from units import PLACE, main_pid, show, state, systemctl, wait_for

UNIT = "svcmgr-webui.service"
# A command of the unit's that goes on until the file is there.
UNTIL = "/bin/sh -c 'while ! [ -e {} ]; do sleep 0.02; done'"


def install(site, installed, **drop_in):
    port = free_port()
    add_marked(site, port=port)
    installed.install()
    if drop_in:
        path = PLACE / f"{UNIT}.d" / "test.conf"
        path.parent.mkdir()
        path.write_text("\n".join(["[Service]", *(f"{key}={value}" for key, value in
                                                  drop_in.items())]) + "\n")
        systemctl("daemon-reload")
    return port


def mark_of(site):
    return site.directory / "webui.spawned"


def forget_what_ran(site):
    mark_of(site).unlink(missing_ok=True)


def bring_into_auto_restart(site):
    systemctl("start", UNIT)
    os.kill(site.status()["keeper_pid"], signal.SIGKILL)
    wait_for(UNIT, "activating (auto-restart)")
    forget_what_ran(site)


def bring_into_start_pre(_site):
    systemctl("start", "--no-block", UNIT)
    wait_for(UNIT, "activating (start-pre)")


def bring_into_line_for_a_start(_site):
    """A job that waits for the end of another one's start."""
    systemctl("start", "--no-block", "first.service")
    systemctl("start", "--no-block", UNIT)
    wait_until(lambda: show(UNIT, "Job") not in ("", "0"))
    assert state(UNIT) == "inactive (dead)"


COMING = {
    "auto-restart": ({"RestartSec": "1h"}, bring_into_auto_restart),
    "start-pre": ({"ExecStartPre": "/bin/sleep infinity", "TimeoutStartSec": "1h"},
                  bring_into_start_pre),
    "job": ({}, bring_into_line_for_a_start),
}


@pytest.fixture(params=COMING)
def coming(request, site, installed, units):
    """An installed unit that comes by itself; its words in systemctl."""
    drop_in, bring = COMING[request.param]
    units.service("first", "/bin/sleep", "infinity", Type="notify", TimeoutStartSec="1h")
    port = install(site, installed, **drop_in)
    if request.param == "job":
        path = PLACE / f"{UNIT}.d" / "after.conf"
        path.parent.mkdir()
        path.write_text("[Unit]\nAfter=first.service\n")
        systemctl("daemon-reload")
    bring(site)
    yield port, {"job": "inactive (dead)"}.get(request.param, f"activating ({request.param})")
    systemctl("stop", UNIT)
    for path in (PLACE / f"{UNIT}.d").iterdir():
        path.unlink()


@pytest.mark.parametrize("command", ["start", "run"])
def test_one_that_comes_is_not_started_beside(site, coming, command):
    _, words = coming
    result = site.svcmgr(command, "webui", *(["--direct"] if command == "start" else []))
    assert result.code == 10, result
    said = f"[!!] FATAL: systemd unit {UNIT} is installed for this service and comes by itself: {words}"
    assert said in result.err and f"; type systemctl stop {UNIT}" in result.err
    assert not mark_of(site).exists() and site.status()["state"] == "stopped"
    assert state(UNIT) == words
    systemctl("stop", UNIT)
    assert site.svcmgr("start", "webui", "--direct").code == 0


def test_a_standby_waits_for_it_and_goes_on_when_it_stands_in_line(site, coming):
    port, words = coming
    running = site.spawn("run", "webui", "--duplicate", "standby", stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    status = site.wait_for_state("webui", "standby")
    assert status["keeper_pid"] == running.pid
    assert f"systemd unit {UNIT}" in status["status_text"] and words in status["status_text"]
    assert not mark_of(site).exists()
    systemctl("stop", UNIT)
    for path in (PLACE / f"{UNIT}.d").iterdir():
        path.write_text("[Service]\n")
    systemctl("daemon-reload")
    systemctl("start", UNIT)
    status = wait_for_status(site, "webui", lambda status: status["state"] == "ready" and
                             [one["keeper_pid"] for one in status["standby"]] == [main_pid(UNIT)])
    assert status["keeper_pid"] == running.pid and get(port)[0] == 200
    assert show(UNIT, "NRestarts") == "0"


@pytest.mark.parametrize("coming", ["auto-restart"], indirect=True)
def test_start_goes_through_systemd_and_does_not_wait(site, coming):
    """systemctl start would: it leaves the holdoff to pass."""
    assert coming[1] == "activating (auto-restart)"
    result = site.svcmgr("start", "webui")
    assert result.code == 0, result
    assert state(UNIT) == "active (running)" and site.status()["keeper_pid"] == main_pid(UNIT)


def test_doctor_takes_it_for_ours(site, coming):
    report = site.svcmgr("doctor", "webui").out
    assert "[ok] launchers  no other job has this service" in report
    assert f"[ok] installed  systemd unit {UNIT}" in report and coming[1].split()[0] in (
        "inactive", "activating")


def stop_with_a_gate(site, installed, verb):
    """The unit's end goes on until the gate is there, with the lock free."""
    gate = site.directory / "gate"
    port = install(site, installed, ExecStopPost=UNTIL.format(gate), TimeoutStopSec="1h")
    systemctl("start", UNIT)
    systemctl(verb, "--no-block", UNIT)
    wait_for(UNIT, "deactivating (stop-post)")
    forget_what_ran(site)
    return port, gate


def test_one_that_ends_is_waited_for(site, installed):
    port, gate = stop_with_a_gate(site, installed, "stop")
    starting = site.spawn("start", "webui", "--direct", stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    wait_until(lambda: "waiting for another job of this service to end" in
               (site.status().get("status_text") or ""))
    assert not mark_of(site).exists()
    gate.touch()
    assert starting.wait(LIMIT) == 0, starting.communicate()
    assert get(port)[0] == 200 and state(UNIT) == "inactive (dead)"
    (PLACE / f"{UNIT}.d" / "test.conf").unlink()


def test_one_that_does_not_end_is_named(site, installed):
    port, gate = stop_with_a_gate(site, installed, "stop")
    add_marked(site, port=port, bind_timeout="200ms")
    result = site.svcmgr("start", "webui", "--direct")
    assert result.code == 10 and f"systemd unit {UNIT} is installed for this service and has not " \
        "ended: deactivating (stop-post)" in result.err, result
    gate.touch()
    (PLACE / f"{UNIT}.d" / "test.conf").unlink()


def test_one_that_ends_and_comes_back_serves(site, installed):
    port, gate = stop_with_a_gate(site, installed, "restart")
    starting = site.spawn("start", "webui", "--direct", stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE)
    wait_until(lambda: "waiting for another job of this service to end" in
               (site.status().get("status_text") or ""))
    gate.touch()
    assert starting.wait(LIMIT) == 10
    assert f"systemd unit {UNIT}" in starting.stderr.read()
    status = wait_for_status(site, "webui", lambda status: status["state"] == "ready")
    assert status["keeper_pid"] == main_pid(UNIT) and get(port)[0] == 200
    assert show(UNIT, "NRestarts") == "0"
    (PLACE / f"{UNIT}.d" / "test.conf").unlink()


def test_one_that_stands_in_line_is_up_and_takes_over(site, installed):
    port = install(site, installed)
    by_hand = site.start("webui", "--direct")
    systemctl("start", UNIT)
    wait_for_status(site, "webui", lambda status: [
        one["keeper_pid"] for one in status["standby"]] == [main_pid(UNIT)])
    assert state(UNIT) == "active (running)" and site.status()["pid"] == by_hand["pid"]
    assert f"pid {by_hand['pid']} serves" in show(UNIT, "StatusText")
    assert site.svcmgr("stop", "webui", "--keep-standby").code == 0
    wait_for_status(site, "webui", lambda status: status["state"] == "ready" and
                    status["keeper_pid"] == main_pid(UNIT))
    assert get(port)[0] == 200 and show(UNIT, "NRestarts") == "0"


def test_one_of_the_same_name_with_another_state_is_another_service(site, installed, tmp_path):
    install(site, installed, RestartSec="1h")
    bring_into_auto_restart(site)
    add_marked(site, port=free_port())
    other = [*site.command("start", "webui", "--direct"), "--state-dir", str(tmp_path)]
    result = subprocess.run(other, env=site.environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result
    stop = [*site.command("stop", "webui", "--direct"), "--state-dir", str(tmp_path)]
    subprocess.run(stop, env=site.environment, capture_output=True, check=True)
    systemctl("stop", UNIT)
    (PLACE / f"{UNIT}.d" / "test.conf").unlink()


def test_the_users_manager_is_asked_for_a_users_service(user):
    user.linger()
    user.add_webui()
    assert user.svcmgr("install", "webui", "--now").code == 0
    drop_in = user.place / f"{UNIT}.d" / "test.conf"
    user.run("mkdir", drop_in.parent)
    user.run("/bin/sh", "-c", f"printf '[Service]\\nRestartSec=1h\\n' > {drop_in}")
    user.systemctl("daemon-reload")
    os.kill(user.svcmgr("status", "--json", "webui").json()["keeper_pid"], signal.SIGKILL)
    wait_until(lambda: "SubState=auto-restart" in user.systemctl("show", "-p", "SubState", UNIT))
    result = user.svcmgr("start", "webui", "--direct")
    assert result.code == 10 and f"type systemctl --user stop {UNIT}" in result.err, result
    user.systemctl("stop", UNIT)
