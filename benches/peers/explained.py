"""What `wgfit train CONFIG --explain --time --json` measures, for scripts that need it."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import wgfit_mlp


def explain(binary, written, device, folder, environment=None):
    """The timed explanation of a config."""
    file = folder / "config.json"
    file.write_text(json.dumps(written))
    command = [binary, "train", str(file), "--explain", "--time", "--json", "--device", device, "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return json.loads(done.stdout)


def mnist_step(binary, data, hidden, batch, device, rows=60000, environment=None, **more):
    """The timed explanation of a step of 784-hidden-10."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = wgfit_mlp.images(folder, data, rows)
        written = wgfit_mlp.config(hidden, batch, 1, images, **more)
        return explain(binary, written, device, folder, environment)
