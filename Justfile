# Every development task; `just` lists them. CI runs `just ci` and nothing else.

set shell := ["bash", "-euo", "pipefail", "-c"]

# What there is to do
default:
    @just --list --unsorted

# What is packaged: without the demo and the lab that it needs
packaged := "--no-default-features --features top"

# Build the daemon as it is packaged
build:
    cargo build --release --package arpherd {{packaged}}

# The Debian package, in target/packages; needs dpkg-dev
deb: build
    configs/packages/deb/build.sh target/release/arpherd target/packages

# The RPM package, in target/packages; needs rpmbuild
rpm: build
    configs/packages/rpm/build.sh target/release/arpherd target/packages

# A static binary, in target/static, for any Linux of this architecture
static:
    #!/usr/bin/env bash
    set -euo pipefail
    triple=$(rustc -vV | sed -n 's/^host: //p')
    # Without --target the flag would concern procedural macros, too, which cannot be static.
    RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --package arpherd {{packaged}} --target "$triple"
    install -D "target/$triple/release/arpherd" target/static/arpherd

# See it work in a small network of its own
demo *args:
    cargo run --release -- demo {{args}}

# The whole suite: core, actors, namespaces, command line; needs no root and no installed program
test *args:
    cargo test --locked {{args}}

# The behaviours of answers once more, given inside the kernel (tests/behaviours); needs root, outside of every container
test-fast *args:
    BEHAVIOURS_IN_KERNEL=1 cargo test --locked --package arpherd --test behaviours {{args}}

# The same on a machine with a Rust tool chain and a C linker and nothing else; needs root and mmdebstrap
test-bare *args:
    tests/bare/run.sh cargo test --locked {{args}}

# IPoIB, Wi-Fi, VLANs, bonds and their like, in a VM of Debian's kernel; needs QEMU, gcc and apt, no root
test-vm *args:
    tests/vm/run.sh {{args}}

# The program that answers inside the kernel, in the same VM: its kernel has no tcx
test-vm-bpf *args:
    VM_SUITE=bpf tests/vm/run.sh {{args}}

# The systemd unit under a real systemd: restart, reload, stop; needs root, systemd-nspawn, mmdebstrap and apt
test-systemd: build
    tests/systemd/run.sh target/release/arpherd

# The packages under a real systemd: install, upgrade, remove, purge; needs root, systemd-nspawn, mmdebstrap, dpkg-dev, rpm
test-packages: build
    tests/packages/run.sh target/release/arpherd

# The static binary and the container, with compose.yaml's rights; needs root, readelf, python3 and apt, installs nothing
test-container: static
    tests/container/run.sh target/static/arpherd

# `arpherd top` in a terminal, the page in a browser; needs python3 and apt, fetches the rest and installs nothing
test-screen *args:
    tests/screen/run.sh {{args}}

# Metrics, alert rules and dashboard beside Debian's Prometheus; needs apt, fetches the rest and installs nothing
test-metrics *args:
    tests/prometheus/run.sh {{args}}

# The JSON Schema of configurations, judged by Debian's python3-jsonschema; needs apt, fetches the rest and installs nothing
test-schema:
    tests/schema/run.sh

# mDNS and SSDP across the gateway by Debian's avahi-daemon and smcrouted; needs root, python3 and apt, installs nothing
test-multicast:
    cargo build --locked --quiet --package arpherd
    tests/multicast/run.sh target/debug/arpherd

# DHCP with Debian's Kea, isc-dhcp, dnsmasq, dhcpcd and udhcpc; needs root, python3 and apt, installs nothing
test-dhcp *args:
    cargo build --locked --quiet --package arpherd
    tests/dhcp/run.sh target/debug/arpherd {{args}}

# Two gateways with Debian's keepalived: killed, frozen, cut off, and back; needs root, python3 and apt, installs nothing
test-standby *args:
    cargo build --locked --quiet --package arpherd
    tests/standby/run.sh target/debug/arpherd {{args}}

# Three gateways and a spine with Debian's FRR and BIRD: moves, deaths, 4,096 hosts; needs root, python3 and apt, installs nothing
test-fabric *args:
    cargo build --locked --quiet --package arpherd
    tests/fabric/run.sh target/debug/arpherd {{args}}

# A thousand DHCP clients at once beside ISC's dhcrelay, and what arpherd adds to a message beside a flood of ARP
bench-dhcp: build
    tests/dhcp/run.sh target/release/arpherd --bench

# Formatting as in rustfmt.toml
fmt:
    cargo fmt --all

# Fails where formatting differs
fmt-check:
    cargo fmt --all --check

# Lints, in tests too; a warning is an error
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# What is packaged compiles, and has no lab in it
check-packaged:
    cargo clippy --package arpherd --all-targets {{packaged}} -- -D warnings
    cargo clippy --package arpherd --no-default-features -- -D warnings
    cargo test --package arpherd {{packaged}} --test lean

# The API documentation; a broken link is an error
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items

# The lines of README and docs that need iproute2; needs namespaces, and apt where iproute2 is missing
test-docs *args:
    tests/docs/run.sh {{args}}

# The documentation as a book, in target/book; a warning is an error. Needs mdbook (cargo install mdbook)
book:
    #!/usr/bin/env bash
    set -euo pipefail
    mkdir -p target
    mdbook build docs 2>&1 | tee target/book.log
    ! grep -qE '(WARN|ERROR)' target/book.log

# Licenses, sources and bans of dependencies (deny.toml)
deny:
    cargo deny --offline check licenses bans sources

# Which part may use what, where tests lie, that every behaviour has its test (see the script)
rules:
    tests/rules.sh

# arpherd and the bare reference side by side; `just bench --quick` for a look
bench *args:
    cargo build --release --package arpherd {{packaged}}
    cargo build --release --package arpherd-bench
    target/release/arpherd-bench {{args}}

# Rewrite the expected orders of the replay cases; read the difference before you commit it
replay-update:
    UPDATE_REPLAY=1 cargo test --test replay

# Every check that a change must pass; shows how long each step took
ci:
    #!/usr/bin/env bash
    set -euo pipefail
    for step in fmt-check rules deny lint check-packaged doc book test-bare test-fast test-docs test-schema test-multicast test-dhcp test-standby test-fabric test-metrics test-screen test-systemd test-packages test-vm test-vm-bpf demo 'bench --quick'; do
        printf '\n== just %s\n' "$step"
        start=$SECONDS
        {{just_executable()}} --justfile {{quote(justfile())}} $step
        printf '== just %s: %s s\n' "$step" "$((SECONDS - start))"
    done
    printf '\n== all passed in %s s\n' "$SECONDS"
