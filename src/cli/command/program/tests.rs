use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn a_command_is_found_as_a_shell_finds_it() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("a"), dir.path().join("b"));
    for (place, mode) in [(&first, 0o644), (&second, 0o755)] {
        std::fs::create_dir(place).unwrap();
        std::fs::write(place.join("tool"), "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(place.join("tool"), PermissionsExt::from_mode(mode)).unwrap();
    }
    std::fs::create_dir(first.join("dir")).unwrap();
    let paths = |all: &[&Path]| std::env::join_paths(all).unwrap();
    let both = paths(&[&first, &second]);
    let exit = |name: &OsStr, path: &OsStr| find_in(name, path).map_err(|missing| missing.exit);
    assert_eq!(exit("tool".as_ref(), &both), Ok(second.join("tool")), "the first cannot be run");
    assert_eq!(exit("tool".as_ref(), &paths(&[&first])), Err(126));
    assert_eq!(exit("tooth".as_ref(), &both), Err(127));
    assert_eq!(exit("dir".as_ref(), &both), Err(127), "a directory is no command");
    assert_eq!(exit(second.join("tool").as_ref(), &both), Ok(second.join("tool")));
    assert_eq!(exit(first.join("tool").as_ref(), &both), Err(126));
    assert_eq!(exit(first.join("dir").as_ref(), &both), Err(126));
    assert_eq!(exit(first.join("none").as_ref(), &both), Err(127));
    assert_eq!(exit("".as_ref(), &both), Err(127));
}
