#!/usr/bin/env python3
"""What histograms and event files add to the time of a training: with and without, by turns.

The time is that of the training loop by the clock on the wall: the `seconds` that summary.json tells leave out
what looks inside the network hold it up, which are its `looking_seconds`.

    benches/peers/observing.py --config configs/mnist.json --device cpu
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Percent, at the defaults.
BOUND = 3.0

SIDES = {"with": [], "without": ["log.tensorboard=false", "log.histograms_every=0"]}


def seconds(options, folder, keys):
    """Seconds of training by the clock on the wall: with looks inside the network, without start-up and what
    follows the last epoch."""
    command = [options.binary, "train", str(options.config), f"training.epochs={options.epochs}",
               "early_stopping=null", *keys, "--device", options.device, "--out", str(folder / "run"),
               "--overwrite", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    summary = json.loads((folder / "run" / "summary.json").read_text())
    return summary["seconds"] + summary["looking_seconds"]


def compare(options):
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        for round_ in range(options.rounds):
            # Whoever is second finds a warmer machine: the sides take turns at it.
            order = sorted(SIDES, reverse=bool(round_ % 2))
            found = {side: seconds(options, Path(name), SIDES[side]) for side in order}
            ratios.append(found["with"] / found["without"])
            print(f"  with {found['with']:.3f} s, without {found['without']:.3f} s: {ratios[-1]:.3f}", flush=True)
    overhead = statistics.median(ratios) - 1.0
    verdict = "pass" if 100 * overhead < BOUND else "FAIL"
    print(f"{options.config} on {options.device}: {100 * overhead:+.1f} % ({min(ratios):.3f} to {max(ratios):.3f}), "
          f"under {BOUND:g} %: {verdict}")
    return {"date": time.strftime("%Y-%m-%d %H:%M:%S %z"), "config": str(options.config), "device": options.device,
            "rounds": options.rounds, "overhead": overhead, "ratios": ratios, "bound": BOUND}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/wgfit")
    parser.add_argument("--config", type=Path, default=Path("configs/mnist.json"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    for needed in (options.config, Path(options.binary)):
        if not needed.exists():
            parser.error(f"{needed} does not exist")
    document = compare(options)
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
