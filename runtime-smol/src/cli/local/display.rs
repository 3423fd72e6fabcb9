//! The live table on stderr; where that is no terminal, a line for each phase.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::time::Duration;

use super::ledger::Tally;
use super::network::Fate;
use crate::cli::output::{Output, to_stderr};

/// Columns and rows of a terminal that does not tell.
const USUAL_SIZE: (usize, usize) = (80, 24);
/// Lines of the table around its rows of nodes.
const FIXED_LINES: usize = 9;
/// Columns of one node.
const CELL: usize = 20;
/// How often a line is written where there is no table.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// What is shown.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) phase: &'static str,
    pub(super) elapsed: Duration,
    pub(super) live: usize,
    pub(super) components: usize,
    pub(super) asymmetric_links: usize,
    pub(super) dead_links: usize,
    pub(super) view_sizes: (usize, usize),
    pub(super) active_capacity: usize,
    pub(super) tally: Tally,
    pub(super) rows: Vec<Row>,
}

/// One node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) fate: Fate,
    pub(super) active: usize,
    pub(super) heads: usize,
    pub(super) received: usize,
}

/// Shows frames.
pub(super) struct Display {
    mode: Mode,
    color: bool,
    /// Lines of the table as it stands.
    drawn: usize,
    last_line: Duration,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mode {
    Table,
    Lines,
    Silent,
}

impl Display {
    pub(super) fn new(output: Output) -> Self {
        let mode = match (output.quiet, io::stderr().is_terminal()) {
            (true, _) => Mode::Silent,
            (false, true) => Mode::Table,
            (false, false) => Mode::Lines,
        };
        Self { mode, color: output.color, drawn: 0, last_line: Duration::ZERO }
    }

    /// A phase begins.
    pub(super) fn begin(&mut self, frame: &Frame) {
        match self.mode {
            Mode::Table => self.draw(frame),
            Mode::Lines => self.line(frame, "begins"),
            Mode::Silent => {}
        }
    }

    /// The present state.
    pub(super) fn draw(&mut self, frame: &Frame) {
        match self.mode {
            Mode::Table => self.table(frame),
            Mode::Lines if frame.elapsed >= self.last_line + LINE_EVERY => self.line(frame, "goes on"),
            Mode::Lines | Mode::Silent => {}
        }
    }

    /// A phase is over.
    pub(super) fn end(&mut self, frame: &Frame, ok: bool) {
        match self.mode {
            Mode::Table => self.draw(frame),
            Mode::Lines => self.line(frame, if ok { "is done" } else { "is not done in time" }),
            Mode::Silent => {}
        }
    }

    /// The last frame stays.
    pub(super) fn finish(&mut self, frame: &Frame) {
        if self.mode == Mode::Table {
            self.table(frame);
            to_stderr("\n");
            self.drawn = 0;
        }
    }

    fn line(&mut self, frame: &Frame, what: &str) {
        self.last_line = frame.elapsed;
        to_stderr(&format!(
            "{:>6.1} s  {} {what}: {} live, {} components, {} asymmetric links, {} of {} delivered\n",
            frame.elapsed.as_secs_f64(),
            frame.phase,
            frame.live,
            frame.components,
            frame.asymmetric_links,
            frame.tally.delivered,
            frame.tally.expected,
        ));
    }

    fn table(&mut self, frame: &Frame) {
        let mut text = String::new();
        if self.drawn > 0 {
            let _ = write!(text, "\x1b[{}A\r", self.drawn);
        }
        let lines = lines(frame, size(), self.color);
        for line in &lines {
            // To the end of the line, what stood there before is cleared.
            let _ = writeln!(text, "{line}\x1b[K");
        }
        text.push_str("\x1b[J");
        self.drawn = lines.len();
        to_stderr(&text);
    }
}

fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        Ok(_) | Err(_) => USUAL_SIZE,
    }
}

/// The lines of the table for a terminal of these columns and rows.
fn lines(frame: &Frame, (columns, rows): (usize, usize), color: bool) -> Vec<String> {
    let (smallest, largest) = frame.view_sizes;
    let mut lines = vec![
        format!("phase      {:<16} {:>6.1} s", frame.phase, frame.elapsed.as_secs_f64()),
        format!("nodes      {} live of {}", frame.live, frame.rows.len()),
        format!(
            "overlay    {} components, {} asymmetric links, {} links to the dead",
            frame.components, frame.asymmetric_links, frame.dead_links,
        ),
        format!("views      {smallest} to {largest} neighbours, at most {}", frame.active_capacity),
        format!("delivered  {} of {}", frame.tally.delivered, frame.tally.expected),
        String::new(),
    ];
    let across = (columns / CELL).clamp(1, frame.rows.len().max(1));
    let needed = frame.rows.len().div_ceil(across);
    let down = needed.min(rows.saturating_sub(FIXED_LINES).max(1));
    lines.push("node act heads got  ".repeat(across).trim_end().to_owned());
    // A line that wrapped would be two to the next drawing. (Cells are as wide as they are said to be.)
    lines.iter_mut().for_each(|line| *line = line.chars().take(columns).collect());
    for line in 0..down {
        let cells = (0..across).filter_map(|column| {
            let node = column * down + line;
            frame.rows.get(node).map(|row| cell(node, row, color))
        });
        lines.push(cells.collect::<String>());
    }
    if across * down < frame.rows.len() {
        lines.push(format!("and {} more", frame.rows.len() - across * down));
    }
    lines
}

fn cell(node: usize, row: &Row, color: bool) -> String {
    let (text, style) = match row.fate {
        Fate::Live => {
            (format!("{node:>4} {:>3} {:>5} {:>3}", row.active, row.heads, row.received), "\x1b[32m")
        }
        Fate::Killed => (format!("{node:>4} killed"), "\x1b[31m"),
        Fate::Frozen => (format!("{node:>4} frozen"), "\x1b[36m"),
    };
    let padded = format!("{text:<CELL$}");
    if color { format!("{style}{padded}\x1b[0m") } else { padded }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(nodes: usize) -> Frame {
        let row = |node| Row {
            fate: if node % 3 == 0 { Fate::Killed } else { Fate::Live },
            active: 5,
            heads: 31,
            received: 126,
        };
        Frame {
            phase: "heal",
            elapsed: Duration::from_millis(12_340),
            live: nodes,
            components: 1,
            asymmetric_links: 0,
            dead_links: 0,
            view_sizes: (4, 5),
            active_capacity: 5,
            tally: Tally::default(),
            rows: (0..nodes).map(row).collect(),
        }
    }

    #[test]
    fn the_table_fits_its_terminal() {
        for (nodes, size) in
            [(4, (80, 24)), (32, (80, 24)), (100, (80, 24)), (1000, (200, 50)), (32, (30, 10))]
        {
            let lines = lines(&frame(nodes), size, false);
            assert!(lines.len() < size.1, "{nodes} nodes: {} lines", lines.len());
            let text = lines.join("\n");
            let shown = (0..nodes).filter(|node| {
                let row = frame(nodes).rows[*node];
                text.contains(cell(*node, &row, false).trim_end())
            });
            let hidden = nodes - shown.count();
            assert_eq!(text.contains(&format!("and {hidden} more")), hidden > 0, "{nodes} nodes\n{text}");
        }
    }
}
