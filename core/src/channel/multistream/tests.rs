use alloc::format;
use alloc::string::ToString;
use alloc::vec;

use super::*;

const LINE: &str = "/multistream/1.0.0";

fn lines(texts: &[&str]) -> BytesMut {
    let mut out = BytesMut::new();
    for text in texts {
        encode(text, &mut out);
    }
    out
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// Feeds `input` cut at `split` to a listener that supports `supported`.
fn listen(input: &[u8], split: usize, supported: &[&str]) -> (Result<Progress, MultistreamError>, BytesMut) {
    let mut out = BytesMut::new();
    let mut negotiation = Negotiation::listener(&mut out);
    let (first, second) = input.split_at(split);
    let mut piece = Bytes::copy_from_slice(first);
    let mut later = Some(Bytes::copy_from_slice(second));
    loop {
        let progress = negotiation.receive(piece, |name| supported.contains(&name), &mut out);
        match (progress, later.take()) {
            (Ok(Progress::Pending), Some(next)) => piece = next,
            (Ok(Progress::Agreed { protocol, rest }), next) => {
                let rest = [&rest[..], &next.unwrap_or_default()].concat().into();
                return (Ok(Progress::Agreed { protocol, rest }), out);
            }
            (progress, _) => return (progress, out),
        }
    }
}

#[test]
fn s2_1_messages_have_the_published_bytes() {
    assert_eq!(lines(&[LINE])[..], *b"\x13/multistream/1.0.0\n");
    assert_eq!(lines(&["na", "/noise"])[..], *b"\x03na\n\x07/noise\n");
}

#[test]
fn s2_1_the_listener_echoes_what_it_supports_however_the_bytes_are_cut() {
    let input = [&lines(&[LINE, "/tls/1.0.0", "ls", "/noise"])[..], b"early data"].concat();
    for split in 0..=input.len() {
        let (progress, out) = listen(&input, split, &["/noise"]);
        let agreed = Progress::Agreed { protocol: "/noise".into(), rest: Bytes::from_static(b"early data") };
        assert_eq!(progress, Ok(agreed), "split at {split}");
        assert_eq!(out, lines(&[LINE, "na", "na", "/noise"]));
    }
}

#[test]
fn s2_1_the_dialler_proposes_in_order_and_gives_up() {
    let mut out = BytesMut::new();
    let mut dialler = Negotiation::dialler(names(&["/one", "/two"]), &mut out);
    assert_eq!(out.split(), lines(&[LINE, "/one"]));
    let never = |_: &str| false;
    assert_eq!(dialler.receive(lines(&[LINE, "na"]).freeze(), never, &mut out), Ok(Progress::Pending));
    assert_eq!(out.split(), lines(&["/two"]));
    let mut answer = lines(&["/two"]);
    answer.extend_from_slice(b"next");
    let agreed = Progress::Agreed { protocol: "/two".into(), rest: Bytes::from_static(b"next") };
    assert_eq!(dialler.receive(answer.freeze(), never, &mut out), Ok(agreed));

    let mut dialler = Negotiation::dialler(names(&["/one"]), &mut out);
    out.clear();
    assert_eq!(dialler.receive(lines(&[LINE, "na"]).freeze(), never, &mut out), Ok(Progress::Declined));
    assert!(out.is_empty());
}

#[test]
fn s2_1_a_dialler_refuses_an_answer_that_it_did_not_ask_for() {
    for (answer, error) in [
        (lines(&[LINE, "/other"]), MultistreamError::WrongAnswer),
        (lines(&["/one"]), MultistreamError::NoHeader),
        (lines(&["na"]), MultistreamError::NoHeader),
        (lines(&[LINE, LINE]), MultistreamError::SecondHeader),
    ] {
        let mut out = BytesMut::new();
        let mut dialler = Negotiation::dialler(names(&["/one"]), &mut out);
        assert_eq!(dialler.receive(answer.freeze(), |_| false, &mut out), Err(error));
    }
}

#[test]
fn t38_sixteen_proposals_and_no_more() {
    for (count, expected) in [(15, true), (16, true), (17, false)] {
        let mut input = lines(&[LINE]);
        for number in 1..count {
            encode(&format!("/unknown/{number}"), &mut input);
        }
        encode("/noise", &mut input);
        let (progress, out) = listen(&input, 0, &["/noise"]);
        assert_eq!(progress.is_ok(), expected, "{count}");
        assert!(out.len() <= 20 + 16 * 8, "answers are bounded");
    }
    let mut out = BytesMut::new();
    let many = Negotiation::dialler(vec!["/x".into(); 17], &mut out);
    assert!(matches!(many.side, Side::Dialler(left) if left.len() == 16));
}

#[test]
fn t38_messages_of_1024_bytes_and_no_longer() {
    for (length, fits) in [(1022, true), (1023, true), (1024, false)] {
        let input = lines(&[LINE, &"x".repeat(length)]);
        let (progress, _) = listen(&input, 0, &[]);
        assert_eq!(progress.is_ok(), fits, "{length} and a newline");
    }
    let (progress, _) = listen(&[&lines(&[LINE])[..], &[0xff; 10]].concat(), 0, &[]);
    assert_eq!(progress, Err(MultistreamError::Frame(FrameError::Oversize)));
}

#[test]
fn t38_one_header_and_it_comes_first() {
    for (input, error) in [
        (lines(&["/noise"]), MultistreamError::NoHeader),
        (lines(&["/multistream/2.0.0"]), MultistreamError::NoHeader),
        (lines(&[LINE, LINE]), MultistreamError::SecondHeader),
        (BytesMut::from(&[0][..]), MultistreamError::Malformed),
        (BytesMut::from(&[2, b'x', b'y'][..]), MultistreamError::Malformed),
        (BytesMut::from(&[2, 0xff, b'\n'][..]), MultistreamError::Malformed),
    ] {
        assert_eq!(listen(&input, 0, &["/noise"]).0, Err(error));
    }
}
