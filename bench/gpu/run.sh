#!/usr/bin/env bash
# Unpacks the bundle that this script lies in and runs its stages. Needs bash and python3 (or xz and tar), nothing else;
# what the stages find beside that (a GPU, nvcc, PyTorch, compute-sanitizer) they use, what is not there they record.
#
#   bash run.sh [--budget SECONDS] [--out FOLDER] [--stages machine,probes,...] [--rehearse]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Programs started below end with this script.
unpack() {
  if command -v xz > /dev/null; then
    tar -xJf "$1" -C "$work"
  else
    python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$1" "$work"
  fi
}
unpack "$here/node.tar.xz" &
unpack "$here/checkout.tar.xz"
wait $!

out=results
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=$2; shift 2 ;;
    *) arguments+=("$1"); shift ;;
  esac
done
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$work/checkout"
status=0
"$work/node" build/bench/gpu/run.js --out "$out" --spent "$SECONDS" "${arguments[@]}" || status=$?
exit "$status"
