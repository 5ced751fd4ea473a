"""Exports networks to ONNX as PyTorch's users do, and computes their kernels in float64 over every parameter.

For each network a folder NAME of the one that is given: model.onnx, images.npy and labels.npy, lpntk.npy (float64 [N, N]), and names.json, the
names of its parameters.
"""
import json
import os
import sys
import warnings

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

warnings.filterwarnings("ignore")
CLASSES, COUNT = 4, 7


class Net(nn.Module):
    """A module of named parts, and a function of them and the images."""

    def __init__(self, run, **parts):
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.run(self, x)


def parameter(*shape):
    return nn.Parameter(torch.randn(*shape) * 0.5)


def tokens_in_one_projection(m, x):
    x = m.patch(x).flatten(2).transpose(1, 2)
    x = torch.cat((m.token.expand(x.shape[0], -1, -1), x), 1) + m.positions
    n, t, d = x.shape
    q, k, v = m.qkv(m.norm(x)).reshape(n, t, 3, 2, d // 2).permute(2, 0, 3, 1, 4).unbind(0)
    y = ((q @ k.transpose(-2, -1)) * (d // 2) ** -0.5).softmax(-1) @ v
    return m.head((x + m.out(y.transpose(1, 2).reshape(n, t, d))).mean(1))


def encoder(m, x):
    return m.head(m.layer(m.patch(x).flatten(2).permute(2, 0, 1)).mean(0))


def shuffle(m, x):
    x = m.stem(x)
    n, c, h, w = x.shape
    x = x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)
    left, right = x.chunk(2, 1)
    return m.head(torch.cat([left, F.hardswish(m.deep(right))], 1).mean([2, 3]))


def windows(m, x):
    x = m.norm(m.patch(x).permute(0, 2, 3, 1))
    n, h, w, c = x.shape
    x = x.view(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, 4, c)
    x = (m.q(x) @ m.k(x).transpose(-2, -1) + m.bias).softmax(-1) @ x
    x = x.view(n, h // 2, w // 2, 2, 2, c).permute(0, 1, 3, 2, 4, 5).contiguous().view(n, h, w, c)
    return m.head(torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2]], -1).mean([1, 2]))


def shared(m, x):
    x = torch.tanh(m.first(x.flatten(1)))
    return m.head(torch.tanh(m.again(torch.tanh(m.again(x)))))


def tied(m, x):
    x = torch.tanh(m.first(x.flatten(1)))
    return m.head(torch.tanh(m.b(torch.tanh(m.a(x)))))


def make_networks():
    patch = lambda: nn.Conv2d(3, 8, 4, 4)
    a, b = nn.Linear(6, 6), nn.Linear(6, 6)
    b.weight = a.weight
    return {
        "one_projection": Net(
            tokens_in_one_projection, patch=patch(), token=parameter(1, 1, 8), positions=parameter(1, 13, 8),
            norm=nn.LayerNorm(8), qkv=nn.Linear(8, 24), out=nn.Linear(8, 8), head=nn.Linear(8, CLASSES)),
        "encoder": Net(
            encoder, patch=patch(), layer=nn.TransformerEncoderLayer(8, 2, 10, activation="gelu", norm_first=True),
            head=nn.Linear(8, CLASSES)),
        "shuffle": Net(
            shuffle, stem=nn.Conv2d(3, 8, 3, 2, 1), deep=nn.Conv2d(4, 4, (3, 5), 1, (1, 2), groups=4),
            head=nn.Linear(8, CLASSES)),
        "windows": Net(
            windows, patch=nn.Conv2d(3, 8, 2, 2), norm=nn.LayerNorm(8), q=nn.Linear(8, 6),
            k=nn.Linear(8, 6, bias=False), bias=parameter(1, 4, 4), head=nn.Linear(16, CLASSES)),
        "shared": Net(shared, first=nn.Linear(576, 6), again=nn.Linear(6, 6), head=nn.Linear(6, CLASSES)),
        "tied": Net(tied, first=nn.Linear(576, 6), a=a, b=b, head=nn.Linear(6, CLASSES)),
        "untrained_norms": nn.Sequential(
            nn.Conv2d(3, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6), nn.Mish(), nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Conv2d(6, 6, 3, padding=2, dilation=2, bias=False), nn.BatchNorm2d(6), nn.PReLU(6),
            nn.InstanceNorm2d(6, affine=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, CLASSES)),
    }


def compute_kernel(model, images, labels):
    parameters = list(model.parameters())
    rows = []
    for image, label in zip(images, labels):
        signs = torch.full((CLASSES,), -1.0, dtype=torch.float64)
        signs[label] = 1
        gradients = torch.autograd.grad(model(image[None])[0] @ signs / CLASSES ** 0.5, parameters)
        rows.append(torch.cat([gradient.reshape(-1) for gradient in gradients]))
    rows = torch.stack(rows)
    return (rows @ rows.T).numpy()


def main(folder):
    torch.manual_seed(11)
    torch.set_num_threads(1)
    for i, (name, model) in enumerate(make_networks().items()):
        model.eval()
        at = lambda file: os.path.join(folder, name, file)
        os.makedirs(os.path.join(folder, name))
        images = torch.randn(COUNT, 3, 12, 16)
        labels = np.arange(COUNT) % CLASSES
        # one network in two fixes its number of samples
        axes = {"images": {0: "n"}} if i % 2 == 0 else None
        torch.onnx.export(
            model, images[:1 + i % 3], at("model.onnx"), input_names=["images"], opset_version=(17, 13, 11)[i % 3],
            dynamic_axes=axes, training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
        np.save(at("images.npy"), images.permute(0, 2, 3, 1).contiguous().numpy())
        np.save(at("labels.npy"), labels.astype("i4"))
        np.save(at("lpntk.npy"), compute_kernel(model.double(), images.double(), labels))
        with open(at("names.json"), "w") as file:
            json.dump([name for name, _ in model.named_parameters()], file)


main(sys.argv[1])
