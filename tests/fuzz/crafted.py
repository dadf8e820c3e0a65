"""Writes the files of tests/corpus that were made by hand, each a claim that nothing stands behind:

    target/python/bin/python tests/fuzz/crafted.py

What fuzzing found lies beside them as it was found.
"""

import gzip
import io
import json
import pathlib
import struct
import zipfile
import zlib

import numpy as np
import pyarrow as pa

CORPUS = pathlib.Path(__file__).resolve().parent.parent / "corpus"
SEEDS = CORPUS / "seeds"
MOST = 2**31 - 1


def write(name, data):
    path = CORPUS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


write("config/deep", '{"data":' + "[" * 100_000)
write("config/deep_objects", '{"data":' * 3000)
write("config/large_numbers", """{ "seed": 18446744073709551615, "members": 18446744073709551615,
    "data": { "train": "rows.csv", "target": 18446744073709551615, "folds": 9223372036854775807, "chunk_rows": 18446744073709551615 },
    "model": { "layers": [{ "units": 18446744073709551615 }, { "units": 4294967295 }] },
    "schedule": { "name": "cosine", "warmup_steps": 18446744073709551615 },
    "training": { "epochs": 18446744073709551615, "batch_size": 18446744073709551615, "accumulate": 18446744073709551615 } }""")

write("csv/columns", "," * 30_000 + "\n" + ",".join("1" * 30_001) + "\n")
write("csv/open_quote", 'a,y\n1,"x\n' + "2,z\n" * 1000)
write("csv/dates", "when,y\n" + "".join(f"{date},{i % 2}\n" for i, date in enumerate(
    ["-262143-01-01", "+262142-12-31", "0000-00-00", "9999-12-31T23:59:60.999999999+14:00", "2024-02-29"] * 4)))
write("csv/digits", "a,y\n" + ("9" * 400 + ",1\n" + "0." + "0" * 400 + "1,0\n") * 5)

write("gzip/line", gzip.compress(b"x" * (4 << 20), mtime=0))
write("gzip/cut", gzip.compress(b"a,y\n1,2\n" * 900, mtime=0)[:-9])
write("zstd/content_of_2_60", b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 1 << 60) + b"\x01\x00\x00")
write("zstd/window_of_2_41", b"\x28\xb5\x2f\xfd\x00\xff\x01\x00\x00")

write("idx/a_million_columns", b"\0\0\x08\x02" + struct.pack(">II", 1, 1_000_000))
write("idx/a_million_columns_packed", gzip.compress(b"\0\0\x0e\x02" + struct.pack(">II", 1, 1_000_000), mtime=0))
write("idx/rows_of_4_g", b"\0\0\x08\x02" + struct.pack(">II", 2**32 - 1, 4) + b"1234")
write("idx/255_dimensions", b"\0\0\x08\xff" + struct.pack(">I", 2**32 - 1) * 255)


def npy(text, data=b"", version=1, length=None):
    length = len(text) if length is None else length
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", length) + text.encode() + data


def header(descr, shape, order=False):
    return f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n"


write("npy/header_of_4_g", npy("{'descr'", version=2, length=2**32 - 1))
dates = io.BytesIO()
np.save(dates, np.arange(24).astype("<M8[D]"))
write("npy/dates", dates.getvalue())
write("npy/deep", npy("{'descr': " + "(" * 60_000))
write("npy/shape_past_64_bits", npy(header("<f4", "(4294967296, 4294967296, 4)")))
write("npy/a_million_columns", npy(header("<f4", "(1, 1000000)")))
write("npy/rows_of_nothing", npy(header("|S0", "(1000000000000, 4)")))
write("npy/long_texts", npy(header("<U1073741823", "(1,)"), b"1234"))
write("npy/no_columns", npy(header("<f4", "(18446744073709551615, 0)", True)))
write("npy/surrogates", npy(header("<U1", "(4,)"), struct.pack("<IIII", 0xD800, 0x110000, 65, 0)))


def overlapping(count, array):
    """An archive whose entries are all of the same bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(array) + packer.flush()
    sizes = struct.pack("<III", zlib.crc32(array), len(packed), len(array))
    local = b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 8, 0, 33) + sizes + struct.pack("<HH", 5, 0) + b"0.npy"
    entries = b""
    for i in range(count):
        name = f"{i}.npy".encode()
        entries += b"PK\x01\x02" + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 33) + sizes
        entries += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name
    start = len(local) + len(packed)
    return local + packed + entries + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, count, count, len(entries), start, 0)


many = npy(header("|u1", "(1000000,)"), bytes(1_000_000))
write("npz/overlapping", overlapping(20, many))
stored = (SEEDS / "npz/stored").read_bytes()
write("npz/sizes_of_4_g", stored.replace(struct.pack("<II", 224, 224), b"\xfe\xff\xff\xff" * 2))
write("npz/entries_of_65535", stored[:-22] + stored[-22:-14] + b"\xff\xff\xff\xff" + stored[-10:])
out = io.BytesIO()
with zipfile.ZipFile(out, "w") as archive:
    archive.writestr("../../../out.npy", npy(header("<f4", "(2, 2)"), bytes(16)))
    archive.writestr("/tmp/out.npy", npy(header("<f4", "(2, 2)"), bytes(16)))
write("npz/paths", out.getvalue())


# Thrift's compact protocol, as far as it is needed: fields are (number, value).
def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def value(of):
    if isinstance(of, int):
        return 5, varint(of << 1 if of >= 0 else -of * 2 - 1)
    if isinstance(of, bytes):
        return 8, varint(len(of)) + of
    if isinstance(of, dict):
        return 12, struct_of(of)
    kind = value(of[0])[0]
    return 9, bytes([0xF0 | kind]) + varint(len(of)) + b"".join(value(one)[1] for one in of)


def struct_of(fields):
    out, last = b"", 0
    for number, of in fields.items():
        wide = isinstance(of, tuple)
        kind, data = value(of[0] if wide else of)
        out += bytes([(number - last) << 4 | (6 if wide else kind)]) + data
        last = number
    return out + b"\0"


ROOT, TEXTS = {4: b"root", 5: 1}, {1: 6, 3: 0, 4: b"a", 6: 0}


def parquet(page, body, codec=0, encoding=0, schema=(ROOT, TEXTS), rows=1, first=None):
    """A column of texts in one page, or behind another one."""
    pages = (first or b"") + struct_of(page) + body
    column = {1: 6, 2: [encoding], 3: [b"a"], 4: codec, 5: (rows,), 6: (len(pages),), 7: (len(pages),)}
    column[9] = (4 + len(first or b""),)
    if first:
        column[11] = (4,)
    group = {1: [{2: (4,), 3: column}], 2: (len(pages),), 3: (rows,)}
    footer = struct_of({1: 1, 2: list(schema), 3: (rows,), 4: [group]})
    return b"PAR1" + pages + footer + struct.pack("<I", len(footer)) + b"PAR1"


def data_page(size, packed, encoding=0, values=1):
    return {1: 0, 2: size, 3: packed, 5: {1: values, 2: encoding, 3: 3, 4: 3}}


word = b"\x01\0\0\0x"
write("parquet/one_column", parquet(data_page(5, 5), word))
write("parquet/children", parquet(data_page(5, 5), word, schema=({4: b"root", 5: MOST}, TEXTS)))
write("parquet/negative_children", parquet(data_page(5, 5), word, schema=({4: b"root", 5: -1}, TEXTS)))
write("parquet/deep", parquet(data_page(5, 5), word, schema=[ROOT] + [{3: 0, 4: b"g", 5: 1}] * 10_000 + [TEXTS]))
for name, codec in {"snappy": 1, "gzip": 2, "lz4": 5, "zstd": 6, "lz4_raw": 7}.items():
    write(f"parquet/page_of_2_g_{name}", parquet(data_page(MOST, 5), word, codec=codec))
dictionary = struct_of({1: 2, 2: 5, 3: 5, 7: {1: MOST, 2: 0}}) + word
write("parquet/dictionary_of_2_g", parquet(data_page(2, 2, 8), b"\x01\x02", encoding=8, first=dictionary))
for name, encoding in {"lengths": 6, "prefixes": 7}.items():
    packed = varint(128) + varint(4) + varint(MOST) + b"\0" * 64
    write(f"parquet/{name}_of_2_g", parquet(data_page(len(packed), len(packed), encoding), packed, encoding=encoding))
packed = varint(128) + varint(4) + varint(1) + b"\0" + varint(128) + varint(4) + varint(MOST) + b"\0" * 64
write("parquet/suffixes_of_2_g", parquet(data_page(len(packed), len(packed), 7), packed, encoding=7))
packed = varint(1 << 31) + varint(1) + varint(MOST) + b"\0" * 64
write("parquet/one_block_of_2_g", parquet(data_page(len(packed), len(packed), 6), packed, encoding=6))
packed = varint(128 << 40) + varint(4 << 40) + varint(40) + b"\0" * 64
write("parquet/blocks_of_2_40", parquet(data_page(len(packed), len(packed), 6, 40), packed, encoding=6, rows=40))
write("parquet/rows_of_2_60", parquet(data_page(5, 5, values=MOST), word, rows=1 << 60))


def stream(table, kind=pa.ipc.new_stream, codec=None):
    to = pa.BufferOutputStream()
    with kind(to, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
        writer.write_table(table)
    return to.getvalue().to_pybytes()


five, many = struct.pack("<q", 5), struct.pack("<q", 1 << 60)
nulls = pa.table({f"{i}": pa.nulls(5) for i in range(4)})
write("arrow/rows_of_nothing", stream(nulls).replace(five, many))
write("arrow/rows_of_nothing_in_a_file", stream(nulls, pa.ipc.new_file).replace(five, many))
numbers = pa.table({f"{i}": pa.array([1.0, 2, 3, 4, 5]) for i in range(4)})
write("arrow/rows_past_the_body", stream(numbers).replace(five, many))
write("arrow/negative_rows", stream(numbers).replace(five, struct.pack("<q", -5)))
zeros = pa.table({f"{i}": pa.array(np.zeros(500)) for i in range(4)})
for codec in ["lz4", "zstd"]:
    packed = stream(zeros, codec=codec)
    for bits in [29, 58]:
        claim = packed.replace(struct.pack("<q", 4000), struct.pack("<q", 1 << bits))
        write(f"arrow/becomes_2_{bits}_{codec}", claim)


def safetensors(head, data=b""):
    head = head if isinstance(head, bytes) else json.dumps(head).encode()
    return struct.pack("<Q", len(head)) + head + data


def model(seed, change):
    data = (SEEDS / "model" / seed).read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    head = json.loads(data[8 : 8 + length])
    own = json.loads(head["__metadata__"]["wgfit"])
    change(own)
    head["__metadata__"]["wgfit"] = json.dumps(own)
    return safetensors(head, data[8 + length :])


def at(path, new):
    def change(own):
        *parts, last = path
        for part in parts:
            own = own[part]
        own[last] = new

    return change


LAYER = ["config", "model", "layers", 0]
for name, path, new in [
    ("members", ["config", "members"], 1 << 60),
    ("no_members", ["config", "members"], 0),
    ("units", [*LAYER, "units"], 1 << 30),
    ("columns", ["preprocessing", "columns"], 1 << 62),
    ("task", ["preprocessing", "task"], "regression"),
    ("loss", ["config", "loss"], "categorical_cross_entropy"),
    ("metrics", ["config", "metrics"], ["mae", "r2", "top_5_accuracy"]),
    ("paths", ["config", "model", "init_from"], "../../../../etc/passwd"),
    ("train", ["config", "data", "train"], "/etc/passwd"),
    ("softmax", ["config", "model", "output", "activation"], "softmax"),
    ("folds", ["config", "data", "folds"], 1 << 60),
    ("batch", ["config", "training", "batch_size"], (1 << 64) - 1),
]:
    write(f"model/{name}", model("two_classes", at(path, new)))
write("model/layers", model("two_classes", at(["config", "model", "layers"], [{"units": 1}] * 3000)))
deep = model("two_classes", at(["config"], "D" * 60_000))
write("model/deep", deep.replace(b'\\"' + b"D" * 60_000 + b'\\"', b"[" * 60_004))
write("model/header_of_2_63", struct.pack("<Q", 1 << 63) + b"{}")
write("model/header_of_100_m", struct.pack("<Q", 100_000_000) + b"{}")
write("weights/shape_past_64_bits", safetensors({"layers.0.weight": {
    "dtype": "F32", "shape": [1 << 62, 1 << 62], "data_offsets": [0, 16]}}, bytes(16)))
write("weights/not_finite", safetensors({"layers.0.bias": {
    "dtype": "F64", "shape": [4], "data_offsets": [0, 32]}}, struct.pack("<dddd", 1e300, 0, 0, 0)))
write("weights/nothing", safetensors({"layers.0.bias": {"dtype": "F32", "shape": [0, 1 << 60], "data_offsets": [0, 0]}}))


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82F63B78 * (crc & 1)
    return crc ^ 0xFFFFFFFF


def checkpoint(change):
    data = (SEEDS / "checkpoint/one_epoch").read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    head, arenas = json.loads(data[8 : 8 + length]), data[8 + length :]
    own = json.loads(head["__metadata__"]["wgfit_checkpoint"])
    change(own["state"])
    text = json.dumps(own)
    summed = text.encode()
    for name in sorted(set(head) - {"__metadata__"}):
        start, end = head[name]["data_offsets"]
        summed += name.encode() + arenas[start:end]
    head["__metadata__"] = {"wgfit_checkpoint": text, "checksum": f"{crc32c(summed):08x}"}
    return safetensors(head, arenas)


for name, path, new in [
    ("epochs", ["epoch"], 1 << 60),
    ("cursor", ["states", 0, "cursor"], 1 << 31),
    ("backward", ["states", 0, "backward"], 1 << 31),
    ("element", ["states", 0, "bad_element"], 1 << 31),
    ("best_epoch", ["best_epoch", 0], 1 << 60),
    ("waited", ["early_stopping", 0, "wait"], (1 << 64) - 1),
    ("seconds", ["seconds"], -1.0),
    ("samples", ["samples"], -1e300),
    ("restarts", ["restarts"], 1 << 60),
    ("within", ["within"], {"batches": 1 << 60, "states": [
        {"cursor": 1 << 31, "bad_step": MOST, "bad_element": MOST, "backward": 1 << 31}]}),
]:
    write(f"checkpoint/{name}", checkpoint(at(path, new)))
write("checkpoint/as_it_was", checkpoint(lambda state: None))
