#!/bin/sh
# The main job on 20,000 synthetic conversations: no key to bring, no server, no network.
set -eu
here=demo
port=${SFUMATO_DEMO_PORT:-0}  # 0: any free one
if [ -f "$here/serve.pid" ]; then kill "$(cat "$here/serve.pid")" 2>/dev/null || true; fi
rm -rf "$here"
mkdir -m 700 "$here"
export SFUMATO_KEY_FILE="$PWD/$here/root.key"

echo "1. A corpus of our own words: 20,000 conversations of 12,000 users, in English and German."
sfumato synth --conversations 20000 --users 12000 --seed 1 --chatter 0 --topics 24 \
  --language en --language de --out "$here/chats.jsonl"

echo "2. Ingest, extract, discard the raw text, release under (epsilon, delta)."
sfumato keys init
sfumato run policies/standard.yaml "$here/chats.jsonl" --data "$here/data" --epoch 2026-03 --json > "$here/release.json"

echo "3. What an analyst sees."
key=$(sfumato keys issue --data "$here/data" --role analyst 2>/dev/null)
sfumato show --data "$here/data"

nohup timeout 3600 sfumato serve policies/standard.yaml --data "$here/data" --port "$port" \
  > "$here/serve.log" 2>&1 < /dev/null &
echo $! > "$here/serve.pid"
if ! address=$(python examples/wait_for.py "$here/serve.log"); then
  cat "$here/serve.log"
  exit 1
fi
echo
echo "Explorer: $address#key=$key"
echo "(it ends by itself after an hour; make demo-stop ends it now)"
