"""PyTorch's side of the engine benchmark: reads lines `NAME STEPS`, answers each with the milliseconds of every step as JSON."""
import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

BATCH = 64
torch.manual_seed(0)


class TextCnn(nn.Module):
    """Kim 2014: 20,000 words x 128, filters 3/4/5 x 100, texts of 64 words."""

    def __init__(self, sparse):
        super().__init__()
        self.table = nn.Embedding(20000, 128, sparse=sparse)
        self.convs = nn.ModuleList([nn.Conv1d(128, 100, width) for width in (3, 4, 5)])
        self.out = nn.Linear(300, 2)

    def forward(self, ids):
        words = self.table(ids).transpose(1, 2)
        strongest = torch.cat([F.relu(conv(words).amax(2)) for conv in self.convs], 1)
        return self.out(F.dropout(strongest, 0.5, self.training))


class FastText(nn.Module):
    """Joulin et al. 2016: 100,000 n-grams x 32, texts of 64 n-grams."""

    def __init__(self, sparse):
        super().__init__()
        self.table = nn.EmbeddingBag(100000, 32, mode="mean", sparse=sparse)
        self.out = nn.Linear(32, 2)

    def forward(self, ids):
        return self.out(self.table(ids))


class Job:
    """A network in training; `sparse` updates only the rows of the table that a batch names."""

    def __init__(self, network, rows, sparse):
        self.network = network(sparse)
        self.ids = (rows ** torch.rand(16, BATCH, 64, dtype=torch.double)).long()  # Zipf's law, as words follow it
        self.labels = torch.randint(0, 2, (16, BATCH))
        table = list(self.network.table.parameters())
        rest = [p for name, p in self.network.named_parameters() if not name.startswith("table")]
        self.optimisers = (
            [torch.optim.SparseAdam(table, 1e-3), torch.optim.Adam(rest, 1e-3)]
            if sparse
            else [torch.optim.Adam(table + rest, 1e-3)]
        )

    def step(self, i):
        started = time.perf_counter()
        for optimiser in self.optimisers:
            optimiser.zero_grad()
        loss = F.cross_entropy(self.network(self.ids[i % 16]), self.labels[i % 16])
        loss.backward()
        for optimiser in self.optimisers:
            optimiser.step()
        loss.item()
        return 1e3 * (time.perf_counter() - started)


torch.set_num_threads(int(sys.argv[1]))
networks = {"textcnn": (TextCnn, 20000), "fasttext": (FastText, 100000)}
jobs = {}
print("ready", flush=True)
for line in sys.stdin:
    name, steps = line.split()
    kind, _, variant = name.partition("-")
    if name not in jobs:
        jobs[name] = Job(*networks[kind], variant == "sparse")
    print(json.dumps([jobs[name].step(i) for i in range(int(steps))]), flush=True)
