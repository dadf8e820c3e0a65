"""Writes the small valid files in tests/corpus/seeds that fuzzing and tests/hostile start from:

    target/python/bin/python tests/fuzz/seeds.py [wgfit]

numpy, pyarrow and safetensors write them; the model files are written by wgfit, when its path is given.
"""

import gzip
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import safetensors.numpy

ROWS = 24
HERE = pathlib.Path(__file__).resolve().parent
SEEDS = HERE.parent / "corpus" / "seeds"


def write(name, data):
    path = SEEDS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


rows = range(ROWS)
columns = {
    "a": [None if i == 5 else i / 4 - 2 for i in rows],
    "n": [i * i % 7 for i in rows],
    "color": [["red", "green", "blau", ""][i % 4] or None for i in rows],
    "yes": [i % 3 == 0 for i in rows],
    "when": [f"2024-{1 + i % 12:02}-{1 + i:02}" for i in rows],
    "w": [1 + i % 2 for i in rows],
    "y": [["no", "yes"][i % 2] for i in rows],
}


def text(value):
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def csv(delimiter, quote=""):
    lines = [delimiter.join(columns)]
    for i in rows:
        cells = [text(values[i]) for values in columns.values()]
        cells[2] = quote + cells[2] + quote
        lines.append(delimiter.join(cells))
    return "\n".join(lines) + "\n"


def zstd(data):
    to = pa.BufferOutputStream()
    with pa.CompressedOutputStream(to, "zstd") as packed:
        packed.write(data)
    return to.getvalue().to_pybytes()


write("csv/plain", csv(","))
write("csv/quoted", csv(";", '"').replace("\n", "\r\n"))
write("csv/tabs", "\ufeff" + csv("\t"))
write("csv/numbers", "".join(f"{i},{i % 5}.5,{-i}e1,{i % 2}\n" for i in rows))
write("csv/multiline", 'a,y\n1,"x\n""y"""\n2,z\n' * 6)
write("gzip/plain", gzip.compress(csv(",").encode(), mtime=0))
write("gzip/two_members", gzip.compress(b"a,y\n1,2\n", mtime=0) + gzip.compress(b"2,3\n" * 9, mtime=0))
write("zstd/plain", zstd(csv(",").encode()))
write("zstd/two_frames", zstd(b"a,y\n1,2\n") + zstd(b"2,3\n" * 9))


def idx(array, code):
    head = bytes([0, 0, code, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


images = (np.arange(ROWS * 4) * 37 % 256).reshape(ROWS, 2, 2)
write("idx/images", idx(images.astype(np.uint8), 0x08))
write("idx/labels", idx((np.arange(ROWS) % 3).astype(np.uint8), 0x08))
write("idx/shorts", idx(images.astype(np.int16) - 100, 0x0B))
write("idx/floats", idx(images.astype(np.float32) / 9, 0x0D))
write("idx/doubles", idx(images[:, 0, :].astype(np.float64) / 9, 0x0E))
write("idx/compressed", gzip.compress(idx(images.astype(np.uint8), 0x08), mtime=0))


def npy(array, **options):
    import io

    to = io.BytesIO()
    np.lib.format.write_array(to, array, **options)
    return to.getvalue()


table = np.arange(ROWS * 4).reshape(ROWS, 4)
write("npy/floats", npy(table.astype("<f4") / 3))
write("npy/fortran", npy(np.asfortranarray(table.astype("<f8"))))
write("npy/big", npy(table.astype(">i2"), version=(2, 0)))
write("npy/large", npy((table.astype("<u8") << 56) + 1))
write("npy/halves", npy(table.astype("<f2").reshape(ROWS, 2, 2)))
write("npy/flags", npy(np.arange(ROWS) % 2 == 0))
write("npy/bytes", npy(np.array([["no", "yes"][i % 2] for i in rows], dtype="S3"), version=(3, 0)))
write("npy/words", npy(np.array([["nö", "yes"][i % 2] for i in rows], dtype="<U3")))


def npz(save, **arrays):
    with tempfile.TemporaryDirectory() as folder:
        save(f"{folder}/a.npz", **arrays)
        return pathlib.Path(f"{folder}/a.npz").read_bytes()


parts = {"a": table[:, 0].astype("f4"), "m": table[:, 1:3], "y": np.array([["no", "yes"][i % 2] for i in rows])}
write("npz/stored", npz(np.savez, **parts))
write("npz/deflated", npz(np.savez_compressed, **parts))
moments = {name: np.array([text(value) for value in columns[name]]) for name in ["color", "y"]}
moments |= {"when": np.arange(ROWS).astype("<M8[D]")}
moments |= {name: np.array(columns[name], dtype="f8") for name in ["a", "n", "w"]}
write("npz/dates", npz(np.savez, **moments))
write("npz/alone", npz(np.savez_compressed, x=table.astype("u1")))

arrow = pa.table({
    "a": pa.array(columns["a"], pa.float32()),
    "n": pa.array(columns["n"], pa.int64()),
    "color": pa.array(columns["color"]).dictionary_encode(),
    "yes": pa.array(columns["yes"]),
    "when": pa.array([i for i in rows], pa.int32()).cast(pa.date32()),
    "w": pa.array(columns["w"], pa.uint8()),
    "y": pa.array(columns["y"]),
})
wide = arrow.append_column("d", pa.array(columns["n"]).cast(pa.decimal128(21, 2)))
moments = pa.array([i << 40 for i in rows], pa.int64()).cast(pa.timestamp("us"))
wide = wide.set_column(wide.column_names.index("when"), "when", moments)
nested = arrow.select(["y", "n"]).append_column("l", pa.array([[1, 2]] * ROWS))
nested = nested.append_column("s", pa.array([{"x": 1}] * ROWS))
wide = wide.append_column("0", pa.nulls(ROWS))
wide = wide.append_column("h", pa.array(np.arange(ROWS).astype("f2")))


def stream(table, codec=None, kind=pa.ipc.new_stream, rows=None):
    to = pa.BufferOutputStream()
    with kind(to, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
        writer.write_table(table, max_chunksize=rows)
    return to.getvalue().to_pybytes()


write("arrow/file", stream(arrow, kind=pa.ipc.new_file))
write("arrow/lz4", stream(arrow, "lz4", pa.ipc.new_file))
write("arrow/zstd", stream(arrow.select(["a", "y"]), "zstd", pa.ipc.new_file, 10))
write("arrow/stream", stream(arrow.select(["a", "color", "y"]), rows=10))
write("arrow/wide", stream(wide, kind=pa.ipc.new_file))
write("arrow/nested", stream(nested, kind=pa.ipc.new_file))


def parquet(table, **options):
    to = pa.BufferOutputStream()
    pa.parquet.write_table(table, to, store_schema=options.pop("store_schema", False), **options)
    return to.getvalue().to_pybytes()


small = arrow.select(["a", "color", "y"])
write("parquet/snappy", parquet(small))
write("parquet/groups", parquet(small, row_group_size=10, compression="zstd", store_schema=True))
write("parquet/plain", parquet(small, compression="none", use_dictionary=False, write_statistics=False))
write("parquet/second", parquet(arrow, compression="lz4", data_page_version="2.0", write_statistics=False))
write("parquet/deltas", parquet(
    arrow.select(["n", "y"]), compression="gzip", use_dictionary=False, write_statistics=False,
    column_encoding={"n": "DELTA_BINARY_PACKED", "y": "DELTA_BYTE_ARRAY"}))
write("parquet/nested", parquet(nested))
write("parquet/wide", parquet(wide.drop_columns(["h"]), compression="none", write_statistics=False))

# Starting weights of 3-4-2 with two members, as tests/hostile/entries.rs has it.
layer = lambda *shape: np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
write("weights/members", safetensors.numpy.save({
    "layers.0.weight": layer(2, 4, 3), "layers.0.bias": layer(2, 4),
    "layers.1.weight": layer(2, 2, 4), "layers.1.bias": layer(2, 2)}))
write("weights/shared", safetensors.numpy.save({
    "layers.0.weight": layer(4, 3).astype(np.float64), "layers.0.bias": layer(4),
    "layers.1.weight": layer(2, 4), "layers.1.bias": layer(2)}))

write("config/small", '{ "data": { "train": "rows.csv", "target": "y" } }')
write("config/comments", """{
    // Comments and trailing commas are fine.
    "seed": 3, "members": 2,
    "data": { "train": "rows.csv", "target": ["y", 2], "validation": 0.25, "test": "t.csv", "folds": null,
        "columns": { "a": { "type": "numeric", "missing": "mean" } }, "class_weights": { "no": 2 } },
    "model": { "layers": [
        { "units": 8, "activation": { "name": "leaky_relu", "slope": 0.1 }, "norm": "layer_norm" },
        { "units": 8, "dropout": 0.1, "l2": 1e-4, "max_norm": 3.0, "residual": true },
    ], "init_from": "w.safetensors" },
    "loss": "huber", "optimizer": { "name": "adamw", "learning_rate": 0.01, "weight_decay": 0.1 },
    "schedule": { "name": "one_cycle", "pct_start": 0.2 },
    "training": { "epochs": 3, "batch_size": 32, "ema": 0.99 },
    "early_stopping": { "monitor": "val_loss", "patience": 2 }, "metrics": ["mae"],
}
""")
for name in ["iris", "mnist"]:
    path = HERE.parents[1] / "configs" / f"{name}.json"
    if path.exists():
        write(f"config/{name}", path.read_bytes())

write("sweep/small", """{
    // Comments and trailing commas are fine.
    "config": { "data": { "train": "rows.csv", "target": "y", "validation": 0.2,
        "columns": { "when": { "type": "date" } } } },
    "space": { "optimizer.learning_rate": [0.001, 0.01] },
}
""")
write("sweep/grid", """{
    "config": {
        "data": { "train": "rows.csv", "target": "y", "validation": 0.2,
            "columns": { "when": { "type": "date" } } },
        "model": { "layers": [{ "units": 3, "dropout": 0.1 }, { "units": 2 }] }
    },
    "space": {
        "optimizer.name": ["sgd", "adamw"],
        "optimizer.learning_rate": { "log_uniform": [1e-4, 1e-1], "points": 2 },
        "optimizer.weight_decay": { "choice": [0, 0.1], "when": { "optimizer.name": "adamw" } },
        "model.layers.*.dropout": { "uniform": [0, 0.5], "points": 2 }
    },
    "scheduler": { "name": "asha", "min_epochs": 2, "reduction": 2 },
    "monitor": "val_loss", "seed": 7, "lanes": 3
}
""")
write("sweep/random", """{
    "config": { "data": { "train": "rows.csv", "target": "y", "validation": 0.2,
        "columns": { "when": { "type": "date" } } }, "model": { "layers": [{ "units": 2 }] } },
    "space": {
        "model.layers[0].units": { "int_log_uniform": [2, 9] },
        "training.batch_size": { "int_uniform": [4, 8] },
        "model.layers.0.activation": ["relu", { "name": "leaky_relu", "slope": 0.1 }]
    },
    "search": { "name": "random", "trials": 6 },
    "scheduler": "median"
}
""")

shutil.copy(HERE.parent / "model_versions" / "version_1.safetensors", write("model/version_1", b""))
if len(sys.argv) > 1:
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name, change in {
            "two_classes": {},
            "heads": {"model": {"layers": [{"units": 3, "adapters": "tabm"}]}},
            "numbers": {"data": {"target": "n", "task": "regression"}, "model": {"layers": [
                {"units": 3, "activation": "prelu", "norm": "batch_norm"}, {"units": 3, "residual": True}]}},
        }.items():
            (folder / "rows.csv").write_text(csv(","))
            config = {
                "members": 2,
                "data": {"train": "rows.csv", "target": "y", "columns": {
                    "when": {"type": "date"}, "w": {"type": "weight"}, "color": {"encoding": "embedding"}}},
                "model": {"layers": [{"units": 3}]},
                "training": {"epochs": 1, "batch_size": 8},
                "log": {"tensorboard": False, "histograms_every": 0},
            }
            config["data"] |= change.get("data", {})
            config["model"] |= change.get("model", {})
            (folder / "config.json").write_text(json.dumps(config))
            wgfit = pathlib.Path(sys.argv[1]).resolve()
            subprocess.run([wgfit, "train", "config.json", "--device", "cpu", "--out", name],
                           cwd=folder, check=True, stdout=subprocess.DEVNULL)
            write(f"model/{name}", (folder / name / "model.safetensors").read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "rows.csv").write_text(csv(","))
        shutil.copy(HERE.parent / "hostile" / "training.json", folder)
        subprocess.run([wgfit, "train", "training.json", "--device", "cpu", "--out", "run", "training.epochs=1"],
                       cwd=folder, check=True, stdout=subprocess.DEVNULL)
        write("checkpoint/one_epoch", (folder / "run" / "checkpoint" / "1.safetensors").read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "rows.csv").write_text(csv(","))
        shutil.copy(HERE.parent / "hostile" / "sweep.json", folder)
        # After two epochs of its trials.
        subprocess.run([wgfit, "sweep", "sweep.json", "--device", "cpu", "--out", "run",
                        "--fail-operation", "60:kill"],
                       cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        progress = (folder / "run" / "state" / "progress.json").read_bytes()
        write("sweep_state/progress", progress)
        for kind in ["trials", "epochs"]:
            on_disk = (folder / "run" / f"{kind}.jsonl").read_bytes()
            write(f"sweep_state/{kind}", on_disk[:json.loads(progress)[kind]])
