use super::*;

#[test]
fn who_is_kept_out_reads_which_door_is_whose() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("grantd.sock");
    let with_mode = |path: &Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        hint(&socket).unwrap()
    };
    let group = Group::from_gid(Gid::current()).unwrap();
    let group = group.map_or_else(|| Gid::current().to_string(), |group| group.name);
    let join = format!("usermod -a -G {group} ");
    // The directory keeps everybody out: only it can be looked at.
    assert!(with_mode(dir.path(), 0o750).contains(&join));
    assert!(with_mode(dir.path(), 0o700).starts_with("only its owner may"));
    std::fs::write(&socket, "").unwrap();
    assert!(with_mode(&socket, 0o660).contains(&join));
    assert!(with_mode(&socket, 0o600).starts_with("only its owner may"));
    assert_eq!(hint(Path::new("/nonexistent/dir/grantd.sock")), None);
}

#[test]
fn who_joined_a_group_since_the_login_is_told_so() {
    let groups = || vec!["ops".to_owned(), "db".to_owned()];
    let told = late(Fault::new(Kind::NoPolicy, "no policy lets alice"), groups);
    assert_eq!(
        told.remedy(),
        "ask the administrator of grantd for a policy; you joined ops, db after this login began, \
         and it counts from the next one: log in again, or `sg ops -c 'grantd …'`"
    );
    let none = late(Fault::new(Kind::NoPolicy, "no policy lets alice"), Vec::new);
    assert_eq!(none.hint, None);
    let other = late(Fault::new(Kind::KeyNotFound, "no key"), groups);
    assert_eq!(other.hint, None, "a group does not help there");
}
