"""run: how it ends, and what signals to it mean."""

import json
import os
import signal
import tempfile
import time

import pytest
from instances import Control, add_puppet, causes, states, wait_for_status
from support import MISBEHAVE, pid_is_alive, wait_until

FAST = {"delay": "1ms", "max_delay": "5ms", "burst": 2}


def run(site, name, *options, **keywords):
    """With what it says in files: under Wine a pipe would stay with what goes on in the background."""
    out, err = (tempfile.TemporaryFile("w+") for _ in range(2))
    running = site.spawn("run", name, *options, stderr=err, stdout=out, **keywords)
    running.out, running.err = out, err
    return running


def text(file):
    with file:
        file.seek(0)
        return file.read()


def ended(running, limit=20):
    running.wait(limit)
    return running.returncode


# ---- Codes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code, options, expected", [
    (0, [], 0), (5, [], 1),
    (0, ["--exit-code-from-instance"], 0), (5, ["--exit-code-from-instance"], 5),
])
def test_the_code_when_the_policy_does_not_restart(site, code, options, expected):
    site.add("job", [MISBEHAVE, "exit-after-ms", "150", str(code)], settle="10ms",
             restart={"when": "never"})
    assert ended(run(site, "job", *options)) == expected
    assert site.status("job")["state"] == "stopped"


def test_the_instance_s_signal_is_128_plus_its_number(site):
    site.add("job", [MISBEHAVE, "sleep", "150", "die", "USR1"], settle="10ms",
             restart={"when": "never"})
    assert ended(run(site, "job", "--exit-code-from-instance")) == 128 + signal.SIGUSR1


def test_a_clean_end_under_on_failure_is_0(site):
    site.add("job", [MISBEHAVE, "exit-after-ms", "100", "0"], settle="10ms")
    assert ended(run(site, "job")) == 0


@pytest.mark.parametrize("options, expected", [([], 1), (["--exit-code-from-instance"], 9)])
def test_a_first_start_that_fails(site, options, expected):
    site.add("job", [MISBEHAVE, "exit", "9"])
    running = run(site, "job", *options)
    assert ended(running) == expected
    assert "exited with code 9" in text(running.err)


def test_failed_stays_and_ends_with_0_when_it_is_stopped(site):
    site.add("job", [MISBEHAVE, "exit-after-ms", "30", "1"], settle="1ms", restart=FAST)
    running = run(site, "job")
    site.wait_for_state("job", "failed")
    assert running.poll() is None
    assert site.svcmgr("stop", "job").code == 0
    assert ended(running) == 0


def test_fail_exit_ends_with_1(site):
    site.add("job", [MISBEHAVE, "exit-after-ms", "30", "4"], settle="1ms", restart=FAST)
    assert ended(run(site, "job", "--fail-exit")) == 1
    assert states(site, "job").count("backoff") == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_term_and_int_stop(site, number):
    site.add("job", [MISBEHAVE, "trap", "TERM", "100", "3", "sleep-forever"], settle="50ms")
    running = run(site, "job")
    status = site.wait_for_state("job", "ready")
    assert status["keeper_pid"] == running.pid
    running.send_signal(number)
    assert ended(running) == 0
    assert not pid_is_alive(status["pid"])
    assert causes(site, "job", "exit") == ["exited with code 3"]


@pytest.mark.parametrize("who", ["keeper_pid", "supervisor_pid"])
def test_a_second_term_kills_the_tree_now(site, who):
    pids = site.directory / "pids"
    site.add("job", [MISBEHAVE, "ignore", "TERM", "pids", pids, "fork-tree", "2", "2",
                     "sleep-forever"], settle="100ms", stop={"timeout": "1h"})
    running = run(site, "job")
    status = site.wait_for_state("job", "ready")
    os.kill(status[who], signal.SIGTERM)
    site.wait_for_state("job", "stopping")
    assert pid_is_alive(status["pid"])
    os.kill(status[who], signal.SIGTERM)
    assert ended(running) == 0
    assert not any(pid_is_alive(int(pid)) for pid in pids.read_text().split())


def test_one_signal_to_the_whole_group_is_one_stop(site):
    """A key press reaches every process of the terminal's group: the child must not get it twice."""
    site.add("job", [MISBEHAVE, "note", "INT", "trap", "TERM", "200", "0", "sleep-forever"],
             settle="50ms")
    running = run(site, "job", start_new_session=True)
    site.wait_for_state("job", "ready")
    os.killpg(running.pid, signal.SIGINT)
    assert ended(running) == 0
    assert causes(site, "job", "exit") == ["exited with code 0"]  # not killed by a second one
    assert "caught INT" not in "".join(site.log("job"))


def test_term_while_it_starts(site):
    puppet = add_puppet(site, ready="notify")
    running = run(site, "web")
    pid = puppet.pid()
    running.terminate()
    assert ended(running) == 0
    assert not pid_is_alive(pid)


def test_term_in_backoff(site):
    site.add("job", [MISBEHAVE, "exit-after-ms", "30", "4"], settle="1ms",
             restart={"delay": "1h", "max_delay": "1h"})
    running = run(site, "job")
    site.wait_for_state("job", "backoff")
    running.terminate()
    assert ended(running) == 0


@pytest.mark.parametrize("who", ["keeper_pid", "supervisor_pid"])
def test_hup_reloads(site, who):
    site.add("job", [MISBEHAVE, "sleep-forever"], settle="10ms")
    running = run(site, "job")
    status = site.wait_for_state("job", "ready")
    config = json.loads((site.config_dir / "job.json").read_text())
    config["stop"] = {"signal": "KILL"}
    site.write("job", json.dumps(config))
    assert site.status("job")["config_changed"] is True
    os.kill(status[who], signal.SIGHUP)
    wait_until(lambda: causes(site, "job", "reload"), "a reload in the history")
    after = site.status("job")
    assert (after["pid"], after["config_changed"]) == (status["pid"], False)
    running.terminate()
    assert ended(running) == 0
    assert causes(site, "job", "exit") == ["ended by SIGKILL"]


def test_hup_with_a_broken_configuration_changes_nothing(site):
    site.add("job", [MISBEHAVE, "sleep-forever"], settle="10ms")
    running = run(site, "job")
    status = site.wait_for_state("job", "ready")
    site.write("job", "{")
    running.send_signal(signal.SIGHUP)
    wait_until(lambda: causes(site, "job", "reload"), "a reload in the history")
    assert site.status("job")["pid"] == status["pid"]
    running.terminate()
    assert ended(running) == 0


def test_other_signals_are_passed_on(site):
    site.add("job", [MISBEHAVE, "note", "USR1", "USR2", "QUIT", "sleep-forever"], settle="100ms")
    running = run(site, "job")
    site.wait_for_state("job", "ready")
    for name in ("USR1", "USR2", "QUIT"):
        running.send_signal(getattr(signal, f"SIG{name}"))
        wait_until(lambda word=name: f"caught {word}" in site.log("job"), f"{name} in the log")
    assert running.poll() is None


def test_a_start_after_a_stop_was_asked_for_forgets_that_stop(site):
    """The keeper remembers stops for a supervisor that is being started again; one that was taken
    back must not come again."""
    puppet = add_puppet(site, ready="notify", stop={"timeout": "1h"})
    running = run(site, "web")
    puppet.do("on('TERM', None)")
    puppet.notify("READY=1")
    before = site.wait_for_state("web", "ready")
    running.terminate()
    site.wait_for_state("web", "stopping")
    with Control(site, "web") as control:
        control.send("start")
        control.call("hello")  # answered after it: the start has taken the stop back
    os.kill(before["pid"], signal.SIGKILL)
    wait_for_status(site, "web", lambda status: status["generation"] == 2)
    puppet.do("on('TERM', None)")
    puppet.notify("READY=1")
    site.wait_for_state("web", "ready")
    os.kill(before["supervisor_pid"], signal.SIGKILL)
    after = wait_for_status(site, "web",
                            lambda now: now["supervisor_pid"] != before["supervisor_pid"])
    assert after["state"] == "ready"
    running.terminate()  # the first one again: it is asked, not killed
    site.wait_for_state("web", "stopping")
    begin = time.monotonic()
    wait_until(lambda: time.monotonic() - begin > 0.2)
    assert pid_is_alive(after["pid"])
    running.terminate()
    assert ended(running) == 0
    assert not pid_is_alive(after["pid"])


def test_run_prints_what_happens_on_standard_error(site):
    site.add("job", [MISBEHAVE, "print", "hello", "sleep-forever"], settle="20ms")
    running = run(site, "job")
    site.wait_for_state("job", "ready")
    wait_until(lambda: "hello" in site.log("job"), "its output")
    assert site.svcmgr("stop", "job").code == 0
    assert ended(running) == 0
    lines = text(running.err).splitlines()
    assert all(line.startswith("svcmgr: job: ") for line in lines), lines
    assert any("ready" in line for line in lines)
    assert text(running.out) == ""  # it is no terminal: the output is in the log
