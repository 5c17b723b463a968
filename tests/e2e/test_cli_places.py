"""Names, scopes, and where configurations and state are."""

import json
import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest
from strangers import as_nobody, is_root
from support import MISBEHAVE, SVCMGR, pid_is_alive

needs_root = pytest.mark.skipif(not is_root(), reason="needs root")


def add_job(site, name="job", **keys):
    return site.add(name, [MISBEHAVE, "sleep-forever"], settle="10ms", **keys)


# ---- Names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [
    "", ".", "..", ".x", "-", "_x", "a/b", "/etc/passwd", "../x", "a b", "a\n", "a:b", "ä", "a*",
    "x" * 65, "a\\b", "a\x7f", "con", "CON", "Nul", "aux", "prn", "com1", "LPT9", "con.txt",
    "nul.json",
], ids=repr)
@pytest.mark.parametrize("command", ["start", "stop", "status", "add"])
def test_what_is_no_name_is_refused(site, command, name):
    words = [command, "--", "true"] if command == "add" else [command]
    words.insert(1, name)
    if name.startswith("-") and name != "-":
        pytest.skip("an option")
    result = site.svcmgr(*words)
    assert result.code == 2, result
    assert result.err.startswith("svcmgr: ") and result.err.count("\n") == 1, result
    assert list(site.config_dir.iterdir()) == [] and not site.state_dir.exists()


@pytest.mark.parametrize("name", ["a", "9", "a.b-c_d", "x" * 64, "console", "com10", "nully",
                                  "a.json"])
def test_what_is_a_name_is_taken(site, name):
    result = site.svcmgr("add", name, "--", MISBEHAVE, "sleep-forever")
    assert result.code == 0, result
    assert (site.config_dir / f"{name}.json").exists()
    assert site.svcmgr("start", name).code == 0
    assert site.status(name)["name"] == name


def test_names_are_compared_without_case_everywhere(site):
    add_job(site, "WebUI")
    status = site.start("webui")
    assert status["name"] == "WebUI"
    assert (site.state_dir / "WebUI").is_dir()
    for word in ("WEBUI", "WebUI", "webui"):
        assert site.status(word)["pid"] == status["pid"]
        again = site.svcmgr("start", word)
        assert again.code == 0 and "already running" in again.out
    assert os.listdir(site.state_dir) == ["WebUI"]
    assert site.svcmgr("stop", "wEBui").code == 0
    assert not pid_is_alive(status["pid"])
    result = site.svcmgr("add", "WEBUI", "--", "/bin/true")
    assert result.code == 1 and "exists already" in result.err, result


# ---- Scopes ------------------------------------------------------------------------------------------------


class Machine:
    """A svcmgr for which /etc, /var/lib and the home are directories of the test."""

    def __init__(self, site):
        self.site = site
        self.home = pwd.getpwuid(os.getuid()).pw_dir
        self.mounts = {place: site.directory / place.strip("/").replace("/", "-")
                       for place in ("/etc", "/var/lib", self.home)}
        for real in self.mounts.values():
            real.mkdir()
        for name in ("passwd", "group", "nsswitch.conf"):
            if os.path.exists(f"/etc/{name}"):
                shutil.copy(f"/etc/{name}", self.mounts["/etc"])
        shutil.copy(SVCMGR, site.directory / "svcmgr")  # its own place may be in the home

    def run(self, *words):
        """In a mount namespace of its own."""
        script = "set -e\n" + "".join(f"mount --bind '{real}' '{place}'\n"
                                      for place, real in self.mounts.items()) + 'exec "$@"\n'
        return subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", script,
                               "sh", str(self.site.directory / "svcmgr"), *words],
                              env=self.site.environment, capture_output=True, text=True, timeout=60,
                              check=False)

    def path(self, place):
        """Where the test finds what svcmgr sees at a place."""
        top = next(top for top in self.mounts if place.startswith(f"{top}/"))
        return self.mounts[top] / place[len(top) + 1:]

    def write(self, place, name):
        path = self.path(f"{place}/{name}.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"command": [MISBEHAVE, "sleep-forever"], "settle": "10ms"}))


@pytest.fixture
def machine(site):
    if not is_root():
        pytest.skip("needs root")
    return Machine(site)


def state_of(result):
    assert result.stdout, result
    return json.loads(result.stdout)


def test_root_s_scope_is_the_system_s_and_user_asks_for_the_other(machine):
    home = machine.home
    machine.write("/etc/svcmgr", "both")
    machine.write(f"{home}/.config/svcmgr", "both")
    system = state_of(machine.run("--json", "status", "both"))
    user = state_of(machine.run("--json", "--user", "status", "both"))
    assert system["config"] == "/etc/svcmgr/both.json"
    assert system["log"] == "/var/lib/svcmgr/both/log/current"
    assert user["config"] == f"{home}/.config/svcmgr/both.json"
    assert user["log"] == f"{home}/.local/state/svcmgr/both/log/current"


def test_one_place_that_is_named_leaves_the_other_where_it_is(machine):
    machine.write("/etc/svcmgr", "one")
    told = state_of(machine.run("--json", "--state-dir", "/elsewhere", "status", "one"))
    assert (told["config"], told["log"]) == ("/etc/svcmgr/one.json", "/elsewhere/one/log/current")
    told = state_of(machine.run("--json", "--config-dir", "/etc/svcmgr", "status", "one"))
    assert (told["config"], told["log"]) == ("/etc/svcmgr/one.json", "/var/lib/svcmgr/one/log/current")


def test_a_name_that_is_not_in_the_scope_is_looked_for_in_the_other(machine):
    home = machine.home
    machine.write("/etc/svcmgr", "of-system")
    machine.write(f"{home}/.config/svcmgr", "of-user")
    assert state_of(machine.run("--json", "status", "of-user"))["config"] == \
        f"{home}/.config/svcmgr/of-user.json"
    assert state_of(machine.run("--json", "status", "of-system"))["config"] == \
        "/etc/svcmgr/of-system.json"
    assert machine.run("--system", "status", "of-user").returncode == 5
    assert machine.run("--user", "status", "of-system").returncode == 5
    names = [entry["name"] for entry in state_of(machine.run("--json", "list"))]
    assert names == ["of-system"]


def test_add_writes_to_the_scope_and_makes_it(machine):
    result = machine.run("add", "new", "--", "/bin/true")
    assert result.returncode == 0, result
    assert machine.path("/etc/svcmgr/new.json").exists()
    result = machine.run("--user", "add", "mine", "--", "/bin/true")
    assert result.returncode == 0, result
    assert machine.path(f"{machine.home}/.config/svcmgr/mine.json").exists()


# ---- The state directory ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME",
                                      "XDG_RUNTIME_DIR", "TMPDIR", "PWD"])
def test_no_variable_of_the_caller_moves_the_directories(site, variable):
    place = site.directory / "elsewhere"
    place.mkdir()
    home = pwd.getpwuid(os.getuid()).pw_dir
    result = subprocess.run([SVCMGR, "--user", "check", "no-such-service"], capture_output=True,
                            text=True, timeout=30, cwd=place, check=False,
                            env={**site.environment, variable: str(place)})
    assert result.returncode == 5, result
    assert f"{home}/.config/svcmgr/no-such-service.json" in result.stderr
    assert os.listdir(place) == []


def test_svcmgr_state_dir_and_the_option_move_it_and_the_option_wins(site):
    add_job(site)
    one, two = site.directory / "one", site.directory / "two"
    command = [*site.program(SVCMGR), "--config-dir", site.native(site.config_dir)]
    environment = {**site.environment, "SVCMGR_STATE_DIR": site.native(one)}

    def log_of(*words):
        result = subprocess.run([*command, "--json", *words, "status", "job"], env=environment,
                                capture_output=True, text=True, timeout=30, check=False)
        return json.loads(result.stdout)["log"]

    assert log_of() == f"{site.native(one)}/job/log/current"
    assert log_of("--state-dir", site.native(two)) == f"{site.native(two)}/job/log/current"


def test_relative_directories_are_those_of_the_caller(site):
    add_job(site)
    words = [*site.program(SVCMGR), "--config-dir", "config", "--state-dir", "./state/", "start", "job"]
    site.command = lambda *_: words
    result = site.svcmgr(cwd=site.directory)
    del site.command
    assert result.code == 0, result
    assert site.status("job")["state"] == "ready"
    assert site.svcmgr("restart", "job").code == 0


def test_one_service_in_two_state_directories_is_two(site):
    add_job(site)
    one = site.start("job")
    site.state_dir = site.directory / "other"
    two = site.start("job")
    assert one["pid"] != two["pid"]
    assert site.svcmgr("stop", "job").code == 0
    site.state_dir = site.directory / "state"
    assert site.status("job")["pid"] == one["pid"]


@needs_root
def test_without_a_usable_home_the_state_directory_must_be_named(open_site):
    site = open_site
    command = as_nobody([SVCMGR, "list"])  # whose home does not exist
    assert not os.path.exists(pwd.getpwnam("nobody").pw_dir)
    result = subprocess.run(command, env=site.environment, capture_output=True, text=True,
                            timeout=30, check=False)
    assert result.returncode == 4, result
    assert result.stderr.startswith("svcmgr: ") and "--state-dir" in result.stderr, result


@needs_root
def test_an_account_without_an_entry_needs_the_option_too(open_site):
    result = subprocess.run(["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", SVCMGR,
                             "list"], env=open_site.environment, capture_output=True, text=True,
                            timeout=30, check=False)
    assert result.returncode == 4 and "--state-dir" in result.stderr, result


@needs_root
def test_a_state_directory_that_cannot_be_made_is_named(open_site):
    site = open_site
    add_job(site)
    site.state_dir.rmdir()
    site.directory.chmod(0o555)
    os.chown(site.directory, 0, 0)
    result = site.run_as_nobody("start", "job")
    assert result.code == 4, result
    assert str(site.state_dir) in result.err and "Permission denied" in result.err, result


def test_a_file_in_place_of_the_state_directory_is_named(site):
    add_job(site)
    site.state_dir.write_text("")
    for command in ("start", "run"):
        result = site.svcmgr(command, "job")
        assert result.code == 1, (command, result)
        assert site.native(site.state_dir) in result.err, result
        assert "not a directory" in result.err.lower(), result
    assert site.svcmgr("status", "job").code == 3


def test_a_missing_configuration_directory_is_an_empty_one(site):
    site.config_dir.rmdir()
    result = site.svcmgr("list")
    assert result.code == 0 and "no services" in result.out, result
    assert site.svcmgr("start", "job").code == 5
    assert not site.config_dir.exists() and not site.state_dir.exists()


def test_a_path_that_is_too_long_for_a_socket_still_works_or_is_named(site):
    add_job(site)
    site.state_dir = site.directory / ("d" * 60) / ("e" * 60)
    result = site.svcmgr("start", "job")
    if result.code == 0:
        assert site.status("job")["state"] == "ready"
        assert site.svcmgr("restart", "job").code == 0
        assert site.svcmgr("stop", "job").code == 0
    else:
        assert "--state-dir" in result.err and site.native(site.state_dir) in result.err, result
        assert result.err.count("\n") == 1, result


def test_a_path_that_is_too_long_for_anything_is_wrong_usage(site):
    add_job(site)
    site.state_dir = Path("/" + "d" * 5000)
    result = site.svcmgr("start", "job")
    assert result.code == 2 and "too long" in result.err, result


def test_what_a_deleted_service_left_can_be_looked_at_and_removed(site):
    add_job(site)
    site.start("job")
    assert site.svcmgr("stop", "job").code == 0
    (site.config_dir / "job.json").unlink()
    assert site.status("job")["state"] == "stopped"
    assert site.svcmgr("start", "job").code == 5
    shutil.rmtree(site.state_of("job"))
    assert site.svcmgr("status", "job").code == 5
