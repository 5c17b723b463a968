"""These run under a real systemd only: tests/systemd.sh."""

import pytest
from units import Installed, Units, User


@pytest.fixture
def units():
    made = Units()
    yield made
    made.clean_up()


@pytest.fixture
def installed(site):
    """Services of the site as units of the system; nothing of them is left."""
    made = Installed(site)
    yield made
    made.clean_up()


@pytest.fixture
def user(tmp_path_factory):
    """A user with a manager of their own, which lingering brings up."""
    made = User("anna", tmp_path_factory.mktemp("user"))
    yield made
    left = made.clean_up()
    assert not left, f"processes were left behind: {left}"
