"""install, uninstall, and what start and stop do with a service that systemd has."""

import json
import os
import signal
import subprocess
from pathlib import Path

from instances import wait_for_status
from support import (LIMIT, MISBEHAVE, SVCMGR, WEBUI, free_port, get, pid_is_alive,
                     wait_until)
from units import PLACE, files_of, main_pid, show, state, systemctl, wait_for

UNIT = "svcmgr-webui.service"
SOCKET = "svcmgr-webui.socket"
FILE = PLACE / UNIT


def journal_of_systemd(unit):
    """What process 1 has said about a unit's file."""
    text = subprocess.run(["journalctl", "--output=cat", "_PID=1"], capture_output=True, text=True,
                          check=True).stdout
    return [line for line in text.splitlines() if f"/{unit}:" in line]


def verify(*paths):
    """systemd-analyze verify, without the manual that is not installed."""
    result = subprocess.run(["systemd-analyze", "verify", "--man=no", *paths], text=True,
                            capture_output=True, check=False)
    return result.returncode, result.stdout + result.stderr


# ---- Installing ----------------------------------------------------------------------------------


def test_it_writes_enables_and_does_not_start(site, installed):
    site.add_webui()
    result = installed.install()
    assert result.out.startswith(f"wrote {FILE}\n+# Written by svcmgr for the service webui")
    assert result.out.endswith(f"enabled {UNIT}\n") and result.err == ""
    assert show(UNIT, "FragmentPath") == str(FILE) and FILE.stat().st_mode & 0o777 == 0o644
    assert show(UNIT, "UnitFileState") == "enabled"
    assert show(UNIT, "NeedDaemonReload") == "no"
    assert state(UNIT) == "inactive (dead)"
    assert UNIT in show("multi-user.target", "Wants").split()  # a boot starts it
    for name, value in (("Type", "notify"), ("NotifyAccess", "all"), ("Restart", "on-abnormal"),
                        ("RestartUSec", "100ms"), ("StartLimitIntervalUSec", "0"),
                        ("RestartPreventExitStatus", "1 4 6 10 11"), ("TimeoutStopUSec", "25s"),
                        ("KillMode", "mixed"), ("FileDescriptorStoreMax", "2"),
                        ("OOMPolicy", "continue")):
        assert show(UNIT, name) == value, name
    assert journal_of_systemd(UNIT) == []
    assert site.status()["installed"] == [
        {"kind": "systemd", "unit": UNIT, "scope": "system", "enabled": True}]
    assert f"systemd unit {UNIT}, system scope, enabled" in site.svcmgr("status", "webui").out


def test_again_changes_nothing(site, installed):
    site.add_webui()
    installed.install()
    before = files_of(PLACE)
    stamp = FILE.stat().st_mtime_ns
    result = installed.install()
    assert result.out == "webui: is installed already, as it would be now\n"
    assert files_of(PLACE) == before and FILE.stat().st_mtime_ns == stamp
    assert not site.svcmgr("install", "webui", "--json").json()["changed"]


def test_an_older_definition_is_upgraded_and_the_difference_shown(site, installed):
    port = site.add_webui()
    installed.install()
    FILE.write_text(FILE.read_text().replace("TimeoutStopSec=25s\n", "TimeoutStopSec=99s\nNice=1\n"))
    site.add_webui(port=port, description="The web UI")
    result = installed.install()
    assert result.out.splitlines() == [
        f"changed {FILE}", "-Description=webui", "+Description=The web UI", "-TimeoutStopSec=99s",
        "-Nice=1", "+TimeoutStopSec=25s"]
    assert show(UNIT, "Description") == "The web UI" and show(UNIT, "TimeoutStopUSec") == "25s"


def test_one_that_runs_is_upgraded_and_goes_on(site, installed):
    port = site.add_webui()
    installed.install("webui", "--now")
    pid = site.status()["pid"]
    site.add_webui(port=port, description="The web UI")
    installed.install()
    assert show(UNIT, "NeedDaemonReload") == "no" and show(UNIT, "Description") == "The web UI"
    assert site.status()["pid"] == pid and get(port)[0] == 200


def test_one_that_was_disabled_is_enabled_again(site, installed):
    site.add_webui()
    installed.install()
    systemctl("disable", UNIT)
    assert site.status()["installed"][0]["enabled"] is False
    result = site.svcmgr("doctor", "webui")
    assert "not enabled" in result.out and "type:     svcmgr install webui" in result.out
    assert installed.install().out == f"enabled {UNIT}\n"
    assert show(UNIT, "UnitFileState") == "enabled"


def test_the_document_says_what_was_done(site, installed):
    site.add_webui()
    document = site.svcmgr("install", "webui", "--json").json()
    report = document.pop("report")
    assert document == {"name": "webui", "changed": True, "kind": "systemd", "unit": UNIT,
                        "scope": "system", "enabled": True}
    assert report.startswith(f"wrote {FILE}\n")
    document = site.svcmgr("uninstall", "webui", "--json").json()
    assert document["changed"] and document["unit"] is None


def test_now_starts_it(site, installed):
    port = site.add_webui()
    result = installed.install("webui", "--now")
    assert "webui: started: pid " in result.out and "started by systemd" in result.out
    assert state(UNIT) == "active (running)" and get(port)[0] == 200


def test_print_shows_what_would_be_written_and_changes_nothing(site, installed):
    site.add_webui()
    before = files_of(PLACE)
    shown = site.svcmgr("install", "webui", "--print").out
    assert files_of(PLACE) == before and not site.state_of("webui").exists()
    installed.install()
    assert FILE.read_text() == shown


def test_systemd_finds_no_fault_with_any_of_them(site, installed, tmp_path):
    site.add("webui", [WEBUI], listen=[f"127.0.0.1:{free_port()}", "unix:/run/webui.sock"],
             limits={"memory": "100MiB"}, user="nobody", depends_on=["other"],
             description="50% \"x\"\\", environment={"A": "$B %i"})
    site.add("other", [WEBUI])
    installed.install("other")
    installed.install("webui", "--socket")
    assert verify(FILE, PLACE / SOCKET) == (0, "")
    assert journal_of_systemd(UNIT) == [] and journal_of_systemd(SOCKET) == []
    template = tmp_path / "svcmgr@.service"
    template.write_text(site.svcmgr("install", "--template", "--print").out)
    (tmp_path / "svcmgr@webui.service").symlink_to(template)
    assert verify(tmp_path / "svcmgr@webui.service") == (0, "")


def test_the_template_runs_any_service(site, installed, units):
    port = site.add_webui()
    path = PLACE / "svcmgr@.service"
    path.write_text(site.svcmgr("install", "--template", "--print").out)
    try:
        systemctl("daemon-reload")
        systemctl("start", "svcmgr@webui.service")
        status = site.status()
        assert status["state"] == "ready" and get(port)[0] == 200
        assert status["launcher"] == {"kind": "systemd", "unit": "svcmgr@webui.service"}
        systemctl("stop", "svcmgr@webui.service")
        assert show("svcmgr@webui.service", "Result") == "success"
    finally:
        path.unlink()
        systemctl("daemon-reload")


# ---- What is in the way --------------------------------------------------------------------------


def test_a_unit_that_somebody_else_wrote_is_left_alone(site, installed):
    site.add_webui()
    FILE.write_text("[Service]\nExecStart=/bin/true\n")
    try:
        for command in ("install", "start"):
            result = site.svcmgr(command, "webui")
            assert result.code == (1 if command == "install" else 0), result
        assert FILE.read_text() == "[Service]\nExecStart=/bin/true\n"
        assert site.status()["installed"] == [] and site.status()["launcher"]["kind"] == "manual"
        assert "svcmgr did not write it" in site.svcmgr("install", "webui").err
        assert "is not installed" in site.svcmgr("uninstall", "webui").out
        assert FILE.exists()
    finally:
        FILE.unlink()


def test_a_masked_unit_is_left_alone(site, installed):
    site.add_webui()
    FILE.symlink_to("/dev/null")
    try:
        result = site.svcmgr("install", "webui")
        assert result.code == 1 and "systemctl mask" in result.err
        assert os.readlink(FILE) == "/dev/null"
    finally:
        FILE.unlink()


def test_one_that_is_masked_later_says_so(site, installed):
    site.add_webui()
    installed.install()
    systemctl("mask", "--runtime", UNIT)
    try:
        result = site.svcmgr("start", "webui")
        # /etc goes before /run: systemd.unit(5)
        assert result.code == 0, result
    finally:
        systemctl("unmask", "--runtime", UNIT)


def test_a_service_of_the_name_with_another_state_is_not_this_one(site, installed, tmp_path):
    site.add_webui()
    installed.install()
    before = FILE.read_text()
    words = [SVCMGR, "--config-dir", str(site.config_dir), "--state-dir", str(tmp_path)]

    def run(*more):
        return subprocess.run([*words, *more], capture_output=True, text=True, check=False,
                              env=site.environment)

    result = run("install", "webui")
    assert result.returncode == 10 and "another state directory" in result.stderr
    assert json.loads(run("status", "--json", "webui").stdout)["installed"] == []
    assert "is not installed" in run("uninstall", "webui").stdout
    assert FILE.read_text() == before


def test_the_configuration_has_to_be_good(site, installed):
    before = files_of(PLACE)
    assert site.svcmgr("install", "webui").code == 5
    path = site.write("webui", '{"command": ["x"], "lisen": 80}')
    result = site.svcmgr("install", "webui")
    assert result.code == 6 and f"{path}:1:20: " in result.err
    site.add("webui", [WEBUI])
    result = site.svcmgr("install", "webui", "--socket")
    assert result.code == 6 and "listens nowhere" in result.err
    assert files_of(PLACE) == before


def test_a_systemctl_that_hangs_is_given_up(site, installed, tmp_path):
    fake = tmp_path / "systemctl"
    fake.write_text("#!/bin/sh\ncase \" $* \" in *\" daemon-reload \"*) exec sleep 1000;; esac\n"
                    f"exec {tmp_path}/real \"$@\"\n")
    fake.chmod(0o755)
    subprocess.run(["cp", "/usr/bin/systemctl", tmp_path / "real"], check=True)
    site.add_webui()
    subprocess.run(["mount", "--bind", fake, "/usr/bin/systemctl"], check=True)
    try:
        result = site.svcmgr("install", "webui")
        assert result.code == 1 and "systemd did not answer in 15 s" in result.err
    finally:
        subprocess.run(["umount", "/usr/bin/systemctl"], check=True)
    installed.install()
    assert show(UNIT, "LoadState") == "loaded"


# ---- Starting and stopping -----------------------------------------------------------------------


def test_start_and_stop_go_through_systemd(site, installed):
    port = site.add_webui()
    installed.install()
    result = site.svcmgr("start", "webui")
    assert result.code == 0 and result.out.startswith("webui: started: pid "), result
    status = site.status()
    assert status["launcher"] == {"kind": "systemd", "unit": UNIT}
    assert status["keeper_pid"] == main_pid(UNIT) and get(port)[0] == 200
    assert state(UNIT) == "active (running)" and show(UNIT, "WatchdogUSec") == "30s"
    shown = systemctl("status", UNIT)
    assert f'Status: "ready: pid {status["pid"]} serves http://127.0.0.1:{port}"' in shown
    result = site.svcmgr("start", "webui")
    assert result.code == 0 and "already running" in result.out
    assert site.svcmgr("start", "webui", "--json").json()["installed"][0]["unit"] == UNIT
    result = site.svcmgr("stop", "webui")
    assert result.code == 0 and result.out == "webui: stopped\n"
    assert state(UNIT) == "inactive (dead)" and show(UNIT, "Result") == "success"
    assert not pid_is_alive(status["pid"])
    assert site.svcmgr("stop", "webui").out == "webui: is stopped\n"


def test_one_that_is_ready_before_it_can_be_asked_was_started(site, installed):
    site.add("webui", ["/bin/sleep", "1000"], settle="1ms")
    installed.install()
    for _ in range(3):
        assert site.svcmgr("start", "webui").out.startswith("webui: started: pid ")
        assert site.svcmgr("stop", "webui").out == "webui: stopped\n"


def test_uninstall_stops_it_first_and_leaves_nothing(site, installed):
    before = files_of(PLACE)
    links = sorted(path for path in PLACE.rglob("*") if path.is_dir())
    site.add_webui()
    installed.install("webui", "--now")
    pid = site.status()["pid"]
    result = installed.uninstall()
    assert f"removed {FILE}\n" in result.out
    assert not pid_is_alive(pid) and site.status()["state"] == "stopped"
    assert files_of(PLACE) == before
    assert sorted(path for path in PLACE.rglob("*") if path.is_dir()) == links
    assert show(UNIT, "LoadState") == "not-found" and state(UNIT) == "inactive (dead)"
    assert UNIT not in systemctl("list-units", "--all", "--plain", "--no-legend")
    assert site.svcmgr("uninstall", "webui").out == "webui: is not installed\n"
    site.start()
    assert site.status()["launcher"]["kind"] == "manual"


def test_a_failed_unit_is_not_left_either(site, installed):
    site.add_webui()
    installed.install("webui", "--now")
    pids = site.status()
    os.kill(pids["keeper_pid"], signal.SIGABRT)
    wait_until(lambda: show(UNIT, "NRestarts") == "1" and state(UNIT) == "active (running)")
    installed.uninstall()
    assert "svcmgr-webui" not in systemctl("list-units", "--all", "--plain", "--no-legend",
                                           "--state=failed")


def test_one_whose_configuration_is_gone_can_be_uninstalled(site, installed):
    site.add_webui()
    installed.install("webui", "--now")
    pid = site.status()["pid"]
    (site.config_dir / "webui.json").unlink()
    installed.uninstall()
    assert not FILE.exists() and not pid_is_alive(pid)


def test_direct_goes_round_it(site, installed):
    port = site.add_webui()
    installed.install()
    status = site.start("webui", "--direct")
    assert status["launcher"]["kind"] == "manual" and state(UNIT) == "inactive (dead)"
    result = site.svcmgr("start", "webui")
    assert result.code == 0 and "already running" in result.out and get(port)[0] == 200
    assert state(UNIT) == "inactive (dead)"
    assert site.svcmgr("stop", "webui").code == 0
    assert site.status()["state"] == "stopped" and not pid_is_alive(status["pid"])


def test_another_control_channel_is_not_for_one_that_systemd_starts(site, installed):
    """The unit says how it runs."""
    site.add_webui()
    installed.install()
    result = site.svcmgr("start", "webui", "--control", "tcp")
    assert result.code == 2 and "--control is not for a service that systemd starts; add --direct" \
        in result.err, result
    assert state(UNIT) == "inactive (dead)" and site.status()["state"] == "stopped"
    assert site.svcmgr("start", "webui", "--direct", "--control", "tcp").code == 0
    assert (site.state_of("webui") / "control.json").exists()
    assert site.svcmgr("stop", "webui").code == 0


def test_stop_direct_ends_the_unit_too(site, installed):
    site.add_webui()
    installed.install("webui", "--now")
    assert site.svcmgr("stop", "webui", "--direct").code == 0
    wait_for(UNIT, "inactive (dead)")
    assert show(UNIT, "Result") == "success" and show(UNIT, "NRestarts") == "0"


def test_a_unit_beside_a_hand_started_one_stands_by_and_stop_ends_both(site, installed):
    site.add_webui()
    installed.install()
    pid = site.start("webui", "--direct")["pid"]
    systemctl("start", UNIT)
    wait_for_status(site, "webui", lambda status: [
        one["keeper_pid"] for one in status["standby"]] == [main_pid(UNIT)])
    assert site.svcmgr("stop", "webui").code == 0
    wait_for(UNIT, "inactive (dead)")
    assert site.status()["state"] == "stopped" and not pid_is_alive(pid)


def test_stop_from_inside_is_accepted_by_the_supervisor(site, installed):
    """systemctl would end the command that waits for it."""
    script = site.directory / "script"
    script.write_text(f"while ! [ -e {site.directory}/go ]; do sleep 0.02; done\n"
                      f"{' '.join(site.command('stop', 'webui'))} > {site.directory}/said 2>&1\n"
                      f"echo $? >> {site.directory}/said\nexec sleep 1000\n")
    site.add("webui", ["/bin/sh", script], stop={"timeout": "5s"})
    installed.install("webui", "--now")
    (site.directory / "go").touch()
    wait_for(UNIT, "inactive (dead)")
    assert "stop accepted" in (site.directory / "said").read_text()
    assert show(UNIT, "Result") == "success" and site.status()["state"] == "stopped"


def test_restart_goes_to_the_supervisor_and_starts_a_stopped_one_through_systemd(site, installed):
    port = site.add_webui()
    installed.install()
    result = site.svcmgr("restart", "webui")
    assert result.code == 0, result
    first = site.status()
    assert first["launcher"]["kind"] == "systemd" and first["keeper_pid"] == main_pid(UNIT)
    result = site.svcmgr("restart", "webui")
    assert result.code == 0, result
    second = site.status()
    assert second["keeper_pid"] == first["keeper_pid"] and second["pid"] != first["pid"]
    assert show(UNIT, "NRestarts") == "0" and get(port)[0] == 200


def test_systemctl_restart_and_reload(site, installed):
    port = site.add_webui()
    installed.install("webui", "--now")
    first = site.status()
    systemctl("restart", UNIT)
    second = site.status()
    assert second["state"] == "ready" and second["keeper_pid"] != first["keeper_pid"]
    assert get(port)[0] == 200 and not pid_is_alive(first["pid"])
    site.add_webui(port=port, stop={"timeout": "3s"})
    assert site.status()["config_changed"]
    systemctl("reload", UNIT)
    third = site.status()
    assert not third["config_changed"] and third["pid"] == second["pid"]
    assert show(UNIT, "NRestarts") == "0"
    site.write("webui", "{")
    assert subprocess.run(["systemctl", "reload", UNIT], check=False,
                          capture_output=True).returncode != 0
    assert site.status()["pid"] == second["pid"] and state(UNIT) == "active (running)"


def test_a_start_that_fails_says_why_with_its_code(site, installed):
    site.add("webui", [MISBEHAVE, "exit", "3"], ready="spawn", restart={"when": "never"})
    installed.install()
    result = site.svcmgr("start", "webui")
    assert result.code == 1 and "not started" in result.err, result
    site.svcmgr("stop", "webui")


def test_a_start_that_systemd_cannot_do_says_why(site, installed):
    site.add_webui()
    installed.install()
    drop_in = PLACE / f"{UNIT}.d" / "broken.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nExecStart=\nExecStart=/nowhere/svcmgr\n")
    try:
        result = installed.install()
        assert f"drop-ins of others: {drop_in}\n" in result.out
        result = site.svcmgr("start", "webui")
        assert result.code == 1 and f"systemd unit {UNIT} ended with code 203" in result.err, result
    finally:
        drop_in.unlink()
    installed.uninstall()
    assert not drop_in.parent.exists()


def test_who_depends_on_it_has_it_started_by_systemd(site, installed):
    site.add_webui()
    site.add("front", [WEBUI, "--quiet"], listen=f"127.0.0.1:{free_port()}", depends_on=["webui"])
    installed.install("webui")
    installed.install("front")
    systemctl("start", "svcmgr-front.service")
    assert state(UNIT) == "active (running)"
    assert site.status("front")["state"] == "ready"
    assert site.svcmgr("stop", "--all").code == 0
    assert site.svcmgr("start", "front").code == 0
    assert site.status("webui")["launcher"]["kind"] == "systemd"
    assert site.status("front")["launcher"]["kind"] == "systemd"


def test_whoever_is_not_root_may_not(site, installed):
    site.add_webui()
    installed.install()
    directory = site.directory
    for folder in (directory, *directory.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o055)
    for path in (site.config_dir, site.state_dir):
        path.chmod(0o755)
    words = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
             *site.command("--system")]
    for folder in Path(SVCMGR).parents:
        folder.chmod(folder.stat().st_mode | 0o011)
    systemctl("start", "dbus.service")  # root alone reaches systemd without it
    for command in ("install", "start", "stop", "uninstall"):
        result = subprocess.run([*words, command, "webui"], capture_output=True, text=True,
                                check=False, cwd="/")
        assert result.returncode == 4, (command, result)
    assert FILE.exists() and show(UNIT, "UnitFileState") == "enabled"


# ---- Sockets -------------------------------------------------------------------------------------


def test_a_socket_unit_comes_and_goes_with_the_option(site, installed):
    port = site.add_webui()
    result = installed.install("webui", "--socket")
    assert f"wrote {PLACE / SOCKET}\n" in result.out
    assert show(SOCKET, "UnitFileState") == "enabled"
    assert show(SOCKET, "Listen") == f"127.0.0.1:{port} (Stream)"
    assert show(SOCKET, "FileDescriptorName") == "http"
    assert "with its sockets" in site.svcmgr("doctor", "webui").out
    result = installed.install()
    assert f"removed {PLACE / SOCKET}\n" in result.out
    assert show(SOCKET, "LoadState") == "not-found"
    assert "Requires=" not in FILE.read_text()


def test_stop_stops_the_socket_too(site, installed):
    """Else the next connection would start the service again."""
    site.add_webui()
    installed.install("webui", "--socket", "--now")
    assert state(SOCKET) in ("active (running)", "active (listening)")
    assert site.svcmgr("stop", "webui").code == 0
    assert state(SOCKET) == "inactive (dead)" and state(UNIT) == "inactive (dead)"


def test_the_first_connection_starts_it(site, installed):
    port = site.add_webui()
    installed.install("webui", "--socket")
    systemctl("start", SOCKET)
    assert state(UNIT) == "inactive (dead)"
    assert get(port, timeout=LIMIT)[0] == 200
    status = site.wait_for_state("webui", "ready")
    assert status["launcher"]["kind"] == "systemd" and status["listen"][0]["held"]


def test_the_service_outlives_its_socket_unit(site, installed):
    port = site.add_webui()
    installed.install("webui", "--socket", "--now")
    pid = site.status()["pid"]
    installed.install()
    assert site.status()["pid"] == pid and get(port)[0] == 200
    assert state(UNIT) == "active (running)"


def test_a_start_beside_the_socket_unit_is_refused_and_wakes_nobody(site, installed):
    """A probe of the address would start the unit."""
    site.add_webui()
    installed.install("webui", "--socket")
    systemctl("start", SOCKET)
    result = site.svcmgr("start", "webui", "--direct")
    assert result.code == 10, result
    assert f"systemd unit {SOCKET} is installed for this service and has the address" in result.err
    assert f"type systemctl stop {SOCKET}" in result.err
    assert state(UNIT) == "inactive (dead)" and show(SOCKET, "NAccepted") in ("0", "")
    assert "[ok] launchers  no other job has this service" in site.svcmgr("doctor", "webui").out
    systemctl("stop", SOCKET)
    assert site.svcmgr("start", "webui", "--direct").code == 0
