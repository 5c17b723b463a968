"""A unit with Delegate=yes: keeper and supervisor in one control group, each generation in another."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from instances import inherit, wait_for_status
from support import LIMIT, MISBEHAVE, PYTHON, WEBUI, free_port, get, pid_is_alive, wait_until
from units import main_pid, show, state, systemctl, wait_for

UNIT = "svcmgr-webui.service"
ROOT = Path("/sys/fs/cgroup")
MEMORY = {"memory": "500MiB"}


def group_of(pid):
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        if line.startswith("0::"):
            return line[3:]
    raise AssertionError("there are no control groups of version 2")


def unit_group():
    return show(UNIT, "ControlGroup")


def members(group):
    return [int(pid) for pid in (ROOT / group.strip("/") / "cgroup.procs").read_text().split()]


def instance_group(site):
    return group_of(site.status()["pid"])


def groups_below():
    return sorted(path.name for path in (ROOT / unit_group().strip("/")).iterdir() if path.is_dir())


@pytest.fixture
def service(site, installed):
    """The example server, with a limit that takes a group."""
    port = site.add_webui(limits=MEMORY, stop={"timeout": "1s"})
    installed.install("webui", "--now")
    assert show(UNIT, "Delegate") == "yes"
    return port


def enter(group):
    """A process that is no child of the service's, in one of its groups."""
    child = subprocess.Popen(["/bin/sleep", "1000"])
    (ROOT / group.strip("/") / "cgroup.procs").write_text(str(child.pid))
    assert group_of(child.pid) == group
    return child


def test_each_has_its_own(site, service):
    status = site.status()
    assert group_of(status["keeper_pid"]) == group_of(status["supervisor_pid"]) == \
        f"{unit_group()}/svcmgr"
    assert instance_group(site) == f"{unit_group()}/instance.{status['generation']}"
    assert members(unit_group()) == []
    assert status["launcher"]["unit"] == UNIT and get(service)[0] == 200
    assert main_pid(UNIT) == status["keeper_pid"]


def test_a_restart_makes_another_one_and_leaves_none(site, service):
    for _ in range(3):
        assert site.svcmgr("restart", "webui").code == 0
        assert groups_below() == [f"instance.{site.status()['generation']}", "svcmgr"]
    os.kill(site.status()["pid"], signal.SIGKILL)
    wait_for_status(site, "webui", lambda status: status["restarts"] == 1 and
                    status["state"] == "ready")
    wait_until(lambda: groups_below() == [f"instance.{site.status()['generation']}", "svcmgr"])
    assert get(service)[0] == 200


def test_two_generations_at_once(site, installed):
    site.add("webui", [WEBUI, "--quiet"], listen=inherit(free_port()), limits=MEMORY,
             health={"command": ["/bin/true"]}, replace="overlap", start_timeout="60s")
    installed.install("webui", "--now")
    first = site.status()
    assert site.svcmgr("restart", "webui").code == 0
    assert site.status()["generation"] == first["generation"] + 1
    assert groups_below() == [f"instance.{first['generation'] + 1}", "svcmgr"]


def test_a_kill_takes_the_whole_group(site, service):
    """One that only the group tells to be part of it."""
    child = enter(instance_group(site))
    assert site.svcmgr("stop", "webui").code == 0
    assert child.wait(LIMIT) == -signal.SIGKILL
    wait_for(UNIT, "inactive (dead)")


def test_a_restart_waits_for_the_whole_group(site, service):
    child = enter(instance_group(site))
    assert site.svcmgr("restart", "webui").code == 0
    assert child.wait(LIMIT) == -signal.SIGKILL
    assert groups_below() == [f"instance.{site.status()['generation']}", "svcmgr"]
    assert get(service)[0] == 200


def test_the_next_supervisor_knows_the_groups(site, service):
    former = site.status()
    child = enter(instance_group(site))
    os.kill(former["supervisor_pid"], signal.SIGKILL)
    wait_for_status(site, "webui", lambda status: status["supervisor_pid"] not in
                    (None, former["supervisor_pid"]))
    assert site.status()["pid"] == former["pid"]
    assert site.svcmgr("restart", "webui").code == 0
    assert child.wait(LIMIT) == -signal.SIGKILL
    assert instance_group(site) == f"{unit_group()}/instance.{former['generation'] + 1}"
    assert show(UNIT, "NRestarts") == "0" and get(service)[0] == 200


def test_after_the_keepers_death_too(site, service):
    former = site.status()
    os.kill(former["keeper_pid"], signal.SIGKILL)
    wait_for_status(site, "webui", lambda status: status["state"] == "ready" and
                    status["keeper_pid"] not in (None, former["keeper_pid"]))
    assert not pid_is_alive(former["pid"])
    assert groups_below() == [f"instance.{site.status()['generation']}", "svcmgr"]


def test_another_service_that_was_started_from_inside_is_left_alone(site, installed):
    site.add_webui("other")
    start = " ".join(map(str, site.command("start", "other", "--direct")))
    site.add("webui", ["/bin/sh", "-c", f"trap '' TERM; {start}; {MISBEHAVE} sleep-forever"],
             limits=MEMORY, stop={"timeout": "200ms"}, restart={"when": "never"})
    installed.install("webui", "--now")
    other = site.wait_for_state("other", "ready")
    former = site.status()["pid"]
    assert site.svcmgr("restart", "webui").code == 0
    assert not pid_is_alive(former) and site.status()["pid"] != former
    assert site.status("other")["pid"] == other["pid"]
    assert site.svcmgr("stop", "other", "--direct").code == 0


def test_a_limit_that_no_group_keeps_is_said_and_kept_by_each_process(site, service):
    """Here the controller is another hierarchy's."""
    controllers = (ROOT / unit_group().strip("/") / "cgroup.controllers").read_text().split()
    limit = [line for line in Path(f"/proc/{site.status()['pid']}/limits").read_text().splitlines()
             if line.startswith("Max address space")][0].split()[3]
    said = [entry["cause"] for entry in site.events() if entry["event"] == "warning"]
    if "memory" in controllers:
        place = ROOT / instance_group(site).strip("/")
        assert (place / "memory.max").read_text().strip() == str(500 << 20)
        assert limit == "unlimited" and said == []
    else:
        assert limit == str(500 << 20)
        assert said == ["limits.memory holds for the address space of each process alone: the "
                        f"control group {ROOT}{unit_group()} has no memory controller"]


@pytest.fixture
def over(tmp_path):
    """Puts files over those of a group, for what the kernel does not do here."""
    places = []

    def put(group, name, text):
        place = ROOT / group.strip("/")
        (tmp_path / name).write_text(text)
        subprocess.run(["mount", "--bind", tmp_path, place], check=True)
        places.append(place)

    yield put
    for place in places:
        subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("kills", [0, 1])
def test_a_kill_for_want_of_memory_is_said(site, service, over, kills):
    status = site.status()
    over(instance_group(site), "memory.events", f"low 0\nmax 3\noom {kills}\noom_kill {kills}\n")
    os.kill(status["pid"], signal.SIGKILL)
    again = wait_for_status(site, "webui", lambda status: status["restarts"] == 1 and
                            status["state"] == "ready")
    reason = again["last_exit"]["reason"]
    assert again["last_exit"]["signal"] == "KILL" and again["pid"] != status["pid"]
    assert ("out of memory" in reason) == bool(kills), reason
    assert reason in [entry["cause"] for entry in site.events() if entry["event"] == "exit"]
    assert get(service)[0] == 200


def test_our_own_kill_is_not_the_kernels(site, installed, over):
    site.add("webui", ["/bin/sh", "-c", f"trap '' TERM; {MISBEHAVE} sleep-forever"], limits=MEMORY,
             stop={"timeout": "100ms"})
    installed.install("webui", "--now")
    over(instance_group(site), "memory.events", "oom_kill 1\n")
    assert site.svcmgr("restart", "webui").code == 0
    assert "out of memory" not in site.status()["last_exit"]["reason"]


def test_what_takes_more_is_killed_by_the_kernel(site, installed):
    site.add("webui", [PYTHON, "-c", "x = b'x' * (200 << 20)"], limits={"memory": "50MiB"},
             restart={"when": "never"}, settle="10s")
    installed.install()
    if "memory" not in (ROOT / "cgroup.controllers").read_text().split():
        pytest.skip("the memory controller is another hierarchy's")
    result = site.svcmgr("start", "webui")
    assert result.code == 1 and "out of memory" in result.err, result


def test_without_delegation_nothing_is_divided(site, installed):
    site.add_webui()
    installed.install("webui", "--now")
    assert show(UNIT, "Delegate") == "no"
    status = site.status()
    assert {group_of(status[key]) for key in ("pid", "keeper_pid", "supervisor_pid")} == \
        {unit_group()}
    assert groups_below() == []


def test_control_processes_find_their_way(site, service):
    site.add_webui(port=service, limits=MEMORY, stop={"timeout": "2s"})
    systemctl("reload", UNIT)
    assert not site.status()["config_changed"]
    systemctl("restart", UNIT)
    assert get(service)[0] == 200 and state(UNIT) == "active (running)"
    assert instance_group(site) == f"{unit_group()}/instance.{site.status()['generation']}"
