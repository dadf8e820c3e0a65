#!/usr/bin/env python3
"""Trains for a long time, with a checkpoint, histograms and an event file after every epoch, and watches the
process: resident memory (on a software adapter, the device's too), open files and threads stay as they are.

    benches/soak.py --minutes 30 --device llvmpipe

Linux. The memory of a GPU is read where the driver tells it by process (/proc/PID/fdinfo, `drm-total-*` and
`drm-memory-*`).
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Growth of memory from the second fifth of the time to the last, above what the metrics' history takes.
BOUND = 0.02
SLACK = 8 << 20

KEYS = ["training.epochs=1000000000", "early_stopping=null", "checkpoint.every_epochs=1", "log.histograms_every=1",
        "log.tensorboard=true"]


def device_bytes(process):
    total = 0
    for entry in (process / "fdinfo").iterdir():
        try:
            lines = entry.read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            if line.startswith(("drm-total-", "drm-memory-")):
                number, *unit = line.split(":", 1)[1].split()
                total += int(number) * {"KiB": 1 << 10, "MiB": 1 << 20}.get(unit[0] if unit else "", 1)
    return total


def look(pid):
    process = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    return {"memory": int(status["VmRSS"].split()[0]) << 10, "device": device_bytes(process),
            "files": len(list((process / "fd").iterdir())), "threads": int(status["Threads"])}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/wgfit")
    parser.add_argument("--config", default="configs/digits.json")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--json", type=Path, help="write the looks there")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "run"
        command = [options.binary, "train", options.config, *KEYS, "--device", options.device, "--out", str(out),
                   "--quiet"]
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        begun, looks = time.monotonic(), []
        while time.monotonic() - begun < 60 * options.minutes:
            time.sleep(min(5, options.minutes))
            if run.poll() is not None:
                sys.exit(f"it ended by itself: {run.returncode}\n{run.stderr.read()}")
            looks.append(look(run.pid) | {"seconds": time.monotonic() - begun})
        run.terminate()
        said = run.communicate(timeout=60)[1]
        if run.returncode != 130:
            sys.exit(f"SIGTERM ended it with {run.returncode}\n{said}")
        epochs = sum('"kind":"epoch"' in line for line in (out / "metrics.jsonl").open())
        history = sum(file.stat().st_size for file in out.glob("*.jsonl"))
        kept = sorted(path.name for path in out.rglob("*") if path.is_file())

    fifth = len(looks) // 5
    early, late = looks[fifth:2 * fifth], looks[-fifth:]
    print(f"{options.config} on {options.device}: {epochs} epochs in {looks[-1]['seconds'] / 60:.1f} minutes, "
          f"{history >> 20} MiB of records, {len(kept)} files in the folder")
    failed = False
    for what in ["memory", "device", "files", "threads"]:
        before, after = (statistics.median(look[what] for look in part) for part in (early, late))
        allowed = before * BOUND + SLACK if what in ("memory", "device") else 0
        holds = after - before <= allowed
        failed |= not holds
        shown = (lambda value: f"{value / (1 << 20):.1f} MiB") if what in ("memory", "device") else "{:.0f}".format
        print(f"  {what}: {shown(before)} in the second fifth, {shown(after)} in the last, "
              f"{shown(max(look[what] for look in looks))} at most: {'pass' if holds else 'FAIL'}")
    if options.json:
        options.json.write_text(json.dumps({"epochs": epochs, "looks": looks}) + "\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
