#!/bin/sh
# Install one release from its archive: install_release.sh VERSION WHEEL SHA256. A half-made one is thrown away and made again.
set -eu
version=$1 wheel=$2 sha256=$3
umask 022
home=/opt/recio/releases
place=$home/$version
# A run that was cut off may still be at it on the host: wait until it has ended, then look at what it left.
exec 9>"$home/.lock"
flock --wait 300 9 || { echo "another installation has held $home/.lock for five minutes: \`fuser $home/.lock\` says which" >&2; exit 1; }
if [ -e "$place/.complete" ]; then
    rm -f "$place.tar"
    exit 0
fi
free_mb=$(df --output=avail -m "$home" | tail -1)
if [ "$free_mb" -lt 600 ]; then
    rm -f "$place.tar"
    echo "only $free_mb MB are free at $home, a release needs 600: free some (\`du -xh / | sort -h | tail\`) and deploy again" >&2
    exit 1
fi
rm -rf "$place"
mkdir -p "$place"
tar --extract --file "$place.tar" --directory "$place" --no-same-owner
cd "$place"
echo "$sha256  $wheel" | sha256sum --check --quiet
# The release at work has the very same packages most of the time; what is not exactly as it was installed there comes from the wheels.
current=/opt/recio/current # none before the first release: then cmp finds a difference
if ! { cmp --silent "$current/requirements.txt" requirements.txt && python3 -m venv --without-pip venv \
    && python3 same_packages.py "$current/venv" venv; }; then
    python3 -m venv --clear venv
    venv/bin/python -m pip install --quiet --no-input --disable-pip-version-check --no-index --no-compile \
        --find-links wheelhouse --require-hashes --requirement requirements.txt
fi
venv/bin/python -m pip install --quiet --no-input --disable-pip-version-check --no-index --no-compile --no-deps "./$wheel"
venv/bin/python -m compileall -q -j 0 venv/lib
find venv/lib -name '*.pyc' -exec sha256sum {} + >bytecode.sums
venv/bin/recio version --short
rm -rf wheelhouse same_packages.py "$place.tar"
sync -f "$place"
touch .complete
