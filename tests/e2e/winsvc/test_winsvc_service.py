"""Services of the real service control manager of Windows, or of Wine's."""

import itertools
import os
import shutil
import subprocess

import pytest
import windows
from support import (LIMIT, MISBEHAVE, SVCMGR, WEBUI, alive, end_process, free_port, get,
                     wait_until)
from visitors import Visitors

NUMBERS = itertools.count()


@pytest.fixture
def service(site):
    """A name that no other test has: there is one manager for all of them."""
    name = f"web-{os.getpid()}-{next(NUMBERS)}"
    yield name
    # With its configuration as it was: it may have been made invalid.
    site.svcmgr("--system", "uninstall", name)


def tool(*words):
    """What a tool of Windows says."""
    return windows.run([windows.WINE, *words], check=False, timeout=LIMIT,
                       stdin=subprocess.DEVNULL,
                       env={**os.environ, **windows.environment(SVCMGR.rsplit("/", 2)[0])}).stdout


def control(*words):
    return tool("sc", *words)


def query(name):
    """What it says of a service: a word for the state, and its numbers."""
    found = {}
    for line in control("query", f"svcmgr-{name}").splitlines():
        key, _, value = line.partition(":")
        found[key.strip()] = value.split()
    if "STATE" not in found:
        return None
    return {"state": found["STATE"][1], "win32": int(found["WIN32_EXIT_CODE"][0]),
            "code": int(found["SERVICE_EXIT_CODE"][0]),
            "check_point": int(found["CHECKPOINT"][0], 16)}


def await_state(name, state):
    found = {}

    def is_so():
        found.update(query(name) or {})
        return found if found.get("state") == state else None

    try:
        return wait_until(is_so, f"{name} {state}")
    except AssertionError as failed:
        raise AssertionError(f"{failed}; it is {found}") from failed


def install(site, name, *options):
    result = site.svcmgr("--system", "install", name, *options)
    assert result.code == 0, result
    return result


def add(site, name, **keys):
    return site.add_webui(name, stop={"timeout": "300ms"}, **keys)


def test_its_life(site, service):
    port = add(site, service)
    report = install(site, service).out
    assert f"made service svcmgr-{service}" in report and "\n-" not in report
    line = tool("reg", "query", f"HKLM\\System\\CurrentControlSet\\Services\\svcmgr-{service}",
                "/v", "ImagePath")
    assert f' "{windows.path(SVCMGR)}" --system '.replace("/", "\\") in line, line
    again = install(site, service)
    assert "is installed already" in again.out and "made" not in again.out
    started = site.svcmgr("--system", "start", service)
    assert started.code == 0 and "started by winsvc" in started.out, started
    found = query(service)
    assert found["state"] == "RUNNING" and found["check_point"] == 0
    status = site.status(service)
    assert status["state"] == "ready"
    assert status["launcher"] == {"kind": "winsvc", "unit": f"svcmgr-{service}"}
    assert status["installed"] == [{"kind": "winsvc", "unit": f"svcmgr-{service}",
                                    "scope": "system", "enabled": True}]
    assert get(port)[0] == 200
    control("stop", f"svcmgr-{service}")
    ended = await_state(service, "STOPPED")
    assert (ended["win32"], ended["code"]) == (0, 0)
    assert site.status(service)["state"] == "stopped"
    assert site.svcmgr("--system", "start", service).code == 0
    removed = site.svcmgr("--system", "uninstall", service)
    assert removed.code == 0 and f"removed service svcmgr-{service}" in removed.out, removed
    assert query(service) is None
    assert site.status(service)["state"] == "stopped"
    assert "is not installed" in site.svcmgr("--system", "uninstall", service).out


def test_it_runs_only_when_it_is_ready(site, service):
    sign = site.directory / "sign"
    port = free_port()
    site.add(service, [MISBEHAVE, "wait-for", sign, "bind", "env", "serve"],
             listen={"address": f"127.0.0.1:{port}", "socket": "self"},
             health={"http": "/health"}, start_timeout="5m", stop={"timeout": "300ms"})
    install(site, service)
    control("start", f"svcmgr-{service}")
    site.wait_for_state(service, "starting")
    found = query(service)
    assert found["state"] == "START_PENDING" and found["check_point"] >= 1
    sign.touch()
    assert await_state(service, "RUNNING")["check_point"] == 0
    assert site.status(service)["state"] == "ready"


def test_a_start_that_fails_ends_with_our_code(site, service):
    add(site, service)
    install(site, service)
    whole = (site.config_dir / f"{service}.json").read_text()
    (site.config_dir / f"{service}.json").write_text('{"command": []}')
    control("start", f"svcmgr-{service}")
    ended = await_state(service, "STOPPED")
    assert (ended["win32"], ended["code"]) == (0, 6)
    words = (site.state_of(service) / "winsvc.log").read_text()
    assert "the configuration is invalid" in words and "ended with code 6" in words
    (site.config_dir / f"{service}.json").write_text(whole)
    assert site.svcmgr("--system", "start", service).code == 0


def test_behind_a_stranger_it_stands_by(site, service):
    port = add(site, service, bind_timeout="200ms", probe_timeout="200ms")
    other = site.stranger(MISBEHAVE, "listen-silent", f"127.0.0.1:{port}")
    wait_until(lambda: listens(port), "the stranger")
    install(site, service)
    result = site.svcmgr("--system", "start", service)
    assert result.code == 0 and "standing by" in result.out, result
    assert query(service)["state"] == "RUNNING" and other.poll() is None
    other.kill()
    site.wait_for_state(service, "ready")


def listens(port):
    for line in open("/proc/net/tcp", encoding="ascii"):
        words = line.split()
        if words[3] == "0A" and words[1].endswith(f":{port:04X}"):
            return True
    return False


def test_a_child_that_dies_is_ours_to_restart(site, service):
    add(site, service)
    install(site, service)
    assert site.svcmgr("--system", "start", service).code == 0
    before = site.status(service)
    end_process(before["pid"])
    after = wait_until(lambda: (now := site.status(service))["state"] == "ready" and
                       now["pid"] != before["pid"] and now, "another instance")
    assert after["supervisor_pid"] == before["supervisor_pid"]
    assert after["generation"] == before["generation"] + 1
    assert query(service)["state"] == "RUNNING"


def test_a_start_by_hand_first(site, service):
    add(site, service)
    install(site, service)
    assert site.svcmgr("--system", "start", "--direct", service).code == 0
    by_hand = site.status(service)
    control("start", f"svcmgr-{service}")
    await_state(service, "RUNNING")
    both = wait_until(lambda: (now := site.status(service))["standby"] and now, "the standby")
    assert both["pid"] == by_hand["pid"] and both["generation"] == 1
    assert [one["launcher"] for one in both["standby"]] == ["winsvc"]
    stopped = site.svcmgr("--system", "stop", service)
    assert stopped.code == 0, stopped
    assert query(service)["state"] == "STOPPED"
    assert site.status(service)["state"] == "stopped"


def test_a_start_by_hand_second(site, service):
    add(site, service)
    install(site, service)
    control("start", f"svcmgr-{service}")
    await_state(service, "RUNNING")
    before = site.status(service)
    for words, code in ((["start", service], 0), (["start", "--direct", service], 0),
                        (["run", service], 10)):
        result = site.svcmgr("--system", *words)
        assert result.code == code, result
    assert site.status(service)["pid"] == before["pid"]


def test_an_upgrade_is_refused_with_what_to_type(site, service):
    port = add(site, service)
    install(site, service)
    assert site.svcmgr("--system", "start", service).code == 0
    before = site.status(service)
    result = site.svcmgr("--system", "upgrade", service)
    assert result.code == 1 and "winsvc has started it and watches that very process" in result.err
    assert f"svcmgr stop {service}, then svcmgr start {service}" in result.err, result
    after = site.status(service)
    assert (after["pid"], after["supervisor_pid"]) == (before["pid"], before["supervisor_pid"])
    assert query(service)["state"] == "RUNNING" and get(port)[0] == 200


def test_behind_a_start_by_hand_that_is_upgraded_it_still_stands_by(site, service):
    """The lock goes to the new supervisor, however often the service tries to get it."""
    port = add(site, service)
    install(site, service)
    assert site.svcmgr("--system", "start", "--direct", service).code == 0
    before = site.status(service)
    control("start", f"svcmgr-{service}")
    await_state(service, "RUNNING")
    for _ in range(3):
        wait_until(lambda: site.status(service)["standby"], "the standby")
        result = site.svcmgr("--system", "upgrade", service)
        assert result.code == 0, result
        after = site.status(service)
        assert (after["pid"], after["generation"]) == (before["pid"], 1) and get(port)[0] == 200
    wait_until(lambda: site.status(service)["standby"], "the standby")
    assert query(service)["state"] == "RUNNING"


def test_both_at_once(site, service):
    port = add(site, service)
    install(site, service)
    for _ in range(int(os.environ.get("SVCMGR_TEST_BOTH", "5"))):
        by_hand = site.spawn("--system", "start", "--direct", service,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        said = control("start", f"svcmgr-{service}")
        code = by_hand.wait(LIMIT)
        assert code in (0, 10)  # 10: the service was on its way already
        try:
            await_state(service, "RUNNING")
        except AssertionError as failed:
            words = site.state_of(service) / "winsvc.log"
            raise AssertionError(f"{failed}; by hand {code}; sc said {said}; it said "
                                 f"{words.read_text() if words.exists() else None}; "
                                 f"{site.events(service)[-6:]}") from failed
        status = site.wait_for_state(service, "ready")
        assert status["generation"] == 1 and get(port)[0] == 200
        assert site.svcmgr("--system", "stop", service).code == 0
        assert query(service)["state"] == "STOPPED"


def test_sc_stop_leaves_nothing_of_a_tree_that_ignores_everything(site, service):
    pids = site.directory / "pids"
    site.add(service, [MISBEHAVE, "pids", pids, "fork-tree", "2", "2", "double-fork", "ignore",
                       "TERM", "sleep-forever"])
    install(site, service)
    assert site.svcmgr("--system", "start", service).code == 0
    status = site.status(service)
    wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 7, "seven processes")
    tree = [status["pid"], *map(int, pids.read_text().split())]
    assert alive(tree) == tree
    control("stop", f"svcmgr-{service}")
    ended = await_state(service, "STOPPED")
    assert (ended["win32"], ended["code"]) == (0, 0)
    assert not alive(tree)
    wait_until(lambda: not alive([status["supervisor_pid"]]), "the end of the service's process")


def test_no_connection_is_refused_while_the_service_is_restarted(site, service):
    port = add(site, service)
    install(site, service)
    assert site.svcmgr("--system", "start", service).code == 0
    with Visitors(port) as visitors:
        for generation in (2, 3, 4):
            result = site.svcmgr("--system", "restart", service)
            assert result.code == 0, result
            assert site.status(service)["generation"] == generation
    visitors.assert_none_refused()
    assert query(service)["state"] == "RUNNING"


def test_a_path_with_blanks_is_quoted(site, service):
    program = site.directory / "Program Files" / "svcmgr.exe"
    program.parent.mkdir()
    shutil.copy(SVCMGR, program)
    add(site, service)
    words = site.command("--system")
    site.command = lambda *more: [words[0], str(program), *words[2:-1],
                                  *map(site.native, more)]
    install(site, service)
    assert site.svcmgr("--system", "start", service).code == 0
    assert query(service)["state"] == "RUNNING"
    assert site.svcmgr("--system", "stop", service).code == 0
    words = site.command("--system")
    site.command = lambda *more: [words[0], SVCMGR, *words[2:-1], *map(site.native, more)]
    program.unlink()
    result = site.svcmgr("--system", "start", service)
    assert result.code == 1 and "cannot start the service" in result.err, result


def test_somebody_elses_is_left_alone(site, service):
    add(site, service)
    control("create", f"svcmgr-{service}", "binPath=", windows.path(WEBUI))
    try:
        result = site.svcmgr("--system", "install", service)
        assert result.code == 1 and "svcmgr did not make" in result.err, result
        assert query(service)["state"] == "STOPPED"
        assert "is not installed" in site.svcmgr("--system", "uninstall", service).out
    finally:
        control("delete", f"svcmgr-{service}")


def test_what_was_changed_by_hand_is_made_again(site, service):
    add(site, service, description="Our web")
    install(site, service)
    control("description", f"svcmgr-{service}", "Another")
    report = install(site, service).out
    assert f"changed service svcmgr-{service}" in report, report
    assert '-  "description": "Another"' in report
    assert '+  "description": "Our web"' in report
    assert "is installed already" in install(site, service).out


def test_users_have_none(site, service):
    add(site, service)
    result = site.svcmgr("--user", "install", service)
    assert result.code == 2 and "--task" in result.err, result
