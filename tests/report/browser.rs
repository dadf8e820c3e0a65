//! A headless Chromium that looks at pages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const HARNESS: &str = include_str!("harness.html");

pub struct Browser {
    program: PathBuf,
}

impl Browser {
    /// # Panics
    /// When there is none: a page is never said to be drawn for want of a browser.
    pub fn find() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let names = ["chromium", "chromium-browser", "google-chrome"];
        let program = std::env::split_paths(&path)
            .flat_map(|folder| names.map(|name| folder.join(name)))
            .find(|program| program.is_file())
            .expect("no Chromium found: on Debian or Ubuntu, apt-get install chromium");
        Self { program }
    }

    fn run(&self, folder: &Path, harness: &Path, dark: bool) -> Output {
        let profile = tempfile::tempdir_in(folder).expect("a profile");
        Command::new(&self.program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args(["--enable-logging=stderr", "--allow-file-access-from-files"])
            // Nothing but files is to be had.
            .arg("--host-resolver-rules=MAP * ~NOTFOUND")
            .arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)))
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(["--virtual-time-budget=20000", "--dump-dom"])
            .arg(format!("file://{}", harness.display()))
            .output()
            .expect("Chromium runs")
    }

    /// What the console said, line by line.
    fn console(output: &Output) -> Vec<String> {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        said.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect()
    }

    /// What the harness saw of a page.
    ///
    /// # Panics
    /// When the console said anything, or the harness saw nothing.
    pub fn look(&self, page: &Path, dark: bool) -> Value {
        let folder = page.parent().expect("a folder");
        let harness = folder.join("harness.html");
        let name = page.file_name().expect("a name").to_string_lossy();
        fs::write(&harness, HARNESS.replace("PAGE", &name)).expect("write");
        let output = self.run(folder, &harness, dark);
        assert_eq!(Self::console(&output), Vec::<String>::new(), "{}", page.display());
        let dom = String::from_utf8_lossy(&output.stdout).into_owned();
        let seen = dom.split_once(">SEEN").and_then(|(_, rest)| rest.split_once("END"));
        let seen = seen.unwrap_or_else(|| {
            panic!("nothing seen:\n{dom}\n{}", String::from_utf8_lossy(&output.stderr))
        });
        let text = seen.0.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Holds the method to a page that does what no page may: the console tells of each.
    ///
    /// # Panics
    /// When it does not.
    pub fn complains(&self, folder: &Path) {
        let page = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'\">\
                    <img src=\"https://example.com/x.png\"><script>alert(1)</script>";
        fs::write(folder.join("bad.html"), page).expect("write");
        let output = self.run(folder, &folder.join("bad.html"), false);
        let said = Self::console(&output).join("\n");
        assert!(said.contains("example.com") && said.contains("script"), "{said}");
    }
}
