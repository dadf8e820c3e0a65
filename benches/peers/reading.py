#!/usr/bin/env python3
"""How fast a table is read: wgfit beside pandas' C reader (CSV) and pyarrow (Parquet), the same file, by turns.

    cargo bench --no-run --bench reading
    benches/peers/reading.py --binary target/release/deps/reading-...

wgfit's seconds are those of reading, finding the columns' types and parsing, as the peers'. Both have read the file
before in the same process: a peer in the rounds before, wgfit twice.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# At least this share of the peer's speed.
BOUND = 0.5


def table(rows, numbers):
    import numpy
    import pandas

    drawn = numpy.random.default_rng(0)
    columns = {f"x{at}": drawn.normal(size=rows) for at in range(numbers)}
    columns["colour"] = drawn.choice(["red", "green", "blue"], rows)
    columns["count"] = drawn.integers(0, 1000, rows)
    columns["y"] = drawn.integers(0, 2, rows)
    return pandas.DataFrame(columns)


def wgfit_seconds(options, file):
    done = subprocess.run([options.binary, str(file), "y", "3"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[2])["seconds"]


def peer_seconds(read, file):
    begun = time.perf_counter()
    read(file)
    return time.perf_counter() - begun


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, help="the benchmark `reading`")
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()

    import pandas
    import pyarrow.parquet

    peers = {
        "short.csv": ("pandas", lambda file: pandas.read_csv(file, engine="c")),
        "full.csv": ("pandas", lambda file: pandas.read_csv(file, engine="c")),
        "rows.parquet": ("pyarrow", pyarrow.parquet.read_table),
    }
    results, failed = [], False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = table(options.rows, options.columns)
        rows.to_csv(folder / "short.csv", index=False, float_format="%.6g")
        rows.to_csv(folder / "full.csv", index=False)
        rows.to_parquet(folder / "rows.parquet", index=False)
        for file, (peer, read) in peers.items():
            path = folder / file
            own, theirs = [], []
            peer_seconds(read, path)
            for _ in range(options.rounds):
                own.append(wgfit_seconds(options, path))
                theirs.append(peer_seconds(read, path))
            own, theirs = statistics.median(own), statistics.median(theirs)
            ratio = theirs / own
            failed |= ratio < BOUND
            print(f"{file}, {path.stat().st_size / 1e6:.0f} MB: wgfit {own:.3f} s, {peer} {theirs:.3f} s, "
                  f"{ratio:.2f} of its speed, at least {BOUND:g}: {'pass' if ratio >= BOUND else 'FAIL'}", flush=True)
            results.append({"file": file, "peer": peer, "wgfit": own, "theirs": theirs, "ratio": ratio, "bound": BOUND})
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
