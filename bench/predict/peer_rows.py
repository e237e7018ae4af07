"""Predicts rows of a table in a PostgreSQL backend with ONNX Runtime: the same forest, the same features."""

import json

import numpy as np
import onnxruntime as ort

NULL, UNKNOWN = 0.0, 1.0


class Model:
    def __init__(self, onnx, columns, classes, threads):
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = ort.InferenceSession(bytes(onnx), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        self.columns = [(column["name"], self.codes(column)) for column in json.loads(columns)]
        self.classes = classes

    @staticmethod
    def codes(column):
        """The numbers of a column's categories; None for a column of numbers."""
        if column["kind"] == "number":
            return None
        if column["kind"] != "text":
            raise ValueError("the comparison reads numbers and categories only")
        return {None: NULL} | {value: UNKNOWN + 1 + i for i, value in enumerate(column["state"]["values"])}

    def run(self, rows):
        features = np.empty((len(rows), len(self.columns)), np.float32)
        for place, (name, codes) in enumerate(self.columns):
            if codes is None:
                features[:, place] = [row[name] for row in rows]  # None becomes NaN
            else:
                code = codes.get
                features[:, place] = [code(row[name], UNKNOWN) for row in rows]
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
