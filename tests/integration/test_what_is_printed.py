"""What an experiment prints into a pipe, and what text of all kinds becomes on its way out."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from hopsml_flows import experiment
from hopsml_flows.errors import ExperimentFailedError, HopsmlWarning, InvalidArgumentError
from hopsml_flows.search import Float
from tests.events import scalars

NAME = "caf\udce9"
"""What Python makes of a file's name that is not UTF-8."""

SCRIPT = """
from hopsml_flows import experiment

def train(learning_rate, batch_size, optimizer, layers):
    return {"accuracy": -0.0, "epochs": 3}

if __name__ == "__main__":
    result = experiment.grid_search(
        train,
        {
            "learning_rate": [0.00012345, 1 / 3],
            "batch_size": [32],
            "optimizer": ["adam", "[/sgd] für " + "momentum " * 20],
            "layers": [[64, 64, 64, 64, 64, 64, 64, 64]],
        },
        name="pipe",
        optimization_key="accuracy",
        cluster="local",
    )
    best_dir, best_params, best_outputs = result
    print("best", best_outputs["accuracy"], len(result))
"""


def table_of(printed: str) -> list[str]:
    lines = printed.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("grid_search: trials of"))
    end = next(i for i, line in enumerate(lines) if line.startswith("The same in all trials"))
    return lines[start + 1 : end]


@pytest.mark.parametrize("encoding", ["utf-8", pytest.param("ascii", marks=pytest.mark.slow)])
def test_a_pipe_gets_a_table_of_80_columns_in_its_own_encoding(run_script, encoding):
    done = run_script(SCRIPT, PYTHONIOENCODING=encoding, COLUMNS="")
    lines = table_of(done.stdout)
    assert 60 < max(map(len, lines)) <= 80
    head, *rows = [line.split() for line in lines]
    assert head[0] == "#"
    assert head[-1] == "state"
    assert "accuracy" in head
    assert "learning_rate" in head
    assert "optimizer" in head
    assert [row[0] for row in rows] == ["1", "2", "3", "4"]
    assert [row[-1] for row in rows] == ["FINISHED"] * 4
    assert [row[1] for row in rows] == ["0.00012345", "0.00012345", "0.333333", "0.333333"]
    assert sum("[/sgd]" in row for row in rows) == 2
    assert "The same in all trials: batch_size=32" in done.stdout
    assert "BEST  accuracy 0 with learning_rate=0.00012345" in done.stdout
    assert "-0" not in "".join(line for line in done.stdout.splitlines() if "BEST" in line)
    assert done.stdout.isascii() == (encoding == "ascii")
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr


def train(kind):
    import logging
    import sys
    import warnings

    from prefect.logging import get_run_logger

    from hopsml_flows import reporter

    name = "caf\udce9"
    print("before")
    print("printed", name, "nul \0")
    print("\x1b]8;;http://x\x07link\x1b]8;;\x07 \x1b[31mred\x1b[0m", file=sys.stderr)
    logging.getLogger("mine").error("logged %s", name)
    get_run_logger().warning("by Prefect's logger %s", name)
    warnings.warn(f"warned {name}", stacklevel=1)
    reporter.log(f"reported {name}")
    print("after")
    if kind == "bad":
        raise ValueError(f"no {name}")
    return {"metric": 0.5, "file": name, f"size of {name}": 2, "odd": b"\xff"}


@pytest.fixture(scope="module")
def ran(prefect_server, dask_address, tmp_path_factory):
    """An experiment of a trial that succeeds and one that fails, with such text everywhere."""
    return experiment.grid_search(
        train,
        {"kind": ["good", "bad"]},
        project=str(tmp_path_factory.mktemp("text") / "project"),
        cluster=dask_address,
        progress=False,
    )


@pytest.mark.parametrize("kind", ["good", "bad"])
def test_no_line_is_lost_in_prefects_logs_whatever_it_holds(ran, task_run_logs, kind):
    [trial] = [trial for trial in ran.trials if trial.params["kind"] == kind]
    entries = task_run_logs(ran.flow_run_id, 2)[trial.name]
    for expected in (
        (logging.INFO, "before"),
        (logging.INFO, r"printed caf\udce9 nul \x00"),
        (logging.INFO, "link red"),
        (logging.ERROR, r"mine: logged caf\udce9"),
        (logging.WARNING, r"by Prefect's logger caf\udce9"),
        (logging.INFO, r"reported caf\udce9"),
        (logging.INFO, "after"),
    ):
        assert entries.count(expected) == 1, (expected, entries)
    assert any(r"warned caf\udce9" in message for _, message in entries)
    log = (Path(ran.path) / trial.directory / "output.log").read_text()
    assert r"printed caf\udce9 nul \x00" in log
    assert "\x1b" not in log


def test_a_failure_says_what_can_be_written_and_an_output_is_what_was_returned(ran):
    good, bad = ran.trials
    assert str(bad.failure) == r"ValueError: no caf\udce9"
    stored = json.loads((Path(ran.path) / good.directory / ".outputs.json").read_text())
    assert good.outputs == {
        "metric": 0.5,
        "file": NAME,
        f"size of {NAME}": 2,
        "odd": r"b'\xff'",
        "log": f"Experiments/{ran.id}/{good.directory}/output.log",
    }
    assert {name: stored[name] for name in good.outputs} == good.outputs
    [warning] = good.warnings
    assert warning.startswith(r"outputs['odd'] is bytes b'\xff'; it must be")
    summary = json.loads((Path(ran.path) / ".summary.json").read_text())
    assert summary["combinations"][0]["outputs"] == good.outputs
    assert any(
        tag == r"outputs/size of caf\udce9" for tag in scalars(Path(ran.path) / good.directory)
    )


def test_results_are_hopsmls_tuples(ran, options):
    directory, params, outputs = ran
    assert (ran[0], ran[1], ran[-1], len(ran)) == (directory, params, outputs, 3)
    assert ran[:2] == (directory, params)
    assert outputs["log"].endswith("/output.log")

    silent = experiment.launch(lambda: None, **options)
    assert silent[1] == {"metric": None, "log": f"Experiments/{silent.id}/output.log"}
    assert (len(silent), silent[0]) == (2, silent.path)
    again = experiment.launch(lambda: None, resume=silent.id, **options)
    assert again[1] == silent[1]


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("name", NAME),
        ("description", NAME),
        ("tags", ["good", NAME]),
        ("metric_key", NAME),
        ("keep_files", NAME),
        ("project", f"/tmp/{NAME}"),
    ],
)
def test_an_argument_that_prefect_cannot_take_is_an_error_that_names_it(options, argument, value):
    with pytest.raises(InvalidArgumentError, match="text that UTF-8 can hold") as caught:
        experiment.launch(lambda: 1, **{**options, argument: value})
    assert caught.value.argument.startswith(argument)
    str(caught.value).encode()


def test_hyperparameters_that_prefect_cannot_take_are_errors_that_name_them(options):
    for call in (
        lambda: experiment.grid_search(train, {"kind": ["a", NAME]}, **options),
        lambda: experiment.random_search(train, {"kind": ["a", NAME]}, **options),
        lambda: experiment.launch(train, {"kind": [NAME]}, **options),
    ):
        with pytest.raises(
            InvalidArgumentError, match=r"dict\['kind'\]: must hold text that UTF-8"
        ):
            call()


def test_an_experiment_of_which_all_fails_with_such_text_fails_as_any_other(options):
    def fail():
        raise ValueError("no caf\udce9")

    with pytest.raises(ExperimentFailedError, match=r"ValueError: no caf\\udce9"):
        experiment.launch(fail, **options)


@pytest.mark.slow
def test_a_script_in_a_directory_that_is_no_utf_8_runs(tmp_path, run_script):
    done = run_script(
        """
        import os, sys
        os.mkdir(b"caf\\xe9")
        os.chdir(b"caf\\xe9")
        from hopsml_flows import experiment

        def train(x):
            return x

        if __name__ == "__main__":
            result = experiment.grid_search(train, {"x": [1, 2]}, cluster="local")
            print("best", result.best_metric)
        """
    )
    assert "best 2.0" in done.stdout
    assert "Traceback" not in done.stderr, done.stderr
    assert list(Path(tmp_path, NAME, "hopsml_project").rglob(".summary.json"))


def evaluate(rate, units, act):
    return rate * units + len(act)


@pytest.mark.parametrize("verb", ["random_search", "differential_evolution", "fixed"])
def test_fixed_values_are_passed_and_not_searched(verb, options):
    space = {"rate": [0.0, 1.0], "units": [3, 3], "act": ["relu"]}
    if verb == "random_search":
        result = experiment.random_search(evaluate, space, samples=5, seed=1, **options)
    elif verb == "differential_evolution":
        result = experiment.differential_evolution(
            evaluate, space, generations=2, population=4, seed=1, **options
        )
        assert len(result.trials) == 12
    else:
        space["rate"] = Float(0.5, 0.5, log=True)
        result = experiment.differential_evolution(evaluate, space, seed=1, **options)
        assert len(result.trials) == 1
    assert {(trial.params["units"], trial.params["act"]) for trial in result.trials} == {
        (3, "relu")
    }
    assert result.state.value == "FINISHED"
    warm = experiment.random_search(
        evaluate, space, samples=4, seed=2, warm_start=result.id, **options
    )
    assert warm.state.value == "FINISHED"
    assert (Path(result.path) / "experiment.json").exists()


def test_numbers_in_quotes_are_a_warning_also_in_grids(options):
    with pytest.warns(HopsmlWarning, match=r"grid_dict\['rate'\].*write \[0.001, 0.1\]"):
        result = experiment.grid_search(
            lambda rate: float(rate), {"rate": ["1e-3", "1e-1"]}, **options
        )
    assert result.best_params == {"rate": "1e-1"}
