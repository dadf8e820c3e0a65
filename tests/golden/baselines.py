#!/usr/bin/env python3
"""Writes baselines.csv and baselines.json: a small table, and what scikit-learn's linear models make of it.

    /path/to/python tests/golden/baselines.py

Features are multiples of 1/64 and targets of 1/1024, which f32 holds exactly. The models are Ridge and
LogisticRegression with a penalty of alpha, or C = 1 / alpha, on the features as they are.
"""

import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression, Ridge

HERE = Path(__file__).resolve().parent
ROWS, INPUTS = 90, 4
ALPHAS = [10.0, 1.0, 0.01]

rng = np.random.default_rng(11)
# Columns of different sizes and means, two of them nearly alike.
x = rng.normal(size=(ROWS, INPUTS)) * [1.0, 5.0, 0.25, 1.0] + [0.0, 20.0, 0.0, -3.0]
x[:, 3] = x[:, 0] - 3.0 + 0.1 * rng.normal(size=ROWS)
x = np.round(x * 64) / 64
z = x - x.mean(axis=0)
score = z @ rng.normal(size=(INPUTS, 3)) / [1.0, 2.0, 1.5] + rng.gumbel(size=(ROWS, 3))
group = score.argmax(axis=1)
yes = (z @ [1.0, -0.2, 2.0, 0.5] + rng.logistic(size=ROWS) > 0).astype(int)
labels = (z @ rng.normal(size=(INPUTS, 3)) / 2 + rng.logistic(size=(ROWS, 3)) > 0).astype(int)
raw = rng.integers(1, 15, size=(ROWS, 3))
shares = np.round(raw / raw.sum(axis=1, keepdims=True) * 1024)
shares[:, 2] = 1024 - shares[:, 0] - shares[:, 1]
shares /= 1024
y = z @ rng.normal(size=(INPUTS, 2)) + rng.normal(size=(ROWS, 2)) + [3.0, -40.0]
y = np.round(y * 1024) / 1024
weight = rng.integers(0, 9, size=ROWS) / 4

names = ["a", "b", "c", "d", "group", "yes", "l1", "l2", "l3", "s1", "s2", "s3", "y1", "y2", "w"]
table = np.column_stack([x, group, yes, labels, shares, y, weight])
lines = [",".join(names)] + [",".join(f"{value:.17g}" for value in row) for row in table]
(HERE / "baselines.csv").write_text("\n".join(lines) + "\n")


def logistic(features, target, weights, alpha):
    model = LogisticRegression(C=1 / alpha, tol=1e-12, max_iter=100_000, solver="lbfgs")
    # Newton's steps go on where those of L-BFGS are lost in rounding.
    model.set_params(solver="newton-cg", tol=1e-13)
    # Centred features are fitted to the last digits, and leave the weights as they are.
    mean = x.mean(axis=0)
    model.fit(features - mean, target, sample_weight=weights)
    model.intercept_ = model.intercept_ - model.coef_ @ mean
    if len(model.intercept_) > 1:
        # Softmax knows differences alone.
        model.intercept_ -= model.intercept_.mean()
    return model


cases = []
for alpha in ALPHAS:
    for weighted in (False, True):
        w = weight if weighted else np.ones(ROWS)

        def case(task, target, coefficients, intercepts):
            cases.append({"task": task, "target": target, "alpha": alpha, "weighted": weighted,
                          "weights": np.asarray(coefficients).tolist(), "biases": np.asarray(intercepts).tolist()})

        ridge = Ridge(alpha=alpha, solver="cholesky").fit(x, y, sample_weight=w)
        case("regression", ["y1", "y2"], ridge.coef_, ridge.intercept_)
        three = logistic(x, group, w, alpha)
        case("classification", ["group"], three.coef_, three.intercept_)
        two = logistic(x, yes, w, alpha)
        case("binary", ["yes"], two.coef_, two.intercept_)
        each = [logistic(x, labels[:, k], w, alpha) for k in range(3)]
        case("multilabel", ["l1", "l2", "l3"], [m.coef_[0] for m in each], [m.intercept_[0] for m in each])
        # A distribution is as many rows, of each class its share.
        soft = logistic(np.repeat(x, 3, axis=0), np.tile([0, 1, 2], ROWS), (shares * w[:, None]).ravel(), alpha)
        case("classification", ["s1", "s2", "s3"], soft.coef_, soft.intercept_)

document = {"sklearn": sklearn.__version__, "cases": cases}
(HERE / "baselines.json").write_text(json.dumps(document, indent=1) + "\n")
