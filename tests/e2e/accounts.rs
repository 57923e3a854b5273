//! A KMS of two accounts: ours, with the role grantd, and somebody else's.

use kms_sandbox::{Core, IamPolicy, Settings};

pub(crate) const OURS: &str = "111122223333";
pub(crate) const THEIRS: &str = "999988887777";
/// grantd's own role.
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/grantd";
/// A session of it, as access key id and secret.
pub(crate) const SESSION: (&str, &str) = ("AKIDGRANTD", "secret");

pub(crate) fn two() -> Core {
    let accounts = vec![OURS.to_owned(), THEIRS.to_owned()];
    let region = "ap-northeast-1".to_owned();
    let mut core = Core::new(Settings { accounts, region, ..Settings::default() });
    core.put_role(ROLE, IamPolicy::allow(["kms:*", "sts:*"]), &[], None);
    let session = core.caller(&format!("arn:aws:sts::{OURS}:assumed-role/grantd/test")).unwrap();
    core.put_access_key(SESSION.0, SESSION.1, session);
    core
}
