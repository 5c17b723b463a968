"""upgrade: another program takes the supervisor's place, and then the keeper's; nobody who uses the
service notices, and a program that cannot take over never gets to hold anything."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import windows
from instances import Control, causes, start_puppet, wait_for_status
from logfiles import add_job, numbers, texts, wait_for_text, whole_log
from nthcall import KEEPER
from support import (BUILD, LIMIT, MISBEHAVE, PYTHON, SUFFIX, SVCMGR, WINDOWS, get, pauses,
                     pid_is_alive, processes_with, wait_until)
from test_guard_storm import Census
from test_kill_points import operate, points
from test_survival import KEPT, kill_supervisor, load, wait_for_more

IMPOSTOR = BUILD / "tests" / f"impostor{SUFFIX}"
# What is said of a file that the system does not execute.
NO_PROGRAM = "cannot execute" if WINDOWS else "does not run"
# How impostor.c crashes.
CRASH = "SIGSEGV" if WINDOWS else "SIGABRT"
ROUNDS = int(os.environ.get("SVCMGR_TEST_UPGRADES", "20"))


class Installed:
    """A svcmgr in a directory of its own, which can be replaced as a package does it."""

    def __init__(self, site):
        self.site = site
        self.path = site.directory / "bin" / f"svcmgr{SUFFIX}"
        self.path.parent.mkdir()
        self.replace(SVCMGR)

    def replace(self, program, mode=None):
        """Puts another file in its place; the former one lives on for whoever has it open."""
        fresh = self.path.with_name("svcmgr.new")
        shutil.copy(program, fresh)
        fresh.rename(self.path)
        if mode is not None:
            self.path.with_name("mode").write_text(f"{mode}\n")

    def write(self, text):
        fresh = self.path.with_name("svcmgr.new")
        fresh.write_text(text)
        fresh.chmod(0o755)
        fresh.rename(self.path)

    def run(self, *words, **options):
        return run_program(self.site, self.command(*words), **options)

    def command(self, *words):
        ours = len(self.site.program(SVCMGR))
        return [*self.site.program(str(self.path)), *self.site.command(*words)[ours:]]


def run_program(site, command, **options):
    options.update(env=site.environment, timeout=LIMIT, check=False)
    if WINDOWS:
        return windows.run(command, stdin=subprocess.DEVNULL, **options)
    return subprocess.run(command, text=True, capture_output=True, **options)


@pytest.fixture
def installed(site):
    return Installed(site)


def start_webui(site, installed, **keys):
    port = site.add_webui("web", **keys)
    result = installed.run("start", "web")
    assert result.returncode == 0, result
    return port, site.status("web")


def executable(pid):
    return os.readlink(f"/proc/{pid}/exe")


def words_of(pid):
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]


def upgrade(site, *words):
    result = site.svcmgr("upgrade", "web", *words)
    assert result.code == 0, result
    return site.status("web")


def keeper_runs(path, pid):
    wait_until(lambda: executable(pid) == str(path), f"the keeper runs {path}")


def assert_refused(site, before, *said):
    """The old one is in charge as if nothing had been asked."""
    result = site.svcmgr("upgrade", "web")
    assert result.code == 1 and "not upgraded" in result.err, result
    for words in said:
        assert words in result.err.replace("\\", "/"), result
    after = site.status("web")
    assert {key: after[key] for key in KEPT} == {key: before[key] for key in KEPT}
    assert not (site.state_of("web") / "self-check").exists()
    if not WINDOWS:
        assert len(processes_with(str(site.state_of("web")))) == 2  # keeper and supervisor
    return after


# ---- It takes over ---------------------------------------------------------------------------------


def test_supervisor_and_keeper_run_what_is_on_disk_now(site, installed):
    port, before = start_webui(site, installed)
    installed.replace(SVCMGR)
    assert executable(before["keeper_pid"]).endswith(" (deleted)")
    result = site.svcmgr("upgrade", "web")
    assert result.code == 0, result
    version = before["version"]
    assert result.out == f"web: upgraded from {version} to {version}; pid {before['pid']} went on\n"
    after = site.status("web")
    assert {key: after[key] for key in KEPT} == {key: before[key] for key in KEPT}
    assert after["supervisor_pid"] != before["supervisor_pid"]
    assert (after["state"], after["listen"][0]["held"]) == ("ready", True)
    assert executable(after["supervisor_pid"]) == str(installed.path)
    keeper_runs(installed.path, after["keeper_pid"])
    assert get(port)[0] == 200
    told = causes(site, "web", "upgrade") + causes(site, "web", "supervisor")
    assert len(told) == 2 and str(installed.path) in told[0] and "upgraded" in told[1]
    assert not (site.state_of("web") / "self-check").exists()


def test_the_same_file_again_and_again(site, installed):
    port, before = start_webui(site, installed)
    for _ in range(5):
        status = upgrade(site)
        assert {key: status[key] for key in KEPT} == {key: before[key] for key in KEPT}
    wait_until(lambda: words_of(before["keeper_pid"]).count("--resume") == 1)
    assert get(port)[0] == 200
    result = site.svcmgr("stop", "web")
    assert result.code == 0 and not processes_with(str(site.state_of("web")))


def test_what_the_keeper_did_before_it_does_after(site, installed):
    """It revives a supervisor, keeps exit statuses, takes signals, and ends with the right code."""
    port, before = start_webui(site, installed, restart={"delay": "1ms", "burst": 0})
    upgrade(site)
    keeper_runs(installed.path, before["keeper_pid"])
    kill_supervisor(site)
    assert get(port)[0] == 200
    os.kill(before["pid"], signal.SIGKILL)
    after = wait_for_status(site, "web", lambda now: now["restarts"] == 1 and
                            now["state"] == "ready")
    assert after["keeper_pid"] == before["keeper_pid"]
    os.kill(before["keeper_pid"], signal.SIGTERM)
    wait_until(lambda: not pid_is_alive(before["keeper_pid"]))
    assert site.status("web")["state"] == "stopped"
    assert not processes_with(str(site.state_of("web")))


def test_in_the_foreground_it_stays_the_caller_s_child(site, installed):
    port = site.add_webui("web")
    running = subprocess.Popen([str(installed.path), *site.command("run", "web")[1:]],
                               env=site.environment, stderr=subprocess.PIPE, text=True)
    site.children.append(running)
    before = site.wait_for_state("web", "ready")
    assert before["keeper_pid"] == running.pid
    upgrade(site)
    keeper_runs(installed.path, running.pid)
    assert get(port)[0] == 200
    assert site.svcmgr("stop", "web").code == 0
    assert running.wait(LIMIT) == 0
    site.children.remove(running)


def test_all_that_run_and_only_those(site, installed):
    for name in ("one", "two", "three"):
        site.add_webui(name)
    for name in ("one", "three"):
        assert installed.run("start", name).returncode == 0
    before = [site.status(name) for name in ("one", "three")]
    result = site.svcmgr("upgrade", "--all")
    assert result.code == 0, result
    assert [line.split(":")[0] for line in result.out.splitlines()] == ["one", "three"]
    after = [site.status(name) for name in ("one", "three")]
    assert [status["pid"] for status in after] == [status["pid"] for status in before]
    assert all(a["supervisor_pid"] != b["supervisor_pid"] for a, b in zip(after, before))
    assert site.svcmgr("upgrade", "two").code == 7
    assert site.svcmgr("upgrade").code == 2


def test_json(site, installed):
    _, before = start_webui(site, installed)
    result = site.svcmgr("upgrade", "web", "--json")
    document = json.loads(result.out)
    document["executable"] = document["executable"].replace("\\", "/")
    after = site.status("web")
    assert document == {
        "name": "web", "former_version": before["version"], "version": before["version"],
        "supervisor_pid": after["supervisor_pid"], "pid": before["pid"],
        "executable": site.native(installed.path), "ended_commands": 0}


def test_another_file_by_name(site, installed):
    _, before = start_webui(site, installed)
    other = site.directory / "other"
    shutil.copy(SVCMGR, other)
    status = upgrade(site, "--executable", str(other))
    assert executable(status["supervisor_pid"]) == str(other)
    keeper_runs(other, status["keeper_pid"])
    with Control(site, "web") as control:
        assert control.call("upgrade", executable="other")["error"]["code"] == -32602
        assert control.call("upgrade", executable=7)["error"]["code"] == -32602
        known = control.call("upgrade", executable=None,
                             former_supervisor=before["supervisor_pid"])
        assert known["result"]["executable"] == str(other)


@pytest.mark.parametrize("state", ["failed", "backoff"])
def test_also_while_nothing_runs(site, installed, state):
    site.add("web", [MISBEHAVE, "sleep", "100", "exit", "3"], settle="10ms",
             restart={"when": "always", "delay": "1ms" if state == "failed" else "1h",
                      "max_delay": "1h", "burst": 1})
    assert installed.run("start", "web").returncode == 0
    before = site.wait_for_state("web", state)
    after = upgrade(site)
    assert (after["state"], after["restarts"]) == (state, before["restarts"])
    assert after["last_exit"] == before["last_exit"]
    assert site.svcmgr("stop", "web").code == 0


def test_nobody_who_asks_notices(site, installed):
    port, before = start_webui(site, installed)
    with load(port) as (answered, failed):
        for _ in range(ROUNDS):
            wait_for_more(answered, 5)
            after = upgrade(site)
            assert {key: after[key] for key in KEPT} == {key: before[key] for key in KEPT}
        wait_for_more(answered)
    assert failed == []


def test_not_a_line_of_the_output_is_lost(site, installed):
    count = 20000
    add_job(site, "notify-ready", "lines", str(count), "50", ready="notify",
            logs={"max_size": "64KiB", "keep": 1000})
    assert installed.run("start", "web").returncode == 0
    for _ in range(10):
        upgrade(site)
    wait_for_text(site, f"line {count}\n")
    assert numbers(texts(whole_log(site))) == list(range(1, count + 1))


def test_a_stop_that_comes_while_the_keeper_changes_its_program(site):
    """At any system call that it makes meanwhile: the signal waits until somebody takes it."""
    site.without_leak_check()
    Census(site, stop={"timeout": "300ms"})
    calls = operate(site, "upgrade", KEEPER, "count").calls
    assert site.svcmgr("stop", "webui").code == 0
    assert len(calls) >= 50, calls
    chosen = points(calls)
    hit = 0
    for point in chosen:
        outcome = operate(site, "upgrade", KEEPER, "term", *point)
        hit += outcome.acted is not None
        assert outcome.code in (0, 1, 7, 8), (point, outcome)
        if outcome.acted is not None:
            wait_until(lambda: not processes_with(str(site.state_dir)), f"the end after {point}")
            assert site.status()["state"] == "stopped", point
        assert site.svcmgr("stop", "webui").code == 0
    assert hit >= len(chosen) // 2, "the processes do something else each time"


# ---- It cannot -------------------------------------------------------------------------------------


def assert_refused_until_it_is_mended(site, installed, port, before, said):
    after = assert_refused(site, before, site.native(installed.path), said)
    assert after["supervisor_pid"] == before["supervisor_pid"]
    assert get(port)[0] == 200
    assert any("not upgraded" in cause for cause in causes(site, "web", "upgrade"))
    installed.replace(SVCMGR)
    upgrade(site)


@pytest.mark.parametrize("mode, said", [
    ("check-fails", "failed with code 1: the record is of an unknown kind"),
    ("check-knows-no-option", "failed with code 2: no such option"),
    ("check-says-nothing", "is not svcmgr: it said \"\""),
    ("check-lies", "is not svcmgr: it said \"hello\""),
    ("check-crashes", f"ended by {CRASH}"),
])
def test_what_does_not_pass_its_self_check_is_refused(site, installed, mode, said):
    port, before = start_webui(site, installed)
    installed.replace(IMPOSTOR, mode)
    assert_refused_until_it_is_mended(site, installed, port, before, said)


@pytest.mark.parametrize("text", ["#!/no/such/interpreter\n", "\177ELF is not enough", ""])
def test_what_is_no_program_is_refused(site, installed, text):
    port, before = start_webui(site, installed)
    installed.write(text)
    assert_refused_until_it_is_mended(site, installed, port, before, NO_PROGRAM)


def test_a_script_is_executed_and_does_not_pass_either(site, installed):
    port, before = start_webui(site, installed)
    installed.write("#!/bin/sh\nexit 3\n")
    assert_refused_until_it_is_mended(site, installed, port, before, "failed with code 3")


def checks(site):
    """The processes of a self-check."""
    return processes_with(str(site.state_of("web") / "self-check"))


def test_a_self_check_that_hangs_is_ended(site, installed):
    _, before = start_webui(site, installed)
    installed.replace(IMPOSTOR, "check-hangs")
    upgrading = site.spawn("upgrade", "web", stderr=subprocess.DEVNULL)
    wait_until(lambda: len(checks(site)) == 2, "it hangs, and so does its child")
    after = assert_refused(site, before, "did not end its self-check in 5 s")
    assert upgrading.wait(LIMIT) == 1
    assert after["supervisor_pid"] == before["supervisor_pid"]
    wait_until(lambda: not checks(site), "their end")


def test_a_stop_does_not_wait_for_a_self_check(site, installed):
    start_webui(site, installed)
    installed.replace(IMPOSTOR, "check-hangs")
    with open(site.directory / "said", "w+", encoding="utf-8") as said:
        upgrading = site.spawn("upgrade", "web", stderr=said)
        wait_until(lambda: len(checks(site)) == 2, "it hangs, and so does its child")
        result = site.svcmgr("stop", "web")
        assert result.code == 0, result
        assert upgrading.wait(LIMIT) == 1
        said.seek(0)
        assert "asked to stop meanwhile" in said.read()
    wait_until(lambda: not processes_with(str(site.directory / "state")), "what was killed is gone")
    assert not (site.state_of("web") / "self-check").exists()


@pytest.mark.parametrize("mode, said", [
    ("exit", "it exited with code 7"), ("crash", "it was ended by SIGABRT"),
    ("hang", "it did not take over in 5 s"),
])
def test_one_that_passes_and_does_not_take_over_is_replaced(site, installed, mode, said):
    """The former program is back, with the same instance, and says why."""
    port, before = start_webui(site, installed)
    former = executable(before["keeper_pid"])
    installed.replace(IMPOSTOR, mode)
    with load(port) as (answered, failed):
        after = assert_refused(site, before, said, "goes on")
        wait_for_more(answered)
    assert failed == []
    assert after["supervisor_pid"] != before["supervisor_pid"]
    for key in ("supervisor_pid", "keeper_pid"):
        assert executable(after[key]) == f"{former} (deleted)"
    assert get(port)[0] == 200
    assert any(said in cause for cause in causes(site, "web", "supervisor"))
    installed.replace(SVCMGR)
    upgrade(site)
    keeper_runs(installed.path, before["keeper_pid"])


def test_a_file_that_changes_during_its_self_check(site, installed):
    """What was proved is not what would run."""
    _, before = start_webui(site, installed)
    shutil.copy(SVCMGR, installed.path.with_name("other"))
    installed.replace(IMPOSTOR, "check-changes")
    after = assert_refused(site, before, "was changed during its self-check")
    assert after["supervisor_pid"] == before["supervisor_pid"]


@pytest.mark.parametrize("keeper, spoil, said", [
    ("1", None, "svcmgr "), ("2", None, "speaks version 1 with its keeper, not 2"),
    ("1", "record", "record"), ("1", "config.json", "config.json:1:"),
])
def test_what_a_self_check_looks_at(site, installed, keeper, spoil, said):
    start_webui(site, installed)
    copy = site.directory / "copy"
    copy.mkdir(mode=0o700)
    for name in ("record", "config.json"):
        shutil.copy(site.state_of("web") / name, copy)
    if spoil:
        (copy / spoil).write_text("{")
    done = run_program(site, [*site.program(SVCMGR), "self-check", "web", "--config",
                              site.native(copy / "config.json"), "--state", site.native(copy),
                              "--keeper", keeper])
    assert (done.returncode == 0) is (keeper == "1" and not spoil)
    assert said in done.stdout + done.stderr, done


def test_a_file_that_is_gone(site, installed):
    _, before = start_webui(site, installed)
    installed.path.unlink()
    assert_refused(site, before, str(installed.path), "No such file")


def test_a_crash_after_a_package_update_starts_no_unchecked_program(site, installed):
    port, before = start_webui(site, installed)
    installed.write("#!/bin/sh\nexit 1\n")
    after = kill_supervisor(site)
    assert after["pid"] == before["pid"] and get(port)[0] == 200
    assert executable(after["supervisor_pid"]).endswith(" (deleted)")


def test_without_a_keeper_it_is_refused(site, installed):
    _, before = start_webui(site, installed)
    os.kill(before["keeper_pid"], signal.SIGKILL)
    wait_for_status(site, "web", lambda now: now["keeper_pid"] is None)
    result = site.svcmgr("upgrade", "web")
    assert result.code == 1 and "its keeper has died" in result.err, result


def test_who_waits_for_a_restart_gets_an_answer(site, installed):
    """Its connection ends with the former supervisor, and it asks the next one."""
    puppet, before = start_puppet(site, start_timeout="1h")
    del installed
    restarting = site.spawn("restart", "web", stdout=subprocess.PIPE)
    wait_for_status(site, "web", lambda now: now["state"] in ("starting", "replacing") and
                    now["pid"] not in (None, before["pid"]))
    upgrade(site)
    puppet.notify("READY=1")
    assert restarting.wait(LIMIT) == 0
    assert "replaced" in restarting.stdout.read()


def test_self_check_is_not_for_people(site):
    site.add("web", [PYTHON, "-V"])
    result = site.svcmgr("self-check", "web")
    assert result.code == 2 and "started by upgrade only" in result.err, result


def test_an_idle_keeper_sleeps_after_it_too(site, installed):
    site.add("web", [MISBEHAVE, "sleep-forever"], settle="10ms")
    assert installed.run("start", "web").returncode == 0
    before = site.status("web")
    status = upgrade(site)
    keeper_runs(installed.path, before["keeper_pid"])
    pids = (status["keeper_pid"], status["supervisor_pid"])
    before = [pauses(pid) for pid in pids]
    for _ in range(20):
        assert site.svcmgr("status", "web").code == 0
    assert pauses(pids[0]) - before[0] < 10
