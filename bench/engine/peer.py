"""PyTorch's side of the engine benchmark: reads lines `NAME STEPS`, answers each with the milliseconds of every step as JSON."""
import json
import resource
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


class Recurrent(nn.Module):
    """100 characters x 64, one recurrent layer of 128 units; the last of its states decides."""

    def __init__(self, layer):
        super().__init__()
        self.table = nn.Embedding(100, 64)
        self.layer = layer(64, 128, batch_first=True)
        self.out = nn.Linear(128, 2)

    def forward(self, ids):
        return self.out(self.layer(self.table(ids))[0][:, -1])


def conv_norm(given, made, size=3, stride=1):
    return nn.Sequential(nn.Conv2d(given, made, size, stride, size // 2, bias=False), nn.BatchNorm2d(made))


def conv_norm_relu(*args):
    return nn.Sequential(conv_norm(*args), nn.ReLU())


def conv_pool_norm_relu(given, made):
    conv, norm = conv_norm(given, made)
    return nn.Sequential(conv, nn.MaxPool2d(2), norm, nn.ReLU())


class Vgg(nn.Module):
    """Layers 32 32 | 64 64 | 128, parted by max pooling before the norm."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            conv_norm_relu(3, 32), conv_pool_norm_relu(32, 32),
            conv_norm_relu(32, 64), conv_pool_norm_relu(64, 64),
            conv_norm_relu(64, 128),
        )
        self.out = nn.Linear(128, 10)

    def forward(self, x):
        return self.out(self.layers(x).mean((2, 3)))


class ResidualBlock(nn.Module):
    def __init__(self, given, made, stride):
        super().__init__()
        self.first = conv_norm_relu(given, made, 3, stride)
        self.second = conv_norm(made, made)
        self.shortcut = nn.Identity() if given == made else conv_norm(given, made, 1, stride)

    def forward(self, x):
        return F.relu(self.second(self.first(x)) + self.shortcut(x))


class ResNet(nn.Module):
    """A stem and three blocks of 32, 64, 128 channels, the later two of stride 2."""

    def __init__(self):
        super().__init__()
        blocks = [ResidualBlock(32, 32, 1), ResidualBlock(32, 64, 2), ResidualBlock(64, 128, 2)]
        self.layers = nn.Sequential(conv_norm_relu(3, 32), *blocks)
        self.out = nn.Linear(128, 10)

    def forward(self, x):
        return self.out(self.layers(x).mean((2, 3)))


class SeparableBlock(nn.Module):
    def __init__(self, given, made):
        super().__init__()
        self.first = nn.Sequential(self.spread(given), conv_norm_relu(given, made, 1))
        self.second = nn.Sequential(self.spread(made), conv_norm(made, made, 1))
        self.shortcut = None if given == made else conv_norm(given, made, 1, 2)

    @staticmethod
    def spread(channels):
        return nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)

    def forward(self, x):
        y = self.second(self.first(x))
        if self.shortcut is None:
            return F.relu(y + x)
        return F.relu(F.max_pool2d(y, 2) + self.shortcut(x))


class Xception(nn.Module):
    """A stem and three blocks of depthwise separable convolutions, the first two halved by max pooling."""

    def __init__(self):
        super().__init__()
        blocks = [SeparableBlock(32, 64), SeparableBlock(64, 128), SeparableBlock(128, 128)]
        self.layers = nn.Sequential(conv_norm_relu(3, 32), *blocks)
        self.out = nn.Linear(128, 10)

    def forward(self, x):
        return self.out(self.layers(x).mean((2, 3)))


def train(network, optimisers, inputs, labels):
    """Milliseconds of one step."""
    started = time.perf_counter()
    for optimiser in optimisers:
        optimiser.zero_grad()
    loss = F.cross_entropy(network(inputs), labels)
    loss.backward()
    for optimiser in optimisers:
        optimiser.step()
    loss.item()
    return 1e3 * (time.perf_counter() - started)


class TextJob:
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
        return train(self.network, self.optimisers, self.ids[i % 16], self.labels[i % 16])


class CharacterJob:
    def __init__(self, layer):
        self.network = Recurrent(layer)
        self.ids = torch.randint(0, 100, (16, BATCH, 128))
        self.labels = torch.randint(0, 2, (16, BATCH))
        self.optimisers = [torch.optim.Adam(self.network.parameters(), 1e-3)]

    def step(self, i):
        return train(self.network, self.optimisers, self.ids[i % 16], self.labels[i % 16])


class ImageJob:
    """A network on images in PyTorch's fastest layout, with momentum SGD."""

    def __init__(self, network):
        self.network = network().to(memory_format=torch.channels_last)
        images = [torch.randn(BATCH, 3, 32, 32) for _ in range(16)]
        self.images = [image.contiguous(memory_format=torch.channels_last) for image in images]
        self.labels = torch.randint(0, 10, (16, BATCH))
        self.optimisers = [torch.optim.SGD(self.network.parameters(), 1e-3, momentum=0.9, weight_decay=5e-4)]

    def step(self, i):
        return train(self.network, self.optimisers, self.images[i % 16], self.labels[i % 16])


TEXTS = {"textcnn": (TextCnn, 20000), "fasttext": (FastText, 100000)}
CHARACTERS = {"gru": nn.GRU, "lstm": nn.LSTM}
IMAGES = {"vgg32": Vgg, "resnet32": ResNet, "xception32": Xception}


def job(name):
    kind, _, variant = name.partition("-")
    if kind in CHARACTERS:
        return CharacterJob(CHARACTERS[kind])
    return ImageJob(IMAGES[kind]) if kind in IMAGES else TextJob(*TEXTS[kind], variant == "sparse")


torch.set_num_threads(int(sys.argv[1]))
jobs = {}
print("ready", flush=True)
for line in sys.stdin:
    name, steps = line.split()
    if name == "peak":  # megabytes of memory so far
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)
        continue
    if name not in jobs:
        jobs[name] = job(name)
    print(json.dumps([jobs[name].step(i) for i in range(int(steps))]), flush=True)
