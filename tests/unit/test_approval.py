"""What a person is asked about a winner, and what their answer means."""

from __future__ import annotations

import json

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.utilities.schema_tools import ValidationError, validate

from hopsml_flows import experiment
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.server.approval import check_answerable
from hopsml_flows.tracking.prefect.approval_page import approval_page
from hopsml_flows.trials.confirmation import (
    FORM,
    Approval,
    Confirmation,
    Promotion,
    promotion_text,
    told_approval,
)
from tests.written import CONFIRMATION

PROPOSED = Promotion(
    "net", False, "it is better than version 4 with probability 0.98", unanswered=True
)


def train(rate):
    raise AssertionError("it ran")


@pytest.mark.parametrize(
    ("answer", "approved", "said"),
    [
        ({"decision": "promote"}, True, "a person approved it"),
        ({"decision": "promote", "comment": " "}, True, "a person approved it"),
        ({"decision": "refuse", "comment": "too\nslow"}, False, "a person refused it: too slow"),
        (
            {"decision": "refuse", "comment": "see https://me:secret@host/"},
            False,
            "a person refused it: see https://me:***@host/",
        ),
        ({"decision": "perhaps"}, None, "its flow run was resumed without an answer"),
        (["promote"], None, "its flow run was resumed without an answer"),
        ({"comment": "yes"}, None, "its flow run was resumed without an answer"),
    ],
    ids=repr,
)
def test_an_answer_is_read_and_anything_else_approves_nothing(answer, approved, said):
    assert told_approval(json.dumps(answer)) == Approval(approved, said)


@pytest.mark.parametrize("answer", [None, "no JSON", b"{", 7], ids=repr)
def test_no_answer_approves_nothing(answer):
    assert told_approval(answer).approved is None


def test_a_long_comment_is_cut():
    answer = json.dumps({"decision": "promote", "comment": "x" * 10_000})
    assert len(told_approval(answer).said) < 600


@pytest.mark.parametrize(
    ("answer", "fits"),
    [
        ({"decision": "promote"}, True),
        ({"decision": "refuse", "comment": "no"}, True),
        ({}, False),
        ({"decision": "yes"}, False),
        ({"decision": "promote", "comment": 7}, False),
    ],
    ids=repr,
)
def test_the_form_takes_a_decision_and_a_comment(answer, fits):
    """As the server validates what a person sends."""
    if fits:
        validate(answer, FORM, raise_on_error=True)
    else:
        with pytest.raises(ValidationError):
            validate(answer, FORM, raise_on_error=True)


def test_a_promotion_waits_until_there_is_an_answer():
    assert (PROPOSED.waits, PROPOSED.word) == (True, "waiting")
    text = "net stays as it is until a person approves: it is better than version 4"
    assert promotion_text(PROPOSED) == f"{text} with probability 0.98"
    assert Promotion.from_json(json.loads(json.dumps(PROPOSED.as_json()))) == PROPOSED
    assert Promotion.from_json({**PROPOSED.as_json(), "unanswered": "yes"}) is None


def test_a_refusal_by_a_person_says_what_the_rule_had_said():
    refused = Approval(False, "a person refused it: too slow").of(PROPOSED)
    assert (refused.waits, refused.word, refused.unanswered) == (False, "refused", False)
    text = "net stays as it is: the winner was refused, although it is better than version 4"
    assert promotion_text(refused) == f"{text} with probability 0.98; a person refused it: too slow"


def test_a_question_without_an_answer_is_a_refusal_that_may_be_asked_again():
    late = Approval(None, "no person answered within 24:00:00").of(PROPOSED)
    assert (late.waits, late.word, late.unanswered) == (False, "refused", True)
    assert promotion_text(late).endswith("; no person answered within 24:00:00")


def test_a_record_of_before_has_no_answer_and_waits_for_none():
    old = {k: v for k, v in PROPOSED.as_json().items() if k not in ("asked", "unanswered")}
    found = Promotion.from_json(old)
    assert (found.unanswered, found.word) == (False, "refused")


def test_the_person_reads_the_figures_as_text():
    told = Confirmation.from_json(CONFIRMATION)
    page = approval_page(PROPOSED, told, "digits-1", "/demo/Experiments/digits-1")
    assert "- **rule**: it is better than version 4 with probability 0.98" in page
    assert "the search found 0.98" in page
    assert "- **champion**: version 4" in page
    assert "x\\=\\<b\\>" in page  # a value of the user's is no markup
    assert "/demo/Experiments/digits" in page


def test_no_person_can_answer_where_there_is_no_server_that_lasts():
    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        pytest.raises(InvalidArgumentError, match=r"^approve: .*PREFECT_API_URL") as caught,
    ):
        check_answerable()
    assert caught.value.value is True
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:4200/api"}):
        check_answerable()


def test_a_search_that_would_ask_is_refused_before_anything_starts(tmp_path):
    project = tmp_path / "project"
    with pytest.raises(InvalidArgumentError, match=r"^approve: .*embedded server"):
        experiment.grid_search(
            train, {"rate": [1, 2]}, project=str(project), only_if_better="net", approve=True
        )
    assert not project.exists()
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"approve": True}, "approve"),
        ({"approve": "yes", "only_if_better": "net"}, "approve"),
        ({"approve_timeout": 0, "only_if_better": "net", "approve": True}, "approve_timeout"),
        ({"approve_timeout": None, "only_if_better": "net", "approve": True}, "approve_timeout"),
    ],
    ids=repr,
)
def test_what_cannot_be_asked_is_refused_by_name(options, named):
    with pytest.raises(InvalidArgumentError, match=rf"^{named}: "):
        experiment.grid_search(train, {"rate": [1, 2]}, **options)
