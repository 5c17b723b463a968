"""doctor: the picture of a service in every state, and a command to type that helps."""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess

import pytest
import windows
from strangers import (NOBODY, Stranger, add_marked, has_program, is_root, kill, serve,
                       silent_listener, sockets_on)
from support import (MISBEHAVE, PYTHON, SUFFIX, SVCMGR, WINDOWS, end_process, free_port,
                     pid_is_alive, wait_until)
from test_guard_record import end, kill_both

needs_mounts = pytest.mark.skipif(not is_root() or not has_program("unshare"),
                                  reason="needs root and unshare")


KILLED = "exited with code 1" if WINDOWS else "ended by SIGKILL"


def edit(path):
    """The command that opens it in an editor."""
    if WINDOWS:
        return 'notepad "' + windows.path(path).replace("/", "\\") + '"'
    return f"${{EDITOR:-vi}} {path}"


def commands_of(result):
    return re.findall(r"^       type: +(.*)$", result.out, re.MULTILINE)


def lines_of(result, what):
    return [line for line in result.out.splitlines() if line[7:].startswith(what)]


def assert_in_the_way(site, what, *said):
    """doctor ends with 1 and names this and nothing else; returns the command to type."""
    result = site.svcmgr("doctor", "webui")
    assert result.code == 1, result
    bad = [line for line in result.out.splitlines() if line.startswith("  [!!]")]
    assert len(bad) == 1 and bad[0][7:].startswith(what), result
    for words in said:
        assert words in bad[0], result
    commands = commands_of(result)
    assert len(commands) == 1, result
    told = site.svcmgr("doctor", "webui", "--json")
    assert told.code == 1 and told.json()["ok"] is False
    assert told.json()["type"] == commands[0]
    return commands[0]


def assert_nothing_in_the_way(site, command="start"):
    result = site.svcmgr("doctor", "webui")
    assert result.code == 0 and "[!!]" not in result.out, result
    assert commands_of(result) == [
        f"svcmgr {command} webui --config-dir {site.native(site.config_dir)} "
        f"--state-dir {site.native(site.state_dir)}"]
    return result


def type_in(site, command):
    """Does what a person would do with it."""
    if WINDOWS:
        here = {**site.environment, "WINEPATH": windows.path(os.path.dirname(SVCMGR))}
        typed = site.directory / "typed.bat"  # whose quotes nobody takes for those of its caller
        typed.write_text(f"@{command}\n")
        done = windows.run([windows.WINE, "cmd", "/c", windows.path(typed)], env=here, check=False,
                           timeout=60, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done
        return done
    environment = {**site.environment,
                   "PATH": f"{os.path.dirname(SVCMGR)}:{site.environment['PATH']}"}
    done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done
    return done


# ---- Stopped, running, failing ------------------------------------------------------------------


def test_stopped_and_free(site):
    port = site.add_webui()
    result = assert_nothing_in_the_way(site)
    assert f"127.0.0.1:{port} is free" in result.out
    type_in(site, commands_of(result)[0])
    assert site.status()["state"] == "ready"


@pytest.mark.parametrize("socket_kind", ["inherit", "self"])
def test_running(site, socket_kind):
    port = free_port()
    words = ["serve"] if socket_kind == "inherit" else ["bind", "env", "serve"]
    add_marked(site, listen={"address": f"127.0.0.1:{port}", "socket": socket_kind}, words=words)
    status = site.start()
    result = assert_nothing_in_the_way(site, "status")
    assert f"pid {status['supervisor_pid']} answers" in result.out
    assert "ready, started by manual" in result.out
    assert f"127.0.0.1:{port} is held by pid {status['pid']}" in result.out


def test_stopped_after_a_start_that_failed(site):
    """Nothing stands in the way of the next try; how the last one ended is told."""
    site.add("webui", [MISBEHAVE, "exit", "3"])
    assert site.svcmgr("start", "webui").code == 1
    result = assert_nothing_in_the_way(site)
    assert "exited with code 3" in lines_of(result, "last run")[0]
    assert site.native(site.state_of("webui") / "log" / "current") in lines_of(result, "last run")[0]


def lasting(site, state, **keys):
    """A service that was ready once and is in a state now in which it does not serve."""
    go = site.directory / "go"
    up = site.directory / "up"
    site.add("webui", [MISBEHAVE, "exit-if", go, "3", "touch", up, "sleep-forever"], settle="10ms", **keys)
    status = site.start()
    wait_until(up.exists)  # it has looked for 'go'
    go.touch()
    end_process(status["pid"])
    return site.wait_for_state("webui", state)


def test_given_up(site):
    lasting(site, "failed", restart={"delay": "1ms", "max_delay": "1ms", "burst": 2})
    command = assert_in_the_way(site, "service", "failed", "exited with code 3",
                                site.native(site.state_of("webui") / "log" / "current"))
    assert command.startswith("svcmgr logs webui")
    type_in(site, command)


def test_in_backoff(site):
    lasting(site, "backoff", restart={"delay": "1h", "max_delay": "1h", "burst": 0})
    command = assert_in_the_way(site, "service", "backoff", KILLED)
    assert command.startswith("svcmgr logs webui")


def test_unhealthy(site):
    port = free_port()
    add_marked(site, port=port, restart={"on_unhealthy": False}, words=["serve"],
               health={"http": "/health", "interval": "20ms", "timeout": "100ms", "failures": 1})
    status = site.start()
    os.kill(status["pid"], signal.SIGSTOP)
    site.wait_for_state("webui", "unhealthy")
    command = assert_in_the_way(site, "service", "unhealthy")
    assert command.startswith("svcmgr logs webui")
    os.kill(status["pid"], signal.SIGCONT)
    site.wait_for_state("webui", "ready")


def test_standing_by(site):
    port = free_port()
    add_marked(site, port=port)
    stranger = serve(site, port, "serve")
    site.spawn("run", "webui", "--duplicate", "standby", stderr=subprocess.DEVNULL)
    site.wait_for_state("webui", "standby")
    assert assert_in_the_way(site, "address", f"pid {stranger.known_pid}") == kill(stranger)


# ---- Somebody else ------------------------------------------------------------------------------


def test_a_stranger_that_answers(site):
    port = free_port()
    add_marked(site, port=port)
    stranger = serve(site, port, "serve", "--status", 503)
    command = assert_in_the_way(site, "address", f"127.0.0.1:{port} is held by pid {stranger.known_pid}",
                                "it answers HTTP 503 from /health")
    assert command == kill(stranger)
    type_in(site, command)
    wait_until(lambda: stranger.child.poll() is not None)
    assert_nothing_in_the_way(site)


def test_a_stranger_that_is_silent(site):
    port = free_port()
    add_marked(site, port=port)
    silent_listener(site, port)
    assert_in_the_way(site, "address", f"127.0.0.1:{port}")
    assert "it answers" not in site.svcmgr("doctor", "webui").out


def test_a_socket_that_does_not_listen(site):
    port = free_port()
    add_marked(site, port=port)
    bound = site.directory / "bound"
    Stranger(site.stranger(PYTHON, "-c", "import pathlib, socket, sys, time; s = socket.socket(); "
                           "s.bind(('127.0.0.1', int(sys.argv[1]))); "
                           "pathlib.Path(sys.argv[2]).touch(); time.sleep(100)", port, bound))
    wait_until(bound.exists)
    how = f"cannot bind 127.0.0.1:{port}" if WINDOWS else "bound without listening"
    assert_in_the_way(site, "address", how)


def test_a_port_that_needs_rights(open_site):
    site = open_site
    low = next(port for port in range(1023, 600, -1) if not sockets_on(port))
    limit = int(open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii").read())
    if low >= limit:
        pytest.skip("this machine lets everybody bind low ports")
    add_marked(site, port=low)
    result = site.run_as_nobody("doctor", "webui")
    assert result.code == 1, result
    assert f"cannot bind 127.0.0.1:{low}: ports below 1024 need root or CAP_NET_BIND_SERVICE" in result.out
    assert_nothing_in_the_way(site)  # for root
    assert not sockets_on(low)


def test_an_address_of_another_machine(site):
    add_marked(site, listen={"address": "10.255.255.1:80", "socket": "inherit"})
    assert_in_the_way(site, "address", "this machine does not have that address")


# ---- The lock -----------------------------------------------------------------------------------


def test_a_stranger_that_holds_the_lock_is_named_and_not_the_pidfile_s_words(site):
    add_marked(site, port=free_port())
    state = site.state_of("webui")
    state.mkdir(mode=0o700, parents=True)
    path = state / "pid"
    path.write_text("1\n")
    holder = Stranger(site.stranger("flock", "--exclusive", "--no-fork", path, "sleep", "100"))
    wait_until(lambda: is_locked(path))
    command = assert_in_the_way(site, "supervisor", "is held and nobody answers",
                                f"pid {holder.pid}", "sleep 100")
    assert command == f"kill {holder.pid}"
    type_in(site, command)
    wait_until(lambda: holder.child.poll() is not None)
    assert_nothing_in_the_way(site)


def is_locked(path):
    with open(path, encoding="ascii") as mine:
        try:
            fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_supervisor_that_hangs(site):
    add_marked(site, port=free_port())
    status = site.start()
    pids = {status["keeper_pid"], status["supervisor_pid"]}
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    result = site.svcmgr("doctor", "webui")
    assert result.code == 1 and "is held and nobody answers" in result.out, result
    command = commands_of(result)[0].split(";")[0]
    assert command.startswith("kill -CONT ") and set(map(int, command.split()[2:])) == pids
    type_in(site, command)
    assert_nothing_in_the_way(site, "status")


# ---- Leftovers ----------------------------------------------------------------------------------


def test_an_instance_without_a_supervisor(site):
    add_marked(site, port=free_port())
    before = site.start()
    kill_both(before)
    result = site.svcmgr("doctor", "webui")
    assert result.code == 1, result
    assert "takes the instance up" in lines_of(result, "leftovers")[0]
    assert str(before["pid"]) in lines_of(result, "leftovers")[0]
    type_in(site, commands_of(result)[0])
    assert site.status()["pid"] == before["pid"]
    assert_nothing_in_the_way(site, "status")


def test_one_that_was_taken_up_and_holds_the_address_itself_is_ours(site):
    """Nothing among its ancestors says so: the id that it was given does."""
    port = free_port()
    site.add("webui", [MISBEHAVE, "bind", str(port), "serve"], health={"http": "/health"},
             listen={"address": f"127.0.0.1:{port}", "socket": "self"})
    before = site.start()
    kill_both(before)
    assert site.start()["pid"] == before["pid"]
    assert_nothing_in_the_way(site, "status")


def test_what_a_dead_instance_left(site):
    pids = site.directory / "pids"
    add_marked(site, port=free_port(), words=["pids", pids, "fork-tree", 1, 2, "serve"],
               stop={"timeout": "300ms"})
    before = site.start()
    children = [int(pid) for pid in pids.read_text().split()]
    kill_both(before)
    end(before["pid"])
    result = site.svcmgr("doctor", "webui")
    assert result.code == 1 and "2 processes of the last run" in result.out, result
    assert "svcmgr start webui" in commands_of(result)[0]
    assert site.svcmgr("stop", "webui").code == 0
    assert not any(pid_is_alive(pid) for pid in children)
    assert_nothing_in_the_way(site)


# ---- The state directory ------------------------------------------------------------------------


def state_of(site):
    state = site.state_of("webui")
    state.mkdir(mode=0o700, parents=True)
    return state


def test_a_state_directory_that_others_can_write_to(site):
    add_marked(site, port=free_port())
    state_of(site).chmod(0o777)
    command = assert_in_the_way(site, "state", "others can write")
    assert command == f"chmod 700 {site.state_of('webui')}"
    type_in(site, command)
    assert_nothing_in_the_way(site)


def test_a_pidfile_that_is_a_link(site):
    add_marked(site, port=free_port())
    (state_of(site) / "pid").symlink_to("/etc/passwd")
    type_in(site, assert_in_the_way(site, "state", "not a regular file"))
    assert_nothing_in_the_way(site)


@pytest.mark.skipif(not is_root(), reason="needs root")
def test_a_state_directory_of_somebody_else(site):
    add_marked(site, port=free_port())
    os.chown(state_of(site), NOBODY, NOBODY)
    command = assert_in_the_way(site, "state", "belongs to another user")
    assert command == f"chown -R root {site.state_of('webui')}"
    type_in(site, command)
    assert_nothing_in_the_way(site)


@pytest.mark.skipif(not is_root(), reason="needs root")
def test_a_state_directory_of_root(open_site):
    site = open_site
    add_marked(site, port=free_port())
    site.state_of("webui").mkdir(mode=0o755)
    result = site.run_as_nobody("doctor", "webui")
    assert result.code == 1 and "belongs to another user" in result.out, result
    assert commands_of(result)[0] == f"sudo chown -R nobody {site.state_of('webui')}"


def with_state_on(site, mount, *words):
    """A command for which the state directory is what a mount made of it."""
    site.state_dir.mkdir(exist_ok=True)
    return subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c",
                           f"set -e; cd /; S='{site.state_dir}'; {mount}; exec \"$@\"", "sh",
                           *site.command(*words)], capture_output=True, text=True,
                          env=site.environment, timeout=60, check=False)


@needs_mounts
@pytest.mark.parametrize("mount,said,command", [
    ('mount --bind "$S" "$S"; mount -o remount,bind,ro "$S"', "Read-only file system", "findmnt"),
    ('mount -t tmpfs -o size=4k,mode=0755 none "$S"; head -c 4096 /dev/zero > "$S/full"',
     "no space is left", "df -h"),
    ('mount -t tmpfs -o nr_inodes=2,mode=0755 none "$S"; touch "$S/full"', "no inode is left",
     "df -h"),
])
def test_a_state_directory_that_cannot_be_written(site, mount, said, command):
    add_marked(site, port=free_port())
    result = with_state_on(site, mount, "doctor", "webui", "--json")
    assert result.returncode == 1, result
    bad = [entry for entry in json.loads(result.stdout)["findings"] if not entry["ok"]]
    assert len(bad) == 1 and bad[0]["what"] == "state" and said in bad[0]["text"], result
    assert bad[0]["type"].startswith(command) and str(site.state_dir) in bad[0]["type"]


# ---- Configuration and program ------------------------------------------------------------------


def test_a_configuration_with_faults(site):
    site.write("webui", '{"command": ["/bin/true"], "comand": 1}')
    command = assert_in_the_way(site, "config", "webui.json:1:", "comand")
    assert command.startswith("svcmgr check webui")


def test_a_configuration_that_is_gone(site):
    add_marked(site, port=free_port())
    site.start()
    assert site.svcmgr("stop", "webui").code == 0
    (site.config_dir / "webui.json").unlink()
    command = assert_in_the_way(site, "config", "there is no configuration")
    assert command.startswith("svcmgr add webui")


@pytest.mark.parametrize("word,said", [
    ("/no/such/program", "does not exist"),
    ("no-such-program", "is not in"),
    *([] if WINDOWS else [("/etc", "is a directory")]),
])
def test_a_missing_program(site, word, said):
    site.add("webui", [word])
    command = assert_in_the_way(site, "program", word, said)
    assert command == edit(site.config_dir / "webui.json")


def test_a_program_that_is_not_executable(site):
    program = site.directory / "a program"
    program.write_text("#!/bin/sh\n")
    site.add("webui", [program])
    type_in(site, assert_in_the_way(site, "program", "is not executable"))
    assert_nothing_in_the_way(site)
    program.write_text("#!/no/such/interpreter\n")
    assert_in_the_way(site, "program", "needs /no/such/interpreter")


def test_a_missing_directory(site):
    missing = site.directory / "work here"
    program = f"program{SUFFIX}"
    site.add("webui", [f"./{program}"], directory=str(missing))
    type_in(site, assert_in_the_way(site, "directory", site.native(missing), "does not exist"))
    assert missing.is_dir()
    assert_in_the_way(site, "program", site.native(missing / program))
    shutil.copy(MISBEHAVE, missing / program)
    assert_nothing_in_the_way(site)


# ---- Several ------------------------------------------------------------------------------------


def test_all_services_one_after_the_other(site):
    port = free_port()
    for name in ("one", "two"):
        add_marked(site, name, port=port if name == "two" else free_port())
    stranger = silent_listener(site, port)
    result = site.svcmgr("doctor")
    assert result.code == 1 and "one:\n" in result.out and "two:\n" in result.out, result
    assert commands_of(result)[-1] == kill(stranger)
    told = json.loads(site.svcmgr("doctor", "--json").out)
    assert [(entry["name"], entry["ok"]) for entry in told] == [("one", True), ("two", False)]
