//! Random choices: unbiased, from the generator a machine is lent, over ordered containers only.

use core::time::Duration;

use rand_core::Rng;

/// A number below `bound`, uniformly; 0 when `bound` is 0.
pub fn below(rng: &mut (impl Rng + ?Sized), bound: u64) -> u64 {
    if bound < 2 {
        return 0;
    }
    // Lemire's method: the high half of a product, with the few values that would bias it drawn again.
    let threshold = bound.wrapping_neg() % bound;
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(bound);
        let (high, low) = halves(product);
        if low >= threshold {
            return high;
        }
    }
}

/// An index below `len`, or none if there is nothing to choose from.
pub fn index(rng: &mut (impl Rng + ?Sized), len: usize) -> Option<usize> {
    let drawn = below(rng, u64::try_from(len).ok()?);
    if len == 0 { None } else { usize::try_from(drawn).ok() }
}

/// One element, uniformly.
pub fn pick<'a, T>(rng: &mut (impl Rng + ?Sized), items: &'a [T]) -> Option<&'a T> {
    items.get(index(rng, items.len())?)
}

/// Moves `count` random elements, in random order, to the front; all of them when there are no more.
pub fn choose_to_front<T>(rng: &mut (impl Rng + ?Sized), items: &mut [T], count: usize) {
    for front in 0..count.min(items.len()) {
        if let Some(offset) = index(rng, items.len() - front) {
            items.swap(front, front + offset);
        }
    }
}

/// `duration` changed by up to `percent` in either direction, uniformly.
pub fn jitter(rng: &mut (impl Rng + ?Sized), duration: Duration, percent: u32) -> Duration {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let spread = micros / 100 * u64::from(percent.min(100));
    let offset = below(rng, spread.saturating_mul(2).saturating_add(1));
    Duration::from_micros(micros.saturating_sub(spread).saturating_add(offset))
}

/// A duration below `bound`, uniformly.
pub fn up_to(rng: &mut (impl Rng + ?Sized), bound: Duration) -> Duration {
    Duration::from_micros(below(rng, u64::try_from(bound.as_micros()).unwrap_or(u64::MAX)))
}

fn halves(product: u128) -> (u64, u64) {
    let high = u64::try_from(product >> 64).unwrap_or(u64::MAX);
    let low = u64::try_from(product & u128::from(u64::MAX)).unwrap_or(u64::MAX);
    (high, low)
}

#[cfg(test)]
mod tests;
