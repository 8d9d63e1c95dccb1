"""Training texts as spaCy examples; a pipeline's scores and speed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from training.corpora import Sentence
from training.scores import Scores


def example(nlp: Language, sentence: Sentence) -> Example:
    """A spaCy example; names that don't fit the tokens, and unknown ones, are set to missing."""
    lists: Any = nlp.get_pipe("name_lists")
    predicted: Doc = lists(nlp.make_doc(sentence.text))
    reference = nlp.make_doc(sentence.text)
    found, missing, used = [], [], set()
    for start, end, label in sentence.spans:
        span = reference.char_span(start, end, label=label)
        if span is None or used & set(range(span.start, span.end)):
            loose = reference.char_span(start, end, alignment_mode="expand")
            if loose is not None and not used & set(range(loose.start, loose.end)):
                missing.append(loose)
                used |= set(range(loose.start, loose.end))
            continue
        used |= set(range(span.start, span.end))
        found.append(span)
    for start, end, _ in sentence.unknown:
        loose = reference.char_span(start, end, alignment_mode="expand")
        if loose is not None and not used & set(range(loose.start, loose.end)):
            missing.append(loose)
            used |= set(range(loose.start, loose.end))
    reference.set_ents(found, missing=missing, default="outside")
    return Example(predicted, reference)


def evaluate(nlp: Language, sentences: Sequence[Sentence]) -> Scores:
    """Strict scores of a pipeline on sentences, one at a time, as raw text."""
    scores = Scores()
    for sentence, doc in zip(sentences, nlp.pipe((s.text for s in sentences), batch_size=256), strict=True):
        found = [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]
        scores.add(found, sentence.spans, sentence.unknown)
    return scores


def words_per_second(nlp: Language, sentences: Sequence[str]) -> float:
    """Speed on texts of 28 sentences, the pipeline warm, in CPU time; the best of three, since other work disturbs."""
    texts = [" ".join(sentences[i : i + 28]) for i in range(0, len(sentences), 28)]
    words = sum(len(text.split()) for text in texts)
    times = []
    for _ in range(4):
        started = time.process_time()
        list(nlp.pipe(texts, batch_size=32))
        times.append(time.process_time() - started)
    return words / min(times[1:])
