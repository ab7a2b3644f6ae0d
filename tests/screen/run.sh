#!/usr/bin/env bash
# Runs the tests of `arpherd top` and of the page in a terminal and in a browser, which are fetched from Debian's
# packages and not installed.
#
#   tests/screen/run.sh [OPTION]... [PART OF A NAME]       as for the test binary; without any, all of them
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."
command -v python3 > /dev/null || { echo 'run.sh: python3 is needed' >&2; exit 1; }
ARPHERD_SCREEN_PYTE=$("$here/../packages.sh" python3-pyte)
ARPHERD_SCREEN_CHROMIUM=$("$here/../packages.sh" chromium)
export ARPHERD_SCREEN_PYTE ARPHERD_SCREEN_CHROMIUM
exec cargo test --locked --package arpherd --test screen -- "$@"
