"""The lpNTK of a network with PyTorch on the CPU: from weights and images to the finished matrix [N, N], in one of three ways.

    python3 bench/peers/lpntk_torch.py WAY FOLDER [THREADS]

FOLDER holds what networks_torch.py reads. WAY, the first and the last for LeNet-5 alone:

    structured  one backward pass for all samples; dense layers as products of their factors, convolutions contracted
    vmap        per-sample gradients of the signed logits by vmap(grad), then one matrix product
    authors     full Jacobians row by row, the eNTK of each pair of samples, and its masked sum, as the paper's authors compute it

Takes turns (turns.py): type 1 and return for one measurement. Needs PyTorch and NumPy (Debian: python3-torch python3-numpy).
"""

import sys

import torch
import torch.nn.functional as F

from networks_torch import forward, forward_mobile, forward_resnet, load_samples, load_weights
from turns import take_turns

# Number of samples whose gradients are held at once.
BATCH = 256


def append_ones(x):
    return torch.cat([x, x.new_ones(x.shape[0], 1)], 1)


def compute_structured(weights, images, signs):
    shapes = [(6, 28, 28), (16, 10, 10), (120,), (84,), (10,)]
    plain, inputs_of, deltas_of = [], [[], [], []], [[], [], []]
    for x, s in zip(images.split(BATCH), signs.split(BATCH)):
        offsets = [torch.zeros(len(x), *shape, requires_grad=True) for shape in shapes]
        z, inputs = forward(weights, x, offsets)
        deltas = torch.autograd.grad((z * s).sum(), offsets)
        inputs = [layer.detach() for layer in inputs]
        rows = []
        for layer, padding in ((0, 2), (1, 0)):
            patches = F.unfold(inputs[layer], 5, padding=padding)
            delta = deltas[layer].flatten(2)
            rows += [torch.bmm(delta, patches.transpose(1, 2)).flatten(1), delta.sum(2)]
        plain.append(torch.cat(rows, 1))
        for dense in range(3):
            inputs_of[dense].append(append_ones(inputs[2 + dense]))
            deltas_of[dense].append(deltas[2 + dense])
    rows = torch.cat(plain)
    kernel = rows @ rows.T
    for a, d in zip(map(torch.cat, inputs_of), map(torch.cat, deltas_of)):
        kernel += (a @ a.T).mul_(d @ d.T)
    return kernel


def compute_vmap(weights, images, signs):
    try:
        from torch.func import grad, vmap
    except ImportError:
        from functorch import grad, vmap
    names = {"stem.weight": forward_mobile, "linear.weight": forward_resnet, "fc1.weight": forward}
    network = next(network for name, network in names.items() if name in weights)
    signed = lambda w, x, s: (network(w, x[None])[0] * s).sum()
    gradients = vmap(grad(signed), in_dims=(None, 0, 0))
    rows = []
    for x, s in zip(images.split(BATCH), signs.split(BATCH)):
        rows.append(torch.cat([g.flatten(1) for g in gradients(weights, x, s).values()], 1))
    rows = torch.cat(rows)
    return rows @ rows.T


def compute_authors(weights, images, signs):
    parameters = [w.clone().requires_grad_() for w in weights.values()]
    named = dict(zip(weights, parameters))
    jacobians = []
    for x in images:
        z = forward(named, x[None])[0]
        rows = [torch.autograd.grad(logit, parameters, retain_graph=True) for logit in z]
        jacobians.append(torch.stack([torch.cat([g.flatten() for g in row]) for row in rows]))
    count = len(images)
    kernel = torch.empty(count, count)
    for n in range(count):
        for m in range(count):
            entk = jacobians[n] @ jacobians[m].T
            kernel[n, m] = (entk * torch.outer(signs[n], signs[m])).sum()
    return kernel


def main(way, folder, threads="2"):
    torch.set_num_threads(int(threads))
    weights = load_weights(f"{folder}/weights.safetensors")
    images, labels, classes = load_samples(folder)
    signs = (2 * F.one_hot(labels, classes).float() - 1) / classes**0.5
    compute = {"structured": compute_structured, "vmap": compute_vmap, "authors": compute_authors}[way]
    take_turns(
        lambda: compute(weights, images, signs),
        lambda kernel, path: kernel.numpy().tofile(path),
    )


main(*sys.argv[1:])
