//! The machine that runs plans.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::fmt::Debug;

use super::{Attempt, Config, Input, Output, Place, Surroundings, plan};
use crate::bounded::{Bucket, Recent};
use crate::deadline::Deadlines;
use crate::ip::{Class, Prefix};
use crate::machine::{Context, Machine};
use crate::stats::{count, count_by};
use crate::time::Instant;

crate::counters! {
    /// What was dialled and what was not.
    pub struct Stats {
        /// Attempts begun.
        started,
        /// Attempts that failed.
        failed,
        /// Attempts that took too long.
        timed_out,
        /// Attempts that were aborted as another was faster, or nobody needed them.
        aborted,
        /// Dials that ended with a link.
        won,
        /// Dials that ended without.
        exhausted,
        /// Attempts not made as their target had been dialled too often.
        shed_targets,
        /// Dials refused as too many keys were being dialled.
        shed_keys,
        /// Places dropped as a key had too many.
        shed_places,
        /// Targets whose dials were forgotten early.
        shed_rates,
    }
}

/// Dials of all peers of a node.
#[derive(Clone, Debug)]
pub struct Dialler<K> {
    config: Config,
    surroundings: Surroundings,
    dials: BTreeMap<K, Dial>,
    attempts: BTreeMap<Attempt, K>,
    next_attempt: u64,
    timers: Deadlines<K>,
    /// Keys with an attempt that is due but for which there is no room among all attempts, in order of arrival.
    queue: VecDeque<K>,
    targets: Recent<Prefix, Bucket>,
    /// The latest moment seen (L5).
    latest: Instant,
    stats: Stats,
}

#[derive(Clone, Debug)]
struct Dial {
    /// What is to come, in order of time.
    schedule: VecDeque<(Instant, Place)>,
    running: BTreeMap<Attempt, Running>,
    /// No attempt begins before this.
    hold: Option<Instant>,
    queued: bool,
}

#[derive(Clone, Debug)]
struct Running {
    place: Place,
    opened: bool,
    start: Instant,
}

impl<K: Copy + Debug + Ord> Dialler<K> {
    /// Nothing to dial yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let refilled = config.target_interval.saturating_mul(config.target_burst);
        Self {
            targets: Recent::new(config.targets_max, refilled),
            config,
            surroundings: Surroundings::default(),
            dials: BTreeMap::new(),
            attempts: BTreeMap::new(),
            next_attempt: 0,
            timers: Deadlines::new(),
            queue: VecDeque::new(),
            latest: Instant::ORIGIN,
            stats: Stats::default(),
        }
    }

    /// Whether this key is being dialled, or waits for its turn.
    #[must_use]
    pub fn is_dialling(&self, key: K) -> bool {
        self.dials.contains_key(&key)
    }

    /// For whom the attempt is, while it runs.
    #[must_use]
    pub fn key(&self, attempt: Attempt) -> Option<K> {
        self.attempts.get(&attempt).copied()
    }

    /// How many attempts run.
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.attempts.len()
    }

    /// How many keys are being dialled or wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.dials.len()
    }

    /// Whether nothing is being dialled.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dials.is_empty()
    }

    /// What was done.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    fn on_dial(&mut self, key: K, mut places: Vec<Place>, cx: &mut Context<'_, Output<K>>) {
        if self.dials.contains_key(&key) {
            return;
        }
        if self.dials.len() >= self.config.keys_max {
            count(&mut self.stats.shed_keys);
            return cx.emit(Output::Exhausted { key });
        }
        count_by(&mut self.stats.shed_places, places.len().saturating_sub(self.config.places_max));
        places.truncate(self.config.places_max);
        let schedule = plan(&self.config.delays, &self.surroundings, &places);
        let schedule = schedule.into_iter().map(|(delay, place)| (cx.now() + delay, place)).collect();
        self.dials.insert(key, Dial { schedule, running: BTreeMap::new(), hold: None, queued: false });
        self.advance(key, cx);
    }

    fn on_cancel(&mut self, key: K, cx: &mut Context<'_, Output<K>>) {
        self.end(key, None, cx);
        self.serve_queue(cx);
    }

    fn on_opened(&mut self, attempt: Attempt, cx: &mut Context<'_, Output<K>>) {
        let Some(key) = self.key(attempt) else { return };
        let Some(dial) = self.dials.get_mut(&key) else { return };
        if let Some(running) = dial.running.get_mut(&attempt) {
            running.opened = true;
        }
        dial.hold = Some(cx.now() + self.config.delays.hold);
        self.advance(key, cx);
    }

    fn on_completed(&mut self, attempt: Attempt, cx: &mut Context<'_, Output<K>>) {
        let Some(key) = self.key(attempt) else { return };
        let Some(running) = self.dials.get_mut(&key).and_then(|dial| dial.running.remove(&attempt)) else {
            return;
        };
        self.attempts.remove(&attempt);
        count(&mut self.stats.won);
        self.end(key, None, cx);
        cx.emit(Output::Won { key, attempt, place: running.place });
        self.serve_queue(cx);
    }

    /// The attempt failed: the next one that is scheduled begins at once.
    fn on_failed(&mut self, attempt: Attempt, cx: &mut Context<'_, Output<K>>) {
        let Some(key) = self.lose(attempt, cx) else { return };
        self.advance(key, cx);
        self.serve_queue(cx);
    }

    fn lose(&mut self, attempt: Attempt, cx: &mut Context<'_, Output<K>>) -> Option<K> {
        let key = self.attempts.remove(&attempt)?;
        let dial = self.dials.get_mut(&key)?;
        let running = dial.running.remove(&attempt)?;
        count(&mut self.stats.failed);
        if !dial.running.values().any(|other| other.opened) {
            dial.hold = None;
        }
        if let Some((at, _)) = dial.schedule.front_mut() {
            *at = (*at).min(cx.now());
        }
        cx.emit(Output::Lost { key, place: running.place });
        Some(key)
    }

    /// Ends the attempts of a key that took too long, and begins those that are due.
    fn on_due(&mut self, key: K, cx: &mut Context<'_, Output<K>>) {
        let now = cx.now();
        let Some(dial) = self.dials.get(&key) else { return };
        let late = dial.running.iter().filter(|(_, running)| running.deadline(&self.config) <= now);
        for attempt in late.map(|(attempt, _)| *attempt).collect::<Vec<_>>() {
            count(&mut self.stats.timed_out);
            cx.emit(Output::Abort { attempt });
            self.lose(attempt, cx);
        }
        self.advance(key, cx);
    }

    /// Begins what is due and permitted, then sets the next deadline; ends the dial when nothing is left.
    fn advance(&mut self, key: K, cx: &mut Context<'_, Output<K>>) {
        let now = cx.now();
        let mut waits = false;
        while let Some(dial) = self.dials.get_mut(&key) {
            dial.hold = dial.hold.filter(|hold| *hold > now);
            let due = dial.schedule.front().is_some_and(|(at, _)| *at <= now);
            if !due || dial.hold.is_some() || dial.running.len() >= self.config.attempts_per_key.max(1) {
                break;
            }
            if self.attempts.len() >= self.config.attempts_max.max(1) {
                waits = true;
                break;
            }
            if let Some((_, place)) = dial.schedule.pop_front() {
                self.start(key, place, cx);
            }
        }
        let Some(dial) = self.dials.get_mut(&key) else { return };
        if dial.running.is_empty() && dial.schedule.is_empty() {
            return self.end(key, Some(Output::Exhausted { key }), cx);
        }
        if waits && !dial.queued {
            dial.queued = true;
            self.queue.push_back(key);
        }
        let at = dial.deadline(&self.config, waits);
        self.timers.set(key, at);
    }

    fn start(&mut self, key: K, place: Place, cx: &mut Context<'_, Output<K>>) {
        if !self.may_dial(&place, cx.now()) {
            // As if it had failed: the next one begins at once.
            count(&mut self.stats.shed_targets);
            if let Some((at, _)) = self.dials.get_mut(&key).and_then(|dial| dial.schedule.front_mut()) {
                *at = (*at).min(cx.now());
            }
            return;
        }
        let attempt = Attempt(self.next_attempt);
        self.next_attempt = self.next_attempt.saturating_add(1);
        self.attempts.insert(attempt, key);
        if let Some(dial) = self.dials.get_mut(&key) {
            let running = Running { place: place.clone(), opened: false, start: cx.now() };
            dial.running.insert(attempt, running);
        }
        count(&mut self.stats.started);
        cx.emit(Output::Start { attempt, key, place });
    }

    fn may_dial(&mut self, place: &Place, now: Instant) -> bool {
        let exempt = !self.config.enforce_loopback && place.route.class() == Some(Class::Loopback);
        let Some(ip) = place.route.ip().filter(|_| !exempt) else { return true };
        let target = Prefix::new(ip, 32, 128);
        let fresh = Bucket::new(self.config.target_burst, self.config.target_interval);
        let mut bucket = self.targets.get(now, &target).copied().unwrap_or(fresh);
        let granted = bucket.take(now);
        if granted && self.targets.insert(now, target, bucket).is_some() {
            count(&mut self.stats.shed_rates);
        }
        granted
    }

    /// Aborts what runs for the key and forgets it.
    fn end(&mut self, key: K, last: Option<Output<K>>, cx: &mut Context<'_, Output<K>>) {
        let Some(dial) = self.dials.remove(&key) else { return };
        self.timers.remove(&key);
        if dial.queued {
            self.queue.retain(|other| *other != key);
        }
        for attempt in dial.running.into_keys() {
            self.attempts.remove(&attempt);
            count(&mut self.stats.aborted);
            cx.emit(Output::Abort { attempt });
        }
        if let Some(last) = last {
            count(&mut self.stats.exhausted);
            cx.emit(last);
        }
    }

    /// Gives freed room to those who waited for it longest.
    fn serve_queue(&mut self, cx: &mut Context<'_, Output<K>>) {
        while self.attempts.len() < self.config.attempts_max.max(1) {
            let Some(key) = self.queue.pop_front() else { break };
            if let Some(dial) = self.dials.get_mut(&key) {
                dial.queued = false;
            }
            self.advance(key, cx);
        }
    }
}

impl<K: Copy + Debug + Ord> Machine for Dialler<K> {
    type Input = Input<K>;
    type Output = Output<K>;

    fn handle(&mut self, input: Input<K>, cx: &mut Context<'_, Output<K>>) {
        let cx = &mut cx.not_before(&mut self.latest);
        match input {
            Input::Dial { key, places } => self.on_dial(key, places, cx),
            Input::Cancel { key } => self.on_cancel(key, cx),
            Input::Opened { attempt } => self.on_opened(attempt, cx),
            Input::Completed { attempt } => self.on_completed(attempt, cx),
            Input::Failed { attempt } => self.on_failed(attempt, cx),
            Input::Surroundings(surroundings) => self.surroundings = surroundings,
        }
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_, Output<K>>) {
        let early = self.poll_timeout().is_none_or(|due| due > cx.now().max(self.latest));
        if early {
            return;
        }
        let cx = &mut cx.not_before(&mut self.latest);
        while let Some(key) = self.timers.pop_due(cx.now()) {
            self.on_due(key, cx);
        }
        self.serve_queue(cx);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }
}

impl Dial {
    /// The next attempt, if nothing but time is in its way, or the first that will have taken too long.
    fn deadline(&self, config: &Config, waits: bool) -> Option<Instant> {
        let late = self.running.values().map(|running| running.deadline(config)).min();
        let blocked = waits || self.running.len() >= config.attempts_per_key.max(1);
        let next = self
            .schedule
            .front()
            .filter(|_| !blocked)
            .map(|(at, _)| self.hold.map_or(*at, |hold| hold.max(*at)));
        crate::deadline::earliest(late, next)
    }
}

impl Running {
    fn deadline(&self, config: &Config) -> Instant {
        let limit = if self.opened { config.complete } else { config.open.min(config.complete) };
        self.start + limit
    }
}
