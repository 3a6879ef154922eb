#!/usr/bin/env bash
# The official JavaScript SDKs against the simulator: needs Node 18 or newer, and npm's registry once.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
dotnet build "$root/src/FastLLM.Cli" -c Release -v quiet --nologo >/dev/null
[ -d node_modules ] || npm ci --no-audit --no-fund

tool="$root/artifacts/bin/FastLLM.Cli/release/FastLLM.Cli.dll"
out=$(mktemp -d)
dotnet "$tool" simulate >"$out/good" & good=$!
dotnet "$tool" simulate --error-rate 1 --error-status 503 >"$out/failing" & failing=$!
trap 'kill $good $failing; rm -r "$out"' EXIT
address() { until grep -om1 'http://[^ ]*/v1' "$1"; do sleep 0.1; done; }
BASE_URL=$(address "$out/good") FAILING_URL=$(address "$out/failing") node --test conformance.mjs
