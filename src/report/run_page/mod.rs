//! The page that explains a run: made of the run folder alone.

mod about;
mod calibration;
mod data;
mod inside;
mod layers;
mod learning;
mod mistakes;
mod numbers;
mod outcome;
mod rows;

use super::page::Page;
use super::run_record::RunRecord;
use crate::error::Result;

/// The page. The same folder gives the same bytes.
///
/// # Errors
/// When a drawing cannot be made, which is a fault of the program.
pub fn run_page(record: &RunRecord) -> Result<String> {
    let mut page = Page::new(&format!("Training {}", record.name));
    outcome::outcome(&mut page, record);
    data::data(&mut page, record);
    learning::learning(&mut page, record)?;
    if let Some(analysis) = &record.analysis {
        rows::rows(&mut page, analysis)?;
        mistakes::mistakes(&mut page, analysis);
        mistakes::importance(&mut page, analysis)?;
    }
    inside::inside(&mut page, record)?;
    about::about(&mut page, record);
    Ok(page.finish())
}
