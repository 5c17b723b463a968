"""The log and the history over the control channel: read, followed, and gone on with."""

import contextlib
import json
import os
import signal
import socket

import pytest
from channel import METHOD, OVERLOADED, PARAMS, Line
from instances import add_puppet, start_puppet, wait_for_status
from logfiles import STAMP, add_job, log_files, numbers, wait_for_text
from support import MISBEHAVE, SANITIZED, WINDOWS, wait_until

SMALL = {"max_size": "4KiB", "keep": 1000}
MIB = 1024 * 1024
FOLLOWERS_MAX = 32
PART = 65536  # bytes of a line that come in one piece


class Follow(Line):
    """A connection that follows, and what it has been sent so far."""

    def __init__(self, site, method="logs/follow", name="web", **params):
        super().__init__(site, name)
        answer = self.ask({"id": 1, "method": method, "params": params})
        assert "result" in answer, answer
        self.answer = answer["result"]
        self.position = self.answer["from"]
        self.entries = []  # of the log, or events
        self.skipped = []

    def take(self):
        """Takes the next notification; False at the end of the connection."""
        line = self.reader.readline()
        if not line.endswith(b"\n"):
            return False
        message = json.loads(line)
        params = message["params"]
        assert params["subscription"] == self.answer["subscription"], message
        assert "id" not in message
        if message["method"].endswith("/skipped"):
            self.skipped.append(params["files"])
        else:
            self.entries += params["lines"] if "lines" in params else [params["event"]]
        self.position = params["from"]
        return True

    def until(self, text):
        """Takes what comes until a line holds this text."""
        while not any(text in entry["text"] for entry in self.entries[-2000:]):
            assert self.take(), f"the end before {text!r}"
        return self

    def until_event(self, **members):
        while not any(members.items() <= event.items() for event in self.entries):
            assert self.take(), f"the end before {members}"
        return self

    def to_the_end(self):
        with contextlib.suppress(ConnectionResetError):
            while self.take():
                pass
        return self

    def texts(self):
        return [entry["text"] for entry in self.entries]


def read(site, name="web", **params):
    with Line(site, name) as line:
        answer = line.ask({"id": 1, "method": "logs/read", "params": params})
    assert "result" in answer, answer
    return answer["result"]


def printed(site, *options):
    """What the command prints."""
    result = site.svcmgr("logs", "web", "--json", *options)
    assert result.code == 0, result
    return json.loads(result.out)


def say_lines(puppet, numbered):
    """In pieces, each of which may go into another file."""
    for at in range(0, len(numbered), 20):
        puppet.say("".join(f"line {number}\n" for number in numbered[at:at + 20]))


def line_numbers(entries):
    return numbers(entry["text"] for entry in entries)


def memory_of(pid):
    """What it has for itself, in bytes."""
    if SANITIZED:  # it keeps what is freed for a while, so its memory says nothing
        return 0
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(int(line.split()[1]) * 1024 for line in file
                   if line.startswith(("Private_Dirty:", "Private_Clean:")))


@pytest.fixture
def printer(site):
    """A job whose log of 1000 lines is in many small files."""
    add_job(site, "lines", "1000", logs=SMALL)
    site.start("web")
    wait_for_text(site, "line 1000\n")
    assert len(log_files(site)) > 5
    return site


# ---- Reading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [0, 1, 7, 100, 999, 1000, 5000])
def test_the_last_lines_are_those_of_the_command(printer, lines):
    answer = read(printer, lines=lines)
    assert answer["lines"] == printed(printer, "-n", lines)
    assert line_numbers(answer["lines"]) == list(range(1, 1001))[1000 - min(lines, 1000):]
    assert (answer["cut"], answer["skipped"]) == (False, False)


def test_without_a_word_the_last_hundred(printer):
    assert line_numbers(read(printer)["lines"]) == list(range(901, 1001))


def test_the_lines_since_a_time_are_those_of_the_command(printer):
    everything = printed(printer)
    stamps = [entry["time"] for entry in everything]
    for since in (stamps[700], stamps[0], stamps[-1], stamps[0][:4], "2000", "2999-01-01T00:00:00Z"):
        assert printed(printer, "--since", since) == \
            [entry for entry in everything if entry["time"] >= since.rstrip("Z")], since
    for since in (stamps[700], stamps[0], stamps[-1], "1h", "2000", "2999-01-01T00:00:00Z"):
        assert read(printer, since=since)["lines"] == printed(printer, "--since", since), since
        assert read(printer, since=since, lines=300)["lines"] == \
            printed(printer, "--since", since, "-n", "300"), since


def test_what_is_left_out_is_said_and_comes_next(printer):
    first = read(printer, since="2000")
    begin = read(printer, lines=1000)
    answer = read(printer, **{"from": first["from"]})
    assert (answer["lines"], answer["cut"], answer["from"]) == ([], False, first["from"])
    position, entries = begin["from"], []
    with Follow(printer, lines=1000) as follow:
        position = follow.answer["from"]
    while True:
        answer = read(printer, lines=130, **{"from": position})
        entries += answer["lines"]
        position = answer["from"]
        if not answer["cut"]:
            break
        assert len(answer["lines"]) == 130
    assert line_numbers(entries) == list(range(1, 1001))


def test_an_answer_is_bounded(site):
    puppet, _ = start_puppet(site)
    for _ in range(40):
        puppet.say("x" * 99_999 + "\n")
    puppet.say("the last\n")
    wait_for_text(site, "the last\n")
    answer = read(site, lines=10000)
    assert answer["cut"] and answer["lines"][-1]["text"] == "the last"
    assert 5 * 99_999 < sum(len(entry["text"]) for entry in answer["lines"]) <= MIB
    total, position = 0, None
    while position is None or answer["cut"]:
        answer = read(site, **({"from": position} if position else {"since": "2000"}))
        size = sum(len(entry["text"]) for entry in answer["lines"])
        assert size <= MIB + PART
        total, position = total + size, answer["from"]
    assert total == 40 * 99_999 + len("the last")


def test_a_line_longer_than_an_answer_is_given_from_where_it_fits(site):
    puppet, _ = start_puppet(site, logs={"max_size": "100MiB"})
    puppet.say("x" * 3_000_000 + "y\n")
    wait_for_text(site, "xy\n")
    answer = read(site, lines=1)
    text = "".join(entry["text"] for entry in answer["lines"])
    assert answer["cut"] and text == "x" * (MIB - 2) + "y"
    assert [entry.get("more", False) for entry in answer["lines"]] == \
        [True] * (len(answer["lines"]) - 1) + [False]
    assert {entry["time"] for entry in answer["lines"]} == {None}


def test_what_is_no_utf_8_is_replaced_and_nothing_else(site):
    puppet, _ = start_puppet(site)
    puppet.say(b"\xff\x1b[1m\xc3\xa9 \xc3 \xe2\x82\n")
    puppet.say("end\n")
    with Follow(site, lines=0, since="2000") as follow:
        puppet.say("later\n")
        follow.until("later")
    wait_for_text(site, "end\n")
    first, second = (entry["text"] for entry in read(site, lines=3)["lines"][:2])
    assert first == "\ufffd\x1b[1m\u00e9 \ufffd \ufffd\ufffd"
    assert second == "end"


def test_every_byte_is_shown_or_replaced(site):
    add_job(site, "binary", "print", "end")
    site.start("web")
    wait_for_text(site, "end\n")
    first, second = (entry["text"] for entry in read(site, lines=2)["lines"])
    assert first == "".join(map(chr, range(10)))
    assert second == "".join(map(chr, range(11, 128))) + "\ufffd" * 128 + "end"


@pytest.mark.parametrize("size", [PART - 40, PART, 3 * PART, 1_000_000])
def test_a_very_long_line_comes_in_parts_between_characters(site, size):
    puppet, _ = start_puppet(site, logs={"max_size": "100MiB"})
    with Follow(site) as follow:
        puppet.say("a" + "\u20ac" * (size // 3) + "!\nnext\n")
        follow.until("next")
    wait_for_text(site, "next\n")
    for entries in (follow.entries, read(site, lines=2)["lines"]):
        assert entries[-1]["text"] == "next"
        assert "".join(entry["text"] for entry in entries[:-1]) == "a" + "\u20ac" * (size // 3) + "!"
        assert [entry.get("more", False) for entry in entries[:-1]] == \
            [True] * (len(entries) - 2) + [False]
        assert entries[0]["time"] and not any(entry["time"] for entry in entries[1:-1])


def test_an_unfinished_line_is_read_now_and_followed_when_it_ends(site):
    puppet, _ = start_puppet(site)
    with Follow(site) as follow:
        puppet.say("first\nbegun")
        wait_for_text(site, "begun")
        follow.until("first")
        answer = read(site, lines=1)
        assert [(entry["text"], entry["more"]) for entry in answer["lines"]] == [("begun", True)]
        puppet.say("2026-01-31T12:00:00.123456Z ended\n")
        follow.until("ended")
    rest = "2026-01-31T12:00:00.123456Z ended"  # no stamp: it does not stand where the line begins
    assert follow.texts() == ["first", "begun" + rest]
    answer = read(site, **{"from": answer["from"]})
    assert answer["lines"] == [{"time": None, "text": rest}]


def test_a_line_that_goes_on_in_the_next_file(site):
    puppet, _ = start_puppet(site, logs=SMALL)
    with Follow(site) as follow:
        for done in range(40):
            puppet.say("x" * 999 + ".")
            # What the supervisor reads in one piece goes into one file.
            wait_for_text(site, ("x" * 999 + ".") * (done + 1))
        puppet.say("\nnext\n")
        follow.until("next")
    assert len(log_files(site)) > 4
    for entries in (follow.entries, read(site, lines=100)["lines"]):
        assert entries[-1]["text"] == "next" and entries[-1]["time"]
        assert "".join(entry["text"] for entry in entries[:-1]) == ("x" * 999 + ".") * 40
        assert [entry.get("more", False) for entry in entries[:-1]] == \
            [True] * (len(entries) - 2) + [False]


def test_lines_of_a_log_that_is_not_there_yet(site):
    site.add("job", [MISBEHAVE, "sleep-forever"], settle="10ms", logs={"destination": "inherit"})
    site.start("job")
    answer = read(site, name="job")
    assert (answer["lines"], answer["cut"], answer["skipped"]) == ([], False, False)
    assert read(site, name="job", **{"from": answer["from"]})["lines"] == []


# ---- Parameters ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["logs/read", "logs/follow", "events/follow"])
@pytest.mark.parametrize("name, value", [
    ("lines", "5"), ("lines", -1), ("lines", 1.5), ("lines", 10001), ("lines", True), ("lines", []),
    ("since", 5), ("since", "yesterday"), ("since", ""), ("since", {}), ("since", "2" * 100),
    ("from", 7), ("from", ""), ("from", "x"), ("from", "a/b/c"), ("from", "../../x/3/0"), ("from", "@/-1/0"), ("from", "//"),
    ("from", "/99999999999999999999/0"), ("from", "x" * 5000 + "/1/2"), ("from", ["a"]),
])
def test_a_wrong_parameter_is_named(site, method, name, value):
    start_puppet(site)
    with Line(site) as line:
        error = line.ask({"id": 1, "method": method, "params": {name: value}})["error"]
        assert error["code"] == PARAMS and error["message"].startswith(name), error
        assert line.ask({"id": 2, "method": "hello"})["id"] == 2


@pytest.mark.parametrize("method", ["logs/read", "logs/follow", "events/follow"])
def test_unknown_parameters_are_passed_over_and_null_is_none(site, method):
    start_puppet(site)
    with Line(site) as line:
        answer = line.ask({"id": 1, "method": method, "params": {
            "later": {"a": 1}, "lines": None, "since": None, "from": None}})
        assert "from" in answer["result"]
        assert line.error({"id": 2, "method": "logs/unfollow"}) == METHOD


@pytest.mark.parametrize("position", ["@20000101T000000.000000Z/5/0", "/70000/0123456789abcdef",
                                      "../70/0", "@9/0/0", "@9/77/0"])
def test_a_position_that_is_nowhere_goes_on_with_what_is_there(printer, position):
    answer = read(printer, **{"from": position})
    assert answer["skipped"]
    got = line_numbers(answer["lines"])
    assert got == list(range(got[0], 1001))
    assert (got[0] > 1) == position.startswith("@9"), "what is behind it by name"


# ---- Following -------------------------------------------------------------------------------------


def test_several_followers_get_every_line_across_rotation(site):
    puppet, _ = start_puppet(site, logs=SMALL)
    with contextlib.ExitStack() as stack:
        followers = [stack.enter_context(Follow(site)) for _ in range(4)]
        for begin in range(1, 3001, 600):
            say_lines(puppet, range(begin, begin + 600))
        for follow in followers:
            follow.until("line 3000")
            assert line_numbers(follow.entries) == list(range(1, 3001))
            assert not follow.skipped and follow.answer["subscription"] == 1
            assert all(STAMP.match(entry["time"].encode() + b" ") for entry in follow.entries)
    assert len(log_files(site)) > 10


def test_a_follower_begins_where_it_wants(printer):
    stamp = printed(printer)[400]["time"]
    expected = [entry for entry in printed(printer) if entry["time"] >= stamp]
    with Follow(printer, lines=3) as last, Follow(printer, since=stamp) as since, \
            Follow(printer, since="2000") as everything:
        assert line_numbers(last.until("line 1000").entries) == [998, 999, 1000]
        assert since.until("line 1000").entries == expected
        assert line_numbers(everything.until("line 1000").entries) == list(range(1, 1001))


def test_one_connection_follows_both_and_is_answered_in_between(site):
    puppet, _ = start_puppet(site)
    with Line(site) as line:
        assert line.ask({"id": 1, "method": "logs/follow"})["result"]["subscription"] == 1
        assert line.ask({"id": 2, "method": "events/follow"})["result"]["subscription"] == 2
        puppet.say("line 1\n")
        message = line.read()
        assert (message["method"], message["params"]["subscription"]) == ("logs/lines", 1)
        assert line.ask({"id": 3, "method": "hello"})["id"] == 3
        assert site.svcmgr("reload", "web").code == 0
        message = line.read()
        assert (message["method"], message["params"]["subscription"]) == ("events/event", 2)
        assert message["params"]["event"]["event"] == "reload"


def test_the_followed_events_are_those_of_the_command(site):
    add_puppet(site, settle="10ms")
    site.start("web")
    with Follow(site, "events/follow", lines=100) as follow:
        assert site.svcmgr("restart", "web").code == 0
        follow.until_event(to="ready", generation=2)
        with Follow(site, "events/follow", lines=1) as last:
            last.until_event(to="ready", generation=2)
            assert last.entries == follow.entries[-1:]
        with Follow(site, "events/follow") as fresh:
            assert site.svcmgr("stop", "web").code == 0
            fresh.to_the_end()
        follow.to_the_end()
    told = json.loads(site.svcmgr("events", "web", "--json").out)
    assert follow.entries == told
    assert fresh.entries == told[-len(fresh.entries):]
    assert [event["to"] for event in fresh.entries if event["event"] == "state"] == \
        ["stopping", "stopped"]


def test_the_last_words_reach_a_follower(site):
    puppet, _ = start_puppet(site)
    puppet.do("signal.signal(signal.SIGTERM, lambda *_: (say('so\\nlong\\n'), os._exit(0)))")
    with Follow(site) as follow:
        assert site.svcmgr("stop", "web").code == 0
        follow.to_the_end()
    assert follow.texts() == ["so", "long"]


def test_followers_that_vanish_leave_nothing(site):
    puppet, status = start_puppet(site)
    supervisor = status["supervisor_pid"]

    def descriptors():
        return len(os.listdir(f"/proc/{supervisor}/fd"))

    puppet.say("line 0\n")
    wait_for_text(site, "line 0\n")
    before = descriptors()
    for _ in range(3):
        with contextlib.ExitStack() as stack:
            followers = [stack.enter_context(Follow(site)) for _ in range(20)]
            assert descriptors() >= before + 40, "a connection and a file each"
            puppet.do("for n in range(500): say('x' * 500 + '\\n')")
            followers[0].until("xxx")
        wait_until(lambda: descriptors() <= before, "the descriptors as before")
    assert site.status("web")["pid"] == status["pid"]
    assert site.status("web")["supervisor_pid"] == supervisor


def test_there_are_only_so_many_followers(site):
    start_puppet(site)
    with contextlib.ExitStack() as stack:
        for _ in range(FOLLOWERS_MAX):
            stack.enter_context(Follow(site))
        with Line(site) as line:
            assert line.error({"id": 1, "method": "logs/follow"}) == OVERLOADED
            assert line.ask({"id": 2, "method": "logs/read"})["result"]["cut"] is False
        assert site.svcmgr("reload", "web").code == 0
    wait_until(lambda: follows(site), "a place for a follower")


def follows(site):
    with Line(site) as line:
        return "result" in line.ask({"id": 1, "method": "logs/follow"})


def run_time(pid):
    """How long it has run, in ns: proc(5).  It grows with every wake-up."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0])


def test_a_follower_wakes_nobody_while_nothing_is_written(site):
    puppet, status = start_puppet(site)
    supervisor = status["supervisor_pid"]
    with Follow(site) as follow, Follow(site, "events/follow"):
        puppet.say("line 1\n")
        follow.until("line 1")
        last = 0

        def is_quiet():
            nonlocal last
            before, last = last, run_time(supervisor)
            return before == last

        wait_until(is_quiet, "a supervisor that sleeps")
        for _ in range(50):
            puppet.do("1")  # some time, in which nothing happens to the supervisor
        assert run_time(supervisor) == last


def test_silent_connections_push_no_follower_out(site):
    puppet, _ = start_puppet(site)
    with Follow(site) as follow, contextlib.ExitStack() as stack:
        others = [stack.enter_context(Line(site)) for _ in range(200)]
        assert others[0].read()["error"]["code"] == OVERLOADED
        puppet.say("line 1\n")
        assert follow.until("line 1").texts() == ["line 1"]


def test_closing_the_sending_side_ends_it(site):
    start_puppet(site)
    with Follow(site) as follow:
        follow.socket.shutdown(socket.SHUT_WR)
        assert follow.has_ended()


# ---- A slow reader ---------------------------------------------------------------------------------


def test_a_follower_that_does_not_read_costs_nothing_and_is_told_what_it_lost(site):
    puppet, status = start_puppet(site, logs={"max_size": "1MiB", "keep": 3})
    supervisor = status["supervisor_pid"]
    puppet.say("line 0\n")
    with Follow(site, lines=1) as deaf, Follow(site, lines=1) as other:
        deaf.until("line 0")
        before = memory_of(supervisor)
        for begin in range(1, 500_001, 100_000):
            puppet.do(f"say(''.join(f'line {{n}} {{\"x\" * 90}}\\n' "
                      f"for n in range({begin}, {begin} + 100_000)))")
            assert memory_of(supervisor) - before < 4 * MIB
            assert site.status("web")["state"] == "ready"
        wait_for_text(site, "line 500000 ")
        other.until("line 500000 ")
        there = [line_numbers([{"text": line.split(b" ", 1)[1].decode()}])[0]
                 for path in log_files(site) for line in path.read_bytes().splitlines()]
        deaf.until("line 500000 ")
    got = line_numbers(deaf.entries)
    assert got == sorted(set(got)) and got[0] == 0
    assert got[-len(there):] == there, "all that rotation has left"
    gaps = [one for one, next_one in zip(got, got[1:]) if next_one != one + 1]
    assert len(gaps) == len(deaf.skipped) == 1 and deaf.skipped[0] > 10
    assert (site.status("web")["pid"], site.status("web")["generation"]) == (status["pid"], 1)


def test_a_follower_that_does_not_read_holds_no_stop_up(site):
    puppet, _ = start_puppet(site)
    with Follow(site) as deaf:
        puppet.say(("x" * 99 + "\n") * 50_000 + "the last\n")
        wait_for_text(site, "the last\n")
        assert site.svcmgr("stop", "web").code == 0
        assert not site.status("web")["supervisor_pid"]
        deaf.to_the_end()
        assert deaf.entries


# ---- Going on --------------------------------------------------------------------------------------


def test_nothing_is_lost_or_doubled_across_restart_upgrade_and_kill(site):
    puppet = add_puppet(site, logs=SMALL, settle="10ms")
    site.start("web")
    entries, events, position, place = [], [], None, None
    count = 0

    def go_on(disturb):
        nonlocal position, place, count
        with Follow(site, **({"from": position} if position else {"since": "2000"})) as follow, \
                Follow(site, "events/follow", **({"from": place} if place else {"lines": 100})) as history:
            for _ in range(2):
                say_lines(puppet, range(count, count + 300))
                count += 300
                if _ == 0:
                    follow.until(f"line {count - 200}")
            disturb(follow)
            if disturb is not restart:
                follow.to_the_end()
                history.to_the_end()
            assert not follow.skipped and not history.skipped
        entries.extend(follow.entries)
        events.extend(history.entries)
        position, place = follow.position, history.position

    def restart(follow):
        follow.until(f"line {count - 1}")
        assert site.svcmgr("restart", "web").code == 0

    def upgrade(_):
        assert site.svcmgr("upgrade", "web").code == 0

    def kill(_):
        former = site.status("web")["supervisor_pid"]
        os.kill(former, signal.SIGKILL)
        wait_for_status(site, "web", lambda now: now["supervisor_pid"] not in (None, former))

    # On Windows an instance ends with its supervisor.
    for disturb in (restart, upgrade, upgrade, restart, upgrade) if WINDOWS else \
            (restart, upgrade, kill, kill, upgrade, restart, kill):
        go_on(disturb)
    puppet.say("the end\n")
    with Follow(site, **{"from": position}) as follow:
        follow.until("the end")
    entries += follow.entries
    assert not follow.skipped
    assert entries == printed(site)
    assert line_numbers(entries[:-1]) == list(range(count))
    with Follow(site, "events/follow", **{"from": place}) as history:
        assert site.svcmgr("reload", "web").code == 0
        history.until_event(event="reload")
    events += history.entries
    assert events == json.loads(site.svcmgr("events", "web", "--json").out)
    assert len(log_files(site)) > 10


def test_a_position_that_rotation_has_removed_says_so(site):
    puppet, _ = start_puppet(site, logs={"max_size": "4KiB", "keep": 2})
    puppet.say("line 0\n")
    with Follow(site, lines=1) as follow:
        follow.until("line 0")
    say_lines(puppet, range(1, 1001))
    wait_for_text(site, "line 1000\n")
    with Follow(site, **{"from": follow.position}) as late:
        late.until("line 1000")
    assert late.skipped == [None]
    got = line_numbers(late.entries)
    assert got == list(range(got[0], 1001)) and len(got) == len(printed(site))


def test_events_are_gone_on_with_across_the_end_of_their_file(site):
    start_puppet(site)
    padding = '{"at":"2020-01-01T00:00:00.000Z","name":"web","event":"padding","n":%d,"x":"' + "x" * 1000 + '"}\n'
    with Follow(site, "events/follow", lines=100) as follow:
        follow.until_event(to="ready")
    with (site.state_of("web") / "events").open("a", encoding="ascii") as file:
        file.write("".join(padding % n for n in range(1100)))
    assert site.svcmgr("upgrade", "web").code == 0
    with Follow(site, "events/follow", **{"from": follow.position}) as late:
        assert site.svcmgr("reload", "web").code == 0
        late.until_event(event="reload")
    wait_until((site.state_of("web") / "events.old").exists)
    numbered = [event["n"] for event in late.entries if event["event"] == "padding"]
    assert numbered == list(range(1100)) and not late.skipped
    told = json.loads(site.svcmgr("events", "web", "--json").out)  # in the order of time
    assert sorted(map(str, follow.entries + late.entries)) == sorted(map(str, told))


def test_a_clock_that_was_set_back_does_not_mix_the_files_up(site):
    puppet, _ = start_puppet(site, logs=SMALL)
    late = site.state_of("web") / "log" / "@29990101T000000.999999Z"
    late.write_bytes(b"2999-01-01T00:00:00.000000Z line 0\n")
    say_lines(puppet, range(1, 501))
    wait_for_text(site, "line 500\n")
    assert line_numbers(read(site, lines=1000)["lines"]) == list(range(501))
    assert line_numbers(printed(site)) == list(range(501))
    assert log_files(site)[1].name == "@29990101T000001.000000Z"
