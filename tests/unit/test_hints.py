from __future__ import annotations

import pytest

from hopsml_flows.execution.hints import hint_for
from hopsml_flows.storage import Project

PROJECT = Project("s3://bucket/demo")
MESSAGE = "File system scheme 's3' not implemented (file: '{}') [Op:IteratorGetNext]"


def test_an_unknown_scheme_has_a_hint_with_the_files_path_in_the_project():
    hint = hint_for(RuntimeError(MESSAGE.format("s3://bucket/demo/Resources/a")), PROJECT)
    assert "no file system for s3://" in hint
    assert "hopsml_flows.hdfs.local_path('Resources/a')" in hint


def test_a_file_outside_of_the_project_keeps_its_url():
    for url in ("s3://other/a", "s3://bucket/demo2/a"):
        assert f"local_path('{url}')" in hint_for(RuntimeError(MESSAGE.format(url)), PROJECT)


def test_the_cause_of_an_error_has_its_hint_too():
    error = ValueError("no data")
    error.__cause__ = RuntimeError("File system scheme 's3' not implemented")
    assert "local_path('…')" in hint_for(error, PROJECT)


def test_errors_that_cause_each_other_end():
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert hint_for(one, PROJECT) is None


@pytest.mark.parametrize("error", [ValueError("no"), KeyError(), SystemExit(3)])
def test_other_errors_have_none(error):
    assert hint_for(error, PROJECT) is None
