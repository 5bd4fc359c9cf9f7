"""Files that appear whole or not at all."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from lavin_dit.weights.files import give_usual_permissions


@contextmanager
def written_atomically(path: Path) -> Generator[Path]:
    """Give a name to write to; on leaving without an error the file there takes the path's place.

    Args:
        path: Final name; an earlier file there stays until then. The folder is made if need be.

    Raises:
        OSError: If the folder can't be made or written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Of its own, as another process may be writing the same file.
    partial = path.with_name(f".{token_hex(8)}.partial{path.suffix}")
    try:
        yield partial
        give_usual_permissions(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
