"""install and uninstall where no systemd is: what is shown, and what is refused.  With a systemd:
systemd/test_install.py."""

import os
from pathlib import Path

import pytest
from support import ROOT, SVCMGR, WEBUI, free_port

no_systemd = pytest.mark.skipif(Path("/run/systemd/system").exists(), reason="systemd runs here")


def directives(text):
    """Every line of a unit with a value, as a list of pairs."""
    return [tuple(line.split("=", 1)) for line in text.splitlines()
            if "=" in line and not line.startswith("#")]


def test_print_shows_the_unit_and_changes_nothing(site):
    site.add_webui()
    for scope, target in (("--system", "multi-user.target"), ("--user", "default.target")):
        result = site.svcmgr(scope, "install", "webui", "--print")
        assert result.code == 0 and result.err == "", result
        found = directives(result.out)
        program = os.path.realpath(SVCMGR)
        assert ("ExecStart", f"{program} {scope} --config-dir {site.config_dir} --state-dir "
                f"{site.state_dir} run webui --duplicate standby") in found
        assert ("Type", "notify") in found and ("WantedBy", target) in found
    assert not site.state_dir.exists()


def test_print_as_a_document(site):
    port = site.add_webui()
    document = site.svcmgr("install", "webui", "--print", "--socket", "--json").json()
    assert document["name"] == "webui"
    assert [file["name"] for file in document["files"]] == [
        "svcmgr-webui.service", "svcmgr-webui.socket"]
    assert ("ListenStream", f"127.0.0.1:{port}") in directives(document["files"][1]["text"])
    several = site.svcmgr("install", "webui", "webui", "--print", "--json").json()
    assert [one["name"] for one in several] == ["webui", "webui"]


def test_places_that_are_where_they_always_are_are_not_named(site):
    home = site.directory / "etc"
    home.mkdir()
    site.add_webui()
    words = [SVCMGR, "--config-dir", str(site.config_dir)]
    site.command = lambda *more: [*words, *map(str, more)]
    assert "--state-dir" not in site.svcmgr("install", "webui", "--print").out
    environment = {**site.environment, "SVCMGR_STATE_DIR": str(home / "state")}
    shown = site.svcmgr("install", "webui", "--print", env=environment).out
    assert f"--state-dir {home}/state " in shown


def test_the_manual_names_every_directive(site):
    site.add_webui(limits={"memory": "1GiB"}, depends_on=["db"])
    site.add("db", [WEBUI])
    manual = (ROOT / "docs/SYSTEMD.md").read_text()
    shown = site.svcmgr("install", "webui", "--print", "--socket").out
    missing = {key for key, _ in directives(shown) if f"`{key}=" not in manual}
    assert not missing, missing


def test_the_template_needs_no_service(site):
    result = site.svcmgr("install", "--template", "--print")
    assert result.code == 0
    assert any(key == "ExecStart" and value.endswith("run %i --duplicate standby")
               for key, value in directives(result.out))


def test_what_it_depends_on_may_take_its_time(site):
    def start_s():
        found = dict(directives(site.svcmgr("install", "webui", "--print").out))
        return int(found["TimeoutStartSec"].removesuffix("s"))

    site.add_webui()
    before = start_s()
    site.add("db", [WEBUI], start_timeout="100s", bind_timeout="10s", probe_timeout="2s")
    site.add("cache", [WEBUI], depends_on=["db"], start_timeout="5s", bind_timeout="10s",
             probe_timeout="2s")
    site.add_webui(depends_on=["cache"])
    assert start_s() == before + 112 + 17


@no_systemd
def test_installing_needs_a_systemd(site):
    site.add_webui()
    result = site.svcmgr("install", "webui")
    assert result.code == 1 and "--print shows what would be installed" in result.err
    assert not site.state_dir.exists()
    result = site.svcmgr("uninstall", "webui")
    assert result.code == 0 and result.out == "webui: is not installed\n"
    assert site.svcmgr("start", "webui").code == 0
    assert site.status()["installed"] == []
    assert "installed  with no service manager" in site.svcmgr("doctor", "webui").out


@pytest.mark.parametrize("words", [
    ["install", "webui", "--socket=inherit"], ["install", "webui", "--launcher"], ["uninstall"],
    ["uninstall", "webui", "--print"], ["start", "webui", "--socket"],
    ["install", "webui", "--", "x"]], ids=" ".join)
def test_wrong_words(site, words):
    site.add_webui()
    result = site.svcmgr(*words)
    assert result.code == 2 and result.err.startswith("svcmgr: "), result


def test_a_socket_is_one_thing_for_add_and_another_for_install(site):
    result = site.svcmgr("add", "webui", "--listen", f"127.0.0.1:{free_port()}", "--socket",
                         "inherit", "--", WEBUI)
    assert result.code == 0, result
    assert '"inherit"' in (site.config_dir / "webui.json").read_text()
    assert "svcmgr-webui.socket" in site.svcmgr("install", "--socket", "webui", "--print").out


def test_no_such_service(site):
    for command in ("install", "uninstall"):
        result = site.svcmgr(command, "webui")
        assert result.code == 5, result
    assert site.svcmgr("install", "webui", "--print").code == 5


def test_a_configuration_that_is_wrong(site):
    path = site.write("webui", '{"command": 1}')
    result = site.svcmgr("install", "webui", "--print")
    assert result.code == 6 and result.err.startswith(f"{site.native(path)}:1:13: "), result
