"""--json: exactly one JSON document on standard output, and nothing else there."""

import json
import subprocess

import pytest
from instances import add_puppet
from support import MISBEHAVE, wait_until


def add_job(site, name="job", **keys):
    site.add(name, [MISBEHAVE, "print", "hello", "sleep-forever"], settle="10ms", **keys)


def document(site, *words, code=0):
    """What the command prints, which is one document on one line."""
    result = site.svcmgr("--json", *words)
    assert result.code == code, result
    if words[0] != "add":
        assert result.out.count("\n") == 1 and result.out.endswith("\n"), result
    return json.loads(result.out)


def test_every_command_that_works(site):
    add_job(site)
    assert document(site, "check", "job")["valid"] is True
    assert document(site, "status", "job", code=3)["state"] == "stopped"
    started = document(site, "start", "job")
    assert (started["name"], started["state"]) == ("job", "ready")
    assert document(site, "start", "job")["pid"] == started["pid"]
    assert document(site, "status", "job")["pid"] == started["pid"]
    assert document(site, "signal", "job", "CONT") == {"name": "job", "signal": "CONT"}
    assert document(site, "reload", "job") == {"name": "job", "applied": [], "needs_restart": []}
    restarted = document(site, "restart", "job")
    assert (restarted["name"], restarted["generation"]) == ("job", 2)
    doctor = document(site, "doctor", "job")
    assert (doctor["name"], doctor["ok"]) == ("job", True)
    stopped = document(site, "stop", "job")
    assert (stopped["name"], stopped["state"]) == ("job", "stopped")
    assert document(site, "stop", "job")["state"] == "stopped"
    assert set(document(site, "version")) == {"version"}
    added = document(site, "add", "new", "--", "/bin/true")
    assert added["command"] == [site.of_root("/bin/true")]


def test_list_is_a_list(site):
    assert document(site, "list") == []
    add_job(site)
    assert [entry["name"] for entry in document(site, "list")] == ["job"]
    add_job(site, "other")
    site.start("other")
    assert [(entry["name"], entry["state"]) for entry in document(site, "list")] == \
        [("job", "stopped"), ("other", "ready")]
    assert [entry["name"] for entry in document(site, "status", code=3)] == ["job", "other"]
    assert [entry["name"] for entry in document(site, "doctor")] == ["job", "other"]


@pytest.mark.parametrize("command", ["check", "start", "stop", "restart", "reload", "status",
                                     "doctor"])
def test_several_names_are_one_list_with_the_failures_in_it(site, command):
    add_job(site, "a")
    add_job(site, "b")
    assert site.svcmgr("start", "a", "b").code == 0
    entries = document(site, command, "none", "a", "nor-this", "b", code=5)
    assert sorted(entry["name"] for entry in entries) == ["a", "b", "none", "nor-this"]
    for entry in entries:
        if entry["name"] in ("a", "b"):
            assert "error" not in entry or entry["error"] is None
        else:
            assert entry["error"]["exit"] == 5 and entry["error"]["message"]


@pytest.mark.parametrize("command", ["start", "stop"])
def test_all_is_a_list_of_any_length(site, command):
    assert document(site, command, "--all") == []
    add_job(site, "a")
    assert [entry["name"] for entry in document(site, command, "--all")] == ["a"]


@pytest.mark.parametrize("command", ["check", "start", "run", "stop", "restart", "reload", "status",
                                     "doctor", "logs"])
def test_a_service_that_does_not_exist(site, command):
    entry = document(site, command, "none", code=5)
    assert entry["name"] == "none" and entry["error"]["exit"] == 5
    assert "none" in entry["error"]["message"]


@pytest.mark.parametrize("command", ["start", "restart"])
def test_an_invalid_configuration(site, command):
    site.write("job", '{"command": 7}')
    entry = document(site, command, "job", code=6)
    assert (entry["name"], entry["error"]["exit"]) == ("job", 6)


def test_a_start_that_fails(site):
    site.add("job", [MISBEHAVE, "print", "last words", "exit", "3"])
    for command in ("start", "restart"):
        entry = document(site, command, "job", code=1)
        assert entry == {"name": "job", "error": {
            "exit": 1, "message": "exited with code 3 before it was ready"}}


def test_a_start_with_dependencies_is_about_what_was_named(site):
    add_job(site, "db")
    add_job(site, "web", depends_on=["db"])
    assert document(site, "start", "web")["name"] == "web"
    assert site.svcmgr("stop", "web", "db").code == 0
    site.add("db", [MISBEHAVE, "exit", "3"])
    entry = document(site, "start", "web", code=1)
    assert entry["name"] == "web" and "db" in entry["error"]["message"]
    entry = document(site, "restart", "web", code=1)
    assert entry["name"] == "web" and entry["error"]["exit"] == 1


@pytest.mark.parametrize("words, code", [
    (["reload", "job"], 7), (["signal", "job", "HUP"], 7),
    (["stop", "job", "--expect-pid", "1"], 9), (["restart", "job", "--expect-pid", "1"], 9),
])
def test_what_is_not_running(site, words, code):
    add_job(site)
    entry = document(site, *words, code=code)
    assert (entry["name"], entry["error"]["exit"]) == ("job", code)


@pytest.mark.parametrize("words", [["fly"], ["start"], ["list", "--nonsense"], ["signal", "job"],
                                   ["--user", "--system", "list"], ["help", "fly"]])
def test_a_wrong_command_line(site, words):
    entry = document(site, *words, code=2)
    assert entry["error"]["exit"] == 2 and entry["error"]["message"]


@pytest.mark.parametrize("name", ["a/b", "NUL"])
def test_what_is_no_name(site, name):
    assert document(site, "start", name, code=2)["error"]["exit"] == 2


def test_run_says_how_it_ended(site):
    site.add("job", [MISBEHAVE, "exit-after-ms", "100", "5"], settle="10ms",
             restart={"when": "never"})
    assert document(site, "run", "job", code=1) == {"name": "job", "exit": 1}
    site.add("job", [MISBEHAVE, "exit-after-ms", "100", "0"], settle="10ms",
             restart={"when": "never"})
    assert document(site, "run", "job") == {"name": "job", "exit": 0}


def test_from_inside_the_tree(site):
    puppet = add_puppet(site, "job", settle="10ms")
    site.start("job")
    out = site.directory / "out"
    puppet.begin(site.words("--json", "restart", "job"), out)
    wait_until(lambda: out.exists() and out.read_text().endswith("\n"), "its answer")
    assert json.loads(out.read_text()) == {"name": "job", "accepted": True}
    wait_until(lambda: site.status("job")["generation"] == 2, "a second generation")


@pytest.mark.parametrize("words", [["help"], ["help", "start"], ["start", "--help"], ["--help"]])
def test_help_for_programs(site, words):
    entry = document(site, *words)
    if words[0] == "help" and len(words) == 1 or words == ["--help"]:
        assert {"start", "stop"} <= {command["name"] for command in entry["commands"]}
        assert all(command["help"] for command in entry["commands"])
    else:
        assert (entry["name"], bool(entry["help"])) == ("start", True)
        assert "--all" in {option["name"] for option in entry["options"]}
        assert "--json" in {option["name"] for option in entry["options"]}


def test_logs_are_a_list_of_lines_with_their_times(site):
    site.add("job", [MISBEHAVE, "print", 'say "hi"', "no-newline", "half a line", "binary",
                     "sleep-forever"])
    site.start("job")
    log = site.state_of("job") / "log" / "current"
    wait_until(lambda: log.exists() and b"\xff" in log.read_bytes(), "the last byte")
    entries = document(site, "logs", "job")
    assert entries[0]["text"] == 'say "hi"'
    assert entries[1]["text"].startswith("half a line")
    assert all(entry["time"].startswith("2") and entry["time"].endswith("Z") for entry in entries[:2])
    assert [entry["text"] for entry in document(site, "logs", "job", "-n", "1")] == \
        [entries[-1]["text"]]


def test_followed_logs_are_one_document_a_line(site):
    site.add("job", [MISBEHAVE, "lines", "3", "sleep-forever"])
    site.start("job")
    following = site.spawn("logs", "job", "-f", "--json", stdout=subprocess.PIPE)
    texts = [json.loads(following.stdout.readline())["text"] for _ in range(3)]
    assert texts == ["line 1", "line 2", "line 3"]
    following.terminate()
