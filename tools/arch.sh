#!/usr/bin/env bash
# The engine on other machines: `tools/arch.sh [i386] [s390x] [musl] [wasm32]`, all without a name.
#
# i386 (32 bits) and s390x (big-endian) run the official vectors and the unit tests, with Debian's own
# libraries for them unpacked under build-sysroot/: nothing foreign is installed. Where the kernel runs
# a machine's programs, as that of x86-64 mostly does for i386, they run natively, by the C library's
# loader; else under qemu-user.
# musl and wasm32 compile the engine and all cryptography that stands above a provider.
# Standard output is TAP and Meson's logs in the folder $ARCH_RESULTS, for tools/tally.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

libraries=(libc6-dev libssl-dev libsodium-dev nettle-dev libjansson-dev libcmocka-dev zlib1g-dev)

say() { printf '\033[1m%s\033[0m\n' "== $*" >&2; }
die() { printf '%s\n' "$*" >&2; exit 1; }

need() { # PACKAGE...: installs what is missing
    local name missing=()
    for name in "$@"; do
        dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q '^install ok installed' || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    local line="apt-get install -y --no-install-recommends ${missing[*]}"
    [ "$(id -u)" -eq 0 ] || die "Packages are missing. Run this once as root, then the same command again:
  apt-get update && $line"
    say "installing ${missing[*]}"
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive $line -qq >&2
}

# sysroot ARCH: downloads the libraries with an apt of its own, whose only architecture is ARCH and
# which believes that nothing is installed, so that it brings all that they depend on.
sysroot() {
    local arch=$1 top="$PWD/build-sysroot/$1" deb
    ! grep -qs '^wrapper' "$top/root.ini" || return 0
    say "libraries of $arch"
    mkdir -p "$top/apt/lists/partial" "$top/apt/cache/archives/partial"
    : >"$top/apt/status"
    local options=(-qq -o APT::Architecture="$arch" -o APT::Architectures="$arch" -o APT::Sandbox::User=
        -o Dir::State="$top/apt" -o Dir::State::lists="$top/apt/lists" -o Dir::State::status="$top/apt/status"
        -o Dir::Cache="$top/apt/cache" -o Dir::Cache::archives="$top/apt/cache/archives")
    # One mirror's index that is just being renewed is no reason to stop: the others may suffice.
    apt-get "${options[@]}" update >&2 || true
    apt-get "${options[@]}" install -y --download-only --no-install-recommends "${libraries[@]}" >&2
    rm -rf "$top/root"
    mkdir -p "$top/root"
    for deb in "$top"/apt/cache/archives/*.deb; do
        dpkg -x "$deb" "$top/root"
    done
    rm -rf "$top/apt"
    printf '[constants]\nroot = '"'%s'"'\nwrapper = [%s]\n' "$top/root" "$(wrapper "$arch" "$top/root")" >"$top/root.ini"
}

# wrapper ARCH ROOT: what a program of ARCH is run by, as the members of a Meson array.
wrapper() {
    local arch=$1 root=$2 loader folder path=
    loader=$(find "$root" -name 'ld-linux.so.2' -type f | head -n 1)
    if [ -n "$loader" ] && "$loader" --version >/dev/null 2>&1; then
        for folder in "$root"/lib/*-linux-gnu "$root"/usr/lib/*-linux-gnu; do
            path+=${path:+:}$folder
        done
        echo "'$loader', '--library-path', '$path'"
    else
        need qemu-user
        echo "'qemu-$arch', '-L', '$root'"
    fi
}

run_tests() { # ARCH COMPILER-PACKAGE
    local arch=$1 build="build-arch-$1"
    need "$2" pkg-config meson ninja-build
    sysroot "$arch"
    [ -f "$build/build.ninja" ] ||
        meson setup "$build" --werror -Dparts=engine --cross-file "build-sysroot/$arch/root.ini" \
            --cross-file "tools/cross/$arch.ini" >&2 ||
        die "meson setup failed; see $build/meson-logs/meson-log.txt"
    say "$arch: compiling"
    ninja -C "$build" >&2
    say "$arch: vectors and unit tests, by $(sed -n "s/^wrapper = \['\([^']*\)'.*/\1/p" "build-sysroot/$arch/root.ini")"
    # An emulated processor is some ten times slower.
    meson test -C "$build" --no-rebuild --print-errorlogs --num-processes 2 --timeout-multiplier 20 >&2 || true
    cp "$build/meson-logs/testlog.json" "$ARCH_RESULTS/$arch.json"
}

# What an embedder compiles who brings an environment and a crypto provider: the engine whole, without
# src/crypto/default, env_system.c and voprf.c (tokens, no part of MLS), which need libraries. Warnings are errors.
portable_sources() {
    local file
    for file in src/base/*.c src/codec/*.c src/crypto/*.c src/mls/*.c; do
        case $file in
        src/base/env_system.c | src/crypto/voprf.c) ;;
        *) echo "$file" ;;
        esac
    done
}

compile() { # NAME COMPILER...: one TAP line a file
    local name=$1 out="build-arch-$1" file more
    shift
    mkdir -p "$out"
    while read -r file; do
        more=
        [ "$file" != src/crypto/kpke.c ] || more='-DKPKE_VARIANT=kpke_portable -Wno-psabi'
        if "$@" -std=c17 -O2 -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wvla -Wundef -Werror -fvisibility=hidden -D_GNU_SOURCE -Iinclude -Isrc $more \
            -c "$file" -o "$out/$(tr / _ <<<"${file%.c}").o" >&2; then
            echo "ok - $name compiles $file"
        else
            echo "not ok - $name compiles $file"
        fi
    done < <(portable_sources) >"$ARCH_RESULTS/$name.tap"
}

[ -n "${ARCH_RESULTS:-}" ] || {
    ARCH_RESULTS=$(mktemp -d)
    trap 'rm -rf "$ARCH_RESULTS"' EXIT
}
[ $# -gt 0 ] || set -- musl wasm32 i386 s390x
for machine in "$@"; do
    case $machine in
    i386) run_tests i386 gcc-i686-linux-gnu ;;
    s390x) run_tests s390x gcc-s390x-linux-gnu ;;
    musl)
        need musl-tools
        compile musl musl-gcc
        ;;
    wasm32)
        need clang wasi-libc
        compile wasm32 clang --target=wasm32-wasi --sysroot=/ -isystem /usr/include/wasm32-wasi
        ;;
    *) die "unknown machine: $machine (i386, s390x, musl, wasm32)" ;;
    esac
done
python3 tools/tally.py "$ARCH_RESULTS"
