"""The same service started by hand and by a unit of systemd's, which stands in line."""

import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

from instances import wait_for_status
from strangers import add_marked, http_server
from support import LIMIT, free_port, get, pid_is_alive, wait_until
from units import main_pid, show, state, systemctl


def unit_of(site, units, *options):
    """The service as a unit, as a person would write it."""
    return units.service("webui", *site.command("run", "webui", "--duplicate", "standby", *options),
                         Restart="on-abnormal", RestartPreventExitStatus="1 4 6 10 11",
                         KillMode="mixed")


def in_line(site, unit):
    return wait_for_status(site, "webui", lambda status: [
        one["keeper_pid"] for one in status["standby"]] == [main_pid(unit)])["standby"][0]


def cpu_ns(pid):
    """The time that a process has run: proc(5), /proc/PID/schedstat."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def kill_for_good(status, *others):
    os.kill(status["keeper_pid"], signal.SIGSTOP)
    for pid in (status["supervisor_pid"], *others, status["keeper_pid"]):
        os.kill(pid, signal.SIGKILL)


class Visitors:
    """Connections one after the other; what went wrong with them."""

    def __init__(self, port):
        self.port = port
        self.count = 0
        self.failed = []
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self.visit)

    def visit(self):
        while not self.ends.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.port), LIMIT) as visitor:
                    visitor.sendall(b"GET /health HTTP/1.0\r\n\r\n")
                    if not visitor.recv(4096).startswith(b"HTTP/1."):
                        self.failed.append("no answer")
            except OSError as error:
                self.failed.append(repr(error))
            self.count += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join()


def test_a_unit_beside_a_hand_started_one_waits_and_does_not_loop(site, units):
    port = free_port()
    add_marked(site, port=port)
    pid = site.start()["pid"]
    unit = unit_of(site, units)
    systemctl("start", unit)
    entry = in_line(site, unit)
    used = [cpu_ns(pid) for pid in (entry["pid"], entry["keeper_pid"])]
    for _ in range(50):
        assert site.status()["pid"] == pid
    assert [cpu_ns(pid) for pid in (entry["pid"], entry["keeper_pid"])] == used
    assert show(unit, "NRestarts") == "0" and state(unit) == "active (running)"
    assert get(port)[0] == 200


def test_it_takes_over_when_the_hand_started_one_is_stopped(site, units):
    port = free_port()
    add_marked(site, port=port)
    site.start()
    unit = unit_of(site, units)
    systemctl("start", unit)
    in_line(site, unit)
    assert site.svcmgr("stop", "webui", "--keep-standby").code == 0
    status = wait_for_status(site, "webui", lambda status: status["state"] == "ready" and
                             status["keeper_pid"] == main_pid(unit))
    assert get(port)[0] == 200 and show(unit, "NRestarts") == "0"
    systemctl("stop", unit)
    assert site.status()["state"] == "stopped" and not pid_is_alive(status["pid"])


def test_it_takes_the_living_instance_up_and_no_connection_is_refused(site, units):
    """Keeper and supervisor of the hand-started one are killed under load."""
    port = free_port()
    add_marked(site, port=port)
    former = site.start()
    unit = unit_of(site, units)
    systemctl("start", unit)
    in_line(site, unit)
    with Visitors(port) as visitors:
        wait_until(lambda: visitors.count > 20)
        kill_for_good(former)
        status = wait_for_status(site, "webui", lambda status: status["state"] == "ready" and
                                 status["keeper_pid"] == main_pid(unit))
        seen = visitors.count
        wait_until(lambda: visitors.count > seen + 20)
    assert visitors.failed == []
    assert status["pid"] == former["pid"] and status["adopted"] and status["listen"][0]["held"]
    assert show(unit, "NRestarts") == "0"


def test_stop_ends_the_unit_and_systemd_leaves_it_so(site, units):
    """An end that was decided is not restarted."""
    add_marked(site, port=free_port())
    site.start()
    unit = unit_of(site, units)
    systemctl("start", unit)
    in_line(site, unit)
    assert site.svcmgr("stop", "webui").code == 0
    wait_until(lambda: state(unit) == "inactive (dead)")
    assert show(unit, "NRestarts") == "0" and show(unit, "Result") == "success"
    assert site.status()["state"] == "stopped"


def test_a_unit_without_standby_is_refused_once(site, units):
    """Even a unit that restarts for ever by itself is told with a code that it can be taught."""
    add_marked(site, port=free_port())
    site.start()
    unit = units.service("webui", *site.command("run", "webui"), Restart="on-failure",
                         RestartPreventExitStatus="1 4 6 10 11")
    systemctl("start", unit, check=False)  # it may end before systemd has seen it run
    wait_until(lambda: state(unit) == "failed (failed)")
    assert show(unit, "ExecMainStatus") == "10" and show(unit, "NRestarts") == "0"


def test_a_unit_behind_a_stranger_waits(site, units):
    port = free_port()
    add_marked(site, port=port)
    stranger = http_server(site, port)
    unit = unit_of(site, units)
    systemctl("start", unit)
    status = site.wait_for_state("webui", "standby")
    assert status["other"]["pid"] == stranger.pid
    assert show(unit, "NRestarts") == "0" and stranger.is_untouched()
    stranger.child.kill()
    assert site.wait_for_state("webui", "ready")["keeper_pid"] == main_pid(unit)


def test_the_other_way_round(site, units):
    """By hand what a unit runs already: it is running."""
    add_marked(site, port=free_port())
    unit = unit_of(site, units)
    systemctl("start", unit)
    status = site.wait_for_state("webui", "ready")
    result = site.svcmgr("start", "webui")
    assert result.code == 0 and f"already running: pid {status['pid']}" in result.out
    running = site.spawn("run", "webui", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert running.wait(LIMIT) == 10
    assert main_pid(unit) == status["keeper_pid"]


def test_a_takeover_from_a_unit_leaves_it_stopped(site, units):
    add_marked(site, port=free_port())
    unit = unit_of(site, units)
    systemctl("start", unit)
    site.wait_for_state("webui", "ready")
    running = site.spawn("run", "webui", "--duplicate", "takeover", stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE)
    wait_for_status(site, "webui", lambda status: status["state"] == "ready" and
                    status["keeper_pid"] == running.pid)
    wait_until(lambda: state(unit) == "inactive (dead)")
    assert show(unit, "NRestarts") == "0"


def test_a_killed_keeper_is_restarted_by_systemd_and_the_instance_lives(site, units):
    port = free_port()
    add_marked(site, port=port)
    unit = units.service("webui", *site.command("run", "webui", "--duplicate", "standby"),
                         Restart="on-abnormal", RestartSec="0", KillMode="process")
    systemctl("start", unit)
    former = site.wait_for_state("webui", "ready")
    kill_for_good(former)
    status = wait_for_status(site, "webui", lambda status: status["state"] == "ready" and
                             status["keeper_pid"] not in (None, former["keeper_pid"]))
    assert status["pid"] == former["pid"] and status["adopted"]
    assert status["keeper_pid"] == main_pid(unit) and get(port)[0] == 200
