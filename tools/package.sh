#!/usr/bin/env bash
# package.sh [--no-check]: builds the Debian packages of this work tree, for the Debian it runs on, into
# build-package/. Run by `./dev package`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ "${1:-}" != --no-check ] || export DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:-} nocheck"

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
install_packages() {
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "$@" -y -qq --no-install-recommends
}

# The sources with packaging/debian as debian/, and a version that grows from one Debian to the next.
lay_out() {
    local version suffix
    suffix=$(. /etc/os-release && echo "+${ID/debian/deb}${VERSION_ID:-}")
    version=$(sed -n "s/^  version: '\(.*\)',/\1/p" meson.build)
    rm -rf build-package
    mkdir -p build-package/sotto
    if git ls-files >/dev/null 2>&1; then
        git ls-files -z --cached --others --exclude-standard
    else
        find . \( -path './build*' -o -path ./.git \) -prune -o -type f -print0
    fi | xargs -0 ls -d 2>/dev/null | tar -c -T - | tar -x -C build-package/sotto
    cp -r packaging/debian build-package/sotto/debian
    sed -i "1s/($version)/($version$suffix)/" build-package/sotto/debian/changelog
    grep -q "^sotto ($version$suffix)" build-package/sotto/debian/changelog ||
        { echo "packaging/debian/changelog is not of version $version" >&2; exit 1; }
}

lay_out
command -v dpkg-buildpackage >/dev/null || install_packages install dpkg-dev
cd build-package/sotto
dpkg-checkbuilddeps 2>/dev/null || install_packages build-dep ./
dpkg-buildpackage --build=binary --no-sign >../build.log 2>&1 || { tail -n 40 ../build.log; echo "see build-package/build.log" >&2; exit 1; }
cd ..
if command -v lintian >/dev/null; then
    # Built for a machine of ours, not for Debian's archive.
    lintian --fail-on error --suppress-tags initial-upload-closes-no-bugs sotto_*.changes
fi
ls -- *.deb
