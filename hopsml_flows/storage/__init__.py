"""The project's root on any fsspec storage, and every path below it."""

from hopsml_flows.storage.identity import process_lives, this_process
from hopsml_flows.storage.interface import FileInfo, Progress
from hopsml_flows.storage.marker import remove_marker, sees_marker, write_marker
from hopsml_flows.storage.paths import (
    EXPERIMENTS,
    MODELS,
    OF_EXPERIMENT,
    TRAINING_DATASETS_SUFFIX,
    ExperimentFiles,
    ExperimentPaths,
    GroupFiles,
    TrialFiles,
    is_log,
    is_of_experiment,
    is_own_file,
    model_version,
    process_log,
    process_of_log,
    scalars_file,
    training_dataset,
    training_datasets,
)
from hopsml_flows.storage.project import (
    DEFAULT_PROJECT,
    PROJECT_VARIABLE,
    Project,
    block_name,
    default_project,
)
from hopsml_flows.storage.proxies import (
    LOOPBACK_HOSTS,
    proxy_variables,
    reach_loopback_directly,
)
from hopsml_flows.storage.transient import has_no_room, is_of_storage, is_transient

__all__ = [
    "DEFAULT_PROJECT",
    "EXPERIMENTS",
    "LOOPBACK_HOSTS",
    "MODELS",
    "OF_EXPERIMENT",
    "PROJECT_VARIABLE",
    "TRAINING_DATASETS_SUFFIX",
    "ExperimentFiles",
    "ExperimentPaths",
    "FileInfo",
    "GroupFiles",
    "Progress",
    "Project",
    "TrialFiles",
    "block_name",
    "default_project",
    "has_no_room",
    "is_log",
    "is_of_experiment",
    "is_of_storage",
    "is_own_file",
    "is_transient",
    "model_version",
    "process_lives",
    "process_log",
    "process_of_log",
    "proxy_variables",
    "reach_loopback_directly",
    "remove_marker",
    "scalars_file",
    "sees_marker",
    "this_process",
    "training_dataset",
    "training_datasets",
    "write_marker",
]
