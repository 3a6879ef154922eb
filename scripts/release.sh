#!/usr/bin/env bash
# Builds what a release consists of, in dist/: one program per platform, the packed tool, the installer and the checksums.
#
#   scripts/release.sh                    all platforms
#   scripts/release.sh linux-x64 osx-arm64
set -euo pipefail
cd "$(dirname "$0")/.."
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

version=$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' Directory.Build.props | head -n 1)
platforms=("$@")
[ ${#platforms[@]} -gt 0 ] || platforms=(linux-x64 linux-arm64 osx-x64 osx-arm64 win-x64)
mkdir -p dist
dist=$PWD/dist
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

failed=()
for platform in "${platforms[@]}"; do
  echo "== $platform"
  folder="$work/$platform"
  # Self-contained and in one file: whoever runs it needs no .NET.
  if ! dotnet publish src/FastLLM.Cli -c Release -r "$platform" --self-contained true -o "$folder" \
      -p:PublishSingleFile=true -p:IncludeNativeLibrariesForSelfExtract=true -p:EnableCompressionInSingleFile=true \
      -p:DebugType=none -p:GenerateDocumentationFile=false --verbosity quiet; then
    failed+=("$platform")
    continue
  fi

  program=fastllm
  [ "$platform" != win-x64 ] || program=fastllm.exe
  mkdir -p "$work/out"
  cp "$folder/$program" LICENSE "$work/out/"
  if [ "$platform" = win-x64 ]; then
    (cd "$work/out" && python3 -m zipfile -c "$dist/fastllm-$version-$platform.zip" "$program" LICENSE)
  else
    tar -C "$work/out" -czf "$dist/fastllm-$version-$platform.tar.gz" "$program" LICENSE
  fi

  rm -rf "$work/out"
done

dotnet pack src/FastLLM.Cli -c Release -o dist --verbosity quiet
cp scripts/install.sh dist/
(cd dist && sha256sum -- fastllm-"$version"-* > SHA256SUMS)
ls -l dist
if [ ${#failed[@]} -gt 0 ]; then
  echo "Not built: ${failed[*]}" >&2
  exit 1
fi
