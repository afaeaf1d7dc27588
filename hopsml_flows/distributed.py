"""Which process of a distributed training this is, for training functions.

For training functions that ``experiment.mirrored``, ``parameter_server`` or ``distributed`` runs,
or a search with ``processes_per_trial``.
"""

from __future__ import annotations

from typing import NoReturn

from hopsml_flows.errors import NotServingError
from hopsml_flows.execution.group import current_process

__all__ = ["checkpoint_dir", "index", "is_chief", "role", "serve"]


def role() -> str:
    """What this process does: "chief", "worker", "ps" or "evaluator".

    PyTorch's processes are all workers.

    Raises:
        NotInTrialError: This is no process of a distributed training.
    """
    return current_process("distributed.role()")[0].member.role.value


def index() -> int:
    """Number of this process among those with its role, from 0.

    Raises:
        NotInTrialError: This is no process of a distributed training.
    """
    return current_process("distributed.index()")[0].member.index


def is_chief() -> bool:
    """Whether this process leads: its outputs and its TensorBoard events are the experiment's.

    That is the chief, or with PyTorch the one of rank 0.

    Raises:
        NotInTrialError: This is no process of a distributed training.
    """
    return current_process("distributed.is_chief()")[0].leads


def checkpoint_dir() -> str:
    """Local directory for checkpoints, shared by all processes and all attempts.

    After a process died, all are started again, and find here what was written before: for
    instance ``keras.callbacks.BackupAndRestore(distributed.checkpoint_dir())`` goes on from the
    last epoch. On a local project it is the directory ``checkpoints`` of the experiment. Otherwise
    it is shared by the processes of one machine, and what the chief's machine has is brought to
    the project now and then, and to other machines before a restart.

    Returns:
        An absolute path with a slash at its end, as that of ``tensorboard.logdir()``.

    Raises:
        NotInTrialError: This is no process of a distributed training.
    """
    return f"{current_process('distributed.checkpoint_dir()')[1]}/"


def serve() -> NoReturn:
    """Be the TensorFlow server that the chief needs of a worker or a parameter server.

    It does not return: the process is ended when the chief is done.

    Raises:
        NotInTrialError: This is no process of a distributed training.
        NotServingError: It is none that serves.
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
