"""Embeddings a second from 1 image to 256: ours, PyTorch's and ONNX Runtime's on the same weights and images, in turn.

    pip install numpy torch torchvision onnx onnxruntime
    python crates/siamese-embed/benches/embed_peers.py --program target/release/examples/embed_rate \
        [--model FILE] [--net stages] [--net resnet18] [--batches 1,4,16,64,256] [--rounds 7]

Each takes bytes (B, H, W, C) in memory and gives embeddings (B, D) of unit length. All threads of the machine for each. The
embeddings must agree to 1e-3; a table of medians of each round's best is printed. ONNX Runtime's graph is exported from PyTorch's.
"""

import argparse
import json
import os
import statistics
import struct
import subprocess
import tempfile
import time
import warnings

import numpy as np
import onnxruntime
import torch
from torch import nn

STEPS = {1: 30, 4: 12, 16: 6}


def read(path):
    """Tensors and description of a model file."""
    data = open(path, "rb").read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    description = json.loads(header.pop("__metadata__")["siamese"])
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        values = np.frombuffer(data[8 + length + start : 8 + length + end], np.float32)
        tensors[name.removeprefix("tower.")] = torch.from_numpy(values.reshape(entry["shape"]).copy())
    return tensors, description["tower"]


def stages(body, channels):
    layers = []
    for stage in body["stages"]:
        for _ in range(stage["convolutions"]):
            layers += [nn.Conv2d(channels, stage["channels"], 3, padding=1), nn.BatchNorm2d(stage["channels"])]
            layers += [nn.LeakyReLU(body["leaky_slope"])]
            channels = stage["channels"]
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def resnet(body):
    import torchvision

    net = getattr(torchvision.models, f"resnet{body['depth']}")()
    net.fc = nn.Identity()
    return net


class Tower(nn.Module):
    """Bytes (B, H, W, C) in, embeddings of unit length out, as the model file says."""

    def __init__(self, path):
        super().__init__()
        tensors, tower = read(path)
        self.input = tower["input"]
        channels = len(self.input["mean"])
        body = tower["body"]
        self.backbone = stages(body, channels) if body["kind"] == "stages" else resnet(body)
        self.head = nn.Linear(tensors["head.weight"].shape[1], tower["embedding"])
        names = set(self.state_dict())
        missing = [name for name in names - set(tensors) if not name.endswith("num_batches_tracked")]
        assert not missing and not set(tensors) - names, (missing, set(tensors) - names)
        self.load_state_dict(tensors, strict=False)
        shape = (1, channels, 1, 1)
        self.register_buffer("mean", torch.tensor(self.input["mean"]).reshape(shape) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(self.input["std"]).reshape(shape) * 255, persistent=False)
        self.eval()

    def forward(self, pixels):
        images = (pixels.permute(0, 3, 1, 2).float() - self.mean) / self.std
        features = self.backbone(images).flatten(1)
        return nn.functional.normalize(self.head(features))


class Ours:
    name = "siamese"

    def __init__(self, program, model, images, folder):
        out = os.path.join(folder, "ours.f32")
        self.process = subprocess.Popen(
            [program, model, images, out], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout.readline() == "ready\n"
        self.embeddings = np.fromfile(out, np.float32)

    def best(self, batch, steps):
        self.process.stdin.write(f"{batch} {steps}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


class Timed:
    def best(self, batch, steps):
        times = []
        for _ in range(steps):
            start = time.perf_counter()
            self.embed(batch)
            times.append(time.perf_counter() - start)
        return min(times)


class Torch(Timed):
    name = "PyTorch"

    def __init__(self, tower, pixels):
        self.tower = tower.to(memory_format=torch.channels_last)
        self.pixels = torch.from_numpy(pixels)
        self.embeddings = self.embed(len(pixels)).ravel()

    def embed(self, batch):
        with torch.inference_mode():
            return self.tower(self.pixels[:batch]).numpy()


class Onnx(Timed):
    name = "ONNX Runtime"

    def __init__(self, tower, pixels, folder):
        path = os.path.join(folder, "tower.onnx")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                tower, torch.from_numpy(pixels[:2]), path, input_names=["pixels"], output_names=["embeddings"],
                dynamic_axes={"pixels": {0: "batch"}, "embeddings": {0: "batch"}}, dynamo=False,
            )
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.pixels = pixels
        self.embeddings = self.embed(len(pixels)).ravel()

    def embed(self, batch):
        return self.session.run(None, {"pixels": self.pixels[:batch]})[0]


def bench(program, model, name, batches, rounds):
    tower = Tower(model)
    shape = (max(batches), tower.input["height"], tower.input["width"], len(tower.input["mean"]))
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        images = os.path.join(folder, "images")
        pixels.tofile(images)
        onnx = Onnx(tower, pixels, folder)
        players = [Ours(program, model, images, folder), Torch(tower, pixels), onnx]
        off = max(np.abs(player.embeddings - players[0].embeddings).max() for player in players)
        assert off < 1e-3, f"the embeddings differ by {off}"
        for batch in batches:
            times = [[] for _ in players]
            for _ in range(rounds + 1):  # the first warms up
                for own, player in zip(times, players):
                    own.append(player.best(batch, STEPS.get(batch, 2)))
            medians = [statistics.median(own[1:]) for own in times]
            rates = " | ".join(f"{batch / median:,.0f}" for median in medians)
            ratio = min(medians[1:]) / medians[0]
            print(f"| {name} × {batch} | {rates} | {ratio:.2f} |", flush=True)
        players[0].process.stdin.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--model", help="a model file with a tower of stages or a ResNet, in place of untrained ones")
    parser.add_argument("--net", action="append", choices=["stages", "resnet18"])
    parser.add_argument("--batches", default="1,4,16,64,256")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    batches = [int(word) for word in options.batches.split(",")]
    print(f"PyTorch {torch.__version__}, ONNX Runtime {onnxruntime.__version__}, {torch.get_num_threads()} threads\n")
    print("| network × images | siamese | PyTorch | ONNX Runtime | ours ÷ the better |")
    print("|---|---|---|---|---|")
    if options.model:
        bench(options.program, options.model, os.path.basename(options.model), batches, options.rounds)
        return
    with tempfile.TemporaryDirectory() as folder:
        for net in options.net or ["stages", "resnet18"]:
            model = os.path.join(folder, f"{net}.safetensors")
            subprocess.run([options.program, "make", net, model], check=True)
            bench(options.program, model, net, batches, options.rounds)
    print("\nCells: embeddings a second, medians of the rounds' best.")


if __name__ == "__main__":
    main()
