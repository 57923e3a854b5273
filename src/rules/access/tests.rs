use super::*;
use crate::config::{Names, parse};

struct Host;

impl Names for Host {
    fn user(&self, name: &str) -> Result<Option<u32>, String> {
        Ok((name == "alice").then_some(1000))
    }

    fn group(&self, name: &str) -> Result<Option<u32>, String> {
        Ok((name == "ops").then_some(200))
    }
}

const ACCOUNT: &str = r#"
[[account]]
id = "111122223333"
role-arn = "arn:aws:iam::111122223333:role/grantd"
regions = ["ap-northeast-1"]
"#;

fn config(access: &str) -> Config {
    parse("grantd.toml", &format!("group = \"prod\"\n{access}{ACCOUNT}"), &Host).unwrap()
}

fn caller(uid: u32, gid: u32, groups: &[u32]) -> Caller {
    Caller { uid, gid, groups: groups.to_vec(), name: uid.to_string() }
}

const OWNER: Option<u32> = Some(1001);

/// What each of five people may do: see all, see the owner's lease, end it, govern.
fn table(config: Option<&Config>) -> String {
    let people = [
        ("root", caller(0, 0, &[])),
        ("alice", caller(1000, 1000, &[])),
        ("owner", caller(1001, 1001, &[])),
        ("ops", caller(1002, 1002, &[5, 200])),
        ("ops by primary group", caller(1003, 200, &[])),
        ("stranger", caller(1004, 1004, &[5])),
    ];
    let mut all = String::new();
    for (who, caller) in people {
        let may = [
            ("sees-all", sees_all(config, &caller)),
            ("sees", sees(config, &caller, OWNER)),
            ("ends", ends(config, &caller, OWNER)),
            ("governs", governs(config, &caller)),
            ("extends", config.is_some_and(|config| extends(config, &caller, OWNER))),
        ];
        let may: Vec<_> = may.into_iter().filter(|(_, yes)| *yes).map(|(what, _)| what).collect();
        all.push_str(&format!("{who}: {}\n", may.join(" ")));
    }
    all
}

#[test]
fn without_a_table_all_read_and_owners_end() {
    let said = "root: sees-all sees ends governs\nalice: sees-all sees\n\
                owner: sees-all sees ends extends\nops: sees-all sees\n\
                ops by primary group: sees-all sees\nstranger: sees-all sees\n";
    assert_eq!(table(Some(&config(""))), said);
}

/// Whom `[access] read` named is not known then, and a longer lease takes a config.
#[test]
fn without_a_config_owners_and_root_alone_read_and_end() {
    let said = "root: sees-all sees ends governs\nalice: \nowner: sees ends\nops: \n\
                ops by primary group: \nstranger: \n";
    assert_eq!(table(None), said);
}

#[test]
fn an_administrator_sees_and_ends_everything() {
    let config = config("[access]\nadmin = [\"user:alice\"]\nread = [\"group:ops\"]\n");
    let said = "root: sees-all sees ends governs\nalice: sees-all sees ends governs extends\n\
                owner: sees ends extends\nops: sees-all sees\nops by primary group: sees-all sees\n\
                stranger: \n";
    assert_eq!(table(Some(&config)), said);
}

/// An empty list is not an absent one.
#[test]
fn a_list_of_nobody_shuts_everybody_out() {
    let config = config("[access]\nread = []\n");
    let said = "root: sees-all sees ends governs\nalice: \nowner: sees ends extends\nops: \n\
                ops by primary group: \nstranger: \n";
    assert_eq!(table(Some(&config)), said);
}

#[test]
fn a_name_that_is_nobody_matches_nobody_not_even_root() {
    let config = config("[access]\nadmin = [\"user:mallory\", \"group:gone\"]\nread = []\n");
    assert_eq!(config.warnings.to_string().matches("matches nobody").count(), 2);
    assert!(!config.is_admin(&caller(0, 0, &[])) && !config.may_read(&caller(0, 0, &[])));
    assert!(!sees_all(Some(&config), &caller(1000, 1000, &[])));
}

#[test]
fn what_nobody_here_asked_for_is_nobodys() {
    let config = config("[access]\nadmin = [\"group:ops\"]\n");
    assert!(!ends(Some(&config), &caller(1000, 1000, &[]), None));
    assert!(ends(Some(&config), &caller(1002, 1002, &[200]), None));
    assert!(ends(None, &caller(0, 0, &[]), None));
}

/// Under `own = "policy"` those who may ask share the leases; under the other they do not, and
/// where no config loads only the asker is left.
#[test]
fn a_policy_may_share_its_leases_among_those_who_may_ask() {
    let policy = |own: &str| {
        let policy = "[[policy]]\nname = \"p\"\nkeys = [\"alias/a\"]\ngrantees = [\"role/B\"]\n\
                      operations = [\"read\"]\ncallers = [\"group:ops\"]\nmax-ttl = \"1h\"\n";
        let text = format!("group = \"prod\"\n{ACCOUNT}{policy}own = \"{own}\"\n");
        parse("grantd.toml", &text, &Host).unwrap()
    };
    let (shared, apart) = (policy("policy"), policy("uid"));
    let (owner, ops, stranger) =
        (caller(1001, 1001, &[]), caller(1002, 1002, &[200]), caller(1004, 1004, &[5]));
    let table = [
        (Some(&shared), Some("p"), &ops, true),
        (Some(&shared), Some("p"), &stranger, false),
        (Some(&shared), Some("p"), &owner, true),
        (Some(&shared), Some("gone"), &ops, false),
        (Some(&shared), None, &ops, false),
        (Some(&apart), Some("p"), &ops, false),
        (Some(&apart), Some("p"), &owner, true),
        (None, Some("p"), &ops, false),
        (None, Some("p"), &owner, true),
    ];
    for (config, policy, who, own) in table {
        assert_eq!(owns(config, who, policy, OWNER), own, "{policy:?} {who:?}");
    }
    assert!(owns(Some(&shared), &ops, Some("p"), None), "what was found under the policy");
}
