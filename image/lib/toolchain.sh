# shellcheck shell=bash disable=SC2154
# Cross-compiles the binary: with rustup's aarch64 target where it is installed,
# else with Debian's rustc, unpacked into target/image/toolchain.

# Prints the target to build for and returns 0 when rustup has one.
rustup_target() {
    local target=aarch64-unknown-linux-gnu
    command -v rustup >/dev/null || return 1
    rustup target list --installed 2>/dev/null | grep -qx "$target" || return 1
    # It links against the C library of a cross compiler.
    command -v aarch64-linux-gnu-gcc >/dev/null || return 1
    echo "$target"
}

# Unpacks Debian's toolchain and writes the starters that find its libraries.
unpack_toolchain() {
    local tools="$work/toolchain" libraries file
    rm -rf "$tools"
    mkdir -p "$tools/start"
    package_files toolchain | while read -r file; do
        dpkg-deb -x "$file" "$tools"
    done
    libraries="$tools/usr/lib/x86_64-linux-gnu:$tools/lib/x86_64-linux-gnu"
    # Started through the loader, so that the library path is not inherited by
    # the host's own compiler, which cargo runs for build scripts.
    write_starter "$tools/start/rustc" \
        "exec /lib64/ld-linux-x86-64.so.2 --library-path '$libraries' '$tools/usr/bin/rustc' --sysroot '$tools/usr' \"\$@\""
    write_starter "$tools/start/cargo" \
        "exec /lib64/ld-linux-x86-64.so.2 --library-path '$libraries' '$tools/usr/bin/cargo' \"\$@\""
    write_starter "$tools/start/aarch64-linux-gnu-gcc" \
        "LD_LIBRARY_PATH='$libraries' exec '$tools/usr/bin/aarch64-linux-gnu-gcc-12' -B'$tools/usr/bin/aarch64-linux-gnu-' \"\$@\""
    write_starter "$tools/start/aarch64-linux-gnu-ar" \
        "LD_LIBRARY_PATH='$libraries' exec '$tools/usr/bin/aarch64-linux-gnu-ar' \"\$@\""
    "$tools/start/rustc" --version
}

write_starter() {
    printf '#!/bin/sh\n%s\n' "$2" >"$1"
    chmod 0755 "$1"
}

# Compiles $repo for the Pi and puts the binary at $work/pxeberry.
compile() {
    local target registry flags=() cargo=cargo
    if target=$(rustup_target); then
        export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
    else
        local tools="$work/toolchain/start"
        target=aarch64-unknown-linux-gnu
        cargo="$tools/cargo"
        export RUSTC="$tools/rustc" PATH="$tools:$PATH"
        export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER="$tools/aarch64-linux-gnu-gcc"
        export CC_aarch64_unknown_linux_gnu="$tools/aarch64-linux-gnu-gcc"
        export AR_aarch64_unknown_linux_gnu="$tools/aarch64-linux-gnu-ar"
    fi
    flags=(-C target-feature=+crt-static -C relocation-model=static
        # No path of this machine in the binary, so that any machine makes the same one.
        "--remap-path-prefix=$repo=/pxeberry")
    # Where the crates lie depends on the machine and on its registry's name;
    # the folders are there once the crates are.
    (cd "$repo" && "$cargo" fetch --quiet --locked)
    for registry in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do
        flags+=("--remap-path-prefix=${registry%/}=/crates")
    done
    CARGO_ENCODED_RUSTFLAGS=$(printf '%s\037' "${flags[@]}")
    export CARGO_ENCODED_RUSTFLAGS=${CARGO_ENCODED_RUSTFLAGS%$'\037'}
    export CARGO_TARGET_DIR="$work/cargo"
    (cd "$repo" && "$cargo" build --quiet --release --locked --no-default-features --bin pxeberry --target "$target")
    install -m 0755 "$work/cargo/$target/release/pxeberry" "$work/pxeberry.new"
    mv "$work/pxeberry.new" "$work/pxeberry"
    printf '%s, %d kB\n' "$target" "$(($(stat -c %s "$work/pxeberry") / 1000))"
}
