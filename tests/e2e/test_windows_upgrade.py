"""upgrade where there is no keeper: the supervisor hands over to a new process, and goes on if that
one does not take over."""

import shutil
import subprocess

import pytest
from instances import causes, wait_for_status
from logfiles import numbers, texts, whole_log
from support import (LIMIT, MISBEHAVE, SVCMGR, WINDOWS, end_process, get, pid_is_alive,
                     processes_with, wait_until)
from test_survival import KEPT, load, wait_for_more
from test_upgrade import IMPOSTOR, Installed, start_webui, upgrade

pytestmark = pytest.mark.skipif(not WINDOWS, reason="elsewhere a keeper starts the successor")


@pytest.fixture
def installed(site):
    return Installed(site)


def kept(status):
    return {key: status[key] for key in KEPT}


def lock_line(site, name="web"):
    return int((site.state_of(name) / "pid").read_text())


def wait_for_exit(site, code, signal=None, name="web"):
    status = wait_for_status(site, name, lambda now: now["last_exit"] is not None, "the exit")
    assert (status["last_exit"]["code"], status["last_exit"]["signal"]) == (code, signal), status
    return status


# ---- It takes over ---------------------------------------------------------------------------------


def test_the_instance_goes_on_under_another_process_again_and_again(site, installed):
    port, before = start_webui(site, installed)
    seen = {before["supervisor_pid"]}
    for _ in range(3):
        installed.replace(SVCMGR)
        after = upgrade(site)
        assert kept(after) == kept(before)
        assert (after["state"], after["listen"][0]["held"]) == ("ready", True)
        assert after["supervisor_pid"] not in seen
        assert lock_line(site) == after["supervisor_pid"]
        seen.add(after["supervisor_pid"])
    gone = seen - {after["supervisor_pid"]}
    wait_until(lambda: not any(map(pid_is_alive, gone)), "the end of the former supervisors")
    assert get(port)[0] == 200
    told = causes(site, "web", "supervisor")
    assert len(told) == 3 and all("has taken over" in cause for cause in told), told
    assert not (site.state_of("web") / "self-check").exists()


def test_no_connection_is_refused_and_none_is_lost(site, installed):
    port, before = start_webui(site, installed)
    with load(port) as (answered, failed):
        for _ in range(3):
            wait_for_more(answered, 5)
            assert kept(upgrade(site)) == kept(before)
        wait_for_more(answered)
    assert failed == []


def test_not_a_line_of_the_output_is_lost(site, installed):
    count = 3000
    site.add("web", [MISBEHAVE, "lines", count, "1000", "print", "the end", "sleep-forever"],
             settle="10ms", logs={"max_size": "64KiB", "keep": 1000})
    assert installed.run("start", "web").returncode == 0
    rounds = 0
    while b"the end\n" not in whole_log(site):
        upgrade(site)
        rounds += 1
    assert rounds > 1
    lines = texts(whole_log(site))
    assert lines.pop() == b"the end"
    assert numbers(lines) == list(range(1, count + 1))


def test_both_streams_are_handed_over(site, installed):
    """Also what was printed before, which nobody has read yet, and half a line."""
    sign = site.directory / "sign"
    site.add("web", [MISBEHAVE, "no-newline", "half ", "wait-for", sign, "print", "a line",
                     "print-err", "to the other", "sleep-forever"],
             settle="10ms", logs={"streams": "separate", "timestamps": False})
    assert installed.run("start", "web").returncode == 0
    wait_until(lambda: b"half " in whole_log(site))
    upgrade(site)
    sign.touch()
    wait_until(lambda: b"to the other\n" in whole_log(site))
    assert b"half a line\n" in whole_log(site)


@pytest.mark.parametrize("code", [0, 3, 41])
def test_its_exit_code_is_known_afterwards(site, installed, code):
    sign = site.directory / "sign"
    site.add("web", [MISBEHAVE, "wait-for", sign, "exit", code], settle="10ms",
             restart={"when": "never"})
    assert installed.run("start", "web").returncode == 0
    upgrade(site)
    sign.touch()
    wait_until(lambda: (site.state_of("web") / "events").read_text().count('"exit"') == 1)
    assert site.status("web")["last_exit"]["code"] == code


def test_it_is_restarted_after_a_crash_and_on_demand(site, installed):
    port, before = start_webui(site, installed, restart={"delay": "1ms", "burst": 0})
    upgrade(site)
    end_process(before["pid"])
    after = wait_for_status(site, "web", lambda now: now["restarts"] == 1 and
                            now["state"] == "ready")
    assert after["pid"] != before["pid"] and get(port)[0] == 200
    upgrade(site)
    assert site.svcmgr("restart", "web").code == 0
    last = site.status("web")
    assert last["generation"] == 3 and last["restarts"] == 1 and get(port)[0] == 200
    assert last["last_exit"]["signal"] == "KILL"


def test_a_stop_after_it_leaves_nothing_behind(site, installed):
    pids = site.directory / "pids"
    site.add("web", [MISBEHAVE, "pids", pids, "fork-tree", "2", "2", "double-fork", "ignore",
                     "TERM", "sleep-forever"])
    assert installed.run("start", "web").returncode == 0
    wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 7, "seven processes")
    upgrade(site)
    upgrade(site)
    assert site.svcmgr("stop", "web").code == 0
    assert [pid for pid in pids.read_text().split() if pid_is_alive(pid)] == []
    assert not processes_with(str(site.directory / "state"))


def test_what_is_left_of_a_tree_is_handed_over_too(site, installed):
    """In the middle of a stop: the main process has ended, and the others do not want to."""
    pids = site.directory / "pids"
    sign = site.directory / "sign"
    site.add("web", [MISBEHAVE, "pids", pids, "fork-tree", "1", "2", "wait-for", sign, "exit", "3"],
             settle="10ms",
             stop={"timeout": "1h", "command": [site.native(MISBEHAVE), "touch", site.native(sign)]})
    assert installed.run("start", "web").returncode == 0
    wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2, "two processes")
    stopping = site.spawn("stop", "web", stdout=subprocess.DEVNULL)
    wait_for_exit(site, 3)
    upgrade(site)
    assert all(map(pid_is_alive, pids.read_text().split()))
    assert site.svcmgr("stop", "web", "--now").code == 0
    assert stopping.wait(LIMIT) == 0
    assert not any(map(pid_is_alive, pids.read_text().split()))
    assert causes(site, "web", "exit") == ["exited with code 3"]


def test_a_supervisor_that_is_killed_after_it_takes_its_instance_along(site, installed):
    port, before = start_webui(site, installed)
    after = upgrade(site)
    end_process(after["supervisor_pid"])
    wait_until(lambda: not pid_is_alive(before["pid"]), "the end of the instance")
    assert site.status("web")["state"] == "stopped"
    assert installed.run("start", "web").returncode == 0
    assert get(port)[0] == 200


def test_another_file_by_name(site, installed):
    _, before = start_webui(site, installed)
    other = site.directory / "other.exe"
    shutil.copy(SVCMGR, other)
    result = site.svcmgr("upgrade", "web", "--executable", other, "--json")
    assert result.code == 0, result
    assert result.json()["executable"].replace("\\", "/") == site.native(other)
    assert kept(site.status("web")) == kept(before)
    missing = site.svcmgr("upgrade", "web", "--executable", site.directory / "missing.exe")
    assert missing.code == 1 and "cannot open" in missing.err, missing
    assert kept(site.status("web")) == kept(before)


def test_commands_that_run_end_and_are_counted(site, installed):
    start_webui(site, installed)
    running = [site.spawn("exec", "web", "--", MISBEHAVE, "print", "runs", "sleep-forever",
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    for one in running:
        assert one.stdout.readline() == "runs\n"
    result = site.svcmgr("upgrade", "web")
    assert result.code == 0, result
    assert "; 2 commands of svcmgr exec ended" in result.out, result
    for one in running:
        assert one.wait(LIMIT) == 125
    assert site.svcmgr("exec", "web", "--", MISBEHAVE, "exit", "5").code == 5


def test_nobody_gets_in_between(site, installed):
    """Whoever starts it meanwhile finds it running, all the time."""
    _, before = start_webui(site, installed)
    for _ in range(3):
        starting = [site.spawn("start", "web", stdout=subprocess.DEVNULL) for _ in range(2)]
        after = upgrade(site)
        assert [one.wait(LIMIT) for one in starting] == [0, 0]
        assert kept(after) == kept(before)
    assert [entry["event"] for entry in site.events("web")].count("state") == 1


def test_in_the_foreground_the_first_process_stays_as_long_as_the_service(site, installed):
    sign = site.directory / "sign"
    site.add("web", [MISBEHAVE, "wait-for", sign, "exit", "7"], settle="10ms",
             restart={"when": "never"})
    running = subprocess.Popen(installed.command("run", "web", "--exit-code-from-instance"),
                               env=site.environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    site.children.append(running)
    before = site.wait_for_state("web", "ready")
    for _ in range(2):
        assert kept(upgrade(site)) == kept(before)
    assert pid_is_alive(before["supervisor_pid"]) and running.poll() is None
    sign.touch()
    assert running.wait(LIMIT) == 7
    assert site.status("web")["state"] == "stopped"


def test_the_first_process_of_a_run_keeps_nothing(site, installed):
    """A port that is given up is free, though it waits for its successor."""
    port = site.add_webui("web")
    running = subprocess.Popen(installed.command("run", "web"), env=site.environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    site.children.append(running)
    site.wait_for_state("web", "ready")
    upgrade(site)
    other = site.add_webui("web")
    assert site.svcmgr("restart", "web").code == 0
    assert get(other)[0] == 200
    site.add_webui("beside", port=port)
    result = site.svcmgr("start", "beside")
    assert result.code == 0, result
    assert site.svcmgr("stop", "web").code == 0
    assert running.wait(LIMIT) == 0


# ---- It cannot -------------------------------------------------------------------------------------


def assert_goes_on(site, before, *said):
    """The same supervisor is in charge as if nothing had been asked."""
    result = site.svcmgr("upgrade", "web")
    assert result.code == 1 and "not upgraded" in result.err, result
    for words in said:
        assert words in result.err, result
    after = site.status("web")
    assert kept(after) == kept(before)
    assert after["supervisor_pid"] == before["supervisor_pid"] == lock_line(site)
    assert not (site.state_of("web") / "self-check").exists()


@pytest.mark.parametrize("mode, said", [
    ("exit", "it exited with code 7"), ("crash", "it was ended by SIGSEGV"),
    ("hang", "it did not take over in 5 s"), ("greets-exit", "it exited with code 7"),
    ("greets-hang", "it did not take over in 5 s"), ("greets-spoils", "it exited with code 7"),
])
def test_one_that_passes_and_does_not_take_over_changes_nothing(site, installed, mode, said):
    """It may have said hello, and got a handle of everything there is."""
    port, before = start_webui(site, installed)
    installed.replace(IMPOSTOR, mode)
    marker = (site.state_of("web") / "control.json").read_bytes()
    with load(port) as (answered, failed):
        assert_goes_on(site, before, said, "goes on")
        wait_for_more(answered)
    assert failed == []
    assert any(said in cause for cause in causes(site, "web", "supervisor"))
    assert (site.state_of("web") / "control.json").read_bytes() == marker
    assert site.svcmgr("restart", "web").code == 0
    assert get(port)[0] == 200
    installed.replace(SVCMGR)
    upgrade(site)
    assert site.svcmgr("stop", "web").code == 0
    wait_until(lambda: not processes_with(str(site.state_of("web"))), "the end")


def test_a_file_that_is_gone(site, installed):
    port, before = start_webui(site, installed)
    installed.path.unlink()
    assert_goes_on(site, before, "cannot open")
    assert get(port)[0] == 200


def test_output_goes_on_where_it_was_after_one_that_did_not_take_over(site, installed):
    count = 2000
    site.add("web", [MISBEHAVE, "lines", count, "1000", "print", "the end", "sleep-forever"],
             settle="10ms")
    assert installed.run("start", "web").returncode == 0
    before = site.status("web")
    installed.replace(IMPOSTOR, "greets-exit")
    while b"the end\n" not in whole_log(site):
        assert_goes_on(site, before, "it exited with code 7")
    lines = texts(whole_log(site))
    assert lines.pop() == b"the end"
    assert numbers(lines) == list(range(1, count + 1))


def test_a_stop_does_not_wait_for_one_that_hangs(site, installed):
    start_webui(site, installed)
    installed.replace(IMPOSTOR, "hang")
    with open(site.directory / "said", "w+", encoding="utf-8") as said:
        upgrading = site.spawn("upgrade", "web", stderr=said)
        wait_until(lambda: causes(site, "web", "upgrade"), "the trial")
        result = site.svcmgr("stop", "web")
        assert result.code == 0, result
        assert upgrading.wait(LIMIT) == 1
        said.seek(0)
        text = said.read()
    assert "asked to stop meanwhile" in text, text
    wait_until(lambda: not processes_with(str(site.directory / "state")), "what was killed is gone")


def test_who_asks_meanwhile_joins(site, installed):
    _, before = start_webui(site, installed)
    installed.replace(IMPOSTOR, "hang")
    first = site.spawn("upgrade", "web", stderr=subprocess.DEVNULL)
    wait_until(lambda: causes(site, "web", "upgrade"), "the trial")
    assert_goes_on(site, before, "it did not take over in 5 s")
    assert first.wait(LIMIT) == 1
    assert len(causes(site, "web", "upgrade")) == 1
