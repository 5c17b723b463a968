"""What control scripts around one server had to learn, number by number: A20 to A34 of the list of
behaviours that svcmgr covers.  A28 and A29, jobs of other managers, are about `rivals`."""

import os
import subprocess

import pytest
from strangers import (Stranger, add_marked, answers, assert_nothing_happened, has_program,
                       http_server, is_root, names, serve, silent_listener, sockets_on,
                       wait_for_listener)
from support import (LIMIT, MISBEHAVE, PYTHON, WINDOWS, end_process, free_port, get, pid_is_alive,
                     processes_with, wait_until)

HTTPS = """
import http.server, ssl, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(sys.argv[2]))
        self.end_headers()
    def log_message(self, *_):
        pass
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[3])
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
"""

# A manager with Restart=always and a short RestartSec, around a server.
RESPAWN = """
pid=
trap 'kill $pid; exit' TERM
while :; do "$@" & pid=$!; wait $pid; sleep 0.2; done
"""


def state_of(site):
    state = site.state_of("webui")
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    return state


def note_taker(site, *words):
    """A stranger that writes down any signal that can be caught."""
    notes, own_pid = site.directory / "notes", site.directory / "note-taker"
    with open(notes, "w", encoding="ascii") as output:
        stranger = Stranger(site.stranger(MISBEHAVE, "own-pid", site.native(own_pid), "note", "TERM",
                                          "HUP", "INT", "USR1", "QUIT", *words, "print", "noting",
                                          "sleep-forever", stdout=output))
    wait_until(lambda: "noting" in notes.read_text())
    if WINDOWS:
        stranger.windows_pid = int(own_pid.read_text())
    return stranger, notes


# ---- Files and ownership ------------------------------------------------------------------------


def test_a20_pidfile_log_and_state_are_private_and_nothing_in_them_is_executed(site):
    """A20: a decimal pid and a newline; no file of the state is sourced, none is open to others."""
    port = free_port()
    add_marked(site, port=port)
    state = state_of(site)
    trap = site.directory / "executed"
    for name in ("record", "webui.ctl.env"):
        (state / name).write_text(f"PID=1\n$(touch {trap})\n`touch {trap}`\n")
    (state / "pid").write_text(f" $(touch {trap}) \n")
    status = site.start()
    assert (state / "pid").read_text() == f"{status['supervisor_pid']}\n"
    assert not trap.exists() and get(port)[0] == 200
    assert (state / "log" / "current").exists()
    if WINDOWS:
        return  # it has no modes; tests/windows has who may open what
    assert state.stat().st_mode & 0o077 == 0
    for name in ("record", "events", "config.json"):
        assert (state / name).stat().st_mode & 0o077 == 0, name


def test_a21_a_command_line_that_looks_like_ours_is_no_proof(site):
    """A21: neither somebody who has our paths among the arguments nor a pidfile that names them
    makes a process ours; a wrapper with other arguments is ours all the same."""
    port = free_port()
    wrapper = site.directory / ("wrapper.bat" if WINDOWS else "wrapper")
    server = site.native(MISBEHAVE).replace("/", "\\") if WINDOWS else MISBEHAVE
    wrapper.write_text(f"@{server} serve\r\n" if WINDOWS else f"#!/bin/sh\n{server} serve &\nwait\n")
    wrapper.chmod(0o755)
    command = ["cmd", "/c", wrapper.name] if WINDOWS else [wrapper]
    site.add("webui", command, health={"http": "/health"},
             listen={"address": f"127.0.0.1:{port}", "socket": "inherit"},
             listen_pid=False)
    reader, _ = note_taker(site, "print", site.native(wrapper),
                           "print", site.native(site.config_dir / "webui.json"))
    (state_of(site) / "pid").write_text(f"{reader.known_pid}\n")
    assert site.svcmgr("stop", "webui").code == 0
    status = site.start()
    assert status["pid"] != reader.known_pid and get(port)[0] == 200
    assert site.svcmgr("stop", "webui").code == 0
    assert reader.is_untouched() and not sockets_on(port)


def test_a22_start_when_it_runs_is_done_already(site):
    """A22: exit 0, its pid is named, and it is the same process."""
    port = free_port()
    add_marked(site, port=port)
    before = site.start()
    result = site.svcmgr("start", "webui")
    assert result.code == 0 and "already running" in result.out, result
    assert f"pid {before['pid']}" in result.out
    assert site.status()["pid"] == before["pid"]


@pytest.mark.parametrize("whose", ["dead", "foreign"])
def test_a23_a_stale_pidfile_is_no_obstacle_and_no_target(site, whose):
    """A23: on start and on stop; a live process with that number gets no signal."""
    port = free_port()
    add_marked(site, port=port)
    stranger, notes = note_taker(site)
    pid = stranger.known_pid
    if whose == "dead":
        gone = site.stranger("/bin/true")
        gone.wait()
        pid = gone.pid
    (state_of(site) / "pid").write_text(f"{pid}\n")
    stopped = site.svcmgr("stop", "webui")
    assert stopped.code == 0 and "is stopped" in stopped.out, stopped
    site.start()
    assert get(port)[0] == 200
    assert site.svcmgr("stop", "webui").code == 0
    assert stranger.is_untouched() and notes.read_text() == "noting\n"


def test_a24_stop_of_what_is_stopped_and_unknown_commands(site):
    """A24: stop says that it is stopped, exit 0; an unknown command is wrong usage, exit 2."""
    add_marked(site, port=free_port())
    result = site.svcmgr("stop", "webui")
    assert result.code == 0 and "is stopped" in result.out and result.err == "", result
    assert not site.state_of("webui").exists()
    assert site.svcmgr("bounce", "webui").code == 2


# ---- Stopping and restarting --------------------------------------------------------------------


def test_a25_stop_asks_waits_and_kills(site):
    """A25: SIGTERM, the configured time, SIGKILL, and only then is it said to be stopped."""
    port = free_port()
    add_marked(site, port=port, words=["ignore", "TERM", "serve"], stop={"timeout": "300ms"})
    pid = site.start()["pid"]
    result = site.svcmgr("stop", "webui")
    assert result.code == 0 and result.seconds >= 0.3, result
    assert not pid_is_alive(pid) and not sockets_on(port)
    assert site.status()["last_exit"]["signal"] == "KILL"
    causes = [event.get("to") for event in site.events() if event["event"] == "state"]
    assert causes[-1] == "stopped"


@pytest.mark.parametrize("command", ["restart", "stop"])
def test_a26_an_expected_pid_that_is_not_there_refuses_and_touches_nothing(site, command):
    """A26: another pid, a dead one, a stopped service: exit 9; no pid at all: exit 2."""
    port = free_port()
    add_marked(site, port=port)
    first = site.start()["pid"]
    assert site.svcmgr("restart", "webui", "--expect-pid", first).code == 0
    second = site.status()
    for wrong in (first, os.getpid(), 1, second["supervisor_pid"]):
        result = site.svcmgr(command, "webui", "--expect-pid", wrong)
        assert result.code == 9, (wrong, result)
    for nonsense in ("0", "-1", "x", "", "1.5", "99999999999"):
        assert site.svcmgr(command, "webui", "--expect-pid", nonsense).code == 2, nonsense
    after = site.status()
    assert (after["pid"], after["generation"]) == (second["pid"], second["generation"])
    assert site.svcmgr(command, "webui", "--expect-pid", second["pid"]).code == 0
    assert not pid_is_alive(second["pid"])
    assert site.svcmgr("stop", "webui").code == 0
    assert site.svcmgr(command, "webui", "--expect-pid", second["pid"]).code == 9
    assert site.status()["state"] == "stopped"


def test_a27_a_restart_is_done_when_a_new_generation_is_ready(site):
    """A27: neither 'it was down and is up' nor 'it answers' counts."""
    port = free_port()
    add_marked(site, port=port)
    before = site.start()
    result = site.svcmgr("restart", "webui")
    after = site.status()
    assert result.code == 0 and "generation 1 replaced by 2" in result.out, result
    assert after["generation"] == before["generation"] + 1 and after["pid"] != before["pid"]
    assert after["started_at"] > before["started_at"] and after["state"] == "ready"
    add_marked(site, port=port, words=["exit", 3])
    assert site.svcmgr("restart", "webui").code == 1


# ---- Other servers ------------------------------------------------------------------------------


def refused(site, stranger, port):
    """A start is refused with the one that serves named, and nothing was made or touched."""
    result = site.svcmgr("start", "webui")
    assert result.code == 10, result
    assert names(result.err, stranger) and str(port) in result.err
    assert_nothing_happened(site)
    assert stranger.is_untouched()
    return result


@pytest.mark.skipif(not has_program("openssl"), reason="needs openssl")
@pytest.mark.parametrize("status", [200, 302, 401, 404, 500, 503])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a30_whatever_answers_http_or_https_is_refused(site, certificate, scheme,
                                                       status):
    """A30: any status, self-signed or not, no proxy asked, nothing written."""
    port = free_port()
    add_marked(site, port=port)
    site.environment.update(http_proxy="http://127.0.0.1:1", https_proxy="http://127.0.0.1:1",
                            ALL_PROXY="socks5://127.0.0.1:1", no_proxy="")
    if scheme == "http":
        stranger = serve(site, port, "serve", "--status", status)
    else:
        stranger = Stranger(site.stranger(PYTHON, "-c", HTTPS, port, status, certificate))
        wait_for_listener(port)
    said = refused(site, stranger, port).err
    assert (f"HTTP {status}" if scheme == "http" else "TLS") in said


def test_a30_an_ipv6_literal_is_not_missed(site):
    """A30: brackets or not, the probe reaches it."""
    port = free_port()
    add_marked(site, listen={"address": f"[::1]:{port}", "socket": "inherit"})
    stranger = serve(site, port, "serve", at=f"[::1]:{port}")
    assert f"http://[::1]:{port}" in refused(site, stranger, port).err


def test_a31_a_process_on_another_port_is_not_in_the_way(site):
    """A31: pid and port belong together: who listens elsewhere has nothing to do with it, even when
    the pidfile names it."""
    port, elsewhere = free_port(), free_port()
    add_marked(site, port=port)
    stranger = http_server(site, elsewhere)
    (state_of(site) / "pid").write_text(f"{stranger.pid}\n")
    assert f"127.0.0.1:{port} is free" in site.svcmgr("doctor", "webui").out
    site.start()
    assert stranger.is_untouched() and answers(elsewhere) == 200


@pytest.mark.skipif(not is_root(), reason="needs root")
def test_a31_who_cannot_be_seen_is_there_all_the_same(open_site):
    """A31: unknown is not free."""
    site = open_site
    port = free_port()
    add_marked(site, port=port, probe_timeout="100ms", bind_timeout="100ms")
    stranger = silent_listener(site, port)
    for command, code in (("start", 11), ("doctor", 1), ("status", 3), ("stop", 0)):
        result = site.run_as_nobody(command, "webui")
        assert result.code == code, (command, result)
        assert "user root" in result.out + result.err, (command, result)
    assert stranger.is_untouched()


def respawning(site, port):
    """A server that somebody else's manager starts again whenever it ends; and its pids."""
    pids = site.directory / "respawned"
    manager = site.stranger("sh", "-c", RESPAWN, "sh", *site.program(MISBEHAVE), "own-pid",
                            site.native(pids), "bind", port, "serve")
    wait_for_listener(port)
    return manager, lambda: [int(pid) for pid in pids.read_text().split()]


def test_a32_the_story_from_the_field(site):
    """A32: another manager's instance serves and our pidfile is stale: 'stop' does not claim to have
    stopped it, 'start' does not spawn a child that cannot live, and nobody is killed."""
    port = free_port()
    mark = add_marked(site, port=port)
    manager, pids = respawning(site, port)
    (state_of(site) / "pid").write_text("4194304\n")
    foreign = pids()[0]
    stopped = site.svcmgr("stop", "webui")
    assert stopped.code == 0 and f"pid {foreign}" in stopped.err, stopped
    assert "left alone" in stopped.err
    started = site.svcmgr("start", "webui")
    assert started.code == 10 and f"pid {foreign}" in started.err, started
    assert not mark.exists()
    assert pid_is_alive(foreign) and pids() == [foreign] and answers(port) == 200
    manager.terminate()
    manager.wait(LIMIT)


def test_a32_killing_the_foreign_server_does_not_end_in_a_crash_loop(site):
    """A32: whoever comes first has the address, and the other one is told; ours does not spin."""
    port = free_port()
    add_marked(site, port=port, probe_timeout="500ms", bind_timeout="500ms")
    manager, pids = respawning(site, port)
    end_process(pids()[0])
    result = site.svcmgr("start", "webui")
    assert result.code in (0, 10, 11), result
    if result.code == 0:
        status = site.status()
        assert status["state"] == "ready" and status["restarts"] == 0
        assert f'"pid":{status["pid"]}' in get(port)[1].decode()
        wait_until(lambda: len(pids()) >= 3, "the other manager's own tries")
        assert site.status()["pid"] == status["pid"] and site.status()["restarts"] == 0
    else:
        assert site.status()["state"] == "stopped"
    manager.terminate()
    manager.wait(LIMIT)
    wait_until(lambda: not any(pid_is_alive(pid) for pid in pids()))


def test_a33_status_and_stop_of_what_is_served_by_somebody_else(site):
    """A33: status says who, and that it answers; stop warns and leaves it alone, exit 0."""
    port = free_port()
    add_marked(site, port=port)
    stranger = serve(site, port, "serve", "--status", 404)
    text = site.svcmgr("status", "webui")
    assert text.code == 3, text
    assert names(text.out, stranger) and "answers HTTP 404 from /health" in text.out
    other = site.status()["other"]
    assert other["pid"] == stranger.known_pid and other["answers"] == "HTTP 404 from /health"
    assert set(other) == {"pid", "command", "user", "launcher", "answers"}
    result = site.svcmgr("stop", "webui")
    assert result.code == 0, result
    assert names(result.err, stranger) and "left alone" in result.err
    told = site.svcmgr("stop", "webui", "--json")
    assert told.json()["other"]["pid"] == stranger.known_pid
    assert stranger.is_untouched() and answers(port) == 404


# ---- The start window ---------------------------------------------------------------------------


@pytest.mark.parametrize("words,said", [
    (["print", "no luck today", "sleep", "300", "exit", "4"], "exited with code 4"),
    (["print", "no luck today", "sleep-forever"], "not ready"),
])
def test_a34_a_start_that_comes_to_nothing_says_so_and_leaves_nothing(site, words, said):
    """A34: dead or not ready within the start's time: exit 1 with the reason and the log, and
    neither a process nor a supervisor is left."""
    port = free_port()
    add_marked(site, port=port, words=words, start_timeout="1s")
    result = site.svcmgr("start", "webui")
    assert result.code == 1 and said in result.err and "no luck today" in result.err, result
    assert not sockets_on(port)
    assert site.status()["supervisor_pid"] is None
    wait_until(lambda: not processes_with(str(site.directory)))


def test_a34_a_start_is_over_as_soon_as_it_is_healthy(site):
    """A34: success at the first good answer, not at the end of the window."""
    port = free_port()
    add_marked(site, port=port, start_timeout="60s")
    result = site.svcmgr("start", "webui")
    assert result.code == 0 and get(port)[0] == 200
    assert subprocess.run(site.command("status", "webui", "-q"), env=site.environment,
                          timeout=LIMIT, check=False).returncode == 0
