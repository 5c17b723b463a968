"""What systemd is to a service, in a few lines: a notification socket, sockets that it hands over,
and the environment of a main process (systemd.exec(5))."""

import array
import contextlib
import os
import socket
import subprocess
import sys

from support import LIMIT, PYTHON, wait_until

# Becomes the main process: puts the descriptors at 3 and on, and says in the environment who it is.
BECOME = """
import os, sys
count = int(sys.argv[1])
at = [os.dup2(int(number), 200 + i) for i, number in enumerate(sys.argv[2:2 + count])]
for i, number in enumerate(at):
    os.dup2(number, 3 + i)
    os.close(number)
os.closerange(3 + count, 200)
environment = {name: value.replace("PID", str(os.getpid())) for name, value in os.environ.items()}
os.execve(sys.argv[2 + count], sys.argv[2 + count:], environment)
"""


class Message:
    """A datagram: its lines as a dict, the inodes of what came with it, and who sent it."""

    def __init__(self, text, inodes, pid):
        self.fields = dict(line.split("=", 1) for line in text.split("\n") if line)
        self.inodes = inodes
        self.pid = pid

    def __repr__(self):
        return f"{self.fields} {self.inodes}"


def inode(descriptor):
    return os.stat(descriptor if isinstance(descriptor, int) else descriptor.fileno()).st_ino


class Manager:
    """A fake manager; 'name' as in NOTIFY_SOCKET."""

    def __init__(self, name=None):
        self.name = name or f"@svcmgr-test-{os.urandom(8).hex()}"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind(self.address)
        self.socket.settimeout(LIMIT)
        self.messages = []
        self.store = {}  # by name: descriptors, by inode
        self.main = None

    @property
    def address(self):
        return "\0" + self.name[1:] if self.name.startswith("@") else self.name

    def fill(self):
        """It takes no more before it reads: net.unix.max_dgram_qlen in unix(7)."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    filler.sendto(b"FILLER=1", self.address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        for name in list(self.store):
            self.empty(name)

    def empty(self, name):
        for descriptor in self.store.pop(name, {}).values():
            os.close(descriptor)

    def take_store(self):
        """What it has, as sockets that can be handed over; it has nothing any more."""
        taken = self.copy_store()
        for name in list(self.store):
            self.empty(name)
        return taken

    def copy_store(self):
        """The same, and it goes on having it, as systemd does."""
        return [(name, socket.socket(fileno=os.dup(descriptor)))
                for name, kept in self.store.items() for descriptor in kept.values()]

    def stored(self):
        """The inodes of what it has by now, by name."""
        self.drain()
        return {name: set(kept) for name, kept in self.store.items()}

    def keep(self, name, descriptors):
        kept = self.store.setdefault(name, {})
        for descriptor in descriptors:
            if kept.setdefault(inode(descriptor), descriptor) != descriptor:
                os.close(descriptor)

    def environment(self, names=(), **more):
        made = {"INVOCATION_ID": os.urandom(16).hex(), "SYSTEMD_EXEC_PID": "PID",
                "NOTIFY_SOCKET": self.name}
        if names:
            made |= {"LISTEN_FDS": str(len(names)), "LISTEN_PID": "PID",
                     "LISTEN_FDNAMES": ":".join(names)}
        return made | more

    def run(self, site, name="webui", *options, sockets=(), drop=(), **more):
        """Runs the service as its main process; sockets are pairs of a name and a socket."""
        environment = site.environment | self.environment([given for given, _ in sockets], **more)
        numbers = [handed.fileno() for _, handed in sockets]
        self.main = subprocess.Popen(
            [PYTHON, "-I", "-S", "-c", BECOME, str(len(numbers)), *map(str, numbers),
             *site.command("run", name, *options)],
            env={key: value for key, value in environment.items() if key not in drop},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            pass_fds=numbers)
        site.children.append(self.main)
        return self.main

    def receive(self):
        """The next message."""
        text, control, _, _ = self.socket.recvmsg(65536, 4096)
        descriptors = array.array("i")
        pid = 0
        for level, kind, data in control:
            assert level == socket.SOL_SOCKET
            if kind == socket.SCM_RIGHTS:
                descriptors.frombytes(data[:len(data) - len(data) % descriptors.itemsize])
            elif kind == socket.SCM_CREDENTIALS:
                pid = int.from_bytes(data[:4], sys.byteorder)
        message = Message(text.decode(), [inode(one) for one in descriptors], pid)
        self.messages.append(message)
        if "FDSTORE" in message.fields:
            self.keep(message.fields["FDNAME"], descriptors)
        else:
            assert not descriptors
        if "FDSTOREREMOVE" in message.fields:
            self.empty(message.fields["FDNAME"])
        return message

    def wait_for(self, holds):
        """Reads on until a message is as wanted, and returns it."""
        while True:
            message = self.receive()
            if holds(message.fields):
                return message

    def wait_for_ready(self):
        return self.wait_for(lambda fields: fields.get("READY") == "1")

    def said(self, key):
        """The messages so far that have this key."""
        return [message for message in self.messages if key in message.fields]

    def drain(self):
        """Everything that has come so far."""
        self.socket.setblocking(False)
        try:
            while True:
                self.receive()
        except BlockingIOError:
            self.socket.settimeout(LIMIT)

    def wait_for_end(self):
        wait_until(lambda: self.main.poll() is not None, "the end of the main process")
        self.drain()
        return self.main.returncode
