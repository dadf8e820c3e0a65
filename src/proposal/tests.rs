//! What is proposed for tables of all kinds.

use std::fmt::Write;
use std::path::Path;

use super::*;

fn request(folder: &Path, targets: &[&str]) -> Request {
    Request {
        data: "rows.csv".to_owned(),
        targets: targets.iter().map(|target| (*target).to_owned()).collect(),
        folder: folder.to_owned(),
        ..Request::default()
    }
}

/// What is proposed for a table, as text and as JSON.
fn proposed(text: &str, change: impl FnOnce(&mut Request)) -> (String, serde_json::Value) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("rows.csv"), text).expect("a file");
    let mut asked = request(folder.path(), &["y"]);
    change(&mut asked);
    let text = propose(&asked).expect("a config");
    let config = Config::parse(&text, "", &[]).expect("JSON");
    (text, json!(config))
}

fn refused(text: &str, targets: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("rows.csv"), text).expect("a file");
    propose(&request(folder.path(), targets)).expect_err("an error").to_string()
}

/// Two numbers, a category, the class `y`, of which every `rare`th row is "yes".
fn rows(count: usize, rare: usize) -> String {
    let mut text = "a,b,colour,y\n".to_owned();
    for i in 0..count {
        let colour = ["red", "green", "blue"][i % 3];
        let y = if i % rare == 0 { "yes" } else { "no" };
        let _ = writeln!(text, "{}.5,{},{colour},{y}", i * 37 % 101, i * 53 % 89);
    }
    text
}

#[test]
fn choices_follow_rows() {
    let layers = |config: &serde_json::Value| config["model"]["layers"].as_array().map(Vec::len);
    let (text, small) = proposed(&rows(200, 3), |_| {});
    assert!(
        text.contains("200 rows, 2 numeric columns and 1 categorical column (5 inputs)"),
        "{text}"
    );
    assert_eq!((layers(&small), &small["data"]["validation"]), (Some(1), &json!(0.2)));
    let (_, large) = proposed(&rows(20_000, 3), |_| {});
    assert_eq!((layers(&large), &large["data"]["validation"]), (Some(2), &json!(0.1)));
    let number = |config: &serde_json::Value, path: &str| {
        config.pointer(path).and_then(serde_json::Value::as_f64).expect("a number")
    };
    let l2 = "/model/layers/0/l2";
    assert!(number(&large, l2) < 0.01 * number(&small, l2));
    assert!(number(&large, "/training/batch_size") > number(&small, "/training/batch_size"));
}

#[test]
fn what_is_found_in_the_file_stands_in_the_config() {
    // An id, a constant, a comment and a column far from normal beside what can be used.
    let mut text = "id,a,one,note,wild,b,y\n".to_owned();
    for i in 0..300_usize {
        let wild = if i == 7 { 1_000_000 } else { i * 29 % 31 };
        let y = if i * 71 % 100 < 3 { "yes" } else { "no" };
        let _ =
            writeln!(text, "{},{}.5,4,text {i},{wild},{},{y}", 5000 + i, i * 37 % 101, i * 53 % 89);
    }
    let (text, config) = proposed(&text, |_| {});
    let columns = &config["data"]["columns"];
    // What is constant is left out unasked.
    for ignored in ["id", "note"] {
        assert_eq!(columns[ignored]["type"], "ignore", "{ignored}: {text}");
    }
    assert_eq!(columns["wild"]["scaling"], "robust", "{text}");
    assert_eq!(columns.as_object().map(serde_json::Map::len), Some(3), "{text}");
    assert_eq!(config["data"]["class_weights"], "balanced", "{text}");
    assert_eq!(config["metrics"][0], "balanced_accuracy");
    assert!(text.contains("too many different values"), "it says why: {text}");
}

#[test]
fn a_leak_is_a_comment_and_no_choice() {
    let mut text = "a,b,paid,y\n".to_owned();
    for i in 0..300_usize {
        let class = usize::from(i * 71 % 100 < 40);
        let _ = writeln!(text, "{},{},{class},{}", i * 37 % 101, i * 53 % 89, ["no", "yes"][class]);
    }
    let (text, config) = proposed(&text, |_| {});
    assert!(text.contains("\"paid\" alone nearly gives the target away"), "{text}");
    assert_eq!(config["data"]["columns"], json!({}));
}

#[test]
fn every_task_gets_a_config_that_is_taken() {
    let mut text = "a,b,y,z,p,q\n".to_owned();
    for i in 0..120_usize {
        let (y, z, p) = (i * 37 % 101, i * 53 % 89, (i * 11 % 16) as f64 / 16.0);
        let _ = writeln!(text, "{}.25,{}.5,{y}.5,{},{p},{}", i % 13, i % 17, z % 2, 1.0 - p);
    }
    for (targets, task, found) in [
        (&["y"][..], None, "regression"),
        (&["y", "p"], None, "regression"),
        (&["z"], None, "binary"),
        (&["p", "q"], Some(Task::Classification), "classification"),
        (&["2"], None, "regression"),
    ] {
        let (text, config) = proposed(&text, |request| {
            request.targets = targets.iter().map(|target| (*target).to_owned()).collect();
            request.task = task;
        });
        assert_eq!(config["data"]["task"], found, "{targets:?}: {text}");
    }
    let mut text = "a,l1,l2\n".to_owned();
    for i in 0..90_usize {
        let _ = writeln!(text, "{},{},{}", i % 13, i % 2, i / 2 % 2);
    }
    let (_, config) = proposed(&text, |request| {
        request.targets = vec!["l1".to_owned(), "l2".to_owned()];
        request.task = Some(Task::Multilabel);
    });
    assert_eq!(config["data"]["task"], "multilabel");
}

#[test]
fn errors_name_the_flag_and_the_columns() {
    let text = rows(50, 3);
    let none = refused(&text, &[]);
    assert!(none.starts_with("--target: which column is to be predicted?"), "{none}");
    assert!(none.contains("its columns: a, b, colour, y"), "{none}");
    let wrong = refused(&text, &["color"]);
    assert!(
        wrong.starts_with("--target: ") && wrong.contains("did you mean \"colour\"?"),
        "{wrong}"
    );
    let beyond = refused(&text, &["9"]);
    assert!(
        beyond.starts_with("--target: ") && beyond.contains("has no column 9: it has 4"),
        "{beyond}"
    );
    // A target that cannot be learned says why, by whatever it is named.
    for target in ["one", "0"] {
        let alike = refused("one,b\nx,1\nx,2\nx,3\n", &[target]);
        assert!(alike.contains("column \"one\"") && alike.contains("one class only"), "{alike}");
    }
    // A cell is the user's to mend.
    let slip = refused(&text.replace("37.5,", "x,"), &["y"]);
    assert!(slip.contains("line") && slip.contains("is not a number"), "{slip}");
}

#[test]
fn names_that_hold_anything_make_a_sound_config() {
    let mut text = "\"a \"\"quoted\"\"\nname */ //\",\\u0041,y\n".to_owned();
    for i in 0..60_usize {
        let _ = writeln!(text, "{},{},{}", i * 7 % 13, 100 + i, ["no", "yes"][i % 2]);
    }
    let (text, config) = proposed(&text, |_| {});
    assert_eq!(config["data"]["columns"]["\\u0041"]["type"], "ignore", "{text}");
}
