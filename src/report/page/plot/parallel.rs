//! Parallel coordinates: an upright axis for each quantity, and a line through all of them for each thing
//! that has them.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{Area, CHARACTER, Figure, Ink, SMALL, fine, svg, text_style};
use crate::error::Result;
use crate::report::page::html::shortened;

const WIDTH: f64 = 1120.0;
const TOP: f64 = 30.0;
const HEIGHT: f64 = 260.0;
const BOTTOM: f64 = 24.0;

/// Characters of a label.
const LABEL: usize = 18;

/// Things with several quantities each.
#[derive(Debug, Clone, PartialEq)]
pub struct Parallel {
    /// What it shows.
    pub title: String,
    /// What to see in it.
    pub caption: String,
    /// The axes, from the left.
    pub axes: Vec<ParallelAxis>,
    /// The lines, the first one lowest: their ink, and where each crosses the axes, from 0 at the bottom
    /// to 1; NaN where it has no value there.
    pub lines: Vec<(Ink, Vec<f64>)>,
}

/// One axis.
#[derive(Debug, Clone, PartialEq)]
pub struct ParallelAxis {
    /// What it is of.
    pub title: String,
    /// Its ticks: where, from 0 to 1, and what they say.
    pub ticks: Vec<(f64, String)>,
}

impl Parallel {
    /// The figure; words where there are not two axes, or no lines.
    ///
    /// # Errors
    /// When it cannot be drawn, which is a fault of the program.
    pub fn figure(&self) -> Result<Figure> {
        if self.axes.len() < 2 || self.lines.is_empty() {
            return Ok(Figure::without_drawing(&self.title, "There are no lines to draw."));
        }
        let size = (WIDTH as u32, (TOP + HEIGHT + BOTTOM) as u32);
        let svg = svg(size, &self.title, |root| self.draw(root))?;
        Ok(Figure {
            title: self.title.clone(),
            caption: self.caption.clone(),
            svg: Some(svg),
            legend: Vec::new(),
            wide: true,
        })
    }

    fn draw(&self, root: &Area) -> Result<(), Box<dyn std::error::Error>> {
        let widest = |axis: &ParallelAxis| {
            let labels = axis.ticks.iter().map(|(_, text)| text.chars().count().min(LABEL));
            labels.max().unwrap_or(0) as f64 * CHARACTER + 12.0
        };
        let half = |axis: &ParallelAxis| {
            axis.title.chars().count().min(LABEL) as f64 * CHARACTER / 2.0 + 4.0
        };
        let first = self.axes.first().map_or(0.0, |axis| widest(axis).max(half(axis)));
        let last = self.axes.last().map_or(0.0, |axis| half(axis).max(12.0));
        let step = (WIDTH - first - last) / (self.axes.len() - 1) as f64;
        let x = |at: usize| first + step * at as f64;
        let y = |share: f64| TOP + HEIGHT * (1.0 - share.clamp(0.0, 1.0));
        let at = |x: f64, y: f64| (fine(x), fine(y));
        for (ink, values) in &self.lines {
            let faint = matches!(ink, Ink::Faint | Ink::Muted);
            let stroke = ink.colour().mix(if faint { 0.6 } else { 0.95 });
            let stroke = stroke.stroke_width(fine(if faint { 1.0 } else { 1.8 }) as u32);
            // A value that is missing parts the line.
            for part in values.iter().enumerate().collect::<Vec<_>>().split(|(_, v)| v.is_nan()) {
                let points: Vec<_> = part.iter().map(|(i, value)| at(x(*i), y(**value))).collect();
                if points.len() > 1 {
                    root.draw(&PathElement::new(points, stroke))?;
                }
            }
        }
        for (i, axis) in self.axes.iter().enumerate() {
            let stroke = Ink::Muted.colour().stroke_width(fine(1.0) as u32);
            root.draw(&PathElement::new([at(x(i), y(0.0)), at(x(i), y(1.0))], stroke))?;
            let title = text_style(SMALL, Ink::Text).pos(Pos::new(HPos::Center, VPos::Center));
            root.draw(&Text::new(shortened(&axis.title, LABEL), at(x(i), TOP - 16.0), title))?;
            for (share, text) in &axis.ticks {
                let tick = [at(x(i) - 3.0, y(*share)), at(x(i), y(*share))];
                root.draw(&PathElement::new(tick, stroke))?;
                let label = text_style(SMALL, Ink::Muted).pos(Pos::new(HPos::Right, VPos::Center));
                let place = at(x(i) - 6.0, y(*share));
                root.draw(&Text::new(shortened(text, LABEL), place, label))?;
            }
        }
        Ok(())
    }
}
