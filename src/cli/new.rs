//! `wgfit new`: a starting config for a data file.

use std::path::{Component, Path, PathBuf};

use crate::config::TaskConfig;
use crate::disk::write_new_atomically;
use crate::error::{Error, Result};
use crate::proposal::{Request, propose};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The data to train on
    data: String,
    /// The target column, by its name or its index from 0; several: give it several times
    #[arg(long, value_name = "COLUMN")]
    target: Vec<String>,
    /// auto, classification, binary, regression or multilabel
    #[arg(long, default_value = "auto", value_parser = task)]
    task: TaskConfig,
    /// The labels, for formats that keep them apart (IDX)
    #[arg(long, value_name = "FILE")]
    labels: Option<String>,
    /// Rows to test on; left out, a share of the data is held back
    #[arg(long, value_name = "FILE")]
    test: Option<String>,
    /// Their labels
    #[arg(long, value_name = "FILE", requires = "test")]
    test_labels: Option<String>,
    /// Where to write the config, a new file [default: it is printed]
    #[arg(long, value_name = "FILE.json")]
    out: Option<PathBuf>,
}

fn task(name: &str) -> std::result::Result<TaskConfig, String> {
    serde_json::from_value(name.into())
        .map_err(|_| "known: auto, classification, binary, regression, multilabel".to_owned())
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { data, target, task, labels, test, test_labels, out } = arguments;
    let folder = out.as_deref().and_then(Path::parent).unwrap_or(Path::new("")).to_owned();
    if let Some(out) = out.as_deref().filter(|out| out.exists()) {
        return Err(Error::usage(format!("{} is there already", out.display()))
            .with_help("give another file with --out, or none to have the config printed"));
    }
    let seen = |file: &String| seen_from(&folder, file);
    let request = Request {
        data: seen(data)?,
        labels: labels.as_ref().map(seen).transpose()?,
        test: test.as_ref().map(seen).transpose()?,
        test_labels: test_labels.as_ref().map(seen).transpose()?,
        targets: target.clone(),
        by_index: false,
        task: task.task(),
        folder: folder.clone(),
    };
    let text = propose(&request)?;
    let Some(out) = out else { return super::print(&text) };
    write_new_atomically(out, text.as_bytes())?;
    super::print(&format!("{}\n", out.display()))
}

/// A file's path as a config in that folder names it.
fn seen_from(folder: &Path, file: &str) -> Result<String> {
    if folder.as_os_str().is_empty() || Path::new(file).is_absolute() {
        return Ok(file.to_owned());
    }
    let whole = |path: &Path| std::path::absolute(path).map_err(|e| Error::io("find", path, e));
    // Where there is `..`, links decide what it means.
    let whole = |path: &Path| path.canonicalize().or_else(|_| whole(path));
    let folder = whole(folder)?;
    let (parent, name) = match (Path::new(file).parent(), Path::new(file).file_name()) {
        (Some(parent), Some(name)) if parent.as_os_str().is_empty() => (Path::new("."), name),
        (Some(parent), Some(name)) => (parent, name),
        _ => return Ok(file.to_owned()),
    };
    let parent = whole(parent)?;
    let (from, to): (Vec<Component>, Vec<Component>) =
        (folder.components().collect(), parent.components().collect());
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let mut path = PathBuf::new();
    from[common..].iter().for_each(|_| path.push(".."));
    to[common..].iter().for_each(|part| path.push(part));
    path.push(name);
    Ok(path.to_string_lossy().into_owned())
}
