use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::*;

/// Counts down and then says so, drawing one number each time.
struct Countdown {
    left: u32,
    due: Option<Instant>,
}

impl Machine for Countdown {
    type Input = u32;
    type Output = u64;

    fn handle(&mut self, input: u32, cx: &mut Context<'_, u64>) {
        self.left = input;
        self.due = Some(cx.now() + core::time::Duration::from_secs(1));
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_, u64>) {
        if self.due.is_some_and(|due| due <= cx.now()) {
            self.due = None;
            let drawn = cx.rng().next_u64();
            cx.emit(drawn);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }
}

fn at(micros: u64) -> At {
    At { now: Instant::from_micros(micros), wall: WallTime::default() }
}

#[test]
fn driver_clamps_time_that_goes_back() {
    let mut driver = Driver::new(Countdown { left: 0, due: None }, ChaCha8Rng::seed_from_u64(1));
    driver.handle(at(5_000_000), 3);
    driver.handle(at(1), 4);
    assert_eq!(driver.poll_timeout(), Some(Instant::from_micros(6_000_000)));
    assert_eq!(driver.machine().left, 4);
}

#[test]
fn driver_keeps_outputs_in_order_until_taken() {
    let mut driver = Driver::new(Countdown { left: 0, due: None }, ChaCha8Rng::seed_from_u64(1));
    driver.handle(at(0), 1);
    driver.handle_timeout(at(999_999));
    assert_eq!(driver.poll_output(), None, "an early time-out does nothing");
    driver.handle_timeout(at(1_000_000));
    assert!(driver.poll_output().is_some());
    assert_eq!(driver.poll_output(), None);
}

#[test]
fn scope_lifts_and_capture_collects() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut sink: Vec<(char, u64)> = Vec::new();
    let mut cx = Context::new(at(9), &mut rng, &mut sink);
    cx.scope(|number| ('a', number), |child| child.emit(1));
    let mut collected = Vec::new();
    cx.capture(&mut collected, |child: &mut Context<'_, u64>| child.emit(2));
    cx.emit(('b', collected[0]));
    assert_eq!(sink, [('a', 1), ('b', 2)]);
}

#[test]
fn a_context_not_before_the_latest_stands_still_when_time_goes_back() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut outputs: Vec<()> = Vec::new();
    let mut latest = Instant::ORIGIN;
    for (now, expected) in [(5, 5), (3, 5), (6, 6)] {
        let mut cx = Context::new(at(now), &mut rng, &mut outputs);
        assert_eq!(cx.not_before(&mut latest).now(), Instant::from_micros(expected));
    }
}
