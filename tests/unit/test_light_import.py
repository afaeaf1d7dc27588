from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "dask", "distributed", "pandas", "pyarrow", "prefect")


def imported_by(statement):
    code = f"{statement}\nimport sys\nprint(*sorted(sys.modules), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_importing_the_package_imports_nothing_heavy():
    loaded = imported_by("import hopsml_flows")
    assert "hopsml_flows" in loaded
    assert loaded.isdisjoint({*HEAVY, "numpy", "fsspec", "tensorboard"})


@pytest.mark.parametrize(
    "name", ["search", "trials", "storage", "execution", "errors", "service", "cli"]
)
def test_the_layers_below_the_flows_import_nothing_heavy(name):
    loaded = imported_by(f"import hopsml_flows.{name}")
    assert loaded.isdisjoint(HEAVY)


def test_what_a_training_function_imports_brings_neither_prefect_nor_dask():
    loaded = imported_by("from hopsml_flows import callbacks, devices, hdfs, reporter, tensorboard")
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "name",
    [
        "constants",
        "credentials_provider",
        "featurestore",
        "numpy_helper",
        "pandas_helper",
        "serving",
        "util",
    ],
)
def test_helper_modules_of_hopsml_import_nothing_heavy(name):
    loaded = imported_by(f"from hopsml_flows import {name}")
    assert loaded.isdisjoint({*HEAVY, "botocore"})


def test_the_verbs_do_not_bring_tensorflow_or_pandas():
    loaded = imported_by("from hopsml_flows import experiment\nexperiment.grid_search")
    assert "prefect" in loaded
    # Prefect before 3.8.5 imports pandas where it is installed.
    loaded -= imported_by("from prefect import Flow, task")
    assert loaded.isdisjoint({"tensorflow", "pandas", "pyarrow"})


def test_the_suite_for_optimizers_needs_neither_dask_nor_prefect():
    loaded = imported_by("from hopsml_flows.testing import OptimizerConformance")
    assert loaded.isdisjoint(HEAVY)


def test_the_suites_without_pytest_say_what_to_install():
    code = "import sys; sys.modules['pytest'] = None; import hopsml_flows.testing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "MissingPackageError: hopsml_flows.testing needs pytest" in done.stderr
    assert 'pip install "hopsml-flows[testing]"' in done.stderr
