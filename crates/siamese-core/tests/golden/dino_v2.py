"""Writes dino_v2.json: what timm computes for small images through a DINOv2 of two blocks of width 32.

Weights and images come from a formula (see `values` in towers.py), so none of them is stored. Of each size of image: the
class token and the mean of the patches' tokens, after the last LayerNorm; `published` with the GELU of the published
model, `tanh` with the approximation of it that candle-transformers computes. Position embeddings are for 5x5 patches
and brought to the image's by timm. All in float64. Run from this folder: python dino_v2.py (PyTorch 2.15, timm 1.0).

With --full FOLDER it writes, instead, the real ViT-S/14 with random weights in timm's layout into FOLDER, as f32, and for
a batch of noise of 224 pixels the embeddings: model.safetensors, config.json, images.npy, embeddings.npy.
"""

import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
import timm
import torch
from timm.layers import resample_abs_pos_embed
from timm.models.vision_transformer import VisionTransformer


def values(name, shape, low, high):
    """As in towers.py."""
    start = 2166136261
    for byte in name.encode():
        start = (start ^ byte) * 16777619 % 2**32
    places = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(start)
    hashed = (places * np.uint64(2654435761)) % np.uint64(2**32)
    hashed = (hashed ^ (hashed >> np.uint64(15))) * np.uint64(2246822519) % np.uint64(2**32)
    unit = (hashed >> np.uint64(8)).astype(np.float64) / 2**24
    return torch.from_numpy((low + (high - low) * unit).astype(np.float32).astype(np.float64)).reshape(shape)


def fill(net):
    for name, tensor in net.state_dict().items():
        bound = (3.0 / tensor[0].numel()) ** 0.5 if tensor.dim() > 1 else 0.5
        if name in ("cls_token", "pos_embed"):
            bound = 1.0
        is_scale = tensor.dim() == 1 and (name.endswith("weight") or name.endswith("gamma"))
        low, high = (0.5, 1.5) if is_scale else (-bound, bound)
        tensor.copy_(values(name, tensor.shape, low, high))


def net(gelu, side):
    small = partial(VisionTransformer, patch_size=14, embed_dim=32, depth=2, num_heads=2, init_values=1.0, num_classes=0)
    of_file, run = small(img_size=70), small(img_size=side, act_layer=gelu)
    fill(of_file)
    weights = of_file.state_dict()
    grid = (side // 14, side // 14)
    weights["pos_embed"] = resample_abs_pos_embed(weights["pos_embed"], grid, num_prefix_tokens=1)
    run.load_state_dict(weights)
    return run.double().eval()


def both(net, images):
    tokens = net.forward_features(images)
    return torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], 1).flatten().tolist()


def small():
    torch.set_default_dtype(torch.float64)
    golden = {}
    for side in (42, 70, 98):
        images = values(f"dino_v2_{side}", (3, 3, side, side), -1.0, 1.0)
        golden[side] = dict(
            published=both(net(torch.nn.GELU, side), images),
            tanh=both(net(partial(torch.nn.GELU, approximate="tanh"), side), images),
        )
    with open("dino_v2.json", "w") as file:
        json.dump(golden, file, separators=(",", ":"))
        file.write("\n")


def full(folder):
    from safetensors.torch import save_file

    torch.manual_seed(0)
    name = "vit_small_patch14_dinov2.lvd142m"
    published = timm.create_model(name, pretrained=False)
    for key, tensor in published.state_dict().items():
        # as large as in a trained network, so that every block counts
        tensor.copy_(torch.rand_like(tensor) + 0.1 if key.endswith("gamma") else tensor + 0.02 * torch.randn_like(tensor))
    save_file(published.state_dict(), folder / "model.safetensors")
    cfg = {k: v for k, v in published.pretrained_cfg.items() if k in ("input_size", "mean", "std", "crop_pct", "interpolation")}
    (folder / "config.json").write_text(json.dumps({"architecture": name, "pretrained_cfg": cfg}))
    run = timm.create_model(name, pretrained=False, img_size=224, checkpoint_path="")
    weights = published.state_dict()
    weights["pos_embed"] = resample_abs_pos_embed(weights["pos_embed"], (16, 16), num_prefix_tokens=1)
    run.load_state_dict(weights)
    images = torch.randn(8, 3, 224, 224)
    np.save(folder / "images.npy", images.numpy())
    np.save(folder / "embeddings.npy", run.eval()(images).numpy())


with torch.no_grad():
    full(Path(sys.argv[2])) if sys.argv[1:2] == ["--full"] else small()
