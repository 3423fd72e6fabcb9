//! Copying between two links, both ways, no faster than the slower one reads.

/// Two links, named by `K`, between which bytes are copied unchanged.
///
/// The owner reports what it received ([`Pipe::copy`]) and what has left ([`Pipe::written`]), and sends, pauses and
/// resumes as it is told. In each direction no more is in flight (sent and not yet written) than the window and the one
/// piece that exceeded it: then the source is paused, until half of the window is free.
#[derive(Clone, Debug)]
pub struct Pipe<K> {
    window: usize,
    sides: [End<K>; 2],
    copied: u64,
}

#[derive(Clone, Debug)]
struct End<K> {
    link: K,
    /// Sent to this link and not yet written.
    in_flight: usize,
    /// Nothing is read from this link for now.
    paused: bool,
    /// This link sends no more.
    finished: bool,
}

impl<K: Copy> End<K> {
    const fn new(link: K) -> Self {
        Self { link, in_flight: 0, paused: false, finished: false }
    }
}

/// What to do with a piece that was received.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Copied<K> {
    /// Send it on this link.
    pub to: K,
    /// Stop reading from the link that it came from.
    pub pause: bool,
}

impl<K: Copy + Eq> Pipe<K> {
    /// A pipe between two different links, with a window in bytes for each direction. With a window of 0 or 1 a piece is
    /// read only after the one before has left.
    #[must_use]
    pub const fn new(window: usize, one: K, other: K) -> Self {
        Self { window, sides: [End::new(one), End::new(other)], copied: 0 }
    }

    /// A piece of `count` bytes was received. None if the link is not of this pipe or has finished: drop the piece.
    pub fn copy(&mut self, from: K, count: usize) -> Option<Copied<K>> {
        let window = self.window.max(1);
        let (source, target) = self.ends(from)?;
        if source.finished {
            return None;
        }
        target.in_flight = target.in_flight.saturating_add(count);
        let pause = !source.paused && target.in_flight >= window;
        source.paused |= pause;
        let to = target.link;
        self.copied = self.copied.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        Some(Copied { to, pause })
    }

    /// `count` bytes have left on `link`. The link to read from again, if there is one.
    pub fn written(&mut self, link: K, count: usize) -> Option<K> {
        let free_at = self.window / 2;
        let (target, source) = self.ends(link)?;
        target.in_flight = target.in_flight.saturating_sub(count);
        let resume = source.paused && !source.finished && target.in_flight <= free_at;
        source.paused &= !resume;
        resume.then_some(source.link)
    }

    /// `link` sends no more. The other one, which is to be told, the first time; what is in flight stays so.
    pub fn finish(&mut self, link: K) -> Option<K> {
        let (source, target) = self.ends(link)?;
        let is_news = !source.finished;
        source.finished = true;
        is_news.then_some(target.link)
    }

    /// Whether both have finished and nothing is in flight.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.sides.iter().all(|end| end.finished && end.in_flight == 0)
    }

    /// Bytes copied, both directions together.
    #[must_use]
    pub const fn copied(&self) -> u64 {
        self.copied
    }

    /// Bytes sent to `link` that have not left yet.
    #[must_use]
    pub fn in_flight(&self, link: K) -> usize {
        self.sides.iter().find(|end| end.link == link).map_or(0, |end| end.in_flight)
    }

    /// The two links.
    #[must_use]
    pub fn links(&self) -> [K; 2] {
        self.sides.each_ref().map(|end| end.link)
    }

    /// This end, and the one opposite.
    fn ends(&mut self, link: K) -> Option<(&mut End<K>, &mut End<K>)> {
        let [one, other] = &mut self.sides;
        if one.link == link { Some((one, other)) } else { (other.link == link).then_some((other, one)) }
    }
}
