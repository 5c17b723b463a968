"""The Windows service and the task that install shows on any system: their values as a reader that
is not ours takes them."""

import subprocess
import xml.etree.ElementTree

import pytest
import windows
from support import SVCMGR, WEBUI, WINDOWS, Site

ODD = "a b'c&d<e>f]]>g--h;j{{é€\U0001f600 $HOME"
FOLDERS = [ODD, "x y", "--", "&amp;", "back\\slash\\", "ends with \\", "'"]
if WINDOWS:
    FOLDERS = list(map(windows.name, FOLDERS))
TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


@pytest.fixture
def at(tmp_path):
    """Makes a site in a folder of this name."""
    def make(folder):
        directory = tmp_path / folder
        directory.mkdir()
        return Site(directory)

    return make


def words_of(line):
    """The words of a command line, as "Parsing C command-line arguments" says."""
    words, word, quoted, begun, at = [], "", False, False, 0
    while at < len(line):
        slashes = len(line[at:]) - len(line[at:].lstrip("\\"))
        at += slashes
        if line[at:at + 1] == '"':
            word += "\\" * (slashes // 2)
            begun = True
            if slashes % 2:
                word += '"'
            else:
                quoted = not quoted
            at += 1
            continue
        word += "\\" * slashes
        begun = begun or slashes > 0
        if at == len(line):
            break
        if line[at] in " \t" and not quoted:
            if begun:
                words.append(word)
            word, begun = "", False
        else:
            word += line[at]
            begun = True
        at += 1
    return words + [word] if begun else words


def record(site, *options):
    result = site.svcmgr("--system", "install", "webui", "--launcher", "winsvc", "--print",
                         *options)
    assert result.code == 0 and result.err == "", result
    return result.json()


def task(site, scope, *options):
    result = site.svcmgr(scope, "install", "webui", "--task", "--print", *options)
    assert result.code == 0 and result.err == "", result
    return result.out


def field(text, path):
    return xml.etree.ElementTree.fromstring(text).findtext(
        "/".join(TASK + name for name in path.split("/")))


def test_it_is_the_service_that_is_meant(site):
    site.add_webui(stop={"timeout": "20s"}, description="Our web", depends_on=["db"])
    site.add("db", [WEBUI])
    found = record(site)
    program = site.itself(SVCMGR)
    assert found.pop("note").startswith("written by svcmgr install")
    assert words_of(found.pop("image_path")) == [
        program, "--system", "--config-dir", site.native(site.config_dir), "--state-dir",
        site.native(site.state_dir), "run", "webui", "--duplicate", "standby"]
    state = site.native(site.state_of("webui"))
    assert found == {
        "state": state, "name": "svcmgr-webui", "display_name": "webui (svcmgr)",
        "description": "Our web", "account": "NT SERVICE\\svcmgr-webui",
        "start": "automatic, delayed", "sid_type": "unrestricted",
        "required_privileges": ["SeChangeNotifyPrivilege", "SeCreateGlobalPrivilege",
                                "SeIncreaseWorkingSetPrivilege"],
        "dependencies": ["svcmgr-db"],
        "recovery": {"restart_after_ms": [1000, 5000, 30000], "reset_period_s": 3600,
                     "non_crash_failures": True},
        "preshutdown_timeout_ms": 35000, "event_message_file": program,
        "grants": [{"path": state, "rights": "modify"},
                   {"path": site.native(site.config_dir / "webui.json"), "rights": "read"}]}
    assert not site.state_dir.exists()


@pytest.mark.parametrize("folder", FOLDERS, ids=ascii)
def test_hostile_values_are_read_back_as_they_are(at, folder):
    site = at(folder)
    program = site.itself(site.run_copy())
    places = ["--config-dir", site.native(site.config_dir), "--state-dir", site.native(site.state_dir)]
    site.add("webui", [WEBUI], directory="/")
    line = record(site)["image_path"]
    assert line.startswith('"')
    assert words_of(line) == [
        program, "--system", *places, "run", "webui", "--duplicate", "standby"]
    text = task(site, "--user")
    assert text.isascii() and "encoding" not in text
    assert field(text, "Actions/Exec/Command") == program
    assert words_of(field(text, "Actions/Exec/Arguments")) == ["--user", *places, "start", "webui"]
    assert site.native(site.state_of("webui")) in field(text, "RegistrationInfo/Description")


def test_what_windows_would_take_for_a_variable_is_refused(at):
    site = at("%one")  # in the path of the configurations and in that of the state
    site.add_webui()
    result = site.svcmgr("--system", "install", "webui", "--launcher", "winsvc", "--print")
    assert result.code == 6 and "for a variable" in result.err, result


def test_a_task_of_the_machine_and_one_of_a_user(site):
    site.add_webui()
    machine = task(site, "--system")
    assert field(machine, "Principals/Principal/UserId") == "S-1-5-19"
    assert words_of(field(machine, "Actions/Exec/Arguments"))[-4:] == [
        "run", "webui", "--duplicate", "standby"]
    user = task(site, "--user")
    name = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    assert field(user, "Triggers/LogonTrigger/UserId") == name
    assert field(user, "Principals/Principal/UserId") == name
    assert field(user, "Settings/ExecutionTimeLimit") == "PT0S"
    document = site.svcmgr("install", "webui", "--task", "--print", "--json").json()
    assert [file["name"] for file in document["files"]] == ["svcmgr-webui.xml"]


@pytest.mark.parametrize(("words", "code", "said"), [
    (["--user", "--launcher", "winsvc", "--print"], 2, "install it with --system"),
    (["--system", "--launcher", "winsvc", "--print", "--socket"], 2, "without --socket"),
    (["--task", "--print", "--socket"], 2, "without --socket"),
    (["--task", "--launcher", "systemd", "--print"], 2, "not for systemd"),
    (["--launcher", "task", "--print"], 2, "must be systemd, launchd or winsvc"),
    (["--launcher", "windows", "--print"], 2, "must be systemd, launchd or winsvc"),
    (["--system", "--launcher", "winsvc"], 1, "winsvc does not run this machine"),
    (["--task"], 1, "schtasks /create"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_what_cannot_be_is_refused(site, words, code, said):
    site.add_webui()
    result = site.svcmgr("install", "webui", *words)
    assert result.code == code and result.out == "" and said in result.err, result
    assert not site.state_dir.exists()


def test_a_user_with_a_password_is_refused_by_name(site):
    site.add_webui(user="daemon")
    result = site.svcmgr("--system", "install", "webui", "--launcher", "winsvc", "--print")
    assert result.code == 6 and '"user": daemon would need a password' in result.err, result
