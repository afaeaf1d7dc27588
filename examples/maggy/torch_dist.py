"""Maggy 1.0: training with PyTorch in all processes, each with its share of the data."""

from hopsml_flows import experiment
from hopsml_flows.experiment_config import TorchDistributedConfig


def network(inputs):
    """Return a linear model."""
    import torch

    torch.manual_seed(0)
    return torch.nn.Linear(inputs, 1)


def train(module, hparams, train_set, test_set):
    """Train the module; return its loss on this process's share of the test set."""
    import torch

    model = module(hparams["inputs"])
    optimizer = torch.optim.SGD(model.parameters(), lr=hparams["lr"])
    loader = torch.utils.data.DataLoader(train_set, batch_size=8, shuffle=True)
    for _ in range(20):
        for x, y in loader:
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
    with torch.no_grad():
        losses = [
            torch.nn.functional.mse_loss(model(x), y).item()
            for x, y in torch.utils.data.DataLoader(test_set, batch_size=8)
        ]
    return sum(losses) / len(losses)


rows = [([n / 64], [2 * n / 64 + 1]) for n in range(64)]


class Line:
    """Points of a line."""

    def __len__(self):
        return len(rows)

    def __getitem__(self, index):
        import torch

        x, y = rows[index]
        return torch.tensor(x), torch.tensor(y)


config = TorchDistributedConfig(
    module=network,
    train_set=Line(),
    test_set=Line(),
    hparams={"inputs": 1, "lr": 0.1},
    name="torch-dist",
)
result = experiment.lagom(train, config, num_workers=2)
print(result["test result"])
