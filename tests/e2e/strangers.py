"""Programs that stand on an address before svcmgr comes, and what must be true of them after."""

import os
import socket
import subprocess
import time
from pathlib import Path

from support import MISBEHAVE, PYTHON, WINDOWS, Result, Site, get, wait_until

NOBODY = 65534
LISTENING = "0A"

# A listener whose every option is in the words: FAMILY ADDRESS PORT V6ONLY BACKLOG.
LISTEN_AND_WAIT = """
import socket, sys, time
family, address, port, only, backlog = sys.argv[1:6]
s = socket.socket(socket.AF_INET6 if family == "6" else socket.AF_INET)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if family == "6":
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(only))
s.bind((address, int(port)))
s.listen(int(backlog))
time.sleep(120)
"""


def sockets_on(port, state=LISTENING):
    """The lines of the kernel's TCP tables for a local port, in one state."""
    found = []
    wanted = f":{port:04X} "
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            if wanted not in line:  # most have other ports, on both sides
                continue
            fields = line.split()
            if fields[1].endswith(wanted[:-1]) and fields[3] == state:
                found.append(fields)
    return found


def wait_for_listener(port, count=1):
    wait_until(lambda: len(sockets_on(port)) >= count, f"a listener on port {port}")


def start_time(pid):
    """With the pid, what tells one process from a later one of the same number."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]


class Stranger:
    """A process that svcmgr did not start."""

    def __init__(self, child):
        self.child = child
        self.pid = child.pid
        self.windows_pid = None  # Wine 8 knows those of its own programs that listen on IPv4
        self.started = start_time(child.pid)

    @property
    def known_pid(self):
        """The pid that svcmgr can tell: none where it is not known whose a listener is."""
        return self.windows_pid if WINDOWS else self.pid

    def is_untouched(self):
        return self.child.poll() is None and start_time(self.pid) == self.started

    def end(self):
        self.child.kill()
        self.child.wait()


def names(text, stranger, words=""):
    """Whether a message says who it is."""
    if WINDOWS and stranger.windows_pid is None:
        return "a process that cannot be seen from here" in text
    return f"pid {stranger.windows_pid or stranger.pid}" in text and words in text


def kill(stranger):
    """What doctor says to type to end it, where it is known."""
    return f"taskkill /F /PID {stranger.windows_pid}" if WINDOWS else f"kill {stranger.pid}"


def serve(site, port, *words, at=None, how="bind", **options):
    """misbehave, listening on the port and then doing what the words say."""
    address = at or str(port)
    others = len(sockets_on(port))
    note = site.directory / f"stranger-{address.replace(':', '-')}"
    stranger = Stranger(site.stranger(MISBEHAVE, "own-pid", site.native(note), how, address, *words,
                                      **options))
    wait_for_listener(port, others + 1)
    if WINDOWS and "[" not in address:
        stranger.windows_pid = int(note.read_text())
    return stranger


def http_server(site, port, host="127.0.0.1", **options):
    """Python's own web server: 404 on /health."""
    stranger = Stranger(site.stranger(PYTHON, "-m", "http.server", port, "--bind", host,
                                      cwd=site.directory, **options))
    wait_for_listener(port)
    return stranger


def silent_listener(site, port, host="127.0.0.1", only_ipv6=False, backlog=5, **options):
    """Listens with the options given, and accepts nothing."""
    if WINDOWS and ":" not in host and backlog == 5:  # one that is known
        return serve(site, port, at=f"{host}:{port}", how="listen-silent", **options)
    family = "6" if ":" in host else "4"
    stranger = Stranger(site.stranger(PYTHON, "-c", LISTEN_AND_WAIT, family, host, port,
                                      int(only_ipv6), backlog, **options))
    wait_for_listener(port)
    return stranger


def as_nobody(command):
    """The same command as a user without any rights."""
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
            *map(str, command)]


class OpenSite(Site):
    """A site whose directories belong to a user without any rights, who can run svcmgr in it."""

    def __init__(self, directory):
        super().__init__(directory)
        self.state_dir.mkdir()
        for path in (self.directory, self.config_dir, self.state_dir):
            os.chown(path, NOBODY, NOBODY)
            path.chmod(0o755)

    def run_as_nobody(self, *words):
        begin = time.monotonic()
        completed = subprocess.run(as_nobody(self.command(*words)), capture_output=True, text=True,
                                   timeout=60, env=self.environment, stdin=subprocess.DEVNULL,
                                   check=False)
        return Result(completed, time.monotonic() - begin)


def add_marked(site, name="webui", port=None, **keys):
    """A service whose program leaves a file the moment it runs; returns that file."""
    mark = site.directory / f"{name}.spawned"
    words = keys.pop("words", ["serve"])
    keys.setdefault("listen", {"address": f"127.0.0.1:{port}", "socket": "inherit"})
    keys.setdefault("health", {"http": "/health"})
    site.add(name, [MISBEHAVE, "touch", mark, *words], **keys)
    return mark


def assert_nothing_happened(site, name="webui"):
    """A refused start has touched nothing of the service's and left no process."""
    state = site.state_of(name)
    for left in ("log", "record", "events", "config.json"):
        assert not (state / left).exists(), f"{left} was made by a start that was refused"
    assert not (site.directory / f"{name}.spawned").exists(), "the program was spawned"
    status = site.status(name)
    assert status["state"] == "stopped"
    assert status["supervisor_pid"] is None and status["keeper_pid"] is None


def assert_one_line(result):
    """Diagnostics are one line each, whatever a stranger sent."""
    assert result.err.count("\n") == 1 and result.err.endswith("\n"), result
    assert result.err.rstrip("\n").isprintable(), repr(result.err)


def answers(port, path="/", host="127.0.0.1"):
    return get(port, path, host)[0]


def connect(port, host="127.0.0.1", timeout=5):
    """A TCP connection to the address."""
    return socket.create_connection((host, port), timeout=timeout)


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def is_root():
    return os.geteuid() == 0


def has_program(name):
    return subprocess.run(["sh", "-c", f"command -v {name}"], stdout=subprocess.DEVNULL,
                          check=False).returncode == 0
