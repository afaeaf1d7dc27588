from __future__ import annotations

import json
import subprocess
import sys

import pytest

from hopsml_flows.notebook import cell_output, in_notebook
from hopsml_flows.tracking.notebook_progress import progress_html
from hopsml_flows.trials import Counts, PageLink

LINKS = (PageLink("Prefect run", "http://host/run"), PageLink("<TB>", "http://host:1", lasts=False))

# What IPython publishes, without a kernel: a shell named like that of kernels.
PROGRAM = """
import json, os, sys, tempfile
os.environ["IPYTHONDIR"] = tempfile.mkdtemp()
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

sent = []

class Publisher(DisplayPublisher):
    def publish(self, data, metadata=None, *, transient=None, update=False, **kwargs):
        sent.append((transient["display_id"], update, data["text/plain"], data["text/html"]))

class ZMQInteractiveShell(InteractiveShell):
    display_pub_class = Publisher

shell = ZMQInteractiveShell.instance()
shell.display_pub = Publisher(parent=shell)
from hopsml_flows.tracking import open_progress, show_start
from hopsml_flows.trials import Counts, PageLink
shell.user_ns.update(globals())

def run(code):
    shell.run_cell(code, store_history=True).raise_error()

def print_sent():
    print(json.dumps(sent))
"""


def published(*cells):
    """What cells show, each as: number of its output, whether it is an update, text, HTML."""
    code = PROGRAM + "".join(f"run({cell!r})\n" for cell in cells) + "print_sent()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    sent = json.loads(done.stdout.splitlines()[-1])
    ids = list(dict.fromkeys(display for display, *_ in sent))
    return [(ids.index(display), *rest) for display, *rest in sent]


EXPERIMENT = """
with show_start("the workers", show=True):
    pass
with open_progress(show=True) as progress:
    progress.show_links([PageLink("Prefect run", "http://host/run"),
                         PageLink("TensorBoard", "http://host:1", lasts=False)])
    for done in range(3):
        progress.update(Counts(2, 0, done, 0), None, force=True)
"""


def test_a_cell_has_one_output_from_the_start_of_the_workers_to_the_end():
    sent = published(EXPERIMENT)
    assert [(number, update) for number, update, *_ in sent] == [(0, False)] + [(0, True)] * 5
    texts = [text for _, _, text, _ in sent]
    assert texts[:2] == ["Starting the workers …", ""]
    assert [text.split(" ")[0] for text in texts[2:]] == ["0/2", "1/2", "2/2", "2/2"]
    *_, before, last = (html for *_, html in sent)
    assert ("<progress" in before, "<progress" in last) == (True, False)
    assert ("TensorBoard" in before, "TensorBoard" in last) == (True, False)
    assert '<a href="http://host/run"' in last


def test_each_cell_and_each_experiment_of_a_cell_has_an_output_of_its_own():
    sent = published(EXPERIMENT, EXPERIMENT + EXPERIMENT)
    assert [number for number, *_ in sent] == [0] * 6 + [1] * 6 + [2] * 6


def test_an_experiment_that_is_stopped_says_so():
    stopped = EXPERIMENT.replace(
        "    for done", "    class Stop(BaseException): pass\n    for done"
    ).replace("None, force=True)", "None, force=True)\n        if done: raise Stop")
    sent = published(
        f"try:\n{''.join(f'    {line}' + chr(10) for line in stopped.splitlines())}"
        "except BaseException: pass"
    )
    assert sent[-1][2].startswith("1/2 trials")
    assert sent[-1][2].endswith("· stopped")


def test_what_the_user_named_is_escaped():
    html = progress_html("<b>best</b> \x1b[31mred", Counts(None, 1, 0, 0), LINKS)
    assert "&lt;b&gt;best&lt;/b&gt; red" in html
    assert "&lt;TB&gt;</a>" in html
    assert "<progress style" in html  # of an unknown length


def test_the_bar_has_the_share_that_is_done():
    html = progress_html("", Counts(6, 1, 2, 1))
    assert '<progress value="3" max="6"' in html


@pytest.mark.parametrize("show", [True, False])
def test_outside_of_a_notebook_nothing_is_shown(capsys, show):
    assert not in_notebook()
    output = cell_output()
    if show:
        output.show("text", "<b>text</b>")
    output.hand_back()
    assert capsys.readouterr().out == ""
