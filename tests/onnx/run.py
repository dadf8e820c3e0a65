"""Runs ONNX models on a table of raw columns; prints what they say, as JSON by model."""

import csv
import json
import sys

import numpy
import onnx
import onnxruntime


def number(cell):
    words = {"": numpy.nan, "true": 1.0, "false": 0.0}
    return words[cell] if cell in words else float(cell)


def said(model, rows):
    onnx.checker.check_model(onnx.load(model), full_check=True)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    feed = {}
    for column in session.get_inputs():
        cells = [row[column.name] for row in rows]
        if column.type == "tensor(string)":
            values = numpy.array(cells, dtype=object)
        else:
            values = numpy.array([number(cell) for cell in cells], numpy.float32)
        feed[column.name] = values.reshape(-1, 1)
    names = [output.name for output in session.get_outputs()]
    return {name: value.tolist() for name, value in zip(names, session.run(None, feed))}


def main():
    with open(sys.argv[1], newline="") as file:
        rows = list(csv.DictReader(file))
    json.dump({model: said(model, rows) for model in sys.argv[2:]}, sys.stdout)


if __name__ == "__main__":
    main()
