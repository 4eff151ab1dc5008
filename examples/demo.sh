#!/bin/sh
# The main job on 20,000 synthetic conversations: no key to bring, no server, no network.
set -eu
here=demo
port=${SFUMATO_DEMO_PORT:-8642}
if [ -f "$here/serve.pid" ]; then kill "$(cat "$here/serve.pid")" 2>/dev/null || true; fi
rm -rf "$here"
mkdir -m 700 "$here"
export SFUMATO_KEY_FILE="$PWD/$here/root.key"

echo "1. A corpus of our own words: 20,000 conversations of 8,000 users, in many languages."
sfumato synth --conversations 20000 --users 8000 --seed 1 --out "$here/chats.jsonl"

echo "2. Ingest, extract, discard the raw text, release under (epsilon, delta)."
sfumato keys init
sfumato run policies/standard.yaml "$here/chats.jsonl" --data "$here/data" --epoch 2026-11 --json > "$here/release.json"

echo "3. What an analyst sees."
key=$(sfumato keys issue --data "$here/data" --role analyst 2>/dev/null)
sfumato show --data "$here/data"

nohup sfumato serve policies/standard.yaml --data "$here/data" --port "$port" --idle-exit 3600 \
  > "$here/serve.log" 2>&1 < /dev/null &
echo $! > "$here/serve.pid"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  if sfumato serve --ping --port "$port" 2>/dev/null; then break; fi
  sleep 0.5
done
sfumato serve --ping --port "$port" || { cat "$here/serve.log"; exit 1; }
echo
echo "Explorer: http://127.0.0.1:$port/#key=$key"
echo "(it stops by itself after an hour without visitors; make demo-stop ends it now)"
