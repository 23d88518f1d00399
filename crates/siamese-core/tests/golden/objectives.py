"""Writes objectives.json: losses and gradients of pytorch-metric-learning and PyTorch, in f64.

    pip install torch==2.15.0 pytorch-metric-learning==2.9.0
    python objectives.py > objectives.json
"""

import json
import math

import torch
from pytorch_metric_learning import distances, losses, miners
from pytorch_metric_learning.reducers import MeanReducer
from torch.nn.functional import batch_norm, cosine_embedding_loss, cross_entropy, normalize

torch.set_default_dtype(torch.float64)
X = [[0.3, -1.2, 0.5], [2.0, 0.1, -0.7], [0.4, 0.4, 0.4], [0.1, 0.2, 0.3], [0.5, 0.3, 0.2], [0.2, -0.5, 0.9], [0.1, 0.3, -0.2]]
LABELS = torch.tensor([0, 1, 0, 1, 2, 0, 2])
EUCLIDEAN = distances.LpDistance(normalize_embeddings=False)
UNIT = distances.LpDistance(normalize_embeddings=True, power=2)
SQUARED = distances.LpDistance(normalize_embeddings=False, power=2)


def proxies(rows):
    """What the objectives' own parameters are set to: no rounding makes other numbers of these in f32."""
    return torch.tensor([[((7 * r + 5 * c) % 17 - 8) / 16 for c in range(3)] for r in range(rows)])


def own(loss, name, rows, transposed=False):
    """A loss with parameters of its own, set to those."""
    values = proxies(rows).T.contiguous() if transposed else proxies(rows)
    setattr(loss, name, torch.nn.Parameter(values))
    return loss


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
        cosines = normalize(x) @ normalize(proxies(3)).T
        logits = 8 * (cosines - margin * torch.eye(3)[LABELS])
        return cross_entropy(logits, LABELS, label_smoothing=smoothing)

    return loss


def mean(miner, margin):
    return triplet(miner, EUCLIDEAN, margin, MeanReducer())


def angular(x):
    """The miner says that it is for normalised embeddings, and does not normalise them."""
    loss = losses.TripletMarginLoss(0.5, distance=EUCLIDEAN, reducer=MeanReducer())
    return loss(x, LABELS, miners.AngularMiner(20)(normalize(x), LABELS))


def cosine_embedding(x):
    like = (LABELS[:3] == LABELS[3:6]) * 2.0 - 1.0
    return cosine_embedding_loss(x[:3], x[3:6], like, margin=0.25)


def multi_similarity(epsilon):
    loss, miner = losses.MultiSimilarityLoss(2, 5, 0.5), miners.MultiSimilarityMiner(epsilon)
    return lambda x: loss(x, LABELS, miner(x, LABELS))


def uniformity(x):
    """Of the authors' https://github.com/SsnL/align_uniform."""
    return torch.pdist(normalize(x)).pow(2).mul(-2).exp().mean().log()


def center(x):
    return 0.5 * (x - proxies(3)[LABELS]).pow(2).sum(1).mean()


def sim_siam(x):
    """Both directions of every like pair, the predictor's weights set as proxies are."""
    z = batch_norm(x, None, None, training=True)
    hidden = batch_norm(z @ proxies(2).T, None, None, training=True).relu()
    predicted = hidden @ proxies(3)[:, :2].T
    # as ours, so that nothing of nothing has a direction
    predicted = predicted / (predicted.pow(2).sum(1, keepdim=True) + 1e-12).sqrt()
    like = (LABELS[:, None] == LABELS) & ~torch.eye(7, dtype=bool)
    return -(predicted @ normalize(z.detach()).T)[like].mean()


def margin(**settings):
    return losses.MarginLoss(margin=0.25, beta=1.25, distance=EUCLIDEAN, **settings)


CASES = {
    "contrastive_two_margins": contrastive(0.3, 1.5),
    "triplet_all": triplet(None, EUCLIDEAN, 0.5),
    "triplet_all_squared": triplet(None, SQUARED, 0.5),
    "triplet_batch_hard": mean(miners.BatchHardMiner(distance=EUCLIDEAN), 0.5),
    "triplet_semi_hard": triplet(miners.TripletMarginMiner(0.5, "semihard", distance=EUCLIDEAN), EUCLIDEAN, 0.5),
    "triplet_angular": angular,
    "sup_con": losses.SupConLoss(temperature=0.2),
    "nt_xent": losses.NTXentLoss(temperature=0.2),
    "n_pairs": losses.NPairsLoss(distance=distances.DotProductSimilarity(normalize_embeddings=False)),
    "normalized_softmax": softmax(0.0, 0.0),
    "normalized_softmax_margin": softmax(0.35, 0.1),
    "cosine_embedding": cosine_embedding,
    "margin": margin(),
    "margin_per_class": margin(learn_beta=True, num_classes=3),
    "lifted": losses.GeneralizedLiftedStructureLoss(1, 0.25, distance=EUCLIDEAN),
    "multi_similarity": multi_similarity(0.1),
    "multi_similarity_all": losses.MultiSimilarityLoss(2, 5, 0.5),
    "circle": losses.CircleLoss(0.4, 8),
    "proxy_nca": own(losses.ProxyNCALoss(3, 3, softmax_scale=4, distance=UNIT), "proxies", 3),
    "proxy_anchor": own(losses.ProxyAnchorLoss(3, 3, 0.1, 8), "proxies", 3),
    "cos_face": own(losses.CosFaceLoss(3, 3, margin=0.35, scale=8), "W", 3, True),
    "arc_face": own(losses.ArcFaceLoss(3, 3, margin=math.degrees(0.5), scale=8), "W", 3, True),
    "arc_face_centers": own(
        losses.SubCenterArcFaceLoss(num_classes=3, embedding_size=3, margin=math.degrees(0.5), scale=8, sub_centers=2),
        "W",
        6,
        True,
    ),
    "soft_triple": own(losses.SoftTripleLoss(3, 3, 2, 8, 0.1, 0.01), "fc", 6, True),
    "sim_siam": sim_siam,
    "uniformity": uniformity,
    "center": center,
}
# no third image of a class, of which the library would take no notice
ROWS = {"n_pairs": 5, "cosine_embedding": 6}


def run(name, loss):
    rows = ROWS.get(name, 7)
    x = torch.tensor(X[:rows], requires_grad=True)
    parameters = []
    if isinstance(loss, torch.nn.Module):
        value = loss(x, LABELS[:rows])
        parameters = list(loss.parameters())
    else:
        value = loss(x)
    value.backward()
    result = {"rows": rows, "loss": value.item(), "gradient": x.grad.flatten().tolist()}
    for parameter in parameters:
        # a vector of each class in a row, as ours are
        transposed = hasattr(loss, "W") or hasattr(loss, "fc")
        result["own"] = (parameter.grad.T if transposed else parameter.grad).flatten().tolist()
    return result


print(json.dumps({name: run(name, loss) for name, loss in CASES.items()}, indent=1))
