"""Predicts rows of a table in a PostgreSQL backend with ONNX Runtime: the same forest, the same features."""

import json

import numpy as np
import onnxruntime as ort

NULL, UNKNOWN = 0.0, 1.0


def floats(buffer):
    """Of a Buffer as Node writes it as JSON."""
    return np.frombuffer(bytes(buffer["data"]), "<f4")


class Model:
    def __init__(self, onnx, columns, classes, threads):
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = ort.InferenceSession(bytes(onnx), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        self.lookups = [lookup for column in json.loads(columns) for lookup in self.lookups_of(column)]
        self.classes = classes

    @staticmethod
    def lookups_of(column):
        """The features of a column: its name, their values by text with NULL's, and that of other texts; no values for a number."""
        name, state = column["name"], column["state"]
        if column["kind"] == "number":
            return [(name, None, None)]
        if column["kind"] != "text" or "words" in state:
            raise ValueError("the comparison reads numbers and categories only")
        features = [(name, {None: NULL} | {value: UNKNOWN + 1 + i for i, value in enumerate(state["values"])}, UNKNOWN)]
        if statistics := state.get("statistics"):
            means = floats(statistics["means"]).reshape(-1, statistics["width"])
            for k, prior in enumerate(floats(statistics["prior"])):
                known = dict(zip(statistics["values"], means[:, k].tolist()))
                features.append((name, {None: float("nan")} | known, float(prior)))
        return features

    def run(self, rows):
        features = np.empty((len(rows), len(self.lookups)), np.float32)
        for place, (name, values, other) in enumerate(self.lookups):
            if values is None:
                features[:, place] = [row[name] for row in rows]  # None becomes NaN
            else:
                value_of = values.get
                features[:, place] = [value_of(row[name], other) for row in rows]
        return self.session.run(None, {self.input: features})[0].argmax(1).tolist()

    def predict(self, row):
        return self.classes[self.run([row])[0]]

    def predict_rows(self, rows):
        classes = self.classes
        return [classes[label] for label in self.run(rows)]


loaded = {}


def model(plpy, name, threads):
    """The model of that name, loaded at the session's first call."""
    if (name, threads) not in loaded:
        plan = plpy.prepare("select onnx, columns::text, classes from peer_model where name = $1", ["text"])
        loaded[name, threads] = Model(**plpy.execute(plan, [name])[0], threads=threads)
    return loaded[name, threads]
