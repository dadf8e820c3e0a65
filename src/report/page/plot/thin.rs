//! Curves of very many points, in as few as look the same.

/// Points that a curve is drawn with at most.
const MOST: usize = 480;

/// Four points of each of [`MOST`] / 4 stretches of a curve are kept: the first, the lowest, the highest
/// and the last. `None` is a gap.
pub(super) fn curve(points: Vec<Option<(f64, f64)>>) -> Vec<Option<(f64, f64)>> {
    if points.len() <= MOST {
        return points;
    }
    let stretch = points.len().div_ceil(MOST / 4);
    let mut kept = Vec::with_capacity(MOST + 4);
    for part in points.chunks(stretch) {
        let known = || part.iter().enumerate().filter_map(|(at, point)| Some((at, (*point)?)));
        let lowest = known().min_by(|a, b| a.1.1.total_cmp(&b.1.1));
        let highest = known().max_by(|a, b| a.1.1.total_cmp(&b.1.1));
        let (Some(lowest), Some(highest)) = (lowest, highest) else {
            kept.push(None);
            continue;
        };
        let gap = part.iter().position(Option::is_none);
        let ends = [known().next(), known().next_back()].into_iter().flatten().map(|(at, _)| at);
        let mut wanted: Vec<usize> = ends.chain([lowest.0, highest.0]).chain(gap).collect();
        wanted.sort_unstable();
        wanted.dedup();
        kept.extend(wanted.into_iter().map(|at| part[at]));
    }
    kept
}

/// Stretches of a band become one point each, as low and as high as any in it.
pub(super) fn band(points: &[(f64, f64, f64)]) -> Vec<(f64, f64, f64)> {
    if points.len() <= MOST / 2 {
        return points.to_vec();
    }
    let stretch = points.len().div_ceil(MOST / 2);
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    let middle = points.chunks(stretch).map(|part| {
        let x = part[part.len() / 2].0;
        part.iter().fold((x, f64::INFINITY, f64::NEG_INFINITY), |(x, low, high), point| {
            (x, low.min(point.1), high.max(point.2))
        })
    });
    std::iter::once(*first).chain(middle).chain(std::iter::once(*last)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_and_ends_stay() {
        let mut points: Vec<Option<(f64, f64)>> =
            (0..10_000).map(|x| Some((f64::from(x), 0.0))).collect();
        points[4321] = Some((4321.0, 7.0));
        points[7000] = None;
        let kept = curve(points.clone());
        assert!(kept.len() <= MOST + 4);
        assert_eq!((kept.first(), kept.last()), (points.first(), points.last()));
        assert!(kept.contains(&points[4321]) && kept.contains(&None));
        assert!(curve(vec![None; 1000]).iter().all(Option::is_none));
        let wide: Vec<_> = (0..5000).map(|x| (f64::from(x), 0.0, f64::from(x % 100))).collect();
        let kept = band(&wide);
        assert!(kept.len() <= MOST / 2 + 2 && kept.iter().any(|point| point.2 == 99.0));
    }
}
