//! How far a transfer has come: for people a bar or lines on stderr, for programs lines of JSON.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use pleach_core::bob::peer::Stage;
use serde_json::json;

use crate::cli::error::Failure;
use crate::cli::output::Output;

/// Lines of JSON about progress are at least so far apart.
const JSON_EVERY: Duration = Duration::from_millis(100);
/// Where nothing is redrawn, the same waiting is mentioned again after this time.
const WAITING_EVERY: Duration = Duration::from_secs(60);

const BAR: &str =
    "{msg} {percent:>3}% [{wide_bar:.green}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
const PLAIN_BAR: &str =
    "{msg} {percent:>3}% [{wide_bar}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
const SPINNER: &str = "{spinner} {wide_msg}";

/// When progress is shown to people.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum When {
    /// A bar, if stderr is a terminal
    #[default]
    Auto,
    /// A bar on a terminal, lines elsewhere
    Always,
    Never,
    /// A line for each tenth of the file
    Lines,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    Bar,
    Lines,
    /// Stages in words only.
    Words,
}

impl When {
    const fn form(self, terminal: bool) -> Form {
        match (self, terminal) {
            (Self::Auto | Self::Always, true) => Form::Bar,
            (Self::Always, false) | (Self::Lines, _) => Form::Lines,
            (Self::Auto, false) | (Self::Never, _) => Form::Words,
        }
    }
}

/// Shows one transfer.
pub(crate) struct Progress {
    output: Output,
    form: Form,
    /// Hidden where there is nothing to redraw.
    bar: ProgressBar,
    /// Whether a question is on the screen.
    is_hidden: bool,
    meter: Meter,
    started: Instant,
    last_json: Option<Instant>,
    /// What was last said about waiting, and when.
    waiting: Option<(String, Instant)>,
}

impl Progress {
    pub(crate) fn new(output: Output, when: When) -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let form = when.form(io::stderr().is_terminal() && !is_dumb && !output.quiet);
        let target =
            if form == Form::Bar { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target).with_style(style(SPINNER));
        Self {
            output,
            form,
            bar,
            is_hidden: false,
            meter: Meter::default(),
            started: Instant::now(),
            last_json: None,
            waiting: None,
        }
    }

    /// A word to the person, which stays above what is redrawn.
    pub(crate) fn note(&self, line: &str) {
        self.bar.suspend(|| self.output.note(line));
    }

    /// A stage begins.
    pub(crate) fn stage(&self, stage: Stage) -> Result<(), Failure> {
        tracing::debug!(stage = stage.name(), "stage");
        self.output.json("stage", json!({"stage": stage.name()}))
    }

    /// Nothing happens for so many seconds: what is waited for, and what may help.
    pub(crate) fn waiting(&mut self, state: &str, seconds: u64, hint: Option<&str>) {
        let line = format!("waiting for the other side ({state}, {seconds} s)");
        if self.form == Form::Bar {
            let hint = hint.map_or_else(String::new, |hint| format!("; {hint}"));
            if self.bar.is_finished() {
                self.bar.reset();
            }
            self.bar.set_message(format!("{line}{hint}"));
            return self.bar.tick();
        }
        let is_news = |(said, at): &(String, Instant)| said != state || at.elapsed() >= WAITING_EVERY;
        if self.waiting.as_ref().is_none_or(is_news) {
            self.waiting = Some((state.to_owned(), Instant::now()));
            self.note(&line);
            if let Some(hint) = hint {
                self.note(&format!("  hint: {hint}"));
            }
        }
    }

    /// Waiting is over, or a question comes on the screen: nothing is redrawn until there is something new.
    pub(crate) fn pause(&self) {
        self.bar.finish_and_clear();
    }

    /// A question comes on the screen, and stays there until it is answered: nothing is shown before [`Self::show`].
    pub(crate) fn hide(&mut self) {
        self.is_hidden = true;
        self.bar.finish_and_clear();
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
    }

    /// The question is answered.
    pub(crate) fn show(&mut self) {
        self.is_hidden = false;
        if self.form == Form::Bar {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// The content begins: so many bytes under this title.
    pub(crate) fn begin(&mut self, title: &'static str, total: u64) {
        self.meter = Meter::new(total);
        self.started = Instant::now();
        self.bar.set_length(total);
        self.bar.set_style(style(if self.output.color { BAR } else { PLAIN_BAR }));
        self.bar.set_message(title);
        self.bar.reset();
    }

    /// So many more bytes.
    pub(crate) fn advance(&mut self, bytes: u64) -> Result<(), Failure> {
        let tenths = self.meter.advance(bytes);
        self.bar.set_position(self.meter.done);
        if let (Form::Lines, false, Some(tenths)) = (self.form, self.is_hidden, tenths) {
            self.note(&format!(
                "{:>3}%  {} of {}, {}/s",
                tenths * 10,
                HumanBytes(self.meter.done),
                HumanBytes(self.meter.total),
                HumanBytes(self.speed()),
            ));
        }
        if self.output.json && self.last_json.is_none_or(|at| at.elapsed() >= JSON_EVERY) {
            self.last_json = Some(Instant::now());
            self.json()?;
        }
        Ok(())
    }

    /// It failed: nothing is redrawn any more, and what has come is told once more if any of it was told.
    pub(crate) fn give_up(&mut self) -> Result<(), Failure> {
        if self.last_json.is_some() {
            return self.end();
        }
        self.bar.finish_and_clear();
        Ok(())
    }

    /// No more content will come; the last line of JSON says how much it was.
    pub(crate) fn end(&mut self) -> Result<(), Failure> {
        self.hide();
        self.json()
    }

    fn json(&self) -> Result<(), Failure> {
        let Meter { done, total, .. } = self.meter;
        let fields = json!({"bytes": done, "total_bytes": total, "bytes_per_second": self.speed()});
        self.output.json("progress", fields)
    }

    /// What was transferred, in words.
    pub(crate) fn summary(&self) -> String {
        let seconds = self.started.elapsed().as_secs_f64();
        format!("{} in {seconds:.1} s, {}/s", HumanBytes(self.meter.done), HumanBytes(self.speed()))
    }

    /// Bytes a second since the content began.
    fn speed(&self) -> u64 {
        let micros = self.started.elapsed().as_micros().max(1);
        let speed = u128::from(self.meter.done).saturating_mul(1_000_000) / micros;
        u64::try_from(speed).unwrap_or(u64::MAX)
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// Counts what has come of a whole.
#[derive(Clone, Copy, Debug, Default)]
struct Meter {
    done: u64,
    total: u64,
    tenths: u64,
}

impl Meter {
    const fn new(total: u64) -> Self {
        Self { done: 0, total, tenths: 0 }
    }

    /// The tenths that are complete now, if there are more of them than before.
    fn advance(&mut self, bytes: u64) -> Option<u64> {
        self.done = self.done.saturating_add(bytes);
        let tenths =
            u128::from(self.done).saturating_mul(10).checked_div(u128::from(self.total)).unwrap_or(10);
        let tenths = u64::try_from(tenths.min(10)).unwrap_or(10);
        let is_more = tenths > self.tenths;
        self.tenths = tenths;
        is_more.then_some(tenths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tenth_is_told_once_however_the_content_comes() {
        let told = |total: u64, piece: u64| {
            let mut meter = Meter::new(total);
            let pieces = 0..total.div_ceil(piece);
            pieces.filter_map(|at| meter.advance(piece.min(total - at * piece))).collect::<Vec<_>>()
        };
        assert_eq!(told(1000, 1), (1..=10).collect::<Vec<_>>());
        assert_eq!(told(1000, 250), [2, 5, 7, 10]);
        assert_eq!(told(3, 1), [3, 6, 10]);
        assert_eq!(told(u64::MAX, u64::MAX), [10]);
    }

    #[test]
    fn a_bar_is_only_drawn_on_a_terminal() {
        for (when, on_terminal, elsewhere) in [
            (When::Auto, Form::Bar, Form::Words),
            (When::Always, Form::Bar, Form::Lines),
            (When::Never, Form::Words, Form::Words),
            (When::Lines, Form::Lines, Form::Lines),
        ] {
            assert_eq!((when.form(true), when.form(false)), (on_terminal, elsewhere));
        }
    }
}
