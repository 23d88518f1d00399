"""Image similarity: embeddings, galleries, figures with intervals, and training.

>>> import siamese
>>> embedder = siamese.Embedder("runs/birds-1")           # a run folder, a model file, hf:user/name
>>> vectors = embedder.embed(["one.jpg", "other.jpg"])    # float32 (N, D)
>>> siamese.evaluate(vectors, labels)["roc_auc"]          # a value, and its 95 % interval: low, high
"""

import json
import os

import numpy as np

from . import _siamese
from ._siamese import Embedder, Figure, Gallery, Identified, Match, Verdict

__all__ = ["Embedder", "Figure", "Gallery", "Identified", "Match", "Verdict", "evaluate", "train"]


def evaluate(embeddings, labels, distance="euclidean", pairs=20_000, seed=0):
    """How good embeddings are, by their labels.

    embeddings: (N, D), float32 or what becomes it. labels: N of anything that sorts. distance: "euclidean",
    "squared_euclidean", "cosine" or "manhattan". Of `pairs` distinct pairs half are like.

    Returns a dict of `Figure` by the field's names (`roc_auc`, `eer`, `recall_at_1`, `map_at_r`, …), each with its 95 %
    interval by bootstrap over classes. Those that need a threshold are of one half of the embeddings, it of the other.
    """
    embeddings = np.ascontiguousarray(embeddings, dtype=np.float32)
    if embeddings.ndim != 2:
        raise ValueError(f"embeddings are (N, D), got {embeddings.shape}")
    _, numbers = np.unique(np.asarray(labels), return_inverse=True)
    numbers = np.ascontiguousarray(numbers.reshape(-1), dtype=np.uint32)
    figures = _siamese.evaluate(embeddings, numbers, distance, pairs, seed)
    return {figure.name: figure for figure in figures}


def train(data, preset=None, *, runs="runs", name=None, progress=print, **settings):
    """Trains on a folder with a subfolder for each class, a table, an archive or a set by name, as `siamese train` does.

    Settings are those of `--set`, with `__` for a dot: `epochs=3, seed=1, optimizer__kernel_rate=10.0`. `progress` is
    called with a line of text after each epoch; None for silence. Ctrl-C ends the run with a checkpoint.

    Returns the run's folder, which `Embedder` takes.
    """
    if preset is not None:
        settings["preset"] = preset
    told = [(key.replace("__", "."), _toml(value)) for key, value in settings.items()]
    return _siamese.train(os.fspath(data), told, os.fspath(runs), name, progress)


def _toml(value):
    return value if isinstance(value, str) else json.dumps(value)
