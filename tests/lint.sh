#!/usr/bin/env bash
# Format, static analysis, layers.  usage: lint.sh BUILD-FOLDER [--quick]
# The folder has a compile_commands.json; --quick follows a fifteenth of the paths of long functions.
set -uo pipefail
cd "$(dirname "$0")/.."
build=$1
nodes=225000 # clang's own: analyzer-config max-nodes
[ "${2-}" != --quick ] || nodes=15000
failed=0

check() {
    local name=$1
    shift
    if ! "$@" > "$build/lint.log" 2>&1; then
        printf 'lint: %s\n' "$name" >&2
        head -60 "$build/lint.log" >&2
        failed=1
    fi
}

sources() { git ls-files --cached --others --exclude-standard "$@"; }

format() { sources '*.c' '*.h' | xargs -r clang-format --dry-run -Werror; }

# The layers of docs/ARCHITECTURE.md as far as include paths do not enforce them.
layers() {
    local bad=0
    if grep -nE '#include "\.\./' $(sources 'svcmgr/*.c' 'svcmgr/*.h' 'units/*.[ch]' 'launchd/*.[ch]' 'winsvc/*.[ch]'); then
        echo "an include that climbs out of its folder"
        bad=1
    fi
    if grep -nE '#[[:space:]]*(if|ifdef|ifndef|elif).*(_WIN32|__APPLE__|__linux__|SVCMGR_PORTABLE)' \
            $(sources 'svcmgr/*.c' 'svcmgr/*.h' 'units/*.[ch]' 'launchd/*.[ch]' 'winsvc/*.[ch]' | grep -v '^svcmgr/platform/'); then
        echo "an OS condition outside svcmgr/platform"
        bad=1
    fi
    if grep -nE '#include <(sys|linux|netinet|arpa)/' \
            $(sources 'svcmgr/*.c' 'svcmgr/*.h' 'units/*.[ch]' 'launchd/*.[ch]' 'winsvc/*.[ch]' | grep -v '^svcmgr/platform/'); then
        echo "a system header outside svcmgr/platform"
        bad=1
    fi
    local file
    for file in $(sources 'svcmgr/*.c' 'units/*.c' 'launchd/*.c' 'winsvc/*.c' | grep -vE 'svcmgr/(main|platform/platform_sys)\.c'); do
        if [ "$(grep '^#include' "$file" | tail -n 1)" != '#include "banned.h"' ]; then
            echo "$file: banned.h must be included last"
            bad=1
        fi
    done
    return $bad
}

# Whatever a file shows to others has somebody who uses it (tests count).
used() {
    local names
    names=$(find "$build/svcmgr" "$build/tests" -name '*.o' -print0 | xargs -0 nm -A |
        awk '{ name = $NF; kind = $(NF - 1) }
            kind ~ /^[TDBR]$/ && $1 ~ /\/svcmgr\// { defined_in[name] = $1 }
            kind == "U" { used[name] = 1 }
            END { for (name in defined_in)
                      if (!(name in used) && name != "main") print name, defined_in[name] }')
    [ -z "$names" ] || { printf 'nothing outside its own file uses it:\n%s\n' "$names"; return 1; }
}

# tidy_with BUILD-FOLDER [option]: the sources that come in
tidy_with() {
    local folder=$1
    shift
    xargs -r -P "$(getconf _NPROCESSORS_ONLN)" -n 4 clang-tidy --quiet -p "$folder" "$@" \
        --extra-arg=-Xclang --extra-arg=-analyzer-config --extra-arg=-Xclang \
        --extra-arg="max-nodes=$nodes"
}

tidy() {
    # The sanitizers' file is compiled with them only, which needs a name from the build; for macOS's
    # there are no headers here (tests/macos.sh builds them).
    sources 'svcmgr/*.c' 'units/*.c' 'launchd/*.c' 'winsvc/*.c' 'examples/*.c' |
        grep -vE '^svcmgr/(sanitizer|platform/(darwin|windows)[a-z_]*)\.c$|_windows\.c$' |
        tidy_with "$build"
}

# Those of Windows with the headers of mingw-w64, where that is.
tidy_windows() {
    command -v x86_64-w64-mingw32-gcc > /dev/null || return 0
    cmake --preset windows || return 1
    sources 'svcmgr/platform/windows_*.c' 'examples/*_windows.c' |
        tidy_with build/windows --extra-arg=--target=x86_64-w64-mingw32
}

static_check() {
    sources 'svcmgr/*.c' 'units/*.c' 'launchd/*.c' 'winsvc/*.c' 'examples/*.c' | xargs -r cppcheck -j "$(getconf _NPROCESSORS_ONLN)" --quiet --error-exitcode=1 --std=c11 \
        --enable=warning,performance,portability --inline-suppr \
        --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
        -I svcmgr/base -I svcmgr/model -I svcmgr/platform -I svcmgr/launcher -I svcmgr/guard \
        -I launchd -I units -I winsvc -I svcmgr/keeper -I svcmgr/logs -I svcmgr/supervisor -I svcmgr/cli -I "$build/include"
}

manuals() {
    sources 'man/*.[158]' | xargs -r mandoc -T lint -W warning &&
        /usr/bin/python3 man/make_keys.py "$build/tests/parse_config" --check
}
scripts() {
    local file
    for file in dev .ci/run $(sources '*.sh'); do
        bash -n "$file" || return 1
    done
}

# Every test that docs/GUARD.md names exists.
named_tests() {
    local bad=0 file name pattern
    while IFS=: read -r file _ name; do
        pattern="^def $name("
        if [ "$file" = decision ]; then
            file=tests/unit/test_decision.c pattern="^static void $name("
        else
            file=tests/e2e/$file.py
        fi
        if ! grep -q "$pattern" "$file"; then
            echo "docs/GUARD.md names a test that does not exist: $file, $name"
            bad=1
        fi
    done < <(grep -oE '`(((systemd|launchd)/)?test_[a-z0-9_]+|decision)::[a-z0-9_]+`' docs/GUARD.md | tr -d '`')
    return $bad
}

# Every method is in docs/PROTOCOL.md, as the name of a row or in a heading.
documented_methods() {
    local bad=0 name names
    names=$(sed -n '/^} methods\[\] = {/,/^};/s/^    { "\([^"]*\)".*/\1/p' svcmgr/supervisor/methods.c)
    if [ -z "$names" ]; then
        echo "no table of methods in svcmgr/supervisor/methods.c"
        bad=1
    fi
    for name in $names; do
        if ! grep -qE "^(\| |#+ )\`$name\`" docs/PROTOCOL.md; then
            echo "docs/PROTOCOL.md does not describe the method $name"
            bad=1
        fi
    done
    return $bad
}

# A busy machine may take its time: an upper bound is LIMIT, and what is not waited for is LONG.
timed_assertions() {
    ! grep -nE 'assert .*(seconds|monotonic\(\) - )[^=]* < [0-9]' $(sources 'tests/e2e/*.py')
}

python_files() { sources '*.py' | xargs -r /usr/bin/python3 -m pyflakes; }

check "clang-format (run clang-format -i on these)" format
check "layers" layers
check "used from elsewhere" used
check "cppcheck" static_check
check "mandoc" manuals
check "tests that docs/GUARD.md names" named_tests
check "methods that docs/PROTOCOL.md describes" documented_methods
check "shell scripts" scripts
check "python files" python_files
check "a figure as the upper bound of a time in a test" timed_assertions
check "clang-tidy" tidy
check "clang-tidy, Windows" tidy_windows
exit $failed
