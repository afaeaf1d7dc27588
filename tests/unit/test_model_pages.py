from __future__ import annotations

import os
import re

import pytest

from hopsml_flows.models import ModelFile, ModelRecord, Origin
from hopsml_flows.service.web import experiments_app
from hopsml_flows.storage import ModelPaths, Project
from tests.pages import Browser
from tests.written import ID, over, result

EVIL = "<script>alert(1)</script>"
WEIGHTS = b"weights of the model"


def write(project, name, version, *, files=None, origin=None, **changes):
    """A version as an export leaves it."""
    paths = ModelPaths(name, version)
    content = {"weights.bin": WEIGHTS} if files is None else files
    for file, data in content.items():
        project.make_directory(os.path.dirname(paths.file(file)))
        project.replace(paths.file(file), data)
    listed = tuple(ModelFile(file, len(data), "a" * 64) for file, data in content.items())
    told = {"created": "2026-01-31T12:00:00+00:00", "library": "keras", "library_version": "3.1"}
    record = ModelRecord(name, version, files=listed, origin=origin or Origin(), **told | changes)
    project.make_directory(paths.root)
    project.replace(paths.record, record.to_json())
    return record


def of_trial(number=2, experiment=ID):
    return Origin(experiment, number, f"Experiments/{experiment}/0002-x=2", {"x": 2})


def hrefs(answer):
    return re.findall(r'href="(/models/[^"]+|/experiments/[^"]+)"', answer.text)


def test_a_project_without_models_says_how_one_is_made(project, browser):
    answer = browser.get("/models")
    assert answer.status_code == 200
    assert "No models yet" in answer.text
    assert "model.export" in answer.text
    assert 'href="/models"' in browser.get("/").text


def test_the_list_has_each_version_and_links_to_what_it_comes_from(project, browser):
    over(project, ID, [result(2, {"x": 2}, 0.75)])
    write(project, "digits", 1, metrics={"accuracy": 0.5}, user="ada")
    write(project, "digits", 12, metrics={"accuracy": 0.75}, origin=of_trial())
    write(project, "Iris 2", 1, origin=of_trial(1, "gone-20240301-120000-aaaaaa"))
    answer = browser.get("/models")
    assert hrefs(answer) == [
        "/models/Iris%202/1",
        "/models/digits/12",
        f"/experiments/{ID}",
        f"/experiments/{ID}/trials/2",
        "/models/digits/1",
    ]
    for text in ("accuracy <b>0.75</b>", "keras 3.1", "20 B", "ada"):
        assert text in answer.text
    # An experiment that was removed is named, and no link leads to it.
    assert "gone-20240301-120000-aaaaaa, trial 1" in answer.text


def test_the_list_is_filtered_by_name_description_and_experiment(project, browser):
    over(project, ID)
    write(project, "digits", 1, description="Two layers")
    write(project, "faces", 1, origin=of_trial())
    found = {
        query: re.findall(r'href="/models/(\w+)/1"', browser.get(f"/models?{query}").text)
        for query in ("q=DIG", "q=two", f"experiment={ID}", "q=nothing")
    }
    assert found == {
        "q=DIG": ["digits"],
        "q=two": ["digits"],
        f"experiment={ID}": ["faces"],
        "q=nothing": [],
    }
    assert "No model matches" in browser.get("/models?q=nothing").text


def test_a_version_has_metrics_parameters_files_and_its_program(project, browser):
    over(project, ID, [result(2, {"x": 2}, 0.75)])
    write(project, "digits", 1)
    write(
        project,
        "digits",
        2,
        files={"weights.bin": WEIGHTS, "variables/in dex": b"0123"},
        metrics={"accuracy": 0.75, "loss": float("inf")},
        input_signature=[{"shape": [None, 64]}],
        origin=of_trial(),
        description="two layers",
    )
    write(project, "digits", 7)
    answer = browser.get("/models/digits/2")
    assert answer.status_code == 200
    assert hrefs(answer) == [
        "/models/digits/1",
        "/models/digits/7",
        f"/experiments/{ID}",
        f"/experiments/{ID}/trials/2",
        f"/experiments/{ID}/program",
        "/models/digits/2/files/weights.bin",
        "/models/digits/2/files/variables/in%20dex",
    ]
    assert re.search(r"<dt>x</dt><dd>2</dd>", answer.text)
    for text in ("two layers", "<dt>accuracy</dt><dd>0.75</dd>", "shape", "24 B in 2 files"):
        assert text in answer.text
    assert "hopsml models download digits/2" in answer.text


def test_a_promoted_version_says_what_fresh_seeds_say_and_links_no_page_that_is_not_there(
    project, browser
):
    over(project, ID, [result(2, {"x": 2}, 0.75)])
    write(
        project,
        "digits",
        1,
        metrics={"accuracy": 0.7},
        origin=of_trial(1_000_001),
        confirmed={"accuracy": {"mean": 0.5, "metrics": [0.4, 0.6], "optimistic": 0.75}},
    )
    answer = browser.get("/models/digits/1")
    confirmed = (
        "<dt>accuracy, confirmed</dt><dd>0.5, the mean on 2 fresh seeds; the search found 0.75"
    )
    assert confirmed in answer.text
    assert "trial 1000001, which confirmed the winner" in answer.text
    assert not any("/trials/" in href for href in hrefs(answer))


def test_files_are_downloaded_and_never_shown(project, browser):
    write(project, "digits", 1, files={"page.html": b"<script>alert(1)</script>"})
    answer = browser.get("/models/digits/1/files/page.html")
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/models/digits/1/files/.model.json",
        "/models/digits/1/files/other",
        "/models/digits/1/files/..%2f..%2fsecret",
        "/models/digits/1/files/link",
        "/models/digits/2",
        "/models/digits/01",
        "/models/digits/x",
        "/models/..%2f..%2fdigits/1",
        "/models/linked/1",
        "/models/digits",
    ],
)
def test_nothing_but_files_of_models_in_the_project_is_read(project, browser, tmp_path, path):
    (tmp_path / "secret").write_text("a secret")
    other = Project(tmp_path / "other")
    write(other, "linked", 1, description="of another project")
    record = write(project, "digits", 1, files={"weights.bin": WEIGHTS, "link": b"x"})
    assert record.files[1].name == "link"
    place = project.local_root / ModelPaths("digits", 1).root
    (place / "link").unlink()
    (place / "link").symlink_to(tmp_path / "secret")
    (place / "other").write_text("not in the record")
    (project.local_root / "Models/linked").symlink_to(tmp_path / "other/Models/linked")
    answer = browser.get(path)
    assert answer.status_code == 404
    assert "a secret" not in answer.text
    assert "of another project" not in browser.get("/models").text


def test_texts_of_records_are_texts_on_all_pages(project, browser):
    over(project, ID, [result(2, {"x": 2}, 0.75)])
    write(
        project,
        EVIL.replace("/", ""),
        1,
        files={EVIL.replace("/", ""): b"x"},
        metrics={EVIL: 0.5},
        description=EVIL,
        user=EVIL,
        library=EVIL,
        input_signature={EVIL: EVIL},
        origin=Origin(ID, 2, None, {EVIL: EVIL}, EVIL),
    )
    name = "%3Cscript%3Ealert(1)%3Cscript%3E"
    pages = ("/models", f"/models/{name}/1", f"/experiments/{ID}", f"/experiments/{ID}/trials/2")
    for path in pages:
        answer = browser.get(path)
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "&lt;script&gt;alert" in answer.text


def test_an_experiment_and_a_trial_link_their_models(project, browser):
    over(project, ID, [result(1, {"x": 1}, 0.5), result(2, {"x": 2}, 0.75)])
    write(project, "digits", 3, origin=of_trial())
    write(project, "faces", 1, origin=of_trial(1))
    write(project, "other", 1)
    for path, linked in (
        ("", ["digits/3", "faces/1"]),
        ("/about", ["digits/3", "faces/1"]),
        ("/trials/1", ["faces/1"]),
        ("/trials/2", ["digits/3"]),
    ):
        answer = browser.get(f"/experiments/{ID}{path}")
        assert re.findall(r'href="/models/([^"?]+)"', answer.text) == linked


def test_many_models_of_an_experiment_are_counted(project, browser):
    over(project, ID, [result(2, {"x": 2}, 0.75)])
    for version in range(1, 14):
        write(project, "digits", version, origin=of_trial())
    answer = browser.get(f"/experiments/{ID}")
    assert len(re.findall(r'href="/models/digits/\d+"', answer.text)) == 10
    assert f'<a href="/models?experiment={ID}">3 more</a>' in answer.text


def test_a_damaged_record_is_told_and_hides_no_other(project, browser):
    write(project, "digits", 1)
    write(project, "faces", 1)
    project.replace(ModelPaths("faces", 1).record, "{")
    answer = browser.get("/models")
    assert hrefs(answer) == ["/models/digits/1"]
    assert "is no record of a model" in answer.text
    assert browser.get("/models/faces/1").status_code == 400


def test_a_repeated_experiment_is_linked(project, browser):
    new = "digits-20240401-120000-bbbbbb"
    over(project, ID, [result(2, {"x": 2}, 0.75)])
    over(project, new, rerun_of={"experiment": ID, "trial": 2})
    answer = browser.get(f"/experiments/{new}")
    assert f'Repeats <a href="/experiments/{ID}">{ID}</a>' in answer.text
    assert f'<a href="/experiments/{ID}/trials/2">trial 2</a>' in answer.text
    over(project, new, rerun_of={"experiment": EVIL, "trial": EVIL})
    answer = Browser(experiments_app(project)).get(f"/experiments/{new}")
    assert "Repeats &lt;script&gt;" in answer.text
    assert "<script>alert" not in answer.text
