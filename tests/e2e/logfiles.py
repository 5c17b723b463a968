"""Looking at the files of a log."""

import contextlib
import re

from support import MISBEHAVE, wait_until

STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z ")


def log_files(site, name="web"):
    """All files of the log, oldest first."""
    directory = site.state_of(name) / "log"
    return [*sorted(directory.glob("@*")), directory / "current"]


def whole_log(site, name="web"):
    """Everything that is in the log, as it is in the files."""
    pieces = []
    for path in log_files(site, name):
        with contextlib.suppress(FileNotFoundError):  # rotated away since they were listed
            pieces.append(path.read_bytes())
    return b"".join(pieces)


def texts(raw):
    """The lines without their stamps; every line has one."""
    lines = raw.splitlines()
    assert all(STAMP.match(line) for line in lines), [line for line in lines
                                                      if not STAMP.match(line)][:3]
    return [STAMP.sub(b"", line, count=1) for line in lines]


def wait_for_text(site, text, name="web"):
    text = text if isinstance(text, bytes) else text.encode()
    wait_until(lambda: text in whole_log(site, name), f"{text[:40]!r} in the log")


def numbers(lines):
    return [int(line.split()[1]) for line in lines]


def add_job(site, *words, name="web", **keys):
    keys.setdefault("settle", "10ms")
    keys.setdefault("stop", {"timeout": "300ms"})
    site.add(name, [MISBEHAVE, *words, "sleep-forever"], **keys)
