//! The binary: parse, run, print the error, exit code. Nothing else.

use std::process::ExitCode;

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    wgfit::cli::run().unwrap_or_else(|error| {
        let code = ExitCode::from(error.exit_code());
        eprintln!("error: {:#}", anyhow::Error::from(error));
        code
    })
}
