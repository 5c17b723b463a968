"""The control channel over TCP: what says where it is, who is let in, and who learns nothing.

That it then is the same channel is tested where both kinds are: test_control_channel.py,
test_control_clients.py, test_standby.py, test_main_job.py."""

import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import stat
import subprocess
import threading

import pytest
from channel import (REQUEST, Line, assert_web_is_untouched, begin_web, descriptors_of, marker_path,
                     memory_of, one_web_for_all, proof, prove, read_marker)
from instances import asks_from_inside, wait_for_status
from strangers import NOBODY, as_nobody, is_root, sockets_on
from support import (LIMIT, LONG, MISBEHAVE, PORTABLE, PYTHON, SANITIZED, WINDOWS, alive, get, pauses,
                     pid_is_alive, wait_until)

MIB = 1024 * 1024
ZEROS = "0" * 64


@pytest.fixture
def site(site):
    site.control = "tcp"
    return site


@pytest.fixture
def web(site):
    begin_web(site)
    yield site
    assert_web_is_untouched(site)


@pytest.fixture(scope="module")
def one_for_all(tmp_path_factory):
    with one_web_for_all(tmp_path_factory.mktemp("site"), "tcp") as site:
        yield site


@pytest.fixture
def same_web(one_for_all):
    """Of one service, which many tests talk to."""
    yield one_for_all
    assert_web_is_untouched(one_for_all)


def kill_everything(site, status=None):
    """Keeper, supervisor and instance: whatever they had on disk stays there."""
    status = status or site.status("web")
    os.kill(status["keeper_pid"], signal.SIGSTOP)
    pids = [status[key] for key in ("supervisor_pid", "keeper_pid", "pid")]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(pid_is_alive, pids)), "the end of all of them")


# ---- Where it is ---------------------------------------------------------------------------------------


def test_the_marker_says_where_and_is_the_owner_s_alone(web):
    marker = read_marker(web)
    assert set(marker) == {"port", "token"}
    assert len(bytes.fromhex(marker["token"])) == 32
    entries = sockets_on(marker["port"])
    assert [entry[1].split(":")[0] for entry in entries] == ["0100007F"], "loopback only"
    info = marker_path(web).lstat()
    assert stat.S_ISREG(info.st_mode) and stat.S_IMODE(info.st_mode) == 0o600
    assert info.st_uid == os.geteuid()
    assert not (web.state_of("web") / "control.sock").exists()


@pytest.mark.parametrize("umask", [0, 0o077])
def test_it_is_so_whatever_the_umask_of_the_caller_is(site, umask):
    site.add_webui("web")
    result = site.svcmgr("start", "web", "--control", "tcp", umask=umask)
    assert result.code == 0, result
    assert stat.S_IMODE(marker_path(site).stat().st_mode) == 0o600


def test_all_commands_work_and_nothing_is_left_after_the_stop(site):
    port = site.add_webui("web")
    before = site.start("web")
    for words in (["start", "web"], ["restart", "web"], ["reload", "web"], ["signal", "web", "CONT"],
                  ["status", "web"], ["logs", "web"], ["events", "web"], ["doctor", "web"]):
        result = site.svcmgr(*words)
        assert result.code == 0 and result.err == "", (words, result)
    assert site.status("web")["generation"] == before["generation"] + 1
    assert get(port)[0] == 200
    assert site.svcmgr("stop", "web").code == 0
    assert not marker_path(site).exists()
    assert sorted(path.name for path in site.state_of("web").iterdir()) == \
        ["config.json", "events", "log", "pid", "record"]


def test_restart_and_run_can_choose_it_too(site):
    site.add_webui("web")
    assert site.svcmgr("restart", "web", "--control", "tcp").code == 0
    assert read_marker(site)["port"]
    assert site.svcmgr("stop", "web").code == 0
    running = site.spawn("run", "web", "--control", "tcp", stderr=subprocess.DEVNULL)
    site.wait_for_state("web", "ready")
    assert read_marker(site)["port"]
    assert site.svcmgr("stop", "web").code == 0
    assert running.wait(LIMIT) == 0


def test_what_is_started_first_gets_it_too(site):
    site.add("base", [MISBEHAVE, "sleep-forever"])
    site.add("top", [MISBEHAVE, "sleep-forever"], depends_on=["base"])
    running = site.spawn("run", "top", "--control", "tcp", stderr=subprocess.DEVNULL)
    site.wait_for_state("top", "ready")
    assert read_marker(site, "base")["port"] != read_marker(site, "top")["port"]
    assert site.svcmgr("stop", "--all").code == 0
    assert running.wait(LIMIT) == 0


@pytest.mark.parametrize("words", [["start", "web"], ["restart", "web"], ["run", "web"]],
                         ids=lambda words: words[0])
def test_another_word_than_unix_or_tcp_is_wrong(site, words):
    site.add_webui("web")
    result = site.svcmgr(*words, "--control", "pigeon")
    assert result.code == 2, result
    assert 'unix or tcp, not "pigeon"' in result.err
    assert "--control unix|tcp" in site.svcmgr("help", words[0]).out


def test_a_supervisor_that_comes_back_has_another_token_and_is_found(web):
    before = read_marker(web)
    os.kill(web.supervisor_pid, signal.SIGKILL)
    status = web.status("web")  # asked while it is being started again
    assert status["pid"] == web.pid and status["supervisor_pid"] != web.supervisor_pid
    web.supervisor_pid = status["supervisor_pid"]
    assert read_marker(web)["token"] != before["token"]
    assert stat.S_IMODE(marker_path(web).stat().st_mode) == 0o600


def test_an_upgraded_one_too(web):
    before = read_marker(web)
    result = web.svcmgr("upgrade", "web")
    assert result.code == 0, result
    status = web.status("web")
    assert status["pid"] == web.pid and status["supervisor_pid"] != web.supervisor_pid
    web.supervisor_pid = status["supervisor_pid"]
    assert read_marker(web)["token"] != before["token"]
    assert not (web.state_of("web") / "control.sock").exists()
    # The keeper has executed the program anew; it still knows how to start a supervisor.
    os.kill(status["supervisor_pid"], signal.SIGKILL)
    web.supervisor_pid = web.status("web")["supervisor_pid"]
    assert marker_path(web).exists()


def test_a_command_that_waits_goes_on_with_the_next_supervisor(site):
    ready = site.directory / "ready"
    ready.touch()
    check = ["/bin/sh", "-c", f"test -e '{ready}'"]
    site.add("job", [MISBEHAVE, "sleep-forever"], health={"command": check, "interval": "50ms"})
    before = site.start("job")
    ready.unlink()
    waiting = site.spawn("restart", "job", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    site.wait_for_state("job", "starting", "replacing")
    os.kill(before["supervisor_pid"], signal.SIGKILL)
    wait_until(lambda: site.status("job")["supervisor_pid"] != before["supervisor_pid"])
    ready.touch()
    out, err = waiting.communicate(timeout=LIMIT)
    assert waiting.returncode == 0, (out, err)
    assert site.status("job")["generation"] == 2


@pytest.mark.parametrize("first, second", [("unix", "tcp"), ("tcp", "unix")])
def test_what_a_run_in_the_other_mode_left_does_not_mislead(site, first, second):
    names = {"unix": "control.sock", "tcp": "control.json"}
    site.control = first
    begin_web(site)
    kill_everything(site)
    assert (site.state_of("web") / names[first]).exists(), "it was killed: nobody has removed it"
    site.control = second
    status = site.start("web")
    assert status["state"] == "ready"
    assert not (site.state_of("web") / names[first]).exists()
    assert (site.state_of("web") / names[second]).exists()
    assert site.svcmgr("stop", "web").code == 0


def test_a_marker_that_is_another_s_is_not_removed(site):
    begin_web(site)
    other = json.dumps({"port": 1, "token": ZEROS})
    status = site.status("web")
    marker_path(site).write_text(other)
    os.kill(status["keeper_pid"], signal.SIGTERM)
    wait_until(lambda: not pid_is_alive(status["keeper_pid"]), "the end of the keeper")
    assert marker_path(site).read_text() == other


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_left_of_a_marker_that_was_being_written_is_not_used(site, kind):
    victim = site.directory / "victim"
    victim.write_text("nothing of svcmgr's")
    site.state_of("web").mkdir(parents=True, mode=0o700)
    rest = site.state_of("web") / "control.json.new"
    if kind == "file":
        rest.write_text('{"port":')
        rest.chmod(0o666)
    else:
        rest.symlink_to(victim)
    begin_web(site)
    assert stat.S_IMODE(marker_path(site).lstat().st_mode) == 0o600
    assert victim.read_text() == "nothing of svcmgr's" and not rest.is_symlink()


# ---- Markers that say nothing ---------------------------------------------------------------------------


def spoil(path, how):
    """Puts something in the marker's place that is none, though it may look like one."""
    good = path.read_bytes() if path.exists() else \
        json.dumps({"port": 9, "token": ZEROS}).encode()
    path.unlink(missing_ok=True)
    aside = path.with_name("aside")
    texts = {"empty": b"", "half": good[:len(good) // 2], "newline": b"\n", "object": b"{}",
             "garbage": bytes(range(256)), "deep": b"[" * 1000, "not UTF-8": b'{"port":1,"\xff":1}',
             "too large": b" " * 2000 + good, "huge": b" " * MIB + good,
             "wrong types": b'{"port":"1","token":7}', "list": b"[" + good + b"]",
             "no token": json.dumps({"port": json.loads(good)["port"]}).encode(),
             "stale": json.dumps({"port": 1, "token": ZEROS}).encode()}
    if how in texts:
        path.write_bytes(texts[how])
        path.chmod(0o600)
    elif how == "directory":
        path.mkdir()
    elif how == "pipe":
        os.mkfifo(path, 0o600)
    elif how in ("link", "writable", "foreign"):
        aside.write_bytes(good)
        aside.chmod(0o600)
        if how == "link":
            path.symlink_to(aside)
            return
        aside.rename(path)
        if how == "writable":
            path.chmod(0o666)
        else:
            os.chown(path, NOBODY, NOBODY)
    else:
        assert how == "missing"


def remove(path):
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


SPOILT = ["missing", "empty", "half", "newline", "object", "garbage", "deep", "not UTF-8", "too large",
          "huge", "wrong types", "list", "no token", "stale", "directory", "pipe", "link", "writable",
          pytest.param("foreign", marks=pytest.mark.skipif(not is_root(), reason="needs root"))]


@pytest.mark.parametrize("how", SPOILT)
def test_nobody_runs_where_it_says_nothing(site, how):
    """A stopped service is stopped, whatever lies there; a start clears it away."""
    site.add_webui("web")
    site.state_of("web").mkdir(parents=True, mode=0o700)
    path = marker_path(site)
    spoil(path, how)
    result = site.svcmgr("status", "web")
    assert result.code == 3 and result.err == "" and "stopped" in result.out, result
    assert site.svcmgr("restart", "web", "--expect-pid", "1").code == 9
    result = site.svcmgr("stop", "web")
    assert result.code == 0 and result.err == "", result
    if how == "directory":  # in the way of every kind
        path.rmdir()
    assert site.start("web")["state"] == "ready"


@pytest.mark.parametrize("how", SPOILT)
def test_a_command_waits_for_the_supervisor_that_holds_the_lock(web, how):
    """And finds it as soon as the marker is right again."""
    path = marker_path(web)
    keep = path.with_name("keep")
    shutil.copy(path, keep)
    keep.chmod(0o600)
    spoil(path, how)
    asking = web.spawn("status", "web", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: asking.poll() is not None or pauses(asking.pid) >= 3, "some tries")
    assert asking.poll() is None, asking.communicate()
    remove(path)
    keep.rename(path)
    out, err = asking.communicate(timeout=LIMIT)
    assert asking.returncode == 0 and err == "" and "ready" in out, (out, err)


def test_without_a_marker_the_supervisor_does_not_answer(web):
    path = marker_path(web)
    keep = path.with_name("keep")
    path.rename(keep)
    result = web.svcmgr("status", "web")
    keep.rename(path)
    assert result.code == 8, result
    assert result.err.count("\n") == 1 and "did not answer in 5 s" in result.err


def test_a_supervisor_that_hangs_does_not_answer(web):
    os.kill(web.supervisor_pid, signal.SIGSTOP)
    try:
        result = web.svcmgr("status", "web")
    finally:
        os.kill(web.supervisor_pid, signal.SIGCONT)
    assert result.code == 8, result
    assert result.err.count("\n") == 1 and "did not answer in 5 s" in result.err


# ---- Somebody else on the port --------------------------------------------------------------------------


class Squatter:
    """Listens on a port, notes what it is told, and answers as it likes."""

    def __init__(self, answer=b"", port=0):
        self.answer = answer
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        self.heard = []
        self.connections = []
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            with contextlib.suppress(OSError):
                self.serve_one(connection)

    def serve_one(self, connection):
        connection.settimeout(0.2)  # what a client says at once is what there is
        place = len(self.heard)
        self.heard.append(b"")
        with contextlib.suppress(TimeoutError):
            while not self.heard[place].endswith(b"\n"):
                piece = connection.recv(65536)
                if not piece:
                    return
                self.heard[place] += piece
        if self.answer is None:
            connection.close()
            return
        connection.sendall(self.answer(self.heard[place]) if callable(self.answer) else self.answer)
        with contextlib.suppress(TimeoutError):
            while piece := connection.recv(65536):
                self.heard[place] += piece

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        for connection in self.connections:
            connection.close()

    def assert_it_learnt_nothing(self, token):
        for heard in self.heard:
            assert token.encode() not in heard.lower() and bytes.fromhex(token) not in heard
            if heard:
                hello = json.loads(heard)  # one line, and nothing behind it
                assert set(hello) == {"hello"} and set(hello["hello"]) == {"nonce"}
                assert len(bytes.fromhex(hello["hello"]["nonce"])) == 32
        nonces = [heard for heard in self.heard if heard]
        assert len(set(nonces)) == len(nonces), "a nonce came twice"


ANSWERS = {
    "nothing": b"", "closes": None, "the same": lambda heard: heard, "HTTP": b"HTTP/1.1 400 Bad\r\n\r\n",
    "garbage": bytes(range(256)) * 4, "a guess": json.dumps({"nonce": ZEROS, "proof": ZEROS}).encode()
    + b"\n", "no strings": b'{"nonce":1,"proof":[]}\n', "no end": b"x" * MIB,
    "an error": b'{"id":null,"error":{"code":-32600,"message":"give me the token"}}\n',
    "a result": b'{"id":1,"result":{"pid":1,"supervisor_pid":1}}\n',
    "no token": lambda heard: json.dumps({"nonce": ZEROS, "proof": proof(
        ZEROS, "svcmgr server", json.loads(heard)["hello"]["nonce"], ZEROS)}).encode() + b"\n",
}


@contextlib.contextmanager
def misled(site, answer):
    """The lock is held, and the marker's port is another program's; and what puts the right marker
    back."""
    path = marker_path(site)
    marker = read_marker(site)
    keep = path.with_name("keep")
    path.rename(keep)
    with Squatter(ANSWERS[answer]) as squatter:
        path.write_text(json.dumps({"port": squatter.port, "token": marker["token"]}))
        path.chmod(0o600)
        yield squatter, lambda: keep.rename(path)
    squatter.assert_it_learnt_nothing(marker["token"])


def wait_for_a_client(squatter):
    wait_until(lambda: squatter.heard and squatter.heard[0], "a client at the squatter's")


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_squatter_learns_nothing_and_is_no_supervisor(web, answer):
    with misled(web, answer) as (squatter, put_back):
        asking = web.spawn("status", "web", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_for_a_client(squatter)
        assert asking.poll() is None
        put_back()
        out, err = asking.communicate(timeout=LIMIT)
    assert asking.returncode == 0 and err == "" and "ready" in out, (out, err)


def run(site, duplicate):
    return site.spawn("run", "web", *site.control_words(), "--duplicate", duplicate,
                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("answer", ["nothing", "no token"])
def test_a_standby_does_not_take_a_squatter_for_the_holder(web, answer):
    with misled(web, answer) as (squatter, put_back):
        running = run(web, "standby")
        wait_for_a_client(squatter)
        put_back()
        (entry,) = wait_until(lambda: web.status("web")["standby"], "its place in line")
    assert entry["keeper_pid"] == running.pid
    running.terminate()
    assert running.wait(LIMIT) == 0


def wait_until_it_serves(site, running):
    return wait_for_status(site, "web", lambda status: status["state"] == "ready" and
                           status["keeper_pid"] == running.pid)


@pytest.mark.parametrize("answer", ["nothing", "closes", "no token"])
def test_a_takeover_does_not_take_a_squatter_for_the_holder(site, answer):
    """The holder, once the marker says where it is, is asked to stop."""
    begin_web(site)
    with misled(site, answer) as (squatter, put_back):
        running = run(site, "takeover")
        wait_for_a_client(squatter)
        assert pid_is_alive(site.pid)
        put_back()
        status = wait_until_it_serves(site, running)
    assert status["pid"] != site.pid and not pid_is_alive(site.pid)


def test_a_takeover_from_a_squatter_says_that_nobody_answers(web):
    """The lock is held all the time."""
    with misled(web, "nothing") as (squatter, put_back):
        running = web.spawn("run", "web", "--duplicate", "takeover", stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE)
        _, err = running.communicate(timeout=LIMIT)
        assert running.returncode == 8 and "did not answer in 5 s" in err
        put_back()


@pytest.mark.parametrize("duplicate", ["refuse", "standby", "takeover"])
def test_nobody_stays_with_a_squatter_when_the_lock_is_free(site, duplicate):
    begin_web(site)
    status = site.status("web")
    with misled(site, "nothing") as (squatter, _):
        running = run(site, duplicate)
        wait_for_a_client(squatter)
        kill_everything(site, status)
        wait_until_it_serves(site, running)


def test_a_reused_port_of_a_dead_supervisor_is_not_even_connected_to(site):
    begin_web(site)
    marker = read_marker(site)
    kill_everything(site)
    with Squatter(b"", marker["port"]) as squatter:
        result = site.svcmgr("status", "web")
        assert result.code == 3 and result.err == "", result
        assert site.start("web")["state"] == "ready"
        assert read_marker(site)["port"] != squatter.port
        assert site.svcmgr("stop", "web").code == 0
        assert squatter.heard == []


# ---- Who is let in ----------------------------------------------------------------------------------------


class Raw:
    """A connection that has proved nothing."""

    def __init__(self, site, name="web"):
        self.marker = read_marker(site, name)
        self.socket = socket.create_connection(("127.0.0.1", self.marker["port"]), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.reader.close()
        self.socket.close()

    def write(self, data):
        text = data if isinstance(data, bytes) else json.dumps(data).encode() + b"\n"
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(text)

    def read(self):
        line = self.reader.readline()
        return json.loads(line) if line else None

    def greet(self, nonce="11" * 32):
        self.write({"hello": {"nonce": nonce}})
        answer = self.read()
        assert answer["proof"] == proof(self.marker["token"], "svcmgr server", nonce, answer["nonce"])
        return answer

    def assert_refused(self):
        answer = self.read()
        assert answer == {"id": None, "error": {"code": REQUEST, "message": "unauthorized"}}
        with contextlib.suppress(ConnectionResetError):
            assert self.reader.read() == b""


HELLO = b'{"id":1,"method":"hello"}\n'


@pytest.mark.parametrize("said", [
    HELLO, b'{"jsonrpc":"2.0","id":1,"method":"stop"}\n', b"\n", b"{}\n", b"[]\n", b"null\n", b"7\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", bytes(range(256)) + b"\n", b"\xff\xfe\xfd\n",
    b'{"hello":{"nonce":"\xff"}}\n', b'{"hello":{"nonce":"\x00"}}\n', b"[" * 400 + b"\n",
    b"[" * 100_000 + b"\n", b'{"hello":' * 50 + b"\n", b'{"hello":null}\n', b'{"hello":"x"}\n',
    b'{"hello":{"nonce":null}}\n', b'{"hello":{"nonce":7}}\n', b'{"hello":{"nonce":[]}}\n',
    b'{"hello":{"nonce":""}}\n', b'{"hello":{"nonce":"' + b"0" * 63 + b'"}}\n',
    b'{"hello":{"nonce":"' + b"g" * 64 + b'"}}\n', b'{"proof":"' + b"0" * 64 + b'"}\n',
    b" " * 65536, b"x" * 65537, b"\0" * 100_000,
], ids=lambda said: repr(said)[:40])
def test_anything_but_a_hello_is_refused(same_web, said):
    with Raw(same_web) as raw:
        raw.write(said)
        raw.assert_refused()


@pytest.mark.parametrize("said", [
    {"proof": ZEROS}, {"proof": None}, {"proof": 7}, {"proof": []}, {"proof": {}}, {"proof": ""},
    {"proof": "x" * 64}, {}, [], {"hello": {"nonce": ZEROS}}, {"id": 1, "method": "hello"},
], ids=repr)
def test_anything_but_the_proof_is_refused_then(same_web, said):
    with Raw(same_web) as raw:
        raw.greet()
        raw.write(said)
        raw.assert_refused()


def test_a_wrong_token_is_refused(web):
    nonce = "22" * 32
    with Raw(web) as raw:
        answer = raw.greet(nonce)
        raw.write({"proof": proof("ab" * 32, "svcmgr client", nonce, answer["nonce"])})
        raw.assert_refused()


def test_a_proof_that_was_heard_is_refused(web):
    nonce = "33" * 32
    with Raw(web) as raw:
        answer = raw.greet(nonce)
        heard = {"proof": proof(raw.marker["token"], "svcmgr client", nonce, answer["nonce"])}
        raw.write(heard)
        raw.write(HELLO)
        assert raw.read()["result"]["pid"] == web.pid
    with Raw(web) as raw:
        assert raw.greet(nonce)["nonce"] != answer["nonce"]
        raw.write(heard)
        raw.assert_refused()


def test_its_own_proof_sent_back_is_refused(web):
    with Raw(web) as raw:
        answer = raw.greet()
        raw.write({"proof": answer["proof"]})
        raw.assert_refused()


def test_a_server_that_is_used_to_answer_itself_is_refused(web):
    """Its nonce, given to it as a client's: what it signs then is no client's proof."""
    with Raw(web) as first, Raw(web) as second:
        answer = first.greet()
        signed = second.greet(answer["nonce"])
        first.write({"proof": signed["proof"]})
        first.assert_refused()


def test_nobody_is_served_in_the_same_breath_as_he_is_refused(web):
    with Raw(web) as raw:
        raw.greet()
        raw.write(json.dumps({"proof": ZEROS}).encode() + b"\n" + HELLO * 100)
        raw.assert_refused()


def test_requests_right_behind_the_proof_are_answered(web):
    nonce = "44" * 32
    with Raw(web) as raw:
        answer = raw.greet(nonce)
        told = {"proof": proof(raw.marker["token"], "svcmgr client", nonce, answer["nonce"])}
        raw.write(json.dumps(told).encode() + b"\n" + HELLO * 1000)
        assert [raw.read()["result"]["pid"] for _ in range(1000)] == [web.pid] * 1000


def test_a_proof_that_comes_byte_by_byte(web):
    nonce = "55" * 32
    with Raw(web) as raw:
        for byte in json.dumps({"hello": {"nonce": nonce}}).encode() + b"\n":
            raw.write(bytes([byte]))
        answer = raw.read()
        told = {"proof": proof(raw.marker["token"], "svcmgr client", nonce, answer["nonce"])}
        for byte in json.dumps(told).encode() + b"\n" + HELLO:
            raw.write(bytes([byte]))
        assert raw.read()["result"]["pid"] == web.pid


@pytest.mark.parametrize("begun", [b"", b'{"hello":', b'{"hello":{"nonce":"' + b"1" * 64 + b'"}}\n'],
                         ids=["nothing", "half a line", "a hello"])
def test_who_does_not_prove_himself_in_five_seconds_is_sent_away(same_web, begun):
    with Raw(same_web) as raw, Line(same_web) as line:
        raw.write(begun)
        if begun.endswith(b"\n"):
            assert set(raw.read()) == {"nonce", "proof"}
        raw.assert_refused()
        # Who has proved himself may be silent for as long as he likes.
        assert line.ask({"id": 1, "method": "hello"})["result"]["pid"] == same_web.pid


def test_a_gigabyte_without_an_end_of_line_is_cut_off(web):
    before = memory_of(web.supervisor_pid)
    sent = 0
    with Raw(web) as raw:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while sent < 1024 * MIB:
                sent += raw.socket.send(b"x" * 65536)
        assert sent < 64 * MIB
        raw.assert_refused()
    assert memory_of(web.supervisor_pid) - before < MIB


@contextlib.contextmanager
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_500_strangers_at_once_push_nobody_out(web):
    with Line(web) as first:
        assert first.ask({"id": 1, "method": "hello"})["id"] == 1
        before, memory = descriptors_of(web.supervisor_pid), memory_of(web.supervisor_pid)
        with many_files(), contextlib.ExitStack() as stack:
            strangers = [stack.enter_context(Raw(web)) for _ in range(500)]
            for number, stranger in enumerate(strangers):
                if number % 2:
                    stranger.write(b"x" * 500)
            # A command needs a place for an instant only, and gets it.
            result = web.svcmgr("status", "web")
            assert result.code == 0 and result.err == "", result
            assert first.ask({"id": 2, "method": "hello"})["id"] == 2
            for number, stranger in enumerate(strangers):
                # A connection closed over bytes that nobody read is reset: RFC 2525, 2.17.
                with contextlib.suppress(*[ConnectionResetError] * (number % 2)):
                    assert stranger.read()["error"]["message"]
                    assert stranger.read() is None
        wait_until(lambda: descriptors_of(web.supervisor_pid) <= before, "the descriptors as before")
        assert first.ask({"id": 3, "method": "hello"})["id"] == 3
    assert memory_of(web.supervisor_pid) - memory < MIB


def test_strangers_do_not_fill_the_places_of_clients(web):
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(Line(web)) for _ in range(60)]
        for _ in range(100):
            stack.enter_context(Raw(web))
        for number, line in enumerate(lines):
            assert line.ask({"id": number, "method": "hello"})["id"] == number


def visit(site, number):
    """One connection of one kind or another."""
    with Raw(site) as raw:
        kind = number % 6
        if kind == 1:
            raw.write(os.urandom(300).replace(b"\n", b" ") + b"\n")
            raw.assert_refused()
        elif kind == 2:
            raw.write({"hello": {"nonce": ZEROS}})
        elif kind == 3:
            raw.greet()
            raw.write({"proof": ZEROS})
            raw.assert_refused()
        elif kind == 4:
            prove(raw.socket, raw.reader, raw.marker["token"])
            raw.write(HELLO)
            assert raw.read()["result"]["pid"] == site.pid
        elif kind == 5:
            raw.write(b'{"hello":' + b" " * 400)


def test_10000_connections_one_after_the_other_leave_nothing_in_the_supervisor(web):
    for number in range(300):
        visit(web, number)
    before, descriptors = memory_of(web.supervisor_pid), descriptors_of(web.supervisor_pid)
    for number in range(1000 if SANITIZED or PORTABLE else 10000):
        visit(web, number)
    wait_until(lambda: descriptors_of(web.supervisor_pid) <= descriptors, "the descriptors")
    assert memory_of(web.supervisor_pid) - before < MIB


# ---- Commands ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [True, False])
def test_the_end_of_a_connection_takes_its_commands_along(web, whole):
    """The end of its sending side looks like it."""
    pids = web.directory / "pids"
    words = [MISBEHAVE, "pids", pids, "fork-tree", 1, 2, "sleep-forever"]
    with Line(web) as line:
        line.write(json.dumps({"id": 1, "method": "command/exec", "params": {
            "command": [web.native(word) for word in words], "disableTimeout": True}}) + "\n")
        wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
        found = [int(pid) for pid in pids.read_text().split()]
        assert alive(found) == found
        if not whole:
            line.socket.shutdown(socket.SHUT_WR)
            wait_until(lambda: not alive(found), "its commands have ended")
    wait_until(lambda: not alive(found), "its commands have ended")


# ---- Who asks ----------------------------------------------------------------------------------------------


def test_who_asked_is_the_owner_and_the_process_that_it_says(site):
    site.add("job", [MISBEHAVE, "sleep-forever"])
    site.start("job")
    assert site.svcmgr("restart", "job").code == 0
    (asked,) = [event["by"] for event in site.events("job") if event["to"] == "replacing"
                or (event["to"] == "stopping" and event["by"])]
    assert WINDOWS or asked["uid"] == os.getuid()
    assert asked["pid"] > 1 and asked["command"].endswith("restart job")


@pytest.mark.parametrize("command", ["stop", "restart"])
def test_from_inside_the_tree_it_is_accepted_and_carried_out(site, command):
    said = site.directory / "said"
    site.add("job", asks_from_inside(site, command, "job"), settle="10ms", stop={"timeout": LONG},
             restart={"when": "never"})
    before = site.start("job")
    (site.directory / "go").touch()
    if command == "restart":
        wait_until(lambda: site.status("job")["generation"] == 2, "a second generation")
        site.wait_for_state("job", "ready")
    else:
        site.wait_for_state("job", "stopped")
    assert not pid_is_alive(before["pid"])
    assert "accepted" in said.read_text() and said.read_text().endswith("code 0\n")
    if command == "restart":  # the second one is as deaf
        assert site.svcmgr("stop", "job", "--now").code == 0


# Reads the marker, or says why not; then says hello as somebody who does not know the token.
SPY = """
import socket, sys
try:
    print(open(sys.argv[1]).read())
except PermissionError:
    print("denied")
with socket.create_connection(("127.0.0.1", int(sys.argv[2])), 20) as s:
    s.sendall(b'{"id":1,"method":"hello"}\\n')
    print(s.makefile().readline(), end="")
"""


@pytest.mark.skipif(not is_root(), reason="needs root to become another user")
def test_another_user_can_neither_read_the_token_nor_get_in_without(open_site):
    site = open_site
    site.control = "tcp"
    site.add("job", [MISBEHAVE, "sleep-forever"])
    before = site.start("job")
    site.state_of("job").chmod(0o755)
    marker = read_marker(site, "job")
    words = [PYTHON, "-c", SPY, marker_path(site, "job"), marker["port"]]
    result = subprocess.run(as_nobody(words), capture_output=True, text=True, timeout=60, check=True)
    denied, answer = result.stdout.splitlines()
    assert denied == "denied" and marker["token"] not in result.stdout
    assert json.loads(answer)["error"] == {"code": REQUEST, "message": "unauthorized"}
    site.state_of("job").chmod(0o700)
    result = site.run_as_nobody("--system", "status", "job")
    assert result.code == 4, result
    assert site.status("job")["pid"] == before["pid"]


@pytest.mark.skipif(not is_root(), reason="needs root to become another user")
def test_root_is_let_in_to_the_supervisor_of_a_user(open_site):
    site = open_site
    site.add("job", [MISBEHAVE, "sleep-forever"])
    result = site.run_as_nobody("start", "job", "--control", "tcp")
    assert result.code == 0, result
    assert marker_path(site, "job").stat().st_uid == NOBODY
    with Line(site, "job") as line:
        hello = line.ask({"id": 1, "method": "hello"})["result"]
    assert os.stat(f"/proc/{hello['pid']}").st_uid == NOBODY
    assert site.status("job")["pid"] == hello["pid"]
    result = site.svcmgr("stop", "job")
    assert result.code == 0, result
    assert not pid_is_alive(hello["pid"])
