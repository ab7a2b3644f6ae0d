#!/usr/bin/env bash
# What docs/what-does-not-cross.md says of mDNS and SSDP, with Debian's avahi-daemon and smcrouted and the files of
# configs/multicast: what a host sends does not cross without them, and does with them (judge.py).
#
#   tests/multicast/run.sh BINARY
#
# Needs root and python3; the programs come from apt and are not installed.
set -euo pipefail
binary=$(realpath "${1:?usage: run.sh BINARY}")
cd "$(dirname "$0")/../.."
if [ -z "${MULTICAST_TEST_INSIDE:-}" ]; then
    MULTICAST_TEST_TOOLS=$(tests/packages.sh avahi-daemon smcroute iproute2)
    export MULTICAST_TEST_TOOLS MULTICAST_TEST_INSIDE=1
    exec unshare --mount --net --propagation private "$0" "$binary"
fi
tools=$MULTICAST_TEST_TOOLS
arch=$(uname -m)-linux-gnu
# Of /run and the list of users the programs get their own.
mount -t tmpfs tmpfs /run
mkdir /run/arpherd /run/etc
for file in passwd group; do cp /etc/$file /run/etc/$file; done
grep -q '^avahi:' /run/etc/passwd || echo 'avahi:x:64999:64999::/:/usr/sbin/nologin' >> /run/etc/passwd
grep -q '^avahi:' /run/etc/group || echo 'avahi:x:64999:' >> /run/etc/group
for file in passwd group; do mount --bind /run/etc/$file /etc/$file; done
export PATH=$tools/usr/sbin:$tools/sbin:$tools/usr/bin:$tools/bin:$PATH
export LD_LIBRARY_PATH=$tools/usr/lib/$arch:$tools/lib/$arch
exec timeout 120 /usr/bin/env python3 tests/multicast/judge.py "$binary"
