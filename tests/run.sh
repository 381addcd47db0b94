#!/usr/bin/env bash
# The README's test command: installs what the tests need (Debian, as root or with sudo), runs everything, prints the totals.
set -u
cd "$(dirname "$0")/.."

# Programs that tests start: nginx as a real upstream; php-fpm; WordPress and its database; node and npm for the public suite for HTTP caches;
# gcc and zlib for NativeAOT's linker.
packages=()
command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || packages+=(nginx-light)
compgen -G '/usr/sbin/php-fpm*' >/dev/null || packages+=(php-fpm)
[ -e /usr/share/wordpress ] || packages+=(wordpress php-mysql php-gd)
command -v mariadbd >/dev/null || [ -x /usr/sbin/mariadbd ] || packages+=(mariadb-server)
command -v node >/dev/null || packages+=(nodejs)
command -v npm >/dev/null || packages+=(npm)
command -v gcc >/dev/null || packages+=(gcc libc6-dev)
[ -e /usr/include/zlib.h ] || packages+=(zlib1g-dev)
if [ ${#packages[@]} -gt 0 ] && command -v apt-get >/dev/null; then
    sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
    echo "installing: ${packages[*]}"
    export DEBIAN_FRONTEND=noninteractive
    # Tests start these programs themselves; none is to run as a service of this machine.
    policy=/usr/sbin/policy-rc.d
    [ -e $policy ] && policy=
    (
        trap '[ -z "$policy" ] || $sudo rm -f $policy' EXIT
        [ -z "$policy" ] || { printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null; $sudo chmod +x $policy; }
        $sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
    ) || echo "could not install ${packages[*]}"
fi

suite=artifacts/http-cache-tests.json
rm -f $suite
log=$(mktemp); trap 'rm -f "$log"' EXIT
# One after the other: both keep all processors busy, and some of what they look at is time.
dotnet test --solution ProxyKit.sln --max-parallel-test-modules 1 --no-ansi --no-progress 2>&1 | tee "$log"
status=${PIPESTATUS[0]}

# What the suite's test has written.
[ ! -e $suite ] || sed -n 's/^ *"\(suite\|required\|optimal\)": "\(.*\)",$/\1: \2/p' $suite | paste -s -d, -

total() { grep -E "^ *$1: [0-9]+" "$log" | grep -oE '[0-9]+' | tail -n 1; }
passed=$(total succeeded); failed=$(total failed)
passed=${passed:-0}; failed=${failed:-0}
[ "$status" = 0 ] || [ "$failed" -gt 0 ] || failed=1 # a build that failed, or a run that broke off
[ "$passed" -gt 0 ] || [ "$failed" -gt 0 ] || failed=1
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
