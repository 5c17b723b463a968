"""The pidfile: its lock is the truth, and what it says is never an obstacle and never a target."""

import contextlib
import fcntl
import os
import pathlib
import signal
import subprocess

import pytest
from strangers import Stranger, add_marked, assert_one_line, is_root
from support import (LIMIT, MISBEHAVE, WINDOWS, free_port, get, open_files, pauses, processes_with,
                     wait_until)

HELLO_LIMIT = 5  # contract 2: the lock is held and nobody says hello


def pidfile(site, name="webui"):
    directory = site.state_of(name)
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    return directory / "pid"


def assert_start_works(site, port):
    status = site.start()
    assert status["state"] == "ready" and get(port)[0] == 200
    assert pidfile(site).read_text() == f"{status['supervisor_pid']}\n"
    assert site.svcmgr("restart", "webui").code == 0
    assert site.svcmgr("stop", "webui").code == 0
    return status


CONTENTS = {
    "empty": b"",
    "pid 0": b"0\n",
    "pid 1": b"1\n",
    "minus one": b"-1\n",
    "all processes": b"-1",
    "a huge number": b"99999999999999999999999\n",
    "words": b"not a number\n",
    "true": b"true\n",
    "a byte order mark": b"\xef\xbb\xbf812\n",
    "NUL": b"8\x0012\n",
    "JSON": b'{"pid": 1}\n',
    "binary": bytes(range(256)) * 64,
    "many lines": b"1\n" * 1000,
    "4 MiB of garbage": b"\xa5" * (4 << 20),
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
def test_any_content_is_no_obstacle(site, content):
    port = free_port()
    add_marked(site, port=port)
    pidfile(site).write_bytes(content)
    assert site.svcmgr("status", "webui").code == 3
    assert_start_works(site, port)


def test_a_live_stranger_is_no_obstacle_and_no_target(site):
    port = free_port()
    add_marked(site, port=port)
    notes = site.directory / "notes"
    with open(notes, "w", encoding="ascii") as output:
        stranger = Stranger(site.stranger(MISBEHAVE, "note", "TERM", "HUP", "INT", "USR1", "QUIT",
                                          "print", "noting", "sleep-forever", stdout=output))
    wait_until(lambda: "noting" in notes.read_text())
    pidfile(site).write_text(f"{stranger.pid}\n")
    assert site.svcmgr("stop", "webui").code == 0
    assert_start_works(site, port)
    assert stranger.is_untouched()
    assert notes.read_text() == "noting\n"


def test_a_zombie_is_no_obstacle(site):
    port = free_port()
    add_marked(site, port=port)
    zombie = site.stranger("/bin/true")
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    pidfile(site).write_text(f"{zombie.pid}\n")
    assert_start_works(site, port)


def test_the_pid_of_this_very_process(site):
    port = free_port()
    add_marked(site, port=port)
    pidfile(site).write_text(f"{os.getpid()}\n")
    assert_start_works(site, port)


def test_it_is_never_unlinked(site):
    """Who waits for the lock of a file that is gone would get a lock of its own."""
    port = free_port()
    add_marked(site, port=port)
    site.start()
    before = pidfile(site).stat().st_ino
    site.svcmgr("stop", "webui")
    assert pidfile(site).stat().st_ino == before
    status = site.start()
    assert pidfile(site).stat().st_ino == before
    os.kill(status["supervisor_pid"], signal.SIGKILL)
    wait_until(lambda: site.status()["supervisor_pid"] not in (None, status["supervisor_pid"]))
    assert pidfile(site).stat().st_ino == before


def test_keeper_and_supervisor_hold_the_lock_together(site):
    add_marked(site, port=free_port())
    first = site.start()
    assert is_locked(pidfile(site))
    os.kill(first["supervisor_pid"], signal.SIGKILL)
    assert is_locked(pidfile(site))
    second = wait_until(lambda: (lambda now: now["supervisor_pid"] != first["supervisor_pid"] and
                                 now)(site.status()))
    os.kill(second["keeper_pid"], signal.SIGKILL)
    wait_until(lambda: site.status()["keeper_pid"] is None)
    assert is_locked(pidfile(site))
    assert site.status()["supervisor_pid"] == second["supervisor_pid"]
    assert site.svcmgr("stop", "webui").code == 0
    assert not is_locked(pidfile(site))


def test_the_program_does_not_inherit_the_lock(site):
    """A program that outlives both must not look like a supervisor."""
    add_marked(site, port=free_port())
    status = site.start()
    assert not [name for name in open_files(status["pid"]) if name.startswith(str(site.state_dir))]


# ---- What stands in its place -------------------------------------------------------------------


def assert_refused(site, code, *said):
    result = site.svcmgr("start", "webui")
    assert result.code == code, result
    assert_one_line(result)
    for words in said:
        assert words in result.err
    assert not (site.directory / "webui.spawned").exists()
    assert not (site.state_of("webui") / "log").exists()
    return result


@pytest.mark.parametrize("target_exists", [True, False])
def test_a_symbolic_link_is_refused_and_not_followed(site, target_exists):
    add_marked(site, port=free_port())
    target = site.directory / "precious"
    if target_exists:
        target.write_text("precious\n")
    pidfile(site).symlink_to(target)
    assert_refused(site, 4, str(pidfile(site)), "symbolic link", "remove it")
    assert target.exists() == target_exists
    assert not target_exists or target.read_text() == "precious\n"
    assert pidfile(site).is_symlink()


def test_a_directory_is_refused(site):
    add_marked(site, port=free_port())
    pidfile(site).mkdir()
    result = site.svcmgr("start", "webui")
    assert result.code in (1, 4), result
    assert_one_line(result)
    assert site.native(pidfile(site)) in result.err
    assert pidfile(site).is_dir()


def test_a_fifo_is_refused_and_nobody_waits_for_it(site):
    add_marked(site, port=free_port())
    os.mkfifo(pidfile(site))
    result = assert_refused(site, 4, site.native(pidfile(site)), "not a regular file")
    assert result.seconds < LIMIT


def test_a_state_directory_that_is_a_link_is_refused(site):
    add_marked(site, port=free_port())
    elsewhere = site.directory / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    site.state_dir.mkdir()
    site.state_of("webui").symlink_to(elsewhere)
    assert_refused(site, 4, str(site.state_of("webui")))
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702, 0o1777])
def test_a_state_directory_that_others_can_write_to_is_refused(site, mode):
    add_marked(site, port=free_port())
    pidfile(site)
    site.state_of("webui").chmod(mode)
    assert_refused(site, 4, site.native(site.state_of("webui")),
                   "icacls" if WINDOWS else "chmod go-w")


# ---- Without rights -----------------------------------------------------------------------------


def assert_denied(site, *said):
    """As a user without rights: told with 4 and the path, nothing started."""
    for command in ("start", "run"):
        result = site.run_as_nobody(command, "webui")
        assert result.code == 4, result
        for words in said:
            assert words in result.err
        assert not (site.directory / "webui.spawned").exists()


@pytest.mark.skipif(not is_root(), reason="needs root")
@pytest.mark.parametrize("mode", [0o000, 0o444, 0o600])
def test_a_pidfile_of_somebody_else(open_site, mode):
    site = open_site
    add_marked(site, port=free_port())
    path = pidfile(site)
    os.chown(path.parent, 65534, 65534)
    path.write_text("1\n")
    path.chmod(mode)
    assert_denied(site, str(path), "Permission denied")
    assert path.read_text() == "1\n"


@pytest.mark.skipif(not is_root(), reason="needs root")
def test_a_pidfile_without_its_owner_s_permissions(open_site):
    site = open_site
    add_marked(site, port=free_port())
    path = pidfile(site)
    path.touch(mode=0)
    for owned in (path.parent, path):
        os.chown(owned, 65534, 65534)
    assert_denied(site, str(path), "Permission denied")


@pytest.mark.skipif(not is_root(), reason="needs root")
def test_a_read_only_state_directory(open_site):
    site = open_site
    add_marked(site, port=free_port())
    site.state_dir.chmod(0o555)
    assert_denied(site, str(site.state_of("webui")), "Permission denied")


@pytest.mark.skipif(not is_root(), reason="needs root")
def test_a_state_directory_of_somebody_else(open_site):
    site = open_site
    add_marked(site, port=free_port())
    pidfile(site).parent.chmod(0o755)
    assert_denied(site, str(site.state_of("webui")), "belongs to another user")


@pytest.mark.skipif(not is_root(), reason="needs root")
def test_a_state_directory_of_a_user_is_not_used_by_root(site):
    """Its owner could put another file in the place of the locked one."""
    add_marked(site, port=free_port())
    state = pidfile(site).parent
    os.chown(state, 65534, 65534)
    assert_refused(site, 4, str(state), "belongs to another user")
    assert site.svcmgr("run", "webui").code == 4
    assert list(state.iterdir()) == []


@pytest.mark.skipif(not is_root(), reason="needs root")
def test_a_user_without_rights_can_serve(open_site):
    """The other tests of this kind fail for the reason they name, not because nothing works."""
    site = open_site
    port = free_port()
    site.add("webui", [MISBEHAVE, "serve"], health={"http": "/health"},
             listen={"address": f"127.0.0.1:{port}", "socket": "inherit"})
    result = site.run_as_nobody("start", "webui")
    assert result.code == 0, result
    assert get(port)[0] == 200
    assert site.run_as_nobody("stop", "webui").code == 0


# ---- A lock that no supervisor holds ------------------------------------------------------------


def test_a_lock_held_by_somebody_who_does_not_answer(site):
    """Every command says so after the same time, and none of them breaks the lock or its holder."""
    add_marked(site, port=free_port())
    path = pidfile(site)
    path.write_text("1\n")
    holder = lock_holder(site, path)
    children = {command: site.spawn(*command.split(), "webui", stdout=subprocess.DEVNULL,
                                    stderr=subprocess.PIPE)
                for command in ("start", "run", "run --duplicate takeover", "status", "stop", "restart",
                                "status --json")}
    for command, child in children.items():
        assert child.wait(HELLO_LIMIT + 5) == 8, command
        said = child.stderr.read()
        assert "did not answer" in said or "does not answer" in said, (command, said)
        assert "svcmgr doctor webui" in said, (command, said)
    assert not (site.directory / "webui.spawned").exists()
    assert not (path.parent / "log").exists()
    assert holder.is_untouched() and path.read_text() == "1\n"
    holder.end()


def lock_holder(site, path):
    if not WINDOWS:
        holder = Stranger(site.stranger("flock", "--exclusive", "--no-fork", path, "sleep", "100"))
        wait_until(lambda: is_locked(path))
        return holder
    sign = site.directory / "locked"
    holder = Stranger(site.stranger(MISBEHAVE, "hold-lock", path, "touch", sign))
    wait_until(sign.exists, "the lock is held")
    return holder


def is_supervised(keeper):
    """Whether a keeper has a supervisor, which has begun."""
    for pid in pathlib.Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split():
        with contextlib.suppress(OSError):
            if b"\0supervise\0" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                return True
    return False


def test_a_run_that_waits_for_a_lock_can_be_stopped(site):
    add_marked(site, port=free_port())
    path = pidfile(site)
    path.touch()
    with open(path, encoding="ascii") as mine:
        fcntl.flock(mine, fcntl.LOCK_EX)
        child = site.spawn("run", "webui", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wait_until(lambda: is_supervised(child.pid), "it has a supervisor")
        child.terminate()
        assert child.wait(20) == 0, child.stderr.read()
    assert not (site.directory / "webui.spawned").exists()


def test_a_lock_that_is_let_go_in_time(site):
    port = free_port()
    add_marked(site, port=port)
    path = pidfile(site)
    path.touch()
    with open(path, encoding="ascii") as mine:
        fcntl.flock(mine, fcntl.LOCK_EX)
        child = site.spawn("start", "webui", stdout=subprocess.DEVNULL)
        wait_until(lambda: pauses(child.pid) > 10, "a command that looks again and again")
    assert child.wait(10) == 0
    assert get(port)[0] == 200


def test_somebody_who_only_looks_at_the_lock_is_no_obstacle(site):
    """A shared lock is what a look takes; it is waited for, and is no other supervisor."""
    port = free_port()
    add_marked(site, port=port)
    path = pidfile(site)
    path.touch()
    with open(path, encoding="ascii") as mine:
        fcntl.flock(mine, fcntl.LOCK_SH)
        child = site.spawn("run", "webui", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: any(pauses(pid) > 10 and str(path) in open_files(pid)
                               for pid in processes_with(str(site.directory))),
                   "a supervisor that tries again and again")
        assert child.poll() is None
    wait_until(lambda: site.status()["state"] == "ready")
    assert get(port)[0] == 200
    assert site.svcmgr("stop", "webui").code == 0
    assert child.wait(10) == 0


def test_a_supervisor_that_hangs(site):
    """It is alive and does not answer: 8, and it is not replaced by a second one."""
    port = free_port()
    add_marked(site, port=port)
    status = site.start()
    for key in ("supervisor_pid", "keeper_pid"):
        os.kill(status[key], signal.SIGSTOP)
    children = [site.spawn(command, "webui", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                for command in ("start", "run", "status")]
    codes = [child.wait(HELLO_LIMIT + 5) for child in children]
    for key in ("supervisor_pid", "keeper_pid"):
        os.kill(status[key], signal.SIGCONT)
    assert codes == [8, 8, 8]
    assert get(port)[0] == 200
    assert site.status()["pid"] == status["pid"]


def is_locked(path):
    with open(path, encoding="ascii") as mine:
        try:
            fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
