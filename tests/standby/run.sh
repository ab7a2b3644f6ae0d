#!/usr/bin/env bash
# Two gateways with Debian's keepalived: who answers, how long nothing goes, and what the new one knows, when the first is
# killed, frozen, cut off, and comes back. Each scenario has network namespaces of its own.
#
#   tests/standby/run.sh BINARY [PART OF A NAME]...     the scenarios with this in their names; without any, all of them
#
# Needs root and python3; keepalived comes from apt and is not installed.
set -euo pipefail
binary=$(realpath "${1:?usage: run.sh BINARY [PART OF A NAME]...}")
shift
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=$("$here/../packages.sh" keepalived iproute2)
arch=$(uname -m)-linux-gnu
export PATH=$tools/usr/sbin:$tools/sbin:$tools/usr/bin:$tools/bin:$PATH
export LD_LIBRARY_PATH=$tools/usr/lib/$arch:$tools/lib/$arch
export PYTHONDONTWRITEBYTECODE=1
exec timeout 600 /usr/bin/env python3 "$here/judge.py" "$binary" "$@"
