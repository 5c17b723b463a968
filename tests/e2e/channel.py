"""The control channel, byte by byte, over a socket in the state directory or over TCP."""

import contextlib
import hashlib
import hmac
import json
import os
import socket

import pytest
from support import SANITIZED, WINDOWS, Site, get

KINDS = ("tcp",) if WINDOWS else ("unix", "tcp")

PARSE, REQUEST, METHOD, PARAMS, FAILED, OVERLOADED = -32700, -32600, -32601, -32602, -32000, -32001


def both_kinds(sanitized=KINDS):
    """A fixture for a module whose tests all run with either kind of channel; under the sanitizers,
    which take five times as long, with those that are named."""
    @pytest.fixture(params=sanitized if SANITIZED else KINDS)
    def site(site, request):
        site.control = request.param
        return site

    return site


def marker_path(site, name="web"):
    return site.state_of(name) / "control.json"


def read_marker(site, name="web"):
    return json.loads(marker_path(site, name).read_text())


def proof(token, label, client_nonce, server_nonce):
    """What proves that somebody knows the token; all of them in hexadecimal digits."""
    text = label.encode() + bytes.fromhex(client_nonce) + bytes.fromhex(server_nonce)
    return hmac.new(bytes.fromhex(token), text, hashlib.sha256).hexdigest()


def prove(connection, reader, token):
    """A client's part of the mutual proof."""
    nonce = os.urandom(32).hex()
    connection.sendall(json.dumps({"hello": {"nonce": nonce}}).encode() + b"\n")
    answer = json.loads(reader.readline())
    assert answer["proof"] == proof(token, "svcmgr server", nonce, answer["nonce"])
    told = {"proof": proof(token, "svcmgr client", nonce, answer["nonce"])}
    connection.sendall(json.dumps(told).encode() + b"\n")


def connect(site, name="web"):
    """A connection to a supervisor, and what reads from it, of whichever kind it has."""
    path = site.state_of(name) / "control.sock"
    if path.exists():
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(path))  # waits in a long queue
        connection.settimeout(20)
        return connection, connection.makefile("rb")
    marker = read_marker(site, name)
    connection = socket.create_connection(("127.0.0.1", marker["port"]), timeout=20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    reader = connection.makefile("rb")
    prove(connection, reader, marker["token"])
    return connection, reader


def memory_of(pid):
    """What it has for itself, in bytes."""
    if SANITIZED:  # it keeps what is freed for a while, so its memory says nothing
        return 0
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(int(line.split()[1]) * 1024 for line in file
                   if line.startswith(("Private_Dirty:", "Private_Clean:")))


def most_memory(pid):
    """The most that it ever had in memory, in bytes."""
    if SANITIZED:
        return 0
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))


def descriptors_of(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Line:
    """A connection on which the test writes and reads bytes as it likes."""

    def __init__(self, site, name="web"):
        self.socket, self.reader = connect(site, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.reader.close()
        self.socket.close()

    def write(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def read(self):
        line = self.reader.readline()
        return json.loads(line) if line else None

    def ask(self, request):
        text = request if isinstance(request, str | bytes) else json.dumps(request)
        self.write(text if isinstance(text, bytes) else text.encode())
        self.write(b"\n")
        return self.read()

    def error(self, request):
        answer = self.ask(request)
        assert set(answer["error"]) >= {"code", "message"}, answer
        assert answer["error"]["message"], answer
        return answer["error"]["code"]

    def has_ended(self):
        """Whether the supervisor closes the connection, whatever it says before."""
        try:
            while self.reader.readline():
                pass
        except ConnectionResetError:
            pass
        return True


def begin_web(site):
    """A running service whose supervisor is talked to."""
    site.port = site.add_webui("web")
    status = site.start("web")
    site.pid = status["pid"]
    site.supervisor_pid = status["supervisor_pid"]


@contextlib.contextmanager
def one_web_for_all(directory, control):
    """The same for tests that leave it as it is, each of which has to show that it did."""
    site = Site(directory)
    site.control = control
    try:
        begin_web(site)
        yield site
    finally:
        left = site.clean_up()
    assert not left, f"processes were left behind: {left}"


def assert_web_is_untouched(site):
    """It is still the same one and answers."""
    after = site.status("web")
    assert (after["state"], after["pid"], after["generation"], after["supervisor_pid"]) == \
        ("ready", site.pid, 1, site.supervisor_pid)
    assert get(site.port)[0] == 200
