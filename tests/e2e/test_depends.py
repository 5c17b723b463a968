"""depends_on: what a service needs is started, and ready, first."""

import pytest
from instances import add_puppet
from support import MISBEHAVE, wait_until


def add(site, name, *needs, **keys):
    """A service that is ready after a while and notes when."""
    order = site.directory / "order"
    site.add(name, [MISBEHAVE, "append", order, f"{name} spawned", "sleep", "60",
                    "append", order, f"{name} ready", "notify-ready", "sleep-forever"],
             ready="notify", depends_on=list(needs), **keys)


def order_of(site):
    path = site.directory / "order"
    return path.read_text().splitlines() if path.exists() else []


def assert_before(site, first, second):
    order = order_of(site)
    assert order.index(f"{first} ready") < order.index(f"{second} spawned"), order


def states_of(site, *names):
    return [site.status(name)["state"] for name in names]


def test_a_chain_is_started_from_its_end(site):
    add(site, "web", "app")
    add(site, "app", "db")
    add(site, "db")
    site.start("web")
    assert_before(site, "db", "app")
    assert_before(site, "app", "web")
    assert states_of(site, "db", "app", "web") == ["ready"] * 3


def test_a_dependency_of_two_is_started_once(site):
    add(site, "web", "left", "right")
    add(site, "left", "db")
    add(site, "right", "db")
    add(site, "db")
    site.start("web")
    order = order_of(site)
    assert sorted(order) == sorted(f"{name} {what}" for name in ("web", "left", "right", "db")
                                   for what in ("spawned", "ready"))
    for name in ("left", "right"):
        assert_before(site, "db", name)
        assert_before(site, name, "web")


def test_services_that_do_not_need_each_other_start_side_by_side(site):
    one = add_puppet(site, "one", ready="notify")
    two = add_puppet(site, "two", ready="notify")
    add(site, "web", "one", "two")
    starting = site.spawn("start", "web")
    two.pid()  # both run before either is ready
    one.pid()
    two.notify("READY=1")
    one.notify("READY=1")
    assert starting.wait(20) == 0
    assert states_of(site, "web") == ["ready"]


def test_a_dependency_that_runs_already_is_left_alone(site):
    add(site, "web", "db")
    add(site, "db")
    before = site.start("db")
    site.start("web")
    assert site.status("db")["pid"] == before["pid"]
    assert site.status("db")["generation"] == 1


def test_a_dependency_that_is_starting_is_waited_for(site):
    db = add_puppet(site, "db", ready="notify")
    add(site, "web", "db")
    first = site.spawn("start", "db")
    db.pid()
    second = site.spawn("start", "web")
    assert order_of(site) == []
    db.notify("READY=1")
    assert first.wait(20) == 0 and second.wait(20) == 0
    assert states_of(site, "db", "web") == ["ready", "ready"]
    assert site.status("db")["generation"] == 1


def test_names_are_compared_without_case(site):
    add(site, "web", "DB")
    add(site, "db")
    site.start("web")
    assert_before(site, "db", "web")


@pytest.mark.parametrize("command", ["start", "run"])
def test_a_dependency_that_fails_stops_the_start_of_what_needs_it(site, command):
    add(site, "web", "app")
    add(site, "app", "db")
    site.add("db", [MISBEHAVE, "print", "no disk", "exit", "3"])
    result = site.svcmgr(command, "web")
    assert result.code == 1, result
    lines = result.err.splitlines()
    assert "svcmgr: db: not started: exited with code 3 before it was ready" in lines
    assert "svcmgr: app: not started: it depends on db, which is not running" in lines
    assert any(line.startswith("svcmgr: web: not started: ") and "depends on" in line
               for line in lines), lines
    assert order_of(site) == []
    assert states_of(site, "db", "app", "web") == ["stopped"] * 3


def test_others_are_started_all_the_same(site):
    add(site, "web", "db")
    add(site, "other")
    site.add("db", [MISBEHAVE, "exit", "3"])
    result = site.svcmgr("start", "web", "other")
    assert result.code == 1, result
    assert states_of(site, "web", "other") == ["stopped", "ready"]


def test_what_runs_stays_when_a_dependency_beside_it_fails(site):
    add(site, "web", "good", "bad")
    add(site, "good")
    site.add("bad", [MISBEHAVE, "exit", "3"])
    result = site.svcmgr("start", "web")
    assert result.code == 1, result
    assert states_of(site, "good", "bad", "web") == ["ready", "stopped", "stopped"]


def test_start_all_minds_the_order_and_stop_all_stops_all(site):
    add(site, "a", "b")  # the names would sort the other way
    add(site, "b", "c")
    add(site, "c")
    result = site.svcmgr("start", "--all")
    assert result.code == 0, result
    assert_before(site, "c", "b")
    assert_before(site, "b", "a")
    assert states_of(site, *"abc") == ["ready"] * 3
    result = site.svcmgr("stop", "--all")
    assert result.code == 0, result
    assert states_of(site, *"abc") == ["stopped"] * 3


def test_start_all_of_what_runs_changes_nothing(site):
    add(site, "a", "b")
    add(site, "b")
    assert site.svcmgr("start", "--all").code == 0
    before = [site.status(name)["pid"] for name in "ab"]
    assert site.svcmgr("start", "--all").code == 0
    assert [site.status(name)["pid"] for name in "ab"] == before


def test_start_all_with_one_invalid_configuration_starts_the_others(site):
    add(site, "a")
    add(site, "b")
    site.write("broken", "{")
    result = site.svcmgr("start", "--all")
    assert result.code == 6, result
    assert "broken.json:1:" in result.err
    assert states_of(site, "a", "b") == ["ready", "ready"]


def test_stop_leaves_the_dependencies_alone(site):
    add(site, "web", "db")
    add(site, "db")
    site.start("web")
    assert site.svcmgr("stop", "web").code == 0
    assert states_of(site, "web", "db") == ["stopped", "ready"]


def test_restart_leaves_dependencies_that_run_alone_and_starts_the_others(site):
    add(site, "web", "db")
    add(site, "db")
    site.start("web")
    before = site.status("db")["pid"]
    assert site.svcmgr("restart", "web").code == 0
    assert site.status("db")["pid"] == before
    assert site.svcmgr("stop", "db").code == 0
    assert site.svcmgr("restart", "web").code == 0
    assert states_of(site, "web", "db") == ["ready", "ready"]


def test_restart_with_a_failing_dependency_leaves_the_running_one(site):
    add(site, "web", "db")
    add(site, "db")
    before = site.start("web")
    assert site.svcmgr("stop", "db").code == 0
    site.add("db", [MISBEHAVE, "exit", "3"])
    result = site.svcmgr("restart", "web")
    assert result.code == 1, result
    assert "svcmgr: web: not restarted: what it depends on is not running" in result.err
    assert site.status("web")["pid"] == before["pid"]
    assert states_of(site, "db") == ["stopped"]


def test_run_starts_what_it_needs_in_the_background_first(site):
    add(site, "web", "db")
    add(site, "db")
    running = site.spawn("run", "web")
    site.wait_for_state("web", "ready")
    assert_before(site, "db", "web")
    assert site.svcmgr("stop", "web").code == 0
    assert running.wait(20) == 0
    assert states_of(site, "web", "db") == ["stopped", "ready"]


def test_a_crash_of_a_dependency_does_not_touch_what_needs_it(site):
    add(site, "web", "db")
    add(site, "db", restart={"delay": "1ms"})
    before = site.start("web")
    assert site.svcmgr("signal", "db", "KILL").code == 0
    wait_until(lambda: site.status("db")["restarts"] == 1, "a restart of db")
    assert site.status("web")["pid"] == before["pid"]


def test_a_long_chain(site):
    names = [f"s{number:02}" for number in range(20)]
    for at, name in enumerate(names):
        site.add(name, [MISBEHAVE, "sleep-forever"], settle="1ms",
                 depends_on=names[at + 1:at + 2])
    result = site.svcmgr("start", names[0])
    assert result.code == 0, result
    assert set(states_of(site, *names)) == {"ready"}
