"""Prints the golden vectors of layers whose weights heads share, with the package of TabM's authors.

    python tests/golden/sharing.py

Needs torch, tabm, numpy and safetensors; the versions are written into the JSON. Everything is on the CPU
and deterministic. Written next to this script:

sharing.csv
    120 rows: `x0` to `x4`, the target `y`. Numbers are exact in f32.
tabm.safetensors, tabm_mini.safetensors
    Starting weights of 4 heads of a 5-7-6-1 net, tanh in between. What heads share stands there once, all
    else with an axis of 4 before it. The vectors that tell heads apart begin with numbers of all kinds, not
    with signs and ones, so that every gradient shows.
sharing.json
    {"versions", "cases": [{"name", "adapters", "optimizer", "losses"}]}: `adapters` and `optimizer` are what
    a wgfit config says, each of `losses` the heads' mean squared errors of one batch before that step's
    update, in f64. What is minimised is their mean. 120 rows by 16: seven full batches and one of 8, eight
    epochs.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import tabm
import torch
from safetensors.numpy import load_file, save

HERE = Path(__file__).resolve().parent
ROWS, EPOCHS, BATCH, INPUTS, HEADS = 120, 8, 16, 5, 4
WIDTHS = [7, 6]

OPTIMIZERS = {
    "sgd": {"name": "sgd", "learning_rate": 0.25},
    "momentum": {"name": "sgd", "learning_rate": 0.125, "momentum": 0.75},
    "adam": {"name": "adam", "learning_rate": 0.03125},
    "adamw": {
        "name": "adamw", "learning_rate": 0.03125, "weight_decay": 0.125, "decay_biases": True,
    },
    "clip_global_norm": {"name": "sgd", "learning_rate": 0.25, "clip_global_norm": 0.125},
    "clip_norm": {"name": "sgd", "learning_rate": 0.25, "clip_norm": 0.0625},
}


def write_data():
    rng = np.random.default_rng(78)
    x = np.round(rng.normal(size=(ROWS, INPUTS)) * 64) / 64
    y = np.round((np.sin(x[:, 0]) * x[:, 1] + x[:, 2] + 0.1 * rng.normal(size=ROWS)) * 64) / 64
    lines = [",".join([f"x{i}" for i in range(INPUTS)] + ["y"])]
    lines += [",".join(repr(float(v)) for v in [*x[i], y[i]]) for i in range(ROWS)]
    (HERE / "sharing.csv").write_text("\n".join(lines) + "\n")
    below = [INPUTS, *WIDTHS]
    for adapters in ["tabm", "tabm_mini"]:
        shapes = {}
        for i, units in enumerate(WIDTHS):
            shapes[f"layers.{i}.weight"] = (units, below[i])
            shapes[f"layers.{i}.bias"] = (HEADS, units) if adapters == "tabm" else (units,)
            if adapters == "tabm" or i == 0:
                shapes[f"layers.{i}.adapter.input"] = (HEADS, below[i])
            if adapters == "tabm":
                shapes[f"layers.{i}.adapter.output"] = (HEADS, units)
        shapes["layers.2.weight"] = (HEADS, 1, WIDTHS[-1])
        shapes["layers.2.bias"] = (HEADS, 1)
        weights = {
            name: (np.round(rng.normal(size=shape) * 0.75 * 1024) / 1024).astype(np.float32)
            for name, shape in shapes.items()
        }
        (HERE / f"{adapters}.safetensors").write_bytes(save(weights))


def net(adapters):
    model = tabm.TabM.make(
        n_num_features=INPUTS, d_out=1, k=HEADS, n_blocks=2, d_block=8, dropout=0.0,
        activation="Tanh", arch_type=adapters.replace("_", "-"),
    )
    # The package makes blocks of one width; ours differ, so that no transposition fits.
    make = model.backbone._make_linear
    options = tabm.MLPBackboneBatchEnsemble._Options(HEADS, True, "random-signs", None)
    below = [INPUTS, *WIDTHS]
    for i, units in enumerate(WIDTHS):
        own = options if adapters == "tabm" else None
        model.backbone.blocks[i][0] = make(i, below[i], units, own)
    model.output = tabm.LinearEnsemble(WIDTHS[-1], 1, k=HEADS)
    weights = {k: torch.from_numpy(v) for k, v in load_file(str(HERE / f"{adapters}.safetensors")).items()}
    state = {
        "output.weight": weights["layers.2.weight"].transpose(1, 2),
        "output.bias": weights["layers.2.bias"],
    }
    for i in range(len(WIDTHS)):
        own = f"backbone.blocks.{i}.0"
        state[f"{own}.weight"] = weights[f"layers.{i}.weight"]
        state[f"{own}.bias"] = weights[f"layers.{i}.bias"]
        if adapters == "tabm":
            state[f"{own}.r"] = weights[f"layers.{i}.adapter.input"]
            state[f"{own}.s"] = weights[f"layers.{i}.adapter.output"]
    if adapters == "tabm_mini":
        state["backbone.affine.weight"] = weights["layers.0.adapter.input"]
    model.load_state_dict(state)
    return model.double()


def optimizer_of(parameters, config):
    rate, decay = config["learning_rate"], config.get("weight_decay", 0.0)
    if config["name"] == "adam":
        return torch.optim.Adam(parameters, lr=rate)
    if config["name"] == "adamw":
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)
    return torch.optim.SGD(parameters, lr=rate, momentum=config.get("momentum", 0.0))


def clip(model, config):
    if "clip_global_norm" in config:
        torch.nn.utils.clip_grad_norm_(model.parameters(), config["clip_global_norm"])
    if "clip_norm" in config:
        # A tensor of wgfit is a head's own.
        for name, parameter in model.named_parameters():
            shared = name.endswith(".weight") and "blocks" in name
            shared = shared or name.endswith(".bias") and parameter.dim() == 1
            for own in [parameter.grad] if shared else parameter.grad:
                norm = own.norm()
                own.mul_(torch.clamp(config["clip_norm"] / (norm + 1e-6), max=1.0))


def losses(adapters, config):
    with open(HERE / "sharing.csv", newline="") as file:
        rows = [[float(v) for v in row] for row in list(csv.reader(file))[1:]]
    data = torch.tensor(rows, dtype=torch.float64)
    x, y = data[:, :INPUTS], data[:, INPUTS]
    model = net(adapters)
    optimizer = optimizer_of(model.parameters(), config)
    found = []
    for _ in range(EPOCHS):
        for start in range(0, ROWS, BATCH):
            batch = slice(start, start + BATCH)
            predicted = model(x[batch])[:, :, 0]
            of_heads = ((predicted - y[batch][:, None]) ** 2).mean(dim=0)
            optimizer.zero_grad()
            of_heads.mean().backward()
            clip(model, config)
            optimizer.step()
            found.append(of_heads.tolist())
    return found


def main():
    write_data()
    cases = [
        {
            "name": f"{adapters}_{name}", "adapters": adapters, "optimizer": config,
            "losses": losses(adapters, config),
        }
        for adapters in ["tabm", "tabm_mini"]
        for name, config in OPTIMIZERS.items()
    ]
    versions = {
        "torch": torch.__version__, "tabm": tabm.__version__, "numpy": np.__version__,
        "python": sys.version.split()[0],
    }
    lines = ",\n".join(json.dumps(case) for case in cases)
    text = f'{{"versions": {json.dumps(versions)}, "cases": [\n{lines}\n]}}\n'
    (HERE / "sharing.json").write_text(text)


main()
