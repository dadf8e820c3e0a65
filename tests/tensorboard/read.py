"""Prints what TensorBoard reads of a run folder, as JSON: scalars, histograms, hyperparameters."""

import json
import sys

from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.backend.event_processing.tag_types import TENSORS
from tensorboard.context import RequestContext
from tensorboard.data import provider
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups
from tensorboard.util import tensor_util

TAKE_ALL = {TENSORS: 0}


def main():
    multiplexer = plugin_event_multiplexer.EventMultiplexer(tensor_size_guidance=TAKE_ALL)
    multiplexer.AddRunsFromDirectory(sys.argv[1])
    multiplexer.Reload()
    runs = list(multiplexer.Runs())
    assert len(runs) == 1, f"one run is expected, not {runs}"
    run = runs[0]
    found = {"scalars": {}, "histograms": {}}
    for plugin, kind in [("scalars", "scalars"), ("histograms", "histograms")]:
        for tag in multiplexer.PluginRunToTagToContent(plugin).get(run, {}):
            events = multiplexer.Tensors(run, tag)
            values = [[e.step, tensor_util.make_ndarray(e.tensor_proto).tolist()] for e in events]
            found[kind][tag] = values

    data = data_provider.MultiplexerDataProvider(multiplexer, sys.argv[1])
    context = backend_context.Context(base_plugin.TBContext(data_provider=data))
    request_context = RequestContext()
    experiment = context.experiment_from_metadata(
        request_context,
        "",
        include_metrics=True,
        hparams_run_to_tag_to_content=context.hparams_metadata(request_context, ""),
        data_provider_hparams=provider.ListHyperparametersResult([], []),
    )
    request = api_pb2.ListSessionGroupsRequest(
        start_index=0,
        slice_size=10,
        allowed_statuses=[api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE],
        col_params=[api_pb2.ColParams(hparam=info.name) for info in experiment.hparam_infos],
    )
    groups = list_session_groups.Handler(request_context, context, "", request).run()
    sessions = [
        {
            "hparams": {
                name: getattr(value, value.WhichOneof("kind"))
                for name, value in group.hparams.items()
            },
            "status": api_pb2.Status.Name(group.sessions[0].status),
        }
        for group in groups.session_groups
    ]
    found["sessions"] = sessions
    found["hparam_infos"] = sorted(info.name for info in experiment.hparam_infos)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
