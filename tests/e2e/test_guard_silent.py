"""Somebody holds the address and says nothing: a dying server is waited for, one that stays is named
with 11 when the time for binding is up, and nobody is ever signalled."""

import os
import pwd
import signal
import socket
import subprocess

import pytest
from strangers import (NOBODY, Stranger, add_marked, answers, assert_nothing_happened,
                       assert_one_line, http_server, is_root, names, serve, silent_listener,
                       sockets_on, wait_for_listener)
from support import (LIMIT, LONG, MISBEHAVE, PYTHON, WINDOWS, end_process, free_port, get,
                     pid_is_alive, wait_until)

BIND = 0.4
SHORT = {"probe_timeout": "200ms", "bind_timeout": f"{BIND}s"}
PATIENT = {"probe_timeout": "200ms", "bind_timeout": LONG}

BIND_ONLY = """
import pathlib, socket, sys, time
port, go = int(sys.argv[1]), pathlib.Path(sys.argv[2])
s = socket.socket()
s.bind(("127.0.0.1", port))
pathlib.Path(sys.argv[3]).touch()
while not go.exists():
    time.sleep(0.01)
s.listen()
while True:
    visitor, _ = s.accept()
    visitor.sendall(b"hello\\r\\n")
    visitor.close()
"""


def assert_stays_away(site):
    """'start' waits for bind_timeout, then ends with 11."""
    result = site.svcmgr("start", "webui")
    assert result.code == 11, result
    assert BIND <= result.seconds < LIMIT
    assert_one_line(result)
    assert_nothing_happened(site)
    return result


def assert_occupied(site, holder, *said):
    """It names the holder as well."""
    result = assert_stays_away(site)
    assert names(result.err, holder)
    if holder.known_pid is not None:
        for words in said:
            assert words in result.err


def test_one_that_goes_away_is_waited_for(site):
    port = free_port()
    mark = add_marked(site, port=port, **PATIENT)
    stranger = serve(site, port, "for", 1200, "accept-silent")
    result = site.svcmgr("start", "webui")
    assert result.code == 0, result
    assert mark.exists() and site.status()["state"] == "ready"
    assert stranger.child.wait() == 0  # it ended by itself, by no signal
    assert get(port)[0] == 200


@pytest.mark.parametrize("words", [
    ["accept-silent"],
    ["close-at-once"],
    ["rst"],
])
def test_one_that_stays_is_named(site, words):
    port = free_port()
    add_marked(site, port=port, **SHORT)
    stranger = serve(site, port, *words)
    assert_occupied(site, stranger, f"127.0.0.1:{port} is held by", f"bind {port} {words[0]}",
                    "accepts connections and does not answer")
    assert stranger.is_untouched() and len(sockets_on(port)) == 1


def test_one_that_accepts_nothing_is_named(site):
    port = free_port()
    add_marked(site, port=port, **SHORT)
    stranger = silent_listener(site, port)
    assert_occupied(site, stranger)
    assert stranger.is_untouched()


def test_a_full_backlog_is_silence(site):
    port = free_port()
    add_marked(site, port=port, **SHORT)
    stranger = silent_listener(site, port, backlog=0)
    visitors = []
    for _ in range(4):
        visitor = socket.socket()
        visitor.setblocking(False)
        visitor.connect_ex(("127.0.0.1", port))
        visitors.append(visitor)
    assert_occupied(site, stranger)
    assert stranger.is_untouched()
    for visitor in visitors:
        visitor.close()


def test_a_stopped_server_is_waited_for_and_never_killed(site):
    port = free_port()
    add_marked(site, port=port, **SHORT)
    stranger = http_server(site, port)
    os.kill(stranger.pid, signal.SIGSTOP)
    assert_occupied(site, stranger, "http.server")
    os.kill(stranger.pid, signal.SIGCONT)
    assert answers(port) == 200
    assert stranger.is_untouched()


def test_a_byte_during_the_wait_decides_at_once(site):
    port = free_port()
    add_marked(site, port=port, **PATIENT)
    stranger = http_server(site, port)
    os.kill(stranger.pid, signal.SIGSTOP)
    child = site.spawn("start", "webui", stderr=-1)
    wait_until(lambda: "holds" in (site.status().get("status_text") or ""), "the wait for the bind")
    os.kill(stranger.pid, signal.SIGCONT)
    assert child.wait(LIMIT) == 10
    assert names(child.stderr.read(), stranger)
    assert_nothing_happened(site)
    assert stranger.is_untouched()


def test_the_wait_can_be_stopped(site):
    port = free_port()
    add_marked(site, port=port, **PATIENT)
    stranger = silent_listener(site, port)
    child = site.spawn("start", "webui", stderr=-1)
    wait_until(lambda: "holds" in (site.status().get("status_text") or ""), "the wait for the bind")
    result = site.svcmgr("stop", "webui")
    assert result.code == 0, result
    assert child.wait(LIMIT) == 1
    assert_nothing_happened(site)
    assert stranger.is_untouched()


def test_bound_and_not_listening(site):
    """Connecting is refused and binding is not possible: waited for, then named."""
    port = free_port()
    add_marked(site, port=port, **SHORT)
    bound = site.directory / "bound"
    stranger = Stranger(site.stranger(PYTHON, "-c", BIND_ONLY, port, site.directory / "go", bound))
    wait_until(bound.exists)
    result = site.svcmgr("start", "webui")
    assert result.code == 11, result
    how = "which cannot be named" if WINDOWS else "which has bound it without listening"
    assert names(result.err, stranger) and how in result.err
    assert_nothing_happened(site)
    assert stranger.is_untouched()


def test_a_slow_starter_that_answers_at_last(site):
    port = free_port()
    add_marked(site, port=port, **PATIENT)
    go, bound = site.directory / "go", site.directory / "bound"
    stranger = Stranger(site.stranger(PYTHON, "-c", BIND_ONLY, port, go, bound))
    wait_until(bound.exists)
    child = site.spawn("start", "webui", stderr=-1)
    wait_until(lambda: "holds" in (site.status().get("status_text") or ""), "the wait for the bind")
    go.touch()
    assert child.wait(LIMIT) == 10
    assert names(child.stderr.read(), stranger)
    assert_nothing_happened(site)
    assert stranger.is_untouched()


def test_bound_with_reuse_and_not_listening_is_no_owner(site):
    """Only listen() is ownership: two sockets with SO_REUSEADDR may be bound to one address."""
    port = free_port()
    add_marked(site, port=port, **SHORT)
    bound = site.directory / "bound"
    stranger = Stranger(site.stranger(MISBEHAVE, "bind-only", port, "touch", bound))
    wait_until(bound.exists, "the stranger's bind")
    site.start()
    assert get(port)[0] == 200
    assert stranger.is_untouched()


def test_a_leaked_socket_in_a_grandchild(site):
    """The server is gone and a process that it left behind holds its socket without knowing it."""
    port = free_port()
    pids = site.directory / "pids"
    add_marked(site, port=port, **SHORT)
    server = site.stranger(MISBEHAVE, "pids", pids, "leak-listener", port)
    assert server.wait(10) == 0
    wait_for_listener(port)
    orphan = wait_until(lambda: [int(pid) for pid in pids.read_text().split()
                                 if pid_is_alive(int(pid))])[0]
    try:
        assert f"pid {orphan}" in assert_stays_away(site).err
        assert pid_is_alive(orphan)
    finally:
        os.kill(orphan, signal.SIGKILL)
        wait_until(lambda: not pid_is_alive(orphan))


def test_a_shared_socket_names_the_parent(site):
    """Of a master and its workers the master is the one to stop."""
    port = free_port()
    add_marked(site, port=port, **SHORT)
    pids = site.directory / "pids"
    stranger = serve(site, port, "pids", site.native(pids), "fork-tree", 1, 3, "accept-silent")
    try:
        assert_occupied(site, stranger)
        assert stranger.is_untouched()
    finally:
        for pid in pids.read_text().split():
            end_process(int(pid))


@pytest.mark.skipif(not is_root(), reason="needs root")
def test_the_user_of_the_holder_is_named(site):
    port = free_port()
    add_marked(site, port=port, **SHORT)
    stranger = silent_listener(site, port, user=NOBODY, group=NOBODY, extra_groups=[])
    assert_occupied(site, stranger, f"user {pwd.getpwuid(NOBODY).pw_name}")
    assert stranger.is_untouched()


@pytest.mark.skipif(not is_root(), reason="needs root")
def test_a_holder_that_cannot_be_seen_is_not_guessed(open_site):
    """Without rights the kernel says only whose socket it is."""
    site = open_site
    port = free_port()
    add_marked(site, port=port, **SHORT)
    stranger = silent_listener(site, port)
    result = site.run_as_nobody("start", "webui")
    assert result.code == 11, result
    assert "a process that cannot be seen from here, user root" in result.err
    assert f"pid {stranger.pid}" not in result.err
    assert not (site.state_of("webui") / "log").exists()
    assert stranger.is_untouched()


@pytest.mark.skipif(not is_root(), reason="needs root")
def test_one_that_answers_unseen(open_site):
    site = open_site
    port = free_port()
    add_marked(site, port=port)
    stranger = serve(site, port, "serve")
    result = site.run_as_nobody("start", "webui")
    assert result.code == 10, result
    assert "HTTP 200 from /health" in result.err and "user root" in result.err
    assert stranger.is_untouched()


def test_another_service_of_svcmgr_holds_it(site):
    """Its supervisor keeps the socket open: waiting for that one is of no use."""
    port = free_port()
    listen = {"address": f"127.0.0.1:{port}", "socket": "inherit"}
    site.add("other", [MISBEHAVE, "sleep-forever"], listen=listen)
    other = site.start("other")
    add_marked(site, port=port, **PATIENT)
    result = site.svcmgr("start", "webui")
    assert result.code == 10, result
    assert result.seconds < LIMIT
    assert f"pid {other['pid']}" in result.err and "svcmgr" in result.err
    assert_nothing_happened(site)
    assert site.status("other")["pid"] == other["pid"]


def test_a_program_with_our_name_among_its_words_is_no_supervisor(site):
    port = free_port()
    add_marked(site, port=port, **SHORT)
    lookalike = site.directory / "svcmgr"
    lookalike.mkdir()
    script = lookalike / "server run now.py"
    script.write_text("import socket, time\n"
                      f"s = socket.create_server(('127.0.0.1', {port}))\n"
                      "time.sleep(100)\n")
    stranger = Stranger(site.stranger(PYTHON, script))
    wait_for_listener(port)
    assert_occupied(site, stranger)
    assert stranger.is_untouched()


def test_a_restart_while_it_waits_goes_on_with_the_new_configuration(site):
    """What was waited for is the old configuration's address, which nobody wants any more."""
    port, other = free_port(), free_port()
    add_marked(site, port=port, **PATIENT)
    stranger = serve(site, port, "accept-silent")
    waiting = site.spawn("start", "webui", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: f"waiting for 127.0.0.1:{port}" in (site.status()["status_text"] or ""))
    add_marked(site, port=other, **PATIENT)
    assert site.svcmgr("restart", "webui").code == 0
    assert get(other)[0] == 200
    assert waiting.wait(LIMIT) == 0
    assert stranger.is_untouched()
