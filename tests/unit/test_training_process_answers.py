"""What a training process tells its worker, and when it goes on."""

from __future__ import annotations

import pickle
import threading
from multiprocessing import Pipe
from queue import SimpleQueue

from hopsml_flows.execution.process import training_program
from hopsml_flows.execution.process.messages import Called, Calling


def test_the_training_function_is_called_only_when_the_worker_can_know_of_it():
    answers = SimpleQueue()
    tell = training_program._teller(answers, training_program._Reporting())
    tell(Called())  # nothing waits for this one
    called = threading.Event()

    def training():
        tell(Calling())
        called.set()

    threading.Thread(target=training, daemon=True).start()
    # Nothing sends yet: as where the first line of a function stopped all threads.
    assert not called.wait(0.3)
    own, other = Pipe()
    threading.Thread(target=training_program._send, args=(other, answers), daemon=True).start()
    assert called.wait(60)
    assert own.poll(0)
    assert [type(pickle.loads(own.recv_bytes())) for _ in range(2)] == [Called, Calling]
    own.close()
    other.close()
