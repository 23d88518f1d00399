"""Pictures a second of a first pass with PyTorch's DataLoader and torchvision: what decode_bench does.

    python peer.py FOLDER [--size 128] [--workers 2]
"""

import argparse
import pathlib
import time

import torch
import torchvision
from PIL import Image, ImageOps
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

NAMES = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".ppm", ".pgm", ".pbm", ".tif", ".tiff"}


class Folder(Dataset):
    """Every picture below a folder, upright, its short side resized and the middle cropped."""

    def __init__(self, folder, size):
        self.files = sorted(f for f in pathlib.Path(folder).rglob("*") if f.suffix.lower() in NAMES)
        self.transform = v2.Compose(
            [
                v2.Resize(size, interpolation=v2.InterpolationMode.BICUBIC, antialias=True),
                v2.CenterCrop(size),
                v2.PILToTensor(),
            ]
        )

    def __len__(self):
        return len(self.files)

    def __getitem__(self, i):
        with Image.open(self.files[i]) as picture:
            return self.transform(ImageOps.exif_transpose(picture).convert("RGB"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = Folder(arguments.folder, arguments.size)
    loader = DataLoader(data, batch_size=64, num_workers=arguments.workers)
    started = time.perf_counter()
    seen = sum(len(batch) for batch in loader)
    seconds = time.perf_counter() - started
    print(
        f"torch {torch.__version__}, torchvision {torchvision.__version__}: {seen} pictures to "
        f"{arguments.size}x{arguments.size} in {seconds:.2f} s on {arguments.workers} workers, {seen / seconds:.1f} a second"
    )


if __name__ == "__main__":
    main()
