//! A training whose device has no room for its n-th buffer, or is lost when it is waited for the n-th
//! time, for every few n: it goes on to the same bytes, or ends with a clear word and nothing lost.

use std::fs;
use std::process::Output;

use crate::checks::{assert_same, check_files, said};
use crate::common::devices;
use crate::{MOST, Walk};

/// A walk on llvmpipe, where pipelines are compiled once for all of its runs.
struct OnDevice(Walk);

impl OnDevice {
    fn new() -> Self {
        devices();
        Self(Walk::on("llvmpipe", |folder| folder.join("cache")))
    }

    fn fail(&self, out: &str, n: usize, kind: &str) -> Output {
        self.0.train(out, &["--fail-operation", &format!("{n}:{kind}")])
    }

    /// Returns the runs that met a fault, by whether they went on.
    fn walk(&self, kind: &str, stride: usize) -> [usize; 2] {
        let all = std::env::var("WGFIT_TEST_FAULTS").is_ok_and(|value| value == "all");
        let mut met = [0, 0];
        for n in (1..MOST).step_by(if all { 1 } else { stride }) {
            let out = format!("{kind}-{n}");
            let output = self.fail(&out, n, kind);
            let (run, text) = (self.0.run(&out), said(&output));
            let name = format!("{n}:{kind}\n{text}");
            assert!(!text.contains("panicked"), "{name}");
            let has_struck = text.contains("fails on purpose");
            let goes_on = output.status.success();
            assert!(goes_on || has_struck, "{name}");
            if goes_on {
                assert_same(&self.0.whole, &run, true, &name);
            } else {
                assert_eq!(output.status.code(), Some(1), "{name}");
                // Drivers have errors of their own to tell.
                let ours = text.lines().filter(|line| line.starts_with("error: llvmpipe"));
                assert_eq!(ours.count(), 1, "{name}");
                assert!(text.contains("\n  help: ") && text.contains("--device cpu"), "{name}");
                check_files(&run, false, &name);
                let again = self.0.train(&out, &["--resume"]);
                assert!(again.status.success(), "{name}then: {}", said(&again));
                assert_same(&self.0.whole, &run, true, &name);
            }
            let _ = fs::remove_dir_all(&run);
            if !has_struck {
                return met;
            }
            met[usize::from(goes_on)] += 1;
        }
        panic!("{kind}: more than {MOST} of them")
    }
}

#[test]
fn a_device_that_is_lost_at_any_wait() {
    let [ended, went_on] = OnDevice::new().walk("device_lost", 3);
    assert!(ended == 0 && went_on > 5, "{ended} ended, {went_on} went on");
}

#[test]
fn a_device_without_room_for_any_buffer() {
    let [ended, went_on] = OnDevice::new().walk("out_of_memory", 7);
    assert!(ended > 5, "{ended} ended, {went_on} went on");
}
