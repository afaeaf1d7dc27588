"""The command ``hopsml``: shows and compares experiments on storage, and prepares a Prefect server.

Each subcommand is a module of this package, imported when it is called. None but ``rm`` changes
an experiment, and none but ``rerun`` needs the flow that runs it. Those of ``models`` are in a
package.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from cyclopts import App

from hopsml_flows import __version__
from hopsml_flows.cli.models import models_app
from hopsml_flows.errors import HopsmlError

__all__ = ["app", "main"]

# The texts stand here: `hopsml --help` shows them without importing the subcommands.
_LOGS = """Print the log of one trial, or of all trials.

For example:

```
hopsml logs last             # all trials of the newest experiment
hopsml logs last 3 -n 20     # the end of trial 3's log
hopsml logs digits-2026 -f   # follow the one with this beginning
```
"""
_SHOW = """Print what came of an experiment, its trials, and why some were stopped or promoted.

With TRIAL, print what came of that trial, which files it read, and which models it exported.

For example:

```
hopsml show last                              # the newest experiment
hopsml show last 3                            # its trial 3
hopsml show digits-2026 -p s3://bucket/demo   # the one with this beginning
hopsml show digits@-1 --json                  # the newest one of this name
```
"""
_TENSORBOARD = """Show experiments in a TensorBoard, until Ctrl-C.

Several experiments are shown side by side: each run is named after its experiment, and the HPARAMS
tab has the trials of all. TensorBoard follows experiments that run.

For example:

```
hopsml tensorboard           # the newest experiment
hopsml tensorboard --all --project s3://bucket/demo
```
"""
_SETUP_PREFECT = """Prepare the Prefect server that PREFECT_API_URL names.

Registers the block type of projects. Makes a work pool of type process, the concurrency limits, and
an automation that marks flow runs Crashed when their process is gone. Run it once, and again after
a change: it updates what exists, and makes nothing twice.

For example:

```
hopsml setup-prefect --pool-limit 2
hopsml setup-prefect --project s3://bucket/demo --block shared --limit gpu=4
```
"""

_UI = """Show all experiments of a project in a browser, until Ctrl-C.

The page lists, filters, plots and compares experiments and trials, those that run among them. It
reads the project's storage alone, and loads nothing from other servers.

For example:

```
hopsml ui --open
hopsml ui --project s3://bucket/demo --port 9000
```
"""

_REPLAY = """Run a search again from its journal, and say whether each decision comes out again.

Nothing is trained. The optimizer and the rule of early stopping get what they got then, and must
decide the same, bit for bit. If a decision differs, the command ends with code 1.

For example:

```
hopsml replay last
hopsml replay digits-2026 --project s3://bucket/demo
```
"""

_LIST = """List the experiments of a project, the newest first.

For example:

```
hopsml list                                   # the newest 20
hopsml list digits --state FAILED --since 7d  # of this name or identifier, of the last week
hopsml list --sort metric --all --json
```
"""
_TRIALS = """List the trials of an experiment that have ended, the best first.

For example:

```
hopsml trials last
hopsml trials digits@-1 --where "lr<0.1" --where optimizer=adam --sort seconds
hopsml trials digits-2026 --where state=FAILED --all
```
"""
_COMPARE = """Show experiments or trials side by side: settings that differ, and what came of them.

For example:

```
hopsml compare digits@-2 digits@-1   # the newest two experiments of a name
hopsml compare last/3 last/7         # two trials
```
"""
_BEST = """Print the best trial of an experiment, or of several that optimize the same.

For example:

```
hopsml best last
hopsml best --name digits --json   # of all experiments of this name
```
"""
_EXPORT = """Write the trials of experiments as a table, with a row per trial.

For example:

```
hopsml export last --csv > trials.csv
hopsml export digits@-2 digits@-1 --parquet -o trials.parquet
```
"""
_RM = """Remove experiments, with all their files, after a question.

An experiment that runs is not removed.

For example:

```
hopsml rm digits@-1
hopsml rm digits-20260131 iris-2026 --yes   # without a question
```
"""
_DIFF = """Show what differs between two experiments: parameters, program, environment.

Ends with code 1 if something differs, and with 0 if nothing does.

For example:

```
hopsml diff digits@-2 digits@-1
hopsml diff digits-2026 last --environment   # only the packages
```
"""
_RERUN = """Run trials of an experiment again, from what its directory keeps, and compare metrics.

The saved program runs with the parameters and the seed of each trial, as a new experiment. Before
that, the command says how the environment differs from the saved one. It ends with code 0 whether
or not metrics differ, unless --check is given.

For example:

```
hopsml rerun last                            # all trials that have a result
hopsml rerun digits-2026 3 --check 0.01      # trial 3; code 1 if its metric differs by more
hopsml rerun digits@-1 3 --environment       # in the saved environment, which uv builds
```
"""

app = App(
    name="hopsml",
    help="Show and compare experiments of hopsml-flows, and prepare a Prefect server for them.",
    version=__version__,
)
app.command("hopsml_flows.cli.logs:logs", help=_LOGS)
app.command("hopsml_flows.cli.show:show", help=_SHOW)
app.command("hopsml_flows.cli.tensorboard:tensorboard", help=_TENSORBOARD)
app.command("hopsml_flows.cli.setup_prefect:setup_prefect", help=_SETUP_PREFECT)
app.command("hopsml_flows.cli.replay:replay", help=_REPLAY)
app.command("hopsml_flows.cli.ui:ui", help=_UI)
app.command("hopsml_flows.cli.list_experiments:list_experiments", name="list", help=_LIST)
app.command("hopsml_flows.cli.trials:trials", help=_TRIALS)
app.command("hopsml_flows.cli.compare:compare", help=_COMPARE)
app.command("hopsml_flows.cli.best:best", help=_BEST)
app.command("hopsml_flows.cli.export:export", help=_EXPORT)
app.command("hopsml_flows.cli.diff:diff", help=_DIFF)
app.command("hopsml_flows.cli.rerun:rerun", help=_RERUN)
app.command("hopsml_flows.cli.rm:rm", help=_RM)
app.command(models_app)
app.register_install_completion_command(
    help="Install completion for your shell: bash, zsh or fish. New shells complete the command."
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: Its arguments; None for those of this process.
    """
    _escape_unencodable()
    try:
        app(arguments)
    except HopsmlError as error:
        print(f"hopsml: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of the output has gone, as `head` does
        _discard_output()
        sys.exit(141)


def _escape_unencodable() -> None:
    """Escape what the terminal's encoding lacks, such as a name that is not UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """Discard buffered output: Python would write it at exit, fail, and print a complaint."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
