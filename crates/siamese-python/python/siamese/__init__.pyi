from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

class Verdict:
    """Whether two pictures show the same: true or false in an `if`."""

    same: bool
    distance: float
    threshold: float
    probability: float | None
    def __bool__(self) -> bool: ...

class Embedder:
    """A trained model: pictures in, embeddings and judgements out."""

    def __init__(self, model: str | PathLike[str]) -> None:
        """A run folder, a model file, or `hf:user/name`."""
    @property
    def dim(self) -> int:
        """Numbers in an embedding, D."""
    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images that it takes."""
    @property
    def threshold(self) -> float | None:
        """The distance below which two pictures show the same, where one was fitted."""
    def embed(
        self, pictures: NDArray[np.uint8] | Sequence[str | PathLike[str]]
    ) -> NDArray[np.float32]:
        """Embeddings (N, D) of uint8 images (N, H, W, C) of the model's shape, or of picture files of any."""
    def verify(self, one: str | PathLike[str], other: str | PathLike[str]) -> Verdict:
        """Whether two picture files show the same."""

class Match:
    """An entry of a gallery that is near."""

    id: int
    class_name: str
    name: str
    distance: float

class Identified:
    """Who or what it is: the nearest classes, nearest first."""

    known: bool | None
    probability: float | None
    matches: list[Match]
    @property
    def class_name(self) -> str | None:
        """The nearest class; None where it is beyond the threshold."""

class Gallery:
    """Enrolled pictures, on the disk: to search and to identify by."""

    @staticmethod
    def create(place: str, embedder: Embedder) -> Gallery: ...
    @staticmethod
    def open(place: str) -> Gallery: ...
    def add(
        self,
        embedder: Embedder,
        pictures: Sequence[str | PathLike[str]],
        class_name: str | None = None,
    ) -> tuple[int, int]:
        """Enrols pictures, or folders with a subfolder for each class: how many are new, how many were there."""
    def search(self, embedding: NDArray[np.float32], k: int = 10) -> list[Match]:
        """The k entries nearest to an embedding (D), exactly."""
    def identify(
        self, embedding: NDArray[np.float32], threshold: float | None = None, classes: int = 5
    ) -> Identified:
        """Who or what it is; unknown beyond the threshold, by default the gallery's own."""
    def remove(self, class_name: str) -> int: ...
    def classes(self) -> dict[str, int]: ...
    def __len__(self) -> int: ...

class Figure:
    """A figure with its 95 % interval by bootstrap over classes."""

    name: str
    value: float
    low: float | None
    high: float | None
    def __float__(self) -> float: ...

def evaluate(
    embeddings: ArrayLike,
    labels: ArrayLike,
    distance: str = "euclidean",
    pairs: int = 20_000,
    seed: int = 0,
) -> dict[str, Figure]:
    """How good embeddings (N, D) are, by their N labels."""

def train(
    data: str | PathLike[str],
    preset: str | None = None,
    *,
    runs: str | PathLike[str] = "runs",
    name: str | None = None,
    progress: Callable[[str], Any] | None = print,
    **settings: Any,
) -> str:
    """Trains as `siamese train` does; the run's folder."""
