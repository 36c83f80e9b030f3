#!/bin/sh
# Go back to a release that is on this host: switch_release.sh VERSION. The one left is marked, so that no rollback lands on it again.
set -eu
home=/opt/recio
test -e "$home/releases/$1/.complete"
left=$(basename "$(readlink -f "$home/current")")
ln -sfn "releases/$1" "$home/current.new"
mv -T "$home/current.new" "$home/current"
touch "$home/releases/$1" # the order of what served last: prune_releases.sh
ln -sfn "$home/current/venv/bin/recio" /usr/local/bin/recio
if [ "$left" != "$1" ]; then touch "$home/releases/$left/.rolled_back"; fi
# The next deploy finds that what it wants is not what is deployed, and goes through the whole activation.
printf '%s rolled-back-from %s\n' "$1" "$left" >/var/lib/recio/deploy/deployed
sync "$home" /var/lib/recio/deploy/deployed
systemctl restart recio.target
