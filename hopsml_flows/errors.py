"""Every error this project raises on purpose, and its one warning.

The module is below all others but ``redaction`` and ``text``, so that every layer may raise from
it. What looks like a secret of a URL is struck out of every message, and every message can be
written anywhere. An error that a caller may want to catch as a built-in mixes that built-in in::

    HopsmlError
    ├── InvalidArgumentError (ValueError)        a caller's argument is wrong; it had no effect
    │   ├── InvalidFunctionError (TypeError)         not a function, or not one that can be shipped
    │   ├── FunctionNotFoundError (ImportError)      an import string that does not resolve
    │   ├── SignatureMismatchError (TypeError)       hyperparameters that the function does not take
    │   ├── InvalidSpaceError                        value lists, bounds
    │   ├── InvalidProjectError                      project URL malformed or not writable
    │   ├── InvalidClusterError                      unknown or unreachable cluster
    │   ├── NotFoundError (LookupError)              no experiment or trial of that name, or several
    │   ├── InvalidReportError                       a running trial reported what is no metric
    │   └── ExperimentRunningError                   another driver runs the experiment to resume
    ├── InvalidOutputError (ValueError)          a training function returned something unusable
    ├── TrialFailedError (RuntimeError)          one trial failed; carries its result
    ├── TrialTimeoutError (TimeoutError)         a trial ran longer than trial_timeout
    ├── TrialStoppedError (RuntimeError)         the driver ended a trial before it had a result
    ├── WorkerLostError (RuntimeError)           the process of a trial died under it
    ├── ResourceUnavailableError (RuntimeError)  no worker has the GPU or resource asked for
    │   └── TooFewWorkersError                       a distributed trial has more processes
    ├── MissingPackageError (ImportError)        a verb needs a package that is not installed
    ├── UnsuitableKerasError (RuntimeError)      Keras 3 cannot train under the strategy
    ├── NotServingError (RuntimeError)           a server of a distributed trial returned too early
    ├── StorageUnavailableError (OSError)        storage did not take a trial's files; they are kept
    │   └── ExperimentInterruptedError               nor the driver's: `resume=` goes on
    ├── ExperimentTakenOverError (RuntimeError)  another driver took over while this one stood still
    ├── DamagedFileError (ValueError)            a file of an experiment is not what was written
    ├── NoSpaceError (OSError)                   not enough room for a copy
    ├── UnsupportedOperationError (NotImplementedError)  the storage has no such notion
    ├── ExperimentFailedError (RuntimeError)     all trials failed; carries the experiment's result
    ├── NotInTrialError (RuntimeError)           called outside a trial what only a trial has
    ├── CredentialsError (PermissionError)       AWS gives no temporary credentials
    ├── PrefectServerError (RuntimeError)        a Prefect server does not start, or is none
    └── TensorBoardError (RuntimeError)          a TensorBoard that somebody waits for does not run

    HopsmlWarning (UserWarning)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from hopsml_flows.redaction import redacted, shown_value
from hopsml_flows.text import readable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "CredentialsError",
    "DamagedFileError",
    "ExperimentFailedError",
    "ExperimentInterruptedError",
    "ExperimentRunningError",
    "ExperimentTakenOverError",
    "FunctionNotFoundError",
    "HopsmlError",
    "HopsmlWarning",
    "InvalidArgumentError",
    "InvalidClusterError",
    "InvalidFunctionError",
    "InvalidOutputError",
    "InvalidProjectError",
    "InvalidReportError",
    "InvalidSpaceError",
    "MissingPackageError",
    "NoSpaceError",
    "NotFoundError",
    "NotInTrialError",
    "NotServingError",
    "PrefectServerError",
    "ResourceUnavailableError",
    "SignatureMismatchError",
    "StorageUnavailableError",
    "TensorBoardError",
    "TooFewWorkersError",
    "TrialFailedError",
    "TrialStoppedError",
    "TrialTimeoutError",
    "UnsuitableKerasError",
    "UnsupportedOperationError",
    "WorkerLostError",
]


class HopsmlError(Exception):
    """Base of every error raised on purpose; its message can be written anywhere.

    Args:
        *args: As of any exception. Secrets in URLs are struck out of texts.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*map(_without_secrets, args))

    def __str__(self) -> str:
        return readable(super().__str__())


class HopsmlWarning(UserWarning):
    """Something was mended or left out that the caller should know of.

    Args:
        *args: As of any exception. Secrets in URLs are struck out of texts.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*map(_without_secrets, args))


class InvalidArgumentError(HopsmlError, ValueError):
    """An argument is wrong. It had no effect, and nothing was started or written.

    The message reads "argument: must ...; got value", or, where the value has the right form and
    cannot be used all the same, "argument: value cannot be used, because ...".

    Args:
        argument: Name of the argument as the caller wrote it.
        value: What was passed.
        must: What would have been right: a clause that begins with "must".
        because: Why the value cannot be used: a clause. Give one of the two.

    Example:
        >>> print(InvalidArgumentError("retries", -1, "must be at least 0"))
        retries: must be at least 0; got -1
        >>> print(InvalidArgumentError("resume", "digits-1", because="it has no record"))
        resume: 'digits-1' cannot be used, because it has no record
    """

    @overload
    def __init__(self, argument: str, value: object, must: str) -> None: ...

    @overload
    def __init__(self, argument: str, value: object, *, because: str) -> None: ...

    def __init__(
        self, argument: str, value: object, must: str | None = None, *, because: str | None = None
    ) -> None:
        self.argument = argument
        self.value = value
        self.must = must
        self.because = because
        text = _shortened(value)
        if must is not None:
            super().__init__(f"{argument}: {must}; got {text}")
        else:
            super().__init__(f"{argument}: {text} cannot be used, because {because}")

    def renamed(
        self, argument: str, kind: type[InvalidArgumentError] | None = None
    ) -> InvalidArgumentError:
        """The same complaint about an argument that the caller knows by another name.

        Args:
            argument: The other name.
            kind: Another class of it, if not the same.
        """
        return _rebuilt(kind or type(self), argument, self.value, self.must, self.because)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        # The value may be anything, also something that cannot be pickled: its text travels.
        value = _Text(_shortened(self.value))
        return _rebuilt, (type(self), self.argument, value, self.must, self.because)


class InvalidFunctionError(InvalidArgumentError, TypeError):
    """The training function is not callable, or cannot be sent to a worker."""


class FunctionNotFoundError(InvalidArgumentError, ImportError):
    """An import string does not lead to a function."""


class SignatureMismatchError(InvalidArgumentError, TypeError):
    """The hyperparameters are not the arguments of the training function."""


class InvalidSpaceError(InvalidArgumentError):
    """A value list or a bound of the search space is wrong."""


class InvalidProjectError(InvalidArgumentError):
    """The project cannot be used: malformed URL, unknown protocol, not writable."""


class InvalidClusterError(InvalidArgumentError):
    """The cluster is unknown, or its scheduler does not answer."""


class NotFoundError(InvalidArgumentError, LookupError):
    """A name means no experiment or trial that there is, or more than one."""


class InvalidReportError(InvalidArgumentError):
    """A training function reported something that is no metric, or went back in its steps."""


class ExperimentRunningError(InvalidArgumentError):
    """The experiment to resume is run by another driver, which the message names."""


class InvalidOutputError(HopsmlError, ValueError):
    """A training function returned something that is not a result."""


class TrialFailedError(HopsmlError, RuntimeError):
    """A trial failed.

    Args:
        message: Why, in one line.
        result: The trial's result with its error and traceback.
    """

    def __init__(self, message: str, result: Any = None) -> None:
        super().__init__(message)
        self.result = result

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return type(self), (str(self), self.result)


class TrialTimeoutError(HopsmlError, TimeoutError):
    """A trial ran longer than ``trial_timeout`` and was stopped."""


class TrialStoppedError(HopsmlError, RuntimeError):
    """The driver ended a trial before it had a result; the trial is not tried again."""

    def __init__(self, message: str = "the driver stopped the trial") -> None:
        super().__init__(message)


class WorkerLostError(HopsmlError, RuntimeError):
    """The process that ran a task died, or left the cluster, before it answered."""


class ResourceUnavailableError(HopsmlError, RuntimeError):
    """No worker of the cluster has the GPU, or another resource, that a task asks for."""


class TooFewWorkersError(ResourceUnavailableError):
    """A distributed trial has more processes than the cluster has workers for it."""


class MissingPackageError(HopsmlError, ImportError):
    """A verb, or what its training function does, needs a package that is not installed."""


class UnsuitableKerasError(HopsmlError, RuntimeError):
    """Keras 3 was asked to train under a strategy of several processes, which it cannot."""


class NotServingError(HopsmlError, RuntimeError):
    """A worker or parameter server returned while the chief needed it, or another one serves."""


class StorageUnavailableError(HopsmlError, OSError):
    """Storage did not take what belongs to it, for as long as it was waited for."""


class DamagedFileError(HopsmlError, ValueError):
    """A file of an experiment is not what was written there: cut short, edited, or another's.

    Args:
        file: Its path.
        reason: What is wrong with it, as the end of a sentence.
    """

    def __init__(self, file: str, reason: str) -> None:
        self.file = file
        self.reason = reason
        super().__init__(f"{file} {reason}")

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return type(self), (self.file, self.reason)


class ExperimentInterruptedError(StorageUnavailableError):
    """Storage refused what the driver of an experiment writes, until the driver ended the run.

    What was committed is safe, and ``resume=<experiment id>`` goes on.

    Args:
        message: Why, where the kept files lie, and how to go on.
        experiment_id: The experiment's identifier.
        kept: Where trials keep their files, each as ``host:directory``.
    """

    def __init__(self, message: str, experiment_id: str, kept: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.experiment_id = experiment_id
        self.kept = kept

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return type(self), (str(self), self.experiment_id, self.kept)


class ExperimentTakenOverError(HopsmlError, RuntimeError):
    """Another driver took the experiment over, since this one gave no sign of life for too long.

    Args:
        experiment_id: The experiment's identifier.
        taker: Who has the experiment now.
    """

    def __init__(self, experiment_id: str, taker: str) -> None:
        super().__init__(
            f"{experiment_id}: this driver gave no sign of life for too long, and lost the "
            f"experiment to {taker}; it writes nothing more"
        )
        self.experiment_id = experiment_id
        self.taker = taker

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return type(self), (self.experiment_id, self.taker)


class NoSpaceError(HopsmlError, OSError):
    """There is not enough room for a copy; nothing was copied."""


class UnsupportedOperationError(HopsmlError, NotImplementedError):
    """There is no such notion any more, or not on the project's storage, or no way to it."""


class ExperimentFailedError(HopsmlError, RuntimeError):
    """No trial of an experiment succeeded.

    Args:
        message: Why the first trial failed.
        result: The experiment's result, with all its failed trials.
    """

    def __init__(self, message: str, result: Any = None) -> None:
        super().__init__(message)
        self.result = result

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return type(self), (str(self), self.result)


class NotInTrialError(HopsmlError, RuntimeError):
    """A helper that belongs to a running trial was called outside of one."""


class CredentialsError(HopsmlError, PermissionError):
    """AWS gives no temporary credentials: no identity to ask with, a refusal, or no answer."""


class PrefectServerError(HopsmlError, RuntimeError):
    """The embedded Prefect server cannot start, or the configured one cannot be used."""


class TensorBoardError(HopsmlError, RuntimeError):
    """A TensorBoard that somebody asked for does not run."""


class _Text(str):
    """A value's text, printed as it is rather than quoted."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _rebuilt(
    kind: type[InvalidArgumentError],
    argument: str,
    value: object,
    must: str | None,
    because: str | None,
) -> InvalidArgumentError:
    if must is not None:
        return kind(argument, value, must)
    return kind(argument, value, because=str(because))


def _without_secrets(argument: object) -> object:
    return redacted(argument) if isinstance(argument, str) else argument


def _shortened(value: object, limit: int = 200) -> str:
    try:
        text = shown_value(value)
    except Exception as error:  # a broken __repr__ must not hide what is being reported
        text = f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"
    return text if len(text) <= limit else f"{text[:limit]}… ({type(value).__name__})"
