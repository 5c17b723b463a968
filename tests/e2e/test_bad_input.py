"""Configurations that are wrong: said with their place, and nothing is started or changed."""

import json
import os
import re
import subprocess

import pytest
from strangers import is_root
from support import MISBEHAVE, SVCMGR, get

GOOD = '"command": ["/bin/sleep", "60"]'
COMMANDS = ["check", "start", "run", "restart"]


def snapshot(site):
    """Everything that is in the two directories, byte for byte."""
    found = {}
    for top in (site.config_dir, site.state_dir):
        for path in [top, *sorted(top.rglob("*"))] if top.exists() else []:
            status = path.lstat()
            found[str(path)] = (status.st_mode, status.st_ino, status.st_mtime_ns,
                                path.read_bytes() if path.is_file() and not path.is_symlink()
                                and os.access(path, os.R_OK) else None)
    return found


def write_bytes(site, name, data):
    path = site.config_dir / f"{name}.json"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def places(site, result, path):
    """The (line, column) of each fault that is said of a file."""
    pattern = re.compile(re.escape(site.native(path)) + r":(\d+):(\d+): .")
    return [(int(match[1]), int(match[2])) for match in map(pattern.match, result.err.splitlines())
            if match]


def assert_refused(site, command, name, path):
    before = snapshot(site)
    result = site.svcmgr(command, name)
    assert result.code == 6, result
    assert places(site, result, path), result
    assert result.out == ""
    assert snapshot(site) == before
    return result


# ---- What is wrong --------------------------------------------------------------------------------------

FAULTS = {
    "no command": "{}",
    "empty file": "",
    "blanks": " \n\t\n",
    "a comment alone": "// nothing\n",
    "not an object": "[]",
    "a number": "7",
    "cut off": '{"command": ["/bin/sl',
    "text behind it": "{" + GOOD + "} x",
    "two documents": "{" + GOOD + "}{" + GOOD + "}",
    "single quotes": "{'command': ['/bin/sleep']}",
    "an unknown key": "{" + GOOD + ', "comand": 1}',
    "an unknown inner key": "{" + GOOD + ', "restart": {"whem": "always"}}',
    "a key in another case": "{" + GOOD + ', "Nice": 1}',
    "a duplicate key": "{" + GOOD + ', "nice": 1, "nice": 1}',
    "a duplicate inner key": "{" + GOOD + ', "stop": {"signal": "TERM", "signal": "INT"}}',
    "command is a string": '{"command": "/bin/sleep 60"}',
    "command is empty": '{"command": []}',
    "command has an empty program": '{"command": [""]}',
    "command has a number": '{"command": ["/bin/sleep", 60]}',
    "command is null": '{"command": null}',
    "nice is a string": "{" + GOOD + ', "nice": "1"}',
    "nice is out of range": "{" + GOOD + ', "nice": 20}',
    "nice is a fraction": "{" + GOOD + ', "nice": 1.5}',
    "umask is no octal": "{" + GOOD + ', "umask": "089"}',
    "a port out of range": "{" + GOOD + ', "listen": 65536}',
    "a negative port": "{" + GOOD + ', "listen": -1}',
    "no address": "{" + GOOD + ', "listen": "somewhere"}',
    "a listener twice": "{" + GOOD + ', "listen": [8787, 8787]}',
    "a duration without a unit": "{" + GOOD + ', "start_timeout": "5"}',
    "a negative duration": "{" + GOOD + ', "start_timeout": -5}',
    "a huge number": "{" + GOOD + ', "start_timeout": 1e400}',
    "a leading zero": "{" + GOOD + ', "nice": 01}',
    "an unknown word": "{" + GOOD + ', "restart": {"when": "sometimes"}}',
    "an unknown signal": "{" + GOOD + ', "stop": {"signal": "BANG"}}',
    "an unknown size": "{" + GOOD + ', "logs": {"max_size": "10 apples"}}',
    "an unknown token": '{"command": ["/bin/sleep", "{prot}"]}',
    "a token without a listener": '{"command": ["/bin/sleep", "{port}"]}',
    "health without a listener": "{" + GOOD + ', "health": {"http": "/health"}}',
    "overlap without a socket": "{" + GOOD + ', "replace": "overlap"}',
    "an environment name with =": "{" + GOOD + ', "environment": {"A=B": "1"}}',
    "an environment value that is a number": "{" + GOOD + ', "environment": {"A": 1}}',
    "a dependency that is no name": "{" + GOOD + ', "depends_on": ["../x"]}',
    "NUL in a string": '{"command": ["/bin/sleep", "a\\u0000b"]}',
    "NUL in the file": b'{"command": ["/bin/sleep\x00"]}',
    "invalid UTF-8": b'{"command": ["/bin/sleep", "\xff"]}',
    "an overlong sequence": b'{"command": ["/bin/sleep", "\xc0\xaf"]}',
    "half a surrogate pair": '{"command": ["/bin/sleep", "\\ud800"]}',
    "a raw control character": '{"command": ["/bin/sleep", "a\tb"]}',
    "10,000 levels": '{"command": ' + "[" * 10_000 + "]" * 10_000 + "}",
    "10,000 objects": '{"a":' * 10_000 + "1" + "}" * 10_000,
    "33 levels": "{" + GOOD + ', "x": ' + "[" * 33 + "]" * 33 + "}",
    "2 MiB": "{" + GOOD + "}" + " " * 2 * 1024 * 1024,
    "2 MiB in one string": '{"command": ["' + "x" * 2 * 1024 * 1024 + '"]}',
    "random bytes": bytes(range(256)) * 4,
}


@pytest.mark.parametrize("what", FAULTS)
def test_every_command_refuses_it_with_its_place_and_changes_nothing(site, what):
    path = write_bytes(site, "bad", FAULTS[what])
    for command in COMMANDS:
        assert_refused(site, command, "bad", path)
    assert site.status("bad")["state"] == "stopped"


@pytest.mark.parametrize("what", FAULTS)
def test_a_file_is_checked_by_its_path_just_the_same(site, what):
    path = site.directory / "elsewhere.json"
    path.write_bytes(FAULTS[what] if isinstance(FAULTS[what], bytes) else FAULTS[what].encode())
    before = snapshot(site)
    result = site.svcmgr("check", path)
    assert result.code == 6 and places(site, result, path), result
    assert snapshot(site) == before


@pytest.mark.parametrize("text, place", [
    ('{\n  "command": ["/bin/sleep"],\n  "nice": "x"\n}', (3, 11)),
    ('{"command": ["/bin/sleep"], "nixe": 1}', (1, 29)),
    ('{\r\n"command": ["/bin/sleep"],\r\n"nice": 99}', (3, 9)),
    ('/* a\nb */ {"command": [7]}', (2, 19)),
    ('{"command": ["/bin/sleep"],\n "listen": {"port": "x"}}', (2, 21)),
])
def test_the_place_is_exact(site, text, place):
    path = write_bytes(site, "bad", text)
    assert places(site, assert_refused(site, "check", "bad", path), path)[0] == place


def test_all_faults_are_said_at_once_in_the_order_of_the_file(site):
    text = """{
    "command": ["/bin/sleep", 5],
    "nice": "high",
    "umaks": "022",
    "restart": {"when": "often", "burst": -1},
    "listen": 99999
}"""
    path = write_bytes(site, "bad", text)
    for command in COMMANDS:
        result = assert_refused(site, command, "bad", path)
        found = places(site, result, path)
        assert [line for line, _ in found] == [2, 3, 4, 5, 5, 6], result
        assert found == sorted(found)


@pytest.mark.parametrize("wrong, near", [
    ("comand", "command"), ("restrat", "restart"), ("depend_on", "depends_on"),
    ("enviroment", "environment"), ("directry", "directory"),
])
def test_the_nearest_key_is_named(site, wrong, near):
    path = write_bytes(site, "bad", "{" + GOOD + f', "{wrong}": 1}}')
    result = assert_refused(site, "check", "bad", path)
    assert f'"{near}"' in result.err and f'"{wrong}"' in result.err, result


def test_comments_and_trailing_commas_are_no_fault(site):
    write_bytes(site, "good", '// one\n{\n/* two */ ' + GOOD + ', // three\n}\n')
    result = site.svcmgr("check", "good")
    assert result.code == 0, result
    assert result.err == "" and "valid" in result.out


def test_many_faults_are_bounded(site):
    text = "{" + GOOD + "".join(f', "unknown{number}": 1' for number in range(5000)) + "}"
    path = write_bytes(site, "bad", text)
    result = assert_refused(site, "check", "bad", path)
    assert len(result.err) < 100_000 and "more" in result.err


def test_a_fault_s_line_cannot_write_to_the_terminal(site):
    write_bytes(site, "bad", b"{" + GOOD.encode() + b', "\\u001b[31mred\\u0007": 1}')
    result = site.svcmgr("check", "bad")
    assert result.code == 6
    assert all(line.isprintable() for line in result.err.splitlines()), repr(result.err)


# ---- What cannot be read ------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_a_directory_in_place_of_the_file(site, command):
    (site.config_dir / "bad.json").mkdir()
    before = snapshot(site)
    result = site.svcmgr(command, "bad")
    assert result.code == 6 and "bad.json" in result.err, result
    assert snapshot(site) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_a_fifo_in_place_of_the_file_is_not_waited_for(site, command):
    os.mkfifo(site.config_dir / "bad.json")
    result = site.svcmgr(command, "bad", timeout=20)
    assert result.code == 6 and "bad.json" in result.err, result


@pytest.mark.parametrize("command", COMMANDS)
def test_a_link_that_leads_nowhere(site, command):
    (site.config_dir / "bad.json").symlink_to("/no/such/file")
    result = site.svcmgr(command, "bad")
    assert result.code == 5 and "svcmgr: bad: " in result.err, result


@pytest.mark.skipif(not is_root(), reason="needs root to become another user")
def test_a_file_that_may_not_be_read(open_site):
    site = open_site
    site.add("bad", ["/bin/sleep", "60"]).chmod(0)
    before = snapshot(site)
    for command in COMMANDS:
        result = site.run_as_nobody(command, "bad")
        assert result.code == 4, (command, result)
        assert "bad.json" in result.err and "Permission denied" in result.err, result
    assert snapshot(site) == before


@pytest.mark.skipif(not is_root(), reason="needs root to become another user")
def test_a_configuration_directory_that_may_not_be_read(open_site):
    site = open_site
    site.add("good", ["/bin/sleep", "60"])
    site.config_dir.chmod(0)
    for words in (["check", "good"], ["start", "good"], ["run", "good"], ["list"],
                  ["start", "--all"], ["status"]):
        result = site.run_as_nobody(*words)
        assert result.code == 4, (words, result)
        assert str(site.config_dir) in result.err, (words, result)
    site.config_dir.chmod(0o755)


# ---- Dependencies ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_a_cycle_is_named_with_its_place(site, command):
    for name, need in (("a", "b"), ("b", "c"), ("c", "a")):
        write_bytes(site, name, "{" + GOOD + f',\n "depends_on": ["{need}"]}}')
    result = assert_refused(site, command, "a", site.config_dir / "c.json")
    assert places(site, result, site.config_dir / "c.json") == [(2, 17)]
    assert "a -> b -> c -> a" in result.err


@pytest.mark.parametrize("command", COMMANDS)
def test_a_service_that_needs_itself(site, command):
    path = write_bytes(site, "a", "{" + GOOD + ', "depends_on": ["a"]}')
    assert_refused(site, command, "a", path)


@pytest.mark.parametrize("command", COMMANDS)
def test_dependencies_without_a_configuration_are_all_named(site, command):
    path = write_bytes(site, "a", "{" + GOOD + ', "depends_on": ["b",\n"c", "d"]}')
    write_bytes(site, "c", "{" + GOOD + "}")
    result = assert_refused(site, command, "a", path)
    assert [line for line, _ in places(site, result, path)] == [1, 2], result
    assert '"b"' in result.err and '"d"' in result.err and '"c"' not in result.err


@pytest.mark.parametrize("command", COMMANDS)
def test_a_fault_in_a_dependency_is_said_of_its_file(site, command):
    write_bytes(site, "a", "{" + GOOD + ', "depends_on": ["b"]}')
    path = write_bytes(site, "b", "{" + GOOD + ', "nice": 99}')
    assert_refused(site, command, "a", path)
    assert not (site.state_dir / "b").exists()


# ---- A service that runs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["an unknown key", "empty file", "cut off", "2 MiB",
                                  "10,000 levels", "invalid UTF-8", "no command"])
@pytest.mark.parametrize("command", ["restart", "reload"])
def test_a_running_service_goes_on_when_its_new_configuration_is_wrong(site, command, what):
    port = site.add_webui("web")
    before = site.start("web")
    path = write_bytes(site, "web", FAULTS[what])
    used = (site.state_of("web") / "config.json").read_bytes()
    result = site.svcmgr(command, "web")
    assert result.code == 6, result
    assert site.native(path) in result.err and re.search(r"web\.json:\d+:\d+: ", result.err), result
    after = site.status("web")
    for key in ("state", "pid", "generation", "supervisor_pid"):
        assert after[key] == before[key], key
    assert after["config_changed"] is True
    assert (site.state_of("web") / "config.json").read_bytes() == used
    assert get(port)[0] == 200


def test_a_crash_with_a_wrong_new_configuration_uses_the_old_one(site):
    port = site.add_webui("web", restart={"delay": "1ms"})
    before = site.start("web")
    write_bytes(site, "web", "{")
    assert site.svcmgr("signal", "web", "KILL").code == 0
    assert get(port)[0] == 200
    after = site.wait_for_state("web", "ready")
    assert after["pid"] != before["pid"]


def test_stop_status_logs_and_signal_need_no_valid_configuration(site):
    site.add("job", [MISBEHAVE, "print", "hello", "sleep-forever"])
    before = site.start("job")
    write_bytes(site, "job", "{")
    assert site.status("job")["pid"] == before["pid"]
    assert "hello" in site.svcmgr("logs", "job").out
    assert site.svcmgr("start", "job").code == 6
    assert site.status("job")["pid"] == before["pid"]
    assert site.svcmgr("signal", "job", "KILL").code == 0
    result = site.svcmgr("stop", "job")
    assert result.code == 0, result
    assert site.status("job")["state"] == "stopped"


def test_a_running_service_whose_configuration_is_gone_can_be_stopped(site):
    site.add("job", [MISBEHAVE, "sleep-forever"])
    before = site.start("job")
    (site.config_dir / "job.json").unlink()
    assert site.status("job")["pid"] == before["pid"]
    result = site.svcmgr("restart", "job")
    assert result.code == 5, result
    assert site.status("job")["pid"] == before["pid"]
    assert site.svcmgr("stop", "job").code == 0
    assert site.status("job")["state"] == "stopped"


# ---- Machines ------------------------------------------------------------------------------------------------------


def test_check_json_says_every_fault_with_its_place(site):
    path = write_bytes(site, "bad", '{"command": [7],\n"nice": "x"}')
    result = site.svcmgr("check", "--json", "bad")
    assert result.code == 6
    document = json.loads(result.out)
    assert (document["name"], document["valid"], document["file"]) == ("bad", False, site.native(path))
    assert [(fault["line"], fault["column"]) for fault in document["faults"]] == [(1, 14), (2, 9)]
    assert all(fault["message"] for fault in document["faults"])


def test_check_of_standard_paths_works_without_any_directory(site):
    path = site.directory / "alone.json"
    path.write_text("{" + GOOD + "}")
    result = subprocess.run([*site.program(SVCMGR), "check", path.name], cwd=site.directory,
                            env=site.environment, capture_output=True, text=True, timeout=30,
                            check=False)
    assert result.returncode == 0, result
    assert result.stdout == "alone.json: valid\n"
