"""Convert a Deep Photo Enhancer checkpoint of TensorFlow into what the adapter `dpe` reads, once.

    pip install tensorflow
    python -m restorebench.adapters.convert_dpe model/90.000-new.ckpt dpe_supervised.safetensors

Takes the demo's `90.000-new.ckpt` and the training's `90.000.ckpt`, of which only the generator's first scope and
its first set of statistics are kept: what the authors' `rename_model.py` keeps.  TensorFlow is needed for nothing else.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..bench.errors import RestorebenchError, WeightsError, listing

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    Read = Callable[[str], NDArray[np.float32]]

# netG-736_var_scope/netG-736_var_scopeA/netG-736_1/conv_0_w; the number of the experiment differs, or is not there
_NAME = re.compile(r"netG(?:-\d+)?_var_scope/netG(?:-\d+)?_var_scopeA/netG(?:-\d+)?_(\d+/\w+)")


def convert(names: Iterable[str], read: Read) -> dict[str, torch.Tensor]:
    """Return the state dict of the generator.

    Args:
        names: of the variables of a checkpoint.
        read: returns a variable; convolutions are `(height, width, in, out)`.

    Raises:
        WeightsError: variables are missing or of other shapes, or the file holds several experiments.
    """
    import torch

    from ..bench.checkpoint import check
    from .networks.dpe import DPE, variable_names

    found: dict[str, str] = {}
    for name in names:
        match = _NAME.fullmatch(name)
        if match and found.setdefault(match[1], name) != name:
            raise WeightsError(f"the checkpoint holds two generators: {found[match[1]]} and {name}")
    wanted = variable_names()
    missing = sorted(theirs for theirs in wanted.values() if theirs not in found)
    if missing:
        raise WeightsError(f"no checkpoint of Deep Photo Enhancer; missing variables: {listing(missing)}")
    expected = DPE().state_dict()
    state = {own: _own_layout(torch.from_numpy(read(found[theirs]))) for own, theirs in wanted.items()}
    state |= {own: value for own, value in expected.items() if own.endswith("num_batches_tracked")}
    check(state, {own: tuple(value.shape) for own, value in expected.items()}, "no checkpoint of Deep Photo Enhancer")
    return state


def _own_layout(value: torch.Tensor) -> torch.Tensor:
    return (value.permute(3, 2, 0, 1) if value.ndim == 4 else value).contiguous()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", help="path without .index, .meta or .data-00000-of-00001")
    parser.add_argument("output", type=Path, help="a .safetensors file to write")
    options = parser.parse_args(arguments)
    try:
        from tensorflow.errors import OpError
        from tensorflow.train import load_checkpoint
    except ImportError:
        print("TensorFlow is needed for this one conversion: pip install tensorflow", file=sys.stderr)
        return 2
    from safetensors.torch import save_file

    try:
        reader = load_checkpoint(options.checkpoint)
        state = convert(reader.get_variable_to_shape_map(), reader.get_tensor)
    except (RestorebenchError, OpError, ValueError) as error:  # what TensorFlow raises where no checkpoint is
        print(f"{options.checkpoint}: {error}", file=sys.stderr)
        return 2
    save_file(state, options.output)
    print(f"{options.output}: {len(state)} tensors; use it with adapter.dpe.checkpoint={options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
