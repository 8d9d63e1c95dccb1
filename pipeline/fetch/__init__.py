"""Fetching: references in, raw pages out, politely and safely."""

from __future__ import annotations

from pipeline.fetch.load import Validators, load
from pipeline.fetch.web import PoliteWeb

__all__ = ["PoliteWeb", "Validators", "load"]
