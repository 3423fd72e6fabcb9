//! A machine small enough to be seen through, and its broken siblings: flaw 1 breaks L1, flaw 2 L2, and so on; flaws
//! above 10 break the law of their last digit in another way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pleach_core::{Context, Instant, Machine, rng};
use pleach_tests::choices::Choices;
use pleach_tests::laws::Subject;
use pleach_tests::variants;

const PERIOD: Duration = Duration::from_secs(5);
const SECRET: [u8; 32] = *b"\x91\x02not for the eyes of strangers!";

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Input {
    Light,
    Echo(u8),
    Stop,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output {
    Flash(u64),
    Echo(u8),
    Stopped,
}

/// Once lit, flashes every five seconds or so; echoes; stops for good.
#[derive(Default)]
pub(crate) struct Beacon<const FLAW: usize> {
    due: Option<Instant>,
    latest: Instant,
    stopped: bool,
    early: u64,
    hoard: Vec<u8>,
}

/// What the process has seen: no machine may look at such a thing.
static GLOBAL: AtomicU64 = AtomicU64::new(0);

impl<const FLAW: usize> std::fmt::Debug for Beacon<FLAW> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Beacon");
        shown.field("due", &self.due);
        if FLAW == 8 {
            shown.field("secret", &SECRET);
        }
        shown.finish_non_exhaustive()
    }
}

impl<const FLAW: usize> Beacon<FLAW> {
    fn flash(&mut self, cx: &mut Context<'_, Output>) {
        let noise = if FLAW == 1 { GLOBAL.fetch_add(1, Ordering::Relaxed) } else { self.early };
        let drawn = cx.rng().next_u64();
        cx.emit(Output::Flash(noise.wrapping_add(drawn)));
        let period = rng::jitter(cx.rng(), PERIOD, 10);
        self.due = Some(if FLAW == 3 { cx.now() } else { self.latest.max(cx.now()) + period });
    }
}

impl<const FLAW: usize> Machine for Beacon<FLAW> {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, input: Input, cx: &mut Context<'_, Output>) {
        if FLAW == 15 {
            assert!(cx.now() >= self.latest, "time went back");
        }
        self.latest = self.latest.max(cx.now());
        match input {
            _ if self.stopped && FLAW != 7 => {}
            Input::Light => self.flash(cx),
            Input::Echo(count) => {
                assert!(FLAW != 12 || count != 0, "nothing to echo");
                if FLAW == 2 {
                    self.hoard.extend([count; 64]);
                }
                let times = if FLAW == 6 { u16::from(count) * 2 } else { u16::from(count) };
                (0..times).for_each(|_| cx.emit(Output::Echo(count)));
            }
            Input::Stop => {
                self.stopped = true;
                self.due = None;
                cx.emit(Output::Stopped);
            }
        }
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_, Output>) {
        let went_back = FLAW == 5 && self.due.is_some() && cx.now() < self.latest;
        if self.due.is_some_and(|due| due <= cx.now()) || went_back {
            self.flash(cx);
        } else if FLAW == 4 {
            cx.rng().next_u64();
        } else if FLAW == 14 {
            self.early += 1;
        }
        self.latest = self.latest.max(cx.now());
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if FLAW == 9 { vec![self.due?].into_iter().min() } else { self.due }
    }
}

pub(crate) type Sound = Flawed<0>;

/// Drives the beacon with this flaw; 0 is none.
pub(crate) struct Flawed<const FLAW: usize>;

impl<const FLAW: usize> Subject for Flawed<FLAW> {
    type Input = Input;
    type Output = Output;
    type Machine = Beacon<FLAW>;

    const NAME: &'static str = "beacon";
    const STATES: &'static [&'static str] = &["dark", "lit", "stopped"];

    fn build(_choices: &mut Choices<'_>) -> (Self, Beacon<FLAW>) {
        (Self, Beacon::default())
    }

    fn generate(&mut self, choices: &mut Choices<'_>) -> Input {
        match choices.byte() {
            0..250 => Input::Echo(choices.byte() % 4),
            250..254 => Input::Light,
            _ => Input::Stop,
        }
    }

    fn observe(&mut self, _output: &Output) {}

    variants! { INPUTS, input_name(Input): Input::Light => "Light", Input::Echo(_) => "Echo", Input::Stop => "Stop" }
    variants! { OUTPUTS, output_name(Output):
    Output::Flash(_) => "Flash", Output::Echo(_) => "Echo", Output::Stopped => "Stopped" }

    fn state(&self, machine: &Beacon<FLAW>) -> &'static str {
        match (machine.stopped, machine.due) {
            (true, _) => "stopped",
            (false, Some(_)) => "lit",
            (false, None) => "dark",
        }
    }

    fn outputs_max(&self, input: Option<&Input>) -> usize {
        match input {
            Some(Input::Echo(count)) => usize::from(*count),
            _ => 1,
        }
    }

    fn memory_max(&self) -> usize {
        1024
    }

    fn closes(_input: Option<&Input>, outputs: &[Output]) -> bool {
        outputs.contains(&Output::Stopped)
    }

    fn secrets(&self) -> Vec<Vec<u8>> {
        vec![SECRET.to_vec()]
    }
}
