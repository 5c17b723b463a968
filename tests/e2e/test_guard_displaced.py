"""Sockets that the program binds itself ("self"): a stranger that is faster than the program, or takes
the address later while the program lives without its listener, is found out by the owner of the
listening socket.  Its answers never count, ours is stopped, the stranger is not touched."""

import os
import subprocess

import pytest
from instances import add_puppet, causes, start_puppet, wait_for_status
from strangers import names, serve, wait_for_listener
from support import (LIMIT, MISBEHAVE, WINDOWS, end_process, free_port, get, pid_is_alive,
                     wait_until)

NEVER_AGAIN = {"delay": "1h", "max_delay": "1h", "burst": 0}
HEALTH = {"http": "/health", "interval": "50ms", "timeout": "1s", "failures": 1000}
QUICK = {"probe_timeout": "100ms", "bind_timeout": "200ms"}
TRUE = [MISBEHAVE, "exit", "0"] if WINDOWS else ["/bin/true"]


def own(port):
    return {"address": f"127.0.0.1:{port}", "socket": "self"}


READY = {
    "health": {"health": HEALTH},
    "spawn": {"ready": "spawn", "settle": "300ms"},
    "notify": {"ready": "notify"},
    "command": {"health": {"command": TRUE, "interval": "50ms", "failures": 1000}},
}


@pytest.mark.parametrize("ready", READY)
def test_one_that_is_faster_than_the_program(site, ready):
    port = free_port()
    puppet = add_puppet(site, listen=own(port), **READY[ready])
    starting = site.spawn("start", "web", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    pid = puppet.pid()
    stranger = serve(site, port, "serve")
    if ready == "notify":
        puppet.notify("READY=1")
    _, err = starting.communicate(timeout=LIMIT)
    assert starting.returncode == 10, err
    assert "[!!] FATAL: Another server is listening on" in err
    assert f"127.0.0.1:{port}" in err and names(err, stranger)
    assert stranger.is_untouched() and not pid_is_alive(pid)
    assert site.status("web")["state"] == "stopped"
    assert get(port)[0] == 200  # the stranger's


def below(site, *words):
    """A command of the puppet's, and where what it runs writes its pid."""
    note = site.directory / "server"
    note.unlink(missing_ok=True)
    command = [site.native(MISBEHAVE), "own-pid", site.native(note), *map(str, words)]
    return [command[0].replace("/", "\\"), *command[1:]] if WINDOWS else command, note


def begin_server(site, puppet, port):
    """A server in a process of its own below the puppet, so that it can go while the program stays;
    returns its pid."""
    command, note = below(site, "bind", port, "serve")
    puppet.begin(command, os.devnull)
    wait_for_listener(port)
    return int(note.read_text())


def end_server(pid):
    end_process(pid)
    wait_until(lambda: not pid_is_alive(pid))


def alone(site, port, **keys):
    """A service whose program serves, and then lives on without its listener."""
    puppet = add_puppet(site, listen=own(port), restart=NEVER_AGAIN, **QUICK,
                        **{**READY["health"], **keys})
    starting = site.spawn("start", "web", stdout=subprocess.DEVNULL)
    server = begin_server(site, puppet, port)
    assert starting.wait(LIMIT) == 0
    assert site.status("web")["state"] == "ready"
    return puppet, server


@pytest.mark.parametrize("health", ["health", "command"])
def test_one_that_comes_later(site, health):
    port = free_port()
    puppet, server = alone(site, port, **READY[health])
    pid = puppet.pid()
    end_server(server)
    stranger = serve(site, port, "serve")
    status = wait_for_status(site, "web", lambda status: status["state"] == "backoff")
    assert not pid_is_alive(pid) and stranger.is_untouched()
    wait_until(lambda: any(names(cause, stranger) and "Another server is listening on" in cause
                           for cause in causes(site, "web")), "a word of the stranger")
    assert status["restarts"] >= 1
    stranger.child.kill()
    assert stranger.child.wait() != 0


def test_a_program_without_its_listener_is_not_healthy(site):
    """The health command may say what it likes."""
    port = free_port()
    puppet, server = alone(site, port, health={"command": TRUE, "interval": "50ms",
                                               "failures": 1000})
    pid = puppet.pid()
    end_server(server)
    status = wait_for_status(site, "web", lambda status: status["health"]["failures"] > 2)
    assert status["health"]["reply"] == "the program does not listen on its address any more"
    assert status["pid"] == pid and status["state"] == "ready"
    begin_server(site, puppet, port)
    wait_for_status(site, "web", lambda status: status["health"]["status"] == "healthy")
    assert site.status("web")["pid"] == pid


def test_a_standby_waits_for_its_end(site):
    port = free_port()
    puppet, server = alone(site, port, duplicate="standby",
                           health={**HEALTH, "interval": "20ms"})
    pid = puppet.pid()
    wait_for_status(site, "web", lambda status: status["uptime_ms"] > 1200)  # a run that counts
    end_server(server)
    stranger = serve(site, port, "serve")
    status = wait_for_status(site, "web", lambda status: status["state"] == "standby")
    assert status["other"]["pid"] == stranger.known_pid and not pid_is_alive(pid)
    stranger.child.kill()
    wait_until(lambda: puppet.pid() != pid, "the next generation")
    begin_server(site, puppet, port)
    wait_for_status(site, "web", lambda status: status["state"] == "ready")
    assert get(port)[0] == 200


# A listener that no process has: it is in a message that nobody has received yet.
IN_FLIGHT = """
import array, socket
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", %d))
listener.listen()
hands = socket.socketpair()
def throw():
    global listener
    hands[0].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                               array.array("i", [listener.fileno()]))])
    listener.close()
    return True
def catch():
    global listener
    _, parts, _, _ = hands[1].recvmsg(1, socket.CMSG_LEN(4))
    listener = socket.socket(fileno=array.array("i", parts[0][2])[0])
    return True
def juggle(times):
    for _ in range(times):
        throw()
        catch()
    return True
"""


def in_flight(site, port):
    """A service whose program can let go of its listener without closing it."""
    puppet = add_puppet(site, listen=own(port), restart=NEVER_AGAIN, **QUICK,
                        health={"command": TRUE, "interval": "10ms", "failures": 1000})
    starting = site.spawn("start", "web", stdout=subprocess.DEVNULL)
    puppet.do(IN_FLIGHT % port)
    assert starting.wait(LIMIT) == 0
    return puppet


def test_a_listener_that_changes_hands_is_nobody_else_s(site):
    """Nor is one whose last process is just going: for an instant it belongs to no process."""
    puppet = in_flight(site, free_port())
    pid = puppet.pid()
    for _ in range(100):
        puppet.do("juggle(200)")
    status = site.status("web")
    assert (status["pid"], status["state"]) == (pid, "ready"), causes(site, "web")


def test_a_listener_that_stays_without_a_process_is_somebody_s(site):
    puppet = in_flight(site, free_port())
    pid = puppet.pid()
    puppet.do("throw()")
    wait_for_status(site, "web", lambda status: status["restarts"] == 1)
    assert not pid_is_alive(pid)
    assert any("Another server is listening on" in cause and "a process that cannot be seen" in cause
               for cause in causes(site, "web"))


def test_a_wildcard_of_the_stranger_s_counts(site):
    """What covers the address gets its visitors."""
    port = free_port()
    puppet, server = alone(site, port)
    pid = puppet.pid()
    end_server(server)
    stranger = serve(site, port, "serve", at=f"0.0.0.0:{port}")
    wait_for_status(site, "web", lambda status: status["state"] == "backoff")
    assert not pid_is_alive(pid) and stranger.is_untouched()


def test_a_listener_of_a_grandchild_is_the_program_s_own(site):
    """Whatever session it has and whoever its parent is by now."""
    port = free_port()
    puppet = add_puppet(site, listen=own(port), restart=NEVER_AGAIN, **READY["health"])
    starting = site.spawn("start", "web", stdout=subprocess.DEVNULL)
    command, _ = below(site, "bind", port, "serve")
    shell = ["C:\\windows\\system32\\cmd.exe", "/c", "start", "/b"] if WINDOWS else \
        ["/bin/sh", "-c", 'setsid "$@" &', "sh"]
    puppet.begin([*shell, *command], os.devnull)
    assert starting.wait(LIMIT) == 0
    wait_for_listener(port)
    status = wait_for_status(site, "web", lambda status: status["health"]["status"] == "healthy")
    assert status["state"] == "ready" and status["pid"] == puppet.pid()


def test_with_a_held_socket_nobody_can_be_faster(site):
    port = free_port()
    start_puppet(site, listen={"address": f"127.0.0.1:{port}", "socket": "inherit"})
    late = site.stranger("/usr/bin/python3", "-c",
                         "import socket, sys\n"
                         "s = socket.socket()\n"
                         "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
                         "try:\n"
                         f"    s.bind(('127.0.0.1', {port})); s.listen()\n"
                         "except OSError as error:\n"
                         "    sys.exit(error.errno)\n")
    assert os.strerror(late.wait(LIMIT)) == "Address already in use"
