#!/bin/sh
# A deploy has ended well: its flag goes, and so does what earlier, interrupted ones left behind (all of it older than the flag).
set -eu
under_way=/var/lib/recio/deploy/under_way
[ -e "$under_way" ] || exit 0
for folder in "$HOME/.ansible/tmp" "$(getent passwd "${SUDO_USER:-root}" | cut -d: -f6)/.ansible/tmp"; do
    if [ -d "$folder" ]; then
        find "$folder" -mindepth 1 -maxdepth 1 -name 'ansible-tmp-*' -not -newer "$under_way" -exec rm -rf {} +
    fi
done
cd /opt/recio/releases
exec 9>.lock
if flock --nonblock 9; then
    rm -f ./*.tar ./.ansible_tmp*
    for release in */; do
        [ -e "$release.complete" ] || rm -rf "$release"
    done
fi
rm -f "$under_way"
