from __future__ import annotations

import numpy as np
import pytest

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.execution import FileRules
from hopsml_flows.execution.files.keep_rules import BYTES_VARIABLE, FILES_VARIABLE
from hopsml_flows.execution.files.sizes import name_text, size_of, size_text


@pytest.mark.parametrize(
    ("pattern", "kept", "not_kept"),
    [
        ("*.keras", ["m.keras", "m.keras/part"], ["x/m.keras", "m.h5"]),
        ("**/*.csv", ["a.csv", "b/c/a.csv"], ["a.csv2"]),
        ("checkpoints/**", ["checkpoints/a", "checkpoints/a/b"], ["x/checkpoints/a"]),
        ("checkpoints", ["checkpoints", "checkpoints/a/b"], ["checkpoints2"]),
        ("./checkpoints/", ["checkpoints/a"], ["a"]),
        ("a/*/b", ["a/x/b", "a/x/b/c"], ["a/b", "a/x/y/b"]),
        ("a/**/b", ["a/b", "a/x/y/b"], ["b"]),
        ("[ab]?.txt", ["a1.txt"], ["c1.txt", "a/.txt"]),
    ],
)  # fmt: skip
def test_a_pattern_keeps_files_and_directories_with_all_in_them(pattern, kept, not_kept):
    rules = FileRules.from_argument(pattern)
    assert [name for name in [*kept, *not_kept] if rules.keeps(name)] == kept


def test_true_keeps_everything_false_nothing_and_a_list_what_any_pattern_keeps():
    assert FileRules.from_argument(True).keeps("a/b")
    assert not FileRules.from_argument(False).keeps("a/b")
    assert not FileRules.from_argument([]).keeps("a")
    rules = FileRules.from_argument(("a", "b*"))
    assert [rules.keeps(name) for name in ("a", "bc", "c")] == [True, True, False]


@pytest.mark.parametrize(
    "value",
    ["", " ", ".", "/", "/etc/*", "~/x", "../x", "a/../b", ["*", ""], [1], 1, None, {"a": 1},
     b"*", np.array([True])],
)  # fmt: skip
def test_what_is_no_pattern_inside_the_working_directory_is_refused(value):
    with pytest.raises(InvalidArgumentError, match="keep_files: must be"):
        FileRules.from_argument(value)


def test_the_limits_come_from_the_environment_of_the_driver(monkeypatch):
    monkeypatch.setenv(BYTES_VARIABLE, "1.5 GiB")
    monkeypatch.setenv(FILES_VARIABLE, "5")
    rules = FileRules.from_argument(False)
    assert (rules.most_bytes, rules.most_files) == (3 << 29, 5)
    assert rules.allow(3 << 29, 5)
    assert not rules.allow((3 << 29) + 1, 1)
    assert not rules.allow(0, 6)


@pytest.mark.parametrize(
    ("variable", "text"),
    [(BYTES_VARIABLE, "much"), (BYTES_VARIABLE, "-1GB"), (FILES_VARIABLE, "1.5")],
)
def test_a_limit_that_is_none_is_an_error_before_anything_starts(monkeypatch, variable, text):
    monkeypatch.setenv(variable, text)
    with pytest.raises(InvalidArgumentError, match=variable):
        FileRules.from_argument(False)


def test_sizes_are_read_and_written_as_people_do():
    assert [size_of(text) for text in ("7", "2kb", "2KiB", "1.5 MB", "x", "1e9")] == [
        7, 2000, 2048, 1_500_000, None, None,
    ]  # fmt: skip
    sizes = (0, 999, 1000, 999_960, 10_000_000_000)
    assert [size_text(size) for size in sizes] == [
        "0 bytes", "999 bytes", "1.0 kB", "1.0 MB", "10.0 GB",
    ]  # fmt: skip


def test_names_that_are_no_text_are_escaped():
    assert name_text("a\udcffb\n/x") == r"a\xffb\n/x"
