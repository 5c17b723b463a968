#!/usr/bin/env bash
# Builds for Windows, looks at what came out, and runs the tests under Wine, in a machine of its own
# that is made anew.
set -euo pipefail
# One in some thousand programs of Wine 8 ends before it begins, with 1 and nothing but "failed to map the
# shared user data", where the kernel has put something at the one address that Windows has for that.
# With addresses that are always the same it has not.
if [ -z "${SVCMGR_SAME_ADDRESSES-}" ] && setarch "$(uname -m)" --addr-no-randomize true 2> /dev/null; then
    exec env SVCMGR_SAME_ADDRESSES=1 setarch "$(uname -m)" --addr-no-randomize bash "$0" "$@"
fi
cd "$(dirname "$0")/.."

work=build/windows
export WINEPREFIX=$PWD/$work/wine WINEDEBUG=-all,err+virtual
export LC_ALL=C.UTF-8 # else file names are not UTF-8 for Wine
export WINEDLLOVERRIDES="mscoree,mshtml=" # what Wine would offer to fetch from the network
# Libraries that are in every Windows 10.
system='advapi32|bcrypt|iphlpapi|kernel32|msvcrt|ntdll|ole32|shell32|user32|userenv|ws2_32'

fail() { printf 'windows: %s\n' "$*" >&2; exit 1; }

# program FILE
program() {
    local file=$1 headers others
    [ -f "$file" ] || fail "$file was not built"
    headers=$(x86_64-w64-mingw32-objdump -p "$file")
    others=$(sed -n 's/^[[:space:]]*DLL Name: //p' <<< "$headers" | tr '[:upper:]' '[:lower:]' |
        grep -vxE "($system)\.dll" || true)
    [ -z "$others" ] || fail "$file needs more than the system's libraries: $others"
    # What the system reads in its resources before it starts it.
    grep -qa '<longPathAware [^>]*>true<' "$file" || fail "$file has no manifest"
    grep -qaP 'P\0r\0o\0d\0u\0c\0t\0V\0e\0r\0s\0i\0o\0n\0' "$file" || fail "$file has no version"
    grep -q '^Entry 0 0* ' <<< "$headers" || fail "$file exports functions, like a library"
    printf '%s: %s bytes\n' "$file" "$(stat -c %s "$file")"
}

[ -f build/sources/cmocka/src/cmocka.c ] || fail "no source of cmocka: ./dev test fetches it"
command -v wine > /dev/null || fail "no wine: ./dev test installs it"
mkdir -p "$work"
cmake --preset windows -DSVCMGR_WERROR=ON > "$work/build.log" 2>&1 &&
    cmake --build "$work" -j "$(getconf _NPROCESSORS_ONLN)" >> "$work/build.log" 2>&1 || {
    tail -n 100 "$work/build.log"
    fail "it does not build"
}
# What the linker only warns of is not made an error by -Werror.
if grep -iE '\bwarning\b' "$work/build.log"; then fail "a warning"; fi
program "$work/bin/svcmgr.exe"

# Only this machine's processes: it is found by WINEPREFIX.
stop_machine() { wineserver -k > /dev/null 2>&1 || true; }
trap stop_machine EXIT
stop_machine
rm -rf "$WINEPREFIX"
wine wineboot -i > "$work/wine.log" 2>&1 || { cat "$work/wine.log"; fail "Wine does not start"; }
# Windows are there, and messages to them, with nothing to show them on.
wine reg add 'HKCU\Software\Wine\Drivers' /v Graphics /d null /f >> "$work/wine.log" 2>&1
# Each process that begins looks for the machine's among them, with some 600 questions to Wine's server: a
# third of what its beginning costs.  Without them it is told by the system below.
wine reg delete 'HKLM\Software\Microsoft\Windows NT\CurrentVersion\Time Zones' /f >> "$work/wine.log" 2>&1
stop_machine
# Else it goes down where no program has run for 3 s, and a program that comes just then goes with it
# (wineserver(1), -p).
wineserver -p > /dev/null 2>&1

result=0
ctest --test-dir "$work" -V -j "$(getconf _NPROCESSORS_ONLN)" --timeout 300 > "$work/ctest.log" 2>&1 ||
    result=1
sed -n 's/^[0-9]*: \(skipped on Wine: .*\)/\1/p' "$work/ctest.log" | sort
if [ $result = 1 ]; then
    sed -n 's/^[[:space:]]*\([0-9]*\) - .* (.*)$/\1/p' "$work/ctest.log" | while read -r number; do
        grep "^$number: " "$work/ctest.log" | tail -n 50
    done
    sed -n '/ tests failed out of /,$p' "$work/ctest.log"
    fail "a test failed"
fi
tail -n 4 "$work/ctest.log"

# One program serves all of Wine's processes: more tests at once would only wait for it.
SVCMGR_BUILD=$PWD/$work tests/e2e.sh 2 --durations 40 --durations-min 3 -rs
