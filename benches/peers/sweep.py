"""A sweep of 64 configurations against 64 single runs, on the same device, one after the other.

Each trial's scores must be those of its single run to 1e-4; the ratio is the sweep's wall time over that
of the single runs together. Single runs keep no records beyond their own metrics, so that what is compared is
training.

    python benches/peers/sweep.py --binary target/release/wgfit --device cpu
    python benches/peers/sweep.py --binary target/release/wgfit --device llvmpipe --trials 16 --json sweep.json
"""

import argparse
import json
import pathlib
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The most that a sweep may take of its single runs' time, and that a score may be off.
BOUND, APART = 0.3, 1e-4

LEAN = ["log.every_steps=0", "log.tensorboard=false", "log.histograms_every=0", "checkpoint=null"]


def run(command):
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return time.perf_counter() - begun, done


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target/release/wgfit")
    parser.add_argument("--sweep", type=pathlib.Path, default=ROOT / "configs/digits_sweep.json")
    parser.add_argument("--config", type=pathlib.Path, default=ROOT / "configs/digits.json")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--trials", type=int, default=64, help="single runs that are timed")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures there")
    arguments = parser.parse_args()
    binary = str(arguments.binary.resolve())
    device = ["--device", arguments.device]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        out = folder / "sweep"
        # Once, so that neither pays for tuning or for a cold cache of pipelines.
        run([binary, "train", arguments.config, *LEAN, "training.epochs=1", *device, "--out",
             folder / "warm", "--quiet"])
        together, _ = run([binary, "sweep", arguments.sweep, *device, "--out", out, "--quiet"])
        trials = {}
        for line in (out / "trials.jsonl").read_text().splitlines():
            record = json.loads(line)
            trials[record["trial"]] = record
        apart, worst = 0.0, (0.0, "")
        count = min(arguments.trials, len(trials))
        step = len(trials) // count
        for number in sorted(trials)[::step][:count]:
            record = trials[number]
            overrides = [f"{key}={json.dumps(value)}" for key, value in record["values"].items()]
            single = folder / f"run-{number}"
            seconds, _ = run([binary, "train", arguments.config, *overrides, *LEAN, *device,
                              "--out", single, "--quiet"])
            apart += seconds
            summary = json.loads((single / "summary.json").read_text())
            assert summary["epochs"] == record["epochs"], (number, summary["epochs"], record["epochs"])
            for group in ("train", "validation", "test"):
                for name, value in summary[group].items():
                    off = abs(value - record["scores"][group][name])
                    worst = max(worst, (off, f"trial {number}, {group} {name}"))
        apart *= len(trials) / count
        ratio = together / apart
        print(f"{arguments.device}: {len(trials)} trials together {together:.1f} s, apart {apart:.1f} s"
              + (f" (of {count} runs)" if count < len(trials) else "")
              + f": {ratio:.3f} of the time, at most {BOUND:g}: {'pass' if ratio <= BOUND else 'FAIL'}"
              + f"; scores differ by {worst[0]:.1e} at most" + (f" ({worst[1]})" if worst[0] else ""))
        if arguments.json:
            arguments.json.write_text(json.dumps({
                "device": arguments.device, "trials": len(trials), "singles": count, "together": together,
                "apart": apart, "ratio": ratio, "bound": BOUND, "off": worst[0], "off_bound": APART,
            }, indent=1) + "\n")
        if worst[0] > APART:
            raise SystemExit("a trial differs from its single run")


if __name__ == "__main__":
    main()
