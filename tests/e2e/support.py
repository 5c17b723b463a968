"""What the end-to-end tests share."""

import contextlib
import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import windows

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("SVCMGR_BUILD", ROOT / "build" / "debug"))
WINDOWS = (BUILD / "bin" / "svcmgr.exe").exists()
SUFFIX = ".exe" if WINDOWS else ""
SVCMGR = str(BUILD / "bin" / f"svcmgr{SUFFIX}")
WEBUI = str(BUILD / "examples" / "webui" / f"webui{SUFFIX}")
MISBEHAVE = str(BUILD / "tests" / f"misbehave{SUFFIX}")
PYTHON = "/usr/bin/python3"

# How long a condition may take on a busy machine before the test fails.
LIMIT = float(os.environ.get("SVCMGR_TEST_LIMIT", "60"))
# A wait that svcmgr is not to sit out: whoever does takes longer than LIMIT.
LONG = f"{LIMIT * 2:g}s"
# What is between the directories of a PATH.
PATH_SEPARATOR = ";" if WINDOWS else ":"
# What the system says of a program that is not there.
NO_FILE = "Path not found" if WINDOWS else "No such file or directory"
PORTABLE = os.environ.get("SVCMGR_TEST_PORTABLE") == "1"
# What "stop" says where the system does not know all of a tree (docs/PLATFORMS.md).
FOUND_BY = "; its processes were found by ancestry, session, group and instance id"
STOPPED = "stopped" + (FOUND_BY if PORTABLE else "")
SANITIZED = b"__asan" in Path(SVCMGR).read_bytes()


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


FIRST_PORT = 10000


def all_ports():
    """One after the other, from a random one on: those that the tests beside us do not get."""
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    rounds = (low - FIRST_PORT) // workers
    first = int.from_bytes(os.urandom(4), "big")
    for number in itertools.count():
        yield FIRST_PORT + (first + number) % rounds * workers + worker


PORTS = all_ports()
PORTS_LOCK = threading.Lock()


def free_port():
    """A port that was free a moment ago, outside the range of ephemeral ports."""
    for _ in range(1000):
        with PORTS_LOCK:
            port = next(PORTS)
        with socket.socket() as probe4, socket.socket(socket.AF_INET6) as probe6:
            try:
                probe4.bind(("0.0.0.0", port))
                probe6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe6.bind(("::", port))
            except OSError:
                continue
        return port
    raise AssertionError("no free port")


def ask_windows(*words):
    """What the test program says there: its exit code, and what it printed."""
    done = subprocess.run([windows.WINE, MISBEHAVE, *map(str, words)], capture_output=True,
                          text=True, env=dict(os.environ, **windows.environment(BUILD)),
                          stdin=subprocess.DEVNULL, timeout=LIMIT, check=False)
    return done.returncode, done.stdout


def end_process(pid):
    """Ends one of svcmgr's processes, which has no say in it."""
    if WINDOWS:
        assert ask_windows("kill", pid)[0] == 0
    else:
        os.kill(pid, signal.SIGKILL)


def pid_is_alive(pid):
    """Whether a process of svcmgr's exists and is no zombie."""
    return bool(alive([pid]))


def alive(pids):
    """Those of svcmgr's processes that exist and are no zombies."""
    if WINDOWS:
        found = ask_windows("alive", *pids)[1].split()
        return [pid for pid in pids if str(pid) in found]
    return [pid for pid in pids if is_alive(pid)]


def runner(status):
    """The process of the command "run"."""
    return status["supervisor_pid"] if WINDOWS else status["keeper_pid"]


def is_alive(pid):
    """The same for any process of this system."""
    fields = stat_fields(pid)
    return bool(fields) and fields[0] not in "ZX"


def stat_fields(pid):
    """proc(5): its state and what follows; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []


PF_EXITING = 0x4  # of its flags


def left_of(status, *roles):
    """Which processes that a status told of run still: "pid", "supervisor_pid", "keeper_pid".

    A command that waits for their end sees them close their files, with their locks, which each does
    some time before it is a zombie."""
    found = alive([status[role] for role in roles])
    return [role for role in roles if status[role] in found and
            (WINDOWS or is_running(status[role]))]


def is_running(pid):
    fields = stat_fields(pid)
    return bool(fields) and int(fields[6]) & PF_EXITING == 0


def open_files(pid):
    """The targets of a process's descriptors: one may be closed meanwhile."""
    files = []
    with contextlib.suppress(OSError):
        for entry in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                files.append(os.readlink(f"/proc/{pid}/fd/{entry}"))
    return files


def sockets_of(pid):
    """The inodes of the sockets that a process has."""
    return {int(name[8:-1]) for name in open_files(pid) if name.startswith("socket:")}


PIECE = 1 << 17


def read_process_file(pid, name):
    """A file of proc(5), with nothing in between: each test reads those of all processes, often."""
    pieces = []
    try:
        handle = os.open(f"/proc/{pid}/{name}", os.O_RDONLY)
    except OSError:
        return b""
    with contextlib.suppress(OSError):
        while not pieces or len(pieces[-1]) == PIECE:
            pieces.append(os.read(handle, PIECE))
    os.close(handle)
    return b"".join(pieces)


def processes_with(needle):
    """Pids of live processes whose command line or environment holds needle."""
    found = []
    wanted = needle.encode()
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        if wanted in read_process_file(entry, "cmdline") or \
                wanted in read_process_file(entry, "environ"):
            if is_alive(int(entry)):
                found.append(int(entry))
            continue
        # Wine shows the environment of nobody; the directory is the one that it runs in.
        with contextlib.suppress(OSError):
            if WINDOWS and needle in os.readlink(f"/proc/{entry}/cwd") and \
                    not read_process_file(entry, "cmdline").startswith(windows.OWN):
                found.append(int(entry))
    return found


def pauses(pid):
    """How often the process has gone to sleep by itself; 0 if it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                return int(line.split()[1])
    return 0


def get(port, path="/health", host="127.0.0.1", timeout=LIMIT):
    """One HTTP request on a new connection: (status, body)."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def make_certain(keys):
    """On a busy machine misbehave may not have come to its words when it counts as ready: what stays
    says when it has come so far, and what ends does so before it is ready, however late."""
    words = keys["command"]
    if keys.keys() & {"ready", "health"}:
        return
    if words[-1] == "sleep-forever":
        words.insert(-1, "notify-ready")
        keys["ready"] = "notify"
        keys.pop("settle", None)
    elif ENDS & set(words) and "sleep" not in words:
        keys.setdefault("settle", "1m")


ENDS = {"exit", "die"}


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
        self.control = None  # the kind of control channel that start and run ask for
        self.environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": os.environ.get("HOME", "/root"),
        }
        if WINDOWS:
            self.environment.update(windows.environment(BUILD))
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def without_leak_check(self):
        """Sanitizer builds look for leaks with a process that traces the one that ends: under
        strace that fails, and when the tracer is killed the other waits for it for ever."""
        options = self.environment.get("ASAN_OPTIONS", "")
        self.environment["ASAN_OPTIONS"] = f"{options}:detect_leaks=0".lstrip(":")

    # -- commands ------------------------------------------------------------------------------

    def program(self, word):
        """A program's path, as the system that runs it has it."""
        return [windows.WINE, word] if word.endswith(".exe") else [word]

    def native(self, word):
        """A word for svcmgr, in which a path is one of the system that it runs on."""
        word = str(word)
        here = str(self.directory)
        return windows.path(word) if WINDOWS and word.startswith((here, str(BUILD))) else word

    def of_root(self, path):
        """What svcmgr makes of a path that begins with '/', which this site's directory need not have."""
        return windows.path(path) if WINDOWS else str(path)

    def itself(self, program):
        """The path that a program finds for itself."""
        return windows.own_path(program) if WINDOWS else os.path.realpath(program)

    def run_copy(self):
        """Has a copy of svcmgr in the site's own directory run from now on; returns it."""
        copy = self.directory / f"svcmgr{SUFFIX}"
        shutil.copy(SVCMGR, copy)
        self.command = lambda *words: [*self.program(str(copy)), *self.words(*words)[1:]]
        return copy

    def here(self, path):
        """A path that svcmgr has written, as this system has it."""
        return Path(windows.here(path) if WINDOWS else path)

    def words(self, *words):
        """A command for whoever runs on the system that svcmgr runs on."""
        return [self.native(SVCMGR), "--config-dir", self.native(self.config_dir),
                "--state-dir", self.native(self.state_dir), *map(self.native, words)]

    def command(self, *words):
        return [*self.program(SVCMGR), *self.words(*words)[1:]]

    def svcmgr(self, *words, timeout=LIMIT * 2, **options):
        """Runs a command to its end."""
        begin = time.monotonic()
        options.setdefault("env", self.environment)
        options.update(timeout=timeout, stdin=subprocess.DEVNULL, check=False)
        if WINDOWS:
            completed = windows.run(self.command(*words), **options)
        else:
            completed = subprocess.run(self.command(*words), capture_output=True, text=True,
                                       errors="surrogateescape", **options)
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
        if WINDOWS:
            options["env"] = {**options.get("env", os.environ), **windows.environment(BUILD)}
        child = subprocess.Popen([*self.program(str(words[0])), *map(str, words[1:])], **options)
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
        keys = {"command": [str(word) for word in command], "directory": self.directory, **keys}
        if WINDOWS:
            keys.setdefault("stop", {"timeout": windows.STOP_TIMEOUT})
            if keys.get("ready") == "notify":
                keys.update(windows.ready_by_file(MISBEHAVE, self.directory / name))
        elif command[0] == MISBEHAVE:
            make_certain(keys)
        return self.write(name, json.dumps(self.natively(keys)))

    def natively(self, value):
        """A value of a configuration, whose paths are those of the system that svcmgr runs on."""
        if isinstance(value, dict):
            return {key: self.natively(below) for key, below in value.items()}
        if isinstance(value, list | tuple):
            return [self.natively(below) for below in value]
        return self.native(value) if isinstance(value, str | Path) else value

    def add_webui(self, name="webui", port=None, **keys):
        """The example web server with an inherited socket and a health check; returns its port."""
        port = port or free_port()
        listen = {"address": f"127.0.0.1:{port}", "socket": keys.pop("socket", "inherit")}
        keys.setdefault("listen", listen)
        keys.setdefault("health", {"http": "/health"})
        self.add(name, [WEBUI, "--quiet"], **keys)
        return port

    def control_words(self):
        return ["--control", self.control] if self.control else []

    def start(self, name="webui", *options):
        result = self.svcmgr("start", name, *self.control_words(), *options)
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
        for child in self.children:
            if "start" in child.args:  # one that lost its supervisor would start another one
                child.kill()
        if os.path.isdir(self.state_dir) and os.listdir(self.state_dir):  # else nothing was started
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
        here = []

        def nobody_is_here():
            here[:] = processes_with(str(self.directory))
            return not here

        with contextlib.suppress(AssertionError):
            wait_until(nobody_is_here, limit=5)
        for pid in here:
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                os.kill(pid, signal.SIGKILL)
                left.append((pid, words))
        return left
