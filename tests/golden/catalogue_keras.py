"""The half of catalogue.py that runs Keras, on its torch backend."""

import keras
import numpy as np
import torch
from keras import layers, losses, ops

from catalogue import arrays, batches, named

ACTIVATIONS = {
    "gelu_tanh": lambda x: keras.activations.gelu(x, approximate=True), "hard_silu": keras.activations.hard_silu,
}


def normalization(given):
    name, numbers = named(given)
    kind = {"batch_norm": layers.BatchNormalization, "layer_norm": layers.LayerNormalization, "rms_norm": layers.RMSNormalization}
    return kind[name](**numbers)


def build(case, starts):
    spec = case["config"]["model"]["layers"]
    output = case["config"]["model"].get("output", {})
    inputs = keras.Input((starts[0][0].shape[1],))
    x = inputs
    denses = []
    limit = lambda of: {"kernel_constraint": keras.constraints.MaxNorm(of["max_norm"], axis=0)} if of.get("max_norm") else {}
    for layer in spec:
        dense = layers.Dense(layer["units"], **limit(layer))
        y = dense(x)
        denses.append(dense)
        if layer.get("norm"):
            y = normalization(layer["norm"])(y)
        name, numbers = named(layer["activation"])
        if name == "prelu":
            y = layers.PReLU(alpha_initializer=keras.initializers.Constant(numbers.get("slope", 0.0)))(y)
        else:
            y = layers.Activation(ACTIVATIONS.get(name, name))(y)
        x = layers.Add()([x, y]) if layer.get("residual") else y
    dense = layers.Dense(starts[-1][0].shape[0], **limit(output))
    denses.append(dense)
    x = dense(x)
    if "activation" in output:
        x = layers.Activation(output["activation"])(x)
    model = keras.Model(inputs, x)
    for dense, (weight, bias) in zip(denses, starts):
        dense.set_weights([weight.T.astype("float64"), bias.astype("float64")])
    return model


def criterion(given, width):
    name, n = named(given)
    if name == "categorical_cross_entropy":
        if width == 1 and not n:
            loss = losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)
            return lambda y, z: loss(y[:, 0], z)
        return one_hot(losses.CategoricalCrossentropy(from_logits=True, reduction=None, **n), width)
    if name == "kl_divergence":
        loss = losses.KLDivergence(reduction=None)
        return one_hot(lambda y, z: loss(y, ops.softmax(z)), width)
    if name == "categorical_focal":
        return one_hot(losses.CategoricalFocalCrossentropy(from_logits=True, reduction=None, **n), width)
    if name == "categorical_hinge":
        return one_hot(losses.CategoricalHinge(reduction=None), width)
    if name == "binary_focal":
        n = dict(n, apply_class_balancing="alpha" in n)
        return losses.BinaryFocalCrossentropy(from_logits=True, reduction=None, **n)
    return {
        "mse": losses.MeanSquaredError, "mae": losses.MeanAbsoluteError, "huber": losses.Huber,
        "binary_cross_entropy": lambda **k: losses.BinaryCrossentropy(from_logits=True, **k),
        "mape": losses.MeanAbsolutePercentageError, "msle": losses.MeanSquaredLogarithmicError,
        "log_cosh": losses.LogCosh, "poisson": losses.Poisson, "hinge": losses.Hinge, "squared_hinge": losses.SquaredHinge,
    }[name](reduction=None, **n)


def one_hot(loss, width):
    def of(y, z):
        if width == 1:
            y = ops.one_hot(ops.cast(y[:, 0], "int32"), z.shape[1], dtype="float64")
        return loss(y, z)

    return of


RENAMED = {
    "beta1": "beta_1", "beta2": "beta_2", "initial_accumulator": "initial_accumulator_value", "clip_value": "clipvalue",
    "clip_norm": "clipnorm", "clip_global_norm": "global_clipnorm",
}
KINDS = {
    "sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "adamax": "Adamax", "nadam": "Nadam", "adagrad": "Adagrad",
    "adadelta": "Adadelta", "rmsprop": "RMSprop", "lion": "Lion", "muon": "Muon",
}


def optimizer_of(given, training):
    given = {k: v for k, v in given.items() if k != "convention"}
    name = given.pop("name")
    biases = given.pop("decay_biases", False)
    if name == "muon":
        rate = given["learning_rate"]
        given["adam_lr_ratio"] = given.pop("adam_learning_rate", rate) / rate
        if given.pop("adjust", None) == "none":
            given["rms_rate"] = None
    settings = {RENAMED.get(k, k): v for k, v in given.items()}
    if "ema" in training:
        settings.update(use_ema=True, ema_momentum=training["ema"])
    optimizer = getattr(keras.optimizers, KINDS[name])(**settings)
    if not biases and (optimizer.weight_decay or name == "muon"):
        optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    return optimizer


def run_keras(case):
    x, y, w, of_class, starts = arrays(case)
    config = case["config"]
    keras.utils.clear_session()
    model = build(case, starts)
    assert all(str(v.dtype) == "float64" for v in model.weights)
    loss_of = criterion(config["loss"], y.shape[1])
    weights = w if of_class is None else w * of_class
    optimizer = optimizer_of(config["optimizer"], config["training"])
    optimizer.build(model.trainable_variables)
    x, y, weights = (torch.tensor(a) for a in (x, y, weights))
    listed = []
    for (rows,), _ in batches():
        model.zero_grad()
        each = loss_of(y[rows], model(x[rows], training=True)) * weights[rows]
        loss = each.sum() / len(each)
        loss.backward()
        listed.append(loss.item())
        with torch.no_grad():
            optimizer.apply([v.value.grad for v in model.trainable_variables], model.trainable_variables)
    has_norm = any(layer.get("norm") for layer in config["model"]["layers"])
    if "ema" in config["training"]:
        optimizer.finalize_variable_values(model.trainable_variables)
    elif not has_norm:
        return listed, None
    with torch.no_grad():
        each = loss_of(y, model(x, training=False)) * weights
    return listed, (each.sum() / len(each)).item()
