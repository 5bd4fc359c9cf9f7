import subprocess
import sys

MODULES = "lavin_dit.vision.sample", "lavin_dit.vision.random_scene"


def test_the_vision_side_loads_neither_torch_nor_opencv():
    """Codecs run wherever NumPy does."""
    code = (
        f"import sys, {', '.join(MODULES)}; print({{'torch', 'cv2', 'scipy'}} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
