"""command/exec: commands in the service's place, over the control channel."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest
from channel import (OVERLOADED, PARAMS, REQUEST, assert_web_is_untouched, begin_web,
                     most_memory)
from exec_channel import Commands
from support import (LIMIT, MISBEHAVE, PATH_SEPARATOR, SUFFIX, WINDOWS, alive, end_process,
                     processes_with, wait_until)

INTERNAL = -32603
MIB = 1024 * 1024
STREAMED = {"streamStdoutStderr": True}
FOREVER = {"disableTimeout": True}

NOTHING = (MISBEHAVE, "exit", 0)
SLEEP = (MISBEHAVE, "sleep-forever")

# A grandchild prints "ta", sleeps 30 ms, prints "il" and holds the stream for long; its parent has
# ended before.
TAIL = ("leave", 0, "no-newline", "ta", "sleep", 30, "no-newline", "il", "sleep-forever")
# What a grandchild prints all the time.
WITHOUT_END = ("lines", 1000000, 10000)


@pytest.fixture
def web(site):
    begin_web(site)
    yield site
    assert_web_is_untouched(site)


@pytest.fixture
def commands(web):
    with Commands(web) as made:
        yield made


def error(code, message):
    return {"code": code, "message": message}


def said(answer):
    """An error without its data."""
    return error(answer["code"], answer["message"])


# ---- What it runs, and where ------------------------------------------------------------------------


def test_a_command_has_its_code_and_both_streams(commands):
    assert commands.run(MISBEHAVE, "print", "out", "print-err", "err", "exit", 3) == \
        {"exitCode": 3, "stdout": "out\n", "stderr": "err\n"}
    if not WINDOWS:
        assert commands.run(MISBEHAVE, "die", "TERM") == \
            {"exitCode": 128 + signal.SIGTERM, "stdout": "", "stderr": ""}
    in_path = ["cmd", "/c", "exit"] if WINDOWS else ["true"]
    assert commands.run(*in_path)["exitCode"] == 0
    assert commands.run(MISBEHAVE, "cat") == {"exitCode": 0, "stdout": "", "stderr": ""}  # no input


def test_it_has_the_service_s_environment_and_its_own_changes(site):
    port = site.add_webui("web", directory=str(site.directory),
                          environment={"COLOR": "blue", "SIZE": "{port}", "SOCKET": "{fd}"})
    before = site.start("web")
    with Commands(site) as commands:
        found = report(site, commands, env={"OWN": "1", "COLOR": "red", "HOME": None})["environment"]
        assert (found["COLOR"], found["OWN"], found["SIZE"], found["PORT"]) == \
            ("red", "1", str(port), str(port))
        assert found["SVCMGR_NAME"] == "web" and found["SVCMGR_PID"] == str(before["pid"])
        assert not {"HOME", "SOCKET", "LISTEN_FDS", "NOTIFY_SOCKET"} & set(found)
        assert report(site, commands)["cwd"] == site.native(site.directory)
        (site.directory / "below").mkdir()
        below = report(site, commands, cwd="below")
        assert below["cwd"] == site.native(site.directory / "below")
        assert report(site, commands, cwd=site.of_root("/usr"))["cwd"] == site.of_root("/usr")
        said = commands.run(MISBEHAVE, "print", "{port} {nothing}")["stdout"]
        assert said == "{port} {nothing}\n"


def report(site, commands, **params):
    """What a command finds where it runs."""
    path = site.directory / "report"
    assert commands.run(MISBEHAVE, "report", path, **params)["exitCode"] == 0
    found = json.loads(path.read_text())
    found["cwd"] = found["cwd"].replace("\\", "/")
    return found


def test_its_own_path_counts(commands, site):
    program = site.directory / f"a-program-of-its-own{SUFFIX}"
    shutil.copy(MISBEHAVE, program)
    own = [program.name, "print", "found"]
    assert commands.run(*own)["code"] == INTERNAL
    path = PATH_SEPARATOR.join([site.native(site.directory), "/bin"])
    assert commands.run(*own, env={"PATH": path})["stdout"] == "found\n"


def test_it_has_nothing_of_the_supervisor_s(commands):
    listing = commands.run("/bin/sh", "-c", "ls /proc/self/fd; grep -E 'SigBlk|SigIgn' /proc/self/status")
    lines = listing["stdout"].split()
    assert lines[:4] == ["0", "1", "2", "3"] and lines[4].startswith("Sig"), lines  # 3: of ls
    assert [value for value in lines[4:] if re.fullmatch("[0-9a-f]+", value)] == ["0" * 16] * 2


def test_commands_run_side_by_side(commands):
    slow = commands.exec(MISBEHAVE, "cat", processId="slow", streamStdin=True)
    assert commands.run(MISBEHAVE, "print", "quick")["stdout"] == "quick\n"
    assert slow not in commands.answers
    assert commands.put("slow", b"now\n", closeStdin=True) == {}
    assert commands.wait(slow)["stdout"] == "now\n"


def test_bytes_that_are_no_text(commands):
    data = bytes(range(256))
    assert commands.run(MISBEHAVE, "binary")["stdout"] == data.decode(errors="replace")
    answer = commands.run(MISBEHAVE, "binary", processId="raw", **STREAMED)
    assert answer == {"exitCode": 0, "stdout": "", "stderr": ""}
    assert commands.output("raw") == data


def test_what_cannot_be_run(commands, site):
    missing = commands.run("no-such-program")
    assert missing["code"] == INTERNAL and missing["data"]["exit"] == 127
    assert missing["message"].startswith("failed to spawn command: cannot execute no-such-program: ")
    file = site.directory / "file"
    file.write_text("")
    refused = commands.run(file)
    assert refused["code"] == INTERNAL and refused["message"].startswith(
        f"failed to spawn command: cannot execute {site.native(file)}: "), refused
    assert WINDOWS or refused["message"].endswith(": Permission denied")
    assert commands.run(file)["data"]["exit"] == 126
    assert commands.run("./no-such-file")["data"]["exit"] == 127
    nowhere = commands.run(*NOTHING, cwd="/nowhere")
    assert nowhere["data"]["exit"] == 125 and "cannot enter its working directory" in nowhere["message"]


# ---- Streams and caps -------------------------------------------------------------------------------


def test_what_is_streamed_comes_before_the_answer_and_is_not_repeated(commands):
    number = commands.exec(MISBEHAVE, "print", "out", "print-err", "err", processId="x", **STREAMED)
    assert commands.wait(number) == {"exitCode": 0, "stdout": "", "stderr": ""}
    assert (commands.output("x"), commands.output("x", "stderr")) == (b"out\n", b"err\n")
    assert commands.order[-1] == number and set(commands.order[:-1]) == {"delta"}
    assert all(process == "x" and not reached for process, _, _, reached in commands.deltas)


@pytest.mark.parametrize("cap, kept", [(0, ""), (5, "abcde"), (6, "abcde\n"), (7, "abcde\n")])
def test_a_cap_cuts_at_exactly_its_byte(commands, cap, kept):
    """Of each stream, streamed or not; it is reached as soon as it is met."""
    command = (MISBEHAVE, "print", "abcde", "print-err", "uvwxy")
    errors = "uvwxy\n"[:cap]
    assert commands.run(*command, outputBytesCap=cap) == \
        {"exitCode": 0, "stdout": kept, "stderr": errors}
    assert commands.run(*command, outputBytesCap=cap, processId="x", **STREAMED)["stdout"] == ""
    for stream, text in (("stdout", kept), ("stderr", errors)):
        assert commands.output("x", stream) == text.encode()
        reached = [cut for _, name, _, cut in commands.deltas if name == stream]
        assert reached[-1] is (cap <= 6) and not any(reached[:-1])


def test_what_passes_the_cap_does_not_stop_the_command(commands):
    command = (MISBEHAVE, "long-line", 3000000, "print-err", "end")
    assert commands.run(*command) == \
        {"exitCode": 0, "stdout": "x" * 1024 * 1024, "stderr": "end\n"}  # the cap of those who name none
    commands.run(*command, processId="x", disableOutputCap=True, **STREAMED)
    assert commands.output("x") == b"x" * 3000000 + b"\n"


def test_a_great_answer_arrives_whole(commands):
    """Ten times what may wait for a slow reader of anything else."""
    answer = commands.run(MISBEHAVE, "long-line", 80000000, disableOutputCap=True, **FOREVER)
    assert answer["stdout"] == "x" * 64 * 1024 * 1024  # what is kept until the end is bounded


def test_a_slow_reader_loses_nothing_and_costs_no_memory(web, commands):
    """The command waits until what it has printed has been taken."""
    before = most_memory(web.supervisor_pid)
    number = commands.exec("head", "-c", "30000000", "/dev/urandom", processId="x", disableOutputCap=True,
                           **STREAMED, **FOREVER)
    ready = commands.exec(*NOTHING, processId="y")
    wait_until(lambda: is_blocked(web, "head"), "the command waits for its reader")
    assert commands.wait(number)["exitCode"] == 0 and commands.wait(ready)["exitCode"] == 0
    assert len(commands.output("x")) == 30000000
    assert most_memory(web.supervisor_pid) - before < MIB


def test_much_output_keeps_nobody_waiting_and_costs_no_memory(web):
    before = most_memory(web.supervisor_pid)
    reader = web.spawn("exec", "web", "--", "cat", "/dev/zero", stdout=subprocess.DEVNULL)
    asked = 0
    while asked < 10 or written_by(reader.pid) < 100 * MIB:
        assert web.status("web")["state"] == "ready"
        asked += 1
    reader.terminate()
    assert reader.wait(LIMIT) == 128 + signal.SIGTERM
    assert most_memory(web.supervisor_pid) - before < MIB


def written_by(pid):
    with open(f"/proc/{pid}/io") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("wchar:"))


def is_blocked(site, program):
    """Whether a command of the supervisor's sleeps in a write to a pipe."""
    for pid in children_of(site.status("web")["supervisor_pid"]):
        try:
            with open(f"/proc/{pid}/comm") as name, open(f"/proc/{pid}/syscall") as call:
                if name.read().strip() == program and call.read().split()[0] == "1":  # write(2), x86-64
                    return True
        except OSError:
            continue
    return False


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


# ---- Input ------------------------------------------------------------------------------------------


def test_input_is_written_and_closed(commands):
    number = commands.exec(MISBEHAVE, "cat", processId="x", streamStdin=True)
    assert commands.put("x", b"one ") == {}
    assert commands.put("x", b"two", closeStdin=True) == {}
    assert commands.wait(number) == {"exitCode": 0, "stdout": "one two", "stderr": ""}


def test_input_that_nobody_reads_waits(commands):
    """A write is answered when there is room for more; another one before that is refused."""
    number = commands.exec(MISBEHAVE, "sleep-forever", processId="x", streamStdin=True, **FOREVER)
    piece = bytes(500_000)
    text = base64.b64encode(piece).decode()
    sent = [commands.send("command/exec/write", processId="x", deltaBase64=text) for _ in range(6)]
    answers = [commands.wait(each) for each in sent[:4]]
    assert answers == [{}] * 4
    refused = commands.wait(sent[5])
    assert refused["code"] == OVERLOADED and sent[4] not in commands.answers
    assert commands.control("terminate", "x") == {}
    assert commands.wait(number)["exitCode"] == 137


def test_a_command_that_closes_its_input_does_not_mind_what_comes(commands):
    number = commands.exec(MISBEHAVE, "close-input", "print", "closed", "sleep-forever",
                           processId="x", streamStdin=True, **STREAMED, **FOREVER)
    commands.wait_for_output("x", b"closed")
    answers = [commands.put("x", b"data") for _ in range(3)]
    assert answers[-1] == error(REQUEST, "stdin is already closed"), answers
    commands.control("terminate", "x")
    assert commands.wait(number)["exitCode"] == 137


# ---- Terminals --------------------------------------------------------------------------------------


def test_a_terminal_has_a_size_and_is_the_controlling_one(commands):
    commands.run("/bin/sh", "-c", "tty; stty size; ps -o tty= -p $$; echo err >&2; : > /dev/tty",
                 processId="x", tty=True)
    lines = commands.output("x").replace(b"\r", b"").split(b"\n")
    assert lines[0].startswith(b"/dev/pts/") and lines[1] == b"24 80"
    assert b"/dev/" + lines[2].strip() == lines[0] and lines[3] == b"err"
    assert commands.output("x", "stderr") == b""  # all of it is the terminal's


def test_a_terminal_is_resized(commands):
    number = commands.exec("/bin/sh", "-c", "stty size; read x; stty size", processId="x", tty=True,
                           size={"rows": 31, "cols": 101})
    commands.wait_for_output("x", b"31 101")
    assert commands.control("resize", "x", size={"rows": 45, "cols": 132}) == {}
    commands.put("x", b"\n")
    commands.wait(number)
    assert b"45 132" in commands.output("x")


def test_a_closed_terminal_is_an_end_of_file(commands):
    number = commands.exec("cat", processId="x", tty=True)
    commands.put("x", b"line\n")
    commands.wait_for_output("x", b"line\r\nline\r\n")  # the terminal's echo, and cat's
    assert commands.control("write", "x", closeStdin=True) == {}
    assert commands.wait(number)["exitCode"] == 0


def test_keys_are_signals_there(commands):
    number = commands.exec("/bin/sh", "-c", "echo ready; exec sleep 1000", processId="x", tty=True, **FOREVER)
    commands.wait_for_output("x", b"ready")
    commands.put("x", b"\x03")
    assert commands.wait(number)["exitCode"] == 128 + signal.SIGINT


# ---- The end ----------------------------------------------------------------------------------------


def test_the_tail_comes_through_a_grandchild_that_holds_the_stream(commands, site):
    """Its second half comes within the quiet window, if the machine lets the grandchild run."""
    for number in range(20):
        mark = site.native(site.directory / f"holds{number}")
        begin = time.monotonic()
        answer = commands.run(MISBEHAVE, "pids", mark, *TAIL)
        wait_until(lambda: not processes_with(mark), "what it leaves in its session ends with it")
        if answer["stdout"] == "tail":
            break
    assert answer == {"exitCode": 0, "stdout": "tail", "stderr": ""}
    assert time.monotonic() - begin >= 0.02


def test_a_stream_that_never_closes_does_not_keep_the_answer(commands):
    """Nor does one on which something comes all the time: the hard limit ends it."""
    answer = commands.run(MISBEHAVE, "leave", 5, *WITHOUT_END)
    assert answer["exitCode"] == 5 and answer["stdout"].startswith("line 1\n")


def test_control_fails_at_once_when_the_process_has_ended(commands):
    """Also while its output is still being read, and before the answer."""
    number = commands.exec(MISBEHAVE, "leave", 0, *WITHOUT_END, processId="x", streamStdin=True,
                           **STREAMED)
    ended = error(REQUEST, 'command/exec "x" is no longer running')
    wait_until(lambda: said_to_a_write(commands) == ended, "it has ended")
    assert number not in commands.answers, "that was said before the answer"
    assert commands.control("terminate", "x") == ended
    assert commands.control("resize", "x", size={"rows": 1, "cols": 1}) == ended
    assert commands.wait(number)["exitCode"] == 0
    assert commands.control("terminate", "x") == error(REQUEST, 'no active command/exec for process id "x"')


def said_to_a_write(commands):
    answer = commands.put("x", b"x")
    return said(answer) if "code" in answer else answer


def test_a_time_limit_ends_it_with_124_and_what_it_has_printed(commands):
    assert commands.run(MISBEHAVE, "print", "begun", "sleep-forever", timeoutMs=1500) == \
        {"exitCode": 124, "stdout": "begun\n", "stderr": ""}
    assert commands.run(*SLEEP, timeoutMs=0)["exitCode"] == 124


def test_a_time_limit_takes_the_whole_tree(commands, site):
    tree = Tree(site, 1)
    assert commands.run(*tree.command, timeoutMs=1500)["exitCode"] == 124
    wait_until(lambda: not tree.alive(), "all that was killed is gone")


def test_terminate(commands):
    number = commands.exec(*SLEEP, processId="x", **FOREVER)
    assert commands.control("terminate", "x") == {}
    assert commands.wait(number)["exitCode"] == 137


def test_an_id_can_be_used_again_after_the_answer(commands):
    first = commands.exec(*SLEEP, processId="x", **FOREVER)
    assert said(commands.run(*NOTHING, processId="x")) == \
        error(REQUEST, 'duplicate active command/exec process id: "x"')
    commands.control("terminate", "x")
    commands.wait(first)
    assert commands.run(MISBEHAVE, "print", "again", processId="x")["stdout"] == "again\n"


# ---- Refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("params, code, message", [
    ({"command": []}, REQUEST, "command must not be empty"),
    ({"command": ["a"], "size": {"rows": 1, "cols": 1}}, PARAMS, "command/exec size requires tty: true"),
    ({"command": ["a"], "tty": True, "processId": "x", "size": {"rows": 0, "cols": 1}}, PARAMS,
     "command/exec size rows and cols must be greater than 0"),
    ({"command": ["a"], "outputBytesCap": 1, "disableOutputCap": True}, PARAMS,
     "command/exec cannot set both outputBytesCap and disableOutputCap"),
    ({"command": ["a"], "timeoutMs": 1, "disableTimeout": True}, PARAMS,
     "command/exec cannot set both timeoutMs and disableTimeout"),
    ({"command": ["a"], "timeoutMs": -1}, PARAMS, "command/exec timeoutMs must be non-negative, got -1"),
    ({"command": ["a"], "tty": True}, REQUEST,
     "command/exec tty or streaming requires a client-supplied processId"),
    ({"command": ["a"], "sandboxPolicy": {"type": "x"}}, REQUEST, "sandboxPolicy is not supported"),
])
def test_parameters_that_do_not_go_together(commands, params, code, message):
    assert commands.wait(commands.send("command/exec", **params)) == error(code, message)


def test_control_that_does_not_fit(commands):
    number = commands.exec(*SLEEP, processId="x", **FOREVER)
    assert commands.control("write", "x") == \
        error(PARAMS, "command/exec/write requires deltaBase64 or closeStdin")
    assert commands.control("write", "x", deltaBase64="*") == \
        error(PARAMS, "invalid deltaBase64: its length is not a multiple of 4")
    assert commands.put("x", b"") == error(REQUEST, "stdin streaming is not enabled for this command/exec")
    assert commands.control("resize", "x", size={"rows": 1, "cols": 1}) == \
        error(REQUEST, "failed to resize PTY: process is not attached to a PTY")
    assert commands.control("resize", "x", size={"rows": 1, "cols": 0}) == \
        error(PARAMS, "command/exec size rows and cols must be greater than 0")
    for what, params in (("write", {"closeStdin": True}), ("terminate", {}),
                         ("resize", {"size": {"rows": 1, "cols": 1}})):
        assert commands.control(what, "y", **params) == \
            error(REQUEST, 'no active command/exec for process id "y"')
    commands.control("terminate", "x")
    assert commands.wait(number)["exitCode"] == 137


def test_input_that_was_closed(commands):
    number = commands.exec(MISBEHAVE, "cat", "sleep-forever", processId="x", streamStdin=True, **FOREVER)
    assert commands.control("write", "x", closeStdin=True) == {}
    assert commands.put("x", b"more") == error(REQUEST, "stdin is already closed")
    commands.control("terminate", "x")
    assert commands.wait(number)["exitCode"] == 137


def test_too_many_at_once_are_refused(web, commands):
    numbers = [commands.exec(*SLEEP, processId=str(i), **FOREVER) for i in range(40)]
    done = commands.exec(*NOTHING, processId="0")  # all those before have been looked at
    commands.wait(done)
    refused = [number for number in numbers if number in commands.answers]
    assert refused and all(commands.answers[number]["error"]["code"] == OVERLOADED for number in refused)
    assert 16 <= len(numbers) - len(refused) <= 39
    assert web.status("web")["state"] == "ready"


# ---- Whose it is ------------------------------------------------------------------------------------


def test_commands_belong_to_their_connection(web, commands):
    number = commands.exec(*SLEEP, processId="x", **FOREVER)
    with Commands(web) as other:
        assert other.control("terminate", "x") == \
            error(REQUEST, 'no active command/exec for process id "x"')
        assert other.run(MISBEHAVE, "print", "mine", processId="x")["stdout"] == "mine\n"
    assert commands.control("terminate", "x") == {}
    assert commands.wait(number)["exitCode"] == 137


class Tree:
    """A command with two children."""

    def __init__(self, site, number):
        self.pids = site.directory / f"pids{number}"
        self.command = (MISBEHAVE, "pids", self.pids, "fork-tree", 1, 2, "sleep-forever")

    def alive(self):
        found = self.pids.read_text().split() if self.pids.exists() else []
        return alive([int(pid) for pid in found])

    def wait(self):
        wait_until(lambda: len(self.alive()) == 2, "both children")


def test_a_connection_takes_its_commands_along_and_nobody_else_s(web, commands):
    mine, others = Tree(web, 1), Tree(web, 2)
    kept = commands.exec(*mine.command, processId="x", **FOREVER)
    with Commands(web) as other:
        other.exec(*others.command, processId="x", **FOREVER)
        others.wait()
        mine.wait()
    wait_until(lambda: not others.alive(), "the other one's commands have ended")
    assert len(mine.alive()) == 2
    commands.control("terminate", "x")
    assert commands.wait(kept)["exitCode"] == 137
    wait_until(lambda: not mine.alive(), "all that was killed is gone")


def test_who_only_stops_sending_gets_the_answer(web):
    with Commands(web) as commands:
        number = commands.exec(MISBEHAVE, "sleep", 200, "print", "done")
        commands.socket.shutdown(1)  # SHUT_WR
        assert commands.wait(number)["stdout"] == "done\n"
    tree = Tree(web, 1)
    with Commands(web) as commands:
        commands.exec(*tree.command, **FOREVER)
        commands.socket.shutdown(1)
        tree.wait()
    wait_until(lambda: not tree.alive(), "closed altogether, it takes its command along")


def test_a_restart_of_the_service_leaves_them_alone(site):
    begin_web(site)
    with Commands(site) as commands:
        number = commands.exec(MISBEHAVE, "cat", processId="x", streamStdin=True, **FOREVER)
        assert site.svcmgr("restart", "web").code == 0
        after = site.status("web")
        end_process(after["pid"])
        wait_until(lambda: site.status("web")["generation"] == 3 and
                   site.status("web")["state"] == "ready")
        commands.put("x", b"still here\n", closeStdin=True)
        assert commands.wait(number)["stdout"] == "still here\n"


def test_a_stop_of_the_service_ends_them(site):
    begin_web(site)
    tree = Tree(site, 1)
    with Commands(site) as commands:
        commands.exec(*tree.command, processId="x", **FOREVER)
        tree.wait()
        assert site.svcmgr("stop", "web").code == 0
        wait_until(lambda: not tree.alive(), "all that was killed is gone")
        assert commands.has_ended()


def test_a_supervisor_that_dies_takes_them_along(site):
    begin_web(site)
    tree = Tree(site, 1)
    with Commands(site) as commands:
        commands.exec(*tree.command, processId="x", **FOREVER)
        tree.wait()
        os.kill(site.supervisor_pid, signal.SIGKILL)
        assert commands.has_ended()
    wait_until(lambda: not tree.alive(), "the next supervisor ends them")
    after = site.status("web")
    assert after["pid"] == site.pid and after["state"] == "ready"


def test_an_upgrade_says_how_many_it_ended(site):
    begin_web(site)
    trees = [Tree(site, number) for number in range(3)]
    with Commands(site) as commands:
        for number, tree in enumerate(trees):
            commands.exec(*tree.command, processId=str(number), **FOREVER)
            tree.wait()
        result = site.svcmgr("upgrade", "web")
        assert result.code == 0 and "; 3 commands of svcmgr exec ended" in result.out, result
        assert commands.has_ended()
    wait_until(lambda: not any(tree.alive() for tree in trees))
    assert site.status("web")["pid"] == site.pid
    assert "commands" not in site.svcmgr("upgrade", "web").out


def test_a_hundred_connections_that_vanish_leave_nothing(web):
    """At whatever moment: while it starts, runs, prints, or ends."""
    mark = f"sleep-{web.directory.name}"
    for number in range(15 if WINDOWS else 100):
        with Commands(web) as commands:
            commands.exec(MISBEHAVE, "print", mark, "sleep", number % 3 * 100000, processId="x",
                          **STREAMED, **FOREVER)
            if number % 2:
                commands.wait_for_output("x", mark.encode())
    wait_until(lambda: not processes_with(mark), "all of them have ended")
    with Commands(web) as commands:
        assert commands.run(MISBEHAVE, "print", "well")["stdout"] == "well\n"
