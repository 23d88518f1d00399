"""PyTorch's side of the bench: the nets of examples/train_bench, one line per round.

Usage: python peer.py [cuda] [channels_last] [bf16]; then lines `NET MODE BATCH STEPS` on standard input
(`conv4 train 128 3`), each answered with the least time of a step in seconds and the peak memory
so far in MiB. The number of threads is PyTorch's own choice, or THREADS.
"""

import os
import resource
import sys
import time

import torch
from torch import nn


def conv(inputs, outputs, kernel=3, stride=1, activation=nn.ReLU):
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs)]
    if activation:
        layers.append(activation(inplace=True))
    return layers


class Residual(nn.Module):
    def __init__(self, body, shortcut=None, activation=None):
        super().__init__()
        self.body = nn.Sequential(*body)
        self.shortcut = nn.Sequential(*shortcut) if shortcut else None
        self.activation = activation

    def forward(self, x):
        y = self.body(x) + (self.shortcut(x) if self.shortcut else x)
        return self.activation(y) if self.activation else y


def conv4():
    layers = []
    for inputs in (3, 64, 64, 64):
        layers += conv(inputs, 64) + [nn.MaxPool2d(2)]
    return layers, 256, 10


def tower():
    def leaky(inplace):
        return nn.LeakyReLU(0.01, inplace)

    layers = []
    for inputs, outputs in ((3, 32), (32, 64), (64, 128), (128, 256)):
        layers += conv(inputs, outputs, activation=leaky) + conv(outputs, outputs, activation=leaky)
        layers.append(nn.MaxPool2d(2))
    return layers, 1024, 128


def narrow():
    layers = conv(3, 32)
    for inputs, outputs in ((32, 64), (64, 128), (128, 256)):
        layers += conv(inputs, outputs) + [nn.MaxPool2d(2), Residual(conv(outputs, outputs) + conv(outputs, outputs))]
    return layers + [nn.MaxPool2d(4)], 256, 128


def resnet9():
    layers = [
        *conv(3, 64), *conv(64, 128), nn.MaxPool2d(2), Residual(conv(128, 128) + conv(128, 128)),
        *conv(128, 256), nn.MaxPool2d(2), *conv(256, 512), nn.MaxPool2d(2),
        Residual(conv(512, 512) + conv(512, 512)), nn.MaxPool2d(4),
    ]
    return layers, 512, 10


def basic(inputs, outputs, stride):
    body = conv(inputs, outputs, 3, stride) + conv(outputs, outputs, activation=None)
    changes = stride != 1 or inputs != outputs
    shortcut = conv(inputs, outputs, 1, stride, activation=None) if changes else None
    return Residual(body, shortcut, nn.ReLU(inplace=True))


def resnet18():
    layers = conv(3, 64)
    for inputs, outputs, stride in ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)):
        layers += [basic(inputs, outputs, stride), basic(outputs, outputs, 1)]
    return layers + [nn.AdaptiveAvgPool2d(1)], 512, 10


NETS = dict(conv4=conv4, tower=tower, narrow=narrow, resnet9=resnet9, resnet18=resnet18)


class Subject:
    """A network and its optimizer."""

    def __init__(self, name):
        layers, features, outputs = NETS[name]()
        self.net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, outputs))
        if CHANNELS_LAST:
            self.net = self.net.to(memory_format=torch.channels_last)
        self.net = self.net.to(DEVICE)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), 1e-3, fused=DEVICE == "cuda" or None)
        self.warm = set()

    def round(self, mode, batch, steps):
        images = torch.randn(batch, 3, 32, 32, device=DEVICE)
        if CHANNELS_LAST:
            images = images.contiguous(memory_format=torch.channels_last)
        labels = torch.arange(batch, device=DEVICE) % 10
        if mode not in self.warm:
            # The second step, too, still allocates.
            for _ in range(2):
                self.step(mode, images, labels)
            self.warm.add(mode)
        times = []
        for _ in range(steps):
            start = time.perf_counter()
            self.step(mode, images, labels)
            times.append(time.perf_counter() - start)
        return min(times)

    def step(self, mode, images, labels):
        amp = torch.autocast(DEVICE, dtype=torch.bfloat16, enabled=BF16)
        if mode == "forward":
            self.net.eval()
            with torch.inference_mode(), amp:
                result = self.net(images).float().sum()
        else:
            self.net.train()
            self.optimizer.zero_grad(set_to_none=True)
            with amp:
                logits = self.net(images)
            result = nn.functional.cross_entropy(logits.float(), labels)
            result.backward()
            self.optimizer.step()
        if not torch.isfinite(result):
            sys.exit(f"{mode} gave {result.item()}")


CHANNELS_LAST, BF16 = "channels_last" in sys.argv[1:], "bf16" in sys.argv[1:]
DEVICE = "cuda" if "cuda" in sys.argv[1:] else "cpu"
if DEVICE == "cuda":
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
if "THREADS" in os.environ:
    torch.set_num_threads(int(os.environ["THREADS"]))
torch.manual_seed(0)
subjects = {}
for line in sys.stdin:
    name, mode, batch, steps = line.split()
    if name not in subjects:
        subjects[name] = Subject(name)
    seconds = subjects[name].round(mode, int(batch), int(steps))
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, flush=True)
