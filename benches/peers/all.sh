#!/usr/bin/env bash
# Makes every table of benches/RESULTS.md anew:
#
#   PYTHON=venv/bin/python BURN_MLP=burn-mlp DIAMONDS=diamonds.csv benches/peers/all.sh
#
# PYTHON has the peers (numpy, jax, keras, torch, scikit-learn; what is missing is named), BURN_MLP is the
# binary of benches/peers/burn, DATA holds MNIST's IDX files (configs/mnist.json says how to get
# them), DIAMONDS is the table of R's ggplot2 (without it ASHA is not measured). UNDER is a command that
# each measurement runs under, such as 'taskset -c 0,1'.
set -euo pipefail
cd "$(dirname "$0")/../.."

PYTHON=${PYTHON:-python3}
DATA=${DATA:-configs/data}
UNDER=${UNDER:-}
OUT=target/peers
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$(mktemp -d)}
mkdir -p "$OUT"
rm -f "$OUT"/*.json "$OUT"/*.txt

cargo build --release
cargo build --release --benches
peers=(python3 benches/peers/compare.py --data "$DATA" --python "$PYTHON" --under "$UNDER")

"${peers[@]}" --peers jax --rounds 5 --json "$OUT/jax.json"
"${peers[@]}" --peers torch,keras,sklearn,burn --rounds 2 --json "$OUT/others.json"
# shellcheck disable=SC2086 # UNDER is a command with its arguments
{
    $UNDER python3 benches/peers/members.py --rounds 5 --epochs 15 --json "$OUT/members.json"
    $UNDER python3 benches/peers/sweep.py --device cpu --json "$OUT/sweep_cpu.json"
    $UNDER python3 benches/peers/sweep.py --device llvmpipe --trials 16 --json "$OUT/sweep_llvmpipe.json"
    $UNDER python3 benches/peers/startup.py --json "$OUT/startup.json"
    $UNDER python3 benches/peers/observing.py --json "$OUT/observing.json"
    $UNDER "$PYTHON" benches/peers/starting.py --json "$OUT/starting.json"
    $UNDER python3 benches/peers/floor.py --data "$DATA" --devices cpu,llvmpipe,swiftshader --json "$OUT/floor.json"
    $UNDER cargo bench --bench gemm > "$OUT/gemm.txt"
    $UNDER cargo bench --bench host > "$OUT/host.txt"
}
if [ -n "${DIAMONDS:-}" ]; then
    # A bound that does not hold is told in the table.
    # shellcheck disable=SC2086
    $UNDER python3 benches/peers/asha.py --diamonds "$DIAMONDS" --json "$OUT/asha.json" || test -s "$OUT/asha.json"
fi
# Burn tunes itself for half a minute first; an epoch is 40 steps.
"${peers[@]}" --device swiftshader --peers burn-wgpu --sizes 128-64@64x2 --rows 2560 --rounds 2 \
    --json "$OUT/swiftshader.json"

python3 benches/peers/results.py --python "$PYTHON" --from "$OUT" --to benches/RESULTS.md
