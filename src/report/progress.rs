//! Progress: a bar on a terminal, plain lines elsewhere. All of it on stderr.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::{count, members_of, score};
use crate::network::Network;
use crate::train::{EpochRecord, Scores};

/// Parts of an epoch that the bar tells apart.
const PARTS: u64 = 1000;

/// Shows how training goes.
#[derive(Debug)]
pub struct Progress {
    quiet: bool,
    bar: Option<ProgressBar>,
    epochs: usize,
}

impl Progress {
    /// Quiet shows nothing.
    pub fn new(quiet: bool) -> Self {
        Self { quiet, bar: None, epochs: 0 }
    }

    /// A line that stays.
    pub fn line(&self, text: &str) {
        if self.quiet {
            return;
        }
        self.say(text);
    }

    /// What the user must know, though no progress is shown.
    pub fn warning(&self, text: &str) {
        self.say(&format!("warning: {text}"));
    }

    fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }

    /// A labelled fact: `network   64-128-10, 9,610 parameters`.
    pub fn fact(&self, label: &str, text: &str) {
        self.line(&format!("{label:<10}{text}"));
    }

    /// Training begins.
    pub fn begin(&mut self, network: &Network, epochs: usize, epoch_steps: usize) {
        self.epochs = epochs;
        let members = members_of(network.members as u64, network.heads as u64);
        self.fact(
            "network",
            &format!(
                "{members}{}, {} parameters",
                network.shape(),
                count(network.parameters() as u64)
            ),
        );
        self.fact("training", &format!("at most {epochs} epochs of {epoch_steps} steps"));
        if self.quiet || !std::io::stderr().is_terminal() {
            return;
        }
        let bar = ProgressBar::new(epochs as u64 * PARTS).with_prefix(format!("0/{epochs}"));
        if let Ok(style) =
            ProgressStyle::with_template("{spinner} epoch {prefix} {bar:20} {wide_msg} {eta} left")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        self.bar = Some(bar);
    }

    /// So much of an epoch's steps is under way.
    pub fn advanced(&self, epoch: usize, share: f64) {
        if let Some(bar) = &self.bar {
            let begun = epoch.saturating_sub(1) as u64 * PARTS;
            let position = begun + (share.clamp(0.0, 1.0) * PARTS as f64) as u64;
            bar.set_position(position.max(bar.position()));
        }
    }

    /// An epoch ended.
    pub fn epoch(&self, record: &EpochRecord) {
        if self.quiet {
            return;
        }
        let mut parts = vec![described("", &record.train)];
        if let Some(validation) = &record.validation {
            parts.push(described("val_", validation));
        }
        parts.push(format!("rate {}", spread(&record.learning_rate)));
        parts.push(format!("{} samples/s", count(record.samples_per_second as u64)));
        if record.validation.is_some() && record.best.iter().any(|best| *best) {
            parts.push("best so far".to_owned());
        }
        let text = parts.join("  ");
        match &self.bar {
            Some(bar) => {
                bar.set_position((record.epoch as u64 * PARTS).max(bar.position()));
                bar.set_prefix(format!("{}/{}", record.epoch, self.epochs));
                bar.set_message(text);
            }
            None => say(&format!("epoch {:>4}/{}  {text}", record.epoch, self.epochs)),
        }
    }

    /// Training ended: the bar's last state stays as a line.
    pub fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            let message = bar.message();
            let prefix = bar.prefix();
            bar.finish_and_clear();
            if !message.is_empty() {
                say(&format!("epoch {prefix}  {message}"));
            }
        }
    }
}

/// A line on stderr. Nothing ends because nobody can read it, or because the log is on a full disk.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The value of one member; of several the least and the largest.
fn spread(values: &[f64]) -> String {
    let [value] = values else {
        let finite = values.iter().copied().filter(|value| value.is_finite());
        let low = finite.clone().fold(f64::INFINITY, f64::min);
        let high = finite.fold(f64::NEG_INFINITY, f64::max);
        return match low.partial_cmp(&high) {
            Some(std::cmp::Ordering::Less) => format!("{}..{}", score(low), score(high)),
            Some(std::cmp::Ordering::Equal) => score(low),
            _ => "NaN".to_owned(),
        };
    };
    score(*value)
}

/// `val_loss 0.1234  val_accuracy 0.9812`; with several members the best and the worst.
fn described(prefix: &str, scores: &[Scores]) -> String {
    let mut parts = vec![format!(
        "{prefix}loss {}",
        spread(&scores.iter().map(|s| s.loss).collect::<Vec<_>>())
    )];
    if let Some(first) = scores.first() {
        for (at, (name, _)) in first.metrics.iter().enumerate() {
            let values: Vec<f64> = scores.iter().map(|s| s.metrics[at].1).collect();
            parts.push(format!("{prefix}{name} {}", spread(&values)));
        }
    }
    parts.join("  ")
}
