"""A stream of new connections to a server, from several sides."""

import threading
from http.client import HTTPException

from support import get


class Visitors:
    """They come as long as the block lasts."""

    def __init__(self, port, count=4):
        self.port = port
        self.refused, self.served, self.broken = [], [], []
        self.done = threading.Event()
        self.threads = [threading.Thread(target=self.visit) for _ in range(count)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        for thread in self.threads:
            thread.join()

    def visit(self):
        while not self.done.is_set():
            try:
                self.served.append(get(self.port, timeout=20)[0])
            except ConnectionRefusedError as error:
                self.refused.append(error)
            except (OSError, HTTPException) as error:
                self.broken.append(error)  # its server was killed while it answered

    def assert_none_refused(self):
        assert not self.refused
        assert len(self.served) > 3 and set(self.served) == {200}
