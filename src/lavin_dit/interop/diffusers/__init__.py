"""LaVin-DiT for users of diffusers: the same networks, keys and results behind its interfaces.

``models`` has both networks as diffusers models, ``pipeline`` a `DiffusionPipeline` of them, and
``schedulers`` drives diffusers' flow schedulers along the core's grid. The saved
``model_index.json`` names these modules, so they keep their names.
"""

from importlib.util import find_spec

from lavin_dit.extras import how_to_install

_NEEDED = ("diffusers", "accelerate", "peft")

if _missing := [name for name in _NEEDED if find_spec(name) is None]:
    raise ModuleNotFoundError(
        f"lavin_dit.interop.diffusers needs {', '.join(_missing)}: {how_to_install('diffusers')}",
        name=_missing[0],
    )

from lavin_dit.interop.diffusers.models import JDiTModel, STVAEModel  # noqa: E402
from lavin_dit.interop.diffusers.output import LavinDiTPipelineOutput  # noqa: E402
from lavin_dit.interop.diffusers.pipeline import LavinDiTDiffusionPipeline  # noqa: E402
from lavin_dit.interop.diffusers.schedulers import (  # noqa: E402
    SchedulerSolver,
    check_scheduler,
)

__all__ = [
    "JDiTModel",
    "LavinDiTDiffusionPipeline",
    "LavinDiTPipelineOutput",
    "STVAEModel",
    "SchedulerSolver",
    "check_scheduler",
]
