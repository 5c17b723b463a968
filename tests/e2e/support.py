"""What the end-to-end tests share."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("SVCMGR_BUILD", ROOT / "build" / "debug"))
SVCMGR = str(BUILD / "bin" / "svcmgr")
WEBUI = str(BUILD / "examples" / "webui" / "webui")
MISBEHAVE = str(BUILD / "tests" / "misbehave")
PYTHON = "/usr/bin/python3"

# How long a condition may take on a busy machine before the test fails.
LIMIT = float(os.environ.get("SVCMGR_TEST_LIMIT", "20"))
PORTABLE = os.environ.get("SVCMGR_TEST_PORTABLE") == "1"


def wait_until(condition, what="the condition", limit=LIMIT):
    """Waits for condition() to be true and returns its value."""
    deadline = time.monotonic() + limit
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"{what} did not come about in {limit} s")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def free_port():
    """A port that was free a moment ago, outside the range of ephemeral ports."""
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for _ in range(1000):
        port = 10000 + int.from_bytes(os.urandom(2), "big") % (low - 10000)
        with socket.socket() as probe4, socket.socket(socket.AF_INET6) as probe6:
            try:
                probe4.bind(("0.0.0.0", port))
                probe6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe6.bind(("::", port))
            except OSError:
                continue
        return port
    raise AssertionError("no free port")


def pid_is_alive(pid):
    """Whether a process exists and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] not in "ZX"


def processes_with(needle):
    """Pids of live processes whose command line or environment holds needle."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):
                if needle.encode() in Path(f"/proc/{entry}/{name}").read_bytes():
                    if pid_is_alive(int(entry)):
                        found.append(int(entry))
                    break
    return found


def get(port, path="/health", host="127.0.0.1", timeout=5):
    """One HTTP request on a new connection: (status, body)."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


class Result:
    """What a svcmgr command did."""

    def __init__(self, completed, seconds):
        self.code = completed.returncode
        self.out = completed.stdout
        self.err = completed.stderr
        self.seconds = seconds

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"<code {self.code}, {self.seconds:.3f} s\nout: {self.out}\nerr: {self.err}>"


class Site:
    """Directories of one test, and everything that was started in it."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.config_dir = self.directory / "config"
        self.state_dir = self.directory / "state"
        self.config_dir.mkdir()
        self.children = []
        self.environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": os.environ.get("HOME", "/root"),
        }
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    # -- commands ------------------------------------------------------------------------------

    def command(self, *words):
        return [SVCMGR, "--config-dir", str(self.config_dir), "--state-dir", str(self.state_dir),
                *map(str, words)]

    def svcmgr(self, *words, timeout=60, **options):
        """Runs a command to its end."""
        begin = time.monotonic()
        completed = subprocess.run(self.command(*words), capture_output=True, text=True,
                                   errors="surrogateescape", timeout=timeout,
                                   env=options.pop("env", self.environment),
                                   stdin=subprocess.DEVNULL, check=False, **options)
        return Result(completed, time.monotonic() - begin)

    def spawn(self, *words, **options):
        """Starts a command and does not wait; it is ended with the test."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("env", self.environment)
        child = subprocess.Popen(self.command(*words), text=True, **options)
        self.children.append(child)
        return child

    def stranger(self, *words, **options):
        """Starts a program that svcmgr knows nothing of; it is ended with the test."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.DEVNULL)
        options.setdefault("stderr", subprocess.DEVNULL)
        options.setdefault("start_new_session", True)
        child = subprocess.Popen([str(word) for word in words], **options)
        self.children.append(child)
        return child

    # -- services ------------------------------------------------------------------------------

    def write(self, name, text):
        """Writes a configuration as text."""
        path = self.config_dir / f"{name}.json"
        path.write_text(text)
        return path

    def add(self, name, command, **keys):
        """Writes a configuration from a command and further keys."""
        keys["command"] = [str(word) for word in command]
        keys.setdefault("directory", str(self.directory))
        return self.write(name, json.dumps(keys))

    def add_webui(self, name="webui", port=None, **keys):
        """The example web server with an inherited socket and a health check; returns its port."""
        port = port or free_port()
        listen = {"address": f"127.0.0.1:{port}", "socket": keys.pop("socket", "inherit")}
        keys.setdefault("listen", listen)
        keys.setdefault("health", {"http": "/health"})
        self.add(name, [WEBUI, "--quiet"], **keys)
        return port

    def start(self, name="webui", *options):
        result = self.svcmgr("start", name, *options)
        assert result.code == 0, result
        return self.status(name)

    def status(self, name="webui"):
        result = self.svcmgr("status", "--json", name)
        assert result.code in (0, 3), result
        return result.json()

    def wait_for_state(self, name, *states, limit=LIMIT):
        def look():
            status = self.status(name)
            return status if status["state"] in states else None

        return wait_until(look, f"{name} in state {' or '.join(states)}", limit)

    def state_of(self, name):
        """The service's state directory."""
        return self.state_dir / name

    def events(self, name="webui"):
        path = self.state_of(name) / "events"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def log(self, name="webui"):
        """The log's lines without their stamps."""
        path = self.state_of(name) / "log" / "current"
        lines = path.read_text(errors="surrogateescape").splitlines()
        return [line.split(" ", 1)[1] for line in lines]

    # -- the end -------------------------------------------------------------------------------

    def clean_up(self):
        """Stops everything of this site; returns what would not go by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.svcmgr("stop", "--all", "--now")
        for child in self.children:
            if child.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
            child.wait()
            for stream in (child.stdout, child.stderr, child.stdin):
                if stream is not None:
                    stream.close()
        left = []
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not processes_with(str(self.directory)), limit=5)
        for pid in processes_with(str(self.directory)):
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                os.kill(pid, signal.SIGKILL)
                left.append((pid, words))
        return left
