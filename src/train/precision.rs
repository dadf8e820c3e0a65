//! Whether a device and a data set can be trained on in the precision that is asked for.

use super::run::Run;
use crate::backend::Backend;
use crate::config::Settings;
use crate::data::{Dataset, Rows};
use crate::error::{Error, Result};
use crate::program::{LossScale, Precision, overflows_f16};

impl Run<'_> {
    /// Begins every member's loss scale, where there are any.
    pub(super) fn write_loss_scales(&mut self) -> Result<()> {
        if self.settings.training.precision == Precision::F32 {
            return Ok(());
        }
        let scales = self.plan.buffer(&format!("{}.loss_scale", self.train.pass().program()))?;
        let start = vec![LossScale::START; self.network.members];
        self.executor.write_scales(scales, &start)
    }
}

/// Refuses a device that cannot run plans of f16, and inputs that are past it.
pub(super) fn check_precision(
    settings: &Settings,
    dataset: &Dataset,
    backend: &dyn Backend,
) -> Result<()> {
    if settings.training.precision == Precision::F32 {
        return Ok(());
    }
    let refusal = |problem: String, help: &str| {
        Err(settings.locate(Error::config("training.precision", problem).with_help(help)))
    };
    if !backend.capacity().halves {
        let device = backend.device();
        return refusal(
            format!(
                "f16 needs a GPU with 16-bit floats; {} ({}) cannot",
                device.name, device.backend
            ),
            "leave training.precision at \"f32\", or take with --device a GPU that has f16 among its \
             features in `wgfit devices`",
        );
    }
    let embeddings = dataset.preprocessing.embeddings();
    if let Some(most) = embeddings.iter().map(|own| own.categories).max().filter(|n| past(*n)) {
        return refusal(
            format!(
                "an embedded column has {most} categories, and f16 tells {} apart",
                MOST_CODE_IN_F16 + 1
            ),
            "leave training.precision at \"f32\", or give the column fewer categories",
        );
    }
    let sets = [Some(&dataset.train), dataset.validation.as_ref(), dataset.test.as_ref()];
    match sets.into_iter().flatten().map(past_f16).find(|found| !matches!(found, Ok(None))) {
        None | Some(Ok(None)) => Ok(()),
        Some(Err(error)) => Err(error),
        Some(Ok(Some(value))) => refusal(
            format!("an input is {value}, and f16 ends at 65504"),
            "scale the data (data.scaling), or leave training.precision at \"f32\"",
        ),
    }
}

/// The largest code up to which f16 holds every integer.
const MOST_CODE_IN_F16: usize = 2048;

/// Whether f16 does not tell so many categories apart.
fn past(categories: usize) -> bool {
    categories > MOST_CODE_IN_F16 + 1
}

/// The first input of a set that f16 does not hold.
fn past_f16(rows: &Rows) -> Result<Option<f32>> {
    let mut found = None;
    rows.each_piece(&mut |values| {
        let past = values.iter().copied().find(|value| overflows_f16(f64::from(*value)));
        found = found.or(past);
        Ok(())
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::rounded_to_f16;

    #[test]
    fn f16_holds_every_code_up_to_its_last() {
        let holds =
            |codes: usize| (0..codes).all(|code| rounded_to_f16(code as f64) == code as f64);
        assert!(holds(MOST_CODE_IN_F16 + 1) && !past(MOST_CODE_IN_F16 + 1));
        assert!(!holds(MOST_CODE_IN_F16 + 2) && past(MOST_CODE_IN_F16 + 2));
    }

    #[test]
    fn the_first_input_past_f16_is_found() {
        let of = |features: Vec<f32>| {
            past_f16(&Rows { rows: 1, features, ..Rows::default() }).expect("rows in memory")
        };
        assert_eq!(of(vec![1.0, -65504.0]), None);
        assert_eq!(of(vec![1.0, -70000.0, 1e9]), Some(-70000.0));
    }
}
