"""Times finding the faces in a picture: ours beside facenet-pytorch's MTCNN, in turn; both must find as many.

    pip install facenet-pytorch
    python crates/siamese-faces/benches/faces_peer.py --program target/release/examples/faces_rate [--rounds 7]

Pictures are scikit-image's astronaut alone, and copies of her in four sizes on grey walls of one and of three megapixels.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy as np
import torch
from facenet_pytorch import MTCNN
from PIL import Image

torch.set_grad_enabled(False)
LOOKS = 3
HERE = pathlib.Path(__file__).resolve().parent.parent
HER = Image.open(HERE / "tests/data/astronaut.png").convert("RGB")


def wall(width, height):
    picture = Image.new("RGB", (width, height), (128, 128, 128))
    for i, scale in enumerate((0.5, 0.75, 1.0, 1.25)):
        side = int(HER.width * scale * height / 960 * 0.9)
        place = (int(width * (i % 2) * 0.5), int(height * (i // 2) * 0.5))
        picture.paste(HER.resize((side, side)), place)
    return picture


class Ours:
    def __init__(self, program, picture, folder):
        path = os.path.join(folder, "pixels")
        np.array(picture).tofile(path)
        words = [program, path, str(picture.height), str(picture.width)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.faces = int(self.process.stdout.readline())

    def best(self):
        self.process.stdin.write(f"{LOOKS}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


class Theirs:
    def __init__(self, picture):
        self.net, self.picture = MTCNN(device="cpu", keep_all=True), picture
        self.faces = len(self.net.detect(picture)[0])

    def best(self):
        times = []
        for _ in range(LOOKS):
            start = time.perf_counter()
            self.net.detect(self.picture, landmarks=True)
            times.append(time.perf_counter() - start)
        return min(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads\n")
    print("| picture | faces | siamese, ms | facenet-pytorch, ms | ours is faster |")
    print("|---|---|---|---|---|")
    for picture in (HER, wall(1280, 960), wall(2048, 1536)):
        with tempfile.TemporaryDirectory() as folder:
            players = [Ours(options.program, picture, folder), Theirs(picture)]
            assert players[0].faces == players[1].faces, [player.faces for player in players]
            times = [[], []]
            for _ in range(options.rounds + 1):  # the first warms up
                for own, player in zip(times, players):
                    own.append(player.best())
            ours, theirs = (statistics.median(own[1:]) for own in times)
            size = f"{picture.width}×{picture.height}"
            print(f"| {size} | {players[0].faces} | {ours * 1e3:.1f} | {theirs * 1e3:.1f} | {theirs / ours:.2f} × |", flush=True)
            players[0].process.stdin.close()


if __name__ == "__main__":
    main()
