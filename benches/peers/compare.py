#!/usr/bin/env python3
"""wgfit against every peer that is installed, on the same work: MNIST, Adam, relu, f32.

Each measurement is a child process of this one, wgfit and the peers by turns, in rounds; medians
over the rounds. Run it from the repository's root after `cargo build --release`.

    benches/peers/compare.py --data configs/data --python venv/bin/python
    benches/peers/compare.py --sizes 128-64@64 --peers jax,torch --rounds 5
    benches/peers/compare.py --device swiftshader --peers burn-wgpu --sizes 128-64@64 --rows 6400
"""

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent

# Widths, batch, and epochs on the clock: about as many seconds each.
SIZES = {"32@32": 4, "128-64@64": 4, "512-512@256": 2, "1024-1024@1024": 2}

# name: script, arguments, what must be importable, how to get it.
PEERS = {
    "jax": ("jax_mlp.py", [], "jax", "pip install jax"),
    "torch": ("torch_mlp.py", [], "torch", "pip install torch"),
    "torch-compile": ("torch_mlp.py", ["--compile"], "torch", "pip install torch"),
    "torch-cuda-graph": ("torch_mlp.py", ["--cuda-graph"], "torch", "pip install torch"),
    "keras": ("keras_mlp.py", [], "keras", "pip install keras jax"),
    "sklearn": ("sklearn_mlp.py", [], "sklearn", "pip install scikit-learn"),
    "burn": ("burn_mlp.py", [], None, "cargo build --release in benches/peers/burn; BURN_MLP=path"),
    "burn-wgpu": ("burn_mlp.py", [], None, "as burn"),
}
# On an accelerator, what each peer calls it; a peer that is not here runs on the CPU alone.
ACCELERATORS = {
    "cuda": {"jax": "cuda", "keras": "cuda", "torch": "cuda", "torch-compile": "cuda",
             "torch-cuda-graph": "cuda", "burn-wgpu": "wgpu"},
}


def swiftshader():
    """A Vulkan manifest for the SwiftShader that comes with Chromium, or none."""
    library = Path("/usr/lib/chromium/libvk_swiftshader.so")
    if not library.exists():
        return None
    manifest = Path("/tmp") / f"swiftshader-{os.getuid()}.json"
    icd = {"library_path": str(library), "api_version": "1.1.0"}
    manifest.write_text(json.dumps({"file_format_version": "1.0.0", "ICD": icd}))
    return manifest


def environment(device):
    """The environment of a measurement: a software adapter that is named is all there is, and numpy
    finds out by itself which BLAS kernels suit the processor."""
    variables = dict(os.environ, KERAS_BACKEND="jax")
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        variables.pop(name, None)
    if device == "swiftshader" and (manifest := swiftshader()):
        variables["VK_ICD_FILENAMES"] = variables["VK_DRIVER_FILES"] = str(manifest)
    return variables


def missing(peer, options):
    """Why a peer cannot run here; none where it can."""
    script, _, module, how = PEERS[peer]
    if module is None:
        return None if Path(options.burn).exists() else f"no binary {options.burn} ({how})"
    found = subprocess.run([options.python, "-c", f"import {module}"], capture_output=True, text=True,
                           env=environment(options.device))
    if found.returncode == 0:
        return None
    lines = found.stderr.strip().splitlines()
    return f"{lines[-1] if lines else 'does not import'} ({how})"


def measure(peer, size, epochs, options):
    """One measurement in a child process: its line, or why there is none."""
    hidden, batch = size.split("@")
    device = options.device
    if peer == "wgfit":
        command = [sys.executable, str(HERE / "wgfit_mlp.py"), "--binary", options.binary]
        if device == "cuda":
            device = "gpu"
    else:
        script, extra, module, _ = PEERS[peer]
        python = options.python if module else sys.executable
        command = [python, str(HERE / script), *extra]
        if module is None:
            command += ["--binary", options.burn]
        if device in ACCELERATORS:
            device = ACCELERATORS[device].get(peer, "cpu")
        elif peer == "burn-wgpu":
            device = "wgpu"
        else:
            device = "cpu"
    command += ["--data", str(options.data), "--hidden", hidden, "--batch", batch]
    command += ["--rows", str(options.rows), "--epochs", str(epochs), "--device", device]
    command += ["--threads", str(options.threads)]
    command = shlex.split(options.under) + command
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=options.timeout,
                              env=environment(options.device))
    except subprocess.TimeoutExpired:
        return {"error": f"took more than {options.timeout} s"}
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        return {"error": lines[-1] if lines else f"exit code {done.returncode}"}
    return json.loads(done.stdout.splitlines()[-1])


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def compare(options):
    """Runs everything; returns the document that --json writes."""
    absent = {peer: why for peer in options.peers if (why := missing(peer, options))}
    for peer, why in absent.items():
        print(f"not measured: {peer}: {why}")
    peers = ["wgfit", *(peer for peer in options.peers if peer not in absent)]
    document = {
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "device": options.device,
        "rows": options.rows,
        "rounds": options.rounds,
        "command": shlex.join(sys.argv),
        "missing": absent,
        "sizes": {},
    }
    for size, epochs in options.sizes.items():
        found = {peer: [] for peer in peers}
        for round_ in range(options.rounds):
            # Each starts a round as often as the others.
            turn = peers[round_ % len(peers):] + peers[: round_ % len(peers)]
            for peer in turn:
                line = measure(peer, size, epochs, options)
                if "error" in line:
                    print(f"{size}: {peer}: {line['error']}", file=sys.stderr)
                found[peer].append(line)
        document["sizes"][size] = summarize(found)
        show(size, document["sizes"][size])
    return document


def summarize(found):
    summary = {}
    for peer, lines in found.items():
        good = [line for line in lines if "error" not in line]
        if good:
            rates = [line["samples_per_second"] for line in good]
            summary[peer] = {
                "samples_per_second": statistics.median(rates),
                "step_ms": statistics.median(line["step_ms"] for line in good),
                "all": rates,
                "loss": good[-1]["loss"],
                "version": good[-1]["version"],
                "device": good[-1]["device"],
            }
        else:
            summary[peer] = {"error": lines[-1]["error"]}
    ours = summary["wgfit"].get("samples_per_second")
    for peer, of_peer in summary.items():
        if peer != "wgfit" and ours and "samples_per_second" in of_peer:
            of_peer["ratio"] = ours / of_peer["samples_per_second"]
    return summary


def show(size, summary):
    print(f"\n784-{size.split('@')[0]}-10, batch {size.split('@')[1]}")
    print(f"  {'':<18}{'samples/s':>12}{'ms/step':>10}{'wgfit/peer':>12}{'loss':>10}")
    for peer, found in summary.items():
        if "error" in found:
            print(f"  {peer:<18}{found['error']}")
            continue
        ratio = f"{found['ratio']:.2f}" if "ratio" in found else ""
        print(f"  {peer:<18}{found['samples_per_second']:>12,.0f}{found['step_ms']:>10.3f}"
              f"{ratio:>12}{found['loss']:>10.4f}   {found['version']}, {found['device']}")
    sys.stdout.flush()


def sizes(text):
    chosen = {}
    for size in text.split(","):
        name, _, epochs = size.partition("x")
        chosen[name] = int(epochs) if epochs else SIZES.get(name, 2)
    return chosen


def options_of(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("configs/data"), help="MNIST's IDX files")
    parser.add_argument("--binary", default="target/release/wgfit")
    parser.add_argument("--python", default=sys.executable, help="the Python that has the peers")
    parser.add_argument("--burn", default=os.environ.get("BURN_MLP", str(HERE / "burn/target/release/burn-mlp")))
    parser.add_argument("--device", default="cpu",
                        help="cpu, cuda (wgfit: gpu), or a part of an adapter's name, such as llvmpipe or swiftshader")
    parser.add_argument("--peers", default="jax,torch,keras,sklearn,burn", type=lambda text: [p for p in text.split(",") if p],
                        help=f"out of {', '.join(PEERS)}")
    parser.add_argument("--sizes", type=sizes, default=SIZES, help="such as 128-64@64,512-512@256x3 (x epochs)")
    parser.add_argument("--rows", type=int, default=60000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--timeout", type=int, default=300)
    parser.add_argument("--under", default="", help="a command that each measurement runs under, such as 'taskset -c 0,1'")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args(arguments)
    unknown = [peer for peer in options.peers if peer not in PEERS]
    if unknown:
        parser.error(f"unknown peers {', '.join(unknown)}; there are {', '.join(PEERS)}")
    for needed in (options.data / "train-images-idx3-ubyte", Path(options.binary)):
        if not needed.exists():
            parser.error(f"{needed} does not exist (configs/mnist.json says how to get the data; `cargo build --release` makes the binary)")
    return options


def main():
    options = options_of()
    document = compare(options)
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
