//! Curves: of a learning-rate range test, in the terminal and as SVG.

use plotters::prelude::*;
use textplots::{Chart, Plot, Shape};

use crate::error::{Error, Result};
use crate::train::range_test::RangeTest;

/// Width of a drawing in the terminal, in characters.
const COLUMNS: u32 = 76;

/// The smoothed loss against the logarithm of the rate, in braille dots.
pub fn in_terminal(test: &RangeTest) -> String {
    let points: Vec<(f32, f32)> = test
        .rates
        .iter()
        .zip(&test.smoothed)
        .map(|(rate, loss)| (rate.log10() as f32, *loss as f32))
        .collect();
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
    if points.len() < 2 {
        return String::new();
    }
    let lines = Shape::Lines(&points);
    let mut chart = Chart::new(COLUMNS * 2, 60, first.0, last.0);
    let chart = chart.lineplot(&lines);
    chart.axis();
    chart.figures();
    format!("smoothed loss by the logarithm (base 10) of the learning rate\n{chart}")
}

/// The raw and the smoothed loss as an SVG, with the suggestions marked.
///
/// # Errors
/// When there is nothing to draw.
pub fn as_svg(test: &RangeTest) -> Result<String> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::internal(format!("the curve cannot be drawn: {error}"))
    };
    let log = |rate: f64| rate.log10();
    let (Some(first), Some(last)) = (test.rates.first(), test.rates.last()) else {
        return Err(Error::usage("there is no curve to draw"));
    };
    let all = || test.smoothed.iter().chain(&test.losses).copied().filter(|loss| loss.is_finite());
    let low = all().fold(f64::INFINITY, f64::min);
    let high = test.smoothed.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let room = (high - low).max(1e-9) * 0.08;
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (800, 480)).into_drawing_area();
        root.fill(&WHITE).map_err(|error| failed(&error))?;
        let mut chart = ChartBuilder::on(&root)
            .caption("Learning-rate range test", ("sans-serif", 20))
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(60)
            .build_cartesian_2d(log(*first)..log(*last), low - room..high + room)
            .map_err(|error| failed(&error))?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .bold_line_style(RGBColor(225, 225, 225))
            .x_desc("learning rate")
            .y_desc("loss")
            .x_label_formatter(&|x| format!("{:.0e}", 10.0_f64.powf(*x)))
            .draw()
            .map_err(|error| failed(&error))?;
        let curve = |losses: &[f64]| -> Vec<(f64, f64)> {
            let points = test.rates.iter().zip(losses);
            points.map(|(rate, loss)| (log(*rate), loss.min(high + room))).collect()
        };
        let series = [
            ("loss of each batch", &test.losses, RGBColor(170, 190, 215), 1),
            ("smoothed", &test.smoothed, RGBColor(20, 70, 150), 3),
        ];
        for (name, losses, colour, width) in series {
            chart
                .draw_series(LineSeries::new(curve(losses), colour.stroke_width(width)))
                .map_err(|error| failed(&error))?
                .label(name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(width))
                });
        }
        let marks = [
            ("steepest descent", test.suggestions.steepest, RGBColor(200, 60, 40)),
            ("valley", test.suggestions.valley, RGBColor(40, 130, 60)),
        ];
        for (name, rate, colour) in marks {
            let Some(rate) = rate else { continue };
            let at = test.rates.iter().position(|other| *other >= rate).unwrap_or(0);
            let place = (log(rate), test.smoothed[at]);
            chart
                .draw_series([Circle::new(place, 6, colour.filled())])
                .map_err(|error| failed(&error))?
                .label(format!("{name}: {rate:.1e}"))
                .legend(move |(x, y)| Circle::new((x + 9, y), 5, colour.filled()));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.9))
            .border_style(RGBColor(200, 200, 200))
            .draw()
            .map_err(|error| failed(&error))?;
        root.present().map_err(|error| failed(&error))?;
    }
    Ok(text)
}
