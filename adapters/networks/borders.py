"""Symmetric borders: the picture mirrored with its edge pixel repeated, which torch's own padding does not offer."""

from __future__ import annotations

import torch


def symmetric_pad(images: torch.Tensor, left: int, right: int, top: int, bottom: int) -> torch.Tensor:
    """Pad `(B, C, H, W)`; borders wider than the picture go on mirroring it (NumPy's `symmetric`)."""
    rows = _mirrored(images.shape[2], top, bottom, images.device)
    columns = _mirrored(images.shape[3], left, right, images.device)
    return images[:, :, rows][:, :, :, columns]


def _mirrored(length: int, before: int, after: int, device: torch.device) -> torch.Tensor:
    position = torch.arange(-before, length + after, device=device).remainder(2 * length)
    return torch.minimum(position, 2 * length - 1 - position)
