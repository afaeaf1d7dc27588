from __future__ import annotations

from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.flows import Flow

from hopsml_flows import experiment
from hopsml_flows.cluster import TrialTaskRunner
from hopsml_flows.cluster.config import ClusterConfig
from tests.servers.prefect import task_runs

from .training import product


def test_verbs_are_flows():
    for verb in (experiment.launch, experiment.grid_search, experiment.random_search):
        assert isinstance(verb, Flow)
        schema = verb.parameters.model_dump()
        assert schema["properties"]["train"]["type"] == "string"
        assert schema["properties"]["name"]["default"] is None
    renamed = experiment.grid_search.with_options(name="mine")
    assert renamed.name == "mine"
    assert experiment.grid_search.name == "grid-search"


def test_a_flow_with_other_options_runs(options):
    result = experiment.grid_search.with_options(name="renamed-search")(
        product, {"x": [1, 3]}, **options
    )
    assert result.best_metric == 6
    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(result.flow_run_id)
        assert client.read_flow(flow_run.flow_id).name == "renamed-search"


def test_an_experiment_inside_another_flow_is_its_subflow(options):
    @flow
    def pipeline(best_of):
        result = experiment.grid_search(product, {"x": best_of}, **options)
        return result.best_metric, result.flow_run_id

    state = pipeline([1, 5], return_state=True)
    metric, child = state.result()
    assert metric == 10
    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(child)
    assert flow_run.parent_task_run_id is not None


def test_return_state_gives_a_prefect_state(options):
    state = experiment.grid_search(product, {"x": [1]}, return_state=True, **options)
    assert state.is_completed()
    assert state.result().best_metric == 2


@task
def add(one, other):
    return one + other


@task
async def double(value):
    return value * 2


@task
def fail():
    raise ValueError("on purpose")


def test_anybodys_flow_may_use_the_task_runner(prefect_server, dask_address):
    @flow(task_runner=TrialTaskRunner(ClusterConfig(address=dask_address)))
    def sums():
        first = add.submit(1, 2)
        second = add.submit(first, 10)
        third = double.submit(second, wait_for=[first])
        mapped = add.map([1, 2, 3], [10, 20, 30])
        return third.result(), mapped.result()

    state = sums(return_state=True)
    assert state.result() == (26, [11, 22, 33])
    runs = task_runs(state.state_details.flow_run_id, 6)
    assert [run["state_type"] for run in runs] == ["COMPLETED"] * 6


def test_a_failure_reaches_the_flow_as_the_tasks_exception(prefect_server, dask_address):
    @flow(task_runner=TrialTaskRunner(ClusterConfig(address=dask_address)))
    def failing():
        future = fail.submit()
        future.wait()
        return repr(future.result(raise_on_failure=False)), future.state.type.value

    assert failing() == ("ValueError('on purpose')", "FAILED")
