"""What is otherwise on Windows: no keeper, jobs, handles, the account's environment."""

import json
import os
import subprocess

import pytest
import windows
from support import (MISBEHAVE, WINDOWS, end_process, free_port, get, pid_is_alive, wait_until)
from visitors import Visitors

pytestmark = pytest.mark.skipif(not WINDOWS, reason="it is about Windows")

STARTS = int(os.environ.get("SVCMGR_TEST_STARTS", "5"))


def wait_for_json(path):
    wait_until(path.exists, f"{path.name}")
    return json.loads(path.read_text())


def test_a_child_has_its_stdio_and_the_sockets_and_no_other_handle_of_ours(site):
    port = free_port()
    handles = site.directory / "handles"
    report = site.directory / "report"
    site.add("web", [MISBEHAVE, "handles", handles, "report", report, "listen-fd", "serve"],
             listen={"address": f"127.0.0.1:{port}", "socket": "inherit"}, health={"http": "/"})
    site.start("web")
    number = int(wait_for_json(report)["environment"]["SVCMGR_LISTEN_HANDLES"])
    inherited = [one for one in wait_for_json(handles)
                 if one["inherit"] and not (one["name"] or "").endswith("handles.new")]
    assert number in [one["handle"] for one in inherited]
    assert len(inherited) == 4, inherited
    assert not [one for one in inherited if "state" in (one["name"] or "")], inherited


def test_the_environment_is_the_accounts_own(site):
    report = site.directory / "report"
    site.add("env", [MISBEHAVE, "report", report, "sleep-forever"],
             environment={"ADDED": "{name}", "path": "C:/only", "Temp": None})
    env = dict(site.environment, SEEN_BY="the caller")
    assert site.svcmgr("start", "env", env=env).code == 0
    seen = wait_for_json(report)["environment"]
    assert seen["ADDED"] == "env"
    assert seen["SVCMGR_NAME"] == "env"
    assert "SystemRoot" in seen and "USERPROFILE" in seen
    assert "SEEN_BY" not in seen and "TEMP" not in seen
    assert [value for name, value in seen.items() if name.upper() == "PATH"] == ["C:/only"]


def test_the_number_of_a_socket_is_a_token(site):
    port = free_port()
    report = site.directory / "report"
    site.add("web", [MISBEHAVE, "report", report, "listen-fd", "serve"],
             environment={"NUMBER": "{fd}"}, health={"http": "/"},
             listen=f"127.0.0.1:{port}")
    site.start("web")
    seen = wait_for_json(report)["environment"]
    assert seen["NUMBER"] == seen["SVCMGR_LISTEN_HANDLES"]
    assert seen["PORT"] == str(port)
    assert "LISTEN_FDS" not in seen


def test_a_program_is_found_without_its_path_and_ending(site):
    site.add("found", ["cmd", "/c", "echo", "it", "was", "found"], restart={"when": "never"})
    site.svcmgr("start", "found")
    path = site.state_of("found") / "log" / "current"
    wait_until(lambda: "it was found" in path.read_text(), "what it prints")


def test_paths_with_spaces_and_other_letters(site):
    place = site.directory / "grün und lang"
    place.mkdir()
    site.add("odd", [MISBEHAVE, "append", "hier.txt", "größe", "sleep-forever"],
             directory=str(place))
    site.start("odd")
    wait_until((place / "hier.txt").exists)


def test_a_stop_leaves_nothing_of_a_tree_that_ignores_everything(site):
    pids = site.directory / "pids"
    site.add("tree", [MISBEHAVE, "pids", pids, "fork-tree", "2", "2", "double-fork", "ignore",
                      "TERM", "sleep-forever"])
    site.start("tree")
    wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 7, "seven processes")
    result = site.svcmgr("stop", "tree")
    assert result.code == 0, result
    assert [pid for pid in pids.read_text().split() if pid_is_alive(pid)] == []


def test_a_supervisor_that_is_killed_takes_its_instance_along(site):
    port = site.add_webui()
    before = site.start()
    end_process(before["supervisor_pid"])
    wait_until(lambda: not pid_is_alive(before["pid"]), "the end of the instance")
    assert site.status()["state"] == "stopped"
    after = site.start()
    assert after["pid"] != before["pid"]
    assert get(port)[0] == 200


def test_no_connection_is_refused_while_it_restarts(site):
    port = site.add_webui()
    site.start()
    with Visitors(port) as visitors:
        for generation in (2, 3, 4):
            result = site.svcmgr("restart", "webui")
            assert result.code == 0, result
            assert site.status()["generation"] == generation
    visitors.assert_none_refused()


def test_two_starts_at_once_make_one_instance(site):
    port = site.add_webui()
    for _ in range(STARTS):
        with open(site.directory / "said", "w+", encoding="utf-8") as said:
            both = [site.spawn("start", "webui", stdout=said, stderr=said) for _ in range(2)]
            codes = [one.wait(timeout=60) for one in both]
            said.seek(0)
            text = said.read()
        assert codes == [0, 0], text
        assert str(site.status()["pid"]) in text
        assert get(port)[0] == 200
        assert site.svcmgr("stop", "webui").code == 0


def test_the_log_is_followed_across_a_restart(site):
    site.add("talks", [MISBEHAVE, "lines", "3", "sleep-forever"])
    site.start("talks")
    path = site.directory / "followed"
    with open(path, "wb") as output:
        site.spawn("logs", "talks", "-f", "-n", "100", stdout=output, stderr=output)
    wait_until(lambda: path.read_bytes().count(b" line 3\n") == 1, "the first three lines")
    assert site.svcmgr("restart", "talks").code == 0
    wait_until(lambda: path.read_bytes().count(b" line 3\n") == 2, "the next three lines")
    assert path.read_bytes() == (site.state_of("talks") / "log" / "current").read_bytes()


def test_what_it_prints_goes_to_the_event_log_and_the_files(site):
    """That Wine keeps it, too, nobody can ask."""
    site.add("job", [MISBEHAVE, "lines", "5", "sleep-forever"], settle="10ms",
             logs={"destination": "eventlog"})
    site.start("job")
    wait_until(lambda: "line 5" in site.log("job"), "the last line")
    assert site.status("job")["log_error"] is None


def test_more_short_runs_than_burst_are_given_up(site):
    site.add("short", [MISBEHAVE, "exit-after-ms", "300", "3"], settle="10ms",
             restart={"delay": "1ms", "max_delay": "2ms", "burst": 2})
    site.start("short")
    status = site.wait_for_state("short", "failed")
    assert status["last_exit"]["code"] == 3 and status["restarts"] >= 2
    assert site.svcmgr("stop", "short").code == 0
    assert site.status("short")["state"] == "stopped"


def test_a_program_that_binds_itself(site):
    port = site.add_webui(socket="self")
    before = site.start()
    assert before["listen"][0]["socket"] == "self"
    assert get(port)[0] == 200
    assert site.svcmgr("restart", "webui").code == 0
    assert get(port)[0] == 200


IMPOSSIBLE = [
    ({"ready": "notify"}, "ready: Windows has no notification sockets"),
    ({"watchdog": "5s"}, "watchdog: Windows has no notification sockets"),
    ({"group": "Users"}, "group: on Windows a program has the groups of its user"),
    ({"umask": "077"}, "umask: on Windows it is a directory that says who may read"),
    ({"limits": {"nofile": 100}}, "limits.nofile: Windows has no such limit, but memory, nproc and"),
    ({"stop": {"signal": "HUP"}}, "stop.signal: Windows has nothing like it; there are TERM"),
]


@pytest.mark.parametrize("keys, said", IMPOSSIBLE, ids=[next(iter(keys)) for keys, _ in IMPOSSIBLE])
def test_what_windows_has_not_is_a_fault_of_the_configuration(site, keys, said):
    command = [site.native(MISBEHAVE), "sleep-forever"]
    site.write("job", json.dumps({"command": command, **keys}))
    for words in (["check"], ["start"], ["restart"]):
        result = site.svcmgr(*words, "job")
        assert result.code == 6 and "job.json:1:" in result.err and said in result.err, result
    (key, value), = keys.items()
    result = site.svcmgr("add", "other", "--set", f"{key}={json.dumps(value)}", "--", *command)
    assert result.code == 6 and said in result.err, result
    assert not (site.config_dir / "other.json").exists()


def test_a_reload_with_what_windows_has_not_changes_nothing(site):
    site.add("job", [MISBEHAVE, "sleep-forever"])
    before = site.start("job")
    whole = site.config_dir / "job.json"
    site.write("job", json.dumps({**json.loads(whole.read_text()), "ready": "notify"}))
    result = site.svcmgr("reload", "job")
    assert result.code == 6 and "no notification sockets" in result.err, result
    assert site.status("job")["pid"] == before["pid"]


def test_the_user_may_be_the_supervisor_s_own_and_no_other(site):
    site.add("job", [MISBEHAVE, "sleep-forever"])
    site.start("job")
    assert site.svcmgr("stop", "job").code == 0
    own = next(event["by"]["user"] for event in site.events("job") if event["by"])
    site.add("job", [MISBEHAVE, "sleep-forever"], user=own)
    result = site.svcmgr("--system", "start", "job")
    assert result.code == 0, result
    assert site.svcmgr("--system", "stop", "job").code == 0
    for user in ("NT AUTHORITY\\LocalService", "LocalSystem"):
        site.add("job", [MISBEHAVE, "sleep-forever"], user=user)
        result = site.svcmgr("--system", "start", "job")
        assert result.code == 6 and "runs as the user of its supervisor" in result.err, result


def test_a_fault_of_the_program_is_told_as_one(site):
    site.add("job", [MISBEHAVE, "die", "SEGV"], settle="1m")
    result = site.svcmgr("start", "job")
    assert result.code == 1 and "ended by SIGSEGV" in result.err, result


def test_what_is_no_program_is_said_to_be_none(site):
    site.add_webui()
    site.start()
    file = site.directory / "file.exe"
    file.write_text("")
    result = site.svcmgr("exec", "webui", "--", file)
    assert result.code == 126 and "%" not in result.err, result


def test_a_full_disk_is_called_by_its_name(site):
    with open("/dev/full", "w", encoding="ascii") as full, \
            open(site.directory / "said", "w+", encoding="utf-8") as said:
        done = site.spawn("help", stdout=full, stderr=said)
        assert done.wait(60) == 1
        said.seek(0)
        assert "cannot write to standard output: No space left on device" in said.read()


def test_a_command_in_the_services_environment(site):
    site.add_webui()
    site.start()
    result = site.svcmgr("exec", "webui", "--", MISBEHAVE, "print", "out", "print-err", "err",
                         "exit", "7")
    assert (result.code, result.out, result.err) == (7, "out\n", "err\n")
    given = windows.run(site.command("exec", "webui", "--stdin", "--", MISBEHAVE, "cat"),
                        input=None, env=site.environment, stdin=subprocess.DEVNULL, check=False)
    assert (given.returncode, given.stdout) == (0, "")
    result = site.svcmgr("exec", "webui", "--", "no-such-program")
    assert result.code == 127, result
    result = site.svcmgr("exec", "webui", "--timeout", "300ms", "--", MISBEHAVE, "sleep-forever")
    assert result.code == 124, result
