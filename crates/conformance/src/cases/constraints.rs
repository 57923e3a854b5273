//! CreateGrant: constraints and grant tokens as parameters. What they do is in `using`.

use aws_sdk_kms::types::{GrantConstraints, GrantOperation};

use crate::case::{Case, Seen};
use crate::words::{Said as _, equals, subset};
use crate::world::World;

const API: &str = "API GrantConstraints";
const GUIDE: &str = "guide: create-grant-overview";
const TOKENS: &str = "API CreateGrantRequest$GrantTokens, 0 to 10 of 1 to 8192 characters";

pub(super) const CASES: &[Case] = &[
    Case::documented("create-grant/constraints/equals", API, "accepted", |w| {
        w.make(w.grant().constraints(equals(&[("a", "1")]))).said()
    }),
    Case::documented("create-grant/constraints/subset", API, "accepted", |w| {
        w.make(w.grant().constraints(subset(&[("a", "1")]))).said()
    }),
    Case::recorded(
        "create-grant/constraints/equals-and-subset",
        "Terraform: comment, \"ValidationException: More than one constraint supplied\"",
        "ValidationException",
        |w| {
            let both = GrantConstraints::builder().encryption_context_equals("a", "1");
            w.make(w.grant().constraints(both.encryption_context_subset("b", "2").build())).said()
        },
    )
    .emulators("accepted"),
    Case::documented("create-grant/constraints/equals-and-source-arn", GUIDE, "accepted", |w| {
        let both = GrantConstraints::builder().encryption_context_equals("a", "1");
        w.make(w.grant().constraints(both.source_arn(bucket(w)).build())).said()
    }),
    Case::documented("create-grant/constraints/subset-and-source-arn", GUIDE, "accepted", |w| {
        let both = GrantConstraints::builder().encryption_context_subset("a", "1");
        w.make(w.grant().constraints(both.source_arn(bucket(w)).build())).said()
    }),
    Case::documented("create-grant/constraints/equals-8-pairs", API, "accepted", |w| {
        w.make(w.grant().constraints(many(8, GrantConstraints::builder(), true))).said()
    }),
    Case::documented("create-grant/constraints/equals-9-pairs", API, "refused", |w| {
        w.make(w.grant().constraints(many(9, GrantConstraints::builder(), true))).allowed()
    })
    .emulators("accepted")
    .row(25),
    Case::documented("create-grant/constraints/subset-8-pairs", API, "accepted", |w| {
        w.make(w.grant().constraints(many(8, GrantConstraints::builder(), false))).said()
    }),
    Case::documented("create-grant/constraints/subset-9-pairs", API, "refused", |w| {
        w.make(w.grant().constraints(many(9, GrantConstraints::builder(), false))).allowed()
    })
    .emulators("accepted")
    .row(25),
    Case::documented("create-grant/constraints/value-384-characters", API, "accepted", |w| {
        w.make(w.grant().constraints(equals(&[("a", &"v".repeat(384))]))).said()
    }),
    Case::documented("create-grant/constraints/value-385-characters", API, "refused", |w| {
        w.make(w.grant().constraints(equals(&[("a", &"v".repeat(385))]))).allowed()
    })
    .emulators("accepted"),
    Case::documented("create-grant/constraints/subset-value-385-characters", API, "refused", |w| {
        w.make(w.grant().constraints(subset(&[("a", &"v".repeat(385))]))).allowed()
    })
    .emulators("accepted"),
    Case::documented("create-grant/constraints/context-on-rsa", API, "refused", |w| {
        on_rsa(w, equals(&[("a", "1")]))
    })
    .emulators("accepted"),
    Case::documented("create-grant/constraints/source-arn-on-rsa", GUIDE, "accepted", |w| {
        on_rsa(w, GrantConstraints::builder().source_arn(bucket(w)).build())
    }),
    Case::documented(
        "create-grant/constraints/source-arn-pattern",
        API,
        "ValidationException",
        |w| source(w, "s3://a-bucket/with/a/long/enough/name"),
    )
    .emulators("accepted"),
    Case::documented(
        "create-grant/constraints/source-arn-no-account",
        API,
        "ValidationException",
        |w| source(w, "arn:aws:s3:::a-bucket"),
    )
    .emulators("accepted"),
    Case::documented(
        "create-grant/constraints/source-arn-513-characters",
        API,
        "ValidationException",
        |w| source(w, &format!("{:b<513}", bucket(w))),
    )
    .emulators("accepted"),
    Case::documented(
        "create-grant/constraints/operation-without-context",
        "API GrantConstraints: ignored for DescribeKey and RetireGrant",
        "accepted",
        |w| {
            let request = w.grant().operations(GrantOperation::DescribeKey);
            w.make(request.constraints(equals(&[("a", "1")]))).said()
        },
    ),
    Case::documented("create-grant/constraints/listed-verbatim", API, "a=1 b=ü/2", |w| {
        w.make(w.grant().constraints(subset(&[("a", "1"), ("b", "ü/2")])))?;
        let constraints = w.entry()?.constraints;
        let pairs = constraints.and_then(|c| c.encryption_context_subset).unwrap_or_default();
        let mut pairs: Vec<String> = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();
        pairs.sort_unstable();
        Ok(pairs.join(" "))
    }),
    Case::documented("create-grant/grant-tokens/10", TOKENS, "accepted", |w| {
        let token = w.make(w.grant())?.token;
        w.make(w.grant().set_grant_tokens(Some(vec![token; 10]))).said()
    }),
    Case::documented("create-grant/grant-tokens/11", TOKENS, "ValidationException", |w| {
        let token = w.make(w.grant())?.token;
        w.make(w.grant().set_grant_tokens(Some(vec![token; 11]))).said()
    })
    .emulators("accepted"),
    Case::documented("create-grant/grant-tokens/empty-one", TOKENS, "ValidationException", |w| {
        w.make(w.grant().grant_tokens("")).said()
    })
    .emulators("accepted"),
    Case::documented(
        "create-grant/grant-tokens/8193-characters",
        TOKENS,
        "ValidationException",
        |w| w.make(w.grant().grant_tokens("t".repeat(8_193))).said(),
    )
    .emulators("accepted"),
    Case::documented(
        "create-grant/grant-tokens/bogus",
        "API CreateGrant, InvalidGrantTokenException",
        "InvalidGrantTokenException",
        |w| w.make(w.grant().grant_tokens("bm8gdG9rZW4gb2YgYW55Ym9keQ==")).said(),
    )
    .emulators("accepted")
    .row(24),
];

fn bucket(w: &World) -> String {
    format!("arn:aws:s3:eu-west-1:{}:a-bucket", w.account())
}

fn source(w: &World, arn: &str) -> Seen {
    w.make(w.grant().constraints(GrantConstraints::builder().source_arn(arn).build())).said()
}

fn many(
    pairs: usize,
    builder: aws_sdk_kms::types::builders::GrantConstraintsBuilder,
    equals: bool,
) -> GrantConstraints {
    let add = |b: aws_sdk_kms::types::builders::GrantConstraintsBuilder, n: usize| {
        let (key, value) = (format!("key-{n}"), n.to_string());
        if equals {
            b.encryption_context_equals(key, value)
        } else {
            b.encryption_context_subset(key, value)
        }
    };
    (0..pairs).fold(builder, add).build()
}

fn on_rsa(w: &World, constraints: GrantConstraints) -> Seen {
    let key = w.new_key(&["RSA_2048", "ENCRYPT_DECRYPT"])?;
    w.make(w.grant().key_id(key).constraints(constraints)).allowed()
}
