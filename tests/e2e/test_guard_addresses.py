"""Which addresses stand in each other's way, and how each kind of address is bound."""

import http.client
import os
import signal
import socket
import subprocess

import pytest
from strangers import (add_marked, assert_nothing_happened, connect, has_ipv6,
                       has_program, is_root, names, serve, silent_listener, sockets_on)
from support import LIMIT, LONG, WINDOWS, free_port, get, wait_until

SHORT = {"probe_timeout": "60ms", "bind_timeout": "60ms"}

pytestmark = pytest.mark.skipif(not has_ipv6(), reason="needs IPv6 on the loopback")

# Whose address, is it IPv6 only, ours, does it stand in our way.  From socket(7) and ipv6(7), and
# measured: the wildcard of one family takes all its addresses, [::] without V6ONLY takes both.
MATRIX = [
    ("127.0.0.1", False, "127.0.0.1", True),
    ("127.0.0.1", False, "127.0.0.2", False),
    ("127.0.0.1", False, "0.0.0.0", True),
    ("127.0.0.1", False, "[::1]", False),
    ("127.0.0.1", False, "[::]", True),
    ("127.0.0.1", False, "localhost", True),
    ("127.0.0.2", False, "127.0.0.1", False),
    ("127.0.0.2", False, "0.0.0.0", True),
    ("127.0.0.2", False, "[::]", True),
    ("127.0.0.2", False, "localhost", False),
    ("0.0.0.0", False, "127.0.0.1", True),
    ("0.0.0.0", False, "127.0.0.2", True),
    ("0.0.0.0", False, "0.0.0.0", True),
    ("0.0.0.0", False, "[::1]", False),
    ("0.0.0.0", False, "[::]", True),
    ("0.0.0.0", False, "localhost", True),
    ("::1", False, "127.0.0.1", False),
    ("::1", False, "0.0.0.0", False),
    ("::1", False, "[::1]", True),
    ("::1", False, "[::]", True),
    ("::1", False, "localhost", True),
    ("::", False, "127.0.0.1", True),
    ("::", False, "127.0.0.2", True),
    ("::", False, "0.0.0.0", True),
    ("::", False, "[::1]", True),
    ("::", False, "[::]", True),
    ("::", False, "localhost", True),
    ("::", True, "127.0.0.1", False),
    ("::", True, "0.0.0.0", False),
    ("::", True, "[::1]", True),
    ("::", True, "[::]", True),
    ("::", True, "localhost", True),
]


def add_at(site, address, port, name="webui", **keys):
    listen = {"address": f"{address}:{port}", "socket": keys.pop("socket", "inherit")}
    listen.update(keys.pop("extra", {}))
    return add_marked(site, name, listen=listen, **keys)


@pytest.mark.parametrize("socket_kind", ["inherit", "self"])
@pytest.mark.parametrize("theirs,only_ipv6,ours,in_the_way", [
    # Windows does not say that a socket is of IPv6 alone: it counts as one of both families.
    row for row in MATRIX if not (WINDOWS and row[1])])
def test_who_is_in_whose_way(site, theirs, only_ipv6, ours, in_the_way, socket_kind):
    """A silent holder: it is the kernel that says whether both can be."""
    port = free_port()
    at = f"127.0.0.1:{port}" if ours == "localhost" else f"{ours}:{port}"
    words = ["serve"] if socket_kind == "inherit" else ["bind", at, "serve"]
    add_at(site, ours, port, socket=socket_kind, words=words, health={"tcp": True}, **SHORT)
    stranger = silent_listener(site, port, theirs, only_ipv6)
    result = site.svcmgr("start", "webui")
    assert result.code == (11 if in_the_way else 0), result
    if in_the_way:
        assert names(result.err, stranger)
        assert_nothing_happened(site)
    assert stranger.is_untouched()


@pytest.mark.parametrize("theirs,ours", [
    ("0.0.0.0", "127.0.0.1"), ("[::]", "127.0.0.1"), ("[::]", "0.0.0.0"), ("127.0.0.2", "0.0.0.0"),
    ("127.0.0.3", "[::]"), ("[::1]", "[::]"), ("[::1]", "localhost"), ("127.0.0.1", "localhost"),
])
def test_one_that_answers_on_an_overlapping_address(site, theirs, ours):
    """It is asked on its own address, wherever ours would be."""
    port = free_port()
    add_at(site, ours, port, probe_timeout=LONG, bind_timeout=LONG)
    stranger = serve(site, port, "serve", at=f"{theirs}:{port}")
    result = site.svcmgr("start", "webui")
    assert result.code == 10, result
    assert "HTTP 200 from /health" in result.err and names(result.err, stranger)
    assert result.seconds < LIMIT
    assert_nothing_happened(site)
    assert stranger.is_untouched()


def test_every_holder_of_a_wildcard_is_asked(site):
    """A silent one beside one that answers: the one that answers decides."""
    port = free_port()
    add_at(site, "0.0.0.0", port)
    silent_listener(site, port, "127.0.0.2")
    stranger = serve(site, port, "serve", at=f"127.0.0.3:{port}")
    result = site.svcmgr("start", "webui")
    assert result.code == 10, result
    assert names(result.err, stranger) and f"127.0.0.3:{port}" in result.err


@pytest.mark.parametrize("address,hosts,url", [
    ("127.0.0.1", ["127.0.0.1"], "http://127.0.0.1:{}"),
    ("127.0.0.7", ["127.0.0.7"], "http://127.0.0.7:{}"),
    ("0.0.0.0", ["127.0.0.1", "127.0.0.9"], "http://127.0.0.1:{}"),
    ("[::1]", ["::1"], "http://[::1]:{}"),
    ("[::]", ["::1", "127.0.0.1"], "http://127.0.0.1:{}"),
    ("localhost", ["127.0.0.1"], "http://localhost:{}"),
])
def test_where_a_listener_is_reached(site, address, hosts, url):
    port = free_port()
    add_at(site, address, port)
    status = site.start()
    for host in hosts:
        assert get(port, host=host)[0] == 200
    listener = status["listen"][0]
    assert listener["port"] == port and listener["held"] is True
    assert listener["socket"] == "inherit" and listener["url"] == url.format(port)
    site.svcmgr("stop", "webui")
    assert not sockets_on(port)


# ---- localhost ----------------------------------------------------------------------------------


def refused(port, host):
    try:
        connect(port, host, timeout=2).close()
    except ConnectionRefusedError:
        return True
    return False


def test_the_other_half_of_localhost_is_held_and_refuses(site):
    port = free_port()
    add_at(site, "localhost", port)
    site.start()
    assert get(port, host="127.0.0.1")[0] == 200
    assert refused(port, "::1")
    assert get(port, host="localhost")[0] == 200
    for reuse in (0, 1):
        with socket.socket(socket.AF_INET6) as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
            with pytest.raises(OSError):
                thief.bind(("::1", port))
                thief.listen()
    with socket.socket(socket.AF_INET6) as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        with pytest.raises(OSError):
            thief.bind(("::", port))
            thief.listen()
    site.svcmgr("stop", "webui")
    with socket.create_server(("::1", port), family=socket.AF_INET6):
        pass  # given back


@pytest.mark.skipif(not has_program("curl"), reason="needs curl")
def test_a_client_of_localhost_falls_back_at_once(site):
    port = free_port()
    add_at(site, "localhost", port)
    site.start()
    command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{remote_ip}", "--noproxy",
               "*", "--resolve", f"localhost:{port}:[::1],127.0.0.1",
               f"http://localhost:{port}/health"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout
    assert said == "200 127.0.0.1"


def test_both_halves_of_localhost_are_held_across_restart_and_crash(site):
    port = free_port()
    add_at(site, "localhost", port)
    before = site.start()
    assert site.svcmgr("restart", "webui").code == 0
    os.kill(before["supervisor_pid"], signal.SIGKILL)
    wait_until(lambda: site.status()["supervisor_pid"] not in (None, before["supervisor_pid"]))
    assert get(port)[0] == 200 and refused(port, "::1")
    with socket.socket(socket.AF_INET6) as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError):
            thief.bind(("::1", port))


def test_both_passes_two_sockets(site):
    port = free_port()
    report = site.directory / "report"
    add_at(site, "localhost", port, extra={"both": True, "name": "web"},
           words=["report", report, "serve"])
    site.start()
    assert get(port, host="127.0.0.1")[0] == 200
    with connect(port, "::1") as visitor:
        assert visitor.getpeername()[0] == "::1"
    if WINDOWS:
        _, handles = http_environment(port, "SVCMGR_LISTEN_HANDLES")
        assert len(handles.split(":")) == 2
        return
    environment = dict(http_environment(port, name) for name in ("LISTEN_FDS", "LISTEN_FDNAMES"))
    assert environment == {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "web:web"}


def http_environment(port, name):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", f"/?env={name}")
    text = connection.getresponse().read().decode()
    connection.close()
    return name, text.split(f'"{name}":"', 1)[1].split('"', 1)[0]


# ---- Addresses that cannot be had ---------------------------------------------------------------


@pytest.mark.skipif(not has_program("strace"), reason="needs strace")
def test_a_missing_address_is_not_asked(site):
    """Another machine may have it: nothing is ever sent there."""
    site.without_leak_check()
    port = free_port()
    trace = site.directory / "trace"
    add_marked(site, listen={"address": f"10.255.255.1:{port}", "socket": "inherit"})
    result = subprocess.run(["strace", "-f", "-o", trace, "-e", "trace=connect,sendto,bind",
                             *site.command("run", "webui")], capture_output=True, text=True,
                            env=site.environment, timeout=30, check=False)
    assert result.returncode == 11, result
    assert f"10.255.255.1:{port}" in result.stderr and "does not have" in result.stderr
    assert "10.255.255.1" not in trace.read_text()
    assert_nothing_happened(site)


def test_a_missing_address_among_others_releases_them(site):
    port = free_port()
    add_marked(site, listen=[{"address": f"127.0.0.1:{port}", "name": "a", "socket": "inherit"},
                             {"address": f"10.255.255.1:{port}", "name": "b", "socket": "inherit"}],
               bind_timeout=LONG)
    result = site.svcmgr("start", "webui")
    assert result.code == 11, result
    assert result.seconds < LIMIT
    assert not sockets_on(port)
    assert_nothing_happened(site)


@pytest.mark.skipif(not is_root(), reason="needs root")
def test_a_port_that_needs_rights(open_site):
    site = open_site
    low = next(port for port in range(1023, 600, -1) if not sockets_on(port))
    add_marked(site, port=low, bind_timeout=LONG)
    limit = int(open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii").read())
    if low >= limit:
        pytest.skip("this machine lets everybody bind low ports")
    result = site.run_as_nobody("start", "webui")
    assert result.code == 11, result
    assert "ports below 1024 need root or CAP_NET_BIND_SERVICE" in result.err
    assert result.seconds < LIMIT
    assert not (site.state_of("webui") / "log").exists()


def test_stop_and_status_and_doctor_see_both_halves_of_localhost(site):
    port = free_port()
    add_at(site, "localhost", port)
    stranger = silent_listener(site, port, "::1")
    result = site.svcmgr("stop", "webui")
    assert result.code == 0, result
    assert names(result.err, stranger) and f"[::1]:{port}" in result.err
    assert site.status()["other"]["pid"] == stranger.known_pid
    said = [line for line in site.svcmgr("doctor", "webui").out.splitlines()
            if f"[::1]:{port} is held by" in line]
    assert len(said) == 1 and names(said[0], stranger), said
    assert stranger.is_untouched()
