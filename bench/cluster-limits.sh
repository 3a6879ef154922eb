#!/bin/sh
# Shares limits between real workers on PostgreSQL and RabbitMQ, some of which come and go, and prints how much of them is used: docs/cluster.md.
#   bench/cluster-limits.sh                          a configured limit and two that must be learned, in a quarter of an hour
#   bench/cluster-limits.sh --only configured        one of them; also --plan 60:freeze,70:wake,100:end, --seconds for a line a second
set -eu
cd "$(dirname "$0")/.."
dotnet build bench/FastLLM.Benchmarks --configuration Release --verbosity quiet --nologo
exec artifacts/bin/FastLLM.Benchmarks/release/FastLLM.Benchmarks cluster-limits "$@"
