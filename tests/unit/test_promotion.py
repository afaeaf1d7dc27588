"""Promotions that a person is asked about: who is asked, and what follows from the answer."""

from __future__ import annotations

import pytest

from hopsml_flows import experiment, model
from hopsml_flows.driver.promotion import promote
from hopsml_flows.errors import ExperimentTakenOverError
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.trials.confirmation import Approval, Champion
from tests.unit.test_confirmation import CHAMPION, DEFAULTS, FOUND, WINNER, confirmed

PATHS = ExperimentPaths("digits-20240301-120000-aaaaaa")
YES = Approval(True, "a person approved it")


def train(x=1):
    raise AssertionError("it ran")


@pytest.fixture
def plan(project):
    return experiment.grid_search.plan(
        train, {"x": [1, 2, 3]}, project=project, only_if_better="net", approve=True,
        optimization_key="accuracy",
    )  # fmt: skip


@pytest.fixture
def confirmation(project):
    """The winner on three seeds, whose first evaluation saved a model."""
    found = confirmed(WINNER, DEFAULTS, winner=[0.90, 0.92, 0.94], defaults=[0.1, 0.2, 0.3])
    project.make_directory(PATHS.root)
    for result in found.results:
        project.make_directory(PATHS.trial(result.directory))
        project.replace(PATHS.trial(result.directory, "net.pt"), f"weights of {result.number}")
    return found


class Asked:
    """A person who gives one answer, and keeps what they were asked."""

    def __init__(self, answer, meanwhile=lambda: None):
        self.answer, self.meanwhile, self.proposed = answer, meanwhile, []

    def __call__(self, proposed):
        self.proposed.append(proposed)
        self.meanwhile()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def versions(project):
    return sorted(project.listdir("Models/net")) if project.exists("Models/net") else []


def exported(project, tmp_path, name="other"):
    (tmp_path / name).write_text("weights")
    model.export(tmp_path / name, "net", metrics={"accuracy": 99.0}, project=Project(project.url))


def test_an_approved_winner_is_exported_with_what_was_said(plan, project, confirmation):
    asked = Asked(YES)
    promotion = promote(plan, PATHS, FOUND, confirmation, None, None, asked)
    (proposed,) = asked.proposed
    assert (proposed.model, proposed.promoted, proposed.waits) == ("net", False, True)
    assert (proposed.corrected, proposed.optimistic) == (confirmation.mean, 9.0)
    assert (promotion.promoted, promotion.version, promotion.trial) == (True, 1, 1000001)
    assert promotion.asked == "a person approved it"
    assert not promotion.unanswered
    assert versions(project) == ["1"]


@pytest.mark.parametrize(
    ("answer", "unanswered"),
    [(Approval(False, "a person refused it"), False), (Approval(None, "no person answered"), True)],
    ids=repr,
)
def test_without_approval_nothing_is_exported(plan, project, confirmation, answer, unanswered):
    promotion = promote(plan, PATHS, FOUND, confirmation, None, None, Asked(answer))
    assert (promotion.promoted, promotion.version) == (False, None)
    assert promotion.why == "although the model has no version yet"
    assert (promotion.asked, promotion.unanswered) == (answer.said, unanswered)
    assert versions(project) == []


def test_no_person_is_asked_about_what_the_rule_refuses(plan, confirmation):
    lucky = confirmed(WINNER, CHAMPION, winner=[0.9, 0.82, 0.84], champion=[0.8, 0.83, 0.84])
    asked = Asked(YES)
    champion = Champion("net", 4, {"x": 2}, "digits-1")
    assert not promote(plan, PATHS, FOUND, lucky, champion, None, asked).promoted
    assert not promote(plan, PATHS, FOUND, confirmation, None, "it was removed", asked).promoted
    assert asked.proposed == []


def test_no_person_is_asked_about_a_winner_that_saved_no_model(plan, project, confirmation):
    for result in confirmation.results:
        project.remove(PATHS.trial(result.directory, "net.pt"))
    project.make_directory(PATHS.trial(FOUND.directory))
    asked = Asked(YES)
    promotion = promote(plan, PATHS, FOUND, confirmation, None, None, asked)
    assert "no path of a model" in promotion.why
    assert asked.proposed == []


def test_a_version_of_meanwhile_refuses_what_a_person_approved(
    plan, project, confirmation, tmp_path
):
    asked = Asked(YES, lambda: exported(project, tmp_path))
    promotion = promote(plan, PATHS, FOUND, confirmation, None, None, asked)
    assert not promotion.promoted
    assert promotion.why.startswith("meanwhile another version is the best one (only_if_better: ")
    assert promotion.asked == "a person approved it"
    assert versions(project) == ["1"]


def test_what_ends_the_question_ends_the_experiment(plan, confirmation):
    """It is no trouble of the model repository, which a result would survive."""
    asked = Asked(ExperimentTakenOverError(PATHS.id, "another driver"))
    with pytest.raises(ExperimentTakenOverError):
        promote(plan, PATHS, FOUND, confirmation, None, None, asked)
