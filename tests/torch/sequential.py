"""Loads a model of wgfit into torch.nn.Sequential, and prints what PyTorch makes of some rows.

    python tests/torch/sequential.py MODEL.safetensors ROWS.csv > LOGITS.json

ROWS.csv has a header and holds the network's inputs as they are: a model trained with
"scaling": "none" on numeric columns takes them raw. The output is {"torch": version, "logits":
[member][row][output]}: what the last linear layer says, before softmax or sigmoid.

The weights are loaded by renaming alone: layers.{i}.weight and layers.{i}.bias are the i-th Linear's.
`logits.json` beside this script was printed so; `main.rs` holds wgfit to it.
"""

import csv
import json
import sys

import torch
from safetensors import safe_open

ACTIVATIONS = {
    "linear": torch.nn.Identity,
    "relu": torch.nn.ReLU,
    "tanh": torch.nn.Tanh,
    "sigmoid": torch.nn.Sigmoid,
    "gelu": torch.nn.GELU,
    "silu": torch.nn.SiLU,
    "elu": torch.nn.ELU,
    "selu": torch.nn.SELU,
    "softplus": torch.nn.Softplus,
}
NORMS = {
    "batch_norm": lambda units, epsilon: torch.nn.BatchNorm1d(units, eps=epsilon),
    "layer_norm": lambda units, epsilon: torch.nn.LayerNorm(units, eps=epsilon),
    "rms_norm": lambda units, epsilon: torch.nn.RMSNorm(units, eps=epsilon),
}


def named(value):
    """A variant's name and parameters, of its name alone or of an object."""
    return (value, {}) if isinstance(value, str) else (value["name"], value)


def sequential(config, tensors):
    """The network of one member, with its weights."""
    modules, state, width = [], {}, tensors["layers.0.weight"].shape[1]

    def add(module, prefix=None):
        if prefix is not None:
            for name in module.state_dict():
                if name != "num_batches_tracked":
                    state[f"{len(modules)}.{name}"] = tensors[f"{prefix}{name}"]
        modules.append(module)

    layers = config["model"]["layers"]
    for i, layer in enumerate(layers):
        assert not layer.get("residual"), "a residual layer is no part of a Sequential"
        add(torch.nn.Linear(width, layer["units"]), f"layers.{i}.")
        width = layer["units"]
        if layer.get("norm"):
            name, parameters = named(layer["norm"])
            add(NORMS[name](width, parameters["epsilon"]), f"layers.{i}.norm.")
        name, parameters = named(layer["activation"])
        parameters = {key: value for key, value in parameters.items() if key != "name"}
        add(ACTIVATIONS[name](**parameters))
    last = len(layers)
    add(torch.nn.Linear(width, tensors[f"layers.{last}.weight"].shape[0]), f"layers.{last}.")
    network = torch.nn.Sequential(*modules)
    missing, unexpected = network.load_state_dict(state, strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing)
    return network.eval()


def main(model, rows):
    with safe_open(model, framework="pt") as file:
        config = json.loads(file.metadata()["wgfit"])["config"]
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    with open(rows, newline="") as file:
        inputs = torch.tensor([[float(cell) for cell in row] for row in list(csv.reader(file))[1:]])
    members = config["members"]
    logits = []
    for member in range(members):
        own = {name: t[member] if members > 1 else t for name, t in tensors.items()}
        with torch.no_grad():
            logits.append(sequential(config, own)(inputs).tolist())
    json.dump({"torch": torch.__version__, "logits": logits}, sys.stdout)
    print()


main(*sys.argv[1:])
