//! What cannot be swept is refused in so many words.

use std::path::Path;

use serde_json::{Value, json as object};

use crate::common::wgfit;
use crate::{base, write};

fn refused(folder: &Path, sweep: &Value) -> (Option<i32>, String) {
    let path = write(folder, "sweep.json", sweep);
    let output = wgfit(folder, &["sweep", &path, "--device", "cpu", "--out", "refused"]);
    assert!(!folder.join("refused").exists(), "{sweep}");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_cannot_be_swept_is_refused_in_so_many_words() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = write(folder.path(), "base.json", &base());
    let with = |space: Value| object!({ "config": config, "space": space });
    let rate = || object!({ "optimizer.learning_rate": [0.1] });
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut base = base();
        change(&mut base);
        object!({ "config": base, "space": rate() })
    };
    let cases: Vec<(Value, &[&str])> = vec![
        (
            with(object!({ "optimizer.learning_rat": [0.1] })),
            &["sweep.json:1", "learning_rat", "learning_rate"],
        ),
        (
            with(object!({ "model.layers.7.units": [8] })),
            &["sweep.json:1", "model.layers[7]", "0 to 1"],
        ),
        (
            with(object!({ "optimizer.learning_rate": [] })),
            &["space.optimizer.learning_rate", "without values"],
        ),
        (
            with(object!({ "optimizer.learning_rate": { "uniform": [0.1, 0.1] } })),
            &["from 0.1 to 0.1 is empty"],
        ),
        (
            with(object!({ "optimizer.learning_rate": { "log_uniform": [0, 0.1] } })),
            &["0 has no logarithm"],
        ),
        (
            with(object!({ "optimizer.learning_rate": { "log_uniform": [1e-4, 0.1] } })),
            &["\"points\": 5"],
        ),
        (
            with(object!({ "optimizer.learning_rate": { "loguniform": [1e-4, 0.1] } })),
            &["unknown key", "log_uniform"],
        ),
        (
            with(object!({ "optimizer.learning_rate": [0.1, -1] })),
            &["sweep.json:1", "optimizer.learning_rate", "-1"],
        ),
        (with(object!({ "data.validation": [0.1, 0.2] })), &["may not vary", "the same rows"]),
        (with(object!({ "log.every_steps": [1, 2] })), &["may not vary", "records of its own"]),
        (with(object!({})), &["no key of the config is varied"]),
        (object!({ "space": rate() }), &["`config`", "required"]),
        (
            object!({ "config": config, "space": rate(), "schedular": "asha" }),
            &["schedular", "scheduler"],
        ),
        (object!({ "config": config, "space": rate(), "scheduler": "ash" }), &["\"ash\"", "asha"]),
        (
            object!({ "config": config, "space": rate(), "scheduler": { "name": "asha", "reduction": 1 } }),
            &["scheduler.reduction", "2 or more"],
        ),
        (
            object!({
                "config": config, "space": rate(), "scheduler": { "name": "asha", "ranked_by": "luck" }
            }),
            &["scheduler.ranked_by", "\"forecast\""],
        ),
        (
            object!({
                "config": config, "space": rate(), "monitor": "val_accuracy",
                "scheduler": { "name": "asha", "ranked_by": "forecast" }
            }),
            &["scheduler.ranked_by", "val_accuracy", "val_loss"],
        ),
        (
            object!({
                "config": config, "space": rate(),
                "scheduler": { "name": "successive_halving", "ranked_by": "forecast" }
            }),
            &["ranked_by"],
        ),
        (
            object!({ "config": config, "space": rate(), "search": "random" }),
            &["search.trials", "64"],
        ),
        (
            object!({ "config": config, "space": rate(), "monitor": "val_acuracy" }),
            &["val_acuracy", "val_accuracy"],
        ),
        (
            changed(&|base| {
                base["data"]["validation"] = 0.0.into();
            }),
            &["data.validation", "do not train on"],
        ),
        (
            changed(&|base| base["training"]["on_divergence"] = "restart".into()),
            &["on_divergence", "stopped"],
        ),
        (changed(&|base| base["members"] = 3_000_000_000_u64.into()), &["members", "fit"]),
        (
            changed(&|base| {
                base["data"].as_object_mut().expect("data").remove("validation");
                base["data"]["folds"] = 500.into();
            }),
            &["data.folds"],
        ),
        (
            with(object!({ "loss": ["categorical_cross_entropy", "categorical_focal"] })),
            &["different losses", "val_accuracy"],
        ),
    ];
    for (sweep, words) in cases {
        let (code, said) = refused(folder.path(), &sweep);
        assert_eq!(code, Some(2), "{sweep}\n{said}");
        assert_eq!(said.matches("error").count(), 1, "{said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is not in\n{said}\nof {sweep}");
        }
    }
    let (code, said) = refused(folder.path(), &object!({ "config": "none.json", "space": rate() }));
    assert!(code == Some(1) && said.contains("none.json"), "{said}");
    // Lanes that memory does not hold, of networks that it holds: how many fit is said.
    let mut wide = base();
    wide["model"] = object!({ "layers": [{ "units": 20_000 }] });
    let mut sweep = object!({ "config": wide, "space": { "optimizer.learning_rate": { "uniform": [0.1, 0.2] } } });
    sweep["search"] = object!({ "name": "random", "trials": 90_000 });
    sweep["lanes"] = 90_000.into();
    let (code, said) = refused(folder.path(), &sweep);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("`lanes`") && said.contains(" fit"), "{said}");
}
