use super::*;

/// What the command line tool sends, but for the salt.
fn usual() -> [u8; LENGTH] {
    let mut bytes = [0xa5; LENGTH];
    let head = [0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 2, 0, 4];
    bytes[..18].copy_from_slice(&head);
    bytes
}

#[test]
fn s3_the_usual_public() {
    let ciphers = [Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305];
    let public = Public::new(COUNT_DEFAULT, ciphers, [0xa5; 16]).unwrap();
    assert_eq!(public.encode(), usual());
    assert_eq!(Public::decode(&usual()), Ok(public));
    assert_eq!((public.count(), public.ciphers(), public.salt()), (16, ciphers, &[0xa5; 16]));
}

#[test]
fn s3_each_field_is_checked() {
    let cases = [
        (0, 1, PublicError::UnknownVersion),
        (1, 0, PublicError::UnknownVersion),
        (1, 2, PublicError::UnknownVersion),
        (2, 2, PublicError::UnknownKdf),
        (3, 1, PublicError::UnknownKdf),
        (12, 1, PublicError::UnknownCipher),
        (13, 3, PublicError::UnknownCipher),
        (15, 3, PublicError::UnknownCipher),
        (16, 4, PublicError::UnknownHash),
        (17, 5, PublicError::UnknownHash),
    ];
    for (at, value, error) in cases {
        let mut bytes = usual();
        bytes[at] = value;
        assert_eq!(Public::decode(&bytes), Err(error), "{value} at {at}");
    }
}

#[test]
fn s3_the_length_is_exact() {
    let long = [usual().as_slice(), &[0]].concat();
    for length in (0..LENGTH).chain([LENGTH + 1]) {
        assert_eq!(Public::decode(&long[..length]), Err(PublicError::BadLength), "{length}");
    }
}

#[test]
fn t34_the_count_is_bounded_both_ways() {
    for count in [0, 1, u64::from(COUNT_MAX), u64::from(COUNT_MAX) + 1, 1 << 32, (1 << 32) + 16, 1 << 63] {
        let mut bytes = usual();
        bytes[4..12].copy_from_slice(&count.to_be_bytes());
        let decoded = Public::decode(&bytes);
        if (1..=1_000_000).contains(&count) {
            let public = decoded.unwrap();
            assert_eq!((u64::from(public.count()), public.encode()), (count, bytes));
        } else {
            assert_eq!(decoded, Err(PublicError::CountOutOfRange), "{count}");
        }
    }
    let new = |count| Public::new(count, [Cipher::Aes256Gcm; 2], [0; 16]).map(|public| public.count());
    assert_eq!([new(0), new(COUNT_MAX + 1)], [Err(PublicError::CountOutOfRange); 2]);
    assert_eq!([new(1), new(COUNT_MAX)], [Ok(1), Ok(COUNT_MAX)]);
}

#[test]
fn s3_numbers_of_ciphers() {
    for (number, cipher) in
        [Cipher::Aes256Gcm, Cipher::Aes256Ccm, Cipher::ChaCha20Poly1305].into_iter().enumerate()
    {
        assert_eq!(usize::from(cipher.to_number()), number);
        assert_eq!(Cipher::from_number(cipher.to_number()), Some(cipher));
    }
    assert_eq!([3, 0x0100, 0xffff].map(Cipher::from_number), [None; 3]);
}
