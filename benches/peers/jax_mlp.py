"""JAX: one jitted lax.scan an epoch, its carry donated, the rows resident on the device."""

import common

args = common.arguments(__doc__).parse_args()
common.limit_threads(args)

import os

os.environ["JAX_PLATFORMS"] = args.device
import jax
import jax.numpy as jnp
from functools import partial

features, labels = map(jnp.asarray, common.mnist(args))
sizes = [features.shape[1], *args.hidden, common.CLASSES]
keys = jax.random.split(jax.random.key(0), len(sizes))
parameters = [
    (jax.random.normal(key, (a, b)) * (2 / a) ** 0.5, jnp.zeros(b))
    for key, a, b in zip(keys, sizes, sizes[1:])
]


def loss_of(parameters, x, y):
    for weight, bias in parameters[:-1]:
        x = jax.nn.relu(x @ weight + bias)
    weight, bias = parameters[-1]
    logits = jax.nn.log_softmax(x @ weight + bias)
    return -jnp.mean(jnp.take_along_axis(logits, y[:, None], axis=1))


def step(state, rows):
    parameters, first, second, count = state
    loss, gradients = jax.value_and_grad(loss_of)(parameters, features[rows], labels[rows])
    count = count + 1
    first = jax.tree.map(
        lambda m, g: common.BETA1 * m + (1 - common.BETA1) * g, first, gradients
    )
    second = jax.tree.map(
        lambda v, g: common.BETA2 * v + (1 - common.BETA2) * g * g, second, gradients
    )
    of_first, of_second = 1 - common.BETA1**count, 1 - common.BETA2**count
    parameters = jax.tree.map(
        lambda p, m, v: p
        - common.LEARNING_RATE * (m / of_first) / (jnp.sqrt(v / of_second) + common.EPSILON),
        parameters,
        first,
        second,
    )
    return (parameters, first, second, count), loss


@partial(jax.jit, donate_argnums=0)
def scan(state, order):
    return jax.lax.scan(step, state, order)


# Buffers of their own: the carry is donated.
first, second = (jax.tree.map(jnp.zeros_like, parameters) for _ in range(2))
state = (parameters, first, second, jnp.zeros(()))
orders = common.orders(args.rows, args.batch)


def epoch():
    global state
    state, losses = scan(state, next(orders))
    return losses[-1].block_until_ready()


common.timed(args, epoch, f"jax {jax.__version__}", str(jax.devices()[0]))
