"""Every exit code, reached as a user reaches it, and the codes of several names."""

import os
import signal
import subprocess

import pytest
from strangers import silent_listener
from support import MISBEHAVE, PYTHON, WINDOWS, free_port, pid_is_alive, wait_until


# Of those that can be caught Windows has none.
SIGNAL = [] if WINDOWS else [["signal", "job", "USR1"]]


def add_job(site, name="job", **keys):
    site.add(name, [MISBEHAVE, "note", "USR1", "print", "hello", "sleep-forever"],
             settle="10ms", **keys)


def wait_for_hello(site, count):
    """From then on it takes the signal."""
    wait_until(lambda: site.svcmgr("logs", "job").out.count("hello") == count)


def assert_diagnostics(result, name):
    """At least one line, and each of the form 'svcmgr: NAME: what...'."""
    lines = result.err.splitlines()
    assert lines, result
    assert all(line.startswith(f"svcmgr: {name}: ") for line in lines), result


# ---- Each exit code --------------------------------------------------------------------------------------


def test_0_when_it_is_done_or_was_already(site):
    add_job(site)
    for words in (["check", "job"], ["start", "job"], ["start", "job"], ["status", "job"],
                  ["restart", "job"], ["reload", "job"], *SIGNAL,
                  ["logs", "job"], ["list"], ["doctor", "job"], ["stop", "job"], ["stop", "job"],
                  ["list"], ["version"], ["help"]):
        result = site.svcmgr(*words)
        assert result.code == 0 and result.err == "", (words, result)
        if words[0] in ("start", "restart"):
            wait_for_hello(site, 1 if words[0] == "start" else 2)


def test_1_when_it_failed(site):
    site.add("job", [MISBEHAVE, "exit", "3"])
    for command in ("start", "run", "restart"):
        result = site.svcmgr(command, "job")
        assert result.code == 1, (command, result)
        assert "exited with code 3" in result.err, (command, result)


WRONG_LINES = [
    [], ["fly"], ["start"], ["stop"], ["restart"], ["reload"], ["signal"], ["signal", "job"],
    ["signal", "job", "BANG"], ["signal", "job", "HUP", "x"], ["run"], ["run", "a", "b"], ["logs"],
    ["logs", "a", "b"], ["logs", "job", "-n", "x"], ["logs", "job", "--since", "yesterday"],
    ["add"], ["add", "x"], ["add", "x", "--"], ["check"], ["list", "x"], ["version", "x"],
    ["start", "--all", "job"], ["stop", "--all", "job"], ["start", "job", "--"],
    ["start", "a", "b", "--", "true"], ["stop", "job", "--", "true"], ["status", "--all"],
    ["--nonsense", "list"], ["list", "--nonsense"], ["list", "-x"], ["list", "--json=yes"],
    ["start", "job", "--expect-pid", "1"], ["stop", "job", "--expect-pid"],
    ["stop", "job", "--expect-pid", "abc"], ["restart", "job", "--expect-pid", "-1"],
    ["restart", "job", "--expect-pid", "0"],
    ["stop", "job", "--expect-pid", ""], ["--user", "--system", "list"], ["--state-dir"],
    ["run", "job", "--duplicate", "maybe"], ["run", "job", "--control", "carrier-pigeon"],
    ["add", "x", "--env", "novalue", "--", "true"], ["add", "x", "--set", "y", "--", "true"],
    ["help", "fly"], ["supervise", "job"],
]


@pytest.mark.parametrize("words", WRONG_LINES, ids=" ".join)
def test_2_when_the_command_line_is_wrong(site, words):
    add_job(site)
    result = site.svcmgr(*words)
    assert result.code == 2, result
    assert result.out == "" and result.err.startswith("svcmgr: "), result
    assert result.err.count("\n") == 1, result
    assert not site.state_dir.exists()


@pytest.mark.parametrize("wrong, near", [
    (["strat", "job"], '"start"'), (["restrat", "job"], '"restart"'), (["stop", "--al"], "--all"),
    (["list", "--jsno"], "--json"),
])
def test_a_slip_is_corrected(site, wrong, near):
    result = site.svcmgr(*wrong)
    assert result.code == 2 and f"did you mean {near}?" in result.err, result


def test_3_is_the_status_of_what_does_not_run(site):
    add_job(site)
    site.add("gone", [MISBEHAVE, "exit-after-ms", "30", "1"], settle="1ms",
             restart={"delay": "1ms", "burst": 1})
    add_job(site, "up")
    site.start("up")
    site.svcmgr("start", "gone")
    site.wait_for_state("gone", "failed")
    assert site.svcmgr("status", "job").code == 3
    assert site.svcmgr("status", "gone").code == 3
    assert site.svcmgr("status", "up").code == 0
    assert site.svcmgr("status", "up", "job").code == 3
    assert site.svcmgr("status").code == 3
    assert site.svcmgr("status", "up", "none").code == 5
    assert site.svcmgr("list").code == 0


@pytest.mark.parametrize("command", ["check", "start", "run", "stop", "restart", "reload", "status",
                                     "logs", "doctor"])
def test_5_when_there_is_no_such_service(site, command):
    add_job(site)
    result = site.svcmgr(command, "none")
    assert result.code == 5, result
    assert_diagnostics(result, "none")
    assert result.out == ""


def test_5_of_signal(site):
    result = site.svcmgr("signal", "none", "HUP")
    assert result.code == 5, result
    assert_diagnostics(result, "none")


def test_6_when_the_configuration_is_invalid(site):
    path = site.write("job", '{"command": 7}')
    for command in ("check", "start", "run", "restart"):
        result = site.svcmgr(command, "job")
        assert result.code == 6 and f"{site.native(path)}:1:" in result.err, (command, result)


@pytest.mark.parametrize("words", [["reload", "job"], ["signal", "job", "HUP"]])
def test_7_when_it_must_run_and_does_not(site, words):
    add_job(site)
    result = site.svcmgr(*words)
    assert result.code == 7, result
    assert_diagnostics(result, "job")
    assert "svcmgr start job" in result.err


def test_8_when_the_supervisor_does_not_answer(site):
    add_job(site)
    status = site.start("job")
    os.kill(status["supervisor_pid"], signal.SIGSTOP)
    try:
        asking = [site.spawn(*words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
                  for words in (["status", "job"], ["stop", "job"], ["restart", "job"],
                                ["start", "job"], ["reload", "job"], ["signal", "job", "HUP"])]
        for child in asking:
            assert child.wait(60) == 8, (child.args, child.stderr.read())
            line = child.stderr.read()
            assert line.startswith("svcmgr: job: ") and line.count("\n") == 1, line
    finally:
        os.kill(status["supervisor_pid"], signal.SIGCONT)


@pytest.mark.parametrize("command", ["stop", "restart"])
def test_9_when_it_is_not_the_expected_instance(site, command):
    add_job(site)
    before = site.start("job")
    result = site.svcmgr(command, "job", "--expect-pid", before["supervisor_pid"])
    assert result.code == 9, result
    assert_diagnostics(result, "job")
    assert str(before["pid"]) in result.err
    after = site.status("job")
    assert (after["pid"], after["generation"]) == (before["pid"], 1)
    assert site.svcmgr(command, "job", "--expect-pid", before["pid"]).code == 0
    assert not pid_is_alive(before["pid"])


@pytest.mark.parametrize("command", ["stop", "restart"])
def test_9_when_it_is_stopped(site, command):
    add_job(site)
    result = site.svcmgr(command, "job", "--expect-pid", "1")
    assert result.code == 9, result
    assert_diagnostics(result, "job")
    assert site.status("job")["state"] == "stopped"


def test_9_is_told_before_dependencies_are_started(site):
    add_job(site, "db")
    add_job(site, depends_on=["db"])
    assert site.svcmgr("restart", "job", "--expect-pid", "1").code == 9
    assert site.status("db")["state"] == "stopped"


def test_10_and_11(site):
    port = free_port()
    add_job(site)
    site.start("job")
    assert site.svcmgr("run", "job").code == 10
    site.stranger(PYTHON, "-m", "http.server", port, "--bind", "127.0.0.1", cwd=site.directory)
    site.add_webui("taken", port)
    wait_until(lambda: site.status("taken")["other"], "a stranger on the port")
    result = site.svcmgr("start", "taken")
    assert result.code == 10, result
    silent = free_port()
    silent_listener(site, silent)
    site.add_webui("silent", silent, probe_timeout="50ms", bind_timeout="50ms")
    result = site.svcmgr("start", "silent")
    assert result.code == 11, result


# ---- Several names ------------------------------------------------------------------------------------------


def test_all_names_are_tried_and_the_first_failure_is_the_code(site):
    add_job(site, "a")
    site.write("b", "{")
    site.add("c", [MISBEHAVE, "exit", "3"])
    add_job(site, "d")
    for names, code in ((["a", "none", "b", "c", "d"], 5), (["b", "none", "d"], 6),
                        (["c", "b", "d"], 1), (["a", "d"], 0)):
        result = site.svcmgr("start", *names)
        assert result.code == code, (names, result)
        assert site.status("d")["state"] == "ready"
        assert site.svcmgr("stop", "a", "d").code == 0
    assert site.svcmgr("start", "d").code == 0
    for command in ("stop", "restart", "check", "reload"):
        assert site.svcmgr(command, "none", "b", "d").code == 5, command
    assert site.svcmgr("reload", "a", "none").code == 7


def test_a_name_twice_is_no_harm(site):
    add_job(site)
    result = site.svcmgr("start", "job", "job", "JOB")
    assert result.code == 0, result
    assert site.status("job")["generation"] == 1
    assert site.svcmgr("stop", "job", "job").code == 0
