//! A guess at the password of a server: the protocol kept in full, with a word from a list.

use std::fmt;

use pleach_core::bob::Identity;
use pleach_core::bob::packet::{Body, Uid};
use pleach_core::bob::public::Public;
use pleach_core::bob::spoke::{Client, Secret};
use pleach_core::link::LinkId;

use super::{Cx, say};

/// A guess that waits for the server's answer; none if it was answered.
#[derive(Default)]
pub(super) struct Guess {
    run: Option<Client>,
    /// The next word of the list.
    word: u32,
}

impl Guess {
    /// Whether the last guess was answered.
    pub(super) const fn is_answered(&self) -> bool {
        self.run.is_none()
    }

    /// Tries the next word.
    pub(super) fn again(&mut self, link: LinkId, server: Uid, public: &[u8], us: &Identity, cx: &mut Cx<'_>) {
        let Ok(public) = Public::decode(public) else { return };
        self.word += 1;
        let secret = Secret::derive(public, format!("word-{}", self.word).as_bytes());
        let (share, run) = Client::start(&secret, cx.rng());
        self.run = Some(run);
        say(link, server, Body::ClientShare { share, identity: us.clone() }, cx);
    }

    /// The server has answered: the guess was right, or the next word is due. It never says that it was wrong.
    pub(super) fn answered(
        &mut self,
        link: LinkId,
        server: Uid,
        (share, validator): (&[u8; 32], &[u8; 64]),
        (us, them): (&Identity, &Identity),
        cx: &mut Cx<'_>,
    ) {
        let Some(run) = self.run.take() else { return };
        if let Ok((validator, _)) = run.finish(share, validator, us.as_bytes(), them.as_bytes()) {
            say(link, server, Body::ClientValidator { validator }, cx);
        }
    }

    /// The server has said no.
    pub(super) fn failed(&mut self) {
        self.run = None;
    }
}

impl fmt::Debug for Guess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guess").field("word", &self.word).finish_non_exhaustive()
    }
}
