"""Where a pipeline of a given name is."""

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from lavin_dit.extras import how_to_install

NANO = "nano"
"""Name of the pipeline that ships with the package."""

_NANO_FOLDER = Path(__file__).parent / NANO


def locate(name: str | os.PathLike[str]) -> Path:
    """Find a saved pipeline's folder, fetching it from the Hugging Face hub if need be.

    Args:
        name: ``nano`` for the pipeline that ships with the package, a folder, or
            ``owner/repository`` on the hub. A folder of that name is ``./nano``.

    Raises:
        FileNotFoundError: If there is no such folder and the name is no repository, or the hub or
            its client can't be reached.
    """
    if name == NANO:
        return _locate_nano()
    path = Path(name)
    if path.is_dir():
        return path
    text = os.fspath(name)
    if path.is_file():
        raise FileNotFoundError(f"{text} is a file; a saved pipeline is a folder")
    owner, _, repository = text.partition("/")
    if not owner or not repository or "/" in repository or text.startswith((".", "~")):
        raise FileNotFoundError(f"no saved pipeline at {text}")
    if find_spec("huggingface_hub") is None:
        raise FileNotFoundError(
            f"no folder {text}; to fetch it from the Hugging Face hub: {how_to_install('hub')}"
        )
    hub = import_module("huggingface_hub")
    try:
        patterns = ["*.json", "*.safetensors"]
        return Path(hub.snapshot_download(text, allow_patterns=patterns))
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise FileNotFoundError(
            f"no folder {text}, and the Hugging Face hub does not give it ({reason})"
        ) from error


def _locate_nano() -> Path:
    """The folder of the pipeline that ships with the package.

    Raises:
        FileNotFoundError: If this installation has none.
    """
    if not (_NANO_FOLDER / "pipeline.json").is_file():
        raise FileNotFoundError(
            f"the nano's weights are not part of this installation: there is no pipeline in "
            f"{_NANO_FOLDER}; install a release of lavin-dit, or name another model's folder"
        )
    return _NANO_FOLDER
