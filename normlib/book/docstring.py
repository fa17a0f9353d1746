"""A docstring with Google-style sections, as MyST Markdown.

Sections: ``Args:``, ``Attributes:``, ``Shape:``, ``Returns:``, ``Yields:``, ``Raises:``,
``Source:``, ``Example:``, ``Note:``, and ``Formula:``. Text may hold ``code``, `code`, and
formulas as :math:`a` or between dollars with nothing but the formula between them, ``$a$``; an
indented block is shown as it is written, below ``.. math::`` as a formula.
Whatever else stands there is shown literally, so no docstring can break the book.
"""

import re
import textwrap
from collections.abc import Iterator

LISTED = {"Args", "Attributes", "Raises", "Shape"}
SECTION = re.compile(
    r"^(Args|Attributes|Shape|Returns|Yields|Raises|Source|Sources|Example|Examples|Note|Formula):"
    r"[ ]*(.*)$"
)
ENTRY = re.compile(r"^(\*{0,2}[\w.]+(?:, \*{0,2}[\w.]+)*)(?: \(([^)]*)\))?:[ ]*(.*)$", re.S)
NAMED = re.compile(rf"[-*] |{ENTRY.pattern}")
INLINE = re.compile(
    r"(?P<math>:math:`[^`]+`|\$(?=[^\s`$])[^`$]*[^\s`$]\$(?!\w))"
    r"|(?P<role>:[\w:]+:`[^`]+`)|(?P<code>``[^`]+``|`[^`]+`)"
    r"|(?P<paper>arXiv:\d{4}\.\d{4,5})|(?P<url>https?://[^\s<>)]+[^\s<>).,;:])"
)
SPECIAL = re.compile(r"([\\*_{}\[\]<>#$|~^])")


def markdown(text: str) -> str:
    """Return ``text``, a docstring without its indentation, as Markdown."""
    return "\n\n".join(part for part in _parts(text.strip()) if part)


def _parts(text: str) -> Iterator[str]:
    for title, body in _sections(text):
        if not title:
            yield from _body(body)
        elif title in LISTED:
            yield f"**{title}**"
            yield "\n".join(_entry(entry) for entry in _entries(body))
        else:
            first, *rest = list(_body(body)) or [""]
            inline = not first.startswith(("```", "$$"))
            yield f"**{title}**: {first}" if inline else f"**{title}**"
            yield from rest if inline else [first, *rest]


def _sections(text: str) -> Iterator[tuple[str, str]]:
    title, first, lines = "", "", list[str]()
    for line in text.splitlines():
        if match := SECTION.match(line):
            yield title, _joined(first, lines)
            title, first, lines = match.group(1), match.group(2), []
        else:
            lines.append(line)
    yield title, _joined(first, lines)


def _joined(first: str, lines: list[str]) -> str:
    """Return a section's text, what stands beside its title before the lines below it."""
    # Those may be indented or not: beside the first line neither makes them a block of their own.
    below = textwrap.dedent("\n".join(lines))
    return f"{first}\n{below}" if first else below


def _body(text: str) -> Iterator[str]:
    """Yield paragraphs and indented blocks."""
    math = False
    for block in re.split(r"\n[ ]*\n", textwrap.dedent(text).strip("\n")):
        if not block.strip():
            continue
        if block.strip() == ".. math::":
            math = True
        elif block.lstrip().startswith(".. math::"):
            yield _formula(block.lstrip().removeprefix(".. math::"))
        elif math:
            yield _formula(block)
            math = False
        elif block.startswith("    ") or block.lstrip().startswith(">>>"):
            language = "python" if ">>>" in block else "text"
            yield f"```{language}\n{textwrap.dedent(block).rstrip()}\n```"
        else:
            yield from _paragraph(block)


def _paragraph(block: str) -> Iterator[str]:
    """Yield a paragraph, and apart from it an indented block that follows without a gap."""
    lines = block.splitlines()
    cut = next((n for n, line in enumerate(lines) if n and line.startswith("    ")), len(lines))
    if re.match(r"[-*] |\d+\. ", lines[0]):
        cut = len(lines)
    plain = " ".join(line.strip() for line in lines[:cut])
    yield inline(re.sub(r"::$", ":", plain))
    if lines[cut:]:
        literal = textwrap.dedent("\n".join(lines[cut:])).rstrip()
        yield f"```text\n{literal}\n```"


def _formula(block: str) -> str:
    return f"$$\n{textwrap.dedent(block).strip()}\n$$"


def _entries(body: str) -> Iterator[str]:
    entry: list[str] = []
    for line in textwrap.dedent(body).splitlines():
        # A line that names nothing goes on with what stands above it, indented or not.
        if not line.startswith(" ") and NAMED.match(line) and entry:
            yield " ".join(entry)
            entry = []
        if line.strip():
            entry.append(line.strip())
    if entry:
        yield " ".join(entry)


def _entry(entry: str) -> str:
    entry = entry.removeprefix("- ").removeprefix("* ")
    match = ENTRY.match(entry)
    if not match:
        return f"- {inline(entry)}"
    name, kind, words = match.groups()
    return f"- `{name}`" + (f" ({inline(kind)})" if kind else "") + f": {inline(words)}"


def inline(text: str) -> str:
    """Return one paragraph's text with its roles as Markdown and everything else literal."""
    out, last = [], 0
    for match in INLINE.finditer(text):
        out.append(SPECIAL.sub(r"\\\1", text[last : match.start()]))
        out.append(_token(match))
        last = match.end()
    out.append(SPECIAL.sub(r"\\\1", text[last:]))
    return "".join(out)


def _token(match: re.Match[str]) -> str:
    token = match.group()
    if match.lastgroup == "math":
        return f"${token.removeprefix(':math:').strip('`$')}$"
    if match.lastgroup == "role":
        name = token.rsplit(":", 1)[1].strip("`")
        return f"`{name.removeprefix('~').rsplit('.', 1)[-1] if name.startswith('~') else name}`"
    if match.lastgroup == "paper":
        return f"[{token}](https://arxiv.org/abs/{token.removeprefix('arXiv:')})"
    if match.lastgroup == "url":
        return f"<{token}>"
    return f"`{token.strip('`')}`"
