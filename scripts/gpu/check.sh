#!/usr/bin/env bash
# Checks the package on this machine's GPU: bash check.sh [options of check.mjs]. Made by scripts/gpu/pack.mjs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export PATH="$here/machine/bin:$PATH"
export LD_LIBRARY_PATH="$here/machine/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec node "$here/check.mjs" "$@"
