"""Slurm's commands as far as dask-jobqueue uses them: a job is a process group of this machine.

``sbatch`` starts the job script as it is, so that workers are those of a real job script.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

SBATCH = """\
#!/bin/sh
# The script that is submitted is gone a moment later.
cp "$1" "{jobs}/script.$$"
chmod +x "{jobs}/script.$$"
setsid "{jobs}/script.$$" > "{jobs}/log.$$" 2>&1 < /dev/null &
job=$!
# squeue looks for the group, which is there a moment later.
while kill -s 0 "$job" 2> /dev/null && ! kill -s 0 -- "-$job" 2> /dev/null; do sleep 0.01; done
touch "{jobs}/job.$job"
echo "Submitted batch job $job"
"""

SCANCEL = """\
#!/bin/sh
# Nothing but jobs of this directory: the group 1, for one, is all processes there are.
if [ -e "{jobs}/job.$1" ]; then kill -s TERM -- "-$1"; fi
"""

SQUEUE = """\
#!/bin/sh
for job in "{jobs}"/job.*; do
  kill -s 0 -- "-${{job##*.}}" 2> /dev/null && echo "${{job##*.}}"
done
exit 0
"""


class Slurm:
    """The commands, in a directory that goes in front of ``PATH``.

    Args:
        directory: Where they go, with the scripts and logs of the jobs.
    """

    def __init__(self, directory: Path) -> None:
        self.bin = directory / "bin"
        self.jobs = directory / "jobs"
        self.bin.mkdir()
        self.jobs.mkdir()
        for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL), ("squeue", SQUEUE)):
            command = self.bin / name
            command.write_text(text.format(jobs=self.jobs))
            command.chmod(0o755)

    @property
    def submitted(self) -> list[int]:
        """The jobs that were submitted; each is the identifier of a process group."""
        return sorted(int(path.suffix[1:]) for path in self.jobs.glob("job.*"))

    @property
    def running(self) -> list[int]:
        """Those that have a process."""
        return [job for job in self.submitted if _lives(job)]

    def script(self) -> str:
        """A job script that was submitted."""
        return next(iter(self.jobs.glob("script.*"))).read_text()

    def kill(self, job: int) -> None:
        """End a job as a node does that fails."""
        with suppress(ProcessLookupError):
            os.killpg(job, signal.SIGKILL)

    def stop(self) -> None:
        """End all that is left."""
        for job in self.running:
            self.kill(job)


def _lives(job: int) -> bool:
    try:
        os.killpg(job, 0)
    except ProcessLookupError:
        return False
    return True
