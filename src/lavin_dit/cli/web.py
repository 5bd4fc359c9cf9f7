"""``lavin web``: a page on which tasks are tried in a browser."""

import signal
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import tyro

from lavin_dit.cli.model_options import ModelOptions
from lavin_dit.extras import how_to_install

_LAST_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """Serve a page on which tasks are tried in a browser, on pictures and clips of one's own.

    A task is chosen by name or shown with pairs; the answer is what `lavin predict` writes. The
    page asks nothing of the network. It is served to this machine alone, unless --host says
    otherwise: whoever reaches it may use it. Programs can ask it as well, by gradio_client.
    """

    model: Annotated[ModelOptions, tyro.conf.arg(name="")]
    host: str = "127.0.0.1"
    """Address to serve at; 0.0.0.0 is every one that this machine has."""
    port: int = 7860
    """Port to serve at; 0 is the first free one from 7860 on."""
    open: bool = False
    """Open the page in this machine's browser."""
    max_megapixels: float = 48.0
    """Largest picture to open."""

    def run(self) -> int:
        """Load the model, and serve until interrupted.

        Raises:
            ValueError: If the port is none, or the largest picture has no size.
            ImportError: If Gradio is missing.
            OSError: If the port is taken.
        """
        if not 0 <= self.port <= _LAST_PORT:
            raise ValueError(f"port must lie in 0 to {_LAST_PORT}, got {self.port}")
        try:
            from lavin_dit.web.page import serve
        except ImportError as error:
            raise ImportError(f"the page needs Gradio: {how_to_install('web')}") from error
        from lavin_dit.pipeline.clips import most_pixels
        from lavin_dit.web.answers import Answers

        max_pixels = most_pixels(self.max_megapixels)
        # A server is stopped by SIGTERM as well; its files go as they do after Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with TemporaryDirectory(prefix="lavin-web-") as folder:
            answers = Answers(self.model.load(), Path(folder), max_pixels=max_pixels)
            serve(
                answers,
                host=self.host,
                port=self.port,
                open_browser=self.open,
                on_address=lambda address: print(f"{address} (Ctrl-C ends it)", flush=True),
            )
        return 0
