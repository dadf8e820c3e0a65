"""Prints golden trajectories of the whole catalogue with real PyTorch and Keras.

    KERAS_BACKEND=torch python tests/golden/catalogue.py

Needs torch 2.15.0, keras 3.15.0, numpy and safetensors; a minute of one CPU core. All is on the
CPU, in f64 and deterministic. Keras' type promotion makes f32 of f64 on every backend but
TensorFlow's: that one entry of its table is put right here. Written next to this script:

catalogue.csv
    160 rows of 7 numeric columns x0..x6 and targets of every kind, all exact in f32: `label` (0..3),
    `flag` (0, 1), `y`, `y0`, `y1`, `count` (0 and above), `p0`..`p3` (a distribution), `l0`..`l2`
    (0, 1), and a weight `w`.
catalogue-7-11-5-K.safetensors, ...
    Starting weights: layers.{i}.weight [out, in], layers.{i}.bias [out], f32.
catalogue.json
    {"versions", "cases": [{"name", "target", "task", "weights", "config", "losses", and where they
    say more "final_loss"}]}
    `config` is the fragment of a wgfit config that asks for what the library did; `data` in it adds
    to the data's part. `losses` are each batch's mean loss before its update, without
    regularisation; rows in file order, 160 by 24: six full batches and one of 16, eleven epochs.
    `final_loss` is the mean loss over all rows after the last step: in evaluation mode (running
    statistics), or of the averaged weights.

PyTorch's Muon rounds to bfloat16 within its Newton-Schulz steps; here that rounding is left out, as
it hides every other difference. NAdam, Adagrad and so on are the libraries' own code.
"""

import json
import math
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import numpy as np
import torch
from keras.src.backend.common import dtypes
from safetensors.numpy import load_file, save

HERE = Path(__file__).resolve().parent
ROWS, FEATURES = 160, 7
EPOCHS, BATCH = 11, 24
VERSIONS = {
    "torch": torch.__version__,
    "keras": keras.__version__,
    "numpy": np.__version__,
    "python": sys.version.split()[0],
}
SHAPES = [(7, 11, 5, 4), (7, 11, 5, 1), (7, 11, 5, 2), (7, 11, 5, 3), (7, 11, 11, 5, 4)]


def write_data():
    rng = np.random.default_rng(77)
    grid = lambda x, n=64: np.round(x * n) / n
    x = np.clip(grid(rng.normal(size=(ROWS, FEATURES))), -3, 3)
    hidden = np.tanh(x @ rng.normal(size=(FEATURES, 6)) * 0.6)
    score = lambda k: hidden @ rng.normal(size=(6, k)) + 0.3 * rng.normal(size=(ROWS, k))
    columns = {f"x{i}": x[:, i] for i in range(FEATURES)}
    scores = score(4)
    columns["label"] = np.argmax(scores, axis=1)
    columns["flag"] = (score(1)[:, 0] > 0).astype(int)
    for name in ("y", "y0", "y1"):
        columns[name] = grid(score(1)[:, 0])
    columns["count"] = np.round(np.exp(0.5 * score(1)[:, 0])) + 0.25
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    parts = np.floor(shares * 256) / 256
    parts[:, 0] += 1 - parts.sum(axis=1)
    for i in range(4):
        columns[f"p{i}"] = parts[:, i]
    for i, column in enumerate((score(3) > 0).astype(int).T):
        columns[f"l{i}"] = column
    columns["w"] = grid(rng.uniform(0.25, 2, size=ROWS), 8)
    rows = zip(*columns.values())
    lines = [",".join(columns)] + [",".join(repr(float(v)) for v in row) for row in rows]
    (HERE / "catalogue.csv").write_text("\n".join(lines) + "\n")
    for sizes in SHAPES:
        weights = {}
        for i, (fan_in, fan_out) in enumerate(zip(sizes, sizes[1:])):
            for key, value in (
                ("weight", rng.normal(size=(fan_out, fan_in)) / math.sqrt(fan_in)),
                ("bias", rng.normal(size=fan_out) * 0.2),
            ):
                value = grid(value, 1024)
                value[value == 0] = 1 / 1024
                weights[f"layers.{i}.{key}"] = value.astype(np.float32)
        (HERE / f"catalogue-{'-'.join(map(str, sizes))}.safetensors").write_bytes(save(weights))


def table():
    lines = (HERE / "catalogue.csv").read_text().split()
    names = lines[0].split(",")
    values = np.array([[float(v) for v in line.split(",")] for line in lines[1:]])
    return {name: values[:, i] for i, name in enumerate(names)}


# -------------------------------------------------------------------------------------- the cases

TARGETS = {
    "label": (["label"], "classification", "categorical_cross_entropy", 4),
    "soft": (["p0", "p1", "p2", "p3"], "classification", "categorical_cross_entropy", 4),
    "flag": (["flag"], "binary", "binary_cross_entropy", 1),
    "labels": (["l0", "l1", "l2"], "multilabel", "binary_cross_entropy", 3),
    "y": (["y"], "regression", "mse", 1),
    "two": (["y0", "y1"], "regression", "mse", 2),
    "count": (["count"], "regression", "poisson", 1),
}


def cases():
    made = []

    def add(name, convention, kind="label", optimizer=None, loss=None, layers=None, **more):
        targets, task, default, outputs = TARGETS[kind]
        layers = layers or [{"units": 11, "activation": "tanh"}, {"units": 5, "activation": "sigmoid"}]
        loss = loss or default
        if loss == "gaussian_nll":
            outputs *= 2
        sizes = [FEATURES, *(layer["units"] for layer in layers), outputs]
        optimizer = {"name": "sgd", "learning_rate": 0.1, **(optimizer or {}), "convention": convention}
        made.append({
            "name": f"{name}_{convention}",
            "target": targets,
            "task": task,
            "weights": f"catalogue-{'-'.join(map(str, sizes))}.safetensors",
            "config": {
                "data": more.pop("data", {}),
                "model": {"layers": layers, **more.pop("model", {})},
                "loss": loss,
                "optimizer": optimizer,
                "training": {"epochs": EPOCHS, "batch_size": BATCH, **more.pop("training", {})},
            },
        })
        assert not more

    both = ("torch", "keras")
    for c in both:
        o = lambda label, kind="label", **k: add(label, c, kind, k)
        o("sgd", name="sgd", learning_rate=0.3, momentum=0.9)
        for base in ("adam", "adamw"):
            o(f"{base}_amsgrad", name=base, learning_rate=0.03, amsgrad=True)
            o(f"{base}_amsgrad_numbers", "y", name=base, learning_rate=0.03, amsgrad=True, beta1=0.8, beta2=0.9, epsilon=1e-3)
        for name, rate in (("adamax", 0.03), ("nadam", 0.02), ("adagrad", 0.1)):
            o(name, name=name, learning_rate=rate)
            o(f"{name}_y", "y", name=name, learning_rate=rate)
        o("adamax_numbers", "flag", name="adamax", learning_rate=0.02, beta1=0.8, beta2=0.9, epsilon=1e-2)
        o("nadam_numbers", "flag", name="nadam", learning_rate=0.02, beta1=0.8, beta2=0.95, epsilon=1e-3)
        o("adagrad_numbers", "flag", name="adagrad", learning_rate=0.05, epsilon=1e-2, initial_accumulator=0.5)
        o("adadelta", name="adadelta", learning_rate=5.0 if c == "torch" else 20.0)
        o("adadelta_numbers", "y", name="adadelta", learning_rate=3.0, rho=0.8, epsilon=1e-3)
        o("rmsprop", name="rmsprop", learning_rate=0.01, momentum=0.5, centered=True)
        o("muon", name="muon", learning_rate=0.02)
        o("muon_numbers", "y", name="muon", learning_rate=0.01, momentum=0.8, nesterov=False, ns_steps=3,
          weight_decay=0.2, adam_learning_rate=0.005, adam_weight_decay=0.1, decay_biases=True,
          adjust="match_rms_adamw" if c == "torch" else "none", **({"adam_epsilon": 1e-4} if c == "torch" else {}))
        for short, base in (("sgd", {"name": "sgd", "learning_rate": 0.3}), ("adam", {"name": "adam", "learning_rate": 0.03})):
            o(f"{short}_clip_value", **base, clip_value=0.02)
            o(f"{short}_clip_norm", **base, clip_norm=0.08)
            o(f"{short}_clip_global_norm", **base, clip_global_norm=0.25)
        add("max_norm", c, "label", {"learning_rate": 0.5}, layers=[
            {"units": 11, "activation": "tanh", "max_norm": 1.0}, {"units": 5, "activation": "tanh", "max_norm": 1.25}],
            model={"output": {"max_norm": 1.5}})
        add("ema", c, "label", {"name": "adam", "learning_rate": 0.03}, training={"ema": 0.9})
        for norm in ("batch_norm", "layer_norm", "rms_norm"):
            layers = [{"units": 11, "activation": "tanh", "norm": norm}, {"units": 5, "activation": "silu", "norm": norm}]
            add(f"{norm}", c, "label", {"learning_rate": 0.2, "momentum": 0.9}, layers=layers)
            numbers = {"name": norm, "epsilon": 0.05, **({"momentum": 0.3} if norm == "batch_norm" else {})}
            layers = [{"units": 11, "activation": "silu", "norm": numbers}, {"units": 5, "activation": "tanh"}]
            add(f"{norm}_numbers", c, "y", {"learning_rate": 0.05}, layers=layers)
            if norm != "batch_norm":
                add(f"{norm}_adam", c, "flag", {"name": "adam", "learning_rate": 0.02}, layers=layers)
        wide = [{"units": 11, "activation": "tanh"}, {"units": 11, "activation": "silu", "residual": True}, {"units": 5, "activation": "tanh"}]
        add("residual", c, "label", {"learning_rate": 0.2}, layers=wide)
        wide = [{"units": 11, "activation": "silu", "norm": "batch_norm"}, {"units": 11, "activation": "tanh", "norm": "layer_norm", "residual": True}, {"units": 5, "activation": "tanh"}]
        add("residual_norm", c, "label", {"learning_rate": 0.2}, layers=wide)
        add("prelu", c, "label", {"learning_rate": 0.2}, layers=[{"units": 11, "activation": "prelu"}, {"units": 5, "activation": {"name": "prelu", "slope": 0.125}}])
        for loss, kind in (("mse", "two"), ("mae", "y"), ("huber", "y"), ("categorical_cross_entropy", "soft"), ("kl_divergence", "soft"), ("binary_cross_entropy", "labels")):
            add(f"{loss}_{kind}", c, kind, {"learning_rate": 0.1}, loss)
        add("huber_numbers", c, "two", {"learning_rate": 0.1}, {"name": "huber", "delta": 0.25})
        add("cce_smoothing", c, "label", {"learning_rate": 0.3}, {"name": "categorical_cross_entropy", "label_smoothing": 0.125})
        weights = {"0": 0.5, "1": 2.0, "2": 1.0, "3": 1.5}
        add("class_weights", c, "label", {"learning_rate": 0.3}, data={"class_weights": weights})
        add("kl_label", c, "label", {"learning_rate": 0.3}, "kl_divergence")
        for name in ("relu6", "elu", "selu", "gelu_tanh", "mish", "softplus", "softsign", "hard_sigmoid", "hard_silu", "hard_tanh"):
            add(f"activation_{name}", c, "label", {"learning_rate": 0.2}, layers=[{"units": 11, "activation": name}, {"units": 5, "activation": name}])
    t = lambda *a, **k: add(a[0], "torch", *a[1:], **k)
    t("adagrad_lr_decay", "label", {"name": "adagrad", "learning_rate": 0.1, "lr_decay": 0.05})
    t("nadam_momentum_decay", "label", {"name": "nadam", "learning_rate": 0.02, "momentum_decay": 0.1})
    t("muon_spectral", "two", {"name": "muon", "learning_rate": 0.02, "adjust": "spectral_unclamped"})
    t("learning_rate_factor", "label", {"learning_rate": 0.3}, layers=[
        {"units": 11, "activation": "tanh", "learning_rate_factor": 0.25}, {"units": 5, "activation": "tanh", "learning_rate_factor": 0}])
    t("average_epochs", "label", {"learning_rate": 0.4}, training={"average": {"from_epoch": 6, "every": "epoch"}})
    t("average_steps", "label", {"learning_rate": 0.4}, training={"average": {"from_epoch": 9, "every": "step"}})
    t("accumulate", "label", {"name": "adam", "learning_rate": 0.05}, training={"accumulate": 3})
    t("accumulate_class_weights", "label", {"learning_rate": 0.3}, data={"class_weights": {"0": 0.5, "2": 3.0}}, training={"accumulate": 2})
    t("smooth_l1", "y", {"learning_rate": 0.1}, {"name": "smooth_l1", "beta": 0.5})
    t("bce_pos_weight", "flag", {"learning_rate": 0.2}, {"name": "binary_cross_entropy", "pos_weight": 2.5})
    t("poisson_log_input", "count", {"learning_rate": 0.05}, "poisson")
    t("gaussian_nll", "y", {"learning_rate": 0.05}, "gaussian_nll")
    t("quantile", "y", {"learning_rate": 0.1}, {"name": "quantile", "tau": 0.25})
    k = lambda *a, **w: add(a[0], "keras", *a[1:], **w)
    k("lion", "label", {"name": "lion", "learning_rate": 0.005})
    k("lion_numbers", "y", {"name": "lion", "learning_rate": 0.003, "beta1": 0.8, "beta2": 0.95, "weight_decay": 0.1, "decay_biases": True})
    k("adamax_weight_decay", "y", {"name": "adamax", "learning_rate": 0.02, "weight_decay": 0.2})
    k("bce_smoothing", "flag", {"learning_rate": 0.2}, {"name": "binary_cross_entropy", "label_smoothing": 0.125})
    k("mape", "count", {"learning_rate": 0.001}, "mape")
    k("msle", "count", {"learning_rate": 0.2}, "msle", model={"output": {"activation": "softplus"}})
    k("log_cosh", "y", {"learning_rate": 0.1}, "log_cosh")
    k("poisson_rate", "count", {"learning_rate": 0.05}, "poisson", model={"output": {"activation": "softplus"}})
    k("hinge", "flag", {"learning_rate": 0.1}, "hinge")
    k("squared_hinge", "flag", {"learning_rate": 0.1}, "squared_hinge")
    k("categorical_hinge", "label", {"learning_rate": 0.1}, "categorical_hinge")
    k("binary_focal", "flag", {"learning_rate": 0.3}, "binary_focal")
    k("binary_focal_numbers", "flag", {"learning_rate": 0.3}, {"name": "binary_focal", "gamma": 1.5, "alpha": 0.25, "label_smoothing": 0.125})
    k("categorical_focal", "label", {"learning_rate": 1.0}, "categorical_focal")
    k("categorical_focal_numbers", "label", {"learning_rate": 0.5}, {"name": "categorical_focal", "gamma": 1.5, "alpha": 0.75})
    k("sample_weights", "label", {"learning_rate": 0.3}, data={"columns": {"w": {"type": "weight"}}})
    k("sample_and_class_weights", "label", {"learning_rate": 0.3}, data={"columns": {"w": {"type": "weight"}}, "class_weights": {"1": 2.0}})
    names = [case["name"] for case in made]
    assert len(set(names)) == len(names)
    return made


def named(given):
    """A variant's name and its numbers."""
    return (given, {}) if isinstance(given, str) else (given["name"], {k: v for k, v in given.items() if k != "name"})


def arrays(case):
    columns = table()
    x = np.stack([columns[f"x{i}"] for i in range(FEATURES)], axis=1)
    y = np.stack([columns[name] for name in case["target"]], axis=1)
    data = case["config"]["data"]
    w = columns["w"] if "columns" in data else np.ones(ROWS)
    classes = data.get("class_weights")
    of_class = np.array([classes.get(str(int(k)), 1.0) for k in y[:, 0]]) if classes else None
    starts = load_file(str(HERE / case["weights"]))
    starts = [(starts[f"layers.{i}.weight"], starts[f"layers.{i}.bias"]) for i in range(len(starts) // 2)]
    return x, y, w, of_class, starts


def batches(accumulate=1):
    """Groups of row ranges, a group a step."""
    for _ in range(EPOCHS):
        epoch = [slice(at, min(at + BATCH, ROWS)) for at in range(0, ROWS, BATCH)]
        for at in range(0, len(epoch), accumulate):
            yield epoch[at : at + accumulate], at + accumulate >= len(epoch)


def main():
    from catalogue_keras import run_keras
    from catalogue_torch import run_torch

    began = time.time()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    keras.config.set_floatx("float64")
    # Keras' type promotion makes f32 of f64 on every backend but TensorFlow's.
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    keras.config.set_dtype_policy("float64")
    write_data()
    lines = []
    only = sys.argv[1:]
    for case in cases():
        if only and not any(word in case["name"] for word in only):
            continue
        run = run_torch if case["name"].endswith("_torch") else run_keras
        losses, final = run(case)
        assert all(map(math.isfinite, losses)), (case["name"], losses)
        case["losses"] = [float(f"{v:.13g}") for v in losses]
        if final is not None:
            case["final_loss"] = float(f"{final:.13g}")
        print(f"{case['name']:40} {losses[0]:.5g} -> {losses[-1]:.5g} {final}", file=sys.stderr)
        lines.append(json.dumps(case, allow_nan=False))
    if not only:
        (HERE / "catalogue.json").write_text(
            f'{{"versions": {json.dumps(VERSIONS)},\n"cases": [\n' + ",\n".join(lines) + "\n]}\n"
        )
    print(f"{len(lines)} cases in {time.time() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
