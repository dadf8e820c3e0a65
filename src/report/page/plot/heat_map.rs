//! Numbers in a grid, strong where they are large: confusion matrices, images of importance.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{Area, CHARACTER, Figure, Ink, SMALL, fine, svg, text_style};
use crate::error::Result;
use crate::report::page::html::shortened;

/// Columns up to which cells hold their numbers.
const NUMBERED: usize = 16;

/// Characters of a label.
const LABEL: usize = 16;

/// A grid of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatMap {
    /// What it shows.
    pub title: String,
    /// What to see in it.
    pub caption: String,
    /// What goes down; empty for none.
    pub down: String,
    /// What goes across; empty for none.
    pub across: String,
    /// The rows' names; empty for none.
    pub rows: Vec<String>,
    /// The columns' names; empty for none.
    pub columns: Vec<String>,
    /// How strong each cell is, from 0 to 1, row by row.
    pub strength: Vec<Vec<f64>>,
    /// What each cell says; empty for nothing.
    pub texts: Vec<Vec<String>>,
}

impl HeatMap {
    /// The figure; words where it has no cells.
    ///
    /// # Errors
    /// When it cannot be drawn, which is a fault of the program.
    pub fn figure(&self) -> Result<Figure> {
        let columns = self.strength.first().map_or(0, Vec::len);
        if columns == 0 {
            return Ok(Figure::without_drawing(&self.title, "There are no values to draw."));
        }
        let layout = self.layout(columns);
        let size = layout.size(self.strength.len(), columns);
        let svg = svg(size, &self.title, |root| self.draw(root, &layout))?;
        Ok(Figure {
            title: self.title.clone(),
            caption: self.caption.clone(),
            svg: Some(svg),
            legend: Vec::new(),
            wide: size.0 > 560,
        })
    }

    fn layout(&self, columns: usize) -> Layout {
        let longest = |names: &[String]| {
            names.iter().map(|name| name.chars().count().min(LABEL)).max().unwrap_or(0) as f64
        };
        let numbers = self.texts.iter().flatten().map(|text| text.chars().count()).max();
        let numbered = columns <= NUMBERED;
        let widest = if numbered { CHARACTER * numbers.unwrap_or(0) as f64 + 14.0 } else { 0.0 };
        let cell = (430.0 / columns as f64).clamp(8.0, 62.0).max(widest);
        let upright = longest(&self.columns) * CHARACTER > cell - 4.0;
        let title = |text: &str| if text.is_empty() { 0.0 } else { 24.0 };
        let left = longest(&self.rows) * CHARACTER + title(&self.down) + 12.0;
        let below = match (self.columns.is_empty(), upright) {
            (true, _) => 4.0,
            (false, true) => longest(&self.columns) * CHARACTER + 12.0,
            (false, false) => 22.0,
        };
        let height = if self.columns.is_empty() { cell } else { cell.min(40.0) };
        Layout { cell, height, upright, numbered, left, below: below + title(&self.across) }
    }

    fn draw(&self, root: &Area, layout: &Layout) -> Result<(), Box<dyn std::error::Error>> {
        let (cell, height, left) = (layout.cell, layout.height, layout.left);
        let small = |ink, x, y| text_style(SMALL, ink).pos(Pos::new(x, y));
        let at = |x: f64, y: f64| (fine(x), fine(y));
        for (down, row) in self.strength.iter().enumerate() {
            let top = 4.0 + height * down as f64;
            for (across, strength) in row.iter().enumerate() {
                let x = left + cell * across as f64;
                let strength = if strength.is_finite() { strength.clamp(0.0, 1.0) } else { 0.0 };
                let corners = [at(x, top), at(x + cell - 1.0, top + height - 1.0)];
                // The faintest tint is still a cell.
                let style = Ink::Heat.colour().mix(0.06 + 0.94 * strength).filled();
                root.draw(&Rectangle::new(corners, style))?;
                let text = self.texts.get(down).and_then(|texts| texts.get(across));
                if let Some(text) = text.filter(|_| layout.numbered) {
                    let ink = if strength > 0.5 { Ink::OnHeat } else { Ink::Text };
                    let style = small(ink, HPos::Center, VPos::Center);
                    root.draw(&Text::new(
                        text.clone(),
                        at(x + cell / 2.0, top + height / 2.0),
                        style,
                    ))?;
                }
            }
            if let Some(name) = self.rows.get(down) {
                let style = small(Ink::Muted, HPos::Right, VPos::Center);
                let place = at(left - 6.0, top + height / 2.0);
                root.draw(&Text::new(shortened(name, LABEL), place, style))?;
            }
        }
        let bottom = 4.0 + height * self.strength.len() as f64;
        for (across, name) in self.columns.iter().enumerate() {
            let middle = left + cell * (across as f64 + 0.5);
            let name = shortened(name, LABEL);
            if layout.upright {
                let style = small(Ink::Muted, HPos::Right, VPos::Center)
                    .transform(FontTransform::Rotate270);
                root.draw(&Text::new(name, at(middle, bottom + 6.0), style))?;
            } else {
                let style = small(Ink::Muted, HPos::Center, VPos::Top);
                root.draw(&Text::new(name, at(middle, bottom + 5.0), style))?;
            }
        }
        let large = || text_style(SMALL + 1, Ink::Text);
        if !self.down.is_empty() {
            let style =
                large().transform(FontTransform::Rotate270).pos(Pos::new(HPos::Center, VPos::Top));
            root.draw(&Text::new(self.down.clone(), at(2.0, bottom / 2.0), style))?;
        }
        if !self.across.is_empty() {
            let width = cell * self.strength.first().map_or(0, Vec::len) as f64;
            let style = large().pos(Pos::new(HPos::Center, VPos::Bottom));
            let place = at(left + width / 2.0, bottom + layout.below - 4.0);
            root.draw(&Text::new(self.across.clone(), place, style))?;
        }
        Ok(())
    }
}

/// Sizes in pixels.
struct Layout {
    /// A cell's width.
    cell: f64,
    /// A cell's height.
    height: f64,
    /// Whether the columns' names stand upright.
    upright: bool,
    /// Whether cells hold their numbers.
    numbered: bool,
    /// What lies left of the cells.
    left: f64,
    /// What lies below.
    below: f64,
}

impl Layout {
    fn size(&self, rows: usize, columns: usize) -> (u32, u32) {
        let width = self.left + self.cell * columns as f64 + 8.0;
        let height = 4.0 + self.height * rows as f64 + self.below;
        (width.ceil() as u32, height.ceil() as u32)
    }
}
