#!/usr/bin/env python3
"""From the start of the process to the end of the first step, for configs/digits.json: cold (no
cache of any kind) and warm.

Read from outside: metrics.jsonl is written at an epoch's end, and holds the seconds since training
began, so (its time stamp - those seconds - the time the process was started) is what came before
training. What the first epoch took beyond a later one (shaders that a driver compiles at their
first use) is added, and the time of one step.

    benches/peers/startup.py --devices cpu,llvmpipe
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BOUNDS = {"cpu": 0.5, "llvmpipe": 1.5}
EPOCHS = 6


def measure(options, device, cache, folder):
    """Seconds before training, and those to the end of the first step."""
    out = folder / "run"
    command = [options.binary, "train", str(options.config), f"training.epochs={EPOCHS}",
               "early_stopping=null", "--device", device, "--out", str(out), "--overwrite", "--quiet"]
    # The driver's shader cache and wgfit's own lie under the user's cache folder.
    environment = dict(os.environ, XDG_CACHE_HOME=str(cache), MESA_SHADER_CACHE_DIR=str(cache / "mesa"))
    begun = time.time()
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    metrics = out / "metrics.jsonl"
    written = os.stat(metrics).st_mtime
    records = [json.loads(line) for line in metrics.read_text().splitlines()]
    epochs = [record for record in records if record["kind"] == "epoch"]
    ends = [record["seconds"] for record in epochs]
    before = written - ends[-1] - begun
    later = statistics.median(b - a for a, b in zip(ends, ends[1:]))
    step = later / epochs[0]["step"]
    return before, before + max(ends[0] - later, 0.0) + step


def options_of(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/wgfit")
    parser.add_argument("--config", type=Path, default=Path("configs/digits.json"))
    parser.add_argument("--devices", type=lambda text: text.split(","), default=["cpu", "llvmpipe"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args(arguments)
    for needed in (options.config, Path(options.binary)):
        if not needed.exists():
            parser.error(f"{needed} does not exist")
    return options


def compare(options):
    document = {"date": time.strftime("%Y-%m-%d %H:%M:%S %z"), "config": str(options.config), "devices": {}}
    for device in options.devices:
        cold, warm = [], []
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                cache = folder / "cache"
                cache.mkdir()
                cold.append(measure(options, device, cache, folder))
                warm.append(measure(options, device, cache, folder))
        line = {"bound": BOUNDS.get(device)}
        for name, found in (("cold", cold), ("warm", warm)):
            before, first = (statistics.median(side) for side in zip(*found))
            line[name] = {"before_training": before, "first_step_done": first}
        document["devices"][device] = line
        bound = line["bound"]
        verdict = ""
        if bound is not None:
            verdict = f"; warm under {bound:g} s: {'pass' if line['warm']['first_step_done'] < bound else 'FAIL'}"
        print(f"{device:<12} first step done after: cold {line['cold']['first_step_done']:.3f} s, "
              f"warm {line['warm']['first_step_done']:.3f} s (of it before training "
              f"{line['warm']['before_training']:.3f} s){verdict}", flush=True)
    return document


def main():
    options = options_of()
    document = compare(options)
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
