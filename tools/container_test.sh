#!/usr/bin/env bash
# container_test.sh: builds packaging/Dockerfile with buildah and runs it with podman (Debian: buildah, podman, runc), as
# docs/OPERATING.md says. Where there is no image debian:12-slim here, a debootstrap of bookworm stands in for it.
# Needs root; prints TAP.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d "${TMPDIR:-/tmp}/sotto-container-XXXXXX")
name=sotto-test-$$
podman() { command podman --runtime runc "$@"; }
trap 'podman rm --force "$name" >/dev/null 2>&1; podman volume rm "$name" >/dev/null 2>&1; rm -rf "$work"' EXIT
number=0 failed=0

check() { # SENTENCE COMMAND...
    local sentence=$1
    shift
    number=$((number + 1))
    if "$@" >"$work/output" 2>&1; then
        echo "ok $number - $sentence"
    else
        echo "not ok $number - $sentence"
        tail -n 30 "$work/output" | sed 's/^/# /'
        failed=1
    fi
}

unless() { ! "$@"; }

base_image() {
    command podman image exists debian:12-slim && return 0
    debootstrap --variant=minbase bookworm "$work/root" || return 1
    tar -C "$work/root" -c . | command podman import - debian:12-slim
}

# What this shell may have is what the container may ask for.
start() {
    podman run -d --name "$name" --no-healthcheck --ulimit "nofile=$(ulimit -Hn):$(ulimit -Hn)" --ulimit nproc=1000:1000 --network none \
        --read-only --cap-drop ALL --security-opt no-new-privileges -v "$name:/var/lib/sottod" sotto-relay --public 127.0.0.1:7443
    soon healthy
}

soon() {
    local try
    for try in $(seq 300); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    podman logs "$name"
    return 1
}

# The image's own command, which a service manager would run.
healthy() {
    local -a command
    mapfile -t command < <(command podman image inspect sotto-relay --format '{{range .Config.Healthcheck.Test}}{{println .}}{{end}}' | sed '/^$/d')
    [ "${command[0]}" = CMD ] && podman exec "$name" "${command[@]:1}"
}

address() { podman exec "$name" sottod status | sed -n 's/^address  *//p' | head -n 1; }
log_says() { podman logs "$name" 2>&1 | grep -q "$1"; }
registers() {
    nsenter --net="/proc/$(podman inspect "$name" --format '{{.State.Pid}}')/ns/net" \
        build/src/cli/sotto --profile "$work/profile" register --relay "$(address)" --name Alice
}
stops() {
    podman stop --time 20 "$name" && [ "$(podman inspect "$name" --format '{{.State.ExitCode}}')" = 0 ]
}

check "there is a base image" base_image
check "the image builds" buildah bud --layers --format docker --pull=never --isolation chroot -f packaging/Dockerfile -t sotto-relay .
check "the relay starts, read-only and without any capability" start
check "it is not root's" test "$(podman exec "$name" id -u)" = 7443
check "its sandbox is complete" eval 'log_says " sandboxed " && ! log_says sandbox_incomplete'
check "somebody registers" registers
check "its root file system cannot be written to" unless podman exec "$name" touch /usr/bin/x
check "an invitation is made inside" podman exec "$name" sottod invite
check "a signal reloads it" podman kill --signal HUP "$name"
check "which it says" soon log_says ' reloaded'
before=$(address)
check "it stops in order" stops
check "it starts again" podman start "$name"
check "and is healthy" soon healthy
check "with the same address" test "$(address)" = "$before"
podman rm --force "$name" >/dev/null
check "a new container takes the volume" start
check "with the same address again" test "$(address)" = "$before"
check "and its people" eval 'podman exec "$name" sottod status | grep -q "^accounts  *1$"'
echo "1..$number"
exit "$failed"
