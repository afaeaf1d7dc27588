"""Find and list experiments and trials, and read their logs, from the project's storage alone.

No running flow and no Prefect server is needed.

To find what the user typed: :func:`find_experiment` and :func:`find_trial`, which read the storage.
To list and compare many: :class:`ExperimentIndex`, which keeps a copy of what records and summaries
say in the machine's cache directory.

- ``refresh()`` brings the index up to date, and returns what has changed. Only this method reads
  the storage: one listing, and the files that changed. A page calls it at intervals, in a thread;
  ``refresh(thorough=False)`` is the cheap form for stores like S3.
- ``experiments(ExperimentQuery(…))`` is a page of the list, ``series(…)`` the same folded by name,
  ``choices()`` what filters can offer, ``experiment(id)`` a single :class:`ExperimentEntry`: its
  ``record``, ``state`` (with LOST, DAMAGED and UNKNOWN), ``problem`` in words, and the ``columns``
  of its trials, each with its range and whether all trials are alike in it.
- ``trials(id, TrialQuery(…))`` is a page of :class:`~hopsml_flows.trials.TrialResult`, filtered by
  conditions (:func:`parse_condition` reads "x>0.1") and sorted by any column; without ``sort`` the
  best come first. ``trial(id, number)`` is one, ``values(id, columns)`` whole columns for plots.

To read one experiment as it is now, without an index: :func:`find_stored` returns a
:class:`StoredExperiment`, whose record, trials, program and environment are read when they are
used. :func:`compared` puts :func:`experiment_facts` or :func:`trial_facts` side by side;
:func:`program_difference` and :func:`environment_facts` tell what else differs.
Only :func:`remove_experiment` and :func:`annotate_experiment` change storage.

The methods may be called from several threads, and several processes share an index. A record or
summary that is damaged, cut short or not of this project is an entry with a ``problem``; no method
raises because of it. The index can be removed at any time.
"""

from hopsml_flows.service.annotation import annotate_experiment
from hopsml_flows.service.comparison import (
    Comparison,
    ComparisonRow,
    compared,
    environment_facts,
    experiment_facts,
    program_difference,
    settings,
    trial_facts,
)
from hopsml_flows.service.experiment_finder import (
    LAST,
    TrialDirectory,
    find_experiment,
    find_trial,
    trial_directories,
)
from hopsml_flows.service.index import (
    EXPERIMENT_COLUMNS,
    TRIAL_COLUMNS,
    Column,
    Condition,
    ExperimentEntry,
    ExperimentIndex,
    ExperimentPage,
    ExperimentQuery,
    ExperimentState,
    Refreshed,
    Series,
    TrialPage,
    TrialQuery,
    parse_condition,
    parse_time,
)
from hopsml_flows.service.parquet_file import parquet_bytes
from hopsml_flows.service.removal import remove_experiment
from hopsml_flows.service.stored_experiment import (
    StoredExperiment,
    StoredTrial,
    best_of,
    find_stored,
    find_thing,
)
from hopsml_flows.service.trial_rows import columns_of, csv_text, trial_json, trial_row
from hopsml_flows.tracking.listing import experiments

__all__ = [
    "EXPERIMENT_COLUMNS",
    "LAST",
    "TRIAL_COLUMNS",
    "Column",
    "Comparison",
    "ComparisonRow",
    "Condition",
    "ExperimentEntry",
    "ExperimentIndex",
    "ExperimentPage",
    "ExperimentQuery",
    "ExperimentState",
    "Refreshed",
    "Series",
    "StoredExperiment",
    "StoredTrial",
    "TrialDirectory",
    "TrialPage",
    "TrialQuery",
    "annotate_experiment",
    "best_of",
    "columns_of",
    "compared",
    "csv_text",
    "environment_facts",
    "experiment_facts",
    "experiments",
    "find_experiment",
    "find_stored",
    "find_thing",
    "find_trial",
    "parquet_bytes",
    "parse_condition",
    "parse_time",
    "program_difference",
    "remove_experiment",
    "settings",
    "trial_directories",
    "trial_facts",
    "trial_json",
    "trial_row",
]
