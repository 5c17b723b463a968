"""The commands: what each does and what it says."""

import json
import re
import subprocess

import pytest
from instances import add_puppet, asks_from_inside
from strangers import kill, silent_listener
from support import MISBEHAVE, SVCMGR, WINDOWS, pid_is_alive, processes_with, wait_until

COMMANDS = ["add", "check", "start", "run", "stop", "restart", "reload", "signal", "status", "list",
            "logs", "events", "exec", "doctor", "install", "uninstall", "upgrade", "version", "help"]


# Of those that can be caught Windows has none.
SIGNAL = [] if WINDOWS else [["signal", "job", "USR1"]]


def add_job(site, name="job", **keys):
    site.add(name, [MISBEHAVE, "note", "USR1", "print", "hello", "sleep-forever"],
             settle="10ms", **keys)


# ---- What they say ---------------------------------------------------------------------------------------------


def test_quiet_says_errors_only(site):
    add_job(site)
    for words in (["check", "job"], ["start", "job"], ["start", "job"], ["restart", "job"],
                  ["reload", "job"], *SIGNAL, ["status", "job"], ["stop", "job"],
                  ["stop", "job"], ["add", "x", "--", "/bin/true"]):
        for place in ([["-q", *words]], [[words[0], "-q", *words[1:]]]):
            result = site.svcmgr(*place[0], *(["--force"] if words[0] == "add" else []))
            assert result.code in (0, 3), result
            assert result.out == "" and result.err == "", (words, result)
            if words[0] == "add":
                break
    result = site.svcmgr("-q", "start", "none")
    assert result.code == 5 and result.err


def test_verbose_says_more(site):
    add_job(site)
    site.start("job")
    less, more = site.svcmgr("status", "job"), site.svcmgr("status", "job", "-v")
    assert len(more.out) > len(less.out)
    assert site.native(site.config_dir / "job.json") in more.out


@pytest.mark.parametrize("place", ["before", "behind"])
def test_options_may_stand_before_the_command_and_behind_the_name(site, place):
    add_job(site)
    options = [*site.words()[1:], "--json"]
    words = [*options, "status", "job"] if place == "before" else ["status", "job", *options]
    result = subprocess.run([*site.program(SVCMGR), *words], env=site.environment,
                            capture_output=True, text=True,
                            timeout=30, check=False)
    assert result.returncode == 3 and json.loads(result.stdout)["name"] == "job", result


def test_nothing_off_a_terminal_moves_or_has_colour(site):
    add_job(site)
    site.add("bad", [MISBEHAVE, "exit", "3"])
    site.add("slow", [MISBEHAVE, "sleep", "400", "notify-ready", "sleep-forever"], ready="notify")
    for words in (["start", "job"], ["status", "job"], ["list"], ["restart", "job"],
                  ["start", "bad"], ["start", "slow"], ["doctor"], ["help"], ["stop", "job"]):
        result = site.svcmgr(*words, env={**site.environment, "TERM": "xterm-256color",
                                          "CLICOLOR_FORCE": "1"})
        for text in (result.out, result.err):
            assert "\033" not in text and "\r" not in text, (words, result)


def test_a_failed_start_shows_the_last_20_lines_of_the_log(site):
    site.add("job", [MISBEHAVE, "lines", "50", "exit", "3"])
    result = site.svcmgr("start", "job")
    assert result.code == 1
    shown = re.findall(r"line (\d+)$", result.err, re.MULTILINE)
    assert shown == [str(number) for number in range(31, 51)]


def test_a_failed_start_returns_when_its_supervisor_is_gone(site):
    site.add("job", [MISBEHAVE, "exit", "3"])
    for _ in range(10):
        assert site.svcmgr("start", "job").code == 1
        if WINDOWS:  # for Wine's server a process has ended a moment before it is gone
            wait_until(lambda: not processes_with(str(site.directory)))
        assert not processes_with(str(site.directory))


# ---- restart, stop, signal -------------------------------------------------------------------------------------


def test_a_second_restart_joins_the_first(site):
    puppet = add_puppet(site, "job", ready="notify")
    starting = site.spawn("start", "job")
    puppet.notify("READY=1")
    assert starting.wait(20) == 0
    first = site.spawn("restart", "job")
    site.wait_for_state("job", "starting", "replacing")
    second = site.spawn("restart", "job")
    wait_until(lambda: site.status("job")["generation"] == 2, "the second generation")
    third = site.svcmgr("status", "job")
    assert third.code == 0
    assert first.poll() is None and second.poll() is None
    puppet.notify("READY=1")
    assert first.wait(20) == 0 and second.wait(20) == 0
    assert site.status("job")["generation"] == 2


@pytest.mark.parametrize("command, told", [
    ("restart", "accepted"), ("stop", "accepted"), ("--json stop", '{"name":"job","accepted":true}'),
])
def test_from_inside_the_tree_it_is_accepted_and_carried_out(site, command, told):
    said = site.directory / "said"
    site.add("job", asks_from_inside(site, *command.split(), "job"), settle="10ms",
             stop={"timeout": "60s"}, restart={"when": "never"})
    before = site.start("job")
    (site.directory / "go").touch()
    if command == "restart":
        wait_until(lambda: site.status("job")["generation"] == 2, "a second generation")
        site.wait_for_state("job", "ready")
    else:
        site.wait_for_state("job", "stopped")
    assert not pid_is_alive(before["pid"])
    assert told in said.read_text() and said.read_text().endswith("code 0\n")
    if command == "restart":  # the second one is as deaf
        assert site.svcmgr("stop", "job", "--now").code == 0


def test_restart_starts_what_is_stopped(site):
    add_job(site)
    result = site.svcmgr("restart", "job")
    assert result.code == 0 and "started" in result.out, result
    assert site.status("job")["state"] == "ready"


def test_signals_by_any_spelling_reach_the_main_process(site):
    add_job(site)
    site.start("job")
    wait_until(lambda: "hello" in site.log("job"), "its first line")
    for count, word in enumerate(("USR1", "SIGUSR1", "usr1"), 1):
        result = site.svcmgr("signal", "job", word)
        assert result.code == 0, (word, result)
        wait_until(lambda wanted=count: site.log("job").count("caught USR1") == wanted, word)


def test_start_with_a_command_adds_it_first_and_keeps_what_is_there(site):
    result = site.svcmgr("start", "job", "--", MISBEHAVE, "sleep-forever", cwd=site.directory)
    assert result.code == 0, result
    written = (site.config_dir / "job.json").read_bytes()
    assert json.loads(written)["command"] == [site.native(MISBEHAVE), "sleep-forever"]
    before = site.status("job")
    assert before["state"] == "ready"
    result = site.svcmgr("start", "job", "--", "/bin/something-else")
    assert result.code == 0, result
    assert (site.config_dir / "job.json").read_bytes() == written
    assert site.status("job")["pid"] == before["pid"]


# ---- list, status, doctor, logs --------------------------------------------------------------------------------


def test_list_is_a_table_of_all(site):
    port = site.add_webui("web")
    add_job(site)
    status = site.start("web")
    lines = site.svcmgr("list").out.splitlines()
    assert lines[0].split() == ["NAME", "STATE", "PID", "UP", "RESTARTS", "ADDRESS"]
    assert [line.split()[:2] for line in lines[1:]] == [["job", "stopped"], ["web", "ready"]]
    assert str(status["pid"]) in lines[2] and f"http://127.0.0.1:{port}" in lines[2]


def test_list_without_services_says_what_to_do(site):
    result = site.svcmgr("list")
    assert result.code == 0 and "svcmgr add" in result.out, result


def test_doctor_finds_a_stranger_and_says_what_to_type(site):
    port = site.add_webui("web")
    assert site.svcmgr("doctor", "web").code == 0
    stranger = silent_listener(site, port)
    result = site.svcmgr("doctor", "web")
    assert result.code == 1, result
    assert kill(stranger) in result.out and "[!!]" in result.out


def test_logs_prints_what_was_asked_for(site):
    site.add("job", [MISBEHAVE, "lines", "30", "sleep-forever"])
    site.start("job")
    wait_until(lambda: "line 30" in site.log("job"), "all lines")
    assert len(site.svcmgr("logs", "job").out.splitlines()) == 30
    last = site.svcmgr("logs", "job", "-n", "3").out.splitlines()
    assert [line.split(" ", 1)[1] for line in last] == ["line 28", "line 29", "line 30"]
    assert site.svcmgr("logs", "job", "-n", "0").out == ""
    assert len(site.svcmgr("logs", "job", "--since", "1h").out.splitlines()) == 30
    assert site.svcmgr("logs", "job", "--since", "2999-01-01").out == ""


def test_logs_follows_across_a_restart(site):
    site.add("job", [MISBEHAVE, "print", "hello", "sleep-forever"])
    site.start("job")
    following = site.spawn("logs", "job", "-f", stdout=subprocess.PIPE)
    assert following.stdout.readline().endswith("hello\n")
    assert site.svcmgr("restart", "job").code == 0
    assert following.stdout.readline().endswith("hello\n")
    following.terminate()


# ---- help and version --------------------------------------------------------------------------------------------


def test_help_names_every_command_and_nothing_that_is_hidden(site):
    result = site.svcmgr("help")
    assert result.code == 0 and result.err == ""
    listed = re.findall(r"^  ([a-z]+) +\S", result.out, re.MULTILINE)
    assert listed == COMMANDS
    assert "supervise" not in result.out and "--background" not in result.out
    assert site.svcmgr("--help").out == site.svcmgr("-h").out == result.out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(site, command):
    result = site.svcmgr("help", command)
    assert result.code == 0 and result.err == ""
    assert result.out.startswith(f"usage: svcmgr {command}")
    assert "--json" in result.out
    for words in ([command, "--help"], [command, "-h"], ["--help", command],
                  [command, "x", "y", "z", "--help"]):
        again = site.svcmgr(*words)
        assert (again.code, again.out, again.err) == (0, result.out, ""), words
    assert all(len(line) <= 110 for line in result.out.splitlines())


def test_version(site):
    words = site.svcmgr("version").out.split()
    assert words[0] == "svcmgr" and re.fullmatch(r"\d+\.\d+\.\d+\S*", words[1])
    add_job(site)
    assert site.status("job")["version"] == words[1]
    assert site.svcmgr("--version").out == site.svcmgr("version").out
    assert json.loads(site.svcmgr("--version", "--json").out) == {"version": words[1]}
    assert site.svcmgr("status", "job", "--version").code == 2


@pytest.mark.parametrize("words", [["help"], ["list"], ["version", "--json"]])
def test_output_that_cannot_be_written_is_a_failure(site, words):
    add_job(site)
    with open("/dev/full", "w") as full:
        result = subprocess.run(site.command(*words), stdout=full, stderr=subprocess.PIPE,
                                text=True, env=site.environment, timeout=30, check=False)
    assert result.returncode == 1, result
    assert result.stderr.startswith("svcmgr: ") and "No space left" in result.stderr, result


@pytest.mark.parametrize("command", ["logs", "events"])
def test_who_follows_and_cannot_write_ends_and_says_so_once(site, command):
    site.add("job", [MISBEHAVE, "lines", "3", "sleep-forever"])
    site.start("job")
    with open("/dev/full", "w") as full:
        result = subprocess.run(site.command(command, "job", "-f"), stdout=full,
                                stderr=subprocess.PIPE, text=True, env=site.environment, timeout=30,
                                check=False)
    assert result.returncode == 1, result
    assert re.fullmatch("svcmgr: .*No space left.*\n", result.stderr), result
