"""Writes optim.json: the parameters after each of six steps of PyTorch's AdamW and SGD.

Run from this folder: python optim.py (PyTorch 2.15, CPU).
"""

import json
import torch

STEPS, SHAPE = 6, (3, 5)
CASES = {
    "adamw": (torch.optim.AdamW, dict(lr=1e-2)),
    "adamw_decay": (torch.optim.AdamW, dict(lr=5e-2, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)),
    "sgd": (torch.optim.SGD, dict(lr=0.1)),
    "sgd_decay": (torch.optim.SGD, dict(lr=0.1, weight_decay=0.05)),
    "momentum": (torch.optim.SGD, dict(lr=0.05, momentum=0.9, weight_decay=0.01)),
    "nesterov": (torch.optim.SGD, dict(lr=0.05, momentum=0.9, weight_decay=0.01, nesterov=True)),
}

torch.manual_seed(1)
start = torch.randn(SHAPE)
grads = torch.randn((STEPS, *SHAPE)) * torch.logspace(0, -3, STEPS).reshape(-1, 1, 1)
steps = {}
for name, (optimizer, options) in CASES.items():
    theta = start.clone().requires_grad_()
    optimizer = optimizer([theta], **options)
    steps[name] = []
    for grad in grads:
        theta.grad = grad.clone()
        torch.nn.utils.clip_grad_norm_([theta], 2.0)
        optimizer.step()
        steps[name].append(theta.detach().flatten().tolist())
golden = dict(start=start.flatten().tolist(), grads=[g.flatten().tolist() for g in grads], steps=steps)
with open("optim.json", "w") as file:
    json.dump(golden, file, separators=(",", ":"))
    file.write("\n")
