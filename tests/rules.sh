#!/usr/bin/env bash
# The house rules that no compiler checks: who may import whom, and how long a file may be.
set -euo pipefail
cd "$(dirname "$0")/.."
status=0

# only WHAT PATTERN ALLOWED…: the pattern may stand in the allowed paths alone.
only() {
    local what=$1 pattern=$2
    shift 2
    local hits
    hits=$(git ls-files '*.rs' | grep -vE '(^|/)tests(/|\.rs)' | grep -vE "$(IFS='|'; echo "$*")" | xargs grep -nE "$pattern" || true)
    if [ -n "$hits" ]; then
        printf 'rules: %s:\n%s\n' "$what" "$hits"
        status=1
    fi
}

only 'only the edge talks to the kernel' '\b(neli|socket2|rustix|libc)::' '^actors/src/io/' '^actors/src/io\.rs'
only 'only the control plane is async-std' '\basync_std::' '^src/control/'
only 'only the porch knows files, terminals and the command line' '\b(figment|slog_term|clap|comfy_table)::' '^src/'
only 'only the edge knows packet formats' '\bpnet::' '^actors/src/io/'
only 'only the porch prints' '\b(e?print(ln)?)!' '^src/'

# The core's manifest is the proof that it decides and does nothing else.
wanted='ipnetwork serde thiserror'
found=$(sed -n '/^\[dependencies\]/,/^\[/s/^\([a-z_-]*\)[. ].*/\1/p' actors/core/Cargo.toml | sort | xargs)
if [ "$found" != "$wanted" ]; then
    printf 'rules: the core depends on "%s", not on "%s"\n' "$found" "$wanted"
    status=1
fi
only 'the core has no clock, thread, file or socket' '\bstd::(time::(Instant|SystemTime)|thread|fs|net::(Tcp|Udp)|io)\b' \
    '^src/' '^actors/src/' '^actors/tests/'

long=$(git ls-files '*.rs' | xargs wc -l | awk '$2 != "total" && $1 > 350 { print $2 ": " $1 " lines" }')
if [ -n "$long" ]; then
    printf 'rules: two nouns in one file?\n%s\n' "$long"
    status=1
fi

[ "$status" = 0 ] && echo 'rules: all kept'
exit "$status"
