#!/usr/bin/env bash
# Branch coverage of the pure layers, svcmgr/base, svcmgr/model and what is pure of units, by their
# unit and model tests.
#
# usage: coverage.sh [-v]     -v: also names each branch that no test takes
set -euo pipefail
cd "$(dirname "$0")/.."

build=build/coverage
least_percent=95
jobs=$(getconf _NPROCESSORS_ONLN)

cmake --preset debug -B $build -DCMAKE_C_COMPILER=gcc -DSVCMGR_COVERAGE=ON > $build.log 2>&1 ||
    { cat $build.log; exit 1; }
cmake --build $build -j "$jobs" >> $build.log 2>&1 || { tail -50 $build.log; exit 1; }

# Counts of former runs would be added to.
find $build -name '*.gcda' -delete
ctest --test-dir $build --output-on-failure -j "$jobs" > $build.log 2>&1 || { cat $build.log; exit 1; }

for layer in base model units; do
    find $build/svcmgr/CMakeFiles/svcmgr_$layer.dir -name '*.gcno' -print0
done | xargs -0 gcov --json-format --stdout --branch-probabilities |
    /usr/bin/python3 tests/coverage.py --least $least_percent "$@"
