"""A release as one file: the explorer with the signed document in it, to open from a disk or publish anywhere."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from typing import TYPE_CHECKING

from sfumato.cli.export_files import write
from sfumato.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

PAGE, SCRIPT, STYLE = "index.html", "app.js", "style.css"
_SCRIPT_TAG = f'<script type="module" crossorigin src="./{SCRIPT}"></script>'
_STYLE_TAG = f'<link rel="stylesheet" crossorigin href="./{STYLE}">'


def export_site(signed: bytes, directory: Path) -> list[Path]:
    """Write the page with the release in it, as it was signed. It asks for no key and can speak to no server at all.

    Raises:
        StorageError: the directory can't be written, or the page is not part of this installation.
    """
    built = files("sfumato.serve") / "explorer"
    try:
        page, script, style = ((built / name).read_text(encoding="utf-8") for name in (PAGE, SCRIPT, STYLE))
    except OSError:
        raise StorageError("the explorer is not part of this installation; install sfumato again") from None
    return write(directory, {PAGE: whole(page, script, style, signed.decode()).encode()})


def whole(page: str, script: str, style: str, document: str) -> str:
    """The page with everything in it. Its policy lets nothing run or apply but this very script and this very style."""
    held = document.replace("<", "\\u003c")  # the same JSON, and nothing in it can end the element
    code = re.sub(r"(?i)<(/script|!--)", r"<\\\1", script)
    policy = (
        f"default-src 'none'; script-src {_digest(code)}; style-src {_digest(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    data = f'<script type="application/json" id="release">{held}</script>'
    for old, new in (
        ("<head>", f'<head>\n  <meta http-equiv="Content-Security-Policy" content="{policy}">'),
        (_SCRIPT_TAG, ""),
        (_STYLE_TAG, f"<style>{style}</style>"),
        ("</body>", f'{data}\n<script type="module">{code}</script>\n</body>'),
    ):
        if page.count(old) != 1:
            raise StorageError("the explorer's page is not as it was built; install sfumato again")
        page = page.replace(old, new, 1)
    return page


def _digest(text: str) -> str:
    """How a content security policy names an inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
