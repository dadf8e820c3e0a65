"""Burn: the binary of benches/peers/burn, on its CPU backend (flex) or on wgpu."""

import json
import os
import subprocess
import sys

import common

parser = common.arguments(__doc__)
parser.add_argument("--binary", default=os.environ.get("BURN_MLP", "benches/peers/burn/target/release/burn-mlp"))
args = parser.parse_args()
if args.threads:
    os.environ["RAYON_NUM_THREADS"] = str(args.threads)
steps = args.rows // args.batch
layers = "-".join(map(str, args.hidden))
command = [args.binary, str(args.data), layers, str(args.batch), str(steps), str(args.epochs * steps)]
command.append("flex" if args.device == "cpu" else "wgpu")
done = subprocess.run(command, capture_output=True, text=True)
if done.returncode != 0:
    sys.exit(f"{' '.join(command)}\n{done.stderr[-2000:]}")
found = json.loads(done.stdout.splitlines()[-1])
common.report(args, found["seconds"], found["loss"], found["version"], found["device"])
