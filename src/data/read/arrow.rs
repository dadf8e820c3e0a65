//! Arrow arrays, which Parquet and Arrow files are read as, as columns of cells.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal128Type, DecimalType, Float16Type, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray, RecordBatch};
use arrow_schema::{DataType, Schema as ArrowSchema, TimeUnit};

use super::values::first_lost;
use super::{Cells, Chunk, Kind, Numbers, Places, Schema, SchemaColumn, Texts};
use crate::data::cell::Fault;
use crate::error::{Error, Place, Result};

const SECONDS_A_DAY: f64 = 86_400.0;

/// The columns of a file.
pub(super) fn schema(file: &Path, schema: &ArrowSchema, rows: Option<u64>) -> Result<Schema> {
    let mut names = std::collections::HashSet::new();
    for field in schema.fields() {
        if !names.insert(field.name()) {
            let problem = "two columns have this name";
            return Err(
                Error::data(file, Place::column(field.name()), problem).with_help("rename one")
            );
        }
    }
    let columns = schema
        .fields()
        .iter()
        .map(|field| SchemaColumn { name: field.name().clone(), kind: kind(field.data_type()) });
    Ok(Schema {
        file: file.to_owned(),
        header: true,
        columns: columns.collect(),
        first: Vec::new(),
        rows,
        matrix: false,
    })
}

fn kind(of: &DataType) -> Kind {
    let unusable = |what: &str| Kind::Unusable(what.to_owned());
    match of {
        DataType::Boolean => Kind::Boolean,
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => Kind::Date,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Unknown,
        DataType::Dictionary(_, values) => match kind(values) {
            Kind::Unusable(what) => Kind::Unusable(what),
            _ if values.is_numeric() => Kind::Number,
            own => own,
        },
        DataType::Null => Kind::Number,
        DataType::Decimal256(..) => unusable("decimals of 256 bits"),
        numeric if numeric.is_numeric() => Kind::Number,
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::FixedSizeList(..)
        | DataType::ListView(_)
        | DataType::LargeListView(_) => unusable("a list in each row"),
        DataType::Struct(_) => unusable("a struct of several fields in each row"),
        DataType::Map(..) => unusable("a map in each row"),
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => unusable("bytes, neither numbers nor text"),
        DataType::Time32(_) | DataType::Time64(_) => unusable("times of day"),
        DataType::Duration(_) | DataType::Interval(_) => unusable("spans of time"),
        other => Kind::Unusable(format!("of type {other}")),
    }
}

/// A batch of the `wanted` columns as a chunk; `batch` holds these alone, in their order.
pub(super) fn chunk(
    file: &Arc<Path>,
    schema: &Schema,
    batch: RecordBatch,
    wanted: &[bool],
    first_row: u64,
) -> Result<Chunk> {
    let (_, arrays, rows) = batch.into_parts();
    let mut arrays = arrays.into_iter();
    let mut columns = Vec::with_capacity(wanted.len());
    for (column, wanted) in schema.columns.iter().zip(wanted) {
        columns.push(match arrays.as_slice().first().filter(|_| *wanted) {
            None => Cells::Skipped,
            Some(array) => {
                let of = array.data_type().clone();
                arrays.next().and_then(cells).ok_or_else(|| {
                    let what = match kind(&of) {
                        Kind::Unusable(what) => what,
                        _ => format!("cells of type {of} that cannot be read"),
                    };
                    let Fault { problem, help } = Fault::unusable(&column.name, &what);
                    Error::data(file, Place::column(&column.name), problem).with_help(help)
                })?
            }
        });
    }
    Ok(Chunk { file: Arc::clone(file), rows, places: Places::Rows(first_row), columns })
}

/// The cells of an array; none where a network can take nothing of that type.
fn cells(array: ArrayRef) -> Option<Cells> {
    if array.null_count() == 0 {
        match array.data_type() {
            DataType::UInt8 => return Some(Cells::Numbers(Numbers::U8(taken::<UInt8Type>(array)))),
            DataType::Float32 => {
                return Some(Cells::Numbers(Numbers::F32(taken::<Float32Type>(array))));
            }
            DataType::Float64 => {
                return Some(Cells::Numbers(Numbers::F64(taken::<Float64Type>(array))));
            }
            _ => {}
        }
    }
    let array = array.as_ref();
    Some(match array.data_type() {
        DataType::UInt8 => wide::<UInt8Type>(array, f64::from),
        DataType::Int8 => wide::<Int8Type>(array, f64::from),
        DataType::Int16 => wide::<Int16Type>(array, f64::from),
        DataType::Int32 => wide::<Int32Type>(array, f64::from),
        DataType::Int64 => wide::<Int64Type>(array, |value| value as f64),
        DataType::UInt16 => wide::<UInt16Type>(array, f64::from),
        DataType::UInt32 => wide::<UInt32Type>(array, f64::from),
        DataType::UInt64 => wide::<UInt64Type>(array, |value| value as f64),
        DataType::Float16 => narrow::<Float16Type>(array, half::f16::to_f32),
        DataType::Float32 => narrow::<Float32Type>(array, |value| value),
        DataType::Float64 => wide::<Float64Type>(array, |value| value),
        DataType::Decimal128(_, scale) => {
            let unit = 10_f64.powi(i32::from(*scale));
            wide::<Decimal128Type>(array, |value| value as f64 / unit)
        }
        DataType::Date32 => wide::<Date32Type>(array, |day| f64::from(day) * SECONDS_A_DAY),
        DataType::Date64 => wide::<Date64Type>(array, |at| at as f64 / 1e3),
        DataType::Timestamp(TimeUnit::Second, _) => {
            wide::<TimestampSecondType>(array, |at| at as f64)
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            wide::<TimestampMillisecondType>(array, |at| at as f64 / 1e3)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            wide::<TimestampMicrosecondType>(array, |at| at as f64 / 1e6)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            wide::<TimestampNanosecondType>(array, |at| at as f64 / 1e9)
        }
        DataType::Boolean => {
            let values = array.as_boolean().iter();
            let number =
                |value: Option<bool>| value.map_or(f64::NAN, |yes| f64::from(u8::from(yes)));
            Cells::Numbers(Numbers::F64(values.map(number).collect()))
        }
        DataType::Null => Cells::Numbers(Numbers::F64(vec![f64::NAN; array.len()])),
        DataType::Utf8 => texts(array.as_string::<i32>().iter())?,
        DataType::LargeUtf8 => texts(array.as_string::<i64>().iter())?,
        DataType::Utf8View => texts(array.as_string_view().iter())?,
        DataType::Dictionary(..) => return of_dictionary(array),
        _ => return None,
    })
}

/// The values of an array that lacks none, in its own memory where nothing else has a hold on that.
fn taken<T: ArrowPrimitiveType>(array: ArrayRef) -> Vec<T::Native> {
    let own = array.as_primitive::<T>().clone();
    drop(array);
    own.into_parts().1.into()
}

fn wide<T: ArrowPrimitiveType>(array: &dyn Array, number: impl Fn(T::Native) -> f64) -> Cells {
    Cells::Numbers(Numbers::F64(values(array.as_primitive::<T>(), f64::NAN, number)))
}

fn narrow<T: ArrowPrimitiveType>(array: &dyn Array, number: impl Fn(T::Native) -> f32) -> Cells {
    Cells::Numbers(Numbers::F32(values(array.as_primitive::<T>(), f32::NAN, number)))
}

fn values<T: ArrowPrimitiveType, N: Copy>(
    array: &PrimitiveArray<T>,
    missing: N,
    number: impl Fn(T::Native) -> N,
) -> Vec<N> {
    if array.null_count() == 0 {
        return array.values().iter().map(|value| number(*value)).collect();
    }
    array.iter().map(|value| value.map_or(missing, &number)).collect()
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> Option<Cells> {
    Texts::of(values.map(|text| text.map_or("", str::trim))).map(Cells::Text)
}

/// A dictionary's values, once for each row.
fn of_dictionary(array: &dyn Array) -> Option<Cells> {
    let dictionary = array.as_any_dictionary_opt()?;
    let values = cells(Arc::clone(dictionary.values()))?;
    let no_value = dictionary.values().is_empty();
    let keys = if no_value { vec![0; array.len()] } else { dictionary.normalized_keys() };
    let nulls = dictionary.keys().nulls();
    let of_row = (0..array.len()).map(|row| {
        let there = nulls.is_none_or(|nulls| nulls.is_valid(row));
        keys.get(row).copied().filter(|_| there)
    });
    Some(match values {
        Cells::Text(values) => {
            // Behind the texts an empty one, of rows without any.
            let none = values.len();
            let row =
                |key: Option<usize>| u32::try_from(key.map_or(none, |key| key.min(none))).ok();
            let rows = of_row.map(row).collect::<Option<_>>()?;
            Cells::Text(Texts::of(values.iter().chain([""]))?.shared_by(rows))
        }
        Cells::Numbers(values) => {
            let number = |key: usize| values.get(key);
            let numbers = of_row.map(|key| key.and_then(number).unwrap_or(f64::NAN));
            Cells::Numbers(Numbers::F64(numbers.collect()))
        }
        Cells::Skipped => Cells::Skipped,
    })
}

/// Notes the first value of each wanted column that a 64-bit float cannot hold, unless one is known.
pub(super) fn note_inexact(batch: &RecordBatch, wanted: &[bool], known: &mut Vec<(usize, String)>) {
    let columns = (0..wanted.len()).filter(|column| wanted[*column]);
    for (column, array) in columns.zip(batch.columns()) {
        if known.iter().all(|(other, _)| *other != column)
            && let Some(value) = inexact(array.as_ref())
        {
            known.push((column, value));
        }
    }
}

/// The first value of 64-bit integers or decimals that f64 cannot hold exactly.
fn inexact(array: &dyn Array) -> Option<String> {
    match array.data_type() {
        DataType::Int64 => {
            first_lost(array.as_primitive::<Int64Type>().iter().flatten().map(i128::from))
        }
        DataType::UInt64 => {
            first_lost(array.as_primitive::<UInt64Type>().iter().flatten().map(i128::from))
        }
        DataType::Decimal128(precision, scale) => {
            let values = array.as_primitive::<Decimal128Type>().iter().flatten();
            // What is kept is the number divided by a power of ten, which is rarely exact: the
            // digits are what counts.
            let mut lost = values.filter(|value| value.unsigned_abs() > 1 << 53);
            lost.next().map(|value| Decimal128Type::format_decimal(value, *precision, *scale))
        }
        _ => None,
    }
}
