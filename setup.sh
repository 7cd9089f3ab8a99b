#!/bin/sh
# Sets up .venv with exactly the pinned packages; does nothing when it is already up to date.
# As root on Debian or Ubuntu it also installs the few system packages that the lab and the tests use.
set -eu
cd "$(dirname "$0")"

# The distribution's Python comes first: it is compiled with profiles, which one built by hand often is not, and runs faster then.
suits='import importlib.util as has, os, sys
sys.exit(sys.version_info < (3, 11) or (os.geteuid() != 0 and not has.find_spec("ensurepip")))'
python=${PYTHON:-}
for candidate in /usr/bin/python3 python3; do
    [ -n "$python" ] || ! "$candidate" -c "$suits" 2>/dev/null || python=$candidate
done
python=${python:-python3}

want="ip:iproute2 nft:nftables curl:curl"
# `./setup.sh test` adds PostgreSQL, and other implementations that judge ours; those judges' tests are skipped without them.
# Chromium is what people look with; the console's tests fail in CI without it, and need a font that has Chinese.
# Where there is none, it comes without windows: the same pages take two thirds of the processor time.
[ "${1:-}" = test ] && want="$want postgres:postgresql-15 tshark:tshark freeDiameterd:freediameter dnsmasq:dnsmasq-base openssl:openssl promtool:prometheus systemd-analyze:systemd"
[ "${1:-}" != test ] || command -v chromium >/dev/null || want="$want chromium-headless-shell:chromium-headless-shell"
# `./setup.sh fast` adds what compiling takes.
[ "${1:-}" = fast ] && want="$want gcc:gcc"
missing=""
for pair in $want; do
    PATH="$PATH:/usr/sbin:/sbin:$(echo /usr/lib/postgresql/*/bin | tr ' ' :)" command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair#*:}"
done
[ "${1:-}" != test ] || fc-list :lang=zh 2>/dev/null | grep -q . || missing="$missing fonts-wqy-microhei"
headers='import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h"); os.stat("/usr/include/stdlib.h")'
[ "${1:-}" != fast ] || "$python" -c "$headers" 2>/dev/null || missing="$missing libc6-dev python3-dev"
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "setup: installing$missing"
        install="env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends"
        {
            apt-get update
            case $missing in *postgresql*) # only its programs: no database of Debian's own is wanted, made or started
                $install postgresql-common
                sed -i 's/^#* *create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf ;;
            esac
            $install $missing
        } >/dev/null
    else
        echo "setup: missing$missing; install them as root: apt-get install$missing" >&2
    fi
fi

stamp=.venv/.stamp
if [ ! -e "$stamp" ] || ! cmp -s "$stamp" requirements-dev.txt; then
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "setup: Python 3.11 or later is needed; name one with PYTHON=…" >&2; exit 1; }
    echo "setup: making .venv (a minute, once)"
    "$python" -m venv --clear .venv
    .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
    .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
    cp requirements-dev.txt "$stamp"
fi
.venv/bin/python -m compileall -q src # also where PYTHONDONTWRITEBYTECODE is set: every command starts sooner
