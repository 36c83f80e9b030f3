#!/bin/sh
# A service that fails again and again is started at a slower pace, and is never given up (systemd 252 knows no RestartSteps).
#
#   pace.sh start WINDOW_S FREE MOST_S   before each start: up to FREE failures within WINDOW_S seconds cost nothing, each one more
#                                        doubles the wait from 2 s on, up to MOST_S
#   pace.sh say   WINDOW_S FREE MOST_S   prints how long that would be
#   pace.sh ended                        after each end: a failure is noted; an end somebody asked for forgets them all
#
# systemd tells RUNTIME_DIRECTORY, which is kept over a restart (RuntimeDirectoryPreserve), and SERVICE_RESULT.
set -eu
failures=$RUNTIME_DIRECTORY/failures
now=$(date +%s)

wait_s() {
    count=0 delay=0
    if [ -f "$failures" ]; then
        while read -r at; do
            [ "$at" -le $((now - $1)) ] || count=$((count + 1))
        done <"$failures"
    fi
    while [ "$count" -gt "$2" ] && [ "$delay" -lt "$3" ]; do
        delay=$((delay ? delay * 2 : 2)) count=$((count - 1))
    done
    [ "$delay" -le "$3" ] || delay=$3
    echo "$delay"
}

case $1 in
say) wait_s "$2" "$3" "$4" ;;
start)
    delay=$(wait_s "$2" "$3" "$4")
    [ "$delay" -gt 0 ] || exit 0
    trap 'exit 0' TERM # somebody does not want to wait: this is no failure
    echo "<4>failed often lately: starting again in $delay s"
    sleep "$delay" &
    wait $!
    ;;
ended)
    # As without Preserve: nothing else of the ended process stays.
    find "$RUNTIME_DIRECTORY" -mindepth 1 ! -name failures -delete
    if [ "${SERVICE_RESULT:-success}" = success ]; then
        rm -f "$failures"
    else
        { [ ! -f "$failures" ] || tail -n 50 "$failures"; echo "$now"; } >"$failures.new"
        mv "$failures.new" "$failures"
    fi
    ;;
*)
    echo "pace.sh: start, say or ended, not '$1'" >&2
    exit 2
    ;;
esac
