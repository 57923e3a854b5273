//! Keys, aliases and key policies, as far as grants need them.

use aws_sdk_kms::primitives::Blob;

use crate::case::{Case, Seen};
use crate::words::Said as _;
use crate::world::{REGION, Refused, Who, World};

const ALIASES: &str =
    "guide (June 2023): alias-using: cryptographic operations, DescribeKey, GetPublicKey";
const POLICY: &str =
    "guide: key-policy-default: without the root's statement IAM policies have no effect";

pub(super) const CASES: &[Case] = &[
    Case::documented("describe-key/by-alias", ALIASES, "the key", |w| described(w, &w.alias)),
    Case::documented("describe-key/by-alias-arn", ALIASES, "the key", |w| {
        described(w, &format!("arn:aws:kms:{REGION}:{}:{}", w.account(), w.alias))
    }),
    Case::documented("describe-key/by-bare-id", ALIASES, "the key", |w| described(w, w.key_id())),
    Case::documented("describe-key/unknown-alias", ALIASES, "NotFoundException", |w| {
        described(w, "alias/nobody-made-it")
    }),
    Case::documented("encrypt/by-alias", ALIASES, "accepted", |w| {
        let request = w.kms().encrypt().key_id(&w.alias).plaintext(Blob::new("x"));
        w.ask(request.send()).said()
    }),
    Case::documented("alias/moved", "API UpdateAlias", "another key", |w| {
        let other = w.new_key(&[])?;
        let request = w.kms().update_alias().alias_name(&w.alias).target_key_id(other);
        w.ask(request.send())?;
        described(w, &w.alias)
    }),
    Case::documented("alias/moved-leaves-grants", "guide (June 2023): alias-manage", "1", |w| {
        w.make(w.grant())?;
        let other = w.new_key(&[])?;
        let request = w.kms().update_alias().alias_name(&w.alias).target_key_id(other);
        w.ask(request.send())?;
        Ok(w.count()?.to_string())
    }),
    Case::documented("key-policy/root-delegates", POLICY, "accepted", |w| {
        policy(w, &["root"])?;
        w.make(w.grant()).said()
    }),
    Case::documented("key-policy/names-the-caller", POLICY, "accepted", |w| {
        policy(w, &["root", "role/RoleB"])?;
        w.make(w.grant_by(Who::RoleB)).said()
    }),
    Case::documented("key-policy/without-the-root", POLICY, "AccessDeniedException", |w| {
        policy(w, &["user/admin"])?;
        w.make(w.grant_by(Who::Grantd)).said()
    })
    .emulators("accepted")
    .row(29),
    Case::documented("key-policy/without-the-root-a-grant-works", POLICY, "accepted", |w| {
        w.make(w.grant())?;
        policy(w, &["user/admin"])?;
        w.decrypt_as(Who::RoleB, None).said()
    }),
    Case::documented(
        "key-policy/without-the-root-it-retires",
        "guide: grant-delete: a retiring principal needs no policy",
        "accepted",
        |w| {
            let token = w.make(w.grant().retiring_principal(w.iam("role/grantd")))?.token;
            policy(w, &["user/admin"])?;
            w.retire_token(Who::Grantd, &token).said()
        },
    ),
];

fn described(w: &World, key: &str) -> Seen {
    let metadata = w.ask(w.kms().describe_key().key_id(key).send())?.key_metadata;
    let same = metadata.is_some_and(|key| key.arn() == Some(&w.key));
    Ok(if same { "the key" } else { "another key" }.to_owned())
}

/// A key policy that lets these do everything, and nobody else anything.
fn policy(w: &World, who: &[&str]) -> Result<(), Refused> {
    let who: Vec<String> = who.iter().map(|who| w.iam(who)).collect();
    let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "AWS": who }, "Action": "kms:*", "Resource": "*",
    }]});
    let request = w.kms().put_key_policy().key_id(w.key_id()).policy_name("default");
    let request = request.policy(policy.to_string());
    w.ask(request.send()).map(drop)
}
