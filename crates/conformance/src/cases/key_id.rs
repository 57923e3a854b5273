//! CreateGrant: which key.

use crate::case::Case;
use crate::words::Said as _;
use crate::world::{OTHER_ACCOUNT, REGION};

const API: &str = "API CreateGrantRequest$KeyId";
const LOCALSTACK: &str = "LocalStack, tests recorded at AWS";

pub(super) const CASES: &[Case] = &[
    Case::documented("create-grant/key-id/arn", API, "accepted", |w| w.make(w.grant()).said()),
    Case::documented("create-grant/key-id/bare-id", API, "accepted", |w| {
        w.make(w.grant().key_id(w.key_id())).said()
    }),
    Case::documented("create-grant/key-id/absent", API, "ValidationException", |w| {
        w.make(w.grant().set_key_id(None)).said()
    })
    .ministack("NotFoundException")
    .moto("HTTP 500"),
    Case::documented("create-grant/key-id/empty", API, "ValidationException", |w| {
        w.make(w.grant().key_id("")).said()
    })
    .ministack("NotFoundException")
    .moto("HTTP 500"),
    Case::documented("create-grant/key-id/2049-characters", API, "ValidationException", |w| {
        w.make(w.grant().key_id("k".repeat(2_049))).said()
    })
    .ministack("NotFoundException")
    .moto("HTTP 500"),
    Case::documented("create-grant/key-id/alias", API, "refused", |w| {
        w.make(w.grant().key_id(&w.alias)).allowed()
    })
    .moto("accepted")
    .row(12),
    Case::documented("create-grant/key-id/alias-arn", API, "refused", |w| {
        let arn = format!("arn:aws:kms:{REGION}:{}:{}", w.account(), w.alias);
        w.make(w.grant().key_id(arn)).allowed()
    })
    .moto("accepted")
    .row(12),
    Case::documented("create-grant/key-id/predefined-alias", API, "refused", |w| {
        w.make(w.grant().key_id("alias/aws/s3")).allowed()
    })
    .moto("accepted")
    .row(12),
    Case::recorded("create-grant/key-id/unknown", LOCALSTACK, "NotFoundException", |w| {
        w.make(w.grant().key_id("00000000-0000-4000-8000-000000000000")).said()
    })
    .moto("HTTP 500")
    .row(10),
    Case::recorded("create-grant/key-id/no-uuid", LOCALSTACK, "NotFoundException", |w| {
        w.make(w.grant().key_id("invalid")).said()
    })
    .moto("HTTP 500")
    .row(10),
    Case::documented(
        "create-grant/key-id/malformed-arn",
        "API InvalidArnException: an ARN in the request is not valid",
        "InvalidArnException",
        |w| w.make(w.grant().key_id("arn:aws:kms:nonsense")).said(),
    )
    .ministack("NotFoundException")
    .moto("HTTP 500")
    .row(10),
    Case::recorded("create-grant/key-id/unknown-alias", LOCALSTACK, "refused", |w| {
        w.make(w.grant().key_id("alias/nobody-made-it")).allowed()
    })
    .moto("HTTP 500")
    .row(10),
    Case::recorded("create-grant/key-id/other-account", LOCALSTACK, "NotFoundException", |w| {
        let arn = w.key.replace(w.account(), OTHER_ACCOUNT);
        w.make(w.grant().key_id(arn)).said()
    })
    .moto("accepted")
    .row(11),
    Case::recorded("create-grant/key-id/other-region", LOCALSTACK, "NotFoundException", |w| {
        w.make(w.grant().key_id(w.key.replace(REGION, "eu-west-1"))).said()
    })
    .moto("accepted")
    .row(11),
];
