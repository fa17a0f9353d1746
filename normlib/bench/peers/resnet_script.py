"""torchvision's ResNet with BatchNorm in plain PyTorch: Dataset, transforms, DataLoader, Adam."""

import argparse
import json
import os
import sys
import time

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.models import get_model


class Images(Dataset[tuple[Tensor, int]]):
    """Images in memory, turned into tensors one by one as torchvision's own data sets do."""

    def __init__(self, file: str, transform: transforms.Compose) -> None:
        with np.load(file) as arrays:
            self.images: NDArray[np.uint8] = arrays["images"].transpose(0, 2, 3, 1)
            self.labels: NDArray[np.uint8] = arrays["labels"]
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image: Tensor = self.transform(Image.fromarray(self.images[index].copy()))
        return image, int(self.labels[index])


def main() -> None:
    """Train, and print the time at which each step after the warm-up ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--network", required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--learning-rate", type=float, required=True)
    parser.add_argument("--warmup", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--workers", type=int, default=min(os.cpu_count() or 1, 8))
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()

    dataset = Images(arguments.data, transforms.Compose([transforms.ToTensor()]))
    loader = DataLoader(
        dataset,
        batch_size=arguments.batch_size,
        shuffle=True,
        num_workers=arguments.workers,
        pin_memory=arguments.device != "cpu",
    )
    model = get_model(arguments.network, num_classes=10).to(arguments.device)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=arguments.learning_rate)

    model.train()
    stamps: list[float] = []
    running_loss, correct = 0.0, 0
    while len(stamps) < arguments.warmup + arguments.steps:
        for images, labels in loader:
            images, labels = images.to(arguments.device), labels.to(arguments.device)
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
