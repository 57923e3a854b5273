//! The keys of the file, each with an example of a right value.

/// One kind of table.
pub(super) struct Schema {
    /// As a person calls it.
    pub(super) title: &'static str,
    /// What it takes: key and an example of its value.
    pub(super) keys: &'static [(&'static str, &'static str)],
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
        ("former-groups", "[\"staging\"]"),
        ("other-groups", "[\"test\"]"),
        ("daemon", "{ settle = \"11min\" }"),
        ("access", "{ admin = [\"group:wheel\"] }"),
        ("account", "[{ id = \"111122223333\" }]"),
        ("policy", "[{ name = \"s3-readers\" }]"),
    ],
};

pub(super) const DAEMON: Schema = Schema {
    title: "[daemon]",
    keys: &[
        ("socket", "\"/run/grantd/grantd.sock\""),
        ("log", "{ level = \"info\", format = \"text\" }"),
        ("settle", "\"11min\""),
        ("time-out", "\"10s\""),
        ("reconcile", "\"5min\""),
        ("metrics", "\"127.0.0.1:9464\""),
    ],
};

pub(super) const ACCESS: Schema = Schema {
    title: "[access]",
    keys: &[("admin", "[\"group:wheel\"]"), ("read", "[\"group:auditors\"]")],
};

pub(super) const LOG: Schema =
    Schema { title: "log", keys: &[("level", "\"info\""), ("format", "\"text\"")] };

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
        ("hosts", "2"),
        ("probe", "true"),
        ("proxy", "\"http://proxy.example.com:3128\""),
    ],
};

pub(super) const RATES: Schema =
    Schema { title: "rates", keys: &[("create", "10"), ("end", "24"), ("list", "20")] };

pub(super) const POLICY: Schema = Schema {
    title: "[[policy]]",
    keys: &[
        ("name", "\"s3-readers\""),
        ("keys", "[\"alias/my-kms-grant-example-key\"]"),
        ("via", "\"111122223333\""),
        ("grantees", "[\"role/RoleB\"]"),
        ("operations", "[\"Decrypt\", \"DescribeKey\"]"),
        ("callers", "[\"group:ops\"]"),
        ("min-ttl", "\"15min\""),
        ("default-ttl", "\"2h\""),
        ("max-ttl", "\"8h\""),
        ("max-extensions", "3"),
        ("lead", "\"5min\""),
        ("require", "[\"reason\"]"),
        ("max-late", "\"30s\""),
        ("max-live", "100"),
        ("max-live-per-asker", "20"),
        ("own", "\"uid\""),
        ("allow-redelegation", "true"),
        ("adopt", "\"report\""),
        ("adopt-unnamed", "true"),
        ("grace", "\"1h\""),
        ("brake", "{ count = 10, percent = 10 }"),
    ],
};

pub(super) const REQUIRE: Schema = Schema {
    title: "an entry of `require`",
    keys: &[("encryption-context", "{ \"aws:s3:arn\" = \"arn:aws:s3:::team-a/*\" }")],
};

pub(super) const BRAKE: Schema =
    Schema { title: "brake", keys: &[("count", "10"), ("percent", "10")] };

/// Every table, to tell where a misplaced key belongs.
pub(super) const ALL: [&Schema; 9] =
    [&ROOT, &DAEMON, &LOG, &ACCESS, &ACCOUNT, &RATES, &POLICY, &REQUIRE, &BRAKE];

/// Every key of the grammar, with the table that takes it.
pub fn grammar() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALL.iter().flat_map(|schema| schema.keys.iter().map(|(key, _)| (schema.title, *key)))
}
