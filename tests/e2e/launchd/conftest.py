"""These run where svcmgr takes launchd's stand-in for launchd: in the portable build."""

import pytest
from stand_in import StandIn
from support import PORTABLE


def pytest_collection_modifyitems(items):
    skip = pytest.mark.skip(reason="launchd's stand-in is for the portable build")
    for item in items:
        if not PORTABLE and item.path.parent.name == "launchd":
            item.add_marker(skip)


@pytest.fixture
def launchd(site):
    """launchd, as far as jobs of the site are concerned."""
    made = StandIn(site)
    yield made
    made.end_all()
