#!/usr/bin/env python3
"""Average precision as PASCAL VOC measures it, written from its paper (Everingham et al. 2015) apart from the code under test.

Writes cases.json beside itself: random scenes with the average precision of each class at overlaps of 0.5 and 0.75.
Nothing in the tests runs it; it says where their numbers come from.
"""
import json
import pathlib
import random

CLASSES = 3


def overlap(a, b):
    ax2, ay2, bx2, by2 = a["x"] + a["w"], a["y"] + a["h"], b["x"] + b["w"], b["y"] + b["h"]
    width = min(ax2, bx2) - max(a["x"], b["x"])
    height = min(ay2, by2) - max(a["y"], b["y"])
    if width <= 0 or height <= 0:
        return 0.0
    union = a["w"] * a["h"] + b["w"] * b["h"] - width * height
    return width * height / union


def average_precision(found, actual, label, least):
    total = sum(box["label"] == label for boxes in actual for box in boxes)
    if total == 0:
        return None
    queue = [(-d["score"], image, d) for image, ds in enumerate(found) for d in ds if d["label"] == label]
    queue.sort(key=lambda entry: entry[0])
    claimed = set()
    precision, recall, true, false = [], [], 0, 0
    for _, image, detection in queue:
        best, at = -1.0, None
        for index, box in enumerate(actual[image]):
            if box["label"] == label and overlap(detection, box) > best:
                best, at = overlap(detection, box), index
        if at is not None and best >= least and (image, at) not in claimed:
            claimed.add((image, at))
            true += 1
        else:
            false += 1
        precision.append(true / (true + false))
        recall.append(true / total)
    # the area under the curve, cut where recall changes, at each cut the best precision to its right
    area, left = 0.0, 0.0
    for step in sorted(set(recall)):
        best = max(p for p, r in zip(precision, recall) if r >= step)
        area += (step - left) * best
        left = step
    return area


def box(rng):
    w, h = rng.uniform(10, 60), rng.uniform(10, 60)
    return {"label": rng.randrange(CLASSES), "x": rng.uniform(0, 100 - w), "y": rng.uniform(0, 100 - h), "w": w, "h": h}


def shaken(rng, original):
    moved = {key: original[key] + rng.gauss(0, 4) for key in ("x", "y")}
    size = {key: max(2, original[key] * rng.uniform(0.75, 1.3)) for key in ("w", "h")}
    label = original["label"] if rng.random() < 0.85 else rng.randrange(CLASSES)
    return {"label": label, **moved, **size}


def rounded(thing):
    return {key: value if key == "label" else round(value, 4) for key, value in thing.items()}


def case(seed):
    rng = random.Random(seed)
    actual = [[rounded(box(rng)) for _ in range(rng.randrange(4))] for _ in range(6)]
    found = []
    for boxes in actual:
        guesses = [shaken(rng, one) for one in boxes for _ in range(rng.randrange(3))] + [box(rng)] * rng.randrange(2)
        found.append([rounded({**guess, "score": rng.uniform(0.01, 1)}) for guess in guesses])
    expected = {str(least): [average_precision(found, actual, c, least) for c in range(CLASSES)] for least in (0.5, 0.75)}
    return {"actual": actual, "found": found, "expected": expected}


if __name__ == "__main__":
    cases = [case(seed) for seed in range(12)]
    pathlib.Path(__file__).with_name("cases.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
