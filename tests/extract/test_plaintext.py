"""The cleaner of scraped plain text: the story stays, furniture goes, captions are kept apart."""

# ruff: noqa: E501 - patterns and vocabularies read better unbroken

from __future__ import annotations

import pytest

from pipeline.extract.plaintext import clean, fix_mojibake, repair

STORY = (
    "The lighthouse on Skarn rock was lit again on Tuesday.",
    "Its keeper, who is 81, had kept the lamp in his kitchen for eleven years.",
    "“It gave a good light for reading,” he said.",
)


def text_with(*lines: str, between: bool = True) -> str:
    """A text with a headline, the story, and ``lines`` in the middle of it."""
    middle = [STORY[0], *lines, *STORY[1:]] if between else [*STORY, *lines]
    return "\n\n".join(["Lighthouse lit again", *middle])


@pytest.mark.parametrize(
    "line",
    [
        "Scroll down for video",
        "Scroll down for video\u00a0",
        "SCROLL DOWN TO SEE MORE PICTURES",
        "Read more",
        "Read more:",
        "READ MORE: Fog bell stolen from museum",
        "Read also: Fog bell stolen from museum",
        "Read full article",
        "Advertisement",
        "ADVERTISEMENT",
        "Share this article",
        "Share on Facebook",
        "Facebook Twitter Email",
        "12 shares",
        "1.2k shares",
        "Sign up for our weekly newsletter",
        "Follow us on Twitter @skarnpost",
        "Click here to subscribe to the Skarn Post",
        "Story continues below",
        "Skip to content",
        "Loading video",
        "Play video",
        "© 2026 Skarn Post",
        "Copyright 2026 Skarn Post. All rights reserved.",
        "We use cookies to improve your experience on this site",
        "Related articles",
        "Most read",
        "View comments",
        "3 min read",
        "Page 2 of 3",
        "Back to top",
        "Anzeige",
    ],
)
def test_furniture_goes_and_is_kept_aside(line: str) -> None:
    """A line that is nothing but a page's furniture is not in the body; it is not lost either: ``removed`` holds it."""
    cleaned = clean(text_with(line))
    assert cleaned.body == "\n\n".join(STORY)
    assert [piece.text for piece in cleaned.removed] == [line.strip(" \u00a0")]


@pytest.mark.parametrize(
    "sentence",
    [
        "Read more books, she told them, and the fog will seem shorter.",
        "Scroll down the hill and you will find the harbour, the old sailors say.",
        "Related families share the well, and they share this article of faith too.",
        "Advertisement was unknown on the island until 1962.",
        "Source: that was the name of the goat.",
        "Share this with nobody, the letter began.",
        "Loading the piano took four men and a horse.",
        "Follow us, the bells seem to say.",
        "By morning the ice had gone.",
        "Updated maps of the reef are sold at the harbour office.",
        "Watch more closely and you see the seals.",
    ],
)
def test_furniture_words_in_sentences_stay(sentence: str) -> None:
    """A sentence of the story stays, even if it begins with the words of a page's furniture."""
    assert sentence in clean(text_with(sentence)).body.split("\n\n")


@pytest.mark.parametrize(
    "line", ["Source: Read Full Article", "Source: Skarn Post", "SOURCE: news agency", "Quelle: dpa", "Via: Skarn Post"]
)
def test_source_lines_go(line: str) -> None:
    """A line that only names the source is taken out of the body and kept as a source line."""
    cleaned = clean(text_with(line, between=False))
    assert cleaned.body == "\n\n".join(STORY)
    assert [(piece.kind, piece.text) for piece in cleaned.removed] == [("source_line", line)]


def test_captions_between_paragraphs_of_scraped_text_are_kept_apart() -> None:
    """Lines without a full stop that stand alone between paragraphs of a scraped text are captions, not sentences of the body."""
    captions = (
        "The lamp of Skarn rock shines over the western harbour again",
        "Keeper Tam Orlow poses with the lamp and his two remaining goats",
    )
    cleaned = clean(text_with("Scroll down for video", *captions))
    assert cleaned.captions == captions
    assert cleaned.body == "\n\n".join(STORY)


def test_lines_without_full_stop_stay_in_text_without_scrape_marks() -> None:
    """In text that shows no mark of scraping nothing is taken for a caption: it might be the story."""
    lines = (
        "The lamp of Skarn rock shines over the western harbour again",
        "Keeper Tam Orlow poses with the lamp and his two goats",
    )
    cleaned = clean(text_with(*lines))
    assert cleaned.captions == ()
    assert all(line in cleaned.body for line in lines)


def test_crossheads_stay_in_the_body() -> None:
    """Short lines between paragraphs of a scraped text are crossheads and belong to the story."""
    cleaned = clean(text_with("Scroll down for video", "A light for reading", "The goats came too"))
    assert "A light for reading" in cleaned.body
    assert "The goats came too" in cleaned.body


def test_labelled_captions_and_credits_go() -> None:
    """Captions that say that they are captions, and picture credits, are no part of the body, whatever else the text looks like."""
    cleaned = clean(text_with("Image caption The lamp in the kitchen", "Photo: Tam Orlow", "Getty Images"))
    assert cleaned.body == "\n\n".join(STORY)
    assert cleaned.captions == ("Image caption The lamp in the kitchen", "Photo: Tam Orlow")


def test_headline_lede_and_bullets() -> None:
    """The first line is the headline, the line below it the summary; key points stay in the body as a list."""
    text = (
        "Lighthouse lit again\n\nThe lamp of Skarn shines after eleven years in which it stood in a kitchen\n\n"
        "  • Lamp had been used for reading\n  • Harbour office pays for the oil\u00a0\n\n" + "\n\n".join(STORY)
    )
    cleaned = clean(text)
    assert cleaned.headline == "Lighthouse lit again"
    assert cleaned.description == "The lamp of Skarn shines after eleven years in which it stood in a kitchen"
    assert cleaned.body.split("\n\n")[1] == "• Lamp had been used for reading\n• Harbour office pays for the oil"
    assert cleaned.body.endswith("\n\n".join(STORY))


def test_byline_and_dates_below_the_headline() -> None:
    """The lines that say who wrote it and when are taken for what they are, not for sentences."""
    cleaned = clean(
        "Lighthouse lit again\n\nBy Ansa Tollund and Per Skog, Skarn Post\n\nPublished: 12:34 GMT, 1 June 2018 | Updated: 13:00 GMT, 2 June 2018\n\n"
        + "\n\n".join(STORY)
    )
    assert cleaned.authors == ("Ansa Tollund", "Per Skog")
    assert cleaned.published == ("12:34 GMT, 1 June 2018",)
    assert cleaned.modified == ("13:00 GMT, 2 June 2018",)
    assert cleaned.body == "\n\n".join(STORY)


def test_hard_wrapped_lines_are_joined() -> None:
    """Lines broken at a fixed width become paragraphs again; a word broken at the line's end is made whole where the text has it whole."""
    wrapped = (
        "Lighthouse lit again\n\n"
        "The lighthouse on Skarn rock, which had been dark for\neleven years, was lit again on Tuesday by its keeper, who\n"
        "is 81 and had kept the lamp in his kitchen. The light-\nhouse is the oldest of the coast.\n\n"
        "He said that it had given a good light for reading, and\nthat he would miss it in the evenings.\n"
    )
    assert clean(wrapped).body.split("\n\n") == [
        "The lighthouse on Skarn rock, which had been dark for eleven years, was lit again on Tuesday by its keeper, who is 81 "
        "and had kept the lamp in his kitchen. The lighthouse is the oldest of the coast.",
        "He said that it had given a good light for reading, and that he would miss it in the evenings.",
    ]


def test_windows_line_ends_and_form_feeds() -> None:
    """Foreign line ends and page breaks don't matter; a page break in the middle of a sentence doesn't part it."""
    text = "Lighthouse lit again\r\n\r\nThe lamp was lit\f\r\nagain on Tuesday, by its keeper.\r\n\r\nHe is 81.\r\n"
    cleaned = clean(text)
    assert "\r" not in cleaned.body
    assert "\f" not in cleaned.body
    assert "again on Tuesday, by its keeper." in cleaned.body


def test_mojibake_is_repaired_and_typography_left_alone() -> None:
    """UTF-8 read as cp1252 is read again rightly; curly quotes, dashes and ligatures that are right stay as they are."""
    assert fix_mojibake("Der AuÃŸenminister sagte: â€žDie GesprÃ¤che gehen weiter.â€œ") == (
        "Der Außenminister sagte: „Die Gespräche gehen weiter.“"
    )
    right = "“It’s fine” – she said… Ｆｕｌｌ ﬁsh ½ l’été № 5 — Ãlvares"
    assert repair(right) == right


def test_normal_prose_passes_through_unchanged() -> None:
    """Text without any furniture comes out letter by letter as it went in."""
    lines = [
        "She had two rules: never lend a boat; never borrow one.",
        "“Why not?” he asked.",
        "Because of 1962 – the year of the great borrowing.",
        "Prices rose by 3.5%, from €20 to €20.70; nobody  minded the second blank.",
        "L’été, dit-elle, « c’est la mer ».",
        "Die Fähre – sie heißt „Möwe“ – fährt wieder.",
        "他们说渡船星期一恢复。",
    ]
    assert clean("\n\n".join(["A headline", *lines])).body == "\n\n".join(lines)


@pytest.mark.parametrize(
    "line",
    [
        "The ferry, second only to\u00a0 the bridge,\u00a0carries 300 people a day. ",
        '    return the_ferry(to="Skarn")',
        "}",
        "$$",
    ],
)
def test_blanks_inside_and_around_a_line_stay(line: str) -> None:
    """No-break spaces, blanks at a line's end, indented code and a lone sign come through byte for byte."""
    assert line in clean(text_with(line)).body.split("\n")


def test_single_paragraph_keeps_its_text() -> None:
    """A text of one paragraph has its first sentence for a headline and keeps it in the body."""
    cleaned = clean("The lighthouse was lit again. Its keeper is 81.")
    assert cleaned.headline == "The lighthouse was lit again."
    assert cleaned.body == "The lighthouse was lit again. Its keeper is 81."
