//! The program of a training step as a table for people.

use std::fmt::Write;

use super::{count, duration, members_of, prefixed};
use crate::backend::Clock;
use crate::program::Precision;
use crate::train::explain::{ExplainedCall, Explanation};

fn shape(call: &ExplainedCall) -> String {
    let shape = &call.shape;
    let mut text = format!("{} x {}", shape.rows, shape.columns);
    if shape.depth != 1 {
        let _ = write!(text, " x {}", shape.depth);
    }
    text
}

/// The buffers that are read or written; the tables that every call reads are left out.
fn buffers(call: &ExplainedCall, written: bool) -> String {
    let named: Vec<String> = call
        .buffers
        .iter()
        .filter(|bound| bound.written == written && !matches!(bound.binding, "steps" | "state"))
        .map(|bound| {
            if bound.buffer == bound.binding {
                bound.buffer.clone()
            } else {
                format!("{}={}", bound.binding, bound.buffer)
            }
        })
        .collect();
    named.join(" ")
}

fn cells(call: &ExplainedCall) -> Vec<String> {
    let workgroups = |[x, y, z]: [u32; 3]| format!("{x} x {y} x {z}");
    vec![
        call.kernel.to_owned(),
        call.subject.clone(),
        shape(call),
        call.form.tile.clone().unwrap_or_default(),
        call.form.workgroups.map(workgroups).unwrap_or_default(),
        prefixed(call.cost.flops as f64, ""),
        prefixed(call.cost.bytes_read as f64, "B"),
        prefixed(call.cost.bytes_written as f64, "B"),
    ]
}

const HEADERS: [&str; 8] = [
    "kernel",
    "subject",
    "rows x columns x depth",
    "tile",
    "workgroups",
    "FLOPs",
    "read",
    "written",
];

/// Headers of the columns that a measurement adds.
const TIMED: [&str; 4] = ["time", "floor", "x floor", "share"];

/// What is said of a program whose steps are run whole.
const WHOLE_STEPS: &str = "\nrun as whole steps: a workgroup a member goes through all calls of many \
                           steps in one dispatch\n";

/// Columns that are numbers stand to the right.
const FIRST_NUMBER: usize = 5;

impl Explanation {
    /// The table, and what follows from it.
    pub fn to_text(&self) -> String {
        let timed = self.step.is_some();
        let whole: f64 = self.calls.iter().filter_map(|call| call.seconds).sum();
        let mut rows: Vec<Vec<String>> = vec![HEADERS.map(str::to_owned).to_vec()];
        if timed {
            rows[0].extend(TIMED.map(str::to_owned));
        }
        for call in &self.calls {
            let mut row = cells(call);
            if let (Some(seconds), Some(floor)) = (call.seconds, call.floor_seconds) {
                row.extend([
                    duration(seconds),
                    duration(floor),
                    format!("{:.1}", seconds / floor),
                    format!("{:.0} %", 100.0 * seconds / whole),
                ]);
            }
            rows.push(row);
        }
        let mut total = vec![String::new(); FIRST_NUMBER];
        total[0] = "total".to_owned();
        total.push(prefixed(self.total.flops as f64, ""));
        total.push(prefixed(self.total.bytes_read as f64, "B"));
        total.push(prefixed(self.total.bytes_written as f64, "B"));
        if let Some(step) = &self.step {
            total.extend([
                duration(step.calls_seconds),
                duration(step.floor_seconds),
                format!("{:.1}", step.calls_seconds / step.floor_seconds),
                "100 %".to_owned(),
            ]);
        }
        rows.push(total);

        let mut text = self.heading();
        text.push_str(&self.table(&rows));
        if self.whole_steps {
            text.push_str(WHOLE_STEPS);
        }
        text.push_str(&self.verdict());
        text
    }

    fn heading(&self) -> String {
        let members = members_of(self.members as u64, self.heads as u64);
        format!(
            "{}: {} calls a step; {members}{}, {} parameters; {} rows a batch{}\n{} ({}, {}){}\n\n",
            self.program,
            self.calls.len(),
            self.network,
            count(self.parameters as u64),
            self.rows,
            match self.precision {
                Precision::F32 => "",
                Precision::F16 => "; activations in f16",
            },
            self.device.name,
            self.device.backend,
            self.device.kind,
            if self.device.driver.is_empty() {
                String::new()
            } else {
                format!(", {}", self.device.driver)
            },
        )
    }

    fn table(&self, rows: &[Vec<String>]) -> String {
        // A column that is empty in every row, such as the tiles of a CPU, is left out.
        let columns: Vec<(usize, usize)> = (0..rows[0].len())
            .filter(|at| rows[1..].iter().any(|row| row.get(*at).is_some_and(|c| !c.is_empty())))
            .map(|at| (at, rows.iter().filter_map(|row| row.get(at)).map(String::len).max()))
            .map(|(at, width)| (at, width.unwrap_or_default()))
            .collect();
        let mut text = String::new();
        for (number, row) in rows.iter().enumerate() {
            let call = number.checked_sub(1).and_then(|at| self.calls.get(at));
            let mut line = match call {
                Some(_) => format!("{number:>3}"),
                None => "   ".to_owned(),
            };
            for (at, width) in &columns {
                let cell = row.get(*at).map_or("", String::as_str);
                // Writing to a String cannot fail.
                let _ = if *at < FIRST_NUMBER {
                    write!(line, "  {cell:<width$}")
                } else {
                    write!(line, "  {cell:>width$}")
                };
            }
            text.push_str(line.trim_end());
            text.push('\n');
            if let Some(call) = call {
                let (read, written) = (buffers(call, false), buffers(call, true));
                let to = if written.is_empty() { String::new() } else { format!(" -> {written}") };
                let _ = writeln!(text, "       {read}{to}");
            }
        }
        text
    }

    /// The step as a whole beside its floor.
    fn verdict(&self) -> String {
        let (Some(step), Some(rates)) = (&self.step, &self.rates) else { return String::new() };
        let clock = match rates.clock {
            Clock::Host => "the host's clock, waiting for each",
            Clock::Timestamps => "the device's timestamps",
        };
        format!(
            "\na step among many in one go: {} ({} samples/s), {:.2} x the floor of its calls\n\
             its operations alone at the rate of a large product: {}, {:.2} x that\n\
             rates: {}FLOP/s (dense_forward, {size} x {size} x {size}), {}B/s (copy)\n\
             measured by {clock}; medians\n",
            duration(step.seconds),
            count(step.samples_per_second as u64),
            step.seconds / step.floor_seconds,
            duration(step.product_seconds),
            step.seconds / step.product_seconds,
            prefixed(rates.flops_per_second, ""),
            prefixed(rates.bytes_per_second, ""),
            size = rates.product_size,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_read_well() {
        assert_eq!(prefixed(0.0, "B"), "0 B");
        assert_eq!(prefixed(999.0, ""), "999");
        assert_eq!(prefixed(12_865_536.0, ""), "12.9 M");
        assert_eq!(prefixed(602_112.0, "B"), "602 kB");
        assert_eq!(duration(3.21e-6), "3.21 us");
        assert_eq!(duration(0.0456), "45.6 ms");
        assert_eq!(duration(2.0), "2.00 s");
    }

    #[test]
    fn it_says_so_when_steps_are_run_whole() {
        let mut explanation = Explanation {
            program: "train.train".to_owned(),
            network: "2-1".to_owned(),
            parameters: 3,
            members: 1,
            heads: 1,
            rows: 4,
            precision: Precision::F32,
            device: crate::backend::DeviceDescription {
                name: "a GPU".to_owned(),
                backend: "vulkan".to_owned(),
                driver: String::new(),
                kind: "discrete".to_owned(),
            },
            whole_steps: false,
            calls: Vec::new(),
            total: crate::program::Cost::default(),
            rates: None,
            step: None,
        };
        assert!(!explanation.to_text().contains("whole steps"));
        explanation.whole_steps = true;
        assert!(explanation.to_text().contains("run as whole steps"));
    }
}
