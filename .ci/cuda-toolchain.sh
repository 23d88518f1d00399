#!/usr/bin/env bash
# Installs a CUDA 13.0 build toolchain (nvcc, cuBLAS, cuRAND, NVRTC, cuDNN; 1.7 GB) from NVIDIA's wheels on PyPI
# into DIR, for building `--features cuda` on a Linux machine with neither GPU nor driver, and prints
# the environment to build with:
#
#   eval "$(bash .ci/cuda-toolchain.sh target/cuda-toolchain)" && cargo build --release --features cuda
#
# A DIR that is already complete is used as it is, without network. What is built needs the driver's libcuda to start:
# where there is one, the environment printed here runs it too. CUDA_COMPUTE_CAP is this machine's GPU's, or 90 (H100).
set -euo pipefail

dir=${1:?usage: cuda-toolchain.sh DIR}
mkdir -p "$(dirname "$dir")"
dir=$(cd "$(dirname "$dir")" && pwd)/$(basename "$dir")

packages=(
  nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-cccl==13.0.85
  nvidia-cuda-runtime==13.0.96 nvidia-cuda-nvrtc==13.0.88 nvidia-cublas==13.0.2.14 nvidia-curand==10.4.0.35
  nvidia-cudnn-cu13==9.19.0.56
)

install() { # into a folder of its own, moved into place when whole: an interrupted run leaves nothing that looks done
  local new=$dir.partial
  rm -rf "$new"
  PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-input --retries 2 --no-deps --no-compile \
    --only-binary :all: --target "$new" "${packages[@]}" >&2
  local cu=$new/nvidia/cu13
  chmod +x "$cu"/bin/* "$cu"/nvvm/bin/*
  ln -sfn lib "$cu/lib64"
  (cd "$new/nvidia/cudnn/include" && for header in *.h; do ln -sf "../../cudnn/include/$header" "$cu/include/$header"; done)
  # wheels carry only versioned libraries (libcublas.so.13); the linker asks for libcublas.so
  (cd "$cu/lib" && for lib in *.so.* ../../cudnn/lib/*.so.*; do
    name=$(basename "$lib"); ln -sf "$lib" "${name%%.so.*}.so"
  done)
  # no wheel carries the driver's link stub: make one that has every name cuda.h declares, in each of its versions
  mkdir -p "$cu/lib/stubs"
  grep -ohE '\bcu[A-Z][A-Za-z0-9_]*' "$cu/include/cuda.h" | sed 'p;s/$/_v2/;p;s/_v2$/_v3/' | sort -u |
    sed 's/.*/int &(void) { return 999; }/' > "$cu/lib/stubs/stub.c"
  cc -shared -w -Wl,-soname,libcuda.so.1 -o "$cu/lib/stubs/libcuda.so" "$cu/lib/stubs/stub.c"
  ln -sf libcuda.so "$cu/lib/stubs/libcuda.so.1"
  touch "$new/.complete"
  mv -T "$new" "$dir"
}

if [ ! -e "$dir/.complete" ]; then
  # mv -T replaces an empty folder and refuses any other: nothing of the user's is ever removed
  if [ -d "$dir" ] && [ -n "$(ls -A "$dir")" ]; then
    echo "$dir exists and is not a CUDA toolchain: name another folder, or remove it" >&2
    exit 1
  fi
  command -v python3 >/dev/null || { echo "python3 is needed to install the toolchain from PyPI" >&2; exit 1; }
  install
fi

cu=$dir/nvidia/cu13
cap=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 | tr -d .) || true
cat <<END
export CUDA_HOME='$cu' CUDA_PATH='$cu' PATH='$cu/bin':"\$PATH" CUDA_COMPUTE_CAP="\${CUDA_COMPUTE_CAP:-${cap:-90}}"
export LIBRARY_PATH='$cu/lib:$cu/lib/stubs' RUSTFLAGS="-L native=$cu/lib -L native=$cu/lib/stubs \${RUSTFLAGS:-}"
export LD_LIBRARY_PATH='$cu/lib:$dir/nvidia/cudnn/lib':"\${LD_LIBRARY_PATH:-}"
END
