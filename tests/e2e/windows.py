"""The end-to-end tests against svcmgr.exe, which Wine runs.

Whatever is not tested there is named here, with the reason: tests and cases in SKIPPED, files and
folders in LEFT_OUT; a file has to be in one of the two.  Ctrl-Break is not delivered by Wine 8,
so every program there has to be killed at a stop: services get a short "stop.timeout".
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

WINE = shutil.which("wine") or "wine"
STOP_TIMEOUT = "300ms"
# What a stop that has asked says there.
KILLED = "; it did not end when it was asked to, and was killed"
# Wine's own programs, which are where the first program of its machine is.
OWN = b"C:\\windows\\system32\\"

KEEPER = "there is no keeper on Windows"
NO_UNIX = "Wine 8 has no Unix sockets"
# But of its own programs that listen on IPv4 and are made for it: helpers/windows/serve.c.
NO_OWNER = "Wine 8 does not say whose a listener is that svcmgr has made, which is not made for it"
NO_OWNER_V6 = "Wine 8 does not say whose a listener on IPv6 is"
NO_LOOK = "Wine does not show what a program of Windows has open or in memory"
ONE_USER = "Wine has one user"
NARROW = "the control channel there is TCP, and takes its ports out of the narrow range of the test"
SHUT = "a listening socket cannot be shut down on Windows"

NO_SIGNAL = "Windows has no signals"
NO_BREAK = "Wine 8 does not deliver Ctrl-Break"
NO_NOTIFY = "there are no notification sockets on Windows"
NO_MAIN = "who is the main process is said by notification, which Windows has not"
NO_STOPPING = "a process cannot be stopped and continued under Wine"
NO_ACCEPT = "that a connection was accepted cannot be seen on Windows"
NO_EXEC = "a process of Windows cannot execute another program in its place"
NO_TERMINAL = "Wine shows what a program prints on a terminal by way of a console of its own"
NO_MODES = "Windows has access control lists and no modes; tests/windows has the like"
OTHER_PIDS = "Wine's processes have other pids for the test"
NO_HOLDER = "Wine 8 does not say who has a file open"
NO_MARK = "Windows has no such mark"
NO_GROUP = "Windows has no group of a process; test_windows.py has its refusal"
NO_SUCH_LIMITS = "Windows has no such limits; tests/windows has its own, and test_windows.py their refusal"
NO_LINKS = "Wine follows the links of the system below without a word"
NO_CALLS = "it counts and fails the system calls of Linux, which are Wine's own and not svcmgr's"
NO_MOUNTS = "Wine's server opens all files, and sees no mounts but its own"
NO_FLIGHT = "a socket of Windows is some process's at any time: none is sent in a message"
NO_GROUPS = "Windows has no control groups, which units and containers are known by"
NO_NAMESPACES = "Windows has no pid namespaces"
NO_FIFOS = "Windows has no FIFOs in folders"
NO_ZOMBIES = "Windows has no zombies"
NO_BOOTS = "start times there are dates, which no other boot has had"
SYSTEMD = "it is about systemd, of which there is none; test_winsvc_*.py have the like"
OF_UNIX = "it is about the folders or programs of Unix; test_windows.py has the like"
ACCOUNT = "the environment of an account is Windows' own; test_windows.py has the like"
HANDLES = "Windows passes handles and no descriptors; test_windows.py has the like"
UNIX_PROGRAM = "its program is one of the system below, to which Wine passes no socket"
PURE = "it is about texts that are made the same on every system, and read by programs of Linux"
IN_ITS_JOB = "nobody leaves a job: what is started inside a service on Windows ends with it"

# Each file that applies, and the tests of it, or the cases of a test, that do not.
SKIPPED = {
    "test_standby.py": {
        "test_it_goes_on_when_the_holder_ends_by_a_signal": NO_SIGNAL,
        "test_both_killed_the_instance_is_taken_up": KEEPER,
        "test_a_killed_holder_comes_back_and_the_line_stays": KEEPER,
        "test_one_in_line_that_is_killed_comes_back": KEEPER,
        "test_a_holder_that_hangs_is_waited_for": NO_STOPPING,
        "test_takeover_of_one_that_hangs_says_so": NO_STOPPING,
    },
    "test_guard_record.py": {
        "test_start_takes_up_what_lives": KEEPER,
        "test_run_takes_it_up_too": KEEPER,
        "test_taken_up_twice": KEEPER,
        "test_what_was_taken_up_is_restarted_without_a_refused_connection": KEEPER,
        "test_the_end_of_what_was_taken_up_is_noticed": KEEPER,
        "test_stop_without_a_start_ends_it": KEEPER,
        "test_a_stop_that_was_under_way_is_finished_before_the_start": KEEPER,
        "test_of_two_generations_the_older_is_taken_up": KEEPER,
        "test_an_unusable_record_of_a_live_run_never_doubles_it": KEEPER,
        "test_a_record_that_is_a_fifo_is_not_waited_for": NO_FIFOS,
        "test_a_pid_that_somebody_else_has_now[start-boot_id]": NO_BOOTS,
        "test_a_pid_that_somebody_else_has_now[stop-boot_id]": NO_BOOTS,
        "test_a_zombie_is_dead": NO_ZOMBIES,
        "test_another_pid_namespace_is_refused": NO_NAMESPACES,
        "test_what_a_dead_main_process_left_is_stopped_and_named": KEEPER,
        "test_leftovers_are_asked_politely_first": KEEPER,
        "test_stop_says_how_it_found_what_the_last_run_had_left": KEEPER,
        "test_stop_clears_leftovers_too": KEEPER,
    },
    "test_guard_change.py": {},
    "test_standby_stranger.py": {
        "test_strangers_one_after_the_other": NO_STOPPING,
        "test_an_address_that_comes_later":
            "Wine's server makes the sockets of all programs, in the network that it is in itself",
        "test_killed_it_goes_on_or_leaves_nothing": KEEPER,
        "test_it_does_not_wake_up_for_a_stranger_that_it_can_watch": KEEPER,
    },
    "test_guard_displaced.py": {
        "test_a_listener_that_changes_hands_is_nobody_else_s": NO_FLIGHT,
        "test_a_listener_that_stays_without_a_process_is_somebody_s": NO_FLIGHT,
    },
    "test_control_scripts.py": {
        "test_a31_who_cannot_be_seen_is_there_all_the_same": ONE_USER,
    },
    "test_survival_keeper.py": {
        "test_the_supervisor_goes_on_without_a_keeper_and_says_so": KEEPER,
        "test_without_a_keeper_it_is_still_supervised": KEEPER,
        "test_without_a_keeper_stop_still_cleans_everything": KEEPER,
        "test_a_ready_that_comes_after_the_keeper_died_is_heard": KEEPER,
        "test_one_after_the_other_is_as_both": KEEPER,
        "test_a_term_to_a_supervisor_without_a_keeper_stops": KEEPER,
        "test_status_tells_what_is_left_when_both_have_died": KEEPER,
        "test_a_service_that_binds_itself_is_taken_up_and_holds_nothing": KEEPER,
        "test_the_socket_is_taken_back_and_outlives_the_program": KEEPER,
        "test_of_several_sockets_each_is_taken_back": KEEPER,
        "test_messages_are_heard_again_after_both_have_died": KEEPER,
        "test_what_never_was_ready_is_started_anew_when_both_have_died": KEEPER,
        "test_whoever_dies_the_next_start_ends_with_exactly_one[victims0]": KEEPER,
        "test_whoever_dies_the_next_start_ends_with_exactly_one[victims3]": KEEPER,
        "test_whoever_dies_the_next_start_ends_with_exactly_one[victims5]": KEEPER,
        "test_whoever_dies_the_next_start_ends_with_exactly_one[victims6]": KEEPER,
    },
    "test_guard_who.py": {
        "test_a_unit_or_a_container": NO_GROUPS,
        "test_what_the_groups_do_not_say_is_not_guessed": NO_GROUPS,
        "test_another_pid_namespace_is_a_container": NO_NAMESPACES,
        "test_a_terminal_is_named": "the consoles of Windows have no names",
        "test_root_sees_the_processes_of_others": ONE_USER,
        "test_who_cannot_be_seen_is_unknown_and_not_asked": ONE_USER,
        "test_another_service_of_svcmgr_is_named_with_the_command_that_stops_it[inherit]": NO_OWNER,
        "test_the_proxy_of_docker_leads_to_the_container": NO_GROUPS,
    },
    "test_winsvc_service.py": {},
    "test_guard_ports.py": {
        "test_a_connection_to_itself_is_nobody": NARROW,
        "test_probes_of_free_ports_in_the_ephemeral_range": NARROW,
        "test_restart_crash_and_a_new_supervisor_keep_the_port": KEEPER,
        "test_a_socket_that_the_program_shut_down_is_bound_again_at_its_number": SHUT,
        "test_a_socket_that_the_program_shut_down_is_had_again_at_its_number": SHUT,
        "test_a_number_that_somebody_took_meanwhile_is_let_go_and_it_is_said": SHUT,
        "test_a_refusal_lets_go_of_the_other_addresses": SHUT,
        "test_several_listeners_are_all_bound_or_none": NO_UNIX,
        "test_time_wait_on_both_halves_of_localhost": NO_OWNER_V6,
    },
    "test_guard_strangers.py": {
        "test_a_flood_is_read_in_part": "a command line has at most 32,767 characters",
    },
    "test_control_clients.py": {
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
    "test_logs.py": {},
    "test_output.py": {
        "test_last_words_are_in_the_log_when_stop_returns": NO_BREAK,
        "test_a_pipe_that_somebody_holds_open_delays_nothing": NO_LOOK,
        "test_a_pipe_that_somebody_writes_to_without_end_is_left_at_last": NO_LOOK,
    },
    "test_supervision_restart.py": {
        "test_an_end_by_a_signal_is_a_failure": NO_SIGNAL,
        "test_a_prevented_signal_is_its_code_plus_128": NO_SIGNAL,
    },
    "test_supervision_stop.py": {
        "test_the_signal_is_enough_for_a_polite_program": NO_BREAK,
        "test_another_signal": NO_SIGNAL,
        "test_a_stopped_process_is_killed_too": NO_STOPPING,
        "test_two_stops_at_once_both_get_their_answer": NO_BREAK,
        "test_the_stop_command_comes_first_and_the_signal_after_it": NO_BREAK,
        "test_a_stop_command_that_ends_the_program_itself": NO_SIGNAL,
        "test_a_stop_command_that_cannot_be_executed_does_not_keep_it_alive": NO_BREAK,
        "test_the_children_of_a_wrapper_are_asked_too": NO_BREAK,
        "test_a_tree_is_gone_also_when_the_supervisor_was_killed_meanwhile": KEEPER,
        "test_a_service_started_from_inside_another_one_outlives_it": IN_ITS_JOB,
        "test_nor_does_the_death_of_its_keeper_or_supervisor_make_it_part_of_that_tree": KEEPER,
    },
    "test_supervision_ready.py": {
        "test_health_by_tcp_waits_until_a_process_of_ours_accepts": NO_ACCEPT,
        "test_a_connection_that_nobody_accepted_is_no_health": SHUT,
        "test_ready_comes_with_the_message_and_not_before": NO_NOTIFY,
        "test_ready_messages_of_strangers_count_for_nothing": NO_NOTIFY,
        "test_a_child_may_say_that_the_service_is_ready": NO_NOTIFY,
        "test_nonsense_messages_do_no_harm": NO_NOTIFY,
        "test_extend_timeout_gives_more_time_to_start": NO_NOTIFY,
        "test_extend_timeout_gives_more_time_to_stop": NO_NOTIFY,
        "test_an_errno_is_shown_as_its_text": NO_NOTIFY,
        "test_reloading_is_shown_until_it_is_ready_again": NO_NOTIFY,
        "test_the_main_process_may_hand_over_to_another_of_its_tree": NO_MAIN,
        "test_a_main_process_outside_the_tree_is_refused": NO_MAIN,
        "test_a_main_process_that_goes_on_in_its_child": NO_MAIN,
        "test_a_program_that_executes_itself_in_place_keeps_its_supervision": NO_EXEC,
    },
    "test_supervision_run.py": {
        "test_the_instance_s_signal_is_128_plus_its_number": NO_SIGNAL,
        "test_term_and_int_stop": NO_SIGNAL,
        "test_a_second_term_kills_the_tree_now": NO_SIGNAL,
        "test_one_signal_to_the_whole_group_is_one_stop": NO_SIGNAL,
        "test_term_while_it_starts": NO_SIGNAL,
        "test_term_in_backoff": NO_SIGNAL,
        "test_hup_reloads": NO_SIGNAL,
        "test_hup_with_a_broken_configuration_changes_nothing": NO_SIGNAL,
        "test_other_signals_are_passed_on": NO_SIGNAL,
        "test_a_start_after_a_stop_was_asked_for_forgets_that_stop": KEEPER,
    },
    "test_supervision_health.py": {
        "test_unhealthy_stays_known_and_ends_also_under_a_new_supervisor": KEEPER,
        "test_failures_in_the_start_period_do_not_count": NO_NOTIFY,
        "test_a_silent_child_is_restarted": NO_NOTIFY,
        "test_a_watchdog_that_is_pulled_restarts_at_once": NO_NOTIFY,
        "test_a_watchdog_without_notify_has_its_socket_too": NO_NOTIFY,
        "test_a_stopped_child_is_ended_by_its_watchdog": NO_NOTIFY,
        "test_with_on_unhealthy_false_a_silent_child_lives_and_may_come_back": NO_NOTIFY,
        "test_a_child_that_stops_by_itself_is_not_watched": NO_NOTIFY,
    },
    "test_upgrade.py": {
        "test_supervisor_and_keeper_run_what_is_on_disk_now": KEEPER,
        "test_the_same_file_again_and_again": KEEPER,
        "test_what_the_keeper_did_before_it_does_after": KEEPER,
        "test_in_the_foreground_it_stays_the_caller_s_child": KEEPER,
        "test_another_file_by_name": NO_LOOK,
        "test_not_a_line_of_the_output_is_lost": NO_NOTIFY,
        "test_a_stop_that_comes_while_the_keeper_changes_its_program": KEEPER,
        "test_a_script_is_executed_and_does_not_pass_either":
            "Wine has the system below execute it, and tells of no process",
        "test_one_that_passes_and_does_not_take_over_is_replaced": KEEPER,
        "test_a_file_that_is_gone": "Windows does not remove a program that runs",
        "test_a_crash_after_a_package_update_starts_no_unchecked_program": KEEPER,
        "test_without_a_keeper_it_is_refused": KEEPER,
        "test_who_waits_for_a_restart_gets_an_answer": NO_NOTIFY,
        "test_an_idle_keeper_sleeps_after_it_too": KEEPER,
    },
    "test_cli_add.py": {
        "test_the_system_scope_takes_a_user_and_a_group": OF_UNIX,
        "test_a_program_of_the_base_path_keeps_its_name": OF_UNIX,
    },
    "test_cli_codes.py": {
        "test_8_when_the_supervisor_does_not_answer": NO_STOPPING,
    },
    "test_cli_commands.py": {
        "test_signals_by_any_spelling_reach_the_main_process": NO_SIGNAL,
    },
    "test_cli_exec.py": {
        "test_a_signal_ends_the_command_and_us": NO_SIGNAL,
        "test_a_shell_on_a_terminal": NO_TERMINAL,
        "test_the_terminal_is_given_back_after_a_failure": NO_TERMINAL,
        "test_a_terminal_for_the_command_without_one_of_ours": NO_TERMINAL,
    },
    "test_cli_install.py": {
        "test_print_shows_the_unit_and_changes_nothing": SYSTEMD,
        "test_print_as_a_document": SYSTEMD,
        "test_places_that_are_where_they_always_are_are_not_named": SYSTEMD,
        "test_the_manual_names_every_directive": SYSTEMD,
        "test_the_template_needs_no_service": SYSTEMD,
        "test_what_it_depends_on_may_take_its_time": SYSTEMD,
        "test_installing_needs_a_systemd": SYSTEMD,
        "test_a_socket_is_one_thing_for_add_and_another_for_install": SYSTEMD,
    },
    "test_cli_json.py": {
        "test_every_command_that_works": NO_SIGNAL,
    },
    "test_cli_places.py": {
        "test_root_s_scope_is_the_system_s_and_user_asks_for_the_other": OF_UNIX,
        "test_one_place_that_is_named_leaves_the_other_where_it_is": OF_UNIX,
        "test_a_name_that_is_not_in_the_scope_is_looked_for_in_the_other": OF_UNIX,
        "test_add_writes_to_the_scope_and_makes_it": OF_UNIX,
        "test_no_variable_of_the_caller_moves_the_directories": OF_UNIX,
        "test_without_a_usable_home_the_state_directory_must_be_named": ONE_USER,
        "test_an_account_without_an_entry_needs_the_option_too": ONE_USER,
        "test_a_state_directory_that_cannot_be_made_is_named": ONE_USER,
    },
    "test_cli_terminal.py": {
        "test_what_is_waited_for_is_shown_and_for_how_long_and_goes_away": NO_TERMINAL,
        "test_quiet_and_json_show_none": NO_TERMINAL,
        "test_no_color_means_no_colour": NO_TERMINAL,
        "test_a_narrow_terminal_gets_no_more_than_a_line": NO_TERMINAL,
        "test_what_a_program_says_of_itself_cannot_steer_the_terminal": NO_TERMINAL,
        "test_an_interrupt_ends_the_command_and_not_the_start": NO_TERMINAL,
    },
    "test_control_channel.py": {
        "test_signal_reaches_the_main_process": NO_SIGNAL,
    },
    "test_doctor.py": {
        "test_running[inherit]": NO_OWNER,
        "test_unhealthy": NO_STOPPING,
        "test_a_port_that_needs_rights": ONE_USER,
        "test_a_stranger_that_holds_the_lock_is_named_and_not_the_pidfile_s_words": NO_HOLDER,
        "test_a_supervisor_that_hangs": NO_STOPPING,
        "test_an_instance_without_a_supervisor": KEEPER,
        "test_one_that_was_taken_up_and_holds_the_address_itself_is_ours": KEEPER,
        "test_what_a_dead_instance_left": KEEPER,
        "test_a_state_directory_that_others_can_write_to": "Wine's icacls does nothing",
        "test_a_pidfile_that_is_a_link": NO_LINKS,
        "test_a_state_directory_of_somebody_else": ONE_USER,
        "test_a_state_directory_of_root": ONE_USER,
        "test_a_state_directory_that_cannot_be_written": ONE_USER,
        "test_a_program_that_is_not_executable": NO_MARK,
    },
    "test_guard_addresses.py": {
        "test_the_other_half_of_localhost_is_held_and_refuses":
            "for the programs of the system below Wine no address is exclusive",
        "test_both_halves_of_localhost_are_held_across_restart_and_crash": KEEPER,
        "test_a_port_that_needs_rights": ONE_USER,
    },
    "test_control_tcp.py": {
        "test_the_marker_says_where_and_is_the_owner_s_alone": NO_MODES,
        "test_it_is_so_whatever_the_umask_of_the_caller_is": NO_MODES,
        "test_all_commands_work_and_nothing_is_left_after_the_stop": NO_SIGNAL,
        "test_another_word_than_unix_or_tcp_is_wrong": NO_UNIX,
        "test_a_supervisor_that_comes_back_has_another_token_and_is_found": KEEPER,
        "test_an_upgraded_one_too": KEEPER,
        "test_a_command_that_waits_goes_on_with_the_next_supervisor": KEEPER,
        "test_what_a_run_in_the_other_mode_left_does_not_mislead": NO_UNIX,
        "test_a_marker_that_is_another_s_is_not_removed": KEEPER,
        "test_what_is_left_of_a_marker_that_was_being_written_is_not_used": NO_MODES,
        "test_nobody_runs_where_it_says_nothing": NO_MODES,
        "test_a_supervisor_that_hangs_does_not_answer": NO_STOPPING,
        "test_a_standby_does_not_take_a_squatter_for_the_holder": OTHER_PIDS,
        "test_a_takeover_does_not_take_a_squatter_for_the_holder": OTHER_PIDS,
        "test_nobody_stays_with_a_squatter_when_the_lock_is_free": KEEPER,
        "test_a_reused_port_of_a_dead_supervisor_is_not_even_connected_to": KEEPER,
        "test_a_gigabyte_without_an_end_of_line_is_cut_off": NO_LOOK,
        "test_500_strangers_at_once_push_nobody_out": NO_LOOK,
        "test_10000_connections_one_after_the_other_leave_nothing_in_the_supervisor": NO_LOOK,
        "test_from_inside_the_tree_it_is_accepted_and_carried_out":
            "the control channel there is TCP anyway: test_cli_commands.py has the same",
        "test_another_user_can_neither_read_the_token_nor_get_in_without": ONE_USER,
        "test_root_is_let_in_to_the_supervisor_of_a_user": ONE_USER,
    },
    "test_events.py": {
        "test_following_across_the_file_s_end": KEEPER,
        "test_the_history_is_bounded": KEEPER,
        "test_a_unit_that_asks_is_named": SYSTEMD,
    },
    "test_exec.py": {
        "test_it_has_nothing_of_the_supervisor_s": NO_LOOK,
        "test_a_slow_reader_loses_nothing_and_costs_no_memory": NO_LOOK,
        "test_much_output_keeps_nobody_waiting_and_costs_no_memory": NO_LOOK,
        "test_a_terminal_has_a_size_and_is_the_controlling_one": NO_TERMINAL,
        "test_a_terminal_is_resized": NO_TERMINAL,
        "test_a_closed_terminal_is_an_end_of_file": NO_TERMINAL,
        "test_keys_are_signals_there": NO_TERMINAL,
        "test_who_only_stops_sending_gets_the_answer": "over TCP that takes the commands along",
        "test_a_supervisor_that_dies_takes_them_along": KEEPER,
        "test_an_upgrade_says_how_many_it_ended": KEEPER,
    },
    "test_guard_silent.py": {
        "test_bound_with_reuse_and_not_listening_is_no_owner":
            "on Windows a bound address is had exclusively",
        "test_a_leaked_socket_in_a_grandchild":
            "Wine 8 does not say whose a listener is that a process has inherited",
        "test_the_user_of_the_holder_is_named": ONE_USER,
        "test_a_holder_that_cannot_be_seen_is_not_guessed": ONE_USER,
        "test_one_that_answers_unseen": ONE_USER,
        "test_another_service_of_svcmgr_holds_it": NO_OWNER,
    },
    "test_guard_pidfile.py": {
        "test_a_zombie_is_no_obstacle": NO_ZOMBIES,
        "test_it_is_never_unlinked": KEEPER,
        "test_keeper_and_supervisor_hold_the_lock_together": KEEPER,
        "test_the_program_does_not_inherit_the_lock": NO_LOOK,
        "test_a_symbolic_link_is_refused_and_not_followed": NO_LINKS,
        "test_a_state_directory_that_is_a_link_is_refused": NO_LINKS,
        "test_a_fifo_is_refused_and_nobody_waits_for_it": NO_FIFOS,
        "test_a_pidfile_of_somebody_else": ONE_USER,
        "test_a_pidfile_without_its_owner_s_permissions": ONE_USER,
        "test_a_read_only_state_directory": ONE_USER,
        "test_a_state_directory_of_somebody_else": ONE_USER,
        "test_a_state_directory_of_a_user_is_not_used_by_root": ONE_USER,
        "test_a_user_without_rights_can_serve": ONE_USER,
        f"test_a_state_directory_that_others_can_write_to_is_refused[{0o770}]":
            "Wine shows everybody what may be done, and not a group",
        "test_a_run_that_waits_for_a_lock_can_be_stopped": NO_SIGNAL,
        "test_a_lock_that_is_let_go_in_time": NO_LOOK,
        "test_somebody_who_only_looks_at_the_lock_is_no_obstacle": NO_LOOK,
        "test_a_supervisor_that_hangs": NO_STOPPING,
    },
    "test_guard_storm.py": {
        "test_more_starts_wait_than_a_supervisor_has_room_for": NO_LOOK,
        "test_killed_at_any_moment_of_a_start": NO_LOOK,
    },
    "test_depends.py": {},
    "test_bad_input.py": {
        "test_a_file_that_may_not_be_read": ONE_USER,
        "test_a_configuration_directory_that_may_not_be_read": ONE_USER,
    },
    "test_control_follow.py": {
        "test_the_last_words_reach_a_follower": NO_BREAK,
        "test_followers_that_vanish_leave_nothing": NO_LOOK,
        "test_a_follower_wakes_nobody_while_nothing_is_written": NO_LOOK,
        "test_a_follower_that_does_not_read_costs_nothing_and_is_told_what_it_lost": NO_LOOK,
    },
    "test_restart_load.py": {
        "test_a_restart_loses_nobody[python-sequential]": UNIX_PROGRAM,
        "test_a_restart_loses_nobody[python-overlap]": UNIX_PROGRAM,
        "test_a_restart_loses_nobody[node-sequential]": UNIX_PROGRAM,
        "test_a_restart_loses_nobody[node-overlap]": UNIX_PROGRAM,
        "test_a_restart_loses_nobody[nginx-sequential]": UNIX_PROGRAM,
        "test_a_restart_loses_nobody[nginx-overlap]": UNIX_PROGRAM,
        "test_a_crash_refuses_nobody[python]": UNIX_PROGRAM,
        "test_a_crash_refuses_nobody[node]": UNIX_PROGRAM,
        "test_a_crash_refuses_nobody[nginx]": UNIX_PROGRAM,
        "test_who_comes_while_nobody_accepts_finds_the_whole_queue": UNIX_PROGRAM,
        "test_the_queue_is_whole_while_a_crashed_one_waits_for_its_next_try": UNIX_PROGRAM,
        "test_kills_of_the_supervisor_under_load_lose_nobody_and_hardly_a_line": KEEPER,
        "test_upgrades_under_load_lose_nobody_and_not_a_line": UNIX_PROGRAM,
        "test_the_supervisor_is_killed_in_the_middle_of_an_overlap": KEEPER,
    },
    "test_instance_environment.py": {
        "test_the_base_environment_is_exact": ACCOUNT,
        "test_a_dirty_environment_of_the_caller_never_reaches_it": ACCOUNT,
        "test_no_environment_at_all_is_no_obstacle": ACCOUNT,
        "test_tokens_in_values_and_arguments": HANDLES,
        "test_an_inherited_listener": HANDLES,
        "test_several_listeners_come_in_their_order": NO_UNIX,
        "test_a_unix_listener_alone_has_no_port": NO_UNIX,
        "test_listen_pid_can_be_left_out": HANDLES,
        "test_a_listener_that_the_program_binds_itself_passes_no_descriptor": HANDLES,
        "test_a_notify_socket_with_ready_notify": NO_NOTIFY,
        "test_a_watchdog_brings_its_variables_and_the_notify_socket": NO_NOTIFY,
        "test_the_user_s_own_entry_is_the_base_of_a_program_that_runs_as_somebody_else": ONE_USER,
        "test_the_notify_socket_can_be_reached_by_another_user": NO_NOTIFY,
        "test_a_service_of_another_user_has_the_base_of_that_user": ONE_USER,
    },
    "test_system_log.py": {},
    "test_windows.py": {},
    "test_windows_upgrade.py": {},
    "test_instance_process.py": {
        "test_stdin_is_null_stdout_and_stderr_are_ours_and_there_is_nothing_else": HANDLES,
        "test_a_passed_socket_is_3_and_there_is_nothing_else": HANDLES,
        **{f"test_{command}_from_a_hostile_place_makes_the_same_instance[{how}]": reason
           for command in ("start", "run") for how, reason in (
               ("signals", NO_SIGNAL), ("mask", NO_SIGNAL), ("chld", NO_SIGNAL), ("umask", NO_MODES),
               ("closed", "Wine 8 hangs when it has no standard streams of the system below"),
               ("fds", "Wine passes the first three of a caller's descriptors, and no others"),
               ("signals,mask,chld,fds,cwd,umask,closed", NO_SIGNAL))},
        "test_the_soft_limit_of_open_files_is_raised_and_never_lowered": NO_SUCH_LIMITS,
        "test_limits_are_what_was_asked_for": NO_SUCH_LIMITS,
        "test_nice_and_umask": "Windows has no umask; test_windows.py has its refusal",
        "test_a_higher_nice_value": "Wine 8 does not look at the priority that a process is made with",
        "test_user_and_group_are_given_up_for_good": ONE_USER,
        "test_another_group_than_the_user_s_own": NO_GROUP,
        "test_supplementary_groups_come_from_the_database": ONE_USER,
        "test_a_program_that_is_not_executable": NO_MARK,
        "test_a_script_whose_interpreter_is_missing": "Windows executes nothing by its first line",
        "test_an_unknown_user_or_group[group]": NO_GROUP,
        "test_a_user_who_may_not_enter_the_directory": ONE_USER,
        "test_user_is_refused_in_user_scope": ONE_USER,
        "test_a_limit_that_may_not_be_raised": ONE_USER,
        "test_a_background_supervisor_has_nothing_of_its_caller": NO_LOOK,
        "test_what_is_seldom_run_is_not_in_memory": NO_LOOK,
    },
    "test_winsvc_record.py": {
        "test_what_cannot_be_is_refused[--system --launcher winsvc--]":
            "the manager of services runs this machine; winsvc/ installs with it",
    },
    "test_launchd_plist.py": {
        "test_a_control_character_is_refused_by_name": "no name of a file has such characters on Windows",
        "test_bytes_that_are_no_utf8_are_refused_by_name":
            "what Windows passes is of 16 bits, and Wine makes such of any bytes",
    },
    "test_state_directory.py": {
        "test_every_way_of_launching_finds_the_same_service": ONE_USER,
        "test_two_hundred_starts_from_everywhere_are_one_instance": ONE_USER,
        "test_what_cannot_be_recorded_is_not_started": NO_MOUNTS,
    },
    "test_main_job.py": {
        "test_a_killed_supervisor_is_back_with_the_same_instance": KEEPER,
    },
}

# Files and folders of which nothing applies.
LEFT_OUT = {
    "test_example_client.py": "the example speaks over a Unix socket, of which Wine 8 has none",
    "test_faults.py": NO_CALLS,
    "test_guard_unix.py": NO_UNIX,
    "test_handed_sockets.py": "no manager of Windows hands sockets over, or keeps them",
    "test_kill_points.py": NO_CALLS,
    "test_notify.py": NO_NOTIFY,
    "test_output_loss.py": f"{KEEPER}, and {NO_MOUNTS}",
    "test_pid1.py": "Windows has no process 1, which all orphans and signals of a container come to",
    "test_programs.py": UNIX_PROGRAM,
    "test_survival.py": KEEPER,
    "test_survival_gap.py": f"{KEEPER}, and {NO_STOPPING}",
    "test_survival_moments.py": KEEPER,
    "test_trials.py": "it signals supervisors and keepers; Windows has no signals and no keeper",
    "launchd/": "it is about launchd, of which there is none; winsvc has the like",
    "systemd/": "it is about systemd, of which there is none; winsvc has the like",
}


def path(unix):
    """A path as Windows programs see it."""
    return f"Z:{unix}"


def here(path):
    """The same the other way round."""
    assert path.startswith("Z:/"), path
    return path[2:]


def own_path(unix):
    """A program's path as it finds it for itself."""
    return path(os.path.realpath(unix)).replace("/", "\\")


def name(text):
    """What is left of a file's name where these are no part of one, and blanks not its end: "Naming Files,
    Paths, and Namespaces"."""
    return re.sub(r'[<>:"/\\|?*\0-\x1f]', "", text).rstrip(" .")


def ready_by_file(program, place):
    """In place of a message that nobody can send there: the test program leaves a file, which a health
    command asks for.  It does so until then, and not again."""
    return {"ready": "health", "environment": {"TEST_READY": path(place)},
            "health": {"command": [program, "said-ready"], "interval": "1h"}}


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


def is_left_out(path):
    return path.name in LEFT_OUT or f"{path.parent.name}/" in LEFT_OUT


def refuse_unnamed(path):
    """A file that is in neither table is a mistake."""
    if path.name not in SKIPPED and not is_left_out(path):
        raise pytest.Collector.CollectError(
            f"{path.name} is neither in SKIPPED nor in LEFT_OUT of tests/e2e/{Path(__file__).name}")


def select(items):
    """Skips by name what does not apply, and leaves out the files of which nothing does."""
    kept = []
    for item in items:
        if is_left_out(item.path):
            continue
        skipped = SKIPPED[item.path.name]
        reason = skipped.get(item.originalname, skipped.get(item.name))
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))
        kept.append(item)
    items[:] = kept
