"""LeNet-5, residual networks and MobileNetV2's first blocks in PyTorch, and the readers of the folder that the benches hand to its scripts.

The folder holds weights.safetensors (a state_dict), images.npy (uint8 [N, H, W, C]), labels.npy [N] and dataset.json (classes, mean, std).
"""

import json
import struct

import numpy as np
import torch
import torch.nn.functional as F


def load_weights(path):
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    weights = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        numbers = np.frombuffer(data[begin:end], np.float32).reshape(entry["shape"])
        weights[name] = torch.from_numpy(numbers.copy())
    return weights


def load_samples(folder):
    """Loads images [N, C, H, W], normalised, labels [N], and the number of classes."""
    with open(f"{folder}/dataset.json") as file:
        settings = json.load(file)
    images = torch.from_numpy(np.load(f"{folder}/images.npy")).float()
    images = (images / 255 - torch.tensor(settings["mean"])) / torch.tensor(settings["std"])
    images = images.permute(0, 3, 1, 2).contiguous()
    labels = torch.from_numpy(np.load(f"{folder}/labels.npy").astype(np.int64))
    return images, labels, settings["classes"]


def forward_resnet(weights, images):
    """Computes the logits of a residual network as the paper's authors build it, as deep and as wide as its weights."""

    def conv(name, x, stride=1):
        w = weights[f"{name}.weight"]
        return F.conv2d(x, w, stride=stride, padding=w.shape[2] // 2)

    x = F.relu(conv("conv1", images))
    stage = 1
    while f"layer{stage}.0.conv1.weight" in weights:
        block = 0
        while f"layer{stage}.{block}.conv1.weight" in weights:
            name = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            y = conv(f"{name}.conv2", F.relu(conv(f"{name}.conv1", x, stride)))
            shortcut = f"{name}.shortcut.0"
            x = F.relu(y + (conv(shortcut, x, stride) if f"{shortcut}.weight" in weights else x))
            block += 1
        stage += 1
    return F.linear(F.avg_pool2d(x, 4).flatten(1), weights["linear.weight"], weights["linear.bias"])


def forward_mobile(weights, images):
    """Computes the logits of MobileNetV2's first five blocks as bench/mobile_blocks.ts defines them; the fourth halves height and width."""
    x = F.relu(F.conv2d(images, weights["stem.weight"], padding=1))
    for block in range(5):
        name = f"blocks.{block}"
        y = x
        if f"{name}.expand.weight" in weights:
            y = F.relu(F.conv2d(y, weights[f"{name}.expand.weight"]))
        stride = 2 if block == 3 else 1
        y = F.relu(F.conv2d(y, weights[f"{name}.depthwise.weight"], stride=stride, padding=1, groups=y.shape[1]))
        y = F.conv2d(y, weights[f"{name}.project.weight"])
        x = x + y if x.shape == y.shape else y
    return F.linear(x.mean((2, 3)), weights["linear.weight"], weights["linear.bias"])


def forward(weights, images, offsets=None):
    """Computes the logits of LeNet-5; `offsets` are added to the outputs of the layers, whose inputs are then returned, too."""
    inputs = []

    def layer(compute, name, x):
        inputs.append(x)
        y = compute(x, weights[f"{name}.weight"], weights[f"{name}.bias"])
        return y if offsets is None else y + offsets[len(inputs) - 1]

    pad = lambda x, w, b: F.conv2d(x, w, b, padding=2)
    x = F.max_pool2d(F.relu(layer(pad, "conv1", images)), 2)
    x = F.max_pool2d(F.relu(layer(F.conv2d, "conv2", x)), 2)
    x = F.relu(layer(F.linear, "fc1", x.flatten(1)))
    x = F.relu(layer(F.linear, "fc2", x))
    z = layer(F.linear, "fc3", x)
    return z if offsets is None else (z, inputs)
