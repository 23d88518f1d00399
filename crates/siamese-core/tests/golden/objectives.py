"""Writes objectives.json: losses and gradients of pytorch-metric-learning and PyTorch, in f64.

    pip install torch==2.15.0 pytorch-metric-learning==2.9.0
    python objectives.py > objectives.json
"""

import json

import torch
from pytorch_metric_learning import distances, losses, miners
from torch.nn.functional import cross_entropy, normalize

torch.set_default_dtype(torch.float64)
X = [[0.3, -1.2, 0.5], [2.0, 0.1, -0.7], [0.4, 0.4, 0.4], [0.1, 0.2, 0.3], [0.5, 0.3, 0.2], [0.2, -0.5, 0.9], [0.1, 0.3, -0.2]]
LABELS = torch.tensor([0, 1, 0, 1, 2, 0, 2])
PROXIES = torch.tensor([[0.2, -0.4, 0.6], [0.7, 0.1, -0.3], [-0.1, 0.5, 0.2]])
EUCLIDEAN = distances.LpDistance(normalize_embeddings=False)
SQUARED = distances.LpDistance(normalize_embeddings=False, power=2)


def triplet(miner, distance, margin, reducer=None):
    loss = losses.TripletMarginLoss(margin=margin, distance=distance, reducer=reducer)
    return lambda x: loss(x, LABELS, miner(x, LABELS) if miner else None)


def contrastive(pos_margin, neg_margin):
    """A quarter of the two means: of squared hinges, where the library takes plain ones."""

    def loss(x):
        d = ((x[:, None] - x[None]).pow(2).sum(2) + 1e-12).sqrt()
        i, j = torch.triu_indices(len(x), len(x), 1)
        d, like = d[i, j], LABELS[i] == LABELS[j]
        push = (neg_margin - d[~like]).clamp(min=0)
        return 0.25 * ((d[like] - pos_margin).clamp(min=0).pow(2).mean() + push[push > 0].pow(2).mean())

    return loss


def softmax(margin, smoothing):
    def loss(x):
        cosines = normalize(x) @ normalize(PROXIES).T
        logits = 8 * (cosines - margin * torch.eye(3)[LABELS])
        return cross_entropy(logits, LABELS, label_smoothing=smoothing)

    return loss


def mean(margin, distance):
    from pytorch_metric_learning.reducers import MeanReducer

    return triplet(miners.BatchHardMiner(distance=distance), distance, margin, MeanReducer())


CASES = {
    "contrastive_two_margins": contrastive(0.3, 1.5),
    "triplet_all": triplet(None, EUCLIDEAN, 0.5),
    "triplet_all_squared": triplet(None, SQUARED, 0.5),
    "triplet_batch_hard": mean(0.5, EUCLIDEAN),
    "triplet_semi_hard": triplet(miners.TripletMarginMiner(0.5, "semihard", distance=EUCLIDEAN), EUCLIDEAN, 0.5),
    "sup_con": losses.SupConLoss(temperature=0.2),
    "nt_xent": losses.NTXentLoss(temperature=0.2),
    "normalized_softmax": softmax(0.0, 0.0),
    "normalized_softmax_margin": softmax(0.35, 0.1),
}


def run(loss):
    x = torch.tensor(X, requires_grad=True)
    value = loss(x, LABELS) if isinstance(loss, torch.nn.Module) else loss(x)
    value.backward()
    return {"loss": value.item(), "gradient": x.grad.flatten().tolist()}


print(json.dumps({name: run(loss) for name, loss in CASES.items()}, indent=1))
