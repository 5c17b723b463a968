"""Who it is: process, user and launcher of whoever holds the address, as the system tells them."""

import os
import pty
import pwd
import re
import subprocess
import time

import pytest
from strangers import (NOBODY, Stranger, add_marked, has_program, http_server, is_root, serve,
                       silent_listener, wait_for_listener)
from support import (MISBEHAVE, PYTHON, SVCMGR, WINDOWS, free_port, pid_is_alive, processes_with,
                     wait_until)

ID = "0123456789abcdef" * 4
USER_UNITS = "/user.slice/user-{uid}.slice/user@{uid}.service/app.slice"

needs_root = pytest.mark.skipif(not is_root() or not has_program("unshare"),
                                reason="needs root and unshare")


def in_groups(site, pid, cgroups, *words):
    """A command for which a process is in the control groups given: a file in place of its own, in
    a mount namespace of the command's own."""
    told = site.directory / "cgroup"
    told.write_text(cgroups)
    script = f"mount --bind '{told}' /proc/{pid}/cgroup && exec \"$@\""
    return subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", script,
                           "sh", *site.command(*words)], capture_output=True, text=True,
                          env=site.environment, timeout=60, check=False)


def of_user(user):
    return USER_UNITS.format(uid=pwd.getpwnam(user).pw_uid)


@needs_root
@pytest.mark.parametrize("cgroups,launcher,command", [
    ("0::/system.slice/hermes.service\n", "systemd unit hermes.service",
     "systemctl stop hermes.service"),
    ("0::/system.slice/hermes.service/worker\n", "systemd unit hermes.service",
     "systemctl stop hermes.service"),
    ("0::/system.slice/a\\x2db.service\n", "systemd unit a\\x2db.service",
     "systemctl stop 'a\\x2db.service'"),
    ("9:name=systemd:/system.slice/old.service\n4:memory:/\n0::/\n", "systemd unit old.service",
     "systemctl stop old.service"),
    (f"0::{of_user('root')}/web.service\n", "systemd unit web.service (user)",
     "systemctl --user stop web.service"),
    (f"0::{of_user('nobody')}/web.service\n", "systemd unit web.service (user)",
     "systemctl --user --machine nobody@ stop web.service"),
    (f"0::/system.slice/docker-{ID}.scope\n", f"container {ID[:12]}", f"docker stop {ID[:12]}"),
    (f"4:memory:/docker/{ID}\n0::/\n", f"container {ID[:12]}", f"docker stop {ID[:12]}"),
    (f"0::/system.slice/docker-{ID}.scope/system.slice/x.service\n",
     f"container {ID[:12]} (systemd unit x.service in it)", f"docker stop {ID[:12]}"),
    (f"0::/machine.slice/libpod-{ID}.scope/container\n", f"container {ID[:12]}",
     f"podman stop {ID[:12]}"),
    (f"0::/kubepods/burstable/pod1/{ID}\n", f"container {ID[:12]}", f"crictl stop {ID[:12]}"),
    ("0::/lxc.payload.web\n", "container web", "lxc-stop --name web"),
    ("0::/machine.slice/machine-web.scope\n", "container web", "machinectl poweroff web"),
])
def test_a_unit_or_a_container(site, cgroups, launcher, command):
    port = free_port()
    add_marked(site, port=port)
    stranger = http_server(site, port)
    start = in_groups(site, stranger.pid, cgroups, "start", "webui")
    assert start.returncode == 10, start
    assert f"started by {launcher};" in start.stderr, start
    doctor = in_groups(site, stranger.pid, cgroups, "doctor", "webui")
    assert doctor.returncode == 1, doctor
    assert f"started by {launcher}, since" in doctor.stdout, doctor
    assert f"type:     {command}\n" in doctor.stdout, doctor
    stop = in_groups(site, stranger.pid, cgroups, "stop", "webui")
    assert stop.returncode == 0 and f"started by {launcher}\n" in stop.stderr, stop
    assert stranger.is_untouched()


@needs_root
@pytest.mark.parametrize("cgroups", [
    "0::/user.slice/user-0.slice/session-3.scope\n", "0::/\n", "0::/init.scope\n", "",
    "0::/$(reboot).service\n", "garbage\n",
])
def test_what_the_groups_do_not_say_is_not_guessed(site, cgroups):
    port = free_port()
    add_marked(site, port=port)
    stranger = http_server(site, port)
    start = in_groups(site, stranger.pid, cgroups, "start", "webui")
    assert start.returncode == 10 and "launcher unknown" in start.stderr, start
    status = in_groups(site, stranger.pid, cgroups, "status", "webui", "--json")
    assert '"launcher":null' in status.stdout, status


@needs_root
def test_another_pid_namespace_is_a_container(site):
    port = free_port()
    add_marked(site, port=port)
    site.stranger("unshare", "--pid", "--fork", "--kill-child", MISBEHAVE, "bind", port, "serve")
    wait_for_listener(port)
    result = site.svcmgr("start", "webui")
    assert result.code == 10 and "started by a container" in result.err, result
    assert site.status()["other"]["launcher"] == "a container"


def test_a_terminal_is_named(site):
    port = free_port()
    add_marked(site, port=port)
    mine, theirs = pty.openpty()
    stranger = Stranger(site.stranger(
        PYTHON, "-c", "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
        "os.execv(sys.argv[1], sys.argv[1:])", MISBEHAVE, "bind", port, "serve", stdin=theirs))
    name = os.ttyname(theirs).removeprefix("/dev/")
    wait_for_listener(port)
    result = site.svcmgr("start", "webui")
    assert result.code == 10 and f"started by terminal {name};" in result.err, result
    assert site.status()["other"]["launcher"] == f"terminal {name}"
    assert f"type:     kill {stranger.pid}\n" in site.svcmgr("doctor", "webui").out
    assert stranger.is_untouched()
    os.close(mine)
    os.close(theirs)


@pytest.mark.skipif(not is_root(), reason="needs root")
def test_root_sees_the_processes_of_others(site):
    port = free_port()
    add_marked(site, port=port)
    stranger = silent_listener(site, port, user=NOBODY, group=NOBODY, extra_groups=[])
    other = site.status()["other"]
    assert other["pid"] == stranger.pid and other["user"] == pwd.getpwuid(NOBODY).pw_name
    assert set(other) == {"pid", "command", "user", "launcher", "answers"}


@pytest.mark.skipif(not is_root(), reason="needs root")
def test_who_cannot_be_seen_is_unknown_and_not_asked(open_site):
    site = open_site
    port = free_port()
    add_marked(site, port=port)
    stranger = silent_listener(site, port)
    result = site.run_as_nobody("status", "webui", "--json")
    other = result.json()["other"]
    assert other == {"pid": None, "command": None, "user": "root", "launcher": None,
                     "answers": None}
    doctor = site.run_as_nobody("doctor", "webui")
    assert doctor.code == 1 and "cannot be seen from here, user root" in doctor.out, doctor
    assert "type:     sudo svcmgr doctor webui" in doctor.out, doctor
    assert stranger.is_untouched()


def test_its_start_time(site):
    port = free_port()
    add_marked(site, port=port)
    before = time.time()
    serve(site, port, "serve")
    said = re.search(r"since (\S+Z)", site.svcmgr("doctor", "webui").out)[1]
    began = time.mktime(time.strptime(said[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    assert before - 2 <= began <= time.time() + 2


@pytest.mark.parametrize("socket_kind", ["inherit", "self"])
def test_another_service_of_svcmgr_is_named_with_the_command_that_stops_it(site, socket_kind):
    port = free_port()
    listen = {"address": f"127.0.0.1:{port}", "socket": socket_kind}
    words = ["serve"] if socket_kind == "inherit" else ["bind", "env", "serve"]
    site.add("other", [MISBEHAVE, *words], listen=listen, health={"http": "/health"})
    other = site.start("other")
    add_marked(site, port=port)
    result = site.svcmgr("start", "webui")
    assert result.code == 10 and "started by svcmgr service other" in result.err, result
    doctor = site.svcmgr("doctor", "webui")
    assert doctor.code == 1 and f"pid {other['pid']}" in doctor.out, doctor
    command = re.search(r"type: +(svcmgr stop other.*)", doctor.out)[1]
    words = command.split()
    done = subprocess.run([*site.program(SVCMGR), *words[1:]], env=site.environment, timeout=60,
                          check=False)
    assert done.returncode == 0
    assert not pid_is_alive(other["pid"])
    assert site.svcmgr("doctor", "webui").code == 0


def test_a_service_in_another_state_directory_is_named_with_its_place(site):
    port = free_port()
    listen = {"address": f"127.0.0.1:{port}", "socket": "self"}
    site.add("webui", [MISBEHAVE, "bind", "env", "serve"], listen=listen, health={"http": "/health"})
    site.start()
    site.state_dir = site.directory / "elsewhere"
    doctor = site.svcmgr("doctor", "webui")
    assert doctor.code == 1, doctor
    place = site.native(site.directory / "state")
    assert f"svcmgr stop webui --state-dir {place}\n" in doctor.out, doctor
    site.state_dir = site.directory / "state"
    assert site.svcmgr("stop", "webui").code == 0


def test_what_a_service_has_started_belongs_to_it(site):
    """A server that was started from inside a service, by whatever shell."""
    port = free_port()
    if WINDOWS:
        server = site.native(MISBEHAVE).replace("/", "\\")
        command = ["cmd", "/c", server, "bind", str(port), "serve"]
    else:
        command = ["/bin/sh", "-c", f"{MISBEHAVE} bind {port} serve & wait"]
    site.add("shell", command, ready="spawn", settle="10ms")
    site.start("shell")
    wait_for_listener(port)
    add_marked(site, port=port)
    result = site.svcmgr("start", "webui")
    assert result.code == 10 and "started by svcmgr service shell" in result.err, result


@needs_root
def test_the_proxy_of_docker_leads_to_the_container(site):
    port = free_port()
    add_marked(site, port=port)
    proxy = site.directory / "docker-proxy"
    proxy.symlink_to(MISBEHAVE)
    stranger = Stranger(site.stranger(proxy, "bind", port, "serve"))
    wait_for_listener(port)
    doctor = in_groups(site, stranger.pid, "0::/system.slice/docker.service\n", "doctor", "webui")
    assert f"type:     docker ps --filter publish={port}\n" in doctor.stdout, doctor


def test_nothing_is_left_of_the_questions(site):
    """Asking who it is starts nothing and leaves nothing."""
    add_marked(site, port=free_port())
    assert site.svcmgr("doctor", "webui").code == 0
    assert not site.state_dir.exists()
    wait_until(lambda: not processes_with(str(site.directory)))
