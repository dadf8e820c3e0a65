"""Data larger than memory: an epoch of wgfit from a file of 8 GB, streamed, beside one in memory.

Makes a Parquet and an NPY file of as many rows as asked for in a temporary folder, trains an epoch on
each with `data.streaming`, and measures the largest resident memory of the process and the rows
trained on in a second. The rate in memory is that of a part of the same rows which fits, in runs that
alternate with streamed ones of the whole. Prints a JSON line for each format. The files are removed, unless a folder is named for them.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy
import pyarrow
import pyarrow.parquet

# Rows that are made at once.
PIECE = 1 << 16

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--binary", default="target/release/wgfit")
parser.add_argument("--gigabytes", type=float, default=8.0, help="of f32 columns in the file")
parser.add_argument("--part", type=float, default=1 / 8, help="share of the rows that is trained in memory")
parser.add_argument("--columns", type=int, default=64, help="inputs")
parser.add_argument("--hidden", default="128-64")
parser.add_argument("--batch", type=int, default=256)
parser.add_argument("--validation", type=float, default=0.0)
parser.add_argument("--rounds", type=int, default=2)
parser.add_argument("--formats", default="parquet,npy")
parser.add_argument("--device", default="cpu")
parser.add_argument("--folder", type=Path, help="of the files, which stay there and are used again [default: a temporary one]")
parser.add_argument("--prepare", action="store_true", help="make the files in --folder, and train nothing")
parser.add_argument("--set", action="append", default=[], help="KEY=VALUE for wgfit, several times")
args = parser.parse_args()


def pieces(rows):
    """The same rows for every format: inputs and, last, a target that depends on them."""
    weights = numpy.random.default_rng(1).normal(size=args.columns).astype(numpy.float32)
    for first in range(0, rows, PIECE):
        count = min(PIECE, rows - first)
        random = numpy.random.default_rng((2, first))
        inputs = random.standard_normal((count, args.columns), dtype=numpy.float32)
        noise = random.standard_normal(count, dtype=numpy.float32)
        target = numpy.tanh(inputs @ weights * 0.2) + 0.1 * noise
        yield numpy.concatenate([inputs, target[:, None].astype(numpy.float32)], axis=1)


def write_parquet(file, rows):
    names = [f"x{i}" for i in range(args.columns)] + ["y"]
    schema = pyarrow.schema([(name, pyarrow.float32()) for name in names])
    with pyarrow.parquet.ParquetWriter(file, schema, compression="snappy", use_dictionary=False) as writer:
        for piece in pieces(rows):
            columns = [pyarrow.array(numpy.ascontiguousarray(piece[:, i])) for i in range(len(names))]
            writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema))


def write_npy(file, rows):
    with open(file, "wb") as out:
        header = {"descr": "<f4", "fortran_order": False, "shape": (rows, args.columns + 1)}
        numpy.lib.format.write_array_header_1_0(out, header)
        for piece in pieces(rows):
            out.write(piece.tobytes())


WRITERS = {"parquet": write_parquet, "npy": write_npy}


def train(folder, file, streaming):
    """An epoch; the rate, the largest resident memory in MiB, and the seconds of the whole process."""
    config = {
        "seed": 1,
        "data": {
            "train": str(file),
            "target": args.columns if file.suffix == ".npy" else "y",
            "task": "regression",
            "validation": args.validation,
            "streaming": streaming,
            "streaming_folder": str(folder),
        },
        "model": {"layers": [{"units": int(units), "activation": "relu"} for units in args.hidden.split("-")]},
        "training": {"epochs": 1, "batch_size": args.batch},
    }
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    run = folder / "run"
    command = [args.binary, "train", str(path), "--device", args.device, "--out", str(run), "--overwrite"]
    command += ["--quiet", *args.set]
    begun = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    # What wait4 tells would count this process's memory in, which the child is forked from.
    resident = 0
    while child.poll() is None:
        resident = max(resident, high_water(child.pid))
        time.sleep(0.02)
    if child.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {child.returncode}")
    summary = json.loads((run / "summary.json").read_text())
    seconds = time.perf_counter() - begun
    return summary["samples_per_second"], resident / 1024, seconds


def high_water(process):
    """The largest resident memory of a process so far, in KiB, all of its threads together."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    lines = [line.split() for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0][1]) if lines else 0


def middle(values):
    values = sorted(values)
    return (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2


def measure(name):
    rows = int(args.gigabytes * 1e9 / 4 / (args.columns + 1))
    part = int(rows * args.part)
    folder = args.folder or Path(tempfile.mkdtemp(prefix="wgfit-streaming-"))
    try:
        files = []
        for count in (rows, part):
            file = folder / f"{count}x{args.columns}.{name}"
            if not file.exists():
                half = file.with_suffix(f".half.{name}")
                WRITERS[name](half, count)
                half.rename(file)
            files.append(file)
        if args.prepare:
            return
        os.sync()
        whole, fits = files
        streamed, in_memory, resident, seconds = [], [], [], []
        for _ in range(args.rounds):
            rate, peak, took = train(folder, whole, True)
            streamed.append(rate)
            resident.append(peak)
            seconds.append(took)
            in_memory.append(train(folder, fits, False)[0])
        print(
            json.dumps(
                {
                    "format": name,
                    "file_gb": round(whole.stat().st_size / 1e9, 2),
                    "rows": rows,
                    "columns": args.columns,
                    "hidden": args.hidden,
                    "batch": args.batch,
                    "device": args.device,
                    "streamed_rows_per_second": round(middle(streamed)),
                    "in_memory_rows": part,
                    "in_memory_rows_per_second": round(middle(in_memory)),
                    "ratio": round(middle(streamed) / middle(in_memory), 3),
                    "ratios": [round(a / b, 3) for a, b in zip(streamed, in_memory)],
                    "peak_resident_mib": round(max(resident)),
                    "whole_process_seconds": round(middle(seconds), 1),
                }
            ),
            flush=True,
        )
    finally:
        if args.folder is None:
            shutil.rmtree(folder)


for name in args.formats.split(","):
    measure(name)
