//! Charts with two axes of numbers: curves, bands, points, columns, and rules to compare with.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Ticked;
use super::{Area, Axis, CHARACTER, Figure, Ink, SMALL, fine, svg, text_style, thin};
use crate::error::Result;
use crate::report::page::html::shortened;

/// A chart: layers over two axes, the first one lowest.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// What to see in it.
    pub caption: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn.
    pub layers: Vec<Layer>,
    /// Whether it takes the page's whole width.
    pub wide: bool,
    /// Whether its area is square, as for rates against rates.
    pub square: bool,
}

/// One thing in a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Its name in the legend; empty for none.
    pub name: String,
    /// Its colour.
    pub ink: Ink,
    /// What it is.
    pub shape: Shape,
}

/// What a layer draws. Values that are not finite, or have no place on a logarithmic axis, are gaps.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A curve through (x, y).
    Line(Vec<(f64, f64)>),
    /// What lies between two curves: (x, low, high).
    Band {
        /// The points.
        points: Vec<(f64, f64, f64)>,
        /// How strong it is, from 0 to 1.
        strength: f64,
    },
    /// Points at (x, y).
    Dots(Vec<(f64, f64)>),
    /// Columns from one x to another, of a height.
    Columns(Vec<(f64, f64, f64)>),
    /// Upright lines at x from low to high: how far a point may be off.
    Whiskers(Vec<(f64, f64, f64)>),
    /// A point with a ring about it.
    Mark(f64, f64),
    /// A vertical line, with a word at its top.
    Vertical(f64, String),
    /// A horizontal line, with a word at its right end.
    Horizontal(f64, String),
}

impl Layer {
    /// A curve.
    pub fn line(name: &str, ink: Ink, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.to_owned(), ink, shape: Shape::Line(points) }
    }

    /// What lies between two curves.
    pub fn band(name: &str, ink: Ink, strength: f64, points: Vec<(f64, f64, f64)>) -> Self {
        Self { name: name.to_owned(), ink, shape: Shape::Band { points, strength } }
    }

    /// A line to compare with, at an x.
    pub fn vertical(x: f64, word: &str) -> Self {
        let shape = Shape::Vertical(x, word.to_owned());
        Self { name: String::new(), ink: Ink::Reference, shape }
    }

    /// A line to compare with, at a y.
    pub fn horizontal(y: f64, word: &str) -> Self {
        let shape = Shape::Horizontal(y, word.to_owned());
        Self { name: String::new(), ink: Ink::Reference, shape }
    }

    /// The corners of what it covers.
    fn corners(&self) -> Vec<(f64, f64)> {
        match &self.shape {
            Shape::Line(points) | Shape::Dots(points) => points.clone(),
            Shape::Band { points, .. } | Shape::Whiskers(points) => {
                points.iter().flat_map(|(x, low, high)| [(*x, *low), (*x, *high)]).collect()
            }
            Shape::Columns(columns) => columns
                .iter()
                .flat_map(|(from, to, height)| [(*from, 0.0), (*to, *height)])
                .collect(),
            Shape::Mark(x, y) => vec![(*x, *y)],
            Shape::Vertical(..) | Shape::Horizontal(..) => Vec::new(),
        }
    }

    fn swatch(&self) -> &'static str {
        match self.shape {
            Shape::Line(_) | Shape::Whiskers(_) | Shape::Vertical(..) | Shape::Horizontal(..) => {
                "line"
            }
            Shape::Band { .. } | Shape::Columns(_) => "area",
            Shape::Dots(_) | Shape::Mark(..) => "dot",
        }
    }
}

/// Where things are drawn: both axes with their ranges in the coordinates drawn.
struct Frame<'a> {
    x: (&'a Axis, f64, f64),
    y: (&'a Axis, f64, f64),
}

impl Frame<'_> {
    /// Where (x, y) stands, held within the frame; `None` for what has no place.
    fn at(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        let within = |(axis, low, high): (&Axis, f64, f64), value: f64| {
            Some(axis.place(value)?.clamp(low, high))
        };
        Some((within(self.x, x)?, within(self.y, y)?))
    }

    fn floor(&self) -> f64 {
        if self.y.0.log { self.y.1 } else { 0.0_f64.clamp(self.y.1, self.y.2) }
    }
}

type Plane<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<Ticked, Ticked>>;

impl Chart {
    /// A chart of half the page's width without layers.
    pub fn new(title: &str, caption: &str, x: Axis, y: Axis) -> Self {
        let (title, caption) = (title.to_owned(), caption.to_owned());
        Self { title, caption, x, y, layers: Vec::new(), wide: false, square: false }
    }

    /// The figure; words where there is nothing finite to draw.
    ///
    /// # Errors
    /// When it cannot be drawn, which is a fault of the program.
    pub fn figure(&self) -> Result<Figure> {
        let Some(frame) = self.frame() else {
            return Ok(Figure::without_drawing(&self.title, "There are no finite values to draw."));
        };
        let size = match (self.wide, self.square) {
            (true, _) => (1136, 340),
            (false, true) => (480, 420),
            (false, false) => (552, 340),
        };
        let svg = svg(size, &self.title, |root| self.draw(root, &frame, size))?;
        let named = self.layers.iter().filter(|layer| !layer.name.is_empty());
        let legend = named
            .map(|layer| (layer.ink.class(), layer.swatch(), shortened(&layer.name, 40)))
            .collect();
        let (title, caption) = (self.title.clone(), self.caption.clone());
        Ok(Figure { title, caption, svg: Some(svg), legend, wide: self.wide })
    }

    /// The ranges of both axes; `None` when nothing has a place.
    fn frame(&self) -> Option<Frame<'_>> {
        let corners: Vec<(f64, f64)> = self.layers.iter().flat_map(Layer::corners).collect();
        let placed = corners.iter().filter_map(|(x, y)| {
            // A column stands on the floor of a logarithmic axis.
            let y = if *y == 0.0 && self.y.log { None } else { Some(self.y.place(*y)?) };
            Some((self.x.place(*x)?, y))
        });
        let mut xs: Option<(f64, f64)> = None;
        let mut ys: Option<(f64, f64)> = None;
        let grow = |range: &mut Option<(f64, f64)>, value: f64| {
            *range = Some(range.map_or((value, value), |(a, b)| (a.min(value), b.max(value))));
        };
        for (x, y) in placed {
            grow(&mut xs, x);
            if let Some(y) = y {
                grow(&mut ys, y);
            }
        }
        for layer in &self.layers {
            match &layer.shape {
                Shape::Vertical(x, _) if xs.is_some() => {
                    self.x.place(*x).into_iter().for_each(|x| grow(&mut xs, x));
                }
                Shape::Horizontal(y, _) if ys.is_some() => {
                    self.y.place(*y).into_iter().for_each(|y| grow(&mut ys, y));
                }
                _ => {}
            }
        }
        let dots = self.layers.iter().any(|layer| matches!(layer.shape, Shape::Dots(_)));
        let ((x_low, x_high), (y_low, y_high)) = (xs?, ys?);
        let (x_low, x_high) = self.x.extent(x_low, x_high, if dots { 0.04 } else { 0.0 });
        let (y_low, y_high) = self.y.extent(y_low, y_high, 0.06);
        Some(Frame { x: (&self.x, x_low, x_high), y: (&self.y, y_low, y_high) })
    }

    fn draw(
        &self,
        root: &Area,
        frame: &Frame,
        (width, _): (u32, u32),
    ) -> Result<(), Box<dyn std::error::Error>> {
        let (_, x_low, x_high) = frame.x;
        let (_, y_low, y_high) = frame.y;
        let x_ticks = self.x.ticks(x_low, x_high, (width / 90) as usize);
        let y_ticks = self.y.ticks(y_low, y_high, 5);
        let widest = y_ticks.iter().map(|(_, text)| text.chars().count()).max().unwrap_or(1);
        let (x_count, y_count) = (x_ticks.len().max(1), y_ticks.len().max(1));
        let mut plane = ChartBuilder::on(root)
            .margin_top(fine(18.0))
            .margin_left(fine(3.0))
            .margin_right(fine(20.0))
            .x_label_area_size(fine(46.0))
            .y_label_area_size(fine(34.0 + CHARACTER * widest as f64))
            .build_cartesian_2d(
                Ticked { range: x_low..x_high, ticks: x_ticks },
                Ticked { range: y_low..y_high, ticks: y_ticks },
            )?;
        plane
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(Ink::Grid.colour().stroke_width(super::FINE))
            .axis_style(Ink::Muted.colour().stroke_width(super::FINE))
            .set_all_tick_mark_size(fine(4.0))
            .x_labels(x_count)
            .y_labels(y_count)
            .label_style(text_style(SMALL, Ink::Muted))
            .axis_desc_style(text_style(SMALL + 1, Ink::Text))
            .x_desc(self.x.title.as_str())
            .y_desc(self.y.title.as_str())
            .draw()?;
        for layer in &self.layers {
            layer.draw(&mut plane, frame)?;
        }
        Ok(())
    }
}

impl Layer {
    fn draw(&self, plane: &mut Plane, frame: &Frame) -> Result<(), Box<dyn std::error::Error>> {
        let colour = self.ink.colour();
        match &self.shape {
            Shape::Line(points) => {
                let placed = points.iter().map(|(x, y)| frame.at(*x, *y)).collect();
                let thinned = thin::curve(placed);
                let quiet = matches!(self.ink, Ink::Reference | Ink::Muted | Ink::Faint);
                let stroke = colour.stroke_width(fine(if quiet { 1.2 } else { 2.0 }) as u32);
                for run in thinned.split(Option::is_none) {
                    let run: Vec<(f64, f64)> = run.iter().copied().flatten().collect();
                    match run.as_slice() {
                        [] => {}
                        [one] => {
                            let dot = Circle::new(*one, fine(2.5), colour.filled());
                            plane.draw_series([dot])?;
                        }
                        _ => {
                            plane.draw_series([PathElement::new(run, stroke)])?;
                        }
                    }
                }
            }
            Shape::Band { points, strength } => {
                let known = |point: &(f64, f64, f64)| {
                    let low = frame.at(point.0, point.1)?;
                    Some((low.0, low.1, frame.at(point.0, point.2)?.1))
                };
                let placed: Vec<_> = points.iter().map(known).collect();
                for run in placed.split(Option::is_none) {
                    let run: Vec<_> = run.iter().copied().flatten().collect();
                    let run = thin::band(&run);
                    let there = run.iter().map(|(x, low, _)| (*x, *low));
                    let back = run.iter().rev().map(|(x, _, high)| (*x, *high));
                    let outline: Vec<(f64, f64)> = there.chain(back).collect();
                    match run.as_slice() {
                        [] => {}
                        [(x, low, high)] => {
                            let stroke = colour.mix(*strength).stroke_width(fine(5.0) as u32);
                            let path = PathElement::new([(*x, *low), (*x, *high)], stroke);
                            plane.draw_series([path])?;
                        }
                        _ => {
                            let style = colour.mix(*strength).filled();
                            plane.draw_series([Polygon::new(outline, style)])?;
                        }
                    }
                }
            }
            Shape::Dots(points) => {
                let (size, strength) = if points.len() > 300 { (2.0, 0.45) } else { (2.6, 0.65) };
                let style = colour.mix(strength).filled();
                let placed = points.iter().filter_map(|(x, y)| frame.at(*x, *y));
                plane.draw_series(placed.map(|at| Circle::new(at, fine(size), style)))?;
            }
            Shape::Columns(columns) => {
                let style = colour.mix(0.8).filled();
                let floor = frame.floor();
                let placed = columns.iter().filter_map(|(from, to, height)| {
                    let (x, y) = frame.at(*from, *height)?;
                    Some([(x, floor), (frame.at(*to, *height)?.0, y)])
                });
                let mut columns: Vec<_> =
                    placed.map(|corners| Rectangle::new(corners, style)).collect();
                columns.iter_mut().for_each(|column| {
                    column.set_margin(0, 0, 0, fine(1.0) as u32);
                });
                plane.draw_series(columns)?;
            }
            Shape::Whiskers(points) => {
                let stroke = colour.mix(0.6).stroke_width(fine(1.2) as u32);
                let ends = points
                    .iter()
                    .filter_map(|(x, low, high)| Some([frame.at(*x, *low)?, frame.at(*x, *high)?]));
                plane.draw_series(ends.map(|ends| PathElement::new(ends, stroke)))?;
            }
            Shape::Mark(x, y) => {
                if let Some(at) = frame.at(*x, *y) {
                    let ring = colour.stroke_width(fine(1.6) as u32);
                    plane.draw_series([
                        Circle::new(at, fine(3.0), colour.filled()),
                        Circle::new(at, fine(6.5), ring),
                    ])?;
                }
            }
            Shape::Vertical(x, word) => {
                let Some(x) = frame.x.0.place(*x) else { return Ok(()) };
                let (_, low, high) = frame.y;
                self.rule(plane, [(x, low), (x, high)])?;
                let (_, left, right) = frame.x;
                let late = x > left + 0.7 * (right - left);
                let side = if late { HPos::Right } else { HPos::Left };
                self.word(plane, word, (x, high), (if late { -5.0 } else { 5.0 }, 3.0), side)?;
            }
            Shape::Horizontal(y, word) => {
                let Some(y) = frame.y.0.place(*y) else { return Ok(()) };
                let (_, left, right) = frame.x;
                self.rule(plane, [(left, y), (right, y)])?;
                self.word(plane, word, (right, y), (-3.0, -16.0), HPos::Right)?;
            }
        }
        Ok(())
    }

    fn rule(
        &self,
        plane: &mut Plane,
        ends: [(f64, f64); 2],
    ) -> Result<(), Box<dyn std::error::Error>> {
        let stroke = self.ink.colour().stroke_width(fine(1.2) as u32);
        plane.draw_series([PathElement::new(ends, stroke)])?;
        Ok(())
    }

    /// A word beside a place, moved by so many pixels.
    fn word(
        &self,
        plane: &mut Plane,
        word: &str,
        at: (f64, f64),
        (right, down): (f64, f64),
        side: HPos,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let style = text_style(SMALL, Ink::Muted).pos(Pos::new(side, VPos::Top));
        let text = Text::new(word.to_owned(), (fine(right), fine(down)), style);
        plane.draw_series([EmptyElement::at(at) + text])?;
        Ok(())
    }
}
