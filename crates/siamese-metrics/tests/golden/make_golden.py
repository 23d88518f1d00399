"""Makes golden.json: figures of fixed embeddings by scikit-learn and pytorch-metric-learning.

    pip install numpy scipy scikit-learn torch pytorch-metric-learning faiss-cpu
    python make_golden.py > golden.json

The embeddings are small integers (as f32), so that distances are exact and ties are ties on every
machine; some labels are lone. faiss breaks ties by row; so does the stable sort used for cosine.
"""

import json

import numpy as np
import torch
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score, roc_curve
from sklearn.isotonic import IsotonicRegression


def verification(rng, count, grid, like_share):
    like = rng.random(count) < like_share
    distances = np.where(like, rng.normal(4, 2, count), rng.normal(6, 2, count))
    distances = np.maximum(np.round(distances * grid) / grid, 0).astype(np.float32)
    fpr, tpr, _ = roc_curve(like, -distances)
    return {
        "distances": distances.tolist(),
        "like": like.tolist(),
        "roc_auc": roc_auc_score(like, -distances),
        "average_precision": average_precision_score(like, -distances),
        "eer": brentq(lambda x: 1.0 - x - interp1d(fpr, tpr)(x), 0.0, 1.0, xtol=1e-14),
    }


def calibration(rng, count):
    case = verification(rng, count, 2, 0.4)
    distances, like = np.array(case["distances"]), np.array(case["like"])
    isotonic = IsotonicRegression(increasing=False, out_of_bounds="clip").fit(distances, like)
    at = np.linspace(-1, distances.max() + 1, 37).astype(np.float32)
    return {
        "distances": case["distances"],
        "like": case["like"],
        "at": at.tolist(),
        "isotonic": isotonic.predict(at).tolist(),
        "isotonic_brier": brier_score_loss(like, isotonic.predict(distances)),
    }


def stable_knn(distance):
    """Exact neighbours in f64, ties by row, in AccuracyCalculator's knn_func form."""

    def knn(query, k, reference, ref_includes_query):
        matrix = distance(query.double(), reference.double())
        order = torch.sort(matrix, dim=1, stable=True).indices
        if ref_includes_query:
            itself = torch.arange(len(query))[:, None]
            order = order[order != itself].view(len(query), -1)
        order = order[:, :k]
        return torch.gather(matrix, 1, order), order

    return knn


def cosine(a, b):
    norms = ((a * a).sum(1)[:, None] * (b * b).sum(1)[None, :]).sqrt()
    return torch.where(norms > 0, 1 - (a @ b.T) / norms, torch.ones_like(norms))


def manhattan(a, b):
    return (a[:, None, :] - b[None, :, :]).abs().sum(-1)


KNN = {"euclidean": None, "cosine": stable_knn(cosine), "manhattan": stable_knn(manhattan)}


def retrieval(rng, probes, gallery, dim, classes):
    def draw(count):
        labels = rng.integers(0, classes, count)
        labels[: count // 20] = 1000 + np.arange(count // 20) + (0 if count == probes else 50)
        centres = np.random.default_rng(5).integers(-3, 4, (classes, dim))
        rows = rng.integers(-3, 4, (count, dim)) + centres[labels % classes]
        return rows.astype(np.float32), labels

    embeddings, labels = draw(probes)
    case = {"dim": dim, "embeddings": embeddings.ravel().tolist(), "labels": labels.tolist()}
    arguments = [embeddings, labels]
    if gallery:
        shown, shown_labels = draw(gallery)
        case["gallery"] = shown.ravel().tolist()
        case["gallery_labels"] = shown_labels.tolist()
        arguments += [shown, shown_labels]
    for name, knn_func in KNN.items():
        calculator = AccuracyCalculator(
            include=("precision_at_1", "r_precision", "mean_average_precision_at_r"),
            k="max_bin_count",
            device=torch.device("cpu"),
            knn_func=knn_func,
        )
        figures = calculator.get_accuracy(*arguments)
        figures["map_at_r"] = figures.pop("mean_average_precision_at_r")
        case[name] = figures
    return case


def main():
    rng = np.random.default_rng(2024)
    golden = {
        "verification": [
            verification(rng, 300, 1, 0.5),
            verification(rng, 400, 4, 0.2),
            verification(rng, 200, 1000, 0.7),
        ],
        "calibration": [calibration(rng, 300)],
        "retrieval": [
            retrieval(rng, 240, 0, 5, 12),
            retrieval(rng, 80, 200, 4, 9),
        ],
    }
    print(json.dumps(golden))


main()
