#!/usr/bin/env bash
# Puts cuBLAS and cuDNN, headers and libraries, where scripts/gpu/compile.sh looks for them: the wheels of Python's registry.
#   scripts/gpu/libraries.sh DIR
set -euo pipefail
mkdir -p "${1:?usage: libraries.sh DIR}"
python3 -m pip install --quiet --no-deps --retries 0 --disable-pip-version-check --target "$1" \
  nvidia-cublas==13.1.1.3 nvidia-cudnn-cu13==9.24.0.43
