//! A ready world: the story that the demo tells and most tests start from.
//!
//! A team keeps data under a customer managed key. The key policy lets RoleA decrypt and leaves the
//! rest to IAM; RoleB has nothing. The role `grantd` may make and look at grants, but not revoke:
//! what it makes, it ends as the retiring principal.

use serde_json::{Value, json};

use crate::core::Core;
use crate::op::Op;
use crate::principals::{Caller, IamPolicy};
use crate::settings::{Propagation, Settings};

/// The alias of the story's key.
pub(crate) const ALIAS: &str = "alias/my-kms-grant-example-key";

/// What the role grantd may do; RetireGrant needs no permission of its retiring principal.
const GRANTD_MAY: &[&str] = &[
    "kms:CreateGrant",
    "kms:DescribeKey",
    "kms:ListAliases",
    "kms:ListGrants",
    "kms:ListKeys",
    "kms:ListRetirableGrants",
    "sts:AssumeRole",
];

/// What may be chosen about the story.
#[derive(Clone, Debug)]
pub struct StoryOptions {
    /// Account of key and roles.
    pub account: String,
    /// The one Region.
    pub region: String,
    /// Where chance starts.
    pub seed: u64,
    /// How far the views lag.
    pub propagation: Propagation,
}

impl Default for StoryOptions {
    fn default() -> Self {
        Self {
            account: "111122223333".to_owned(),
            region: "ap-northeast-1".to_owned(),
            seed: 0,
            propagation: Propagation::default(),
        }
    }
}

/// A principal of the story, its permanent access key, and itself as a caller.
#[derive(Clone, Debug)]
pub struct Identity {
    /// A short name, such as `RoleB`.
    pub name: &'static str,
    /// The role's or user's ARN: what grants and policies name.
    pub arn: String,
    /// For calls without HTTP.
    pub caller: Caller,
    /// Proves the caller over HTTP; for a role it stands for a session and needs no session token.
    pub access_key_id: String,
    /// Protects nothing: it is known and the same everywhere.
    pub secret_access_key: String,
}

/// The world of the story.
#[derive(Clone, Debug)]
pub struct Story {
    /// The KMS.
    pub core: Core,
    /// The key's ARN.
    pub key_arn: String,
    /// The key's id.
    pub key_id: String,
    /// The key's alias.
    pub alias: &'static str,
    /// May do everything, IAM policies permitting: `user/admin`.
    pub admin: Identity,
    /// May decrypt by the key policy.
    pub role_a: Identity,
    /// May do nothing.
    pub role_b: Identity,
    /// May create and list grants, describe keys and list aliases; not revoke.
    pub grantd: Identity,
    /// `user/grantd-host`: may assume the role grantd and nothing else.
    pub grantd_host: Identity,
    /// May revoke any grant of the key, and nothing else; grantd's role may assume it.
    pub revoker: Identity,
}

impl Story {
    /// Builds the world at `now` (Unix milliseconds).
    #[must_use]
    pub fn new(options: StoryOptions, now: i64) -> Self {
        let StoryOptions { account, region, seed, propagation } = options;
        let settings = Settings {
            region,
            accounts: vec![account.clone()],
            seed,
            propagation,
            ..Settings::default()
        };
        let mut core = Core::new(settings);
        let arn = |what: &str| format!("arn:aws:iam::{account}:{what}");
        let root = arn("root");
        core.put_user(&arn("user/admin"), IamPolicy::allow(["kms:*", "sts:*"]));
        core.put_user(&arn("user/grantd-host"), IamPolicy::allow(["sts:AssumeRole"]));
        let (own_admin, host, own_role) =
            (arn("user/admin"), arn("user/grantd-host"), arn("role/grantd"));
        let nothing: &[&str] = &[];
        for (role, allowed, trusted) in [
            ("role/RoleA", nothing, &[own_admin.as_str()][..]),
            ("role/RoleB", nothing, &[&own_admin]),
            ("role/grantd", GRANTD_MAY, &[&own_admin, &host]),
            ("role/grantd-revoker", &["kms:RevokeGrant"], &[&own_admin, &own_role]),
        ] {
            core.put_role(&arn(role), IamPolicy::allow(allowed.iter().copied()), trusted, None);
        }
        let admin = Identity::give(&mut core, "admin", arn("user/admin"));
        let role_a = Identity::give(&mut core, "RoleA", arn("role/RoleA"));
        let role_b = Identity::give(&mut core, "RoleB", arn("role/RoleB"));
        let grantd = Identity::give(&mut core, "grantd", arn("role/grantd"));
        let grantd_host = Identity::give(&mut core, "grantd-host", arn("user/grantd-host"));
        let revoker = Identity::give(&mut core, "grantd-revoker", arn("role/grantd-revoker"));

        let request = json!({
            "Description": "The key of the story",
            "Policy": key_policy(&root, &role_a.arn).to_string(),
        });
        let made = core.call(&admin.caller, Op::CreateKey, &request, now).unwrap_or_default();
        let member = |name: &str| made["KeyMetadata"][name].as_str().unwrap_or_default().to_owned();
        let (key_arn, key_id) = (member("Arn"), member("KeyId"));
        let alias = json!({ "AliasName": ALIAS, "TargetKeyId": key_id });
        let named = core.call(&admin.caller, Op::CreateAlias, &alias, now);
        debug_assert!(named.is_ok(), "the story's own calls are allowed: {named:?}");
        Self {
            core,
            key_arn,
            key_id,
            alias: ALIAS,
            admin,
            role_a,
            role_b,
            grantd,
            grantd_host,
            revoker,
        }
    }

    /// All identities, for printing and for picking one.
    #[must_use]
    pub fn credentials(&self) -> [&Identity; 6] {
        [&self.admin, &self.role_a, &self.role_b, &self.grantd, &self.grantd_host, &self.revoker]
    }

    /// Encrypts a text under the story's key as the administrator: base64, as `CiphertextBlob`
    /// takes it.
    #[must_use]
    pub fn encrypt(&mut self, text: &str, now: i64) -> String {
        use base64::Engine as _;
        let plaintext = base64::engine::general_purpose::STANDARD.encode(text);
        let body = json!({ "KeyId": self.key_arn, "Plaintext": plaintext });
        let sealed =
            self.core.call(&self.admin.caller, Op::Encrypt, &body, now).unwrap_or_default();
        sealed["CiphertextBlob"].as_str().unwrap_or_default().to_owned()
    }
}

impl Identity {
    fn give(core: &mut Core, name: &'static str, arn: String) -> Self {
        let stem: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let access_key_id = format!("AKIA{:X<16}", stem.to_ascii_uppercase());
        let secret_access_key = format!("not-a-secret/sandbox/{name:x<19}");
        // A session of a role is named after the story, so that it reads well in refusals.
        let role = arn.contains(":role/");
        let shown = if role {
            let account = arn.split(':').nth(4).unwrap_or_default();
            format!("arn:aws:sts::{account}:assumed-role/{name}/story")
        } else {
            arn.clone()
        };
        let caller = core.caller(&shown).expect("the principal was put just now");
        core.put_access_key(&access_key_id, &secret_access_key, caller.clone());
        Self { name, arn, caller, access_key_id, secret_access_key }
    }
}

/// RoleA may decrypt; everything else is IAM's to say.
fn key_policy(root: &str, role_a: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "IamDecides",
                "Effect": "Allow",
                "Principal": { "AWS": root },
                "Action": "kms:*",
                "Resource": "*",
            },
            {
                "Sid": "RoleAReads",
                "Effect": "Allow",
                "Principal": { "AWS": role_a },
                "Action": ["kms:Decrypt", "kms:DescribeKey"],
                "Resource": "*",
            },
        ],
    })
}
