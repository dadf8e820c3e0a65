#!/usr/bin/env python3
"""M members against one: the time of an epoch of 13-32-16-3 at batch 16, side by side in rounds.

    benches/peers/members.py --devices cpu,llvmpipe
    benches/peers/members.py --hidden 128-64 --inputs 784 --classes 10 --batch 64 --devices gpu
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import common
import wgfit_mlp

# The most that so many members may take of one's time; none is promised for other devices.
BOUNDS = {"cpu": 40.0, "llvmpipe": 6.0, "gpu": 4.0}


def table(file, rows, inputs, classes, seed=7):
    """A CSV that can be learned: a class is the largest of a few noisy projections."""
    generator = random.Random(seed)
    normal = generator.gauss
    planes = [[normal(0, 1) for _ in range(inputs)] for _ in range(classes)]
    with open(file, "w") as out:
        out.write(",".join([f"x{i}" for i in range(inputs)] + ["label"]) + "\n")
        for _ in range(rows):
            x = [normal(0, 1) for _ in range(inputs)]
            scores = [sum(map(lambda a, b: a * b, plane, x)) + normal(0, 0.3) for plane in planes]
            label = scores.index(max(scores))
            out.write(",".join([f"{value:.5f}" for value in x] + [f"class{label}"]) + "\n")


def epoch_seconds(records):
    """The median epoch, the first left out."""
    ends = [record["seconds"] for record in records]
    return statistics.median(b - a for a, b in zip(ends, ends[1:]))


def measure(options, device, folder, members):
    data = {"train": str(folder / "members.csv"), "target": "label"}
    written = wgfit_mlp.config(options.hidden, options.batch, options.epochs + 1, data, members=members)
    return epoch_seconds(wgfit_mlp.train(options.binary, folder, written, device)[1])


def compare(options):
    document = {"date": time.strftime("%Y-%m-%d %H:%M:%S %z"), "members": options.members, "devices": {}}
    layers = "-".join(map(str, [options.inputs, *options.hidden, options.classes]))
    print(f"{options.members} members of {layers}, batch {options.batch}, {options.rows} rows")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table(folder / "members.csv", options.rows, options.inputs, options.classes)
        for device in options.devices:
            rounds = [
                (measure(options, device, folder, 1), measure(options, device, folder, options.members))
                for _ in range(options.rounds)
            ]
            one, many = (statistics.median(side) for side in zip(*rounds))
            ratio = statistics.median(b / a for a, b in rounds)
            bound = BOUNDS.get(device) if options.members == 64 else None
            verdict = "" if bound is None else f", at most {bound:g}: {'pass' if ratio <= bound else 'FAIL'}"
            print(f"  {device:<12} one {one * 1e3:9.2f} ms, {options.members} {many * 1e3:9.2f} ms an epoch: {ratio:.2f} x{verdict}")
            document["devices"][device] = {"one": one, "many": many, "ratio": ratio, "bound": bound}
    return document


def options_of(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/wgfit")
    parser.add_argument("--devices", type=lambda text: text.split(","), default=["cpu", "llvmpipe"])
    parser.add_argument("--members", type=int, default=64)
    parser.add_argument("--inputs", type=int, default=13)
    parser.add_argument("--hidden", type=common.widths, default=[32, 16])
    parser.add_argument("--classes", type=int, default=3)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rows", type=int, default=1024)
    parser.add_argument("--epochs", type=int, default=5, help="epochs on the clock")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args(arguments)
    if not Path(options.binary).exists():
        parser.error(f"{options.binary} does not exist: cargo build --release makes it")
    return options


def main():
    options = options_of()
    document = compare(options)
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
