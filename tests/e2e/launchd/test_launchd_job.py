"""Being a job of launchd's: what it starts again and what not, whose death ends what, sockets."""

import os
import plistlib
import signal
import socket
import subprocess

import pytest
from stand_in import GUI
from support import (LIMIT, PYTHON, WEBUI, free_port, get, pid_is_alive, sockets_of,
                     wait_until)

LABEL = "svcmgr.webui"


def load(launchd, name="webui"):
    """Without a start's waiting: as at a login."""
    launchd.do("bootstrap", GUI, launchd.plist(name))


def wait_for_keeper(site, pid, *states):
    """Until the supervisor of this keeper is what status shows."""
    def look():
        status = site.status()
        return status if status["keeper_pid"] == pid and status["state"] in states else None

    return wait_until(look, f"the supervisor of keeper {pid}")


def wait_for_standby(site, pid):
    def look():
        status = site.status()
        return status if [one["keeper_pid"] for one in status["standby"]] == [pid] else None

    return wait_until(look, f"the standby with keeper {pid}")


# ---- Hand starts beside it -----------------------------------------------------------------------


def test_it_stands_in_line_behind_a_hand_start(site, launchd):
    port = site.add_webui()
    launchd.install()
    site.start("webui", "--direct")
    load(launchd)
    pid = launchd.wait_for_run()
    status = wait_for_standby(site, pid)
    assert status["launcher"]["kind"] == "manual"
    assert status["standby"][0]["launcher"] == "launchd"
    os.kill(status["keeper_pid"], signal.SIGTERM)
    status = wait_for_keeper(site, pid, "ready")
    assert status["launcher"] == {"kind": "launchd", "unit": LABEL} and get(port)[0] == 200
    assert launchd.runs() == 1


def test_it_stands_by_while_the_program_itself_was_started_by_hand(site, launchd):
    """A person started the program in a shell, without svcmgr: nothing is started beside it, and
    nothing again and again."""
    port = site.add_webui(probe_timeout="200ms")
    stranger = site.stranger(WEBUI, "--quiet", env={"PORT": str(port), "SVCMGR_ADDRESS": "127.0.0.1"})
    wait_until(lambda: get_or_none(port))
    launchd.install()
    load(launchd)
    pid = launchd.wait_for_run()
    status = wait_for_keeper(site, pid, "standby")
    assert status["other"]["pid"] == stranger.pid
    assert launchd.runs() == 1
    stranger.terminate()
    stranger.wait()
    status = wait_for_keeper(site, pid, "ready")
    assert get(port)[0] == 200 and launchd.runs() == 1


def get_or_none(port):
    try:
        return get(port)
    except OSError:
        return None


def test_a_hand_start_beside_it_finds_it_and_ends(site, launchd):
    port = site.add_webui()
    launchd.install("webui", "--now")
    pid = site.status()["pid"]
    for _ in range(5):
        result = site.svcmgr("run", "webui")
        assert result.code == 10 and "already running" in result.err
        assert site.svcmgr("start", "webui", "--direct").code == 0
        assert site.svcmgr("start", "webui").code == 0
    assert site.status()["pid"] == pid and launchd.runs() == 1
    hand = site.spawn("run", "webui", "--duplicate", "standby", stderr=subprocess.DEVNULL)
    wait_for_standby(site, hand.pid)
    launchd.do("bootout", f"{GUI}/{LABEL}")
    status = wait_for_keeper(site, hand.pid, "ready")
    assert status["launcher"]["kind"] == "manual" and get(port)[0] == 200
    wait_until(lambda: launchd.job() == {})


def test_two_jobs_of_one_program_do_not_fight(site, launchd):
    """One by svcmgr, one written by somebody else with KeepAlive: the first stays where it is."""
    port = site.add_webui(probe_timeout="200ms")
    launchd.install("webui", "--now")
    other = site.directory / "other.plist"
    site.add("other", [WEBUI], listen=f"127.0.0.1:{port}")
    words = [*site.command("run", "other")]
    other.write_bytes(plistlib.dumps({"Label": "org.other", "ProgramArguments": words,
                                      "RunAtLoad": True, "KeepAlive": True}))
    launchd.do("bootstrap", GUI, other)
    pid = site.status()["pid"]
    # Its own KeepAlive starts it again whatever its end was; ours has no part in that.
    wait_until(lambda: int(subprocess_runs(launchd, "org.other")) >= 3)
    assert launchd.runs() == 1 and site.status()["pid"] == pid and get(port)[0] == 200
    launchd.do("bootout", f"{GUI}/org.other")


def subprocess_runs(launchd, label):
    text = launchd.do("print", f"{GUI}/{label}")
    return text.split("\n\truns = ")[1].split("\n")[0]


# ---- Ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stop", "failed", "ended", "configuration", "dependency",
                                 "occupied"])
def test_what_svcmgr_decides_is_not_started_again(site, launchd, how):
    port = site.add_webui()
    if how == "ended":
        site.add("webui", ["/bin/sh", "-c", "sleep 0.3; exit 3"], restart={"when": "never"})
    elif how == "failed":
        site.add("webui", ["/bin/false"], restart={"burst": 1, "delay": "10ms"})
        launchd.install()
        text = launchd.plist().read_text()
        launchd.plist().write_text(
            text.replace("<string>standby<", "<string>standby</string><string>--fail-exit<"))
    elif how == "dependency":
        site.add("db", ["/bin/false"])
        site.add_webui(depends_on=["db"])
    elif how == "occupied":
        site.add_webui(port=port, probe_timeout="100ms", bind_timeout="100ms")
    if how != "failed":
        launchd.install()
    if how == "configuration":
        site.write("webui", '{"command": 1}')
    codes = {"stop": None, "failed": 1, "ended": 1, "configuration": 6, "dependency": 1}
    if how == "occupied":  # it waits for whoever that is, which is no end at all
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", port))
            load(launchd)
            wait_for_keeper(site, launchd.wait_for_run(), "standby")
            assert launchd.runs() == 1
            return
    load(launchd)
    if how == "stop":
        wait_for_keeper(site, launchd.wait_for_run(), "ready")
        assert site.svcmgr("stop", "webui", "--direct").code == 0
    wait_until(lambda: launchd.runs() == 1 and launchd.pid() == 0)
    job = launchd.job()
    assert job["last exit code"] == "0" and job["state"] == "not running"
    log = (site.state_of("webui") / "launchd.log").read_text()
    if codes[how] is None:
        assert log == ""
    else:
        assert f"svcmgr: webui: ended with code {codes[how]}; launchd is told 0" in log
    launchd.do("kickstart", f"{GUI}/{LABEL}")
    wait_until(lambda: launchd.runs() == 2)


def test_a_keeper_that_is_killed_is_started_again_and_its_tree_ends(site, launchd):
    """For launchd the job is over; the next one waits in line until the last one's tree is gone."""
    port = site.add_webui()
    launchd.install("webui", "--now")
    before = site.status()
    os.kill(before["keeper_pid"], signal.SIGKILL)
    pid = launchd.wait_for_run(number=2)
    after = wait_for_keeper(site, pid, "ready")
    assert after["pid"] != before["pid"] and get(port)[0] == 200
    assert not pid_is_alive(before["pid"]) and not pid_is_alive(before["supervisor_pid"])
    causes = [one["cause"] for one in site.events() if one["event"] == "keeper"]
    assert causes == ["the keeper has died, and with it the job: the service stops"]


def test_a_keeper_that_is_killed_while_it_stands_in_line(site, launchd):
    site.add_webui()
    launchd.install()
    site.start("webui", "--direct")
    served = site.status()["pid"]
    load(launchd)
    pid = launchd.wait_for_run()
    wait_for_standby(site, pid)
    os.kill(pid, signal.SIGKILL)
    again = launchd.wait_for_run(number=2)
    wait_for_standby(site, again)
    assert site.status()["pid"] == served


def test_without_launchd_the_service_goes_on_without_a_keeper(site, launchd):
    site.add_webui()
    before = site.start()
    os.kill(before["keeper_pid"], signal.SIGKILL)
    wait_until(lambda: site.status()["keeper_pid"] is None)
    assert site.status()["pid"] == before["pid"]


def test_a_supervisor_that_is_killed_is_none_of_launchds_business(site, launchd):
    site.add_webui()
    launchd.install("webui", "--now")
    before = site.status()
    os.kill(before["supervisor_pid"], signal.SIGKILL)
    wait_until(lambda: site.status()["supervisor_pid"] not in (None, before["supervisor_pid"]))
    after = site.status()
    assert after["pid"] == before["pid"] and after["launcher"] == before["launcher"]
    assert launchd.runs() == 1


def test_an_upgrade_is_still_the_same_job(site, launchd):
    site.add_webui()
    launchd.install("webui", "--now")
    before = site.status()
    assert site.svcmgr("upgrade", "webui").code == 0
    assert site.status()["launcher"] == before["launcher"]
    assert launchd.pid() == before["keeper_pid"] and launchd.runs() == 1
    assert site.svcmgr("stop", "webui", "--direct").code == 0
    wait_until(lambda: launchd.pid() == 0)
    assert launchd.job()["last exit code"] == "0"


def test_its_own_words_go_to_a_small_file(site, launchd):
    """launchd appends to it for ever: it begins anew with each run, and history is not told there."""
    site.add_webui()
    launchd.install("webui", "--now")
    log = site.state_of("webui") / "launchd.log"
    for _ in range(3):
        assert site.svcmgr("restart", "webui").code == 0
    assert log.read_text() == ""
    log.write_text("x" * 1000000)
    assert site.svcmgr("stop", "webui", "--now").code == 0
    wait_until(lambda: launchd.pid() == 0)
    launchd.do("kickstart", f"{GUI}/{LABEL}")
    wait_for_keeper(site, launchd.wait_for_run(number=2), "ready")
    assert log.read_text() == ""


def test_a_log_of_somebody_elses_plist_is_left_alone(site, launchd):
    site.add_webui()
    log = site.directory / "mine.log"
    log.write_text("before\n")
    plist = site.directory / "mine.plist"
    plist.write_bytes(plistlib.dumps({
        "Label": "com.example.webui", "RunAtLoad": True, "StandardErrorPath": str(log),
        "ProgramArguments": site.command("run", "webui")}))
    launchd.do("bootstrap", GUI, plist)
    status = site.wait_for_state("webui", "ready")
    assert status["launcher"] == {"kind": "launchd", "unit": "com.example.webui"}
    assert log.read_text() == "before\n"
    launchd.do("bootout", f"{GUI}/com.example.webui")


# ---- Whose job it is -----------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["0", "", "application.com.apple.Terminal.1.2", LABEL])
def test_a_label_alone_says_nothing(site, launchd, label):
    """Whatever is started below a job, a terminal window or a login shell inherits one."""
    site.add_webui()
    run = site.spawn("run", "webui", env=site.environment | {"XPC_SERVICE_NAME": label},
                     stderr=subprocess.DEVNULL)
    assert site.wait_for_state("webui", "ready")["launcher"] == {"kind": "manual", "unit": None}
    run.terminate()
    assert run.wait(LIMIT) == 0


@pytest.mark.parametrize("label", ["0", "application.com.apple.Terminal.1.2"])
def test_below_launchd_some_labels_are_no_jobs(site, launchd, label):
    """A wrapper that execs us: launchd is the parent, and the label says that it is no job."""
    site.add_webui()
    plist = site.directory / "wrapper.plist"
    plist.write_bytes(plistlib.dumps({
        "Label": "com.example.wrapper", "RunAtLoad": True,
        "ProgramArguments": ["/usr/bin/env", f"XPC_SERVICE_NAME={label}",
                             *site.command("run", "webui")]}))
    launchd.do("bootstrap", GUI, plist)
    assert site.wait_for_state("webui", "ready")["launcher"] == {"kind": "manual", "unit": None}
    launchd.do("bootout", f"{GUI}/com.example.wrapper")


def test_the_instance_sees_nothing_of_launchds(site, launchd):
    out = site.directory / "environment"
    site.add("webui", ["/bin/sh", "-c", f"env > {out}.new; mv {out}.new {out}; exec sleep 1000"])
    launchd.install("webui", "--now")
    names = dict(line.split("=", 1) for line in out.read_text().splitlines())
    assert not [name for name in names if name.startswith(("XPC_", "SVCMGR_LAUNCHD"))]
    assert names["PATH"].startswith("/usr/local/sbin:")


def test_a_holder_is_named_with_its_job(site, launchd):
    port = site.add_webui(probe_timeout="200ms")
    plist = site.directory / "other.plist"
    plist.write_bytes(plistlib.dumps({
        "Label": "com.example.other", "RunAtLoad": True,
        "ProgramArguments": ["/usr/bin/env", f"PORT={port}", "SVCMGR_ADDRESS=127.0.0.1", WEBUI,
                             "--quiet"]}))
    launchd.do("bootstrap", GUI, plist)
    wait_until(lambda: get_or_none(port))
    result = site.svcmgr("run", "webui")
    assert result.code == 10 and "started by launchd job com.example.other" in result.err, result
    result = site.svcmgr("doctor", "webui")
    assert f"launchctl bootout {GUI}/com.example.other" in result.out
    launchd.do("bootout", f"{GUI}/com.example.other")


@pytest.mark.parametrize("how", ["serves", "comes", "elsewhere", "absent", "idle"])
def test_a_rival_is_there_if_it_serves_or_comes(site, launchd, how):
    port = site.add_webui(probe_timeout="100ms",
                          rivals=[{"launchd": "com.example.rival"}])
    other = free_port()
    listener = (f"import socket, time\ns = socket.socket()\ns.bind(('127.0.0.1', {other}))\n"
                "s.listen()\ntime.sleep(1000)")
    words = {"serves": ["/bin/sleep", "1000"], "comes": ["/bin/false"], "idle": ["/bin/true"],
             "elsewhere": [PYTHON, "-I", "-S", "-c", listener]}
    plist = site.directory / "rival.plist"
    if how != "absent":
        launchd.set("throttle", 1000)
        plist.write_bytes(plistlib.dumps({
            "Label": "com.example.rival", "RunAtLoad": True, "ProgramArguments": words[how],
            "KeepAlive": {"SuccessfulExit": False}}))
        launchd.do("bootstrap", GUI, plist)
    wanted = {"serves": "running", "comes": "spawn scheduled", "idle": "not running",
              "elsewhere": "running"}
    if how != "absent":
        wait_until(lambda: f"state = {wanted[how]}\n" in
                   launchd.do("print", f"{GUI}/com.example.rival") and
                   subprocess_runs(launchd, "com.example.rival") == "1")
    if how == "elsewhere":
        wait_until(lambda: can_connect(other))
    if how in ("serves", "comes"):
        result = site.svcmgr("run", "webui")
        assert result.code == 10 and "launchd job com.example.rival may run the same" in result.err
        assert f"type launchctl bootout {GUI}/com.example.rival" in result.err
    else:
        site.spawn("run", "webui", stderr=subprocess.DEVNULL)
        site.wait_for_state("webui", "ready")
        assert get(port)[0] == 200
    if how != "absent":
        launchd.do("bootout", f"{GUI}/com.example.rival")


def can_connect(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


# ---- Sockets -------------------------------------------------------------------------------------


def test_the_sockets_of_the_plist_are_the_services(site, launchd):
    port = free_port()
    path = site.directory / "web & <ui>.sock"
    six = free_port()
    site.add("webui", [WEBUI, "--quiet"], health={"http": "/health"},
             listen=[f"127.0.0.1:{port}", f"unix:{path}", f"[::]:{six}"])
    launchd.install("webui", "--socket")
    result = site.svcmgr("start", "webui")
    assert result.code == 0, result
    status = site.status()
    assert all(one["held"] and one["socket"] == "inherit" for one in status["listen"]), status
    held = sockets_of(launchd.program.pid)
    assert len(held & sockets_of(status["pid"])) >= 3
    assert get(port)[0] == 200 and path.stat().st_mode & 0o777 == 0o600
    assert "with its sockets" in site.svcmgr("doctor", "webui").out
    assert [one for one in site.events() if one["event"] == "warning"] == []
    assert site.svcmgr("restart", "webui").code == 0 and get(port)[0] == 200


def test_stop_lets_the_sockets_go_too(site, launchd):
    """Else the next connection would start it again."""
    port = site.add_webui()
    launchd.install("webui", "--socket", "--now")
    assert site.svcmgr("stop", "webui").code == 0
    assert not can_connect(port) and launchd.job() == {}


def test_a_connection_starts_one_that_has_ended(site, launchd):
    port = site.add_webui()
    launchd.install("webui", "--socket", "--now")
    assert site.svcmgr("stop", "webui", "--now").code == 0
    wait_until(lambda: launchd.pid() == 0)
    assert get(port, timeout=LIMIT)[0] == 200
    assert launchd.runs() == 2 and site.status()["launcher"]["kind"] == "launchd"


def test_a_start_beside_the_sockets_is_refused_and_wakes_nobody(site, launchd):
    site.add_webui()
    launchd.install("webui", "--socket", "--now")
    assert site.svcmgr("stop", "webui", "--now").code == 0
    wait_until(lambda: launchd.pid() == 0)
    result = site.svcmgr("run", "webui")
    assert result.code == 10 and "installed for this service and has its sockets" in result.err
    assert f"type launchctl bootout {GUI}/{LABEL}" in result.err
    assert launchd.runs() == 1 and launchd.pid() == 0


def test_a_start_beside_one_that_comes_back_is_refused(site, launchd):
    site.add_webui()
    launchd.install("webui", "--now")
    launchd.set("throttle", 1000)
    status = site.status()
    os.kill(status["keeper_pid"], signal.SIGKILL)
    wait_until(lambda: launchd.job()["state"] == "spawn scheduled" and
               not pid_is_alive(status["supervisor_pid"]))
    result = site.svcmgr("run", "webui")
    assert result.code == 10 and "installed for this service and comes by itself" in result.err
    hand = site.spawn("run", "webui", "--duplicate", "standby", stderr=subprocess.DEVNULL)
    wait_for_keeper(site, hand.pid, "standby")
    launchd.do("bootout", f"{GUI}/{LABEL}")
    wait_for_keeper(site, hand.pid, "ready")


def test_a_restart_under_load_loses_nobody(site, launchd):
    """Connections without a pause, through a restart, a killed supervisor and an upgrade."""
    port = site.add_webui(socket="inherit")
    launchd.install("webui", "--socket", "--now")
    before = site.status()
    rain = subprocess.Popen([PYTHON, "-I", "-S", "-c", RAIN, str(port)], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert rain.stdout.readline() == "begun\n"
        assert site.svcmgr("restart", "webui").code == 0
        os.kill(site.status()["supervisor_pid"], signal.SIGKILL)
        wait_until(lambda: site.status()["supervisor_pid"] not in (None, before["supervisor_pid"]))
        assert site.svcmgr("upgrade", "webui").code == 0
        assert site.svcmgr("restart", "webui").code == 0
    finally:
        out, _ = rain.communicate("\n", timeout=LIMIT)
    served, lost = map(int, out.split())
    assert lost == 0 and served > 20, (served, lost)
    assert launchd.runs() == 1 and launchd.pid() == before["keeper_pid"]


RAIN = """
import select, socket, sys
served = lost = 0
print("begun", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    try:
        with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60) as client:
            client.sendall(b"GET /health HTTP/1.0\\r\\n\\r\\n")
            if client.recv(100).startswith(b"HTTP/1."):
                served += 1
            else:
                lost += 1
    except OSError:
        lost += 1
print(served, lost)
"""
