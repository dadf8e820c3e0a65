"""Prints what PyTorch's and Keras' learning-rate schedules give into schedules.json.

Keras runs on torch here: on jax its cosine rounds to f32 even in f64. Each case has the part of a wgfit config that means the same, and the
rate (and the momentum, where the schedule moves it) of each step from 0 on. Schedules that neither
library has are worked out here from the published formula.
"""

import json
import math
import os
import warnings
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import torch
from keras.optimizers import schedules as K
from torch.optim import lr_scheduler as T

keras.config.set_floatx("float64")
warnings.filterwarnings("ignore")

BASE = 0.5
EPOCHS, STEPS = 20, 6  # 120 steps
cases = []


def case(library, schedule, rates, momenta=None, base=BASE):
    convention = "keras" if library == "keras" else "torch"
    assert len(rates) >= 64, (schedule, len(rates))
    cases.append({
        "library": library,
        "config": {"optimizer": {"learning_rate": base, "convention": convention},
                   "schedule": schedule},
        "epochs": EPOCHS,
        "steps_per_epoch": STEPS,
        "rates": rates,
        "momenta": momenta,
    })


def of_torch(make, schedule, every=1, base=BASE, steps=EPOCHS * STEPS):
    """Steps the scheduler after every so many optimizer steps."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base, momentum=0.9)
    scheduler = make(optimizer)
    rates, momenta = [], []
    for step in range(steps):
        group = optimizer.param_groups[0]
        rates.append(float(group["lr"]))
        momenta.append(float(group["momentum"]))
        optimizer.step()
        if (step + 1) % every == 0 and step + 1 < steps:
            scheduler.step()
    moves = any(momentum != 0.9 for momentum in momenta)
    case("torch", schedule, rates, momenta if moves else None, base)


def of_keras(made, schedule, base=BASE):
    rates = [made(np.int64(step)) for step in range(EPOCHS * STEPS)]
    assert all("float64" in str(rate.dtype) for rate in rates)
    case("keras", schedule, [float(rate) for rate in rates], None, base)


def of_formula(formula, schedule, base=BASE):
    case("formula", schedule, [formula(step) for step in range(EPOCHS * STEPS)], None, base)


ALL = EPOCHS * STEPS
of_torch(lambda o: T.ConstantLR(o, factor=1.0), "constant")
of_torch(lambda o: T.StepLR(o, 7, 0.3), {"name": "step", "period_steps": 7, "factor": 0.3})
of_torch(lambda o: T.StepLR(o, 3), {"name": "step", "period_epochs": 3}, every=STEPS)
of_torch(lambda o: T.MultiStepLR(o, [4, 30, 77], 0.25),
         {"name": "multi_step", "milestones_steps": [4, 30, 77], "factor": 0.25})
of_torch(lambda o: T.MultiStepLR(o, [2, 5]),
         {"name": "multi_step", "milestones_epochs": [2, 5]}, every=STEPS)
of_torch(lambda o: T.MultiStepLR(o, [ALL // 2, ALL * 3 // 4]), "multi_step")
of_keras(K.PiecewiseConstantDecay([5, 50], [0.5, 0.2, 0.05]),
         {"name": "piecewise", "boundaries_steps": [5, 50], "rates": [0.5, 0.2, 0.05]})
of_keras(K.PiecewiseConstantDecay([STEPS * 2], [0.1, 0.3]),
         {"name": "piecewise", "boundaries_epochs": [2], "rates": [0.1, 0.3]})
of_torch(lambda o: T.ExponentialLR(o, 0.9), {"name": "exponential", "factor": 0.9}, every=STEPS)
of_torch(lambda o: T.ExponentialLR(o, 0.97),
         {"name": "exponential", "factor": 0.97, "period_steps": 1})
of_keras(K.ExponentialDecay(BASE, 9, 0.8),
         {"name": "exponential", "factor": 0.8, "period_steps": 9})
of_keras(K.ExponentialDecay(BASE, 9, 0.8, staircase=True),
         {"name": "exponential", "factor": 0.8, "period_steps": 9, "staircase": True})
of_keras(K.ExponentialDecay(BASE, STEPS, 0.96), "exponential")
of_keras(K.InverseTimeDecay(BASE, 11, 0.7),
         {"name": "inverse_time", "decay_rate": 0.7, "period_steps": 11})
of_keras(K.InverseTimeDecay(BASE, STEPS, 0.5, staircase=True),
         {"name": "inverse_time", "staircase": True})
of_torch(lambda o: T.PolynomialLR(o, 50, 2.0),
         {"name": "polynomial", "length_steps": 50, "power": 2.0})
of_torch(lambda o: T.PolynomialLR(o, ALL), "polynomial")
of_keras(K.PolynomialDecay(BASE, 90, power=0.5),
         {"name": "polynomial", "length_steps": 90, "power": 0.5})
of_keras(K.PolynomialDecay(BASE, 25, 0.01, 1.5, cycle=True),
         {"name": "polynomial", "length_steps": 25, "power": 1.5, "minimum": 0.01, "cycle": True})
of_torch(lambda o: T.LinearLR(o, total_iters=30), {"name": "linear"})
of_torch(lambda o: T.LinearLR(o, 0.8, 0.05, 100),
         {"name": "linear", "start_factor": 0.8, "end_factor": 0.05, "length_steps": 100})
of_torch(lambda o: T.CosineAnnealingLR(o, ALL), "cosine")
of_torch(lambda o: T.CosineAnnealingLR(o, 80, 0.02),
         {"name": "cosine", "minimum": 0.02, "length_steps": 80}, steps=81)
of_keras(K.CosineDecay(BASE, 70, alpha=0.1),
         {"name": "cosine", "minimum": 0.1 * BASE, "length_steps": 70})
of_keras(K.CosineDecay(0.0, ALL - 20, warmup_target=BASE, warmup_steps=20),
         {"name": "cosine", "warmup_steps": 20})
of_keras(K.CosineDecay(0.0, ALL - 2 * STEPS, warmup_target=BASE, warmup_steps=2 * STEPS),
         {"name": "cosine", "warmup_epochs": 2})
of_torch(lambda o: T.CosineAnnealingWarmRestarts(o, 13, eta_min=0.01),
         {"name": "cosine_restarts", "period_steps": 13, "minimum": 0.01})
of_torch(lambda o: T.CosineAnnealingWarmRestarts(o, 5, 2),
         {"name": "cosine_restarts", "period_steps": 5, "period_factor": 2})
of_torch(lambda o: T.CosineAnnealingWarmRestarts(o, 2 * STEPS, 3),
         {"name": "cosine_restarts", "period_epochs": 2, "period_factor": 3})
of_keras(K.CosineDecayRestarts(BASE, 8),
         {"name": "cosine_restarts", "period_steps": 8})
of_keras(K.CosineDecayRestarts(BASE, 10, 1.5, 0.7, 0.05),
         {"name": "cosine_restarts", "period_steps": 10, "period_factor": 1.5, "peak_factor": 0.7,
          "minimum": 0.05 * BASE})
of_keras(K.CosineDecayRestarts(BASE, 9, 1.0, 0.9),
         {"name": "cosine_restarts", "period_steps": 9, "period_factor": 1, "peak_factor": 0.9})
of_torch(lambda o: T.OneCycleLR(o, BASE, ALL), "one_cycle")
of_torch(lambda o: T.OneCycleLR(o, BASE, epochs=EPOCHS, steps_per_epoch=STEPS, pct_start=0.4,
                                anneal_strategy="linear", base_momentum=0.8, max_momentum=0.9,
                                div_factor=10.0, final_div_factor=100.0),
         {"name": "one_cycle", "length_epochs": EPOCHS, "pct_start": 0.4, "anneal": "linear",
          "base_momentum": 0.8, "max_momentum": 0.9, "div_factor": 10, "final_div_factor": 100})
of_torch(lambda o: T.OneCycleLR(o, BASE, 90, pct_start=0.25, three_phase=True,
                                cycle_momentum=False),
         {"name": "one_cycle", "length_steps": 90, "pct_start": 0.25, "three_phase": True,
          "cycle_momentum": False}, steps=90)
of_torch(lambda o: T.OneCycleLR(o, BASE, 75, three_phase=True),
         {"name": "one_cycle", "length_steps": 75, "three_phase": True}, steps=75)
of_torch(lambda o: T.OneCycleLR(o, BASE, ALL, pct_start=0.0),
         {"name": "one_cycle", "pct_start": 0})
# Vaswani et al. 2017, equation 3.
of_formula(lambda s: 2.0 * 512**-0.5 * min((s + 1) ** -0.5, (s + 1) * 40**-1.5),
           {"name": "noam", "model_size": 512, "warmup_steps": 40}, base=2.0)
of_formula(lambda s: BASE * min((s + 1) ** -0.5, (s + 1) * 40**-1.5) / 40**-0.5,
           {"name": "noam", "warmup_steps": 40})
# RealMLP's own code: two stretches of equal length, and CoslogFunc(4).
of_formula(lambda s: BASE if s < ALL / 2 else
           BASE * (1 - 0.5 * (1 - math.cos(math.pi * (s / ALL - 0.5) / 0.5))), "flat_cos")
of_formula(lambda s: BASE if s / 100 < 0.75 else
           0.1 + 0.4 * (1 + math.cos(math.pi * (min(s / 100, 1) - 0.75) / 0.25)) / 2,
           {"name": "flat_cos", "flat": 0.75, "minimum": 0.1, "length_steps": 100})
of_formula(lambda s: BASE * 0.5 * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * s / ALL))),
           "coslog4")
of_torch(lambda o: T.ConstantLR(o, factor=1.0), "reduce_on_plateau")


# reduce_on_plateau: the rate after each epoch's end, for a series of values.
random = np.random.default_rng(7)
falling = [float(x) for x in 1.0 / (1 + np.arange(40)) + 0.05 * random.random(40)]
stuck = [1.0, 0.9, 0.9, 0.90005, 0.8999, 0.89991, 0.8, 0.8, 0.79995, 0.8, 0.8, 0.8, 0.8] + [0.8] * 30
rising = [float(x) for x in np.sqrt(np.arange(1, 41)) + random.normal(size=40)]
negative = [-1.0, -1.00005, -1.0002, -1.0002, -1.5, -1.5, -1.5, -1.5, -1.4, -1.6, -1.6, -1.6] * 2
holes = [1.0, float("nan"), float("nan"), 0.5, float("nan"), 0.4, 0.4, 0.4, float("inf"), 0.4, 0.4]
SERIES = [falling, stuck, rising, negative, holes]


def plateau_torch(values, mode, **keys):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=BASE)
    scheduler = T.ReduceLROnPlateau(optimizer, mode, **keys)
    rates = []
    for value in values:
        scheduler.step(value)
        rates.append(float(optimizer.param_groups[0]["lr"]))
    return rates


def plateau_keras(values, mode, **keys):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(BASE), "mse")
    callback = keras.callbacks.ReduceLROnPlateau("val_loss", mode=mode, **keys)
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {"val_loss": value})
        assert "float64" in str(model.optimizer.learning_rate.dtype)
        rates.append(float(model.optimizer.learning_rate))
    return rates


plateaus = []
for series in SERIES:
    for mode in ["min", "max"]:
        # An infinite best, from which nothing recovers, is not taken over.
        values = [value for value in series if mode == "min" or value != math.inf]
        for torch_keys, keras_keys in [
            ({}, {}),
            ({"patience": 0}, {"patience": 0}),
            ({"patience": 1, "factor": 0.5}, {"patience": 1, "factor": 0.5}),
            ({"patience": 2, "cooldown": 3}, {"patience": 2, "cooldown": 3}),
            ({"patience": 1, "cooldown": 1}, {"patience": 1, "cooldown": 1}),
            ({"patience": 2, "threshold": 0.05, "threshold_mode": "abs"},
             {"patience": 2, "min_delta": 0.05}),
            ({"patience": 1, "threshold": 0.2, "threshold_mode": "rel"}, None),
            ({"patience": 1, "min_lr": 0.003, "factor": 0.3, "eps": 0.01},
             {"patience": 1, "min_lr": 0.003, "factor": 0.3}),
        ]:
            names = {"min_lr": "minimum", "eps": "epsilon", "min_delta": "threshold"}
            for library, function, keys in [("torch", plateau_torch, torch_keys),
                                            ("keras", plateau_keras, keras_keys)]:
                if keys is None:
                    continue
                plateaus.append({
                    "config": {
                        "optimizer": {"learning_rate": BASE, "convention": library},
                        "schedule": {"name": "reduce_on_plateau", "mode": mode,
                                     **{names.get(k, k): v for k, v in keys.items()}},
                    },
                    "values": [value if math.isfinite(value) else str(value) for value in values],
                    "rates": function(values, mode, **keys),
                })

file = Path(__file__).with_suffix(".json")
lines = lambda rows: ",\n".join(json.dumps(row) for row in rows)
file.write_text(
    '{"versions": ' + json.dumps({"torch": torch.__version__, "keras": keras.__version__})
    + ',\n"cases": [\n' + lines(cases) + '\n],\n"plateaus": [\n' + lines(plateaus) + "\n]}\n")
print(len(cases), "cases,", len(plateaus), "plateaus")
