"""Writes towers.json: what PyTorch and torchvision compute for small batches through the towers' bodies.

Weights, images and the gradient of the output come from a formula (see `values`), so none of them is stored. Of
each tower: the output in evaluation mode; then, of one pass in training mode with the loss sum(y * dy), the output,
and of every gradient and of every running statistic afterwards its norm and its product with a formula's values.
All in float64. Run from this folder: python towers.py (PyTorch 2.15, torchvision 0.29).
"""

import json
import numpy as np
import torch
from torch import nn
from torchvision.models import resnet18

torch.set_default_dtype(torch.float64)


def values(name, shape, low, high):
    """Spread over low..high by a hash of name and place, the same to the bit in f32 everywhere."""
    start = 2166136261
    for byte in name.encode():
        start = (start ^ byte) * 16777619 % 2**32
    places = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(start)
    hashed = (places * np.uint64(2654435761)) % np.uint64(2**32)
    hashed = (hashed ^ (hashed >> np.uint64(15))) * np.uint64(2246822519) % np.uint64(2**32)
    unit = (hashed >> np.uint64(8)).astype(np.float64) / 2**24
    return torch.from_numpy((low + (high - low) * unit).astype(np.float32).astype(np.float64)).reshape(shape)


class Block(nn.Module):
    def __init__(self, inputs, outputs, slope=0.0):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn, self.slope = nn.BatchNorm2d(outputs), slope

    def forward(self, x):
        return nn.functional.leaky_relu(self.bn(self.conv(x)), self.slope)


class Conv4(nn.Module):
    def __init__(self, channels, slope, features):
        super().__init__()
        for i, pair in enumerate(zip([3, *channels], channels)):
            self.add_module(str(i), Block(*pair, slope))
        self.fc = nn.Linear(features, 5)

    def forward(self, x):
        for i in range(4):
            x = nn.functional.max_pool2d(getattr(self, str(i))(x), 2)
        return self.fc(x.flatten(1))


class Stage(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = Block(inputs, outputs)
        self.residual = nn.Sequential(Block(outputs, outputs), Block(outputs, outputs))

    def forward(self, x):
        x = nn.functional.max_pool2d(self.conv(x), 2)
        return x + self.residual(x)


class ResNet9(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.stem = Block(3, w)
        self.stage1, self.stage2, self.stage3 = Stage(w, 2 * w), Stage(2 * w, 4 * w), Stage(4 * w, 8 * w)
        self.fc = nn.Linear(8 * w, 5)

    def forward(self, x):
        x = self.stage3(self.stage2(self.stage1(self.stem(x))))
        return self.fc(x.amax((2, 3)))


def small_stem():
    net = resnet18(num_classes=5)
    net.conv1, net.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    return net


NETS = {
    "resnet18": ((4, 3, 72, 64), lambda: resnet18(num_classes=5)),
    "resnet18_small": ((3, 3, 18, 26), small_stem),
    "conv4": ((3, 3, 33, 26), lambda: Conv4([6, 7, 8, 9], 0.1, 9 * 2 * 1)),
    "resnet9": ((3, 3, 18, 27), lambda: ResNet9(4)),
}


def fill(net):
    for name, tensor in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        bound = (3.0 / tensor[0].numel()) ** 0.5 if tensor.dim() > 1 else 0.5
        low, high = (-bound, bound) if tensor.dim() > 1 or not is_scale(name) else (0.5, 1.5)
        tensor.copy_(values(name, tensor.shape, low, high))


def is_scale(name):
    return name.endswith("running_var") or name.endswith("weight")


def digest(name, tensor):
    other = values(name + "/digest", tensor.shape, -1.0, 1.0)
    return [tensor.norm().item(), (tensor * other).sum().item()]


golden = {}
for case, (shape, build) in NETS.items():
    net = build()
    fill(net)
    x = values(case, shape, -1.0, 1.0)
    net.eval()
    evaluated = net(x)
    net.train()
    trained = net(x)
    (trained * values(case + "/dy", trained.shape, -1.0, 1.0)).sum().backward()
    digests = {name: digest(name, parameter.grad) for name, parameter in net.named_parameters()}
    buffers = {name: digest(name, value) for name, value in net.named_buffers() if "num_batches" not in name}
    golden[case] = dict(
        shape=shape, eval=evaluated.flatten().tolist(), train=trained.flatten().tolist(), gradients=digests, running=buffers
    )

with open("towers.json", "w") as file:
    json.dump(golden, file, separators=(",", ":"))
    file.write("\n")
