//! What every optimizer must do, whatever its formula: find the bottom of a parabola and of
//! Rosenbrock's valley, in each of its forms.

use wgfit::catalog::optimizer::{Convention, OPTIMIZERS, OptimizerForm, OptimizerRow};
use wgfit::program::StepSettings;

/// A learning rate that fits a function of size 1, falling to 0 over the run. A new row is tried
/// with the last.
fn rate(row: &OptimizerRow, form: OptimizerForm, valley: bool) -> f64 {
    match row.name {
        "sgd" if form.with_momentum => 2e-4,
        "sgd" => 1e-3,
        "adagrad" => 0.3,
        "adadelta" if valley => 3.0,
        "adadelta" => 30.0,
        "rmsprop" if form.with_momentum => 1e-3,
        _ => 0.01,
    }
}

/// The point reached from `start` by so many steps along the gradient.
fn descend(
    row: &OptimizerRow,
    form: OptimizerForm,
    valley: bool,
    start: [f64; 2],
    gradient: fn([f64; 2]) -> [f64; 2],
) -> [f64; 2] {
    let convention = if form.keras { Convention::Keras } else { Convention::Torch };
    let mut numbers = row.defaults(convention);
    if form.with_momentum && numbers.momentum == 0.0 {
        numbers.momentum = 0.9;
    }
    let initial = (row.initial)(&numbers);
    let mut moments = [initial; 2];
    let mut point = start;
    let mut coefficients = [1.0; 4];
    let steps = 60_000;
    for step in 1..=steps {
        coefficients = (row.coefficients)(&numbers, step, coefficients);
        let learning_rate = rate(row, form, valley) * (1.0 - step as f64 / steps as f64);
        let settings = StepSettings {
            step: step as u32,
            learning_rate,
            epsilon: numbers.epsilon,
            beta1: numbers.beta1,
            beta2: numbers.beta2,
            momentum: numbers.momentum,
            rho: numbers.rho,
            coefficients,
            ..StepSettings::default()
        };
        let slope = gradient(point);
        for axis in 0..2 {
            let [m0, m1, m2] = &mut moments[axis];
            point[axis] = (row.double)(
                point[axis],
                slope[axis],
                [m0, m1, m2],
                &settings,
                learning_rate,
                form,
            );
        }
    }
    point
}

fn each(check: impl Fn(&OptimizerRow, OptimizerForm)) {
    let mut forms = 0;
    for row in &OPTIMIZERS {
        for form in OptimizerForm::all(row) {
            check(row, form);
            forms += 1;
        }
    }
    assert!(forms >= 2 * OPTIMIZERS.len(), "only {forms} forms");
}

#[test]
fn every_optimizer_finds_the_bottom_of_a_parabola() {
    each(|row, form| {
        let gradient = |[x, y]: [f64; 2]| [2.0 * (x - 1.5), 0.5 * (y + 0.5)];
        let [x, y] = descend(row, form, false, [-1.0, 1.0], gradient);
        let off = (x - 1.5).abs().max((y + 0.5).abs());
        assert!(off < 1e-3, "{} {form:?} ends at {x}, {y}", row.name);
    });
}

#[test]
fn every_optimizer_follows_rosenbrocks_valley() {
    each(|row, form| {
        let gradient = |[x, y]: [f64; 2]| {
            let rise = y - x * x;
            [-2.0 * (1.0 - x) - 400.0 * x * rise, 200.0 * rise]
        };
        let [x, y] = descend(row, form, true, [-1.2, 1.0], gradient);
        let value = (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2);
        assert!(value < 1e-2, "{} {form:?} ends at {x}, {y}: {value}", row.name);
    });
}
