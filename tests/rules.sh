#!/usr/bin/env bash
# The project's rules that no compiler checks: which part may use what, how long a file may be, where tests lie,
# and that the list of behaviours is complete. Whatever a rule names must exist, so that none goes stale.
set -euo pipefail
cd "$(dirname "$0")/.."
status=0
files=$(git ls-files)
manifests=$(grep -E '(^|/)Cargo\.toml$' <<< "$files")
# Tests may use what they like.
sources=$(grep -E '\.rs$' <<< "$files" | grep -vE '(^|/)tests(/|\.rs)')

# fail WHAT DETAILS
fail() {
    printf 'rules: %s:\n%s\n' "$1" "$2"
    status=1
}

# only WHAT PATTERN ALLOWED…: in sources, the pattern may stand below the allowed paths alone.
only() {
    local what=$1 pattern=$2 path hits
    shift 2
    hits=$sources
    for path in "$@"; do
        grep -q "^$path" <<< "$files" || fail "a rule of tests/rules.sh names a path that does not exist" "$path"
        hits=$(grep -v "^$path" <<< "$hits" || true)
    done
    hits=$(xargs -r grep -nE "$pattern" <<< "$hits" || true)
    [ -z "$hits" ] || fail "$what" "$hits"
}

# only_crates WHAT CRATES ALLOWED…: the same for the use of crates, by the names they have in Rust.
only_crates() {
    local what=$1 crates=$2 crate
    shift 2
    for crate in $crates; do
        xargs grep -qE "^${crate//_/[-_]}[. ]" <<< "$manifests" ||
            fail "a rule of tests/rules.sh names a crate that no manifest has" "$crate"
    done
    only "$what" "\b(${crates// /|})::" "$@"
}

only_crates 'only the kernel edge makes system calls and speaks netlink' 'neli socket2 libc rustix landlock' actors/src/io/
only_crates 'only the kernel edge knows packet formats' 'pnet' actors/src/io/
only_crates 'only the control socket is async-std' 'async_std' src/control/
only_crates 'only arpherd top draws on a terminal' 'ratatui' src/top/
only_crates 'only the binary knows files, terminals and the command line' 'figment slog_term clap clap_complete clap_mangen comfy_table' src/
only 'only the binary prints' '\b(e?print(ln)?)!' src/
only 'the core has no clock, thread, file or socket' '\bstd::(time::(Instant|SystemTime)|thread|fs|net::(Tcp|Udp)|io)\b' \
    src/ actors/src/

# The core's manifest is the proof that it decides and does nothing else.
wanted='ipnetwork serde thiserror'
found=$(sed -n '/^\[dependencies\]/,/^\[/s/^\([a-z_-]*\)[. ].*/\1/p' actors/core/Cargo.toml | sort | xargs)
[ "$found" = "$wanted" ] || fail "the core depends on other crates than $wanted" "$found"

long=$(grep -E '\.rs$' <<< "$files" | xargs wc -l | awk '$2 != "total" && $1 > 350 { print $2 ": " $1 " lines" }')
[ -z "$long" ] || fail 'files are split before they have more than 350 lines' "$long"

# Where tests lie: see tests/README.md.
misplaced=$(grep -E '_tests?\.rs$|/tests/mod\.rs$' <<< "$files" || true)
[ -z "$misplaced" ] || fail 'unit tests of foo.rs lie in it or in foo/tests.rs' "$misplaced"
inline=$(grep -E '^(src|actors)/.*\.rs$' <<< "$files" | xargs awk '
    /^mod tests \{/ { start = FNR; name = FILENAME }
    start && /^\}/ { if (FNR - start > 150) print name ": " FNR - start " lines"; start = 0 }')
[ -z "$inline" ] || fail 'more than 150 lines of unit tests lie in foo/tests.rs' "$inline"
elsewhere=$(xargs grep -nE '#\[path' <<< "$sources" || true)
[ -z "$elsewhere" ] || fail 'a module lies where its name says' "$elsewhere"
# Rust's own attribute means nothing to a binary with a harness of its own: the test would never run.
unseen=$(grep -E '^(actors/tests/bpf|actors/tests/io|tests/behaviours|tests/docs|tests/prometheus|tests/screen|tests/vm|tests/lab/tests)/.*\.rs$' <<< "$files" |
    xargs grep -nE '^ *#\[test\]' || true)
[ -z "$unseen" ] || fail 'tests in network namespaces bear #[harness::test]' "$unseen"

# tests/behaviours/README.md lists "ID FILE" for each test; a test whose name has no id counts as "-".
page=tests/behaviours/README.md
tested=$(grep -E '^tests/(behaviours|vm)/.*\.rs$' <<< "$files" | xargs awk '
    /^#\[harness::test/ { test = 1; next }
    test && /^fn / {
        id = match($2, /^[a-d][0-9]+_/) ? toupper(substr($2, 1, RLENGTH - 1)) : "-"
        print id, FILENAME; test = 0
    }' | sort -u)
listed=$(awk -F' *[|] *' '
    /^\| / && NF > 3 && $2 !~ /^(id|tests)$/ {
        id = $2 ~ /^[A-D][0-9]+$/ ? $2 : "-"
        if ($(NF - 1) == "not built yet") next
        count = split($(NF - 1), cells, /, */)
        for (i = 1; i <= count; i++) {
            file = cells[i]; gsub(/`/, "", file)
            print id, (file ~ /^vm\// ? "tests/" : "tests/behaviours/") file
        }
    }' "$page" | sort -u)
unlisted=$(comm -23 <(echo "$tested") <(echo "$listed"))
[ -z "$unlisted" ] || fail "$page does not list these tests" "$unlisted"
untested=$(comm -13 <(echo "$tested") <(echo "$listed"))
[ -z "$untested" ] || fail "$page lists tests that do not exist" "$untested"
gaps=$(grep -oE '^[|] [A-D][0-9]+ ' "$page" | awk '
    { letter = substr($2, 1, 1); number = substr($2, 2); if (number != ++last[letter]) print $2; last[letter] = number }')
[ -z "$gaps" ] || fail "$page does not list the ids in order; see before" "$gaps"

[ "$status" = 0 ] && echo 'rules: all kept'
exit "$status"
