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
    "name", ["search", "trials", "storage", "execution", "errors", "ablation", "service", "cli"]
)
def test_the_layers_below_the_flows_import_nothing_heavy(name):
    loaded = imported_by(f"import hopsml_flows.{name}")
    assert loaded.isdisjoint(HEAVY)


def test_the_module_of_the_verbs_imports_a_verb_when_it_is_used():
    assert imported_by("import hopsml_flows.experiment").isdisjoint({*HEAVY, "numpy", "httpx"})
    code = (
        "from hopsml_flows import experiment\n"
        "experiment.grid_search\n"
        "import sys\n"
        "made = [name for name in sys.modules if name.startswith('hopsml_flows.flows.')]\n"
        "print(*(name.rpartition('.')[2] for name in made))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert "grid_search" in done.stdout.split()
    assert {"launch", "differential_evolution", "mirrored"}.isdisjoint(done.stdout.split())


def test_the_training_process_imports_neither_numpy_nor_asyncio():
    code = "import hopsml_flows.execution.process.training_program\n"
    loaded = imported_by(code + "import hopsml_flows.execution.process.work")
    assert "psutil" in loaded
    assert loaded.isdisjoint({*HEAVY, "numpy", "asyncio", "tensorboard"})


def test_names_of_the_verbs_module_are_all_there():
    code = (
        "from hopsml_flows import experiment\n"
        "assert set(experiment.__all__) <= set(dir(experiment))\n"
        "assert all(getattr(experiment, name) for name in experiment.__all__)\n"
        "import gc\n"
        "assert gc.isenabled()\n"
    )
    imported_by(code)


def test_what_a_training_function_imports_brings_neither_prefect_nor_dask():
    loaded = imported_by("from hopsml_flows import callbacks, devices, hdfs, reporter, tensorboard")
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "name",
    [
        "constants",
        "credentials_provider",
        "earlystop",
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


@pytest.mark.parametrize(
    "name",
    [
        "config",
        "experiment_config",
        "optimizer",
        "optimizers",
        "searchspace",
        "trial",
        "Searchspace",
    ],
)
def test_names_of_maggy_import_nothing_heavy(name):
    loaded = imported_by(f"from hopsml_flows import {name}")
    assert loaded.isdisjoint({*HEAVY, "numpy", "fsspec"})


def test_the_verbs_do_not_bring_tensorflow_or_pandas():
    loaded = imported_by("from hopsml_flows import experiment\nexperiment.grid_search")
    assert "prefect" in loaded
    # Prefect before 3.8.5 imports pandas where it is installed.
    loaded -= imported_by("from prefect import Flow, task")
    assert loaded.isdisjoint({"tensorflow", "pandas", "pyarrow"})


@pytest.mark.parametrize("name", ["EarlyStopConformance", "OptimizerConformance"])
def test_the_suites_for_what_decides_need_neither_dask_nor_prefect(name):
    loaded = imported_by(f"from hopsml_flows.testing import {name}")
    assert loaded.isdisjoint(HEAVY)


def test_the_suites_without_pytest_say_what_to_install():
    code = "import sys; sys.modules['pytest'] = None; import hopsml_flows.testing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "MissingPackageError: hopsml_flows.testing needs pytest" in done.stderr
    assert 'pip install "hopsml-flows[testing]"' in done.stderr
