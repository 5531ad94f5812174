"""Names that others chose, such as those of layers and files, made harmless to show."""

from __future__ import annotations

import unicodedata

# Control characters, which terminals obey; invisible ones, which reorder or hide text;
# halves of characters, which no encoding writes; and what breaks lines.
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def visible(text: str, keep: str = "") -> str:
    r"""Return text with what cannot be seen written out, such as ``\x1b`` and ``\n``.

    Parameters
    ----------
    text : str
    keep : str
        Characters that stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if character not in keep and unicodedata.category(character) in _UNSEEN
        else character
        for character in text
    )
