"""A made-up corpus in four languages, and questions with their answers known by construction.

Each article has one subject (a topic at a place, with a person and an organisation) and may mention others in passing;
round-ups mention many and are about none. So it is known of every article what it is about and what it only mentions,
which is what a judge would have to read out of it.
"""

# ruff: noqa: E501 - sentences

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pipeline.enrich.embeddings import Embedder, passage
from pipeline.index.documents import Document, to_document
from pipeline.models import (
    Article,
    ArticleRef,
    DateRecord,
    EnrichedArticle,
    Entity,
    EntityType,
    Language,
    Mention,
    Precision,
)  # fmt: skip

PLACES = ("Aldmere", "Brackwater", "Corrie", "Dunhaven", "Eskford", "Farrowby", "Glenmoor", "Hathersea", "Ilverstadt",
          "Kirnbach", "Lauterfels", "Montreval", "Nouvelle-Rive", "Ollioules-Haut", "Peñalara", "Quintanar")  # fmt: skip
PEOPLE = ("Marta Lindqvist", "Joachim Brandes", "Odile Ferrand", "Esteban Carrizo", "Ruth Okafor", "Piet Verhulst",
          "Ilse Kaminski", "Bruno Tavares", "Nadia Benamar", "Callum Thorne", "Greta Sommer", "Rafael Ibarra",
          "Solène Marchetti", "Viktor Halász", "Amina Diallo", "Fergus Maclay")  # fmt: skip
ORGANIZATIONS = ("Tarnwell Group", "Northgate Trust", "Vaskor Energie", "Helmcrest", "Union Maritime du Ponant",
                 "Fundación Brisa", "Kestrel Rail", "Ostwind Genossenschaft")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Topic:
    """What articles can be about, in one language. ``asked`` are ways to ask for it, ``aside`` a passing mention.

    ``paraphrased`` ask for it in words that none of its articles has.
    """

    headlines: tuple[str, ...]
    lede: str
    body: tuple[str, ...]
    aside: str
    asked: tuple[str, ...]
    paraphrased: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tongue:
    """The topics of one language, and what fills its articles."""

    topics: tuple[Topic, ...]
    filler: tuple[str, ...]
    roundup: str
    together: str


ENGLISH = Tongue(
    topics=(
        Topic(("{place} bridge closes for repairs after cracks are found", "Cracks shut the old bridge at {place}"),
              "Engineers closed the bridge in {place} on {day} after cracks were found in two of its arches.",
              ("{person}, who leads the inspection, said that repairing the arches would take until the autumn.",
               "Lorries are sent around by the northern road, and {org} runs a ferry for people on foot."),
              "Last year the bridge at {place} was repaired as well.",
              ("bridge repair {place}", "cracked bridge {place}"),
              ("structural damage river crossing {place}", "unsafe viaduct {place}")),
        Topic(("{place} elects {person} as mayor", "{person} wins the mayoral election in {place}"),
              "{person} was elected mayor of {place} on {day} with a lead of {n} votes.",
              ("The defeated candidate congratulated the new mayor before the last ballots had been counted.",
               "{org} had supported the campaign, which was about buses and rents."),
              "The election of a mayor in {place} is still being contested.",
              ("mayor election {place}", "mayoral elections {place}"),
              ("town hall leader chosen at the polls {place}", "municipal race result {place}")),
        Topic(("Flood in {place} drives {n} people from their homes", "River bursts its banks at {place}"),
              "Flood water drove {n} people from their homes in {place} on {day}.",
              ("Boats took residents from upper windows, and {person} of the fire brigade asked others to stay upstairs.",
               "{org} opened its warehouses as a shelter."),
              "The floods in {place} were mentioned only briefly.",
              ("flooding {place}", "flooded homes {place}"),
              ("families evacuated after heavy rain {place}", "submerged district rescue {place}")),
        Topic(("Strike stops trains in {place} for {n} hours", "Rail workers walk out at {place}"),
              "A strike of rail workers stopped every train in {place} on {day}.",
              ("{person}, who speaks for the union, said that workers would strike again unless {org} raised their pay.",
               "Commuters shared taxis or walked along the tracks."),
              "He compared it with the rail strike in {place}.",
              ("rail strike {place}", "train workers striking {place}"),
              ("industrial action railway {place}", "labour dispute halts public transport {place}")),
        Topic(("Museum in {place} returns {n} looted bronzes", "{place} museum gives back its bronzes"),
              "The museum of {place} handed {n} looted bronzes back to their owners on {day}.",
              ("{person}, the director, said that a museum should be able to say how it came by each object.",
               "{org} paid for the transport."),
              "A museum in {place} has similar bronzes.",
              ("looted bronzes museum {place}", "museum returning bronzes {place}"),
              ("stolen artworks restitution {place}", "colonial era sculptures repatriated {place}")),
        Topic(("Wind farm off {place} gets its licence", "{org} may build {n} turbines off {place}"),
              "{org} may build {n} wind turbines off {place}, a court decided on {day}.",
              ("{person} had sued on behalf of the fishermen, who fear for their nets.",
               "The turbines are to deliver power within three years."),
              "Similar wind turbines off {place} were refused.",
              ("wind turbines {place}", "offshore wind farm licence {place}"),
              ("renewable energy project approved {place}", "judges permit green electricity at sea {place}")),
    ),
    filler=("Nobody was willing to say how much all this would cost.", "The weather is expected to stay mild.",
            "Shops in the high street opened as usual.", "A spokesman declined to comment further.",
            "Neighbours said that they had heard of it on the radio.", "A decision is due before the summer."),
    roundup="The week in the region: a round-up",
    together="In this week's letter we look back at what our readers discussed most.",
)  # fmt: skip

GERMAN = Tongue(
    topics=(
        Topic(("Brücke in {place} wegen Rissen gesperrt", "Risse legen alte Brücke von {place} still"),
              "Die Brücke in {place} ist seit {day} gesperrt, weil in zwei Bögen Risse gefunden wurden.",
              ("{person}, die die Prüfung leitet, rechnet mit Reparaturen bis zum Herbst.",
               "Lastwagen werden umgeleitet, {org} betreibt eine Fähre für Fußgänger."),
              "Schon im vergangenen Jahr wurde die Brücke in {place} repariert.",
              ("Brücken Risse {place}", "gesperrte Brücke {place}"),
              ("Bauwerk einsturzgefährdet {place}", "Schäden am Viadukt {place}")),
        Topic(("{place} wählt {person} ins Bürgermeisteramt", "{person} gewinnt Bürgermeisterwahl in {place}"),
              "{person} hat am {day} die Bürgermeisterwahl in {place} mit {n} Stimmen Vorsprung gewonnen.",
              ("Der unterlegene Kandidat gratulierte, noch bevor alle Stimmen ausgezählt waren.",
               "{org} hatte den Wahlkampf unterstützt, in dem es um Busse und Mieten ging."),
              "Die Bürgermeisterwahl in {place} wird noch angefochten.",
              ("Bürgermeisterwahl {place}", "gewählt Bürgermeisterwahl {place}"),
              ("neues Stadtoberhaupt {place}", "Rathauschef bestimmt {place}")),
        Topic(("Hochwasser vertreibt {n} Menschen in {place}", "Fluss tritt in {place} über die Ufer"),
              "Das Hochwasser hat in {place} am {day} {n} Menschen aus ihren Häusern vertrieben.",
              ("Boote holten Bewohner aus den Fenstern, {person} von der Feuerwehr bat andere, oben zu bleiben.",
               "{org} öffnete ihre Hallen als Unterkunft."),
              "Vom Hochwasser in {place} war nur am Rande die Rede.",
              ("Hochwasser Häuser {place}", "Hochwasser {place}"),
              ("Überschwemmung Evakuierung {place}", "Unwetter Katastrophe {place}")),
        Topic(("Streik legt Züge in {place} für {n} Stunden lahm", "Bahnbeschäftigte in {place} legen Arbeit nieder"),
              "Ein Streik der Bahnbeschäftigten hat am {day} alle Züge in {place} gestoppt.",
              ("{person} von der Gewerkschaft kündigte weitere Streiks an, falls {org} die Löhne nicht erhöht.",
               "Pendler teilten sich Taxis oder liefen an den Gleisen entlang."),
              "Er verglich das mit dem Streik der Züge in {place}.",
              ("Streiks Züge {place}", "Streik Zug {place}"),
              ("Arbeitskampf Eisenbahn {place}", "Ausstand Lokführer {place}")),
        Topic(("Museum in {place} gibt {n} Bronzen zurück", "Museum von {place} trennt sich von Raubkunst"),
              "Das Museum in {place} hat am {day} {n} geraubte Bronzen zurückgegeben.",
              ("{person}, die das Haus leitet, sagte, ein Museum müsse die Herkunft jedes Stücks kennen.",
               "{org} bezahlte den Transport."),
              "Ein Museum in {place} besitzt ähnliche Bronzen.",
              ("Museum Bronze {place}", "geraubte Bronzen {place}"),
              ("Restitution Kolonialkunst {place}", "Rückgabe gestohlener Kulturgüter {place}")),
        Topic(("Windpark vor {place} genehmigt", "{org} darf {n} Windräder vor {place} bauen"),
              "{org} darf vor {place} {n} Windräder bauen, entschied ein Gericht am {day}.",
              ("{person} hatte im Namen der Fischer geklagt, die um ihre Netze fürchten.",
               "Die Windräder sollen in drei Jahren Strom liefern."),
              "Ähnliche Windräder vor {place} wurden abgelehnt.",
              ("Windrad {place}", "Windräder Gericht {place}"),
              ("erneuerbare Energie auf See {place}", "Ökostrom Anlagen erlaubt {place}")),
    ),
    filler=("Niemand wollte sagen, was das alles kosten wird.", "Das Wetter soll mild bleiben.",
            "Die Läden der Innenstadt öffneten wie gewohnt.", "Ein Sprecher wollte sich nicht weiter äußern.",
            "Nachbarn hatten davon im Radio gehört.", "Eine Entscheidung wird vor dem Sommer erwartet."),
    roundup="Die Woche in der Region: ein Rückblick",
    together="In unserem Brief blicken wir auf das zurück, was unsere Leser beschäftigt hat.",
)  # fmt: skip

FRENCH = Tongue(
    topics=(
        Topic(("Le pont de {place} fermé après la découverte de fissures", "Des fissures ferment le vieux pont de {place}"),
              "Le pont de {place} est fermé depuis {day}, des fissures ayant été trouvées dans deux arches.",
              ("{person}, qui dirige l'inspection, estime que les réparations dureront jusqu'à l'automne.",
               "Les camions sont déviés et {org} met en service un bac pour les piétons."),
              "L'an dernier, le pont de {place} avait déjà été réparé.",
              ("fissure pont {place}", "pont fermé {place}"),
              ("ouvrage dangereux {place}", "viaduc endommagé {place}")),
        Topic(("{place} élit {person} à la mairie", "{person} remporte l'élection municipale à {place}"),
              "{person} a remporté l'élection municipale à {place} {day} avec {n} voix d'avance.",
              ("Le candidat battu l'a félicitée avant la fin du dépouillement.",
               "{org} avait soutenu la campagne, consacrée aux bus et aux loyers."),
              "L'élection municipale de {place} est encore contestée.",
              ("élections municipales {place}", "élection mairie {place}"),
              ("premier magistrat désigné {place}", "scrutin local vainqueur {place}")),
        Topic(("Une inondation chasse {n} habitants de {place}", "La rivière déborde à {place}"),
              "Une inondation a chassé {n} habitants de leurs maisons à {place} {day}.",
              ("Des barques ont évacué les étages, et {person}, des pompiers, a demandé aux autres de rester en haut.",
               "{org} a ouvert ses entrepôts aux sinistrés."),
              "Les inondations de {place} n'ont été évoquées qu'en passant.",
              ("inondations {place}", "inondation maisons {place}"),
              ("crue catastrophe {place}", "montée des eaux {place}")),
        Topic(("Une grève arrête les trains à {place} pendant {n} heures", "Les cheminots de {place} cessent le travail"),
              "Une grève des cheminots a arrêté tous les trains à {place} {day}.",
              ("{person}, du syndicat, annonce d'autres grèves si {org} n'augmente pas les salaires.",
               "Les voyageurs ont partagé des taxis ou marché le long des voies."),
              "Il a comparé cela à la grève des trains de {place}.",
              ("grèves cheminot {place}", "grève train {place}"),
              ("mouvement social SNCF {place}", "débrayage chemin de fer {place}")),
        Topic(("Le musée de {place} rend {n} bronzes pillés", "Le musée de {place} se sépare de ses bronzes"),
              "Le musée de {place} a rendu {n} bronzes pillés à leurs propriétaires {day}.",
              ("{person}, qui dirige la maison, veut connaître l'origine de chaque objet.",
               "{org} a payé le transport."),
              "Un musée de {place} possède des bronzes semblables.",
              ("musée bronze pillé {place}", "bronzes musées {place}"),
              ("restitution œuvres volées {place}", "patrimoine colonial rapatrié {place}")),
        Topic(("Feu vert au parc éolien de {place}", "{org} pourra dresser {n} éoliennes devant {place}"),
              "{org} pourra construire {n} éoliennes devant {place}, a décidé un tribunal {day}.",
              ("{person} avait porté plainte au nom des pêcheurs, qui craignent pour leurs filets.",
               "Les éoliennes doivent produire dans trois ans."),
              "Des éoliennes semblables ont été refusées devant {place}.",
              ("éolienne {place}", "éoliennes tribunal {place}"),
              ("énergie renouvelable en mer {place}", "électricité propre offshore {place}")),
    ),
    filler=("Personne n'a voulu dire ce que tout cela coûterait.", "Le temps devrait rester doux.",
            "Les magasins du centre ont ouvert comme d'habitude.", "Un porte-parole n'a pas souhaité en dire plus.",
            "Des voisins l'avaient appris à la radio.", "Une décision est attendue avant l'été."),
    roundup="La semaine dans la région : notre récapitulatif",
    together="Dans cette lettre, nous revenons sur ce qui a occupé nos lecteurs.",
)  # fmt: skip

SPANISH = Tongue(
    topics=(
        Topic(("Cierran el puente de {place} por grietas", "Unas grietas cierran el viejo puente de {place}"),
              "El puente de {place} está cerrado desde {day} porque se hallaron grietas en dos arcos.",
              ("{person}, que dirige la inspección, calcula que las reparaciones durarán hasta el otoño.",
               "Los camiones se desvían y {org} ofrece una barca para los peatones."),
              "El año pasado ya se reparó el puente de {place}.",
              ("grieta puente {place}", "puente cerrado {place}"),
              ("paso inseguro daños estructurales {place}", "viaducto peligroso {place}")),
        Topic(("{place} elige a {person} para la alcaldía", "{person} gana las elecciones municipales de {place}"),
              "{person} ganó las elecciones municipales de {place} {day} con {n} votos de ventaja.",
              ("El candidato derrotado felicitó a la nueva alcaldía antes de terminar el recuento.",
               "{org} había apoyado la campaña, que trató de autobuses y alquileres."),
              "Las elecciones municipales de {place} siguen impugnadas.",
              ("elección municipal {place}", "elecciones alcaldía {place}"),
              ("regidor escogido en las urnas {place}", "comicios locales vencedor {place}")),
        Topic(("Una inundación desaloja a {n} vecinos de {place}", "El río se desborda en {place}"),
              "Una inundación obligó a {n} vecinos de {place} a dejar sus casas {day}.",
              ("Unas barcas sacaron a la gente por las ventanas y {person}, de los bomberos, pidió quedarse arriba.",
               "{org} abrió sus almacenes como refugio."),
              "De las inundaciones de {place} apenas se habló.",
              ("inundaciones {place}", "inundación casa {place}"),
              ("riada evacuación {place}", "crecida catástrofe {place}")),
        Topic(("Una huelga para los trenes en {place} durante {n} horas", "Los ferroviarios de {place} dejan el trabajo"),
              "Una huelga de ferroviarios paró todos los trenes en {place} {day}.",
              ("{person}, del sindicato, anunció más huelgas si {org} no sube los salarios.",
               "Los viajeros compartieron taxis o caminaron junto a las vías."),
              "Lo comparó con la huelga de trenes de {place}.",
              ("huelgas ferroviario {place}", "huelga tren {place}"),
              ("conflicto laboral ferrocarril {place}", "protesta maquinistas Renfe {place}")),
        Topic(("El museo de {place} devuelve {n} bronces expoliados", "El museo de {place} se despide de sus bronces"),
              "El museo de {place} devolvió {n} bronces expoliados a sus dueños {day}.",
              ("{person}, que dirige la casa, quiere conocer el origen de cada pieza.",
               "{org} pagó el transporte."),
              "Un museo de {place} tiene bronces parecidos.",
              ("museo bronce expoliado {place}", "bronces museos {place}"),
              ("restitución obras robadas {place}", "patrimonio colonial repatriado {place}")),
        Topic(("Vía libre al parque eólico de {place}", "{org} podrá levantar {n} molinos frente a {place}"),
              "{org} podrá construir {n} molinos eólicos frente a {place}, decidió un tribunal {day}.",
              ("{person} había demandado en nombre de los pescadores, que temen por sus redes.",
               "Los molinos deben producir dentro de tres años."),
              "Frente a {place} se rechazaron unos molinos eólicos parecidos.",
              ("molino eólico {place}", "molinos tribunal {place}"),
              ("energía renovable en el mar {place}", "proyecto eléctrico sostenible {place}")),
    ),
    filler=("Nadie quiso decir cuánto costará todo esto.", "Se espera que el tiempo siga templado.",
            "Las tiendas del centro abrieron como siempre.", "Un portavoz no quiso añadir nada.",
            "Los vecinos se enteraron por la radio.", "Se espera una decisión antes del verano."),
    roundup="La semana en la comarca: un resumen",
    together="En esta carta repasamos lo que más ocupó a nuestros lectores.",
)  # fmt: skip

TONGUES = {"en": ENGLISH, "de": GERMAN, "fr": FRENCH, "es": SPANISH}
_DAYS = {"en": "Monday", "de": "Montag", "fr": "lundi", "es": "el lunes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An article and what it is about; ``mentions`` are the (topic, place) pairs and people it names in passing."""

    document: Document
    passage: str
    language: str
    topic: int | None
    place: str | None
    person: str | None
    mentions: frozenset[tuple[Any, ...]]
    published_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A question and the articles that answer it, by document id: 3 about it, 2 close, 1 mentions it."""

    query: str
    kind: str
    language: str
    grades: dict[str, int]


def corpus(per_language: int, *, now: datetime, seed: int = 5) -> list[Known]:
    """Articles, ``per_language`` in each of four languages, of the three years before ``now``. Always the same."""
    chance = random.Random(seed)
    return [_article(language, number, chance, now) for language in TONGUES for number in range(per_language)]


def _article(language: str, number: int, chance: random.Random, now: datetime) -> Known:
    tongue, published = TONGUES[language], now - timedelta(hours=chance.randrange(1, 3 * 365 * 24))
    mentions: set[tuple[Any, ...]] = set()

    def aside() -> str:
        topic, place = chance.randrange(len(tongue.topics)), chance.choice(PLACES)
        mentions.add((topic, place))
        return tongue.topics[topic].aside.format(place=place)

    def fill(text: str, **names: str) -> str:
        return text.format(day=_DAYS[language], n=chance.randrange(12, 900), **names)

    filler = chance.sample(tongue.filler, 3)
    if chance.random() < 0.15:
        paragraphs = [tongue.together, *(f"{aside()} {aside()}" for _ in range(4)), *filler]
        other = chance.choice(PEOPLE)
        mentions.add((other,))
        paragraphs.append(f"{other}, {chance.choice(ORGANIZATIONS)}. {other}.")
        headline, description, topic, place, person = f"{tongue.roundup} ({number})", "", None, None, None
    else:
        topic, place, person = chance.randrange(len(tongue.topics)), chance.choice(PLACES), chance.choice(PEOPLE)
        names = {"place": place, "person": person, "org": chance.choice(ORGANIZATIONS)}
        subject = tongue.topics[topic]
        headline = fill(chance.choice(subject.headlines), **names)
        lede = fill(subject.lede, **names)
        description = lede if chance.random() < 0.7 else ""
        paragraphs = [lede, *(fill(text, **names) for text in subject.body), *filler]
        for _ in range(chance.randrange(3)):
            paragraphs.insert(chance.randrange(2, len(paragraphs)), aside())
    paragraphs.append(f"({language}-{number})")
    body = "\n\n".join(paragraphs)
    url = f"https://{language}.news-of-{number % 7}.example/{published:%Y/%m/%d}/{number}"
    enriched = EnrichedArticle(
        article=Article(
            ref=ArticleRef(source_id=f"{language}-{number % 7}", url=url),
            url=url,
            canonical_url=url,
            headline=headline,
            description=description or None,
            body=body,
            fetched_at=now,
            published=DateRecord(value=published, precision=Precision.SECOND, source="made", zone_assumed=False),
            word_count=len(body.split()),
        ),
        language=Language(code=language, confidence=1.0),
        entities=tuple(
            Entity(name=name, type=kind, mentions=_mentions(body, name, kind))
            for kind, known in ((EntityType.PERSON, PEOPLE), (EntityType.PLACE, PLACES),
                                (EntityType.ORGANIZATION, ORGANIZATIONS))
            for name in known
            if name in body
        ),
        entities_model="made",
        content_hash=hashlib.sha256(body.encode()).hexdigest(),
    )  # fmt: skip
    document = to_document(enriched, seen_at=now, run_id="eval")
    return Known(document=document, passage=passage(enriched.article), language=language, topic=topic, place=place,
                 person=person, mentions=frozenset(mentions), published_at=published)  # fmt: skip


def embedded(articles: Sequence[Known], embedder: Embedder) -> list[Known]:
    """The articles, with embeddings in their documents where the model speaks their language."""
    spoken = [known for known in articles if embedder.speaks(known.language)]
    vectors = embedder.embed([known.passage for known in spoken])
    made = {
        known.document.id: {"embedding": list(vector), "embedding_model": embedder.name}
        for known, vector in zip(spoken, vectors, strict=True)
    }
    return [
        replace(known, document=replace(known.document, source={**known.document.source, **made[known.document.id]}))
        if known.document.id in made
        else known
        for known in articles
    ]


def _mentions(body: str, name: str, kind: EntityType) -> tuple[Mention, ...]:
    found, start = [], body.find(name)
    while start >= 0:
        found.append(Mention(text=name, type=kind, start=start, end=start + len(name)))
        start = body.find(name, start + 1)
    return tuple(found)


def questions(articles: list[Known], *, now: datetime, seed: int = 6) -> list[Judged]:
    """Questions in each language: a topic at a place, a person, a headline half remembered, the latest of a topic."""
    chance = random.Random(seed)
    judged: list[Judged] = []
    for language, tongue in TONGUES.items():
        own = [known for known in articles if known.language == language]
        for topic in range(len(tongue.topics)):
            for place in chance.sample(PLACES, 3):
                query = chance.choice(tongue.topics[topic].asked).format(place=place)
                judged.append(Judged(query=query, language=language, kind="topic", grades=_grades(own, topic, place)))
        for person in chance.sample(PEOPLE, 6):
            # Names are the same in every language.
            grades = {known.document.id: 3 for known in articles if known.person == person}
            grades |= {known.document.id: 1 for known in articles if (person,) in known.mentions}
            judged.append(Judged(query=person, language=language, kind="person", grades=grades))
        for known in chance.sample([known for known in own if known.topic is not None], 15):
            words = [word for word in known.document.source["headline"].split() if len(word) > 2 or word.isdigit()]
            kept = sorted(chance.sample(range(len(words)), max(3, len(words) * 2 // 3)))
            further = max(known.document.source["body"].split("\n\n")[2].split(), key=len)
            query = " ".join(word.strip(",.:").lower() for word in [*(words[i] for i in kept), further])
            judged.append(Judged(query=query, language=language, kind="known item", grades={known.document.id: 3}))
        for topic in range(len(tongue.topics)):
            query = tongue.topics[topic].asked[0].format(place="").strip()
            grades = {}
            for known in own:
                if known.topic == topic:
                    age = (now - known.published_at).days
                    grades[known.document.id] = 3 if age < 60 else 2 if age < 365 else 1
            judged.append(Judged(query=query, language=language, kind="latest", grades=grades))
    return [question for question in judged if question.grades]


def _grades(own: list[Known], topic: int, place: str) -> dict[str, int]:
    grades: dict[str, int] = {}
    for known in own:
        if (known.topic, known.place) == (topic, place):
            grades[known.document.id] = 3
        elif (topic, place) in known.mentions:
            grades[known.document.id] = 1
    return grades


def paraphrases(articles: list[Known], *, seed: int = 7) -> list[Judged]:
    """Questions for a topic at a place that share no word with its articles but the place's name."""
    chance = random.Random(seed)
    judged: list[Judged] = []
    for language, tongue in TONGUES.items():
        own = [known for known in articles if known.language == language]
        for topic, subject in enumerate(tongue.topics):
            for place in chance.sample(PLACES, 6):
                query = chance.choice(subject.paraphrased).format(place=place)
                judged.append(
                    Judged(query=query, language=language, kind="paraphrase", grades=_grades(own, topic, place))
                )
    return [question for question in judged if question.grades]
