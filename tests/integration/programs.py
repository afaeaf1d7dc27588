"""Small programs of training code, each for something that works in any script."""

import asyncio
import inspect
import logging
import logging.config
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np


class Dataset:
    def __init__(self, size):
        self.size = size

    def __getitem__(self, index):
        return index * SCALE


SCALE = 3


def scaled(x):
    return x * SCALE


def only_by_name(x):
    """The training function itself does not refer to it."""
    return x + 1


class OnlyByName:
    pass


def put(queue, dataset):
    queue.put([dataset[n] for n in range(dataset.size)])


def process(method):
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    child = context.Process(target=put, args=(queue, Dataset(3)))
    child.start()
    found = queue.get(timeout=60)
    child.join()
    return found


def pool(method):
    with multiprocessing.get_context(method).Pool(2) as workers:
        return workers.map(scaled, range(4))


def executor():
    with ProcessPoolExecutor(2) as workers:
        return list(workers.map(scaled, [1, 2]))


def start_method():
    return multiprocessing.get_start_method()


def pickles_own_class():
    loaded = pickle.loads(pickle.dumps(Dataset(4)))
    return [loaded.size, type(loaded) is Dataset]


def pickles_by_name():
    import __main__

    found = pickle.loads(pickle.dumps(vars(__main__).get("Dataset", Dataset)))
    by_name = pickle.loads(b"c__main__\nonly_by_name\n.")
    return [found is Dataset, by_name(1), pickle.loads(b"c__main__\nOnlyByName\n.").__name__]


def joblib_dumps():
    import joblib

    joblib.dump(Dataset(5), "dataset.joblib")
    parallel = joblib.Parallel(n_jobs=2)(joblib.delayed(scaled)(n) for n in range(3))
    return [joblib.load("dataset.joblib").size, parallel]


def class_of_a_module():
    import programs_of_a_module

    return type(pickle.loads(pickle.dumps(programs_of_a_module.OfModule()))).__name__


def source():
    return inspect.getsource(scaled) + inspect.getsource(Dataset)


def source_of_a_module():
    import programs_of_a_module

    return inspect.getsource(programs_of_a_module.with_source)


def traceback_has_lines():
    import traceback

    try:
        Dataset(3)["a" : {}[1]]
    except KeyError:
        return traceback.format_exc().splitlines()[2].strip()


def autograph():
    import tensorflow as tf

    def kinked(x):
        if x > 2:
            return x * 10
        return x

    @tf.function
    def counted(n):
        i = tf.constant(0)
        while i < n:
            i += 2
        return i

    mapped = tf.data.Dataset.range(5).map(kinked)
    return [[int(x) for x in mapped], int(counted(tf.constant(5)))]


def main_thread():
    return threading.current_thread() is threading.main_thread()


def signals():
    rung = []
    signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    deadline = time.monotonic() + 60
    while not rung and time.monotonic() < deadline:
        time.sleep(0.01)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    return len(rung)


def event_loop():
    async def waited():
        await asyncio.sleep(0)
        return 5

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return asyncio.get_event_loop().run_until_complete(waited())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def configures_logging():
    logging.getLogger("early")
    logging.config.dictConfig(
        {
            "version": 1,
            "handlers": {"console": {"class": "logging.StreamHandler"}},
            "root": {"handlers": ["console"], "level": "DEBUG"},
        }
    )
    logging.getLogger("mine").debug("seen")
    return logging.getLogger("early").disabled


def logging_is_as_it_was():
    return [logging.root.manager.disable, logging.getLogger("early").disabled]


def leaks():
    os.environ["LEAKED"] = "yes"
    sys.path.insert(0, "/leaked")
    os.umask(0)
    sys.setrecursionlimit(5000)
    np.random.seed(1)
    logging.disable(logging.CRITICAL)
    np.seterr(all="raise")
    return "done"


def sees_no_leak():
    mask = os.umask(0o22)
    os.umask(mask)
    return [
        "LEAKED" in os.environ, "/leaked" in sys.path, mask, sys.getrecursionlimit(),
        logging.root.manager.disable, np.geterr()["divide"],
        np.random.random() == 0.417022004702574,
    ]  # fmt: skip


def arguments():
    return [os.path.basename(sys.argv[0]) == "script.py", sys.argv[1]]


def writes_beside():
    with open("beside.txt", "w") as file:
        file.write("here")
    return "beside.txt" in os.listdir()


def file_of_main():
    return [os.path.basename(__file__) == "script.py", __name__]


def annotations_of_a_module():
    import programs_of_a_module

    return programs_of_a_module.OfModule.__annotations__["rate"].__name__


def prefect_in_a_coroutine():
    async def imports():
        from prefect.context import TaskRunContext

        return TaskRunContext.__name__

    return asyncio.run(imports())


def own_logger():
    logger = logging.getLogger("of_the_script")
    logger.addHandler(logging.FileHandler("own.log"))
    return len(logger.handlers)


def leaves_an_alarm():
    def fail(*_):
        raise RuntimeError("alarm")

    signal.signal(signal.SIGALRM, fail)
    signal.setitimer(signal.ITIMER_REAL, 1000)
    return "armed"


def has_no_alarm():
    return signal.getitimer(signal.ITIMER_REAL)[0]


PROGRAMS = {
    "process by fork": lambda: process("fork"),
    "process by spawn": lambda: process("spawn"),
    "process by forkserver": lambda: process("forkserver"),
    "pool by fork": lambda: pool("fork"),
    "pool by spawn": lambda: pool("spawn"),
    "executor": executor,
    "start method": start_method,
    "pickles its own class": pickles_own_class,
    "pickles by name": pickles_by_name,
    "joblib": joblib_dumps,
    "class of a module": class_of_a_module,
    "annotations of a module": annotations_of_a_module,
    "prefect in a coroutine": prefect_in_a_coroutine,
    "own logger": own_logger,
    "own logger again": own_logger,
    "leaves an alarm": leaves_an_alarm,
    "has no alarm": has_no_alarm,
    "source": source,
    "source of a module": source_of_a_module,
    "traceback": traceback_has_lines,
    "autograph": autograph,
    "main thread": main_thread,
    "signals": signals,
    "event loop": event_loop,
    "dictConfig": configures_logging,
    "logging as it was": logging_is_as_it_was,
    "sees no leak before": sees_no_leak,
    "leaks": leaks,
    "sees no leak": sees_no_leak,
    "arguments": arguments,
    "writes beside": writes_beside,
    "file": file_of_main,
}

NAMES = list(PROGRAMS)


def one(name):
    return {"metric": 1, "returned": PROGRAMS[name]()}
