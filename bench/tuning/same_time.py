"""Optuna's TPE with successive halving over a temporal CNN in PyTorch. Reads the encoded data set that the first argument names;
answers each line `SECONDS SEED` with the validation scores that beat all before them, as [[seconds, score], …]."""
import json
import math
import sys
import time

import optuna
import torch
import torch.nn as nn
import torch.nn.functional as F

optuna.logging.set_verbosity(optuna.logging.ERROR)
torch.set_num_threads(2)
UNKNOWN, MARGIN, WARM_UP = 1, 5, 0.05


class TextCnn(nn.Module):
    """Kim 2014, as src/models/text/temporal-cnn.ts has it."""

    def __init__(self, rows, dim, filters, classes, dropout):
        super().__init__()
        self.table = nn.Embedding(rows, dim, sparse=True)
        nn.init.normal_(self.table.weight, std=0.1)
        self.convs = nn.ModuleList([nn.Conv1d(dim, filters, width) for width in (3, 4, 5)])
        self.out = nn.Linear(3 * filters, classes)
        self.dropout = dropout

    def forward(self, ids):
        words = self.table(ids).transpose(1, 2)
        strongest = torch.cat([F.relu(conv(words).amax(2)) for conv in self.convs], 1)
        return self.out(F.dropout(strongest, self.dropout, self.training))


def batches(texts, rows):
    """Tensors of the rows given, each padded to its longest text and a margin."""
    for few in rows:
        length = max(len(texts[row]) for row in few) + MARGIN
        ids = torch.zeros(len(few), length, dtype=torch.long)
        for place, row in enumerate(few):
            ids[place, : len(texts[row])] = torch.tensor(texts[row])
        yield few, ids


def by_length(texts, rows, size):
    """Batches of rows alike in length, so that little is padded."""
    rows = sorted(rows, key=lambda row: len(texts[row]))
    return [rows[at : at + size] for at in range(0, len(rows), size)]


def knobs(trial):
    """The space of src/models/text/temporal-cnn.ts."""
    return {
        "word_dropout": trial.suggest_float("word_dropout", 0, 0.4),
        "dim": trial.suggest_categorical("dim", [32, 64, 128]),
        "filters": trial.suggest_categorical("filters", [32, 64, 100]),
        "epochs": trial.suggest_int("epochs", 3, 10),
        "batch": trial.suggest_categorical("batch", [32, 64]),
        "learning_rate": trial.suggest_float("learning_rate", 1e-3, 2e-2, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 0, 0.1),
        "dropout": trial.suggest_float("dropout", 0.2, 0.7),
        "label_smoothing": trial.suggest_float("label_smoothing", 0, 0.2),
    }


def accuracy(network, texts, labels):
    network.eval()
    with torch.no_grad():
        right = sum(
            (network(ids).argmax(1) == labels[few]).sum().item()
            for few, ids in batches(texts, by_length(texts, range(len(texts)), 256))
        )
    return right / len(texts)


def train(trial, data, report):
    """Trains one trial; `report` is told each epoch's validation score and may end it."""
    k = knobs(trial)
    texts, labels = data["train"]["ids"], torch.tensor(data["train"]["labels"])
    valid, truth = data["valid"]["ids"], torch.tensor(data["valid"]["labels"])
    network = TextCnn(data["rows"], k["dim"], k["filters"], data["classes"], k["dropout"])
    rest = [p for name, p in network.named_parameters() if not name.startswith("table")]
    optimisers = [
        torch.optim.SparseAdam(network.table.parameters(), k["learning_rate"]),
        torch.optim.AdamW(rest, k["learning_rate"], weight_decay=k["weight_decay"]),
    ]
    total, step, best = k["epochs"] * math.ceil(len(texts) / k["batch"]), 0, 0.0
    for epoch in range(k["epochs"]):
        network.train()
        shuffled = by_length(texts, range(len(texts)), k["batch"])
        for few, ids in batches(texts, [shuffled[i] for i in torch.randperm(len(shuffled))]):
            left = 1 - step / total
            for optimiser in optimisers:
                optimiser.param_groups[0]["lr"] = k["learning_rate"] * min(left, (step + 1) / (WARM_UP * total))
                optimiser.zero_grad()
            ids[(torch.rand(ids.shape) < k["word_dropout"]) & (ids > 0)] = UNKNOWN
            F.cross_entropy(network(ids), labels[few], label_smoothing=k["label_smoothing"]).backward()
            for optimiser in optimisers:
                optimiser.step()
            step += 1
        best = max(best, accuracy(network, valid, truth))
        report(epoch, best)
    return best


def tune(data, seconds, seed):
    torch.manual_seed(seed)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.SuccessiveHalvingPruner(),
    )
    started, better = time.perf_counter(), [[0.0, 0.0]]

    def objective(trial):
        def report(epoch, score):
            now = time.perf_counter() - started
            if score > better[-1][1] and now <= seconds:
                better.append([now, score])
            if now > seconds:
                trial.study.stop()
                raise optuna.TrialPruned
            trial.report(score, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        return train(trial, data, report)

    study.optimize(objective, timeout=seconds)
    return better[1:]


with open(sys.argv[1]) as file:
    data = json.load(file)
print("ready", flush=True)
for line in sys.stdin:
    seconds, seed = line.split()
    print(json.dumps(tune(data, float(seconds), int(seed))), flush=True)
