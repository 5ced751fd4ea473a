"""Loads what lpntk saved into PyTorch modules with strict=True, and saves what PyTorch has for lpntk.

For each network NAME.safetensors of the folder: NAME.npy, its logits of images.npy (f32 [N, C, H, W]), and NAME_torch.safetensors, the
module's state_dict with the tensors in the module's own order. Where there are labels NAME_labels.npy, also NAME_kernel.npy, its lpNTK in float64
over model.parameters(). The safetensors format is read and written by hand.
"""
import json
import os
import struct
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

DTYPES = {"F32": np.float32, "I64": np.int64}


def load(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    header.pop("__metadata__", None)
    return {
        name: torch.from_numpy(
            np.frombuffer(data[slice(*entry["data_offsets"])], DTYPES[entry["dtype"]])
            .reshape(entry["shape"]).copy())
        for name, entry in header.items()
    }


def save(path, tensors):
    header, parts, end = {}, [], 0
    for name, tensor in tensors.items():
        array = tensor.numpy()
        dtype = next(key for key, value in DTYPES.items() if value == array.dtype)
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [end, end + array.nbytes]}
        parts.append(array.tobytes())
        end += array.nbytes
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(parts))


class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class LeNetLarge(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(x)))), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class Block(nn.Module):
    def __init__(self, before, width, stride, norm):
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = norm(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = norm(width)
        self.shortcut = nn.Sequential()
        if stride != 1 or before != width:
            self.shortcut = nn.Sequential(nn.Conv2d(before, width, 1, stride=stride, bias=False), norm(width))

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, widths, blocks, pool, norm=nn.Identity):
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.bn1 = norm(widths[0])
        self.stages = []
        before = widths[0]
        for stage, width in enumerate(widths):
            layer = []
            for block in range(blocks):
                layer.append(Block(before, width, 2 if stage > 0 and block == 0 else 1, norm))
                before = width
            self.stages.append(f"layer{stage + 1}")
            setattr(self, self.stages[-1], nn.Sequential(*layer))
        self.linear = nn.Linear(before, 10)
        self.pool = pool

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        for stage in self.stages:
            x = getattr(self, stage)(x)
        return self.linear(self.pool(x).flatten(1))


class Normed(nn.Module):
    """Every kind of layer that the others do not have."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3, stride=2)
        self.norm = nn.BatchNorm2d(5)
        self.fc = nn.Linear(5 * 7 * 7, 10, bias=False)

    def forward(self, x):
        x = torch.tanh(self.norm(self.conv(x)))
        return self.fc(F.gelu(F.avg_pool2d(x, 2)).flatten(1))


NETWORKS = {
    "lenet5": LeNet5,
    "lenet_large": LeNetLarge,
    "resnet8": lambda: ResNet((16, 24, 48), 1, lambda x: F.adaptive_avg_pool2d(x, 1)),
    "resnet18_narrow": lambda: ResNet((8, 16, 32, 64), 2, lambda x: F.avg_pool2d(x, 4)),
    "resnet18_bn": lambda: ResNet((3, 5, 6, 7), 2, lambda x: F.avg_pool2d(x, 4), nn.BatchNorm2d),
    "normed": Normed,
}


def compute_kernel(module, images, labels):
    """Computes the lpNTK of the samples, f64 [N, N], over all parameters: one backward pass of s(y)^T z(x) / sqrt(C) each."""
    rows = []
    for image, label in zip(images, labels):
        (logits,) = module(image[None])
        signs = -torch.ones_like(logits)
        signs[int(label)] = 1
        grads = torch.autograd.grad(logits @ signs / len(logits) ** 0.5, list(module.parameters()))
        rows.append(torch.cat([grad.flatten() for grad in grads]))
    rows = torch.stack(rows)
    return rows @ rows.T


folder = sys.argv[1]
for name, make in NETWORKS.items():
    module = make()
    module.load_state_dict(load(f"{folder}/{name}.safetensors"), strict=True)
    module.eval()
    images = torch.from_numpy(np.load(f"{folder}/{name}_images.npy"))
    with torch.no_grad():
        np.save(f"{folder}/{name}_logits.npy", module(images).numpy())
    save(f"{folder}/{name}_torch.safetensors", module.state_dict())
    labels = f"{folder}/{name}_labels.npy"
    if os.path.exists(labels):
        np.save(f"{folder}/{name}_kernel.npy", compute_kernel(module.double(), images.double(), np.load(labels)).numpy())
