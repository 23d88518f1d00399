"""Writes same_different.json: losses and gradients of PyTorch's BCEWithLogitsLoss under heads of several kinds, in f64.

    pip install torch==2.15.0
    python same_different.py > same_different.json
"""

import json

import torch

torch.set_default_dtype(torch.float64)
X = [[0.3, -1.2, 0.5], [2.0, 0.1, -0.7], [0.4, 0.45, 0.35], [0.1, 0.2, 0.3], [0.5, 0.3, 0.2], [0.2, -0.5, 0.9]]
LABELS = torch.tensor([0, 1, 0, 1, 1, 0])
COMBINE = {
    "absolute_difference": lambda a, b: (a - b).abs(),
    "squared_difference": lambda a, b: (a - b) ** 2,
    "product": lambda a, b: a * b,
    "sum": lambda a, b: a + b,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
}
CASES = [
    (["absolute_difference"], [], "sampled", 0.0),
    (["absolute_difference"], [], "in_batch", 0.0),
    (["squared_difference"], [4], "sampled", 0.1),
    (["product"], [4], "in_batch", 0.2),
    (["sum", "absolute_difference"], [5, 3], "in_batch", 0.0),
    (["maximum", "minimum", "product"], [4], "sampled", 0.0),
]


def values(count, start):
    """Multiples of 1/64, which f32 holds exactly."""
    return [((i * 37 + start * 11) % 97 - 48) / 64 for i in range(count)]


def layers(combine, hidden):
    inputs, made = len(combine) * 3, []
    for i, outputs in enumerate([*hidden, 1]):
        weight = torch.tensor(values(inputs * outputs, i)).reshape(outputs, inputs).requires_grad_()
        made.append((weight, torch.tensor(values(outputs, i + 50)).requires_grad_()))
        inputs = outputs
    return made


def run(combine, hidden, pairs, smoothing):
    x, head = torch.tensor(X, requires_grad=True), layers(combine, hidden)
    a, b = (torch.arange(3), torch.arange(3, 6)) if pairs == "sampled" else torch.triu_indices(6, 6, 1)
    like = (LABELS[a] == LABELS[b]).double()
    h = torch.cat([COMBINE[one](x[a], x[b]) for one in combine], 1)
    for i, (weight, bias) in enumerate(head):
        h = torch.nn.functional.linear(h.relu() if i else h, weight, bias)
    target = like * (1 - smoothing) + smoothing / 2
    cost = torch.nn.BCEWithLogitsLoss(reduction="none")(h[:, 0], target)
    loss = cost.mean() if pairs == "sampled" else (cost[like > 0].mean() + cost[like == 0].mean()) / 2
    loss.backward()
    return {
        "combine": combine,
        "hidden": hidden,
        "pairs": pairs,
        "label_smoothing": smoothing,
        "weights": [[w.flatten().tolist(), b.tolist()] for w, b in head],
        "loss": loss.item(),
        "gradient": x.grad.flatten().tolist(),
        "weight_gradients": [[w.grad.flatten().tolist(), b.grad.tolist()] for w, b in head],
    }


print(json.dumps([run(*case) for case in CASES], indent=1))
