"""Checkpoint files of official names and shapes with random weights, to run adapters from end to end."""

from pathlib import Path

from .fills import Golden, save_official

_OFFICIAL = {
    "gfpgan": ("gfpgan", "GFPGANv1.4.pth"),
    "gfpgan_v1_3": ("gfpgan", "GFPGANv1.3.pth"),
    "gfpgan_v1_2": ("gfpgan", "GFPGANCleanv1-NoCE-C2.pth"),
    "gfpgan_v1": ("gfpgan_v1", "GFPGANv1.pth"),
    "gpen": ("gpen", "GPEN-BFR-512.pth"),
    "gpen_256": ("gpen_256", "GPEN-BFR-256.pth"),
    "codeformer": ("codeformer", "codeformer.pth"),
    "vqfr": ("vqfr_v2", "VQFR_v2.pth"),
    "vqfr_v1": ("vqfr_v1", "VQFR_v1-33a1fac5.pth"),
    "restoreformer": ("restoreformer", "RestoreFormer.ckpt"),
    "restoreformer_plusplus": ("restoreformer_plusplus", "RestoreFormer++.ckpt"),
}
"""Configuration name -> golden folder, name of the official file."""


def write(name: str, folder: Path) -> dict[str, str]:
    """Write the checkpoints that one adapter needs into a folder.

    Args:
        name: configuration name of the adapter.
        folder: an existing folder.

    Returns:
        Overrides of the command line that make the adapter use them.
    """
    system, file = _OFFICIAL[name]
    golden = Golden(system)
    prefix = "vqvae." if file.endswith(".ckpt") else ""  # as Lightning names a part of the trained module
    path = save_official(golden.miniature(), folder / file, golden.holder, prefix)
    return {f"adapter.{name}.checkpoint": str(path)}
