"""Which version of a model the winner of a search has to beat."""

from __future__ import annotations

from pathlib import Path

import pytest

from hopsml_flows import experiment
from hopsml_flows.models import ModelRecord, Origin
from hopsml_flows.models.exporter import Details, export_version
from hopsml_flows.models.model_files import local_files
from hopsml_flows.models.repository import keep_confirmed
from hopsml_flows.plan.champion import find_champion, own_version
from hopsml_flows.search import BaseSearch

NIGHT = "nightly-20260101-020000-abcdef"
OTHER = "nightly-20260102-020000-abcdef"


def train(x=1):
    return x


class Own(BaseSearch):
    """A search of the user's, which may give budgets, and says nowhere which."""

    def __init__(self, space, *, num_trials=None):
        super().__init__()

    total = 4

    def _propose(self, number):
        return {"x": number / 10}


@pytest.fixture
def exported(project, tmp_path):
    """Exports a version of the model "net", as a trial of an experiment."""
    Path(tmp_path, "weights").write_text("weights")

    def export(params, metric, *, of=OTHER, confirmed=None) -> ModelRecord:
        details = Details(
            {"metric": metric}, origin=Origin(of, 1, f"Experiments/{of}/0001", params),
            confirmed={} if confirmed is None else {"metric": confirmed},
        )  # fmt: skip
        return export_version(project, "net", local_files(tmp_path / "weights"), details)

    return export


def grid(project, values=(1, 2), function=train):
    return experiment.grid_search.plan(
        function, {"x": list(values)}, project=project.url, only_if_better="net"
    )


def test_a_function_that_an_optimizer_of_the_users_gives_budgets_fits(project, exported):
    def with_budget(x, budget):
        return x * budget

    exported({"x": 0.5}, 0.5)
    plan = experiment.optimize.plan(
        with_budget, {"x": [0.0, 1.0]}, num_trials=2, optimizer=Own,
        project=project.url, only_if_better="net",
    )  # fmt: skip
    assert find_champion(plan).params == {"x": 0.5}


@pytest.mark.parametrize("values", [[(64, 32), (8, 8)], [(64, 32)]], ids=["several", "one"])
def test_a_champion_has_the_values_of_the_search_not_those_of_its_record(project, exported, values):
    exported({"x": (64, 32)}, 0.5)
    assert find_champion(grid(project, values)).params == {"x": (64, 32)}


def test_a_champion_outside_of_the_search_space_has_the_values_of_its_record(project, exported):
    exported({"x": [1, 2]}, 0.5)
    assert find_champion(grid(project, [(64, 32), (8, 8)])).params == {"x": [1, 2]}


@pytest.mark.parametrize(("domain", "kind"), [([0.0, 9.0], float), ([0, 9], int)])
def test_a_champions_number_has_the_type_of_its_domain(project, exported, domain, kind):
    exported({"x": 5}, 0.5)
    plan = experiment.random_search.plan(
        train, {"x": domain}, project=project.url, only_if_better="net"
    )
    assert type(find_champion(plan).params["x"]) is kind


def test_what_a_training_function_exported_by_itself_is_no_champion_of_its_own_search(
    project, exported
):
    plan = grid(project)
    exported({"x": 1}, 0.5)
    exported({"x": 2}, 0.9, of=NIGHT)
    exported({"x": 1}, 0.8, of=NIGHT)
    assert find_champion(plan, NIGHT, {"x": 2}).version == 1
    assert find_champion(plan, OTHER, {"x": 2}).version == 2
    assert own_version(plan, NIGHT, {"x": 2}) is None


def test_the_version_that_the_winner_became_is_found_and_no_champion(project, exported):
    plan = grid(project)
    exported({"x": 2}, 0.9, of=NIGHT)
    exported({"x": 2}, 0.9, of=NIGHT, confirmed={"mean": 0.8, "optimistic": 0.9})
    assert own_version(plan, NIGHT, {"x": 2}).version == 2
    assert find_champion(plan, NIGHT, {"x": 2}) is None
    # Another winner, after a resumption, has to beat it.
    assert own_version(plan, NIGHT, {"x": 3}) is None
    assert find_champion(plan, NIGHT, {"x": 3}).version == 2


def test_a_later_night_that_evaluates_a_version_again_leaves_it_what_its_winner_became(
    project, exported
):
    exported({"x": 2}, 0.9, of=NIGHT, confirmed={"mean": 0.8, "optimistic": 0.9})
    later = {"mean": 0.7, "optimistic": None, "experiment": OTHER}
    keep_confirmed(project, "net", 1, {"metric": later})
    assert own_version(grid(project), NIGHT, {"x": 2}).version == 1
