"""Many commands at once, and SIGKILL at any moment: exactly one instance, every time.

SVCMGR_TEST_ROUNDS and SVCMGR_TEST_TRIALS make the storms longer; SVCMGR_TEST_SEED repeats one."""

import contextlib
import http.client
import os
import random
import signal
import subprocess
import tempfile
import time

import pytest
from instances import add_puppet
from support import (LIMIT, MISBEHAVE, WINDOWS, alive, ask_windows, free_port, get,
                     processes_with, wait_until)

# Wine needs its time for each process.
ROUNDS = int(os.environ.get("SVCMGR_TEST_ROUNDS", "1" if WINDOWS else "3"))
TRIALS = int(os.environ.get("SVCMGR_TEST_TRIALS", "60"))
SEED = int(os.environ.get("SVCMGR_TEST_SEED", random.randrange(1 << 32)))
CALLERS = 8 if WINDOWS else 100
SERVES = {"inherit": "serve", "self": "bind env serve"}


class Census:
    """A service whose program notes its pid, and notes as well when it is not the only one."""

    def __init__(self, site, socket="inherit", **keys):
        self.site = site
        self.port = free_port()
        self.spawned = site.directory / "spawned"
        self.doubled = site.directory / "doubled"
        lock = site.directory / "only-one"
        keys.setdefault("listen", {"address": f"127.0.0.1:{self.port}", "socket": socket})
        keys.setdefault("health", {"http": "/health"})
        site.add("webui", [MISBEHAVE, "alone", lock, self.doubled, "own-pid", self.spawned,
                           *SERVES[socket].split()], **keys)

    def pids(self):
        return [int(pid) for pid in self.spawned.read_text().split()]

    def assert_one(self):
        """One ready instance under one keeper and one supervisor, and nothing else of this site."""
        wait_until(self.is_one, "one ready instance and nothing else")
        assert not self.doubled.exists(), "two instances ran at once"

    def is_one(self):
        status = self.site.status()
        served = {status["pid"], status["supervisor_pid"], status["keeper_pid"]} - {None}
        return (status["state"] == "ready" and
                self.is_the_last(status["pid"]) and
                self.there_are(served) and self.serves())

    def is_the_last(self, pid):
        """Wine soon gives the pids of those that have ended to others; there_are() counts who lives."""
        return pid in self.pids() if WINDOWS else alive(self.pids()) == [pid]

    def serves(self):
        """One that was killed just now may still be there, and does not answer any more."""
        try:
            return get(self.port)[0] == 200
        except (ConnectionError, http.client.HTTPException):
            return False

    def there_are(self, served):
        found = set(processes_with(str(self.site.directory)))
        # Wine's processes have other numbers for the system below.
        return len(found) == len(served) if WINDOWS else found == served


def run_all(site, commands):
    """Starts all of them at once; what each said and ended with, in the same order."""
    children, results = [], []
    for command in commands:
        # Files: under Wine a pipe would stay with what goes on in the background.
        out, err = (tempfile.TemporaryFile("w+") for _ in range(2))
        children.append((site.spawn(*command, stdout=out, stderr=err), out, err))
    for child, *said in children:
        child.wait(timeout=120)
        for file in said:
            file.seek(0)
        results.append((child.returncode, *(file.read() for file in said)))
        for file in said:
            file.close()
        site.children.remove(child)
    return results


def test_more_starts_wait_than_a_supervisor_has_room_for(site):
    puppet = add_puppet(site, ready="notify", start_timeout="1m")
    starts = [site.spawn("start", "web", stdout=subprocess.DEVNULL) for _ in range(80)]
    wait_until(lambda: len(descriptors_of(site)) > 64, "as many connections as there is room for")
    puppet.notify("READY=1")
    assert [child.wait(LIMIT) for child in starts] == [0] * len(starts)


def descriptors_of(site):
    try:
        return os.listdir(f"/proc/{int((site.state_of('web') / 'pid').read_text())}/fd")
    except (OSError, ValueError):
        return []


def test_a_hundred_starts_at_once(site):
    census = Census(site)
    for number in range(ROUNDS):
        results = run_all(site, [["start", "webui"]] * CALLERS)
        pid = site.status()["pid"]
        for code, out, err in results:
            assert code == 0, (out, err)
            assert f"pid {pid}," in out, (pid, out)
            assert err == ""
        assert len(census.pids()) == number + 1
        census.assert_one()
        assert site.svcmgr("stop", "webui").code == 0


def test_starts_and_runs_at_once(site):
    census = Census(site)
    for number in range(ROUNDS):
        runs = [site.spawn("run", "webui", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                for _ in range(3 if WINDOWS else 8)]
        results = run_all(site, [["start", "webui"]] * (6 if WINDOWS else 24))
        pid = site.wait_for_state("webui", "ready")["pid"]
        assert all(code == 0 and f"pid {pid}," in out for code, out, _ in results), results
        losers = wait_until(lambda: at_most_one_left(runs), "the end of all runs but one")
        for child in losers:
            said = child.stderr.read()
            assert child.returncode == 10, said
            assert "already" in said, said
        assert len(census.pids()) == number + 1
        assert site.svcmgr("stop", "webui").code == 0
        for child in runs:
            assert child.wait(20) in (0, 10)


def at_most_one_left(runs):
    """Those that have ended, as soon as at most one has not."""
    ended = [child for child in runs if child.poll() is not None]
    return ended if len(ended) >= len(runs) - 1 else None


@pytest.mark.parametrize("socket_kind", ["inherit", "self"])
def test_starts_stops_and_restarts_at_once(site, socket_kind):
    census = Census(site, socket_kind)
    print("seed", SEED)
    dice = random.Random(SEED)
    for _ in range(ROUNDS):
        words = [dice.choice(["start", "stop", "restart", "status", "start", "restart"])
                 for _ in range(8 if WINDOWS else 30)]
        for word, (code, out, err) in zip(words, run_all(site, [[word, "webui"] for word in words]),
                                          strict=True):
            allowed = {"start": (0, 1), "restart": (0, 1), "stop": (0,), "status": (0, 3)}[word]
            assert code in allowed, (word, code, out, err)
            if code == 1:
                assert "asked to stop meanwhile" in err, (word, err)
        assert site.svcmgr("start", "webui").code == 0
        census.assert_one()
        assert site.svcmgr("stop", "webui").code == 0
        assert not processes_with(str(site.directory))


def test_services_side_by_side_do_not_mind_each_other(site):
    names = [f"web{number}" for number in range(3 if WINDOWS else 12)]
    ports = {}
    for name in names:
        ports[name] = free_port()
        site.add(name, [MISBEHAVE, "serve"], health={"http": "/health"},
                 listen={"address": f"127.0.0.1:{ports[name]}", "socket": "inherit"})
    results = run_all(site, [["start", name] for name in names * 4])
    assert all(code == 0 for code, _, _ in results), results
    assert len({site.status(name)["pid"] for name in names}) == len(names)
    for name in names:
        assert f'"name":"{name}"' in get(ports[name])[1].decode()


# ---- SIGKILL at random moments --------------------------------------------------------------------


def kill(pids):
    """Those of svcmgr's processes that are there still."""
    for pid in pids:
        if WINDOWS:
            ask_windows("kill", pid)
            continue
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def let_pass(seconds):
    """The moment of the kill is what these tests vary: there is no condition to wait for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.0002)


@pytest.mark.parametrize("socket_kind", ["inherit", "self"])
def test_killed_at_any_moment_of_a_start(site, socket_kind):
    """Whoever of them dies when: the next start ends with exactly one instance."""
    site.without_leak_check()
    census = Census(site, socket_kind, stop={"timeout": "200ms"}, start_timeout="15s",
                    restart={"delay": "1ms", "burst": 0})
    print("seed", SEED)
    dice = random.Random(SEED)
    usual = site.svcmgr("start", "webui").seconds
    assert site.svcmgr("stop", "webui").code == 0
    for trial in range(TRIALS // 2):
        child = site.spawn("start", "webui", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        let_pass(dice.uniform(0, usual * 1.5))
        victims = processes_with(str(site.directory))
        if dice.random() < 0.5:
            victims = [pid for pid in victims if dice.random() < 0.6]
        kill(victims)
        # An instance that was hit a moment ago may still count as ready, and is restarted then; or as
        # starting: then this start joins one that fails, and the next one is the first after the kill.
        result = site.svcmgr("start", "webui")
        if result.code == 1 and "before it was ready" in result.err:
            result = site.svcmgr("start", "webui")
        assert result.code == 0, (trial, result)
        child.wait(60)
        site.children.remove(child)
        census.assert_one()
        assert site.svcmgr("stop", "webui").code == 0
        assert not processes_with(str(site.directory)), trial
