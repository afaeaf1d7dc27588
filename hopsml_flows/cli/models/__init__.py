"""``hopsml models``: the versions of the models that a project has.

Each subcommand is a module of this package, imported when it is called. Only ``rm`` changes the
project.
"""

from __future__ import annotations

from cyclopts import App

__all__ = ["models_app"]

_MODELS = """List, show, copy, compare and remove versions of a project's models.

For example:

```
hopsml models list digits          # all versions
hopsml models show digits          # the newest version
hopsml models diff digits/1 digits/2
```
"""
_LIST = """List the versions of one model, or of all models of a project.

For example:

```
hopsml models list
hopsml models list digits --json
hopsml models list --experiment last
```
"""
_SHOW = """Print what is known of a version of a model: metrics, files, experiment.

For example:

```
hopsml models show digits      # the newest version
hopsml models show digits/3 --project s3://bucket/demo
```
"""
_DOWNLOAD = """Copy a version of a model to this machine, and verify each file by its SHA-256.

For example:

```
hopsml models download digits              # the newest version, into digits/<version>
hopsml models download digits/3 -o served  # into the directory served
```
"""
_RM = """Remove versions of models, with all their files, after a question.

A version that a process of this machine is writing is not removed.

For example:

```
hopsml models rm digits/1
hopsml models rm digits/1 digits/2 --yes   # without a question
```
"""
_DIFF = """Show what differs between two versions: metrics, hyperparameters, files, program.

Ends with code 1 if something differs, and with 0 if nothing does.

For example:

```
hopsml models diff digits/1 digits/2
hopsml models diff digits/1 digits --json   # the second is the newest version
```
"""

models_app = App(name="models", help=_MODELS)
models_app.command("hopsml_flows.cli.models.list_models:list_models", name="list", help=_LIST)
models_app.command("hopsml_flows.cli.models.show_model:show_model", name="show", help=_SHOW)
models_app.command(
    "hopsml_flows.cli.models.download_model:download_model", name="download", help=_DOWNLOAD
)
models_app.command("hopsml_flows.cli.models.diff_models:diff_models", name="diff", help=_DIFF)
models_app.command("hopsml_flows.cli.models.remove_models:remove_models", name="rm", help=_RM)
