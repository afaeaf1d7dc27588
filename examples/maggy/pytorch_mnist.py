"""The program for PyTorch: types in any case, less is better, a report for each batch."""

from hopsml_flows import Searchspace, experiment

sp = Searchspace(kernel=("Integer", [2, 4]), hidden=("integer", [4, 16]))
sp.add("lr", ("DOUBLE", [0.001, 0.1]))


def mnist(kernel, hidden, lr, reporter):
    """Train on the digits; return the last loss."""
    import torch
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    x = torch.tensor(images[:512].reshape(-1, 1, 8, 8) / 16, dtype=torch.float32)
    y = torch.tensor(labels[:512])
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, hidden, kernel), torch.nn.Flatten(), torch.nn.LazyLinear(10)
    )
    model(x[:1])
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for begin in range(0, len(x), 64):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(
            model(x[begin : begin + 64]), y[begin : begin + 64]
        )
        loss.backward()
        optimizer.step()
        reporter.broadcast(metric=loss.item())
    return loss.item()


result = experiment.lagom(
    train_fn=mnist,
    searchspace=sp,
    optimizer="randomsearch",
    direction="min",
    num_trials=4,
    name="pytorch-mnist",
    es_interval=1,
    es_min=5,
)
print(result["best_val"], result["best_config"])
