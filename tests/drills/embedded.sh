#!/bin/sh
# One process on a folder of its own, killed (-9) and started again in the middle of a
# drill. Further words go to the drill:
#
#   cargo build -p eventflow -p tests --bins && tests/drills/embedded.sh --rate 200
#
# DRILL_PORT is its port; everything else lies in a folder that goes afterwards.
set -eu

binaries=$(CDPATH='' cd -- "$(dirname -- "$0")/../../target/debug" && pwd)
port=${DRILL_PORT:-18480}
home=$(mktemp -d)
trap 'kill -9 "$(cat "$home/pid")" 2>/dev/null || true; rm -rf "$home"' EXIT
trap 'exit 130' INT TERM

cat >"$home/server" <<EOF
#!/bin/sh
# \`server start\` or \`server kill\`
case \$1 in
start)
    # It refuses variables that it does not know, and this shell may have some.
    env -i EVENTFLOW_GATEWAY__RATE_LIMIT__ENABLED=false "$binaries/eventflow" run \\
        --listen 127.0.0.1:$port --data "$home/data" \\
        </dev/null >>"$home/log" 2>&1 &
    echo \$! >"$home/pid"
    ;;
kill) kill -9 "\$(cat "$home/pid")" ;;
esac
EOF
chmod +x "$home/server"

"$home/server" start
status=0
"$binaries/drill" --url "http://127.0.0.1:$port" --seconds 20 \
    --do "8=$home/server kill" --do "9=$home/server start" "$@" || status=$?
if [ "$status" -ne 0 ]; then tail -n 20 "$home/log" >&2; fi
if grep -n 'panicked at' "$home/log"; then status=1; fi
exit "$status"
