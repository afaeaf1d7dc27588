from __future__ import annotations

import pytest

from hopsml_flows.execution.files.path_texts import looks_like_path


def nothing(_):
    return False


@pytest.mark.parametrize(
    "text",
    [
        "plots/typo.png", "saved_model/typo", "model.keras", "/no/such/file", "./x", "../x", "~/m",
        "my model.keras", "checkpoints/best", "a/b/model.tar.gz", "saved_model/", "weights.H5",
        "run 1/plot.png",
    ],
)  # fmt: skip
def test_a_slash_or_the_suffix_of_a_file_makes_a_path(text):
    assert looks_like_path(text, nothing)


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/model.keras", "http://host/plot.png", "hdfs:///Projects/demo", "mailto:a@b/c",
        "data:image/png;base64,AA/B=", "text/plain", "image/png", "application/x-tar",
        "application/json; charset=utf-8", "2020/01/01", "2020-01-01T10:00:00Z/1", "1/2",
        "1e-3/1e-4", "50%/50%", "N/A", "a/b", "km/h", "w/o", "TCP/IP", "kg/m2", "loss / step",
        "mean of loss/accuracy", "/ step",
        "torch.float32", "sklearn.svm.SVC", "resnet50.a1_in1k", "3.14", "v1.2", "e.g.", "sgd", "",
        ".", "..", "/", "...", "nul\0/x.png", "two\nlines/x.png", "a/" * 3000,
    ],
)  # fmt: skip
def test_other_texts_with_slashes_and_dots_are_no_paths(text):
    assert not looks_like_path(text, nothing)


def test_where_there_is_doubt_a_directory_of_that_name_settles_it():
    assert not looks_like_path("out/a", nothing)
    assert looks_like_path("out/a", lambda name: name == "out")
