"""What is restarted, when, how often, and how a service is given up."""

import signal
import socket

import pytest
from instances import causes, inherit, seconds_between, start_puppet, states, wait_for_status
from support import (LIMIT, MISBEHAVE, WINDOWS, end_process, free_port, get, pid_is_alive,
                     wait_until)

FAST = {"delay": "1ms", "max_delay": "5ms", "burst": 0}


def refused(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def crash(puppet, code=7):
    end(puppet, lambda: puppet.end(code))


def end(puppet, order):
    pid = puppet.pid()
    order()
    wait_until(lambda: not pid_is_alive(pid), "the puppet's end")


# ---- Policy ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when, code, again", [
    ("always", 0, True), ("always", 3, True),
    ("on-failure", 0, False), ("on-failure", 3, True),
    ("never", 0, False), ("never", 3, False),
])
def test_policy(site, when, code, again):
    puppet, before = start_puppet(site, restart={**FAST, "when": when})
    crash(puppet, code)
    if again:
        after = wait_for_status(site, "web", lambda status: status["generation"] == 2)
        assert after["restarts"] == 1
        assert after["supervisor_pid"] == before["supervisor_pid"]
        assert after["last_exit"] == {"code": code, "signal": None, "at": after["last_exit"]["at"],
                                      "reason": f"exited with code {code}"}
    else:
        site.wait_for_state("web", "stopped")
        assert not pid_is_alive(before["supervisor_pid"])
        assert causes(site, "web", "exit") == [f"exited with code {code}"]


def test_an_end_by_a_signal_is_a_failure(site):
    puppet, _ = start_puppet(site, restart=FAST)
    end(puppet, lambda: puppet.end_by("os.kill(os.getpid(), signal.SIGTERM)"))
    after = wait_for_status(site, "web", lambda status: status["generation"] == 2)
    assert (after["last_exit"]["code"], after["last_exit"]["signal"]) == (None, "TERM")


def test_prevented_codes_are_not_restarted(site):
    puppet, _ = start_puppet(site, restart={**FAST, "when": "always", "prevent_on": [7, 78]})
    crash(puppet, 6)
    wait_for_status(site, "web", lambda status: status["generation"] == 2)
    puppet.notify("READY=1")
    crash(puppet, 78)
    site.wait_for_state("web", "stopped")


def test_a_prevented_signal_is_its_code_plus_128(site):
    puppet, _ = start_puppet(site, restart={**FAST, "prevent_on": [128 + signal.SIGUSR1]})
    end(puppet, lambda: puppet.end_by("os.kill(os.getpid(), signal.SIGUSR1)"))
    site.wait_for_state("web", "stopped")


def test_a_start_by_hand_is_not_retried(site):
    starts = site.directory / "starts"
    site.add("job", [MISBEHAVE, "append", starts, "start", "exit", "5"],
             restart={**FAST, "when": "always"})
    result = site.svcmgr("start", "job")
    assert result.code == 1, result
    assert "exited with code 5" in result.err
    assert starts.read_text() == "start\n"
    assert site.status("job")["state"] == "stopped"


# ---- Back-off and giving up --------------------------------------------------------------------------


def test_a_run_that_was_ready_for_a_second_is_restarted_at_once_and_does_not_count(site):
    site.add("job", [MISBEHAVE, "exit-after-ms", "1100", "1"], settle="1ms",
             restart={"delay": "1h", "max_delay": "1h", "burst": 1})
    site.start("job")
    after = wait_for_status(site, "job", lambda status: status["generation"] == 3)
    assert after["state"] in ("starting", "ready")
    assert after["restarts"] == 2
    assert "backoff" not in states(site, "job")


def test_shorter_runs_back_off_with_a_growing_delay_up_to_a_limit(site):
    puppet, _ = start_puppet(site, restart={"delay": "40ms", "factor": 10, "max_delay": "200ms",
                                            "burst": 5})
    for generation in range(1, 5):
        crash(puppet)
        wait_for_status(site, "web", lambda status, n=generation: status["generation"] > n)
        puppet.notify("READY=1")
    waits = [seconds_between(entry["at"], after["at"])
             for entry, after in pairs(site, "backoff", "starting")]
    assert len(waits) >= 4  # on a busy machine one order may reach two generations
    # With jitter: a fifth less at most; more only because the machine is busy.
    for wait, planned in zip(waits, (0.04, 0.2, 0.2, 0.2)):
        assert planned * 0.8 - 0.002 <= wait < LIMIT


def pairs(site, first, second):
    entries = [entry for entry in site.events("web") if entry["event"] == "state"]
    return [(one, two) for one, two in zip(entries, entries[1:])
            if (one["to"], two["to"]) == (first, second)]


def test_backoff_says_when_it_tries_again_and_keeps_its_socket(site):
    port = free_port()
    site.add("web", [MISBEHAVE, "serve", "--status", "200", "exit-after", "2", "code", "9"],
             listen=inherit(port), health={"http": "/health"},
             restart={"delay": "1h", "max_delay": "1h"})
    site.start("web")
    assert get(port)[0] == 200
    status = site.wait_for_state("web", "backoff")
    assert 0.7 * 3600e3 < status["next_try_ms"] <= 3600e3
    assert status["pid"] is None
    assert status["status_text"] == "exited with code 9"
    assert status["listen"][0]["held"] is True
    assert not refused(port)
    assert site.svcmgr("status", "web").code == 0
    result = site.svcmgr("stop", "web")
    assert result.code == 0, result
    assert refused(port)
    assert site.status("web")["state"] == "stopped"


def add_failing(site, **keys):
    """A service that was ready once and ends as long as a file is there; has failed by now."""
    port = free_port()
    bad = site.directory / "bad"
    site.add("web", [MISBEHAVE, "notify-ready", "exit-if", bad, "4", "serve"], listen=inherit(port),
             ready="notify", restart={"delay": "1ms", "burst": 2, "within": "60s"}, **keys)
    before = site.start("web")
    bad.touch()
    end_process(before["pid"])
    status = site.wait_for_state("web", "failed")
    return port, bad, status


def test_more_short_runs_than_burst_are_given_up(site):
    port, _, status = add_failing(site)
    # Two of them may fail, the third is too many; where the machine stood still for a second, one
    # of them was no short run.
    assert status["generation"] >= 3
    assert status["pid"] is None
    assert status["listen"][0]["held"] is False
    assert refused(port)
    assert pid_is_alive(status["supervisor_pid"])
    assert site.svcmgr("status", "web").code == 3
    assert status["status_text"].startswith("exited with code 4")
    assert states(site, "web").count("backoff") >= 2
    assert states(site, "web")[-1] == "failed"


def test_start_from_failed_begins_anew(site):
    port, bad, before = add_failing(site)
    bad.unlink()
    result = site.svcmgr("start", "web")
    assert result.code == 0, result
    after = site.status("web")
    assert (after["state"], after["supervisor_pid"]) == ("ready", before["supervisor_pid"])
    assert get(port)[0] == 200


def test_start_from_failed_that_fails_again_says_why(site):
    _, _, before = add_failing(site)
    result = site.svcmgr("start", "web")
    assert result.code in (0, 1), result  # ready for an instant counts as ready
    status = site.wait_for_state("web", "failed")
    assert status["generation"] >= before["generation"] + 3  # the count began anew


def test_restart_from_failed(site):
    port, bad, before = add_failing(site)
    bad.unlink()
    result = site.svcmgr("restart", "web")
    assert result.code == 0, result
    assert get(port)[0] == 200
    assert site.status("web")["supervisor_pid"] == before["supervisor_pid"]


def test_stop_from_failed(site):
    _, _, before = add_failing(site)
    assert site.svcmgr("stop", "web").code == 0
    assert not pid_is_alive(before["supervisor_pid"])
    assert site.status("web")["state"] == "stopped"


def test_start_from_backoff_starts_now(site):
    puppet, _ = start_puppet(site, restart={"delay": "1h", "max_delay": "1h"})
    crash(puppet)
    site.wait_for_state("web", "backoff")
    starting = site.spawn("start", "web")
    puppet.notify("READY=1")
    assert starting.wait(20) == 0
    status = site.status("web")
    assert (status["state"], status["generation"]) == ("ready", 2)


def test_burst_0_never_gives_up(site):
    puppet, _ = start_puppet(site, restart=FAST)
    for generation in range(1, 12):
        crash(puppet)
        wait_for_status(site, "web", lambda status, n=generation: status["generation"] > n)
        puppet.notify("READY=1")
    assert "failed" not in states(site, "web")


def test_an_address_that_a_stranger_took_meanwhile_is_waited_for(site):
    """With 'self' nothing is held between two runs, so a stranger can be faster."""
    port = free_port()
    site.add("web", [MISBEHAVE, "bind", f"127.0.0.1:{port}", "serve"],
             listen={"address": f"127.0.0.1:{port}", "socket": "self"}, health={"http": "/health"},
             restart={"delay": "5s", "max_delay": "5s", "burst": 0}, bind_timeout="100ms")
    before = site.start("web")
    end_process(before["pid"])
    site.wait_for_state("web", "backoff")
    stranger = site.stranger(MISBEHAVE, "bind", f"127.0.0.1:{port}", "serve")
    status = wait_for_status(site, "web", lambda now: now["other"] is not None)
    assert WINDOWS or status["other"]["pid"] == stranger.pid  # Wine 8 says of nobody who it is
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()
    assert site.start("web")["generation"] == 2


def test_a_service_that_may_bind_itself_is_told_so(site):
    """Started with a held socket and never accepting: the usual mistake is named."""
    port = free_port()
    site.add("web", [MISBEHAVE, "bind", f"127.0.0.1:{port}", "serve"], listen=inherit(port),
             health={"http": "/health"})
    result = site.svcmgr("start", "web")
    assert result.code == 1, result
    assert f"web may bind 127.0.0.1:{port} itself; then set \"socket\": \"self\"" in result.err
