//! A table of requests with the decision that each should get, for `grantd check --cases`. Read as
//! the configuration is: every problem at once, each at its place.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::diagnostics::{Diagnostics, Place, Problem};
use super::load::read;
use super::schema::Schema;
use super::walk::{self, At, Table, Walk};
use super::{ConfigError, System};
use crate::fault::Kind;
use crate::ids::Region;
use crate::rules::suppose::Given;
use crate::rules::time::Time;
use crate::terms::{Constraints, nearest};

const ROOT: Schema =
    Schema { title: "the top of the file", keys: &[("case", "[{ name = \"alice may read\" }]")] };

const CASE: Schema = Schema {
    title: "[[case]]",
    keys: &[
        ("name", "\"alice may read for two hours\""),
        ("as", "\"alice\""),
        ("key", "\"alias/my-kms-grant-example-key\""),
        ("region", "\"ap-northeast-1\""),
        ("aliases", "[\"alias/my-kms-grant-example-key\"]"),
        ("spec", "\"RSA_2048\""),
        ("usage", "\"SIGN_VERIFY\""),
        ("state", "\"Disabled\""),
        ("grantee", "\"role/RoleB\""),
        ("operations", "[\"Decrypt\"]"),
        ("ttl", "\"2h\""),
        ("until", "\"2126-11-23T18:00:00Z\""),
        ("reason", "\"ticket 4711\""),
        ("context", "{ Department = \"IT\" }"),
        ("context-equals", "{ Department = \"IT\" }"),
        ("expect", "\"allow\""),
        ("policy", "\"s3-readers\""),
        ("fault", "\"ttl-above-max\""),
        ("lasts", "\"2h\""),
    ],
};

const ASKER: Schema = Schema {
    title: "`as`",
    keys: &[("user", "\"alice\""), ("uid", "1000"), ("groups", "[\"ops\"]")],
};

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// What it is about, for people.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Who would ask.
    pub asker: Asker,
    /// The key as he would name it.
    pub key: String,
    /// `--region`.
    pub region: Option<Region>,
    /// What is known of the key.
    pub given: Given,
    /// The grantee as he would name it.
    pub grantee: String,
    /// The operations as he would name them: wrong ones may be what is expected to be refused.
    pub operations: Vec<String>,
    /// `--ttl`.
    pub ttl: Option<String>,
    /// `--until`.
    pub until: Option<Time>,
    /// `--reason`.
    pub reason: Option<String>,
    /// `--context` or `--context-equals`.
    pub constraints: Constraints,
    /// What should come of it.
    pub expect: Expect,
}

/// Who asks in a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// A user of this host, in the groups that this host says.
    Host(String),
    /// A user as the table says, whom this host need not know.
    Supposed {
        /// His name.
        user: Option<String>,
        /// His uid; where it is not given, his name's on this host, or one that nobody has.
        uid: Option<u32>,
        /// All groups that he is in, by name or number.
        groups: Vec<String>,
    },
}

/// The decision that is expected; what is not said may be anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    /// Whether it is allowed.
    pub allow: bool,
    /// The policy that decides.
    pub policy: Option<String>,
    /// The code of the refusal.
    pub fault: Option<String>,
    /// How long the lease lasts, in ms.
    pub lasts: Option<i64>,
}

/// Read the table at `path`.
///
/// # Errors
/// [`ConfigError`] with every problem of the file.
pub fn load(path: &Path) -> Result<Vec<Case>, ConfigError> {
    let (text, _) = read(path)?;
    parse(&path.display().to_string(), &text)
}

/// Read `text`, which was read from `path`.
///
/// # Errors
/// [`ConfigError::Wrong`] with every problem of the text.
pub fn parse(path: &str, text: &str) -> Result<Vec<Case>, ConfigError> {
    let (tree, syntax) = DeTable::parse_recoverable(text);
    let mut walk = Walk::new(text, &System);
    let cases = root(&mut walk, tree.get_ref());
    let syntax: Vec<_> = syntax.iter().map(walk::syntax_problem).collect();
    let (problems, _) = walk.finish(syntax);
    if problems.is_empty() {
        return Ok(cases);
    }
    let diagnostics = Diagnostics::new(path, Arc::from(text), problems);
    Err(ConfigError::Wrong(Box::new(diagnostics)))
}

fn root(walk: &mut Walk<'_>, tree: &DeTable<'_>) -> Vec<Case> {
    let table = Table::open(walk, tree, 0..0, &ROOT);
    let Some(value) = table.get("case") else {
        table.missing(walk, "case");
        return Vec::new();
    };
    let DeValue::Array(list) = value.get_ref() else {
        let problem = Problem::at(value.span(), "`case` is a list of tables");
        walk.problem(problem.help("write [[case]] above each"));
        return Vec::new();
    };
    let tables = list.iter().filter_map(|entry| {
        let table = Table::of(walk, entry, &CASE)?;
        case(walk, &table)
    });
    tables.collect()
}

/// One case; `None` only after a problem was reported.
fn case(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> Option<Case> {
    let asker = asker(walk, table);
    let name = table.text(walk, "name").map(|name| name.value.to_owned());
    let key = table.required_text(walk, "key");
    let grantee = table.required_text(walk, "grantee");
    let operations = table.required_texts(walk, "operations");
    let until = table.text(walk, "until").and_then(|text| until(walk, text));
    let region = table.text(walk, "region").and_then(|text| region(walk, text));
    let constraints = constraints(walk, table);
    let expect = expect(walk, table);
    let mut text = |key: &str| table.text(walk, key).map(|text| text.value.to_owned());
    let (ttl, reason) = (text("ttl"), text("reason"));
    let (spec, usage, state) = (text("spec"), text("usage"), text("state"));
    let aliases = table.texts(walk, "aliases").unwrap_or_default();
    let owned = |texts: Vec<At<&str>>| texts.iter().map(|at| at.value.to_owned()).collect();
    let (key, grantee) = (key?.value.to_owned(), grantee?.value.to_owned());
    Some(Case {
        name: name.unwrap_or_else(|| format!("{grantee} on {key}")),
        place: walk.place(&table.span),
        asker: asker?,
        key,
        region,
        given: Given { aliases: owned(aliases), spec, usage, state },
        grantee,
        operations: owned(operations),
        ttl,
        until,
        reason,
        constraints,
        expect: expect?,
    })
}

fn until(walk: &mut Walk<'_>, text: At<&str>) -> Option<Time> {
    let wrong = match Time::parse(text.value) {
        Ok(at) => return Some(at),
        Err(wrong) => wrong,
    };
    let problem = Problem::at(text.span, format!("{:?} {wrong}", text.value));
    walk.problem(problem.help("write it with its zone, such as \"2126-11-23T18:00:00Z\""));
    None
}

fn region(walk: &mut Walk<'_>, text: At<&str>) -> Option<Region> {
    Region::parse(text.value)
        .map_err(|bad| walk.problem(Problem::at(text.span, bad.to_string())))
        .ok()
}

fn asker(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> Option<Asker> {
    let Some(value) = table.get("as") else {
        table.missing(walk, "as");
        return None;
    };
    if !matches!(value.get_ref(), DeValue::Table(_)) {
        return table.text(walk, "as").map(|text| Asker::Host(text.value.to_owned()));
    }
    let asker = Table::of(walk, value, &ASKER)?;
    let user = asker.text(walk, "user").map(|user| user.value.to_owned());
    let uid = asker.number(walk, "uid").and_then(|uid| {
        let found = u32::try_from(uid.value).ok();
        if found.is_none() {
            walk.problem(Problem::at(uid.span, format!("{} is no uid", uid.value)));
        }
        found
    });
    let groups = asker.texts(walk, "groups").unwrap_or_default();
    if asker.get("user").is_none() && asker.get("uid").is_none() {
        let problem = Problem::at(value.span(), "`as` names nobody");
        walk.problem(problem.help("add user = \"alice\", or uid = 1000"));
        return None;
    }
    let groups = groups.iter().map(|group| group.value.to_owned()).collect();
    Some(Asker::Supposed { user, uid, groups })
}

fn constraints(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> Constraints {
    let subset = pairs(walk, table, "context");
    let equals = pairs(walk, table, "context-equals");
    match (subset, equals) {
        (None, None) => Constraints::None,
        (Some(subset), None) => Constraints::Subset(subset),
        (None, Some(equals)) => Constraints::Equals(equals),
        (Some(_), Some(equals)) => {
            let message = "`context` and `context-equals` exclude each other";
            walk.problem(Problem::at(table.span.clone(), message).help("KMS takes one of them"));
            Constraints::Equals(equals)
        }
    }
}

fn pairs(
    walk: &mut Walk<'_>,
    table: &Table<'_, '_>,
    key: &str,
) -> Option<BTreeMap<String, String>> {
    let value = table.get(key)?;
    let wrong = || {
        let help = "write { Department = \"IT\" }";
        Problem::at(value.span(), format!("`{key}` is a table of texts")).help(help)
    };
    let DeValue::Table(map) = value.get_ref() else {
        walk.problem(wrong());
        return None;
    };
    let pairs = map.iter().map(|(name, value)| {
        let DeValue::String(text) = value.get_ref() else { return None };
        Some((name.get_ref().to_string(), text.to_string()))
    });
    let pairs: Option<BTreeMap<_, _>> = pairs.collect();
    if pairs.is_none() {
        walk.problem(wrong());
    }
    pairs
}

fn expect(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> Option<Expect> {
    let word = table.required_text(walk, "expect");
    let fault = table.text(walk, "fault");
    let lasts = table.duration(walk, "lasts");
    let policy = table.text(walk, "policy").map(|policy| policy.value.to_owned());
    let word = word?;
    let allow = match word.value {
        "allow" => true,
        "refuse" => false,
        other => {
            let problem = Problem::at(word.span, format!("`expect` may not be {other:?}"));
            walk.problem(problem.help("write \"allow\" or \"refuse\""));
            return None;
        }
    };
    let codes = || Kind::ALL.iter().map(|kind| kind.code());
    if let Some(At { value, span }) = fault.as_ref().filter(|f| !codes().any(|c| c == f.value)) {
        let problem = Problem::at(span.clone(), format!("no refusal has the code {value:?}"));
        let near = nearest(value, codes());
        walk.problem(match near {
            Some(near) => problem.help(format!("did you mean {near:?}?")),
            None => problem.help("such as \"no-policy\", \"ttl-above-max\" or \"requirement\""),
        });
    }
    let beside = match (allow, &fault, &lasts) {
        (true, Some(fault), _) => Some(("fault", fault.span.clone(), "refuse")),
        (false, _, Some(lasts)) => Some(("lasts", lasts.span.clone(), "allow")),
        (true, None, _) | (false, _, None) => None,
    };
    if let Some((key, span, wants)) = beside {
        let problem = Problem::at(span, format!("`{key}` has no meaning beside this `expect`"));
        walk.problem(problem.help(format!("leave it out, or expect = {wants:?}")));
    }
    let fault = fault.map(|fault| fault.value.to_owned());
    Some(Expect { allow, policy, fault, lasts: lasts.map(|lasts| lasts.value) })
}

#[cfg(test)]
mod tests;
