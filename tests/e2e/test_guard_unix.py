"""Unix sockets: what may be removed, what is never touched, and whose file is whose."""

import fcntl
import http.client
import os
import signal
import socket
import stat
import subprocess

import pytest
from strangers import (NOBODY, Stranger, add_marked, assert_nothing_happened, assert_one_line,
                       is_root)
from support import LIMIT, LONG, MISBEHAVE, PORTABLE, pid_is_alive, wait_until

SHORT = {"probe_timeout": "100ms", "bind_timeout": "150ms"}


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=5)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        self.sock.connect(self.path)


def ask(path):
    connection = UnixConnection(path)
    connection.request("GET", "/health", headers={"Connection": "close"})
    status = connection.getresponse().status
    connection.close()
    return status


def add_unix(site, path, name="webui", words=None, **keys):
    listen = {"address": f"unix:{path}", "socket": keys.pop("socket", "inherit")}
    listen.update(keys.pop("extra", {}))
    return add_marked(site, name, listen=listen, words=words or ["serve"], **keys)


def leave_a_socket(path):
    """A socket file that nobody listens on any more."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))


def serve_unix(site, path, *words):
    stranger = Stranger(site.stranger(MISBEHAVE, "bind", f"unix:{path}", *words))
    wait_until(lambda: is_live(path), "the stranger's socket")
    return stranger


def is_live(path):
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


@pytest.fixture
def path(site):
    return site.directory / "web.sock"


def test_served_listed_and_removed_after_stop(site, path):
    add_unix(site, path)
    status = site.start()
    listener = status["listen"][0]
    assert listener["address"] == str(path) and listener["port"] is None
    assert listener["url"] == f"unix:{path}" and listener["held"] is True
    assert ask(path) == 200
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert site.svcmgr("stop", "webui").code == 0
    assert not path.exists()
    assert [entry.name for entry in site.directory.iterdir() if "sock" in entry.name] in (
        [], ["web.sock.lock"])


@pytest.mark.parametrize("mode", ["0660", "0666", "0600"])
def test_the_mode_is_the_configured_one(site, path, mode):
    add_unix(site, path, extra={"mode": mode})
    former = os.umask(0o077)
    site.start()
    os.umask(former)
    assert stat.S_IMODE(path.stat().st_mode) == int(mode, 8)


def test_restart_and_a_new_supervisor_keep_the_file(site, path):
    add_unix(site, path)
    before = site.start()
    inode = path.stat().st_ino
    assert site.svcmgr("restart", "webui").code == 0
    os.kill(before["supervisor_pid"], signal.SIGKILL)
    wait_until(lambda: site.status()["supervisor_pid"] not in (None, before["supervisor_pid"]))
    assert path.stat().st_ino == inode and ask(path) == 200
    assert site.svcmgr("stop", "webui").code == 0
    assert not path.exists()


@pytest.mark.skipif(PORTABLE, reason="needs a socket taken back out of a process")
def test_adopted_after_both_died_it_still_removes_its_own_file(site, path):
    add_unix(site, path)
    before = site.start()
    for key in ("keeper_pid", "supervisor_pid"):
        os.kill(before[key], signal.SIGSTOP)
    for key in ("keeper_pid", "supervisor_pid"):
        os.kill(before[key], signal.SIGKILL)
    wait_until(lambda: not pid_is_alive(before["keeper_pid"]))
    after = site.start()
    assert after["pid"] == before["pid"] and after["adopted"] is True
    assert after["listen"][0]["held"] is True
    assert ask(path) == 200
    assert site.svcmgr("restart", "webui").code == 0
    assert ask(path) == 200
    assert site.svcmgr("stop", "webui").code == 0
    assert not path.exists()


@pytest.mark.parametrize("socket_kind", ["inherit", "self"])
def test_a_leftover_is_replaced(site, path, socket_kind):
    words = ["serve"] if socket_kind == "inherit" else ["bind", f"unix:{path}", "serve"]
    leave_a_socket(path)
    add_unix(site, path, socket=socket_kind, words=words)
    site.start()
    assert ask(path) == 200


def test_a_leftover_of_our_own_temporary_name_is_replaced(site, path):
    leave_a_socket(f"{path}.new")
    add_unix(site, path)
    site.start()
    assert ask(path) == 200 and not os.path.exists(f"{path}.new")


def test_one_that_answers_is_named_and_kept(site, path):
    add_unix(site, path)
    stranger = serve_unix(site, path, "serve")
    inode = path.stat().st_ino
    result = site.svcmgr("start", "webui")
    assert result.code == 10, result
    assert_one_line(result)
    assert f"unix:{path}" in result.err and f"pid {stranger.pid}" in result.err
    assert_nothing_happened(site)
    assert path.stat().st_ino == inode and ask(path) == 200 and stranger.is_untouched()


def test_one_that_is_silent_is_named_and_kept(site, path):
    add_unix(site, path, **SHORT)
    stranger = serve_unix(site, path, "accept-silent")
    result = site.svcmgr("start", "webui")
    assert result.code == 11, result
    assert f"unix:{path} is held by pid {stranger.pid}" in result.err
    assert_nothing_happened(site)
    assert is_live(path) and stranger.is_untouched()


def test_a_full_backlog_is_a_live_socket(site, path):
    add_unix(site, path, **SHORT)
    with socket.socket(socket.AF_UNIX) as full, socket.socket(socket.AF_UNIX) as visitor:
        full.bind(str(path))
        full.listen(0)
        visitor.connect(str(path))
        result = site.svcmgr("start", "webui")
        assert result.code == 11, result
        assert f"pid {os.getpid()}" in result.err
        assert_nothing_happened(site)
        assert path.exists()


def test_one_that_goes_away_is_waited_for(site, path):
    add_unix(site, path, probe_timeout="100ms", bind_timeout=f"{LIMIT}s")
    stranger = serve_unix(site, path, "for", 700, "accept-silent")
    result = site.svcmgr("start", "webui")
    assert result.code == 0, result
    assert stranger.child.wait() == 0
    assert ask(path) == 200


@pytest.mark.parametrize("socket_kind", ["inherit", "self"])
@pytest.mark.parametrize("what", ["file", "directory", "fifo", "link to a file", "dangling link"])
def test_what_is_no_socket_is_never_removed(site, path, what, socket_kind):
    target = site.directory / "precious"
    if what == "directory":
        path.mkdir()
    elif what == "fifo":
        os.mkfifo(path)
    elif what == "file":
        path.write_text("precious")
    else:
        if what == "link to a file":
            target.write_text("precious")
        path.symlink_to(target)
    before = os.lstat(path)
    add_unix(site, path, socket=socket_kind, words=["sleep-forever"],
             bind_timeout=LONG)
    result = site.svcmgr("start", "webui")
    assert result.code == 11, result
    assert_one_line(result)
    assert str(path) in result.err and "not a socket" in result.err
    assert result.seconds < LIMIT
    assert os.lstat(path).st_ino == before.st_ino
    if "file" in what:
        assert path.read_text() == "precious"
    assert_nothing_happened(site)


def test_a_missing_directory(site):
    add_unix(site, site.directory / "nowhere" / "web.sock")
    result = site.svcmgr("start", "webui")
    assert result.code == 11, result
    assert "No such file or directory" in result.err
    assert_nothing_happened(site)


@pytest.mark.skipif(not is_root(), reason="needs root")
def test_a_directory_of_somebody_else(open_site):
    site = open_site
    private = site.directory / "private"
    private.mkdir(mode=0o755)
    add_unix(site, private / "web.sock")
    result = site.run_as_nobody("start", "webui")
    assert result.code == 11, result
    assert "Permission denied" in result.err
    assert list(private.iterdir()) == []


@pytest.mark.skipif(not is_root(), reason="needs root")
def test_a_leftover_of_somebody_else_in_a_sticky_directory(open_site):
    site = open_site
    shared = site.directory / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    leave_a_socket(shared / "web.sock")
    add_unix(site, shared / "web.sock", **SHORT)
    result = site.run_as_nobody("start", "webui")
    assert result.code == 11, result
    assert (shared / "web.sock").exists()
    assert os.stat(shared / "web.sock").st_uid != NOBODY


def test_two_services_on_one_path(site, path):
    """The first one keeps it, whether its program answers or not; the file stays the first one's."""
    add_unix(site, path, "first")
    first = site.start("first")
    inode = path.stat().st_ino
    add_unix(site, path, **SHORT)
    result = site.svcmgr("start", "webui")
    assert result.code == 10, result
    assert f"pid {first['pid']}" in result.err
    assert site.svcmgr("stop", "webui").code == 0
    assert path.stat().st_ino == inode and ask(path) == 200


def test_a_silent_service_of_svcmgr_on_the_path_is_named(site, path):
    listen = {"address": f"unix:{path}", "socket": "inherit"}
    site.add("first", [MISBEHAVE, "sleep-forever"], listen=listen)
    first = site.start("first")
    add_unix(site, path, probe_timeout="100ms", bind_timeout=f"{LIMIT}s")
    result = site.svcmgr("start", "webui")
    assert result.code == 10, result
    assert f"pid {first['pid']}" in result.err and "svcmgr" in result.err
    assert is_live(path)


def test_two_starts_at_once_on_one_path(site, path):
    """Whoever touches the path holds its lock: one of them wins, the other one's file is not lost."""
    for name in ("one", "two"):
        add_unix(site, path, name, **SHORT)
    for _ in range(5):
        children = {name: site.spawn("start", name, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL) for name in ("one", "two")}
        codes = {name: child.wait(30) for name, child in children.items()}
        assert sorted(codes.values())[0] == 0 and sorted(codes.values())[1] in (10, 11), codes
        winner = min(codes, key=codes.get)
        assert ask(path) == 200
        assert site.svcmgr("stop", winner).code == 0
        assert not path.exists()


def test_the_lock_of_the_path_is_waited_for(site, path):
    add_unix(site, path, **SHORT)
    with open(f"{path}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = site.svcmgr("start", "webui")
        assert result.code == 11, result
        assert_nothing_happened(site)
    site.start()
    assert ask(path) == 200


def test_a_file_that_is_not_ours_any_more_is_left(site, path):
    add_unix(site, path)
    site.start()
    path.unlink()
    stranger = serve_unix(site, path, "serve")
    assert site.svcmgr("stop", "webui").code == 0
    assert ask(path) == 200 and stranger.is_untouched()


def test_self_is_ready_when_the_program_listens(site, path):
    add_unix(site, path, socket="self", words=["bind", f"unix:{path}", "serve"])
    status = site.start()
    assert status["listen"][0]["held"] is False
    assert ask(path) == 200
    assert site.svcmgr("restart", "webui").code == 0
    assert ask(path) == 200


def test_blanks_in_the_path(site):
    path = site.directory / "a web socket"
    add_unix(site, path, **SHORT)
    site.start()
    assert ask(path) == 200
    assert site.svcmgr("stop", "webui").code == 0
    stranger = serve_unix(site, path, "accept-silent")
    result = site.svcmgr("start", "webui")
    assert result.code == 11 and f"pid {stranger.pid}" in result.err, result
