"""The page: tasks in a browser, by name or by pairs that its user shows.

`lavin_dit.web.answers` does the work, and knows no browser; `lavin_dit.web.page` lays it out with
Gradio, and `lavin_dit.web.actions` says what its buttons do.
"""
