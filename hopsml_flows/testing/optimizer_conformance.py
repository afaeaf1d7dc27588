"""The conformance suite for optimizers of every algorithm."""

from __future__ import annotations

import copy
import json
import math
import random
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.search import Direction, GoOn, Optimizer, Pause, Proposal, SearchSpace, Stop

__all__ = ["OptimizerConformance", "metric_of", "run_search"]


def metric_of(params: dict[str, Any]) -> float:
    """Return a number that depends only on the parameters, the same on every machine."""
    return zlib.crc32(json.dumps(params).encode()) / 2**32 - 0.5


def run_search(
    optimizer: Optimizer,
    *,
    parallel: int = 2,
    stop_after: int | None = None,
    fail: Callable[[Proposal], bool] = lambda _: False,
    pick: Callable[[list[Proposal]], int] = lambda _: 0,
    reports: int = 0,
) -> list[Proposal]:
    """Run a search: keep ``parallel`` proposals running, and tell them in the order of asking.

    Args:
        optimizer: A fresh optimizer, or one to continue.
        parallel: Number of proposals that run at once.
        stop_after: Stop once this many proposals were returned; None runs to the end.
        fail: Says whether a proposal fails.
        pick: Returns the place of the proposal to tell next, among those that run.
        reports: How often each running proposal reports, at most, between two results.

    Returns:
        The proposals, in the order of asking.
    """
    proposals: list[Proposal] = []
    running: list[Proposal] = []
    steps: dict[int, int] = {}
    while True:
        fresh = optimizer.ask(parallel - len(running))
        pending = {proposal.id for proposal in running}
        assert not any(p.continues in pending for p in fresh), "it continues what has not ended"
        proposals += fresh
        running += fresh
        if not running:
            assert optimizer.finished, "the search is not finished, and nothing is running"
            break
        for _ in range(reports):
            ended = [
                proposal for proposal in running if _is_ended_by_report(optimizer, proposal, steps)
            ]
            for proposal in ended:
                running.remove(proposal)
                _tell(optimizer, proposal, fail)
        if running:
            _tell(optimizer, running.pop(pick(running)), fail)
        if stop_after is not None and len(proposals) >= stop_after:
            break
    return proposals


def _is_ended_by_report(optimizer: Optimizer, proposal: Proposal, steps: dict[int, int]) -> bool:
    """Report once; whether the optimizer stops or pauses the trial."""
    step = steps[proposal.id] = steps.get(proposal.id, -1) + 1
    decision = optimizer.report(proposal.id, step, metric_of({**proposal.params, "step": step}))
    assert decision is None or isinstance(decision, (Stop, Pause, GoOn))
    return isinstance(decision, (Stop, Pause))


def _tell(optimizer: Optimizer, proposal: Proposal, fail: Callable[[Proposal], bool]) -> None:
    if fail(proposal):
        optimizer.tell(proposal.id, failure="lost")
    else:
        optimizer.tell(proposal.id, metric_of(proposal.params))


def _any_order(seed: int = 1) -> Callable[[list[Proposal]], int]:
    """Return a rule that picks running proposals in an order without order, always the same."""
    picks = random.Random(seed)
    return lambda running: picks.randrange(len(running))


class OptimizerConformance:
    """Tests of optimizers that end by themselves and propose no configuration twice.

    Only a proposal that continues an earlier one, with a larger budget, has its configuration. A
    subclass overrides the fixtures ``make_optimizer`` and ``space``.
    """

    @pytest.fixture
    def make_optimizer(self) -> Callable[[Direction, int], Optimizer]:
        """Return a function that makes an optimizer from a direction and a seed."""
        raise NotImplementedError("override the fixture make_optimizer")

    @pytest.fixture
    def space(self) -> SearchSpace:
        """Return the space that the optimizers of ``make_optimizer`` search."""
        raise NotImplementedError("override the fixture space")

    @pytest.fixture
    def make(
        self, make_optimizer: Callable[[Direction, int], Optimizer]
    ) -> Callable[..., Optimizer]:
        """Return ``make_optimizer`` with defaults for its arguments."""

        def build(direction: Direction = Direction.MAX, seed: int = 7) -> Optimizer:
            return make_optimizer(direction, seed)

        return build

    def test_it_is_an_optimizer(self, make: Callable[..., Optimizer]) -> None:
        assert isinstance(make(), Optimizer)

    def test_a_fresh_one_has_no_best_and_is_not_finished(
        self, make: Callable[..., Optimizer]
    ) -> None:
        optimizer = make()
        assert optimizer.best is None
        assert not optimizer.finished

    def test_it_runs_to_its_end_and_then_proposes_nothing(
        self, make: Callable[..., Optimizer]
    ) -> None:
        optimizer = make()
        proposals = run_search(optimizer)
        assert proposals
        assert optimizer.finished
        assert optimizer.ask() == []
        assert optimizer.finished

    def test_the_total_is_how_many_proposals_there_are(
        self, make: Callable[..., Optimizer]
    ) -> None:
        optimizer = make()
        total = optimizer.total
        proposals = run_search(optimizer)
        assert total in (None, len(proposals))

    def test_it_gives_no_more_than_asked_for(self, make: Callable[..., Optimizer]) -> None:
        optimizer = make()
        assert optimizer.ask(0) == []
        assert len(optimizer.ask(2)) <= 2

    def test_a_negative_count_is_an_error(self, make: Callable[..., Optimizer]) -> None:
        with pytest.raises(InvalidArgumentError):
            make().ask(-1)

    def test_ids_count_from_one(self, make: Callable[..., Optimizer]) -> None:
        proposals = run_search(make(), parallel=3)
        assert [proposal.id for proposal in proposals] == list(range(1, len(proposals) + 1))

    def test_no_configuration_is_proposed_twice(self, make: Callable[..., Optimizer]) -> None:
        proposals = [p for p in run_search(make()) if p.continues is None]
        texts = [json.dumps(proposal.params) for proposal in proposals]
        assert len(set(texts)) == len(texts)

    @pytest.mark.parametrize("reports", [0, 1])
    def test_a_proposal_continues_one_that_has_ended_and_no_other_continues(
        self, make: Callable[..., Optimizer], reports: int
    ) -> None:
        proposals = run_search(make(), parallel=3, reports=reports, pick=_any_order())
        earlier = {proposal.id: proposal for proposal in proposals}
        continuing = [proposal for proposal in proposals if proposal.continues is not None]
        for proposal in continuing:
            before = earlier[proposal.continues or 0]
            assert proposal.params == before.params
            assert proposal.budget is not None
            assert before.budget is not None
            assert proposal.budget > before.budget
            assert proposal.why is not None
        assert len({proposal.continues for proposal in continuing}) == len(continuing)

    def test_parameters_are_json_values_under_the_same_names(
        self, make: Callable[..., Optimizer]
    ) -> None:
        proposals = run_search(make())
        for proposal in proposals:
            assert json.loads(json.dumps(proposal.params)) == proposal.params
            assert list(proposal.params) == list(proposals[0].params)

    def test_parameters_are_inside_the_space(
        self, make: Callable[..., Optimizer], space: SearchSpace
    ) -> None:
        for proposal in run_search(make()):
            assert set(proposal.params) == set(space)
            outside = {
                name: value for name, value in proposal.params.items() if value not in space[name]
            }
            assert outside == {}

    def test_it_is_unfinished_while_a_proposal_is_untold(
        self, make: Callable[..., Optimizer]
    ) -> None:
        optimizer = make()
        running = optimizer.ask()
        while True:
            for proposal in running[1:]:
                optimizer.tell(proposal.id, metric_of(proposal.params))
            more = optimizer.ask()
            running = [running[0], *more]
            if not more:
                break
        assert not optimizer.finished
        optimizer.tell(running[0].id, metric_of(running[0].params))
        assert optimizer.finished or optimizer.ask()

    def test_a_proposal_is_told_only_once_and_only_when_asked_for(
        self, make: Callable[..., Optimizer]
    ) -> None:
        optimizer = make()
        (proposal,) = optimizer.ask(1)
        with pytest.raises(InvalidArgumentError):
            optimizer.tell(proposal.id + 1, 0.5)
        optimizer.tell(proposal.id, 0.5)
        with pytest.raises(InvalidArgumentError):
            optimizer.tell(proposal.id, 0.5)

    def test_either_a_number_or_a_failure_is_told(self, make: Callable[..., Optimizer]) -> None:
        optimizer = make()
        (proposal,) = optimizer.ask(1)
        told: Any
        for told in ({}, {"value": 0.5, "failure": "lost"}, {"value": "0.5"}, {"value": True}):
            with pytest.raises(InvalidArgumentError):
                optimizer.tell(proposal.id, **told)
        optimizer.tell(proposal.id, 0.5)
        assert optimizer.best is not None
        assert optimizer.best.value == 0.5

    def test_the_same_seed_and_tells_give_the_same_asks(
        self, make: Callable[..., Optimizer]
    ) -> None:
        assert run_search(make(seed=3)) == run_search(make(seed=3))

    @pytest.mark.parametrize("reports", [0, 2])
    def test_the_same_interleaving_gives_the_same_asks(
        self, make: Callable[..., Optimizer], reports: int
    ) -> None:
        def run() -> list[Proposal]:
            return run_search(
                make(),
                parallel=5,
                fail=lambda proposal: proposal.id % 4 == 3,
                pick=_any_order(),
                reports=reports,
            )

        assert run() == run()

    def test_a_copy_goes_on_as_the_optimizer_does(self, make: Callable[..., Optimizer]) -> None:
        optimizer = make()
        fresh = copy.deepcopy(optimizer)
        (first,) = optimizer.ask(1)
        optimizer.tell(first.id, metric_of(first.params))
        begun = copy.deepcopy(optimizer)
        rest = run_search(optimizer)
        assert run_search(begun) == rest
        assert fresh.ask(1) == [first]
        fresh.tell(first.id, metric_of(first.params))
        assert run_search(fresh) == rest

    @pytest.mark.parametrize("parallel", [1, 2, 7])
    def test_results_may_come_in_any_order(
        self, make: Callable[..., Optimizer], parallel: int
    ) -> None:
        optimizer = make()
        proposals = run_search(optimizer, parallel=parallel, pick=_any_order())
        assert [proposal.id for proposal in proposals] == list(range(1, len(proposals) + 1))
        assert optimizer.finished
        assert optimizer.best is not None
        assert optimizer.best.value == max(metric_of(p.params) for p in proposals)

    def test_reports_are_taken_of_pending_proposals_only(
        self, make: Callable[..., Optimizer]
    ) -> None:
        optimizer = make()
        (proposal,) = optimizer.ask(1)
        with pytest.raises(InvalidArgumentError):
            optimizer.report(proposal.id + 1, 0, 0.5)
        optimizer.report(proposal.id, 0, 0.5)
        optimizer.tell(proposal.id, 0.5)
        with pytest.raises(InvalidArgumentError):
            optimizer.report(proposal.id, 1, 0.5)

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.0])
    def test_a_report_may_be_any_float(self, make: Callable[..., Optimizer], value: float) -> None:
        optimizer = make()
        for proposal in optimizer.ask(3):
            for step in range(5):
                optimizer.report(proposal.id, step, value)
            optimizer.tell(proposal.id, 0.5)
        run_search(optimizer)
        assert optimizer.finished

    def test_a_trial_that_begins_again_reports_again(self, make: Callable[..., Optimizer]) -> None:
        optimizer = make()
        for proposal in optimizer.ask(3):
            for _ in range(2):
                optimizer.report(proposal.id, 0, 0.5)
                optimizer.restart(proposal.id)
            optimizer.tell(proposal.id, 0.5)
            with pytest.raises(InvalidArgumentError):
                optimizer.restart(proposal.id)
        run_search(optimizer)
        assert optimizer.finished

    def test_the_best_is_the_best_value_told(self, make: Callable[..., Optimizer]) -> None:
        for direction in (Direction.MAX, Direction.MIN):
            optimizer = make(direction)
            proposals = run_search(optimizer)
            values = {proposal.id: metric_of(proposal.params) for proposal in proposals}
            best = (max if direction is Direction.MAX else min)(values.values())
            assert optimizer.best is not None
            assert optimizer.best.value == best
            assert values[optimizer.best.proposal.id] == optimizer.best.value

    @pytest.mark.parametrize("worst", [-1e300, math.nan, math.inf, -math.inf])
    def test_a_failure_is_never_the_best(
        self, make: Callable[..., Optimizer], worst: float
    ) -> None:
        optimizer = make()
        (first,) = optimizer.ask(1)
        if math.isfinite(worst):
            optimizer.tell(first.id, failure="out of memory")
        else:
            optimizer.tell(first.id, worst)
        failed = optimizer.best
        assert failed is None
        (second,) = optimizer.ask(1)
        optimizer.tell(second.id, -1e299)
        best = optimizer.best
        assert best is not None
        assert best.proposal == second

    def test_a_search_of_failures_only_ends_without_a_best(
        self, make: Callable[..., Optimizer]
    ) -> None:
        optimizer = make()
        run_search(optimizer, fail=lambda _: True)
        assert optimizer.finished
        assert optimizer.best is None

    @pytest.mark.parametrize("asked", [0, 1, 3])
    def test_a_resumed_search_that_recalls_its_proposals_makes_the_same_ones(
        self, make: Callable[..., Optimizer], asked: int
    ) -> None:
        def fail(proposal: Proposal) -> bool:
            return proposal.id % 3 == 2

        undisturbed = make()
        whole = run_search(undisturbed, fail=fail)
        resumed = make()
        resumed.recall({p.id: replace(p, params=_through_json(p)) for p in whole[:asked]})
        assert run_search(resumed, fail=fail) == whole
        assert resumed.best == undisturbed.best

    def test_what_is_recalled_of_another_seed_is_proposed(
        self, make: Callable[..., Optimizer]
    ) -> None:
        earlier = {proposal.id: proposal.params for proposal in run_search(make(seed=3))[:3]}
        optimizer = make(seed=4)
        optimizer.recall({number: dict(params) for number, params in earlier.items()})
        proposals = run_search(optimizer)
        assert {proposal.id: proposal.params for proposal in proposals[:3]} == earlier
        assert optimizer.finished


def _through_json(proposal: Proposal) -> dict[str, Any]:
    params: dict[str, Any] = json.loads(json.dumps(proposal.params))
    return params
