use super::*;

/// A host with one user and one group.
pub(crate) struct Host;

impl Names for Host {
    fn user(&self, name: &str) -> Result<Option<u32>, String> {
        Ok(match name {
            "alice" => Some(1000),
            "nobody" => Some(65_534),
            _ => None,
        })
    }

    fn group(&self, name: &str) -> Result<Option<u32>, String> {
        match name {
            "ops" => Ok(Some(200)),
            "ldap" => Err("connection refused".to_owned()),
            _ => Ok(None),
        }
    }
}

const DESIGN: &str = r#"
group = "prod"
[[account]]
id = "111122223333"
role-arn = "arn:aws:iam::111122223333:role/grantd"
regions = ["ap-northeast-1"]
[[policy]]
name = "s3-readers"
keys = ["alias/my-kms-grant-example-key"]
grantees = ["role/RoleB"]
operations = ["Decrypt", "DescribeKey"]
callers = ["group:ops"]
default-ttl = "2h"
max-ttl = "8h"
require = ["reason"]
"#;

#[test]
fn the_file_of_the_design_loads() {
    let config = parse("grantd.toml", DESIGN, &Host).unwrap();
    insta::assert_debug_snapshot!(config);
}
