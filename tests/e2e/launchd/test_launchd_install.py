"""install, uninstall, and what start and stop do with a service that launchd has."""

import os
import plistlib
import signal
import subprocess
from pathlib import Path

from stand_in import GUI, USER
from support import SVCMGR, get, pid_is_alive, wait_until

LABEL = "svcmgr.webui"


def test_it_writes_the_plist_and_does_not_start(site, launchd):
    site.add_webui()
    result = launchd.install()
    path = launchd.plist()
    assert result.out.startswith(f"wrote {path}\n+<?xml") and result.err == "", result
    assert result.out.endswith(f"enabled {LABEL}\n")
    assert launchd.job() == {} and launchd.calls() == []
    assert path.stat().st_mode & 0o777 == 0o644
    assert site.status()["installed"] == [
        {"kind": "launchd", "unit": LABEL, "scope": "user", "enabled": True}]
    assert f"launchd job {LABEL}, user scope, enabled" in site.svcmgr("status", "webui").out
    shown = site.svcmgr("install", "webui", "--print").out
    assert shown == path.read_text()


def test_again_changes_nothing(site, launchd):
    site.add_webui()
    launchd.install("webui", "--now")
    stamp = launchd.plist().stat().st_mtime_ns
    calls = launchd.calls()
    site.environment["PATH"] += ":/somewhere/else"
    assert launchd.install().out == "webui: is installed already, as it would be now\n"
    assert launchd.plist().stat().st_mtime_ns == stamp and launchd.calls() == calls
    assert not site.svcmgr("install", "webui", "--json").json()["changed"]
    assert "not what install would write" not in site.svcmgr("doctor", "webui").out


def test_start_and_stop_go_through_launchd(site, launchd):
    port = site.add_webui()
    launchd.install()
    result = site.svcmgr("start", "webui")
    assert result.code == 0 and result.out.startswith("webui: started: pid "), result
    status = site.status()
    assert status["launcher"] == {"kind": "launchd", "unit": LABEL} and get(port)[0] == 200
    assert status["keeper_pid"] == launchd.pid() and launchd.runs() == 1
    result = site.svcmgr("start", "webui")
    assert result.code == 0 and "already running" in result.out
    result = site.svcmgr("stop", "webui")
    assert result.code == 0 and result.out == "webui: stopped\n"
    assert launchd.job() == {} and not pid_is_alive(status["pid"])
    assert site.svcmgr("stop", "webui").out == "webui: is stopped\n"
    assert launchd.calls() == [["bootstrap", GUI, str(launchd.plist())],
                               ["bootout", f"{GUI}/{LABEL}"]]


def test_one_that_has_ended_is_kicked(site, launchd):
    site.add_webui()
    launchd.install("webui", "--now")
    assert site.svcmgr("stop", "webui", "--now").code == 0
    wait_until(lambda: launchd.pid() == 0)
    assert launchd.job()["last exit code"] == "0" and launchd.runs() == 1
    assert site.svcmgr("start", "webui").code == 0
    assert launchd.calls("kickstart") == [["kickstart", f"{GUI}/{LABEL}"]]
    assert launchd.runs() == 2


def test_uninstall_stops_it_first_and_leaves_nothing(site, launchd):
    site.add_webui()
    launchd.install("webui", "--now")
    pid = site.status()["pid"]
    result = site.svcmgr("uninstall", "webui")
    assert result.code == 0 and f"removed {launchd.plist()}\n" in result.out, result
    assert launchd.job() == {} and not launchd.plist().exists() and not pid_is_alive(pid)
    assert not (site.state_of("webui") / "launchd.log").exists()
    assert list(launchd.agents.iterdir()) == []
    assert site.svcmgr("uninstall", "webui").out == "webui: is not installed\n"


def test_an_older_definition_is_upgraded_and_the_difference_shown(site, launchd):
    port = site.add_webui()
    launchd.install("webui", "--now")
    pid = site.status()["pid"]
    site.add_webui(port=port, stop={"timeout": "20s"})
    assert "not what install would write now" in site.svcmgr("doctor", "webui").out
    launchd.set("gone_after", 0.5)
    result = launchd.install()
    assert result.out.splitlines() == [
        f"changed {launchd.plist()}", "-\t<key>ExitTimeOut</key> <integer>25</integer>",
        "+\t<key>ExitTimeOut</key> <integer>35</integer>",
        f"loaded {LABEL} again, which starts it anew"]
    status = site.wait_for_state("webui", "ready")
    assert status["pid"] != pid and launchd.job()["exit timeout"] == "35"


def test_one_edited_by_hand_is_made_what_it_was(site, launchd):
    site.add_webui()
    launchd.install("webui", "--now")
    before = launchd.plist().read_text()
    launchd.plist().write_text(before.replace("<false/>", "<true/>"))
    result = launchd.install()
    assert "-\t\t<key>SuccessfulExit</key> <true/>\n+\t\t<key>SuccessfulExit</key> <false/>" in result.out
    assert launchd.plist().read_text() == before
    site.wait_for_state("webui", "ready")
    assert launchd.pid() == site.status()["keeper_pid"]


def test_one_that_is_no_plist_any_more_is_left_alone(site, launchd):
    site.add_webui()
    launchd.install()
    launchd.plist().write_text("garbage")
    result = site.svcmgr("install", "webui")
    assert result.code == 1 and "svcmgr did not write it; move it away first" in result.err
    assert launchd.plist().read_text() == "garbage" and site.status()["installed"] == []


def test_a_label_that_launchd_is_slow_to_let_go_of(site, launchd):
    """bootout answers at once, and a bootstrap meanwhile is refused."""
    port = site.add_webui()
    launchd.install("webui", "--now")
    launchd.set("gone_after", 1.5)
    assert site.svcmgr("stop", "webui").code == 0
    assert launchd.job() == {}
    assert site.svcmgr("start", "webui").code == 0 and get(port)[0] == 200
    launchd.do("bootout", f"{GUI}/{LABEL}")  # by somebody else
    wait_until(lambda: launchd.pid() == 0)
    assert launchd.job() != {}
    result = site.svcmgr("start", "webui")
    assert result.code == 0, result
    assert get(port)[0] == 200 and launchd.runs() == 1


def test_a_bootstrap_that_is_refused_is_tried_again(site, launchd):
    site.add_webui()
    launchd.install()
    launchd.set("refuse", 4)
    result = site.svcmgr("start", "webui")
    assert result.code == 0, result
    assert len(launchd.calls("bootstrap")) == 5


def test_one_that_is_refused_for_ever_says_what_to_do(site, launchd):
    site.add_webui()
    launchd.install()
    launchd.set("refuse", 10000)
    result = site.svcmgr("start", "webui")
    assert result.code == 1 and "Bootstrap failed: 5: Input/output error" in result.err, result
    assert f"plutil -lint {launchd.plist()}" in result.err
    assert f"launchctl bootout {GUI}/{LABEL}" in result.err


def test_without_a_session_at_the_screen_it_is_one_of_the_user(site, launchd):
    """As over ssh."""
    port = site.add_webui()
    launchd.set("domains", [USER])
    launchd.install("webui", "--now")
    assert plistlib.loads(launchd.plist().read_bytes())["LimitLoadToSessionType"] == "Background"
    assert launchd.job(domain=USER)["state"] == "running" and get(port)[0] == 200
    launchd.set("domains", [GUI, USER])
    assert "installed already" in launchd.install().out
    assert site.svcmgr("stop", "webui").code == 0 and launchd.job(domain=USER) == {}


def test_one_of_the_screen_without_a_screen_says_what_to_do(site, launchd):
    site.add_webui()
    launchd.install()
    launchd.set("domains", [USER])
    result = site.svcmgr("start", "webui")
    assert result.code == 1 and "session at the screen" in result.err, result
    assert "svcmgr install webui" in result.err
    assert "not what install would write" in site.svcmgr("doctor", "webui").out
    result = launchd.install("webui", "--now")
    assert "+\t<key>LimitLoadToSessionType</key> <string>Background</string>" in result.out
    assert launchd.job(domain=USER)["state"] == "running"


def test_without_any_session_the_plist_waits_for_one(site, launchd):
    site.add_webui()
    launchd.set("domains", [])
    assert launchd.plist() and launchd.install().code == 0
    result = site.svcmgr("start", "webui")
    assert result.code == 1 and "no session at the screen now" in result.err, result


def test_a_label_that_is_loaded_from_another_plist_is_named(site, launchd, tmp_path):
    site.add_webui()
    other = tmp_path / "other.plist"
    other.write_bytes(plistlib.dumps({"Label": LABEL, "ProgramArguments": ["/bin/sleep", "1000"],
                                      "RunAtLoad": True}))
    launchd.do("bootstrap", GUI, other)
    pid = launchd.wait_for_run()
    for command in (["install", "webui"], ["install", "webui", "--now"]):
        result = site.svcmgr(*command)
        assert result.code == 10, result
        assert f"from another plist, {other}" in result.err
        assert f"launchctl bootout {GUI}/{LABEL}" in result.err
    assert not launchd.plist().exists() and pid_is_alive(pid)
    launchd.do("bootout", f"{GUI}/{LABEL}")
    wait_until(lambda: launchd.job() == {})
    launchd.install("webui", "--now")


def test_a_disabled_one_is_enabled_again(site, launchd):
    site.add_webui()
    launchd.install()
    launchd.do("disable", f"{GUI}/{LABEL}")
    assert site.status()["installed"][0]["enabled"] is False
    result = site.svcmgr("start", "webui")
    assert result.code == 1 and "svcmgr install webui enables it" in result.err, result
    assert "not enabled" in site.svcmgr("doctor", "webui").out
    assert launchd.install().out == f"enabled {LABEL}\n"
    assert site.svcmgr("start", "webui").code == 0


def test_a_service_of_the_name_with_another_state_is_not_this_one(site, launchd, tmp_path):
    site.add_webui()
    launchd.install()
    words = [SVCMGR, "--user", "--config-dir", str(site.config_dir), "--state-dir",
             str(tmp_path)]
    result = subprocess.run([*words, "install", "webui"], capture_output=True, text=True,
                            check=False, env=site.environment)
    assert result.returncode == 10 and "another state directory" in result.stderr, result


def test_in_system_scope(site, launchd):
    port = site.add_webui()
    launchd.set_scope("--system")
    launchd.install("webui", "--now")
    path = launchd.folder / "root/Library/LaunchDaemons" / f"{LABEL}.plist"
    assert "LimitLoadToSessionType" not in plistlib.loads(path.read_bytes())
    assert launchd.job(domain="system")["state"] == "running" and get(port)[0] == 200
    assert site.svcmgr("uninstall", "webui").code == 0
    assert not path.exists() and launchd.job(domain="system") == {}


def test_linger_is_for_systemd(site, launchd):
    site.add_webui()
    result = site.svcmgr("install", "webui", "--linger")
    assert result.code == 2 and "--linger is for systemd" in result.err


def test_a_plist_that_does_not_fit_any_more_is_started_once(site, launchd):
    """As after a downgrade: launchd is told 0, the start says what it was."""
    site.add_webui()
    launchd.install()
    text = launchd.plist().read_text()
    launchd.plist().write_text(text.replace("<string>run<", "<string>run</string><string>-x<"))
    result = site.svcmgr("start", "webui")
    assert result.code == 2 and "ended with code 2: svcmgr: unknown option -x" in result.err, result
    assert launchd.job()["last exit code"] == "0" and launchd.runs() == 1


def test_a_service_that_cannot_be_killed_is_not_started_beside(site, launchd):
    """launchd's patience ends before a stop does: the supervisor goes on with it."""
    port = site.add_webui(stop={"timeout": "100s", "signal": "USR1"})
    launchd.install("webui", "--now")
    status = site.status()
    os.kill(status["pid"], signal.SIGSTOP)
    stat = Path(f"/proc/{status['pid']}/stat")  # until it is, USR1 would go first
    wait_until(lambda: stat.read_text().rsplit(")", 1)[1].split()[0] == "T")
    launchd.do("bootout", f"{GUI}/{LABEL}")
    os.kill(status["keeper_pid"], signal.SIGKILL)
    wait_until(lambda: launchd.job() == {})
    assert pid_is_alive(status["pid"])
    os.kill(status["pid"], signal.SIGKILL)
    wait_until(lambda: not pid_is_alive(status["supervisor_pid"]))
    assert site.svcmgr("start", "webui").code == 0 and get(port)[0] == 200
