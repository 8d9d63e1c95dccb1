"""Which of Elasticsearch's built-in analyzers reads which language.

Keys are the codes that langdetect returns. Languages that no built-in analyzer knows (among them Polish, Ukrainian,
Hebrew and Vietnamese) are absent: their articles go to the index without a language.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ANALYZERS: Mapping[str, str] = MappingProxyType(
    {
        "ar": "arabic",
        "bg": "bulgarian",
        "bn": "bengali",
        "ca": "catalan",
        "cs": "czech",
        "da": "danish",
        "de": "german",
        "el": "greek",
        "en": "english",
        "es": "spanish",
        "et": "estonian",
        "fa": "persian",
        "fi": "finnish",
        "fr": "french",
        "hi": "hindi",
        "hu": "hungarian",
        "id": "indonesian",
        "it": "italian",
        "ja": "cjk",
        "ko": "cjk",
        "lt": "lithuanian",
        "lv": "latvian",
        "nl": "dutch",
        "no": "norwegian",
        "pt": "portuguese",
        "ro": "romanian",
        "ru": "russian",
        "sv": "swedish",
        "th": "thai",
        "tr": "turkish",
        "zh-cn": "cjk",
        "zh-tw": "cjk",
    }
)
