"""What inputs and targets have in common, in the file of a compiled task: numbers and tensors."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor

from lavin_dit.pipeline.changes import NO_CHANGES, Changes
from lavin_dit.pipeline.detail import BandFit, SharedDetail
from lavin_dit.pipeline.outlines import NO_OUTLINES, Outlines

_FIRST_WITH_DETAIL = 3
"""Format 1 knows no detail, and format 2 measured it otherwise."""
_FIRST_WITH_CHANGES = 4
_FIRST_WITH_OUTLINES = 5
_CHANGES = "changes"
_OUTLINE_TENSORS = ("differences", "counts", "products", "squares", "shown")
_OUTLINE_NUMBERS = ("spread", "change", "num_frames")


def described_detail(detail: SharedDetail | None) -> dict[str, Any] | None:
    """The numbers, for the file's header.

    Args:
        detail: None if it was not measured.
    """
    if detail is None:
        return None
    return {
        "fine": asdict(detail.fine),
        "coarse": asdict(detail.coarse),
        "colour_square": detail.changes.colour_square,
        "outlines": {name: getattr(detail.outlines, name) for name in _OUTLINE_NUMBERS},
    }


def detail_tensors(detail: SharedDetail | None) -> dict[str, Tensor]:
    """The tensors, by their names in the file.

    Args:
        detail: None if it was not measured.
    """
    if detail is None:
        return {}
    outlines = {f"outlines.{name}": getattr(detail.outlines, name) for name in _OUTLINE_TENSORS}
    return {_CHANGES: detail.changes.counts, **outlines}


def detail_from(header: Mapping[str, Any], tensors: dict[str, Tensor]) -> SharedDetail | None:
    """Put it together again, as far as the file's format knew it.

    Args:
        header: The file's header.
        tensors: All of the file's tensors; those that belong here are taken out.

    Raises:
        KeyError: If something is missing.
        ValueError: If a tensor has another shape than it should.
    """
    version = header["version"]
    if version < _FIRST_WITH_DETAIL or header["detail"] is None:
        return None
    saved, changes, outlines = header["detail"], NO_CHANGES, NO_OUTLINES
    if version >= _FIRST_WITH_CHANGES:
        changes = Changes(counts=tensors.pop(_CHANGES), colour_square=saved["colour_square"])
    if version >= _FIRST_WITH_OUTLINES:
        outlines = Outlines(
            **{name: tensors.pop(f"outlines.{name}") for name in _OUTLINE_TENSORS},
            **{name: saved["outlines"][name] for name in _OUTLINE_NUMBERS},
        )
    return SharedDetail(
        fine=BandFit(**saved["fine"]),
        coarse=BandFit(**saved["coarse"]),
        changes=changes,
        outlines=outlines,
    )
