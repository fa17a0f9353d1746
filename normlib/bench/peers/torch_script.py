"""A small network with BatchNorm in plain PyTorch: Dataset, torchvision transforms, DataLoader."""

import argparse
import json
import sys
import time

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms


class Images(Dataset[tuple[Tensor, int]]):
    """Images in memory, turned into tensors one by one as torchvision's own data sets do."""

    def __init__(self, file: str, transform: transforms.Compose) -> None:
        with np.load(file) as arrays:
            self.images: NDArray[np.uint8] = arrays["images"]
            self.labels: NDArray[np.uint8] = arrays["labels"]
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image: Tensor = self.transform(Image.fromarray(self.images[index]))
        return image, int(self.labels[index])


def network(name: str) -> nn.Module:
    """Return the CNN of sources A and B, or the two layers of source C."""
    if name == "mlp":
        return nn.Sequential(
            nn.Flatten(), nn.Linear(784, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10)
        )
    return nn.Sequential(
        nn.Conv2d(1, 32, 5, padding=2),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 14 * 14, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def main() -> None:
    """Train, and print the time at which each step after the warm-up ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--network", choices=("cnn", "mlp"), default="cnn")
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--learning-rate", type=float, required=True)
    parser.add_argument("--momentum", type=float, required=True)
    parser.add_argument("--warmup", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, help="torch's default if left out")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)

    dataset = Images(arguments.data, transforms.Compose([transforms.ToTensor()]))
    loader = DataLoader(
        dataset, batch_size=arguments.batch_size, shuffle=True, num_workers=arguments.workers
    )
    model = network(arguments.network)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(
        model.parameters(), lr=arguments.learning_rate, momentum=arguments.momentum
    )

    model.train()
    stamps: list[float] = []
    running_loss, correct = 0.0, 0
    while len(stamps) < arguments.warmup + arguments.steps:
        for images, labels in loader:
            optimizer.zero_grad()
            outputs = model(images)
            loss = criterion(outputs, labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
            correct += int((outputs.argmax(1) == labels).sum())
            if len(stamps) == arguments.warmup - 1:
                print("warm", flush=True)
                sys.stdin.readline()
            stamps.append(time.monotonic())
            if len(stamps) == arguments.warmup + arguments.steps:
                break
    print(json.dumps({"stamps": stamps[arguments.warmup - 1 :], "loss": running_loss}))


if __name__ == "__main__":
    main()
