"""Trials: anything at any time, from a seed, and a few things that must hold whatever happens.

Commands from several shells, signals to whoever runs, strangers on the port.  Never two instances
at once; no stranger gets a signal; every command ends with a documented code; and when the
strangers have gone a start ends with one ready instance, a stop with none.

SVCMGR_TEST_TRIALS says how many; SVCMGR_TEST_SEED alone repeats the one that it is the seed of."""

import concurrent.futures
import contextlib
import os
import queue
import random
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from support import MISBEHAVE, PORTABLE, SANITIZED, Site, processes_with, wait_until
from test_guard_storm import SEED, Census, let_pass

IS_REPEATED = "SVCMGR_TEST_SEED" in os.environ and "SVCMGR_TEST_TRIALS" not in os.environ
USUAL = 40 if SANITIZED else 80 if PORTABLE else 300
TRIALS = 1 if IS_REPEATED else int(os.environ.get("SVCMGR_TEST_TRIALS", USUAL))
PARTS = 1 if IS_REPEATED else 4
SIDE_BY_SIDE = 3

RUN = (0, 1, 8, 10, 11, -signal.SIGKILL)  # it is the keeper, which the steps kill as well
COMMANDS = {  # the words of each, and what it may end with
    "start": (["start", "webui"], (0, 1, 8, 10, 11)),
    "run": (["run", "webui"], RUN),
    "standby": (["run", "webui", "--duplicate", "standby"], RUN),
    "takeover": (["run", "webui", "--duplicate", "takeover"], RUN),
    "stop": (["stop", "webui"], (0, 1, 8)),
    "stop-one": (["stop", "--keep-standby", "webui"], (0, 1, 8)),
    "restart": (["restart", "webui"], (0, 1, 7, 8, 10, 11)),
    "upgrade": (["upgrade", "webui"], (0, 1, 7, 8)),
}
STAYING = ("run", "standby", "takeover")
SIGNALS = {"kill": signal.SIGKILL, "terminate": signal.SIGTERM, "freeze": signal.SIGSTOP}
WHOM = ("supervisor", "keeper", "instance", "both")
NOTED = ("TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "CONT")


def draw_step(dice):
    """One thing to do, and how long to wait after it: (word, what, seconds)."""
    word = dice.choices(["command", "kill", "terminate", "freeze", "stranger", "leave"],
                        [12, 6, 2, 2, 2, 2])[0]
    what = None
    if word == "command":
        what = dice.choice(["start", "start", "run", "stop", "restart", "restart", "start start",
                            "standby", "standby", "takeover", "stop-one", "upgrade"])
    elif word in SIGNALS:
        what = dice.choice(WHOM)
    elif word == "stranger":
        what = dice.choice(["serve", "silent"])
    return word, what, dice.choice([0, 0, 0, dice.uniform(0, 0.03)])


def draw(seed):
    """A trial: the kind of socket, and bursts of steps."""
    dice = random.Random(seed)
    kind = dice.choice(["inherit", "inherit", "self"])
    bursts = [[draw_step(dice) for _ in range(dice.randint(1, 4))]
              for _ in range(dice.randint(1, 3))]
    return kind, bursts


class StrangerOnPort:
    """Somebody else's server, which notes every signal that it can; it may come too late."""

    def __init__(self, site, port, word, number):
        self.notes = site.directory / f"stranger{number}"
        with self.notes.open("wb") as out:
            self.child = subprocess.Popen(
                [MISBEHAVE, "note", *NOTED, "bind", str(port), word], stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.DEVNULL, start_new_session=True, env={})
        site.children.append(self.child)

    def assert_untouched(self):
        assert self.child.poll() in (None, 3), "a stranger was ended"  # 3: the port was taken
        assert "caught" not in self.notes.read_text(), "a stranger was signalled"

    def leave(self):
        self.assert_untouched()
        self.child.kill()
        self.child.wait(20)


class Trial:
    def __init__(self, site, seed):
        self.site = site
        self.kind, self.bursts = draw(seed)
        self.census = Census(site, self.kind, stop={"timeout": "300ms"}, start_timeout="5s",
                             bind_timeout="300ms", probe_timeout="100ms",
                             restart={"delay": "1ms", "burst": 0})
        self.running = []  # (word, child)
        self.strangers = []
        self.frozen = []  # handles: a number may be another's, and hides its words as it executes

    # -- what is done ---------------------------------------------------------------------------

    def is_ours(self, pid):
        """Not a process that got the number of one that is gone."""
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):
                if bytes(self.site.directory) in Path(f"/proc/{pid}/{name}").read_bytes():
                    return True
        return False

    def pids_of(self, whom):
        supervisor = keeper = instance = None
        with contextlib.suppress(OSError, ValueError, IndexError):
            supervisor = int((self.site.state_of("webui") / "pid").read_text())
            stat = Path(f"/proc/{supervisor}/stat").read_text()
            keeper = int(stat.rsplit(")", 1)[1].split()[1])
        with contextlib.suppress(OSError, ValueError, IndexError):
            instance = self.census.pids()[-1]
        found = {"supervisor": [supervisor], "keeper": [keeper], "instance": [instance],
                 "both": [keeper, supervisor]}[whom]
        return [pid for pid in found if pid and pid > 1 and pid != os.getpid() and
                self.is_ours(pid)]

    def signal(self, word, whom):
        pids = self.pids_of(whom)
        for pid in pids if whom == "both" and word == "kill" else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)  # so that they die as one
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                if word == "freeze":
                    self.frozen.append(os.pidfd_open(pid))
                os.kill(pid, SIGNALS[word])

    def thaw(self):
        for handle in self.frozen:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGCONT)
            os.close(handle)
        self.frozen = []

    def do(self, word, what):
        if word == "command":
            for name in what.split():
                self.running.append((name, self.site.spawn(
                    *COMMANDS[name][0], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)))
        elif word in SIGNALS:
            self.signal(word, what)
        elif word == "stranger":
            self.strangers.append(StrangerOnPort(self.site, self.census.port, what,
                                                 len(self.strangers)))
        elif self.strangers:
            self.strangers.pop().leave()

    # -- what must be true ----------------------------------------------------------------------

    def finish(self, word, child):
        err = child.communicate(timeout=60)[1]
        self.site.children.remove(child)
        assert child.returncode in COMMANDS[word][1], (word, child.returncode, err)
        if child.returncode > 0:
            assert re.match(r"svcmgr: .+: .+\n", err), (word, child.returncode, err)

    def look(self):
        """After each burst."""
        for word, child in self.running:
            if word not in STAYING:
                self.finish(word, child)
        self.running = [one for one in self.running if one[0] in STAYING]
        assert not self.census.doubled.exists(), "two instances ran at once"
        for stranger in self.strangers:
            stranger.assert_untouched()

    def is_all_stopped(self):
        """Whoever is between two tries to get in line goes on after a stop, and is stopped then."""
        assert self.site.svcmgr("stop", "webui").code in COMMANDS["stop"][1]
        return all(child.poll() is not None for _, child in self.running)

    def run(self):
        for burst in self.bursts:
            for word, what, seconds in burst:
                self.do(word, what)
                let_pass(seconds)
            self.thaw()
            self.look()
        while self.strangers:
            self.strangers.pop().leave()
        wait_until(self.is_all_stopped, "the end of all that stay")
        for word, child in self.running:
            self.finish(word, child)
        result = self.start()
        assert result.code == 0, result
        self.census.assert_one()
        result = self.site.svcmgr("stop", "webui")
        assert result.code == 0, result
        wait_until(lambda: not processes_with(str(self.site.directory)), "the end of all")
        assert not self.census.doubled.exists(), "two instances ran at once"

    def start(self):
        """A start may join one that fails since its instance was hit, or that was told to stop."""
        result = self.site.svcmgr("start", "webui")
        if result.code == 1 and re.search("before it was ready|asked to stop", result.err):
            result = self.site.svcmgr("start", "webui")
        return result


def run_trial(directory, seed):
    directory.mkdir()
    site = Site(directory)
    site.without_leak_check()
    trial = Trial(site, seed)
    try:
        trial.run()
    except BaseException as fault:
        events = "(none)"
        with contextlib.suppress(OSError):
            events = (site.state_of("webui") / "events").read_text()
        raise AssertionError(f"SVCMGR_TEST_SEED={seed}: {trial.kind}\n" +
                             "\n".join(map(str, trial.bursts)) +
                             f"\n{fault}\nevents:\n{events}") from fault
    finally:
        trial.thaw()
        for pid in site.clean_up():
            print("had to be killed:", pid)
    shutil.rmtree(directory)


@pytest.mark.parametrize("part", range(PARTS))
def test_anything_at_any_time(tmp_path, part):
    seeds = [SEED + number for number in range(part, TRIALS, PARTS)]
    print("seeds", seeds[0], "to", seeds[-1])
    work = queue.SimpleQueue()
    for seed in seeds:
        work.put(seed)
    done = []

    def side():
        with contextlib.suppress(queue.Empty):
            while True:
                seed = work.get_nowait()
                run_trial(tmp_path / f"trial-{seed:020}", seed)
                done.append(seed)

    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        sides = [pool.submit(side) for _ in range(SIDE_BY_SIDE)]
        for one in concurrent.futures.as_completed(sides):
            if one.exception() is not None:
                with contextlib.suppress(queue.Empty):
                    while True:
                        work.get_nowait()
            one.result()
    assert sorted(done) == seeds
