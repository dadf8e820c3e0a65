//! Fitting one column: its scaling or its categories, what a missing cell becomes, or that it is
//! left out.

use std::path::Path;

use super::remarks::Remarks;
use crate::config::data::{
    CategoryEncoding, ColumnConfig, ColumnMissing, DataSettings, Missing, Scaling,
};
use crate::data::cell::column_key;
use crate::data::column::UNSEEN;
use crate::data::encoding::{
    CellKind, DAY, DateEncoding, Encoding, MOST_ONE_HOT, MissingCategory, MissingNumber, Quantiles,
    Scale, Scaler, boolean, embedding_size, seconds,
};
use crate::data::labels::{Labels, sort_labels};
use crate::data::statistics::{Asked, Summary};
use crate::error::{Error, Place, Result};

/// A column to be fitted.
pub(in crate::data) struct Column<'a> {
    /// The training file.
    pub(in crate::data) file: &'a Path,
    /// The column's name.
    pub(in crate::data) name: &'a str,
    /// The user's word on it.
    pub(in crate::data) config: Option<&'a ColumnConfig>,
    /// That on all columns.
    pub(in crate::data) settings: &'a DataSettings,
    /// Whether it is one of a matrix, whose width is the user's: it stays though it be constant.
    pub(in crate::data) in_matrix: bool,
}

/// How far apart, in the column's own unit, neighbouring encoded numbers are at a value.
fn spacing(scale: Scale, value: f64) -> f64 {
    let encoded = scale.apply(value).abs();
    f64::from(encoded.next_up() - encoded) * scale.scale
}

impl Column<'_> {
    /// The column's scaling, if it is one of numbers.
    pub(in crate::data) fn scaling(&self) -> Scaling {
        self.config.and_then(|config| config.scaling).unwrap_or(self.settings.scaling)
    }

    /// What its statistics are asked.
    pub(in crate::data) fn asks(&self, kind: CellKind) -> Asked {
        match kind {
            CellKind::Number if self.scaling() == Scaling::Log1p => Asked::Logarithms,
            CellKind::Date => Asked::TimesOfDay,
            _ => Asked::Plain,
        }
    }

    /// What a missing cell becomes, by the user's word; none is left to us.
    fn missing(&self) -> Option<&ColumnMissing> {
        let own = self.config.and_then(|config| config.missing.as_ref());
        match (own, self.settings.missing) {
            (Some(own), _) => Some(own),
            (None, Missing::Error) => Some(&ColumnMissing::Error),
            (None, Missing::Auto) => None,
        }
    }

    /// Whether a missing cell is an error.
    pub(in crate::data) fn refuses_missing(&self) -> bool {
        self.missing() == Some(&ColumnMissing::Error)
    }

    /// How its categories become inputs, by the user's word.
    pub(in crate::data) fn encoding(&self) -> CategoryEncoding {
        self.config.and_then(|config| config.encoding).unwrap_or(self.settings.encoding)
    }

    fn is_typed(&self) -> bool {
        self.config.is_some_and(|config| config.kind.is_some())
    }

    fn key(&self, key: &str) -> String {
        format!("{}.{key}", column_key(self.name))
    }

    /// Fits a column of numbers, truth values or dates; none is left out, with a remark.
    ///
    /// # Errors
    /// A value that cannot be scaled, what missing cells cannot become, or a column of a stated type
    /// without any value.
    pub(in crate::data) fn of_numbers(
        &self,
        kind: CellKind,
        mut summary: Summary,
        remarks: &mut Remarks,
    ) -> Result<Option<Encoding>> {
        let place = || Place::column(self.name);
        if summary.not_finite.is_some() {
            return Err(Error::data(self.file, place(), "a training row holds an infinite value")
                .with_help("correct it, or leave it empty to have it filled"));
        }
        self.refuse_categories(kind)?;
        if summary.is_empty() {
            return self.empty(remarks);
        }
        if summary.is_constant() && !self.in_matrix {
            remarks.constant.push(self.name.to_owned());
            return Ok(None);
        }
        let value = self.fill(kind, &mut summary)?;
        let missing = value.map_or(MissingNumber::Error, |value| MissingNumber::Fill {
            value,
            indicator: summary.missing > 0,
        });
        if let (Some(value), 1..) = (value, summary.missing) {
            remarks.filled(self.name, summary.missing, kind, value);
        }
        let one_value = summary.least == summary.most;
        Ok(Some(match kind {
            CellKind::Boolean => Encoding::Boolean { missing },
            CellKind::Date => {
                let days = match summary.deviation / DAY {
                    _ if one_value => Scale { shift: summary.least / DAY, scale: 1.0 },
                    scale => Scale { shift: summary.mean / DAY, scale },
                };
                Encoding::Date(DateEncoding { days, time_of_day: summary.time_of_day, missing })
            }
            CellKind::Number | CellKind::Category => {
                if one_value && summary.missing == 0 {
                    remarks.constant_in_matrix.push(self.name.to_owned());
                }
                let scaler = self.scaler(&mut summary)?;
                if let Scaler::Affine(scale) = &scaler {
                    let apart = [summary.least, summary.most].map(|value| spacing(*scale, value));
                    let apart = apart[0].max(apart[1]);
                    if apart > 1.0 && summary.are_whole() {
                        remarks.rounded.push(format!("{} (to the nearest {apart:.0})", self.name));
                    }
                }
                Encoding::Numeric { scaler, missing }
            }
        }))
    }

    /// Refuses what is said of a column's categories where it has none.
    fn refuse_categories(&self, kind: CellKind) -> Result<()> {
        let Some(config) = self.config else { return Ok(()) };
        let stated = config.encoding.filter(|encoding| *encoding != CategoryEncoding::Auto);
        let key = match (stated, config.embedding_size) {
            (Some(_), _) => "encoding",
            (None, Some(_)) => "embedding_size",
            (None, None) => return Ok(()),
        };
        let help = format!(
            "leave it out, or say that what it holds are names: {} = \"categorical\"",
            self.key("type")
        );
        let problem = format!("the column is {}, not categorical", kind_name(kind));
        Err(Error::config(self.key(key), problem).with_help(help))
    }

    /// A column without a value in any training row.
    fn empty(&self, remarks: &mut Remarks) -> Result<Option<Encoding>> {
        if self.is_typed() || self.in_matrix {
            let problem = "the column has no value in any training row";
            return Err(Error::data(self.file, Place::column(self.name), problem)
                .with_help(format!("leave it out with {} = \"ignore\"", self.key("type"))));
        }
        remarks.empty.push(self.name.to_owned());
        Ok(None)
    }

    /// The scaling's constants. What is constant becomes 0: its own value is the shift, free of the
    /// mean's rounding.
    fn scaler(&self, summary: &mut Summary) -> Result<Scaler> {
        let scaling = self.scaling();
        let (least, most) = (summary.least, summary.most);
        match scaling {
            Scaling::None => return Ok(Scaler::Affine(Scale::IDENTITY)),
            Scaling::DivideBy255 => {
                return Ok(Scaler::Affine(Scale { shift: 0.0, scale: 255.0 }));
            }
            Scaling::Log1p if least < 0.0 => {
                let problem = format!("log1p scales numbers from 0 on, and the least is {least}");
                return Err(Error::data(self.file, Place::column(self.name), problem).with_help(
                    format!(
                        "give it another scaling: {} = \"quantile\" or \"robust_smooth_clip\"",
                        self.key("scaling")
                    ),
                ));
            }
            _ => {}
        }
        let fitted = match scaling {
            Scaling::None | Scaling::DivideBy255 => Scale::IDENTITY,
            Scaling::Standard => Scale { shift: summary.mean, scale: summary.deviation },
            Scaling::Minmax => Scale { shift: least, scale: most - least },
            Scaling::Log1p => {
                let (shift, scale) = summary.logarithm;
                Scale { shift, scale }
            }
            Scaling::Robust => {
                let [first, median, third] = summary.percentiles([0.25, 0.5, 0.75]);
                let range = third - first;
                Scale { shift: median, scale: if range > 0.0 { range } else { 1.0 } }
            }
            Scaling::RobustSmoothClip => {
                let [first, median, third] = summary.percentiles([0.25, 0.5, 0.75]);
                let range = third - first;
                let scale = if range > 0.0 { range } else { 0.5 * (most - least) };
                Scale { shift: median, scale }
            }
            Scaling::Quantile => {
                let quantiles = Quantiles::of_sorted(&summary.sorted_singles());
                if quantiles.varies() {
                    return Ok(Scaler::Quantile(quantiles));
                }
                Scale { shift: least, scale: 1.0 }
            }
        };
        if least == most || !fitted.is_sound() {
            return Ok(Scaler::Affine(Scale { shift: least, scale: 1.0 }));
        }
        Ok(match scaling {
            Scaling::Log1p => Scaler::Log1p(fitted),
            Scaling::RobustSmoothClip => Scaler::SmoothClip(fitted),
            _ => Scaler::Affine(fitted),
        })
    }

    /// What a missing number, truth value or date becomes; none is refused.
    fn fill(&self, kind: CellKind, summary: &mut Summary) -> Result<Option<f64>> {
        let refuse = |problem: String, help: &str| {
            Err(Error::config(self.key("missing"), problem).with_help(help))
        };
        let what = kind_name(kind);
        let constant = match self.missing() {
            Some(ColumnMissing::Error) => return Ok(None),
            // Of truth values the more frequent one.
            None | Some(ColumnMissing::Median) if kind == CellKind::Boolean => {
                return Ok(Some(if summary.mean > 0.5 { 1.0 } else { 0.0 }));
            }
            None | Some(ColumnMissing::Median) => {
                let [median] = summary.percentiles([0.5]);
                return Ok(Some(median));
            }
            Some(ColumnMissing::Mean) => return Ok(Some(summary.mean)),
            Some(ColumnMissing::Category) => {
                let problem = format!("the column is {what}, not categorical");
                return refuse(problem, "give \"median\", \"mean\" or a value");
            }
            Some(ColumnMissing::Value(value)) => value,
        };
        let read = match kind {
            CellKind::Boolean => boolean(constant).map(|yes| if yes { 1.0 } else { 0.0 }),
            CellKind::Date => seconds(constant),
            CellKind::Number | CellKind::Category => {
                constant.parse().ok().filter(|value: &f64| value.abs() <= f64::from(f32::MAX))
            }
        };
        match read {
            Some(value) => Ok(Some(value)),
            None => refuse(
                format!("the column is {what}, and {constant:?} is no value of it"),
                "expected \"error\", \"median\", \"mean\" or a value of the column",
            ),
        }
    }

    /// Fits a column of text. `texts` are the different ones of the whole file, `rows` the training
    /// rows that have each, `missing` those that have none. Gives the encoding and, for each text, the
    /// index of its category.
    ///
    /// # Errors
    /// As [`Column::of_numbers`].
    pub(in crate::data) fn of_categories(
        &self,
        texts: Vec<String>,
        rows: &[usize],
        missing: usize,
        remarks: &mut Remarks,
    ) -> Result<Option<(Encoding, Vec<u32>)>> {
        if self.config.is_some_and(|config| config.scaling.is_some()) {
            return Err(Error::config(self.key("scaling"), "the column is categorical")
                .with_help("only numeric columns are scaled"));
        }
        let present = rows.iter().filter(|rows| **rows > 0).count();
        if present == 0 {
            return Ok(self.empty(remarks)?.map(|encoding| (encoding, Vec::new())));
        }
        if present == 1 && missing == 0 {
            remarks.constant.push(self.name.to_owned());
            return Ok(None);
        }
        let seen = |(text, rows): (&String, &usize)| (*rows > 0).then(|| text.clone());
        let seen: Vec<String> = texts.iter().zip(rows).filter_map(seen).collect();
        let size = self.embeds(sort_labels(seen.clone()).0.len())?;
        // A vector is learned for what training sees; an input is there for all of the file.
        let mut known = if size.is_some() { seen } else { texts.clone() };
        let becomes = match self.missing() {
            Some(ColumnMissing::Error) => MissingCategory::Error,
            None | Some(ColumnMissing::Category) if missing > 0 => MissingCategory::Own,
            None | Some(ColumnMissing::Category) => MissingCategory::None,
            Some(ColumnMissing::Median | ColumnMissing::Mean) => {
                return Err(Error::config(self.key("missing"), "the column is categorical")
                    .with_help("give \"category\", or the category that missing cells have"));
            }
            Some(ColumnMissing::Value(value)) => {
                if Labels::new(&known).find(value).is_none() && missing > 0 {
                    known.push(value.clone());
                }
                MissingCategory::None
            }
        };
        let (categories, _) = sort_labels(known);
        let labels = Labels::new(&categories);
        let code = |text: &String| labels.find(text).and_then(|code| u32::try_from(code).ok());
        let codes = texts.iter().map(|text| code(text).unwrap_or(UNSEEN)).collect();
        let becomes = match self.missing() {
            Some(ColumnMissing::Value(value)) => {
                labels.find(value).map_or(MissingCategory::None, MissingCategory::Category)
            }
            _ => becomes,
        };
        if missing > 0 {
            let what = match becomes {
                MissingCategory::Category(code) => {
                    categories.get(code).map(|category| format!("{category:?}"))
                }
                _ => Some("a category of their own".to_owned()),
            };
            remarks.filled_by(self.name, missing, &what.unwrap_or_default());
        }
        let Some(size) = size else {
            remarks.one_hot.push(format!("{} ({})", self.name, categories.len()));
            return Ok(Some((Encoding::Categorical { categories, missing: becomes }, codes)));
        };
        let all = categories.len() + usize::from(becomes == MissingCategory::Own);
        let size = size.unwrap_or_else(|| embedding_size(all));
        remarks.embedded.push(format!("{} ({} by {size})", self.name, categories.len()));
        Ok(Some((Encoding::Embedding { categories, size, missing: becomes }, codes)))
    }

    /// Whether a column with so many categories is embedded, and in vectors of which length where the
    /// user says so.
    fn embeds(&self, categories: usize) -> Result<Option<Option<usize>>> {
        let size = self.config.and_then(|config| config.embedding_size);
        let embeds = match self.encoding() {
            CategoryEncoding::Auto => categories > MOST_ONE_HOT,
            CategoryEncoding::OneHot => false,
            CategoryEncoding::Embedding => true,
        };
        match size {
            Some(_) if !embeds => {
                let problem = format!(
                    "the column is one-hot encoded: it has {categories} categories, and more than \
                     {MOST_ONE_HOT} are embedded"
                );
                Err(Error::config(self.key("embedding_size"), problem).with_help(format!(
                    "leave the size out, or set {} to \"embedding\"",
                    self.key("encoding")
                )))
            }
            size => Ok(embeds.then_some(size)),
        }
    }
}

/// What a column's cells are, as a word that follows `the column is`.
fn kind_name(kind: CellKind) -> &'static str {
    match kind {
        CellKind::Boolean => "boolean",
        CellKind::Date => "of dates",
        CellKind::Number | CellKind::Category => "numeric",
    }
}
