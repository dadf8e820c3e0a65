//! A comparison's document as a terminal shows it.

use super::document::{Document, Section};

impl Document {
    /// As a terminal shows it.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n", self.title);
        for (label, value) in &self.facts {
            text.push_str(&format!("{label:<10}{value}\n"));
        }
        for section in &self.sections {
            text.push_str(&format!("\n{}\n", section.title));
            text.push_str(&section.table());
            for line in &section.after {
                text.push_str(&format!("  {line}\n"));
            }
        }
        text.push_str("\nVerdict\n");
        for paragraph in &self.verdict {
            text.push_str(&format!("  {paragraph}\n"));
        }
        text
    }
}

impl Section {
    fn table(&self) -> String {
        let all = || std::iter::once(&self.headers).chain(&self.rows);
        let width =
            |at: usize| all().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
        // A column that is empty in every row is left out.
        let columns: Vec<(usize, usize)> = (0..self.headers.len())
            .filter(|at| self.rows.iter().any(|row| row.get(*at).is_some_and(|c| !c.is_empty())))
            .map(|at| (at, width(at).unwrap_or_default()))
            .collect();
        let mut text = String::new();
        for row in all() {
            let mut line = String::new();
            for (at, width) in &columns {
                let cell = row.get(*at).map_or("", String::as_str);
                line.push_str(&match *at < self.numbers {
                    true => format!("  {cell:<width$}"),
                    false => format!("  {cell:>width$}"),
                });
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}
