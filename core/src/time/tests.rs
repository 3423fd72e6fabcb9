use super::*;

#[test]
fn arithmetic_saturates_at_both_ends() {
    assert_eq!(Instant::FAR_FUTURE + Duration::MAX, Instant::FAR_FUTURE);
    assert_eq!(Instant::ORIGIN - Duration::from_secs(1), Instant::ORIGIN);
    assert_eq!(Instant::ORIGIN.since(Instant::FAR_FUTURE), Duration::ZERO);
    assert_eq!(WallTime::from_unix_ms(u64::MAX) + Duration::MAX, WallTime::from_unix_ms(u64::MAX));
}

#[test]
fn units_are_micros_and_millis() {
    assert_eq!((Instant::ORIGIN + Duration::from_millis(2)).as_micros(), 2000);
    assert_eq!((WallTime::from_unix_ms(5) + Duration::from_secs(1)).unix_ms(), 1005);
    assert_eq!(WallTime::from_unix_ms(1999).unix_seconds(), 1);
}
