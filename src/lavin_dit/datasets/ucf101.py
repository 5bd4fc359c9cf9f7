"""UCF101: clips of 101 human actions from the web, 320 x 240 at 25 frames a second.

Layout of the archives ``UCF101.rar`` and ``UCF101TrainTestSplits-RecognitionTask.zip``::

    UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi
    ucfTrainTestlist/trainlist01.txt, testlist01.txt  (three folds)

The paper trains on 7,629 videos, which is four fifths of fold 1's 9,537; which ones, it does not
say. This source gives all of a fold.
"""

from collections import Counter
from pathlib import Path

from lavin_dit.datasets.layout import check_choice, require
from lavin_dit.datasets.source import check_index
from lavin_dit.datasets.video_files import ClipCut, read_clip
from lavin_dit.vision.sample import Sample

_FOLDS = (1, 2, 3)


class Ucf101:
    """UCF101.

    Its samples have no annotations. Videos of one group (``g01``) come from one film, and the
    lists keep groups together.
    """

    name = "ucf101"
    kinds: tuple[type[object], ...] = ()

    def __init__(
        self, root: Path | str, *, split: str = "train", fold: int = 1, cut: ClipCut | None = None
    ) -> None:
        """Read a list of videos.

        Args:
            root: Folder that holds ``UCF-101`` and ``ucfTrainTestlist``.
            split: ``train`` or ``test``.
            fold: Which of the three lists: 1, 2 or 3.
            cut: How clips are cut out of the videos; 13 frames from the middle where None.

        Raises:
            LayoutError: If a folder or list is missing.
        """
        root = Path(root)
        self.split = check_choice(split, ("train", "test"), what="a split of UCF101")
        if fold not in _FOLDS:
            raise ValueError(f"UCF101 has folds 1, 2 and 3, got {fold}")
        self._cut = cut or ClipCut()
        self._videos = require(root, "UCF-101", dataset="UCF101")
        path = require(root, f"ucfTrainTestlist/{split}list{fold:02d}.txt", dataset="UCF101")
        # A line of a training list goes on with the number of its class.
        lines = path.read_text(encoding="utf-8").splitlines()
        listed = [line.split()[0] for line in lines if line.strip()]
        self._names = [name for name in listed if (self._videos / name).exists()]
        self.skipped = Counter({"video is missing": len(listed) - len(self._names)})

    def __len__(self) -> int:
        """Number of clips."""
        return len(self._names) * self._cut.clips_per_video

    def __getitem__(self, index: int) -> Sample:
        """Read one clip."""
        index = check_index(index, length=len(self))
        video, clip = divmod(index, self._cut.clips_per_video)
        name = f"{self._names[video]}#{clip}"
        path = self._videos / self._names[video]
        return Sample(rgb=read_clip(path, self._cut, clip=clip, name=name), name=name)
