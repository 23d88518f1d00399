"""What facenet-pytorch says of the pictures that tests/golden.rs makes, as JSON on standard output.

    python crates/siamese-faces/benches/golden.py > crates/siamese-faces/tests/data/golden.json

Wants facenet-pytorch, torch and pillow.
"""
import json
import pathlib

import numpy as np
import torch
from facenet_pytorch import MTCNN
from PIL import Image

torch.set_grad_enabled(False)
here = pathlib.Path(__file__).resolve().parent.parent
astronaut = np.array(Image.open(here / "tests/data/astronaut.png").convert("RGB"))


def several():
    """Three sizes of her on a grey wall, one mirrored, one cut by the edge."""
    wall = np.full((420, 640, 3), 128, np.uint8)
    wall[10:330, 5:325] = astronaut
    wall[200:360, 340:500] = astronaut[::2, ::2][:, ::-1]
    wall[0:140, 520:640] = astronaut[::2, ::2][20:, :120]
    return wall


def said(picture):
    boxes, scores, points = MTCNN(device="cpu").detect(Image.fromarray(picture), landmarks=True)
    if boxes is None:
        return []
    return [
        {"bounds": b.tolist(), "probability": float(s), "landmarks": p.tolist()}
        for b, s, p in zip(boxes, scores, points)
    ]


pictures = {"one": astronaut, "several": several(), "wall": np.full((90, 70, 3), 128, np.uint8)}
print(json.dumps({name: said(picture) for name, picture in pictures.items()}, indent=1))
