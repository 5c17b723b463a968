"""rivals: units that may run the same program, in every state that a unit can be in."""

import subprocess

import pytest
from strangers import (add_marked, assert_nothing_happened, assert_one_line,
                       wait_for_listener)
from support import MISBEHAVE, free_port, get, wait_until
from units import main_pid, show, state, systemctl, wait_for

SLEEP = ["/bin/sleep", "infinity"]
QUICK = {"probe_timeout": "100ms", "bind_timeout": "200ms"}


def rival(site, port, unit="rival.service", **keys):
    return add_marked(site, port=port, rivals=[{"systemd": unit}], **QUICK, **keys)


def assert_refused(site, unit, *said):
    result = site.svcmgr("start", "webui")
    assert result.code == 10, result
    assert_one_line(result)
    for words in ("[!!] FATAL:", f"systemd unit {unit}", f"type systemctl stop {unit}", *said):
        assert words in result.err, (words, result.err)
    assert_nothing_happened(site)


def test_this_is_systemd():
    with open("/proc/1/comm", encoding="ascii") as file:
        assert file.read() == "systemd\n"


def test_one_that_serves_is_named_and_not_touched(site, units):
    port = free_port()
    unit = units.service("rival", MISBEHAVE, "bind", port, "serve")
    systemctl("start", unit)
    wait_for_listener(port)
    rival(site, port)
    pid = main_pid(unit)
    assert_refused(site, unit, "active (running)", f"pid {pid}")
    assert main_pid(unit) == pid and show(unit, "NRestarts") == "0"


def test_one_that_is_active_and_listens_nowhere_counts(site, units):
    """It has not bound its address yet, for all that can be seen."""
    unit = units.service("rival", *SLEEP)
    systemctl("start", unit)
    rival(site, free_port())
    assert_refused(site, unit, "active (running)")


def test_one_that_listens_elsewhere_does_not(site, units):
    other = free_port()
    unit = units.service("rival", MISBEHAVE, "bind", other, "serve")
    systemctl("start", unit)
    wait_for_listener(other)
    rival(site, free_port())
    site.start()
    assert state(unit) == "active (running)"


def test_one_that_waits_to_be_restarted_counts(site, units):
    """It is silent now, and systemd will start it again whatever we do."""
    unit = units.service("rival", "/bin/false", Type="simple", Restart="always", RestartSec="1h")
    systemctl("start", unit)
    wait_for(unit, "activating (auto-restart)")
    rival(site, free_port())
    assert_refused(site, unit, "activating (auto-restart)")


def test_one_that_starts_counts(site, units):
    unit = units.service("rival", *SLEEP, Type="notify", TimeoutStartSec="1h")
    systemctl("start", "--no-block", unit)
    wait_for(unit, "activating (start)")
    rival(site, free_port())
    assert_refused(site, unit, "activating (start)")


def test_one_that_reloads_counts(site, units):
    port = free_port()
    unit = units.service("rival", MISBEHAVE, "bind", port, "serve", ExecReload="/bin/sleep 1000")
    systemctl("start", unit)
    systemctl("reload", "--no-block", unit)
    wait_for(unit, "reloading")
    rival(site, port)
    assert_refused(site, unit, "reloading")


def test_one_that_stops_counts_until_it_has(site, units):
    unit = units.service("rival", *SLEEP, ExecStop="/bin/sleep 1000", TimeoutStopSec="1h")
    systemctl("start", unit)
    systemctl("stop", "--no-block", unit)
    wait_for(unit, "deactivating")
    rival(site, free_port())
    assert_refused(site, unit, "deactivating")


@pytest.mark.parametrize("how", ["inactive", "failed", "missing"])
def test_one_that_is_down_does_not(site, units, how):
    unit = "rival.service"
    if how != "missing":
        units.service("rival", *(["/bin/false"] if how == "failed" else SLEEP), Type="simple")
    if how == "failed":
        systemctl("start", unit)
        wait_for(unit, "failed")
    rival(site, free_port())
    site.start()


def test_a_name_without_a_suffix_is_a_service(site, units):
    unit = units.service("rival", *SLEEP)
    systemctl("start", unit)
    rival(site, free_port(), unit="rival")
    assert_refused(site, unit)


@pytest.mark.parametrize("name", ["--version", "../../etc/passwd", "a b", "%i", "x" * 250])
def test_a_name_that_is_none_harms_nothing(site, name):
    rival(site, free_port(), unit=name)
    site.start()


def test_its_socket_unit_counts_and_is_not_woken(site, units):
    """A probe would start it: it is not asked."""
    port = free_port()
    unit = units.service("rival", *SLEEP)
    units.write("rival.socket", Socket={"ListenStream": f"127.0.0.1:{port}"})
    systemctl("start", "rival.socket")
    rival(site, port)
    assert_refused(site, "rival.socket", "listening")
    assert state(unit) == "inactive (dead)" and show("rival.socket", "NAccepted") in ("0", "")


def test_its_socket_unit_elsewhere_does_not(site, units):
    units.service("rival", *SLEEP)
    units.write("rival.socket", Socket={"ListenStream": f"127.0.0.1:{free_port()}"})
    systemctl("start", "rival.socket")
    rival(site, free_port())
    site.start()


def test_the_one_that_runs_us_does_not_count(site, units):
    port = free_port()
    rival(site, port, unit="ours.service")
    unit = units.service("ours", *site.command("run", "webui"), KillMode="mixed")
    systemctl("start", unit)
    status = site.wait_for_state("webui", "ready")
    assert status["keeper_pid"] == main_pid(unit)
    systemctl("stop", unit)
    assert site.status()["state"] == "stopped" and show(unit, "Result") == "success"


def test_a_standby_goes_on_when_it_is_stopped(site, units):
    port = free_port()
    unit = units.service("rival", MISBEHAVE, "bind", port, "serve", Restart="always")
    systemctl("start", unit)
    rival(site, port)
    running = site.spawn("run", "webui", "--duplicate", "standby", stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE)
    status = site.wait_for_state("webui", "standby")
    assert f"systemd unit {unit}" in status["status_text"]
    assert status["other"]["pid"] == main_pid(unit)
    assert status["other"]["launcher"] == f"systemd unit {unit}"
    systemctl("kill", "--signal=KILL", unit)  # it comes back by itself
    wait_until(lambda: show(unit, "NRestarts") == "1" and state(unit) == "active (running)")
    assert site.status()["state"] == "standby"
    systemctl("stop", unit)
    status = site.wait_for_state("webui", "ready")
    assert status["keeper_pid"] == running.pid and get(port)[0] == 200


def test_doctor_says_what_to_type(site, units):
    unit = units.service("rival", *SLEEP)
    systemctl("start", unit)
    rival(site, free_port())
    result = site.svcmgr("doctor", "webui")
    assert result.code == 1
    assert f"systemd unit {unit}" in result.out and f"type:     systemctl stop {unit}" in result.out


def test_a_systemctl_that_hangs_does_not_hold_a_start_up_for_ever(site, tmp_path):
    fake = tmp_path / "systemctl"
    fake.write_text("#!/bin/sh\nexec sleep 1000\n")
    fake.chmod(0o755)
    rival(site, free_port())
    subprocess.run(["mount", "--bind", fake, "/usr/bin/systemctl"], check=True)
    try:
        site.start()
        result = site.svcmgr("doctor", "webui")
        assert "rival.service could not be asked about" in result.out
    finally:
        subprocess.run(["umount", "/usr/bin/systemctl"], check=True)
