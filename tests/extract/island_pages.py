"""The story that the pages of these tests tell."""

# ruff: noqa: E501 - patterns and vocabularies read better unbroken

from __future__ import annotations

PROSE = (
    "The ferry between the two islands will run again from Monday, the harbour office said, after divers had freed its rudder.",
    "For nine days the islanders had carried their post, their milk and a grand piano across in rowing boats.",
    "The piano, says its owner, has never sounded better, though two of its keys now answer with the cry of a gull.",
    "A second boat is to be bought in spring, so that the next winter finds the islands better prepared for the ice.",
)
