//! Every activation over all of f32, value and derivative, on every backend: units in the last
//! place from the f64 reference; and the reference against PyTorch (golden/generate.py).

mod common;

use std::sync::OnceLock;

use common::{json, root, software_drivers};
use serde_json::Value;
use wgfit::backend::Backend;
use wgfit::backend::cpu::CpuBackend;
use wgfit::backend::gpu::{GpuBackend, GpuOptions, adapters};
use wgfit::backend::reference::Reference;
use wgfit::catalog::activation::{self, ACTIVATIONS, ActivationSettings};
use wgfit::catalog::loss::LossSettings;
use wgfit::catalog::optimizer::{self, Convention, OptimizerForm};
use wgfit::catalog::{loss, metric};
use wgfit::network::{LayerShape, Network};
use wgfit::program::{
    LayerSettings, MemberState, Pass, PassKind, Plan, PlanRequest, Precision, Program, ProgramId,
    Update,
};
use wgfit::verify::{Noise, step_settings};

/// The CPU, and every adapter of this machine, software ones included.
///
/// # Panics
/// When a software adapter that is installed is not found: no test passes for want of one.
fn backends() -> Vec<Box<dyn Backend>> {
    static READY: OnceLock<()> = OnceLock::new();
    READY.get_or_init(|| {
        let drivers = software_drivers();
        let manifests: Vec<_> =
            drivers.iter().map(|(_, path)| path.display().to_string()).collect();
        if std::env::var_os("VK_ICD_FILENAMES").is_none() && manifests.len() > 1 {
            // SAFETY: before any thread of this test asks for the environment; all wait here.
            unsafe { std::env::set_var("VK_ICD_FILENAMES", manifests.join(":")) };
        }
    });
    let found = adapters();
    assert!(!found.is_empty(), "no GPU adapter: apt-get install mesa-vulkan-drivers");
    for (name, _) in software_drivers() {
        let named =
            |adapter: &wgfit::backend::gpu::Adapter| adapter.description.name.contains(name);
        assert!(found.iter().any(named), "{name} is installed, but no adapter is named so");
    }
    let mut backends: Vec<Box<dyn Backend>> =
        vec![Box::new(CpuBackend::with_threads(1).expect("the CPU"))];
    for adapter in &found {
        let options =
            GpuOptions { tile: None, checked_shaders: Some(false), ..GpuOptions::default() };
        backends.push(Box::new(GpuBackend::new(adapter, options).expect("an adapter opens")));
    }
    backends
}

/// What an error of the derivative is measured in.
#[derive(Clone, Copy)]
enum Unit {
    /// Units in the last place of the derivative.
    Value,
    /// Units in the last place of the largest of its terms, which cancel where it has a root.
    Terms(fn(f64) -> f64),
    /// Units in the last place of 1, 2^-23: it is a function of an output that nears 1.
    One,
}

/// The largest errors of a row. What was measured on the CPU, llvmpipe and SwiftShader is printed by
/// `--nocapture`; it stays a little below.
struct Promise {
    name: &'static str,
    values: &'static [f64],
    act: f64,
    grad: f64,
    unit: Unit,
}

const fn promise(
    name: &'static str,
    values: &'static [f64],
    act: f64,
    grad: f64,
    unit: Unit,
) -> Promise {
    Promise { name, values, act, grad, unit }
}

const PROMISES: [Promise; 26] = [
    promise("linear", &[], 0.0, 0.0, Unit::Value),
    promise("relu", &[], 0.0, 0.0, Unit::Value),
    promise("relu6", &[], 0.0, 0.0, Unit::Value),
    promise("leaky_relu", &[], 0.5, 0.5, Unit::Value),
    promise("prelu", &[], 0.5, 0.5, Unit::Value),
    promise("leaky_relu", &[0.2], 0.5, 0.5, Unit::Value),
    promise("elu", &[], 2.0, 3.0, Unit::Value),
    promise("elu", &[1.7], 2.0, 3.0, Unit::Value),
    promise("celu", &[], 2.0, 3.0, Unit::Value),
    promise("celu", &[0.6], 2.0, 3.0, Unit::Value),
    promise("selu", &[], 2.0, 3.0, Unit::Value),
    promise("gelu", &[], 4.0, 4.0, Unit::Terms(gelu_terms)),
    promise("gelu_tanh", &[], 4.0, 4.0, Unit::Terms(gelu_tanh_terms)),
    promise("silu", &[], 4.0, 4.0, Unit::Terms(silu_terms)),
    promise("mish", &[], 4.0, 4.0, Unit::Terms(mish_terms)),
    promise("log_sigmoid", &[], 4.0, 4.0, Unit::Value),
    promise("softplus", &[], 4.0, 4.0, Unit::Value),
    promise("softplus", &[0.3], 4.0, 4.0, Unit::Value),
    promise("softplus", &[7.0], 4.0, 4.0, Unit::Value),
    promise("softsign", &[], 2.5, 4.0, Unit::Value),
    promise("tanh", &[], 2.5, 1.5, Unit::One),
    promise("sigmoid", &[], 2.5, 1.0, Unit::One),
    promise("hard_sigmoid", &[], 1.5, 0.5, Unit::Value),
    promise("hard_silu", &[], 2.5, 2.0, Unit::Value),
    promise("hard_tanh", &[], 0.0, 0.0, Unit::Value),
    promise("hard_tanh", &[-0.3, 2.5], 0.0, 0.0, Unit::Value),
];

fn sigmoid(x: f64) -> f64 {
    if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }
}

/// Phi(x) and x phi(x).
fn gelu_terms(x: f64) -> f64 {
    let below = 0.5 * libm::erfc(-x / 2.0_f64.sqrt());
    below.max((x * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()).abs())
}

fn gelu_tanh_terms(x: f64) -> f64 {
    let k = 2.0 * (2.0 / std::f64::consts::PI).sqrt();
    let s = sigmoid(k * (x + 0.044_715 * x.powi(3)));
    let slope = k * (1.0 + 3.0 * 0.044_715 * x * x);
    let last = x * s * (1.0 - s) * slope;
    if last.is_finite() { s.max(last.abs()) } else { s }
}

fn silu_terms(x: f64) -> f64 {
    let last = x * sigmoid(x) * sigmoid(-x);
    if last.is_finite() { sigmoid(x).max(last.abs()) } else { sigmoid(x) }
}

fn mish_terms(x: f64) -> f64 {
    if x > 0.0 {
        return 1.0;
    }
    let e = x.exp();
    let n = e * (e + 2.0);
    let last = if x < -1000.0 { 0.0 } else { 4.0 * x * e * (1.0 + e) / (n + 2.0).powi(2) };
    (n / (n + 2.0)).max(last.abs())
}

/// All exponents with several mantissas, both signs; the numbers that functions bend and tail off
/// at, more densely; ends and their neighbours; what is not finite.
fn arguments() -> Vec<f32> {
    let mut noise = Noise::new(11);
    let mut sizes = Vec::new();
    for exponent in 0..255_u32 {
        let mut mantissas = vec![0, 1, 0x7f_ffff, 0x40_0000, 0x15_5555];
        mantissas.extend((0..4).map(|_| noise.bits() & 0x7f_ffff));
        sizes.extend(mantissas.into_iter().map(|m| f32::from_bits(exponent << 23 | m)));
    }
    for (count, reach) in [(5000, 110.0), (4000, 20.0), (6000, 3.0)] {
        sizes.extend(noise.reals(count, 0.0, reach).into_iter().map(|x| x as f32));
    }
    for end in [0.3_f32, 0.625, 1.0, 2.5, 3.0, 6.0, 15.0, 60.0, 87.3, 88.7, 104.0] {
        for step in 0..5 {
            sizes.push(f32::from_bits(end.to_bits() - 2 + step));
        }
    }
    let golden = json(&root().join("tests/golden/activations.json"));
    sizes.extend(numbers(&golden["x"]).into_iter().map(|x| x.abs() as f32));
    sizes.push(f32::INFINITY);
    sizes.push(f32::NAN);
    sizes.iter().flat_map(|x| [*x, -x]).collect()
}

/// Value and derivative of each argument through a dense layer of weight 1 and bias 0.
fn through_a_layer(
    backend: &dyn Backend,
    settings: ActivationSettings,
    x: &[f32],
) -> (Vec<f64>, Vec<f64>) {
    let hidden = [LayerShape::new(1, settings)];
    let network = Network::new(1, 1, &hidden, 1).unwrap();
    let mut plan = Plan::new(&PlanRequest {
        network: &network,
        loss: LossSettings::new(loss::find("mse").unwrap(), Convention::Torch),
        terms: vec![&metric::TERMS[2]],
        target_width: 1,
        update: Some(Update::new(optimizer::find("sgd").unwrap(), OptimizerForm::default())),
        gradient_statistics: false,
        fuses: false,
        precision: Precision::F32,
        splits: false,
        passes: vec![Pass {
            name: "train".to_owned(),
            set: "train".to_owned(),
            kind: PassKind::Train,
            resident_rows: x.len(),
            batch_rows: x.len(),
            table_steps: 1,
            weighted: false,
            collected_rows: 0,
        }],
    })
    .unwrap();
    let named = |name: &str| {
        let calls = &plan.programs[0].calls;
        let call =
            calls.iter().find(|call| format!("{} {}", call.kernel.name(), call.subject) == name);
        Program { name: name.to_owned(), calls: vec![call.expect(name).clone()] }
    };
    plan.programs = vec![named("dense_forward layers.0"), named("input_gradient layers.1")];
    let mut executor = backend.load(&plan).unwrap();
    let mut parameters = vec![0.0; network.stride];
    for layer in &network.layers {
        parameters[layer.offsets.weight] = 1.0;
    }
    let id = |name: &str| plan.buffer(name).unwrap();
    let rows: Vec<u32> = (0..x.len() as u32).collect();
    executor.write_reals(id("parameters"), &parameters).unwrap();
    executor.write_layers(id("layers"), &[LayerSettings::dropout(0.0, [0, 0]); 2]).unwrap();
    executor.share_reals(id("train.features"), &x.into()).unwrap();
    executor.write_words(id("train.train.order"), &rows).unwrap();
    executor.write_steps(id("train.train.steps"), &[step_settings(0, x.len(), 0)]).unwrap();
    executor.write_state(id("train.train.state"), &[MemberState::START]).unwrap();
    executor.write_reals(id("delta.1"), &vec![1.0; x.len()]).unwrap();
    executor.run(ProgramId(0), 1).unwrap();
    executor.run(ProgramId(1), 1).unwrap();
    let wanted = [(id("activation.0"), x.len()), (id("delta.0"), x.len())];
    let mut read = executor.read(&wanted).unwrap();
    let grad = read.pop().unwrap().into_reals();
    (read.pop().unwrap().into_reals(), grad)
}

/// The unit in the last place of an f32 near `x`.
fn ulp(x: f64) -> f64 {
    let size = x.abs().clamp(f64::from(f32::MIN_POSITIVE), f64::from(f32::MAX));
    2.0_f64.powi(((size.to_bits() >> 52) as i32 - 1023) - 23)
}

/// Units between a number found and the one wanted; 0 where both are below what a device must tell
/// from 0, or beyond what f32 holds.
fn distance(found: f64, wanted: f64, unit: f64) -> f64 {
    let largest = f64::from(f32::MAX);
    if found.is_nan() || wanted.is_nan() {
        return if found.is_nan() && wanted.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if found == wanted || wanted.abs() > largest && found.abs() >= largest && found * wanted > 0.0 {
        return 0.0;
    }
    let off = (found - wanted).abs();
    if off <= f64::from(f32::MIN_POSITIVE) { 0.0 } else { off / unit }
}

/// The settings of a promise. Parameters are f32 numbers, as on the device.
fn settings(promise: &Promise) -> ActivationSettings {
    let row = activation::find(promise.name).unwrap();
    let mut settings = ActivationSettings::new(row, Convention::Torch);
    for (value, given) in settings.values.iter_mut().zip(promise.values) {
        *value = *given;
    }
    settings.values = settings.values.map(|value| f64::from(value as f32));
    settings
}

#[test]
fn every_activation_has_a_promise() {
    for row in &ACTIVATIONS {
        assert!(PROMISES.iter().any(|promise| promise.name == row.name), "{}", row.name);
    }
}

/// The largest distance so far, and where.
#[derive(Default)]
struct Worst {
    units: f64,
    x: f64,
    found: f64,
    wanted: f64,
}

impl Worst {
    /// Takes the distance to the nearer of what is wanted and what a device makes of 0 in place of
    /// a number below the smallest normal one.
    fn take(&mut self, x: f64, found: f64, wanted: f64, flushed: f64, unit: f64) {
        assert!(wanted.is_nan() || unit > 0.0 && unit <= ulp(f64::INFINITY), "no unit at {x:e}");
        let units = distance(found, wanted, unit).min(distance(found, flushed, unit));
        if units > self.units {
            *self = Self { units, x, found, wanted };
        }
    }
}

fn flushed(x: f64) -> f64 {
    if x.abs() < f64::from(f32::MIN_POSITIVE) { 0.0 } else { x }
}

#[test]
fn values_and_derivatives_are_exact_to_a_few_units_in_the_last_place() {
    let x = arguments();
    let mut failures = Vec::new();
    let backends = backends();
    for promise in &PROMISES {
        let settings = settings(promise);
        let twins = &settings.row.double;
        let act = |x: f64| (twins.act)(x, settings.values);
        let grad = |x: f64, y: f64| (twins.act_grad)(x, y, settings.values);
        let (acts, grads) = through_a_layer(&Reference::<f64>::new(), settings, &x);
        for backend in &backends {
            let name = &backend.device().name;
            let (found_acts, found_grads) = through_a_layer(backend.as_ref(), settings, &x);
            let mut worst = [Worst::default(), Worst::default()];
            for (i, x) in x.iter().enumerate() {
                let x = f64::from(*x);
                let flushed_act = act(flushed(x));
                worst[0].take(x, found_acts[i], acts[i], flushed_act, ulp(acts[i]));
                // Of NaN only the value is promised: it ends the training.
                if !x.is_nan() {
                    let unit = match promise.unit {
                        Unit::Value => ulp(grads[i]),
                        Unit::Terms(terms) => ulp(terms(x)),
                        Unit::One => ulp(1.0),
                    };
                    let flushed_grad = grad(flushed(x), flushed(flushed_act));
                    worst[1].take(x, found_grads[i], grads[i], flushed_grad, unit);
                }
            }
            println!(
                "{} {:?} on {name}: value {:.2}, derivative {:.2}",
                promise.name, promise.values, worst[0].units, worst[1].units
            );
            let bounds = [("value", promise.act), ("derivative", promise.grad)];
            for (worst, (what, bound)) in worst.iter().zip(bounds) {
                if worst.units > bound {
                    failures.push(format!(
                        "{} {:?} on {name}: {what} at {:e} is {:e}, but {:e} is wanted: {} units",
                        promise.name,
                        promise.values,
                        worst.x,
                        worst.found,
                        worst.wanted,
                        worst.units
                    ));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The measure itself: it must see what it is there for.
#[test]
fn the_measure_sees_what_is_wrong() {
    assert_eq!(ulp(1.0), 2.0_f64.powi(-23));
    assert_eq!(distance(1.0 + 2.0_f64.powi(-22), 1.0, ulp(1.0)), 2.0);
    assert_eq!(distance(f64::NAN, 1.0, 1.0), f64::INFINITY);
    assert_eq!(distance(1.0, f64::NAN, 1.0), f64::INFINITY);
    assert_eq!(distance(f64::INFINITY, 1.0, 1.0), f64::INFINITY);
    assert_eq!(distance(f64::INFINITY, -1e39, ulp(-1e39)), f64::INFINITY);
    assert_eq!(distance(f64::INFINITY, 1e39, ulp(1e39)), 0.0);
    assert_eq!(distance(1e-39, 0.0, ulp(0.0)), 0.0);
    assert!(distance(0.0, 2.4e-38, ulp(2.4e-38)) > 1e6);
    let mut worst = Worst::default();
    worst.take(0.0, f64::NAN, 1.0, 1.0, 1.0);
    assert_eq!(worst.units, f64::INFINITY);
}

fn numbers(values: &Value) -> Vec<f64> {
    let number = |value: &Value| match value.as_str() {
        Some(text) => text.parse().unwrap_or_else(|_| panic!("{text} is no number")),
        None => common::number(value),
    };
    values.as_array().expect("a list").iter().map(number).collect()
}

/// PyTorch's own numbers, of f64.
#[test]
fn the_reference_agrees_with_pytorch() {
    let file = json(&root().join("tests/golden/activations.json"));
    let x = numbers(&file["x"]);
    let rows = file["activations"].as_array().expect("rows");
    assert!(rows.len() >= 8 && x.len() >= 90, "{} rows of {}", rows.len(), x.len());
    for golden in rows {
        let name = golden["name"].as_str().expect("a name");
        let row = activation::find(name).unwrap_or_else(|| panic!("no activation {name}"));
        let mut settings = ActivationSettings::new(row, Convention::Torch);
        for (key, value) in golden.as_object().expect("an object") {
            if let (true, Some(at)) =
                (value.is_number(), row.parameters.iter().position(|p| p.name == key))
            {
                settings.values[at] = common::number(value);
            } else {
                assert!(["name", "y", "derivative"].contains(&key.as_str()), "{name}: {key}");
            }
        }
        let (y, derivative) = (numbers(&golden["y"]), numbers(&golden["derivative"]));
        assert!(y.len() == x.len() && derivative.len() == x.len(), "{name}");
        for (i, x) in x.iter().enumerate() {
            let act = (row.double.act)(*x, settings.values);
            let grad = (row.double.act_grad)(*x, act, settings.values);
            // PyTorch's erf and tanh lose the lower tails; its 1/6 is an f32, and celu's 1/alpha too.
            let fits = |found: f64, wanted: f64| {
                found == wanted || (found - wanted).abs() <= 1e-12 + 1e-7 * wanted.abs()
            };
            assert!(fits(act, y[i]), "{name}({x:e}) is {act:e}, in PyTorch {:e}", y[i]);
            let wanted = derivative[i];
            assert!(fits(grad, wanted), "{name}'({x:e}) is {grad:e}, in PyTorch {wanted:e}");
        }
    }
}
