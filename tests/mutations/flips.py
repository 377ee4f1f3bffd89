"""Every small change that could be a slip of the hand in a model's SQL, found in its text, which holds Jinja."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

QUOTED = r"""(?:'[^']*'|"[^"]*"|[^'"])*?"""
"""What stands in Jinja's brackets; brackets in a text of it do not close them."""
HIDDEN = re.compile(rf"\{{#.*?#\}}|\{{%{QUOTED}%\}}|\{{\{{{QUOTED}\}}\}}|--[^\n]*|'[^']*'", re.S)
"""What is no SQL of the model: comments, Jinja and texts."""

KINDS: dict[str, list[tuple[str, str]]] = {
    "comparison": [
        (r"(?<![<>=@-])<(?![=>@])", "<="),
        (r"<=", "<"),
        (r"(?<![<>=@-])>(?![=>@])", ">="),
        (r">=", ">"),
    ],
    "join": [
        (r"\bleft join\b", "inner join"),
        (r"\binner join\b", "left join"),
        (r"\bfull join\b", "left join"),
    ],
    "aggregate": [
        (r"\bsum(?=\()", "avg"),
        (r"\bavg(?=\()", "sum"),
        (r"\bcount\(distinct ", "count("),
        (r"\bbool_and(?=\()", "bool_or"),
        (r"\brow_number(?=\(\) over \([^)]*order by)", "rank"),
        (r"\bdense_rank(?=\()", "row_number"),
    ],
    "extreme": [
        (r"\bmin(?=\()", "max"),
        (r"\bmax(?=\()", "min"),
        (r"\bgreatest(?=\()", "least"),
        (r"\bleast(?=\()", "greatest"),
    ],
    "logic": [
        (r"(?<!row )\band\b", "or"),
        (r"\bor\b", "and"),
        (r"\bis not null\b", "is null"),
        (r"\bis null\b", "is not null"),
        (r"\bnot (?=exists|in\b|is_|bool_)", ""),
    ],
    "order": [
        (r"(?<= )asc\b", "desc"),
        (r"(?<= )desc\b", "asc"),
        (r'(?<=order by )[\w.]+(?: collate "C")?(?! (?:asc|desc|is|=|collate)|[\w.:+(])', r"\g<0> desc"),
    ],
    "arithmetic": [
        (r"(?<= )\+(?= )", "-"),
        (r"(?<= )-(?= )", "+"),
    ],
    "rows": [
        (r"\bunion all\b", "union"),
        (r"\bunion distinct\b|\bunion\b(?! all| distinct)", "union all"),
        (r"(?<=select )distinct\b(?! on\b)", ""),
    ],
}
"""A kind of slip -> what is looked for and what takes its place."""


@dataclass(frozen=True)
class Flip:
    """One change of one model, in the step (the CTE) and the line where it stands."""

    model: str
    step: str
    kind: str
    line: int
    start: int
    end: int
    new: str
    old: str
    around: str

    def __str__(self) -> str:
        change = f"{self.old.strip()} -> {self.new.strip() or 'nothing'}"
        return f"{self.model}:{self.line} {change} in: {self.around}"

    def applied(self, text: str) -> str:
        """Return the model's text with the change in it."""
        return text[: self.start] + self.new + text[self.end :]


def visible(text: str) -> str:
    """Return the text, as long as before, with only the model's own SQL in it."""
    return HIDDEN.sub(lambda found: re.sub(r"[^\n]", "_" if found[0][0] in "{'" else " ", found[0]), text)


def flips_of(model: str, text: str) -> Iterator[Flip]:
    """Yield every flip of a model, in the order of its text."""
    seen = visible(text)
    found = [
        (match.start(), match.end(), kind, match.expand(new))
        for kind, pairs in KINDS.items()
        for old, new in pairs
        for match in re.finditer(old, seen)
    ]
    for start, end, kind, new in sorted(found):
        line = text.count("\n", 0, start) + 1
        steps = re.findall(r"^(\w+) as \($", seen[:start], re.M)
        around = text.splitlines()[line - 1].strip()
        yield Flip(model, steps[-1] if steps else "", kind, line, start, end, new, text[start:end], around)


def all_flips(models: Path) -> dict[str, list[Flip]]:
    """Return the flips of every model under a folder that has any."""
    found = {path.stem: list(flips_of(path.stem, path.read_text("utf-8"))) for path in sorted(models.rglob("*.sql"))}
    return {model: flips for model, flips in found.items() if flips}


def drawn(flips: dict[str, list[Flip]], count: int, seed: int) -> list[Flip]:
    """Draw flips without replacement, from every model in turn, so that a long one takes no turn from a short one."""
    draw = random.Random(seed)
    left = {model: draw.sample(found, len(found)) for model, found in flips.items()}
    chosen: list[Flip] = []
    while left and len(chosen) < count:
        models = sorted(left)
        draw.shuffle(models)
        chosen += [left[model].pop() for model in models[: count - len(chosen)]]
        left = {model: rest for model, rest in left.items() if rest}
    return sorted(chosen, key=lambda flip: (flip.model, flip.start))
