"""Prints the golden vectors of embedded columns with real PyTorch.

    python tests/golden/embeddings.py

Needs torch, numpy and safetensors; the versions are written into the JSON. Everything is on the CPU and
deterministic. Written next to this script:

embeddings.csv
    120 rows: `x0`, a text `who` of 8 values, `x1`, a text `city` of 3 values, the target `y`. Numbers are
    exact in f32. Some values of `who` are rare, so that most batches lack them.
embeddings.safetensors
    Starting weights: embeddings.0.weight [8, 3], embeddings.1.weight [3, 2], layers.{i}.weight and
    layers.{i}.bias of a 7-6-1 net, tanh in between.
embeddings.json
    {"versions", "cases": [{"name", "optimizer", "losses"}]}: `optimizer` is what a wgfit config says, each
    of `losses` one batch's mean squared error before that step's update, in f64. 120 rows by 16: seven full
    batches and one of 8, eight epochs.

Gradients of the tables are dense, as torch.nn.Embedding has them: rows that a batch lacks go on moving by
momentum and decay.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save

HERE = Path(__file__).resolve().parent
ROWS, EPOCHS, BATCH = 120, 8, 16
WHO = [f"w{i}" for i in range(8)]
CITY = ["Oslo", "Rome", "Ulm"]
SIZES = {"who": 3, "city": 2}

CASES = {
    "sgd": {"name": "sgd", "learning_rate": 0.125},
    "momentum": {"name": "sgd", "learning_rate": 0.0625, "momentum": 0.75},
    "decay": {
        "name": "sgd", "learning_rate": 0.0625, "momentum": 0.75, "weight_decay": 0.125,
        "decay_biases": True,
    },
    "adam": {"name": "adam", "learning_rate": 0.0625},
    "adamw": {
        "name": "adamw", "learning_rate": 0.0625, "weight_decay": 0.125, "decay_biases": True,
    },
}


def write_data():
    rng = np.random.default_rng(77)
    shares = np.array([8, 8, 6, 4, 2, 2, 1, 1]) / 32
    who = rng.choice(8, size=ROWS, p=shares)
    who[:8] = rng.permutation(8)
    city = rng.integers(0, 3, size=ROWS)
    x = np.round(rng.normal(size=(ROWS, 2)) * 64) / 64
    of_who, of_city = rng.normal(size=8), rng.normal(size=3)
    y = np.round((of_who[who] + of_city[city] * x[:, 0] + 0.1 * rng.normal(size=ROWS)) * 64) / 64
    lines = ["x0,who,x1,city,y"]
    for i in range(ROWS):
        lines.append(f"{float(x[i, 0])!r},{WHO[who[i]]},{float(x[i, 1])!r},{CITY[city[i]]},{float(y[i])!r}")
    (HERE / "embeddings.csv").write_text("\n".join(lines) + "\n")
    shapes = {
        "embeddings.0.weight": (8, 3), "embeddings.1.weight": (3, 2),
        "layers.0.weight": (6, 7), "layers.0.bias": (6,),
        "layers.1.weight": (1, 6), "layers.1.bias": (1,),
    }
    weights = {
        name: (np.round(rng.normal(size=shape) * 0.5 * 1024) / 1024).astype(np.float32)
        for name, shape in shapes.items()
    }
    (HERE / "embeddings.safetensors").write_bytes(save(weights))


class Net(torch.nn.Module):
    def __init__(self, weights):
        super().__init__()
        self.who = torch.nn.Embedding(8, SIZES["who"])
        self.city = torch.nn.Embedding(3, SIZES["city"])
        self.hidden, self.last = torch.nn.Linear(7, 6), torch.nn.Linear(6, 1)
        names = {
            "who.weight": "embeddings.0.weight", "city.weight": "embeddings.1.weight",
            "hidden.weight": "layers.0.weight", "hidden.bias": "layers.0.bias",
            "last.weight": "layers.1.weight", "last.bias": "layers.1.bias",
        }
        self.load_state_dict({own: torch.from_numpy(weights[name]) for own, name in names.items()})

    def forward(self, x0, who, x1, city):
        inputs = torch.cat([x0[:, None], self.who(who), x1[:, None], self.city(city)], dim=1)
        return self.last(torch.tanh(self.hidden(inputs)))[:, 0]


def optimizer_of(parameters, config):
    rate, decay = config["learning_rate"], config.get("weight_decay", 0.0)
    if config["name"] == "adam":
        return torch.optim.Adam(parameters, lr=rate)
    if config["name"] == "adamw":
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)
    return torch.optim.SGD(parameters, lr=rate, momentum=config.get("momentum", 0.0))


def losses(config):
    with open(HERE / "embeddings.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    number = lambda key: torch.tensor([float(row[key]) for row in rows], dtype=torch.float64)
    columns = (
        number("x0"), torch.tensor([WHO.index(row["who"]) for row in rows]),
        number("x1"), torch.tensor([CITY.index(row["city"]) for row in rows]),
    )
    y = number("y")
    net = Net(load_file(str(HERE / "embeddings.safetensors"))).double()
    optimizer = optimizer_of(net.parameters(), config)
    found = []
    for _ in range(EPOCHS):
        for start in range(0, ROWS, BATCH):
            batch = slice(start, start + BATCH)
            loss = torch.nn.functional.mse_loss(net(*(c[batch] for c in columns)), y[batch])
            optimizer.zero_grad()
            loss.backward()
            if config["name"] == "sgd" and "weight_decay" in config:
                # Decoupled, as AdamW's is; SGD's own is a term of the gradient.
                with torch.no_grad():
                    for p in net.parameters():
                        p.mul_(1 - config["learning_rate"] * config["weight_decay"])
            optimizer.step()
            found.append(loss.item())
    return found


def main():
    write_data()
    cases = [{"name": name, "optimizer": config, "losses": losses(config)} for name, config in CASES.items()]
    versions = {"torch": torch.__version__, "numpy": np.__version__, "python": sys.version.split()[0]}
    (HERE / "embeddings.json").write_text(json.dumps({"versions": versions, "cases": cases}, indent=1) + "\n")


main()
