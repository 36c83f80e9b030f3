#!/bin/sh
# Keep what `current` names and the newest others, good ones before those that were rolled back: prune_releases.sh KEEP.
# Prints what it removes. What is activated now is no longer one that was rolled back, and its folder's time says that it served last:
# an older release that was deployed again is the one to go back to, not a newer one that it replaced.
set -eu
home=${RECIO_HOME:-/opt/recio}
cd "$home/releases"
current=$(basename "$(readlink -f "$home/current")")
rm -f ./*.tar "$current/.rolled_back"
touch "$current"
kept=0
# shellcheck disable=SC2012 # names are versions: no blanks
for release in $(
    for name in $(ls -1t); do [ -e "$name/.rolled_back" ] || echo "$name"; done
    for name in $(ls -1t); do [ ! -e "$name/.rolled_back" ] || echo "$name"; done
); do
    [ -d "$release" ] || continue
    [ "$release" = "$current" ] && continue
    if [ -e "$release/.complete" ] && [ "$kept" -lt "$(($1 - 1))" ]; then
        kept=$((kept + 1))
    else
        echo "removed $release"
        rm -rf "$release"
    fi
done
