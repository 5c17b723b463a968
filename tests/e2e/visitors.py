"""A stream of new connections to a server, from several sides."""

import contextlib
import threading
from http.client import HTTPConnection, HTTPException

from support import LIMIT

PACE = 0.02  # between two that one side makes and asks nothing on


class Visitors:
    """They come as long as the block lasts."""

    def __init__(self, port, count=4, timeout=20):
        self.port, self.timeout = port, timeout
        self.refused, self.served, self.broken = [], [], []
        self.done = threading.Event()
        self.threads = [threading.Thread(target=self.visit) for _ in range(count)]
        self.change = threading.Condition()
        self.are_quiet = False
        self.asking = self.waiting = 0

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        for thread in self.threads:
            thread.join()

    @contextlib.contextmanager
    def asking_nothing(self):
        """As long as this block lasts, nobody is being answered: who comes asks when it is over."""
        with self.change:
            self.are_quiet = True
            assert self.change.wait_for(lambda: self.asking == 0, LIMIT), "somebody gets no answer"
        try:
            yield
        finally:
            with self.change:
                self.are_quiet = False
                self.change.notify_all()

    def visit(self):
        while not self.done.is_set():
            came = [self.come()]
            while not self.may_ask(len(came)):
                came.append(self.come())
            for connection in came:
                self.ask(connection)
            with self.change:
                self.asking -= 1
                self.change.notify_all()

    def come(self):
        with self.change:
            self.waiting += 1
        connection = HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            connection.connect()
        except ConnectionRefusedError as error:
            self.refused.append(error)
        except OSError as error:
            self.broken.append(error)
        return connection

    def may_ask(self, came):
        with self.change:
            if not self.change.wait_for(lambda: not self.are_quiet, PACE):
                return False
            self.asking += 1
            self.waiting -= came
            return True

    def ask(self, connection):
        with contextlib.closing(connection):
            if connection.sock is None:
                return  # it was refused
            try:
                connection.request("GET", "/health", headers={"Connection": "close"})
                response = connection.getresponse()
                response.read()
                self.served.append(response.status)
            except (OSError, HTTPException) as error:
                self.broken.append(error)  # its server was killed while it answered

    def assert_none_refused(self):
        assert not self.refused
        assert len(self.served) > 3 and set(self.served) == {200}
