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
from torchvision.models import resnet18, resnet34, resnet50

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


class Koch(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 64, 10), nn.Conv2d(64, 128, 7)
        self.conv3, self.conv4 = nn.Conv2d(128, 128, 4), nn.Conv2d(128, 256, 4)
        self.units, self.fc = nn.Linear(256, 4096), nn.Linear(4096, 5)

    def forward(self, x):
        for conv in (self.conv1, self.conv2, self.conv3):
            x = nn.functional.max_pool2d(conv(x).relu(), 2)
        return self.fc(self.units(self.conv4(x).relu().flatten(1)).sigmoid())


class Lenet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 3), nn.Conv2d(6, 12, 3)
        self.fc1, self.fc2, self.fc = nn.Linear(12 * 4 * 5, 16), nn.Linear(16, 9), nn.Linear(9, 5)

    def forward(self, x):
        for conv in (self.conv1, self.conv2):
            x = nn.functional.max_pool2d(conv(x).relu(), 2)
        return self.fc(self.fc2(self.fc1(x.flatten(1)).relu()).relu())


class Mlp(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        for i, pair in enumerate([(inputs, 16), (16, 12)]):
            self.add_module(str(i), nn.Linear(*pair, bias=False))
        self.fc = nn.Linear(12, 5)

    def forward(self, x):
        x = x.flatten(1)
        for i in range(2):
            x = getattr(self, str(i))(x).relu()
        return self.fc(x)


class Block12(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        for i in (1, 2, 3):
            self.add_module(f"conv{i}", nn.Conv2d(inputs if i == 1 else outputs, outputs, 3, padding=1, bias=False))
            self.add_module(f"bn{i}", nn.BatchNorm2d(outputs))
        self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        carried = self.downsample(x)
        x = nn.functional.leaky_relu(self.bn1(self.conv1(x)), 0.1)
        x = nn.functional.leaky_relu(self.bn2(self.conv2(x)), 0.1)
        x = nn.functional.leaky_relu(self.bn3(self.conv3(x)) + carried, 0.1)
        return nn.functional.max_pool2d(x, 2)


class ResNet12(nn.Module):
    def __init__(self, channels):
        super().__init__()
        for i, pair in enumerate(zip([3, *channels], channels)):
            self.add_module(f"layer{i + 1}", nn.Sequential(Block12(*pair)))
        self.fc = nn.Linear(channels[-1], 5)

    def forward(self, x):
        return self.fc(self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3)))


class Gem(nn.Module):
    def __init__(self):
        super().__init__()
        self.p = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return (x + 1e-6).pow(self.p).mean((2, 3), keepdim=True).pow(1 / self.p)


def keras_strides():
    net = resnet50(num_classes=5)
    for layer in (net.layer2, net.layer3, net.layer4):
        layer[0].conv1.stride, layer[0].conv2.stride = (2, 2), (1, 1)
    return net


def gem():
    net = resnet18(num_classes=5)
    net.avgpool = Gem()
    return net


class Hidden(Conv4):
    """With system B's connected layers behind the body."""

    def __init__(self, channels, slope, features):
        super().__init__(channels, slope, 7)
        parts = {"fc": nn.Linear(features, 7), "relu": nn.ReLU(), "bn": nn.BatchNorm1d(7)}
        self.hidden = nn.ModuleList([nn.Sequential()])
        for name, part in parts.items():
            self.hidden[0].add_module(name, part)

    def forward(self, x):
        for i in range(4):
            x = nn.functional.max_pool2d(getattr(self, str(i))(x), 2)
        return self.fc(self.hidden[0](x.flatten(1)))


def small_stem():
    net = resnet18(num_classes=5)
    net.conv1, net.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    return net


NETS = {
    "resnet18": ((4, 3, 72, 64), lambda: resnet18(num_classes=5)),
    "resnet18_small": ((3, 3, 18, 26), small_stem),
    "resnet18_gem": ((4, 3, 40, 64), gem),
    "conv4_hidden": ((6, 3, 33, 26), lambda: Hidden([6, 7, 8, 9], 0.1, 9 * 2 * 1)),
    "resnet34": ((4, 3, 72, 64), lambda: resnet34(num_classes=5)),
    "resnet50": ((4, 3, 72, 64), lambda: resnet50(num_classes=5)),
    "resnet50_keras": ((4, 3, 72, 64), keras_strides),
    "resnet12": ((4, 3, 34, 48), lambda: ResNet12([6, 7, 8, 9])),
    "koch": ((2, 1, 65, 69), Koch),
    "lenet": ((3, 1, 24, 27), Lenet),
    "mlp": ((3, 1, 6, 7), lambda: Mlp(42)),
    "conv4": ((3, 3, 33, 26), lambda: Conv4([6, 7, 8, 9], 0.1, 9 * 2 * 1)),
    "resnet9": ((3, 3, 18, 27), lambda: ResNet9(4)),
}


def fill(net):
    for name, tensor in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        bound = (3.0 / tensor[0].numel()) ** 0.5 if tensor.dim() > 1 else 0.5
        low, high = (-bound, bound) if tensor.dim() > 1 or not is_scale(name) else (0.5, 1.5)
        if name == "avgpool.p":
            name, low, high = "pool.p", 2.0, 4.0
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
    digests = {
        name.replace("avgpool", "pool"): digest(name.replace("avgpool", "pool"), parameter.grad)
        for name, parameter in net.named_parameters()
    }
    buffers = {name: digest(name, value) for name, value in net.named_buffers() if "num_batches" not in name}
    golden[case] = dict(
        shape=shape, eval=evaluated.flatten().tolist(), train=trained.flatten().tolist(), gradients=digests, running=buffers
    )

with open("towers.json", "w") as file:
    json.dump(golden, file, separators=(",", ":"))
    file.write("\n")
