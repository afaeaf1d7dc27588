"""Optuna's samplers as optimizers: TPE, Gaussian process, CMA-ES, or one of the user's.

The only module that imports Optuna, when a search is made. Optuna notes the time of each trial in
its own records; no proposal depends on it.
"""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from hopsml_flows.errors import InvalidArgumentError, InvalidSpaceError, MissingPackageError
from hopsml_flows.search.base import BaseSearch, Proposal, params_by_id
from hopsml_flows.search.direction import Direction
from hopsml_flows.search.initial_points import checked_points
from hopsml_flows.search.one_thread import in_one_thread
from hopsml_flows.search.randomness import generator, known_seed
from hopsml_flows.search.seen import Seen
from hopsml_flows.search.space import Categorical, Domain, Float, Int, SearchSpace
from hopsml_flows.values.arguments import LARGEST, whole_number
from hopsml_flows.values.copies import copied

__all__ = ["SAMPLERS", "OptunaSearch"]

SAMPLERS = ("tpe", "gp", "cmaes")
"""Names of Optuna's samplers."""

_PACKAGES = {"gp": ("scipy", "torch"), "cmaes": ("cmaes",)}
"""What a sampler needs besides Optuna."""

_REDRAWS = 10
"""How often Optuna is asked for one new configuration."""


class OptunaSearch(BaseSearch):
    """A search by one of Optuna's samplers; needs the extra ``optuna``.

    Running trials are taken into account: "tpe" treats them as bad results (constant liar), "gp"
    maximises the expected improvement of all together, and "cmaes" samples from a distribution.
    Their other settings are Optuna's defaults. "cmaes" draws categories at random. Failures are not
    learnt from. No configuration is proposed twice: if Optuna proposes none that is new in ten
    tries, one is drawn at random.

    Args:
        space: The search space.
        sampler: "tpe" (Bergstra et al., NeurIPS 2011; multivariate), "gp", which needs PyTorch and
            SciPy, "cmaes", or a sampler of Optuna's, which the search copies.
        num_trials: Number of configurations; None for no end.
        direction: Which way is better.
        initial: Configurations to evaluate first.
        seed: The same seed and the same results in the same order give the same proposals; None
            draws a seed. A sampler of yours has its own seed.

    Raises:
        InvalidArgumentError: An argument is out of its range; the message names it.
        InvalidSpaceError: The space has no number that "cmaes" could search.
        MissingPackageError: Optuna, or what the sampler needs besides, is not installed.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        sampler: Any = "tpe",
        num_trials: int | None = None,
        direction: Direction | str = Direction.MAX,
        initial: Sequence[Mapping[str, Any]] = (),
        seed: int | None = None,
    ) -> None:
        super().__init__(direction=direction)
        if isinstance(sampler, str) and sampler not in SAMPLERS:
            names = ", ".join(map(repr, SAMPLERS))
            raise InvalidArgumentError("sampler", sampler, f"must be one of {names}, or a sampler")
        optuna = _imported(sampler)
        if not isinstance(sampler, (str, optuna.samplers.BaseSampler)):
            raise InvalidArgumentError(
                "sampler", sampler, "must be a name or a sampler of Optuna's"
            )
        if sampler == "cmaes" and not any(map(_is_searched_number, space.values())):
            raise InvalidSpaceError("space", space, "must have a number to search with 'cmaes'")
        if num_trials is not None:
            num_trials = whole_number("num_trials", num_trials, least=1)
        most = LARGEST if num_trials is None else num_trials
        self._initial = checked_points(space, initial, most=most, limit="num_trials")
        self._seed = known_seed(seed)
        self._sampler = copied("sampler", sampler)
        limits = [limit for limit in (num_trials, space.cardinality) if limit is not None]
        self._planned = min(limits, default=None)
        self._endless = self._planned is None
        self._space = space
        self._seen = Seen(space)
        self._distributions = {
            name: self._distribution(domain)
            for name, domain in space.items()
            if domain.cardinality != 1
        }
        self._study = self._new_study()
        self._trials: dict[int, Any] = {}

    @property
    def _optuna(self) -> Any:
        """The module; as an attribute it would keep the search from being copied."""
        return importlib.import_module("optuna")

    @property
    def adaptive(self) -> bool:
        """True: each proposal depends on the results."""
        return True

    @property
    def total(self) -> int | None:
        """Number of configurations; None if there is no end."""
        return self._asked if self._exhausted else self._planned

    def recall(self, proposals: Mapping[int, Proposal | dict[str, Any]]) -> None:
        """Propose what an earlier run of this search proposed.

        Args:
            proposals: Proposals, or only their parameters as JSON has them, by their ids.
        """
        super().recall(self._seen.keep(params_by_id(proposals)))

    @in_one_thread
    def _propose(self, number: int) -> dict[str, Any] | None:
        while self._initial:
            point = self._initial.pop(0)
            if self._seen.add(point, number):
                self._trials[number] = self._trial_of(point)
                return point
        self._study.sampler = self._sampler_for(number)
        for _ in range(_REDRAWS):
            trial = self._study.ask(self._distributions)
            params = self._params(trial.params)
            if self._seen.add(params, number):
                self._trials[number] = trial
                return params
            self._fail(trial)
        drawn = self._seen.draw(generator(self._seed, number), number)
        if drawn is not None:
            self._trials[number] = self._trial_of(drawn)
        return drawn

    def _adopt(self, number: int, proposed: dict[str, Any], params: dict[str, Any]) -> None:
        self._seen.replace(proposed, by=params)
        self._fail(self._trials[number])
        self._trials[number] = self._trial_of(params)

    def _learn(self, proposal: Proposal, value: float | None) -> None:
        trial = self._trials.pop(proposal.id)
        if value is None:
            self._fail(trial)
        else:
            self._study.tell(trial, value)

    def _new_study(self) -> Any:
        way = "minimize" if self.direction is Direction.MIN else "maximize"
        with _silent(self._optuna.storages.InMemoryStorage.__module__):
            return self._optuna.create_study(
                storage=self._optuna.storages.InMemoryStorage(),
                sampler=self._sampler_for(0),
                direction=way,
                study_name="search",
            )

    def _sampler_for(self, number: int) -> Any:
        """Return the sampler of one proposal: its state is the study, its randomness the number."""
        if not isinstance(self._sampler, str):
            return self._sampler
        seed = int(generator(self._seed, number).integers(2**32))
        samplers = self._optuna.samplers
        make: dict[str, Callable[[], Any]] = {
            "tpe": lambda: samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True),
            "gp": lambda: samplers.GPSampler(seed=seed, warn_independent_sampling=False),
            "cmaes": lambda: samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False),
        }
        return make[self._sampler]()

    def _trial_of(self, params: Mapping[str, Any]) -> Any:
        """Return a running trial of Optuna's with a given configuration."""
        self._study.enqueue_trial(
            {name: _encoded(self._space[name], params[name]) for name in self._distributions}
        )
        return self._study.ask(self._distributions)

    def _fail(self, trial: Any) -> None:
        self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)

    def _params(self, suggested: Mapping[str, Any]) -> dict[str, Any]:
        """Return the configuration that Optuna's parameters stand for, with fixed values."""
        return {
            name: _decoded(domain, suggested[name]) if name in suggested else _fixed(domain)
            for name, domain in self._space.items()
        }

    def _distribution(self, domain: Domain) -> Any:
        distributions = self._optuna.distributions
        match domain:
            case Categorical():
                # Places, because Optuna takes True, 1 and 1.0 for equal, and no lists.
                return distributions.CategoricalDistribution(range(len(domain.choices)))
            case Int():
                return distributions.IntDistribution(domain.low, domain.high, log=domain.log)
            case Float():
                return distributions.FloatDistribution(domain.low, domain.high, log=domain.log)


def _imported(sampler: Any) -> Any:
    """Import Optuna, if it is there with all that a sampler needs."""
    needed = ("optuna", *(_PACKAGES.get(sampler, ()) if isinstance(sampler, str) else ()))
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        torch = [name for name in missing if name in _PACKAGES["gp"]]
        install = torch if torch == missing else ['"hopsml-flows[optuna]"', *torch]
        verb = "is" if len(missing) == 1 else "are"
        raise MissingPackageError(
            f"the optimizer {sampler!r} needs {' and '.join(missing)}, which {verb} not installed "
            f"(pip install {' '.join(install)})"
        )
    # Now, not in the first proposal, whose linear algebra would begin with other threads.
    for name in needed[1:]:
        importlib.import_module(_LINEAR_ALGEBRA.get(name, name))
    return importlib.import_module("optuna")


_LINEAR_ALGEBRA = {"scipy": "scipy.optimize"}
"""What of a package loads its libraries, if the package alone does not."""


def _is_searched_number(domain: Domain) -> bool:
    return not isinstance(domain, Categorical) and domain.cardinality != 1


def _fixed(domain: Domain) -> Any:
    return domain.choices[0] if isinstance(domain, Categorical) else domain.low


def _encoded(domain: Domain, value: Any) -> Any:
    return domain.index(value) if isinstance(domain, Categorical) else value


def _decoded(domain: Domain, value: Any) -> Any:
    match domain:
        case Categorical():
            return domain.choices[int(value)]
        case Int():
            return min(max(int(value), domain.low), domain.high)
        case Float():  # the exponential of a logarithm may miss the bound
            return min(max(float(value), domain.low), domain.high)


@contextmanager
def _silent(name: str) -> Iterator[None]:
    """Drop what this thread logs to a logger; the user's settings stay as they are."""
    here = threading.get_ident()

    def from_others(record: logging.LogRecord) -> bool:
        return record.thread != here

    logger = logging.getLogger(name)
    logger.addFilter(from_others)
    try:
        yield
    finally:
        logger.removeFilter(from_others)
