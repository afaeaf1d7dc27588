"""A conda environment as HopsML's environment.yml, from the files that conda writes."""

from __future__ import annotations

from importlib import metadata

import pytest
import yaml

from hopsml_flows.tracking.versions.conda import conda_text
from hopsml_flows.tracking.versions.installed import installed_packages

HISTORY = """\
==> 2026-01-02 03:04:05 <==
# cmd: conda create -n work python numpy
+conda-forge/linux-64::python-3.11.7-hab00c5b_1_cpython
+conda-forge/noarch::ca-certificates-2026.1.1-hbcca054_0
+https://user:hunter2@channels.example/t/tok-en/private/linux-64::tool-1.0-0
-conda-forge/linux-64::zlib-1.2-0
"""


@pytest.fixture
def prefix(tmp_path):
    """An environment with three packages of conda's and one of pip's."""
    root = tmp_path / "work"
    meta = root / "conda-meta"
    meta.mkdir(parents=True)
    for name in ("python-3.11.7-hab00c5b_1_cpython", "ca-certificates-2026.1.1-hbcca054_0"):
        (meta / f"{name}.json").write_text("{}")
    (meta / "history").write_text(HISTORY)
    for name, version, installer in (("numpy", "2.1.0", "conda"), ("Some_Tool", "1.0", "pip")):
        directory = root / "site" / f"{name}-{version}.dist-info"
        directory.mkdir(parents=True)
        (directory / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
        (directory / "INSTALLER").write_text(f"{installer}\n")
    return root


def packages(prefix):
    return installed_packages(metadata.distributions(path=[str(prefix / "site")]))


def test_it_is_what_conda_creates_an_environment_from(prefix):
    assert yaml.safe_load(conda_text(packages(prefix), str(prefix))) == {
        "name": "work",
        "channels": ["conda-forge", "https://channels.example/private"],
        "dependencies": [
            "ca-certificates=2026.1.1=hbcca054_0",
            "python=3.11.7=hab00c5b_1_cpython",
            {"pip": ["some-tool==1.0"]},
        ],
    }


def test_tokens_of_channels_are_not_kept(prefix):
    text = conda_text(packages(prefix), str(prefix))
    for secret in ("tok-en", "hunter2", "user"):
        assert secret not in text


def test_without_a_history_the_channels_are_condas_own(prefix):
    (prefix / "conda-meta" / "history").unlink()
    assert yaml.safe_load(conda_text([], str(prefix)))["channels"] == ["defaults"]


def test_without_conda_there_is_none(tmp_path):
    assert conda_text([], str(tmp_path)) is None
