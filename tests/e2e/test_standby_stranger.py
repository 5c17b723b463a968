"""duplicate: standby behind something that is not ours: a stranger, a silent holder, an address that
this machine does not have yet.  Such a standby has the lock and is what status shows."""

import os
import signal
import subprocess

import pytest
from instances import wait_for_status
from strangers import add_marked, http_server, is_root, names, serve, silent_listener
from support import LIMIT, free_port, get, pauses, pid_is_alive, wait_until
from test_standby import is_of, kill_for_good

QUICK = {"probe_timeout": "100ms", "bind_timeout": "200ms", "duplicate": "standby"}


def not_found(site, port):
    """A stranger that answers 404, of which Wine, too, says that the address is its own."""
    return serve(site, port, "serve", "--status", 404)


def stand_by(site, port):
    """A service started behind a stranger; its mark and its status."""
    mark = add_marked(site, port=port, **QUICK)
    result = site.svcmgr("start", "webui")
    assert result.code == 0 and "webui: standing by: " in result.out, result
    status = site.status()
    assert status["state"] == "standby" and not mark.exists()
    return mark, status


def test_start_says_who_serves_and_waits(site):
    port = free_port()
    stranger = not_found(site, port)
    _, status = stand_by(site, port)
    assert status["other"]["pid"] == stranger.known_pid
    assert "HTTP 404 from /health" in status["other"]["answers"]
    assert names(status["status_text"], stranger) and status["pid"] is None
    assert site.svcmgr("status", "webui").code == 3
    again = site.svcmgr("start", "webui")
    assert again.code == 0 and names(again.out, stranger)
    restart = site.svcmgr("restart", "webui")
    assert restart.code != 0 and names(restart.err, stranger)
    assert site.svcmgr("stop", "webui").code == 0
    assert site.status()["state"] == "stopped" and stranger.is_untouched()


def test_it_goes_on_when_the_stranger_ends(site):
    port = free_port()
    stranger = not_found(site, port)
    mark, status = stand_by(site, port)
    stranger.child.kill()
    ready = site.wait_for_state("webui", "ready")
    assert ready["supervisor_pid"] == status["supervisor_pid"] and ready["other"] is None
    assert mark.exists() and get(port)[0] == 200


def test_strangers_one_after_the_other(site):
    port = free_port()
    strangers = [http_server(site, port)]
    mark, status = stand_by(site, port)
    for _ in range(5):
        os.kill(status["supervisor_pid"], signal.SIGSTOP)  # it must not be faster
        strangers[-1].child.kill()
        strangers[-1].child.wait()
        strangers.append(http_server(site, port))
        os.kill(status["supervisor_pid"], signal.SIGCONT)
        status = wait_for_status(site, "webui", lambda status, pid=strangers[-1].pid:
                                 status["other"] is not None and status["other"]["pid"] == pid)
        assert status["state"] == "standby" and not mark.exists()
    assert strangers[-1].is_untouched()


@pytest.mark.parametrize("silent", [silent_listener, lambda site, port:
                                    serve(site, port, "accept-silent")])
def test_a_silent_one_is_waited_for(site, silent):
    port = free_port()
    stranger = silent(site, port)
    mark, status = stand_by(site, port)
    assert status["other"]["pid"] == stranger.known_pid
    stranger.child.kill()
    site.wait_for_state("webui", "ready")
    assert mark.exists() and get(port)[0] == 200


@pytest.mark.skipif(not is_root(), reason="a network of its own needs root")
def test_an_address_that_comes_later(site):
    add_marked(site, listen={"address": "192.0.2.7:8787", "socket": "inherit"}, **QUICK)
    network = site.stranger("unshare", "--net", "--", "sleep", "infinity")
    net = f"/proc/{network.pid}/ns/net"
    wait_until(lambda: os.readlink(net) != os.readlink("/proc/self/ns/net"), "its network")
    inside = ["nsenter", f"--net={net}", "--"]
    # Without any route bind(2) takes every address for a broadcast one, and allows it.
    subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
    running = site.stranger(*inside, *site.command("run", "webui"))
    status = site.wait_for_state("webui", "standby")
    assert "192.0.2.7" in status["status_text"] and "does not have that address" in \
        status["status_text"]
    subprocess.run([*inside, "ip", "address", "add", "192.0.2.7/32", "dev", "lo"], check=True)
    site.wait_for_state("webui", "ready", limit=LIMIT * 2)
    assert site.svcmgr("stop", "webui").code == 0
    assert running.wait(LIMIT) == 0


@pytest.mark.parametrize("who", ["supervisor_pid", "keeper_pid"])
def test_killed_it_goes_on_or_leaves_nothing(site, who):
    port = free_port()
    stranger = not_found(site, port)
    mark, former = stand_by(site, port)
    for _ in range(10 if who == "supervisor_pid" else 1):
        pid = site.status()[who]
        os.kill(pid, signal.SIGKILL)
        status = wait_for_status(site, "webui", lambda status, pid=pid: status[who] != pid and
                                 status["state"] == "standby")
        assert status["other"]["pid"] == stranger.known_pid
    assert not mark.exists() and stranger.is_untouched()
    stranger.child.kill()
    site.wait_for_state("webui", "ready")
    assert site.status()["generation"] == 1 and former["pid"] is None


def test_both_killed_leave_a_free_place(site):
    port = free_port()
    stranger = not_found(site, port)
    _, status = stand_by(site, port)
    kill_for_good(status)
    wait_until(lambda: not pid_is_alive(status["supervisor_pid"]))
    assert site.status()["state"] == "stopped" and stranger.is_untouched()
    stranger.child.kill()
    stranger.child.wait()
    site.start()
    assert get(port)[0] == 200


def test_it_does_not_wake_up_for_a_stranger_that_it_can_watch(site):
    port = free_port()
    stranger = not_found(site, port)
    _, status = stand_by(site, port)

    before = pauses(status["keeper_pid"])
    for _ in range(20):
        assert site.status()["state"] == "standby"
    # What it was told while it got in line may still have been on its way.
    assert pauses(status["keeper_pid"]) - before < 10 and stranger.is_untouched()


def test_one_in_line_behind_a_standby(site):
    """The one that waits for the stranger is the holder; the other one stands in line behind it."""
    port = free_port()
    stranger = not_found(site, port)
    _, status = stand_by(site, port)
    running = site.spawn("run", "webui", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    entry = wait_until(lambda: site.status()["standby"], "its place in line")[0]
    kill_for_good(status)
    status = wait_for_status(site, "webui", lambda status: status["state"] == "standby" and
                             status["supervisor_pid"] == entry["pid"])
    assert status["other"]["pid"] == stranger.known_pid and is_of(status, running)
    stranger.child.kill()
    site.wait_for_state("webui", "ready")
