//! What a grant lets its grantee do. No emulator enforces grants: there everybody may do
//! everything.

use std::collections::HashMap;

use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, GrantConstraints, GrantOperation};
use kms_sandbox::IamPolicy;

use crate::case::{Answer, Case, Seen};
use crate::words::{Said as _, equals, subset};
use crate::world::{Refused, Who, World};

const GUIDE: &str = "guide: grants";
const CONTEXT: &str = "API GrantConstraints";
const DENIED: &str = "AccessDeniedException";

pub(super) const CASES: &[Case] = &[
    Case::documented("decrypt/without-a-grant", GUIDE, DENIED, |w| {
        w.decrypt_as(Who::RoleB, None).said()
    })
    .emulators("accepted")
    .row(30),
    Case::documented("decrypt/with-a-grant", GUIDE, "accepted", |w| {
        w.make(w.grant())?;
        w.decrypt_as(Who::RoleB, None).said()
    }),
    Case::documented("decrypt/by-key-policy", GUIDE, "accepted", |w| {
        w.decrypt_as(Who::RoleA, None).said()
    }),
    Case::documented("decrypt/after-revoke", "guide: grant-delete", DENIED, |w| {
        let id = w.make(w.grant())?.id;
        w.revoke(&id)?;
        w.decrypt_as(Who::RoleB, None).said()
    })
    .emulators("accepted")
    .row(30),
    Case::documented("decrypt/after-retire", "guide: grant-delete", DENIED, |w| {
        let token = w.make(w.grant())?.token;
        w.retire_token(Who::Admin, &token)?;
        w.decrypt_as(Who::RoleB, None).said()
    })
    .emulators("accepted")
    .row(30),
    Case::documented("decrypt/by-another-operation", GUIDE, DENIED, |w| {
        w.make(w.grant().set_operations(Some(vec![GrantOperation::Encrypt])))?;
        w.decrypt_as(Who::RoleB, None).said()
    })
    .emulators("accepted")
    .row(30),
    Case::documented("decrypt/grant-to-somebody-else", GUIDE, DENIED, |w| {
        w.make(w.grant().grantee_principal(w.iam("role/grantd")))?;
        w.decrypt_as(Who::RoleB, None).said()
    })
    .emulators("accepted")
    .row(30),
    Case::documented("decrypt/grant-to-the-session", GUIDE, "accepted", |w| {
        session(w, "assumed-role/RoleB/story")
    }),
    Case::documented("decrypt/grant-to-another-session", GUIDE, DENIED, |w| {
        session(w, "assumed-role/RoleB/other")
    })
    .emulators("accepted")
    .row(30),
    Case::documented("decrypt/grant-to-the-root-needs-iam", GUIDE, DENIED, |w| {
        w.make(w.grant().grantee_principal(w.iam("root")))?;
        w.decrypt_as(Who::RoleB, None).said()
    })
    .emulators("accepted")
    .row(30),
    Case::documented(
        "decrypt/iam-deny-wins",
        "guide: grants: an explicit deny wins",
        DENIED,
        |w| {
            w.make(w.grant())?;
            w.behind(|core| {
                let denied = IamPolicy::default().deny(["kms:Decrypt"]);
                core.put_role(&w.iam("role/RoleB"), denied, &[], None);
            });
            w.decrypt_as(Who::RoleB, None).said()
        },
    )
    .emulators("accepted")
    .row(30),
    Case::documented("decrypt/token-bogus", "API Decrypt", "InvalidGrantTokenException", |w| {
        w.decrypt_as(Who::RoleA, Some("bm8gdG9rZW4gb2YgYW55Ym9keQ==")).said()
    })
    .emulators("accepted")
    .row(30),
    Case::documented("decrypt/key-disabled", "API Decrypt", "DisabledException", |w| {
        let sealed = w.seal(&[])?;
        w.ask(w.kms().disable_key().key_id(w.key_id()).send())?;
        w.ask(w.kms().decrypt().ciphertext_blob(sealed).send()).said()
    })
    .moto("accepted")
    .row(30),
    Case::documented(
        "decrypt/key-pending-deletion",
        "API Decrypt",
        "KMSInvalidStateException",
        |w| {
            let sealed = w.seal(&[])?;
            w.ask(w.kms().schedule_key_deletion().key_id(w.key_id()).send())?;
            w.ask(w.kms().decrypt().ciphertext_blob(sealed).send()).said()
        },
    )
    .moto("accepted"),
    Case::documented(
        "decrypt/dry-run",
        "guide: testing-permissions",
        "DryRunOperationException",
        |w| {
            let sealed = w.seal(&[])?;
            w.ask(w.kms().decrypt().ciphertext_blob(sealed).dry_run(true).send()).said()
        },
    )
    .emulators("accepted")
    .row(30),
    Case::documented("decrypt/wrong-context", "API Decrypt", "InvalidCiphertextException", |w| {
        let sealed = w.seal(&[("a", "1")])?;
        w.ask(w.kms().decrypt().ciphertext_blob(sealed).send()).said()
    }),
    Case::documented("constraint/equals/same", CONTEXT, "accepted", |w| {
        constrained(w, equals(&[("a", "1")]), &[("a", "1")])
    }),
    Case::documented("constraint/equals/one-more", CONTEXT, DENIED, |w| {
        constrained(w, equals(&[("a", "1")]), &[("a", "1"), ("b", "2")])
    })
    .emulators("accepted")
    .row(30),
    Case::documented("constraint/equals/none", CONTEXT, DENIED, |w| {
        constrained(w, equals(&[("a", "1")]), &[])
    })
    .emulators("accepted")
    .row(30),
    Case::documented("constraint/subset/same", CONTEXT, "accepted", |w| {
        constrained(w, subset(&[("a", "1")]), &[("a", "1")])
    }),
    Case::documented("constraint/subset/one-more", CONTEXT, "accepted", |w| {
        constrained(w, subset(&[("a", "1")]), &[("a", "1"), ("b", "2")])
    }),
    Case::documented("constraint/subset/one-less", CONTEXT, DENIED, |w| {
        constrained(w, subset(&[("a", "1"), ("b", "2")]), &[("a", "1")])
    })
    .emulators("accepted")
    .row(30),
    Case::documented("constraint/value/no-wildcard", CONTEXT, DENIED, |w| {
        constrained(w, subset(&[("a", "1*")]), &[("a", "12")])
    })
    .emulators("accepted")
    .row(30),
    Case::documented("constraint/value/case", CONTEXT, DENIED, |w| {
        constrained(w, equals(&[("a", "x")]), &[("a", "X")])
    })
    .emulators("accepted")
    .row(30),
    Case::unconfirmed(
        "constraint/key/case",
        "the model compares keys without case, the guide with it",
        &[
            Answer::new("context_keys_ignore_case=true", "accepted", |u| {
                u.context_keys_ignore_case = true;
            }),
            Answer::new("context_keys_ignore_case=false", DENIED, |u| {
                u.context_keys_ignore_case = false;
            }),
        ],
        |w| constrained(w, equals(&[("a", "1")]), &[("A", "1")]),
    ),
    Case::documented(
        "constraint/source-arn/direct-call",
        "API GrantConstraints: evaluated for calls by AWS services only",
        "accepted",
        |w| {
            let arn = format!("arn:aws:s3:eu-west-1:{}:a-bucket", w.account());
            constrained(w, GrantConstraints::builder().source_arn(arn).build(), &[])
        },
    ),
    Case::documented(
        "constraint/ignored-for-describe-key",
        "API GrantConstraints: ignored for DescribeKey and RetireGrant",
        "accepted",
        |w| {
            let request = w.grant().operations(GrantOperation::DescribeKey);
            w.make(request.constraints(equals(&[("a", "1")])))?;
            w.ask(w.kms_as(Who::RoleB).describe_key().key_id(&w.key).send()).said()
        },
    ),
    Case::documented("encrypt/with-a-grant", GUIDE, "accepted", |w| {
        w.make(w.grant().operations(GrantOperation::Encrypt))?;
        encrypt(w, Who::RoleB)
    }),
    Case::documented("encrypt/without-a-grant", GUIDE, DENIED, |w| encrypt(w, Who::RoleB))
        .emulators("accepted")
        .row(30),
    Case::documented("generate-data-key/with-a-grant", GUIDE, "accepted", |w| {
        w.make(w.grant().operations(GrantOperation::GenerateDataKey))?;
        data_key(w)
    }),
    Case::documented("generate-data-key/without-a-grant", GUIDE, DENIED, data_key)
        .emulators("accepted")
        .row(30),
    Case::documented("describe-key/without-a-grant", GUIDE, DENIED, |w| {
        w.ask(w.kms_as(Who::RoleB).describe_key().key_id(&w.key).send()).said()
    })
    .emulators("accepted")
    .row(29),
    Case::documented(
        "principal/recreated-grantee-has-nothing",
        "Terraform issue 29340: a grant holds the unique id",
        DENIED,
        |w| {
            w.make(w.grant())?;
            let (id, secret) = w.credentials(Who::RoleB);
            w.behind(|core| {
                let arn = w.iam("role/RoleB");
                core.recreate_principal(&arn);
                if let Some(caller) = core.caller(&arn) {
                    core.put_access_key(&id, &secret, caller);
                }
            });
            w.decrypt_as(Who::RoleB, None).said()
        },
    )
    .sandbox_only("emulators know no principals"),
];

impl World {
    /// Encrypts something under the key as the administrator.
    ///
    /// # Errors
    /// The refusal.
    pub(super) fn seal(&self, context: &[(&str, &str)]) -> Result<Blob, Refused> {
        let request = self.kms().encrypt().key_id(&self.key).plaintext(Blob::new("the data"));
        let sealed = self.ask(request.set_encryption_context(Some(map(context))).send())?;
        Ok(sealed.ciphertext_blob.unwrap_or_else(|| Blob::new("")))
    }

    /// Decrypts what the administrator encrypted.
    ///
    /// # Errors
    /// The refusal.
    pub(super) fn decrypt_as(&self, who: Who, token: Option<&str>) -> Result<(), Refused> {
        let sealed = self.seal(&[])?;
        let tokens = token.map(|token| vec![token.to_owned()]);
        let request = self.kms_as(who).decrypt().ciphertext_blob(sealed);
        self.ask(request.set_grant_tokens(tokens).send()).map(drop)
    }
}

fn map(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn constrained(w: &World, constraints: GrantConstraints, context: &[(&str, &str)]) -> Seen {
    w.make(w.grant().constraints(constraints))?;
    let sealed = w.seal(context)?;
    let request = w.kms_as(Who::RoleB).decrypt().ciphertext_blob(sealed);
    w.ask(request.set_encryption_context(Some(map(context))).send()).said()
}

fn session(w: &World, session: &str) -> Seen {
    let arn = format!("arn:aws:sts::{}:{session}", w.account());
    w.make(w.grant().grantee_principal(arn))?;
    w.decrypt_as(Who::RoleB, None).said()
}

fn encrypt(w: &World, who: Who) -> Seen {
    w.ask(w.kms_as(who).encrypt().key_id(&w.key).plaintext(Blob::new("x")).send()).said()
}

fn data_key(w: &World) -> Seen {
    let request = w.kms_as(Who::RoleB).generate_data_key().key_id(&w.key);
    w.ask(request.key_spec(DataKeySpec::Aes256).send()).said()
}
