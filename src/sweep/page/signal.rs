//! How well signals get through the layers before the first step, and what became of it: by what decides
//! them, the initialiser and the activation, where these are varied.

use serde_json::Value;

use super::Told;
use crate::error::Result;
use crate::report::page::Page;
use crate::report::page::plot::{Axis, Chart, Ink, Layer};
use crate::sweep::start::StartRecord;
use crate::sweep::table::value_in_words;

/// Curves of one drawing that have a colour each.
const MOST_SERIES: usize = 12;

pub(super) fn signal(page: &mut Page, told: &Told) -> Result<()> {
    let key_of = |end: &str| {
        let axes = told.sweep.config.axes.iter();
        axes.map(|axis| &axis.key).find(|key| key.rsplit('.').next() == Some(end))
    };
    let (facet, series) = (key_of("activation"), key_of("init"));
    if facet.is_none() && series.is_none() || told.starts.is_empty() {
        return Ok(());
    }
    page.section("Signals before the first step, and what came of them");
    page.paragraph(
        "First: how much what a layer puts out differs between rows. Second: the spread of the gradient that \
         comes back to it. Where either dies away or grows from layer to layer, the layers at one end do not \
         learn, or all do at once. Third: how training went. Of each combination it is the deepest network \
         that is drawn; of several, the best.",
    );
    let value = |trial: usize, key: Option<&String>| -> Option<&Value> {
        told.sweep.trials[trial].values.get(key?)
    };
    let mut facets: Vec<Option<&Value>> = Vec::new();
    for record in told.starts {
        let own = value(record.trial, facet);
        if !facets.contains(&own) {
            facets.push(own);
        }
    }
    for of_facet in facets {
        if let Some(found) = of_facet {
            page.heading(&value_in_words(found));
        }
        let mut drawn: Vec<(String, &StartRecord)> = Vec::new();
        // By rank, so that of equally deep ones the best comes first.
        for record in told.ranked {
            let Some(start) = told.starts.iter().find(|start| start.trial == record.trial) else {
                continue;
            };
            if value(start.trial, facet) != of_facet {
                continue;
            }
            let name = value(start.trial, series).map_or_else(String::new, value_in_words);
            match drawn.iter_mut().find(|(other, _)| *other == name) {
                Some((_, before)) if before.signal.len() < start.signal.len() => *before = start,
                Some(_) => {}
                None => drawn.push((name, start)),
            }
        }
        drawn.sort_by(|a, b| a.0.cmp(&b.0));
        drawn.truncate(MOST_SERIES);
        page.figures(&[
            through(&drawn, "Signal", "deviation between rows", |start| &start.signal).figure()?,
            through(&drawn, "Gradient", "deviation", |start| &start.gradients).figure()?,
            learning(told, &drawn).figure()?,
        ]);
    }
    Ok(())
}

fn through(
    drawn: &[(String, &StartRecord)],
    title: &str,
    of: &str,
    pick: impl Fn(&StartRecord) -> &Vec<f64>,
) -> Chart {
    let values = drawn.iter().flat_map(|(_, start)| pick(start).iter().copied());
    let mut chart = Chart::new(
        title,
        "By layer, the output layer last.",
        Axis::whole("layer"),
        Axis::fitting(of, values, 1.0),
    );
    for (at, (name, start)) in drawn.iter().enumerate() {
        let points = pick(start).iter().enumerate().map(|(i, value)| (i as f64 + 1.0, *value));
        chart.layers.push(Layer::line(name, Ink::Series(at), points.collect()));
    }
    chart
}

fn learning(told: &Told, drawn: &[(String, &StartRecord)]) -> Chart {
    let curve = |trial: usize| -> Vec<(f64, f64)> {
        let own = told.epochs.iter().filter(|record| record.trial == trial);
        own.map(|record| (record.epoch as f64, record.value.unwrap_or(f64::NAN))).collect()
    };
    let curves: Vec<_> = drawn.iter().map(|(name, start)| (name, curve(start.trial))).collect();
    let values = curves.iter().flat_map(|(_, points)| points.iter().map(|(_, value)| *value));
    let y = Axis::fitting(&told.sweep.monitor, values, 1.0);
    let mut chart = Chart::new("Learning", "The same networks, by epoch.", Axis::whole("epoch"), y);
    for (at, (name, points)) in curves.into_iter().enumerate() {
        chart.layers.push(Layer::line(name, Ink::Series(at), points));
    }
    chart
}
