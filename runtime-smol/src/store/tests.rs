use std::fs;
use std::path::PathBuf;

use super::*;

/// A directory of its own for one test, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pleach-store-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn record(key: &str, value: &str) -> Record {
    Record { key: key.into(), value: Some(Bytes::copy_from_slice(value.as_bytes())) }
}

fn exercise(store: &dyn Store) {
    store.write(&[record("b", "2"), record("a", "1"), record("c", "3")]).unwrap();
    store.write(&[Record { key: "c".into(), value: None }, record("a", "one")]).unwrap();
    assert_eq!(store.load("a").unwrap().as_deref(), Some(&b"one"[..]));
    assert_eq!(store.load("c").unwrap(), None);
    let all = store.all().unwrap();
    assert_eq!(all, [("a".to_owned(), Bytes::from("one")), ("b".to_owned(), Bytes::from("2"))]);
}

#[test]
fn both_stores_keep_replace_and_drop_records() {
    exercise(&MemoryStore::new());
    let scratch = Scratch::new("both");
    let file = scratch.file("store.redb");
    exercise(&FileStore::open(&file).unwrap());
    assert_eq!(FileStore::open(&file).unwrap().all().unwrap().len(), 2, "after opening again");
}

#[test]
fn t_70_a_damaged_record_costs_that_record() {
    let scratch = Scratch::new("damaged");
    let store = FileStore::open(&scratch.file("store.redb")).unwrap();
    store.write(&[record("good", "kept")]).unwrap();
    let mut damaged = [&4u32.to_le_bytes()[..], blake3::hash(b"else").as_bytes(), b"bad!"].concat();
    store.plant("wrong hash", &damaged, 1);
    damaged.truncate(20);
    store.plant("short", &damaged, 1);
    store.plant("empty", &[], 1);
    assert_eq!(store.load("wrong hash").unwrap(), None);
    assert_eq!(store.all().unwrap(), [("good".to_owned(), Bytes::from("kept"))]);
}

#[test]
fn a_record_under_another_key_is_damaged() {
    let scratch = Scratch::new("moved");
    let store = FileStore::open(&scratch.file("store.redb")).unwrap();
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"ban/alice\0x");
    let record = [&1u32.to_le_bytes()[..], hasher.finalize().as_bytes(), b"x"].concat();
    store.plant("ban/alice", &record, 1);
    store.plant("ban/bob", &record, 1);
    assert_eq!(store.load("ban/alice").unwrap().as_deref(), Some(&b"x"[..]));
    assert_eq!(store.load("ban/bob").unwrap(), None);
}

#[test]
fn a_store_of_a_newer_version_is_left_alone() {
    let scratch = Scratch::new("newer");
    let file = scratch.file("store.redb");
    FileStore::open(&file).unwrap().plant("key", b"in a new way", 2);
    let error = FileStore::open(&file).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 2, known: 1, .. }), "{error}");
    assert!(error.to_string().contains("newer version"));
}

#[test]
fn a_file_that_is_no_store_is_left_alone() {
    let scratch = Scratch::new("foreign");
    let file = scratch.file("store.redb");
    for content in [&b"not a store at all, but somebody's letter"[..], &[0xA5; 10_000]] {
        fs::write(&file, content).unwrap();
        let error = FileStore::open(&file).unwrap_err();
        assert!(matches!(error, StoreError::Unreadable { .. }), "{error}");
        assert_eq!(fs::read(&file).unwrap(), content, "nothing was overwritten");
    }
}

#[test]
fn a_store_in_use_says_so() {
    let scratch = Scratch::new("in-use");
    let file = scratch.file("store.redb");
    let _open = FileStore::open(&file).unwrap();
    assert!(matches!(FileStore::open(&file).unwrap_err(), StoreError::InUse { .. }));
}

#[test]
fn t_70_any_flipped_byte_is_noticed_or_harmless() {
    let scratch = Scratch::new("flipped");
    let file = scratch.file("store.redb");
    FileStore::open(&file)
        .unwrap()
        .write(&[record("ban/alice", "for good"), record("ban/bob", "1 h")])
        .unwrap();
    let whole = fs::read(&file).unwrap();
    let used: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).step_by(2).collect();
    for at in used {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        let Ok(store) = FileStore::on_bytes(&flipped) else { continue };
        let Ok(all) = store.all() else { continue };
        for (key, value) in all {
            let expected = if key == "ban/alice" { "for good" } else { "1 h" };
            assert!(key.starts_with("ban/") && value == expected, "byte {at}: {key:?} = {value:?}");
        }
    }
}
