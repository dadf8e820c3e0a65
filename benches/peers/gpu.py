#!/usr/bin/env python3
"""What must hold on a real NVIDIA GPU, measured by its own clocks, as a list filled in: wgfit by
timestamp queries, PyTorch by CUDA events. Nothing is installed; what is missing is named.

From the repository's root, on a machine with the GPU, its Vulkan driver and CUDA:

    cargo build --release && python3 -m pip install torch numpy
    benches/peers/gpu.py --json gpu.json

--dry-run says what would be run and what is missing. --device llvmpipe --small tries the wgfit side
out on a software adapter, where the bounds mean nothing.
"""

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import compare
import explained
import wgfit_mlp

HERE = Path(__file__).resolve().parent

# f32 multiply-adds of a multiprocessor in a clock, by compute capability; newer ones have 128.
LANES = {(7, 0): 64, (7, 2): 64, (7, 5): 64, (8, 0): 64}

# Prints, by CUDA events: the card, its fp32 peak by its clock, and the best sgemm as a mark.
CARD = """
import json, subprocess, torch
properties = torch.cuda.get_device_properties(0)
asked = ["nvidia-smi", "--query-gpu=clocks.max.sm,driver_version", "--format=csv,noheader,nounits", "-i", "0"]
clock, driver = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip().split(", ")
torch.backends.cuda.matmul.allow_tf32 = False
a, b = (torch.randn(4096, 4096, device="cuda") for _ in range(2))
for _ in range(5):
    a @ b
begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
begun.record()
for _ in range(20):
    a @ b
ended.record()
torch.cuda.synchronize()
print(json.dumps({"name": properties.name, "capability": [properties.major, properties.minor],
    "multiprocessors": properties.multi_processor_count, "clock_mhz": float(clock), "driver": driver,
    "torch": torch.__version__, "cuda": torch.version.cuda,
    "torch_gemm_flops": 2 * 4096**3 * 20 / (begun.elapsed_time(ended) / 1e3)}))
"""


def say(text):
    print(text, flush=True)


class Measurement:
    """The figures that the list is made of; each is measured once a round."""

    def __init__(self, options):
        self.options = options
        self.missing = []
        # FLOP/s of the forward products of square matrices.
        self.products = []

    def torch(self, hidden, batch, *extra):
        """Seconds of a step of PyTorch, by CUDA events."""
        options = self.options
        command = [options.python, str(HERE / "torch_mlp.py"), "--data", str(options.data), "--hidden",
                   "-".join(map(str, hidden)), "--batch", str(batch), "--epochs", "3", "--device", "cuda", *extra]
        return self.run(command, lambda line: line["step_ms"] / 1e3)

    def run(self, command, value):
        if self.options.dry_run:
            shown = command[:2] + ["..."] if "\n" in command[-1] else command
            say(f"  would run: {shlex.join(shown)}")
            return None
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            self.missing.append(f"{shlex.join(command[:2])}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
            return None
        return value(json.loads(done.stdout.splitlines()[-1]))

    def wgfit(self, hidden, batch, members=1):
        """Seconds of a step of wgfit, by the device's clock."""
        options = self.options
        if options.dry_run:
            layers = "-".join(map(str, [784, *hidden, 10]))
            say(f"  would run: {options.binary} train ({layers} at {batch}, {members} members) "
                f"--explain --time --json --device {options.device}")
            return None
        found = explained.mnist_step(options.binary, options.data, hidden, batch, options.device,
                                     6400 if options.small else 60000, members=members)
        self.clock = found["rates"]["clock"]
        self.device = found["device"]
        self.products += [call["flops"] / call["seconds"] for call in found["calls"]
                          if call["kernel"] == "dense_forward"
                          and call["rows"] == call["columns"] == call["depth"] == hidden[0]]
        return found["step"]["seconds"]

    def card(self):
        return self.run([self.options.python, "-c", CARD], lambda line: line)


def side_by_side(rounds, ours, *theirs):
    """Medians over rounds in which both sides take turns."""
    columns = [[] for _ in range(1 + len(theirs))]
    for _ in range(rounds):
        for column, measure in zip(columns, (ours, *theirs)):
            if (value := measure()) is not None:
                column.append(value)
    return [statistics.median(column) if column else None for column in columns]


def measure(options):
    m = Measurement(options)
    small, middle, large = [128, 64], 64, [4096] * 4
    if options.small:
        large = [256] * 4
    card = None if options.skip_torch else m.card()
    torch = (lambda *given: None) if options.skip_torch else m.torch
    rounds = 1 if options.dry_run else options.rounds
    lines = []

    def line(what, figure, bound, at_least=True, detail=""):
        verdict = "not measured"
        if figure is not None:
            verdict = "pass" if (figure >= bound if at_least else figure <= bound) else "FAIL"
        lines.append({"what": what, "figure": figure, "bound": bound, "at_least": at_least,
                      "verdict": verdict, "detail": detail})

    def ratio(theirs, ours):
        return theirs / ours if theirs and ours else None

    def ms(seconds):
        return "?" if seconds is None else f"{seconds * 1e3:.4f} ms"

    ours, eager, graph = side_by_side(rounds, lambda: m.wgfit(small, middle),
                                      lambda: torch(small, middle), lambda: torch(small, middle, "--cuda-graph", "--fused"))
    line("[128,64]@64 against PyTorch eager", ratio(eager, ours), 3.0, detail=f"{ms(ours)} against {ms(eager)} a step")
    line("[128,64]@64 against PyTorch CUDA graphs", ratio(graph, ours), 1.0, detail=f"{ms(ours)} against {ms(graph)} a step")

    ours, eager = side_by_side(rounds, lambda: m.wgfit(large, large[0]), lambda: torch(large, large[0]))
    rate = statistics.median(m.products) if m.products else None
    peak = None
    if card:
        lanes = LANES.get(tuple(card["capability"]), 128)
        peak = card["multiprocessors"] * lanes * 2 * card["clock_mhz"] * 1e6
    detail = "" if rate is None else f"{rate / 1e12:.3f} TFLOP/s"
    if peak and rate:
        detail += f" of {peak / 1e12:.1f} at the card's highest clock; cuBLAS {card['torch_gemm_flops'] / 1e12:.1f}"
    line(f"GEMM {large[0]}^3 of the card's fp32 peak", rate / peak if rate and peak else None, 0.6, detail=detail)

    line(f"[{large[0]} x {len(large)}]@{large[0]} against PyTorch, TF32 off", ratio(eager, ours), 0.8, detail=f"{ms(ours)} against {ms(eager)} a step")

    one, many = side_by_side(rounds, lambda: m.wgfit(small, middle), lambda: m.wgfit(small, middle, 64))
    line("64 members of [128,64]@64, times one", many / one if one and many else None, 4.0, at_least=False,
         detail=f"{ms(many)} against {ms(one)} a step")
    return {
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "card": card,
        "device": getattr(m, "device", None),
        "clock": getattr(m, "clock", None),
        "lines": lines,
        "missing": sorted(set(m.missing)),
    }


def show(document):
    device = document["device"]
    if device:
        say(f"\n{device['name']} ({device['backend']}, {device['driver']}); wgfit's clock: {document['clock']}")
    if document["card"]:
        say(f"PyTorch {document['card']['torch']}, CUDA {document['card']['cuda']}, driver {document['card']['driver']}; its clock: CUDA events")
    for line in document["lines"]:
        figure = "?" if line["figure"] is None else f"{line['figure']:.2f}"
        sign = ">=" if line["at_least"] else "<="
        say(f"- {line['what']}: {figure} ({sign} {line['bound']:g}): {line['verdict']}   {line['detail']}")
    for missing in document["missing"]:
        say(f"missing: {missing}")


def options_of(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/wgfit")
    parser.add_argument("--data", type=Path, default=Path("configs/data"), help="MNIST's IDX files")
    parser.add_argument("--python", default=sys.executable, help="the Python that has torch")
    parser.add_argument("--device", default="gpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="small sizes, to try it out")
    parser.add_argument("--skip-torch", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser.parse_args(arguments)


def preconditions(options):
    """What is missing before anything is measured, and how to get it."""
    found = []
    if not Path(options.binary).exists():
        found.append(f"{options.binary}: cargo build --release")
    if not (options.data / "train-images-idx3-ubyte").exists():
        found.append(f"{options.data}: MNIST's IDX files; configs/mnist.json says how to get them")
    if not options.skip_torch:
        code = "import torch; assert torch.cuda.is_available(), 'CUDA is not available to torch'"
        done = subprocess.run([options.python, "-c", code], capture_output=True, text=True)
        if done.returncode != 0:
            found.append(f"PyTorch: {done.stderr.strip().splitlines()[-1]} (pip install torch numpy, and --python)")
    return found


def main():
    options = options_of()
    found = preconditions(options)
    for line in found:
        say(f"missing: {line}")
    if found and not options.dry_run:
        sys.exit(1)
    document = measure(options)
    show(document)
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
