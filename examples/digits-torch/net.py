"""A small convolutional network for pictures of 8 x 8 pixels."""

import torch


class Model(torch.nn.Module):
    """Called with the numbers of inputs (64 pixels) and outputs (10 digits), and with `model_params` of the plan."""

    def __init__(self, inputs: int, outputs: int, channels: int = 16):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Unflatten(1, (1, 8, inputs // 8)),
            torch.nn.Conv2d(1, channels, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Conv2d(channels, 2 * channels, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.Flatten(),
            torch.nn.Dropout(0.3),
            torch.nn.Linear(2 * channels * 16, outputs),
        )

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """A score for each digit: (rows, 64) to (rows, 10)."""
        return self.layers(pixels)
