"""Restarts and crashes under a steady rain of new connections: nobody is refused, cut off, or waits
for ever; a new generation that fails leaves the old one answering throughout."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
import windows
from instances import causes, wait_for_status
from logfiles import numbers, texts, whole_log
from support import (BUILD, LIMIT, MISBEHAVE, NO_FILE, PORTABLE, PYTHON, SANITIZED, WEBUI, WINDOWS,
                     end_process, free_port, pid_is_alive, processes_with, wait_until)
from test_programs import NODE, needs
from test_survival import KEPT
from visitors import Visitors

RAIN = str(BUILD / "tests" / "rain")
RATE = 200 if SANITIZED else 1000
FEW = SANITIZED or PORTABLE or WINDOWS  # what is shared with the optimised build is tried there often enough
RESTARTS = int(os.environ.get("SVCMGR_TEST_RESTARTS", "5" if FEW else "25"))
CRASHES = int(os.environ.get("SVCMGR_TEST_CRASHES", "3" if FEW else "10"))
KILLS = int(os.environ.get("SVCMGR_TEST_KILLS", "5" if FEW else "20"))
BACKLOG = 4096

LOST = ("refused", "reset", "short", "timed_out", "wrong", "missed")


class Rain:
    def __init__(self, port, rate):
        self.child = subprocess.Popen([RAIN, str(port), str(rate), "600", "/"], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def end(self):
        out, _ = self.child.communicate(timeout=LIMIT * 3)
        assert self.child.returncode == 0
        return json.loads(out)


class FallingVisitors:
    """The same where there is no such program: it is one of Unix."""

    def __init__(self, port, result):
        self.visitors = result.visitors = Visitors(port, timeout=LIMIT)
        self.visitors.__enter__()

    def end(self):
        self.visitors.__exit__()
        late = [error for error in self.visitors.broken if isinstance(error, TimeoutError)]
        fine = self.visitors.served.count(200)
        return {**dict.fromkeys(LOST, 0), "fine": fine, "timed_out": len(late),
                "wrong": len(self.visitors.served) - fine, "refused": len(self.visitors.refused),
                "reset": len(self.visitors.broken) - len(late)}


class Result(dict):
    """What came of the rain, filled in when it is over.

    Wine 8's server never closes a socket whose process is killed after it was told to go ahead with a
    send or a poll, and before it has said what came of it: the end of a process cancels only what has
    no answer yet, and the other holds the socket (send_socket and poll_socket in server/sock.c,
    cancel_async in server/async.c).  Whoever is on it would wait for ever.  So there nobody asks for
    anything while a process is killed."""

    visitors = None

    def asking_nothing(self):
        return self.visitors.asking_nothing() if self.visitors else contextlib.nullcontext()

    def accepted(self):
        """How many a process may have accepted that has just been killed."""
        return self.visitors.waiting if self.visitors else 64


@contextlib.contextmanager
def rain(port, rate=RATE):
    result = Result()
    falling = FallingVisitors(port, result) if WINDOWS else Rain(port, rate)
    try:
        yield result
    finally:
        result.update(falling.end())
    print(result)


def lost(result, ended=False):
    """If one of the servers was ended, Wine has it killed, with what it had accepted."""
    return {name: result[name] for name in LOST
            if result[name] and not (WINDOWS and ended and name == "reset")}


# ---- Servers that finish what they have accepted ----------------------------------------------------------

SERVER = r"""
import http.server, os, signal, socket, sys, threading
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"hello\n")
    def log_message(self, *_):
        pass
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
server = Server(("", 0), Answer, False)
server.socket = socket.socket(fileno=int(sys.argv[1]))
# A handler may interrupt whoever starts a thread, and must start none itself.
told, tell = os.pipe()
threading.Thread(target=lambda: os.read(told, 1) and server.shutdown(), daemon=True).start()
signal.signal(signal.SIGTERM, lambda *_: os.write(tell, b"x"))
if os.environ.get("NOTIFY_SOCKET"):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
        sender.send(b"READY=1")
server.serve_forever(0.01)
server.server_close()
"""


def listen(port):
    return {"address": f"127.0.0.1:{port}", "socket": "inherit", "backlog": BACKLOG}


def ready_file(site):
    """A health command that knows whom it asks: each generation makes a file of its own."""
    return {"health": {"command": ["/bin/sh", "-c", f"test -s {site.directory}/up.$SVCMGR_GENERATION"],
                       "interval": "1s"}}


def webui(site, port, overlap):
    del site, port
    if WINDOWS and overlap:
        return [MISBEHAVE, "notify-ready", "serve"], {"ready": "notify"}
    if WINDOWS:  # webui polls, and misbehave never does: see Result
        return [MISBEHAVE, "serve"], {"health": {"http": "/health"}}
    return [WEBUI, "--quiet"], {"ready": "notify"} if overlap else {"health": {"http": "/health"}}


def python(site, port, overlap):
    del site, port
    return [PYTHON, "-I", "-S", "-c", SERVER, "3"], {"ready": "notify"} if overlap else \
        {"health": {"http": "/"}}


def node(site, port, overlap):
    """It cannot send datagrams to a Unix socket, but it can make a file."""
    del port
    program = site.directory / "server.js"
    program.write_text(NODE.replace("server.listen(", "server.on('listening', () => require('fs')"
                                    ".writeFileSync('up.' + process.env.SVCMGR_GENERATION, 'up'));\n"
                                    "server.listen("))
    return [needs("node"), program, "fd", "{fd}"], ready_file(site) if overlap else \
        {"health": {"http": "/"}}


def nginx(site, port, overlap):
    """Its pidfile comes when its workers are there."""
    program = needs("nginx")
    where = site.directory
    config = where / "nginx.conf"
    config.write_text(f"""
daemon off; master_process on; worker_processes 1; user root; error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {where}/t1; proxy_temp_path {where}/t2; fastcgi_temp_path {where}/t3;
  uwsgi_temp_path {where}/t4; scgi_temp_path {where}/t5;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "one\\n"; }} }}
}}
""")
    script = f"exec {program} -c {config} -p {where} -g \"pid up.$SVCMGR_GENERATION;\""
    keys = ready_file(site) if overlap else {"health": {"http": "/"}}
    return ["/bin/sh", "-c", script], {
        **keys, "environment": {"NGINX": "{fd};"}, "stop": {"signal": "QUIT", "timeout": "20s"}}


PROGRAMS = [webui, python, node, nginx]


def add(site, program, overlap):
    port = free_port()
    words, keys = program(site, port, overlap)
    keys = {"stop": {"timeout": windows.STOP_TIMEOUT if WINDOWS else "20s"}, "start_timeout": "60s",
            "restart": {"delay": "1ms", "burst": 0},
            "replace": "overlap" if overlap else "sequential", **keys}
    site.add("web", words, listen=listen(port), **keys)
    return port


@pytest.mark.parametrize("overlap", [False, True], ids=["sequential", "overlap"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_restart_loses_nobody(site, program, overlap):
    port = add(site, program, overlap)
    site.start("web")
    with rain(port) as result:
        for number in range(1, RESTARTS + 1):
            with result.asking_nothing():
                restarting = site.spawn("restart", "web", stdout=subprocess.PIPE)
                if WINDOWS:  # where the former one is killed
                    wait_until(lambda n=number: len(causes(site, "web", "exit")) == n)
            assert f"generation {number} replaced by {number + 1}" in restarting.stdout.read()
            assert restarting.wait(LIMIT) == 0
    assert lost(result, ended=True) == {} and result["fine"] > 0
    status = site.wait_for_state("web", "ready")  # "replacing" until the former one is gone
    assert (status["generation"], status["restarts"]) == (RESTARTS + 1, 0)
    assert site.svcmgr("stop", "web").code == 0
    assert not processes_with(str(site.directory))


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_crash_refuses_nobody(site, program):
    """What the killed process had accepted is reset with it, and no more than that."""
    port = add(site, program, False)
    site.start("web")
    accepted = 0
    with rain(port) as result:
        for number in range(CRASHES):
            status = wait_for_status(site, "web", lambda now, n=number: now["restarts"] == n and
                                     now["state"] == "ready" and now["pid"] is not None)
            with result.asking_nothing():
                for pid in [status["pid"], *children(status["pid"])]:
                    with contextlib.suppress(ProcessLookupError):
                        end_process(pid)
                accepted += result.accepted()
        wait_for_status(site, "web", lambda now: now["restarts"] == CRASHES and
                        now["state"] == "ready")
    assert result["refused"] == result["timed_out"] == result["wrong"] == result["missed"] == 0
    assert result["reset"] + result["short"] <= accepted, result


# ---- The queue, where those wait whom nobody accepts -----------------------------------------------

# Like node and nginx it asks for a queue of its own size; at its end it waits for a word.
SHORT_QUEUE = SERVER.replace("server.serve_forever(0.01)", """
import time
server.socket.listen(2)
server.serve_forever(0.01)
open("stops", "w").close()
while not os.path.exists("go"):
    time.sleep(0.01)""")
SOMAXCONN = int(Path("/proc/sys/net/core/somaxconn").read_text(encoding="ascii"))


def queue(port):
    """How long it may be: ss(8)."""
    line = subprocess.run(["ss", "-Hltn", f"sport = :{port}"], capture_output=True, text=True,
                          check=True).stdout
    return int(line.split()[2])


def test_who_comes_while_nobody_accepts_finds_the_whole_queue(site):
    port = free_port()
    site.add("web", [PYTHON, "-I", "-S", "-c", SHORT_QUEUE, "3"], listen=listen(port),
             health={"http": "/"}, stop={"timeout": "60s"}, directory=str(site.directory))
    site.start("web")
    assert queue(port) == 2
    restarting = site.spawn("restart", "web")
    wait_until((site.directory / "stops").exists)
    assert queue(port) == min(BACKLOG, SOMAXCONN)
    waiting = [socket.create_connection(("127.0.0.1", port), LIMIT) for _ in range(300)]
    for client in waiting:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
    (site.directory / "go").touch()
    assert restarting.wait(LIMIT) == 0
    for client in waiting:
        client.settimeout(LIMIT)
        with client.makefile("rb") as answer:
            assert answer.readline().split()[1] == b"200"
        client.close()


def test_the_queue_is_whole_while_a_crashed_one_waits_for_its_next_try(site):
    port = free_port()
    program = SHORT_QUEUE.replace("self.end_headers()", "self.end_headers(); "
                                  "threading.Timer(0.1, lambda: os._exit(1)).start()")
    site.add("web", [PYTHON, "-I", "-S", "-c", program, "3"], listen=listen(port),
             health={"http": "/"}, directory=str(site.directory),
             restart={"delay": "1h", "max_delay": "1h"})
    site.start("web")
    site.wait_for_state("web", "backoff")
    assert queue(port) == min(BACKLOG, SOMAXCONN)


def test_another_length_of_the_queue_comes_with_the_restart(site):
    port = add(site, webui, False)
    site.start("web")
    config = json.loads((site.config_dir / "web.json").read_text())
    config["listen"]["backlog"] = 77
    site.write("web", json.dumps(config))
    assert site.svcmgr("restart", "web").code == 0
    assert queue(port) == 77


def children(pid):
    if WINDOWS:  # misbehave has none, and Wine's pids are not those of the system below
        return []
    with contextlib.suppress(OSError):
        return [int(word) for word in open(f"/proc/{pid}/task/{pid}/children", encoding="ascii")
                .read().split()]
    return []


# ---- A new generation that fails --------------------------------------------------------------------------


FAILING = {
    "exits": (["print", "no such table", "exit", "1"], "exited with code 1 before it was ready"),
    "hangs": (["print", "still loading", "ignore", "TERM", "sleep-forever"], "was not ready in 2000 ms"),
    "never ready": (["print", "still loading", "sleep-forever"], "was not ready in 2000 ms"),
    "crashes": (["print", "on my way", "die", "SEGV"], "ended by SIGSEGV before it was ready"),
    "is not there": (None, NO_FILE),
}


@pytest.mark.parametrize("how", FAILING)
def test_the_old_one_goes_on_when_the_new_one_fails(site, how):
    words, said = FAILING[how]
    port = add(site, webui, True)
    before = site.start("web")
    good = (site.config_dir / "web.json").read_text()
    broken = json.loads(good)
    broken.update(command=[MISBEHAVE, *words] if words else ["/no/such/program"],
                  start_timeout="2s", stop={"timeout": "200ms"})
    site.write("web", json.dumps(site.natively(broken)))
    with rain(port) as result:
        done = site.svcmgr("restart", "web")
        assert done.code == 1 and said in done.err, done
        if words:
            assert words[1] in done.err.split("\n", 1)[1], "the new one's last words"
        after = site.status("web")
        assert (after["pid"], after["state"], after["generation"]) == (before["pid"], "ready", 1)
        wait_for_status(site, "web", lambda now: len(processes_with(str(site.directory))) <= 3)
    assert lost(result) == {}
    site.write("web", good)
    assert site.svcmgr("restart", "web").code == 0
    wait_until(lambda: not pid_is_alive(before["pid"]), "the end of the old one")


def test_a_second_restart_joins_the_first(site):
    port = add(site, webui, True)
    site.start("web")
    with rain(port) as result:
        with result.asking_nothing():
            asking = [site.spawn("restart", "web", stdout=subprocess.PIPE) for _ in range(5)]
            assert [child.wait(LIMIT) for child in asking] == [0] * 5
    told = [child.stdout.read() for child in asking]
    assert all("replaced by" in line for line in told)
    assert site.status("web")["generation"] <= 6
    assert lost(result, ended=True) == {}
    if not WINDOWS:  # Wine delivers nothing that asks for an end
        assert not [cause for cause in causes(site, "web", "exit") if "SIG" in cause]


def test_a_stop_in_the_middle_of_an_overlap_leaves_nothing(site):
    port = add(site, webui, True)
    site.start("web")
    broken = json.loads((site.config_dir / "web.json").read_text())
    broken.update(command=[MISBEHAVE, "sleep-forever"])
    site.write("web", json.dumps(site.natively(broken)))
    restarting = site.spawn("restart", "web", stderr=subprocess.PIPE)
    wait_for_status(site, "web", lambda now: now["state"] == "replacing")
    assert site.svcmgr("stop", "web").code == 0
    assert restarting.wait(LIMIT) == 1
    assert not processes_with(str(site.directory))
    del port


# ---- The supervisor is killed, and replaced ----------------------------------------------------------------

COUNTER = SERVER.replace("server.serve_forever(0.01)", """
def count():
    number = 0
    while True:
        lines = "".join("line %d\\n" % n for n in range(number + 1, number + 101))
        os.write(1, lines.encode())
        number += 100
        time.sleep(0.01)
import time
threading.Thread(target=count, daemon=True).start()
signal.signal(signal.SIGUSR1, lambda *_: os._exit(42))
server.serve_forever(0.01)""")
PIECE = 64 << 10


def start_counter(site):
    """A server that prints 10,000 numbered lines a second."""
    port = free_port()
    site.add("web", [PYTHON, "-I", "-S", "-c", COUNTER, "3"], listen=listen(port), health={"http": "/"},
             restart={"when": "never"}, logs={"max_size": "1MiB", "keep": 1000}, start_timeout="60s")
    return port, site.start("web")


@pytest.mark.skipif(PORTABLE, reason="needs a sub-reaper to know how an orphan ended")
def test_kills_of_the_supervisor_under_load_lose_nobody_and_hardly_a_line(site):
    port, before = start_counter(site)
    with rain(port) as result:
        for _ in range(KILLS):
            former = site.status("web")["supervisor_pid"]
            os.kill(former, signal.SIGKILL)
            wait_for_status(site, "web", lambda now, f=former: now["supervisor_pid"] not in (None, f))
    assert lost(result) == {}
    after = site.status("web")
    assert {key: after[key] for key in KEPT} == {key: before[key] for key in KEPT}
    os.kill(before["pid"], signal.SIGUSR1)
    wait_for_status(site, "web", lambda now: now["state"] == "stopped")
    assert site.status("web")["last_exit"]["code"] == 42
    found = numbers(texts(whole_log(site)))
    assert found == sorted(set(found)), "doubled or out of order"
    gaps = [(a, b) for a, b in zip(found, found[1:]) if b != a + 1]
    print(len(found), "lines,", len(gaps), "gaps,", sum(b - a - 1 for a, b in gaps), "lines lost")
    assert len(gaps) <= KILLS and all((b - a) * len(f"line {b}\n") <= PIECE for a, b in gaps), gaps


def test_upgrades_under_load_lose_nobody_and_not_a_line(site):
    port, before = start_counter(site)
    with rain(port) as result:
        for _ in range(KILLS):
            assert site.svcmgr("upgrade", "web").code == 0
    assert lost(result) == {}
    after = site.status("web")
    assert {key: after[key] for key in KEPT} == {key: before[key] for key in KEPT}
    assert site.svcmgr("stop", "web").code == 0
    found = numbers(texts(whole_log(site)))
    assert found == list(range(1, len(found) + 1)) and len(found) > 100


# ---- Killed in the middle ---------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_supervisor_is_killed_in_the_middle_of_an_overlap(site):
    """Whoever asked connects again; the two generations become one."""
    port = add(site, node, True)
    config = json.loads((site.config_dir / "web.json").read_text())
    config["health"]["command"][-1] += f" && test -e {site.directory}/go"
    site.write("web", json.dumps(config))
    go = site.directory / "go"
    go.touch()
    before = site.start("web")
    with rain(port) as result:
        for _ in range(3):
            go.unlink()
            restarting = site.spawn("restart", "web", stdout=subprocess.PIPE)
            status = wait_for_status(site, "web", lambda now: now["state"] == "replacing")
            os.kill(status["supervisor_pid"], signal.SIGKILL)
            wait_for_status(site, "web", lambda now, f=status["supervisor_pid"]:
                            now["supervisor_pid"] not in (None, f))
            go.touch()
            assert restarting.wait(LIMIT) == 0
            wait_for_status(site, "web", lambda now: now["state"] == "ready")
    assert lost(result) == {}
    wait_until(lambda: not pid_is_alive(before["pid"]), "the end of the old one")
    assert (site.status("web")["restarts"], site.status("web")["generation"]) == (0, 4)
