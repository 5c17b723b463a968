"""End-to-end tests: real supervisors, real processes.

Every test has directories and ports of its own, and leaves no process behind: the fixture fails a
test that does.  Nothing waits by sleeping: wait_until() looks for a condition with a limit.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

import windows
from strangers import OpenSite
from support import BUILD, WINDOWS, Site


def pytest_configure():
    """Whoever runs the tests in the background (nohup, "&" in a script) had these ignored, and so
    would every program that a test starts."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    if WINDOWS:
        windows.make_prefix(BUILD)


def pytest_pycollect_makemodule(module_path):
    if WINDOWS:
        windows.refuse_unnamed(module_path)


def pytest_collection_modifyitems(items):
    if WINDOWS:
        windows.select(items)


# tests/systemd.sh runs these, where systemd is process 1.
collect_ignore = [] if os.environ.get("SVCMGR_TEST_SYSTEMD") else ["systemd"]
# This one wants Windows' own manager.
collect_ignore += [] if WINDOWS else ["winsvc"]


@pytest.fixture
def site(tmp_path_factory, request):
    """A configuration and a state directory, a svcmgr that uses them, and helpers."""
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    left = made.clean_up()
    assert not left, f"processes were left behind: {left}"


@pytest.fixture
def open_site():
    """The same where another user can reach it."""
    directory = Path(tempfile.mkdtemp(prefix="svcmgr-open-"))
    made = OpenSite(directory)
    yield made
    left = made.clean_up()
    shutil.rmtree(directory)
    assert not left, f"processes were left behind: {left}"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate and its key in one file."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost", "-days",
                    "1", "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + (path.parent / "both.pem.crt").read_bytes())
    return path
