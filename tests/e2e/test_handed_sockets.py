"""Sockets that a manager hands over (sd_listen_fds(3)) and those that it is given to keep; a fake
manager shows every message, tests/e2e/systemd has the real one."""

import contextlib
import os
import signal
import socket

import pytest
from instances import inherit, wait_for_status
from managed import Manager, inode
from support import LIMIT, PYTHON, WEBUI, free_port, get, sockets_of, wait_until

UNIT = "svcmgr-webui.socket"


@pytest.fixture
def manager():
    with Manager() as made:
        yield made


def listening(port=0, host="127.0.0.1", listens=True):
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if ":" in host:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind((host, port))
    if listens:
        made.listen(100)
    return made


def refuses(port):
    """Nobody listens there any more: neither supervisor nor keeper, nor a store."""
    try:
        socket.create_connection(("127.0.0.1", port), LIMIT).close()
    except ConnectionRefusedError:
        return True
    return False


def run_with(site, manager, handed, *options, **more):
    """Runs it with these sockets, which only it has then."""
    main = manager.run(site, "webui", *options, sockets=handed, **more)
    for _, one in handed:
        one.close()
    return main


def test_a_socket_that_is_handed_over_is_the_services(site, manager):
    """It is inherited without being asked for, and is neither bound nor probed."""
    port = free_port()
    site.add("webui", [WEBUI, "--quiet"], listen=port)
    with listening(port) as handed:
        manager.run(site, sockets=[(UNIT, handed)])
        status = site.wait_for_state("webui", "ready")
        entry = status["listen"][0]
        assert entry["socket"] == "inherit" and entry["held"] and entry["port"] == port
        assert inode(handed) in sockets_of(status["pid"])
    assert get(port)[0] == 200
    manager.wait_for_ready()
    assert manager.said("FDSTORE") == []


def test_it_is_not_probed(site, manager):
    """The instance counts connections: a probe of ours would be the first one."""
    program = ("import socket, sys, time; s = socket.socket(fileno=3)\n"
               "count = 0\n"
               "while True:\n"
               "    c, _ = s.accept(); count += 1\n"
               "    c.sendall(b'%d' % count); c.close()\n")
    port = free_port()
    site.add("webui", [PYTHON, "-I", "-S", "-c", program], listen=inherit(port), ready="spawn",
             probe_timeout="30s")
    with listening(port) as handed:
        manager.run(site, sockets=[(UNIT, handed)])
        manager.wait_for_ready()
        with socket.create_connection(("127.0.0.1", port), LIMIT) as client:
            assert client.recv(10) == b"1"


def test_the_instance_sees_nothing_of_the_managers(site, manager):
    out = site.directory / "environment"
    port = free_port()
    site.add("webui", ["/bin/sh", "-c", f"env > {out}.new; mv {out}.new {out}; exec sleep 1000"],
             listen=inherit(port), ready="spawn")
    with listening(port) as handed:
        manager.run(site, sockets=[(UNIT, handed)], WATCHDOG_USEC="60000000", WATCHDOG_PID="PID",
                    FDSTORE="8", MAINPID="PID", MANAGERPID="1", JOURNAL_STREAM="1:2")
        manager.wait_for_ready()
        status = site.wait_for_state("webui", "ready")
    names = dict(line.split("=", 1) for line in out.read_text().splitlines())
    for gone in ("INVOCATION_ID", "SYSTEMD_EXEC_PID", "NOTIFY_SOCKET", "WATCHDOG_USEC",
                 "WATCHDOG_PID", "FDSTORE", "MANAGERPID", "MAINPID", "JOURNAL_STREAM"):
        assert gone not in names, gone
    assert names["LISTEN_PID"] == str(status["pid"]) and names["LISTEN_FDS"] == "1"
    assert names["LISTEN_FDNAMES"] == "http"


@pytest.mark.parametrize("how", ["other address", "not listening", "another main process"])
def test_one_that_is_not_meant_for_it_is_left_alone(site, manager, how):
    port = site.add_webui()
    with listening(free_port(), listens=how != "not listening") as handed:
        more = {"LISTEN_PID": "1"} if how == "another main process" else {}
        manager.run(site, sockets=[(UNIT, handed)], **more)
        manager.wait_for_ready()
        status = site.status()
        assert inode(handed) not in sockets_of(status["pid"])
        assert get(port)[0] == 200
        said = [entry["cause"] for entry in site.events() if entry["event"] == "warning"]
        if how == "another main process":
            assert said == []
        else:
            assert UNIT in said[0] and "systemd hands over" in said[0]


def test_sockets_are_given_to_keep_and_come_back(site, manager):
    port = site.add_webui()
    main = manager.run(site)
    kept = manager.wait_for(lambda fields: "FDSTORE" in fields)
    assert kept.fields == {"FDSTORE": "1", "FDNAME": "svcmgr.listen.http"}
    assert len(kept.inodes) == 1
    manager.wait_for_ready()
    status = site.status()
    assert kept.inodes[0] in sockets_of(status["pid"])
    main.send_signal(signal.SIGTERM)
    assert manager.wait_for_end() == 0
    assert manager.said("FDSTOREREMOVE") == []
    waiting = socket.create_connection(("127.0.0.1", port), LIMIT)  # nobody refuses it
    again = run_with(site, manager, manager.take_store())
    manager.wait_for_ready()
    with waiting:
        waiting.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        assert waiting.recv(100).startswith(b"HTTP/1.")
    status = site.status()
    assert kept.inodes[0] in sockets_of(status["pid"])
    assert status["keeper_pid"] == again.pid


def test_localhost_and_its_other_half_are_kept(site, manager):
    port = free_port()
    site.add("webui", [WEBUI, "--quiet"], health={"http": "/health"},
             listen={"address": f"localhost:{port}", "socket": "inherit"})
    main = manager.run(site)
    kept = [manager.wait_for(lambda fields: "FDSTORE" in fields) for _ in range(2)]
    assert kept[0].fields["FDNAME"] == "svcmgr.listen.http"
    assert kept[1].fields == {"FDSTORE": "1", "FDNAME": "svcmgr.twin.http", "FDPOLL": "0"}
    manager.wait_for_ready()
    main.send_signal(signal.SIGTERM)
    assert manager.wait_for_end() == 0
    run_with(site, manager, manager.take_store()[::-1])
    manager.wait_for_ready()
    assert get(port)[0] == 200
    held = sockets_of(site.status()["supervisor_pid"])
    assert {message.inodes[0] for message in kept} <= held
    assert [entry for entry in site.events() if entry["event"] == "warning"] == []


def run_and_stop(site, manager):
    """A first life, and what it had kept: pairs of a name and a socket."""
    main = manager.run(site)
    manager.wait_for_ready()
    main.send_signal(signal.SIGTERM)
    assert manager.wait_for_end() == 0
    return manager.take_store()


def test_a_standby_gives_them_back_and_a_takeover_has_them_kept_again(site, manager):
    port = site.add_webui()
    handed = run_and_stop(site, manager)
    before = len(manager.messages)
    # By hand while systemd still has the socket: it waits until that is given back.
    starting = site.spawn("start", "webui")
    wait_until(lambda: (site.state_of("webui") / "pid").read_text().strip() not in
               ("", str(manager.messages[0].pid)))
    run_with(site, manager, handed, "--duplicate", "standby")
    ready = manager.wait_for_ready()
    assert ready.fields["STATUS"].startswith("standby")
    assert starting.wait(LIMIT) == 0
    assert get(port)[0] == 200
    status = site.status()
    assert [one["keeper_pid"] for one in status["standby"]] == [manager.main.pid]
    wait_until(lambda: manager.stored() == {})
    wait_until(lambda: manager.drain() or "serves" in manager.messages[-1].fields.get("STATUS", ""))
    assert site.svcmgr("stop", "webui", "--keep-standby").code == 0
    status = wait_for_status(site, "webui", lambda status: status["state"] == "ready" and
                             status["keeper_pid"] == manager.main.pid)
    wait_until(lambda: manager.drain() or manager.messages[-1].fields["STATUS"].startswith(
        f"ready: pid {status['pid']} serves"))
    assert set(manager.stored()) == {"svcmgr.listen.http"}
    assert len([one for one in manager.messages[before:] if "READY" in one.fields]) == 1


def test_a_socket_that_is_not_asked_for_any_more_is_given_back(site, manager):
    port = site.add_webui()
    handed = run_and_stop(site, manager)
    other = site.add_webui(port=free_port())
    run_with(site, manager, handed)
    manager.wait_for_ready()
    wait_until(lambda: refuses(port))
    assert get(other)[0] == 200
    store = manager.stored()
    assert set(store) == {"svcmgr.listen.http"} and len(store["svcmgr.listen.http"]) == 1
    assert manager.said("FDSTOREREMOVE") != []
    # ... and one that a restart changes.
    third = site.add_webui(port=free_port())
    assert site.svcmgr("restart", "webui").code == 0
    assert get(third)[0] == 200
    wait_until(lambda: manager.stored() != store)
    assert len(manager.stored()["svcmgr.listen.http"]) == 1


def test_in_failed_nothing_is_kept(site, manager):
    port = free_port()
    site.add("webui", ["/bin/false"], listen=inherit(port), ready="spawn",
             restart={"burst": 1, "delay": "10ms"})
    manager.run(site)
    ready = manager.wait_for_ready()
    assert ready.fields["STATUS"].startswith("failed: ")
    wait_until(lambda: manager.stored() == {})
    assert manager.said("FDSTORE") != []
    wait_until(lambda: refuses(port))


def test_in_failed_a_socket_that_was_handed_over_waits_and_status_says_so(site, manager):
    port = free_port()
    site.add("webui", ["/bin/false"], listen=inherit(port), ready="spawn",
             restart={"burst": 1, "delay": "10ms"})
    with listening(port) as handed:
        manager.run(site, sockets=[(UNIT, handed)])
        status = site.wait_for_state("webui", "failed")
        assert "whoever connects waits, since systemd listens" in status["status_text"]
        assert not status["listen"][0]["held"]
        with socket.create_connection(("127.0.0.1", port), LIMIT) as waiting:
            site.add_webui(port=port)
            assert site.svcmgr("restart", "webui").code == 0
            waiting.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            assert waiting.recv(100).startswith(b"HTTP/1.")


def test_a_supervisor_that_dies_loses_none(site, manager):
    """The next one has both kinds again, and goes on having them kept."""
    port = free_port()
    given = free_port()
    site.add("webui", [WEBUI, "--quiet"], health={"http": "/health"},
             listen=[inherit(port), inherit(given)])
    with listening(given) as handed:
        manager.run(site, sockets=[(UNIT, handed)])
        manager.wait_for_ready()
        status = site.status()
        os.kill(status["supervisor_pid"], signal.SIGKILL)
        ready = manager.wait_for_ready()
        again = wait_for_status(site, "webui", lambda now: now["supervisor_pid"] not in
                                (None, status["supervisor_pid"]))
        assert ready.pid == again["supervisor_pid"] and again["pid"] == status["pid"]
        assert all(one["held"] for one in again["listen"])
        assert set(manager.stored()) == {"svcmgr.listen.http"}
        assert len(manager.stored()["svcmgr.listen.http"]) == 1
        site.add("webui", ["/bin/false"], listen=[inherit(port), inherit(given)],
                 restart={"burst": 1, "delay": "10ms"}, ready="spawn")
        assert site.svcmgr("restart", "webui").code == 1
        site.wait_for_state("webui", "failed")
        wait_until(lambda: manager.stored() == {})
        site.add("webui", [WEBUI, "--quiet"], health={"http": "/health"},
                 listen=[inherit(port), inherit(given)])
        assert site.svcmgr("restart", "webui").code == 0
        assert inode(handed) in sockets_of(site.status()["pid"])


def test_a_unix_socket_keeps_its_path_as_well(site, manager):
    path = site.directory / "socket"
    site.add("webui", [WEBUI, "--quiet"], ready="spawn", listen={"address": f"unix:{path}",
                                                                "socket": "inherit"})
    handed = run_and_stop(site, manager)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        manager.run(site, sockets=handed)
        manager.wait_for_ready()
        client.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.")
    assert inode(handed[0][1]) in sockets_of(site.status()["pid"])
    handed[0][1].close()


def test_a_unix_socket_whose_path_is_somebody_elses_is_not_taken(site, manager):
    path = site.directory / "socket"
    site.add("webui", [WEBUI, "--quiet"], ready="spawn", bind_timeout="100ms",
             listen={"address": f"unix:{path}", "socket": "inherit"})
    handed = run_and_stop(site, manager)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(str(path))
        stranger.listen()
        manager.run(site, sockets=handed, probe_timeout="100ms")
        assert manager.wait_for_end() == 11
        assert path.exists()
    handed[0][1].close()


def test_with_a_stop_command_the_path_goes(site, manager):
    path = site.directory / "socket"
    site.add("webui", [WEBUI, "--quiet"], ready="spawn", listen={"address": f"unix:{path}",
                                                                "socket": "inherit"})
    manager.run(site)
    manager.wait_for_ready()
    assert site.svcmgr("stop", "webui").code == 0
    assert manager.wait_for_end() == 0 and not path.exists()


def test_the_keeper_has_them_while_it_is_replaced_in_place(site, manager):
    port = free_port()
    site.add("webui", [WEBUI, "--quiet"], listen=port, health={"http": "/health"})
    with listening(port) as handed:
        main = manager.run(site, sockets=[(UNIT, handed)])
        manager.wait_for_ready()
        status = site.status()
        assert site.svcmgr("upgrade", "webui").code == 0
        ready = manager.wait_for_ready()
        assert ready.pid != status["supervisor_pid"]
        assert site.svcmgr("restart", "webui").code == 0
        again = site.status()
        assert again["keeper_pid"] == main.pid and again["launcher"]["kind"] == "systemd"
        assert inode(handed) in sockets_of(again["pid"])
        wait_until(lambda: inode(handed) in sockets_of(main.pid))


def test_more_sockets_than_it_has_places_for_are_let_go(site, manager):
    port = site.add_webui()
    run_with(site, manager, [(f"unit{i}", listening()) for i in range(60)])
    manager.wait_for_ready()
    assert get(port)[0] == 200


def test_a_store_that_is_full_of_messages_gets_them_later(site, manager):
    site.add_webui()
    manager.fill()
    manager.run(site)
    site.wait_for_state("webui", "ready")
    manager.wait_for(lambda fields: "FDSTORE" in fields)


def test_a_port_that_the_kernel_chose_stays(site, manager):
    site.add("webui", [WEBUI, "--quiet"], health={"http": "/health"}, listen=inherit(0) | {
        "address": "127.0.0.1:0"})
    main = manager.run(site)
    manager.wait_for_ready()
    port = site.status()["listen"][0]["port"]
    main.send_signal(signal.SIGTERM)
    assert manager.wait_for_end() == 0
    run_with(site, manager, manager.take_store())
    manager.wait_for_ready()
    assert site.status()["listen"][0]["port"] == port and get(port)[0] == 200


def kill_after_word(manager, number):
    """Kills the supervisor after so many messages; whether there were so many before READY."""
    for count in range(1, 100):
        message = manager.receive()
        if "READY" in message.fields:
            return False
        if count == number:
            with contextlib.suppress(ProcessLookupError):
                os.kill(message.pid, signal.SIGKILL)
            return True
    raise AssertionError("it says too much")


@pytest.mark.parametrize("owner", ["unit", "store"])
def test_a_supervisor_that_dies_after_any_word_of_its_start_loses_none(site, manager, owner):
    port = free_port()
    site.add("webui", [WEBUI, "--quiet"], health={"http": "/health"}, listen=inherit(port),
             probe_timeout="30s")
    handed = listening(port)
    wanted = inode(handed)
    if owner == "store":
        manager.keep("svcmgr.listen.http", [handed.detach()])
    for number in range(1, 100):
        with socket.create_connection(("127.0.0.1", port), LIMIT) as waiting:
            if owner == "unit":
                main = manager.run(site, sockets=[(UNIT, handed)])
            else:
                main = run_with(site, manager, manager.copy_store())
            killed = kill_after_word(manager, number)
            if killed:
                manager.wait_for_ready()
            status = site.wait_for_state("webui", "ready")
            assert wanted in sockets_of(status["pid"]), number
            waiting.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            assert waiting.recv(100).startswith(b"HTTP/1."), number
        assert manager.stored() == ({} if owner == "unit" else {"svcmgr.listen.http": {wanted}})
        main.send_signal(signal.SIGTERM)
        assert manager.wait_for_end() == 0
        if not killed:
            break
    assert number >= 2
    handed.close()
