//! Trains inputs-hidden-10 with Burn on MNIST's IDX files and prints the time of a step:
//! `burn-mlp FOLDER 128-64 BATCH WARM_UP_STEPS STEPS flex|wgpu`.

use std::path::Path;
use std::time::Instant;

use burn::module::Module;
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::nn::{Linear, LinearConfig, Relu};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};

const CLASSES: usize = 10;
const LEARNING_RATE: f64 = 1e-3;

#[derive(Module, Debug)]
struct Mlp {
    layers: Vec<Linear>,
    activation: Relu,
}

impl Mlp {
    fn new(sizes: &[usize], device: &Device) -> Self {
        let layers =
            sizes.windows(2).map(|pair| LinearConfig::new(pair[0], pair[1]).init(device)).collect();
        Self { layers, activation: Relu::new() }
    }

    fn forward(&self, mut x: Tensor<2>) -> Tensor<2> {
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(x);
            if i + 1 < self.layers.len() {
                x = self.activation.forward(x);
            }
        }
        x
    }
}

/// The bytes of an IDX file behind its header, and its number of rows.
fn idx(path: &Path) -> (Vec<u8>, usize) {
    let raw = std::fs::read(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let rows = u32::from_be_bytes([raw[4], raw[5], raw[6], raw[7]]) as usize;
    (raw[4 + 4 * raw[3] as usize..].to_vec(), rows)
}

/// Orders of the rows, one an epoch (Fisher-Yates over a 64-bit linear congruence).
struct Orders {
    order: Vec<i32>,
    at: usize,
    random: u64,
}

impl Orders {
    fn batch(&mut self, rows: usize) -> Vec<i32> {
        if self.at + rows > self.order.len() {
            self.at = 0;
        }
        if self.at == 0 {
            for i in (1..self.order.len()).rev() {
                self.random =
                    self.random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                self.order.swap(i, (self.random >> 33) as usize % (i + 1));
            }
        }
        self.at += rows;
        self.order[self.at - rows..self.at].to_vec()
    }
}

fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [folder, hidden, batch, warm_up, steps, backend] = given.as_slice() else {
        eprintln!("burn-mlp FOLDER 128-64 BATCH WARM_UP_STEPS STEPS flex|wgpu");
        std::process::exit(2);
    };
    let number = |text: &str| text.parse::<usize>().expect("a number");
    let (batch, warm_up, steps) = (number(batch), number(warm_up), number(steps));
    let device = match backend.as_str() {
        "flex" => Device::flex(),
        _ => Device::wgpu(Default::default()),
    };
    let training = device.clone().autodiff();

    let folder = Path::new(folder);
    let (images, all) = idx(&folder.join("train-images-idx3-ubyte"));
    let (labels, _) = idx(&folder.join("train-labels-idx1-ubyte"));
    let inputs = images.len() / all;
    // An epoch is as many rows as the warm-up takes.
    let rows = (warm_up * batch).min(all);
    let pixels: Vec<f32> = images[..rows * inputs].iter().map(|p| f32::from(*p) / 255.0).collect();
    let classes: Vec<i32> = labels[..rows].iter().map(|label| i32::from(*label)).collect();
    let features = Tensor::<2>::from_data(TensorData::new(pixels, [rows, inputs]), &device);
    let targets = Tensor::<1, Int>::from_data(TensorData::new(classes, [rows]), &device);

    let mut sizes = vec![inputs];
    sizes.extend(hidden.split('-').map(number));
    sizes.push(CLASSES);
    let mut model = Mlp::new(&sizes, &training);
    let mut optimizer = AdamConfig::new().with_epsilon(1e-8).init();
    let criterion: CrossEntropyLoss = CrossEntropyLossConfig::new().init(&training);
    let mut orders = Orders { order: (0..rows as i32).collect(), at: 0, random: 1 };

    let mut step = || {
        let order = TensorData::new(orders.batch(batch), [batch]);
        let order = Tensor::<1, Int>::from_data(order, &device);
        let x = features.clone().select(0, order.clone()).autodiff();
        let y = targets.clone().select(0, order).autodiff();
        let loss = criterion.forward(model.forward(x), y);
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(LEARNING_RATE, model.clone(), gradients);
        loss
    };
    let mut loss = step();
    for _ in 1..warm_up {
        loss = step();
    }
    loss.clone().into_data();
    device.sync().expect("the device answers");
    let begun = Instant::now();
    for _ in 0..steps {
        loss = step();
    }
    let last: Vec<f32> = loss.into_data().to_vec().expect("a loss");
    device.sync().expect("the device answers");
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{{\"version\": \"burn 0.22\", \"device\": \"{backend}\", \"seconds\": {seconds}, \
         \"ms_per_step\": {}, \"samples_per_second\": {}, \"loss\": {}}}",
        seconds / steps as f64 * 1e3,
        (steps * batch) as f64 / seconds,
        last[0]
    );
}
