//! The table's own tests; the formulas are held to PyTorch's and Keras' in `tests/schedules.rs`.

use super::*;

fn settings(name: &str, warmup: Length, minimum: f64) -> ScheduleSettings {
    let row = find(name).expect(name);
    let mut settings = ScheduleSettings::new(row, Convention::Torch, 0.5, true);
    settings.warmup = warmup;
    for (key, value) in row.keys.iter().zip(&mut settings.values) {
        if let (ScheduleKey::Number(parameter), Value::Number(number)) = (key, value)
            && parameter.name == "minimum"
        {
            *number = minimum;
        }
    }
    settings
}

#[test]
fn constant_stays() {
    let schedule = settings("constant", Length::Steps(0), 0.0);
    assert!((0..100).all(|step| schedule.rate(0.3, step, 10, 10) == 0.3));
}

#[test]
fn cosine_falls_from_the_base_to_the_minimum() {
    let schedule = settings("cosine", Length::Steps(0), 0.1);
    assert_eq!(schedule.rate(0.5, 0, 10, 10), 0.5);
    assert!((schedule.rate(0.5, 50, 10, 10) - 0.3).abs() < 1e-15);
    let quarter = 0.1 + 0.4 * (1.0 + std::f64::consts::FRAC_1_SQRT_2) / 2.0;
    assert!((schedule.rate(0.5, 25, 10, 10) - quarter).abs() < 1e-15);
    assert!((schedule.rate(0.5, 100, 10, 10) - 0.1).abs() < 1e-15);
    assert!((schedule.rate(0.5, 1000, 10, 10) - 0.1).abs() < 1e-15);
}

#[test]
fn warmup_rises_from_zero_and_shortens_what_follows() {
    for warmup in [Length::Steps(20), Length::Epochs(2.0)] {
        let schedule = settings("cosine", warmup, 0.0);
        assert_eq!(schedule.rate(0.5, 0, 10, 10), 0.0);
        assert_eq!(schedule.rate(0.5, 5, 10, 10), 0.125);
        assert_eq!(schedule.rate(0.5, 20, 10, 10), 0.5);
        assert!((schedule.rate(0.5, 60, 10, 10) - 0.25).abs() < 1e-15);
    }
}

#[test]
fn every_schedule_begins_after_its_warmup() {
    for row in &SCHEDULES {
        let plain = settings(row.name, Length::Steps(row.own_warmup.unwrap_or(0)), 0.0);
        if row.own_warmup.is_some() {
            continue;
        }
        let warm = settings(row.name, Length::Steps(20), 0.0);
        // The rest of the run is as long as a whole run of 8 epochs.
        for step in 0..80 {
            let (expected, found) =
                (plain.rate(0.5, step, 10, 8), warm.rate(0.5, step + 20, 10, 10));
            assert_eq!(expected, found, "{} at {step}", row.name);
            assert_eq!(plain.momentum(step, 10, 8), warm.momentum(step + 20, 10, 10));
        }
        let first = plain.rate(0.5, 0, 10, 8);
        assert_eq!(warm.rate(0.5, 0, 10, 10), 0.0, "{}", row.name);
        assert_eq!(warm.rate(0.5, 5, 10, 10), first * 0.25, "{}", row.name);
    }
}

#[test]
fn a_warmup_longer_than_the_run_only_rises() {
    let schedule = settings("cosine", Length::Steps(u64::MAX), 0.0);
    assert!(schedule.rate(0.5, 99, 10, 10) < 1e-16);
    let schedule = settings("cosine", Length::Steps(100), 0.0);
    assert_eq!(schedule.rate(0.5, 100, 10, 10), 0.0);
}

#[test]
fn every_rate_is_a_number_however_short_or_long_the_run() {
    for row in &SCHEDULES {
        for convention in [Convention::Torch, Convention::Keras] {
            let schedule = ScheduleSettings::new(row, convention, 0.5, true);
            for (steps, epochs) in [(1, 1), (1, 2), (3, 1), (7, 50), (u64::MAX, 2)] {
                for step in [0, 1, 2, 3, 100, 349, u64::MAX] {
                    let rate = schedule.rate(0.5, step, steps, epochs);
                    let about = format!("{} at {step} of {steps} x {epochs}", row.name);
                    assert!((0.0..=0.5).contains(&rate), "{about}: {rate}");
                    let momentum = schedule.momentum(step, steps, epochs);
                    assert_eq!(momentum.is_some(), row.name == "one_cycle");
                    assert!(momentum.is_none_or(|m| (0.85..=0.95).contains(&m)), "{about}");
                }
            }
        }
    }
}

#[test]
fn what_a_run_does_not_come_to_is_told() {
    let told = |name: &str, warmup, values: &[(usize, Value)], epochs| {
        let mut schedule = settings(name, warmup, 0.0);
        for (at, value) in values {
            schedule.values[*at] = value.clone();
        }
        schedule.warnings(10, epochs)
    };
    let none = Length::Steps(0);
    for row in &SCHEDULES {
        let warmup = Length::Steps(row.own_warmup.map_or(0, |_| 100));
        assert!(told(row.name, warmup, &[], 1000).is_empty(), "{}", row.name);
    }
    let text = told("cosine", Length::Steps(60), &[], 6).join("");
    assert!(text.contains("warmup takes 60 steps") && text.contains("run has 60"), "{text}");
    let length = |steps| Value::Length(Length::Steps(steps));
    assert!(told("cosine", none, &[(1, length(100))], 10).is_empty());
    let text = told("cosine", Length::Epochs(1.0), &[(1, length(100))], 10).join("");
    assert!(text.contains("length_steps is at 100 steps, the run has 90"), "{text}");
    let text = told("step", none, &[], 10).join("");
    assert!(text.contains("period_epochs is at 300 steps, the run has 100"), "{text}");
    let points = Value::Points(vec![Length::Epochs(9.0), Length::Epochs(11.0)]);
    let told_points = told("multi_step", none, &[(1, points)], 10);
    assert!(told_points.len() == 1 && told_points[0].contains("milestones_epochs[1] is at 110"));
    let text = told("reduce_on_plateau", none, &[], 10).join("");
    assert!(text.contains("patience of 10 epochs is never spent in 10"), "{text}");
    assert!(told("noam", Length::Steps(4000), &[], 10).join("").contains("4000"));
}

#[test]
fn rows_and_files_match() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/catalog/schedule");
    for row in &SCHEDULES {
        assert!(folder.join(format!("{}.rs", row.name)).is_file(), "{}", row.name);
    }
    let files = std::fs::read_dir(folder).expect("the folder of this test").count();
    assert_eq!(files, SCHEDULES.len() + ["mod.rs", "keys.rs", "tests.rs"].len());
}

#[test]
fn every_row_has_the_keys_that_it_asks_for() {
    for row in &SCHEDULES {
        let schedule = ScheduleSettings::new(row, Convention::Torch, 0.5, true);
        assert_eq!(schedule.values.len(), row.keys.len());
        assert!(!row.formula.is_empty());
        // A key of another kind than its accessor's reads as no number at all.
        assert!(!schedule.rate(0.5, 7, 10, 10).is_nan(), "{}", row.name);
    }
}
