"""What the peers share: the work, MNIST's files, the clock around whole epochs, one JSON line.

Every peer trains inputs-hidden-classes with relu, softmax cross-entropy, Adam (1e-3, 0.9, 0.999,
1e-8) in f32, on rows that lie in memory, in a new order each epoch. What is compiled or warmed up
is outside the clock: one epoch is run before it starts.
"""

import argparse
import json
import os
import struct
import sys
import time
from pathlib import Path

LEARNING_RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8
CLASSES = 10
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def arguments(about):
    """The command line of a peer; what it does not know is left for the peer."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--data", type=Path, required=True, help="folder of MNIST's IDX files")
    parser.add_argument("--hidden", type=widths, default=[128, 64], help="such as 128-64")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rows", type=int, default=60000, help="rows of an epoch")
    parser.add_argument("--epochs", type=int, default=2, help="epochs on the clock")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as it likes")
    parser.add_argument("--device", default="cpu")
    return parser


def widths(text):
    return [int(width) for width in text.split("-")]


def idx(path):
    """An IDX file of bytes, as a numpy array."""
    import numpy as np

    raw = path.read_bytes()
    shape = struct.unpack_from(f">{raw[3]}I", raw, 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


def mnist(args):
    """Features [rows, 784] in 0..1 and labels [rows]."""
    import numpy as np

    images, labels = idx(args.data / IMAGES), idx(args.data / LABELS)
    rows = min(args.rows, len(images))
    features = images[:rows].reshape(rows, -1).astype(np.float32) / np.float32(255)
    return features, labels[:rows].astype(np.int32)


def orders(rows, batch, seed=0):
    """For each epoch a new order of the rows, as [steps, batch]; the short last batch is left out."""
    import numpy as np

    generator = np.random.default_rng(seed)
    steps = rows // batch
    while True:
        order = generator.permutation(rows)[: steps * batch]
        yield order.reshape(steps, batch).astype(np.int32)


def timed(args, epoch, version, device="cpu", warm_up=1):
    """Runs `epoch()` -> last loss, first off the clock, then on it; prints the peer's line."""
    for _ in range(warm_up):
        epoch()
    begun = time.perf_counter()
    for _ in range(args.epochs):
        loss = epoch()
    seconds = time.perf_counter() - begun
    report(args, seconds, float(loss), version, device)


def report(args, seconds, loss, version, device):
    steps = args.rows // args.batch * args.epochs
    line = {
        "peer": Path(sys.argv[0]).stem,
        "version": version,
        "device": device,
        "samples_per_second": steps * args.batch / seconds,
        "step_ms": seconds / steps * 1e3,
        "steps": steps,
        "loss": loss,
    }
    print(json.dumps(line), flush=True)


def limit_threads(args):
    """Before a library is imported: most read these once."""
    if args.threads:
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[name] = str(args.threads)
        flags = os.environ.get("XLA_FLAGS", "")
        if args.threads == 1:
            flags += " --xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        os.environ["XLA_FLAGS"] = flags
