//! The binary: parse, run, print the error, exit code. Nothing else.

use std::io::Write;
use std::process::ExitCode;

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    wgfit::cli::run().unwrap_or_else(|error| {
        let code = ExitCode::from(error.exit_code());
        // Whoever closed stderr still gets the code.
        let _ = writeln!(std::io::stderr(), "error: {:#}", anyhow::Error::from(error));
        code
    })
}
