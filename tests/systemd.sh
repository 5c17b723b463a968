#!/usr/bin/env bash
# Runs tests/e2e/systemd under a real systemd (in_systemd.sh).
#
# usage: systemd.sh BUILD-FOLDER [pytest options]     needs root
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "$1")
shift

mkdir -p "$build/systemd"
tests/in_systemd.sh 900 "$build/systemd" env "SVCMGR_BUILD=$build" SVCMGR_TEST_SYSTEMD=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    /usr/bin/python3 -m pytest -q -p no:cacheprovider --basetemp=/tmp/svcmgr-systemd \
    tests/e2e/systemd "$@"
