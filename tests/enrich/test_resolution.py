"""From mentions to entities and places: one entity for one person, its place on the map, stable keys."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

from pipeline.enrich.places import countries_of, locate
from pipeline.enrich.resolution import EntityReview, entity_key, read_entity_review, resolve
from pipeline.errors import ConfigurationError
from pipeline.models import Entity, EntityType, Mention

CASES = Path(__file__).parent.parent / "data" / "enrich" / "entities"
LONGER_CASES = CASES.with_name("entities_blind")
TYPES = {"p": EntityType.PERSON, "l": EntityType.PLACE, "o": EntityType.ORGANIZATION}
MARK = re.compile(r"\[\[([^|\]]+)\|(\w+)(?:@(\w\w|\?))?\.([plo])\]\]")


def read_case(path: Path) -> tuple[str, str, list[Mention], dict[tuple[int, int], tuple[str, str | None]]]:
    """Headline, body, mentions, and for each span its entity and expected country."""
    headline, _, marked = path.read_text(encoding="utf-8").strip().partition("\n")
    body, mentions, truth, position = "", [], {}, 0
    for mark in MARK.finditer(marked):
        body += marked[position : mark.start()]
        start = len(body)
        body += mark[1]
        mentions.append(Mention(text=mark[1], type=TYPES[mark[4]], start=start, end=len(body)))
        truth[start, len(body)] = mark[2], mark[3]
        position = mark.end()
    return headline, body + marked[position:], mentions, truth


def language_of(path: Path) -> str:
    """A case in another language than English begins with the language's code: ``de_haushalt``."""
    code, underscore, _ = path.stem.partition("_")
    return code if underscore and len(code) == 2 else "en"


def mention(body: str, text: str, kind: EntityType, nth: int = 0) -> Mention:
    """The nth occurrence of a text in a body, as a mention."""
    start = -1
    for _ in range(nth + 1):
        start = body.index(text, start + 1)
    return Mention(text=text, type=kind, start=start, end=start + len(text))


def person(body: str, text: str, nth: int = 0) -> Mention:
    return mention(body, text, EntityType.PERSON, nth)


def place(body: str, text: str, nth: int = 0) -> Mention:
    return mention(body, text, EntityType.PLACE, nth)


def organization(body: str, text: str, nth: int = 0) -> Mention:
    return mention(body, text, EntityType.ORGANIZATION, nth)


def b_cubed(entities: tuple[Entity, ...], truth: dict[tuple[int, int], str]) -> tuple[float, float]:
    """B-cubed precision and recall of the clusters over the marked spans."""
    found = {(m.start, m.end): number for number, e in enumerate(entities) for m in e.mentions}
    ours: dict[int, set[tuple[int, int]]] = defaultdict(set)
    wanted: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for span, name in truth.items():
        wanted[name].add(span)
        if span in found:
            ours[found[span]].add(span)
    precision = [len(ours[found[s]] & wanted[truth[s]]) / len(ours[found[s]]) for s in truth if s in found]
    recall = [len(ours[found[s]] & wanted[truth[s]]) / len(wanted[truth[s]]) if s in found else 0.0 for s in truth]
    return sum(precision) / len(precision), sum(recall) / len(recall)


@pytest.mark.parametrize("path", sorted(CASES.glob("*.txt")), ids=lambda p: p.stem)
def test_written_cases_resolve_as_marked(path: Path) -> None:
    """In news texts whose names are marked, mentions of one entity come together and places are found."""
    headline, body, mentions, truth = read_case(path)
    entities = resolve(mentions, body=body, headline=headline, language=language_of(path))
    assert all(body[m.start : m.end] == m.text for e in entities for m in e.mentions)
    precision, recall = b_cubed(entities, {span: name for span, (name, _) in truth.items()})
    assert (round(precision, 3), round(recall, 3)) == (1.0, 1.0)
    for entity in entities:
        expected = {truth[m.start, m.end][1] for m in entity.mentions if (m.start, m.end) in truth} - {None}
        if expected:
            assert {entity.place.country if entity.place else "?"} == expected, entity.name


def test_longer_texts_written_without_the_rules_stay_as_good() -> None:
    """Over 52 reports, names given, hardly an entity is split or joined, and of 500 places seven are put elsewhere."""
    precisions, recalls, wrong = [], [], set()
    for path in sorted(LONGER_CASES.glob("*.txt")):
        headline, body, mentions, truth = read_case(path)
        entities = resolve(mentions, body=body, headline=headline)
        precision, recall = b_cubed(entities, {span: name for span, (name, _) in truth.items()})
        precisions.append(precision)
        recalls.append(recall)
        for entity in entities:
            marked = {truth[m.start, m.end][1] for m in entity.mentions if (m.start, m.end) in truth}
            if entity.place and marked - {None, "?", entity.place.country}:
                wrong.add((path.stem, entity.mentions[0].text))
    assert len(precisions) == 52
    assert sum(precisions) / 52 > 0.996
    assert sum(recalls) / 52 > 0.991
    assert wrong == {
        ("cambridge", "Sandy"), ("georgia_state", "Athens"), ("georgia_state", "Rome"), ("nepal_crash", "Lalitpur"),
        ("spain_local", "Santiago"), ("texas_towns", "Palestine"), ("texas_towns", "Paris"),
    }  # fmt: skip


def test_canonical_name_is_the_full_one() -> None:
    """A person is listed by the fullest frequent form, not by the surname that stands there most often."""
    body = "Sergei Lavrov arrived. Lavrov spoke, Lavrov left. Sergey Lavrov waved. Sergei Lavrov slept."
    mentions = [
        person(body, "Sergei Lavrov"),
        person(body, "Lavrov", 1),
        person(body, "Lavrov", 2),
        person(body, "Sergey Lavrov"),
        person(body, "Sergei Lavrov", 1),
    ]
    (entity,) = resolve(mentions, body=body)
    assert (entity.name, entity.key, len(entity.mentions)) == ("Sergei Lavrov", "person:sergei-lavrov", 5)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Sergei Lavrov", "Sergey Lavrov"),
        ("Kim Jong-un", "Kim Jong Un"),
        ("José Mourinho", "Jose Mourinho"),
        ("Muammar Gaddafi", "Moammar Gadhafi"),
        ("Conan O’Brien", "Conan O'Brien"),
        ("Сергей Лавров", "Sergei Lavrov"),
        ("Алексей Навальный", "Alexei Navalny"),
        ("Мария Захарова", "Maria Zakharova"),
    ],
)
def test_spellings_share_a_key(one: str, other: str) -> None:
    """Articles that spell a name differently are found together."""
    assert entity_key(EntityType.PERSON, one) == entity_key(EntityType.PERSON, other)
    assert entity_key(EntityType.PERSON, one) != entity_key(EntityType.PERSON, "Sergei Ivanov")


def test_organisation_keys_leave_out_articles_and_legal_forms() -> None:
    """ "The Boeing Co." and "Boeing" are one organisation in facets."""
    assert entity_key(EntityType.ORGANIZATION, "The Boeing Co.") == entity_key(EntityType.ORGANIZATION, "Boeing")


def test_titles_possessives_quotes_and_line_breaks_are_not_part_of_a_name() -> None:
    """What models take along with a name is cut off, and the offsets still give the name."""
    body = "‘Foreign Minister Sergei Lavrov’s plane’ landed.\n\nNorth Korean leader Kim Jong-un\nPhoto of “Kremlin”."
    raw = [
        "Foreign Minister Sergei Lavrov’s",
        "North Korean leader Kim Jong-un\nPhoto",
        "“Kremlin”",
    ]
    kinds = [EntityType.PERSON, EntityType.PERSON, EntityType.ORGANIZATION]
    entities = resolve([mention(body, t, k) for t, k in zip(raw, kinds, strict=True)], body=body)
    assert {m.text for e in entities for m in e.mentions} == {"Sergei Lavrov", "Kim Jong-un", "Kremlin"}
    assert all(body[m.start : m.end] == m.text for e in entities for m in e.mentions)


def test_hyphenated_pairs_are_two_persons() -> None:
    """ "Trump-Kim summit" counts for both men and makes no third one; double names stay whole."""
    body = "Donald Trump met Kim Jong-un. The Trump-Kim summit was short. Jean-Marie Le Pen was not there."
    mentions = [
        person(body, "Donald Trump"),
        person(body, "Kim Jong-un"),
        place(body, "Trump-Kim"),
        person(body, "Jean-Marie Le Pen"),
    ]
    entities = {e.name: e for e in resolve(mentions, body=body)}
    assert set(entities) == {"Donald Trump", "Kim Jong-un", "Jean-Marie Le Pen"}
    assert [m.text for m in entities["Donald Trump"].mentions] == ["Donald Trump", "Trump"]


def test_a_body_and_who_speaks_for_it_are_two() -> None:
    """One mention of "UN Secretary-General Ban Ki-moon" is an organization and a person; a hotel is no person."""
    body = "UN Secretary-General Ban Ki-moon came. The Harbour Union President Hotel did not."
    found = [
        organization(body, "UN Secretary-General Ban Ki-moon"),
        organization(body, "Harbour Union President Hotel"),
    ]
    assert {(e.name, e.type) for e in resolve(found, body=body)} == {
        ("UN", EntityType.ORGANIZATION),
        ("Ban Ki-moon", EntityType.PERSON),
        ("Harbour Union President Hotel", EntityType.ORGANIZATION),
    }


def test_what_is_no_name_makes_no_entity() -> None:
    """Common words, demonyms, titles alone, directions and page furniture stay out of the facets."""
    body = "Scroll down. A bid for a berth to curry favour. The Russian envoy and the Minister spoke of the North."
    mentions = [
        person(body, "Scroll"),
        organization(body, "berth"),
        person(body, "curry"),
        place(body, "Russian"),
        person(body, "Minister"),
        place(body, "North"),
    ]
    assert resolve(mentions, body=body) == ()


def test_countries_are_places_whatever_the_model_says() -> None:
    """A model that calls Russia an organisation doesn't put it among the organisations."""
    body = "Russia said on Monday that Iran agreed."
    entities = resolve([organization(body, "Russia"), person(body, "Iran")], body=body)
    assert {(e.name, e.type) for e in entities} == {("Russia", EntityType.PLACE), ("Iran", EntityType.PLACE)}


def test_bodies_are_organisations_whatever_the_model_says() -> None:
    """A university or ministry that the model calls a place or a person is listed as an organisation."""
    body = "Metropolitan Museum, University of Oxford, Bank Street."
    entities = resolve(
        [place(body, "Metropolitan Museum"), person(body, "University of Oxford"), person(body, "Bank Street")],
        body=body,
    )
    assert {e.name: e.type.value for e in entities} == {
        "Metropolitan Museum": "organization",
        "University of Oxford": "organization",
        "Bank Street": "place",
    }


def test_names_of_one_country_are_one_entity() -> None:
    """US, U.S. and United States are counted together, with one code and one point."""
    body = "The US and the U.S. and the United States."
    (entity,) = resolve([place(body, "US"), place(body, "U.S."), place(body, "United States")], body=body)
    assert entity.place is not None
    assert (entity.name, len(entity.mentions), entity.place.country) == ("United States", 3, "US")


def test_salience_follows_headline_position_and_frequency() -> None:
    """Whom the article is about comes first; a name in the last line weighs less."""
    body = "Angela Merkel spoke. Angela Merkel smiled. " + "Nothing happened. " * 20 + "Olaf Scholz listened."
    entities = resolve(
        [person(body, "Olaf Scholz"), person(body, "Angela Merkel"), person(body, "Angela Merkel", 1)],
        body=body,
        headline="Merkel: ANGELA MERKEL speaks",
    )
    assert [e.name for e in entities] == ["Angela Merkel", "Olaf Scholz"]
    assert 1.0 >= entities[0].salience > 0.9 > 0.3 > entities[1].salience > 0


def test_review_list_merges_renames_hides_and_blocks(tmp_path: Path) -> None:
    """What people decided is applied: merged names, another display name, hidden entities, blocked texts."""
    path = tmp_path / "entities.toml"
    path.write_text(
        'block = ["Oval Office"]\n'
        '[[entity]]\ntype = "person"\nname = "Donald Trump"\nalso = ["Trump", "The Donald"]\n'
        '[[entity]]\ntype = "organization"\nname = "Reuters"\nhide = true\n'
        '[[entity]]\ntype = "place"\nname = "Türkiye"\nalso = ["Turkey"]\n'
    )
    body = "Trump sat in the Oval Office, Reuters reported from Turkey. Donald Trump smiled."
    entities = resolve(
        [
            person(body, "Trump"),
            organization(body, "Oval Office"),
            organization(body, "Reuters"),
            place(body, "Turkey"),
            person(body, "Donald Trump"),
        ],
        body=body,
        review=read_entity_review(path),
    )
    assert {e.name: e.key for e in entities} == {
        "Donald Trump": "person:donald-trump", "Türkiye": "place:298795",
    }  # fmt: skip
    lone = resolve([person(body, "Trump")], body=body, review=read_entity_review(path))
    assert [(e.name, e.key) for e in lone] == [("Donald Trump", "person:donald-trump")]


def test_the_shipped_review_list_is_right() -> None:
    """config/entities.toml can be used as it comes: abbreviations of bodies go to their names, in all languages."""
    review = read_entity_review(Path(__file__).resolve().parents[2] / "config" / "entities.toml")
    body = "A ONU e a Organização Mundial da Saúde (OMS)."
    found = resolve([organization(body, "ONU"), organization(body, "OMS")], body=body, review=review, language="pt")
    assert {e.key for e in found} == {"organization:united-nations", "organization:world-health-organization"}


def test_mistakes_in_the_review_list_are_all_named(tmp_path: Path) -> None:
    """A wrong file says every mistake with its place; a missing one is an empty list."""
    path = tmp_path / "entities.toml"
    path.write_text(
        'blok = []\n[[entity]]\ntype = "human"\nname = "X"\n[[entity]]\ntype = "person"\nname = "Y"\nalias = []\n'
    )
    with pytest.raises(ConfigurationError) as caught:
        read_entity_review(path)
    assert [word for word in ("blok", "entity 1", "organization", "alias") if word not in str(caught.value)] == []
    path.write_text(
        'block = "Scroll"\n[[entity]]\ntype = "person"\nname = "Donald Trump"\nalso = ["Trump"]\n'
        '[[entity]]\ntype = "person"\nname = "Melania Trump"\nalso = ["Trump"]\n'
        '[[entity]]\ntype = "place"\nname = "Oz"\nalso = "Emerald City"\nhide = "yes"\n'
    )
    with pytest.raises(ConfigurationError) as caught:
        read_entity_review(path)
    said = ["block must be a list", "'Trump' already stands for entity 1", "entity 3 (Oz): also", "hide must be true"]
    assert [words for words in said if words not in str(caught.value)] == []
    path.write_text('[entity]\nname = "X"')
    with pytest.raises(ConfigurationError, match="double brackets"):
        read_entity_review(path)
    path.write_text("entity = [")
    with pytest.raises(ConfigurationError, match=r"entities\.toml"):
        read_entity_review(path)
    assert read_entity_review(tmp_path / "none.toml") == EntityReview()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Paris"], {"Paris": "FR"}),
        (["Cambridge"], {}),
        (["Cambridge", "UK"], {"Cambridge": "GB", "UK": "GB"}),
        (["Cambridge", "Massachusetts"], {"Cambridge": "US", "Massachusetts": "US"}),
        (["Springfield"], {}),
        (["Nowhereville"], {}),
        (["Washington DC"], {"Washington DC": "US"}),
        (["Scotland"], {"Scotland": "GB"}),
        (["Congo"], {"Congo": "CD"}),
    ],
)
def test_places_are_found_or_left_open(names: list[str], expected: dict[str, str]) -> None:
    """A name is put on the map when it is clear which place is meant, and only then."""
    assert {name: found.country for name, found in locate(names).items()} == expected


def test_source_country_helps_where_the_text_is_silent() -> None:
    """A local paper's Cambridge is the one in its own country."""
    assert locate(["Cambridge"], source_country="GB")["Cambridge"].country == "GB"


def test_places_carry_coordinates_and_ids() -> None:
    """Maps need degrees: Pyongyang lies where it lies, a country at its capital."""
    found = locate(["Pyongyang", "North Korea"])
    assert found["Pyongyang"].geonames_id == 1871859
    assert found["Pyongyang"].latitude == pytest.approx(39.03, abs=0.1)
    assert found["Pyongyang"].longitude == pytest.approx(125.75, abs=0.1)
    assert found["North Korea"].latitude == found["Pyongyang"].latitude
    assert countries_of((p, n) for n, p in enumerate(locate(["Moscow", "Paris"]).values())) == ("FR", "RU")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Bavaria", "Catalonia", "Siberia"], {"Bavaria": "DE", "Catalonia": "ES", "Siberia": "RU"}),
        (["Kursk region"], {"Kursk region": "RU"}),
        (["Punjab"], {}),
        (["Punjab", "India"], {"Punjab": "IN", "India": "IN"}),
        (["Salzburg"], {"Salzburg": "AT"}),
    ],
)
def test_first_level_regions_are_places(names: list[str], expected: dict[str, str]) -> None:
    """Regions have a code and a point; one that two countries have is left open until one of them is named."""
    found = locate(names)
    assert {name: place.country for name, place in found.items()} == expected
    assert all(place.latitude is not None for place in found.values())
    assert locate(["Bavaria"])["Bavaria"].region == "DE-BY"


@pytest.mark.parametrize(
    ("language", "names"),
    [
        ("ru", {"Москве": "Moscow", "России": "Russia", "США": "United States", "Екатеринбурга": "Yekaterinburg"}),
        ("de", {"Russlands": "Russia", "Bayern": "Bavaria", "Genf": "Geneva", "Großbritannien": "United Kingdom"}),
        ("fi", {"Helsingissä": "Helsinki", "Venäjän": "Russia", "Turun": "Turku", "Yhdysvaltain": "United States"}),
        ("pt", {"EUA": "United States", "Londres": "London", "Pequim": "Beijing"}),
        ("da", {"Danmarks": "Denmark", "Island": "Iceland", "København": "Copenhagen"}),
    ],
)
def test_places_are_found_as_other_languages_spell_them(language: str, names: dict[str, str]) -> None:
    """Names in the article's language, cases and genitives included, lead to the place they mean."""
    assert {name: place.name for name, place in locate(list(names), language=language).items()} == names


def test_cases_of_a_name_are_one_person() -> None:
    """Russian and Finnish cases and German genitives come together under the uninflected name."""
    for language, body, full, forms in (
        ("ru", "Владимир Путин прибыл. Встреча с Владимиром Путиным. Слова Путина.", "Владимир Путин",
         ["Владимиром Путиным", "Путина"]),
        ("de", "Angela Merkel sprach. Merkels Rede war kurz.", "Angela Merkel", ["Merkels"]),
        ("fi", "Sauli Niinistö puhui. Niinistön puhe oli lyhyt.", "Sauli Niinistö", ["Niinistön"]),
    ):  # fmt: skip
        mentions = [person(body, name) for name in (full, *forms)]
        assert [(e.name, len(e.mentions)) for e in resolve(mentions, body=body, language=language)] == [
            (full, len(forms) + 1)
        ]


def test_rules_about_english_words_leave_other_languages_alone() -> None:
    """A Swede called Maj, a Russian called Roman and a Dane called Bank keep their names."""
    body = "Maj Britt Theorin talade med Roman Bank."
    found = resolve([person(body, "Maj Britt Theorin"), person(body, "Roman Bank")], body=body, language="sv")
    assert {(e.name, e.type.value) for e in found} == {("Maj Britt Theorin", "person"), ("Roman Bank", "person")}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("George W. Bush", "George H.W. Bush", False),
        ("J.K. Rowling", "Joanne Rowling", True),
        ("Aung San Suu Kyi", "Suu Kyi", True),
        ("Donald J. Trump", "Donald Trump", True),
        ("Andrés Manuel López Obrador", "López Obrador", True),
    ],
)
def test_initials_and_left_out_names(one: str, other: str, same: bool) -> None:
    """Initials tell people apart where they differ, and don't where one form only leaves them out."""
    body = f"{one} came. {other} left."
    assert len(resolve([person(body, one), person(body, other)], body=body)) == (1 if same else 2)


def test_missed_repeats_of_a_name_are_found() -> None:
    """A person introduced in full is counted at every later surname, also where the model saw none."""
    body = (
        "Joe Manchin voted. Manchin left, and Senator Manchin slept. Manchin Avenue is a road. Joe Manchin-Smith too."
    )
    (entity, *others) = resolve([person(body, "Joe Manchin")], body=body)
    assert [m.text for m in entity.mentions] == ["Joe Manchin", "Manchin", "Manchin"]
    assert others == []
    assert all(body[m.start : m.end] == m.text for m in entity.mentions)


def test_a_family_name_in_front_goes_to_whom_the_story_is_about() -> None:
    """Of two Kims named in full equally often, the bare name means the one whom the article introduced."""
    body = "Kim Jong-un waited. Kim Yong Chol flew. Kim smiled. Kim Jong Un left, Kim Yong Chol too."
    mentions = [
        person(body, "Kim Jong-un"),
        person(body, "Kim Yong Chol"),
        person(body, "Kim", 2),
        person(body, "Kim Jong Un"),
        person(body, "Kim Yong Chol", 1),
    ]
    assert body[mentions[2].start :].startswith("Kim smiled")
    found = {e.key: len(e.mentions) for e in resolve(mentions, body=body)}
    assert found == {"person:kim-jong-un": 3, "person:kim-yong-chol": 2}


def test_common_words_are_not_taken_for_a_surname() -> None:
    """Bill Gates is not named where the gates open."""
    body = "Bill Gates came late. Gates opened at noon, and other gates at one. Mr Gates spoke."
    (entity,) = resolve([person(body, "Bill Gates")], body=body)
    assert [m.start for m in entity.mentions] == [0, body.rindex("Gates")]


def test_surnames_that_are_places_are_not_guessed() -> None:
    """Denzel Washington in a story about Washington doesn't turn the city into a person."""
    body = "Denzel Washington flew in. In Washington it rained."
    entities = resolve([person(body, "Denzel Washington"), place(body, "Washington", 1)], body=body)
    assert {(e.name, e.type.value) for e in entities} == {("Denzel Washington", "person"), ("Washington", "place")}


@pytest.mark.parametrize(
    ("body", "names", "expected"),
    [
        # A surname that is a place's, too, unless the text has it as a place.
        ("Jen Jordan spoke. Jordan left.", ["p Jen Jordan", "l1 Jordan"], {"Jen Jordan": 2}),
        (
            "Jen Jordan spoke in Jordan. Jordan left.",
            ["p Jen Jordan", "l1 Jordan", "l2 Jordan"],
            {"Jen Jordan": 1, "Jordan": 2},
        ),
        # Another spelling of a person's name is not a place besides.
        (
            "Kim Jong Il ruled. His son is Kim Jong-un. Kim Jong-il died.",
            ["p Kim Jong Il", "p Kim Jong-un", "l Kim Jong-il"],
            {"Kim Jong Il": 2, "Kim Jong-un": 1},
        ),
        # Relatives: the one named in this paragraph, else the one the article introduced.
        (
            "Brian Kemp signed. Marty Kemp watched, and Kemp smiled.\n\nKemp left.",
            ["p Brian Kemp", "p Marty Kemp", "p2 Kemp", "p3 Kemp"],
            {"Brian Kemp": 2, "Marty Kemp": 2},
        ),
        (
            "Ferdinand Marcos Jr. spoke of Ferdinand Marcos Sr. at noon.",
            ["p Ferdinand Marcos Jr.", "p Ferdinand Marcos Sr"],
            {"Ferdinand Marcos Jr.": 1, "Ferdinand Marcos Sr.": 1},
        ),
        # Surnames in the middle, family names in front, nicknames, letters behind a name.
        ("Rubén Rocha Moya denied it. Rocha left.", ["p Rubén Rocha Moya", "p1 Rocha"], {"Rubén Rocha Moya": 2}),
        (
            "Lee Jae-myung met John Lee. So said the office.\n\nLee spoke.",
            ["p Lee Jae-myung", "p John Lee", "p2 Lee"],
            {"Lee Jae-myung": 2, "John Lee": 1},
        ),
        (
            "Ismael Zambada is known as El Mayo. They feared El Mayo.",
            ["p Ismael Zambada", "p El Mayo", "p1 El Mayo"],
            {"Ismael Zambada": 3},
        ),
        (
            "Salome Zourabichvili spoke. Zurabishvili left.",
            ["p Salome Zourabichvili", "p Zurabishvili"],
            {"Salome Zourabichvili": 2},
        ),
        ("So said James Boyd KC on Monday.", ["p James Boyd KC"], {"James Boyd": 1}),
        # Datelines are places, whatever the model took them for.
        (
            "LIMA – Peru's Congress met.",
            ["o LIMA – Peru's Congress"],
            {"LIMA": 1, "Peru": 1, "Congress": 1},
        ),
        ("ATHENS, Ga. (AP) — It rained.", ["p ATHENS"], {"ATHENS": 1, "Ga.": 1}),
        # Companies by the first word of their name, clubs and bodies by the last.
        ("Goldman Sachs rose. Goldman fell.", ["o Goldman Sachs", "p1 Goldman"], {"Goldman Sachs": 2}),
        ("Apple rose. Apple TV is new.", ["o Apple", "o Apple TV"], {"Apple": 2}),
        (
            "Stanford fell. Stanford University is old.",
            ["o Stanford", "o Stanford University"],
            {"Stanford University": 2},
        ),
        ("The Boston Celtics won. The Celtics flew.", ["o Boston Celtics", "o1 Celtics"], {"Boston Celtics": 2}),
        ("Paul Allen of the White House met the House.", ["o White House", "o1 House"], {"White House": 1, "House": 1}),
    ],
)
def test_newspaper_habits(body: str, names: list[str], expected: dict[str, int]) -> None:
    """Who is meant follows from how newspapers name people, places and bodies."""
    mentions = [
        mention(body, name[name.index(" ") + 1 :], TYPES[name[0]], int(name[1:2].strip() or 0)) for name in names
    ]
    assert {e.name: len(e.mentions) for e in resolve(mentions, body=body)} == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Athens, Ga."], {"Athens, Ga.": "US"}),
        (["N.J."], {"N.J.": "US"}),
        (["Cambridge, Massachusetts", "Cambridge", "London"], {"Cambridge, Massachusetts": "US", "London": "GB"}),
        (["Perth, Scotland"], {"Perth, Scotland": "GB"}),
        (["Queenstown", "New Zealand"], {"New Zealand": "NZ"}),
        (["Poughkeepsie", "US"], {"Poughkeepsie": "US", "US": "US"}),
        (["Mustang", "US"], {"US": "US"}),
        (["Lagos State"], {"Lagos State": "NG"}),
        (["Gaza"], {"Gaza": "PS"}),
        (["Norfolk", "London"], {"Norfolk": "GB", "London": "GB"}),
        (["Philippines"], {"Philippines": "PH"}),
    ],
)
def test_states_counties_and_far_towns(names: list[str], expected: dict[str, str]) -> None:
    """A state or county behind a town decides; a town of another continent's name is left open."""
    assert {name: found.country for name, found in locate(names).items()} == expected


def test_an_organisation_seen_in_two_halves_is_one() -> None:
    """A long name that the model broke after "of the" is put together again."""
    body = "The International Committee of the Red Cross helped."
    halves = [organization(body, "International Committee of the"), organization(body, "Red Cross")]
    assert [e.name for e in resolve(halves, body=body)] == ["International Committee of the Red Cross"]


def test_abbreviations_are_joined_only_where_the_text_gives_them() -> None:
    """WHO is the World Health Organization where the text names that before, and on its own otherwise."""
    body = "The World Health Organization (WHO) met. WHO left."
    both = [organization(body, "World Health Organization"), organization(body, "WHO"), organization(body, "WHO", 1)]
    assert [(e.name, len(e.mentions)) for e in resolve(both, body=body)] == [("World Health Organization", 3)]
    for apart, number in (
        ("The World Health Organization met. WHO left.", 1),
        ("WHO left. The World Health Organization met.", 2),
        ("The World Health Organization met the Wild Horse Office. WHO left.", 3),
    ):
        named = [name for name in ("World Health Organization", "Wild Horse Office", "WHO") if name in apart]
        assert len(resolve([organization(apart, name) for name in named], body=apart)) == number, apart
    foreign = "The Republican People's Party (CHP) won."
    (party,) = resolve([organization(foreign, "Republican People's Party"), organization(foreign, "CHP")], body=foreign)
    assert party.name == "Republican People's Party"


def test_empty_and_strange_input_is_fine() -> None:
    """No mentions, a mention of blanks, one at the very end: no error."""
    assert resolve([], body="") == ()
    assert resolve([Mention(text="  ", type=EntityType.PERSON, start=0, end=2)], body="  ") == ()
    body = "by Bob"
    assert [e.name for e in resolve([person(body, "Bob")], body=body)] == ["Bob"]


def test_a_list_of_thousands_of_names_is_resolved_too() -> None:
    """A page that is one long list of names neither fails nor takes its time squared."""
    people = [f"Ann{chr(97 + n % 26)}{chr(97 + n // 26 % 26)} Smith{chr(97 + n // 676)}{n % 97}x" for n in range(6000)]
    body = "; ".join(people)
    mentions, start = [], 0
    for name in people:
        mentions.append(Mention(text=name, type=EntityType.PERSON, start=start, end=start + len(name)))
        start += len(name) + 2
    assert sum(len(e.mentions) for e in resolve(mentions, body=body)) == 6000
