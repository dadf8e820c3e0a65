"""Prints what scikit-learn gives for sets of outputs into metrics.json.

Each case has a task, predictions [rows, width], targets, and the metrics by name. Predictions are
written exactly, so ties are ties. The expected calibration error is worked out here from Guo et
al. 2017, equation 3; a multilabel Brier score and log loss are scikit-learn's of each label.
"""

import json
import math
import warnings
from pathlib import Path

import numpy as np
import sklearn
import sklearn.metrics as M
from sklearn.preprocessing import label_binarize

warnings.filterwarnings("ignore")
random = np.random.default_rng(3)
cases = []


def case(name, task, predictions, targets, metrics, **more):
    predictions, targets = np.asarray(predictions, float), np.asarray(targets, float)
    cases.append({"name": name, "task": task, "width": predictions.shape[1],
                  "predictions": predictions.ravel().tolist(), "targets": targets.ravel().tolist(),
                  "metrics": {k: None if math.isnan(v) else float(v) for k, v in metrics.items()},
                  **more})


def averages(y, said):
    metrics = {}
    for name, function in [("precision", M.precision_score), ("recall", M.recall_score),
                           ("f1", M.f1_score)]:
        for average in ["macro", "micro", "weighted"]:
            metrics[f"{name}_{average}"] = function(y, said, average=average, zero_division=0)
    return metrics


def calibration(p, y):
    confidence, right = p.max(axis=1), p.argmax(axis=1) == y
    edges = np.arange(0, 16) / 15
    edges[-1] = np.inf
    error = 0.0
    for low, high in zip(edges[:-1], edges[1:]):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return error


def of_classes(name, p, y):
    p, y = np.asarray(p, float), np.asarray(y, int)
    labels = list(range(p.shape[1]))
    said = p.argmax(axis=1)
    metrics = averages(y, said)
    for metric in ["precision", "recall", "f1"]:
        metrics[metric] = metrics[f"{metric}_macro"]
    for k in [2, 3, 5]:
        if len(labels) > 2:
            metrics[f"top_{k}_accuracy"] = M.top_k_accuracy_score(y, p, k=k, labels=labels)
    metrics["balanced_accuracy"] = M.balanced_accuracy_score(y, said)
    metrics["matthews"] = M.matthews_corrcoef(y, said)
    if len(labels) > 2:
        metrics["roc_auc"] = M.roc_auc_score(y, p, multi_class="ovr", labels=labels)
        indicator = label_binarize(y, classes=labels)
        metrics["pr_auc"] = M.average_precision_score(indicator, p)
    metrics["brier"] = M.brier_score_loss(y, p, labels=labels)
    metrics["expected_calibration_error"] = calibration(p, y)
    case(name, "classification", p, y, metrics,
         confusion=M.confusion_matrix(y, said, labels=labels).tolist())


def of_binary(name, p, y):
    p, y = np.asarray(p, float), np.asarray(y, int)
    two = np.stack([1 - p, p], axis=1)
    said = two.argmax(axis=1)
    metrics = averages(y, said)
    for metric, function in [("precision", M.precision_score), ("recall", M.recall_score),
                             ("f1", M.f1_score)]:
        metrics[metric] = function(y, said, pos_label=1, zero_division=0, labels=[0, 1])
    metrics["balanced_accuracy"] = M.balanced_accuracy_score(y, said)
    metrics["matthews"] = M.matthews_corrcoef(y, said)
    metrics["roc_auc"] = M.roc_auc_score(y, two[:, 1])
    metrics["pr_auc"] = M.average_precision_score(y, two[:, 1])
    metrics["brier"] = M.brier_score_loss(y, two, labels=[0, 1])
    metrics["expected_calibration_error"] = calibration(two, y)
    case(name, "binary", two, y, metrics,
         confusion=M.confusion_matrix(y, said, labels=[0, 1]).tolist())


def of_labels(name, p, y):
    p, y = np.asarray(p, float), np.asarray(y, int)
    said = (p > 0.5).astype(int)
    metrics = averages(y, said)
    for metric in ["precision", "recall", "f1"]:
        metrics[metric] = metrics[f"{metric}_macro"]
    columns = range(p.shape[1])
    metrics["accuracy"] = M.accuracy_score(y, said)
    metrics["hamming_loss"] = M.hamming_loss(y, said)
    metrics["roc_auc"] = M.roc_auc_score(y, p)
    metrics["pr_auc"] = M.average_precision_score(y, p)
    metrics["brier"] = np.mean([M.brier_score_loss(y[:, k], p[:, k], pos_label=1) for k in columns])
    metrics["log_loss"] = np.mean([M.log_loss(y[:, k], p[:, k], labels=[0, 1]) for k in columns])
    case(name, "multilabel", p, y, metrics)


def of_numbers(name, p, y):
    p, y = np.asarray(p, float), np.asarray(y, float)
    case(name, "regression", p, y, {
        "mape": M.mean_absolute_percentage_error(y, p),
        "max_error": max(M.max_error(y[:, k], p[:, k]) for k in range(p.shape[1])),
        "explained_variance": M.explained_variance_score(y, p),
        "median_absolute_error": M.median_absolute_error(y, p),
    })


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


for classes, rows in [(3, 60), (4, 7), (7, 200)]:
    y = random.integers(0, classes, rows)
    z = random.normal(size=(rows, classes))
    z[np.arange(rows), y] += 1.5
    of_classes(f"{classes} classes", softmax(z), y)
    # Probabilities in eighths and sixteenths: many ties, between classes and between rows.
    counts = random.multinomial(16, [1 / classes] * classes, size=rows)
    of_classes(f"{classes} classes, ties", counts / 16, y)
    of_classes(f"{classes} classes, a class absent", softmax(z[y != 1]), y[y != 1])
    of_classes(f"{classes} classes, one alone", softmax(z), np.full(rows, 2))
    never = z.copy()
    never[:, 0] = -30
    of_classes(f"{classes} classes, one never predicted", softmax(never), y)
    of_classes(f"{classes} classes, one alone predicted", np.eye(classes)[np.full(rows, 1)], y)
    of_classes(f"{classes} classes, absent and never predicted", softmax(never[y != 0]), y[y != 0])
    of_classes(f"{classes} classes, perfect", np.eye(classes)[y], y)
of_classes("two classes as classes", softmax(random.normal(size=(40, 2))), random.integers(0, 2, 40))
of_classes("a row", [[0.2, 0.5, 0.3]], [1])
of_classes("on the edges of the bins", [[m / 15, 1 - m / 15, 0] for m in range(1, 16)] * 2,
           list(random.integers(0, 3, 30)))
# Right on an edge and wrong within the bin above it, so that a row on the wrong side shows.
inner = [[m / 15, 1 - m / 15, 0] for m in range(8, 15)]
outer = [[(m + 0.5) / 15, 1 - (m + 0.5) / 15, 0] for m in range(8, 15)]
of_classes("on the edges and between them", inner + outer, [0] * 7 + [1] * 7)

y = random.integers(0, 2, 80)
p = 1 / (1 + np.exp(-(random.normal(size=80) + 1.5 * y - 0.7)))
of_binary("binary", p, y)
of_binary("ties", np.round(p * 8) / 8, y)
of_binary("all tied", np.full(80, 0.5), y)
of_binary("positive alone", p, np.ones(80))
of_binary("negative alone", p, np.zeros(80))
of_binary("none predicted", p / 4, y)
of_binary("all predicted", 1 - p / 4, y)
of_binary("none and none", p / 4, np.zeros(80))
of_binary("sure", y.astype(float), y)
of_binary("sure and wrong", 1.0 - y, y)
of_binary("two rows", [0.25, 0.75], [1, 0])
of_binary("a row", [0.25], [1])

y = random.integers(0, 2, (50, 4))
p = 1 / (1 + np.exp(-(random.normal(size=(50, 4)) + 2 * y - 1)))
of_labels("labels", p, y)
of_labels("ties", np.round(p * 8) / 8, y)
absent = y.copy()
absent[:, 2] = 0
of_labels("a label absent", p, absent)
absent[:, 1] = 1
of_labels("a label always there", p, absent)
of_labels("none there", p, np.zeros_like(y))
of_labels("none predicted", p / 4, y)
of_labels("none and none", p / 4, np.zeros_like(y))
of_labels("sure", y.astype(float), y)
of_labels("sure and wrong", 1.0 - y, y)
of_labels("two rows", p[:2], y[:2])

for targets in [1, 3]:
    y = 100 * random.normal(size=(31, targets)) + 1000
    p = y + 20 * random.normal(size=y.shape) - 7
    of_numbers(f"{targets} targets", p, y)
    of_numbers(f"{targets} targets, an even count", p[:30], y[:30])
    zero = y.copy()
    zero[3:9] = 0
    of_numbers(f"{targets} targets, zeros", p, zero)
    of_numbers(f"{targets} targets, constant", p, np.full_like(y, 2.5))
    of_numbers(f"{targets} targets, constant and right", np.full_like(y, 2.5), np.full_like(y, 2.5))
    of_numbers(f"{targets} targets, constant and off", np.full_like(y, 2.0), np.full_like(y, 2.5))
    of_numbers(f"{targets} targets, right", y, y)
    of_numbers(f"{targets} targets, a row", p[:1], y[:1])
mixed = np.stack([np.full(20, 3.0), random.normal(size=20)], axis=1)
of_numbers("one of two constant", mixed + random.normal(size=(20, 2)), mixed)

file = Path(__file__).with_suffix(".json")
file.write_text('{"versions": ' + json.dumps({"scikit-learn": sklearn.__version__})
                + ',\n"cases": [\n' + ",\n".join(json.dumps(c) for c in cases) + "\n]}\n")
print(len(cases), "cases")
