"""PyTorch: eager, --compile (torch.compile), or --cuda-graph (a captured step); foreach Adam, or
--fused. On CUDA the clock is the device's: events around the epochs."""

import common

parser = common.arguments(__doc__)
form = parser.add_mutually_exclusive_group()
form.add_argument("--compile", action="store_true")
form.add_argument("--cuda-graph", action="store_true")
parser.add_argument("--fused", action="store_true")
args = parser.parse_args()
common.limit_threads(args)

import torch

if args.threads:
    torch.set_num_threads(args.threads)
torch.manual_seed(0)
# f32 means f32: no TF32.
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
device = torch.device(args.device)
on_cuda = device.type == "cuda"

images, classes = common.mnist(args)
features = torch.from_numpy(images).to(device)
labels = torch.from_numpy(classes).long().to(device)
sizes = [features.shape[1], *args.hidden, common.CLASSES]
layers = []
for a, b in zip(sizes, sizes[1:]):
    layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
model = torch.nn.Sequential(*layers[:-1]).to(device)
criterion = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(
    model.parameters(),
    lr=common.LEARNING_RATE,
    betas=(common.BETA1, common.BETA2),
    eps=common.EPSILON,
    fused=args.fused or None,
    capturable=args.cuda_graph,
)
forward = torch.compile(model) if args.compile else model
batch = torch.zeros(args.batch, dtype=torch.long, device=device)


def step(rows):
    optimizer.zero_grad(set_to_none=not args.cuda_graph)
    loss = criterion(forward(features[rows]), labels[rows])
    loss.backward()
    optimizer.step()
    return loss.detach()


if args.cuda_graph:
    # As PyTorch's notes have it: some steps on a side stream, then the capture.
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step(batch)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = step(batch)

    def run(rows):
        batch.copy_(rows)
        graph.replay()
        return captured
else:
    run = step

orders = common.orders(args.rows, args.batch)


def epoch():
    order = torch.from_numpy(next(orders)).long().to(device)
    for rows in order:
        loss = run(rows)
    return loss if on_cuda else loss.item()


name = torch.cuda.get_device_name(device) if on_cuda else "cpu"
if on_cuda:
    epoch()
    begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begun.record()
    for _ in range(args.epochs):
        loss = epoch()
    ended.record()
    torch.cuda.synchronize()
    seconds = begun.elapsed_time(ended) / 1e3
    common.report(args, seconds, loss.item(), f"torch {torch.__version__}", name)
else:
    common.timed(args, epoch, f"torch {torch.__version__}", name)
