use alloc::string::ToString;

use super::super::name::{Name, NameError};

fn refused(bytes: &[u8]) -> NameError {
    Name::try_from(bytes).expect_err("it is refused")
}

#[test]
fn s9_base_names_are_taken_as_they_are() {
    let names: [&[u8]; 14] = [
        b"a",
        b"hedge.tar.gz",
        b"with space",
        b".hidden",
        b"...x",
        b"-rf",
        b"12:30.log",
        b"\xff\xfe not UTF-8",
        "Grüße 世界".as_bytes(),
        b"CONSOLE",
        b"com",
        b"COM10",
        b"xNUL.txt",
        b"LPT\xb9",
    ];
    for bytes in names {
        assert_eq!(
            Name::try_from(bytes).unwrap().as_bytes(),
            bytes,
            "{:?}",
            bytes.escape_ascii().to_string()
        );
    }
}

#[test]
fn s9_a_name_does_not_lead_to_another_folder() {
    for bytes in [b"/".as_slice(), b"a/b", b"/etc/passwd", b"../up", b"a\\b", b"\\\\host\\share"] {
        assert_eq!(refused(bytes), NameError::Separator);
    }
    assert_eq!(refused(b"."), NameError::Special);
    assert_eq!(refused(b".."), NameError::Special);
    assert_eq!(refused(b""), NameError::Empty);
    assert_eq!(refused(b"C:x"), NameError::Drive);
    assert_eq!(refused(b"z:"), NameError::Drive);
}

#[test]
fn s9_the_limit_of_a_name_holds_at_its_edge() {
    for (length, fits) in [(254, true), (255, true), (256, false)] {
        let name = Name::try_from([b'n'; 256].get(..length).unwrap());
        assert_eq!(name.err(), (!fits).then_some(NameError::TooLong));
    }
}

#[test]
fn untrusted_text_has_no_control_characters() {
    for byte in (0..=0x1f).chain([0x7f]) {
        assert_eq!(refused(&[b'a', byte, b'b']), NameError::Control, "{byte}");
        assert_eq!(refused(&[0xff, byte, b'b']), NameError::Control, "{byte}, not UTF-8");
    }
    assert_eq!(refused("a\u{9b}2J".as_bytes()), NameError::Control);
}

#[test]
fn untrusted_text_has_no_reserved_names() {
    let names = [
        "CON",
        "con",
        "Prn",
        "AUX",
        "nul",
        "NUL.txt",
        "nul.tar.gz",
        "COM0",
        "com1",
        "COM9.log",
        "LPT1",
        "lpt9",
        "CON .txt",
        "CONIN$",
        "conout$",
        "COM\u{b9}",
        "lpt\u{b3}.x",
    ];
    for name in names {
        assert_eq!(refused(name.as_bytes()), NameError::Reserved, "{name}");
    }
    for name in ["a.", "a ", "CON.", "nul ", "..."] {
        assert_eq!(refused(name.as_bytes()), NameError::Ending, "{name}");
    }
}
