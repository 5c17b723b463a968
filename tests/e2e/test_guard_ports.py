"""Ports: chosen by the kernel, inside the ephemeral range, in TIME_WAIT, several at once."""

import json
import os
import signal
import socket
import subprocess

import pytest
from strangers import (add_marked, answers, assert_nothing_happened, connect, has_program, is_root,
                       names, serve, sockets_on)
from support import MISBEHAVE, WEBUI, end_process, free_port, get, wait_until
from test_guard_record import read_record

TIME_WAIT = "06"
PATIENT = {"when": "always", "delay": "1h", "max_delay": "1h"}
SHUTS_DOWN = ("stop-listening", "exit", "1")


def port_of(status, index=0):
    return status["listen"][index]["port"]


def who_answers(port, host="127.0.0.1"):
    """The pid of the program that serves there."""
    return json.loads(get(port, "/", host)[1])["pid"]


# ---- Port 0 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("address,host", [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1"),
                                          ("0.0.0.0", "127.0.0.1"), ("[::]", "::1"),
                                          ("localhost", "127.0.0.1")])
def test_the_port_that_the_kernel_chose_is_published(site, address, host):
    add_marked(site, listen={"address": f"{address}:0", "socket": "inherit"})
    status = site.start()
    port = port_of(status)
    assert port > 0 and str(port) in status["listen"][0]["url"]
    assert get(port, host=host)[0] == 200
    said = get(port, "/?env=PORT", host=host)[1].decode()
    assert f'"PORT":"{port}"' in said
    assert f"{port}" in site.svcmgr("start", "webui").out


def test_a_stopped_service_publishes_no_port(site):
    add_marked(site, listen={"address": "127.0.0.1:0", "socket": "inherit"})
    port = port_of(site.start())
    site.svcmgr("stop", "webui")
    assert port_of(site.status()) is None and site.status()["listen"][0]["url"] is None
    assert not sockets_on(port)


def test_restart_crash_and_a_new_supervisor_keep_the_port(site):
    add_marked(site, listen={"address": "127.0.0.1:0", "socket": "inherit"},
               restart={"delay": "1ms", "burst": 0})
    before = site.start()
    port = port_of(before)
    assert site.svcmgr("restart", "webui").code == 0
    assert port_of(site.status()) == port
    os.kill(site.status()["pid"], signal.SIGKILL)
    wait_until(lambda: site.status()["restarts"] == 1 and site.status()["state"] == "ready")
    assert port_of(site.status()) == port
    os.kill(before["supervisor_pid"], signal.SIGKILL)
    wait_until(lambda: site.status()["supervisor_pid"] not in (None, before["supervisor_pid"]))
    assert port_of(site.status()) == port and answers(port) == 200


def test_a_socket_that_the_program_shut_down_is_bound_again_at_its_number(site):
    add_marked(site, words=SHUTS_DOWN, health={"tcp": True},
               listen={"address": "127.0.0.1:0", "socket": "inherit"}, start_timeout="60s",
               restart=PATIENT)
    config = site.config_dir / "webui.json"
    broken = config.read_text()
    good = broken.replace('"stop-listening", "exit", "1"', '"serve"')
    config.write_text(good)
    port = port_of(site.start())
    config.write_text(broken)
    assert site.svcmgr("restart", "webui").code == 1
    config.write_text(good)
    result = site.svcmgr("restart", "webui")
    assert result.code == 0, result
    assert port_of(site.status()) == port and answers(port) == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost"])
def test_a_number_that_somebody_took_meanwhile_is_let_go_and_it_is_said(site, address):
    """The program shut its socket down, and before the next start a stranger has the number."""
    def configure(*words):
        add_marked(site, words=words, start_timeout="60s", restart=PATIENT,
                   listen={"address": f"{address}:0", "socket": "inherit"})

    configure("serve")
    lost = port_of(site.start())
    configure(*SHUTS_DOWN)
    assert site.svcmgr("restart", "webui").code == 1
    stranger = serve(site, lost, "serve")
    configure("serve")
    result = site.svcmgr("restart", "webui")
    assert result.code == 0, result
    status = site.status()
    port = port_of(status)
    assert port not in (None, lost) and str(port) in status["listen"][0]["url"]
    assert f":{port}" in result.out
    assert f'"pid":{status["pid"]}' in get(port)[1].decode()
    told = [event["cause"] for event in site.events() if event["event"] == "port"]
    assert len(told) == 1 and f"port {lost} " in told[0] and f":{port}" in told[0]
    assert stranger.is_untouched() and f'"pid":{stranger.pid}' in get(lost)[1].decode()
    assert site.svcmgr("restart", "webui").code == 0
    assert port_of(site.status()) == port


@pytest.mark.parametrize("duplicate", ["refuse", "standby"])
def test_a_refusal_lets_go_of_the_other_addresses(site, duplicate):
    """Also of what the keeper holds: nobody would accept there."""
    def configure(*words):
        add_marked(site, words=words, start_timeout="60s", restart=PATIENT, duplicate=duplicate,
                   listen=[{"address": f"127.0.0.1:{port}", "name": name, "socket": "inherit"}
                           for name, port in (("taken", taken), ("other", other))])

    taken, other = free_port(), free_port()
    configure("serve")
    site.start()
    configure(*SHUTS_DOWN)
    assert site.svcmgr("restart", "webui").code == 1
    configure("serve")
    stranger = serve(site, taken, "serve")
    result = site.svcmgr("start", "webui")
    if duplicate == "refuse":
        assert result.code == 10 and names(result.err, stranger), result
    else:
        assert result.code == 0 and site.status()["state"] == "standby", result
    wait_until(lambda: not sockets_on(other), "the keeper's copy is dropped")
    stranger.child.kill()
    stranger.child.wait()
    if duplicate == "standby":
        wait_until(lambda: site.status()["state"] != "standby")
    result = site.svcmgr("restart", "webui")
    assert result.code == 0, result
    assert answers(taken) == 200 and sockets_on(other)


@pytest.mark.parametrize("port", [0, None])
def test_both_halves_of_localhost_come_back_at_their_number(site, port):
    """The keeper holds the other half meanwhile: that is no reason not to get it."""
    def configure(*words):
        add_marked(site, words=words, start_timeout="60s", restart=PATIENT,
                   listen={"address": f"localhost:{port}", "socket": "inherit"})

    port = free_port() if port is None else port
    configure("serve")
    before = port_of(site.start())
    configure(*SHUTS_DOWN)
    assert site.svcmgr("restart", "webui").code == 1
    configure("serve")
    result = site.svcmgr("restart", "webui")
    assert result.code == 0, result
    assert port_of(site.status()) == before and get(before)[0] == 200
    with pytest.raises(ConnectionRefusedError):
        connect(before, "::1")


def test_requested_and_bound_port_are_kept_apart_with_the_generation(site):
    """What was asked for stays 0, what the kernel chose is recorded once it listens."""
    add_marked(site, listen={"address": "127.0.0.1:0", "socket": "inherit"})
    for generation in (1, 2):
        assert site.svcmgr("restart", "webui").code == 0
        record, status = read_record(site), site.status()
        (listener,) = record["listeners"]
        assert listener["requested"].endswith(":0")
        assert listener["bound"].endswith(f":{port_of(status)}") and listener["held"] is True
        assert status["generation"] == generation
        assert len(sockets_on(port_of(status))) == 1
    assert site.svcmgr("stop", "webui").code == 0
    assert port_of(site.status()) is None


def test_self_with_port_0_publishes_what_the_program_chose(site):
    site.add("webui", [MISBEHAVE, "bind", "127.0.0.1:{port}", "serve"],
             listen={"address": "127.0.0.1:0", "socket": "self"}, health={"http": "/"},
             restart={"delay": "1ms", "burst": 0})
    status = site.start()
    assert port_of(status) > 0 and who_answers(port_of(status)) == status["pid"]
    assert site.svcmgr("restart", "webui").code == 0
    after = site.status()
    assert after["pid"] != status["pid"] and who_answers(port_of(after)) == after["pid"]
    end_process(after["pid"])
    wait_until(lambda: site.status()["restarts"] == 1 and site.status()["state"] == "ready")
    last = site.status()
    assert who_answers(port_of(last)) == last["pid"] != after["pid"]


def test_self_with_port_0_is_about_its_own_host(site):
    """What the program listens on elsewhere is its own affair."""
    site.add("webui", [MISBEHAVE, "listen-silent", "127.0.0.1:0", "listen-silent", "127.0.0.5:0",
                       "bind", "127.0.0.3:0", "listen-silent", "127.0.0.2:0", "listen-silent",
                       "127.0.0.4:0", "serve"],
             health={"http": "/"}, listen={"address": "127.0.0.3:0", "socket": "self"})
    status = site.start()
    assert who_answers(port_of(status), "127.0.0.3") == status["pid"]


def test_two_services_with_port_0_have_two_ports(site):
    ports = set()
    for name in ("one", "two"):
        add_marked(site, name, listen={"address": "127.0.0.1:0", "socket": "inherit"})
        ports.add(port_of(site.start(name)))
    assert len(ports) == 2


# ---- Several listeners --------------------------------------------------------------------------


def test_several_listeners_are_all_bound_or_none(site):
    ports = [free_port() for _ in range(3)]
    path = site.directory / "web.sock"
    listen = [{"address": f"127.0.0.1:{port}", "name": f"n{i}", "socket": "inherit"}
              for i, port in enumerate(ports)]
    listen.append({"address": f"unix:{path}", "name": "local", "socket": "inherit"})
    add_marked(site, listen=listen, probe_timeout="100ms", bind_timeout="100ms")
    stranger = serve(site, ports[2], "accept-silent")
    result = site.svcmgr("start", "webui")
    assert result.code == 11 and names(result.err, stranger), result
    assert not sockets_on(ports[0]) and not sockets_on(ports[1]) and not path.exists()
    assert_nothing_happened(site)
    stranger.end()
    status = site.start()
    assert [entry["name"] for entry in status["listen"]] == ["n0", "n1", "n2", "local"]
    assert all(entry["held"] for entry in status["listen"])
    assert get(ports[0], "/?env=LISTEN_FDNAMES")[1].decode().count("n0:n1:n2:local") == 1
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.connect(str(path))


# ---- TIME_WAIT ----------------------------------------------------------------------------------


def be_closed(port, host="127.0.0.1"):
    """A visitor who waits for the end: who closes first has the TIME_WAIT."""
    with connect(port, host) as visitor:
        visitor.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with visitor.makefile("rb") as answer:
            assert answer.read().startswith(b"HTTP/1.")


@pytest.mark.parametrize("socket_kind", ["inherit", "self"])
def test_connections_that_the_server_closed_do_not_delay_the_next_start(site, socket_kind):
    port = free_port()
    words = ["serve"] if socket_kind == "inherit" else ["bind", "env", "serve"]
    add_marked(site, listen={"address": f"127.0.0.1:{port}", "socket": socket_kind}, words=words,
               bind_timeout="1ms")
    site.start()
    for _ in range(20):
        be_closed(port)
    wait_until(lambda: sockets_on(port, TIME_WAIT))
    result = site.svcmgr("restart", "webui")
    assert result.code == 0, result
    assert site.svcmgr("stop", "webui").code == 0
    assert sockets_on(port, TIME_WAIT)
    result = site.svcmgr("start", "webui")
    assert result.code == 0, result
    assert answers(port) == 200


def test_time_wait_on_both_halves_of_localhost(site):
    """Held bound without listening, the twin must not trip over what 'both' has served before."""
    port = free_port()
    listen = {"address": f"localhost:{port}", "socket": "self"}
    add_marked(site, listen=listen, words=["bind", f"[::1]:{port}", "serve"])
    site.start()
    be_closed(port, "::1")
    wait_until(lambda: sockets_on(port, TIME_WAIT))
    assert site.svcmgr("stop", "webui").code == 0
    listen["socket"] = "inherit"
    add_marked(site, listen=listen, bind_timeout="1ms")
    result = site.svcmgr("start", "webui")
    assert result.code == 0, result
    with pytest.raises(ConnectionRefusedError):
        connect(port, "::1")


def test_accepted_connections_that_outlive_their_server(site):
    """A client that never closes keeps the port busy for nobody but old sockets."""
    port = free_port()
    add_marked(site, port=port, bind_timeout="1ms")
    site.start()
    visitors = [connect(port) for _ in range(5)]
    wait_until(lambda: len(sockets_on(port, "01")) >= 5)
    assert site.svcmgr("stop", "webui").code == 0
    result = site.svcmgr("start", "webui")
    assert result.code == 0, result
    for visitor in visitors:
        visitor.close()


# ---- The ephemeral range ------------------------------------------------------------------------

PROBE_IN_A_NARROW_RANGE = """
set -e
ip link set lo up
echo "$1 $1" > /proc/sys/net/ipv4/ip_local_port_range
shift
for i in 1 2 3 4 5; do
    "$@" start webui
    "$@" stop webui
done
"""


@pytest.mark.skipif(not is_root() or not has_program("unshare") or not has_program("ip"),
                    reason="needs root, unshare and ip")
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_a_connection_to_itself_is_nobody(site, host):
    """With one ephemeral port every connect to it takes it as its own: it meets itself."""
    port = 40001
    add_marked(site, listen={"address": f"{host}:{port}", "socket": "inherit"}, ready="spawn",
               health={"http": "/health", "interval": "1h", "start_period": "1h"})
    done = subprocess.run(["unshare", "--net", "sh", "-c", PROBE_IN_A_NARROW_RANGE, "-", str(port),
                           *site.command()], capture_output=True, text=True, timeout=60,
                          env=site.environment, check=False)
    assert done.returncode == 0, done
    assert done.stdout.count("started") == 5, done


def test_probes_of_free_ports_in_the_ephemeral_range(site):
    low, high = map(int, open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii").read()
                    .split())
    listen = []
    while len(listen) < 8:
        port = low + int.from_bytes(os.urandom(2), "big") % (high - low)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        listen.append({"address": f"127.0.0.1:{port}", "name": f"p{port}", "socket": "inherit"})
    site.add("webui", [WEBUI, "--quiet"], listen=listen)
    for _ in range(5):
        status = site.start()
        assert len(status["listen"]) == 8
        assert site.svcmgr("stop", "webui").code == 0


@pytest.mark.parametrize("address, both", [
    ("127.0.0.1", False), ("localhost", False), ("localhost", True), ("[::1]", False)])
def test_a_socket_that_the_program_shut_down_is_had_again_at_its_number(site, address, both):
    """Whatever the keeper still holds of it, and as often as it happens."""
    def configure(*words):
        add_marked(site, words=words, health={"http": "/health"}, start_timeout="60s",
                   listen={"address": f"{address}:0", "socket": "inherit", "both": both},
                   restart={"when": "always", "burst": 0, "delay": "1ms", "max_delay": "5ms"})

    configure("serve")
    port = port_of(site.start())
    configure(*SHUTS_DOWN)
    assert site.svcmgr("restart", "webui").code == 1
    wait_until(lambda: site.status()["generation"] > 8, "some more generations")
    configure("serve")
    assert site.svcmgr("restart", "webui").code == 0
    assert port_of(site.status()) == port
    assert [event for event in site.events() if event["event"] == "port"] == []
