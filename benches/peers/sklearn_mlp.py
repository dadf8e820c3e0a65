"""scikit-learn: MLPClassifier's partial_fit, an epoch a call."""

import common

args = common.arguments(__doc__).parse_args()
common.limit_threads(args)

import warnings

import sklearn
from sklearn.neural_network import MLPClassifier

warnings.filterwarnings("ignore")
features, labels = common.mnist(args)
rows = args.rows // args.batch * args.batch
features, labels = features[:rows], labels[:rows]
model = MLPClassifier(
    hidden_layer_sizes=args.hidden,
    batch_size=args.batch,
    learning_rate_init=common.LEARNING_RATE,
    beta_1=common.BETA1,
    beta_2=common.BETA2,
    epsilon=common.EPSILON,
    alpha=0.0,
    shuffle=True,
    random_state=0,
)


def epoch():
    model.partial_fit(features, labels, classes=range(common.CLASSES))
    return model.loss_


common.timed(args, epoch, f"scikit-learn {sklearn.__version__}")
