#!/usr/bin/env bash
# The JSON Schema of configuration files, judged by Debian's python3-jsonschema, which is fetched and not installed: what
# the daemon accepts the schema accepts, and a wrong value at any key both refuse.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
packages=$(tests/packages.sh python3-jsonschema python3-ruamel.yaml)
texts=$(mktemp -d)
trap 'rm -rf "$texts"' EXIT
# Each text that the unit tests of the configuration load is kept, with what the daemon said.
CONFIG_TEXTS=$texts cargo test --locked --quiet --package arpherd --bin arpherd config:: > "$texts/log" ||
    { cat "$texts/log"; exit 1; }
cargo build --locked --quiet --package arpherd --bin arpherd
PYTHONPATH=$packages/usr/lib/python3/dist-packages /usr/bin/python3 tests/schema/judge.py target/debug/arpherd "$texts"
