"""Maggy in the churn program: the function by position, lists of values, no reporter.

Its table is a file of the project, and scikit-learn's trees stand in place of XGBoost's.
"""

from hopsml_flows import Searchspace, experiment, hdfs, pandas_helper


def write_customers():
    """Write a table of customers, of whom those with many calls and a short contract leave."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(5)
    calls, months = rng.integers(0, 10, 400), rng.integers(1, 60, 400)
    table = pd.DataFrame({"calls": calls, "months": months, "churn": calls * 6 > months})
    pandas_helper.write_csv("Resources/churn.csv", table, index=False)


def train(max_depth, min_samples, estimators):
    """Train on three quarters of the customers; return the accuracy on the others."""
    from sklearn.ensemble import GradientBoostingClassifier

    table = pandas_helper.read_csv(hdfs.project_path() + "Resources/churn.csv")
    x, y = table[["calls", "months"]], table["churn"]
    model = GradientBoostingClassifier(
        max_depth=max_depth,
        min_samples_leaf=min_samples,
        n_estimators=estimators,
        random_state=0,
    )
    model.fit(x[:300], y[:300])
    return {"accuracy": model.score(x[300:], y[300:])}


write_customers()
print("the table is", hdfs.get_plain_path(hdfs.project_path() + "Resources/churn.csv"))
searchspace = Searchspace(max_depth=("INTEGER", [1, 4]), min_samples=("INTEGER", [1, 20]))
searchspace.add("estimators", ("DISCRETE", [5, 20, 40]))
result = experiment.lagom(
    train,
    searchspace=searchspace,
    optimizer="randomsearch",
    direction="max",
    num_trials=6,
    name="churn",
    optimization_key="accuracy",
)
print(result["best_val"], result["best_config"])
