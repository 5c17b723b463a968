"""Real servers: each starts, answers, is replaced under load, comes back, and leaves nothing."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
from http.client import HTTPException
from pathlib import Path

import pytest
from instances import causes, wait_for_status
from support import PYTHON, free_port, get, left_of, pid_is_alive, processes_with, wait_until

AGAIN = {"delay": "1ms", "burst": 0}


def needs(program):
    """The path of a program, or the test is skipped."""
    path = shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        pytest.skip(f"needs {program}")
    return path


def listen(port, kind):
    return {"address": f"127.0.0.1:{port}", "socket": kind}


# ---- What is asked of each ------------------------------------------------------------------------


def http(port):
    status, _ = get(port, "/", timeout=30)
    assert status == 200, status


@contextlib.contextmanager
def light_load(ask, port, threads=2):
    """Asks all the time; the list gets what went wrong."""
    failed, answered, ended = [], [], threading.Event()

    def go_on():
        while not ended.is_set():
            try:
                ask(port)
                answered.append(True)
            except (OSError, HTTPException, AssertionError) as fault:
                failed.append(repr(fault))
            ended.wait(0.002)

    running = [threading.Thread(target=go_on) for _ in range(threads)]
    for thread in running:
        thread.start()
    try:
        wait_until(lambda: len(answered) >= 5, "answers")
        yield failed
        goal = len(answered) + 5
        wait_until(lambda: len(answered) >= goal, "answers")
    finally:
        ended.set()
        for thread in running:
            thread.join()


def refused(failures):
    return [fault for fault in failures if "Refused" in fault]


def put_to_the_test(site, port, ask=http, held=True):
    """Start, answer, restart under load, death of the main process, stop."""
    before = site.start("web")
    assert before["listen"][0]["held"] is held
    ask(port)
    with light_load(ask, port) as failed:
        assert site.svcmgr("restart", "web").code == 0
    if held:
        assert refused(failed) == []
    after = site.status("web")
    assert (after["generation"], after["state"]) == (2, "ready")
    assert not pid_is_alive(before["pid"])
    os.kill(after["pid"], signal.SIGKILL)
    wait_for_status(site, "web", lambda now: now["generation"] == 3 and now["state"] == "ready")
    ask(port)
    stop(site, port)


def stop(site, port):
    status = site.status("web")
    assert site.svcmgr("stop", "web").code == 0
    assert left_of(status, "pid", "supervisor_pid", "keeper_pid") == []
    assert not processes_with(str(site.directory))
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


# ---- nginx ----------------------------------------------------------------------------------------


def add_nginx(site, kind):
    """nginx takes a socket that its variable NGINX names, if its configuration listens there too."""
    nginx = needs("nginx")
    port = free_port()
    where = site.directory
    config = where / "nginx.conf"
    config.write_text(f"""
daemon off; master_process on; worker_processes 1; user root;
pid {where}/nginx.pid; error_log stderr notice;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {where}/t1; proxy_temp_path {where}/t2; fastcgi_temp_path {where}/t3;
  uwsgi_temp_path {where}/t4; scgi_temp_path {where}/t5;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "one\\n"; }} }}
}}
""")
    keys = {"environment": {"NGINX": "{fd};"}} if kind == "inherit" else {}
    site.add("web", [nginx, "-c", config, "-p", where], listen=listen(port, kind),
             health={"http": "/"}, stop={"signal": "QUIT", "timeout": "5s"}, restart=AGAIN, **keys)
    return port, config


@pytest.mark.parametrize("kind", ["inherit", "self"])
def test_nginx(site, kind):
    port, _ = add_nginx(site, kind)
    put_to_the_test(site, port, held=kind == "inherit")


@pytest.mark.parametrize("kind", ["inherit", "self"])
def test_nginx_reads_its_configuration_again_at_hup(site, kind):
    port, config = add_nginx(site, kind)
    before = site.start("web")
    config.write_text(config.read_text().replace("one", "two"))
    with light_load(http, port) as failed:
        assert site.svcmgr("signal", "web", "HUP").code == 0
        wait_until(lambda: get(port, "/")[1] == b"two\n", "the new answer")
    assert failed == []
    assert site.status("web")["pid"] == before["pid"]
    stop(site, port)


def test_nginx_after_the_death_of_its_supervisor(site):
    port, _ = add_nginx(site, "inherit")
    before = site.start("web")
    with light_load(http, port) as failed:
        os.kill(before["supervisor_pid"], signal.SIGKILL)
        after = wait_for_status(site, "web", lambda now: now["supervisor_pid"] not in
                                (None, before["supervisor_pid"]))
    assert failed == [] and after["pid"] == before["pid"]
    stop(site, port)


# ---- node -----------------------------------------------------------------------------------------


NODE = """
const http = require('http');
const server = http.createServer((request, response) => {
  response.setHeader('Connection', 'close'); response.end('hello\\n');
});
server.listen(process.argv[2] === 'fd' ? { fd: Number(process.argv[3]) }
                                       : { host: '127.0.0.1', port: Number(process.argv[3]) });
process.on('SIGTERM', () => server.close(() => process.exit(0)));
"""


@pytest.mark.parametrize("kind", ["inherit", "self"])
def test_node(site, kind):
    node = needs("node")
    port = free_port()
    program = site.directory / "server.js"
    program.write_text(NODE)
    words = ["fd", "{fd}"] if kind == "inherit" else ["port", "{port}"]
    site.add("web", [node, program, *words], listen=listen(port, kind), health={"http": "/"},
             stop={"timeout": "5s"}, restart=AGAIN)
    put_to_the_test(site, port, held=kind == "inherit")


# ---- python ---------------------------------------------------------------------------------------


def test_python_http_server(site):
    port = free_port()
    site.add("web", [PYTHON, "-m", "http.server", "{port}", "--bind", "{address}"],
             listen=listen(port, "self"), health={"http": "/"}, restart=AGAIN)
    put_to_the_test(site, port, held=False)


def test_a_second_python_http_server_is_named_as_a_duplicate(site):
    """It sets SO_REUSEADDR: a program's own bind says nothing of who listens elsewhere."""
    port = free_port()
    other = site.stranger(PYTHON, "-m", "http.server", str(port), "--bind", "127.0.0.1",
                          cwd=site.directory)
    wait_until(lambda: connects(port))
    site.add("web", [PYTHON, "-m", "http.server", "{port}", "--bind", "{address}"],
             listen=listen(port, "self"), health={"http": "/"})
    result = site.svcmgr("start", "web")
    assert result.code == 10 and f"pid {other.pid}" in result.err, result
    assert other.poll() is None


def connects(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_python_http_server_with_connections_left_in_time_wait(site):
    """The server closes first, so the old connections are on its side: no wait for them."""
    port = free_port()
    site.add("web", [PYTHON, "-m", "http.server", "{port}", "--bind", "{address}"],
             listen=listen(port, "self"), health={"http": "/"}, restart=AGAIN)
    site.start("web")
    for _ in range(20):
        http(port)
    assert f"{port:04X}" in Path("/proc/net/tcp").read_text()
    for generation in (2, 3, 4):
        assert site.svcmgr("restart", "web").code == 0
        http(port)
        assert site.status("web")["generation"] == generation


# ---- redis ----------------------------------------------------------------------------------------


def ping(port):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"PING\r\n")
        answer = connection.recv(64)
    # While it loads or ends it says so, which is an answer too.
    assert answer.startswith((b"+PONG", b"-LOADING")), answer


REDIS = ["--bind", "127.0.0.1", "--port", "{port}", "--dir", ".", "--dbfilename", "dump.rdb",
         "--daemonize", "no", "--save", ""]


@pytest.mark.parametrize("health", ["tcp", "command"])
def test_redis(site, health):
    redis, client = needs("redis-server"), needs("redis-cli")
    port = free_port()
    checks = {"tcp": {"tcp": True},
              "command": {"command": ["/bin/sh", "-c", f"{client} -p {{port}} ping | grep PONG"]}}
    site.add("web", [redis, *REDIS], listen=listen(port, "self"), restart=AGAIN,
             health=checks[health])
    put_to_the_test(site, port, ping, held=False)


def test_redis_says_itself_that_it_is_ready(site):
    redis = needs("redis-server")
    port = free_port()
    site.add("web", [redis, *REDIS, "--supervised", "systemd"], listen=listen(port, "self"),
             ready="notify", restart=AGAIN)
    put_to_the_test(site, port, ping, held=False)
    assert causes(site, "web", "exit")[0].startswith(("exited with code 0", "ended by SIGTERM"))


def test_what_redis_has_saved_is_there_after_a_restart(site):
    redis, client = needs("redis-server"), needs("redis-cli")
    port = free_port()
    site.add("web", [redis, *REDIS[:-2], "--save", "3600 1"], listen=listen(port, "self"),
             health={"tcp": True})
    site.start("web")
    def ask(*words):
        return subprocess.run([client, "-p", str(port), *words], capture_output=True, text=True,
                              check=True).stdout.strip()

    assert ask("set", "key", "value") == "OK"
    assert site.svcmgr("restart", "web").code == 0
    assert ask("get", "key") == "value"


# ---- gunicorn -------------------------------------------------------------------------------------


GUNICORN_APP = """
def app(environ, start_response):
    start_response('200 OK', [('Content-Length', '3'), ('Connection', 'close')])
    return [b'ok\\n']
"""


def add_gunicorn(site):
    """It takes the sockets of LISTEN_FDS if LISTEN_PID is its own pid."""
    gunicorn = needs("gunicorn")
    port = free_port()
    (site.directory / "application.py").write_text(GUNICORN_APP)
    site.add("web", [PYTHON, gunicorn, "--workers", "2", "--graceful-timeout", "5",
                     "--chdir", site.directory, "application:app"],
             listen=listen(port, "inherit"), health={"http": "/"}, restart=AGAIN)
    return port


def test_gunicorn(site):
    put_to_the_test(site, add_gunicorn(site))


def test_gunicorn_replaces_its_workers_at_hup(site):
    port = add_gunicorn(site)
    before = site.start("web")
    workers = workers_of(before["pid"])
    with light_load(http, port) as failed:
        assert site.svcmgr("signal", "web", "HUP").code == 0
        wait_until(lambda: len(workers_of(before["pid"])) == 2 and
                   not set(workers) & set(workers_of(before["pid"])), "new workers")
    assert refused(failed) == []
    assert site.status("web")["pid"] == before["pid"]
    stop(site, port)


def workers_of(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


# ---- starlet --------------------------------------------------------------------------------------


def test_starlet(site):
    """It takes its socket from SERVER_STARTER_PORT, as Server::Starter gives it."""
    plackup = needs("plackup")
    if subprocess.run(["perl", "-MPlack::Handler::Starlet", "-e", "1"], capture_output=True,
                      check=False).returncode != 0:
        pytest.skip("needs starlet")
    port = free_port()
    (site.directory / "app.psgi").write_text(
        "sub { [200, ['Content-Type' => 'text/plain', 'Content-Length' => 3], [\"ok\\n\"]] }\n")
    site.add("web", [plackup, "-s", "Starlet", "--max-workers", "2", "-E", "deployment", "-a", "app.psgi"],
             listen=listen(port, "inherit"), health={"http": "/"}, restart=AGAIN)
    put_to_the_test(site, port)
