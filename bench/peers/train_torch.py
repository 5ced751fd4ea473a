"""Training LeNet-5 with PyTorch on the CPU: an epoch of the folder's images, in their order.

    python3 bench/peers/train_torch.py FOLDER BATCH LEARNING_RATE MOMENTUM [THREADS]

FOLDER holds what networks_torch.py reads. Takes turns (turns.py): type 1 and return for one measurement; what it writes is the cross-entropy of
the first batch's samples under the folder's weights. Needs PyTorch and NumPy (Debian: python3-torch python3-numpy).
"""

import sys

import torch
import torch.nn.functional as F

from networks_torch import forward, load_samples, load_weights
from turns import take_turns


def main(folder, batch, learning_rate, momentum, threads="2"):
    torch.set_num_threads(int(threads))
    weights = load_weights(f"{folder}/weights.safetensors")
    images, labels, _ = load_samples(folder)
    batches = list(zip(images.split(int(batch)), labels.split(int(batch))))
    x, y = batches[0]
    losses = F.cross_entropy(forward(weights, x), y, reduction="none")
    for weight in weights.values():
        weight.requires_grad_()
    optimiser = torch.optim.SGD(weights.values(), lr=float(learning_rate), momentum=float(momentum))

    def train_epoch():
        for x, y in batches:
            optimiser.zero_grad()
            F.cross_entropy(forward(weights, x), y).backward()
            optimiser.step()
        return losses

    take_turns(train_epoch, lambda losses, path: losses.numpy().tofile(path))


main(*sys.argv[1:])
