"""Strict scores: a span counts when both ends and the type are right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from training.corpora import LABELS, Span


@dataclass
class Scores:
    """True positives, found and wanted spans by label."""

    right: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    wanted: Counter[str] = field(default_factory=Counter)

    def add(self, found: Iterable[Span], wanted: Iterable[Span], unknown: Iterable[Span] = ()) -> None:
        """Count one text. Found spans that touch unknown ones are left out."""
        blurred = list(unknown)
        gold = set(wanted)
        seen = {s for s in found if not any(s[0] < u[1] and u[0] < s[1] for u in blurred) or s in gold}
        self.right.update(label for _, _, label in seen & gold)
        self.found.update(label for _, _, label in seen)
        self.wanted.update(label for _, _, label in gold)

    def f1(self, label: str | None = None) -> float:
        """F1 in percent, of one label or of all together (micro)."""
        _, _, value = self.prf(label)
        return value

    def prf(self, label: str | None = None) -> tuple[float, float, float]:
        """Precision, recall and F1 in percent."""
        labels = LABELS if label is None else (label,)
        right, found, wanted = (sum(c[k] for k in labels) for c in (self.right, self.found, self.wanted))
        precision = 100 * right / found if found else 0.0
        recall = 100 * right / wanted if wanted else 0.0
        return precision, recall, 2 * precision * recall / (precision + recall) if right else 0.0

    def row(self, *first: str) -> str:
        """A line of a table: what it is of, F1, precision, recall, and each label's F1."""
        precision, recall, f1 = self.prf()
        numbers = (f1, precision, recall, *(self.f1(label) for label in LABELS))
        return f"| {' | '.join(first)} | {' | '.join(f'{number:.1f}' for number in numbers)} |"

    def __str__(self) -> str:
        parts = " ".join(f"{label} {self.f1(label):.1f}" for label in LABELS)
        precision, recall, value = self.prf()
        return f"{value:.1f} (P {precision:.1f} R {recall:.1f}; {parts})"
