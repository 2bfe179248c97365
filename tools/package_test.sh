#!/usr/bin/env bash
# package_test.sh [SUITE...]: installs, runs, upgrades, removes and purges the Debian packages in a fresh root that
# debootstrap makes. For a SUITE (bookworm, trixie) they are built there too, from this work tree with `./dev package`;
# without one those in build-package/ are taken, on this machine's Debian. Needs root, debootstrap and iproute2, and
# systemd-nspawn for the part under systemd; prints TAP. Run by `./dev package --test`. $SOTTO_ROOTS may name a folder
# with a fresh root for each SUITE in it, which is copied and saves the debootstrap.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ "$(id -u)" -eq 0 ] || { echo "needs root, for chroot" >&2; exit 1; }
# Mounts and processes of the test end with it, however it ends.
[ -n "${PACKAGE_TEST_INSIDE:-}" ] || exec env PACKAGE_TEST_INSIDE=1 unshare --mount --pid --fork --kill-child --mount-proc "$0" "$@"

work=$(mktemp -d "${TMPDIR:-/tmp}/sotto-package-XXXXXX")
chmod 755 "$work"
trap 'exit 1' INT TERM # as the first process of its namespace it would not hear them
trap 'umount -l "$work"/*/proc 2>/dev/null || true; rm -rf --one-file-system "$work"' EXIT
inside=()
root='' relay='' nspawn='' init='' number=0 failed=0

# ---- Roots and what runs in them ----------------------------------------------------------------

make_root() { # SUITE DIR
    if [ -n "${SOTTO_ROOTS:-}" ]; then
        cp -a "$SOTTO_ROOTS/$1" "$2"
    else
        debootstrap --variant=minbase "$1" "$2" >"$work/debootstrap.log" 2>&1 || { tail -n 5 "$work/debootstrap.log" >&2; exit 1; }
    fi
    mount -t proc proc "$2/proc"
}

run() {
    chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

on_network() { "${inside[@]}" "$@"; } # with a loopback device of its own, where port 7443 is free

apt() {
    run apt-get -y -qq --no-install-recommends -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}

# check SENTENCE COMMAND...: one TAP line, and what the command printed where it failed.
check() {
    local sentence=$1
    shift
    number=$((number + 1))
    if "$@" >"$work/output" 2>&1; then
        echo "ok $number - $suite: $sentence"
    else
        echo "not ok $number - $suite: $sentence"
        sed 's/^/# /' "$work/output"
        failed=1
    fi
}

unless() { ! "$@"; }

# FOLDER NAME...: the paths, in the root, of these packages there
packages() {
    local folder=$1 name
    shift
    for name in "$@"; do (cd "$root" && ls -- "$folder/${name}"_*.deb | sed 's,^,/,'); done
}

build_packages() { # SUITE OUT: as somebody with a plain Debian would
    make_root "$1" "$work/build"
    mkdir "$work/build/sotto"
    find . \( -path './build*' -o -path ./.git \) -prune -o -type f -print0 | tar -c --null -T - | tar -x -C "$work/build/sotto"
    root=$work/build run sh -c 'cd /sotto && ./dev package' >"$work/build.log" 2>&1 || { tail -n 60 "$work/build.log" >&2; exit 1; }
    cp "$work/build/sotto/build-package/"*.deb "$2"
    umount "$work/build/proc"
    rm -rf --one-file-system "$work/build"
}

# ---- The relay, as the unit has it --------------------------------------------------------------

from_unit() { sed -n "s/^$1=//p" "$root"/usr/lib/systemd/system/sottod.service "$root"/lib/systemd/system/sottod.service 2>/dev/null | head -n 1; }

# There is no systemd in a chroot: the same command as the same user with the same rights.
start_relay() {
    local command user
    command=$(from_unit ExecStart)
    user=$(from_unit User)
    "${inside[@]}" sh -c "umask $(from_unit UMask); exec setpriv --reuid=$user --regid=$(from_unit Group) \
        --init-groups --no-new-privs --inh-caps=-all --bounding-set=-all ${command//%S//var/lib}" >"$work/relay.log" 2>&1 &
    relay=$!
    local try
    for try in $(seq 300); do
        ! sottod status --json 2>/dev/null | grep -q '"serving":true' || return 0
        kill -0 "$relay" 2>/dev/null || break
        sleep 0.1
    done
    cat "$work/relay.log"
    return 1
}

stop_relay() {
    local code=0
    kill -TERM "$relay"
    wait "$relay" || code=$?
    relay=
    [ "$code" -eq 0 ] || { cat "$work/relay.log"; return 1; }
}

sottod() { on_network sottod --data /var/lib/sottod "$@"; }
sotto() { on_network sotto --profile "/srv/$1" "${@:2}"; }
address() { sottod status | sed -n 's/^address  *//p' | head -n 1; }
accounts() { [ "$(sottod status | sed -n 's/^accounts  *//p')" = "$1" ]; }
runs_as_user() { [ "$(stat -c %u "/proc/$relay")" = "$(run id -u sottod)" ]; }

# ---- Questions ----------------------------------------------------------------------------------

is() { # MODE OWNER:GROUP PATH
    local found
    found=$(run stat -c '%a %U:%G' "$3")
    [ "$found" = "$1 $2" ] || { echo "$3 is $found"; return 1; }
}

nothing_found() {
    local found
    found=$(run find "$@" 2>&1)
    [ -z "$found" ] || { echo "$found"; return 1; }
}

# What the packages brought, but not what was there before: no other's to write, none set-uid.
files_are_root_s() {
    local bad
    bad=$(run sh -c 'dpkg -L sottod sotto | sort -u | grep -v "^/\.$" | xargs -d "\n" stat -c "%a %U %F %n" | grep -v "symbolic link" |
        grep -vE "^(644|755|640|750) root "' || true)
    [ -z "$bad" ] || { echo "$bad"; return 1; }
}

refuses_a_wrong_configuration() {
    local code=0
    run sh -c 'echo "colour = blue" >/tmp/wrong.conf'
    run sottod --check-config --config /tmp/wrong.conf || code=$?
    [ "$code" -eq 2 ]
}

user_is_unprivileged() {
    local line
    line=$(run getent passwd sottod)
    echo "$line"
    [[ $line == sottod:*:/usr/sbin/nologin ]] && [ "$(run id -u sottod)" -lt 1000 ] && [ "$(run id -Gn sottod)" = sottod ] &&
        run grep -qE '^sottod:[!*]' /etc/shadow
}

talk() { # SENTENCE: from Alice to Bob
    sotto alice send Bob "$1" && sotto bob listen --once | grep -qF "$1"
}

meet() {
    sotto bob register --relay "$(address)" --name Bob && sotto alice register --relay "$(address)" --name Alice &&
        sotto alice accept "$(sotto bob invite | grep -o 'sotto://.*')" && sotto bob sync
}

# VERSION: the same packages with a higher version, and another conffile.
repack() {
    local deb folder
    mkdir "$root/packages/new"
    for deb in "$root"/packages/*.deb; do
        folder=$work/repack
        dpkg-deb -R "$deb" "$folder"
        sed -i "s/$version/$1/g" "$folder/DEBIAN/control"
        [ ! -f "$folder/etc/sotto/sottod.conf" ] || echo '# of a later version' >>"$folder/etc/sotto/sottod.conf"
        dpkg-deb --root-owner-group -b "$folder" "$root/packages/new/" >/dev/null
        rm -rf "$folder"
    done
}

builds_programs() { # LIBRARY: the example of its package, shared and static
    run sh -ec 'cd /tmp; example=/usr/share/doc/lib$0-dev/examples/example.c
        cc -Wall -Werror $example -o shared $(pkg-config --cflags --libs $0)
        cc -Wall -Werror $example -o static $(pkg-config --cflags $0) -l:lib$0.a $(pkg-config --static --libs $0 | sed "s/-l$0//")
        ldd ./shared | grep "lib$0.so.0"; ! ldd ./static | grep lib$0' "$1"
}

programs_run() { run sh -ec 'cd /tmp; ./shared; ./static'; }

# Two programs over the relay: the one waits, the other takes its link.
programs_talk() {
    on_network sh -ec 'cd /tmp; rm -rf alice bob; ./shared alice "$0" Alice >said & alice=$!
        for try in $(seq 300); do link=$(head -n 1 said); [ -z "$link" ] || break; sleep 0.1; done
        ./static bob "$0" Bob "$link" "Hello from a program"; wait $alice; grep -qx "Bob: Hello from a program" said' "$(address)"
}

every_program_runs() {
    run sotto --version && run sottod --version && sottod order list && run sh -c 'sotto-audit 2>&1 | grep -q "^usage:"'
}

has_manual() { # COMMAND...: their pages, which minbase's dpkg may have left out, are in the packages
    local name listing
    listing=$(for name in "$root"/packages/*.deb; do dpkg-deb -c "$name"; done)
    for name in "$@"; do
        grep -q "/usr/share/man/man[0-9]/$name\.[0-9]\.gz$" <<<"$listing" || { echo "$name has no page"; return 1; }
    done
}

# What decodes pictures is a program of its own, which is found where it is installed.
picture_has_a_preview() {
    base64 -d >"$root/tmp/picture.png" <<<iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==
    sotto alice send Bob --file /tmp/picture.png && sotto alice history Bob --json | grep -q '"preview":true'
}

keyring_is_asked() { # a program of its own, too; there is none to answer
    local said
    echo 'correct horse battery staple' >"$root/tmp/passphrase"
    run sotto --profile /srv/locked passphrase set --new-file /tmp/passphrase
    said=$(run SOTTO_PASSPHRASE_FILE=/tmp/passphrase sotto --profile /srv/locked passphrase keyring on 2>&1) || true
    [[ $said == *'No keyring runs'* ]] || { echo "$said"; return 1; }
}

audits() { # a log that has nothing yet, from outside
    sottod log show && on_network sotto-audit follow "https://127.0.0.1:7443/orders" --state /tmp/audit --pin "$(address | sed 's/.*#//')"
}

describes_orders() { run test -s /usr/share/sottod/order.schema.json; }

# ---- The life of a relay ------------------------------------------------------------------------

test_life() {
    check "the packages install" apt install $(packages packages sottod sotto)
    [ "$failed" -eq 0 ] || { echo "Bail out! Without packages there is nothing to test."; exit 1; }
    check "dpkg finds nothing wrong" run sh -c '[ -z "$(dpkg --verify sottod sotto; dpkg --audit)" ]'
    check "the user may do nothing" user_is_unprivileged
    check "the data directory is the relay's alone" is 700 sottod:sottod /var/lib/sottod
    check "the configuration is not for everybody" is 640 root:sottod /etc/sotto/sottod.conf
    check "nor is its folder, where keys may lie" is 750 root:sottod /etc/sotto
    check "installed files are root's" files_are_root_s
    check "the configuration that came can be used" run sottod --check-config --config /etc/sotto/sottod.conf
    check "a wrong one is refused" refuses_a_wrong_configuration
    check "shells complete the command line's words" run bash -ec '. /usr/share/bash-completion/completions/sotto; complete -p sotto'
    check "systemd understands the unit" run systemd-analyze verify --man=no sottod.service
    check "systemd finds little exposed" run systemd-analyze security --offline=true --threshold=20 --no-pager sottod.service
    check "the unit is enabled" run test -L /etc/systemd/system/multi-user.target.wants/sottod.service

    check "the relay starts as the unit says" start_relay
    check "it is the unprivileged user's" runs_as_user
    check "two people register and meet" meet
    check "a message arrives" talk "before the upgrade"
    check "every program runs" every_program_runs
    check "each has a page in the manual" has_manual sotto sottod sotto-audit sotto-mls libsotto
    check "a picture is given a preview" picture_has_a_preview
    check "the keyring is asked" keyring_is_asked
    check "orders are described for machines" describes_orders
    check "the log of orders is followed from outside" audits
    check "nothing that it keeps can be read by others" nothing_found /var/lib/sottod /etc/sotto -perm /007
    check "all that it keeps is its own" nothing_found /var/lib/sottod ! -user sottod
    check "the sandbox holds" run setpriv --reuid=sottod --regid=sottod --clear-groups sottod --data /var/lib/sottod sandbox
    check "root makes a backup while it serves" sottod backup /srv/backup
    check "the backup is good" sottod check /srv/backup
    check "after which all is still its own" nothing_found /var/lib/sottod ! -user sottod
    local before
    before=$(address)

    run sed -i 's/^#name =.*/name = Ours/' /etc/sotto/sottod.conf
    check "the relay stops in order" stop_relay
    repack "$version.1"
    check "a later version installs over it" apt install $(packages packages/new sottod sotto)
    check "the edited configuration is kept" run grep -q '^name = Ours' /etc/sotto/sottod.conf
    check "the new one lies beside it" run grep -q 'of a later version' /etc/sotto/sottod.conf.dpkg-dist
    check "and is not for everybody either" is 640 root:sottod /etc/sotto/sottod.conf
    check "the relay starts again" start_relay
    check "with its people" accounts 2
    check "and its address" test "$(address)" = "$before"
    check "people write on" talk "after the upgrade"

    check "it stops" stop_relay
    check "root restores the backup" sottod restore --force /srv/backup
    check "what was restored is the relay's" nothing_found /var/lib/sottod ! -user sottod
    check "the relay starts from it" start_relay
    check "with its people again" accounts 2
    check "it stops for the last time" stop_relay

    check "an earlier version does not install unasked" unless apt install $(packages packages sottod)
    check "the package is removed" apt remove sottod
    check "the program is gone" unless run test -e /usr/bin/sottod
    check "the data stay" run test -f /var/lib/sottod/relay.db
    check "the key stays" run test -f /var/lib/sottod/key.pem
    check "the configuration stays" run grep -q '^name = Ours' /etc/sotto/sottod.conf
    check "it installs again" apt install $(packages packages/new sottod)
    check "and starts" start_relay
    check "at the same address" test "$(address)" = "$before"
    check "it stops again" stop_relay

    run sh -c 'echo mine >/etc/sotto/note'
    check "purging says what it erases" purge_says
    check "the data are gone" unless run test -e /var/lib/sottod
    check "the configuration is gone" nothing_found /etc/sotto -name 'sottod.conf*'
    check "what is not the package's stays" run grep -q mine /etc/sotto/note
    check "no unit is left" nothing_found /etc/systemd /usr/lib/systemd /var/lib/systemd -name 'sottod*'
    run rm /etc/sotto/note
    check "it installs after a purge" apt install $(packages packages/new sottod)
    check "and starts anew" start_relay
    check "with nobody" accounts 0
    check "at another address" test "$(address)" != "$before"
    check "and stops" stop_relay
    check "a purge without files of others leaves nothing" apt purge sottod sotto
    check "no folder is left" unless run test -e /etc/sotto -o -e /var/lib/sottod
}

purge_says() {
    apt purge sottod >"$work/purge"
    cat "$work/purge"
    grep -q 'erased the relay in /var/lib/sottod' "$work/purge" && grep -q 'left /etc/sotto' "$work/purge"
}

# ---- With systemd, where a container can be booted here -----------------------------------------

in_container() { nsenter --target "$init" --mount --uts --ipc --net --pid --cgroup --root --wd env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"; }
is_active() { in_container systemctl is-active --quiet sottod; }
log_says() { in_container journalctl -u sottod --no-pager | grep -q "$1"; }
main_pid() { in_container systemctl show sottod -p MainPID --value; }

soon() { # COMMAND...: within half a minute
    local try
    for try in $(seq 300); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    in_container journalctl -u sottod --no-pager
    return 1
}

# systemd-nspawn has a list of system calls of its own, and an older one does not know Landlock's.
boot() {
    command -v systemd-nspawn >/dev/null || { echo "systemd-nspawn is not here"; return 1; }
    umount "$root/proc"
    systemd-nspawn --quiet --register=no --keep-unit --private-network --boot --directory="$root" \
        --system-call-filter="landlock_create_ruleset landlock_add_rule landlock_restrict_self" </dev/null >"$work/boot.log" 2>&1 &
    nspawn=$!
    local try
    for try in $(seq 600); do
        init=$(cat "/proc/$nspawn/task/$nspawn/children" 2>/dev/null) && init=${init%% *} && [ -n "$init" ] &&
            in_container systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded' && return 0
        kill -0 "$nspawn" 2>/dev/null || break
        sleep 0.1
    done
    tail -n 5 "$work/boot.log"
    return 1
}

restarts_after_a_kill() {
    local before
    before=$(main_pid)
    in_container systemctl kill --signal=KILL sottod
    soon eval '[ "$(main_pid)" != 0 ] && [ "$(main_pid)" != "'"$before"'" ] && is_active'
}

# As docs/OPERATING.md says.
listens_below_1024() {
    in_container sh -ec 'mkdir -p /etc/systemd/system/sottod.service.d
        printf "[Service]\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n" >/etc/systemd/system/sottod.service.d/port.conf
        echo "listen = *:443" >>/etc/sotto/sottod.conf; systemctl daemon-reload; systemctl restart sottod'
    in_container sottod --data /var/lib/sottod status | grep -q '^address.*:443#'
}

test_systemd() {
    apt install systemd-sysv dbus $(packages packages sottod) >/dev/null 2>&1
    if ! boot >"$work/output" 2>&1; then
        number=$((number + 1))
        echo "ok $number - $suite: the unit under systemd # SKIP $(tr '\n' ' ' <"$work/output")"
        mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
        return
    fi
    check "systemd starts the relay" soon is_active
    check "its sandbox is complete beside the unit's" eval 'log_says " sandboxed " && ! log_says sandbox_incomplete'
    check "systemd reloads it" in_container systemctl reload sottod
    check "which it does" soon log_says ' reloaded'
    in_container sh -c 'echo "colour = blue" >>/etc/sotto/sottod.conf'
    check "it may be told to reload what is wrong" in_container systemctl reload sottod
    in_container sed -i '/^colour/d' /etc/sotto/sottod.conf
    check "which the journal has as an error" soon eval 'in_container journalctl -u sottod -p err --no-pager | grep -q " reload_failed"'
    check "systemd starts it again after a kill" restarts_after_a_kill
    local before
    before=$(main_pid)
    check "a later version installs while it serves" in_container dpkg --force-confold -i $(packages packages/new sottod)
    check "and serves in its place" soon eval 'is_active && [ "$(main_pid)" != "'"$before"'" ]'
    check "it may listen on port 443, if the unit is told" listens_below_1024
    check "it is removed while it serves" in_container dpkg -r sottod
    check "and serves no more" unless is_active
    check "it is purged" in_container dpkg -P sottod
    check "and nothing is left" unless in_container test -e /var/lib/sottod
    in_container systemctl poweroff >/dev/null 2>&1 || true
    wait "$nspawn" || true
    mount -t proc proc "$root/proc"
}

test_libraries() {
    check "the MLS library's packages install" apt install $(packages packages libsotto-mls0 libsotto-mls-dev) gcc libc6-dev pkg-config
    check "programs are built with it, shared and static" builds_programs sotto-mls
    check "and run" programs_run
    check "the messenger's packages install beside them" apt install $(packages packages libsotto0 libsotto-dev sottod)
    check "programs are built with it, shared and static" builds_programs sotto
    check "a relay starts" start_relay
    check "and they talk to each other" programs_talk
    check "the relay stops" stop_relay
    check "all is purged" apt purge sottod libsotto0 libsotto-dev libsotto-mls0 libsotto-mls-dev
    check "dpkg finds nothing wrong in the end" run sh -c '[ -z "$(dpkg --audit)" ]'
}

test_suite() { # SUITE
    suite=$1
    mkdir -p "$work/debs"
    if [ -n "$build" ]; then build_packages "$suite" "$work/debs"; else cp build-package/*.deb "$work/debs"; fi
    root=$work/$suite
    make_root "$suite" "$root"
    mkdir "$root/packages"
    mv "$work/debs"/*.deb "$root/packages"
    rm -f "$root"/packages/*-dbgsym_*
    version=$(dpkg-deb -f "$root"/packages/sottod_*.deb Version)
    apt update >/dev/null
    unshare --net sh -c 'ip link set lo up && touch "$0" && exec sleep infinity' "$root/packages/network" &
    local network=$!
    inside=(nsenter --net="/proc/$network/ns/net" chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8)
    until [ -e "$root/packages/network" ]; do sleep 0.1; done
    test_life
    test_systemd
    test_libraries
    kill "$network"
    umount "$root/proc"
}

build=yes
[ $# -gt 0 ] || { build=; set -- "$(. /etc/os-release && echo "$VERSION_CODENAME")"; }
for name in "$@"; do test_suite "$name"; done
echo "1..$number"
exit "$failed"
