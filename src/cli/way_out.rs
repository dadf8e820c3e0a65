//! What to do about a run that ended because something could not be written.

use std::io::ErrorKind;
use std::path::Path;

use crate::error::Error;
use crate::report::RunFolder;

/// How the run goes on once the cause is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WayOut {
    /// Nothing was begun.
    Again,
    /// There may be a folder, with nothing to go on from.
    Begin,
    /// From its last checkpoint.
    Resume,
    /// From the start: there are results, and no checkpoint.
    Overwrite,
}

impl WayOut {
    /// Of a run whose folder is there.
    pub(super) fn of_folder(run: &Path) -> Self {
        match (RunFolder::has_checkpoint(run), RunFolder::has_results(run)) {
            (true, _) => Self::Resume,
            (false, false) => Self::Begin,
            (false, true) => Self::Overwrite,
        }
    }
}

/// Whether it is of a file or folder that could not be written.
pub(super) fn is_of_writing(error: &Error) -> bool {
    matches!(error, Error::Storage { .. })
        || matches!(error, Error::Io { action, .. } if !action.starts_with("read"))
}

/// The same error, which also says what to do, if it is of a file that could not be written in the
/// run's folder, or in whichever folder it was to be made.
pub(super) fn with_way_out(error: Error, run: Option<&Path>, way_out: WayOut) -> Error {
    let Error::Io { action, path, source } = error else { return error };
    if action.starts_with("read") || run.is_some_and(|run| !path.starts_with(run)) {
        return Error::Io { action, path, source };
    }
    let run = run.map_or_else(String::new, |run| format!(" --out {}", run.display()));
    let then = match way_out {
        WayOut::Again => "give the same command again".to_owned(),
        WayOut::Begin => format!("give the same command with --resume{run}"),
        WayOut::Resume => {
            format!("give the same command with --resume{run}: it goes on from the last checkpoint")
        }
        WayOut::Overwrite => format!(
            "give the same command with --overwrite{run}: there is no checkpoint to go on from"
        ),
    };
    let help = match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            format!("free space on that disk, then {then}")
        }
        ErrorKind::FileTooLarge => {
            format!("raise the limit of a file's size (ulimit -f), then {then}")
        }
        ErrorKind::PermissionDenied => format!("let this user write there, then {then}"),
        ErrorKind::ReadOnlyFilesystem => {
            format!("have that file system mounted to be written, then {then}")
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "name another folder with --out".to_owned()
        }
        _ => format!("see to that disk, then {then}"),
    };
    Error::storage(&path, format!("cannot {action} it: {source}")).with_help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_run_s_files_says_what_to_do_and_others_stay() {
        let of = |action, path: &str, number| {
            let error =
                Error::io(action, Path::new(path), std::io::Error::from_raw_os_error(number));
            with_way_out(error, Some(Path::new("runs/a")), WayOut::Resume)
        };
        let full = of("write", "runs/a/metrics.jsonl", 28).to_string();
        assert!(full.starts_with("runs/a/metrics.jsonl: cannot write it: "), "{full}");
        assert!(full.contains("free space") && full.contains("--resume --out runs/a"), "{full}");
        for (action, path) in [("read", "runs/a/config.json"), ("write", "elsewhere")] {
            assert!(matches!(of(action, path, 5), Error::Io { .. }), "{action} {path}");
        }
    }
}
