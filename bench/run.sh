#!/bin/sh
# Builds, runs every load test and prints the table; writes it to bench/results/ unless --tiny is given.
#   bench/run.sh            some 25 minutes, 20 with --no-peers (no Node)
#   bench/run.sh --tiny     some forty seconds: shows that the benchmarks still work, and nothing else
set -eu
cd "$(dirname "$0")/.."
# The program is started as it is: "dotnet run" would be one more process between the pipes.
dotnet build bench/FastLLM.Benchmarks --configuration Release --verbosity quiet --nologo
program=artifacts/bin/FastLLM.Benchmarks/release/FastLLM.Benchmarks

commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
git diff --quiet HEAD 2>/dev/null || commit="$commit-changed"

case " $* " in
*" --tiny "*)
    exec "$program" load all --commit "$commit" --command "bench/run.sh $*" "$@"
    ;;
*" --no-peers "*) ;;
*)
    # Other clients, for S13: the versions of package-lock.json. Without Node, or without the registry, the table has no column for them.
    if command -v node >/dev/null && command -v npm >/dev/null; then
        (cd bench/peers && npm ci --no-audit --no-fund --loglevel error) || echo "bench/peers could not be installed: S13 runs without them." >&2
    fi
    ;;
esac
mkdir -p bench/results
exec "$program" load all --commit "$commit" --command "bench/run.sh $*" --report "bench/results/$(date -u +%Y-%m-%d)-$commit.md" "$@"
