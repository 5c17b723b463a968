"""The end-to-end tests against svcmgr.exe, which Wine runs.

Whatever is not tested there is named here, with the reason.  Ctrl-Break is not delivered by Wine 8,
so every program there has to be killed at a stop: services get a short "stop.timeout".
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

WINE = shutil.which("wine") or "wine"
STOP_TIMEOUT = "300ms"

KEEPER = "there is no keeper on Windows"
NO_UNIX = "Wine 8 has no Unix sockets"
NO_OWNER = "Wine 8 does not say whose a listener is"
NO_PYTHON = "the program is one in Python, of which there is none for Wine here"
NO_LOOK = "Wine does not show what a program of Windows has open or in memory"
ONE_USER = "Wine has one user"
NARROW = "the control channel there is TCP, and takes its ports out of the narrow range of the test"
SHUT = "a listening socket cannot be shut down on Windows"
SCRIPT = "the program is a script, which Windows does not execute"
NO_NOTIFY = "there are no notification sockets on Windows"

# Each file that applies, and the tests of it that do not.
SKIPPED = {
    "test_winsvc_service.py": {},
    "test_guard_ports.py": {
        "test_a_connection_to_itself_is_nobody": NARROW,
        "test_probes_of_free_ports_in_the_ephemeral_range": NARROW,
        "test_restart_crash_and_a_new_supervisor_keep_the_port": KEEPER,
        "test_a_socket_that_the_program_shut_down_is_bound_again_at_its_number": SHUT,
        "test_a_socket_that_the_program_shut_down_is_had_again_at_its_number": SHUT,
        "test_a_number_that_somebody_took_meanwhile_is_let_go_and_it_is_said": SHUT,
        "test_a_refusal_lets_go_of_the_other_addresses": SHUT,
        "test_self_with_port_0_publishes_what_the_program_chose": NO_PYTHON,
        "test_self_with_port_0_is_about_its_own_host": NO_PYTHON,
        "test_several_listeners_are_all_bound_or_none": NO_UNIX,
        "test_time_wait_on_both_halves_of_localhost": NO_OWNER,
    },
    "test_guard_strangers.py": {
        "test_a_flood_is_read_in_part": "a command line has at most 32,767 characters",
        "test_an_answer_that_is_somebody_else_s_does_not_make_ours_ready": NO_OWNER,
        "test_stop_and_status_name_the_stranger_and_leave_it_alone": NO_OWNER,
    },
    "test_control_clients.py": {
        "test_a_reason_comes_behind_the_answers_that_were_not_read_yet": NO_PYTHON,
        "test_a_gigabyte_without_an_end_of_line_is_cut_off": NO_LOOK,
        "test_500_clients_at_once": NO_LOOK,
        "test_5000_connections_one_after_the_other_leave_nothing_in_the_supervisor": NO_LOOK,
        "test_a_reader_that_never_reads_is_dropped_and_nobody_waits_for_it": NO_LOOK,
        "test_the_socket_and_its_directory_are_the_owner_s_alone": NO_UNIX,
        "test_they_are_so_whatever_the_umask_of_the_caller_is": NO_UNIX,
        "test_another_user_is_refused_even_where_the_modes_would_let_him_in": ONE_USER,
        "test_a_command_of_another_user_is_not_permitted": ONE_USER,
        "test_root_is_let_in_to_the_supervisor_of_a_user": ONE_USER,
    },
    "test_logs.py": {
        "test_follow_loses_nothing_however_fast_the_log_is_rotated": NO_PYTHON,
        "test_follow_goes_on_across_restart_stop_and_start": NO_PYTHON,
        "test_follow_begins_with_the_last_lines_if_asked": NO_PYTHON,
        "test_follow_waits_for_a_service_that_has_not_run_yet": NO_PYTHON,
        "test_follow_ends_when_nobody_reads": NO_PYTHON,
    },
    "test_upgrade.py": {
        "test_supervisor_and_keeper_run_what_is_on_disk_now": KEEPER,
        "test_the_same_file_again_and_again": KEEPER,
        "test_what_the_keeper_did_before_it_does_after": KEEPER,
        "test_in_the_foreground_it_stays_the_caller_s_child": KEEPER,
        "test_another_file_by_name": NO_LOOK,
        "test_not_a_line_of_the_output_is_lost": NO_NOTIFY,
        "test_a_stop_that_comes_while_the_keeper_changes_its_program": KEEPER,
        "test_what_does_not_pass_its_self_check_is_refused": SCRIPT,
        "test_a_self_check_that_hangs_is_ended": SCRIPT,
        "test_a_stop_does_not_wait_for_a_self_check": SCRIPT,
        "test_one_that_passes_and_does_not_take_over_is_replaced": KEEPER,
        "test_a_file_that_changes_during_its_self_check": SCRIPT,
        "test_a_file_that_is_gone": "Windows does not remove a program that runs",
        "test_a_crash_after_a_package_update_starts_no_unchecked_program": KEEPER,
        "test_without_a_keeper_it_is_refused": KEEPER,
        "test_who_waits_for_a_restart_gets_an_answer": NO_NOTIFY,
        "test_an_idle_keeper_sleeps_after_it_too": KEEPER,
    },
    "test_windows.py": {},
    "test_windows_upgrade.py": {},
    "test_main_job.py": {
        "test_a_killed_supervisor_is_back_with_the_same_instance": KEEPER,
    },
}


def path(unix):
    """A path as Windows programs see it."""
    return f"Z:{unix}"


def environment(build):
    """What wine needs, besides the tests' own environment."""
    prefix = os.environ.get("WINEPREFIX", str(Path(build) / "wine"))
    # File names are UTF-8 for Wine only where the locale says so.
    return {"WINEPREFIX": prefix, "WINEDEBUG": os.environ.get("WINEDEBUG", "-all"),
            "LC_ALL": "C.UTF-8"}


def make_prefix(build):
    """A Windows of our own; what it runs stays until the last program has ended."""
    variables = dict(os.environ, **environment(build))
    if not (Path(variables["WINEPREFIX"]) / "system.reg").exists():
        subprocess.run([WINE, "wineboot", "--init"], env=variables, check=True, timeout=300,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # The manager of services of its first session forgets those that it is given.
        subprocess.run(["wineserver", "--kill"], env=variables, check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # What goes on in the background must not have a pipe that somebody waits for.
    subprocess.run(["wineserver", "--persistent=30"], env=variables, check=False,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def run(words, **options):
    """subprocess.run(capture_output=True) by way of files: whatever Wine starts in the background
    has the standard error of whoever started it, for the system below, and would keep a pipe open.
    """
    with tempfile.TemporaryFile("w+", errors="surrogateescape") as out, \
            tempfile.TemporaryFile("w+", errors="surrogateescape") as err:
        done = subprocess.run(words, stdout=out, stderr=err, **options)
        for file in (out, err):
            file.seek(0)
        done.stdout, done.stderr = out.read(), err.read()
    return done


def select(items):
    """Skips by name what does not apply; a file that is not in the table is left out as a whole."""
    kept = []
    for item in items:
        skipped = SKIPPED.get(Path(str(item.fspath)).name)
        if skipped is None:
            continue
        reason = skipped.get(item.originalname or item.name)
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))
        kept.append(item)
    items[:] = kept
