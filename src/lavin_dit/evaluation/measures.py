"""What every score is called, which way it is good, and how it is written."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One kind of score.

    Attributes:
        title: Words for a table.
        higher_is_better: Which way is good; None for what is told for information alone.
        digits: Digits after the point.
        percent: Whether a table shows it times 100.
    """

    title: str
    higher_is_better: bool | None
    digits: int = 3
    percent: bool = False

    def show(self, value: float) -> str:
        """A score as a table writes it."""
        return f"{100 * value if self.percent else value:.{self.digits}f}"


def _up(title: str, digits: int = 3) -> Measure:
    return Measure(title=title, higher_is_better=True, digits=digits)


def _share(title: str) -> Measure:
    return Measure(title=f"{title}, %", higher_is_better=True, digits=1, percent=True)


def _down(title: str, digits: int = 3) -> Measure:
    return Measure(title=title, higher_is_better=False, digits=digits)


MEASURES: dict[str, Measure] = {
    "abs_rel_lstsq": _down("AbsRel (least squares)"),
    "delta1_lstsq": _share("delta1 (least squares)"),
    "rmse_lstsq": _down("RMSE (least squares), m"),
    "mse_lstsq": _down("MSE (least squares), m2"),
    "mean_deg": _down("mean angle, deg", 2),
    "below_11.25": _share("below 11.25 deg"),
    "below_22.5": _share("below 22.5 deg"),
    "below_30": _share("below 30 deg"),
    "iou": _share("IoU, mean of pictures"),
    "miou": _share("mIoU of classes"),
    "miou_matched": _share("mIoU, matched"),
    "precision_50": _share("precision at IoU 0.5"),
    "recall_50": _share("recall at IoU 0.5"),
    "pq": _share("PQ"),
    "sq": _share("SQ"),
    "rq": _share("RQ"),
    "box_miou": _share("box mIoU"),
    "box_miou_classes": _share("box mIoU, mean of classes"),
    "box_miou_matched": _share("box mIoU, matched"),
    "box_ap": _share("box AP"),
    "box_ap_50": _share("box AP at 0.5"),
    "oks_ap": _share("OKS AP"),
    "oks_ap_50": _share("OKS AP at 0.5"),
    "pck_0.1": _share("PCK at 0.1"),
    "people_found": Measure(title="people found / there", higher_is_better=None, digits=2),
    "f1_1px": _share("F1 at 1 px"),
    "precision_1px": _share("precision at 1 px"),
    "recall_1px": _share("recall at 1 px"),
    "mse": _down("MSE of levels 0-1", 4),
    "mse_imagenet": _down("MSE, ImageNet-normalised"),
    "psnr_db": _up("PSNR, dB", 2),
    "painted_psnr_db": _up("PSNR of the painting, dB", 2),
    "ssim": _up("SSIM"),
    "lpips": _down("LPIPS"),
    "lpips_like": _down("LPIPS-like"),
    "fid": _down("FID", 2),
    "fid_like": _down("FID-like", 2),
    "epe_scaled_px": _down("end-point error (scale fitted), px"),
    "outliers_scaled": Measure(
        title="outliers (scale fitted), %", higher_is_better=False, digits=1, percent=True
    ),
    "epe_zero_px": Measure(title="mean motion, px", higher_is_better=None, digits=3),
    "flicker": _down("flicker, levels", 2),
    "flicker_ratio": _down("flicker / truth's", 2),
}
"""All scores by name; no other name is in a report."""
