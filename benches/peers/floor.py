#!/usr/bin/env python3
"""A step of 784-128-64-10 at batch 64 against its floor: its operations at the rate that a large
product (GEMM) reached on the same device in the same run.

    benches/peers/floor.py --devices llvmpipe
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import common
import compare
import explained

BOUND = 3.0


def options_of(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/wgfit")
    parser.add_argument("--data", type=Path, default=Path("configs/data"))
    parser.add_argument("--devices", type=lambda text: text.split(","), default=["llvmpipe"])
    parser.add_argument("--hidden", type=common.widths, default=[128, 64])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rows", type=int, default=6400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser.parse_args(arguments)


def main():
    options = options_of()
    document = {"date": time.strftime("%Y-%m-%d %H:%M:%S %z"), "devices": {}}
    for device in options.devices:
        rounds = [
            explained.mnist_step(options.binary, options.data, options.hidden, options.batch, device,
                                 options.rows, compare.environment(device))
            for _ in range(options.rounds)
        ]
        middle = sorted(rounds, key=lambda found: found["step"]["seconds"] / found["step"]["product_seconds"])[len(rounds) // 2]
        step, rates = middle["step"], middle["rates"]
        ratio = statistics.median(found["step"]["seconds"] / found["step"]["product_seconds"] for found in rounds)
        verdict = f", under {BOUND:g}: {'pass' if ratio < BOUND else 'FAIL'}" if device == "llvmpipe" else ""
        print(f"{device}: a step of 784-{'-'.join(map(str, options.hidden))}-10 at batch {options.batch} takes "
              f"{step['seconds'] * 1e3:.3f} ms; at {rates['flops_per_second'] / 1e9:.1f} GFLOP/s "
              f"({rates['product_size']}^3) its floor is {step['product_seconds'] * 1e3:.3f} ms: "
              f"{ratio:.2f} x{verdict}", flush=True)
        document["devices"][device] = {"ratio": ratio, "bound": BOUND, "explained": middle}
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
