"""PyTorch's fastText with SparseAdam: reads {"texts", "labels", "classes", "epochs", "batch", "dim", "threads"} as JSON, answers with
the seconds of its training steps alone. Words and bigrams are numbered before the clock starts."""
import json
import sys
import time
from collections import Counter

import torch
import torch.nn as nn
import torch.nn.functional as F

job = json.load(sys.stdin)
torch.set_num_threads(job["threads"])
torch.manual_seed(1)


def grams(text):
    words = text.split()
    return words + [" ".join(pair) for pair in zip(words, words[1:])]


counts = Counter(gram for text in job["texts"] for gram in set(grams(text)))
known = {gram: i + 1 for i, gram in enumerate(gram for gram, count in counts.items() if count > 1)}
rows = [torch.tensor([known[gram] for gram in grams(text) if gram in known] or [0]) for text in job["texts"]]
labels = torch.tensor(job["labels"])
table = nn.EmbeddingBag(len(known) + 1, job["dim"], mode="mean", sparse=True)
out = nn.Linear(job["dim"], job["classes"])
optimisers = [torch.optim.SparseAdam(list(table.parameters()), 5e-3), torch.optim.Adam(out.parameters(), 5e-3)]

started = time.perf_counter()
for _ in range(job["epochs"]):
    order = torch.randperm(len(rows)).tolist()
    for start in range(0, len(order) - job["batch"] + 1, job["batch"]):
        chosen = order[start : start + job["batch"]]
        texts = [rows[i] for i in chosen]
        offsets = torch.tensor([0] + [len(text) for text in texts[:-1]]).cumsum(0)
        for optimiser in optimisers:
            optimiser.zero_grad()
        F.cross_entropy(out(table(torch.cat(texts), offsets)), labels[chosen]).backward()
        for optimiser in optimisers:
            optimiser.step()
print(json.dumps(time.perf_counter() - started))
