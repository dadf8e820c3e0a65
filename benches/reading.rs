//! Times how a training file is read, its columns' types found and its cells parsed, some rounds of it, and
//! then how it becomes a data set: split, fitted, encoded besides.
//! `benches/peers/reading.py` runs it beside pandas and pyarrow:
//!
//!     cargo bench --bench reading -- data.csv y 5

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use mimalloc::MiMalloc;
use wgfit::Config;
use wgfit::data::{load, read_alone};

/// That of the binary.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let [file, target, rounds] = arguments.as_slice() else {
        println!("reading: give a file, its target column, and how often to read it");
        return Ok(());
    };
    let config = serde_json::json!({ "data": { "train": file, "target": target } });
    let config = Config::parse(&config.to_string(), "the arguments", &[])?;
    let settings = config.validate(Path::new("."))?;
    for _ in 0..rounds.parse()? {
        let start = Instant::now();
        let rows = read_alone(&settings.data)?;
        println!(
            "{}",
            serde_json::json!({ "seconds": start.elapsed().as_secs_f64(), "rows": rows })
        );
    }
    let start = Instant::now();
    let inputs = load(&settings.data)?.preprocessing.inputs();
    let whole = start.elapsed().as_secs_f64();
    println!("{}", serde_json::json!({ "whole_seconds": whole, "inputs": inputs }));
    Ok(())
}
