#!/bin/sh
# Builds `probe` and `ceilings` with nothing but nvcc and a C++17 compiler: sh native/cuda/probe/build.sh [FOLDER]
# (default: build/probes of the checkout). The sources are those of probes.def and ../bench/ceilings.def, as in CMake.
# NVCC names another nvcc, JOBS the number of compilers at once.
set -eu
root=$(cd "$(dirname "$0")/../../.." && pwd)
out=${1:-$root/build/probes}
nvcc=${NVCC:-nvcc}
cuda=$root/native/cuda
command -v "$nvcc" >/dev/null || { echo "build.sh: $nvcc is not on PATH; install the CUDA toolkit 13 or set NVCC" >&2; exit 1; }
rm -rf "$out/objects"
mkdir -p "$out/objects"

# name capability, a line each
probes=$(sed -n 's/^PROBE(\([a-z0-9_]*\), \([0-9]*\))$/\1 \2/p' "$cuda/probe/probes.def")
ceilings=$(sed -n 's/^SOURCE(\([a-z0-9_]*\), \([0-9]*\))$/\1 \2/p' "$cuda/bench/ceilings.def")
hopper='-gencode=arch=compute_90a,code=sm_90a'
both="-gencode=arch=compute_80,code=sm_80 $hopper"

# lists "source target" pairs for xargs; a target is the last word of a compiler's command line
{
  echo "$both $cuda/probe/main.cu -o $out/objects/main.o"
  echo "$probes" | while read -r name capability; do
    [ "$capability" = 90 ] && target=$hopper || target=$both
    echo "$target $cuda/probe/probe_$name.cu -o $out/objects/probe_$name.o"
    echo "$cuda/probe/expect_$name.cpp -o $out/objects/expect_$name.o"
  done
  echo "$ceilings" | while read -r name capability; do
    [ "$capability" = 90 ] && target=$hopper || target=$both
    echo "$target $cuda/bench/$name.cu -o $out/objects/bench_$name.o"
  done
} | xargs -P "${JOBS:-$(nproc)}" -I LINE sh -c "'$nvcc' -std=c++17 -O3 -lineinfo -I'$root/native' -c LINE"

"$nvcc" -cudart static -o "$out/probe" "$out/objects/main.o" "$out"/objects/probe_*.o "$out"/objects/expect_*.o
"$nvcc" -cudart static -o "$out/ceilings" "$out"/objects/bench_*.o
echo "$out/probe"
echo "$out/ceilings"
