#!/usr/bin/env bash
# DHCP across the segments with the programs that Debian ships: Kea, isc-dhcp-server and dnsmasq as servers, dhclient,
# dhcpcd and udhcpc as clients, ISC's dhcrelay as the one to compare with. Each scenario has network namespaces of its own.
#
#   tests/dhcp/run.sh BINARY [PART OF A NAME]...     the scenarios with this in their names; without any, all of them
#   tests/dhcp/run.sh BINARY --bench                 1,000 clients at once beside dhcrelay, and latency beside an ARP flood
#
# Needs root and python3; the programs come from apt and are not installed.
set -euo pipefail
binary=$(realpath "${1:?usage: run.sh BINARY [PART OF A NAME]...}")
shift
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=$("$here/../packages.sh" kea-dhcp4-server isc-dhcp-server dnsmasq-base isc-dhcp-client dhcpcd-base busybox-static \
    isc-dhcp-relay iproute2)
arch=$(uname -m)-linux-gnu
export DHCP_TEST_TOOLS=$tools
export PATH=$tools/usr/sbin:$tools/sbin:$tools/usr/bin:$tools/bin:$PATH
export LD_LIBRARY_PATH=$tools/usr/lib/$arch:$tools/lib/$arch
export PYTHONDONTWRITEBYTECODE=1
exec timeout 600 /usr/bin/env python3 "$here/judge.py" "$binary" "$@"
