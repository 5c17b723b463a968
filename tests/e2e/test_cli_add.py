"""add: what the flags write."""

import json
import os
import shutil
import stat

import pytest
from support import MISBEHAVE, PATH_SEPARATOR, SUFFIX, WINDOWS, free_port, get

# The caller's PATH; Wine puts what this one says before the machine's own.
PATH_NAME = "WINEPATH" if WINDOWS else "PATH"


def add(site, *words, command=("/bin/sleep", "60"), name="job", **options):
    result = site.svcmgr("add", name, *words, "--", *command, **options)
    return result, site.config_dir / f"{name}.json"


def written(site, *words, **options):
    options.setdefault("cwd", site.directory)
    result, path = add(site, *words, **options)
    assert result.code == 0, result
    assert site.svcmgr("check", "job").code == 0
    return json.loads(path.read_text())


def test_the_least_is_the_command_and_the_present_directory(site):
    assert written(site) == {"command": [site.of_root("/bin/sleep"), "60"],
                             "directory": site.native(site.directory)}


def test_every_flag_has_its_key(site):
    port = free_port()
    extra = site.directory / "x.env"
    extra.write_text("A=1\n")
    site.write("db", '{"command": ["/bin/true"]}')
    config = written(
        site, "--listen", f"127.0.0.1:{port}", "--socket", "inherit", "--health", "/health",
        "--description", "a web server", "--directory", "/tmp", "--env", "A=1", "-e", "B=x=y",
        "--env", "EMPTY=", "--env-file", extra, "--restart", "always", "--ready", "health",
        "--start-timeout", "5s", "--stop-signal", "INT", "--stop-timeout", "3s",
        "--depends-on", "db", "--duplicate", "standby", "--set", "restart.burst=0",
        "--set", "nice=3", "--set", 'limits.cpu=100', "--set", 'logs.streams="separate"')
    assert config == {
        "command": [site.of_root("/bin/sleep"), "60"], "directory": site.of_root("/tmp"),
        "description": "a web server",
        "listen": [{"address": f"127.0.0.1:{port}", "socket": "inherit"}],
        "health": {"http": "/health"}, "ready": "health", "environment":
        {"A": "1", "B": "x=y", "EMPTY": ""}, "environment_file": [site.native(extra)],
        "restart": {"when": "always", "burst": 0}, "start_timeout": "5s",
        "stop": {"signal": "INT", "timeout": "3s"}, "depends_on": ["db"], "duplicate": "standby",
        "nice": 3, "limits": {"cpu": 100}, "logs": {"streams": "separate"}}


def test_the_system_scope_takes_a_user_and_a_group(site):
    config = written(site, "--run-as", "nobody", "--run-as-group", "daemon")
    assert (config["user"], config["group"]) == ("nobody", "daemon")


def test_several_listeners(site):
    ports = [free_port(), free_port()]
    config = written(site, "--listen", ports[0], "--listen", f"127.0.0.1:{ports[1]}")
    assert config["listen"] == [{"port": ports[0]}, {"address": f"127.0.0.1:{ports[1]}"}]


def test_what_was_added_starts_and_serves(site):
    port = free_port()
    result = site.svcmgr("add", "web", "--listen", port, "--socket", "inherit", "--health",
                         "/health", "--", MISBEHAVE, "serve", cwd=site.directory)
    assert result.code == 0, result
    site.start("web")
    assert get(port)[0] == 200


def test_braces_are_taken_literally_unless_they_are_tokens(site):
    words = ["/bin/echo", "{port}", "{x", "a{name}b", "{{", "}"]
    literal = written(site, command=words)
    assert site.svcmgr("check", "job").code == 0
    assert literal["command"][1] == "{{port}"
    site.add("echo", [MISBEHAVE, "print", *literal["command"][1:2], "sleep-forever"])
    site.start("echo")
    assert "{port}" in site.log("echo")
    config = written(site, "--force", "--tokens", command=["/bin/echo", "{name}"])
    assert config["command"] == [site.of_root("/bin/echo"), "{name}"]


def test_it_refuses_to_overwrite_unless_forced(site):
    before = written(site)
    result, path = add(site, command=["/bin/true"], cwd=site.directory)
    assert result.code == 1 and "--force" in result.err and site.native(path) in result.err, result
    assert json.loads(path.read_text()) == before
    assert written(site, "--force", command=["/bin/true"])["command"] == [site.of_root("/bin/true")]


@pytest.mark.parametrize("words, what", [
    (["--restart", "sometimes"], "sometimes"), (["--listen", "nowhere"], "nowhere"),
    (["--health", "/health"], "listen"), (["--set", "nixe=1"], "nice"),
    (["--set", "nice=high"], "nice"), (["--stop-signal", "BANG"], "BANG"),
    (["--start-timeout", "soon"], "soon"), (["--set", "nice=1", "--set", "nice=2"], "nice"),
])
def test_what_would_be_invalid_is_not_written(site, words, what):
    result, path = add(site, *words)
    assert result.code in (2, 6) and what in result.err, result
    assert all(line.startswith("svcmgr: job: ") for line in result.err.splitlines()), result
    assert not path.exists() and list(site.config_dir.iterdir()) == []


def test_what_would_be_invalid_does_not_replace_what_is_there(site):
    before = written(site)
    result, path = add(site, "--force", "--restart", "sometimes")
    assert result.code == 6 and json.loads(path.read_text()) == before


# ---- The program --------------------------------------------------------------------------------------------


def make_program(site):
    place = site.directory / "my bin"
    place.mkdir()
    program = place / f"my-program{SUFFIX}"
    shutil.copy(MISBEHAVE, program)
    return program


def test_a_program_of_the_base_path_keeps_its_name(site):
    config = written(site, command=["sleep", "60"])
    assert config["command"] == ["sleep", "60"]
    assert site.start("job")["state"] == "ready"


def test_a_program_found_in_the_callers_path_only_is_written_absolute_and_said(site):
    program = make_program(site)
    places = ["/nowhere", "", site.native(program.parent), "/usr/bin", "/bin"]
    environment = {**site.environment, PATH_NAME: PATH_SEPARATOR.join(places)}
    result, path = add(site, command=["my-program", "sleep-forever"], env=environment)
    assert result.code == 0, result
    assert json.loads(path.read_text())["command"] == [site.native(program), "sleep-forever"]
    assert site.native(program) in result.err and result.err.startswith("svcmgr: job: "), result
    assert site.start("job")["state"] == "ready"


def test_a_relative_program_is_the_callers(site):
    program = make_program(site)
    for word in (f"./{program.name}", f"../my bin/{program.name}"):
        config = written(site, "--force", command=[word], cwd=program.parent)
        assert os.path.samefile(site.here(config["command"][0]), program), config
        assert config["command"][0].startswith(site.of_root("/"))


def test_a_program_that_is_nowhere_is_refused(site):
    result, path = add(site, command=["no-such-program"])
    assert result.code == 2 and "no-such-program" in result.err, result
    assert not path.exists()


@pytest.mark.parametrize("relative", [".", "sub", "../site"])
def test_a_relative_directory_or_file_means_the_callers(site, relative):
    (site.directory / "sub").mkdir()
    (site.directory / "x.env").write_text("A=1\n")
    if relative.startswith(".."):
        relative = f"../{site.directory.name}"
    config = written(site, "--directory", relative, "--env-file", "x.env")
    assert os.path.samefile(site.here(config["directory"]), site.directory / relative)
    assert config["environment_file"] == [site.native(site.directory / "x.env")]


def test_the_file_is_whole_and_nothing_else_is_left(site):
    written(site)
    assert os.listdir(site.config_dir) == ["job.json"]
    mode = stat.S_IMODE((site.config_dir / "job.json").stat().st_mode)
    assert mode & 0o022 == 0
    assert (site.config_dir / "job.json").read_text().endswith("}\n")


def test_a_configuration_directory_is_made(site):
    site.config_dir.rmdir()
    written(site)
    assert (site.config_dir / "job.json").exists()
