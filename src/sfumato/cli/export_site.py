"""A release as a page that any web server can publish: the explorer with the signed document beside it."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from sfumato.cli.export_files import write
from sfumato.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

PAGE, DOCUMENT = "index.html", "release.json"
_PARTS = ("app.js", "style.css")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEAD = f"""<head>
  <meta http-equiv="Content-Security-Policy" content="{_POLICY}">
  <meta name="sfumato-release" content="{DOCUMENT}">"""


def export_site(signed: bytes, directory: Path) -> list[Path]:
    """Write the page and the release, as it was signed. The page asks for no key and speaks to no server but its own.

    Raises:
        StorageError: the directory can't be written, or the page is not part of this installation.
    """
    built = files("sfumato.serve") / "explorer"
    try:
        contents = {name: (built / name).read_bytes() for name in _PARTS}
        page = (built / PAGE).read_text(encoding="utf-8")
    except OSError:
        raise StorageError("the explorer is not part of this installation; install sfumato again") from None
    return write(directory, {**contents, DOCUMENT: signed, PAGE: page.replace("<head>", _HEAD, 1).encode()})
