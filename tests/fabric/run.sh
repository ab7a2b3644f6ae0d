#!/usr/bin/env bash
# Three gateways and a spine that Debian's FRR or BIRD connects by BGP, with the guides' configurations of all of them.
#
#   tests/fabric/run.sh BINARY [PART OF A NAME]...     the scenarios with this in their names; without any, all of them
#
# Needs root and python3; the programs come from apt and are not installed.
set -euo pipefail
binary=$(realpath "${1:?usage: run.sh BINARY [PART OF A NAME]...}")
shift
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=$("$here/../packages.sh" frr bird2 iproute2 iputils-ping)
lib=$tools/usr/lib/$(uname -m)-linux-gnu
export PATH=$tools/usr/lib/frr:$tools/usr/bin:$tools/bin:$tools/usr/sbin:$tools/sbin:$PATH
export LD_LIBRARY_PATH=$lib:$lib/frr:$tools/lib/$(uname -m)-linux-gnu
export PYTHONDONTWRITEBYTECODE=1
exec timeout 400 /usr/bin/env python3 "$here/judge.py" "$binary" "$@"
