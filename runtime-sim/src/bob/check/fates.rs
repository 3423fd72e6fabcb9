//! A pair with the right password ends with identical bytes, or with a clear failure on both sides, in time.

use std::fmt;

use bytes::Bytes;
use pleach_core::Instant;
use serde::Serialize;

use super::Broken;
use crate::bob::plan::{Pair, Part, Person};
use crate::clock::millis;

/// What became of somebody.
#[derive(Clone, Debug)]
pub(in crate::bob) struct Fate {
    /// Who it is.
    pub(in crate::bob) person: Person,
    /// When it came.
    pub(in crate::bob) came: Instant,
    /// Its host was stopped.
    pub(in crate::bob) stopped: bool,
    /// What it said last, and when.
    pub(in crate::bob) ended: Option<(Instant, End)>,
}

/// How it ended for somebody.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::bob) enum End {
    /// The file was sent.
    Sent {
        /// The receiver has said that it has it.
        confirmed: bool,
    },
    /// The file was received and kept.
    Kept {
        /// Its name.
        name: Vec<u8>,
        /// Its content.
        content: Bytes,
    },
    /// Neither, and why.
    Failed(String),
}

/// In words: who, and what it said last.
impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.person.part {
            Part::Sends => "sender: ",
            Part::Receives { right: true, .. } => "receiver: ",
            Part::Receives { right: false, .. } => "receiver with a wrong password: ",
        })?;
        match &self.ended {
            None if self.stopped => f.write_str("stopped"),
            None => f.write_str("never ended"),
            Some((_, End::Sent { confirmed: true })) => f.write_str("sent, confirmed"),
            Some((_, End::Sent { confirmed: false })) => f.write_str("sent, not confirmed"),
            Some((_, End::Kept { .. })) => f.write_str("kept"),
            Some((_, End::Failed(why))) => f.write_str(why),
        }
    }
}

/// How it ended for a pair.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// The file came over, and both know.
    Complete,
    /// Both know that it did not.
    Failed,
    /// The receiver has the file, and the sender knows only that it may.
    Unconfirmed,
    /// The file was sent, and whether it was received its sender does not know: it was not.
    Lost,
}

/// What may have happened to a pair.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in crate::bob) struct Circumstances {
    /// Somebody of it stopped, a stranger went into its room, or the relay stopped.
    pub(in crate::bob) disturbed: bool,
    /// The relay changed what it copied.
    pub(in crate::bob) lied_to: bool,
}

/// How long a complete transfer took, in milliseconds: from when both the sender that was confirmed and the receiver that
/// has the file had come. Others of the pair may come when it is over.
pub(in crate::bob) fn took(fates: &[Fate]) -> Option<u64> {
    let sent = fates.iter().filter_map(|fate| match &fate.ended {
        Some((at, End::Sent { confirmed: true })) => Some((*at, fate.came)),
        Some((_, End::Sent { confirmed: false } | End::Kept { .. } | End::Failed(_))) | None => None,
    });
    let kept = fates.iter().filter_map(|fate| match &fate.ended {
        Some((at, End::Kept { .. })) => Some((*at, fate.came)),
        Some((_, End::Sent { .. } | End::Failed(_))) | None => None,
    });
    let ((over, sender), (_, receiver)) = sent.min().zip(kept.min())?;
    Some(millis(sender.max(receiver), over))
}

/// Judges a pair.
pub(in crate::bob) fn judge(
    number: usize,
    pair: &Pair,
    fates: &[Fate],
    circumstances: Circumstances,
    broken: &mut Broken,
) -> Ending {
    let mut say = |what: String| broken.note(|| format!("pair {number}: {what}"));
    let (mut kept, mut confirmed, mut sent, mut senders, mut stopped) = (0, 0, 0, 0, false);
    for fate in fates {
        let Person { part, deadline, .. } = fate.person;
        stopped |= fate.stopped;
        senders += usize::from(part == Part::Sends);
        match &fate.ended {
            None if fate.stopped => {}
            None => say(format!("{part:?} has not ended")),
            Some((at, _)) if *at > deadline => {
                let late = millis(deadline, *at);
                say(format!("{part:?} ended {late} ms too late"));
            }
            Some(_) => {}
        }
        match (&fate.ended, part) {
            (Some((_, End::Kept { name, content })), Part::Receives { right, .. }) => {
                kept += 1;
                if !right {
                    say("somebody with a wrong password has received the file".to_owned());
                }
                if content != &pair.content || name != pair.name.as_bytes() {
                    say("a file was received that was not sent".to_owned());
                }
            }
            (Some((_, End::Sent { confirmed: is_confirmed })), Part::Sends) => {
                sent += 1;
                confirmed += usize::from(*is_confirmed);
            }
            (Some((_, End::Failed(_))) | None, _) => {}
            (Some(_), _) => say(format!("{part:?} ended as only the other can")),
        }
    }
    if kept > senders {
        say(format!("{kept} have received what {senders} have sent"));
    }
    // Who stops may have kept it without having said so to anybody but its partner.
    if confirmed > kept && !stopped {
        say("a receiver is said to have the file, and has not".to_owned());
    }
    // What was sent to somebody who stopped may be lost without anybody's knowledge.
    if circumstances.lied_to && (kept + confirmed > 0 || sent > 0 && !stopped) {
        say("the relay changed the file, and it was taken for whole".to_owned());
    }
    let result = match (kept > 0, confirmed > 0, sent > 0) {
        (true, true, _) => Ending::Complete,
        (true, false, _) => Ending::Unconfirmed,
        (false, _, true) => Ending::Lost,
        (false, _, false) => Ending::Failed,
    };
    if !circumstances.disturbed && matches!(result, Ending::Unconfirmed | Ending::Lost) {
        say(format!("{result:?}, though nothing has happened to it"));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use pleach_core::bob::Compression;
    use std::time::Duration;

    const RECEIVES: Part = Part::Receives { right: true, refuses: 0, thinks: Duration::ZERO, pause: None };

    fn pair() -> Pair {
        let content = Bytes::from_static(b"content");
        let name = "file".to_owned();
        Pair { password: b"word".to_vec(), name, content, compression: Compression::None }
    }

    fn fate(part: Part, end: Option<End>) -> Fate {
        let person = Person { pair: 0, part, deadline: Instant::from_micros(100) };
        Fate {
            person,
            came: Instant::ORIGIN,
            stopped: false,
            ended: end.map(|end| (Instant::from_micros(100), end)),
        }
    }

    fn kept(content: &'static [u8]) -> Option<End> {
        Some(End::Kept { name: b"file".to_vec(), content: content.into() })
    }

    fn failed() -> Option<End> {
        Some(End::Failed("it broke".to_owned()))
    }

    const SENT: Option<End> = Some(End::Sent { confirmed: true });
    const SENT_BLINDLY: Option<End> = Some(End::Sent { confirmed: false });

    fn judged(fates: &[Fate], disturbed: bool, lied_to: bool) -> (Ending, usize) {
        let mut broken = Broken::new();
        let result = judge(0, &pair(), fates, Circumstances { disturbed, lied_to }, &mut broken);
        (result, broken.into_vec().len())
    }

    fn of(sender: Option<End>, receiver: Option<End>) -> [Fate; 2] {
        [fate(Part::Sends, sender), fate(RECEIVES, receiver)]
    }

    #[test]
    fn good_ends() {
        assert_eq!(judged(&of(SENT, kept(b"content")), false, false), (Ending::Complete, 0));
        assert_eq!(judged(&of(failed(), failed()), false, false), (Ending::Failed, 0));
        assert_eq!(judged(&of(failed(), failed()), true, true), (Ending::Failed, 0));
        assert_eq!(judged(&of(failed(), kept(b"content")), true, false), (Ending::Unconfirmed, 0));
        assert_eq!(judged(&of(SENT_BLINDLY, failed()), true, false), (Ending::Lost, 0));
        let mut lost = of(SENT_BLINDLY, None);
        lost[1].stopped = true;
        assert_eq!(judged(&lost, true, true), (Ending::Lost, 0));
        let mut crashed = of(None, failed());
        crashed[0].stopped = true;
        assert_eq!(judged(&crashed, true, false), (Ending::Failed, 0));
    }

    #[test]
    fn every_broken_promise_is_noticed() {
        for (fates, disturbed, lied_to) in [
            (of(SENT, kept(b"contents")), true, false),
            (of(SENT, failed()), true, false),
            (of(None, failed()), true, false),
            (of(failed(), None), true, false),
            (of(failed(), kept(b"content")), false, false),
            (of(SENT_BLINDLY, failed()), false, false),
            (of(failed(), kept(b"content")), true, true),
            (of(SENT_BLINDLY, failed()), true, true),
            (of(kept(b"content"), failed()), true, false),
        ] {
            assert_eq!(judged(&fates, disturbed, lied_to).1, 1, "{fates:?}");
        }
        let mut late = of(failed(), failed());
        late[0].ended = Some((Instant::from_micros(101), End::Failed(String::new())));
        assert_eq!(judged(&late, true, false).1, 1);
        let wrong = Part::Receives { right: false, refuses: 0, thinks: Duration::ZERO, pause: None };
        let robbed = [fate(Part::Sends, SENT), fate(wrong, kept(b"content"))];
        assert_eq!(judged(&robbed, false, false).1, 1);
        let twice =
            [fate(Part::Sends, SENT), fate(RECEIVES, kept(b"content")), fate(RECEIVES, kept(b"content"))];
        assert_eq!(judged(&twice, true, false).1, 1);
        let other_name = Some(End::Kept { name: b"life".to_vec(), content: pair().content });
        assert_eq!(judged(&of(SENT, other_name), true, false).1, 1);
    }
}
