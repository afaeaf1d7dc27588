"""Every error this project raises on purpose, and its one warning.

The module imports only ``redaction`` and ``text``, so that every layer may raise from it. Every
message can be written anywhere: what looks like a secret in a URL is struck out. Errors inherit
from the built-in error that a caller may want to catch::

    HopsmlError
    ├── InvalidArgumentError (ValueError)        a caller's argument is wrong; it had no effect
    │   ├── InvalidFunctionError (TypeError)         not a function, or one that cannot be shipped
    │   ├── FunctionNotFoundError (ImportError)      an import string does not resolve
    │   ├── SignatureMismatchError (TypeError)       the function lacks the hyperparameters
    │   ├── UnknownArgumentError (TypeError)         a verb has no argument of that name
    │   ├── InvalidSpaceError                        wrong value lists or bounds
    │   │   └── InvalidBoundsError (AssertionError)      wrong bounds of Maggy's Searchspace
    │   ├── InvalidProjectError                      project URL malformed or not writable
    │   ├── InvalidClusterError                      unknown or unreachable cluster
    │   ├── NotFoundError (LookupError)              a name matches none, or several
    │   │   └── ModelNotFound                            no such model, or version, or metric
    │   ├── ModelExistsError (FileExistsError)       the version of a model, or its copy, is there
    │   ├── InvalidReportError                       a training function reported no valid metric
    │   └── ExperimentRunningError                   another driver runs the experiment to resume
    ├── AblationError (ValueError)               a part cannot be left out of a model or of data
    ├── InvalidOutputError (ValueError)          a training function returned something unusable
    ├── TrialFailedError (RuntimeError)          one trial failed; carries its result
    ├── TrialTimeoutError (TimeoutError)         a trial ran longer than trial_timeout
    ├── TrialStoppedError (RuntimeError)         the driver ended a trial before it had a result
    ├── EarlyStopError (RuntimeError)            raised by a report of a trial that is to stop early
    ├── WorkerLostError (RuntimeError)           the process that ran a trial died
    ├── ResourceUnavailableError (RuntimeError)  no worker has the requested GPU or resource
    │   └── TooFewWorkersError                       a distributed trial has more processes
    ├── MissingPackageError (ImportError)        a verb needs a package that is not installed
    ├── UnsuitableKerasError (RuntimeError)      Keras 3 cannot train under the strategy
    ├── NotServingError (RuntimeError)           a server of a distributed trial returned too early
    ├── StorageUnavailableError (OSError)        storage did not accept or return a trial's files
    │   └── ExperimentInterruptedError               nor the driver's files; `resume=` continues
    ├── StuckSearchError (RuntimeError)          an optimizer neither proposes anything nor ends
    ├── ExperimentTakenOverError (RuntimeError)  another driver took over from a suspended one
    ├── DamagedFileError (ValueError)            a file of an experiment is not what was written
    ├── NoSpaceError (OSError)                   not enough room for a copy
    ├── UnsupportedOperationError (NotImplementedError)  gone, or not supported by the storage
    ├── ExperimentFailedError (RuntimeError)     all trials failed; carries the experiment's result
    ├── NotInTrialError (RuntimeError)           a helper for trials was called outside of a trial
    ├── CredentialsError (PermissionError)       AWS gives no temporary credentials
    ├── SavedEnvironmentError (RuntimeError)     a saved environment cannot be built again
    ├── PrefectServerError (RuntimeError)        a Prefect server cannot start or be used
    └── TensorBoardError (RuntimeError)          a TensorBoard in the foreground cannot run

    HopsmlWarning (UserWarning)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from hopsml_flows.redaction import redacted, shown_value
from hopsml_flows.text import readable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "AblationError",
    "CredentialsError",
    "DamagedFileError",
    "EarlyStopError",
    "ExperimentFailedError",
    "ExperimentInterruptedError",
    "ExperimentRunningError",
    "ExperimentTakenOverError",
    "FunctionNotFoundError",
    "HopsmlError",
    "HopsmlWarning",
    "InvalidArgumentError",
    "InvalidBoundsError",
    "InvalidClusterError",
    "InvalidFunctionError",
    "InvalidOutputError",
    "InvalidProjectError",
    "InvalidReportError",
    "InvalidSpaceError",
    "MissingPackageError",
    "ModelExistsError",
    "ModelNotFound",
    "NoSpaceError",
    "NotFoundError",
    "NotInTrialError",
    "NotServingError",
    "PrefectServerError",
    "ResourceUnavailableError",
    "SavedEnvironmentError",
    "SignatureMismatchError",
    "StorageUnavailableError",
    "StuckSearchError",
    "TensorBoardError",
    "TooFewWorkersError",
    "TrialFailedError",
    "TrialStoppedError",
    "TrialTimeoutError",
    "UnknownArgumentError",
    "UnsuitableKerasError",
    "UnsupportedOperationError",
    "WorkerLostError",
]


class HopsmlError(Exception):
    """Base of every error that the project raises on purpose. Its message can be written anywhere.

    Args:
        *args: As of any exception. Secrets in the URLs of texts are struck out.

    Example:
        >>> print(HopsmlError("cannot reach s3://key:secret@bucket"))
        cannot reach s3://key:***@bucket
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*map(_without_secrets, args))

    def __str__(self) -> str:
        return readable(super().__str__())


class HopsmlWarning(UserWarning):
    """Tells the user of something that was corrected or left out.

    Args:
        *args: As of any exception. Secrets in the URLs of texts are struck out.
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
    """The training function cannot be called, or cannot be sent to a worker."""


class FunctionNotFoundError(InvalidArgumentError, ImportError):
    """An import string does not lead to a function."""


class SignatureMismatchError(InvalidArgumentError, TypeError):
    """The hyperparameters are not the arguments of the training function."""


class UnknownArgumentError(InvalidArgumentError, TypeError):
    """A verb has no argument of that name; the message names the one that may be meant."""


class InvalidSpaceError(InvalidArgumentError):
    """A value list or a bound of the search space is wrong."""


class InvalidBoundsError(InvalidSpaceError, AssertionError):
    """The bounds of a hyperparameter in Maggy's ``Searchspace`` are not two that rise.

    Maggy's programs expect an ``AssertionError`` here, and a ``ValueError`` elsewhere.
    """


class InvalidProjectError(InvalidArgumentError):
    """The project cannot be used: malformed URL, unknown protocol, not writable."""


class InvalidClusterError(InvalidArgumentError):
    """The cluster is unknown, or its scheduler does not answer."""


class NotFoundError(InvalidArgumentError, LookupError):
    """A name matches no experiment or trial, or more than one."""


class ModelNotFound(NotFoundError):  # noqa: N818 - HopsML's name
    """The project has no such model, no such version of it, or none with the metric."""


class ModelExistsError(InvalidArgumentError, FileExistsError):
    """The version of a model is there already, or is being written; or its local copy is there."""


class InvalidReportError(InvalidArgumentError):
    """A training function reported something that is no metric, or a step below the last one."""


class ExperimentRunningError(InvalidArgumentError):
    """Another driver, which the message names, runs the experiment to resume."""


class AblationError(HopsmlError, ValueError):
    """A part of a model or of its data cannot be left out. The message names layers and shapes.

    A trial of an ablation study fails with it, and the study goes on.
    """


class InvalidOutputError(HopsmlError, ValueError):
    """A training function returned something that cannot be a result."""


class TrialFailedError(HopsmlError, RuntimeError):
    """A trial failed.

    Args:
        message: The reason, in one line.
        result: The trial's result, with its error and traceback.
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


class EarlyStopError(HopsmlError, RuntimeError):
    """Raised by ``reporter.broadcast`` in a trial that is to stop early; the message says why.

    Let it pass: the trial then ends with its last report as its metric. A training function may
    catch it to clean up, and return; what it returns are the trial's outputs.
    """


class WorkerLostError(HopsmlError, RuntimeError):
    """The process that ran a task died, or left the cluster, before it returned."""


class ResourceUnavailableError(HopsmlError, RuntimeError):
    """No worker of the cluster has the GPU, or another resource, that a task needs."""


class TooFewWorkersError(ResourceUnavailableError):
    """A distributed trial has more processes than the cluster has suitable workers."""


class MissingPackageError(HopsmlError, ImportError):
    """A verb, or a call of its training function, needs a package that is not installed."""


class UnsuitableKerasError(HopsmlError, RuntimeError):
    """Keras 3 cannot train under a strategy of several processes."""


class NotServingError(HopsmlError, RuntimeError):
    """A server of a distributed trial returned too early, or another process called ``serve()``."""


class StorageUnavailableError(HopsmlError, OSError):
    """Storage did not answer, or did not accept a file, within the time limit."""


class DamagedFileError(HopsmlError, ValueError):
    """A file of an experiment is not what was written there: cut short, edited, or another's.

    Args:
        file: The file's path.
        reason: What is wrong with the file, as the end of a sentence that begins with its path.

    Example:
        >>> print(DamagedFileError("digits/.summary.json", "is not JSON"))
        digits/.summary.json is not JSON
    """

    def __init__(self, file: str, reason: str) -> None:
        self.file = file
        self.reason = reason
        super().__init__(f"{file} {reason}")

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return type(self), (self.file, self.reason)


class ExperimentInterruptedError(StorageUnavailableError):
    """Storage refused the driver's files for so long that the driver ended the run.

    Committed trials are safe. To continue, make the same call with ``resume="<experiment id>"``.

    Args:
        message: The reason, where the kept files lie, and how to continue.
        experiment_id: The experiment's identifier.
        kept: Directories with files that storage did not accept, each as ``host:directory``.
    """

    def __init__(self, message: str, experiment_id: str, kept: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.experiment_id = experiment_id
        self.kept = kept

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return type(self), (str(self), self.experiment_id, self.kept)


class StuckSearchError(HopsmlError, RuntimeError):
    """An optimizer neither proposes anything nor ends, and no trial runs that it could wait for."""


class ExperimentTakenOverError(HopsmlError, RuntimeError):
    """Another driver took the experiment over, because this one gave no sign of life for too long.

    Args:
        experiment_id: The experiment's identifier.
        taker: The driver that has the experiment now, in words.
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
    """A copy needs more room than there is; nothing was copied."""


class UnsupportedOperationError(HopsmlError, NotImplementedError):
    """The operation no longer exists, or the project's storage does not support it."""


class ExperimentFailedError(HopsmlError, RuntimeError):
    """No trial of an experiment succeeded.

    Args:
        message: The reason why the first trial failed.
        result: The experiment's result, with all its failed trials.
    """

    def __init__(self, message: str, result: Any = None) -> None:
        super().__init__(message)
        self.result = result

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return type(self), (str(self), self.result)


class NotInTrialError(HopsmlError, RuntimeError):
    """A helper for running trials was called outside of one.

    Example:
        >>> from hopsml_flows import reporter
        >>> try:
        ...     reporter.current()
        ... except NotInTrialError as error:
        ...     print(isinstance(error, RuntimeError))
        True
    """


class CredentialsError(HopsmlError, PermissionError):
    """AWS gave no temporary credentials: no credentials to ask with, a refusal, or no answer."""


class SavedEnvironmentError(HopsmlError, RuntimeError):
    """The environment that an experiment keeps cannot be built: Python or a package is missing."""


class PrefectServerError(HopsmlError, RuntimeError):
    """The embedded Prefect server cannot start, or the configured one cannot be used."""


class TensorBoardError(HopsmlError, RuntimeError):
    """A TensorBoard in the foreground cannot run."""


class _Text(str):
    """The text of a value, whose ``repr`` is the text itself, without quotes."""

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
