"""The table of scores of a model card or a README, from reports that ``lavin evaluate`` wrote.

Usage: ``python examples/model_card_table.py images/report.json clips/report.json``, and
``--only PROTOCOL ...`` for a table of some of the protocols, in that order.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from lavin_dit.evaluation.measures import MEASURES

SHOWN = {
    "colorization": "psnr_db",
    "deraining": "psnr_db",
    "edge_detection": "f1_1px",
    "glass_deblurring": "psnr_db",
    "inpainting": "psnr_db",
    "motion_deblurring": "psnr_db",
    "depth_estimation": "abs_rel_lstsq",
    "surface_normal_estimation": "mean_deg",
    "instance_segmentation": "miou_matched",
    "panoptic_segmentation": "miou_matched",
    "object_detection": "box_miou_matched",
    "pose_estimation": "pck_0.1",
    "foreground_segmentation": "iou",
    "single_object_detection": "box_miou",
    "depth_to_image": "psnr_db",
    "depth_to_video": "psnr_db",
    "normal_to_image": "psnr_db",
    "normal_to_video": "psnr_db",
    "pose_to_image": "psnr_db",
    "video_depth": "abs_rel_lstsq",
    "video_normals": "mean_deg",
    "optical_flow": "epe_scaled_px",
    "frame_prediction": "psnr_db",
    "video_instance_segmentation": "miou_matched",
}
"""The number that is shown of each task."""

ROWS = ("model", "copy-context", "mean-context", "input", "autoencoder")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="The table of scores from reports.")
    parser.add_argument("reports", nargs="+", type=Path, help="report.json, of one or more runs")
    parser.add_argument("--only", nargs="+", metavar="PROTOCOL", help="which to show, in order")
    arguments = parser.parse_args()
    found: dict[str, str] = {}
    for path in arguments.reports:
        protocols = json.loads(path.read_text(encoding="utf-8"))["protocols"]
        found |= {name: row(name, protocol) for name, protocol in protocols.items()}
    missing = [name for name in arguments.only or () if name not in found]
    if missing:
        parser.error(f"no report has {', '.join(missing)}; there are {', '.join(found)}")
    print(f"| protocol | score | queries | {' | '.join(ROWS)} |")
    print("|---" * (3 + len(ROWS)) + "|")
    for name in arguments.only or found:
        print(found[name])


def row(name: str, protocol: dict[str, Any]) -> str:
    """One protocol's line; the interval is that of the model."""
    # After the data's name; folds of a benchmark have a number after the task's.
    key = SHOWN[name.split("-")[1]]
    measure = MEASURES[key]
    cells: list[str] = []
    for who in ROWS:
        score = protocol["scores"].get(who, {}).get(key)
        if score is None:
            cells.append("")
            continue
        text = "-" if score["value"] is None else measure.show(score["value"])
        if who == "model" and score.get("low") is not None:
            text += f" [{measure.show(score['low'])}, {measure.show(score['high'])}]"
        cells.append(text)
    arrow = "up" if measure.higher_is_better else "down"
    words = [name, f"{measure.title} ({arrow})", str(protocol["num_scored"]), *cells]
    return f"| {' | '.join(words)} |"


if __name__ == "__main__":
    main()
