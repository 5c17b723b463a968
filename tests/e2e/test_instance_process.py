"""The instance as a process: descriptors, signals, limits, user; and the supervisor behind it."""

import json
import os
import pwd
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import windows
from strangers import NOBODY, is_root
from support import (LIMIT, MISBEHAVE, NO_FILE, PYTHON, SUFFIX, SVCMGR, WINDOWS, end_process,
                     free_port, open_files, wait_until)
from test_instance_environment import add_reporter, read_report, report_of

needs_root = pytest.mark.skipif(not is_root(), reason="needs root")

# Runs a command from a place that is as unfriendly as a launcher can make it.
DIRTY = """
import fcntl, os, signal, sys
how, words = sys.argv[1], sys.argv[2:]
if "signals" in how:
    for number in range(1, signal.NSIG):
        if number not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, 32, 33):
            signal.signal(number, signal.SIG_IGN)
if "mask" in how:
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
if "chld" in how:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if "fds" in how:
    for number in [*range(3, 40), 200, 1000]:
        os.dup2(os.open("/etc/passwd", os.O_RDONLY), number)
if "nonblock" in how:
    fcntl.fcntl(1, fcntl.F_SETFL, os.O_NONBLOCK)
if "cwd" in how:
    os.mkdir("gone")
    os.chdir("gone")
    os.rmdir("../gone")
if "umask" in how:
    os.umask(0o777)
if "closed" in how:
    for number in (0, 1, 2):
        os.close(number)
if "nice" in how:
    os.nice(5)
os.execv(words[0], words)
"""

HOSTILE = ["signals", "mask", "chld", "fds", "cwd", "umask", "closed",
           "signals,mask,chld,fds,cwd,umask,closed"]


def from_a_hostile_place(site, how, *words):
    return subprocess.run([PYTHON, "-I", "-S", "-c", DIRTY, how, *site.command(*words)],
                          cwd=site.directory, env=site.environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60,
                          check=False).returncode


def descriptors(report):
    """The report's own file is open while it is written."""
    return [fd for fd in report["fds"] if fd["target"].split(" ")[0] not in
            (report["argv"][report["argv"].index("report") + 1],)
            and not fd["target"].startswith("/proc/")]


def assert_clean(site, report):
    """What is true of every instance, whoever launches."""
    assert Path(report["cwd"].replace("\\", "/")) == Path(site.native(site.directory))
    if WINDOWS:
        return
    assert report["signals_ignored"] == [] and report["signals_blocked"] == []
    fds = descriptors(report)
    assert [fd["fd"] for fd in fds] == [0, 1, 2], fds
    assert fds[0]["target"] == "/dev/null"
    assert fds[1]["pipe"] and fds[2]["pipe"]
    assert not any(fd["nonblock"] for fd in fds)
    assert report["umask"] == 0o022
    assert report["sid"] == report["pgid"] == report["pid"]


# ---- Descriptors and signals ---------------------------------------------------------------------------


def test_stdin_is_null_stdout_and_stderr_are_ours_and_there_is_nothing_else(site):
    assert_clean(site, report_of(site))


def test_a_passed_socket_is_3_and_there_is_nothing_else(site):
    report = report_of(site, ready="spawn",
                       listen={"address": f"127.0.0.1:{free_port()}", "socket": "inherit"})
    fds = descriptors(report)
    assert [fd["fd"] for fd in fds] == [0, 1, 2, 3]
    assert fds[3]["listening"] and not fds[3]["nonblock"] and not fds[3]["cloexec"]


@pytest.mark.parametrize("how", HOSTILE)
def test_start_from_a_hostile_place_makes_the_same_instance(site, how):
    add_reporter(site)
    assert from_a_hostile_place(site, how, "start", "job") == 0
    assert_clean(site, read_report(site.report))
    assert site.status("job")["state"] == "ready"
    assert from_a_hostile_place(site, how, "restart", "job") == 0
    assert from_a_hostile_place(site, how, "stop", "job") == 0
    assert site.status("job")["state"] == "stopped"


@pytest.mark.parametrize("how", HOSTILE)
def test_run_from_a_hostile_place_makes_the_same_instance(site, how):
    add_reporter(site)
    running = site.stranger(PYTHON, "-I", "-S", "-c", DIRTY, how, *site.command("run", "job"),
                            cwd=site.directory, env=site.environment)
    status = site.wait_for_state("job", "ready")
    assert_clean(site, read_report(site.report))
    pidfile = (site.state_of("job") / "pid").read_text()
    assert pidfile == f"{status['supervisor_pid']}\n"  # and nothing that was meant for a terminal
    end_process(status["pid"])  # its end is noticed
    wait_until(lambda: site.status("job")["restarts"] == 1, "a restart")
    if WINDOWS:
        assert site.svcmgr("stop", "job").code == 0
    else:
        running.terminate()
    assert running.wait(LIMIT) == 0
    assert site.status("job")["state"] == "stopped"


# ---- What is configured ----------------------------------------------------------------------------------


def soft(report, name="nofile"):
    return report["rlimits"][name]["soft"]


@pytest.mark.parametrize("before, hard, expected", [
    (1024, 20000, 4096), (64, 20000, 4096), (64, 2000, 2000), (8000, 20000, 8000),
    (4096, 4096, 4096),
])
def test_the_soft_limit_of_open_files_is_raised_and_never_lowered(site, before, hard, expected):
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < hard:
        pytest.skip(f"the hard limit is below {hard}")
    add_reporter(site)
    result = site.svcmgr("start", "job", preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_NOFILE, (before, hard)))
    assert result.code == 0, result
    report = read_report(site.report)
    assert report["rlimits"]["nofile"] == {"soft": expected, "hard": hard}


def test_limits_are_what_was_asked_for(site):
    report = report_of(site, limits={"nofile": 77, "core": 0, "fsize": "1GiB", "stack": "4MiB",
                                     "cpu": "1h", "nproc": 5000})
    assert [soft(report, name) for name in ("nofile", "core", "fsize", "stack", "cpu", "nproc")] \
        == [77, 0, 1024**3, 4 * 1024**2, 3600, 5000]


@needs_root
def test_nice_and_umask(site):
    report = report_of(site, nice=-3, umask="027")
    assert (report["nice"], report["umask"]) == (-3, 0o027)


def test_a_higher_nice_value(site):
    assert report_of(site, nice=7)["nice"] == 7


def test_the_directory_is_the_configured_one(site):
    place = site.directory / "a place"
    place.mkdir()
    cwd = report_of(site, directory=str(place))["cwd"]
    assert cwd == (windows.path(place).replace("/", "\\") if WINDOWS else str(place))


@needs_root
def test_the_directory_in_system_scope_is_the_root(site):
    report_path = site.directory / "job.report"
    site.write("job", json.dumps({"command": site.natively([MISBEHAVE, "report", report_path,
                                                            "sleep-forever"])}))
    site.start("job")
    assert read_report(report_path)["cwd"] == ("C:\\" if WINDOWS else "/")


def test_the_directory_in_user_scope_is_the_home(site):
    report_path = site.directory / "job.report"
    site.write("job", json.dumps({"command": site.natively([MISBEHAVE, "report", report_path,
                                                            "sleep-forever"])}))
    assert site.svcmgr("--user", "start", "job").code == 0
    user = pwd.getpwuid(os.getuid())
    home = f"C:\\users\\{user.pw_name}" if WINDOWS else os.path.realpath(user.pw_dir)
    assert read_report(report_path)["cwd"] == home


@needs_root
def test_user_and_group_are_given_up_for_good(open_site):
    nobody = pwd.getpwnam("nobody")
    report = report_of(open_site, user="nobody", directory=str(open_site.directory))
    assert report["proc_status"]["Uid"].split() == [str(nobody.pw_uid)] * 4
    assert report["proc_status"]["Gid"].split() == [str(nobody.pw_gid)] * 4
    assert set(report["groups"]) <= {nobody.pw_gid}
    assert report["proc_status"]["CapEff"].strip("0") == ""
    assert report["proc_status"]["CapPrm"].strip("0") == ""


@needs_root
def test_another_group_than_the_user_s_own(open_site):
    report = report_of(open_site, user="nobody", group="daemon",
                       directory=str(open_site.directory))
    assert report["proc_status"]["Gid"].split() == ["1"] * 4
    assert report["uid"] == NOBODY


@needs_root
def test_supplementary_groups_come_from_the_database(open_site):
    """Of the accounts of this machine, one that is in more groups than its own."""
    import grp

    for group in grp.getgrall():
        if group.gr_mem and group.gr_mem[0] != "root":
            user = pwd.getpwnam(group.gr_mem[0])
            break
    else:
        pytest.skip("no account here has supplementary groups")
    open_site.directory.chmod(0o777)
    report = report_of(open_site, user=user.pw_name, directory=str(open_site.directory))
    assert set(report["groups"]) == set(os.getgrouplist(user.pw_name, user.pw_gid))


# ---- What cannot be done is named ---------------------------------------------------------------------------


def failure_of(site, command, code=1, **keys):
    """The one line that a start which cannot work says."""
    site.add("job", command, **keys)
    result = site.svcmgr("start", "job")
    assert result.code == code, result
    assert site.status("job")["supervisor_pid"] is None
    lines = result.err.splitlines()
    assert lines[0].startswith("svcmgr: job: not started: "), result
    return lines[0]


def test_a_missing_working_directory(site):
    line = failure_of(site, ["/bin/true"], directory="/no/such/place")
    assert f"cannot enter its working directory /no/such/place: {NO_FILE}" in line


def test_a_file_as_the_working_directory(site):
    file = site.directory / "file"
    file.touch()
    line = failure_of(site, ["/bin/true"], directory=str(file))
    why = "Directory name invalid" if WINDOWS else "Not a directory"
    assert f"cannot enter its working directory {site.native(file)}: {why}" in line


def test_a_missing_program(site):
    line = failure_of(site, ["/no/such/program"])
    assert f"cannot execute /no/such/program: {NO_FILE}" in line


def test_a_program_that_is_in_no_directory_of_the_path(site):
    line = failure_of(site, ["no-such-program"])
    searched = "C:\\windows\\system32;" if WINDOWS else "/usr/local/sbin:"
    assert "cannot execute no-such-program" in line and searched in line


def test_the_caller_s_path_is_not_searched(site):
    shutil.copy(MISBEHAVE, site.directory / f"hidden-program{SUFFIX}")
    site.add("job", ["hidden-program", "sleep-forever"])
    variable = "WINEPATH" if WINDOWS else "PATH"
    result = site.svcmgr("start", "job",
                         env={**site.environment, variable: site.native(site.directory)})
    assert result.code == 1 and "cannot execute hidden-program" in result.err, result


@pytest.mark.parametrize("mode, content", [(0o644, "#!/bin/sh\n"), (0o644, "")])
def test_a_program_that_is_not_executable(site, mode, content):
    program = site.directory / "program"
    program.write_text(content)
    program.chmod(mode)
    line = failure_of(site, [program])
    assert f"cannot execute {program}: Permission denied" in line


def test_a_directory_as_the_program(site):
    line = failure_of(site, [site.directory])
    why = "Invalid handle" if WINDOWS else "Permission denied"  # Windows itself: access denied
    assert f"cannot execute {site.native(site.directory)}: {why}" in line


def test_a_program_that_is_no_program(site):
    program = site.directory / "program"
    program.write_bytes(b"\x01\x02\x03")
    program.chmod(0o755)
    why = "Bad EXE format for the file" if WINDOWS else "Exec format error"
    assert f"cannot execute {site.native(program)}: {why}" in failure_of(site, [program])


def test_a_script_whose_interpreter_is_missing(site):
    program = site.directory / "program"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    line = failure_of(site, [program])
    assert f"cannot execute {program}: its interpreter /no/such/interpreter: No such" in line


@needs_root
@pytest.mark.parametrize("key", ["user", "group"])
def test_an_unknown_user_or_group(site, key):
    line = failure_of(site, ["/bin/true"], code=6 if WINDOWS else 1, **{key: "no-such-one"})
    assert f'there is no {key} "no-such-one"' in line


@needs_root
def test_a_user_who_may_not_enter_the_directory(site):
    place = site.directory / "private"
    place.mkdir(mode=0o700)
    line = failure_of(site, ["/bin/true"], user="nobody", directory=str(place))
    assert f"cannot enter its working directory {place}: Permission denied" in line


@needs_root
def test_user_is_refused_in_user_scope(site):
    site.add("job", ["/bin/true"], user="nobody")
    result = site.svcmgr("--user", "start", "job")
    assert result.code == 6 and '"user" works in system scope only' in result.err, result


@needs_root
def test_a_limit_that_may_not_be_raised(open_site):
    site = open_site
    site.add("job", ["/bin/true"], nice=-5)
    result = site.run_as_nobody("start", "job")
    assert result.code == 1 and "cannot set its nice value" in result.err, result


# ---- The supervisor in the background ------------------------------------------------------------------------


def proc(pid, name):
    return Path(f"/proc/{pid}/{name}").read_bytes()


def test_a_background_supervisor_has_nothing_of_its_caller(site):
    add_reporter(site)
    assert from_a_hostile_place(site, "signals,mask,fds,umask,cwd", "start", "job") == 0
    status = site.status("job")
    for key in ("keeper_pid", "supervisor_pid"):
        pid = status[key]
        assert os.getsid(pid) == status["keeper_pid"]
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        for fd in (0, 1, 2):
            assert os.readlink(f"/proc/{pid}/fd/{fd}") == "/dev/null"
        assert "/etc/passwd" not in open_files(pid)
        fields = dict(line.split(":\t", 1) for line in
                      proc(pid, "status").decode().splitlines() if ":\t" in line)
        assert int(fields["SigBlk"], 16) == 0
        ignored = {number for number in range(1, 65) if int(fields["SigIgn"], 16) >> number - 1 & 1}
        assert ignored <= {signal.SIGPIPE, signal.SIGTTOU, signal.SIGTTIN,
                           signal.SIGTSTP}
        assert fields["Umask"].strip() in ("0022", "0077")
        names = {entry.split(b"=")[0] for entry in proc(pid, "environ").split(b"\0") if entry}
        assert names <= {b"PATH", b"ASAN_OPTIONS", b"UBSAN_OPTIONS", b"LSAN_OPTIONS"}, names


def test_start_returns_although_the_service_holds_its_output_for_ever(site):
    """Whoever reads what start prints, to the end, is not held up by what it has started."""
    add_reporter(site)
    # What Wine starts in the background has the standard error of whoever came first.
    starting = site.spawn("start", "job", stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL if WINDOWS else subprocess.STDOUT)
    starting.communicate(timeout=LIMIT)
    assert starting.returncode == 0 and site.status("job")["state"] == "ready"


# ---- Memory ----------------------------------------------------------------------------------------


def code_in_memory(pid):
    """Of each of the executable's segments of code, how many KiB are in memory: proc(5), smaps."""
    found = []
    for line in Path(f"/proc/{pid}/smaps").read_text(encoding="ascii").splitlines():
        words = line.split()
        if "-" in words[0]:
            is_code = words[1] == "r-xp" and words[-1] == SVCMGR
        elif words[0] == "Rss:" and is_code:
            found.append(int(words[1]))
    return found


def test_what_is_seldom_run_is_not_in_memory(site):
    """cmake/seldom.ld.in sets it apart; one call of it from the usual way brings 64 KiB of it in."""
    site.add_webui()
    status = site.start()
    segments = [code_in_memory(status[key]) for key in ("keeper_pid", "supervisor_pid")]
    if len(segments[0]) == 1:
        pytest.skip("only the static executable has a segment for it")
    assert all(usual > 0 and seldom == 0 for usual, seldom in segments), segments
