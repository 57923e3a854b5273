//! The keys of the file, each with an example of a right value; and those that a later version will
//! know, so that they are told apart from a typing error.

/// One kind of table.
pub(super) struct Schema {
    /// As a person calls it.
    pub(super) title: &'static str,
    /// What it takes: key and an example of its value.
    pub(super) keys: &'static [(&'static str, &'static str)],
    /// What is planned, and not taken yet.
    pub(super) later: &'static [&'static str],
}

impl Schema {
    /// `key = value`, as it could stand in the file.
    pub(super) fn example(&self, key: &str) -> String {
        let found = self.keys.iter().find(|(name, _)| *name == key);
        found.map_or_else(String::new, |(name, value)| format!("`{name} = {value}`"))
    }
}

pub(super) const ROOT: Schema = Schema {
    title: "the top of the file",
    keys: &[
        ("group", "\"prod\""),
        ("daemon", "{ settle = \"11min\" }"),
        ("access", "{ admin = [\"group:wheel\"] }"),
        ("account", "[{ id = \"111122223333\" }]"),
        ("policy", "[{ name = \"s3-readers\" }]"),
    ],
    later: &["former-groups"],
};

pub(super) const DAEMON: Schema = Schema {
    title: "[daemon]",
    keys: &[("settle", "\"11min\""), ("time-out", "\"10s\"")],
    later: &["socket", "log", "reconcile", "metrics"],
};

pub(super) const ACCESS: Schema = Schema {
    title: "[access]",
    keys: &[("admin", "[\"group:wheel\"]"), ("read", "[\"group:auditors\"]")],
    later: &[],
};

pub(super) const ACCOUNT: Schema = Schema {
    title: "[[account]]",
    keys: &[
        ("id", "\"111122223333\""),
        ("role-arn", "\"arn:aws:iam::111122223333:role/grantd\""),
        ("external-id", "\"grantd-prod\""),
        ("retiring-principal", "\"arn:aws:iam::111122223333:role/grantd\""),
        ("profile", "\"grantd\""),
        ("session-name", "\"grantd\""),
        ("revoke-role-arn", "\"arn:aws:iam::111122223333:role/grantd-revoker\""),
        ("regions", "[\"ap-northeast-1\"]"),
        ("endpoint-url", "\"http://127.0.0.1:4567\""),
        ("rates", "{ create = 10, end = 24, list = 20 }"),
        ("probe", "true"),
    ],
    later: &["proxy", "hosts"],
};

pub(super) const RATES: Schema =
    Schema { title: "rates", keys: &[("create", "10"), ("end", "24"), ("list", "20")], later: &[] };

pub(super) const POLICY: Schema = Schema {
    title: "[[policy]]",
    keys: &[
        ("name", "\"s3-readers\""),
        ("keys", "[\"alias/my-kms-grant-example-key\"]"),
        ("grantees", "[\"role/RoleB\"]"),
        ("operations", "[\"Decrypt\", \"DescribeKey\"]"),
        ("callers", "[\"group:ops\"]"),
        ("default-ttl", "\"2h\""),
        ("max-ttl", "\"8h\""),
        ("max-extensions", "3"),
        ("lead", "\"5min\""),
        ("require", "[\"reason\"]"),
        ("allow-redelegation", "true"),
    ],
    later: &[
        "via",
        "min-ttl",
        "max-live",
        "max-live-per-asker",
        "own",
        "adopt",
        "adopt-unnamed",
        "grace",
        "brake",
    ],
};

/// Every table, to tell where a misplaced key belongs.
pub(super) const ALL: [&Schema; 6] = [&ROOT, &DAEMON, &ACCESS, &ACCOUNT, &RATES, &POLICY];
