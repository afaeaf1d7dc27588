"""Which texts among a trial's outputs look like paths. Pure but for the question what exists.

HopsML refused every text with a slash that was no file. Here such a text is only worth a warning,
and texts that commonly have slashes or dots are not.
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
"""Suffixes of what trainings write; of others, such as "torch.float32", there is doubt."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_NUMBERS = re.compile(r"[\d\s./:,+\-eTZ%]+")
_MIME = re.compile(
    r"(application|audio|font|image|message|multipart|text|video)/[\w.+-]+(;.*)?", re.IGNORECASE
)
_LONGEST = 4096
_SHORT = 3


def looks_like_path(text: str, is_directory: Callable[[str], bool]) -> bool:
    """Whether a text that is no file is probably meant to be one.

    It has a slash, or a suffix that files of trainings have. These are no paths: URLs, MIME types,
    dates and other numbers, and what has slashes between words of at most three letters ("N/A",
    "km/h") or spaces without a suffix ("loss / step").

    Args:
        text: An output.
        is_directory: Whether there is a directory of a name; asked of the first part of a text
            about which there is doubt.
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
