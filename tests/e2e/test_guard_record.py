"""What the record of the last run leads to: taken up, cleared, refused, or ignored."""

import contextlib
import json
import os
import signal
import socket
import time

import pytest
from strangers import Stranger, add_marked, answers, start_time
from support import (FOUND_BY, LIMIT, LONG, MISBEHAVE, PORTABLE, STOPPED, WINDOWS, alive, end_process,
                     free_port, get, pid_is_alive, processes_with, wait_until)

SUPERVISED = ("keeper_pid", "supervisor_pid")


def kill_both(status):
    """Keeper and supervisor die as one: neither can bring the other back.  On Windows there is no
    keeper, and the instance ends with its supervisor."""
    if WINDOWS:
        end_process(status["supervisor_pid"])
        wait_until(lambda: not alive([status["supervisor_pid"], status["pid"]]))
        return
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for key in SUPERVISED:
            os.kill(status[key], number)
    wait_until(lambda: not any(pid_is_alive(status[key]) for key in SUPERVISED))


def give_up(command):
    """Ends a command that waits: it would connect again and ask the next supervisor too."""
    command.kill()
    command.wait()


def record_of(site, name="webui"):
    return site.state_of(name) / "record"


def read_record(site, name="webui"):
    """What was recorded last: of the texts in the file's slots the one with the highest number."""
    newest, best = -1, None
    number = 0  # of plain text
    for line in record_of(site, name).read_bytes().replace(b"\0", b"").splitlines():
        if line.startswith(b"svcmgr-record "):
            number = int(line.split()[1], 16)
        elif number > newest:
            newest, best = number, line
    return json.loads(best)


@contextlib.contextmanager
def edited(site, name="webui"):
    """The record as a document that is written back, as plain text."""
    document = read_record(site, name)
    yield document
    record_of(site, name).write_text(json.dumps(document) + "\n")


def add_and_start(site, **keys):
    port = free_port()
    add_marked(site, port=port, **keys)
    return port, site.start()


def end(pid):
    if pid_is_alive(pid):
        end_process(pid)
    wait_until(lambda: not pid_is_alive(pid))


# ---- Taken up -----------------------------------------------------------------------------------


def test_start_takes_up_what_lives(site):
    port, before = add_and_start(site)
    kill_both(before)
    result = site.svcmgr("start", "webui")
    assert result.code == 0, result
    after = site.status()
    assert after["adopted"] is True and after["state"] == "ready"
    for key in ("pid", "generation", "started_at", "restarts"):
        assert after[key] == before[key]
    assert after["supervisor_pid"] not in (None, before["supervisor_pid"])
    assert after["keeper_pid"] not in (None, before["keeper_pid"])
    assert get(port)[0] == 200
    assert site.svcmgr("stop", "webui").code == 0
    assert not pid_is_alive(before["pid"])


def test_run_takes_it_up_too(site):
    _, before = add_and_start(site)
    kill_both(before)
    child = site.spawn("run", "webui")
    after = site.wait_for_state("webui", "ready")
    assert after["pid"] == before["pid"] and after["adopted"] is True
    child.terminate()
    assert child.wait(20) == 0
    assert not pid_is_alive(before["pid"])


def test_taken_up_twice(site):
    _, before = add_and_start(site)
    for _ in range(2):
        kill_both(site.status())
        assert site.start()["pid"] == before["pid"]


@pytest.mark.skipif(PORTABLE, reason="needs a socket taken back out of a process")
def test_what_was_taken_up_is_restarted_without_a_refused_connection(site):
    port, before = add_and_start(site)
    kill_both(before)
    after = site.start()
    assert after["listen"][0]["held"] is True
    with socket.create_connection(("127.0.0.1", port)):
        assert site.svcmgr("restart", "webui").code == 0
        assert get(port)[0] == 200
    assert site.status()["generation"] == before["generation"] + 1
    assert not pid_is_alive(before["pid"])


def test_the_end_of_what_was_taken_up_is_noticed(site):
    port, before = add_and_start(site, restart={"delay": "1ms", "burst": 0})
    kill_both(before)
    site.start()
    os.kill(before["pid"], signal.SIGKILL)
    wait_until(lambda: site.status()["restarts"] == 1 and site.status()["state"] == "ready")
    assert site.status()["pid"] != before["pid"] and get(port)[0] == 200


def test_stop_without_a_start_ends_it(site):
    port, before = add_and_start(site, words=["fork-tree", 1, 2, "serve"],
                                 stop={"timeout": "300ms"})
    kill_both(before)
    result = site.svcmgr("stop", "webui")
    assert result.code == 0, result
    assert not pid_is_alive(before["pid"])
    assert not processes_with(str(site.directory))
    with pytest.raises(ConnectionRefusedError):
        get(port)


def test_a_stop_that_was_under_way_is_finished_before_the_start(site):
    port, before = add_and_start(site, words=["ignore", "TERM", "serve"], stop={"timeout": "1s"})
    stopping = site.spawn("stop", "webui")
    site.wait_for_state("webui", "stopping")
    give_up(stopping)
    kill_both(before)
    assert pid_is_alive(before["pid"])
    result = site.svcmgr("start", "webui")
    assert result.code == 0, result
    after = site.status()
    assert not pid_is_alive(before["pid"]) and after["pid"] != before["pid"]
    assert get(port)[0] == 200


def test_of_two_generations_the_older_is_taken_up(site):
    port = free_port()
    listen = {"address": f"127.0.0.1:{port}", "socket": "inherit"}
    site.add("webui", [MISBEHAVE, "notify-ready", "serve"], listen=listen, ready="notify")
    before = site.start()
    assert before["listen"][0]["held"]
    site.add("webui", [MISBEHAVE, "fork-tree", 1, 1, "sleep-forever"], listen=listen,
             ready="notify", stop={"timeout": "200ms"})
    restarting = site.spawn("restart", "webui")
    newer = wait_until(lambda: read_record(site)["generations"][1]["process"]["pid"])
    site.wait_for_state("webui", "replacing")
    give_up(restarting)
    kill_both(site.status())
    assert pid_is_alive(before["pid"]) and pid_is_alive(newer)
    result = site.svcmgr("start", "webui")
    assert result.code == 0, result
    assert site.status()["pid"] == before["pid"] and answers(port) == 200
    wait_until(lambda: not pid_is_alive(newer), "the end of the newer one")


# ---- Unreadable ---------------------------------------------------------------------------------


def with_pid(document, pid):
    document["generations"][0]["process"]["pid"] = pid
    return json.dumps(document).encode()


BROKEN = {
    "empty": lambda raw, document: b"",
    "garbage": lambda raw, document: b"\x01\x02garbage\n" * 20,
    "half of it": lambda raw, document: raw[:100],
    "torn": lambda raw, document: raw.replace(b'"name"', b'"nome"'),
    "plain and cut": lambda raw, document: json.dumps(document).encode()[:500],
    "another document": lambda raw, document: b"{}\n",
    "a list": lambda raw, document: b"[1, 2, 3]\n",
    "of a newer version": lambda raw, document: json.dumps(document | {"record": 99}).encode(),
    "4 MiB": lambda raw, document: raw + b" " * (4 << 20),
    "4 MiB of garbage": lambda raw, document: b"\xa5" * (4 << 20),
    "deeply nested": lambda raw, document: b"[" * 10000,
    "negative pid": lambda raw, document: with_pid(document, -1),
    "pid 1": lambda raw, document: with_pid(document, 1),
}


@pytest.mark.parametrize("how", BROKEN.values(), ids=BROKEN.keys())
def test_an_unusable_record_of_a_dead_run_is_no_obstacle(site, how):
    port, before = add_and_start(site)
    kill_both(before)
    end(before["pid"])
    record_of(site).write_bytes(how(record_of(site).read_bytes(), read_record(site)))
    after = site.start()
    assert after["pid"] != before["pid"] and after["adopted"] is False
    assert get(port)[0] == 200
    kill_both(after)  # and what is recorded from then on counts again
    again = site.start()
    assert WINDOWS or again["pid"] == after["pid"]


@pytest.mark.parametrize("how", ["garbage", "of a newer version"])
def test_an_unusable_record_of_a_live_run_never_doubles_it(site, how):
    """What cannot be proved to be ours is somebody else's: named, and left alone."""
    port, before = add_and_start(site)
    good = record_of(site).read_bytes()
    kill_both(before)
    record_of(site).write_bytes(BROKEN[how](good, read_record(site)))
    result = site.svcmgr("start", "webui")
    assert result.code == 10, result
    assert f"pid {before['pid']}" in result.err
    assert pid_is_alive(before["pid"]) and get(port)[0] == 200
    record_of(site).write_bytes(good)
    assert site.start()["pid"] == before["pid"]


def test_a_record_that_is_a_fifo_is_not_waited_for(site):
    port, before = add_and_start(site)
    assert site.svcmgr("stop", "webui").code == 0
    record_of(site).unlink()
    os.mkfifo(record_of(site))
    assert site.start()["pid"] != before["pid"] and get(port)[0] == 200


# ---- Somebody else's process --------------------------------------------------------------------


def make_note_taker(site):
    """A stranger that would write down any signal that can be caught."""
    notes, own_pid = site.directory / "notes", site.directory / "note-taker"
    signals = ["TERM", "HUP", "INT", "USR1", "QUIT"] + ([] if WINDOWS else ["CONT"])
    with open(notes, "wb") as output:
        stranger = Stranger(site.stranger(MISBEHAVE, "own-pid", site.native(own_pid), "note", *signals,
                                          "print", "noting", "sleep-forever", stdout=output))
    wait_until(lambda: notes.read_text() == "noting\n")
    if WINDOWS:
        stranger.windows_pid = int(own_pid.read_text())
    return stranger, notes


def recorded_start_time(site):
    with edited(site) as document:
        return int(document["generations"][0]["process"]["start_time"])


def clock_ticks():
    """The clock that start times are taken from, in their unit."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


@pytest.mark.parametrize("what", ["start_time", "boot_id"])
@pytest.mark.parametrize("command", ["start", "stop"])
def test_a_pid_that_somebody_else_has_now(site, what, command):
    port, before = add_and_start(site)
    kill_both(before)
    end(before["pid"])
    began = recorded_start_time(site)
    # Windows counts in units of 100 ns.
    wait_until(lambda: WINDOWS or clock_ticks() > began, "a tick in which the stranger can begin")
    stranger, notes = make_note_taker(site)
    with edited(site) as document:
        process = document["generations"][0]["process"]
        process["pid"] = stranger.known_pid
        if what == "boot_id":
            process["start_time"] = start_time(stranger.pid)
            process["boot_id"] = "00000000-0000-0000-0000-000000000000"
    assert site.svcmgr(command, "webui").code == 0
    if command == "start":
        after = site.status()
        assert after["adopted"] is False and after["pid"] not in (before["pid"], stranger.known_pid)
        assert get(port)[0] == 200
        assert site.svcmgr("stop", "webui").code == 0
    assert stranger.is_untouched() and notes.read_text() == "noting\n"


def test_a_zombie_is_dead(site):
    port, before = add_and_start(site)
    kill_both(before)
    end(before["pid"])
    zombie = site.stranger("/bin/true")
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    with edited(site) as document:
        process = document["generations"][0]["process"]
        process["pid"], process["start_time"] = zombie.pid, start_time(zombie.pid)
    after = site.start()
    assert after["adopted"] is False and get(port)[0] == 200


def test_another_pid_namespace_is_refused(site):
    """There nothing can be proved and nothing be signalled from here."""
    port, before = add_and_start(site)
    kill_both(before)
    with edited(site) as document:
        own = document["generations"][0]["process"]["pid_namespace"]
        document["generations"][0]["process"]["pid_namespace"] = own + 1
    for command in ("start", "run", "stop"):
        result = site.svcmgr(command, "webui")
        assert result.code == 10, (command, result)
        assert "another pid namespace" in result.err and str(before["pid"]) in result.err
    assert pid_is_alive(before["pid"]) and get(port)[0] == 200
    with edited(site) as document:
        document["generations"][0]["process"]["pid_namespace"] = own
    assert site.start()["pid"] == before["pid"]


# ---- Leftovers ----------------------------------------------------------------------------------


def test_what_a_dead_main_process_left_is_stopped_and_named(site):
    pids = site.directory / "pids"
    port, before = add_and_start(site, words=["pids", pids, "fork-tree", 1, 2, "serve"],
                                 stop={"timeout": "300ms"})
    children = [int(pid) for pid in pids.read_text().split()]
    assert len(children) == 2
    kill_both(before)
    end(before["pid"])
    assert all(pid_is_alive(pid) for pid in children)
    bystander, notes = make_note_taker(site)
    result = site.svcmgr("start", "webui")
    assert result.code == 0, result
    after = site.status()
    assert after["adopted"] is False and get(port)[0] == 200
    assert not any(pid_is_alive(pid) for pid in children)
    told = next(entry["cause"] for entry in site.events() if entry["event"] == "leftovers")
    assert all(f"pid {pid}" in told for pid in children) and "misbehave" in told
    assert bystander.is_untouched() and notes.read_text() == "noting\n"


def test_leftovers_are_asked_politely_first(site):
    port = free_port()
    pids = site.directory / "pids"
    program = f"sleep 1000 & echo $! > {pids}; exec {MISBEHAVE} serve"
    site.add("webui", ["/bin/sh", "-c", program], health={"http": "/health"},
             listen={"address": f"127.0.0.1:{port}", "socket": "inherit"}, stop={"timeout": LONG})
    before = site.start()
    child = int(pids.read_text())
    kill_both(before)
    end(before["pid"])
    assert pid_is_alive(child)
    result = site.svcmgr("start", "webui")
    assert result.code == 0 and result.seconds < LIMIT, result
    assert not pid_is_alive(child) and get(port)[0] == 200


def test_stop_says_how_it_found_what_the_last_run_had_left(site):
    """Nobody was there to know of every descendant."""
    _, before = add_and_start(site)
    kill_both(before)
    result = site.svcmgr("stop", "webui")
    assert result.out == f"webui: stopped what the last run had left{FOUND_BY}\n", result
    assert not pid_is_alive(before["pid"])
    site.start()
    assert site.svcmgr("stop", "webui").out == f"webui: {STOPPED}\n"


@pytest.mark.parametrize("how", [["--now"], []])
def test_stop_clears_leftovers_too(site, how):
    pids = site.directory / "pids"
    _, before = add_and_start(site, words=["pids", pids, "fork-tree", 2, 2, "serve"],
                              stop={"timeout": LONG if how else "300ms"})
    children = [int(pid) for pid in pids.read_text().split()]
    kill_both(before)
    end(before["pid"])
    result = site.svcmgr("stop", "webui", *how)
    assert result.code == 0 and result.seconds < LIMIT, result
    assert not any(pid_is_alive(pid) for pid in children)
    told = next(entry["cause"] for entry in site.events() if entry["event"] == "leftovers")
    assert all(f"pid {pid}" in told for pid in children)
    assert site.status()["state"] == "stopped"
