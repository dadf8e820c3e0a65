"""wgfit: the release binary, by its command line. The first epoch is off the clock: what is timed
is the end of the first epoch to the end of the last, as metrics.jsonl has it."""

import json
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import common


def first_rows(source, target, rows):
    """The first rows of an IDX file."""
    raw = source.read_bytes()
    shape = list(struct.unpack_from(f">{raw[3]}I", raw, 4))
    start, size = 4 + 4 * raw[3], (len(raw) - 4 - 4 * raw[3]) // shape[0]
    shape[0] = min(rows, shape[0])
    header = raw[:4] + struct.pack(f">{raw[3]}I", *shape)
    target.write_bytes(header + raw[start : start + shape[0] * size])


def config(hidden, batch, epochs, data, **more):
    return {
        "seed": 1,
        "data": data | {"validation": 0},
        "model": {"layers": [{"units": units, "activation": "relu"} for units in hidden]},
        "optimizer": {"name": "adam", "learning_rate": common.LEARNING_RATE},
        "training": {"epochs": epochs, "batch_size": batch, "drop_last": True},
        "early_stopping": None,
        "metrics": [],
        # No peer looks inside its network.
        "log": {"tensorboard": False, "histograms_every": 0},
    } | more


def images(folder, data, rows):
    """The `data` section of MNIST's first rows."""
    for name in (common.IMAGES, common.LABELS):
        first_rows(Path(data) / name, folder / name, rows)
    return {
        "train": str(folder / common.IMAGES),
        "labels": str(folder / common.LABELS),
        "scaling": "divide_by_255",
    }


def train(binary, folder, written, device, extra=()):
    """Trains a config; returns the summary and the epochs' records."""
    file = folder / "config.json"
    file.write_text(json.dumps(written))
    out = folder / "run"
    command = [binary, "train", str(file), "--device", device, "--out", str(out)]
    command += ["--overwrite", "--quiet", *extra]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    lines = (out / "metrics.jsonl").read_text().splitlines()
    epochs = [record for record in map(json.loads, lines) if record["kind"] == "epoch"]
    return json.loads((out / "summary.json").read_text()), epochs


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("--binary", default="target/release/wgfit")
    args = parser.parse_args()
    if args.threads:
        os.environ["RAYON_NUM_THREADS"] = str(args.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = images(folder, args.data, args.rows)
        written = config(args.hidden, args.batch, args.epochs + 1, data)
        summary, epochs = train(args.binary, folder, written, args.device)
    seconds = epochs[-1]["seconds"] - epochs[0]["seconds"]
    device = summary["device"]
    name = f"{device['name']} ({device['backend']}) {device['driver']}".strip()
    loss = epochs[-1]["train"]["loss"]
    common.report(args, seconds, loss, f"wgfit {summary['version']}", name)


if __name__ == "__main__":
    main()
