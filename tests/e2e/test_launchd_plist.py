"""The plist that install shows on any system, as parsers read it: libplist, which is not ours to
agree with, and Python's."""

import os
import plistlib
import subprocess

import pytest
import windows
from support import ROOT, SVCMGR, WEBUI, WINDOWS, Site, free_port

ODD = "a b\"c'd&e<f>g]]>h--i-->j;k%20\\l$HOME*{{é€\U0001f600"
FOLDERS = [ODD, "x\ty\nz\rü", "--", "-->", "&amp;", "<!--", " x "]
if WINDOWS:
    FOLDERS = list(map(windows.name, FOLDERS))


@pytest.fixture
def at(tmp_path):
    """Makes a site in a folder of this name."""
    def make(folder):
        directory = tmp_path / folder
        directory.mkdir()
        site = Site(directory)
        plain = site.add
        site.add = lambda name, command, **keys: plain(name, command, directory="/", **keys)
        return site

    return make


def shown(site, *options):
    result = site.svcmgr("--user", "install", "webui", "--launcher", "launchd", "--print", *options)
    assert result.code == 0 and result.err == "", result
    return result.out


def parsed(text):
    """What both parsers make of it."""
    converted = subprocess.run(["plistutil", "-f", "bin"], input=text.encode(),
                               capture_output=True, check=True).stdout
    by_libplist = plistlib.loads(converted)
    assert by_libplist == plistlib.loads(text.encode())
    return by_libplist


def search(site, first):
    """Has svcmgr find programs here first, as far as its caller has a say in that; returns its PATH,
    or under Wine, which adds Windows' own, the beginning of it."""
    if WINDOWS:
        site.environment["WINEPATH"] = windows.path(first)
        return windows.path(first) + ";"
    site.environment["PATH"] = f"{first}:/usr/bin:/bin"
    return site.environment["PATH"]


def path_of(found, like):
    """The PATH of a plist, or as much of it as is known."""
    (key, path), = found.pop("EnvironmentVariables").items()
    assert key == "PATH"
    return path[:len(like)] if WINDOWS else path


def test_it_is_the_job_that_is_meant(site):
    umask = {} if WINDOWS else {"umask": "027"}
    port = site.add_webui(**umask, stop={"timeout": "20s"})
    path = search(site, "/opt/homebrew/bin")
    found = parsed(shown(site))
    assert path_of(found, path) == path
    assert found == {
        "Label": "svcmgr.webui",
        "ProgramArguments": [
            site.itself(SVCMGR), "--user", "--config-dir", site.native(site.config_dir),
            "--state-dir", site.native(site.state_dir), "run", "webui", "--duplicate", "standby"],
        "RunAtLoad": True, "KeepAlive": {"SuccessfulExit": False}, "ThrottleInterval": 10,
        "ExitTimeOut": 35, "ProcessType": "Interactive", "LimitLoadToSessionType": "Aqua",
        "Umask": 0o27 if umask else 0o22, "SoftResourceLimits": {"NumberOfFiles": 4096},
        "StandardErrorPath": site.native(site.state_of("webui") / "launchd.log")}
    found = parsed(shown(site, "--socket"))
    assert found["Sockets"] == {"Listeners": [
        {"SockFamily": "IPv4", "SockNodeName": "127.0.0.1", "SockServiceName": str(port),
         "SockType": "stream"}]}
    assert not site.state_dir.exists()


@pytest.mark.parametrize("folder", FOLDERS, ids=ascii)
def test_hostile_values_are_read_back_as_they_are(at, folder):
    site = at(folder)
    path = site.directory / "s"
    searched = search(site, site.directory)
    program = site.run_copy()
    keys = {}
    if len(str(path)) < 100 and folder != FOLDERS[1] and not WINDOWS:  # what a listener cannot have
        keys["listen"] = f"unix:{path}"
    site.add("webui", [WEBUI], **keys)
    found = parsed(shown(site, *(["--socket"] if keys else [])))
    assert found["ProgramArguments"][0] == site.itself(program)
    assert found["ProgramArguments"][3] == site.native(site.config_dir)
    assert found["ProgramArguments"][5] == site.native(site.state_dir)
    assert path_of(found, searched) == searched
    assert found["StandardErrorPath"] == site.native(site.state_of("webui") / "launchd.log")
    if keys:
        assert found["Sockets"]["Listeners"][0]["SockPathName"] == str(path)


@pytest.mark.parametrize("byte", [1, 8, 0x0b, 0x1b, 0x1f])
def test_a_control_character_is_refused_by_name(at, byte):
    site = at(f"a{chr(byte)}b")
    site.add("webui", [WEBUI])
    result = site.svcmgr("--user", "install", "webui", "--launcher", "launchd", "--print")
    assert result.code == 6 and result.out == "", result
    assert f"XML 1.0 has no form for the control character 0x{byte:02x}" in result.err
    assert "the path of the configurations" in result.err


def test_bytes_that_are_no_utf8_are_refused_by_name(site):
    site.add("webui", [WEBUI])
    site.environment["PATH"] = b"/bin:/\xff".decode(errors="surrogateescape")
    result = site.svcmgr("--user", "install", "webui", "--launcher", "launchd", "--print")
    assert result.code == 6 and 'a plist cannot say PATH "/bin:/?"' in result.err, result


def test_in_system_scope_the_machine_runs_it(site):
    site.add("webui", [WEBUI], stop={"timeout": "5m"})
    text = site.svcmgr("--system", "install", "webui", "--launcher", "launchd", "--print").out
    found = parsed(text)
    assert "LimitLoadToSessionType" not in found and found["ProgramArguments"][1] == "--system"
    assert found["ExitTimeOut"] == 315 and found["ProcessType"] == "Standard"
    assert parsed(shown(site))["ExitTimeOut"] == 60


def test_output_that_is_to_be_launchds_goes_to_its_file(site):
    site.add("webui", [WEBUI], logs={"destination": "inherit"})
    found = parsed(shown(site))
    assert found["StandardOutPath"] == found["StandardErrorPath"]


def test_as_a_document(site):
    port = site.add_webui(port=free_port())
    result = site.svcmgr("install", "webui", "--launcher", "launchd", "--print", "--socket",
                         "--json").json()
    assert [one["name"] for one in result["files"]] == ["svcmgr.webui.plist"]
    assert str(port) in result["files"][0]["text"]


def test_the_manual_names_every_key(site):
    site.add("webui", [WEBUI], logs={"destination": "inherit"},
             listen=["127.0.0.1:80", f"unix:{site.directory}/s"])
    found = parsed(shown(site, "--socket"))
    manual = (ROOT / "docs/LAUNCHD.md").read_text()
    keys = set(found) | set(found["Sockets"]["Listeners"][0]) | set(found["Sockets"]["Listeners"][1])
    assert not [key for key in sorted(keys) if f"`{key}`" not in manual]


def test_there_is_none_for_all_services(site):
    result = site.svcmgr("install", "--template", "--launcher", "launchd", "--print")
    assert result.code == 2 and "launchd has no definition for all services" in result.err
    result = site.svcmgr("install", "--template", "--launcher", "openrc", "--print")
    assert result.code == 2 and "must be systemd, launchd or winsvc" in result.err


@pytest.mark.skipif(os.environ.get("SVCMGR_LAUNCHD") is not None, reason="launchd is here")
def test_where_no_launchd_is_nothing_is_installed(site):
    site.add_webui()
    result = site.svcmgr("install", "webui", "--launcher", "launchd")
    assert result.code == 1 and "launchd does not run this machine" in result.err
    assert not site.state_dir.exists()
