//! The configuration's file.

use std::collections::BTreeMap;
use std::sync::Mutex;

use grantd::config::{self, Config, Names};
use grantd::rng::Rng as _;
use grantd::rules::time::{MINUTE, SECOND};

use crate::clock::SimRng;
use crate::disk::hold;
use crate::guests;

pub(crate) const CONFIG: &str = r#"
group = "sim"
[[account]]
id = "111122223333"
role-arn = "arn:aws:iam::111122223333:role/grantd"
regions = ["ap-northeast-1"]
[[policy]]
name = "sim"
keys = ["alias/*"]
grantees = ["role/*"]
operations = ["Decrypt", "DescribeKey"]
callers = ["user:1", "user:2", "user:3"]
max-ttl = "1h"
max-live = 10000
max-live-per-asker = 10000
"#;

pub(crate) struct Nobody;

impl Names for Nobody {
    fn user(&self, _: &str) -> Result<Option<u32>, String> {
        Ok(None)
    }

    fn group(&self, _: &str) -> Result<Option<u32>, String> {
        Ok(None)
    }
}

/// How often is searched, in ms: the default is 5 minutes, and most seeds have the longest that the
/// file may say, since each search costs the same whatever it finds.
pub(crate) fn reconcile(seed: u64) -> i64 {
    const EVERY: [i64; 10] = [2, 5, 20, 30, 45, 60, 60, 60, 60, 60];
    EVERY[usize::try_from(SimRng::new(seed.rotate_left(13)).up_to(9)).unwrap()] * MINUTE
}

/// A seed's file.
pub(crate) fn of(max_ttl: &str, reconcile: i64, adopts: bool) -> String {
    let every = format!("[daemon]\nreconcile = \"{}s\"\n[[account]]", reconcile / SECOND);
    let text = CONFIG.replace("\"1h\"", &format!("\"{max_ttl}\""));
    let text = text.replacen("[[account]]", &every, 1);
    if adopts { guests::configured(&text) } else { text }
}

/// The same, where nobody gets anything any more.
pub(crate) fn narrowed(text: &str) -> String {
    let narrow = text.replace("grantees = [\"role/*\"]", "grantees = [\"role/Nobody\"]");
    assert_ne!(narrow, text);
    narrow
}

/// What it says. There are few of them, and each is read at every start of a daemon.
pub(crate) fn parsed(text: &str) -> Config {
    static READ: Mutex<BTreeMap<String, Config>> = Mutex::new(BTreeMap::new());
    let mut read = hold(&READ);
    let parse = || config::parse("sim.toml", text, &Nobody).unwrap();
    read.entry(text.to_owned()).or_insert_with(parse).clone()
}
