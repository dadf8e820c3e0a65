#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| wgfit_fuzz::run("sweep_state", bytes));
