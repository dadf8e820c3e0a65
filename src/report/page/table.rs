//! Tables.

use super::html::Html;

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    html: Html,
    number: bool,
}

impl Cell {
    /// Text, to the left.
    pub fn text(text: &str) -> Self {
        Self { html: Html::escape(text), number: false }
    }

    /// A number, to the right.
    pub fn number(text: &str) -> Self {
        Self { html: Html::escape(text), number: true }
    }

    /// Shades of grey as a small image, `rows` lines of the same length from top to bottom; `name` is for
    /// those who do not see it.
    pub fn image(rows: &[Vec<u8>], name: &str) -> Self {
        Self { html: super::image::grey(rows, name), number: false }
    }
}

/// A table with a row of headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    headers: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub fn new<S: AsRef<str>>(headers: &[S]) -> Self {
        let headers = headers.iter().map(|header| header.as_ref().to_owned()).collect();
        Self { headers, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A header stands as the cells below it do.
    pub(super) fn html(&self) -> Html {
        let mut html = Html::default();
        html.push(format_args!("<div class=\"table\"><table><thead><tr>"));
        for (at, header) in self.headers.iter().enumerate() {
            let number = self.rows.iter().any(|row| row.get(at).is_some_and(|cell| cell.number));
            let class = if number { " class=\"number\"" } else { "" };
            html.push(format_args!("<th{class} scope=\"col\">{}</th>", Html::escape(header)));
        }
        html.push(format_args!("</tr></thead><tbody>\n"));
        for row in &self.rows {
            html.push(format_args!("<tr>"));
            for cell in row {
                let class = if cell.number { " class=\"number\"" } else { "" };
                html.push(format_args!("<td{class}>{}</td>", cell.html));
            }
            html.push(format_args!("</tr>\n"));
        }
        html.push(format_args!("</tbody></table></div>\n"));
        html
    }
}
