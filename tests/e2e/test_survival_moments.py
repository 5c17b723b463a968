"""SIGKILL to the supervisor in the moments that tests/spin found: before its guard has said yes, while
it stands by, between the end that was decided and its own, and between record and barrier."""

import contextlib
import os
import signal
import subprocess
import threading

import pytest
from instances import inherit, wait_for_status
from strangers import has_program, serve
from support import MISBEHAVE, free_port, get, pid_is_alive, wait_until
from test_survival import gap, kill_supervisor

DONE = b'"activity":5'


def wait_for_the_guard(site, port):
    wait_until(lambda: f"waiting for 127.0.0.1:{port}" in (site.status("web")["status_text"] or ""))


@pytest.mark.parametrize("former", ["stopped", "killed"])
def test_before_its_guard_has_said_yes(site, former):
    """What is recorded then is the end of a former run, under another keeper."""
    port = site.add_webui("web", probe_timeout="200ms", bind_timeout="60s")
    before = site.start("web")
    if former == "stopped":
        assert site.svcmgr("stop", "web").code == 0
    else:
        for key in ("keeper_pid", "supervisor_pid", "pid"):
            os.kill(before[key], signal.SIGKILL)
            wait_until(lambda who=before[key]: not pid_is_alive(who))
    stranger = serve(site, port, "accept-silent")
    starting = site.spawn("start", "web")
    wait_for_the_guard(site, port)
    for _ in range(2):
        kill_supervisor(site)
        wait_for_the_guard(site, port)
    assert starting.poll() is None and stranger.is_untouched()
    stranger.end()
    assert starting.wait(20) == 0
    assert get(port)[0] == 200


def test_while_it_stands_by(site):
    port = free_port()
    site.add("web", [MISBEHAVE, "exit-after-ms", "30", "1"], settle="1ms", listen=inherit(port),
             duplicate="standby", restart={"delay": "1ms", "max_delay": "5ms", "burst": 1})
    site.svcmgr("start", "web")
    site.wait_for_state("web", "failed")
    stranger = serve(site, port, "serve")
    assert site.svcmgr("start", "web").code == 0
    before = site.wait_for_state("web", "standby")
    kill_supervisor(site)
    site.wait_for_state("web", "standby")
    assert stranger.is_untouched()
    stranger.end()
    wait_for_status(site, "web", lambda now: (now["generation"] or 0) > before["generation"])


def test_between_the_end_that_was_decided_and_its_own(site):
    """Somebody else goes on writing where the instance wrote, so that the supervisor drains."""
    site.add("web", [MISBEHAVE, "sleep-forever"], settle="10ms")
    before = site.start("web")
    ended = threading.Event()

    def write():
        with open(f"/proc/{before['pid']}/fd/1", "wb", buffering=0) as output:
            opened.set()
            with contextlib.suppress(BrokenPipeError):
                while not ended.wait(0.005):
                    output.write(b"more\n")

    opened = threading.Event()
    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert opened.wait(20)
        stopping = site.spawn("stop", "web")
        wait_until(lambda: DONE in (site.state_of("web") / "record").read_bytes())
        with contextlib.suppress(ProcessLookupError):  # on a slow machine it has drained by now
            os.kill(before["supervisor_pid"], signal.SIGKILL)
        assert stopping.wait(20) == 0
    finally:
        ended.set()
        writer.join()
    wait_until(lambda: not pid_is_alive(before["keeper_pid"]), "the keeper's end")
    assert site.start("web")["state"] == "ready"


def test_what_was_taken_up_ends_in_the_gap_before_it_was_ready(site):
    """Its keeper does not know it.  That is no proof that it never ran: what it left is stopped."""
    site.add("web", ["/bin/sh", "-c", "sleep 1001 & exec sleep 1002"], ready="health",
             health={"command": ["/bin/false"]}, start_timeout="1h")
    site.spawn("start", "web")
    before = site.wait_for_state("web", "starting")
    first = wait_until(lambda: site.status("web")["pid"])
    rest = wait_until(lambda: child_of(first))
    for key in ("keeper_pid", "supervisor_pid"):
        os.kill(before[key], signal.SIGKILL)
        wait_until(lambda who=before[key]: not pid_is_alive(who))
    site.spawn("start", "web")
    wait_for_status(site, "web", lambda now: now["pid"] == first and now["adopted"])
    with gap(site):
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: not pid_is_alive(first))
    wait_until(lambda: not pid_is_alive(rest), "the end of what it left")
    wait_for_status(site, "web", lambda now: now["pid"] not in (None, first))


def child_of(pid):
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
            return next((int(child) for child in children.read().split()), None)
    return None


@pytest.mark.skipif(not has_program("strace"), reason="needs strace")
@pytest.mark.parametrize("call", ["sendmsg", "pwrite64"])
def test_before_the_barrier_opens(site, call):
    """Killed before the keeper is told, and before the record is written.  The child comes late to
    the barrier, and ends there after the next supervisor has looked."""
    site.without_leak_check()
    site.add("web", [MISBEHAVE, "sleep-forever"], settle="10ms", restart={"delay": "1ms", "burst": 0})
    before = site.start("web")
    wait_for_status(site, "web", lambda now: now["uptime_ms"] > 1500)
    strace = subprocess.Popen(
        ["strace", "-f", "-q", "-o", site.directory / "trace", "-p", str(before["supervisor_pid"]),
         "-e", f"trace={call},chdir", "-e", f"inject={call}:signal=KILL",
         "-e", "inject=chdir:delay_enter=1s"],
        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    site.children.append(strace)
    wait_until(lambda: tracer_of(before["supervisor_pid"]) == strace.pid, "strace")
    os.kill(before["pid"], signal.SIGKILL)
    now = wait_for_status(site, "web", lambda now: now["state"] == "ready" and
                          now["supervisor_pid"] != before["supervisor_pid"])
    assert pid_is_alive(now["pid"]) and now["pid"] != before["pid"]
    assert "+++ killed by SIGKILL +++" in (site.directory / "trace").read_text()
    assert site.svcmgr("stop", "web").code == 0


def tracer_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("TracerPid"))
