"""Somebody else's server answers on the address: refused with 10, named, and left alone."""

import os
import pwd
import socket
import ssl
import threading

import pytest
from strangers import (Stranger, add_marked, answers, assert_nothing_happened, assert_one_line,
                       connect, has_program, http_server, names, serve, sockets_on,
                       wait_for_listener)
from support import LIMIT, LONG, MISBEHAVE, WINDOWS, free_port, processes_with, wait_until

# One that answers is named at once, whatever may be waited for.
PATIENT = {"probe_timeout": LONG, "bind_timeout": LONG}


def assert_refused(site, stranger, *command, said="", words=""):
    """'start' is refused with the stranger named; nothing of ours ran, nothing of its was touched."""
    result = site.svcmgr("start", *command, "webui")
    assert result.code == 10, result
    assert result.seconds < LIMIT
    assert_one_line(result)
    assert "Another server is already responding" in result.err
    assert names(result.err, stranger, words)
    assert said in result.err
    assert_nothing_happened(site)
    assert stranger.is_untouched()
    return result


def test_python_http_server_is_named_and_left_alone(site):
    port = free_port()
    add_marked(site, port=port, **PATIENT)
    stranger = http_server(site, port)
    result = assert_refused(site, stranger, said="HTTP 404 from /health",
                            words=f"-m http.server {port}")
    assert f"http://127.0.0.1:{port}" in result.err
    assert WINDOWS or f"user {pwd.getpwuid(os.getuid()).pw_name}" in result.err
    assert answers(port) == 200


def test_run_refuses_just_the_same(site):
    port = free_port()
    add_marked(site, port=port, **PATIENT)
    stranger = http_server(site, port)
    result = site.svcmgr("run", "webui")
    assert result.code == 10, result
    assert names(result.err, stranger)
    assert_nothing_happened(site)
    assert stranger.is_untouched() and answers(port) == 200


@pytest.mark.parametrize("status", [200, 204, 301, 404, 500, 503])
def test_any_http_status_is_a_sign_of_life(site, status):
    port = free_port()
    add_marked(site, port=port, **PATIENT)
    stranger = serve(site, port, "serve", "--status", status)
    assert_refused(site, stranger, said=f"HTTP {status} from /health", words="misbehave")
    assert answers(port) == status


@pytest.mark.parametrize("socket_kind", ["inherit", "self"])
@pytest.mark.parametrize("health", [{"http": "/health"}, {"tcp": True}, None])
def test_the_guard_does_not_depend_on_socket_or_health(site, socket_kind, health):
    port = free_port()
    keys = {} if health is None else {"health": health}
    mark = site.directory / "webui.spawned"
    site.add("webui", ["/bin/sh", "-c", f"touch {mark}; sleep 100"],
             listen={"address": f"127.0.0.1:{port}", "socket": socket_kind}, **keys)
    stranger = serve(site, port, "serve")
    assert_refused(site, stranger, said="HTTP 200")


@pytest.mark.parametrize("banner,said", [
    ("SSH-2.0-OpenSSH_9.2p1 Debian-2", "SSH"),
    ("220 mail.example.com ESMTP", "220"),
    ("-ERR unknown command", "-ERR"),
    ("<html>an answer of HTTP/0.9</html>", ""),
    ("HTTP/1.1", ""),
    ("HTTP/9.9 banana", ""),
    ("\x01\x02\x1b[31m\x7f\x9bred", ""),
])
def test_bytes_of_any_kind_are_a_sign_of_life(site, banner, said):
    port = free_port()
    add_marked(site, port=port, **PATIENT)
    stranger = serve(site, port, "banner", banner)
    assert_refused(site, stranger, said=said)
    with connect(port) as visitor:
        assert visitor.recv(3) == banner.encode()[:3]


def test_a_server_that_waits_for_tls_is_asked_in_tls(site):
    port = free_port()
    add_marked(site, port=port, **PATIENT)
    stranger = serve(site, port, "tls-like")
    assert_refused(site, stranger, said="TLS")


@pytest.mark.skipif(not has_program("openssl"), reason="needs openssl")
def test_a_real_tls_server(site, certificate):
    port = free_port()
    add_marked(site, port=port, **PATIENT)
    stranger = Stranger(site.stranger("openssl", "s_server", "-quiet", "-accept",
                                      f"127.0.0.1:{port}", "-cert", certificate, "-www"))
    wait_for_listener(port)
    assert_refused(site, stranger, words="openssl s_server")
    context = ssl.create_default_context(cafile=str(certificate))
    with connect(port) as plain, context.wrap_socket(plain, server_hostname="localhost") as tls:
        assert tls.version().startswith("TLS")


@pytest.mark.skipif(not has_program("openssl"), reason="needs openssl")
def test_a_tls_server_that_says_nothing_to_plain_text(site, certificate):
    """Python's ssl closes without a byte: only the second question finds out."""
    port = free_port()
    add_marked(site, port=port, **PATIENT)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", port))
    ended = threading.Event()

    def accept():
        while not ended.is_set():
            plain, _ = listener.accept()
            first = plain.recv(1, socket.MSG_PEEK)
            if first != b"\x16":
                plain.close()
                continue
            try:
                context.wrap_socket(plain, server_side=True).close()
            except (ssl.SSLError, OSError):
                plain.close()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    result = site.svcmgr("start", "webui")
    ended.set()
    connect(port).close()
    thread.join(5)
    listener.close()
    assert not thread.is_alive()
    assert result.code == 10, result
    assert "TLS" in result.err
    assert_nothing_happened(site)


def test_a_slow_drip_does_not_extend_the_deadline(site):
    port = free_port()
    add_marked(site, port=port, **PATIENT)
    stranger = serve(site, port, "drip")
    assert_refused(site, stranger)


def test_an_answer_later_than_the_limit_is_silence(site):
    """Then the address is taken by something that does not answer: 11, and nobody is stopped."""
    port = free_port()
    add_marked(site, port=port, probe_timeout="200ms", bind_timeout="300ms")
    stranger = serve(site, port, "drip")
    result = site.svcmgr("start", "webui")
    assert result.code == 11, result
    assert names(result.err, stranger)
    assert_nothing_happened(site)
    assert stranger.is_untouched()


def test_a_flood_is_read_in_part(site):
    port = free_port()
    add_marked(site, port=port, **PATIENT)
    stranger = serve(site, port, "banner", "x" * 100000)
    assert_refused(site, stranger)


def test_a_redirect_is_not_followed(site):
    port = free_port()
    elsewhere = free_port()
    add_marked(site, port=port, **PATIENT)
    target = socket.create_server(("127.0.0.1", elsewhere))
    target.setblocking(False)
    stranger = serve(site, port, "banner",
                     f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{elsewhere}/\r\n\r\n")
    assert_refused(site, stranger, said="302")
    with pytest.raises(BlockingIOError):
        target.accept()
    target.close()


def test_a_proxy_is_not_asked(site):
    port = free_port()
    proxy = socket.create_server(("127.0.0.1", 0))
    proxy.setblocking(False)
    add_marked(site, port=port, **PATIENT)
    url = f"http://127.0.0.1:{proxy.getsockname()[1]}"
    site.environment.update(http_proxy=url, HTTP_PROXY=url, all_proxy=url, ALL_PROXY=url)
    stranger = serve(site, port, "serve")
    assert_refused(site, stranger)
    with pytest.raises(BlockingIOError):
        proxy.accept()
    proxy.close()


def test_what_the_probe_sends(site):
    """Host, the health path of the configuration, and Connection: close."""
    port = free_port()
    add_marked(site, port=port, health={"http": "/are/you?there=1"})
    listener = socket.create_server(("127.0.0.1", port))
    asked = []

    def accept():
        visitor, _ = listener.accept()
        with visitor:
            while b"\r\n\r\n" not in b"".join(asked):
                asked.append(visitor.recv(4096))
            visitor.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    result = site.svcmgr("start", "webui")
    thread.join(5)
    listener.close()
    assert result.code == 10, result
    lines = b"".join(asked).decode().split("\r\n")
    assert lines[0] == "GET /are/you?there=1 HTTP/1.1"
    assert f"Host: 127.0.0.1:{port}" in lines
    assert "Connection: close" in lines


def test_stop_and_status_name_the_stranger_and_leave_it_alone(site):
    port = free_port()
    add_marked(site, port=port, **PATIENT)
    stranger = serve(site, port, "serve")
    result = site.svcmgr("stop", "webui")
    assert result.code == 0, result
    assert names(result.err, stranger) and "left alone" in result.err
    status = site.status()
    assert status["state"] == "stopped" and status["pid"] is None
    assert status["other"]["pid"] == stranger.known_pid
    assert f"bind {port} serve" in status["other"]["command"]
    assert stranger.is_untouched() and answers(port) == 200


def test_the_second_of_two_listeners_is_asked_too(site):
    ports = [free_port(), free_port()]
    add_marked(site, listen=[{"address": f"127.0.0.1:{port}", "name": f"n{port}",
                              "socket": "inherit"} for port in ports])
    stranger = serve(site, ports[1], "serve")
    result = assert_refused(site, stranger)
    assert str(ports[1]) in result.err
    stranger.end()
    site.start()
    assert all(len(sockets_on(port)) == 1 for port in ports)


def test_the_start_succeeds_once_the_stranger_is_gone(site):
    port = free_port()
    mark = add_marked(site, port=port, **PATIENT)
    stranger = serve(site, port, "serve")
    assert_refused(site, stranger)
    stranger.end()
    status = site.start()
    assert mark.exists() and status["state"] == "ready"
    assert wait_until(lambda: answers(port) == 200)


def test_an_answer_that_is_somebody_else_s_does_not_make_ours_ready(site):
    """The stranger comes between claim and bind of a program that binds itself."""
    port = free_port()
    mark = add_marked(site, words=["sleep-forever"], health={"http": "/health"},
                      listen={"address": f"127.0.0.1:{port}", "socket": "self"})
    note = site.directory / "note"
    stranger = Stranger(site.stranger(MISBEHAVE, "own-pid", site.native(note), "wait-for",
                                      site.native(mark), "bind", port, "serve"))
    result = site.svcmgr("start", "webui")
    if WINDOWS:
        stranger.windows_pid = int(note.read_text())
    assert result.code == 10, result
    assert names(result.err, stranger)
    assert stranger.is_untouched() and answers(port) == 200
    assert site.status()["state"] == "stopped"
    assert processes_with(str(mark)) == [stranger.pid]
