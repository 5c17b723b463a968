"""Values that mean something to systemd: the unit does what the configuration says."""

import contextlib
import json
import shutil
import subprocess

import pytest
from support import MISBEHAVE, SVCMGR, Site, get, wait_until
from units import Installed, show, state, systemctl

UNIT = "svcmgr-webui.service"
# Blanks, quotes, specifiers, variables, separators, escapes, comments, and not only ASCII.
ODD = "a b\"c'd%h%%e$HOME${x}f;g#h\\i\\x41é€"
TEXTS = [ODD, ODD + "\n\tj\r\n", ODD + "\\", " " + ODD + " "]
FOLDERS = [ODD, "x\n" + ODD, "\\", "ü"]


@pytest.fixture
def at(tmp_path):
    """Makes a site in a folder of this name."""
    made = []

    def make(folder):
        directory = tmp_path / folder
        directory.mkdir()
        site = Site(directory)
        made.append((site, Installed(site)))
        return made[-1]

    yield make
    for site, installed in made:
        installed.clean_up()
        assert not site.clean_up()


def report_of(path):
    """What the program was given; what differs from run to run is left out."""
    def read():
        with contextlib.suppress(OSError, ValueError):
            return json.loads(path.read_text())

    report = wait_until(read, "the program's report")
    environment = {name: value for name, value in report["environment"].items()
                   if name not in ("SVCMGR_GENERATION", "SVCMGR_INSTANCE")}
    return report["argv"], report["cwd"], environment, report["umask"], report["groups"]


def add(site, text, **keys):
    report = site.directory / "report"
    line = " ".join(text.split("\n")).replace("\r", "").replace("\t", " ")
    braces = text.replace("{", "{{")
    site.add("webui", [MISBEHAVE, "report", report, "sleep-forever", braces, ""],
             description=line, environment={"ODD": braces, "EMPTY": ""}, umask="027",
             health={"command": ["/bin/sh", "-c", "[ \"$ODD\" = \"$0\" ]", braces]},
             stop={"command": ["/bin/sh", "-c", "printf %s \"$1\" > \"$0\"",
                               str(site.directory / "stopped"), braces]}, **keys)
    return report


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_a_unit_runs_what_a_start_by_hand_runs(at, text):
    site, installed = at("plain")
    report = add(site, text)
    site.start()
    by_hand = report_of(report)
    assert text in by_hand[0] and by_hand[2]["ODD"] == text
    assert site.svcmgr("stop", "webui").code == 0
    report.unlink()
    (site.directory / "stopped").unlink()
    installed.install("webui", "--now")
    assert site.status()["launcher"]["kind"] == "systemd"
    assert report_of(report) == by_hand
    assert site.svcmgr("stop", "webui").code == 0
    assert (site.directory / "stopped").read_bytes().decode() == text


@pytest.mark.parametrize("folder", FOLDERS, ids=range(len(FOLDERS)))
def test_places_of_any_name(at, folder):
    """Of the configuration, of the state, of the program and of svcmgr itself."""
    site, installed = at(folder)
    program = site.directory / "svcmgr"
    shutil.copy(SVCMGR, program)
    # A configuration's own paths are of one line.
    port = site.add_webui(directory="/" if "\n" in folder else str(site.directory))
    words = [program, "--config-dir", site.config_dir, "--state-dir", site.state_dir]
    result = subprocess.run([*words, "install", "webui", "--now"], capture_output=True, text=True,
                            env=site.environment, check=False)
    assert result.returncode == 0, result
    assert show(UNIT, "LoadState") == "loaded" and state(UNIT) == "active (running)"
    status = site.status()
    assert status["launcher"]["kind"] == "systemd" and get(port)[0] == 200
    assert status["installed"][0]["unit"] == UNIT
    systemctl("reload", UNIT)
    systemctl("restart", UNIT)
    assert get(port)[0] == 200
    result = subprocess.run([*words, "uninstall", "webui"], capture_output=True, text=True,
                            env=site.environment, check=False)
    assert result.returncode == 0, result
    assert show(UNIT, "LoadState") == "not-found"
    wait_until(lambda: site.status()["state"] == "stopped")


def test_the_description_is_the_configurations(site, installed):
    for text in ("The \"web\" UI of 100%: $HOME é€", "ends with C:\\"):
        site.add("webui", ["/bin/true"], description=text)
        installed.install()
        assert show(UNIT, "Description") == text.rstrip("\\")


def test_a_unix_socket_of_an_odd_name(site, installed, tmp_path):
    path = tmp_path / "50% \"x\" é"
    site.add("webui", ["/bin/sleep", "1000"], listen={
        "address": f"unix:{path}", "mode": "0660", "socket": "inherit"})
    installed.install("webui", "--socket")
    systemctl("start", "svcmgr-webui.socket")
    assert path.stat().st_mode & 0o777 == 0o660
    systemctl("stop", "svcmgr-webui.socket")
    assert not path.exists()
