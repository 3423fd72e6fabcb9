use super::*;
use rand_core::Rng;

#[test]
fn streams_differ_by_seed_domain_and_node() {
    let first = |seed, domain, node| {
        (stream(seed, domain, node).next_u64(), Small::new(seed, domain, node).next_u64())
    };
    let words = [
        first(0, Domain::Link, 0),
        first(1, Domain::Link, 0),
        first(0, Domain::Churn, 0),
        first(0, Domain::Link, 1),
        first(0, Domain::Link, 256),
    ];
    for (index, word) in words.iter().enumerate() {
        assert!(words.iter().skip(index + 1).all(|other| other.0 != word.0 && other.1 != word.1));
    }
}

#[test]
fn the_small_generator_is_even_enough() {
    let mut rng = Small::new(3, Domain::Machine, 9);
    let mut ones = [0u32; 64];
    for _ in 0..4096 {
        let word = rng.next_u64();
        for (bit, count) in ones.iter_mut().enumerate() {
            *count += u32::from(word >> bit & 1 == 1);
        }
    }
    // 4096 fair coins: 2048 +- 32 each; six deviations on either side.
    assert!(ones.iter().all(|count| (1856..2240).contains(count)), "{ones:?}");
    let mut bytes = [0; 13];
    rng.fill_bytes(&mut bytes);
    assert_ne!(bytes[8..], [0; 5]);
}
