#!/usr/bin/env bash
# Runs all tests; ./dev test installs what they need and calls this.
#
# usage: run.sh [STEP...]     without steps: all of them
set -uo pipefail
cd "$(dirname "$0")/.."

all_steps=(build lint unit windows valgrind coverage fuzz spin macos systemd release portable asan)
jobs=$(getconf _NPROCESSORS_ONLN)
failed=()
suites=()
built=()
begin_all=$SECONDS
last_words=30 # lines of a step that failed

# configure-and-build NAME PRESET [options]
make_build() {
    local name=$1 preset=$2
    shift 2
    cmake --preset "$preset" -B "build/$name" -DSVCMGR_WERROR=ON "$@" &&
        cmake --build "build/$name" -j "$jobs"
}

# All compilers and kinds, warnings as errors.
step_build() {
    make_build release release -DSVCMGR_TESTS=ON &&
        make_build debug debug &&
        make_build clang debug -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Release &&
        make_build asan asan &&
        make_build portable portable
}

step_lint() { tests/lint.sh build/debug --quick; }

step_unit() {
    local name
    for name in debug clang asan portable; do
        ctest --test-dir "build/$name" --output-on-failure -j "$jobs" || return 1
    done
}

step_valgrind() {
    find build/debug/tests -maxdepth 1 -type f -executable -name 'test_*' -print0 |
        SVCMGR_TEST_STEP=23 xargs -0 -n 1 -P "$jobs" valgrind --quiet --error-exitcode=99 \
            --leak-check=full --errors-for-leak-kinds=definite
}

step_coverage() { tests/coverage.sh; }

step_fuzz() {
    make_build fuzz debug -DCMAKE_C_COMPILER=clang -DSVCMGR_FUZZ=ON -DSVCMGR_SANITIZE=ON || return 1
    # By name, the one that takes longest is the second: the others run beside it.
    find build/fuzz/tests -maxdepth 1 -type f -executable -name 'fuzz_*' -print0 |
        sort -z | xargs -0 -n 1 -P "$jobs" tests/fuzz.sh
}

step_spin() { tests/spin.sh; }

step_macos() { tests/macos.sh; }
built_macos="macos 11 and later, aarch64 and x86_64"

step_windows() { tests/windows.sh; }
suite_windows="windows, cross-built, under $(wine --version 2> /dev/null)"

# The end-to-end tests against one build, WORKERS a processor: most of them wait most of the time.
end_to_end() {
    local build=$1 workers=$2
    shift 2
    env SVCMGR_BUILD="$PWD/build/$build" "$@" tests/e2e.sh "$((jobs * workers))" --durations 40 --dist loadfile
}

step_release() { end_to_end release 3; }
suite_release="linux (static executable where musl is there, $(uname -m))"

# A report of a background supervisor is a file (svcmgr/sanitizer.c).
step_asan() {
    local result=0
    rm -f build/asan/sanitizer.*
    end_to_end asan 2 || result=1
    # Whoever is killed while it looks for leaks, at its end, leaves this line of the looker's.
    if grep -v 'Unable to get registers from thread' build/asan/sanitizer.* 2> /dev/null; then
        result=1
    fi
    return $result
}
suite_asan="linux with AddressSanitizer and UndefinedBehaviorSanitizer"

step_portable() { end_to_end portable 3 SVCMGR_TEST_PORTABLE=1; }
suite_portable="linux built portable"

step_systemd() { tests/systemd.sh build/release; }
suite_systemd="$(systemctl --version | head -n 1) as process 1"

# Runs a step and says how it went.
run_step() {
    local begin=$SECONDS log=build/test-$1.log text
    "step_$1" > "$log" 2>&1
    echo $? > "build/test-$1.code"
    if [ "$(cat "build/test-$1.code")" = 0 ]; then
        text=$(printf '== %s\n   passed in %d s' "$1" $((SECONDS - begin)))
    else
        text=$(tail -n 150 "$log"
            printf '== %s\n   FAILED after %d s; all of it is in %s' "$1" $((SECONDS - begin)) "$log")
    fi
    printf '%s\n' "$text"
}

# Steps that wait most of the time, one after the other beside the rest, which computes.  Whoever of the
# two is done first helps the other from the end.
waiting=" systemd release portable asan "

reversed() {
    local i
    for ((i = $#; i > 0; i--)); do printf '%s\n' "${!i}"; done
}

# Runs the steps that nobody else has taken yet.
lane() {
    local step
    for step in "$@"; do
        if mkdir "build/test-$step.taken" 2> /dev/null; then run_step "$step"; fi
    done
}

steps=("$@")
[ ${#steps[@]} -gt 0 ] || steps=("${all_steps[@]}")
mkdir -p build
rm -rf build/test-*.code build/test-*.taken
beside=()
rest=()
for step in "${steps[@]}"; do
    if [[ $waiting = *" $step "* ]]; then beside+=("$step"); else rest+=("$step"); fi
done
if [ "${rest[0]-}" = build ]; then
    run_step build
    rest=("${rest[@]:1}")
fi
# Behind a build that failed the others would test what was built before.
if [ ! -f build/test-build.code ] || [ "$(cat build/test-build.code)" = 0 ]; then
    # shellcheck disable=SC2046
    lane "${beside[@]}" $(reversed "${rest[@]}") &
    # shellcheck disable=SC2046
    lane "${rest[@]}" $(reversed "${beside[@]}")
    wait
fi
for step in "${steps[@]}"; do
    suite=suite_$step
    only_built=built_$step
    if [ "$(cat "build/test-$step.code" 2> /dev/null)" != 0 ]; then
        failed+=("$step")
    elif [ -n "${!suite-}" ]; then
        suites+=("${!suite}")
    elif [ -n "${!only_built-}" ]; then
        built+=("${!only_built}")
    fi
done

printf '\nplatform suites that ran:\n'
for suite in "${suites[@]:-none}"; do
    printf '  %s\n' "$suite"
done
if [ ${#built[@]} -gt 0 ]; then
    printf 'built and looked at, not run:\n'
    printf '  %s\n' "${built[@]}"
fi
for step in "${steps[@]}"; do
    sed -n "s/^unsteady: \(.*\)/passed only at its second try: $step: \1/p" "build/test-$step.log"
done
printf 'in %d s\n' $((SECONDS - begin_all))
# Once more, for who sees only the end of all this.
for step in "${failed[@]}"; do
    printf '\n== %s failed\n' "$step"
    tail -n "$last_words" "build/test-$step.log" | cut -c 1-1000
done
if [ ${#failed[@]} -gt 0 ]; then
    printf 'FAILED: %s\n' "${failed[*]}"
    exit 1
fi
printf 'all passed\n'
