use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::*;

#[test]
fn below_covers_its_range_evenly() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut counts = [0u32; 7];
    for _ in 0..7000 {
        counts[usize::try_from(below(&mut rng, 7)).unwrap()] += 1;
    }
    assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    assert_eq!((below(&mut rng, 0), below(&mut rng, 1)), (0, 0));
}

#[test]
fn choosing_from_nothing_gives_nothing() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    assert_eq!(pick::<u8>(&mut rng, &[]), None);
    choose_to_front::<u8>(&mut rng, &mut [], 3);
}

#[test]
fn choose_to_front_keeps_every_element() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut items = [0, 1, 2, 3, 4, 5, 6, 7];
    choose_to_front(&mut rng, &mut items, 4);
    let mut sorted = items;
    sorted.sort_unstable();
    assert_eq!(sorted, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_ne!(items, sorted, "seed 3 does move something");
}

#[test]
fn jitter_stays_within_its_share() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for _ in 0..1000 {
        let drawn = jitter(&mut rng, Duration::from_secs(10), 10);
        assert!(drawn >= Duration::from_secs(9) && drawn <= Duration::from_secs(11), "{drawn:?}");
    }
    assert_eq!(jitter(&mut rng, Duration::ZERO, 10), Duration::ZERO);
}
