//! Numbers that random ones are not: zeros of either sign, subnormal, tiny, huge, near overflow, and
//! not finite where that must not matter.

use super::Held;
use crate::catalog::activation::ACTIVATIONS;
use crate::catalog::optimizer::OPTIMIZERS;
use crate::catalog::optimizer::OptimizerForm;
use crate::error::Result;
use crate::kernels::Kernel;
use crate::program::{Call, Contents};
use crate::verify::{Case, Fill, Noise, Scene};

/// Of all sizes that products of two stay within f32.
const MIXED: [f32; 10] = [0.0, -0.0, 1e-40, -3e-39, 1e-24, -1e-24, 1.0, -1.5, 1e12, -3e11];

/// 2^60: sums of a few dozens of products are within a few powers of two of the largest f32.
const HUGE: f32 = 1_152_921_504_606_846_976.0;

/// Arguments at which a careless formula overflows or cancels.
const ARGUMENTS: [f32; 18] = [
    0.0, -0.0, 1e-40, -1e-40, 1e-20, -1e-20, 17.5, -17.5, 88.0, -88.0, 89.5, -89.5, 104.0, -104.0,
    1e4, -1e4, 1e9, -1e9,
];

/// Losses of any logits. Others raise them to powers, or take logarithms.
const OF_ANY_LOGITS: [&str; 6] = [
    "categorical_cross_entropy",
    "binary_cross_entropy",
    "categorical_hinge",
    "hinge",
    "mae",
    "huber",
];

/// What products read and write, but for the optimizer's own.
fn is_of_products(name: &str) -> bool {
    ["activation.", "pre_activation.", "delta."].iter().any(|start| name.starts_with(start))
        || ["train.features", "parameters", "even", "odd"].contains(&name)
}

/// Fills what products read and write.
fn fill_products(scene: &mut Scene, number: &mut dyn FnMut(&str) -> f64) {
    for (spec, fill) in scene.plan.buffers.iter().zip(&mut scene.fills) {
        if let (Fill::Reals(values), Contents::Reals) = (fill, spec.contents)
            && is_of_products(&spec.name)
        {
            values.iter_mut().for_each(|x| *x = number(&spec.name));
        }
    }
}

/// Products of such numbers, of scalars and of quads.
///
/// # Errors
/// Never.
pub fn hostile_products() -> Result<Vec<Held>> {
    let mut held = Vec::new();
    for (inputs, units, outputs) in [(29, 33, 7), (28, 36, 8)] {
        let sizes = Case { rows: 37, inputs, hidden: vec![units], outputs, ..Case::default() };
        let case = Case { activation: "linear", members: 2, ..sizes };
        let which = |call: &Call| call.kernel.is_matmul();
        let mut mixed = Scene::new(&case)?;
        let mut noise = Noise::new(5);
        fill_products(&mut mixed, &mut |name| {
            // What was 0 and is 0 again would have to be left alone.
            let least = if name.starts_with("delta.") { 2 } else { 0 };
            f64::from(MIXED[least + noise.bits() as usize % (MIXED.len() - least)])
        });
        mixed.name.push_str(", numbers of all sizes");
        let mut huge = Scene::new(&case)?;
        fill_products(&mut huge, &mut |_| noise.real(-1.0, 1.0) * f64::from(HUGE));
        huge.name.push_str(", huge numbers");
        held.extend([mixed, huge].map(|scene| Held { scene, which }));
    }
    Ok(held)
}

/// Everything else that is given such numbers.
///
/// # Errors
/// Never.
pub fn hostile() -> Result<Vec<Held>> {
    let mut held = activations()?;
    held.extend(losses()?);
    held.extend(optimizers()?);
    held.push(stopped()?);
    Ok(held)
}

/// Every activation at arguments that are biases: the weights are 0.
fn activations() -> Result<Vec<Held>> {
    let mut held = Vec::new();
    for row in &ACTIVATIONS {
        let hidden = vec![ARGUMENTS.len()];
        let mut scene = Scene::new(&Case { activation: row.name, hidden, ..Case::default() })?;
        let bias = scene.network.layers[0].offsets.bias;
        let parameters = scene.reals_mut("parameters")?;
        parameters.fill(0.0);
        for (parameter, argument) in parameters.iter_mut().skip(bias).zip(ARGUMENTS) {
            *parameter = f64::from(argument);
        }
        scene.name.push_str(", biases of all sizes");
        held.push(Held { scene, which: |call| call.kernel == Kernel::DenseForward });
    }
    Ok(held)
}

/// Losses of logits whose exponentials overflow.
fn losses() -> Result<Vec<Held>> {
    let mut held = Vec::new();
    for loss in OF_ANY_LOGITS {
        let mut scene = Scene::new(&Case { loss, members: 2, ..Case::default() })?;
        let mut noise = Noise::new(6);
        for x in scene.reals_mut("activation.1")? {
            *x = [0.0, -0.0, 1.0, -2.0, 30.0, -30.0, 100.0, -100.0].map(|x: f32| f64::from(x))
                [noise.bits() as usize % 8];
        }
        scene.name.push_str(", logits of all sizes");
        held.push(Held { scene, which: |call| call.kernel == Kernel::Loss });
    }
    Ok(held)
}

/// Steps of gradients of all sizes.
fn optimizers() -> Result<Vec<Held>> {
    let mut held = Vec::new();
    for row in &OPTIMIZERS {
        let optimizer = (row.name, OptimizerForm::default());
        let mut scene = Scene::new(&Case { optimizer, members: 2, ..Case::default() })?;
        let mut noise = Noise::new(7);
        for x in scene.reals_mut("gradients")? {
            *x = [0.0, -0.0, 1e-40, -1e-40, 1e-24, -1e-24, 1.0, 1e6, -1e6, 1e12]
                .map(|x: f32| f64::from(x))[noise.bits() as usize % 10];
        }
        scene.name.push_str(", gradients of all sizes");
        held.push(Held {
            scene,
            which: |call| matches!(call.kernel, Kernel::OptimizerStep | Kernel::GradientStatistics),
        });
    }
    Ok(held)
}

/// A member that has stopped at numbers that are not finite: nothing of it is read or written.
fn stopped() -> Result<Held> {
    let optimizer = ("adam", OptimizerForm::default());
    let mut scene = Scene::new(&Case { optimizer, members: 3, stopped: true, ..Case::default() })?;
    let stride = scene.network.stride;
    for name in ["parameters", "gradients", "moment0", "moment1"] {
        let of_last = scene.reals_mut(name)?.iter_mut().skip(2 * stride).take(stride);
        for (i, x) in of_last.enumerate() {
            *x = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY][i % 3];
        }
    }
    scene.name.push_str(" at numbers that are not finite");
    Ok(Held::all(scene))
}
