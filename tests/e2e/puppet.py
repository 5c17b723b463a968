"""A child that does what a test tells it while it runs.

As a program (puppet.py PATH) it listens on a Unix socket and runs each line that comes, a JSON
string of Python, in one process and one thread, and answers with the result as JSON.  For a test,
Puppet is the other end of that socket.
"""

import contextlib
import json
import os
import signal
import socket
import sys
import time

PYTHON = "/usr/bin/python3"


class Puppet:
    """Speaks to whatever puppet listens on the path; a new generation takes over the same path."""

    def __init__(self, path, limit=20):
        self.path = str(path)
        self.limit = limit

    @property
    def command(self):
        return [PYTHON, "-I", "-S", __file__, self.path]

    def do(self, code):
        """Has the puppet run an expression or statements; returns the expression's value."""
        deadline = time.monotonic() + self.limit
        while True:
            try:
                return self._ask(code)
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.005)

    def _ask(self, code):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(self.limit)
            connection.connect(self.path)
            connection.sendall(json.dumps(code).encode() + b"\n")
            with connection.makefile("r") as answers:
                line = answers.readline()
        if not line:
            raise ConnectionRefusedError("the puppet ended")
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def pid(self):
        return self.do("os.getpid()")

    def notify(self, text):
        self.do(f"notify({text!r})")

    def say(self, text, fd=1):
        self.do(f"say({text!r}, {fd})")

    def environment(self):
        return self.do("dict(os.environ)")

    def end(self, code):
        self.end_by(f"os._exit({code})")

    def end_by(self, statement):
        """On a busy machine it ends before it can answer, and is not asked again: the next generation
        has the same path."""
        with contextlib.suppress(ConnectionError):
            self._ask(f"signal.signal(signal.SIGALRM, lambda *_: {statement});"
                      # again and again: one that comes just before accept() does not end it
                      "signal.setitimer(signal.ITIMER_REAL, 0.001, 0.01)")

    def run(self, words):
        """Has it run a program to its end; returns its code."""
        return self.do(f"__import__('subprocess').run({words!r}, capture_output=True).returncode")

    def begin(self, words, output):
        """Has it start a program that appends to a file, and which may end it before it answers."""
        self.pid()
        with contextlib.suppress(ConnectionError):
            self._ask(f"__import__('subprocess').Popen({words!r}, start_new_session=True, "
                      f"stdout=open({str(output)!r}, 'a'), stderr=-2)")

    def barrier(self):
        """All messages that were sent before have been looked at."""
        assert self.do("barrier()") is True

    def other(self, name):
        """A child of the puppet that is a puppet itself."""
        path = f"{self.path}.{name}"
        self.do(f"spawn({path!r})")
        return Puppet(path, self.limit)


# ---- The child ------------------------------------------------------------------------------------


def notify_address():
    name = os.environ["NOTIFY_SOCKET"]
    return "\0" + name[1:] if name.startswith("@") else name


def notify(text, *descriptors):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(notify_address())
        if descriptors:
            socket.send_fds(sender, [text.encode()], list(descriptors))
        else:
            sender.send(text.encode())


def barrier(limit=10):
    """Whether the receiver has closed the descriptor that came with BARRIER=1 in time."""
    import select

    reading, writing = os.pipe()
    notify("BARRIER=1", writing)
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], limit)
    os.close(reading)
    return bool(ready)


def spawn(path, **options):
    """Starts another puppet as a child; returns its pid."""
    words = [sys.executable, "-I", "-S", __file__, path]
    return os.posix_spawn(sys.executable, words, os.environ, **options)


def say(text, fd=1):
    data = text if isinstance(text, bytes) else text.encode()
    while data:
        data = data[os.write(fd, data):]


def on(name, code):
    """At a signal, ends with this code; None: goes on."""
    global woken
    if woken is None:
        woken, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    number = getattr(signal, "SIG" + name)
    signal.signal(number, lambda *_: None if code is None else os._exit(code))


woken = None  # what is readable once a signal has come, whose handler may not have run


def next_connection(listener):
    """A handler in Python does not run while accept() waits, which a signal that comes just before
    does not end."""
    if woken is not None:
        import select

        while listener not in select.select([listener, woken], [], [])[0]:
            os.read(woken, 64)
    return listener.accept()[0]


def listen(path):
    listener = socket.socket(socket.AF_UNIX)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path + ".new")
    listener.bind(path + ".new")
    listener.listen(8)
    os.rename(path + ".new", path)
    return listener


def perform(path):
    scope = dict(globals())
    listener = listen(path)
    while True:
        connection = next_connection(listener)
        with connection, connection.makefile("rw") as stream:
            for line in stream:
                code = json.loads(line)
                try:
                    try:
                        answer = {"result": eval(code, scope)}
                    except SyntaxError:
                        exec(code, scope)
                        answer = {"result": None}
                except Exception as fault:  # told to the test, which fails
                    answer = {"error": repr(fault)}
                stream.write(json.dumps(answer, default=str) + "\n")
                stream.flush()


if __name__ == "__main__":
    perform(sys.argv[1])
