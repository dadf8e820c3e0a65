"""Prints the golden vectors of this folder with real PyTorch and Keras.

    KERAS_BACKEND=jax python tests/golden/generate.py

Needs torch 2.15.0, keras 3.15.0 on jax 0.10.2, numpy and safetensors; about ten minutes on two CPU
cores, nearly all of it compilation by jax. Versions used are written into each JSON file. Everything is on the CPU and deterministic:
seeds are fixed and rows are taken in file order. Written next to this script:

classification.csv, binary.csv, regression.csv, regression2.csv, small.csv
    160 rows of 7 numeric columns x0..x6 and the target: `label` (0..3, 0..1), `y`, or `y0` and `y1`.
    All values are exact in f32. small.csv is a regression whose targets (and gradients) are of the
    order 1e-6, so that the default epsilons of the optimizers show in the losses.
classification.safetensors, ...
    Starting weights of a 7-11-5-K net: layers.{i}.weight [out, in], layers.{i}.bias [out], f32.
trajectories.json
    {"versions", "cases": [{"name", "data", "target", "weights", "task", "convention", "config",
    "losses_f32", "losses_f64", and with a schedule "learning_rates"}]}
    `config` is the fragment of a wgfit config that asks for what the library did. Each entry of
    `losses_*` is one batch's mean loss before that step's update, without regularisation terms;
    _f32 is the library in f32, _f64 the same in f64 (with Keras to about 1e-7 only: its tanh, mean
    and cosine decay round to f32 even there). 160 rows by 24: six full batches and one of 16.
    `learning_rates` are those the library used, step by step, in f64.
activations.json
    {"versions", "x": [..], "activations": [{"name", "slope"?, "y": [..], "derivative": [..]}]}
    PyTorch in f64. Every x is exact in f32. Values that are not finite are strings.
losses.json
    {"versions", "losses": [{"name", "rows": [{"outputs", "targets", "value", "gradient"}]}]}
    PyTorch in f64. One example each: its own value (mean over the outputs for mse and
    binary_cross_entropy) and the gradient by the outputs. Targets of categorical_cross_entropy are
    one class index.

In the fragments a key left out means the library's own default: such keys are not passed to it.
"""

import json
import math
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import jax
import keras
import numpy as np
import torch
from safetensors.numpy import load_file, save

HERE = Path(__file__).resolve().parent
ROWS, FEATURES, HIDDEN = 160, 7, (11, 5)
EPOCHS, BATCH = 11, 24
STEPS_PER_EPOCH = -(-ROWS // BATCH)
STEPS = EPOCHS * STEPS_PER_EPOCH
VERSIONS = {
    "torch": torch.__version__,
    "keras": keras.__version__,
    "jax": jax.__version__,
    "numpy": np.__version__,
    "python": sys.version.split()[0],
}

# task, target columns, outputs, loss, activations of the hidden layers
LEAKY = {"name": "leaky_relu", "slope": 0.1}
DATA = {
    "classification": ("classification", ["label"], 4, "categorical_cross_entropy", ("relu", "tanh")),
    "binary": ("binary", ["label"], 1, "binary_cross_entropy", ("tanh", "silu")),
    "regression": ("regression", ["y"], 1, "mse", ("gelu", LEAKY)),
    "regression2": ("regression", ["y0", "y1"], 2, "mse", ("silu", "sigmoid")),
    "small": ("regression", ["y"], 1, "mse", ("tanh", "tanh")),
}


# ------------------------------------------------------------------------------ data and weights


def write_data():
    """Teachers that are neither linear nor free of noise, on a grid of 1/64."""
    for index, (name, (task, targets, outputs, _, _)) in enumerate(DATA.items()):
        rng = np.random.default_rng(1000 + index)
        x = rng.normal(size=(ROWS, FEATURES))
        x[:, 3] = 0.6 * x[:, 0] + 0.8 * x[:, 3]
        x = np.clip(np.round(x * 64) / 64, -3, 3)
        scores = np.tanh(x @ rng.normal(size=(FEATURES, 6)) * 0.6) @ rng.normal(size=(6, outputs)) + 0.4 * (
            x @ rng.normal(size=(FEATURES, outputs))
        )
        noise = rng.normal(size=scores.shape)
        if task == "classification":
            y = np.argmax(scores + 0.5 * noise, axis=1)[:, None]
        elif task == "binary":
            y = (scores + 0.5 * noise > np.median(scores)).astype(int)
        else:
            y = np.round((scores + 0.3 * noise) * 64) / 64 * (2.0**-20 if name == "small" else 1.0)
        lines = [",".join([f"x{i}" for i in range(FEATURES)] + targets)]
        for row, target in zip(x, y):
            assert all(float(np.float32(v)) == float(v) for v in (*row, *target))
            lines.append(",".join([repr(float(v)) for v in row] + [repr(v.item()) for v in target]))
        (HERE / f"{name}.csv").write_text("\n".join(lines) + "\n")

        sizes = (FEATURES, *HIDDEN, outputs)
        weights = {}
        for i, (fan_in, fan_out) in enumerate(zip(sizes, sizes[1:])):
            scale = 2.0**-20 if name == "small" and i == len(sizes) - 2 else 1.0
            kernel = rng.normal(size=(fan_out, fan_in)) / math.sqrt(fan_in)
            bias = rng.normal(size=fan_out) * 0.2
            for key, value in ((f"layers.{i}.weight", kernel), (f"layers.{i}.bias", bias)):
                value = np.round(value * 1024) / 1024
                # No exact zeros: jax gives |w| the slope 1 there, PyTorch 0.
                value[value == 0] = 1 / 1024
                weights[key] = (value * scale).astype(np.float32)
        (HERE / f"{name}.safetensors").write_bytes(save(weights))


def load(name):
    """The rows and the starting weights, as the files hold them."""
    table = np.loadtxt(HERE / f"{name}.csv", delimiter=",", skiprows=1)
    weights = load_file(str(HERE / f"{name}.safetensors"))
    layers = [(weights[f"layers.{i}.weight"], weights[f"layers.{i}.bias"]) for i in range(len(weights) // 2)]
    return table[:, :FEATURES], table[:, FEATURES:], layers


def batches():
    """Row ranges of all steps."""
    for _ in range(EPOCHS):
        for start in range(0, ROWS, BATCH):
            yield slice(start, min(start + BATCH, ROWS))


# -------------------------------------------------------------------------------------- the cases


def cases():
    """All cases, without their results."""
    made = []

    def add(name, data, convention, optimizer, activations=None, penalties=None, schedule=None):
        task, targets, _, loss, default_activations = DATA[data]
        layers = []
        for i, (units, activation) in enumerate(zip(HIDDEN, activations or default_activations)):
            layers.append({"units": units, "activation": activation, **(penalties[i] if penalties else {})})
        made.append({
            "name": f"{name}_{convention}",
            "data": f"{data}.csv",
            "target": targets[0] if len(targets) == 1 else targets,
            "weights": f"{data}.safetensors",
            "task": task,
            "convention": convention,
            "config": {
                "model": {"layers": layers},
                "loss": loss,
                "optimizer": {**optimizer, "convention": convention},
                "schedule": schedule or "constant",
                "training": {"epochs": EPOCHS, "batch_size": BATCH, "drop_last": False},
            },
        })

    def sgd(rate, **more):
        return {"name": "sgd", "learning_rate": rate, **more}

    def rms(rate, **more):
        return {"name": "rmsprop", "learning_rate": rate, **more}

    def adam(rate, **more):
        return {"name": "adam", "learning_rate": rate, **more}

    def adamw(rate, **more):
        return {"name": "adamw", "learning_rate": rate, **more}

    for convention in ("torch", "keras"):
        torch_only = convention == "torch"
        c = lambda name, optimizer: add(f"classification_{name}", "classification", convention, optimizer)
        c("sgd", sgd(0.3))
        c("sgd_momentum", sgd(0.08, momentum=0.9))
        c("sgd_nesterov", sgd(0.08, momentum=0.9, nesterov=True))
        if torch_only:
            c("sgd_dampening", sgd(0.4, momentum=0.9, dampening=0.75))
        c("rmsprop", rms(0.01))
        c("rmsprop_momentum", rms(0.005, rho=0.95, epsilon=1e-4, momentum=0.8))
        c("rmsprop_centered", rms(0.005, rho=0.9, epsilon=1e-3, centered=True))
        c("rmsprop_centered_momentum", rms(0.002, rho=0.9, epsilon=1e-3, momentum=0.85, centered=True))
        c("adam", adam(0.02))
        c("adamw", adamw(0.02, decay_biases=True))
        c("adamw_weights_only", adamw(0.02, weight_decay=0.5))

        b = lambda name, optimizer: add(f"binary_{name}", "binary", convention, optimizer)
        b("sgd", sgd(0.5))
        b("sgd_momentum", sgd(0.1, momentum=0.9))
        b("sgd_nesterov", sgd(0.1, momentum=0.9, nesterov=True))
        if torch_only:
            b("sgd_dampening", sgd(0.3, momentum=0.8, dampening=0.5))
        b("rmsprop", rms(0.01, rho=0.8, epsilon=1e-3))
        b("rmsprop_momentum", rms(0.004, momentum=0.8))
        b("rmsprop_centered_momentum", rms(0.002, rho=0.85, epsilon=1e-2, momentum=0.9, centered=True))
        b("adam", adam(0.02, beta1=0.8, beta2=0.99, epsilon=1e-3))
        b("adamw", adamw(0.02, weight_decay=0.5, decay_biases=True))
        b("adamw_weights_only", adamw(0.02, weight_decay=1.0, beta1=0.85, beta2=0.95))

        r = lambda name, optimizer: add(f"regression_{name}", "regression", convention, optimizer)
        r("sgd", sgd(0.05))
        r("sgd_momentum", sgd(0.01, momentum=0.9))
        r("sgd_nesterov", sgd(0.01, momentum=0.9, nesterov=True))
        if torch_only:
            r("sgd_dampening", sgd(0.03, momentum=0.9, dampening=0.5))
        r("rmsprop", rms(0.01, rho=0.95))
        r("rmsprop_momentum", rms(0.003, rho=0.95, epsilon=1e-3, momentum=0.85))
        r("rmsprop_centered_momentum", rms(0.002, rho=0.9, epsilon=1e-2, momentum=0.8, centered=True))
        r("adam", adam(0.02))
        r("adamw", adamw(0.02, weight_decay=0.2, decay_biases=True))
        r("adamw_weights_only", adamw(0.02, weight_decay=0.3))

        two = lambda name, optimizer: add(f"regression2_{name}", "regression2", convention, optimizer)
        two("sgd_momentum", sgd(0.03, momentum=0.9))
        two("rmsprop", rms(0.01))
        two("adam", adam(0.03))

        # The default epsilons, seen through tiny gradients.
        small = lambda name, optimizer: add(f"small_{name}", "small", convention, optimizer)
        small("adam", adam(3e-8))
        small("adamw", adamw(3e-8))
        small("rmsprop", rms(1e-8 if torch_only else 1e-5))
        small("rmsprop_centered_momentum", rms(2e-9 if torch_only else 2e-6, momentum=0.8, centered=True))

        for activation in ("linear", "relu", "leaky_relu", "tanh", "sigmoid", "gelu", "silu"):
            given = activation
            if activation == "leaky_relu":
                given = {"name": "leaky_relu", "slope": 0.01 if torch_only else 0.2}
            rate = 0.015 if activation == "leaky_relu" else 0.02
            add(f"activation_{activation}", "classification", convention, adam(rate), (given, given))
        # The default slope.
        add("activation_leaky_relu_default", "classification", convention, adam(0.015), ("leaky_relu", "leaky_relu"))

        # In PyTorch adam_l2 is torch.optim.Adam(weight_decay), the others are terms of the loss.
        add("adam_l2", "classification", convention, adam(0.02), None, [{"l2": 0.05}, {"l2": 0.02}])
        add("adam_l1", "classification", convention, adam(0.02), None, [{"l1": 0.01}, {"l1": 0.004}])
        add("sgd_l2", "regression", convention, sgd(0.01, momentum=0.9), None, [{"l2": 0.1}, {"l2": 0.05}])
        add("sgd_l1_l2", "binary", convention, sgd(0.3), None, [{"l1": 0.005, "l2": 0.02}, {"l2": 0.01}])
        if not torch_only:
            # weight_decay is decoupled in all of Keras' optimizers; in PyTorch in AdamW alone.
            c("sgd_weight_decay", sgd(0.08, momentum=0.9, weight_decay=0.1, decay_biases=True))
            b("rmsprop_weight_decay", rms(0.01, weight_decay=0.5))
            r("adam_weight_decay", adam(0.02, weight_decay=0.3, decay_biases=True))

        for short, optimizer in (("sgd_momentum", sgd(0.1, momentum=0.9)), ("adam", adam(0.03))):
            for label, schedule in (
                ("cosine", {"name": "cosine", "minimum": 0.0}),
                ("cosine_minimum", {"name": "cosine", "minimum": optimizer["learning_rate"] / 4}),
                ("warmup", {"name": "constant", "warmup_steps": 10}),
                ("warmup_cosine", {"name": "cosine", "minimum": 0.0, "warmup_steps": 10}),
            ):
                add(f"{short}_{label}", "classification", convention, optimizer, None, None, schedule)
    assert len({case["name"] for case in made}) == len(made)
    return made


def lambda_factor(schedule):
    """The schedules as a factor of the step: linear from 0 over the warmup, then the rest."""
    warmup = schedule.get("warmup_steps", 0)

    def factor(step):
        if step < warmup:
            return step / warmup
        if schedule["name"] == "constant":
            return 1.0
        return (1 + math.cos(math.pi * (step - warmup) / (STEPS - warmup))) / 2

    return factor


# --------------------------------------------------------------------------------------- PyTorch


def torch_activation(given):
    name, slope = (given, None) if isinstance(given, str) else (given["name"], given["slope"])
    if name == "leaky_relu":
        return torch.nn.LeakyReLU() if slope is None else torch.nn.LeakyReLU(slope)
    return {
        "linear": torch.nn.Identity,
        "relu": torch.nn.ReLU,
        "tanh": torch.nn.Tanh,
        "sigmoid": torch.nn.Sigmoid,
        "gelu": torch.nn.GELU,
        "silu": torch.nn.SiLU,
    }[name]()


def torch_optimizer(given, denses, l2):
    """`l2` holds torch.optim.Adam's own weight_decay of each layer's weight, if it is to be used."""
    names = {"rho": "alpha", "epsilon": "eps"}
    skipped = ("name", "learning_rate", "convention", "decay_biases", "beta1", "beta2")
    settings = {names.get(k, k): v for k, v in given.items() if k not in skipped}
    settings["lr"] = given["learning_rate"]
    if "beta1" in given:
        settings["betas"] = (given["beta1"], given["beta2"])
    weights, biases = [d.weight for d in denses], [d.bias for d in denses]
    groups = [p for d in denses for p in (d.weight, d.bias)]
    if given["name"] == "adamw" and not given.get("decay_biases"):
        groups = [{"params": weights}, {"params": biases, "weight_decay": 0.0}]
    if l2:
        groups = [{"params": [w], "weight_decay": lam} for w, lam in zip(weights, [*l2, 0.0])] + [{"params": biases}]
    kind = {"sgd": "SGD", "rmsprop": "RMSprop", "adam": "Adam", "adamw": "AdamW"}[given["name"]]
    return getattr(torch.optim, kind)(groups, **settings)


def run_torch(case, dtype):
    x, y, start = load(case["data"].removesuffix(".csv"))
    config = case["config"]
    layers = config["model"]["layers"]
    denses, modules = [], []
    for i, (weight, bias) in enumerate(start):
        dense = torch.nn.Linear(weight.shape[1], weight.shape[0], dtype=dtype)
        with torch.no_grad():
            dense.weight.copy_(torch.from_numpy(weight))
            dense.bias.copy_(torch.from_numpy(bias))
        denses.append(dense)
        modules.append(dense)
        if i < len(layers):
            modules.append(torch_activation(layers[i]["activation"]))
    net = torch.nn.Sequential(*modules)
    x = torch.tensor(x, dtype=dtype)
    if config["loss"] == "categorical_cross_entropy":
        y = torch.tensor(y[:, 0].astype(np.int64))
        criterion = torch.nn.CrossEntropyLoss()
    else:
        y = torch.tensor(y, dtype=dtype)
        criterion = torch.nn.MSELoss() if config["loss"] == "mse" else torch.nn.BCEWithLogitsLoss()

    l1, l2 = ([layer.get(key, 0.0) for layer in layers] for key in ("l1", "l2"))
    by_optimizer = config["optimizer"]["name"] == "adam" and any(l2)
    optimizer = torch_optimizer(config["optimizer"], denses, l2 if by_optimizer else None)
    schedule = config["schedule"]
    if schedule == "constant":
        scheduler = None
    elif schedule["name"] == "cosine" and "warmup_steps" not in schedule:
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS, eta_min=schedule["minimum"])
    else:
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda_factor(schedule))

    losses, rates = [], []
    for rows in batches():
        optimizer.zero_grad()
        loss = criterion(net(x[rows]), y[rows])
        total = loss
        for dense, a, b in zip(denses, l1, l2):
            if a:
                total = total + a * dense.weight.abs().sum()
            if b and not by_optimizer:
                total = total + b / 2 * dense.weight.square().sum()
        total.backward()
        losses.append(loss.item())
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        if scheduler:
            scheduler.step()
    return losses, rates


# ----------------------------------------------------------------------------------------- Keras


class WarmupConstant(keras.optimizers.schedules.LearningRateSchedule):
    """Linear from 0 over the warmup as CosineDecay does it, then constant."""

    def __init__(self, rate, warmup_steps):
        self.rate, self.warmup_steps = rate, warmup_steps

    def __call__(self, step):
        step = keras.ops.cast(step, keras.config.floatx())
        return self.rate * keras.ops.minimum(step / self.warmup_steps, 1.0)


def keras_rate(rate, schedule):
    if schedule == "constant":
        return rate
    warmup = schedule.get("warmup_steps", 0)
    if schedule["name"] == "constant":
        return WarmupConstant(rate, warmup)
    decay = keras.optimizers.schedules.CosineDecay
    if warmup:
        return decay(0.0, STEPS - warmup, schedule["minimum"] / rate, warmup_target=rate, warmup_steps=warmup)
    return decay(rate, STEPS, schedule["minimum"] / rate)


def keras_optimizer(given, rate):
    names = {"beta1": "beta_1", "beta2": "beta_2"}
    skipped = ("name", "learning_rate", "convention", "decay_biases")
    settings = {names.get(k, k): v for k, v in given.items() if k not in skipped}
    kind = {"sgd": "SGD", "rmsprop": "RMSprop", "adam": "Adam", "adamw": "AdamW"}[given["name"]]
    optimizer = getattr(keras.optimizers, kind)(learning_rate=rate, **settings)
    if optimizer.weight_decay and not given.get("decay_biases"):
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


def keras_activation(given):
    if isinstance(given, str):
        return given
    return lambda x: keras.activations.leaky_relu(x, negative_slope=given["slope"])


def run_keras(case, dtype):
    x, y, start = load(case["data"].removesuffix(".csv"))
    config = case["config"]
    layers = config["model"]["layers"]
    keras.utils.clear_session(free_memory=False)
    stack = [keras.Input((FEATURES,))]
    for layer in layers:
        penalty = None
        if layer.get("l1") or layer.get("l2"):
            penalty = keras.regularizers.L1L2(l1=layer.get("l1", 0.0), l2=layer.get("l2", 0.0))
        stack.append(
            keras.layers.Dense(layer["units"], keras_activation(layer["activation"]), kernel_regularizer=penalty)
        )
    stack.append(keras.layers.Dense(start[-1][1].shape[0]))
    model = keras.Sequential(stack)
    model.set_weights([value for weight, bias in start for value in (weight.T, bias)])
    assert all(str(v.dtype) == dtype for v in model.trainable_variables)
    criterion = {
        "categorical_cross_entropy": lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "binary_cross_entropy": lambda: keras.losses.BinaryCrossentropy(from_logits=True),
        "mse": lambda: keras.losses.MeanSquaredError(),
    }[config["loss"]]()
    x = x.astype(dtype)
    y = y.astype("int32" if config["loss"] == "categorical_cross_entropy" else dtype)

    rate = keras_rate(config["optimizer"]["learning_rate"], config["schedule"])
    optimizer = keras_optimizer(config["optimizer"], rate)
    optimizer.build(model.trainable_variables)

    def loss_of(trainable, constant, rows, targets):
        outputs, _, penalties = model.stateless_call(trainable, constant, rows, training=True, return_losses=True)
        loss = criterion(targets, outputs)
        return loss + sum(penalties), loss

    @jax.jit
    def step(trainable, constant, state, rows, targets):
        (_, loss), gradient = jax.value_and_grad(loss_of, has_aux=True)(trainable, constant, rows, targets)
        trainable, state = optimizer.stateless_apply(state, gradient, trainable)
        return trainable, state, loss

    trainable = [v.value for v in model.trainable_variables]
    constant = [v.value for v in model.non_trainable_variables]
    state = [v.value for v in optimizer.variables]
    losses, rates = [], []
    for index, rows in enumerate(batches()):
        trainable, state, loss = step(trainable, constant, state, x[rows], y[rows])
        assert str(loss.dtype) == dtype
        losses.append(float(loss))
        rates.append(float(rate(index)) if callable(rate) else rate)
    return losses, rates


# ------------------------------------------------------------------------- activations and losses


def plain(value):
    """A number JSON can hold."""
    return value if math.isfinite(value) else repr(value)


def write_activations():
    magnitudes = [
        0.0, 1e-45, 1e-40, 1.1754942e-38, 1.1754944e-38, 1e-30, 1e-20, 1e-7, 1e-4, 1e-3, 0.01, 0.1, 0.25, 0.5, 0.625,
        0.75, 1.0, 1.2784645, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 9.0, 10.0, 13.0, 16.0, 20.0, 30.0, 44.0, 50.0,
        80.0, 87.0, 88.0, 88.7, 89.0, 100.0, 104.0, 200.0, 1e3, 1e4, 1e10, 1e20, 3e38, 3.4028235e38,
    ]
    x = [float(np.float32(s * m)) for m in magnitudes for s in (1, -1)]
    rows = []
    for given in (
        "linear", "relu", {"name": "leaky_relu", "slope": 0.01}, {"name": "leaky_relu", "slope": 0.2}, "tanh",
        "sigmoid", "gelu", "silu",
    ):
        at = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        y = torch_activation(given)(at)
        (derivative,) = torch.autograd.grad(y.sum(), at)
        rows.append({
            **({"name": given} if isinstance(given, str) else given),
            "y": [plain(v) for v in y.tolist()],
            "derivative": [plain(v) for v in derivative.tolist()],
        })
    text = ",\n".join(json.dumps(row, allow_nan=False) for row in rows)
    (HERE / "activations.json").write_text(
        f'{{"versions": {json.dumps(VERSIONS)},\n"x": {json.dumps(x)},\n"activations": [\n{text}\n]}}\n'
    )


def write_losses():
    real = [
        ([0.5], [0.25]), ([-1.5], [2.0]), ([3.0], [3.0]), ([0.0], [0.0]), ([1e4], [-1e4]), ([1e-7], [0.0]),
        ([1.0, -2.0], [0.5, 0.25]), ([100.0, -100.0], [-100.0, -100.0]), ([0.125, 0.25, -0.5], [1.0, 0.0, -1.0]),
    ]
    logits = [0.0, 1e-7, 0.5, 1.0, 3.0, 5.0, 10.0, 20.0, 50.0, 88.0, 89.0, 100.0, 1e4]
    binary = [([s * z], [y]) for z in logits for s in (1, -1) for y in (0.0, 1.0)]
    classes = [
        ([0.5, -1.25, 2.0, 0.25], (0, 1, 2, 3)), ([0.0, 0.0, 0.0, 0.0], (0,)), ([1.0, 2.0], (0, 1)),
        ([100.0, -100.0, 0.0], (0, 1, 2)), ([1e4, -1e4, 0.0, 1.0], (0, 1, 2, 3)), ([1e4, 1e4, -1e4], (0, 2)),
        ([-1e4, -1e4, -1e4], (1,)), ([1000.0, 999.0, 998.0], (0, 1, 2)), ([88.0, 89.0, -88.0, -89.0, 0.0], (0, 1, 2)),
        ([20.0, -20.0, 0.0], (0, 1)), ([1e-7, -1e-7, 0.0], (0, 1)),
    ]
    categorical = [(z, [k]) for z, several in classes for k in several]
    functions = {
        "mse": (real, torch.nn.functional.mse_loss),
        "binary_cross_entropy": (binary, torch.nn.functional.binary_cross_entropy_with_logits),
        "categorical_cross_entropy": (categorical, torch.nn.functional.cross_entropy),
    }
    made = []
    for name, (examples, function) in functions.items():
        rows = []
        for outputs, targets in examples:
            outputs = [float(np.float32(v)) for v in outputs]
            at = torch.tensor(outputs, dtype=torch.float64, requires_grad=True)
            if name == "categorical_cross_entropy":
                value = function(at, torch.tensor(targets[0]))
            else:
                value = function(at, torch.tensor(targets, dtype=torch.float64))
            (gradient,) = torch.autograd.grad(value, at)
            rows.append({
                "outputs": outputs,
                "targets": targets,
                "value": plain(value.item()),
                "gradient": [plain(v) for v in gradient.tolist()],
            })
        text = ",\n".join(json.dumps(row, allow_nan=False) for row in rows)
        made.append(f'{{"name": "{name}", "rows": [\n{text}\n]}}')
    (HERE / "losses.json").write_text(
        f'{{"versions": {json.dumps(VERSIONS)},\n"losses": [\n' + ",\n".join(made) + "\n]}\n"
    )


# ------------------------------------------------------------------------------------------- main


def main():
    began = time.time()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.set_default_device("cpu")
    write_data()
    write_activations()
    write_losses()
    made = cases()
    results = {}
    # All of f32 first: jax has one switch for 64-bit numbers for the whole process.
    for dtype in ("float32", "float64"):
        jax.config.update("jax_enable_x64", dtype == "float64")
        keras.config.set_floatx(dtype)
        keras.config.set_dtype_policy(dtype)
        for case in made:
            if case["convention"] == "torch":
                results[case["name"], dtype] = run_torch(case, getattr(torch, dtype))
            else:
                results[case["name"], dtype] = run_keras(case, dtype)

    lines = []
    for case in made:
        (single, _), (double, rates) = (results[case["name"], dtype] for dtype in ("float32", "float64"))
        assert len(single) == len(double) == STEPS and all(map(math.isfinite, single + double))
        apart = max(abs(a - b) / abs(b) for a, b in zip(single, double))
        print(f"{case['name']:45} {double[0]:.4g} -> {double[-1]:.4g}   f32 from f64: {apart:.1e}", file=sys.stderr)
        if case["config"]["schedule"] != "constant":
            case["learning_rates"] = [float(f"{v:.12g}") for v in rates]
        case["losses_f32"] = [float(f"{v:.9g}") for v in single]
        case["losses_f64"] = [float(f"{v:.13g}") for v in double]
        lines.append(json.dumps(case, allow_nan=False))
    (HERE / "trajectories.json").write_text(
        f'{{"versions": {json.dumps(VERSIONS)},\n"cases": [\n' + ",\n".join(lines) + "\n]}\n"
    )
    print(f"{len(made)} cases in {time.time() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
