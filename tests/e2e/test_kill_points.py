"""SIGKILL at every system call of an operation, in each process that takes part in it.

Whoever dies wherever: the next start ends with exactly one ready instance, and a stop after it
leaves nothing.  A random part is tried, with SVCMGR_TEST_KILL_ALL=1 every call.  How many there
were is in kill-points.txt in the build's folder; SVCMGR_TEST_SEED repeats a choice."""

import collections
import os
import random
import subprocess

import nthcall
import pytest
from nthcall import CHILD, CLI, KEEPER, SUPERVISOR
from support import BUILD, PORTABLE, SANITIZED, processes_with
from test_guard_record import kill_both
from test_guard_storm import SEED, Census

ALL = os.environ.get("SVCMGR_TEST_KILL_ALL") == "1"
SAMPLE = 3 if SANITIZED else 5 if PORTABLE else 30  # points of one process in one operation, when it is not all


def nothing(site):
    """Before a start: nothing runs."""
    del site


def running(site):
    return site.start()


def without_supervisor(site):
    """Keeper and supervisor were killed; the instance lives on."""
    kill_both(site.start())


# What was done before, the command, and whose processes are meant: those that it starts, or those
# that run already.
OPERATIONS = {
    "start": (nothing, "start", (CLI, KEEPER, SUPERVISOR, CHILD)),
    "restart": (running, "restart", (CLI, KEEPER, SUPERVISOR, CHILD)),
    "stop": (running, "stop", (CLI, KEEPER, SUPERVISOR)),
    "upgrade": (running, "upgrade", (CLI, KEEPER, SUPERVISOR)),
    "adopt": (without_supervisor, "start", (CLI, KEEPER, SUPERVISOR)),
}
CASES = [(operation, role) for operation, row in OPERATIONS.items() for role in row[2]]

# Less than any of them ever makes: far fewer points would mean that the wrong process was met.
FEWEST = {CLI: 30, KEEPER: 5, SUPERVISOR: 50, CHILD: 20}


def operate(site, operation, role, *action):
    before, command, _ = OPERATIONS[operation]
    status = before(site)
    return nthcall.run(site, nthcall.target(role, status), action, command, "webui")


def assert_starts_and_stops(site, census, what):
    """Whatever is left of an operation does not stand in the way of the next one."""
    try:
        result = site.svcmgr("start", "webui")
        # It may have joined a start that fails because its instance was killed.
        if result.code == 1 and "before it was ready" in result.err:
            result = site.svcmgr("start", "webui")
        assert result.code == 0, result
        census.assert_one()
        result = site.svcmgr("stop", "webui")
        assert result.code == 0, result
        left = processes_with(str(site.directory))
        assert not left, f"left: {left}"
    except (AssertionError, subprocess.TimeoutExpired) as fault:
        raise AssertionError(f"after {what}: {fault}") from fault
    census.spawned.unlink()


def points(calls):
    """What is tried: the k-th call of a name.  Each name has its turn before one comes again, since
    most calls only look at something."""
    counts = collections.Counter(calls)
    every = [(name, number) for name in counts for number in range(1, counts[name] + 1)]
    if ALL:
        return every
    dice = random.Random(SEED)
    dice.shuffle(every)
    turns = collections.Counter()
    ranked = []
    for name, number in every:
        turns[name] += 1
        ranked.append((turns[name], dice.random(), name, number))
    return [(name, number) for _, _, name, number in sorted(ranked)[:SAMPLE]]


@pytest.mark.parametrize(("operation", "role"), CASES,
                         ids=[f"{operation}-{role}" for operation, role in CASES])
def test_killed_at_any_call(site, operation, role):
    site.without_leak_check()
    census = Census(site, stop={"timeout": "300ms"}, start_timeout="15s")
    calls = operate(site, operation, role, "count").calls
    assert_starts_and_stops(site, census, "nobody was killed")
    assert len(calls) >= FEWEST[role], calls
    chosen = points(calls)
    print("seed", SEED, "points", chosen)
    hit = 0
    for point in chosen:
        outcome = operate(site, operation, role, "kill", *point)
        hit += outcome.acted is not None
        assert_starts_and_stops(site, census, (point, outcome))
    with (BUILD / "kill-points.txt").open("a", encoding="ascii") as report:
        report.write(f"{operation} {role}: killed at {hit} of {len(calls)} calls, seed {SEED}\n")
    assert hit >= len(chosen) // 2, "the processes do something else each time"


def test_the_instance_dies_while_it_is_taken_up(site):
    """At every system call of the supervisor that takes it up: there is one again after that."""
    site.without_leak_check()
    census = Census(site, stop={"timeout": "300ms"}, start_timeout="15s")
    calls = operate(site, "adopt", SUPERVISOR, "count").calls
    assert_starts_and_stops(site, census, "nobody was killed")
    chosen = points(calls)
    print("seed", SEED, "points", chosen)
    hit = 0
    for name, number in chosen:
        former = site.start()
        kill_both(former)
        outcome = nthcall.run(site, nthcall.target(SUPERVISOR),
                              ["slay", name, number, former["pid"]], "start", "webui")
        hit += outcome.acted is not None
        assert_starts_and_stops(site, census, (name, number, outcome))
    assert hit >= len(chosen) // 2, "the processes do something else each time"
