"""When a generation is ready: by health, by a message of its own, by staying alive."""

import os
import signal
import socket
import time

import pytest
from instances import add_puppet, add_server, inherit, seconds_between, wait_for_status
from support import (LIMIT, LONG, MISBEHAVE, PORTABLE, WINDOWS, free_port, get, pid_is_alive,
                     processes_with, wait_until)


# ---- By health -------------------------------------------------------------------------------------


def test_health_that_comes_late_is_waited_for(site):
    site.add("web", [MISBEHAVE, "sleep", "400", "serve"], listen=inherit(),
             health={"http": "/health"})
    status = site.start("web")
    assert status["state"] == "ready"
    assert 0.4 <= seconds_between(status["started_at"], status["ready_at"]) < LIMIT
    assert status["health"]["status"] == "healthy"


def test_a_503_is_not_ready_and_is_said_meanwhile(site):
    answers = add_server(site)
    answers.are(503)
    starting = site.spawn("start", "web")
    status = wait_for_status(site, "web", lambda status: "503" in (status["status_text"] or ""))
    assert status["state"] == "starting"
    assert "HTTP 503 from /health" in status["status_text"]
    assert starting.poll() is None
    answers.are(200)
    assert starting.wait(20) == 0
    assert site.status("web")["state"] == "ready"


def test_health_that_never_comes_fails_the_start_and_stops_everything(site):
    port = free_port()
    site.add("web", [MISBEHAVE, "serve", "--status", "503"], listen=inherit(port),
             health={"http": "/health"}, start_timeout="2s")
    result = site.svcmgr("start", "web")
    assert result.code == 1, result
    assert "not ready in 2000 ms" in result.err
    assert "HTTP 503 from /health" in result.err
    assert 2 <= result.seconds < LIMIT
    assert site.status("web")["state"] == "stopped"
    assert not processes_with(str(port)) and not processes_with(str(site.directory))
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))
        free.listen()


def test_health_by_tcp_waits_until_a_process_of_ours_accepts(site):
    site.add("web", [MISBEHAVE, "sleep", "300", "accept-silent"], listen=inherit(),
             health={"tcp": True})
    status = site.start("web")
    assert seconds_between(status["started_at"], status["ready_at"]) >= 0.3
    assert status["health"]["reply"] == "accepted"


def test_a_start_that_ends_before_it_is_ready_says_how(site):
    site.add("web", [MISBEHAVE, "die", "SEGV"], listen=inherit(),
             health={"http": "/health"})
    result = site.svcmgr("start", "web")
    assert result.code == 1, result
    assert "ended by SIGSEGV" in result.err
    assert "before it was ready" in result.err


# ---- By staying alive ------------------------------------------------------------------------------


def test_spawn_is_ready_when_the_program_stays_alive(site):
    site.add("job", [MISBEHAVE, "sleep-forever"], ready="spawn", settle="250ms")
    status = site.start("job")
    assert 0.25 <= seconds_between(status["started_at"], status["ready_at"]) < LIMIT


def test_a_program_that_ends_within_the_settle_time_is_not_ready(site):
    site.add("job", [MISBEHAVE, "exit-after-ms", "100", "4"], settle=LONG)
    result = site.svcmgr("start", "job")
    assert result.code == 1, result
    assert "exited with code 4 before it was ready" in result.err
    assert result.seconds < LIMIT


# ---- By message --------------------------------------------------------------------------------------


def test_ready_comes_with_the_message_and_not_before(site):
    puppet = add_puppet(site, ready="notify")
    starting = site.spawn("start", "web")
    puppet.notify("STATUS=warming up")
    puppet.barrier()
    status = site.status("web")
    assert status["state"] == "starting"
    assert status["status_text"] == "warming up"
    assert starting.poll() is None
    puppet.notify("READY=1\nSTATUS=serving\u2026 \x1b[31mred")
    assert starting.wait(20) == 0
    status = site.status("web")
    assert status["state"] == "ready"
    assert status["status_text"].startswith("serving\u2026")
    assert "\x1b" not in status["status_text"]


@pytest.mark.skipif(PORTABLE, reason="the sender of a datagram is not told there")
def test_ready_messages_of_strangers_count_for_nothing(site):
    puppet = add_puppet(site, ready="notify")
    starting = site.spawn("start", "web")
    address = puppet.do("notify_address()")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        for text in (b"READY=1", b"STATUS=a stranger", b"MAINPID=1"):
            stranger.sendto(text, address)
    puppet.barrier()  # came after them, so they have been looked at
    status = site.status("web")
    assert status["state"] == "starting"
    assert status["status_text"] is None
    puppet.notify("READY=1")
    assert starting.wait(20) == 0
    assert site.status("web")["pid"] == status["pid"]


def test_a_child_may_say_that_the_service_is_ready(site):
    puppet = add_puppet(site, ready="notify")
    starting = site.spawn("start", "web")
    helper = puppet.other("helper")
    helper.do("os.setsid() if os.getsid(0) != os.getpid() else None")
    helper.notify("READY=1")
    assert starting.wait(20) == 0
    assert site.status("web")["pid"] == puppet.pid()


def test_nonsense_messages_do_no_harm(site):
    puppet = add_puppet(site, ready="notify")
    starting = site.spawn("start", "web")
    for text in ("\n\n\n", "READY=2", "READY", "=", "MAINPID=", "MAINPID=-1", "MAINPID=99999999999",
                 "EXTEND_TIMEOUT_USEC=x", "ERRNO=99999", "STATUS=" + "s" * 4000, "WATCHDOG=2",
                 "x" * 60000, "FDSTORE=1"):
        puppet.notify(text)
    puppet.do("notify('READY=0', 0, 1, 2)")
    puppet.do("notify(chr(0) * 10)")
    puppet.barrier()
    assert site.status("web")["state"] == "starting"
    puppet.notify("READY=1")
    assert starting.wait(20) == 0
    assert site.status("web")["pid"] == puppet.pid()


def test_extend_timeout_gives_more_time_to_start(site):
    puppet = add_puppet(site, ready="notify", start_timeout="2s")
    starting = site.spawn("start", "web")
    begin = time.monotonic()
    puppet.notify("EXTEND_TIMEOUT_USEC=10000000")
    puppet.barrier()
    wait_until(lambda: time.monotonic() - begin > 2.3)
    assert starting.poll() is None
    assert site.status("web")["state"] == "starting"
    puppet.notify("READY=1")
    assert starting.wait(20) == 0


def test_extend_timeout_gives_more_time_to_stop(site):
    puppet = add_puppet(site, ready="notify", stop={"timeout": "2s"})
    starting = site.spawn("start", "web")
    puppet.do("on('TERM', None)")
    puppet.notify("READY=1")
    assert starting.wait(20) == 0
    pid = puppet.pid()
    stopping = site.spawn("stop", "web")
    site.wait_for_state("web", "stopping")
    begin = time.monotonic()
    puppet.notify("STOPPING=1\nEXTEND_TIMEOUT_USEC=10000000\nSTATUS=saving")
    puppet.barrier()
    wait_until(lambda: time.monotonic() - begin > 2.3)
    assert pid_is_alive(pid)
    assert site.status("web")["status_text"] == "saving"
    os.kill(pid, signal.SIGKILL)
    assert stopping.wait(20) == 0


def test_an_errno_is_shown_as_its_text(site):
    puppet = add_puppet(site, ready="notify")
    starting = site.spawn("start", "web")
    puppet.notify("ERRNO=28")
    puppet.barrier()
    assert site.status("web")["status_text"] == os.strerror(28)
    puppet.notify("READY=1")
    assert starting.wait(20) == 0


def test_reloading_is_shown_until_it_is_ready_again(site):
    puppet = add_puppet(site, ready="notify")
    starting = site.spawn("start", "web")
    puppet.notify("READY=1")
    assert starting.wait(20) == 0
    puppet.notify("RELOADING=1")
    puppet.barrier()
    assert site.status("web")["status_text"] == "reloading"
    puppet.notify("READY=1")
    puppet.barrier()
    status = site.status("web")
    assert status["state"] == "ready"
    assert status["status_text"] is None


# ---- The main process changes ----------------------------------------------------------------------


def test_the_main_process_may_hand_over_to_another_of_its_tree(site):
    puppet = add_puppet(site, ready="notify", restart={"delay": "1ms", "burst": 0})
    starting = site.spawn("start", "web")
    heir = puppet.other("heir")
    former_pid, heir_pid = puppet.pid(), heir.pid()
    puppet.notify(f"MAINPID={heir_pid}\nREADY=1")
    assert starting.wait(20) == 0
    assert site.status("web")["pid"] == heir_pid
    os.kill(former_pid, signal.SIGKILL)
    wait_until(lambda: heir.do("os.getppid()") != former_pid, "the former main process is gone")
    status = site.status("web")
    assert (status["state"], status["pid"], status["restarts"]) == ("ready", heir_pid, 0)
    os.kill(heir_pid, signal.SIGKILL)
    status = wait_for_status(site, "web", lambda status: status["restarts"] == 1)
    assert status["last_exit"]["signal"] == (None if PORTABLE else "KILL")


def test_a_main_process_outside_the_tree_is_refused(site):
    puppet = add_puppet(site, ready="notify")
    starting = site.spawn("start", "web")
    outside = site.stranger(MISBEHAVE, "sleep-forever")
    for pid in (outside.pid, os.getpid(), 1):
        puppet.notify(f"MAINPID={pid}")
    puppet.notify("READY=1")
    puppet.barrier()
    assert starting.wait(20) == 0
    assert site.status("web")["pid"] == puppet.pid()
    assert site.svcmgr("stop", "web").code == 0
    assert outside.poll() is None


def test_a_main_process_that_goes_on_in_its_child(site):
    site.add("web", [MISBEHAVE, "mainpid", "notify-ready", "sleep-forever"], ready="notify")
    status = site.start("web")
    assert status["state"] == "ready"
    assert pid_is_alive(status["pid"])
    assert status["restarts"] == 0
    assert site.svcmgr("stop", "web").code == 0
    assert not pid_is_alive(status["pid"])


def test_a_program_that_executes_itself_in_place_keeps_its_supervision(site):
    port = free_port()
    site.add("web", [MISBEHAVE, "sleep", "50", "reexec", "serve"], listen=inherit(port),
             health={"http": "/health"})
    status = site.start("web")
    assert get(port)[0] == 200
    assert pid_is_alive(status["pid"])
    assert status["generation"] == 1


def test_a_connection_that_nobody_accepted_is_no_health(site):
    """The program shuts its socket down under a connection that waits there: it is reset."""
    for number in range(20):
        name = f"deaf{number}"
        site.add(name, [MISBEHAVE, "stop-listening", "sleep-forever"], listen=inherit(),
                 health={"tcp": True}, start_timeout="60ms")
        result = site.svcmgr("start", name)
        assert result.code == 1 and "not ready" in result.err, result


def test_a_connection_that_was_accepted_and_closed_is_health(site):
    site.add("short", [MISBEHAVE, "close-at-once"], listen=inherit(), health={"tcp": True})
    for _ in range(3 if WINDOWS else 10):  # a start takes its time under Wine
        assert site.start("short")["health"]["status"] == "healthy"
        assert site.svcmgr("stop", "short").code == 0
