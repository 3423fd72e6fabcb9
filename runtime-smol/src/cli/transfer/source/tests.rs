use std::fs;
use std::path::PathBuf;

use super::*;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, content: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("pleach-source-{name}-{}", std::process::id()));
        fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// What `read` hands over, and how it ends.
fn read(source: Source) -> (Vec<u8>, Result<(), &'static str>) {
    let (sender, pieces) = async_channel::unbounded();
    let outcome = source.read(&sender).map_err(|failure| failure.code);
    drop(sender);
    let mut content = Vec::new();
    while let Ok(piece) = pieces.recv_blocking() {
        content.extend_from_slice(&piece);
    }
    (content, outcome)
}

#[test]
fn every_byte_is_read_in_order_whatever_the_size() {
    for size in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
        let content: Vec<u8> = (0..=250).cycle().take(size).collect();
        let scratch = Scratch::new("order", &content);
        let source = Source::open(&scratch.0, None).unwrap();
        assert_eq!(source.size, size as u64);
        assert_eq!(source.name.as_bytes(), scratch.0.file_name().unwrap().as_encoded_bytes());
        assert_eq!(read(source), (content, Ok(())), "{size}");
    }
}

#[test]
fn a_file_that_changes_its_size_fails_before_its_last_piece_leaves() {
    for (size, later) in [(10, 9), (10, 11), (0, 1), (PIECE + 10, PIECE), (PIECE + 10, PIECE + 11)] {
        let scratch = Scratch::new("changes", &vec![1; size]);
        let source = Source::open(&scratch.0, None).unwrap();
        fs::write(&scratch.0, vec![1; later]).unwrap();
        let (content, outcome) = read(source);
        assert_eq!(outcome, Err("file-changed"), "{size} {later}");
        assert!(content.len() <= size.saturating_sub(1), "{size} {later}");
    }
}

#[test]
fn what_is_no_file_is_refused_with_the_way_out() {
    let folder = Source::open(&std::env::temp_dir(), None).unwrap_err();
    assert_eq!((folder.exit, folder.code), (Exit::Local, "is-a-folder"));
    assert!(folder.hint.unwrap().starts_with("send an archive of it: tar -czf "));
    assert_eq!(Source::open(Path::new("/dev/null"), None).unwrap_err().code, "is-no-file");
    assert_eq!(Source::open(Path::new("/nowhere/at/all"), None).unwrap_err().code, "no-such-file");
}

#[test]
fn a_file_may_travel_under_another_name_but_not_under_any() {
    let scratch = Scratch::new("name", b"x");
    assert_eq!(Source::open(&scratch.0, Some("other.txt")).unwrap().name.as_bytes(), b"other.txt");
    for bad in ["", "a/b", "..", "a\nb", "nul"] {
        let failure = Source::open(&scratch.0, Some(bad)).unwrap_err();
        assert_eq!((failure.exit, failure.code), (Exit::Usage, "bad-name"), "{bad:?}");
    }
}

#[test]
fn samples_tell_whether_a_file_can_be_compressed() {
    let mut state = 1u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    };
    let noise: Vec<u8> = (0..500_000).map(|_| noise()).collect();
    let text = b"the quick brown fox ".repeat(25_000);
    for (content, expected) in [
        (&noise[..], false),
        (&noise[..1000], false),
        (&noise[..30_000], false),
        (&noise[..100_000], false),
        (&noise[..145_000], false),
        (&text[..], true),
        (&text[..1000], true),
        (b"", false),
        (b"x", false),
    ] {
        let scratch = Scratch::new("samples", content);
        let source = Source::open(&scratch.0, None).unwrap();
        assert_eq!(source.is_compressible, expected, "{}", content.len());
        assert_eq!(read(source).0, content, "the samples are read again");
    }
}
