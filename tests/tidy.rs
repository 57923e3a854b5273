//! The house rules, as a test: what rustfmt and clippy do not look at. Each rule names the file and
//! the line.
#![expect(clippy::unwrap_used, reason = "a test that cannot read the tree has failed")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file that is longer does more than one thing.
const FILE_LINES_MAX: usize = 400;
/// A function that is longer does not fit on a screen.
const FUNCTION_LINES_MAX: usize = 70;
/// rustfmt keeps code within it, and leaves comments, strings and macros alone.
const COLUMNS_MAX: usize = 100;
/// The adapter and its tests, nobody else, know the SDK.
const SDK_FILES_MAX: usize = 2;

/// A tracked text file.
struct Source {
    /// Relative to the root, with `/`.
    path: String,
    text: String,
}

impl Source {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// House rule: unit tests live in files of their own, `tests.rs` or another module under
    /// `#[cfg(test)]`.
    fn is_test(&self, test_modules: &BTreeSet<String>) -> bool {
        let pieces = self.path.trim_end_matches(".rs").split('/');
        pieces.into_iter().any(|piece| {
            ["tests", "benches", "examples"].contains(&piece) || test_modules.contains(piece)
        })
    }

    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(i, line)| (i + 1, line))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What git tracks or would track; without git (a source package) everything but `target`.
fn sources() -> Vec<Source> {
    let git = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output();
    let paths: Vec<String> = match git {
        Ok(out) if out.status.success() => {
            let text = String::from_utf8(out.stdout).unwrap();
            text.split_terminator('\0').map(str::to_owned).collect()
        }
        _ => walk(root()),
    };
    let read = |path: String| {
        let text = std::fs::read_to_string(root().join(&path)).ok()?;
        Some(Source { path, text })
    };
    let found: Vec<Source> = paths.into_iter().filter_map(read).collect();
    assert!(found.len() > 20, "only {} files were found", found.len());
    found
}

fn walk(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && name != ".git" {
            found.extend(walk(&path));
        } else if path.is_file() {
            found.push(path.strip_prefix(root()).unwrap().to_string_lossy().into_owned());
        }
    }
    found
}

/// Fails with every complaint at once.
fn report(rule: &str, complaints: &[String]) {
    let mut text = String::new();
    for complaint in complaints {
        writeln!(text, "  {complaint}").unwrap();
    }
    assert!(complaints.is_empty(), "{rule}:\n{text}");
}

/// Every line of `sources` that `bad` objects to.
fn lines_where(sources: &[Source], bad: impl Fn(&Source, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for (number, line) in source.lines().filter(|(_, line)| bad(source, line)) {
            found.push(format!("{}:{number}: {}", source.path, line.trim()));
        }
    }
    found
}

/// `(name's line, lines)` of each function of a rustfmt-formatted text: it ends at the first `}`
/// that stands as far in as the line it began on.
fn functions(text: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let Some(at) = code.find("fn ") else { continue };
        let qualifiers = ["pub", "const", "async", "unsafe", "extern", "default", "\"C\""];
        let is_item = code[..at].split_whitespace().all(|word| {
            qualifiers.contains(&word) || (word.starts_with("pub(") && word.ends_with(')'))
        });
        if !is_item {
            continue;
        }
        let close = format!("{}}}", " ".repeat(indent));
        let ends = |line: &&str| **line == close || line.ends_with([';', '}']);
        let end = match lines[start..].iter().position(ends) {
            // On one line, or a declaration without a body.
            Some(0) => start,
            _ => match lines[start..].iter().position(|line| *line == close) {
                Some(offset) => start + offset,
                None => continue,
            },
        };
        found.push((code.to_owned(), start + 1, end - start + 1));
    }
    found
}

#[test]
fn functions_are_measured_by_their_own_braces() {
    let text = "pub(crate) async fn a() {\n    if b {\n        c();\n    }\n}\nfn d() {}\nimpl E {\n    \
                fn f(\n        g: u8,\n    ) -> u8 {\n        g\n    }\n}\nlet not_a = \"fn x\";\n";
    let measured: Vec<(usize, usize)> =
        functions(text).iter().map(|(_, at, lines)| (*at, *lines)).collect();
    assert_eq!(measured, [(1, 5), (6, 1), (8, 5)]);
}

#[test]
fn files_and_functions_stay_short() {
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|source| source.is_rust()) {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            complaints.push(format!("{}: {lines} lines", source.path));
        }
        for (name, at, lines) in functions(&source.text) {
            if lines > FUNCTION_LINES_MAX {
                complaints.push(format!("{}:{at}: {lines} lines: {name}", source.path));
            }
        }
    }
    let rule = format!("at most {FILE_LINES_MAX} lines a file, {FUNCTION_LINES_MAX} a function");
    report(&rule, &complaints);
}

#[test]
fn lines_stay_narrow() {
    let too_wide = lines_where(&sources(), |source, line| {
        // A message stays on one line, so that whoever meets it finds it by grep.
        let message = line.contains('"') && !line.trim_start().starts_with("//");
        source.is_rust() && line.chars().count() > COLUMNS_MAX && !message
    });
    report(&format!("at most {COLUMNS_MAX} columns"), &too_wide);
}

#[test]
fn nothing_is_left_open() {
    // In pieces, or this file would name them.
    let words = [
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
        concat!("XX", "X"),
        concat!("HA", "CK"),
        concat!("to", "do!"),
        concat!("unimple", "mented!"),
        concat!("#[ig", "nore"),
        concat!("assert!(tr", "ue"),
    ];
    let left = lines_where(&sources(), |source, line| {
        let code = source.is_rust() || source.path.ends_with(".sql");
        (code || source.path.starts_with(".ci/")) && words.iter().any(|w| says(line, w))
    });
    report("finish it, or say in an issue what is missing", &left);
}

/// Whether `line` has `word` as a word: an access key may well be padded with the same letters.
fn says(line: &str, word: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    line.match_indices(word).any(|(at, _)| {
        let after = line[at + word.len()..].chars().next();
        let within = word.ends_with(char::is_alphanumeric) && part(after);
        !within && !part(line[..at].chars().next_back())
    })
}

/// The names of all modules that are declared under `#[cfg(test)]`.
fn test_modules(sources: &[Source]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in sources.iter().filter(|source| source.is_rust()) {
        let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
        for pair in lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]") {
            let name = pair[1].strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';'));
            found.extend(name.map(str::to_owned));
        }
    }
    found
}

#[test]
fn only_tests_unwrap() {
    let sources = sources();
    let modules = test_modules(&sources);
    let unwraps = lines_where(&sources, |source, line| {
        let code = source.is_rust() && !line.trim_start().starts_with("//");
        code && !source.is_test(&modules) && line.contains(concat!(".unw", "rap()"))
    });
    report("handle the error, or state with expect() why there is none", &unwraps);
}

#[test]
fn no_lint_is_switched_off() {
    let allowed = lines_where(&sources(), |source, line| {
        source.is_rust()
            && (line.contains(concat!("#[al", "low(")) || line.contains(concat!("#![al", "low(")))
    });
    report("use #[expect(lint, reason = …)]: it goes when its cause goes", &allowed);
}

#[test]
fn one_module_knows_the_sdk() {
    let sdk = concat!("aws_sdk", "_kms");
    let naming: BTreeSet<String> = sources()
        .into_iter()
        .filter(|source| source.path.starts_with("src/") && source.text.contains(sdk))
        .map(|source| source.path)
        .collect();
    assert!(naming.len() <= SDK_FILES_MAX, "{naming:?} name {sdk}: go through the port");
    assert!(naming.iter().all(|path| path.starts_with("src/kms/")), "{naming:?}");
}

#[test]
fn every_migration_is_listed() {
    let sources = sources();
    let named = |file: &str| {
        sources.iter().any(|source| source.path.starts_with("src/") && source.text.contains(file))
    };
    let unlisted: Vec<String> = sources
        .iter()
        .filter_map(|source| source.path.strip_prefix("migrations/"))
        .filter(|file| file.ends_with(".sql") && !named(file))
        .map(str::to_owned)
        .collect();
    report("a migration that no code includes never runs", &unlisted);
}

#[test]
fn nothing_of_this_machine_is_tracked() {
    let checkout = format!("{}/", root().display());
    let hosts = ["index.crates.", "static.crates.", "pypi.", "pythonhosted.", "registry.npmjs."];
    let named = lines_where(&sources(), |source, line| {
        source.path != "tests/tidy.rs"
            && (line.contains(&checkout) || hosts.iter().any(|host| line.contains(host)))
    });
    report("no path of a machine, no host of a registry", &named);
}

#[test]
fn what_a_newcomer_looks_for_is_there() {
    let wanted = [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "config.example.toml",
        "deny.toml",
        "systemd/grantd.service",
        ".ci/run",
    ];
    let missing: Vec<String> = wanted
        .iter()
        .filter(|file| !root().join(file).is_file())
        .map(|file| (*file).to_owned())
        .collect();
    report("missing", &missing);
}

#[test]
fn every_dependency_has_its_reason() {
    let text = |file| std::fs::read_to_string(root().join(file)).unwrap();
    let (manifest, reasons) = (text("Cargo.toml"), text("ARCHITECTURE.md"));
    let mut section = "";
    let mut missing = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]") && !section.contains("workspace") {
            let name = line.split([' ', '.', '=']).next().unwrap_or_default();
            if !name.is_empty() && !name.starts_with('#') && !reasons.contains(&format!("`{name}`"))
            {
                missing.push(name.to_owned());
            }
        }
    }
    report("give each dependency its reason in ARCHITECTURE.md", &missing);
}
