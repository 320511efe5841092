#!/usr/bin/env bash
# Compiles and links the CUDA plugin for every architecture, warnings being errors, and loads it: no GPU is needed.
#   scripts/gpu/compile.sh LIBRARIES     where nvidia/cu13 and nvidia/cudnn lie, as pip install --target leaves them
set -euo pipefail
libraries=$(realpath "$1")
cd "$(dirname "$0")/../.."
headers=$(node -p 'require("node-api-headers").include_dir')
NLRCNN_CUDA_ROOT=$libraries cmake -S . -B build/cuda -DCMAKE_COMPILE_WARNING_AS_ERROR=ON \
  -DCMAKE_JS_INC="$headers;node_modules/node-addon-api" >build/cuda.log ||
  { cat build/cuda.log; exit 1; }
grep 'No CUDA plugin' build/cuda.log && exit 1
cmake --build build/cuda --target nlrcnn_cuda --parallel "$(nproc)"
# The dynamic linker resolves every symbol; without a GPU that is as far as it goes.
NLRCNN_CUDA_PLUGIN=build/cuda/libnlrcnn_cuda.so \
  NLRCNN_CUDA_LIBRARIES="$libraries/nvidia/cu13/lib:$libraries/nvidia/cudnn/lib" \
  node -e '
    const { architectures, libraries, problem } = require("./dist/binding.js").binding().cudaInfo();
    console.log({ architectures, libraries, problem });
    process.exitCode = architectures === "80 90 90a 90-ptx" && !/did not load|missing/.test(problem) ? 0 : 1;'
