"""The role of this process in a distributed trial, for training functions.

For training functions that ``experiment.mirrored``, ``parameter_server`` or ``distributed`` runs,
or a search with ``processes_per_trial``.

Example:
    >>> from hopsml_flows import distributed
    >>> def train():
    ...     if distributed.is_chief():
    ...         print("checkpoints in", distributed.checkpoint_dir())
"""

from __future__ import annotations

from typing import NoReturn

from hopsml_flows.errors import NotServingError
from hopsml_flows.execution.group import current_process

__all__ = ["checkpoint_dir", "index", "is_chief", "role", "serve"]


def role() -> str:
    """Return the role of this process: "chief", "worker", "ps" or "evaluator".

    PyTorch's processes are all workers.

    Raises:
        NotInTrialError: This process is not part of a distributed trial.
    """
    return current_process("distributed.role()")[0].member.role.value


def index() -> int:
    """Return the number of this process among those with its role, from 0.

    Raises:
        NotInTrialError: This process is not part of a distributed trial.
    """
    return current_process("distributed.index()")[0].member.index


def is_chief() -> bool:
    """Whether this process is the leader, whose outputs and TensorBoard events are the trial's.

    The leader is the chief, or with PyTorch the process of rank 0.

    Raises:
        NotInTrialError: This process is not part of a distributed trial.
    """
    return current_process("distributed.is_chief()")[0].leads


def checkpoint_dir() -> str:
    """Return the local directory for checkpoints, shared by all processes and attempts of a trial.

    When a process dies, all are started again, and find the earlier checkpoints here. For example,
    ``keras.callbacks.BackupAndRestore(distributed.checkpoint_dir())`` continues after the last
    epoch. On a local project it is the directory ``checkpoints`` in the trial's. Otherwise the
    processes of one machine share it. The content on the leader's machine is copied to the project
    every ``sync_interval`` seconds, and from there to other machines before a restart.

    Returns:
        An absolute path with a slash at its end, like that of ``tensorboard.logdir()``.

    Raises:
        NotInTrialError: This process is not part of a distributed trial.
    """
    return f"{current_process('distributed.checkpoint_dir()')[1]}/"


def serve() -> NoReturn:
    """Run the TensorFlow server that the chief needs on each worker and parameter server.

    It never returns: this process is ended when the chief is done.

    Raises:
        NotInTrialError: This process is not part of a distributed trial.
        NotServingError: The chief needs no server of this process.
    """
    process, _ = current_process("distributed.serve()")
    if not process.serves:
        raise NotServingError(
            "distributed.serve() is for workers and parameter servers of "
            f"experiment.parameter_server; this process is a {process.member.role.value} of "
            f"{process.shape}"
        )
    import tensorflow as tf

    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    server = tf.distribute.Server(
        resolver.cluster_spec(),
        job_name=resolver.task_type,
        task_index=resolver.task_id,
        protocol="grpc",
    )
    server.join()
    raise AssertionError("a TensorFlow server does not end by itself")
