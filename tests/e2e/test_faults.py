"""System calls that fail once, in each process that takes part in a start, restart or stop.

Whatever fails: the command succeeds or says why in one line, and the next start ends with exactly
one ready instance.  A part is tried (of some calls all), the same each time; another
SVCMGR_TEST_SEED draws another one.  With SVCMGR_TEST_KILL_ALL=1 it is every call that can fail in
such a way."""

import os
import random
import re

import pytest
from nthcall import CLI, KEEPER
from support import BUILD, PORTABLE, SANITIZED
from test_guard_storm import Census
from test_kill_points import ALL, CASES, assert_starts_and_stops, operate

SEED = int(os.environ.get("SVCMGR_TEST_SEED", "1"))
SAMPLE = 3 if SANITIZED else 4 if PORTABLE else 24  # faults of one process in one operation, when it is not all

# What each call may fail with.  Neither read() nor write() is there: they serve pipes and /proc
# here, where they have no reason to fail.
NO_FILE = ("EMFILE", "ENOMEM")
NO_SPACE = ("ENOSPC", "EIO", "EINTR")
CAN = {
    "openat": (*NO_FILE, "ENOSPC", "EINTR"), "open": (*NO_FILE, "ENOSPC", "EINTR"),
    "recvmsg": ("EINTR", "ENOMEM"), "recvfrom": ("EINTR", "ENOMEM"),
    "sendmsg": ("EINTR", "ENOBUFS", "ENOMEM"), "sendto": ("EINTR", "ENOBUFS", "ENOMEM"),
    "writev": NO_SPACE, "pwrite64": NO_SPACE, "ftruncate": NO_SPACE, "fallocate": NO_SPACE,
    "mkdir": ("ENOSPC", "ENOMEM"), "rename": ("ENOSPC", "EACCES"),
    "renameat": ("ENOSPC", "EACCES"), "renameat2": ("ENOSPC", "EACCES"),
    "unlink": ("EACCES", "ENOMEM"), "unlinkat": ("EACCES", "ENOMEM"),
    "clone": ("EAGAIN", "ENOMEM"), "fork": ("EAGAIN", "ENOMEM"), "vfork": ("EAGAIN", "ENOMEM"),
    "execve": ("ENOMEM", "EACCES"), "execveat": ("ENOMEM", "EACCES"),
    "socket": (*NO_FILE, "ENOBUFS"), "socketpair": NO_FILE, "accept": (*NO_FILE, "EINTR"),
    "accept4": (*NO_FILE, "EINTR"), "pipe": NO_FILE, "pipe2": NO_FILE, "dup": NO_FILE,
    "dup2": ("EINTR",), "dup3": ("EINTR",), "epoll_create1": NO_FILE, "pidfd_open": NO_FILE,
    "pidfd_getfd": NO_FILE, "memfd_create": NO_FILE, "inotify_init1": NO_FILE, "fcntl": NO_FILE,
    "bind": ("EACCES", "ENOMEM"), "listen": ("EADDRINUSE",), "connect": ("ECONNREFUSED", "EINTR"),
    "flock": ("ENOLCK", "EINTR"), "poll": ("EINTR", "ENOMEM"), "ppoll": ("EINTR", "ENOMEM"),
    "epoll_wait": ("EINTR",), "epoll_pwait": ("EINTR",), "wait4": ("EINTR",), "waitid": ("EINTR",),
    "nanosleep": ("EINTR",), "clock_nanosleep": ("EINTR",), "getrandom": ("EINTR",),
    "chdir": ("EACCES", "ENOMEM"), "stat": ("ENOMEM",), "lstat": ("ENOMEM",),
    "newfstatat": ("ENOMEM",), "statx": ("ENOMEM",), "readlink": ("ENOMEM",),
    "readlinkat": ("ENOMEM",), "getdents64": ("ENOMEM",), "mmap": ("ENOMEM",), "brk": ("ENOMEM",),
}

if SANITIZED:  # it ends a program whose memory it cannot have
    CAN = {call: errors for call, errors in CAN.items() if call not in ("mmap", "brk")}

CODES = {0, 1, 4, 6, 7, 8, 10, 11}  # documented ends of start, restart, stop and upgrade
BEFORE_MAIN = {127, 139}  # how the C library ends a program that it cannot load


# Never left to chance, each once: what a command cannot allocate, what a keeper does not pass on.
ALWAYS = {CLI: ("mmap", "brk"), KEEPER: ("fcntl",)}


def faults(role, calls):
    """(call, number, error): those of rare calls first, since most only look at something."""
    counted = {}
    every = []
    for name in calls:
        counted[name] = counted.get(name, 0) + 1
        every += [(name, counted[name], error) for error in CAN.get(name, ())]
    if ALL:
        return every
    dice = random.Random(SEED)
    dice.shuffle(every)
    turns = {}
    ranked = []
    for fault in every:
        turns[fault[0]] = turns.get(fault[0], 0) + 1
        ranked.append((turns[fault[0]], dice.random(), fault))
    sample = [fault for _, _, fault in sorted(ranked)[:SAMPLE]]
    always = [fault for fault in every
              if fault[0] in ALWAYS.get(role, ()) and fault[2] == CAN[fault[0]][0]]
    return sample + sorted(set(always) - set(sample))


@pytest.mark.parametrize(("operation", "role"), CASES,
                         ids=[f"{operation}-{role}" for operation, role in CASES])
def test_a_call_fails(site, operation, role):
    site.without_leak_check()
    census = Census(site, stop={"timeout": "300ms"}, start_timeout="15s")
    chosen = faults(role, operate(site, operation, role, "count").calls)
    assert_starts_and_stops(site, census, "nothing failed")
    print("seed", SEED, "faults", chosen)
    hit = 0
    for fault in chosen:
        outcome = operate(site, operation, role, "fail", *fault)
        hit += outcome.acted is not None
        if role != CLI or outcome.code not in BEFORE_MAIN:
            assert outcome.code in CODES, (fault, outcome)
            assert outcome.code == 0 or re.search(r"^svcmgr: .+\n\Z", outcome.err, re.M), (fault, outcome)
        assert_starts_and_stops(site, census, (fault, outcome))
    with (BUILD / "kill-points.txt").open("a", encoding="ascii") as report:
        report.write(f"{operation} {role}: {hit} faults, seed {SEED}\n")
    assert hit >= len(chosen) // 2, "the processes do something else each time"
