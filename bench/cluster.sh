#!/bin/sh
# Runs a cluster of real servers and processes on this machine, and checks what docs/cluster.md promises.
# Needs PostgreSQL and RabbitMQ (apt-get install postgresql rabbitmq-server); it starts servers of its own.
#   bench/cluster.sh                            all of it, some twenty minutes
#   bench/cluster.sh kills --rows 1000000       200,000 rows without --rows: a worker is killed each 10 s; also --every S, --workers N, --latency MS
#   bench/cluster.sh equal|outages|latency|overhead|servers
set -eu
cd "$(dirname "$0")/.."
dotnet build bench/FastLLM.Benchmarks --configuration Release --verbosity quiet --nologo
exec artifacts/bin/FastLLM.Benchmarks/release/FastLLM.Benchmarks cluster "$@"
