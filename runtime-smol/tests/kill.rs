//! A process that is killed in the middle of writing loses nothing that was confirmed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use bytes::Bytes;
use pleach_smol::store::{FileStore, Record, Store};

const FILE: &str = "PLEACH_TEST_STORE";

/// Runs in the child process only: writes one record after the other and says so after each.
#[test]
fn child_writes_until_killed() {
    let Some(file) = std::env::var_os(FILE) else { return };
    let store = FileStore::open(Path::new(&file)).unwrap();
    for number in 0u64.. {
        let value = Some(Bytes::copy_from_slice(&number.to_le_bytes()));
        store.write(&[Record { key: format!("ban/{number}"), value }]).unwrap();
        println!("\nkept {number}");
    }
}

#[test]
fn a_killed_process_keeps_every_confirmed_record() {
    let file = std::env::temp_dir().join(format!("pleach-kill-{}.redb", std::process::id()));
    let mut confirmed = 0;
    for enough in [1, 7, 30] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_writes_until_killed", "--nocapture"])
            .env(FILE, &file)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let kept = lines.filter_map(|line| line.strip_prefix("kept ")?.parse::<u64>().ok());
        confirmed = confirmed.max(kept.take(enough).last().unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        let store = FileStore::open(&file).unwrap();
        for number in 0..=confirmed {
            let record = store.load(&format!("ban/{number}")).unwrap();
            assert_eq!(record.as_deref(), Some(&number.to_le_bytes()[..]), "record {number}");
        }
    }
    std::fs::remove_file(&file).unwrap();
}
