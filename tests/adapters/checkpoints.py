"""Checkpoint files of official names and shapes with random weights, to run adapters from end to end."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from restorebench.adapters.networks import dfdnet, dpe

from .fills import Golden, save_official
from .plain_fills import miniature, shapes

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

_PLAIN = {
    "dfdnet": {"dfdnet": "latest_net_G.pth"},
    "dr2": {"dr2": "DR2_FFHQ.pkl", "sparnethd": "SPARNetHD_FFHQ_DR2aug.pth"},
    "ilvr": {"dr2": "ffhq_10m.pt"},
    "psfrgan": {"psfrgan": "psfrgan_epoch15_net_G.pth", "psfrgan_parsing": "parse_multi_iter_90000.pth"},
    "sparnet": {"sparnet": "SPARNet-V16-S4-epoch20.pth"},
    "sparnethd": {"sparnethd": "SPARNetHD_V4_Attn2D_net_H-epoch10.pth"},
}
"""Configuration name -> golden folders, names of the official files."""

_SECOND = {"dr2": "enhancer.checkpoint", "psfrgan": "parsing"}
"""Setting that takes the second file."""

_FEW_STEPS = {
    "dr2": {"n": "4", "tau": "1", "omega": "2", "steps": "10"},
    "ilvr": {"n": "4", "free": "0", "steps": "2"},
}


def write(name: str, folder: Path) -> dict[str, str]:
    """Write the checkpoints that one adapter needs into a folder.

    Args:
        name: configuration name of the adapter.
        folder: an existing folder.

    Returns:
        Overrides of the command line that make the adapter use them.
    """
    if name == "dpe":
        save_file(
            {own: value.contiguous() for own, value in dpe.DPE().state_dict().items()}, folder / "dpe.safetensors"
        )
        return {"adapter.dpe.checkpoint": str(folder / "dpe.safetensors")}
    if name in _PLAIN:
        return {f"adapter.{name}.{setting}": value for setting, value in _plain(name, folder).items()}
    system, file = _OFFICIAL[name]
    golden = Golden(system)
    prefix = "vqvae." if file.endswith(".ckpt") else ""  # as Lightning names a part of the trained module
    path = save_official(golden.miniature(), folder / file, golden.holder, prefix)
    return {f"adapter.{name}.checkpoint": str(path)}


def _plain(name: str, folder: Path) -> dict[str, str]:
    settings = ("checkpoint", _SECOND.get(name, ""))
    chosen = dict(_FEW_STEPS.get(name, {}))
    for setting, (system, file) in zip(settings, _PLAIN[name].items(), strict=False):
        chosen[setting] = str(save_official(miniature(shapes(system)), folder / file))
    if name == "dfdnet":
        chosen["dictionary"] = str(_dictionary(folder / "DictionaryCenter512"))
    return chosen


def _dictionary(folder: Path) -> Path:
    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    for part in dfdnet.PARTS:
        for scale in dfdnet.SCALES:
            entries = torch.randn(2, int(np.prod(dfdnet.entry_shape(part, scale))), generator=generator)
            np.save(folder / f"{part}_{scale}_center.npy", entries.numpy())
    return folder
