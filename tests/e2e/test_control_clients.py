"""The control channel and clients that mean no good, and who is let in."""

import contextlib
import json
import os
import resource
import select
import stat
import subprocess
import threading

import pytest
from channel import (OVERLOADED, PARSE, REQUEST, Line, assert_web_is_untouched, begin_web, both_kinds,
                     descriptors_of, memory_of)
from strangers import NOBODY, as_nobody, is_root
from support import MISBEHAVE, PYTHON, pid_is_alive, processes_with, wait_until

MIB = 1024 * 1024

# Connects to argv[1], says hello, and prints what comes.
SAY_HELLO = """
import socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.settimeout(20)
    s.connect(sys.argv[1])
    try:
        s.sendall(b'{"id":1,"method":"hello"}\\n')
    except BrokenPipeError:
        pass
    print(s.makefile().readline(), end="")
"""


site = both_kinds()


@pytest.fixture
def web(site):
    begin_web(site)
    yield site
    assert_web_is_untouched(site)


# ---- Clients that mean no good ---------------------------------------------------------------------------


@pytest.mark.parametrize("length, dropped", [(MIB - 40, False), (2 * MIB, True)])
def test_a_request_of_up_to_1_mib_is_read_and_a_longer_one_ends_the_connection(
        web, length, dropped):
    with Line(web) as line:
        text = json.dumps({"id": 1, "method": "hello", "params": {"x": ""}})
        request = text[:-3] + "x" * (length - len(text)) + '"}}\n'
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            line.write(request)
        answer = line.read()
        if dropped:
            assert answer["error"]["code"] == REQUEST
            assert line.has_ended()
        else:
            assert answer["result"]["pid"] == web.pid


def test_a_reason_comes_behind_the_answers_that_were_not_read_yet(web):
    """None of them breaks off.  The commands of a connection that ends so end with it."""
    mark = web.native(web.directory / "mark")
    command = [web.native(MISBEHAVE), "pids", mark, "fork-tree", "1", "1", "sleep-forever"]
    params = {"command": command, "disableTimeout": True}
    with Line(web) as line:
        line.write(json.dumps({"id": 0, "method": "command/exec", "params": params}) + "\n")
        line.write("".join(f'{{"id":{number},"method":"status"}}\n' for number in range(1, 501)))
        wait_until(lambda: len(processes_with(mark)) == 2, "the command runs")
        line.write("x" * (MIB + 1))  # all of it is read: a connection closed over the rest is reset
        assert [line.read()["id"] for _ in range(500)] == list(range(1, 501))
        answer = line.read()
        assert answer["id"] is None and answer["error"]["code"] == REQUEST
        assert line.has_ended()
    wait_until(lambda: not processes_with(mark), "its command has ended")


def test_a_gigabyte_without_an_end_of_line_is_cut_off(web):
    before = memory_of(web.supervisor_pid)
    sent = 0
    with Line(web) as line:
        try:
            while sent < 1024 * MIB:
                sent += line.socket.send(b"x" * 65536)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert sent < 8 * MIB
    assert memory_of(web.supervisor_pid) - before < 4 * MIB


def test_garbage_of_all_byte_values_is_answered_line_by_line(web):
    garbage = bytes(range(256)) * 200
    with Line(web) as line:
        line.write(garbage + b"\n")
        for _ in range(garbage.count(b"\n") + 1):
            assert line.read()["error"]["code"] in (PARSE, REQUEST)
        assert line.ask({"id": 2, "method": "hello"})["result"]["pid"] == web.pid


def test_a_client_that_says_nothing_or_half_a_request_disturbs_nobody(web):
    with Line(web), Line(web) as half, Line(web) as line:
        half.write('{"id":1,"me')
        assert line.ask({"id": 2, "method": "hello"})["id"] == 2
        half.write('thod":"hello"}\n')
        assert half.read()["id"] == 1


def test_clients_that_stay_silent_keep_no_command_out(web):
    """The one that has been silent for longest gives its place up, and is told."""
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(Line(web))
        assert first.ask({"id": 1, "method": "hello"})["result"]["pid"] == web.pid
        others = [stack.enter_context(Line(web)) for _ in range(200)]
        assert web.svcmgr("status", "web").code == 0
        assert web.svcmgr("stop", "web").code == 0
        assert first.read()["error"]["code"] == OVERLOADED
        assert others[0].read()["error"]["code"] == OVERLOADED
        assert others[-1].read() is None, "the newest were still connected when it ended"
    begin_web(web)


def test_500_clients_at_once(web):
    before = descriptors_of(web.supervisor_pid)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    try:
        with contextlib.ExitStack() as stack:
            lines = [stack.enter_context(Line(web)) for _ in range(500)]
            answers = []
            for line in lines:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    line.write('{"id":1,"method":"hello"}\n')
            for line in lines:
                answers.append(line.read())
            served = [answer for answer in answers if "result" in answer]
            refused = [answer for answer in answers if "error" in answer]
            assert len(served) >= 32
            assert len(served) + len(refused) == 500
            assert {answer["error"]["code"] for answer in refused} == {OVERLOADED}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    wait_until(lambda: descriptors_of(web.supervisor_pid) <= before, "the descriptors as before")
    with Line(web) as line:
        assert line.ask({"id": 2, "method": "hello"})["result"]["pid"] == web.pid


def test_5000_connections_one_after_the_other_leave_nothing_in_the_supervisor(web):
    def visit(count):
        for number in range(count):
            with Line(web) as line:
                if number % 3 == 0:
                    line.write('{"id":1,' + " " * 4000)
                elif number % 3 == 1:
                    assert line.ask({"id": 1, "method": "hello"})["id"] == 1

    visit(200)
    before, descriptors = memory_of(web.supervisor_pid), descriptors_of(web.supervisor_pid)
    visit(5000)
    wait_until(lambda: descriptors_of(web.supervisor_pid) <= descriptors, "the descriptors")
    assert memory_of(web.supervisor_pid) - before < MIB


def test_a_reader_that_never_reads_is_dropped_and_nobody_waits_for_it(web):
    request = b'{"id":1,"method":"status"}\n' * 2000
    with Line(web) as deaf:
        deaf.socket.setblocking(False)
        poll = select.poll()
        poll.register(deaf.socket, select.POLLOUT)

        def push():
            """Writes as much as goes; true when the supervisor has closed."""
            if any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0)):
                return True
            try:
                deaf.socket.send(request)
            except BlockingIOError:
                return False
            except (BrokenPipeError, ConnectionResetError):
                return True
            return False

        wait_until(push, "the end of the deaf client's connection", limit=60)
        with Line(web) as line:
            assert line.ask({"id": 2, "method": "hello"})["id"] == 2
    [event] = [event for event in web.events("web") if event["event"] == "client"]
    assert "was cut off" in event["cause"] and "more than 8 MiB unread" in event["cause"]
    assert memory_of(web.supervisor_pid) < 64 * MIB


def test_a_reader_that_reads_late_gets_everything(web):
    with Line(web) as line:
        line.write("".join(json.dumps({"id": number, "method": "status"}) + "\n"
                           for number in range(500)))
        with Line(web) as other:  # all of the answers lie in the supervisor's queue meanwhile
            assert other.ask({"id": 1, "method": "hello"})["id"] == 1
        assert [line.read()["id"] for _ in range(500)] == list(range(500))


def test_many_threads_that_all_send_rubbish(web):
    faults = []

    def visit(seed):
        try:
            for number in range(40):
                with Line(web) as line:
                    junk = (bytes([(seed * 31 + number * 7 + at) % 256 for at in range(300)])
                            .replace(b"\n", b" "))
                    assert line.error(junk) in (PARSE, REQUEST)
        except Exception as fault:  # a thread's exception would pass unseen
            faults.append(fault)

    threads = [threading.Thread(target=visit, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults


# ---- Who is let in ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("site", ["unix"], indirect=True)
def test_the_socket_and_its_directory_are_the_owner_s_alone(web):
    directory = web.state_of("web")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_ISSOCK((directory / "control.sock").stat().st_mode)
    assert stat.S_IMODE((directory / "control.sock").stat().st_mode) == 0o600


@pytest.mark.parametrize("site", ["unix"], indirect=True)
def test_they_are_so_whatever_the_umask_of_the_caller_is(site):
    site.add_webui("web")
    result = site.svcmgr("start", "web", umask=0)
    assert result.code == 0, result
    assert stat.S_IMODE(site.state_of("web").stat().st_mode) == 0o700
    assert stat.S_IMODE((site.state_of("web") / "control.sock").stat().st_mode) == 0o600


@pytest.mark.skipif(not is_root(), reason="needs root to become another user")
def test_another_user_is_refused_even_where_the_modes_would_let_him_in(open_site):
    site = open_site
    site.add("job", [MISBEHAVE, "sleep-forever"])
    before = site.start("job")
    path = site.state_of("job") / "control.sock"
    result = subprocess.run(as_nobody([PYTHON, "-c", SAY_HELLO, path]), capture_output=True,
                            text=True, timeout=60, check=False)
    assert result.returncode != 0 and "PermissionError" in result.stderr
    site.state_of("job").chmod(0o755)
    path.chmod(0o666)
    result = subprocess.run(as_nobody([PYTHON, "-c", SAY_HELLO, path]), capture_output=True,
                            text=True, timeout=60, check=True)
    assert json.loads(result.stdout)["error"] == {"code": REQUEST, "message": "unauthorized"}
    site.state_of("job").chmod(0o700)
    assert site.status("job")["pid"] == before["pid"]


@pytest.mark.skipif(not is_root(), reason="needs root to become another user")
def test_a_command_of_another_user_is_not_permitted(open_site):
    site = open_site
    site.add("job", [MISBEHAVE, "sleep-forever"])
    before = site.start("job")
    for words in (["stop", "job"], ["restart", "job"], ["reload", "job"], ["signal", "job", "HUP"],
                  ["status", "job"]):
        result = site.run_as_nobody("--system", *words)
        assert result.code == 4, (words, result)
        assert result.err.startswith("svcmgr: job: "), result
    assert site.status("job")["pid"] == before["pid"]


@pytest.mark.skipif(not is_root(), reason="needs root to become another user")
def test_root_is_let_in_to_the_supervisor_of_a_user(open_site):
    site = open_site
    site.add("job", [MISBEHAVE, "sleep-forever"])
    result = site.run_as_nobody("start", "job")
    assert result.code == 0, result
    with Line(site, "job") as line:
        hello = line.ask({"id": 1, "method": "hello"})["result"]
    assert os.stat(f"/proc/{hello['pid']}").st_uid == NOBODY
    result = site.svcmgr("stop", "job")
    assert result.code == 0, result
    assert not pid_is_alive(hello["pid"])
