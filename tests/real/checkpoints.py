"""Saves checkpoints as training scripts do, NAME.pt, and beside them NAME.json: each tensor's shape and numbers that a reader must find."""
import json
import sys
from collections import OrderedDict

import torch
import torch.nn as nn

torch.manual_seed(0)
net = nn.Sequential(OrderedDict(conv=nn.Conv2d(2, 3, 3), norm=nn.BatchNorm2d(3), fc=nn.Linear(6, 2)))
state = net.state_dict()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
sum(p.sum() for p in net.parameters()).backward()
optimizer.step()

shared = torch.randn(4, 3)
odd = OrderedDict([
    ("half", torch.randn(2, 3).half()),
    ("bfloat16", torch.randn(5).bfloat16()),
    ("double", torch.randn(2, dtype=torch.float64)),
    ("turned", torch.randn(3, 4).t()),
    ("part", torch.randn(6, 6)[1:4, ::2]),
    ("tied", shared),
    ("tied_too", shared),
    ("tied_view", shared[2]),
    ("grown", torch.randn(1, 3).expand(4, 3)),
    ("scalar", torch.tensor(2.5)),
    ("none", torch.zeros(0, 4)),
    ("steps", torch.tensor(7, dtype=torch.int32)),
    ("bytes", torch.tensor([255, 0], dtype=torch.uint8)),
    ("mask", torch.tensor([True, False])),
    ("parameter", nn.Parameter(torch.randn(3))),
])

CHECKPOINTS = {
    "whole": (state, state),
    "epoch": (
        {"epoch": 3, "arch": "net", "best_acc1": torch.tensor(81.5), "optimizer": optimizer.state_dict(),
         "state_dict": state, "scheduler": {"step": 3}},
        state,
    ),
    "model": ({"optimizer": optimizer.state_dict(), "model": state, "args": {"lr": 0.1}}, state),
    "module": (net, state),
    "holder": ({"epoch": 1, "model": net}, state),
    "other": ({"epoch": 1, "generator": state}, state),
    "odd": (odd, odd),
}

folder = sys.argv[1]
for name, (checkpoint, tensors) in CHECKPOINTS.items():
    torch.save(checkpoint, f"{folder}/{name}.pt", _use_new_zipfile_serialization=name != "model")
    expected = {key: [list(t.shape), t.detach().double().flatten().tolist()] for key, t in tensors.items()}
    with open(f"{folder}/{name}.json", "w") as file:
        json.dump(expected, file)
