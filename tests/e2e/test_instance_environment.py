"""The environment of the instance: exact, and the same whoever launches."""

import json
import os
import pwd
from pathlib import Path

import pytest
from strangers import is_root
from support import MISBEHAVE, free_port, wait_until

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OURS = {"SVCMGR_NAME", "SVCMGR_GENERATION", "SVCMGR_INSTANCE"}


def language():
    for name in ("/etc/locale.conf", "/etc/default/locale"):
        if Path(name).exists():
            for line in Path(name).read_text().splitlines():
                if line.startswith("LANG="):
                    return line[5:].strip('"')
    return "C.UTF-8"


def base(uid=None):
    user = pwd.getpwuid(os.getuid() if uid is None else uid)
    return {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name,
            "SHELL": user.pw_shell, "LANG": language(), "PATH": PATH}


def add_reporter(site, name="job", before=(), after=("sleep-forever",), **keys):
    site.report = site.directory / f"{name}.report"
    if "health" not in keys:
        keys.setdefault("ready", "spawn")
    site.add(name, [MISBEHAVE, *before, "report", site.report, *after], **keys)


def read_report(path, generation=1):
    """What an instance has written down; it may be ready before it has come to that."""
    def read():
        try:
            report = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        is_it = report["environment"]["SVCMGR_GENERATION"] == str(generation)
        return report if is_it else None

    return wait_until(read, f"the report of generation {generation}")


def report_of(site, name="job", **keys):
    """Starts a service that writes down what it has been given."""
    add_reporter(site, name, **keys)
    site.start(name)
    return read_report(site.report)


def added(site, **keys):
    """The variables beyond the base and those that are always added."""
    environment = report_of(site, **keys)["environment"]
    return {key: value for key, value in environment.items()
            if key not in OURS and key not in base()}


# ---- The base ------------------------------------------------------------------------------------------


def test_the_base_environment_is_exact(site):
    environment = report_of(site)["environment"]
    assert environment.pop("SVCMGR_NAME") == "job"
    assert environment.pop("SVCMGR_GENERATION") == "1"
    assert len(environment.pop("SVCMGR_INSTANCE")) >= 16
    assert environment == base()


@pytest.mark.parametrize("command", ["start", "run"])
def test_a_dirty_environment_of_the_caller_never_reaches_it(site, command):
    add_reporter(site)
    dirty = {"HOME": "/nowhere", "USER": "eve", "LOGNAME": "eve", "SHELL": "/bin/evil",
             "PATH": "/evil", "LANG": "xx_XX", "LC_ALL": "xx_XX", "LD_PRELOAD": "", "TMPDIR": "/x",
             "XDG_CONFIG_HOME": "/x", "XDG_STATE_HOME": "/x", "http_proxy": "http://x:1",
             "NOTIFY_SOCKET": "/nowhere/notify", "LISTEN_FDS": "3", "LISTEN_PID": "1",
             "LISTEN_FDNAMES": "a:b:c", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1",
             "SVCMGR_NAME": "x", "SVCMGR_INSTANCE": "x", "SVCMGR_GENERATION": "9",
             "SVCMGR_URL": "x", "PORT": "1", "SERVER_STARTER_PORT": "1=3", "PWD": "/x", "_": "x",
             **{key: value for key, value in site.environment.items() if "SAN_OPTIONS" in key}}
    if command == "start":
        assert site.svcmgr("start", "job", env=dirty).code == 0
    else:
        site.spawn("run", "job", env=dirty)
        site.wait_for_state("job", "ready")
    environment = read_report(site.report)["environment"]
    assert environment["SVCMGR_NAME"] == "job" and environment["SVCMGR_GENERATION"] == "1"
    assert environment["SVCMGR_INSTANCE"] != "x"
    assert {key: value for key, value in environment.items() if key not in OURS} == base()


def test_no_environment_at_all_is_no_obstacle(site):
    add_reporter(site)
    result = site.svcmgr("start", "job", env={key: value for key, value in site.environment.items()
                                              if "SAN_OPTIONS" in key})
    assert result.code == 0, result
    environment = read_report(site.report)["environment"]
    assert {key: value for key, value in environment.items() if key not in OURS} == base()


def test_every_generation_has_its_number_and_an_id_of_its_own(site):
    first = report_of(site)["environment"]
    assert site.svcmgr("restart", "job").code == 0
    second = read_report(site.report, 2)["environment"]
    assert (first["SVCMGR_GENERATION"], second["SVCMGR_GENERATION"]) == ("1", "2")
    assert first["SVCMGR_INSTANCE"] != second["SVCMGR_INSTANCE"]


# ---- What is configured -----------------------------------------------------------------------------------


def test_environment_lies_on_top_of_the_files_and_these_on_top_of_the_base(site):
    one, two = site.directory / "one.env", site.directory / "two.env"
    one.write_text("A=one\nB=one\nC=one\nHOME=/one\nLANG=xx\n")
    two.write_text("# a comment\nexport B='two two'\nC=\"$HOME `id`\"\n\nE=a=b\n")
    environment = report_of(site, environment_file=[str(one), str(two)],
                            environment={"C2": "$HOME", "D": "", "LANG": None, "A": "three",
                                         "NOT": None, "SVCMGR_NAME": "x"})["environment"]
    assert environment["A"] == "three"
    assert environment["B"] == "two two"
    assert environment["C"] == "$HOME `id`"
    assert environment["C2"] == "$HOME"
    assert environment["D"] == ""
    assert environment["E"] == "a=b"
    assert environment["HOME"] == "/one"
    assert environment["SVCMGR_NAME"] == "job"
    assert "LANG" not in environment and "NOT" not in environment


def test_an_optional_file_may_be_missing(site):
    here = site.directory / "here.env"
    here.write_text("X=1\n")
    files = [f"-{site.native(site.directory / 'missing.env')}", f"-{site.native(here)}"]
    assert report_of(site, environment_file=files)["environment"]["X"] == "1"


def test_a_file_that_must_be_there_is_named_when_it_is_not(site):
    path = site.directory / "missing.env"
    add_reporter(site, environment_file=str(path))
    result = site.svcmgr("start", "job")
    assert result.code == 1, result
    assert "environment_file" in result.err and str(path) in result.err, result
    assert not site.report.exists()


def test_a_file_with_a_fault_is_named_with_its_line(site):
    path = site.directory / "bad.env"
    path.write_text("A=1\nno equals sign\n")
    add_reporter(site, environment_file=str(path))
    result = site.svcmgr("start", "job")
    assert result.code != 0, result
    assert str(path) in result.err and "2" in result.err.split(str(path))[1], result
    assert not site.report.exists()


def test_tokens_in_values_and_arguments(site):
    port = free_port()
    keys = {"listen": {"address": f"127.0.0.1:{port}", "socket": "inherit"}, "ready": "spawn",
            "environment": {"A": "{port}", "B": "{address}", "C": "{url}", "D": "{fd}",
                            "E": "{name}", "F": "{{port}", "G": "{ x }", "H": "{port:http}"}}
    report = report_of(site, before=["print", "{port}-{fd}-{name}-{{x}"], **keys)
    environment = report["environment"]
    assert [environment[key] for key in "ABCDEFGH"] == [
        str(port), "127.0.0.1", f"http://127.0.0.1:{port}", "3", "job", "{port}", "{ x }",
        str(port)]
    assert f"{port}-3-job-{{x}}" in report["argv"]


# ---- Listeners, readiness, watchdog --------------------------------------------------------------------------


def test_an_inherited_listener(site):
    port = free_port()
    report = report_of(site, ready="spawn",
                       listen={"address": f"127.0.0.1:{port}", "socket": "inherit"})
    environment = report["environment"]
    assert {key: value for key, value in environment.items()
            if key not in OURS and key not in base()} == {
        "PORT": str(port), "SVCMGR_ADDRESS": "127.0.0.1",
        "SVCMGR_URL": f"http://127.0.0.1:{port}", "LISTEN_FDS": "1",
        "LISTEN_PID": str(report["pid"]), "LISTEN_FDNAMES": "http",
        "SERVER_STARTER_PORT": f"127.0.0.1:{port}=3"}


def test_several_listeners_come_in_their_order(site):
    ports = [free_port(), free_port()]
    path = site.directory / "s"
    report = report_of(site, ready="spawn", listen=[
        {"name": "web", "address": f"127.0.0.1:{ports[0]}", "socket": "inherit"},
        {"name": "local", "address": f"unix:{path}", "socket": "inherit"},
        {"name": "admin", "address": f"127.0.0.1:{ports[1]}", "socket": "inherit"}])
    environment = report["environment"]
    assert environment["LISTEN_FDS"] == "3"
    assert environment["LISTEN_FDNAMES"] == "web:local:admin"
    assert environment["PORT"] == str(ports[0])
    assert environment["SERVER_STARTER_PORT"] == \
        f"127.0.0.1:{ports[0]}=3;{path}=4;127.0.0.1:{ports[1]}=5"
    assert [fd["fd"] for fd in report["fds"] if fd["fd"] < 6] == list(range(6))
    assert all(fd["listening"] for fd in report["fds"] if 3 <= fd["fd"] < 6)


def test_a_unix_listener_alone_has_no_port(site):
    path = site.directory / "s"
    assert added(site, ready="spawn", listen={"address": f"unix:{path}", "socket": "inherit"}) \
        .keys() == {"SVCMGR_ADDRESS", "SVCMGR_URL", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
                    "SERVER_STARTER_PORT"}


def test_listen_pid_can_be_left_out(site):
    variables = added(site, ready="spawn", listen_pid=False,
                      listen={"address": f"127.0.0.1:{free_port()}", "socket": "inherit"})
    assert "LISTEN_PID" not in variables and variables["LISTEN_FDS"] == "1"


def test_a_listener_that_the_program_binds_itself_passes_no_descriptor(site):
    port = free_port()
    add_reporter(site, after=["bind", "env", "serve"], ready="health", health={"tcp": True},
                 listen={"address": f"127.0.0.1:{port}", "socket": "self"})
    site.start("job")
    report = read_report(site.report)
    assert {key: value for key, value in report["environment"].items()
            if key not in OURS and key not in base()} == {
        "PORT": str(port), "SVCMGR_ADDRESS": "127.0.0.1", "SVCMGR_URL": f"http://127.0.0.1:{port}"}
    assert [fd["fd"] for fd in report["fds"]][:3] == [0, 1, 2]
    assert not any(fd["socket"] for fd in report["fds"])


def test_a_notify_socket_with_ready_notify(site):
    variables = added(site, ready="notify", after=["notify-ready", "sleep-forever"])
    assert variables.keys() == {"NOTIFY_SOCKET"}


def test_a_watchdog_brings_its_variables_and_the_notify_socket(site):
    add_reporter(site, watchdog="30s")
    site.start("job")
    report = read_report(site.report)
    variables = {key: value for key, value in report["environment"].items()
                 if key not in OURS and key not in base()}
    assert variables.keys() == {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}
    assert variables["WATCHDOG_USEC"] == "30000000"
    assert variables["WATCHDOG_PID"] == str(report["pid"])


# ---- Other users ---------------------------------------------------------------------------------------------


@pytest.mark.skipif(not is_root(), reason="needs root to become another user")
def test_the_user_s_own_entry_is_the_base_of_a_program_that_runs_as_somebody_else(open_site):
    site = open_site
    report = report_of(site, user="nobody", directory=str(site.directory))
    nobody = pwd.getpwnam("nobody")
    environment = {key: value for key, value in report["environment"].items() if key not in OURS}
    assert environment == base(nobody.pw_uid)


@pytest.mark.skipif(not is_root(), reason="needs root to become another user")
def test_the_notify_socket_can_be_reached_by_another_user(open_site):
    add_reporter(open_site, user="nobody", ready="notify", after=["notify-ready", "sleep-forever"])
    assert open_site.start("job")["state"] == "ready"


@pytest.mark.skipif(not is_root(), reason="needs root to become another user")
def test_a_service_of_another_user_has_the_base_of_that_user(open_site):
    site = open_site
    add_reporter(site)
    result = site.run_as_nobody("start", "job")
    assert result.code == 0, result
    report = read_report(site.report)
    nobody = pwd.getpwnam("nobody")
    environment = {key: value for key, value in report["environment"].items() if key not in OURS}
    assert environment == base(nobody.pw_uid)
    assert (report["uid"], report["euid"]) == (nobody.pw_uid, nobody.pw_uid)


def test_a_health_command_does_not_get_what_names_a_socket(site):
    """nginx is told of its socket in a variable; the command that checks it has no such socket."""
    seen, given = site.directory / "seen", site.directory / "given"
    site.add("web", [MISBEHAVE, "report", given, "serve"],
             environment={"NGINX": "{fd};", "WHO": "{name}"},
             listen={"address": f"127.0.0.1:{free_port()}", "socket": "inherit"},
             health={"command": [MISBEHAVE, "report", seen]})
    status = site.start("web")
    told = json.loads(seen.read_text())["environment"]
    assert told["WHO"] == "web" and "NGINX" not in told and told["SVCMGR_PID"] == str(status["pid"])
    environment = read_report(given)["environment"]
    assert environment["NGINX"] == environment.get("SVCMGR_LISTEN_HANDLES", "3") + ";"
