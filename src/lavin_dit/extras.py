"""What to tell a user who lacks the packages of an extra."""


def how_to_install(extra: str) -> str:
    """The command that installs an extra, for the end of an error.

    Args:
        extra: Its name in ``pyproject.toml``.
    """
    return f"pip install 'lavin-dit[{extra}]' (in a checkout: pip install -e '.[{extra}]')"
