#!/usr/bin/env bash
# Runs the end-to-end tests against the build that SVCMGR_BUILD names.
#
# A few that fail have one more try, one after the other, when the rest of the suite is done: on a busy
# machine a test's own wait can be too short.  Whoever passes only then is named ("unsteady: ..."), also at
# the end of ./dev test, and is to be mended.  Nothing that must not happen even once has a second try: a
# second instance, a connection refused, a line lost, a stranger harmed, which the files below are about,
# and what the sanitizers report.
#
# usage: e2e.sh WORKERS [pytest options]
set -uo pipefail
cd "$(dirname "$0")/.."
workers=$1
shift

once="test_faults test_guard_displaced test_guard_storm test_kill_points test_output_loss test_programs
    test_restart_load test_standby test_state_directory test_survival test_survival_keeper
    test_survival_moments test_trials test_upgrade test_windows test_windows_upgrade test_winsvc_service"
unsteady_max=3

# Their files lie in a folder of their own: pytest's own is cleared by other runs of it.
place=$(mktemp -d)
run() { /usr/bin/python3 -m pytest -q -o "cache_dir=$place/cache" --basetemp "$place/$1" "${@:2}" tests/e2e; }

# The tests that failed, a line each; fails if they are not to be tried again.
failed_ones() {
    /usr/bin/python3 - "$place/cache/v/cache/lastfailed" "$unsteady_max" "$once" << 'EOF'
import json
import pathlib
import sys

file, most, once = sys.argv[1:]
failed = json.loads(pathlib.Path(file).read_text())
print(*failed, sep="\n")
sys.exit(not 0 < len(failed) <= int(most) or
         any(pathlib.Path(test.split("::")[0]).stem in once.split() for test in failed))
EOF
}

run first -n "$workers" "$@"
result=$?
if [ $result = 1 ] && failed=$(failed_ones); then
    printf '\nonce more, by themselves:\n'
    run again --last-failed --last-failed-no-failures none -n 0
    result=$?
    if [ $result = 0 ]; then
        while IFS= read -r test; do printf 'unsteady: %s\n' "$test"; done <<< "$failed"
    fi
fi
if [ $result = 0 ]; then rm -rf "$place"; else printf 'its files are in %s\n' "$place"; fi
exit $result
