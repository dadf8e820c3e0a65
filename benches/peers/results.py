#!/usr/bin/env python3
"""Writes benches/RESULTS.md out of what benches/peers/all.sh measured."""

import argparse
import json
import os
import platform
import re
import subprocess
import time
from pathlib import Path

import compare

HEAD = """# Results

Ratios are between sides that were measured in one run, by turns; a number by itself says little on
another machine. All tables are made by one command:

    {command}

- date: {date}, commit {commit}
- processor: {processor}, {cores} cores; {system}
- rustc {rustc}; Python {python}
- adapters: {adapters}

What is compared: MNIST, 784-hidden-10, relu, softmax cross-entropy, Adam, f32, the rows in memory and
in a new order each epoch; compilation, tuning and one warm-up epoch are left out on both sides.
"""

GPU = """
## A real NVIDIA GPU

There was none at hand. On a machine that has one, this measures all that must hold there, by the
GPU's own clocks, and prints it as a list filled in:

    cargo build --release && python3 -m pip install torch numpy
    benches/peers/gpu.py --json gpu.json
"""


def said(command, environment=None):
    """The first line that a command prints; a question mark where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
    except OSError:
        return "?"
    return done.stdout.strip() if done.returncode == 0 else "?"


def adapters(binary):
    found = []
    for environment in (dict(os.environ), compare.environment("swiftshader")):
        text = said([binary, "devices", "--json"], environment)
        devices = json.loads(text) if text.startswith(("[", "{")) else []
        devices = devices.get("devices", []) if isinstance(devices, dict) else devices
        for device in devices:
            device = device.get("device", device)
            if device.get("kind") != "cpu":
                found.append(f"{device['name']} ({device['backend']}, {device['driver']})")
    return "; ".join(dict.fromkeys(found)) or "none"


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def verdict(holds):
    return "pass" if holds else "**fail**"


def against(title, document, bound=None):
    """Samples a second of wgfit and its peers, and the ratios."""
    peers = list(dict.fromkeys(peer for size in document["sizes"].values() for peer in size))
    others = [peer for peer in peers if peer != "wgfit"]
    rows, versions = [], {}
    for size, summary in document["sizes"].items():
        row = [f"[{size.split('@')[0].replace('-', ',')}]@{size.split('@')[1]}"]
        for peer in peers:
            found = summary[peer]
            versions[peer] = found.get("version", peer)
            row.append(f"{found['samples_per_second']:,.0f}" if "samples_per_second" in found else found["error"])
        row += [f"{summary[peer]['ratio']:.2f}" if "ratio" in summary[peer] else "" for peer in others]
        if bound:
            row.append(verdict(summary[others[0]].get("ratio", 0) >= bound))
        rows.append(row)
    header = ["network", *(versions[peer] for peer in peers), *(f"wgfit / {peer}" for peer in others)]
    text = f"\n## {title}\n\nSamples a second, medians of {document['rounds']} round(s) of {document['rows']:,} rows an epoch; {document['date']}.\n\n"
    text += table(header + ([f"at least {bound:g}"] if bound else []), rows)
    if bound == 1.0:
        ratios = [summary[others[0]].get("ratio", 0) for summary in document["sizes"].values()]
        more = sum(ratio >= 1.2 for ratio in ratios)
        text += f"\nAt least 1.2 at two of them: {more} of {len(ratios)}, {verdict(more >= 2)}.\n"
    for peer, why in document["missing"].items():
        text += f"\nNot measured: {peer}: {why}.\n"
    return text


def members(document):
    rows = []
    for device, found in document["devices"].items():
        bound = found["bound"]
        rows.append([device, f"{found['one'] * 1e3:.2f} ms", f"{found['many'] * 1e3:.2f} ms", f"{found['ratio']:.2f}",
                     f"{bound:g}: {verdict(found['ratio'] <= bound)}" if bound else ""])
    return (f"\n## {document['members']} members against one\n\n13-32-16-3 at batch 16, 1,024 rows: the time of an epoch.\n\n"
            + table(["device", "one", f"{document['members']}", "ratio", "at most"], rows))


def sweeps(*documents):
    rows = [[found["device"], f"{found['trials']}", f"{found['together']:.1f} s",
             f"{found['apart']:.1f} s" + (f" (of {found['singles']})" if found["singles"] < found["trials"] else ""),
             f"{found['ratio']:.3f}", f"{found['bound']:g}: {verdict(found['ratio'] <= found['bound'])}",
             f"{found['off']:.1e}, {found['off_bound']:g}: {verdict(found['off'] <= found['off_bound'])}"]
            for found in documents]
    return ("\n## A sweep against its single runs\n\nconfigs/digits_sweep.json: all trials in one process, and one after the"
            " other in processes of their own.\n\n"
            + table(["device", "trials", "sweep", "single runs", "ratio", "at most", "scores differ by, at most"], rows))


def asha(document):
    rows = [[run["data"], f"{run['seed']}", f"{run['grid']:.4f}", f"{run['asha']:.4f}",
             f"{run['loss_ratio']:.4f}: {verdict(run['loss_ratio'] <= document['loss_bound'])}",
             f"{run['epochs_ratio']:.3f}: {verdict(run['epochs_ratio'] <= document['epochs_bound'])}"]
            for run in document["runs"]]
    return (f"\n## ASHA against the full grid\n\nBest validation loss, ranked by {document['ranked_by']}, on the"
            f" {document['device']}; 36 trials of at most 54 epochs.\n\n"
            + table(["data", "seed", "grid", "ASHA", f"loss, at most {document['loss_bound']:g} of the grid's",
                     f"epochs, at most {document['epochs_bound']:.3f} of the grid's"], rows))


def startup(document):
    rows = []
    for device, found in document["devices"].items():
        bound = found["bound"]
        cold, warm = found["cold"]["first_step_done"], found["warm"]["first_step_done"]
        rows.append([device, f"{cold:.3f} s", f"{warm:.3f} s", f"{bound:g} s: {verdict(warm < bound)}" if bound else ""])
    return ("\n## Start-up\n\nFrom the start of the process to the end of the first step, configs/digits.json.\n\n"
            + table(["device", "cold", "warm", "warm, under"], rows))


def observing(document):
    rows = [[document["config"], document["device"], f"{100 * document['overhead']:.1f} %",
             f"{document['bound']:g} %: {verdict(100 * document['overhead'] < document['bound'])}"]]
    return ("\n## Histograms and TensorBoard\n\nWhat they add to the time of training, by turns with and without; "
            f"median of {document['rounds']} rounds.\n\n" + table(["config", "device", "added", "under"], rows))


def starting(document):
    rows = []
    for name, found in document["sets"].items():
        cells = [f"{found['means'][who][0]:.4f} ± {found['deviations'][who][0]:.4f}" for who in found["means"]]
        rows.append([name, found["metrics"][0], *cells, verdict(found["passes"])])
    return ("\n## A starting config\n\n`wgfit new` and `wgfit train`, untouched, beside linear models and scikit-learn "
            f"{document['sklearn']}'s MLP; test rows, mean ± deviation over {document['seeds']} seeds.\n\n"
            + table(["data", "metric", "wgfit", "its linear baseline", "sklearn MLP", "sklearn linear",
                     "no worse than the MLP and the baseline"], rows))


def floor(document):
    text = "\n## A step and its floor\n\n784-128-64-10 at batch 64. The floor of a step is its operations at the rate of a large product.\n\n"
    rows = []
    for device, found in document["devices"].items():
        step, rates = found["explained"]["step"], found["explained"]["rates"]
        holds = f"{found['bound']:g}: {verdict(found['ratio'] < found['bound'])}" if device == "llvmpipe" else ""
        rows.append([device, f"{rates['flops_per_second'] / 1e9:.1f} ({rates['product_size']}^3)",
                     f"{rates['bytes_per_second'] / 1e9:.1f}", f"{step['seconds'] * 1e3:.3f} ms",
                     f"{step['product_seconds'] * 1e3:.3f} ms", f"{found['ratio']:.2f}", holds])
    text += table(["device", "GFLOP/s", "GB/s (copy)", "step", "floor", "ratio", "under"], rows)
    for device, found in document["devices"].items():
        text += f"\n{device}, call by call (`wgfit train CONFIG --explain --time`; clock: {found['explained']['rates']['clock']}):\n\n"
        rows = []
        for call in found["explained"]["calls"]:
            moved = call["bytes_read"] + call["bytes_written"]
            rows.append([call["kernel"], call["subject"], f"{call['rows']} x {call['columns']} x {call['depth']}",
                         call["tile"] or "", f"{call['flops'] / 1e6:.2f}", f"{moved / 1e6:.3f}",
                         f"{call['floor_seconds'] * 1e6:.1f}", f"{call['seconds'] * 1e6:.1f}",
                         f"{call['seconds'] / call['floor_seconds']:.1f}"])
        text += table(["kernel", "subject", "rows x columns x depth", "tile", "MFLOP", "MB", "floor, us", "measured, us", "ratio"], rows)
    return text


def host(text):
    """Criterion's middle figures."""
    found = re.findall(r"(host time[^\n]*?)\s+time:\s+\[\S+ \S+ (\S+) (\S+) ", text)
    bound = 20.0
    rows = []
    for name, value, unit in found:
        micros = float(value) * {"ns": 1e-3, "ms": 1e3}.get(unit, 1.0)
        rows.append([name.strip(), f"{micros:.2f} us", f"{bound:g} us: {verdict(micros < bound)}"])
    return ("\n## Host\n\nRecording and submitting a step on wgpu's `noop` backend (`cargo bench --bench host`). What the loop"
            " allocates is counted by tests/allocations.rs.\n\n" + table(["what", "time", "under"], rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, default=Path("target/peers"))
    parser.add_argument("--to", type=Path, default=Path("benches/RESULTS.md"))
    parser.add_argument("--binary", default="target/release/wgfit")
    parser.add_argument("--python", default="python3")
    options = parser.parse_args()

    def read(pattern):
        texts = [file.read_text() for file in sorted(options.source.glob(pattern))]
        return [json.loads(text) for text in texts] if pattern.endswith(".json") else texts

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    text = HEAD.format(
        command="PYTHON=... BURN_MLP=... DIAMONDS=... benches/peers/all.sh",
        date=time.strftime("%Y-%m-%d"),
        commit=said(["git", "rev-parse", "--short", "HEAD"]),
        processor=compare.processor(),
        cores=cores,
        system=f"{platform.system()} {platform.release()}",
        rustc=said(["rustc", "--version"]).removeprefix("rustc "),
        python=said([options.python, "--version"]).removeprefix("Python "),
        adapters=adapters(options.binary),
    )
    sections = [
        ("jax.json", lambda found: against("The CPU backend against JAX", found, 1.0)),
        ("others.json", lambda found: against("The CPU backend against the other peers", found)),
        ("swiftshader.json", lambda found: against("SwiftShader against Burn on it", found, 2.5)),
        ("floor.json", floor),
        ("members.json", members),
        ("sweep_*.json", sweeps),
        ("asha.json", asha),
        ("startup.json", startup),
        ("observing.json", observing),
        ("starting.json", starting),
        ("host.txt", host),
        ("gemm.txt", lambda found: f"\n## Matrix products\n\n`cargo bench --bench gemm`:\n\n```\n{found.strip()}\n```\n"),
    ]
    for name, section in sections:
        found = read(name)
        text += section(*found) if found else f"\nNot measured: {name} is missing.\n"
    options.to.write_text(text + GPU)
    print(f"{options.to} written")


if __name__ == "__main__":
    main()
