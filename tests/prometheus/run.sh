#!/usr/bin/env bash
# Runs the tests of the metrics beside Debian's Prometheus, which is fetched from its package and not installed.
#
#   tests/prometheus/run.sh [OPTION]... [PART OF A NAME]   as for the test binary; without any, all of them
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
ARPHERD_PROMETHEUS=$(tests/packages.sh prometheus)
export ARPHERD_PROMETHEUS
exec cargo test --locked --package arpherd --test prometheus -- "$@"
