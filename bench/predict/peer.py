"""Predicts in a PostgreSQL backend with ONNX Runtime: the same network, the same words, nothing computed twice."""

import re

import numpy as np
import onnxruntime as ort

WORD = re.compile(r"\w+(?:['’]+\w+)*|[^\w\s]")
SLICE_ROWS = 16


def to_int32(value):
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def finish(state):
    """murmur3's finaliser, as src/features/tokenise.ts has it."""
    h = state & 0xFFFFFFFF
    h ^= h >> 16
    h = h * 0x85EBCA6B & 0xFFFFFFFF
    h ^= h >> 13
    h = h * 0xC2B2AE35 & 0xFFFFFFFF
    return to_int32(h ^ (h >> 16))


def word_hash(word):
    h = 0
    for code in map(ord, word):
        h = ((h or 0x811C9DC5) ^ code) * 0x01000193 & 0xFFFFFFFF | 1
    return finish(h)


def chain(first, second):
    mixed = ((first ^ 0x5BD1E995) & 0xFFFFFFFF) * 0x2C1B3C6D & 0xFFFFFFFF
    return finish(mixed ^ (second + 0x9E3779B9 & 0xFFFFFFFF))


class Memo(dict):
    """Each word and each pair is worked out once in a session."""

    def __init__(self, compute):
        self.compute = compute

    def __missing__(self, key):
        value = self[key] = self.compute(key)
        return value


class Model:
    def __init__(self, onnx, hashes, ngrams, unknown, margin, max_tokens, classes):
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = ort.InferenceSession(bytes(onnx), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        numbers = {h: i + 1 + unknown for i, h in enumerate(np.frombuffer(hashes, "<i4").tolist())}
        number = numbers.get
        self.hashes = Memo(word_hash)
        self.words = Memo(lambda word: number(self.hashes[word], unknown))
        self.pairs = Memo(lambda pair: number(chain(self.hashes[pair[0]], self.hashes[pair[1]]), unknown))
        self.bigrams = ngrams == 2
        self.margin, self.max_tokens, self.classes = margin, max_tokens, classes

    def ids(self, text):
        words = WORD.findall(text.lower())[: self.max_tokens]
        row = [*map(self.words.__getitem__, words)]
        if self.bigrams:
            row += map(self.pairs.__getitem__, zip(words, words[1:]))
        return [number for number in row if number]

    def run(self, rows):
        ids = np.zeros((len(rows), max(1, max(map(len, rows)) + self.margin)), np.int32)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
        return self.session.run(None, {self.input: ids})[0].argmax(1).tolist()

    def predict(self, text):
        return self.classes[self.run([self.ids(text)])[0]]

    def predict_many(self, texts):
        rows = [*map(self.ids, texts)]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        labels = [None] * len(rows)
        for start in range(0, len(order), SLICE_ROWS):
            places = order[start : start + SLICE_ROWS]
            for place, label in zip(places, self.run([rows[i] for i in places])):
                labels[place] = self.classes[label]
        return labels


loaded = {}


def model(plpy, name):
    """The model of that name, loaded at the session's first call."""
    if name not in loaded:
        columns = "onnx, hashes, ngrams, unknown, margin, max_tokens, classes"
        plan = plpy.prepare(f"select {columns} from peer_model where name = $1", ["text"])
        loaded[name] = Model(**plpy.execute(plan, [name])[0])
    return loaded[name]
