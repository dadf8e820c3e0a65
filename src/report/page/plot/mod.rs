//! Drawings: plain data in, a figure of the page out, its SVG by plotters.

mod axis;
mod bars;
mod chart;
mod heat_map;
pub(super) mod ink;
mod parallel;
mod thin;

use plotters::prelude::*;

pub use axis::Axis;
pub use bars::{Bar, Bars};
pub use chart::{Chart, Layer, Shape};
pub use heat_map::HeatMap;
pub use ink::Ink;
pub use parallel::{Parallel, ParallelAxis};

use super::html::Html;
use crate::error::{Error, Result};

/// Steps of an SVG's coordinates for each pixel: plotters has whole numbers alone.
const FINE: u32 = 4;

/// Size of the numbers along axes, in pixels.
const SMALL: u32 = 12;

/// Width of a character of that size, in pixels, in a wide sans-serif typeface.
const CHARACTER: f64 = 7.2;

/// A drawing with its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// What it is.
    pub title: String,
    /// What to see in it.
    pub caption: String,
    /// The SVG; none where there was nothing to draw.
    pub(super) svg: Option<Html>,
    /// Keys of the legend: class of the ink, class of the swatch, name.
    pub(super) legend: Vec<(String, &'static str, String)>,
    /// Whether it takes the page's whole width.
    pub(super) wide: bool,
}

impl Figure {
    /// Words in the place of a drawing of which there is none.
    pub fn without_drawing(title: &str, why: &str) -> Self {
        Self {
            title: title.to_owned(),
            caption: why.to_owned(),
            svg: None,
            legend: Vec::new(),
            wide: false,
        }
    }
}

/// An area that is drawn on.
type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// So many pixels in an SVG's coordinates.
fn fine(pixels: f64) -> i32 {
    (pixels * f64::from(FINE)).round() as i32
}

/// Text of a size in pixels.
fn text_style(pixels: u32, ink: Ink) -> TextStyle<'static> {
    // plotters divides sizes by 1.24 on their way into an SVG.
    let size = f64::from(pixels * FINE) * 1.24;
    TextStyle { color: ink.colour().to_backend_color(), ..("sans-serif", size).into_font().into() }
}

/// Draws, and makes an SVG of it that scales with the page, up to a size that suits its type, and has a name for those who do not see it.
fn svg(
    (width, height): (u32, u32),
    title: &str,
    draw: impl FnOnce(&Area) -> Result<(), Box<dyn std::error::Error>>,
) -> Result<Html> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::internal(format!("the plot {title:?} cannot be drawn: {error}"))
    };
    let mut text = String::new();
    {
        let backend = SVGBackend::with_string(&mut text, (width * FINE, height * FINE));
        let root = backend.into_drawing_area();
        draw(&root).map_err(|error| failed(&error))?;
        root.present().map_err(|error| failed(&error))?;
    }
    let (_, body) = text.split_once('>').ok_or_else(|| failed(&"it is no SVG"))?;
    let mut html = Html::default();
    html.push(format_args!(
        "<svg style=\"max-width:{}px\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">{body}",
        width * 6 / 5,
        width * FINE,
        height * FINE,
        Html::escape(title),
    ));
    Ok(html)
}
