"""Makes what an experiment returns of what its driver knows at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hopsml_flows.ablation.findings import Findings
from hopsml_flows.driver.conclusion import Conclusion
from hopsml_flows.driver.driver import Driver
from hopsml_flows.driver.told_export import ToldExporter
from hopsml_flows.models.result_export import TrialExporter
from hopsml_flows.plan.plan import Plan
from hopsml_flows.storage import ExperimentFiles
from hopsml_flows.tracking import ExperimentRecord
from hopsml_flows.trials import ExperimentResult, PageLink

__all__ = ["experiment_result"]


def experiment_result(
    plan: Plan,
    driver: Driver,
    record: ExperimentRecord,
    pictures: Mapping[str, bytes],
    links: Iterable[PageLink],
    conclusion: Conclusion,
    findings: Findings | None = None,
) -> ExperimentResult:
    """Return the result of an experiment that has ended.

    Args:
        plan: The experiment.
        driver: Its driver.
        record: Its record, with the end.
        pictures: File name to PNG.
        links: Pages about it.
        conclusion: What follows from it.
        findings: What its trials mean together, of an ablation study.
    """
    project, key = plan.options.project, plan.optimization_key
    return plan.result_type(
        id=driver.paths.id,
        function=plan.verb,
        path=plan.options.project.full(driver.paths.root),
        state=record.state,
        direction=plan.direction,
        best=driver.loop.best,
        trials=tuple(sorted(driver.results, key=lambda trial: trial.number)),
        duration=record.duration or 0.0,
        flow_run_id=record.flow_run_id,
        optimization_key=plan.optimization_key,
        links=tuple(link for link in links if link.lasts),
        picture=pictures.get(ExperimentFiles.PARALLEL_PICTURE),
        confirmation=conclusion.confirmation,
        promotion=conclusion.promotion,
        exporter=ToldExporter(TrialExporter(project, driver.paths.id, key)),
        findings=findings,
    )
