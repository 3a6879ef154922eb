#!/usr/bin/env bash
# The official JavaScript SDKs against the simulator: needs Node 18 or newer, and npm's registry once.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
dotnet build "$root/src/FastLLM.Cli" -c Release -v quiet --nologo >/dev/null
[ -d node_modules ] || npm ci --no-audit --no-fund

tool="$root/artifacts/bin/FastLLM.Cli/release/FastLLM.Cli.dll"
exec 3< <(exec dotnet "$tool" simulate); good=$!
exec 4< <(exec dotnet "$tool" simulate --error-rate 1 --error-status 503); failing=$!
trap 'kill $good $failing' EXIT
address() { grep -om1 'http://[^ ]*/v1'; } # waits for the line with the address
BASE_URL=$(address <&3) FAILING_URL=$(address <&4) node --test conformance.mjs
