"""Sources as users name them: a name, a folder, and settings of their constructors."""

import ast
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lavin_dit.datasets.source import Source

FETCHED_SOURCES = ("photos", "cutouts", "clips")
"""Sources whose files can be fetched, with ``lavin prepare``."""

SHARDS = "shards"
"""Name under which any folder of shards can be opened."""

_ELSEWHERE = ("root", "folder", "split", "kinds", "cut", "rule")  # no words say these
_DEFAULT_SPLIT = "train"  # of sources that have no default of their own
_CHOOSE_SAMPLES = ("fold", "variant")  # settings; all others say how samples are read


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceChoice:
    """Which source is meant.

    Attributes:
        name: Its name, such as ``coco``; ``shards`` for any source that was prepared.
        root: Its folder, or the address of shards; None for a source that has none.
        split: Which part of it; the source's own default if None.
        settings: Further settings of its constructor, as ``key=value``.
        labels: Pseudo labels to add, such as ``pose=movenet-multipose.json``; see
            :func:`~lavin_dit.data.labelled_source.labeller_from_words`.
        kinds: Names of the annotations to read, such as ``panoptic``, where it leaves that open;
            its own default if empty.
    """

    name: str
    root: Path | str | None
    split: str | None
    settings: Sequence[str] = ()
    labels: Sequence[str] = ()
    kinds: Sequence[str] = ()

    @staticmethod
    def parse(text: str) -> "SourceChoice":
        """Read a source written as one word, ``NAME=FOLDER?KEY=VALUE&KEY=VALUE``.

        Args:
            text: Folder and settings may be missing; such as
                ``world?size=96x96&length=5000``, ``coco=/data/coco?split=train&kinds=panoptic`` or
                ``photos=real/photos?labels=edges``; several kinds are parted by commas.

        Raises:
            ValueError: If a setting is not written key=value.
        """
        place, _, query = text.partition("?")
        name, _, folder = place.partition("=")
        settings = [setting for setting in query.split("&") if setting]
        splits = [setting for setting in settings if setting.startswith("split=")]
        labels = [setting for setting in settings if setting.startswith("labels=")]
        kinds = [setting for setting in settings if setting.startswith("kinds=")]
        elsewhere = {*splits, *labels, *kinds}
        return SourceChoice(
            name=name,
            root=folder_or_address(folder) if folder else None,
            split=splits[-1].partition("=")[2] if splits else None,
            settings=tuple(setting for setting in settings if setting not in elsewhere),
            labels=tuple(words.removeprefix("labels=") for words in labels),
            kinds=tuple(kinds[-1].removeprefix("kinds=").split(",")) if kinds else (),
        )

    def open(
        self, *, num_frames: int | None = None, kinds: Sequence[type[object]] | None = None
    ) -> "Source":
        """Construct the source.

        Args:
            num_frames: Frames of its clips, where it leaves that open; its own default if None.
            kinds: Annotations to read, where it leaves that open; those of the choice if None.

        Returns:
            The source.

        Raises:
            ValueError: If there is no such source, setting or kind, the kinds of the choice can't
                be chosen, a folder is missing or too much, or a label is of a kind that the source
                has.
            LayoutError: If files are missing in its folder.
            ImportError: If it needs a package that is not installed.
        """
        own = self._own_kinds()
        if kinds is None and own:
            source = self._labelled(num_frames=num_frames, kinds=own)
            if set(source.kinds) != {*own, *self._made_kinds()}:
                raise ValueError(
                    f"{self.name} always has all its kinds: leave {', '.join(self.kinds)} out"
                )
            return source
        return self._labelled(num_frames=num_frames, kinds=kinds)

    def _made_kinds(self) -> "list[type[object]]":
        """The kinds that labels make."""
        from lavin_dit.data.labelled_source import labeller_from_words

        return [labeller_from_words(words).kind for words in self.labels]

    def _own_kinds(self) -> "list[type[object]]":
        """The kinds that the choice names."""
        if not self.kinds:
            return []
        from lavin_dit.data.sample_members import KINDS

        unknown = sorted(set(self.kinds) - KINDS.keys())
        if unknown:
            raise ValueError(f"there is no kind {', '.join(unknown)}; there are {', '.join(KINDS)}")
        return [KINDS[kind] for kind in self.kinds]

    def _labelled(
        self, *, num_frames: int | None, kinds: Sequence[type[object]] | None
    ) -> "Source":
        """The source with its pseudo labels."""
        if not self.labels:
            return self._open(num_frames=num_frames, kinds=kinds)
        from lavin_dit.data.labelled_source import LabelledSource, labeller_from_words

        labellers = [labeller_from_words(words) for words in self.labels]
        made = [labeller.kind for labeller in labellers]
        for kind in made:
            if self._can_read(kind):
                raise ValueError(
                    f"{self.name} has {kind.__name__} already, and labels do not replace what a "
                    "source has: leave the label out, or write shards without this kind and label "
                    "those"
                )
        if kinds is not None:
            kinds = [kind for kind in kinds if kind not in made]
        return LabelledSource(self._open(num_frames=num_frames, kinds=kinds), labellers)

    def _open(self, *, num_frames: int | None, kinds: Sequence[type[object]] | None) -> "Source":
        """The source as it is without pseudo labels."""
        construct = self._constructor()
        accepted = inspect.signature(construct).parameters
        settings = self._settings(accepted) | self._split_setting(accepted)
        if kinds is not None and "kinds" in accepted:
            settings["kinds"] = tuple(kinds)
        if num_frames is not None:
            settings = _length(num_frames, accepted) | settings
        return self._construct(construct, accepted, settings)

    def _can_read(self, kind: type[object]) -> bool:
        """Whether the source, if it can be told what to read, has a kind of annotation."""
        if "kinds" not in inspect.signature(self._constructor()).parameters:
            return False
        try:
            self._open(num_frames=None, kinds=(kind,))
        except (ValueError, FileNotFoundError):  # it says so before it reads an index
            return False
        return True

    def samples(self) -> tuple[str, ...]:
        """Tell which samples are meant, without reading them, so that two choices can be compared.

        Returns:
            What differs if samples do: name, folder, split, and the settings that choose among
            samples. Shards go by their folder, and those of a source that has no folder, the
            synthetic world, by what they were made from: scenes of one split count as the same.

        Raises:
            ValueError: As `open`.
            ShardError: If shards are incomplete.
        """
        construct = self._constructor()
        accepted = inspect.signature(construct).parameters
        folder = str(self.root.resolve() if isinstance(self.root, Path) else self.root or "")
        if self.name == SHARDS:
            source = self.open()
            name = source.name.partition(" + ")[0]  # without what labelled it
            made_again = SourceChoice(name=name, root=None, split=source.split)
            return made_again.samples() if _has_no_folder(name) else (SHARDS, folder)
        settings = self._settings(accepted) | self._split_setting(accepted)
        chosen = [
            f"{name}={settings.get(name, accepted[name].default)}"
            for name in ("split", *_CHOOSE_SAMPLES)
            if name in accepted
        ]
        return (self.name, folder, *chosen)

    def _constructor(self) -> "Callable[..., Source]":
        """The class of the source."""
        from lavin_dit.datasets.discovery import source_class, source_names

        if self.name == SHARDS:
            from lavin_dit.data.shard_source import ShardSource

            return ShardSource
        names = source_names()
        if self.name not in names:
            raise ValueError(
                f"there is no source {self.name!r}; there are {', '.join(names)}, and {SHARDS} for "
                "what lavin prepare wrote"
            )
        return source_class(self.name)

    def _split_setting(self, accepted: Mapping[str, inspect.Parameter]) -> dict[str, object]:
        """The split asked for, or the usual one where the source has no default."""
        if "split" not in accepted:
            if self.split is not None:
                raise ValueError(f"{self.name} has no splits to choose from")
            return {}
        if self.split is not None:
            return {"split": self.split}
        needed = accepted["split"].default is inspect.Parameter.empty
        return {"split": _DEFAULT_SPLIT} if needed else {}

    def _settings(self, accepted: Mapping[str, inspect.Parameter]) -> dict[str, object]:
        """The further settings, checked against what the constructor takes."""
        settings: dict[str, object] = {}
        for setting in self.settings:
            key, equals, value = setting.partition("=")
            if not equals:
                raise ValueError(f"a setting is written key=value, got {setting!r}")
            choices = [name for name in accepted if name not in _ELSEWHERE]
            if key not in choices:
                raise ValueError(
                    f"{self.name} has no setting {key!r}; it has {', '.join(choices) or 'none'}"
                )
            try:
                settings[key] = _value(value, like=accepted[key].default)
            except ValueError as error:
                raise ValueError(f"{self.name}, {key}: {error}") from error
        return settings

    def _construct(
        self,
        construct: "Callable[..., Source]",
        accepted: Mapping[str, inspect.Parameter],
        settings: Mapping[str, object],
    ) -> "Source":
        """Give the constructor the folder, if it takes one."""
        if not {"root", "folder"} & accepted.keys():
            if self.root is not None:
                raise ValueError(f"{self.name} has no folder, but {self.root} was given")
            return construct(**settings)
        if self.name != SHARDS and isinstance(self.root, str) and is_address(self.root):
            raise ValueError(
                f"{self.name} is read from a folder of this machine, not from {self.root}; write "
                "it as shards, which can be read from anywhere"
            )
        if self.root is None:
            raise ValueError(
                f"{self.name} needs its folder after its name; docs/data.md says where to get it"
                + (
                    f", or: lavin prepare {self.name} -o FOLDER"
                    if self.name in FETCHED_SOURCES
                    else ""
                )
            )
        return construct(self.root, **settings)


def folder_or_address(text: str) -> Path | str:
    """Where a source is, from words.

    Args:
        text: A path; or an address such as ``s3://bucket/coco``, which a path would not keep.

    Returns:
        The path, or the address as it is.
    """
    return text if is_address(text) else Path(text)


def is_address(text: str) -> bool:
    """Whether words are an address in a store, such as ``s3://bucket/coco``."""
    return "://" in text


def _has_no_folder(name: str) -> bool:
    """Whether there is a source of that name that makes its samples itself."""
    from lavin_dit.datasets.discovery import source_class, source_names

    if name not in source_names():
        return False
    return not {"root", "folder"} & inspect.signature(source_class(name)).parameters.keys()


def _length(num_frames: int, accepted: Mapping[str, inspect.Parameter]) -> dict[str, object]:
    """The setting that makes clips so many frames long, if there is one."""
    if "num_frames" in accepted:
        return {"num_frames": num_frames}
    if "cut" in accepted:
        from lavin_dit.datasets.video_files import ClipCut

        return {"cut": ClipCut(num_frames=num_frames)}
    return {}


def _value(text: str, *, like: object) -> object:
    """A setting from its words.

    Args:
        text: ``192x256`` for a size (height x width), ``true`` or ``false``, a Python value such as
            ``2``, or anything else for itself.
        like: The setting's default, which tells whether it is a size or a truth value.

    Returns:
        Its value.

    Raises:
        ValueError: If it should be a size or a truth value and is not.
    """
    from lavin_dit.vision.geometry import Size

    if isinstance(like, Size):
        height, _, width = text.partition("x")
        if not (height.isdecimal() and width.isdecimal()):
            raise ValueError(f"a size is written 192x256, height first, got {text!r}")
        return Size(height=int(height), width=int(width))
    if isinstance(like, bool):
        if text.lower() not in {"true", "false"}:
            raise ValueError(f"it is true or false, got {text!r}")
        return text.lower() == "true"
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
