"""The main module of processes that training code spawns, in place of the user's script.

multiprocessing runs this module as ``__mp_main__``. The script itself would start its experiment
again, and may be missing on this machine.
"""

import os
import sys
from pathlib import Path

from hopsml_flows.execution.main_module import PAYLOAD_VARIABLE
from hopsml_flows.execution.payload import live_in_this_process, unpacked

__all__ = ["PAYLOAD_VARIABLE"]

if PAYLOAD_VARIABLE in os.environ:
    _packed = Path(os.environ[PAYLOAD_VARIABLE]).read_bytes()
    live_in_this_process(_packed)
    unpacked(_packed, own_process=True)
    globals().update(vars(sys.modules["__main__"]))
