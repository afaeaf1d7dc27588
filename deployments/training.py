"""What the deployments train: logistic regression of generated data, in NumPy.

It takes a second and needs nothing that is not installed with the package, so that a first run
shows the deployment rather than a framework. Put your own training function in its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from hopsml_flows.reporter import Reporter

CLASSES = 5
FEATURES = 20


def train(
    learning_rate: float,
    l2: float = 1e-4,
    momentum: float = 0.9,
    batch_size: int = 32,
    epochs: int = 20,
    reporter: Reporter | None = None,
) -> dict[str, float]:
    """Fit the weights by stochastic gradient descent with momentum.

    Args:
        learning_rate: Length of a step.
        l2: Weight of the squared weights in the loss.
        momentum: Share of the last step in the next one, in [0, 1).
        batch_size: Examples of a step.
        epochs: Passes over the training data.
        reporter: The trial's reporter; gets the accuracy after each epoch.

    Returns:
        Accuracy and cross entropy on held-out data.
    """
    x, labels, x_held, labels_held = _data()
    rng = np.random.default_rng(1)
    weights = np.zeros((FEATURES + 1, CLASSES))
    step = np.zeros_like(weights)
    accuracy = loss = 0.0
    for epoch in range(int(epochs)):
        for batch in np.array_split(rng.permutation(len(x)), max(1, len(x) // int(batch_size))):
            error = _softmax(x[batch] @ weights) - np.eye(CLASSES)[labels[batch]]
            gradient = x[batch].T @ error / len(batch) + l2 * weights
            step = momentum * step - learning_rate * gradient
            weights += step
        held = _softmax(x_held @ weights)
        accuracy = float((held.argmax(axis=1) == labels_held).mean())
        loss = float(-np.log(held[np.arange(len(held)), labels_held] + 1e-12).mean())
        print(f"epoch {epoch}: accuracy {accuracy:.4f}, loss {loss:.4f}")
        if reporter is not None:
            reporter.broadcast(accuracy, epoch)
    return {"accuracy": accuracy, "loss": loss}


def _data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Clusters that overlap, and features on scales of their own, which SGD does not like."""
    rng = np.random.default_rng(0)
    labels = rng.integers(CLASSES, size=1500)
    centres = rng.normal(size=(CLASSES, FEATURES))
    x = (centres[labels] + 1.6 * rng.normal(size=(1500, FEATURES))) * np.geomspace(0.1, 3, FEATURES)
    x = np.hstack([x, np.ones((1500, 1))])
    return x[:1000], labels[:1000], x[1000:], labels[1000:]


def _softmax(scores: np.ndarray) -> np.ndarray:
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
