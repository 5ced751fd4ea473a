"""LeNet-5 in PyTorch, and what the benches hand to its scripts in a folder.

The folder holds weights.safetensors (a state_dict), images.npy (uint8 [N, 28, 28]), labels.npy [N] and dataset.json (classes, mean, std).
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
    """Images [N, 1, 28, 28], normalised, labels [N], and the number of classes."""
    with open(f"{folder}/dataset.json") as file:
        settings = json.load(file)
    images = torch.from_numpy(np.load(f"{folder}/images.npy")).float().reshape(-1, 1, 28, 28)
    images = (images / 255 - settings["mean"][0]) / settings["std"][0]
    labels = torch.from_numpy(np.load(f"{folder}/labels.npy").astype(np.int64))
    return images, labels, settings["classes"]


def forward(weights, images, taps=None):
    """Logits; `taps` are added to the outputs of the layers, whose inputs are then returned too."""
    inputs = []

    def layer(compute, name, x):
        inputs.append(x)
        y = compute(x, weights[f"{name}.weight"], weights[f"{name}.bias"])
        return y if taps is None else y + taps[len(inputs) - 1]

    pad = lambda x, w, b: F.conv2d(x, w, b, padding=2)
    x = F.max_pool2d(F.relu(layer(pad, "conv1", images)), 2)
    x = F.max_pool2d(F.relu(layer(F.conv2d, "conv2", x)), 2)
    x = F.relu(layer(F.linear, "fc1", x.flatten(1)))
    x = F.relu(layer(F.linear, "fc2", x))
    z = layer(F.linear, "fc3", x)
    return z if taps is None else (z, inputs)
