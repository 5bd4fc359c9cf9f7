"""Where a pipeline of a given name is."""

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path


def locate(name: str | os.PathLike[str]) -> Path:
    """Find a saved pipeline's folder, fetching it from the Hugging Face hub if need be.

    Args:
        name: A folder, or ``owner/repository`` on the hub.

    Raises:
        FileNotFoundError: If there is no such folder and the name is no repository, or the hub or
            its client can't be reached.
    """
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
            f"no folder {text}; to fetch it from the Hugging Face hub: "
            "pip install 'lavin-dit[hub]' (in a checkout: -e '.[hub]')"
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
