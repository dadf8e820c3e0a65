"""Keras on JAX: model.fit, jit-compiled, the rows given as arrays; several steps an execution."""

import os

import common

parser = common.arguments(__doc__)
parser.add_argument("--steps-per-execution", type=int, default=32)
args = parser.parse_args()
common.limit_threads(args)
os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = args.device

import keras

features, labels = common.mnist(args)
rows = args.rows // args.batch * args.batch
features, labels = features[:rows], labels[:rows]
hidden = [keras.layers.Dense(units, activation="relu") for units in args.hidden]
model = keras.Sequential([*hidden, keras.layers.Dense(common.CLASSES)])
model.compile(
    optimizer=keras.optimizers.Adam(
        common.LEARNING_RATE, common.BETA1, common.BETA2, common.EPSILON
    ),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    jit_compile=True,
    steps_per_execution=min(args.steps_per_execution, rows // args.batch),
)


def epoch():
    history = model.fit(features, labels, batch_size=args.batch, epochs=1, verbose=0)
    return history.history["loss"][-1]


common.timed(args, epoch, f"keras {keras.__version__} on jax", args.device)
