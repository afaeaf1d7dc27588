"""Asynchronous halving against the algorithm as the paper has it, whatever the interleaving."""

from __future__ import annotations

import json
import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hopsml_flows.search import Asha, Direction, GoOn, Pause, SearchSpace
from hopsml_flows.search.rungs import rung_budgets

LINE = SearchSpace({"x": [0.0, 1.0]})
SMALL = SearchSpace({"x": [1, 3], "on": [True, False]})

# Few values, so that many are equal; None is a failure.
values = st.none() | st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0, math.nan]) | st.floats(-2, 2)
factors = st.integers(2, 4)
heights = st.integers(0, 3)
directions = st.sampled_from(Direction)
spaces = st.sampled_from([LINE, SMALL])
tells = st.tuples(st.integers(0, 9), values)
"""Which of the running proposals is told, and what."""
steps = st.lists(st.just("ask") | tells, max_size=60)


class Reference:
    """Algorithm 2 of Li et al., literally: every result of a rung is sorted at each proposal."""

    def __init__(self, budgets, factor, direction):
        self.budgets = budgets
        self.factor = factor
        self.sign = 1 if direction is Direction.MIN else -1
        self.results = [[] for _ in budgets]
        self.promoted = [set() for _ in budgets]

    def told(self, proposal, value):
        if value is not None and math.isfinite(value):
            rung = self.budgets.index(proposal.budget)
            self.results[rung].append((self.sign * value, proposal.id))

    def promotion(self):
        for rung in range(len(self.budgets) - 2, -1, -1):
            best = sorted(self.results[rung])[: len(self.results[rung]) // self.factor]
            left = [number for _, number in best if number not in self.promoted[rung]]
            if left:
                self.promoted[rung].add(left[0])
                return left[0], self.budgets[rung + 1]
        return None


def tell(search, proposal, value):
    if value is None:
        search.tell(proposal.id, failure="lost")
    else:
        search.tell(proposal.id, value)


@given(steps, factors, heights, directions, spaces)
def test_promotions_are_those_of_the_paper(actions, factor, height, direction, space):
    budgets = rung_budgets(1, factor**height, factor)
    search = Asha(
        space, reduction_factor=factor, max_budget=budgets[-1], direction=direction, seed=1
    )
    reference = Reference(budgets, factor, direction)
    made, running = {}, []
    for action in actions:
        if action == "ask":
            asked = search.ask(1)
            expected = reference.promotion()
            if not asked:
                assert expected is None
                assert space is SMALL
                continue
            (proposal,) = asked
            made[proposal.id] = proposal
            running.append(proposal)
            if expected is None:
                assert (proposal.continues, proposal.budget) == (None, 1)
            else:
                assert (proposal.continues, proposal.budget) == expected
                assert proposal.params == made[proposal.continues].params
        elif running:
            place, value = action
            proposal = running.pop(place % len(running))
            tell(search, proposal, value)
            reference.told(proposal, value)
    fresh = [json.dumps(p.params) for p in made.values() if p.continues is None]
    assert len(set(fresh)) == len(fresh)


@given(st.data(), factors, heights, directions, spaces)
def test_a_resumed_search_promotes_as_before_whatever_the_order_of_results(
    data, factor, height, direction, space
):
    settings = {"reduction_factor": factor, "max_budget": factor**height, "direction": direction}
    search = Asha(space, seed=1, **settings)
    made, told, running = [], {}, []
    for action in data.draw(steps):
        if action == "ask":
            fresh = search.ask(1)
            made += fresh
            running += fresh
        elif running:
            proposal = running.pop(action[0] % len(running))
            told[proposal.id] = action[1]
            tell(search, proposal, action[1])
    resumed = Asha(space, seed=2, **settings)
    resumed.recall({p.id: replace(p, params=json.loads(json.dumps(p.params))) for p in made})
    assert resumed.ask(len(made)) == made
    for number in data.draw(st.permutations(list(told))):
        tell(resumed, made[number - 1], told[number])
    for number in range(1, len(made) + 1):
        if number not in told:
            resumed.tell(number, failure="lost")
    known = {p.continues for p in made} - {None}
    assert known.isdisjoint(p.continues for p in resumed.ask(20))


reports = st.tuples(st.integers(0, 9), st.integers(0, 3), st.floats(-2, 2) | st.just(math.nan))
"""Which of the running proposals reports, how far its step is from the last one, and the value."""


@given(
    st.lists(st.just("ask") | tells.map(lambda t: ("tell", *t)) | reports, max_size=80),
    factors,
    heights,
    directions,
    spaces,
)
def test_with_reports_each_configuration_has_each_budget_once(
    actions, factor, height, direction, space
):
    budgets = rung_budgets(1, factor**height, factor)
    search = Asha(
        space,
        reduction_factor=factor,
        max_budget=budgets[-1],
        direction=direction,
        on_reports=True,
        seed=1,
    )
    now, running, paused, had = {}, [], set(), {}
    last = {}
    for action in actions:
        if action == "ask":
            for proposal in search.ask(1):
                running.append(proposal)
                now[proposal.id] = proposal.budget
                key = json.dumps(proposal.params)
                assert proposal.budget not in had.setdefault(key, [])
                had[key].append(proposal.budget)
                if proposal.continues is not None:
                    assert proposal.continues not in {p.id for p in running}
                    before = budgets.index(now[proposal.continues])
                    assert budgets.index(proposal.budget) == before + 1
        elif running and action[0] == "tell":
            proposal = running.pop(action[1] % len(running))
            tell(search, proposal, action[2])
        elif running:
            place, ahead, value = action
            proposal = running[place % len(running)]
            step = last[proposal.id] = last.get(proposal.id, 0) + ahead
            decision = search.report(proposal.id, step, value)
            if isinstance(decision, GoOn):
                assert proposal.id not in paused
                assert decision.budget == budgets[budgets.index(now[proposal.id]) + 1]
                now[proposal.id] = decision.budget
                had[json.dumps(proposal.params)].append(decision.budget)
            elif isinstance(decision, Pause):
                assert proposal.id not in paused
                assert now[proposal.id] != budgets[-1]
                paused.add(proposal.id)
            else:
                assert decision is None
    for budgets_had in had.values():
        assert sorted(set(budgets_had)) == list(budgets[: len(budgets_had)])
