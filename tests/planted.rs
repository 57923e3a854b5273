//! The planted bugs of `tests/planted`: each still fits the code, and names the test that catches
//! it. Whether it does is for `.ci/long planted` to show, which takes an hour.
#![expect(clippy::unwrap_used, reason = "a test that cannot read the tree has failed")]
#![expect(clippy::print_stderr, reason = "a skip is told where tests tell it")]

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

/// So many are asked for at least: fewer say little of what the tests see.
const PATCHES_MIN: usize = 20;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn patches() -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir(root().join("tests/planted")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        paths.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect();
    found.sort();
    found
}

/// The text behind `word` at the beginning of a line, before the diff.
fn header<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let mut head = text.lines().take_while(|line| !line.starts_with("diff --git"));
    head.find_map(|line| line.strip_prefix(word)).map(str::trim)
}

/// Every Rust source below `dir`, in one.
fn sources(dir: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.push_str(&sources(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            all.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
    all
}

#[test]
fn each_says_what_it_is_and_which_test_catches_it() {
    let patches = patches();
    assert!(patches.len() >= PATCHES_MIN, "only {} are left", patches.len());
    let tests = sources(&root().join("tests")) + &sources(&root().join("src"));
    for (path, text) in patches {
        let path = path.display();
        let bug = header(&text, "Bug: ");
        assert!(bug.is_some_and(|bug| bug.ends_with('.')), "{path}: what is it?");
        let catch = header(&text, "Catch: ").unwrap_or_else(|| panic!("{path}: no `Catch:`"));
        let name = catch.rsplit([' ', ':']).next().unwrap();
        assert!(tests.contains(&format!("fn {name}(")), "{path}: there is no test {name}");
        for line in text.lines().filter_map(|line| line.strip_prefix("+++ ")) {
            assert!(line.starts_with("b/src/"), "{path}: a bug is planted in {line}, not in src");
        }
    }
}

#[test]
fn each_still_applies() {
    for (path, _) in patches() {
        // The files as they are, whatever repository they lie in, and whoever owns it.
        let mut git = Command::new("git");
        git.args(["apply", "--check"]).arg(&path).current_dir(root()).env("GIT_DIR", "/nowhere");
        let out = match git.output() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let needed = std::env::var_os("CI").is_some_and(|ci| ci == "true");
                assert!(!needed, "git is not installed");
                eprintln!("SKIPPED, loudly: git is not installed, no patch was tried");
                return;
            }
            git => git.unwrap(),
        };
        let why = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{} fits the code no more: {why}", path.display());
    }
}
