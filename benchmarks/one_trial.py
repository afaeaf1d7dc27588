"""A program with one trial, which tells when the trial began: see ``versions.py``."""

from __future__ import annotations

import json
import sys
import time

BEGAN = time.time()


def tell(what: str) -> None:
    """Print the seconds since this program began."""
    print(json.dumps({what: time.time() - BEGAN}), flush=True)


def train() -> None:
    tell("trial_s")


if __name__ == "__main__":
    from hopsml_flows import experiment
    from hopsml_flows.driver import version_keeping
    from hopsml_flows.tracking.versions.captured import Captured

    if sys.argv[2] == "without":
        version_keeping.capture = lambda *_: Captured()
    experiment.launch(train, project=sys.argv[1], cluster="debug", progress=False)
    tell("over_s")
