//! Which trials can be members of one training: those that agree in all that shapes the network, the
//! program and the data, and differ in numbers that the device reads anew for each member.

use serde_json::{Map, Value, json};

use crate::config::Settings;
use crate::error::{Error, Result};

/// Keys of a layer that its members may differ in.
const OF_LAYERS: [&str; 8] = [
    "init",
    "bias_init",
    "dropout",
    "alpha_dropout",
    "gaussian_noise",
    "l1",
    "l2",
    "learning_rate_factor",
];

/// Keys of early stopping that they may differ in.
const OF_EARLY_STOPPING: [&str; 4] = ["patience", "min_delta", "start_from_epoch", "baseline"];

/// What trials of one training have in common, as JSON: equal for those that are members of one.
///
/// Where rows are streamed, all members read the same windows of them, so they share the seed too.
///
/// # Errors
/// When the settings cannot be written as JSON.
pub(super) fn signature(settings: &Settings, is_streamed: bool) -> Result<String> {
    let resolved = serde_json::to_value(settings.resolved())
        .map_err(|error| Error::internal(format!("a config is no JSON: {error}")))?;
    let Value::Object(mut config) = resolved else {
        return Err(Error::internal("a config is no object"));
    };
    for key in ["log", "checkpoint"] {
        config.remove(key);
    }
    if !is_streamed && !settings.data.draws_split() {
        config.remove("seed");
    }
    if let Some(Value::Object(model)) = config.get_mut("model") {
        model.remove("init_from");
        for layer in model.get_mut("layers").and_then(Value::as_array_mut).into_iter().flatten() {
            without(layer, &OF_LAYERS);
        }
        if let Some(output) = model.get_mut("output") {
            without(output, &OF_LAYERS);
        }
    }
    if let Some(Value::Object(optimizer)) = config.get_mut("optimizer") {
        let orthogonalises = settings.optimizer.row.orthogonalises();
        reduce_optimizer(optimizer, orthogonalises);
    }
    if settings.schedule.plateau().is_none() {
        config.remove("schedule");
    } else if let Some(Value::Object(schedule)) = config.get_mut("schedule") {
        schedule.retain(|key, _| matches!(key.as_str(), "name" | "monitor" | "mode"));
    }
    if let Some(Value::Object(training)) = config.get_mut("training") {
        training.remove("epochs");
        for key in ["ema", "average"] {
            let is_on = training.get(key).is_some_and(|value| !value.is_null());
            training.insert(key.to_owned(), json!(is_on));
        }
        // Either is a running average.
        let averages = ["ema", "average"].iter().any(|key| training[*key] == true);
        training.insert("ema".to_owned(), json!(averages));
        training.remove("average");
    }
    // Whether outputs are logarithms, and the like, is what its pipeline is built with.
    if let Some(Value::Object(loss)) = config.get_mut("loss") {
        loss.retain(|_, value| !value.is_number());
    }
    if let Some(stopping) = config.get_mut("early_stopping") {
        without(stopping, &OF_EARLY_STOPPING);
    }
    Ok(Value::Object(config).to_string())
}

fn without(value: &mut Value, keys: &[&str]) {
    if let Value::Object(entries) = value {
        entries.retain(|key, _| !keys.contains(&key.as_str()));
    }
}

/// Leaves of an optimizer what its pipeline is built with.
fn reduce_optimizer(optimizer: &mut Map<String, Value>, orthogonalises: bool) {
    optimizer.remove("decay_biases");
    optimizer.retain(|key, value| match key.as_str() {
        // Its steps are calls of the program, and epsilon is in their uniforms.
        "ns_steps" | "epsilon" => orthogonalises,
        _ if key.starts_with("clip_") => true,
        _ => !value.is_number(),
    });
    for (key, value) in optimizer.iter_mut() {
        if key.starts_with("clip_") {
            // Where gradients are clipped, the threshold is the member's.
            *value = json!(!value.is_null());
        }
    }
}
