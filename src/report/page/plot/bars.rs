//! Bars with names: one a line, each with its deviation and its number.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{Area, CHARACTER, Figure, Ink, SMALL, fine, svg, text_style};
use crate::error::Result;
use crate::report::page::html::shortened;

/// Characters of a name.
const NAME: usize = 28;

/// Height of a bar with the gap below it, in pixels.
const LINE: f64 = 24.0;

/// Named numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Bars {
    /// What it shows.
    pub title: String,
    /// What to see in it.
    pub caption: String,
    /// What the numbers are.
    pub axis: String,
    /// The bars, from the top.
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Its name.
    pub name: String,
    /// Its length.
    pub value: f64,
    /// How far the value may be off, to each side.
    pub deviation: f64,
    /// What is written beside it.
    pub text: String,
}

impl Bars {
    /// The figure; words where there are no bars.
    ///
    /// # Errors
    /// When it cannot be drawn, which is a fault of the program.
    pub fn figure(&self) -> Result<Figure> {
        let bars: Vec<&Bar> = self.bars.iter().filter(|bar| bar.value.is_finite()).collect();
        if bars.is_empty() {
            return Ok(Figure::without_drawing(&self.title, "There are no finite values to draw."));
        }
        let height = LINE * bars.len() as f64 + 34.0;
        let size = (552, height.ceil() as u32);
        let svg = svg(size, &self.title, |root| self.draw(root, &bars))?;
        Ok(Figure {
            title: self.title.clone(),
            caption: self.caption.clone(),
            svg: Some(svg),
            legend: Vec::new(),
            wide: false,
        })
    }

    fn draw(&self, root: &Area, bars: &[&Bar]) -> Result<(), Box<dyn std::error::Error>> {
        let characters = |text: &str, most: usize| text.chars().count().min(most) as f64;
        let widest = |pick: fn(&Bar) -> &str, most: usize| {
            bars.iter().map(|bar| characters(pick(bar), most)).fold(0.0, f64::max) * CHARACTER
        };
        let (left, right) =
            (widest(|bar| &bar.name, NAME) + 10.0, widest(|bar| &bar.text, 24) + 14.0);
        let finite = |x: f64| if x.is_finite() { x } else { 0.0 };
        let low = bars.iter().map(|bar| bar.value - finite(bar.deviation)).fold(0.0, f64::min);
        let high = bars.iter().map(|bar| bar.value + finite(bar.deviation)).fold(0.0, f64::max);
        let scale = (552.0 - left - right) / (high - low).max(f64::MIN_POSITIVE);
        let x = |value: f64| left + (value - low) * scale;
        let at = |x: f64, y: f64| (fine(x), fine(y));
        let small = |ink, side| text_style(SMALL, ink).pos(Pos::new(side, VPos::Center));
        for (line, bar) in bars.iter().enumerate() {
            let (top, middle) = (LINE * line as f64 + 5.0, LINE * (line as f64 + 0.5));
            let (from, to) = (x(bar.value.min(0.0)), x(bar.value.max(0.0)));
            let style = Ink::Series(0).colour().mix(0.8).filled();
            root.draw(&Rectangle::new([at(from, top), at(to.max(from + 0.5), top + 14.0)], style))?;
            let deviation = finite(bar.deviation);
            let (least, most) = (x(bar.value - deviation), x(bar.value + deviation));
            if deviation > 0.0 {
                let stroke = Ink::Text.colour().stroke_width(fine(1.2) as u32);
                root.draw(&PathElement::new([at(least, middle), at(most, middle)], stroke))?;
                for end in [least, most] {
                    let tick = [at(end, middle - 3.0), at(end, middle + 3.0)];
                    root.draw(&PathElement::new(tick, stroke))?;
                }
            }
            let name = shortened(&bar.name, NAME);
            root.draw(&Text::new(name, at(left - 6.0, middle), small(Ink::Text, HPos::Right)))?;
            let place = at(most.max(to) + 6.0, middle);
            root.draw(&Text::new(bar.text.clone(), place, small(Ink::Muted, HPos::Left)))?;
        }
        let bottom = LINE * bars.len() as f64;
        let stroke = Ink::Muted.colour().stroke_width(super::FINE);
        root.draw(&PathElement::new([at(x(0.0), 0.0), at(x(0.0), bottom)], stroke))?;
        let style = text_style(SMALL + 1, Ink::Text).pos(Pos::new(HPos::Center, VPos::Top));
        let middle = left + (552.0 - left - right) / 2.0;
        root.draw(&Text::new(self.axis.clone(), at(middle, bottom + 8.0), style))?;
        Ok(())
    }
}
