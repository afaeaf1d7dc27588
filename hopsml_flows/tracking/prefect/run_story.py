"""Tells the story of an experiment in the logs of its Prefect flow run.

The story says what runs where, each better trial, each generation, failed and repeated trials, and
the end. Prefect's log worker sends the lines in batches, and prints none of them: the terminal has
the progress and the report. An experiment of many trials tells a limited number of lines per
second.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hopsml_flows.text import number_text, plural
from hopsml_flows.tracking.prefect.markdown import as_text
from hopsml_flows.tracking.prefect.outcome import best_text, outcome_text, pairs_text
from hopsml_flows.trials import DEFAULT_KEY, Rate, State
from hopsml_flows.trials.confirmation import confirmation_facts, promotion_text
from hopsml_flows.trials.reasons import reasons

if TYPE_CHECKING:
    from hopsml_flows.tracking.record import ExperimentRecord
    from hopsml_flows.trials import Generation, Trial, TrialResult
    from hopsml_flows.trials.confirmation import Confirmation, Promotion

__all__ = ["RunStory", "domain_text"]

_AT_ONCE = 20
"""Lines of one kind at any speed, before the limit per second holds."""

_PER_SECOND = 0.1
_LONGEST = 500


class RunStory:
    """Writes the story of one experiment.

    Args:
        send: Gets a level of ``logging`` and a message; must return at once. None writes nothing.
        clock: Returns seconds since any fixed moment.
    """

    def __init__(
        self,
        send: Callable[[int, str], None] | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._clock = clock
        self._key = DEFAULT_KEY
        self._better: TrialResult | None = None
        self._of_best = Rate(burst=_AT_ONCE, per_second=_PER_SECOND)
        self._failures = _Repeated("trial failed", "trials failed")
        self._decisions = _Repeated("decision on a trial", "decisions on trials")
        self._retries = _Repeated("trial was started again", "trials were started again")

    def begin(self, record: ExperimentRecord, directory: str) -> None:
        """Tell what runs, and where.

        Args:
            record: The experiment's record.
            directory: Its directory, as a path or a URL without a password.
        """
        self._key = record.optimization_key or DEFAULT_KEY
        attempt = "" if record.attempt == 1 else f", attempt {record.attempt}"
        self._tell(f"Experiment {record.id}{attempt}: {record.function} of {record.train}")
        self._tell(f"Directory: {directory}")
        if record.search_space:
            space = {name: domain_text(domain) for name, domain in record.search_space.items()}
            self._tell(f"Search space: {pairs_text(space)}")
        options = record.options
        parts = [f"cluster {options.get('cluster')}"]
        if options.get("seed") is not None:
            parts.insert(0, f"seed {options['seed']}")
        if record.trials_total is not None:
            parts.insert(0, plural(record.trials_total, "trial"))
        if record.direction is not None:
            parts.append(f"{record.optimization_key} {record.direction}")
        self._tell(", ".join(parts))

    def improve(self, best: TrialResult) -> None:
        """Tell a better trial: now, or as soon as the limit allows.

        Args:
            best: The best trial so far.
        """
        self._better = best
        self.look()

    def look(self) -> None:
        """Tell the best trial, if it has not been told and the limit allows it now."""
        if self._better is not None and self._of_best.take(self._clock()):
            self._tell(f"Best so far: {best_text(self._key, self._better)}")
            self._better = None

    def explain(self, result: TrialResult) -> None:
        """Tell why a trial was promoted, and why it was ended early.

        Args:
            result: Its result.
        """
        for sentence in reasons([result]):
            self._repeated(self._decisions, as_text(sentence, _LONGEST), logging.INFO)

    def fail(self, result: TrialResult) -> None:
        """Tell a trial that failed.

        Args:
            result: Its result.
        """
        why = as_text(result.failure or "no metric", _LONGEST)
        self._repeated(self._failures, f"Trial {result.number} failed: {why}", logging.WARNING)

    def retry(self, trial: Trial) -> None:
        """Tell a trial that runs again.

        Args:
            trial: The trial, as it will be submitted.
        """
        if not trial.interrupted:
            said = f"The process of trial {trial.number} was lost: attempt {trial.attempt} follows"
        elif trial.attempt == 1:
            said = f"Storage kept trial {trial.number} from running: it runs again"
        else:  # both have happened to it
            said = f"Trial {trial.number} runs again: attempt {trial.attempt} follows"
        self._repeated(self._retries, said, logging.WARNING)

    def close_generation(self, over: Generation) -> None:
        """Tell a generation that has ended.

        Args:
            over: The generation.
        """
        parts = []
        if over.best is not None and over.best.metric is not None:
            metric = number_text(over.best.metric)
            parts.append(f"best {self._key} so far {metric} (trial {over.best.number})")
        if over.average is not None:
            parts.append(f"mean {number_text(over.average)}")
        parts.append(f"{over.failed} of {plural(len(over.results), 'trial')} failed")
        self._tell(f"Generation {over.number}: {', '.join(parts)}")

    def begin_confirming(self, intention: str) -> None:
        """Tell which trials evaluate the winner again.

        Args:
            intention: Which ones, in words.
        """
        self._tell(as_text(intention, _LONGEST))

    def confirm(self, confirmation: Confirmation) -> None:
        """Tell what came of evaluating the winner again.

        Args:
            confirmation: The confirmation.
        """
        for word, said in confirmation_facts(confirmation):
            self._tell(as_text(f"{word.capitalize()}: {said}", _LONGEST))

    def propose(self, promotion: Promotion) -> None:
        """Tell that a person is asked whether the winner becomes a version of a model.

        Args:
            promotion: What is proposed.
        """
        self._tell(as_text(f"Waiting for approval: {promotion_text(promotion)}", _LONGEST))

    def promote(self, promotion: Promotion) -> None:
        """Tell whether the winner became a version of a model.

        Args:
            promotion: The promotion.
        """
        word = "Promoted" if promotion.promoted else "Not promoted"
        self._tell(as_text(f"{word}: {promotion_text(promotion)}", _LONGEST))

    def end(self, record: ExperimentRecord, best: TrialResult | None) -> None:
        """Tell how the experiment ended.

        Args:
            record: The experiment's record, with its end.
            best: The best trial, or None.
        """
        for repeated in (self._failures, self._retries, self._decisions):
            if left := repeated.left():
                level = logging.INFO if repeated is self._decisions else logging.WARNING
                self._tell(left, level)
        took = timedelta(seconds=round(record.duration or 0.0))
        outcome = outcome_text(
            record.optimization_key,
            best,
            record.trials_succeeded + record.trials_failed,
            record.trials_failed,
            searched=record.direction is not None,
            stopped=record.trials_stopped,
        )
        said = f"{record.state.value} after {took}: {outcome}"
        if record.state is State.FINISHED:
            if record.notice:
                said += f". Ended before its budget was spent: {as_text(record.notice, _LONGEST)}"
            self._tell(said)
        else:
            why = f". {as_text(record.error, _LONGEST)}" if record.error else ""
            level = logging.ERROR if record.state is State.FAILED else logging.WARNING
            self._tell(said + why, level)

    def _repeated(self, kind: _Repeated, message: str, level: int) -> None:
        told = kind.told(message, self._clock())
        if told is not None:
            self._tell(told, level)

    def _tell(self, message: str, level: int = logging.INFO) -> None:
        if self._send is not None:
            self._send(level, message)


class _Repeated:
    """Messages of one kind at a limited rate. Those that are not told are counted.

    Args:
        one: What one of them says.
        several: What several of them say.
    """

    def __init__(self, one: str, several: str) -> None:
        self._one = one
        self._several = several
        self._rate = Rate(burst=_AT_ONCE, per_second=_PER_SECOND)
        self._untold = 0

    def told(self, message: str, now: float) -> str | None:
        """Return a message with the count of those before it, or None if it is only counted."""
        if not self._rate.take(now):
            self._untold += 1
            return None
        left = self.left()
        return message if left is None else f"{message} ({left})"

    def left(self) -> str | None:
        """Return the count of messages that were only counted since the last call, in words."""
        untold, self._untold = self._untold, 0
        if not untold:
            return None
        return f"{untold} more {self._one if untold == 1 else self._several} before"


def domain_text(domain: Any) -> str:
    """Return a hyperparameter's domain, or the list of its values, in words.

    Args:
        domain: Its description in the experiment's record.
    """
    if isinstance(domain, dict) and {"type", "low", "high"} <= domain.keys():
        scale = " (log)" if domain.get("log") else ""
        low, high = (as_text(domain[bound]) for bound in ("low", "high"))
        return f"{domain['type']} {low} to {high}{scale}"
    values = domain.get("choices", domain) if isinstance(domain, dict) else domain
    if isinstance(values, (list, tuple)):
        return " | ".join(as_text(value) for value in values)
    return as_text(values)
