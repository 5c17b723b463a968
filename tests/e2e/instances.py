"""Services for the tests of supervision, and what these ask of them again and again."""

import json
import subprocess
from datetime import datetime
from pathlib import Path

import windows
from channel import connect
from puppet import Puppet
from support import MISBEHAVE, WINDOWS, free_port, wait_until
from windows_puppet import WindowsPuppet


class Answers:
    """What the server below says to its health check: 200 until something else is asked for."""

    def __init__(self, path):
        self.path = path

    def are(self, status, pause_ms=0):
        fresh = Path(f"{self.path}.new")
        fresh.write_text(f"{status} {pause_ms}")
        fresh.rename(self.path)


class Control:
    """A connection to a supervisor's control channel."""

    def __init__(self, site, name):
        self.socket, self.lines = connect(site, name)
        self.last = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.socket.close()

    def send(self, method, **params):
        self.last += 1
        request = {"jsonrpc": "2.0", "id": self.last, "method": method, "params": params}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        return self.last

    def call(self, method, **params):
        """The answer to a request; others that come before it are dropped."""
        wanted = self.send(method, **params)
        while True:
            line = self.lines.readline()
            assert line, "the supervisor closed the connection"
            answer = json.loads(line)
            if answer.get("id") == wanted:
                return answer


def inherit(port=None):
    return {"address": f"127.0.0.1:{port or free_port()}", "socket": "inherit"}


def add_puppet(site, name="web", **keys):
    puppet = (WindowsPuppet if WINDOWS else Puppet)(site.directory / f"{name}.sock")
    site.add(name, puppet.command, **keys)
    return puppet


def start_puppet(site, name="web", **keys):
    """A puppet that has said that it is ready, and its status."""
    keys.setdefault("ready", "notify")
    puppet = add_puppet(site, name, **keys)
    starting = site.spawn("start", name)
    puppet.notify("READY=1")
    assert starting.wait(20) == 0
    return puppet, site.status(name)


def add_server(site, name="web", **keys):
    """An HTTP server whose health can be changed; returns the switch."""
    answers = Answers(site.directory / f"{name}.answers")
    keys.setdefault("listen", inherit())
    keys["health"] = {"http": "/health", "interval": "50ms", "timeout": "2s",
                      **keys.get("health", {})}
    site.add(name, [MISBEHAVE, "serve", "answers", answers.path], **keys)
    return answers


def asks_from_inside(site, *words):
    """The command of a program that waits for the file "go" and then asks svcmgr for this; what that says,
    and its code, is in the file "said".  Deaf to the signal, so that it can say it to the end; then it ends."""
    said, go = site.directory / "said", site.directory / "go"
    if not WINDOWS:
        inner = " ".join(site.command(*words))
        return ["/bin/sh", "-c", f"trap '' TERM; while [ ! -e '{go}' ]; do sleep 0.05; done; "
                f"rm '{go}'; {inner} > '{said}' 2>&1; echo code $? >> '{said}'"]
    said, go = (subprocess.list2cmdline([windows.path(path).replace("/", "\\")]) for path in (said, go))
    batch = site.directory / "asks.bat"
    batch.write_text(
        f"@{subprocess.list2cmdline([site.native(MISBEHAVE), 'wait-for'])} {go}\n@if errorlevel 1 exit\n"
        f"@del {go}\n@{subprocess.list2cmdline(site.words(*words))} >{said} 2>&1\n"
        f"@>>{said} echo code %errorlevel%\n")
    return ["cmd", "/c", batch]


def seconds_between(earlier, later):
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def wait_for_status(site, name, holds, what="that status"):
    """Waits until the status is as wanted and returns it."""
    def look():
        nonlocal status
        status = site.status(name)
        return holds(status)

    status = None
    try:
        wait_until(look, what)
    except AssertionError as failure:
        raise AssertionError(f"{failure}; it is {status}; before that: {causes(site, name)}") from None
    return status


def causes(site, name, event=None):
    return [entry["cause"] for entry in site.events(name)
            if event is None or entry["event"] == event]


def states(site, name):
    """The states of a service, in order, as its history tells them."""
    return [entry["to"] for entry in site.events(name) if entry["event"] == "state"]
