from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from rich.cells import cell_len

from hopsml_flows.ablation import Effect, effects, interactions, judge, with_costs
from hopsml_flows.ablation.findings import Costs, Findings
from hopsml_flows.ablation.findings_file import findings_from_json, findings_json
from hopsml_flows.ablation.page_part import effects_html, effects_svg, findings_html
from hopsml_flows.ablation.plot import MOST_ROWS, effects_plot
from hopsml_flows.ablation.report import (
    costs_table,
    effects_table,
    findings_table,
    interactions_table,
)
from hopsml_flows.ablation.verdicts import Verdict
from hopsml_flows.search import Direction
from hopsml_flows.storage import ExperimentFiles, ExperimentPaths
from hopsml_flows.storage.paths import is_own_file

METRICS = {
    "base": dict(enumerate([0.91, 0.93, 0.92, 0.92, 0.93])),
    "age <b>": dict(enumerate([0.71, 0.72, 0.72, 0.73, 0.72])),
    "a component with a name that is longer than any column": dict(
        enumerate([0.90, 0.94, 0.92, 0.91, 0.93])
    ),
    "列の名前": dict(enumerate([0.95, 0.97, 0.961, 0.96, 0.97])),
    "gone": {},
}


def judged(**costs):
    found = with_costs(effects(METRICS, base="base", direction="max"), **costs)
    return [judge(effect) for effect in found]


def test_the_table_is_as_wide_as_its_room_at_most_and_aligned():
    for width in (60, 80, 120):
        text = effects_table(judged(), width=width)
        assert max(map(cell_len, text.splitlines())) <= width
    assert "No room for: repeats, p (Holm)\n" in effects_table(judged(), width=60)
    head, *rows = effects_table(judged()).splitlines()[:5]
    assert head.split("  ")[0] == "without"
    at = cell_len(head[: head.index("verdict")])
    assert [row.split()[-1] for row in rows] == ["matters", "noise", "harmful", "unknown"]
    for row, word in zip(rows, ["matters", "within", "harmful", "unknown"], strict=True):
        assert cell_len(row[: row.index(word)]) == at


def test_the_table_ends_with_the_verdicts_in_words():
    text = effects_table(judged(), width=100)
    assert "age <b>: matters at 5 repeats: without it the metric is 0.202 worse" in text
    assert "gone: unknown: no repeat succeeded both with and without it" in text


PAIRS = {"both": ("age <b>", "列の名前")}


def study(**more):
    pairs = interactions(
        {**METRICS, "both": METRICS["age <b>"]}, PAIRS, base="base", direction="max"
    )
    costs = {"parameters": {"age <b>": 1234567}, "seconds": {"age <b>": 12.34, "gone": 1.5}}
    return Findings(
        METRICS,
        PAIRS,
        tuple(judged(**costs)),
        pairs,
        Direction.MAX,
        **{"metric": "accuracy", "base": Costs(1234600, 12.5), **more},
    )


def test_what_arms_cost_stands_beside_what_the_base_costs():
    found = study()
    for width in (60, 80, 120):
        lines = costs_table(found.effects, found.base, width=width).splitlines()
        assert lines[0].split() == ["without", "parameters", "time"]
        assert lines[1].split() == ["base", "1,234,600", "12.5", "s"]
        assert lines[2].split() == ["age", "<b>", "1,234,567", "12.3", "s"]
        assert max(map(cell_len, lines)) <= width
        assert "\n".join(lines) in findings_table(found, width=width)


def test_a_cost_that_is_not_known_has_no_column():
    assert costs_table(judged(), Costs()) == ""
    assert costs_table(judged(), Costs(seconds=1.0)).split()[:2] == ["without", "time"]


def test_a_study_that_looks_several_times_says_what_its_p_values_are():
    said = "p (Holm) is that of a fixed number of repeats."
    assert said in findings_table(study(is_sequential=True))
    assert said in findings_html(study(is_sequential=True))
    assert said not in findings_table(study()) + findings_html(study())


def test_everything_is_strict_json():
    content = findings_json(study())
    read = json.loads(json.dumps(content, allow_nan=False))
    assert read == content
    assert read["metrics"]["base"]["1"] == 0.93
    assert [entry["verdict"] for entry in read["effects"]] == [
        "matters",
        "within noise",
        "harmful",
        "unknown",
    ]
    first = read["effects"][0]
    assert first["low"] < first["mean"] < first["high"]
    assert read["effects"][1]["repeats_needed"] > 5
    assert read["interactions"][0]["parts"] == ["age <b>", "列の名前"]


@pytest.mark.parametrize("is_sequential", [True, False])
def test_what_was_found_is_read_back_from_its_file(is_sequential):
    found = replace(study(is_sequential=is_sequential, alpha=0.01), direction=Direction.MIN)
    assert findings_from_json(json.loads(json.dumps(findings_json(found)))) == found


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {},
        {"effects": None},
        {"effects": [None]},
        {"effects": [{"arm": "a"}]},
        {"effects": [{"arm": 1, "words": "", "repeats": 1, "verdict": "matters"}]},
        {"effects": [{"arm": "a", "words": "", "repeats": 1, "verdict": "new"}]},
        {"effects": [{"arm": "a", "words": "", "repeats": 1, "verdict": "matters", "p": "x"}]},
        {"effects": [{"arm": "a", "words": "", "repeats": 1.5, "verdict": "matters"}]},
        {"effects": [], "interactions": [{"arm": "a", "parts": ["b"]}]},
        {"effects": [], "metrics": {"base": {"1": "x"}}},
        {"effects": [], "metrics": [1]},
        {"effects": [], "base_seconds": 10**400},
    ],
)
def test_another_content_is_an_error(content):
    with pytest.raises(ValueError, match=r"these are no effects|is not a valid Verdict|unpack"):
        findings_from_json(content)


def test_the_picture_is_xml_with_a_row_per_arm_that_has_figures():
    root = ET.fromstring(effects_svg(judged(), metric="a & b"))
    groups = root.findall("{http://www.w3.org/2000/svg}g")
    titles = [group[0].text for group in groups]
    assert len(titles) == 3
    assert titles[0].startswith("age <b>: matters, 0.202, 0.1")
    assert "a & b" in root[0].text


def test_the_part_of_a_page_has_escaped_names_and_no_styles():
    text = findings_html(study(metric="accuracy <b>", is_sequential=True))
    assert "age &lt;b&gt;" in text
    assert "<b>" not in text
    assert "style=" not in text
    effects_part, pairs_part = ET.fromstring(f"<div>{text}</div>").findall("table")
    rows = [[cell.text or "" for cell in row] for row in effects_part.find("tbody")]
    assert rows[0][0] == "age <b>"
    assert rows[0][-3:-1] == ["1,234,567", "12.3 s"]
    assert rows[-1] == ["base", *[""] * 6, "1,234,600", "12.5 s", "leaves nothing out"]
    assert pairs_part.find("tbody")[0][0].text == "both"
    assert "base" not in effects_html(judged())


def test_pairs_have_a_table():
    metrics = {
        "base": dict(enumerate([9.0, 9.1, 9.2])),
        "a": dict(enumerate([8.0, 8.2, 8.1])),
        "b": dict(enumerate([8.0, 8.0, 8.2])),
        "a+b": dict(enumerate([1.0, 1.2, 1.1])),
    }
    found = interactions(metrics, {"a+b": ("a", "b")}, base="base", direction="max")
    text = interactions_table(found)
    assert text.splitlines()[0].split() == [
        *("without", "both", "beyond", "the", "sum", "95%", "interval"),
        *("p", "(Holm)", "repeats"),
    ]
    assert "each can stand in for the other" in " ".join(text.split())


def test_endless_intervals_are_cut_and_do_not_press_the_others_flat():
    wide = Effect(arm="wide", repeats=2, mean=0.1, low=-50.0, high=50.0, p=0.9, p_holm=0.9)
    plot = effects_plot([judge(wide), judge(replace(wide, arm="sure", low=0.05, high=0.15))])
    first, second = plot.rows
    assert first.cut_low and first.cut_high  # noqa: PT018 - both ends of one interval
    assert not second.cut_low
    assert second.high - second.low > 0.1


def test_a_picture_without_effects_is_an_empty_one():
    plot = effects_plot([judge(Effect(arm="gone", repeats=0))])
    assert (plot.rows, plot.left_out) == ((), 1)
    ET.fromstring(effects_svg([]))
    zero = Effect(arm="a", repeats=3, mean=0.0, low=0.0, high=0.0, p=1.0, p_holm=1.0)
    assert effects_plot([judge(zero)]).rows[0].mean == effects_plot([judge(zero)]).zero


def test_of_many_arms_those_with_the_largest_effects_are_shown():
    many = [
        judge(Effect(arm=str(n), repeats=3, mean=50.0 - n, low=49.0 - n, high=51.0 - n, p=0.5))
        for n in range(100)
    ]
    plot = effects_plot(many)
    assert len(plot.rows) == MOST_ROWS
    assert {plot.rows[0].arm, plot.rows[-1].arm} == {"0", "99"}
    assert plot.rows[0].verdict is Verdict.UNKNOWN


def test_the_files_of_effects_are_the_experiments_own():
    assert ExperimentPaths("x").effects == "Experiments/x/experiment-effects.json"
    assert is_own_file(ExperimentFiles.EFFECTS)
    assert is_own_file(ExperimentFiles.EFFECTS_PICTURE)
