//! The part of validation that is about the network: layers, the output, starting values.

use std::path::Path;

use super::catalogs::{Activations, Initializers, Normalizations};
use super::named::{Arguments, Named};
use super::settings::{LayerSpec, OutputActivation, OutputSpec, WeightSettings};
use super::validate::{below_one, count, in_range, not_negative, out_of_range, resolve};
use super::written::{LayerConfig, OutputConfig};
use crate::catalog::activation::{self, ActivationRow, ActivationSettings};
use crate::catalog::initializer::{self, InitializerSettings, TensorFile};
use crate::catalog::normalization::{self, NormalizationSettings};
use crate::catalog::optimizer::Convention;
use crate::catalog::parameter::{Parameter, Range};
use crate::catalog::row_activation;
use crate::error::{Error, Result};

pub(super) fn layer(
    config: &LayerConfig,
    path: &str,
    convention: Convention,
    folder: &Path,
) -> Result<LayerSpec> {
    let at = |key: &str| format!("{path}.{key}");
    let activation = activation(&config.activation, &at("activation"), convention)?;
    let dropout = below_one(&at("dropout"), config.dropout)?;
    let alpha = below_one(&at("alpha_dropout"), config.alpha_dropout)?;
    if dropout > 0.0 && alpha > 0.0 {
        return Err(Error::config(at("alpha_dropout"), "dropout is given too")
            .with_help("keep one of the two"));
    }
    Ok(LayerSpec {
        units: count(&at("units"), config.units)?,
        activation,
        init: weights(config.init.as_ref(), &at("init"), activation.row, convention, folder)?,
        bias_init: biases(&config.bias_init, &at("bias_init"), convention, folder)?,
        normalization: config
            .norm
            .as_ref()
            .map(|named| normalization(named, &at("norm"), convention))
            .transpose()?,
        dropout: if alpha > 0.0 { alpha } else { dropout },
        alpha_dropout: alpha > 0.0,
        noise: not_negative(&at("gaussian_noise"), config.gaussian_noise)?,
        residual: config.residual,
        adapters: config.adapters,
        weights: weight_settings(
            path,
            [config.l1, config.l2, config.learning_rate_factor],
            config.max_norm,
        )?,
    })
}

fn normalization(
    named: &Named<Normalizations>,
    path: &str,
    convention: Convention,
) -> Result<NormalizationSettings> {
    let arguments = named.look_up(path)?;
    let row = normalization::find(&named.name).ok_or_else(|| missing(&named.name))?;
    let mut settings = NormalizationSettings::new(row, convention);
    for (value, parameter) in settings.values.iter_mut().zip(row.parameters) {
        *value = parameter_value(&arguments, parameter, convention)?;
    }
    Ok(settings)
}

fn weight_settings(
    path: &str,
    [l1, l2, factor]: [f64; 3],
    max_norm: Option<f64>,
) -> Result<WeightSettings> {
    let at = |key: &str| format!("{path}.{key}");
    Ok(WeightSettings {
        l1: not_negative(&at("l1"), l1)?,
        l2: not_negative(&at("l2"), l2)?,
        max_norm: max_norm
            .map(|value| in_range(&at("max_norm"), value, |x| x > 0.0, "a number above 0"))
            .transpose()?,
        learning_rate_factor: not_negative(&at("learning_rate_factor"), factor)?,
    })
}

pub(super) fn output(
    config: &OutputConfig,
    convention: Convention,
    folder: &Path,
) -> Result<OutputSpec> {
    let path = "model.output.activation";
    let activation = if let Some(row) = row_activation::find(&config.activation.name) {
        config.activation.look_up(path)?;
        OutputActivation::Rows(row)
    } else {
        let arguments = config.activation.look_up(path)?;
        let row = activation::find(&config.activation.name)
            .ok_or_else(|| missing(&config.activation.name))?;
        OutputActivation::Elements(activation_values(row, &arguments, convention)?)
    };
    let linear = ActivationSettings::linear().row;
    Ok(OutputSpec {
        activation,
        init: weights(config.init.as_ref(), "model.output.init", linear, convention, folder)?,
        bias_init: biases(&config.bias_init, "model.output.bias_init", convention, folder)?,
        weights: weight_settings(
            "model.output",
            [config.l1, config.l2, config.learning_rate_factor],
            config.max_norm,
        )?,
    })
}

/// A name that passed the look-up, or that a table gives, and is in no table.
pub(super) fn missing(name: &str) -> Error {
    Error::internal(format!("no table has a row {name:?}"))
}

fn activation(
    named: &Named<Activations>,
    path: &str,
    convention: Convention,
) -> Result<ActivationSettings> {
    let arguments = named.look_up(path)?;
    let row = activation::find(&named.name).ok_or_else(|| missing(&named.name))?;
    activation_values(row, &arguments, convention)
}

fn activation_values(
    row: &'static ActivationRow,
    arguments: &Arguments<'_>,
    convention: Convention,
) -> Result<ActivationSettings> {
    let mut settings = ActivationSettings::new(row, convention);
    settings.values = parameter_values(arguments, row.parameters, convention)?;
    Ok(settings)
}

/// The values of a row's parameters, two at most, held to their ranges; 0 beyond.
fn parameter_values(
    arguments: &Arguments<'_>,
    parameters: &[Parameter],
    convention: Convention,
) -> Result<[f64; 2]> {
    let mut values = [0.0; 2];
    for (i, parameter) in parameters.iter().enumerate().take(values.len()) {
        let value = parameter_value(arguments, parameter, convention)?;
        // Rounded to f32 the two must still be apart.
        if parameter.above_previous && i > 0 && value as f32 <= values[i - 1] as f32 {
            let expected =
                format!("a number above the {}, {}", parameters[i - 1].name, values[i - 1]);
            return Err(out_of_range(&arguments.path(parameter.name), &expected, value));
        }
        values[i] = value;
    }
    Ok(values)
}

/// The value given to a parameter, or its default; held to its range.
pub(super) fn parameter_value(
    arguments: &Arguments<'_>,
    parameter: &Parameter,
    convention: Convention,
) -> Result<f64> {
    let default = parameter.default(convention);
    let value = if parameter.range == Range::Flag {
        f64::from(u8::from(arguments.flag(parameter.name, default == 1.0)))
    } else {
        arguments.number(parameter.name, default)
    };
    if parameter.range.fits(value) {
        Ok(value)
    } else {
        Err(out_of_range(&arguments.path(parameter.name), parameter.range.expected(), value))
    }
}

/// The initialiser of weights: the one given, or the activation's.
fn weights(
    named: Option<&Named<Initializers>>,
    path: &str,
    activation: &ActivationRow,
    convention: Convention,
    folder: &Path,
) -> Result<InitializerSettings> {
    match named {
        Some(named) => initializer(named, path, convention, folder),
        None => {
            let name = activation.default_initializer;
            let row = initializer::find(name).ok_or_else(|| missing(name))?;
            Ok(InitializerSettings::new(row, convention))
        }
    }
}

fn initializer(
    named: &Named<Initializers>,
    path: &str,
    convention: Convention,
    folder: &Path,
) -> Result<InitializerSettings> {
    let arguments = named.look_up(path)?;
    let row = initializer::find(&named.name).ok_or_else(|| missing(&named.name))?;
    let mut settings = InitializerSettings::new(row, convention);
    settings.values = parameter_values(&arguments, row.parameters, convention)?;
    if let Some((at, expected)) = row.check.and_then(|check| check(settings.values, convention)) {
        let name = row.parameters[at].name;
        return Err(out_of_range(&arguments.path(name), &expected, settings.values[at]));
    }
    if let Some(file) = arguments.text("file") {
        settings.source = Some(TensorFile {
            file: resolve(&arguments.path("file"), file, folder)?,
            tensor: arguments.text("tensor").map(str::to_owned),
        });
    }
    Ok(settings)
}

/// The initialiser of biases.
fn biases(
    named: &Named<Initializers>,
    path: &str,
    convention: Convention,
    folder: &Path,
) -> Result<InitializerSettings> {
    let settings = initializer(named, path, convention, folder)?;
    if settings.row.matrices_only {
        let fit: Vec<_> = initializer::INITIALIZERS
            .iter()
            .filter(|row| !row.matrices_only)
            .map(|row| row.name)
            .collect();
        let problem = format!("{} makes matrices, and biases are a vector", settings.row.name);
        return Err(Error::config(path, problem).with_help(format!("these do: {}", fit.join(", "))));
    }
    Ok(settings)
}
