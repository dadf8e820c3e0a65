//! A self-contained page: HTML with its stylesheet and its drawings inside, no script, nothing fetched.
//!
//! All that goes in is plain text or plain numbers, and is escaped here.

mod html;
mod image;
pub mod plot;
mod table;

pub use html::Html;
pub use table::{Cell, Table};

use plot::Figure;

/// What the page may load: its own styles and its own images.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
                      base-uri 'none'; form-action 'none'";

const STYLE: &str = include_str!("page.css");

/// A page while it is written.
#[derive(Debug, Clone, Default)]
pub struct Page {
    title: String,
    body: Html,
    /// Sections: anchor and title.
    sections: Vec<(String, String)>,
}

/// How serious a remark is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Something to know.
    Note,
    /// Something to do something about.
    Warning,
}

impl Page {
    /// An empty page.
    pub fn new(title: &str) -> Self {
        Self { title: title.to_owned(), ..Self::default() }
    }

    /// Begins a section, which the page's contents lead to.
    pub fn section(&mut self, title: &str) {
        let number = self.sections.len() + 1;
        if number > 1 {
            self.body.push(format_args!("</section>\n"));
        }
        let anchor = format!("section-{number}");
        self.body.push(format_args!("<section id=\"{anchor}\"><h2>{}</h2>\n", Html::escape(title)));
        self.sections.push((anchor, title.to_owned()));
    }

    /// A heading within a section.
    pub fn heading(&mut self, title: &str) {
        self.body.push(format_args!("<h3>{}</h3>\n", Html::escape(title)));
    }

    /// A paragraph.
    pub fn paragraph(&mut self, text: &str) {
        self.body.push(format_args!("<p>{}</p>\n", Html::escape(text)));
    }

    /// A remark that stands out.
    pub fn remark(&mut self, tone: Tone, text: &str) {
        let (class, word) = match tone {
            Tone::Note => ("note", "Note"),
            Tone::Warning => ("warning", "Warning"),
        };
        self.body.push(format_args!(
            "<p class=\"remark {class}\"><strong>{word}</strong> {}</p>\n",
            Html::escape(text)
        ));
    }

    /// Numbers that stand out, each with what it is.
    pub fn headline(&mut self, figures: &[(String, String)]) {
        self.pairs("headline", figures);
    }

    /// Labelled facts.
    pub fn facts(&mut self, facts: &[(String, String)]) {
        self.pairs("facts", facts);
    }

    fn pairs(&mut self, class: &str, pairs: &[(String, String)]) {
        self.body.push(format_args!("<dl class=\"{class}\">\n"));
        for (label, value) in pairs {
            self.body.push(format_args!(
                "<div><dt>{}</dt><dd>{}</dd></div>\n",
                Html::escape(label),
                Html::escape(value)
            ));
        }
        self.body.push(format_args!("</dl>\n"));
    }

    /// A table.
    pub fn table(&mut self, table: &Table) {
        let html = table.html();
        self.body.push(format_args!("{html}"));
    }

    /// Figures side by side, as many as there is room for.
    pub fn figures(&mut self, figures: &[Figure]) {
        if figures.is_empty() {
            return;
        }
        self.body.push(format_args!("<div class=\"figures\">\n"));
        for figure in figures {
            self.figure(figure);
        }
        self.body.push(format_args!("</div>\n"));
    }

    fn figure(&mut self, figure: &Figure) {
        let class = if figure.wide { "plot wide" } else { "plot" };
        self.body.push(format_args!(
            "<figure class=\"{class}\"><figcaption><strong>{}</strong> {}</figcaption>\n",
            Html::escape(&figure.title),
            Html::escape(&figure.caption)
        ));
        if !figure.legend.is_empty() {
            self.body.push(format_args!("<ul class=\"legend\">"));
            for (ink, swatch, name) in &figure.legend {
                self.body.push(format_args!(
                    "<li><i class=\"{swatch} {ink}\"></i>{}</li>",
                    Html::escape(name)
                ));
            }
            self.body.push(format_args!("</ul>\n"));
        }
        if let Some(svg) = &figure.svg {
            self.body.push(format_args!("{svg}"));
        }
        self.body.push(format_args!("</figure>\n"));
    }

    /// Text as it stands, in type of one width, that is shown when asked for.
    pub fn folded(&mut self, summary: &str, text: &str) {
        self.body.push(format_args!(
            "<details><summary>{}</summary><pre>{}</pre></details>\n",
            Html::escape(summary),
            Html::escape(text)
        ));
    }

    /// The whole document.
    pub fn finish(self) -> String {
        let mut html = Html::default();
        html.push(format_args!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{title}</title>\n<link rel=\"icon\" href=\"data:,\">\n\
             <style>{STYLE}{colours}</style></head>\n<body><header><h1>{title}</h1></header>\n",
            title = Html::escape(&self.title),
            colours = plot::ink::stylesheet(),
        ));
        if self.sections.len() > 2 {
            html.push(format_args!("<nav aria-label=\"Contents\"><ul>"));
            for (anchor, title) in &self.sections {
                html.push(format_args!(
                    "<li><a href=\"#{anchor}\">{}</a></li>",
                    Html::escape(title)
                ));
            }
            html.push(format_args!("</ul></nav>\n"));
        }
        let end = if self.sections.is_empty() { "" } else { "</section>\n" };
        html.push(format_args!("<main>\n{}{end}</main></body></html>\n", self.body));
        html.0
    }
}

#[cfg(test)]
mod tests {
    use super::plot::{Axis, Bar, Bars, Chart, HeatMap, Ink, Layer, Shape};
    use super::*;

    const HOSTILE: &str = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>";

    #[test]
    fn whatever_names_hold_is_shown_and_does_nothing() -> crate::error::Result<()> {
        let mut page = Page::new(HOSTILE);
        page.section(HOSTILE);
        page.heading(HOSTILE);
        page.paragraph(HOSTILE);
        page.remark(Tone::Warning, HOSTILE);
        page.facts(&[(HOSTILE.to_owned(), HOSTILE.to_owned())]);
        page.folded(HOSTILE, HOSTILE);
        let mut table = Table::new(&[HOSTILE]);
        table.row(vec![Cell::text(HOSTILE)]);
        page.table(&table);
        let mut chart = Chart::new(HOSTILE, HOSTILE, Axis::new(HOSTILE), Axis::new(HOSTILE));
        chart.layers = vec![
            Layer::line(HOSTILE, Ink::Series(0), vec![(0.0, 1.0), (1.0, 2.0)]),
            Layer::vertical(0.5, HOSTILE),
        ];
        let names = vec![HOSTILE.to_owned()];
        let heat = HeatMap {
            title: HOSTILE.to_owned(),
            caption: HOSTILE.to_owned(),
            down: HOSTILE.to_owned(),
            across: HOSTILE.to_owned(),
            rows: names.clone(),
            columns: names.clone(),
            strength: vec![vec![1.0]],
            texts: vec![names],
        };
        let bar = Bar { name: HOSTILE.into(), value: 1.0, deviation: 0.1, text: HOSTILE.into() };
        let bars = Bars {
            title: HOSTILE.to_owned(),
            caption: HOSTILE.to_owned(),
            axis: HOSTILE.to_owned(),
            bars: vec![bar],
        };
        page.figures(&[chart.figure()?, heat.figure()?, bars.figure()?]);
        let html = page.finish();
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
        assert!(!html.contains("://"), "nothing leads out of the page");
        assert_eq!(html.matches("<svg").count(), 3);
        Ok(())
    }

    #[test]
    fn charts_take_what_cannot_be_drawn() -> crate::error::Result<()> {
        let mut chart = Chart::new("t", "", Axis::whole("epoch"), Axis::new("loss"));
        let holes = vec![(1.0, f64::NAN), (2.0, 1.0), (3.0, f64::INFINITY), (4.0, 2.0), (5.0, 3.0)];
        chart.layers.push(Layer::line("a", Ink::Series(0), holes));
        assert!(chart.figure()?.svg.is_some_and(|svg| !svg.as_str().contains("NaN")));
        // One point alone, and none at all.
        for points in [vec![(1.0, 1.0)], vec![(1.0, f64::NAN)], vec![]] {
            let known = points.iter().any(|(_, y): &(f64, f64)| y.is_finite());
            chart.layers = vec![
                Layer::line("a", Ink::Series(0), points.clone()),
                Layer::band(
                    "b",
                    Ink::Series(1),
                    0.2,
                    points.iter().map(|p| (p.0, p.1, p.1)).collect(),
                ),
                Layer { name: "c".into(), ink: Ink::Series(8), shape: Shape::Dots(points) },
                Layer::horizontal(0.5, "half"),
            ];
            assert_eq!(chart.figure()?.svg.is_some(), known);
        }
        Ok(())
    }
}
