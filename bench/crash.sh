#!/bin/sh
# Kills the real program again and again and checks that nothing is lost and nothing is paid twice: docs/durability.md.
#   bench/crash.sh --kills 200 --per-point 10      some ten minutes; also --seed N to repeat, --csv FILE for a line a kill
#   bench/crash.sh --processes 8                   several processes on one cache, one of them killed
set -eu
cd "$(dirname "$0")/.."
dotnet build bench/FastLLM.Benchmarks --configuration Release --verbosity quiet --nologo
exec artifacts/bin/FastLLM.Benchmarks/release/FastLLM.Benchmarks crash "$@"
