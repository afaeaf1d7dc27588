"""Tell which texts among a trial's outputs look like paths. No I/O.

HopsML refused every text with a slash that was not a file. Here such a text only causes a warning,
and texts that commonly contain slashes or dots do not.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable

__all__ = ["looks_like_path"]

_SUFFIX = re.compile(
    "7z|arrow|avro|avi|bin|bmp|bst|bz2|cbm|ckpt|csv|dat|db|dill|eps|feather|gguf|gif|gz|h5|hdf5|"
    "html|index|ipynb|jpeg|jpg|joblib|json|jsonl|keras|log|mat|md|meta|mlmodel|mov|mp3|mp4|model|"
    "msgpack|nc|npy|npz|onnx|orc|parquet|pb|pbtxt|pdf|pickle|pkl|png|pptx|pt|pth|py|rds|"
    "safetensors|sqlite|svg|tar|tex|tfevents|tflite|tfrecord|tgz|tif|tiff|toml|trt|tsv|txt|ubj|wav|"
    "webp|weights|xls|xlsx|xml|xz|yaml|yml|zarr|zip|zst",
    re.IGNORECASE,
)
"""Suffixes of files that trainings write. Others prove nothing, such as that of "torch.float32"."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_NUMBERS = re.compile(r"[\d\s./:,+\-eTZ%]+")
_MIME = re.compile(
    r"(application|audio|font|image|message|multipart|text|video)/[\w.+-]+(;.*)?", re.IGNORECASE
)
_LONGEST = 4096
_SHORT = 3


def looks_like_path(text: str, is_directory: Callable[[str], bool]) -> bool:
    """Whether a text that does not name a file is probably meant to.

    Paths have a slash, or a suffix of files that trainings write. URLs, MIME types, dates and other
    numbers do not count. Neither do slashes between parts of at most three letters ("N/A", "km/h"),
    nor texts with slashes and spaces but no such suffix ("loss / step").

    Args:
        text: An output.
        is_directory: Whether a directory of that name exists; called with the first part of a text
            in doubtful cases.
    """
    if not text.strip("./ ") or len(text) > _LONGEST or "\n" in text or "\0" in text:
        return False
    if _SCHEME.match(text) or _NUMBERS.fullmatch(text):
        return False
    last = text.rstrip("/").rpartition("/")[2]
    stem, dot, suffix = last.rpartition(".")
    if dot and stem and _SUFFIX.fullmatch(suffix):
        return True
    if "/" not in text:
        return False
    if text.startswith(("/", "./", "../", "~/")):
        return not text.startswith("/ ")
    parts = text.split("/")
    if is_directory(parts[0]):
        return True
    if _has_space(text) or all(len(part) <= _SHORT for part in parts):
        return False
    return not (_MIME.fullmatch(text) or _is_known_mime(text))


def _is_known_mime(text: str) -> bool:
    return mimetypes.guess_extension(text, strict=False) is not None


def _has_space(text: str) -> bool:
    return any(character.isspace() for character in text)
