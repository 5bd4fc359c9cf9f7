"""Finding sources by name: every file of this package that holds one, imported when asked for.

A module of this package is a source if it holds a class that bears the module's name in
CapitalizedWords (``coco.py`` holds ``Coco``, ``pascal5i.py`` holds ``Pascal5i``). Nothing needs to
be registered: a new file is a new source.
"""

import ast
import importlib
from collections.abc import Callable
from pathlib import Path

from lavin_dit.datasets.source import Source

_INTERFACE = "source"  # holds Source, which is no source but what all have in common


def class_name_of(module_name: str) -> str:
    """The name of the class that makes a module a source: ``big_buck`` needs ``BigBuck``."""
    return "".join(part.capitalize() for part in module_name.split("_"))


def source_names() -> tuple[str, ...]:
    """The names of all sources, in alphabetical order.

    Returns:
        Names of modules and packages of ``lavin_dit.datasets``; none of them is imported.
    """
    found: list[str] = []
    for path in Path(__file__).parent.iterdir():
        code = path / "__init__.py" if path.is_dir() else path
        name = path.stem
        if name == _INTERFACE or code.suffix != ".py" or not code.exists():
            continue
        if _defines_class(code, class_name_of(name)):
            found.append(name)
    return tuple(sorted(found))


def source_class(name: str) -> Callable[..., Source]:
    """The class of a source.

    Args:
        name: Its name, such as ``coco``.

    Returns:
        The class; its constructor takes the data set's folder and, by keyword, its split.

    Raises:
        ValueError: If there is no such source; the message names those that there are.
    """
    if name not in source_names():
        raise ValueError(f"there is no source {name!r}; there are {', '.join(source_names())}")
    module = importlib.import_module(f"lavin_dit.datasets.{name}")
    found: Callable[..., Source] = getattr(module, class_name_of(name))
    return found


def _defines_class(code: Path, class_name: str) -> bool:
    """Whether a file defines, or a package's ``__init__`` imports, a class of that name."""
    for node in ast.parse(code.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == class_name:
            return True
        if isinstance(node, ast.ImportFrom) and any(
            (alias.asname or alias.name) == class_name for alias in node.names
        ):
            return code.name == "__init__.py"
    return False
