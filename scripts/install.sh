#!/bin/sh
# Installs the program fastllm for the current user. Needs no .NET and no root.
#
#   scripts/install.sh                       from dist/ of this folder; builds it first if there is a .NET SDK
#   scripts/install.sh --from DIR|URL        from a release: a folder or an address with fastllm-VERSION-PLATFORM.tar.gz and SHA256SUMS
#   scripts/install.sh --to DIR              another folder than ~/.local/bin
set -eu

from=${FASTLLM_RELEASE:-}
to=${FASTLLM_BIN:-$HOME/.local/bin}
while [ $# -gt 0 ]; do
  case $1 in
    --from) from=${2:?--from requires a folder or an address}; shift 2 ;;
    --to) to=${2:?--to requires a folder}; shift 2 ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "install.sh: There is no option $1. The options are --from and --to." >&2; exit 2 ;;
  esac
done

fail() { echo "install.sh: $*" >&2; exit 1; }

case $(uname -s) in
  Linux) system=linux ;;
  Darwin) system=osx ;;
  *) fail "There is no program for $(uname -s). With .NET 10: dotnet tool install --global FastLLM.Cli" ;;
esac
case $(uname -m) in
  x86_64 | amd64) machine=x64 ;;
  arm64 | aarch64) machine=arm64 ;;
  *) fail "There is no program for $(uname -m). With .NET 10: dotnet tool install --global FastLLM.Cli" ;;
esac
platform=$system-$machine

if [ -z "$from" ]; then
  root=$(cd "$(dirname "$0")/.." && pwd)
  from=$root/dist
  [ -f "$0" ] && [ -f "$(dirname "$0")/SHA256SUMS" ] && from=$(cd "$(dirname "$0")" && pwd)
  if ! grep -q -- "-$platform\.tar\.gz\$" "$from/SHA256SUMS" 2>/dev/null; then
    command -v dotnet >/dev/null 2>&1 || fail "There is no release in $from, and no .NET SDK to build one. Name a release: --from DIR|URL"
    "$root/scripts/release.sh" "$platform"
  fi
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
get() {
  case $from in
    http://* | https://*)
      if command -v curl >/dev/null 2>&1; then curl -fsSL "${from%/}/$1" -o "$work/$1"; else wget -q "${from%/}/$1" -O "$work/$1"; fi ;;
    *) cp "$from/$1" "$work/$1" ;;
  esac
}

get SHA256SUMS || fail "There is no SHA256SUMS in $from."
archive=$(sed -n "s/^.* [ *]*\(fastllm-.*-$platform\.tar\.gz\)\$/\1/p" "$work/SHA256SUMS" | head -n 1)
[ -n "$archive" ] || fail "The release in $from has no program for $platform."
get "$archive" || fail "$archive could not be read from $from."
(cd "$work" && grep -- " [ *]*$archive\$" SHA256SUMS > sum &&
  if command -v sha256sum >/dev/null 2>&1; then sha256sum -c sum; else shasum -a 256 -c sum; fi) >/dev/null ||
  fail "$archive does not match its checksum. Nothing was installed."

tar -C "$work" -xzf "$work/$archive"
mkdir -p "$to"
mv "$work/fastllm" "$to/fastllm.new"
chmod 755 "$to/fastllm.new"
mv "$to/fastllm.new" "$to/fastllm" # in one step: a run in progress keeps its program
echo "Installed fastllm $("$to/fastllm" --version) in $to."
case :$PATH: in
  *:"$to":*) ;;
  *)
    echo "$to is not on the PATH. To add it, now and for new shells:"
    echo "  export PATH=\"$to:\$PATH\""
    case ${SHELL:-} in
      */zsh) echo "  echo 'export PATH=\"$to:\$PATH\"' >> ~/.zshrc" ;;
      */fish) echo "  fish_add_path $to" ;;
      *) echo "  echo 'export PATH=\"$to:\$PATH\"' >> ~/.bashrc" ;;
    esac ;;
esac
echo "Try it, without a key: fastllm help start"
