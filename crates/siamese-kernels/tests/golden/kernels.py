"""Writes kernels.safetensors: what PyTorch computes for a few small networks.

Of each: the state before, three inputs, and after three forward passes in training mode the
last output, its gradients (for the loss sum(y * dy)), the running statistics, and the output in
evaluation mode. Run from this folder: python kernels.py (PyTorch 2.15, CPU).
"""

import json
import struct
import torch
from torch import nn


class Residual(nn.Module):
    def __init__(self, body, shortcut, activation):
        super().__init__()
        self.body, self.shortcut, self.activation = body, shortcut, activation

    def forward(self, x):
        return self.activation(self.body(x) + (self.shortcut(x) if self.shortcut else x))


def conv(inputs, outputs, kernel=3, stride=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


NETS = {
    "block": ((2, 3, 9, 7), lambda: nn.Sequential(
        conv(3, 5), nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d(2))),
    "stem": ((2, 3, 15, 12), lambda: nn.Sequential(
        conv(3, 6, 7, 2), nn.BatchNorm2d(6), nn.LeakyReLU(0.01), nn.MaxPool2d(3, 2, 1))),
    "residual": ((3, 4, 5, 7), lambda: nn.Sequential(
        Residual(
            nn.Sequential(conv(4, 6, 3, 2), nn.BatchNorm2d(6), nn.ReLU(), conv(6, 6), nn.BatchNorm2d(6)),
            nn.Sequential(conv(4, 6, 1, 2), nn.BatchNorm2d(6)), nn.ReLU()),
        nn.AdaptiveAvgPool2d(1))),
    "koch": ((2, 1, 14, 13), lambda: nn.Sequential(
        nn.Conv2d(1, 4, 10), nn.ReLU(), nn.AvgPool2d(3, 2, 1))),
    "wide": ((2, 16, 10, 9), lambda: nn.Sequential(
        conv(16, 17), nn.BatchNorm2d(17), nn.LeakyReLU(0.2), nn.MaxPool2d(2))),
}


def write(path, tensors):
    """The safetensors format: header length, header, data."""
    header, data = {}, b""
    for name, tensor in sorted(tensors.items()):
        raw = tensor.detach().float().contiguous().numpy().tobytes()
        offsets = [len(data), len(data) + len(raw)]
        header[name] = dict(dtype="F32", shape=list(tensor.shape), data_offsets=offsets)
        data += raw
    header = json.dumps(header, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header + data)


torch.manual_seed(3)
golden = {}
for case, (shape, build) in NETS.items():
    net = build()
    for name, parameter in net.named_parameters():
        if parameter.dim() == 1:
            nn.init.normal_(parameter)
    for name, value in net.state_dict().items():
        if "num_batches" not in name:
            golden[f"{case}/before/{name}"] = value.clone()
    net.train()
    for step in range(3):
        x = torch.randn(shape).requires_grad_()
        golden[f"{case}/x{step}"] = x
        y = net(x)
    dy = torch.randn_like(y)
    (y * dy).sum().backward()
    golden |= {f"{case}/y": y, f"{case}/dy": dy, f"{case}/dx": x.grad}
    for name, parameter in net.named_parameters():
        golden[f"{case}/grad/{name}"] = parameter.grad
    for name, value in net.named_buffers():
        if "num_batches" not in name:
            golden[f"{case}/after/{name}"] = value
    net.eval()
    golden[f"{case}/evaluation"] = net(x)

# Many equal values: who wins a max-pool is then a matter of convention.
x = torch.randint(0, 3, (2, 2, 7, 6)).float().requires_grad_()
golden["ties/x"] = x
for kernel, stride, padding in [(2, 2, 0), (3, 2, 1), (3, 1, 0)]:
    case = f"ties/{kernel}{stride}{padding}"
    y = nn.functional.max_pool2d(x, kernel, stride, padding)
    dy = torch.randint(1, 9, y.shape).float()
    (dx,) = torch.autograd.grad((y * dy).sum(), x)
    golden |= {f"{case}/dy": dy, f"{case}/dx": dx}
write("kernels.safetensors", golden)
