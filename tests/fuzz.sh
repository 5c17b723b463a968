#!/usr/bin/env bash
# Fuzzes one target; if it fails, prints where, and the input, which is all that is needed to see it
# again.  SVCMGR_FUZZ_SECONDS says for how long; else it is 25 s for the control channel, where one run
# takes milliseconds, and 2 s for the others.
#
# A target NAME begins with the inputs in tests/fuzz/NAME and knows the words of tests/fuzz/NAME.dict,
# where there are such.
#
# usage: fuzz.sh TARGET
set -uo pipefail
target=$1
name=$(basename "$target")
inputs=$(dirname "$0")/fuzz/$name
seconds=2
[ "$name" != fuzz_control ] || seconds=25
seconds=${SVCMGR_FUZZ_SECONDS:-$seconds}

# What it writes: in memory where that can be had, and gone with us also when it crashes.
TMPDIR=$(mktemp -d /dev/shm/svcmgr-fuzz-XXXXXX 2> /dev/null || mktemp -d) || exit 1
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
mkdir "$TMPDIR/found"

words=("$target" "-max_total_time=$seconds" -timeout=30 -print_final_stats=1 -entropic_scale_per_exec_time=1 "-artifact_prefix=$target.")
[ ! -f "$inputs.dict" ] || words+=("-dict=$inputs.dict")
words+=("$TMPDIR/found")
[ ! -d "$inputs" ] || words+=("$inputs")
"${words[@]}" > "$target.log" 2>&1 && exit 0
# Without the frames of libFuzzer and of the system.
grep -E '^(==|SUMMARY|MS:|stat::number)|runtime error|does not hold|^ +#[0-9]+ .*\.c:' "$target.log" | cut -c 1-200
input=$(sed -n 's/.*Test unit written to //p' "$target.log" | tail -n 1)
if [ -f "$input" ]; then
    printf 'base64 -d <<< %s | gzip -d > input\n' "$(gzip -9 -n -c "$input" | base64 -w 0)"
fi
printf '%s input\n' "$target"
exit 1
