#!/bin/sh
# Runs a program for Windows.  What Wine starts beside it (its desktop, say) stays for a while, and
# keeps what it has inherited open: a file, for which nobody waits, and not a pipe.
output=$(mktemp) || exit 125
wine "$@" > "$output" 2>&1 < /dev/null
code=$?
cat "$output"
rm -f "$output"
exit $code
