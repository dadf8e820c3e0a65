//! Every call that a plan can hold, and its sources.

use std::collections::{BTreeMap, BTreeSet};

use wgfit::backend::gpu::source::compose;
use wgfit::backend::gpu::{Tile, tile};
use wgfit::catalog::activation::{ACTIVATIONS, ActivationSettings, GradientFrom};
use wgfit::catalog::loss::{LOSSES, LossSettings};
use wgfit::catalog::metric::TERMS;
use wgfit::catalog::normalization::NORMALIZATIONS;
use wgfit::catalog::optimizer::{Convention, OPTIMIZERS, OptimizerForm};
use wgfit::catalog::row_activation::ROW_ACTIVATIONS;
use wgfit::kernels::dense_forward::DenseForward;
use wgfit::kernels::input_gradient::InputGradient;
use wgfit::kernels::matrix_product::MatrixProduct;
use wgfit::kernels::partial_gradients::PartialGradients;
use wgfit::kernels::update::{MOST_LAYERS, Update, UpdatedLayer};
use wgfit::kernels::weight_gradient::WeightGradient;
use wgfit::kernels::{Kernel, Parameters};
use wgfit::program::{BufferId, Call, Precision, Variants};

fn call(kernel: Kernel, variants: Variants, bindings: &[&'static str]) -> Call {
    Call {
        kernel,
        subject: "a test".to_owned(),
        variants,
        parameters: Parameters::zeroed(kernel),
        bindings: bindings.iter().map(|name| (*name, BufferId(0))).collect(),
        extent: [1, 1, 1],
    }
}

/// Every call that a plan can hold, with a name.
struct Calls(Vec<(String, Call)>);

impl Calls {
    fn add(&mut self, kernel: Kernel, what: &str, variants: Variants, bindings: &[&'static str]) {
        let name = format!("{} {what} {bindings:?}", kernel.name());
        self.0.push((name, call(kernel, variants, bindings)));
    }

    fn of_activations(&mut self) {
        for row in &ACTIVATIONS {
            let with = |gathered| Variants {
                activation: Some(ActivationSettings::new(row, Convention::Torch)),
                gathered,
                drops: gathered,
                ..Variants::default()
            };
            let keeps: &[&[&'static str]] = match row.gradient_from {
                GradientFrom::Input => &[&[], &["pre_activation"]],
                GradientFrom::Output => &[&[]],
            };
            for bindings in keeps {
                for gathered in [false, true] {
                    self.add(Kernel::DenseForward, row.name, with(gathered), bindings);
                }
            }
            let bindings = keeps[keeps.len() - 1];
            for drops in [false, true] {
                self.add(Kernel::InputGradient, row.name, with(drops), bindings);
            }
            for bindings in [&[][..], &["residual"]] {
                self.add(Kernel::LayerOutput, row.name, with(false), bindings);
            }
            for bindings in [&[][..], &["residual_gradient"]] {
                self.add(Kernel::LayerGradient, row.name, with(false), bindings);
            }
        }
        for bindings in [&[][..], &["residual_gradient"]] {
            self.add(Kernel::InputGradient, "plain", Variants::default(), bindings);
        }
        for row in &ROW_ACTIVATIONS {
            let variants = Variants { row_activation: Some(row), ..Variants::default() };
            for kernel in [Kernel::RowActivation, Kernel::RowActivationGradient] {
                self.add(kernel, row.name, variants.clone(), &[]);
            }
        }
    }

    fn of_losses(&mut self) {
        for row in &LOSSES {
            for set in 0..1_usize << TERMS.len() {
                let terms: Vec<_> =
                    (0..TERMS.len()).filter(|i| set >> i & 1 == 1).map(|i| &TERMS[i]).collect();
                let names: Vec<_> = terms.iter().map(|term| term.name).collect();
                let what = format!("{} {names:?}", row.name);
                let loss = Some(LossSettings::new(row, Convention::Torch));
                let variants = Variants { loss, terms, gathered: true, ..Variants::default() };
                let collects: &[&'static str] = if set == 0 { &["collected"] } else { &[] };
                self.add(Kernel::Loss, &what, variants, collects);
            }
        }
        // Predictions that are the outputs themselves.
        let poisson = LOSSES.iter().find(|row| row.name == "poisson").expect("poisson");
        let loss = Some(LossSettings::new(poisson, Convention::Keras));
        let variants = Variants { loss, gathered: true, ..Variants::default() };
        self.add(Kernel::Loss, "poisson of rates", variants, &[]);
    }

    fn of_the_rest(&mut self) {
        for gathered in [false, true] {
            let variants = Variants { gathered, ..Variants::default() };
            self.add(Kernel::WeightGradient, &format!("gathered={gathered}"), variants, &[]);
        }
        for row in &NORMALIZATIONS {
            let variants = Variants { normalization: Some(row), ..Variants::default() };
            for kernel in [Kernel::Normalize, Kernel::ScaleGradient, Kernel::NormalizeGradient] {
                self.add(kernel, row.name, variants.clone(), &[]);
            }
        }
        for row in &OPTIMIZERS {
            for form in OptimizerForm::all(row) {
                let by_block = form.keras;
                let variants =
                    Variants { optimizer: Some((row, form)), by_block, ..Variants::default() };
                let what = format!("{} {form:?}", row.name);
                self.add(Kernel::OptimizerStep, &what, variants.clone(), &[]);
                self.add(Kernel::Update, &what, variants.clone(), &[]);
                let mut ragged = call(Kernel::Update, variants, &[]);
                ragged.parameters = Parameters::Update(update_of([3, 3, 3], 4));
                self.0.push((format!("update ragged {what}"), ragged));
            }
        }
        for kernel in Kernel::ALL {
            if !self.0.iter().any(|(_, call)| call.kernel == *kernel) {
                self.add(*kernel, "", Variants::default(), &[]);
            }
        }
    }
}

pub fn calls() -> Vec<(String, Call)> {
    let mut calls = Calls(Vec::new());
    calls.of_activations();
    calls.of_losses();
    calls.of_the_rest();
    calls.0
}

/// The same in plans of f16, of passes that train and of those that do not.
pub fn calls_in_f16() -> Vec<(String, Call)> {
    let mut all = Vec::new();
    for (name, mut call) in calls() {
        call.variants.precision = Precision::F16;
        let scaled = call.kernel.meets_loss_scale();
        if !scaled || matches!(call.kernel, Kernel::Loss | Kernel::FinishStep) {
            all.push((format!("{name} f16"), call.clone()));
        }
        if scaled {
            call.bindings.push(("loss_scale", BufferId(1)));
            all.push((format!("{name} f16 scaled"), call));
        }
    }
    all
}

/// An update of a layer in each place, of those inputs and units.
pub fn update_of(inputs: [u32; 3], units: u32) -> Update {
    let mut table = [UpdatedLayer::default(); MOST_LAYERS];
    for (place, (layer, inputs)) in (0..).zip(table.iter_mut().zip(inputs)) {
        *layer = UpdatedLayer { inputs, units, place, ..UpdatedLayer::default() };
    }
    Update { layers: 3, table, ..Update::default() }
}

/// The parameters of a matrix product by which its source changes: whether its operands are read in
/// quads, and which way those of `matrix_product` lie.
pub fn forms(kernel: Kernel) -> Vec<Parameters> {
    let mut forms = Vec::new();
    for (inputs, outputs) in [(4, 4), (4, 3), (3, 4), (3, 3)] {
        let form = match Parameters::zeroed(kernel) {
            Parameters::DenseForward(p) => {
                Parameters::DenseForward(DenseForward { inputs, outputs, ..p })
            }
            Parameters::InputGradient(p) => {
                Parameters::InputGradient(InputGradient { inputs, outputs, ..p })
            }
            Parameters::WeightGradient(p) => {
                Parameters::WeightGradient(WeightGradient { inputs, outputs, ..p })
            }
            Parameters::MatrixProduct(p) => {
                let [left_depth, left_row] = if outputs == 4 { [1, 8] } else { [8, 1] };
                let [right_depth, right_column] = if inputs == 4 { [1, 8] } else { [8, 1] };
                let p = MatrixProduct { left_row, left_depth, right_depth, right_column, ..p };
                let [rows, columns, depth] = [8; 3];
                forms.push(Parameters::MatrixProduct(MatrixProduct { rows, columns, depth, ..p }));
                let [rows, columns, depth] = [7; 3];
                Parameters::MatrixProduct(MatrixProduct { rows, columns, depth, ..p })
            }
            Parameters::Update(_) => {
                // Of so few inputs that direct tiles of the first layer are turned.
                forms.push(Parameters::Update(update_of([inputs; 3], outputs * 10)));
                Parameters::Update(update_of([inputs, inputs, 4], outputs))
            }
            Parameters::PartialGradients(p) => {
                let Update { layers, table, .. } = update_of([inputs, inputs, 4], outputs);
                Parameters::PartialGradients(PartialGradients { layers, table, ..p })
            }
            other => other,
        };
        forms.push(form);
    }
    forms
}

/// Every source, once, with the name of the first call that it is the source of. Tiles and the other
/// variants do not meet: the ones load and multiply, the others store.
pub fn sources() -> BTreeMap<String, String> {
    sources_of(calls())
}

pub fn sources_of(calls: Vec<(String, Call)>) -> BTreeMap<String, String> {
    let mut sources = BTreeMap::new();
    let mut cut_up = BTreeSet::new();
    for (name, call) in calls {
        let is_product = call.kernel.is_matmul() || call.kernel.is_grouped();
        if is_product && cut_up.insert(call.kernel.name()) {
            for (tile, parameters) in tile::all()
                .into_iter()
                .flat_map(|t| forms(call.kernel).into_iter().map(move |p| (t, p)))
            {
                let call = Call { parameters, ..call.clone() };
                sources.entry(compose(&call, tile)).or_insert_with(|| format!("{name} {tile}"));
            }
        }
        sources.entry(compose(&call, Tile::NAIVE)).or_insert(name);
    }
    sources
}
