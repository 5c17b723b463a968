"""install and uninstall in user scope, with a real login manager."""

import os
import pty
import subprocess

from support import SVCMGR, get, pid_is_alive, wait_until
from units import show

UNIT = "svcmgr-webui.service"


def properties(user, *names):
    shown = user.systemctl("show", UNIT, f"--property={','.join(names)}")
    return dict(line.split("=", 1) for line in shown.splitlines())


def status_of(user):
    return user.svcmgr("status", "--json", "webui").json()


def test_from_install_to_uninstall(user):
    user.linger()
    port = user.add_webui()
    result = user.svcmgr("install", "webui")
    assert result.code == 0 and result.err == "", result
    path = user.place / UNIT
    assert properties(user, "FragmentPath", "UnitFileState", "NeedDaemonReload", "Type") == {
        "FragmentPath": str(path), "UnitFileState": "enabled", "NeedDaemonReload": "no",
        "Type": "notify"}
    assert show(UNIT, "LoadState") == "not-found"  # for the system's manager
    assert user.svcmgr("install", "webui").out == (
        "webui: is installed already, as it would be now\n")
    assert user.svcmgr("start", "webui").code == 0
    status = status_of(user)
    assert status["state"] == "ready" and get(port)[0] == 200
    assert status["launcher"] == {"kind": "systemd", "unit": UNIT}
    assert status["installed"] == [
        {"kind": "systemd", "unit": UNIT, "scope": "user", "enabled": True}]
    assert f'ready: pid {status["pid"]} serves' in user.systemctl("status", UNIT)
    user.systemctl("restart", UNIT)
    again = status_of(user)
    assert again["state"] == "ready" and again["keeper_pid"] != status["keeper_pid"]
    assert user.svcmgr("stop", "webui").code == 0
    assert properties(user, "ActiveState", "Result") == {
        "ActiveState": "inactive", "Result": "success"}
    assert user.svcmgr("start", "webui").code == 0
    pid = status_of(user)["pid"]
    assert user.svcmgr("uninstall", "webui").code == 0
    assert not pid_is_alive(pid) and not list(user.place.rglob("*svcmgr*"))
    assert properties(user, "LoadState") == {"LoadState": "not-found"}
    assert user.lingers  # it was not svcmgr that turned it on


def test_lingering_is_turned_on_and_off_again(user):
    user.add_webui()
    user.add_webui("other")
    assert not user.lingers
    result = user.svcmgr("install", "webui", "--linger", "--now")
    assert result.code == 0 and "turned lingering on" in result.out, result
    assert user.lingers and status_of(user)["state"] == "ready"
    assert user.svcmgr("install", "other").code == 0
    assert user.svcmgr("uninstall", "webui").code == 0 and user.lingers
    result = user.svcmgr("uninstall", "other")
    assert result.code == 0 and "turned lingering off again" in result.out, result
    assert not user.lingers and not (user.state / ".linger").exists()


def test_without_it_a_person_is_told(user):
    user.add_webui()
    user.linger()
    user.linger(False)
    wait_until(lambda: not user.lingers)
    # Their manager goes on while something of theirs runs.
    if user.svcmgr("install", "webui").code != 0:
        result = user.svcmgr("install", "webui")
        assert result.code == 1 and "loginctl enable-linger" in result.err
        return
    result = user.svcmgr("doctor", "webui")
    assert "only while its user is logged in" in result.out
    assert "type:     svcmgr install webui --linger" in result.out


def test_without_a_manager_nothing_is_written(user):
    user.add_webui()
    result = user.svcmgr("install", "webui")
    assert result.code == 1 and "no systemd of its own" in result.err, result
    assert "loginctl enable-linger" in result.err
    assert not user.place.exists()


def test_on_a_terminal_it_asks(user):
    user.add_webui()
    for answer, lingers in ((b"n\n", False), (b"y\n", True)):
        ours, theirs = pty.openpty()
        child = subprocess.Popen(
            ["setpriv", f"--reuid={user.name}", f"--regid={user.name}", "--init-groups", "env",
             "-i", f"HOME={user.home}", "PATH=/usr/bin:/bin", SVCMGR, "install", "webui"],
            stdin=theirs, stdout=theirs, stderr=theirs, cwd="/")
        os.close(theirs)
        os.write(ours, answer)
        child.wait(timeout=60)
        os.close(ours)
        assert user.lingers == lingers
    assert (user.place / UNIT).exists()
