//! The colours of drawings. An SVG holds the light theme's as its attributes, which read well by
//! themselves; the page's stylesheet sets others in their place where the reader's theme is dark.

use std::fmt::Write;

use plotters::style::RGBColor;

/// What something is drawn in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// The series of that number. There are 7 colours; the next ones are drawn dashed.
    Series(usize),
    /// Titles of axes.
    Text,
    /// Numbers along axes, and what stands back.
    Muted,
    /// A curve behind another one.
    Faint,
    /// The lines behind.
    Grid,
    /// What to compare with: dashed.
    Reference,
    /// A cell of a heat map.
    Heat,
    /// A number on a strong cell.
    OnHeat,
}

/// Colours of series.
pub const SERIES: usize = 7;

/// Light and dark, as `0xRRGGBB`. Told apart with any kind of colour vision (after Okabe and Ito 2008,
/// "Color universal design"), each with a contrast of 3 or more to its background.
const SERIES_COLOURS: [(u32, u32); SERIES] = [
    (0x0068A8, 0x62B6F2),
    (0xC84E00, 0xFF9A56),
    (0x008A63, 0x45CFA6),
    (0xA33C86, 0xE493C8),
    (0x8F6B00, 0xE5C24A),
    (0x2488BF, 0x9ADCFB),
    (0x5C5C66, 0xB9BAC4),
];

impl Ink {
    const ALL: [Self; 7] = [
        Self::Text,
        Self::Muted,
        Self::Faint,
        Self::Grid,
        Self::Reference,
        Self::Heat,
        Self::OnHeat,
    ];

    fn light_and_dark(self) -> (u32, u32) {
        match self {
            Self::Series(at) => SERIES_COLOURS[at % SERIES],
            Self::Text => (0x24262B, 0xE6E7EA),
            Self::Muted => (0x63666E, 0xA4A8B2),
            Self::Faint => (0xA9C7DC, 0x41607A),
            Self::Grid => (0xE3E5E8, 0x33363D),
            Self::Reference => (0x63666D, 0xA4A8B1),
            Self::Heat => (0x0068A7, 0x2B7CC0),
            Self::OnHeat => (0xFFFFFF, 0xFFFFFE),
        }
    }

    /// Whether its lines are dashed.
    fn is_dashed(self) -> bool {
        match self {
            Self::Series(at) => (at / SERIES) % 2 == 1,
            other => other == Self::Reference,
        }
    }

    /// What stands in the SVG: the light colour. A dashed series has its own, one step of blue away, so
    /// that the stylesheet can tell it.
    fn stored(self) -> u32 {
        let light = self.light_and_dark().0;
        match self {
            Self::Series(_) if self.is_dashed() => light ^ 1,
            _ => light,
        }
    }

    pub(super) fn colour(self) -> RGBColor {
        let [_, red, green, blue] = self.stored().to_be_bytes();
        RGBColor(red, green, blue)
    }

    /// The class of a key in a legend.
    pub(in super::super) fn class(self) -> String {
        match self {
            Self::Series(at) => format!("ink-series-{}", at % (2 * SERIES)),
            other => format!("ink-{other:?}").to_lowercase(),
        }
    }
}

/// The stylesheet's part on colours: variables for both themes, and what stands for what in an SVG.
pub(in super::super) fn stylesheet() -> String {
    let all: Vec<Ink> = Ink::ALL.into_iter().chain((0..2 * SERIES).map(Ink::Series)).collect();
    let variables = |pick: fn((u32, u32)) -> u32| -> String {
        all.iter()
            .map(|ink| format!("--{}:#{:06X};", ink.class(), pick(ink.light_and_dark())))
            .collect()
    };
    let (light, dark) = (variables(|pair| pair.0), variables(|pair| pair.1));
    let mut css = format!(
        ":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
    );
    for ink in &all {
        let (class, stored) = (ink.class(), ink.stored());
        let _ = writeln!(
            css,
            ".{class}{{--ink:var(--{class})}}\
             svg [stroke=\"#{stored:06X}\"]{{stroke:var(--{class}){}}}\
             svg [fill=\"#{stored:06X}\"]{{fill:var(--{class}){}}}",
            if ink.is_dashed() { ";stroke-dasharray:20 14" } else { "" },
            // Words stand before curves: a rim of the page's colour keeps them legible.
            if *ink == Ink::Muted {
                ";paint-order:stroke;stroke:var(--page);stroke-width:12px"
            } else {
                ""
            },
        );
    }
    css
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ink_has_its_own_colour_in_an_svg() {
        let mut stored: Vec<u32> =
            Ink::ALL.into_iter().chain((0..2 * SERIES).map(Ink::Series)).map(Ink::stored).collect();
        let count = stored.len();
        stored.sort_unstable();
        stored.dedup();
        assert_eq!(stored.len(), count);
    }

    /// Contrast as WCAG 2.1 defines it.
    #[test]
    fn series_stand_out_from_their_background() {
        let luminance = |colour: u32| {
            let channel = |byte: u8| {
                let c = f64::from(byte) / 255.0;
                if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
            };
            let [_, r, g, b] = colour.to_be_bytes();
            0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b)
        };
        let contrast = |a: u32, b: u32| {
            let (a, b) = (luminance(a), luminance(b));
            (a.max(b) + 0.05) / (a.min(b) + 0.05)
        };
        for (light, dark) in SERIES_COLOURS {
            assert!(contrast(light, 0xFF_FFFF) >= 3.0, "{light:06X}");
            assert!(contrast(dark, 0x1B_1D21) >= 3.0, "{dark:06X}");
        }
    }
}
