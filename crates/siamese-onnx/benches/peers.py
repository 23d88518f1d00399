"""What others make of an exported model: python peers.py SIAMESE MODEL [--int8 ARGUMENTS…]

Exports MODEL by the binary SIAMESE, has onnx.checker look at it, and prints by how much ONNX Runtime's embeddings of
noise differ from `siamese embed`'s; of a ResNet for photos timm's too. With --int8 it also exports 8 bits (ARGUMENTS say
where the run's pictures lie, as --data does) and prints how long ONNX Runtime takes for each, in turn. Wants numpy,
pillow, onnx, onnxruntime (and timm).
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image

PICTURES = 40
ROUNDS = 9


def largest(ours, theirs):
    return float(np.abs(ours - theirs).max())


def eight_bits(folder, noise):
    """How fast both graphs are, and how near their embeddings."""
    onnx.checker.check_model(onnx.load(folder / "int8.onnx"), full_check=True)
    sessions = [onnxruntime.InferenceSession(folder / name) for name in ("int8.onnx", "model.onnx")]
    batch = np.concatenate([noise] * (256 // PICTURES + 1))[: 256 if noise.shape[1] < 64 else 8]
    seconds = [[], []]
    for _ in range(ROUNDS):
        for session, taken in zip(sessions, seconds):
            start = time.perf_counter()
            session.run(None, {"image": batch})
            taken.append(time.perf_counter() - start)
    whole, exact = (np.median(taken) for taken in seconds)
    a, b = (session.run(None, {"image": noise})[0] for session in sessions)
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    print(f"{len(batch)} pictures: {whole:.3f} s of 8 bits, {exact:.3f} s of f32; mean cosine {cosine.mean():.4f}")


def main(siamese, model, *more):
    folder = Path(tempfile.mkdtemp())
    siamese, model = Path(siamese).absolute(), Path(model).absolute()
    run = lambda *words: subprocess.run([siamese, *words], check=True, cwd=folder, capture_output=True)
    run("export", model, "--onnx", "model.onnx")
    onnx.checker.check_model(onnx.load(folder / "model.onnx"), full_check=True)
    print("onnx.checker: sound")
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    height, width, channels = session.get_inputs()[0].shape[1:]
    noise = np.random.default_rng(1).integers(0, 256, (PICTURES, height, width, channels), dtype=np.uint8)
    (folder / "pictures").mkdir()
    for i, pixels in enumerate(noise):
        Image.fromarray(pixels.squeeze()).save(folder / f"pictures/{i:03}.png")
    run("embed", model, "pictures", "-o", "ours.npz")
    table = np.load(folder / "ours.npz")
    ours = table["embeddings"][np.argsort(table["files"])]
    for batch in (1, PICTURES):
        theirs = [session.run(None, {"image": noise[i : i + batch]})[0] for i in range(0, PICTURES, batch)]
        print(f"ONNX Runtime, batches of {batch}: {largest(ours, np.concatenate(theirs)):.1e}")
    if more:
        run("export", model, "--onnx", "int8.onnx", *more)
        eight_bits(folder, noise)
    if subprocess.run([siamese, "export", model, "--timm", folder / "timm"], capture_output=True).returncode:
        return
    import timm
    import torch

    network = timm.create_model(f"local-dir:{folder / 'timm'}", pretrained=True).eval()
    mean, std = (torch.tensor(network.pretrained_cfg[key]).reshape(-1, 1, 1) for key in ("mean", "std"))
    images = (torch.from_numpy(noise).permute(0, 3, 1, 2) / 255 - mean) / std
    with torch.no_grad():
        theirs = torch.nn.functional.normalize(network(images)).numpy()
    print(f"timm: {largest(ours, theirs):.1e}")


if __name__ == "__main__":
    main(*sys.argv[1:])
