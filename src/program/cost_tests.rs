use super::*;
use crate::catalog::activation::{self, ActivationSettings};
use crate::catalog::loss::{self, LossSettings};
use crate::catalog::metric::TermRow;
use crate::catalog::optimizer::{self, Convention, OptimizerForm};
use crate::kernels::Kernel;
use crate::network::{EmbeddingShape, LayerShape, Network};
use crate::program::{Pass, PassKind, Plan, PlanRequest, Precision, Update};

const BATCH: u64 = 4;

fn plan(members: usize, kind: PassKind, optimizer: &str) -> Plan {
    plan_in(Precision::F32, members, kind, optimizer, false)
}

fn plan_in(
    precision: Precision,
    members: usize,
    kind: PassKind,
    optimizer: &str,
    fuses: bool,
) -> Plan {
    let activation = |name: &str| {
        ActivationSettings::new(activation::find(name).expect("an activation"), Convention::Torch)
    };
    let hidden = [LayerShape::new(5, activation("relu")), LayerShape::new(6, activation("gelu"))];
    let network = Network::new(members, 7, &hidden, 3).expect("a small network");
    let row = optimizer::find(optimizer).expect("an optimizer");
    let classes = loss::find("categorical_cross_entropy").expect("a loss");
    Plan::new(&PlanRequest {
        network: &network,
        loss: LossSettings::new(classes, Convention::Torch),
        terms: Vec::<&'static TermRow>::new(),
        target_width: 1,
        update: Some(Update::new(row, OptimizerForm::default())),
        gradient_statistics: false,
        fuses,
        precision,
        splits: false,
        passes: vec![Pass {
            name: "train".to_owned(),
            set: "train".to_owned(),
            kind,
            resident_rows: 20,
            batch_rows: BATCH as usize,
            table_steps: 5,
            weighted: false,
            collected_rows: 0,
        }],
    })
    .expect("a plan")
}

fn cost_of(plan: &Plan, kernel: Kernel, subject: &str) -> Cost {
    let mut calls = plan.programs[0].calls.iter();
    let call = calls.find(|call| call.kernel == kernel && call.subject == subject);
    call.expect("the program has that call").cost(BATCH)
}

fn bytes(flops: u64, read: u64, written: u64) -> Cost {
    Cost { flops, bytes_read: read, bytes_written: written }
}

/// 4 rows of 7-5-6-3, counted by hand.
#[test]
fn matrix_products_cost_what_was_counted_by_hand() {
    let plan = plan(1, PassKind::Train, "adam");
    // 4 x 5 results of 7 products, a bias, a relu; 4 indices, 4 x 7 inputs, 5 x 7 weights, 5 biases.
    let first = bytes(280 + 20 + 40, (4 + 28 + 35 + 5) * 4, 20 * 4);
    assert_eq!(cost_of(&plan, Kernel::DenseForward, "layers.0"), first);
    // gelu keeps what it was given.
    let second = bytes(240 + 24 + 48, (20 + 30 + 6) * 4, 48 * 4);
    assert_eq!(cost_of(&plan, Kernel::DenseForward, "layers.1"), second);
    // The last layer is linear.
    let last = bytes(144 + 12, (24 + 18 + 3) * 4, 12 * 4);
    assert_eq!(cost_of(&plan, Kernel::DenseForward, "layers.2"), last);
    let weights = bytes(280 + 20, (4 + 28 + 20) * 4, 40 * 4);
    assert_eq!(cost_of(&plan, Kernel::WeightGradient, "layers.0"), weights);
    // 4 x 5 gradients of 6 products, times a derivative that is read from 4 x 5 outputs.
    let inputs = bytes(240 + 40, (24 + 30 + 20) * 4, 20 * 4);
    assert_eq!(cost_of(&plan, Kernel::InputGradient, "layers.1"), inputs);
}

#[test]
fn the_rest_of_a_step_costs_what_was_counted_by_hand() {
    let adam = plan(1, PassKind::Train, "adam");
    let name = "categorical_cross_entropy";
    // 4 x 3 outputs, 4 classes and 4 indices in; 4 x 3 gradients and 4 losses out.
    assert_eq!(cost_of(&adam, Kernel::Loss, name), bytes(96, (4 + 12 + 4) * 4, (12 + 4) * 4));
    // Evaluation has no gradient.
    let evaluated = plan(1, PassKind::Evaluate, "adam");
    assert_eq!(cost_of(&evaluated, Kernel::Loss, name), bytes(96, (4 + 12 + 4) * 4, 4 * 4));
    assert_eq!(cost_of(&adam, Kernel::FinishStep, "train"), bytes(4, 16, 4));
    // 5 x 7, 5, 6 x 5, 6, 3 x 6 and 3 parameters, each tensor in blocks of 64.
    let parameters = 6 * 64;
    let settings = 6 * 8;
    assert_eq!(
        cost_of(&adam, Kernel::OptimizerStep, "adam"),
        bytes(12 * parameters, (4 * parameters + settings) * 4, 3 * parameters * 4)
    );
    let sgd = plan(1, PassKind::Train, "sgd");
    assert_eq!(
        cost_of(&sgd, Kernel::OptimizerStep, "sgd"),
        bytes(4 * parameters, (2 * parameters + settings) * 4, parameters * 4)
    );
}

/// 4 rows of 7-5-6-3: what is stored in f16 moves half the bytes, and all else what it does in f32.
#[test]
fn values_in_f16_cost_half_the_bytes() {
    let half = plan_in(Precision::F16, 1, PassKind::Train, "adam", false);
    let full = plan(1, PassKind::Train, "adam");
    let saved = |kernel, subject: &str| {
        let (half, full) = (cost_of(&half, kernel, subject), cost_of(&full, kernel, subject));
        assert_eq!(half.flops, full.flops);
        [full.bytes_read - half.bytes_read, full.bytes_written - half.bytes_written]
    };
    assert_eq!(saved(Kernel::DenseForward, "layers.0"), [28 * 2, 20 * 2]);
    assert_eq!(saved(Kernel::DenseForward, "layers.1"), [20 * 2, 48 * 2]);
    assert_eq!(saved(Kernel::WeightGradient, "layers.1"), [(20 + 24) * 2, 0]);
    assert_eq!(saved(Kernel::InputGradient, "layers.1"), [(24 + 20) * 2, 20 * 2]);
    assert_eq!(saved(Kernel::Loss, "categorical_cross_entropy"), [12 * 2, 12 * 2]);
    assert_eq!(saved(Kernel::OptimizerStep, "adam"), [0, 0]);
    assert_eq!(saved(Kernel::FinishStep, "train"), [0, 0]);
    let [half, full] = [Precision::F16, Precision::F32].map(|precision| {
        let fused = plan_in(precision, 1, PassKind::Train, "adam", true);
        cost_of(&fused, Kernel::Update, "adam")
    });
    // Inputs and gradients of all layers.
    let values = 28 + 20 + 24 + (20 + 24 + 12);
    assert_eq!(full.bytes_read - half.bytes_read, values * 2);
    assert_eq!(full.bytes_written, half.bytes_written);
}

/// A batch of 2052 rows of 7-5, in four parts of 516, of which the last has 504.
#[test]
fn a_split_step_costs_what_was_counted_by_hand() {
    let network = Network::new(1, 7, &[], 5).expect("a small network");
    let row = optimizer::find("adam").expect("an optimizer");
    let rows = 2052;
    let mut request = PlanRequest {
        network: &network,
        loss: LossSettings::new(loss::find("mse").expect("a loss"), Convention::Torch),
        terms: Vec::<&'static TermRow>::new(),
        target_width: 5,
        update: Some(Update::new(row, OptimizerForm::default())),
        gradient_statistics: false,
        fuses: true,
        splits: true,
        precision: Precision::F32,
        passes: vec![Pass {
            name: "train".to_owned(),
            set: "train".to_owned(),
            kind: PassKind::Train,
            resident_rows: 3000,
            batch_rows: rows as usize,
            table_steps: 5,
            weighted: false,
            collected_rows: 0,
        }],
    };
    let plan = Plan::new(&request).expect("a plan");
    let call = |kernel| plan.programs[0].calls.iter().find(|call| call.kernel == kernel);
    let partial = call(Kernel::PartialGradients).expect("the gradients");
    // Indices, features, gradients of the outputs and a loss of every row in; four times 40
    // gradients and a mean of losses out.
    let products = 2 * rows * 35 + 5 * rows;
    let expected =
        bytes(products + rows, (rows + 7 * rows + 5 * rows + rows) * 4, (4 * 40 + 1) * 4);
    assert_eq!(partial.cost(rows), expected);
    assert_eq!(partial.shape(rows), Shape { rows: 5, columns: 7, depth: 516 });
    // 35 and 5 parameters, each tensor in blocks of 64; three sums of two parts' gradients.
    let step = call(Kernel::OptimizerStep).expect("the step");
    let step_of = |parts: u64| {
        let parameters = 2 * 64;
        let read = (1 + parts + 2) * parameters + 2 * 8;
        bytes((12 + parts - 1) * parameters, read * 4, 3 * parameters * 4)
    };
    assert_eq!(step.cost(rows), step_of(4));
    assert_eq!(step.cost(600), step_of(2));
    request.splits = false;
    let whole = Plan::new(&request).expect("a plan");
    assert!(whole.programs[0].calls.iter().all(|call| call.kernel != Kernel::OptimizerStep));
}

#[test]
fn members_multiply_the_cost() {
    let one: Vec<Cost> =
        plan(1, PassKind::Train, "adam").programs[0].calls.iter().map(|c| c.cost(BATCH)).collect();
    let eight = plan(8, PassKind::Train, "adam");
    for (one, call) in one.into_iter().zip(&eight.programs[0].calls) {
        assert_eq!(call.cost(BATCH), one.times(8), "{}", call.kernel.name());
    }
}

#[test]
fn every_kernel_has_a_cost_and_a_shape() {
    for kernel in Kernel::ALL {
        let call = Call {
            kernel: *kernel,
            subject: String::new(),
            variants: super::super::Variants::default(),
            parameters: Parameters::zeroed(*kernel),
            bindings: Vec::new(),
            extent: [1, 1, 1],
        };
        // Of nothing there is nothing to do, and nothing to divide by.
        assert_eq!(call.cost(0).flops, 0, "{}", kernel.name());
        assert_eq!(call.shape(0).rows * call.shape(0).columns * call.shape(0).depth, 0);
    }
}

#[test]
fn the_floor_is_the_longer_of_the_two() {
    let cost = bytes(600, 50, 50);
    assert_eq!(cost.floor(100.0, 100.0), 6.0);
    assert_eq!(cost.floor(1000.0, 10.0), 10.0);
    let all: Cost = [cost, cost].into_iter().sum();
    assert_eq!(all, bytes(1200, 100, 100));
}

/// 4 rows of a, [b: 9 x 3], c, [d: 40 x 2] into a layer of 5.
#[test]
fn learned_tables_cost_what_was_counted_by_hand() {
    let shape = |column, categories, size| EmbeddingShape { column, categories, size };
    let layer = LayerShape::new(5, ActivationSettings::linear());
    let shapes = [shape(1, 9, 3), shape(3, 40, 2)];
    let network = Network::embedded(2, 4, &shapes, &[], layer).expect("a small network");
    let [full, half] = [Precision::F32, Precision::F16].map(|precision| {
        Plan::new(&PlanRequest {
            network: &network,
            loss: LossSettings::new(loss::find("mse").expect("a loss"), Convention::Torch),
            terms: Vec::new(),
            target_width: 5,
            update: Some(Update::new(
                optimizer::find("sgd").expect("an optimizer"),
                OptimizerForm::default(),
            )),
            gradient_statistics: false,
            fuses: true,
            precision,
            splits: false,
            passes: vec![Pass {
                name: "train".to_owned(),
                set: "train".to_owned(),
                kind: PassKind::Train,
                resident_rows: 20,
                batch_rows: BATCH as usize,
                table_steps: 5,
                weighted: false,
                collected_rows: 0,
            }],
        })
        .expect("a plan")
    });
    let both = |one: Cost| one.times(2);
    // 4 indices, 4 x 4 values, and 4 x 5 of the tables in; 4 x 7 inputs and 4 x 2 codes out.
    let forward = both(bytes(0, (4 + 16 + 20) * 4, (28 + 8) * 4));
    assert_eq!(cost_of(&full, Kernel::Embedding, "embeddings.0-1"), forward);
    // 9 x 3 and 40 x 2 of the tables, each in blocks of 64.
    let zeros = both(bytes(0, 0, 3 * 64 * 4));
    assert_eq!(cost_of(&full, Kernel::ZeroGradients, "embeddings"), zeros);
    // Each of 2 x 4 codes with 4; 4 x 5 gradients to as many of the tables'.
    let sums = both(bytes(32 + 20, (8 + 40) * 4, 20 * 4));
    assert_eq!(cost_of(&full, Kernel::EmbeddingGradient, "embeddings.0-1"), sums);
    let saved = |kernel, subject: &str| {
        let (half, full) = (cost_of(&half, kernel, subject), cost_of(&full, kernel, subject));
        [full.bytes_read - half.bytes_read, full.bytes_written - half.bytes_written]
    };
    assert_eq!(saved(Kernel::Embedding, "embeddings.0-1"), [2 * 16 * 2, 2 * 28 * 2]);
    assert_eq!(saved(Kernel::ZeroGradients, "embeddings"), [0, 0]);
    assert_eq!(saved(Kernel::EmbeddingGradient, "embeddings.0-1"), [2 * 20 * 2, 0]);
}
