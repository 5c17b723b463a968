"""End-to-end tests: real supervisors, real processes.

Every test has directories and ports of its own, and leaves no process behind: the fixture fails a
test that does.  Nothing waits by sleeping: wait_until() looks for a condition with a limit.
"""

import pytest

from support import Site


@pytest.fixture
def site(tmp_path_factory, request):
    """A configuration and a state directory, a svcmgr that uses them, and helpers."""
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    left = made.clean_up()
    assert not left, f"processes were left behind: {left}"
