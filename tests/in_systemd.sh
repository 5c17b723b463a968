#!/usr/bin/env bash
# Runs a command under a real systemd, which is process 1 of a container: an overlay of this system on
# a tmpfs, with a network and processes of its own.  Nothing of it is left behind but what the command
# writes to /result, which is RESULT-FOLDER.
#
# usage: in_systemd.sh SECONDS RESULT-FOLDER COMMAND...     needs root; prints what the command prints
set -euo pipefail
limit_seconds=$1
result=$(realpath "$2")
shift 2

[ "$(id -u)" = 0 ] || { echo "in_systemd.sh: needs root"; exit 1; }
if [ -z "${SVCMGR_IN_NAMESPACE:-}" ]; then
    exec env SVCMGR_IN_NAMESPACE=1 unshare --mount --propagation private \
        "$0" "$limit_seconds" "$result" "$@"
fi

# A bare folder that one has changed root to may have none: cgroups(7).
[ -e /sys/fs/cgroup/cgroup.procs ] || [ -d /sys/fs/cgroup/systemd ] ||
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
space=$(mktemp -d)
# Leaving the namespace unmounts everything; the folder is empty outside of it.
trap 'umount -l "$space"; rmdir "$space"' EXIT
mount -t tmpfs tmpfs "$space"
mkdir "$space/upper" "$space/work" "$space/root"
mount -t overlay overlay \
    -o "lowerdir=/,upperdir=$space/upper,workdir=$space/work" "$space/root"
root=$space/root
mkdir -p "$root/result" "$root/etc/systemd/system"
printf '%032x\n' "$RANDOM" > "$root/etc/machine-id"
# What a unit with default dependencies brings up: nothing that empties /tmp, where the tests are, or
# that looks at devices.
for unit in systemd-tmpfiles-setup systemd-tmpfiles-setup-dev systemd-udevd systemd-udev-trigger; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit.service"
done
rm -f "$result/log" "$result/code"
{
    printf '#!/bin/sh\ncd %q\nexec' "$PWD"
    printf ' %q' "$@"
    printf '\n'
} > "$root/in_systemd"
chmod +x "$root/in_systemd"
cat > "$root/etc/systemd/system/svcmgr-test.service" <<EOF
[Unit]
DefaultDependencies=no
SuccessAction=exit-force
FailureAction=exit-force

[Service]
Type=oneshot
ExecStart=/bin/bash /in_systemd
StandardOutput=file:/result/log
StandardError=inherit
ExecStopPost=/bin/sh -c 'echo \$EXIT_STATUS > /result/code'
EOF
# The container is for systemd, not for protection: what it filters the tests would miss.  Nor is its
# /tmp another one, since we may lie there (ENVIRONMENT.md of systemd has both variables).
SYSTEMD_SECCOMP=0 SYSTEMD_NSPAWN_TMPFS_TMP=0 SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 timeout --kill-after=10 "$limit_seconds" systemd-nspawn --quiet --directory="$root" \
    --register=no --keep-unit --private-network --bind="$result:/result" \
    --console=pipe --boot systemd.unit=svcmgr-test.service systemd.log_level=warning \
    < /dev/null > "$result/console" 2>&1 || true
if ! [ -s "$result/code" ]; then
    cat "$result/console"
    echo "in_systemd.sh: the container ended without a result"
    exit 1
fi
cat "$result/log"
[ "$(cat "$result/code")" = 0 ]
