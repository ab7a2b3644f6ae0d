# The only door to development tasks; CI goes through it too. `just` lists what there is.

set shell := ["bash", "-euo", "pipefail", "-c"]

# What there is to do
default:
    @just --list --unsorted

# Build the daemon as it is packaged: without the demo and the lab that it needs
build:
    cargo build --release --package arpherd --no-default-features

# See it work in a small network of its own
demo *args:
    cargo run --release -- demo {{args}}

# The whole suite: core, actors, namespaces, command line; needs no root and no installed program
test *args:
    cargo test {{args}}

# IPoIB, Wi-Fi, VLANs, bonds and their like, in a VM of Debian's kernel; needs QEMU, gcc and apt, no root
test-vm *args:
    tests/vm/run.sh {{args}}

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
    cargo clippy --package arpherd --all-targets --no-default-features -- -D warnings
    cargo test --package arpherd --no-default-features --test lean

# The API documentation; a broken link is an error
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items

# Licenses, sources and bans of dependencies (deny.toml)
deny:
    cargo deny --offline check licenses bans sources

# Only `actors/src/io` talks to the kernel, only `src/control` is async-std, and so on (the house rules)
rules:
    tests/rules.sh

# arpherd and the bare reference side by side; `just bench --quick` for a look
bench *args:
    cargo build --release --package arpherd --no-default-features
    cargo build --release --package arpherd-bench
    target/release/arpherd-bench {{args}}

# Rewrite the expected orders of the replay cases; read the difference before you commit it
replay-update:
    UPDATE_REPLAY=1 cargo test --test replay

# Everything CI does
ci: fmt-check rules lint check-packaged doc deny test test-vm (bench "--quick")
    cargo run --release -- demo
