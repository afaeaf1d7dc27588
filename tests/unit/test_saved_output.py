"""Which of a trial's files is its model."""

from __future__ import annotations

import pytest

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.models.saved_output import chosen_output, named_file, only_model

HERE = "Experiments/digits-1/0001-x=1"


@pytest.mark.parametrize(
    ("outputs", "found"),
    [
        ({"model": "net.any", "best": "other.keras"}, "net.any"),
        ({"saved_model": "export", "plot": "plot.png"}, "export"),
        ({"weights": "best.keras", "plot": "plot.png", "log": "output.log"}, "best.keras"),
        ({"a": "tree", "plot": "plot.png"}, "tree"),
        ({"a": "one.pt", "again": "one.pt"}, "one.pt"),
        ({"a": "one.pt", "b": "two.pt"}, None),
        ({"plot": "plot.png"}, None),
        ({}, None),
    ],
)
def test_the_model_is_the_output_of_that_name_or_the_only_one_that_looks_like_it(outputs, found):
    full = {name: f"{HERE}/{path}" for name, path in outputs.items()}
    wanted = None if found is None else f"{HERE}/{found}"
    assert chosen_output({**full, "accuracy": 0.5, "kind": "model.keras"}, HERE) == wanted


def test_a_path_outside_of_the_trial_is_no_model_of_it():
    assert chosen_output({"model": "Experiments/other/0001-x=1/net.pt"}, HERE) is None
    assert chosen_output({"model": f"{HERE}0/net.pt"}, HERE) is None


def test_files_of_other_kinds_are_not_taken_for_a_model():
    assert only_model(["a/plot.png", "a/best.H5", "a/notes.txt"]) == "a/best.H5"
    assert only_model(["a/plot.png"]) is None


def test_a_caller_names_an_output_or_a_path_in_the_trial_s_directory():
    outputs = {"net": f"{HERE}/net.pt", "accuracy": 0.5}
    assert named_file("net", outputs, HERE) == f"{HERE}/net.pt"
    assert named_file("deep/net.pt", outputs, HERE) == f"{HERE}/deep/net.pt"
    for wrong in ("../0002-x=2/net.pt", "/etc/passwd", "", 7, ["net"]):
        with pytest.raises(InvalidArgumentError, match=r"^file: must be"):
            named_file(wrong, outputs, HERE)
