#!/usr/bin/env python3
"""What `wgfit new` and `wgfit train`, untouched, come to beside a linear model and scikit-learn's MLP.

    benches/peers/starting.py

For each bundled data set and each of five seeds a quarter of the rows is held back to test (stratified
where there are classes). wgfit is given the files as they are: `wgfit new train.csv --target T --test
test.csv`, then `wgfit train` with the seed. scikit-learn is given the same rows, inputs
and numbers to predict standardised: MLPClassifier or MLPRegressor with its defaults, and LogisticRegression or
Ridge as well. wgfit's own linear baseline is that of its summary. Scores are those of the test rows, their mean
over the seeds.

It passes where wgfit is no worse than scikit-learn's network, and better than its own linear baseline or, where
the data are linear, tied with it: the mean difference over the seeds is less than its standard error.
scikit-learn's linear model, which is fitted to the validation rows too, is told beside them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error, r2_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

warnings.filterwarnings("ignore")

DATA = Path(__file__).resolve().parents[2] / "configs" / "data"

# Target, and whether it is a class.
SETS = {
    "iris": ("species", True),
    "breast_cancer": ("diagnosis", True),
    "digits": ("label", True),
    "diabetes": ("progression", False),
}

# The first of each decides; the second is told.
METRICS = {True: ("accuracy", "log_loss"), False: ("rmse", "r2")}
LARGER = {"accuracy": True, "log_loss": False, "rmse": False, "r2": True}


def run(command, folder):
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def wgfit(options, folder, target, metrics, seed):
    """Test scores of the network and of its linear baseline, and the seconds that both commands took."""
    begun = time.perf_counter()
    config = run([options.binary, "new", "train.csv", "--target", target, "--test", "test.csv"], folder)
    (folder / "config.json").write_text(config)
    keys = [f"seed={seed}", f"metrics={json.dumps(metrics)}"]
    run([options.binary, "train", "config.json", *keys, "--device", options.device, "--out", "run", "--overwrite",
         "--quiet"], folder)
    seconds = time.perf_counter() - begun
    summary = json.loads((folder / "run" / "summary.json").read_text())
    scores = [[sets["test"][name] for name in metrics] for sets in (summary, summary["baselines"]["linear"])]
    return *scores, seconds


def peers(train, test, target, classes, seed):
    """Test scores of scikit-learn's network and of its linear model."""
    scaler = StandardScaler().fit(train.drop(columns=target))
    x, z = (scaler.transform(rows.drop(columns=target)) for rows in (train, test))
    y, truth = train[target], test[target]
    if not classes:
        network = TransformedTargetRegressor(MLPRegressor(random_state=seed), transformer=StandardScaler())
        found = [model.fit(x, y).predict(z) for model in (network, Ridge())]
        return [[mean_squared_error(truth, said) ** 0.5, r2_score(truth, said)] for said in found]
    scores = []
    for model in (MLPClassifier(random_state=seed), LogisticRegression(max_iter=1000)):
        said = model.fit(x, y).predict_proba(z)
        named = model.classes_[said.argmax(axis=1)]
        scores.append([accuracy_score(truth, named), log_loss(truth, said, labels=model.classes_)])
    return scores


def compare(options, name):
    target, classes = SETS[name]
    metrics = METRICS[classes]
    rows = pd.read_csv(DATA / f"{name}.csv")
    found = {"wgfit": [], "wgfit's linear": [], "sklearn MLP": [], "sklearn linear": []}
    seconds = []
    for seed in range(options.seeds):
        strata = rows[target] if classes else None
        train, test = train_test_split(rows, test_size=0.25, random_state=seed, stratify=strata)
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            train.to_csv(folder / "train.csv", index=False)
            test.to_csv(folder / "test.csv", index=False)
            network, linear, took = wgfit(options, folder, target, metrics, seed)
        mlp, sklearn_linear = peers(train, test, target, classes, seed)
        for own, scores in zip(found.values(), (network, linear, mlp, sklearn_linear)):
            own.append(scores)
        seconds.append(took)
    means = {who: np.mean(scores, axis=0).tolist() for who, scores in found.items()}
    spreads = {who: np.std(scores, axis=0).tolist() for who, scores in found.items()}
    print(f"{name}: {len(rows)} rows, test scores, mean over {options.seeds} seeds ± deviation")
    for who in found:
        texts = [f"{metric} {mean:.4f} ± {spread:.4f}"
                 for metric, mean, spread in zip(metrics, means[who], spreads[who])]
        print(f"  {who:<16}{'   '.join(texts)}")

    def gain(other):
        """How much better wgfit is, seed by seed: the mean and its standard error."""
        sign = 1 if LARGER[metrics[0]] else -1
        each = sign * (np.array(found["wgfit"]) - np.array(found[other]))[:, 0]
        return each.mean(), each.std(ddof=1) / len(each) ** 0.5

    (mlp_gain, _), (linear_gain, error) = gain("sklearn MLP"), gain("wgfit's linear")
    against = "better" if linear_gain > 0 else "tied" if linear_gain >= -error else "worse"
    passes = bool(mlp_gain >= -1e-9 and against != "worse")
    print(f"  by {metrics[0]}: {mlp_gain:+.4f} beside the MLP, {linear_gain:+.4f} ± {error:.4f} beside the linear "
          f"baseline ({against}): {'pass' if passes else 'FAIL'}; {np.mean(seconds):.2f} s for `new` and `train`", flush=True)
    return {"metrics": metrics, "means": means, "deviations": spreads, "seconds": float(np.mean(seconds)),
            "against_linear": against, "passes": passes}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=lambda path: str(Path(path).resolve()), default="target/release/wgfit")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS))
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    options.binary = str(Path(options.binary).resolve())
    if not Path(options.binary).exists():
        parser.error(f"{options.binary} does not exist")
    found = {name: compare(options, name) for name in options.sets}
    if options.json:
        document = {"date": time.strftime("%Y-%m-%d %H:%M:%S %z"), "sklearn": sklearn.__version__,
                    "seeds": options.seeds, "sets": found}
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    sys.exit(0 if all(own["passes"] for own in found.values()) else 1)


if __name__ == "__main__":
    main()
