"""The service as a unit of Type=notify: what systemd knows of it, and does with it."""

import os
import signal
import subprocess

from instances import inherit, wait_for_status
from puppet import Puppet
from strangers import add_marked, http_server
from support import WEBUI, free_port, get, pid_is_alive, wait_until
from test_restart_load import lost, rain
from units import PLACE, main_pid, show, state, systemctl, wait_for


def notify_unit(site, units, *options, **keys):
    """The service as an expert would write its unit."""
    return units.service("webui", *site.command("run", "webui", "--duplicate", "standby", *options),
                         **{"Type": "notify", "NotifyAccess": "all", "Restart": "on-abnormal",
                            "RestartPreventExitStatus": "1 4 6 10 11", "RestartSec": "100ms",
                            "KillMode": "mixed", "StandardOutput": "journal",
                            "StandardError": "journal", **keys})


def status_text(unit):
    return show(unit, "StatusText")


def journal(unit, *options):
    return subprocess.run(["journalctl", "--no-pager", "--output=cat", f"--unit={unit}", *options],
                          capture_output=True, text=True, check=True).stdout


def test_started_means_ready_and_status_says_so(site, units):
    port = free_port()
    add_marked(site, port=port)
    unit = notify_unit(site, units)
    systemctl("start", unit)
    assert get(port)[0] == 200 and state(unit) == "active (running)"
    status = site.status()
    assert status["launcher"] == {"kind": "systemd", "unit": unit}
    sentence = f"ready: pid {status['pid']} serves http://127.0.0.1:{port}"
    assert status_text(unit) == sentence
    assert f'Status: "{sentence}"' in systemctl("status", unit)
    systemctl("stop", unit)
    assert show(unit, "Result") == "success" and not pid_is_alive(status["pid"])


def test_what_happens_is_in_the_journal(site, units):
    systemctl("start", "systemd-journald")
    port = free_port()
    add_marked(site, port=port)
    unit = notify_unit(site, units)
    systemctl("start", unit)
    systemctl("stop", unit)
    wait_until(lambda: "svcmgr: webui: stopped" in journal(unit))
    assert "svcmgr: webui: ready: " in journal(unit) and "<6>" not in journal(unit)


def test_a_failure_is_a_warning_there(site, units):
    systemctl("start", "systemd-journald")
    site.add("webui", ["/bin/sh", "-c", "exit 3"], ready="spawn",
             restart={"burst": 1, "delay": "50ms"})
    unit = notify_unit(site, units)
    systemctl("start", unit)
    wait_until(lambda: "svcmgr: webui: failed: " in journal(unit, "--priority=warning"))
    assert "svcmgr: webui: starting" not in journal(unit, "--priority=warning")
    assert "svcmgr: webui: starting" in journal(unit)


def test_a_file_has_no_levels(site, units):
    systemctl("start", "systemd-journald")
    site.add_webui()
    said = site.directory / "said"
    unit = notify_unit(site, units, StandardError=f"file:{said}")
    systemctl("start", unit)
    assert said.read_text().startswith("svcmgr: webui: starting")


def test_a_start_that_fails_is_no_ready_one_and_says_why(site, units):
    site.add("webui", ["/bin/sh", "-c", "exit 3"], ready="spawn",
             restart={"burst": 2, "delay": "50ms"})
    unit = notify_unit(site, units)
    systemctl("start", unit)
    assert status_text(unit).startswith("failed: ") and "code 3" in status_text(unit)
    assert show(unit, "NRestarts") == "0" and site.status()["restarts"] > 0


def test_a_slow_start_and_a_slow_stop_do_not_run_into_the_units_limits(site, units):
    port = free_port()
    program = f"sleep 3; exec {WEBUI} --quiet"
    site.add("webui", ["/bin/sh", "-c", program], listen=inherit(port), health={"http": "/health"},
             stop={"command": ["/bin/sh", "-c", "sleep 3; kill $SVCMGR_PID"], "timeout": "20s"})
    unit = notify_unit(site, units, TimeoutStartSec="1", TimeoutStopSec="1")
    systemctl("start", unit)
    pid = site.status()["pid"]
    assert state(unit) == "active (running)" and get(port)[0] == 200
    systemctl("stop", unit)
    assert show(unit, "Result") == "success" and not pid_is_alive(pid)
    assert show(unit, "NRestarts") == "0"


def test_a_reload_reloads(site, units):
    port = site.add_webui()
    unit = notify_unit(site, units, ExecReload="/bin/kill -HUP $MAINPID")
    systemctl("start", unit)
    site.add_webui(port=port, description="another one")
    systemctl("reload", unit)
    wait_until(lambda: [entry for entry in site.events() if entry["event"] == "reload"])
    wait_for(unit, "active (running)")
    assert status_text(unit).startswith("ready: ")


# ---- Under load -----------------------------------------------------------------------------------


def busy_server(site, **keys):
    port = free_port()
    site.add("webui", [WEBUI, "--quiet"], health={"http": "/health"},
             listen={"address": f"127.0.0.1:{port}", **keys, "backlog": 4096})
    return port


def count_stored(unit):
    return int(show(unit, "NFileDescriptorStore"))


def restart_under_load(site, unit, port):
    with rain(port, 1000) as result:
        for number in range(3):
            pid = site.status()["pid"]
            systemctl("restart", unit)
            status = site.status()
            assert status["state"] == "ready" and status["pid"] != pid, number
    assert lost(result) == {} and result["fine"] > 0


def test_a_restart_of_the_unit_refuses_nobody(site, units):
    port = busy_server(site, socket="inherit")
    unit = notify_unit(site, units, FileDescriptorStoreMax="8")
    systemctl("start", unit)
    assert count_stored(unit) == 1
    restart_under_load(site, unit, port)
    assert count_stored(unit) == 1


def test_with_a_socket_unit_not_even_a_stop_refuses_anybody(site, units):
    port = busy_server(site)
    units.write("webui.socket", Socket={"ListenStream": f"127.0.0.1:{port}", "Backlog": "4096"})
    unit = notify_unit(site, units, FileDescriptorStoreMax="8")
    systemctl("start", "webui.socket")
    assert get(port)[0] == 200  # whoever connects first starts it
    assert site.status()["listen"][0]["socket"] == "inherit" and count_stored(unit) == 0
    restart_under_load(site, unit, port)
    with rain(port, 500) as result:
        systemctl("stop", unit)
        wait_for(unit, "active (running)")
    assert lost(result) == {} and result["fine"] > 0
    systemctl("stop", "webui.socket", unit)


def test_localhost_comes_back_whole(site, units):
    port = free_port()
    site.add("webui", [WEBUI, "--quiet"], health={"http": "/health"},
             listen={"address": f"localhost:{port}", "socket": "inherit"})
    unit = notify_unit(site, units, FileDescriptorStoreMax="8")
    systemctl("start", unit)
    assert count_stored(unit) == 2
    systemctl("restart", unit)
    assert count_stored(unit) == 2 and get(port)[0] == 200
    assert [entry for entry in site.events() if entry["event"] == "warning"] == []


# ---- Deaths ---------------------------------------------------------------------------------------


def test_of_a_supervisors_death_systemd_notices_nothing(site, units):
    port = busy_server(site, socket="inherit")
    unit = notify_unit(site, units, FileDescriptorStoreMax="8", WatchdogSec="5")
    systemctl("start", unit)
    former = site.status()
    with rain(port, 1000) as result:
        for _ in range(5):
            pid = site.status()["supervisor_pid"]
            os.kill(pid, signal.SIGKILL)
            wait_for_status(site, "webui", lambda status, pid=pid: status["supervisor_pid"] not in
                            (None, pid))
    assert lost(result) == {} and result["fine"] > 0
    status = site.status()
    assert status["pid"] == former["pid"] and status["keeper_pid"] == main_pid(unit)
    assert state(unit) == "active (running)" and show(unit, "NRestarts") == "0"
    assert status_text(unit).startswith(f"ready: pid {status['pid']} serves")
    assert count_stored(unit) == 1


def kill_its_keeper(site, port, unit):
    """What the killed instance had accepted is lost with it; nobody is refused, nor waits long."""
    former = site.status()
    with rain(port, 500) as result:
        os.kill(former["keeper_pid"], signal.SIGKILL)
        status = wait_for_status(site, "webui", lambda status: status["state"] == "ready" and
                                 status["keeper_pid"] not in (None, former["keeper_pid"]))
    assert result["refused"] == 0 and result["timed_out"] == 0 and result["fine"] > 0
    assert show(unit, "NRestarts") == "1" and state(unit) == "active (running)"
    assert status["keeper_pid"] == main_pid(unit)
    assert not pid_is_alive(former["pid"]) and not pid_is_alive(former["supervisor_pid"])


def test_after_the_keepers_death_the_unit_comes_back_with_its_sockets(site, units):
    port = busy_server(site, socket="inherit")
    unit = notify_unit(site, units, FileDescriptorStoreMax="8")
    systemctl("start", unit)
    kill_its_keeper(site, port, unit)
    assert count_stored(unit) == 1


def test_a_supervisor_that_hangs_is_restarted_by_the_watchdog(site, units):
    port = busy_server(site, socket="inherit")
    unit = notify_unit(site, units, FileDescriptorStoreMax="8", WatchdogSec="1",
                       WatchdogSignal="SIGKILL")
    systemctl("start", unit)
    former = site.status()
    os.kill(former["supervisor_pid"], signal.SIGSTOP)
    wait_until(lambda: show(unit, "NRestarts") == "1")
    status = wait_for_status(site, "webui", lambda status: status["state"] == "ready" and
                             status["keeper_pid"] not in (None, former["keeper_pid"]))
    assert not pid_is_alive(former["pid"]) and get(port)[0] == 200
    wait_for(unit, "active (running)")
    assert status["keeper_pid"] == main_pid(unit)


def test_a_child_that_stops_pinging_is_restarted_by_us(site, units):
    puppet = Puppet(site.directory / "puppet.sock")
    site.add("webui", puppet.command, ready="notify", watchdog="500ms", stop={"timeout": "1s"})
    unit = notify_unit(site, units, WatchdogSec="5")
    systemctl("start", "--no-block", unit)
    puppet.notify("READY=1")
    first = site.wait_for_state("webui", "ready")["pid"]
    wait_until(lambda: not pid_is_alive(first))
    puppet.notify("READY=1\nWATCHDOG=1")
    wait_for_status(site, "webui", lambda status: status["pid"] not in (None, first))
    assert show(unit, "NRestarts") == "0" and state(unit) == "active (running)"


# ---- Standby --------------------------------------------------------------------------------------


def test_behind_a_hand_started_one_it_is_ready_and_says_who_serves(site, units):
    port = busy_server(site, socket="inherit")
    served = site.start()["pid"]
    unit = notify_unit(site, units, FileDescriptorStoreMax="8", TimeoutStartSec="2")
    systemctl("start", unit)
    wait_until(lambda: f"pid {served} serves" in status_text(unit))
    assert status_text(unit).startswith("standby: ") and count_stored(unit) == 0
    assert site.status()["standby"][0]["launcher"] == "systemd"
    assert state(unit) == "active (running)" and show(unit, "NRestarts") == "0"
    assert site.svcmgr("stop", "webui", "--keep-standby").code == 0
    status = wait_for_status(site, "webui", lambda status: status["state"] == "ready" and
                             status["keeper_pid"] == main_pid(unit))
    wait_until(lambda: status_text(unit).startswith(f"ready: pid {status['pid']} serves"))
    assert count_stored(unit) == 1 and show(unit, "NRestarts") == "0"
    assert get(port)[0] == 200


def test_behind_a_stranger_it_is_ready_too(site, units):
    port = free_port()
    add_marked(site, port=port)
    stranger = http_server(site, port)
    unit = notify_unit(site, units, TimeoutStartSec="5")
    systemctl("start", unit)
    assert f"pid {stranger.pid}" in status_text(unit), status_text(unit)
    assert status_text(unit).startswith("standby: ") and stranger.is_untouched()
    stranger.child.kill()
    wait_until(lambda: status_text(unit).startswith("ready: "))
    assert show(unit, "NRestarts") == "0"


def test_a_hand_started_one_gets_the_address_of_a_unit_that_died(site, units):
    """Its socket is in the store while the unit waits to be restarted, which then stands by."""
    port = busy_server(site, socket="inherit")
    unit = notify_unit(site, units, FileDescriptorStoreMax="8", RestartSec="2")
    systemctl("start", unit)
    former = site.status()
    os.kill(former["keeper_pid"], signal.SIGKILL)
    wait_for(unit, "auto-restart")
    status = site.start()
    assert get(port)[0] == 200 and status["launcher"]["kind"] == "manual"
    wait_until(lambda: f"pid {status['pid']} serves" in status_text(unit))
    assert count_stored(unit) == 0 and show(unit, "NRestarts") == "1"


# ---- Before there is a supervisor ------------------------------------------------------------------


def slow_webui(site, name="slow"):
    """Ready after three seconds."""
    site.add(name, ["/bin/sh", "-c", f"sleep 3; exec {WEBUI} --quiet"], listen=inherit(free_port()),
             health={"http": "/health"})


def test_a_slow_dependency_does_not_run_into_the_units_limit(site, units):
    slow_webui(site)
    port = site.add_webui(depends_on=["slow"])
    unit = notify_unit(site, units, TimeoutStartSec="1")
    systemctl("start", "--no-block", unit)
    wait_until(lambda: status_text(unit) == "starting what it depends on: slow")
    wait_for(unit, "active (running)")
    assert get(port)[0] == 200 and show(unit, "NRestarts") == "0"
    assert site.status("slow")["state"] == "ready"
    assert site.svcmgr("stop", "slow").code == 0


def test_nor_does_one_that_systemd_starts(site, installed, units):
    site.add_webui("slow")
    installed.install("slow")
    drop_in = PLACE / "svcmgr-slow.service.d" / "test.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nExecStartPre=/bin/sleep 3\n")
    try:
        systemctl("daemon-reload")
        port = site.add_webui(depends_on=["slow"])
        unit = notify_unit(site, units, TimeoutStartSec="1")
        systemctl("start", unit)
        assert get(port)[0] == 200 and show(unit, "NRestarts") == "0"
        assert site.status("slow")["launcher"]["unit"] == "svcmgr-slow.service"
    finally:
        drop_in.unlink()


def test_a_silent_holder_of_the_lock_is_waited_for(site, units):
    site.add_webui()
    site.start()
    keeper = site.status()["keeper_pid"]
    supervisor = site.status()["supervisor_pid"]
    unit = units.service("webui", *site.command("run", "webui"), Type="notify", NotifyAccess="all",
                         TimeoutStartSec="1", Restart="no")
    for pid in (keeper, supervisor):
        os.kill(pid, signal.SIGSTOP)
    systemctl("start", "--no-block", unit)
    wait_until(lambda: state(unit) == "failed (failed)")
    assert show(unit, "Result") == "exit-code" and show(unit, "ExecMainStatus") == "8"
    for pid in (keeper, supervisor):
        os.kill(pid, signal.SIGCONT)
