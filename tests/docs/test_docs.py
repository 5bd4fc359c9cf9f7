"""What the documentation names is there: functions, files, links, decisions, rows of the paper.

Pages are read as text and modules as syntax trees; nothing is imported, so this is quick.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "lavin_dit"
DECISIONS = ROOT / "docs" / "decisions"
WRITTEN_FOLDERS = ("docs", "tests", "benchmarks", "examples")
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(page for name in WRITTEN_FOLDERS for page in ROOT.glob(f"{name}/**/*.md")),
    ]
)

PYTHON_PATH = re.compile(r"(?<![\w./-])((?:[\w.-]+/)*\w+\.py)(?:::?([A-Za-z_][\w.]*\w|[A-Za-z_]))?")
PAGE_PATH = re.compile(r"(?<![\w./:-])((?:[\w.-]+/)+[\w-]+\.md)")
MODULE_PATH = re.compile(r"(?<![\w./-])lavin_dit((?:\.[A-Za-z_]\w*)+)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
DECISION = re.compile(r"\bdecisions? (\d{4})\b")

# Modules that a page shows its reader how to write.
TAUGHT = {
    "docs/add_a_source.md": "portraits",
    "docs/data.md": "my_labels",
    "docs/add_a_task.md": "jpeg_removal",
    "docs/training.md": "mixtures",
}

every_page = pytest.mark.parametrize(
    "page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES]
)


def is_taught(module: str, *, page: Path) -> bool:
    """Whether a page is about writing this very module, or its test."""
    taught = TAUGHT.get(str(page.relative_to(ROOT)))
    return taught is not None and module in (taught, f"test_{taught}")


def find_file(path: str, *, beside: Path) -> Path | None:
    """Paths are written from the repository's root, from the package, or from the page's folder."""
    for base in (ROOT, PACKAGE, beside):
        if (base / path).is_file():
            return base / path
    return None


@cache
def names_in(module: Path) -> frozenset[str]:
    """Dotted names that a module defines, and those that it imports at its top."""
    return frozenset(_names(ast.parse(module.read_text(encoding="utf-8")).body, prefix=""))


def _names(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for node in body:
        match node:
            case ast.ClassDef(name=name, body=inner):
                yield prefix + name
                yield from _names(inner, f"{prefix}{name}.")
            case ast.FunctionDef(name="__init__", body=inner):
                yield from _attributes(inner, prefix)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield prefix + name
            case ast.Assign(targets=targets):
                yield from (
                    prefix + target.id for target in targets if isinstance(target, ast.Name)
                )
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield prefix + name
            case ast.ImportFrom(names=aliases):
                yield from (prefix + (alias.asname or alias.name) for alias in aliases)
            case ast.If(body=inner):
                yield from _names(inner, prefix)
            case _:
                pass


def _attributes(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    """Names that an ``__init__`` gives to ``self``."""
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        yield from (prefix + target.attr for target in targets if isinstance(target, ast.Attribute))


def is_module_or_name(dotted: str) -> bool:
    """Tell whether ``.flow.path`` or ``.flow.path.velocity`` is in the package."""
    place, parts = PACKAGE, dotted.split(".")[1:]
    while parts and (place / parts[0]).is_dir():
        place /= parts.pop(0)
    module = place / "__init__.py"
    if parts and (place / f"{parts[0]}.py").is_file():
        module = place / f"{parts.pop(0)}.py"
    return module.is_file() and (not parts or ".".join(parts) in names_in(module))


def anchors(page: Path) -> set[str]:
    """Anchors that a page's headings get."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


def test_there_are_pages() -> None:
    assert {"docs/README.md", "docs/paper_map.md"} <= {str(p.relative_to(ROOT)) for p in PAGES}


@every_page
def test_files_and_functions_exist(page: Path) -> None:
    wrong: list[str] = []
    for path, name in PYTHON_PATH.findall(page.read_text(encoding="utf-8")):
        if ("/" not in path and not name) or is_taught(Path(path).stem, page=page):
            continue  # somebody's own program
        file = find_file(path, beside=page.parent)
        if file is None:
            wrong.append(f"{path}: no such file")
        elif name and name not in names_in(file):
            wrong.append(f"{path}: has no {name}")
    assert not wrong


@every_page
def test_modules_exist(page: Path) -> None:
    named = MODULE_PATH.findall(page.read_text(encoding="utf-8"))
    weights_file = ".safetensors"
    wrong = {
        name
        for name in named
        if name != weights_file
        and not is_module_or_name(name)
        and not is_taught(name.rpartition(".")[2], page=page)
    }
    assert not wrong


@every_page
def test_pages_and_links_resolve(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    wrong = {path for path in PAGE_PATH.findall(text) if not find_file(path, beside=page.parent)}
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.add(link)
    assert not wrong


def test_decisions_that_are_referred_to_exist() -> None:
    taken = [path.name[:4] for path in sorted(DECISIONS.glob("*.md"))]
    assert len(taken) == len(set(taken)), "two decisions have one number"
    sources = [*PAGES, *PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    wrong = {
        f"{source.relative_to(ROOT)}: decision {number}"
        for source in sources
        for number in DECISION.findall(source.read_text(encoding="utf-8"))
        if number not in taken
    }
    assert not wrong


def test_pages_that_the_code_refers_to_exist() -> None:
    wrong = {
        f"{source.relative_to(ROOT)}: {path}"
        for source in PACKAGE.rglob("*.py")
        for path in PAGE_PATH.findall(source.read_text(encoding="utf-8"))
        if not (ROOT / path).is_file()
    }
    assert not wrong


def test_the_index_leads_to_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {
        (index.parent / link.partition("#")[0]).resolve()
        for link in LINK.findall(index.read_text(encoding="utf-8"))
    }
    pages = {page.resolve() for page in (ROOT / "docs").rglob("*.md")} - {index.resolve()}
    assert not sorted(str(page.relative_to(ROOT)) for page in pages - linked)


def test_the_paper_map_is_complete() -> None:
    first_cells = {
        line.split("|")[1].strip()
        for line in (ROOT / "docs" / "paper_map.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
    }
    wanted = {f"Eq. {number}" for number in range(1, 11)}
    wanted |= {f"Alg. 1, line {number}" for number in range(1, 12)}
    wanted |= {f"Alg. 2, line {number}" for number in range(1, 10)}
    wanted |= {
        f"Table 3, {row}"
        for row in (
            "latent channels",
            "patch size",
            "hidden channels",
            "num. layers",
            "num. heads",
            "K.V. groups",
            "drop path",
            "uncond. ratio",
            "grad. clip",
            "EMA moment.",
            "extra norm.",
            "position embed.",
        )
    }
    assert not sorted(wanted - first_cells)
