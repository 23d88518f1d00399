"""The Python package against NumPy and against itself. `pip install . && pytest tests`."""

import pathlib

import numpy as np
import pytest
import siamese


def write_png(path, pixels):
    """A binary PPM will do: (H, W, 3) uint8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, _ = pixels.shape
    path.write_bytes(b"P6 %d %d 255\n" % (width, height) + pixels.tobytes())


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Six classes of eight pictures, each a colour with noise."""
    folder = tmp_path_factory.mktemp("photos")
    draw = np.random.default_rng(0)
    for number in range(6):
        colour = draw.integers(40, 216, size=3)
        for i in range(8):
            pixels = colour + draw.integers(-30, 30, size=(16, 20, 3))
            write_png(folder / f"class{number}" / f"{i}.ppm", pixels.astype(np.uint8))
    return folder


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    lines = []
    settings = dict(epochs=2, seed=1, data__split__by="images", sampler__classes=4, sampler__images=2)
    place = siamese.train(
        photos, runs=tmp_path_factory.mktemp("runs"), name="one", progress=lines.append,
        sampler__kind="per_class", tower__input__height=16, tower__input__width=16, **settings,
    )  # fmt: skip
    assert len(lines) == 2 and lines[0].startswith("epoch 1, loss ")
    return place


@pytest.fixture(scope="module")
def embedder(run):
    return siamese.Embedder(run)


def files(photos):
    return sorted(pathlib.Path(photos).glob("*/*.ppm"))


def test_files_and_arrays_have_the_same_embeddings(embedder, photos):
    names = files(photos)[:5]
    by_file = embedder.embed(names)
    assert by_file.shape == (5, embedder.dim) and by_file.dtype == np.float32
    height, width, channels = embedder.shape
    images = np.random.default_rng(1).integers(0, 256, (300, height, width, channels), np.uint8)
    together = embedder.embed(images)
    assert together.shape == (300, embedder.dim)
    np.testing.assert_allclose(together[7], embedder.embed(images[7:8])[0], atol=1e-5)


def test_what_is_no_image_of_the_model_is_refused(embedder, tmp_path):
    with pytest.raises(ValueError, match="takes images of shape"):
        embedder.embed(np.zeros((1, 5, 5, 3), np.uint8))
    with pytest.raises(ValueError, match="list of paths"):
        embedder.embed(3)
    with pytest.raises(RuntimeError, match="nothing.png"):
        embedder.embed([tmp_path / "nothing.png"])
    with pytest.raises(RuntimeError, match="nowhere"):
        siamese.Embedder("nowhere")


def test_a_picture_is_the_same_as_itself(embedder, photos):
    one = files(photos)[0]
    verdict = embedder.verify(one, one)
    assert verdict and verdict.same and verdict.distance < 1e-3
    assert verdict.threshold == embedder.threshold


def test_a_gallery_keeps_what_it_is_given(embedder, photos, tmp_path):
    place = str(tmp_path / "colours")
    gallery = siamese.Gallery.create(place, embedder)
    assert gallery.add(embedder, [photos]) == (48, 0)
    assert gallery.add(embedder, files(photos)[:1], class_name="class0") == (0, 1)
    again = siamese.Gallery.open(place)
    assert len(again) == 48 and again.classes()["class3"] == 8
    probe = embedder.embed(files(photos)[9:10])[0]
    nearest = again.search(probe, k=3)
    assert len(nearest) == 3 and nearest[0].distance < 1e-3 and nearest[0].class_name == "class1"
    assert again.identify(probe, threshold=10.0).class_name == "class1"
    assert again.identify(probe, threshold=-1.0).class_name is None
    assert again.remove("class1") == 8 and len(again) == 40
    with pytest.raises(RuntimeError):
        again.search(np.zeros(3, np.float32))


def test_figures_are_those_of_numpy():
    draw = np.random.default_rng(2)
    labels = np.repeat(["ant", "bee", "cat", "dog", "elk"], 20)
    centres = {name: draw.normal(size=8) for name in np.unique(labels)}
    rows = np.stack([centres[name] for name in labels]) + draw.normal(size=(100, 8))
    figures = siamese.evaluate(rows, labels)
    distances = np.linalg.norm(rows[:, None] - rows[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    recall = np.mean(labels[distances.argmin(axis=1)] == labels)
    assert float(figures["recall_at_1"]) == pytest.approx(recall, abs=1e-9)
    auc = figures["roc_auc"]
    assert auc.low < auc.value < auc.high and "roc_auc" in repr(auc)
    with pytest.raises(ValueError, match="100 embeddings and 3 labels"):
        siamese.evaluate(rows, ["a", "b", "a"])
    with pytest.raises(ValueError):
        siamese.evaluate(rows, labels, distance="taxi")


def test_settings_that_are_none_are_named(photos):
    with pytest.raises(RuntimeError, match="epoch"):
        siamese.train(photos, epochz=3)
