#!/bin/sh
# Keep the newest releases and whatever `current` names: prune_releases.sh KEEP. Prints what it removes.
set -eu
cd /opt/recio/releases
current=$(basename "$(readlink -f /opt/recio/current)")
rm -f ./*.tar
kept=0
for release in $(ls -1t); do
    [ -d "$release" ] || continue
    [ "$release" = "$current" ] && continue
    if [ -e "$release/.complete" ] && [ "$kept" -lt "$(($1 - 1))" ]; then
        kept=$((kept + 1))
    else
        echo "removed $release"
        rm -rf "$release"
    fi
done
