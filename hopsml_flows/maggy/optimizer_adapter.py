"""An optimizer that was written for Maggy, as one of this package's."""

from __future__ import annotations

import random
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.maggy.optimizers import AbstractOptimizer, Suggestion
from hopsml_flows.maggy.searchspace import Searchspace
from hopsml_flows.maggy.trial import Trial, trial_id
from hopsml_flows.search import BaseSearch, Direction, GaveUp, Proposal
from hopsml_flows.search.decisions import Decision
from hopsml_flows.values.copies import copied
from hopsml_flows.values.plain import check_name, check_value, plain

__all__ = ["AdaptedOptimizer"]

_IDLE = "IDLE"


class AdaptedOptimizer(BaseSearch):
    """Runs a subclass of :class:`AbstractOptimizer` as Maggy's driver does.

    The optimizer is copied, so that each search that is made begins with what it knows now. The
    search ends when ``get_suggestion`` returns None; ``num_trials`` is the optimizer's to obey, as
    in Maggy. Each trial that ends with a metric is passed to one call of ``get_suggestion``. Failed
    trials, which ended a Maggy experiment, are passed to none.

    What the optimizer draws from ``random`` and ``numpy.random`` comes from the seed and the
    proposal's number. The states of both are put back afterwards.

    Args:
        optimizer: The optimizer.
        searchspace: The search space.
        num_trials: Number of trials of the experiment.
        direction: Which way is better.
        seed: Seed, or None for what the generators give.

    Raises:
        InvalidArgumentError: The optimizer cannot be copied.

    Example:
        >>> from hopsml_flows.maggy.optimizers import RandomSearch
        >>> space = Searchspace(units=("INTEGER", [8, 64]))
        >>> search = AdaptedOptimizer(RandomSearch(), space, num_trials=2, seed=7)
        >>> [proposal.id for proposal in search.ask()]
        [1, 2]
    """

    def __init__(
        self,
        optimizer: AbstractOptimizer,
        searchspace: Searchspace,
        *,
        num_trials: int,
        direction: Direction | str = Direction.MAX,
        seed: int | None = None,
    ) -> None:
        super().__init__(direction=direction)
        own = copied("optimizer", optimizer)
        own.num_trials = num_trials
        own.searchspace = searchspace
        own.direction = self.direction.lower()
        own.trial_store = {}
        own.final_store = []
        if not hasattr(own, "trial_buffer"):  # its constructor does not call the base's
            own.trial_buffer = []
        self._optimizer = own
        self._seed = seed
        self._initialized = False
        self._finalized = False
        self._next: Suggestion = None
        self._trials: dict[int, Trial] = {}
        self._ended: deque[Trial] = deque()
        self._stuck: GaveUp | None = None

    @property
    def adaptive(self) -> bool:
        """True: a suggestion may depend on all results so far."""
        return True

    @property
    def total(self) -> int | None:
        """None: the optimizer says when it ends."""
        return None

    @property
    def gave_up(self) -> GaveUp | None:
        """Why the search ended early, if the optimizer waits for trials that do not run."""
        return self._stuck

    def ask(self, count: int | None = None) -> list[Proposal]:
        """Return the next proposals, at most ``count``.

        Args:
            count: The most proposals to return; None for as many as the optimizer suggests now.

        Raises:
            InvalidArgumentError: ``count`` is negative, or the optimizer suggests something that is
                no trial.
        """
        asked = super().ask(count)
        self._finalize_at_end()
        return asked

    def tell(
        self, proposal_id: int, value: float | None = None, *, failure: str | None = None
    ) -> None:
        """Report the result of a proposal, once.

        Args:
            proposal_id: The proposal's ``id``.
            value: Its metric.
            failure: Why there is no metric.

        Raises:
            InvalidArgumentError: As of :meth:`BaseSearch.tell`.
        """
        super().tell(proposal_id, value, failure=failure)
        self._finalize_at_end()

    def _ready(self) -> bool:
        if not self._initialized:
            with self._drawing(0):
                self._optimizer.initialize()
            self._initialized = True
        while True:
            ended = self._ended.popleft() if self._ended else None
            with self._drawing(self._asked + 1):
                self._next = self._optimizer.get_suggestion(ended)
            if self._next != _IDLE:
                return True
            if not self._ended:
                break
        if not self._pending:
            self._stuck = GaveUp(f"{self._name} waits for trials, and none is running")
            self._exhausted = True
        return False

    def _propose(self, number: int) -> dict[str, Any] | None:
        trial = self._next
        if trial is None:
            return None
        if not isinstance(trial, Trial):
            raise InvalidArgumentError(
                "optimizer", trial, f'must suggest a Trial, None or "{_IDLE}": see {self._name}'
            )
        for name, value in trial.params.items():
            check_name(self._name, name)
            check_value(f"{self._name}[{name!r}]", value)
        self._start(number, trial)
        return {name: plain(value) for name, value in trial.params.items()}

    def _start(self, number: int, trial: Trial) -> None:
        trial.status = Trial.RUNNING
        self._trials[number] = trial
        self._optimizer.trial_store[trial.trial_id] = trial

    def _adopt(self, number: int, proposed: dict[str, Any], params: dict[str, Any]) -> None:  # noqa: ARG002 - as in the base
        trial = self._trials[number]
        self._optimizer.trial_store.pop(trial.trial_id, None)
        trial.params, trial.trial_id = dict(params), trial_id(params)
        self._start(number, trial)

    def _judge(self, proposal: Proposal, step: int, value: float) -> Decision | None:
        self._trials[proposal.id].append_metric({"step": step, "value": value})
        return None

    def _forget(self, proposal: Proposal) -> None:
        trial = self._trials[proposal.id]
        trial.metric_history, trial.step_history, trial.metric_dict = [], [], {}

    def _learn(self, proposal: Proposal, value: float | None) -> None:
        trial = self._trials.pop(proposal.id)
        self._optimizer.trial_store.pop(trial.trial_id, None)
        if value is None:
            trial.status = Trial.ERROR
            return
        trial.status, trial.final_metric = Trial.FINALIZED, value
        self._optimizer.final_store.append(trial)
        self._ended.append(trial)

    def _finalize_at_end(self) -> None:
        if self.finished and not self._finalized:
            self._finalized = True
            self._optimizer.finalize_experiment(self._optimizer.final_store)

    @property
    def _name(self) -> str:
        return type(self._optimizer).__name__

    @contextmanager
    def _drawing(self, number: int) -> Iterator[None]:
        """Let the global generators draw from the seed and a number, for the block."""
        if self._seed is None:
            yield
            return
        source = random.Random(f"{self._seed} {number}")
        state = random.getstate()
        numpy: Any = sys.modules.get("numpy")  # an optimizer that draws from it has imported it
        legacy = None if numpy is None else numpy.random.get_state()
        random.setstate(source.getstate())
        if numpy is not None:
            numpy.random.seed(source.getrandbits(32))
        try:
            yield
        finally:
            random.setstate(state)
            if numpy is not None:
                numpy.random.set_state(legacy)
