#!/usr/bin/env bash
# Saves a host's journal and failed units, when there is such a host to ask: keep_journal.sh [NAME]
name=${1:-molecule}
config=build/trial/$name/ssh_config
[ -e "$config" ] || exit 0
timeout 60 ssh -F "$config" -o BatchMode=yes "$name" \
    'systemctl --failed --no-pager; recio status; journalctl --no-pager --output=short-precise' \
    >"build/$name-journal.txt" 2>&1 </dev/null
exit 0
