//! A host waits for one deadline at a time.

use super::*;

/// Has something to do each second, and sooner when told so.
#[derive(Debug)]
struct Ticker {
    due: Instant,
    sooner: Option<Instant>,
    ticks: u64,
}

impl Machine for Ticker {
    type Input = Input<()>;
    type Output = Output<()>;

    fn handle(&mut self, input: Self::Input, cx: &mut Context<'_, Self::Output>) {
        if input == Input::Command(()) {
            self.sooner = Some(cx.now() + Duration::from_millis(1));
        }
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_, Self::Output>) {
        self.sooner = None;
        if self.due <= cx.now() {
            self.ticks += 1;
            self.due = cx.now() + Duration::from_secs(1);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Some(self.sooner.unwrap_or(self.due))
    }
}

struct Deaf;

impl Observer<(), Infallible, Infallible> for Deaf {
    fn event(&mut self, _at: Instant, _node: u32, _event: ()) {}

    fn asked(&mut self, _at: Instant, _node: u32, question: Infallible) -> Option<Infallible> {
        match question {}
    }
}

#[test]
fn a_deadline_that_came_forward_leaves_no_wake_up_behind() {
    let mut net = Net::new(0, Latency::new(0, Duration::ZERO, Duration::ZERO), DeadDials::Silent);
    let second = Instant::from_micros(1_000_000);
    let node = net.add(Ticker { due: second, sooner: None, ticks: 0 }, 0);
    for ms in 0..50 {
        net.command(node, ());
        net.run_until(Instant::from_micros(ms * 10_000), &mut Deaf);
    }
    net.run_until(Instant::from_micros(10_500_000), &mut Deaf);
    assert_eq!(net.machine(node).map(|machine| machine.ticks), Some(10));
    assert_eq!(net.queue.len(), 1, "one wake-up waits");
}
