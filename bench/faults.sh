#!/bin/sh
# Does to the engine what servers and networks do, case by case: docs/failures.md.
#   bench/faults.sh --csv FILE      all cases, a line of figures each, in some seconds; --case F04 for those of one fault
set -eu
cd "$(dirname "$0")/.."
dotnet build bench/FastLLM.Benchmarks --configuration Release --verbosity quiet --nologo
exec artifacts/bin/FastLLM.Benchmarks/release/FastLLM.Benchmarks faults "$@"
