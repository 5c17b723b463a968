#!/usr/bin/env python3
"""A tiny client of a svcmgr service's control channel, with nothing but the standard library.

    svcmgr_client.py SOCKET            hello, status, and then the log as it is written
    svcmgr_client.py SOCKET METHOD     one call, with parameters as NAME=JSON; prints the result

SOCKET is <state-dir>/NAME/control.sock.  docs/PROTOCOL.md has all methods.  Following goes on when
the supervisor dies or is upgraded: nothing is lost, and nothing comes twice.
"""

import json
import socket
import sys
import time

AGAIN_SECONDS = 0.1  # before the next try to connect
GONE_SECONDS = 5  # without a supervisor for so long: it was stopped


class Failed(Exception):
    """The supervisor answered with an error."""


class Client:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.lines = self.socket.makefile("rb")
        self.last = 0

    def close(self):
        self.lines.close()
        self.socket.close()

    def read(self):
        """The next message.  A line without its end is no message: the connection was cut."""
        line = self.lines.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError("the supervisor has gone")
        return json.loads(line)

    def call(self, method, **params):
        """Asks and waits for the answer.  Notifications that come before it are passed over, so a
        connection that follows should do nothing else."""
        self.last += 1
        request = {"jsonrpc": "2.0", "id": self.last, "method": method, "params": params}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            message = self.read()
            if message.get("id") != self.last:
                continue
            if "error" in message:
                raise Failed(message["error"]["message"])
            return message["result"]


def show(entry, out):
    # A line in parts has "more" in all of them but the last; only the first has a time.
    time_of = f'{entry["time"]} ' if entry["time"] else ""
    out.write(time_of + entry["text"] + ("" if entry.get("more") else "\n"))


def follow_once(client, position, out):
    """Follows the log until the connection ends; yields the position after each message."""
    where = {"from": position} if position else {"lines": 10}
    yield client.call("logs/follow", **where)["from"]
    while True:
        message = client.read()
        if message.get("method") == "logs/lines":
            for entry in message["params"]["lines"]:
                show(entry, out)
            out.flush()
        elif message.get("method") == "logs/skipped":
            print("svcmgr_client: rotation has removed lines that were not read", file=sys.stderr)
        else:
            continue  # what a later version may send
        yield message["params"]["from"]


def connect(path):
    """Connects, and is answered to hello: a mere connect says nothing."""
    deadline = time.monotonic() + GONE_SECONDS
    while True:
        try:
            client = Client(path)
            return client, client.call("hello")
        except (OSError, Failed):
            if time.monotonic() >= deadline:
                raise
            time.sleep(AGAIN_SECONDS)


def follow(path, out):
    client, hello = connect(path)
    print("hello:", json.dumps(hello), file=out)
    print("status:", json.dumps(client.call("status")), file=out, flush=True)
    position = None
    while True:
        try:
            for position in follow_once(client, position, out):
                pass
        except ConnectionError:
            client.close()
        client, _ = connect(path)


def main(words):
    if not words:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        if len(words) == 1:
            follow(words[0], sys.stdout)
        client, _ = connect(words[0])
        params = dict(word.split("=", 1) for word in words[2:])
        result = client.call(words[1], **{name: json.loads(text) for name, text in params.items()})
        print(json.dumps(result, indent=2))
    except (OSError, Failed) as fault:
        print(f"svcmgr_client: {fault}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
