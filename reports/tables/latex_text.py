"""Text for pdflatex: what LaTeX reads as commands is escaped, letters it does not know are spelled out."""

from __future__ import annotations

import re
import unicodedata

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": "{}`{}",  # after ? and ! it would make them Spanish
    '"': "''",
    "'": "'{}",
    "[": "{[}",  # after a line's end, [ and * would be read as its options
    "]": "{]}",
    "*": "{*}",
    "\N{EN DASH}": "--",
    "\N{EM DASH}": "---",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
    "\N{NO-BREAK SPACE}": "~",
    "°": r"$^\circ$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\rightarrow$",
    "∞": r"$\infty$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "±": r"$\pm$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "µ": r"$\mu$",
    "·": r"$\cdot$",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "\N{LATIN SMALL LETTER DOTLESS I}": r"\i{}",
}
_LONG = 12  # letters after which a word may be broken
_QUOTES = {"\N{LEFT SINGLE QUOTATION MARK}": "`", "\N{RIGHT SINGLE QUOTATION MARK}": "'"}
_QUOTES |= {"\N{LEFT DOUBLE QUOTATION MARK}": "``", "\N{RIGHT DOUBLE QUOTATION MARK}": "''"}
# combining mark -> command, those that every font encoding has
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
}
# Greek letters that look like Latin ones have no command
_LATIN = {
    "ALPHA": "A",
    "BETA": "B",
    "EPSILON": "E",
    "ZETA": "Z",
    "ETA": "H",
    "IOTA": "I",
    "KAPPA": "K",
    "MU": "M",
    "NU": "N",
    "OMICRON": "O",
    "RHO": "P",
    "TAU": "T",
    "UPSILON": "Y",
    "CHI": "X",
}
_COMMANDS = frozenset(
    [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "pi",
        "rho",
        "varsigma",
        "sigma",
        "tau",
        "upsilon",
        "phi",
        "chi",
        "psi",
        "omega",
    ]
)
_GREEK = {"LAMDA": "lambda", "FINAL SIGMA": "varsigma"}


def escape(text: str, *, breaks: bool = False) -> str:
    r"""Return text that LaTeX prints as it is, on one line.

    Accented letters become commands that need no font encoding, Greek ones mathematics; any other letter that
    pdflatex does not know shows as its code point.

    Args:
        text: anything.
        breaks: allow lines to break inside long words, after whatever is no letter or digit.

    >>> escape("50 %_é Ω 中")
    "50 \\%\\_\\'{e} $\\Omega$ {[}U+4E2D{]}"
    """
    spelled: list[str] = []
    before, since = "", 0
    for letter in unicodedata.normalize("NFC", " ".join(text.split())):
        spelled.append("{}" if letter == before and letter in "-,?!" else "")  # two would become one
        spelled.append(_letter(letter))
        before = letter
        since = 0 if letter == " " else since + 1
        if breaks and since > _LONG and not letter.isalnum():
            spelled.append(r"\allowbreak{}")
    return "".join(spelled)


def _letter(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    if letter in _QUOTES:
        return _QUOTES[letter]
    if " " <= letter <= "~":
        return letter
    parts = unicodedata.normalize("NFD", letter)
    if len(parts) == 2 and parts[1] in _ACCENTS and parts[0].isascii() and parts[0].isalpha():
        return rf"\{_ACCENTS[parts[1]]}{{{parts[0]}}}"
    return _greek(letter) or f"{{[}}U+{ord(letter):04X}{{]}}"


def _greek(letter: str) -> str:
    found = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER ([A-Z ]+)", unicodedata.name(letter, ""))
    if not found:
        return ""
    capital, name = found[1] == "CAPITAL", found[2]
    if capital and name in _LATIN:
        return _LATIN[name]
    command = _GREEK.get(name, name.lower())
    return rf"$\{command.capitalize() if capital else command}$" if command in _COMMANDS else ""
