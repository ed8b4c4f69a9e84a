"""What may stand between `${` and `}`: a path such as `vars.region`, or a function such as `env('STAGE', 'test')`.

Pure: text goes in, a small tree comes out, or `ValueError` says what is wrong. What the names stand for is decided in
`variables`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

OPEN, CLOSE = "${", "}"
_TOKEN = re.compile(r"""\s*(?:(?P<word>[^\s'"(),]+)|'(?P<single>[^']*)'|"(?P<double>[^"]*)"|(?P<mark>[(),]))""")
_PATH = re.compile(r"[\w-]+(\.[\w-]+)+")
_FUNCTION = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class Path:
    """Names from the root of the file, or from `this`."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join(self.names)


@dataclass(frozen=True)
class Text:
    """An argument: what stands in quotes, or a bare word."""

    text: str
    quoted: bool


@dataclass(frozen=True)
class Function:
    """A function of the tool with its arguments."""

    name: str
    arguments: tuple[Text | Function, ...]


Expression = Path | Function


def pieces(text: str) -> list[str | Expression]:
    """`text` as the plain parts and the expressions that it is made of, in order.

    Raises
    ------
    ValueError: an expression does not end, or is none.

    """
    found: list[str | Expression] = []
    position = 0
    while (begin := text.find(OPEN, position)) >= 0:
        if begin > position:
            found.append(text[position:begin])
        end = _end(text, begin + len(OPEN))
        found.append(parse_expression(text[begin + len(OPEN) : end]))
        position = end + len(CLOSE)
    if position < len(text):
        found.append(text[position:])
    return found


def parse_expression(text: str) -> Expression:
    """What stands between the braces.

    Raises
    ------
    ValueError: it is neither a path nor a function.

    """
    if _PATH.fullmatch(text):
        return Path(tuple(text.split(".")))
    tokens = _tokens(text)
    if len(tokens) > 1 and tokens[1] == ("mark", "("):
        result, rest = _function(tokens, text)
        if not rest:
            return result
    raise ValueError(f"${{{text}}} is neither a path such as ${{vars.region}} nor a function such as ${{env('STAGE')}}")


def _end(text: str, position: int) -> int:
    """Where the expression that begins at `position` ends; a brace in quotes does not end it."""
    quote = ""
    for index in range(position, len(text)):
        character = text[index]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == CLOSE:
            return index
    raise ValueError(f"{text[position - len(OPEN) :][:40]} has no closing brace")


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise ValueError(f"${{{text}}} has a quote that does not end")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return tokens


def _function(tokens: list[tuple[str, str]], text: str) -> tuple[Function, list[tuple[str, str]]]:
    """The function at the head of `tokens`, and the tokens after it."""
    (kind, name), rest = tokens[0], tokens[2:]
    if kind != "word" or not _FUNCTION.fullmatch(name):
        raise ValueError(f"${{{text}}} does not begin with the name of a function")
    arguments: list[Text | Function] = []
    while rest:
        kind, value = rest[0]
        if (kind, value) == ("mark", ")") and not arguments:
            return Function(name, ()), rest[1:]
        if kind == "mark":
            break
        if kind == "word" and rest[1:2] == [("mark", "(")]:
            argument, rest = _function(rest, text)
            arguments.append(argument)
        else:
            arguments.append(Text(value, quoted=kind != "word"))
            rest = rest[1:]
        if rest[:1] == [("mark", ")")]:
            return Function(name, tuple(arguments)), rest[1:]
        if rest[:1] != [("mark", ",")]:
            break
        rest = rest[1:]
    raise ValueError(f"${{{text}}} is not complete: arguments stand in parentheses, with commas between them")
