//! Tests the providers on real files, variables and commands.

use std::fs;

use keyfob_core::{KeyVersion, SeededRandom, Timestamp, Ttl};
use keyfob_seal::KeyProvider;
use keyfob_seal::NewKey;

use super::*;

fn ring() -> KeyRing {
    KeyRing::generate(Timestamp::default(), &SeededRandom::new(1)).unwrap()
}

#[tokio::test]
async fn a_file_is_written_and_read_and_read_again_after_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let keys = FileKeys::new(folder.path().join("keys"));
    assert_eq!(keys.ring().await.unwrap_err().code(), "key_ring_unreadable");
    keys.create(&ring()).unwrap();
    assert_eq!(keys.ring().await.unwrap(), ring());
    let mut changed = ring();
    changed.retire(KeyVersion::PLAINTEXT).unwrap();
    assert_eq!(keys.create(&changed).unwrap_err().code(), "key_ring_unwritable", "the file exists");
    let mut change = keys.change().unwrap();
    change.ring = changed.clone();
    change.commit().unwrap();
    assert_eq!(keys.ring().await.unwrap(), changed);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_others_can_access_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let keys = FileKeys::new(&path);
    keys.create(&ring()).unwrap();
    let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    for exposed in [0o640, 0o604, 0o620, 0o602, 0o610, 0o777] {
        mode(exposed);
        let error = keys.ring().await.unwrap_err();
        assert_eq!(error.code(), "key_ring_exposed", "{exposed:o}");
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    for own in [0o600, 0o400] {
        mode(own);
        assert!(keys.ring().await.is_ok(), "{own:o}");
    }
}

#[tokio::test]
async fn an_invalid_ring_is_refused_and_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    assert!(FileKeys::new(folder.path()).ring().await.is_err(), "a folder is not a key file");
    for bytes in [&b"swordfish"[..], &[0xff, 0xfe], &vec![b'#'; 2 << 20]] {
        let bytes = Zeroizing::new(bytes.to_vec());
        let error = parse("the file", bytes).unwrap_err();
        assert!(!error.to_string().contains("swordfish"), "{error}");
    }
    assert_eq!(
        EnvKeys::new("KEYFOB_NO_SUCH").ring().await.unwrap_err().code(),
        "key_ring_unreadable"
    );
}

#[test]
fn utf_16_is_refused_by_its_name() {
    let text = ring().to_text();
    let units = [0xfeff].into_iter().chain(text.encode_utf16());
    let little: Vec<u8> = units.clone().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = units.flat_map(u16::to_be_bytes).collect();
    for bytes in [little, big] {
        let error = parse("the file", Zeroizing::new(bytes)).unwrap_err();
        assert!(error.to_string().contains("UTF-16"), "{error}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_ring_from_a_command_may_have_crlf_and_a_byte_order_mark() {
    let text = format!("\u{feff}{}\r\n", ring().to_text().replace('\n', "\r\n"));
    let keys = CommandKeys::new("printf", ["%s", &text]);
    assert_eq!(keys.ring().await.unwrap(), ring());
}

#[cfg(unix)]
#[tokio::test]
async fn a_ring_is_read_from_the_output_of_a_command() {
    let text = ring().to_text();
    let keys = CommandKeys::new("printf", ["%s", &text]);
    assert_eq!(keys.ring().await.unwrap(), ring());
    assert!(!format!("{keys:?}").contains("terms 1"), "arguments may be secrets");
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_that_fails_or_hangs_is_an_error_in_time() {
    let no_arguments: [&str; 0] = [];
    let missing = CommandKeys::new("/no/such/command", no_arguments);
    assert_eq!(missing.ring().await.unwrap_err().code(), "key_ring_unreadable");
    let failing = CommandKeys::new("sh", ["-c", "echo key 1; exit 3"]);
    let error = failing.ring().await.unwrap_err();
    assert_eq!(error.code(), "key_ring_unreadable");
    assert!(error.to_string().contains('3'), "{error}");
    let hanging = CommandKeys::new("sleep", ["60"]).limit(Ttl::from_millis(50).unwrap());
    assert_eq!(hanging.ring().await.unwrap_err().code(), "key_ring_timed_out");
}

#[test]
fn a_second_concurrent_change_is_refused_and_no_change_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let keys = FileKeys::new(folder.path().join("keys"));
    keys.create(&ring()).unwrap();
    let add = |ring: &mut KeyRing, seed| {
        ring.add(NewKey::Sealing, Timestamp::default(), &SeededRandom::new(seed)).unwrap()
    };
    let mut first = keys.change().unwrap();
    let refused = keys.change().unwrap_err();
    assert_eq!(refused.code(), "key_ring_unwritable");
    assert!(refused.to_string().contains("keys.new"), "{refused}");
    let second = add(&mut first.ring, 2);
    first.commit().unwrap();
    let mut next = keys.change().unwrap();
    let third = add(&mut next.ring, 3);
    assert_eq!((second.value(), third.value()), (2, 3), "the second change has seen the first");
    drop(next);
    assert_eq!(keys.read().unwrap().keys().count(), 3, "a dropped change is not written");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    // A file that another process left is not deleted.
    let left = folder.path().join("keys.new");
    fs::write(&left, "").unwrap();
    assert!(keys.change().is_err());
    assert!(left.exists());
}

#[cfg(unix)]
#[test]
fn a_change_through_a_link_replaces_the_file_that_the_link_names() {
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir_all(path("real/inner")).unwrap();
    fs::create_dir(path("links")).unwrap();
    let real = FileKeys::new(path("real/inner/ring"));
    real.create(&ring()).unwrap();
    // As Kubernetes lays out a secret: a link to a file below a linked folder.
    symlink("../real", path("links/..data")).unwrap();
    symlink("..data/inner/ring", path("links/ring")).unwrap();
    symlink(path("links/ring"), path("link")).unwrap();
    let link = FileKeys::new(path("link"));
    let random = SeededRandom::new(2);

    let mut change = link.change().unwrap();
    change.ring.add(NewKey::Sealing, Timestamp::default(), &random).unwrap();
    let refused = real.change().unwrap_err();
    assert_eq!(refused.code(), "key_ring_unwritable", "both paths lead to one lock");
    let expected = change.ring.clone();
    change.commit().unwrap();

    assert_eq!((real.read().unwrap(), link.read().unwrap()), (expected.clone(), expected));
    for name in ["link", "links/ring", "links/..data"] {
        assert!(fs::symlink_metadata(path(name)).unwrap().is_symlink(), "{name} is still a link");
    }
    assert_eq!(fs::read_dir(path("real/inner")).unwrap().count(), 1, "no temporary file is left");

    let change = link.change().unwrap();
    fs::remove_file(path("link")).unwrap();
    symlink(path("elsewhere"), path("link")).unwrap();
    assert_eq!(change.commit().unwrap_err().code(), "key_ring_unwritable", "the link was moved");
}

#[cfg(unix)]
#[test]
fn a_ring_is_created_where_a_link_leads() {
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("real")).unwrap();
    symlink("real/ring", path("link")).unwrap();
    FileKeys::new(path("link")).create(&ring()).unwrap();
    assert_eq!(FileKeys::new(path("real/ring")).read().unwrap(), ring());
    assert!(FileKeys::new(path("link")).create(&ring()).is_err(), "it exists now");

    symlink("nowhere/ring", path("lost")).unwrap();
    let refused = FileKeys::new(path("lost")).create(&ring()).unwrap_err().to_string();
    assert!(refused.contains("there is no folder") && refused.contains("nowhere"), "{refused}");
    symlink("circle", path("circle")).unwrap();
    let circle = FileKeys::new(path("circle"));
    assert_eq!(circle.create(&ring()).unwrap_err().code(), "key_ring_unreadable");
    assert_eq!(circle.change().unwrap_err().code(), "key_ring_unreadable");
}

#[cfg(unix)]
#[test]
fn a_change_keeps_the_mode_and_refuses_a_file_with_a_second_name() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ring");
    let keys = FileKeys::new(&path);
    keys.create(&ring()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    keys.change().unwrap().commit().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o400);

    fs::hard_link(&path, folder.path().join("second")).unwrap();
    let refused = keys.change().unwrap_err().to_string();
    assert!(refused.contains("2 names"), "{refused}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file is left");
}
