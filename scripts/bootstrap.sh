#!/usr/bin/env bash
# Prepares this machine for one purpose: bootstrap.sh check|dev|up|test|machine. Does nothing, quickly, when all is there.
#   check only that there is a Python new enough to go on with
#   dev   .venv with everything of requirements/dev.lock and the package itself
#   up    dev, and the Debian packages that make trial hosts
#   test  up, and PostgreSQL's server programs, Chromium without a window, and what looks at a host from outside
#   machine test, and what runs a trial host with a kernel of its own (`make test`)
set -euo pipefail
cd "$(dirname "$0")/.."
purpose="${1:-dev}"

fail() { echo "error: $*" >&2; exit 1; }

have() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }

missing_packages() {
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    [ "$purpose" = dev ] && return
    [ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
    have mmdebstrap || echo mmdebstrap
    have systemd-nspawn || echo systemd-container
    have nft || echo nftables
    have ip || echo iproute2
    have ssh || echo openssh-client
    [ "$purpose" = up ] && return
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || echo postgresql
    have chromium-headless-shell || echo chromium-headless-shell
    have pgbackrest || echo pgbackrest
    have rsync || echo rsync
    # for the look from outside: nmap itself, and what testssl.sh calls
    have nmap || echo nmap
    have openssl || echo openssl
    have dig || echo bind9-dnsutils
    have hexdump || echo bsdextrautils
    have ps || echo procps
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || echo debian-archive-keyring
    [ "$purpose" = test ] && return
    if [ -e /dev/kvm ]; then have qemu-system-x86_64 || echo qemu-system-x86; fi
    have linux.uml || echo user-mode-linux
    have mke2fs || echo e2fsprogs
}

install_packages() {
    local packages=("$@")
    have apt-get || fail "this needs ${packages[*]}, and there is no apt-get here: install them, or use Debian 12 or 13"
    [ "$(id -u)" = 0 ] || fail "this needs the packages ${packages[*]}: run as root, or \`sudo apt-get install ${packages[*]}\`"
    echo "installing Debian packages: ${packages[*]}"
    mkdir -p build
    local log=build/apt.log
    # RUNLEVEL=1: PostgreSQL's package starts a server on installation; only its programs are wanted here.
    local apt=(env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -o DPkg::Lock::Timeout=300 -qq)
    "${apt[@]}" update >"$log" 2>&1 || fail "apt-get update failed (network? mirror?): $(tail -n 2 "$log" | tr '\n' ' ')"
    "${apt[@]}" install -y --no-install-recommends "${packages[@]}" >>"$log" 2>&1 </dev/null \
        || fail "apt-get install ${packages[*]} failed: $(grep -E '^E:' "$log" | tail -n 2 | tr '\n' ' ') (all of it: $log)"
}

check_python() {
    command -v python3 >/dev/null || fail "there is no python3: apt-get install python3"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
        || fail "$(command -v python3) is $(python3 -V); Python 3.11 or newer is needed: put one first on PATH"
}

make_venv() {
    local stamp wanted
    stamp=.venv/recio-stamp
    wanted="$( (cat requirements/dev.lock requirements/sdk.lock pyproject.toml scripts/uv.lock.txt; pwd; python3 -V) | sha256sum | cut -c1-16)"
    [ -x build/bootstrap/bin/pip ] && [ -x .venv/bin/recio ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    if ! build/bootstrap/bin/uv --version >/dev/null 2>&1; then
        echo "fetching uv"
        rm -rf build/bootstrap
        python3 -m venv build/bootstrap
        build/bootstrap/bin/pip install --quiet --disable-pip-version-check --require-hashes -r scripts/uv.lock.txt \
            || fail "uv could not be fetched from PyPI: check the network (or PIP_INDEX_URL for a mirror)"
    fi
    local uv=build/bootstrap/bin/uv
    echo "making .venv from requirements/dev.lock"
    if ! .venv/bin/python -c '' 2>/dev/null; then
        "$uv" venv --quiet --clear --python "$(command -v python3)" .venv
    fi
    export VIRTUAL_ENV="$PWD/.venv"
    "$uv" pip sync --quiet --require-hashes requirements/dev.lock \
        || fail "the packages of requirements/dev.lock could not be installed: check the network (UV_INDEX_URL for a mirror)"
    "$uv" pip install --quiet --no-deps --no-build-isolation --editable .
    build/bootstrap/bin/pip --python .venv/bin/python install --quiet --disable-pip-version-check --root-user-action=ignore \
        --no-deps --only-binary :all: --ignore-requires-python --require-hashes -r requirements/sdk.lock \
        || fail "Kalshi's SDK (requirements/sdk.lock) could not be installed: check the network (PIP_INDEX_URL for a mirror)"
    echo "$wanted" >"$stamp"
}

case "$purpose" in check | dev | up | test | machine) ;; *) fail "bootstrap.sh knows check, dev, up, test and machine, not $purpose" ;; esac
check_python
[ "$purpose" = check ] && exit 0
mapfile -t packages < <(missing_packages)
if [ "${#packages[@]}" -gt 0 ]; then install_packages "${packages[@]}"; fi
make_venv
# The page's npm files: fetched once per lock, checked every time (0.1 s).
.venv/bin/python scripts/fetch_npm.py >/dev/null || exit 1
