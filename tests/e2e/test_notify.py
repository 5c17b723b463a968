"""What systemd is told (sd_notify(3)), with something in its place that takes every message apart;
tests/e2e/systemd has the real one."""

import os
import signal
import socket
import time
from pathlib import Path

import pytest
from instances import wait_for_status
from managed import Manager
from puppet import Puppet
from support import LIMIT, LONG, get, pauses, wait_until

KEYS = {"READY", "STATUS", "STOPPING", "RELOADING", "MONOTONIC_USEC", "WATCHDOG",
        "EXTEND_TIMEOUT_USEC", "FDSTORE", "FDNAME", "FDPOLL", "FDSTOREREMOVE"}


@pytest.fixture
def manager():
    with Manager() as made:
        yield made


def stopped(pid):
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def having(key, value="1"):
    return lambda fields: fields.get(key) == value


def test_every_message_of_a_life(site, manager):
    port = site.add_webui()
    main = manager.run(site)
    ready = manager.wait_for_ready()
    status = site.status()
    assert ready.fields["STATUS"] == \
        f"ready: pid {status['pid']} serves http://127.0.0.1:{port}"
    assert set(ready.fields) == {"READY", "STATUS"}
    assert status["launcher"]["kind"] == "systemd" and status["keeper_pid"] == main.pid
    before = manager.messages[:-1]
    assert [message for message in before
            if message.fields.get("STATUS", "").startswith("starting")]
    assert not [message for message in before if "READY" in message.fields]
    main.send_signal(signal.SIGTERM)
    stopping = manager.wait_for(having("STOPPING"))
    assert stopping.fields["STATUS"] == f"stopping: pid {status['pid']}"
    assert manager.wait_for_end() == 0
    for message in manager.messages:
        assert set(message.fields) <= KEYS, message
        assert message.pid == status["supervisor_pid"]
    assert len(manager.said("READY")) == 1 and len(manager.said("STOPPING")) == 1
    assert manager.messages[-1].fields["STATUS"] == "stopped"


def test_a_path_is_as_good_as_an_abstract_name(site, tmp_path):
    with Manager(str(tmp_path / "notify")) as manager:
        site.add_webui()
        manager.run(site)
        assert manager.wait_for_ready().fields["STATUS"].startswith("ready: pid ")


@pytest.mark.parametrize("length", [107, 108])
def test_a_name_of_full_length(site, length):
    with Manager("@" + "x" * (length - 1)) as manager:
        site.add_webui()
        manager.run(site)
        manager.wait_for_ready()


@pytest.mark.parametrize("how", ["gone", "closed", "not a name", "too long", "empty", "a file"])
def test_a_socket_that_nobody_listens_on_stops_nothing(site, manager, tmp_path, how):
    closed = Manager(str(tmp_path / "closed"))
    closed.socket.close()
    (tmp_path / "file").write_text("")
    name = {"gone": "@svcmgr-nobody", "closed": closed.name, "not a name": "vsock:2:1234",
            "too long": "/" + "x" * 200, "empty": "", "a file": str(tmp_path / "file")}[how]
    site.add_webui()
    main = manager.run(site, NOTIFY_SOCKET=name)
    site.wait_for_state("webui", "ready")
    main.send_signal(signal.SIGTERM)
    assert manager.wait_for_end() == 0


def test_a_manager_that_does_not_read_is_told_later_and_not_waited_for(site, manager):
    port = site.add_webui()
    manager.fill()
    manager.run(site)
    status = site.wait_for_state("webui", "ready")
    assert get(port)[0] == 200
    assert status["pid"] == site.status()["pid"]
    ready = manager.wait_for_ready()
    assert ready.fields["STATUS"].startswith(f"ready: pid {status['pid']}")


def test_one_that_is_not_started_by_it_tells_nothing(site, manager):
    """A shell that a unit runs inherits all of these."""
    site.add_webui()
    main = manager.run(site, SYSTEMD_EXEC_PID=str(os.getpid()))
    status = site.wait_for_state("webui", "ready")
    assert status["launcher"] == {"kind": "manual", "unit": None}
    main.send_signal(signal.SIGTERM)
    assert manager.wait_for_end() == 0 and manager.messages == []


@pytest.mark.parametrize("missing", ["INVOCATION_ID", "SYSTEMD_EXEC_PID"])
def test_half_of_the_signs_is_none(site, manager, missing):
    """Before SYSTEMD_EXEC_PID the main process is a child of systemd's, which we are not."""
    site.add_webui()
    main = manager.run(site, drop=(missing,))
    assert site.wait_for_state("webui", "ready")["launcher"]["kind"] == "manual"
    main.send_signal(signal.SIGTERM)
    assert manager.wait_for_end() == 0 and manager.messages == []


# ---- Time -----------------------------------------------------------------------------------------


def extension_us(message):
    return int(message.fields.get("EXTEND_TIMEOUT_USEC", 0))


def test_a_start_that_takes_long_is_waited_for(site, manager):
    """Until the start's own limit, and with what the program asks for more."""
    puppet = Puppet(site.directory / "puppet.sock")
    site.add("webui", puppet.command, ready="notify", start_timeout="100s")
    manager.run(site)
    puppet.pid()
    spawned = manager.wait_for(lambda fields: int(fields.get("EXTEND_TIMEOUT_USEC", 0)) > 90e6)
    assert 100e6 <= extension_us(spawned) <= 120e6
    puppet.notify("EXTEND_TIMEOUT_USEC=500000000")
    more = manager.wait_for(lambda fields: "EXTEND_TIMEOUT_USEC" in fields)
    assert 480e6 <= extension_us(more) <= 520e6
    puppet.notify("WATCHDOG=1\nREADY=1\nSTATUS=three users\nMAINPID=1\nFDSTORE=1")
    ready = manager.wait_for_ready()
    assert ready.fields["STATUS"].startswith("ready: ")
    assert ready.fields["STATUS"].endswith(": three users")
    puppet.notify("EXTEND_TIMEOUT_USEC=900000000\nWATCHDOG=1\nSTOPPING=1\nREADY=1")
    puppet.barrier()
    manager.drain()
    assert manager.messages[-1] is ready
    for message in manager.messages:
        assert set(message.fields) <= KEYS - {"WATCHDOG", "STOPPING"}, message


def test_a_start_that_fails_again_and_again_is_waited_for_too(site, manager):
    """The policy applies from the first: it is systemd that started it."""
    site.add("webui", ["/bin/sh", "-c", "exit 3"], ready="spawn",
             restart={"burst": 2, "delay": "50ms"})
    main = manager.run(site)
    ready = manager.wait_for_ready()
    assert ready.fields["STATUS"].startswith("failed: ")
    assert "code 3" in ready.fields["STATUS"]
    waits = [message for message in manager.messages
             if message.fields.get("STATUS", "").startswith("backoff: ")]
    assert len(waits) >= 2 and all(extension_us(message) > 0 for message in waits)
    assert main.poll() is None and site.status()["state"] == "failed"


def test_a_stop_that_takes_long_is_waited_for(site, manager):
    puppet = Puppet(site.directory / "puppet.sock")
    site.add("webui", puppet.command, ready="spawn", stop={"timeout": "100s"})
    main = manager.run(site)
    manager.wait_for_ready()
    puppet.do("on('TERM', None)")
    main.send_signal(signal.SIGTERM)
    stopping = manager.wait_for(having("STOPPING"))
    assert 100e6 <= extension_us(stopping) <= 120e6
    main.send_signal(signal.SIGTERM)  # a second one does not wait
    assert manager.wait_for_end() == 0


def test_a_stop_over_the_control_channel_is_told_at_its_end(site, manager):
    """Until then a start would take it back."""
    puppet = Puppet(site.directory / "puppet.sock")
    site.add("webui", puppet.command, ready="spawn", stop={"signal": "USR1", "timeout": LONG})
    manager.run(site)
    manager.wait_for_ready()
    puppet.do("on('USR1', None)")
    first = site.status()["pid"]
    stopping = site.spawn("stop", "webui")
    told = manager.wait_for(lambda fields: fields.get("STATUS", "").startswith("stopping"))
    assert "STOPPING" not in told.fields
    restarting = site.spawn("restart", "webui")
    site.wait_for_state("webui", "replacing")
    os.kill(first, signal.SIGKILL)
    assert restarting.wait(LIMIT) == 0
    stopping.wait(LIMIT)
    assert site.wait_for_state("webui", "ready")["pid"] != first
    manager.drain()
    assert manager.said("STOPPING") == []
    assert site.svcmgr("stop", "webui", "--now").code == 0
    manager.wait_for(having("STOPPING"))


# ---- Reload, restart ------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["HUP", "reload"])
@pytest.mark.parametrize("valid", [True, False])
def test_a_reload_is_told_with_its_time(site, manager, how, valid):
    site.add_webui()
    main = manager.run(site)
    manager.wait_for_ready()
    if not valid:
        site.write("webui", "{")
    before = time.monotonic_ns() // 1000
    if how == "HUP":
        main.send_signal(signal.SIGHUP)
    else:
        site.svcmgr("reload", "webui")
    reloading = manager.wait_for(having("RELOADING"))
    assert before <= int(reloading.fields["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    ready = manager.wait_for_ready()
    assert ready.fields["STATUS"].startswith("ready: ")


def test_a_reload_during_the_start_is_no_end_of_it(site, manager):
    puppet = Puppet(site.directory / "puppet.sock")
    site.add("webui", puppet.command, ready="notify")
    main = manager.run(site)
    puppet.pid()
    main.send_signal(signal.SIGHUP)
    wait_until(lambda: [entry for entry in site.events() if entry["event"] == "reload"])
    puppet.notify("READY=1")
    manager.wait_for_ready()
    assert manager.said("RELOADING") == []


def test_a_restart_is_no_stop(site, manager):
    port = site.add_webui()
    manager.run(site)
    manager.wait_for_ready()
    assert site.svcmgr("restart", "webui").code == 0
    status = site.status()
    manager.wait_for(lambda fields: fields.get("STATUS") ==
                     f"ready: pid {status['pid']} serves http://127.0.0.1:{port}")
    assert manager.said("STOPPING") == [] and len(manager.said("READY")) == 1


def test_a_restart_in_the_middle_of_the_start_is_no_end_of_it(site, manager):
    puppet = Puppet(site.directory / "puppet.sock")
    site.add("webui", puppet.command, ready="notify", stop={"signal": "USR1", "timeout": LONG})
    manager.run(site)
    puppet.do("on('USR1', None)")
    first = puppet.pid()
    restarting = site.spawn("restart", "webui")
    site.wait_for_state("webui", "replacing")
    manager.wait_for(lambda fields: fields.get("STATUS", "").startswith("replacing"))
    os.kill(first, signal.SIGKILL)
    wait_for_status(site, "webui", lambda status: status["state"] == "starting" and
                    status["pid"] not in (None, first))
    manager.drain()
    assert manager.said("READY") == []
    puppet.notify("READY=1")
    manager.wait_for_ready()
    assert restarting.wait(LIMIT) == 0


def test_a_takeover_is_ready_when_it_has_taken_over(site, manager):
    port = site.add_webui()
    site.start()
    manager.run(site, "webui", "--duplicate", "takeover")
    ready = manager.wait_for_ready()
    status = site.status()
    assert ready.fields["STATUS"] == f"ready: pid {status['pid']} serves http://127.0.0.1:{port}"
    assert status["keeper_pid"] == manager.main.pid


def test_a_refusal_says_why(site, manager):
    port = site.add_webui()
    with socket.create_server(("127.0.0.1", port)) as stranger:
        site.add_webui(port=port, probe_timeout="50ms", bind_timeout="100ms")
        manager.run(site)
        stopping = manager.wait_for(having("STOPPING"))
        assert manager.wait_for_end() == 11
        assert f"127.0.0.1:{port} is held by pid {os.getpid()}" in stopping.fields["STATUS"]
        assert manager.said("READY") == [] and stranger is not None


# ---- The watchdog ---------------------------------------------------------------------------------


def run_with_watchdog(site, manager, us):
    main = manager.run(site, WATCHDOG_USEC=str(us), WATCHDOG_PID="PID")
    manager.wait_for_ready()
    return main


def test_a_watchdog_is_fed_by_the_supervisor(site, manager):
    site.add_webui()
    run_with_watchdog(site, manager, 300000)
    status = site.status()
    pings = [manager.wait_for(having("WATCHDOG")) for _ in range(5)]
    assert {ping.pid for ping in pings} == {status["supervisor_pid"]}
    os.kill(status["supervisor_pid"], signal.SIGSTOP)
    wait_until(lambda: stopped(status["supervisor_pid"]))
    manager.drain()
    manager.socket.settimeout(1)  # three times its period, in which nothing must come
    with pytest.raises(TimeoutError):
        manager.receive()
    manager.socket.settimeout(LIMIT)
    os.kill(status["supervisor_pid"], signal.SIGKILL)
    ping = manager.wait_for(having("WATCHDOG"))
    assert ping.pid not in (status["supervisor_pid"], status["keeper_pid"])


@pytest.mark.parametrize("more", [{}, {"WATCHDOG_USEC": "300000", "WATCHDOG_PID": "1"},
                                  {"WATCHDOG_USEC": "soon", "WATCHDOG_PID": "PID"}])
def test_without_a_watchdog_of_ours_it_never_wakes(site, manager, more):
    site.add("webui", ["/bin/sleep", "1000"], ready="spawn", settle="1ms")
    manager.run(site, **more)
    manager.wait_for_ready()
    status = site.status()
    pids = (status["supervisor_pid"], status["keeper_pid"])
    before = sum(pauses(pid) for pid in pids)
    manager.socket.settimeout(1)
    with pytest.raises(TimeoutError):
        manager.receive()
    assert sum(pauses(pid) for pid in pids) - before < 3


# ---- Deaths ---------------------------------------------------------------------------------------


def test_a_supervisor_that_comes_back_says_what_is_so(site, manager):
    port = site.add_webui()
    manager.run(site)
    manager.wait_for_ready()
    status = site.status()
    os.kill(status["supervisor_pid"], signal.SIGKILL)
    ready = manager.wait_for_ready()
    assert ready.pid not in (status["supervisor_pid"], status["keeper_pid"])
    assert ready.fields["STATUS"] == f"ready: pid {status['pid']} serves http://127.0.0.1:{port}"
    assert site.status()["launcher"]["kind"] == "systemd"


def test_without_its_keeper_it_is_not_systemds_any_more(site, manager):
    """The unit has ended then; what is still told would be taken for its successor's."""
    site.add_webui()
    main = manager.run(site, WATCHDOG_USEC="300000", WATCHDOG_PID="PID")
    manager.wait_for_ready()
    main.kill()
    main.wait()
    wait_for_status(site, "webui", lambda status: status["keeper_pid"] is None)
    manager.drain()
    count = len(manager.messages)
    assert site.svcmgr("restart", "webui").code == 0
    assert site.svcmgr("stop", "webui").code == 0
    manager.drain()
    assert len(manager.messages) == count
