"""The half of catalogue.py that runs PyTorch."""

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from catalogue import arrays, batches, named

ACTIVATIONS = {
    "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "silu": nn.SiLU, "relu6": nn.ReLU6, "elu": nn.ELU, "selu": nn.SELU,
    "gelu_tanh": lambda: nn.GELU(approximate="tanh"), "mish": nn.Mish, "softplus": lambda: nn.Softplus(threshold=1e9),
    "softsign": nn.Softsign, "hard_sigmoid": nn.Hardsigmoid, "hard_silu": nn.Hardswish, "hard_tanh": nn.Hardtanh,
    "linear": nn.Identity,
}
NORMS = {"batch_norm": nn.BatchNorm1d, "layer_norm": nn.LayerNorm, "rms_norm": nn.RMSNorm}


def activation(given):
    name, numbers = named(given)
    if name == "prelu":
        return nn.PReLU(init=numbers.get("slope", 0.25))
    return ACTIVATIONS[name]()


def normalization(given, units):
    name, numbers = named(given)
    if name == "rms_norm":
        # Without a number its epsilon is that of the input's float: f32's is meant.
        return nn.RMSNorm(units, eps=numbers.get("epsilon", torch.finfo(torch.float32).eps))
    more = {{"epsilon": "eps"}.get(k, k): v for k, v in numbers.items()}
    return NORMS[name](units, **more)


class Net(nn.Module):
    def __init__(self, case, starts):
        super().__init__()
        self.spec = case["config"]["model"]["layers"]
        self.denses = nn.ModuleList()
        for weight, bias in starts:
            dense = nn.Linear(weight.shape[1], weight.shape[0])
            with torch.no_grad():
                dense.weight.copy_(torch.from_numpy(weight))
                dense.bias.copy_(torch.from_numpy(bias))
            self.denses.append(dense)
        self.acts = nn.ModuleList(activation(layer["activation"]) for layer in self.spec)
        self.norms = nn.ModuleList(
            normalization(layer["norm"], layer["units"]) if layer.get("norm") else nn.Identity() for layer in self.spec
        )

    def forward(self, x):
        for layer, dense, norm, act in zip(self.spec, self.denses, self.norms, self.acts):
            y = act(norm(dense(x)))
            x = x + y if layer.get("residual") else y
        return self.denses[-1](x)


def row_losses(given):
    """(outputs, targets) -> each row's loss."""
    name, n = named(given)
    if name == "categorical_cross_entropy":
        loss = nn.CrossEntropyLoss(reduction="none", label_smoothing=n.get("label_smoothing", 0.0))
        return lambda z, y: loss(z, y[:, 0].long() if y.shape[1] == 1 else y)
    if name == "kl_divergence":
        loss = nn.KLDivLoss(reduction="none")

        def kl(z, y):
            if y.shape[1] == 1:
                y = nn.functional.one_hot(y[:, 0].long(), z.shape[1]).to(z.dtype)
            return loss(nn.functional.log_softmax(z, dim=1), y).sum(dim=1)

        return kl
    if name == "gaussian_nll":
        loss = nn.GaussianNLLLoss(reduction="none")
        return lambda z, y: loss(z[:, :1], y, z[:, 1:].exp()).mean(dim=1)
    if name == "quantile":
        return lambda z, y: torch.maximum(n["tau"] * (y - z), (n["tau"] - 1) * (y - z)).mean(dim=1)
    weight = torch.tensor(n["pos_weight"]) if "pos_weight" in n else None
    loss = {
        "mse": lambda: nn.MSELoss(reduction="none"),
        "mae": lambda: nn.L1Loss(reduction="none"),
        "huber": lambda: nn.HuberLoss(reduction="none", delta=n.get("delta", 1.0)),
        "smooth_l1": lambda: nn.SmoothL1Loss(reduction="none", beta=n.get("beta", 1.0)),
        "binary_cross_entropy": lambda: nn.BCEWithLogitsLoss(reduction="none", pos_weight=weight),
        "poisson": lambda: nn.PoissonNLLLoss(reduction="none", log_input=True),
    }[name]()
    return lambda z, y: loss(z, y).mean(dim=1)


RENAMED = {"rho": "alpha", "epsilon": "eps", "learning_rate": "lr", "initial_accumulator": "initial_accumulator_value"}
KINDS = {
    "sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "adamax": "Adamax", "nadam": "NAdam", "adagrad": "Adagrad",
    "adadelta": "Adadelta", "rmsprop": "RMSprop",
}


def optimizers(given, net):
    given = {k: v for k, v in given.items() if k != "convention" and not k.startswith("clip_")}
    name = given.pop("name")
    biases = given.pop("decay_biases", False)
    factors = [layer.get("learning_rate_factor", 1.0) for layer in net.spec] + [1.0]
    if name == "muon":
        adam = {"lr": given.pop("adam_learning_rate", given["learning_rate"]), "eps": given.pop("adam_epsilon", 1e-8)}
        decay = given.pop("adam_weight_decay", 0.01)
        given["adjust_lr_fn"] = given.pop("adjust", "original")
        given = {RENAMED.get(k, k): v for k, v in given.items()}
        matrices = [dense.weight for dense in net.denses[:-1]]
        vectors = [dense.bias for dense in net.denses]
        groups = [{"params": [net.denses[-1].weight]}, {"params": vectors, "weight_decay": decay if biases else 0.0}]
        return [torch.optim.Muon(matrices, **given), torch.optim.AdamW(groups, weight_decay=decay, **adam)]
    if "beta1" in given:
        given["betas"] = (given.pop("beta1"), given.pop("beta2"))
    renamed = dict(RENAMED, rho="rho") if name == "adadelta" else RENAMED
    settings = {renamed.get(k, k): v for k, v in given.items()}
    decays = name == "adamw"
    groups = []
    for module, factor in [*zip(net.denses, factors), *((m, 1.0) for m in (*net.norms, *net.acts))]:
        for key, parameter in module.named_parameters():
            group = {"params": [parameter], "lr": settings["lr"] * factor}
            if decays and not biases and not (key == "weight" and parameter.ndim == 2):
                group["weight_decay"] = 0.0
            groups.append(group)
    return [getattr(torch.optim, KINDS[name])(groups, **settings)]


def clip(given, net):
    parameters = list(net.parameters())
    if given.get("clip_value"):
        nn.utils.clip_grad_value_(parameters, given["clip_value"])
    if given.get("clip_norm"):
        for parameter in parameters:
            nn.utils.clip_grad_norm_([parameter], given["clip_norm"])
    if given.get("clip_global_norm"):
        nn.utils.clip_grad_norm_(parameters, given["clip_global_norm"])


def run_torch(case):
    rounding, torch.Tensor.to = torch.Tensor.to, unrounded(torch.Tensor.to)
    try:
        return trained(case)
    finally:
        torch.Tensor.to = rounding


def unrounded(to):
    """Tensor.to that leaves out Muon's rounding to bfloat16."""

    def without_bfloat16(self, *args, **kwargs):
        if kwargs.get("dtype") == torch.bfloat16:
            return self.clone()
        return to(self, *args, **kwargs)

    return without_bfloat16


def trained(case):
    x, y, w, of_class, starts = arrays(case)
    config = case["config"]
    training = config["training"]
    net = Net(case, starts)
    x, y, w = torch.tensor(x), torch.tensor(y), torch.tensor(w)
    divisors = torch.ones(len(x)) if of_class is None else torch.tensor(of_class)
    w = w * divisors
    losses_of = row_losses(config["loss"])
    steppers = optimizers(config["optimizer"], net)
    averaged = None
    if "ema" in training:
        averaged = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(training["ema"]))
    elif "average" in training:
        averaged = AveragedModel(net)
    listed = []
    epoch = 1
    for group, ends in batches(training.get("accumulate", 1)):
        for stepper in steppers:
            stepper.zero_grad()
        divisor = sum(divisors[rows].sum() for rows in group)
        summed = 0.0
        for rows in group:
            total = (losses_of(net(x[rows]), y[rows]) * w[rows]).sum()
            (total / divisor).backward()
            summed += total.item()
        listed.append(summed / divisor.item())
        clip(config["optimizer"], net)
        for stepper in steppers:
            stepper.step()
        limits = [layer.get("max_norm") for layer in net.spec] + [config["model"].get("output", {}).get("max_norm")]
        for dense, limit in zip(net.denses, limits):
            if limit:
                with torch.no_grad():
                    dense.weight.copy_(torch.renorm(dense.weight, 2, 0, limit))
        if averaged is not None:
            average = training.get("average")
            if not average or (epoch >= average["from_epoch"] and (ends or average["every"] == "step")):
                averaged.update_parameters(net)
        epoch += ends
    evaluated = net if averaged is None else averaged
    has_norm = any(layer.get("norm") for layer in net.spec)
    final = None
    if averaged is not None or has_norm:
        evaluated.eval()
        with torch.no_grad():
            final = ((losses_of(evaluated(x), y) * w).sum() / divisors.sum()).item()
    return listed, final
