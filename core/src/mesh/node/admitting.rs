//! Who is let in, and who has to go for it (`mesh` E3, E4).

use alloc::vec::Vec;

use super::link::Link;
use super::{Cx, Node, Output};
use crate::admission::{Decision, Evicted, Reason};
use crate::identity::PeerId;
use crate::link::LinkId;
use crate::mesh::Event;
use crate::mesh::establishment::{Motive, Refusal};
use crate::session::{self, Closing};
use crate::trace::debug;

impl Node {
    /// May this peer take part? Registration first, then the table of links (E3).
    pub(super) fn decide(&mut self, id: LinkId, peer: PeerId, cx: &mut Cx<'_>) {
        match self.is_registered(peer, cx.now()) {
            Some(true) => self.admit(id, peer, cx),
            Some(false) => self.answer(id, peer, Err(Motive::Registration.into()), cx),
            None if self.ask_registration(peer, cx) => {}
            None if self.prolong_registration(peer, cx.now()) => self.admit(id, peer, cx),
            None => {
                let refusal = self.refusal(Reason::Quota);
                self.answer(id, peer, Err(refusal), cx);
            }
        }
    }

    /// The registration of a peer is known now: its links go on.
    pub(super) fn decide_waiting(&mut self, peer: PeerId, cx: &mut Cx<'_>) {
        let waiting = |link: &Link| link.peer == Some(peer) && link.session.is_asking();
        let ids: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| waiting(link)).map(|(id, _)| *id).collect();
        for id in ids {
            self.decide(id, peer, cx);
        }
    }

    /// Asks the application, where it wants to be asked; not about a peer that is refused anyway. Nobody goes for a peer
    /// before the application has let it in.
    fn admit(&mut self, id: LinkId, peer: PeerId, cx: &mut Cx<'_>) {
        let asks = self.config.ask_admission && self.admission.check(id, self.config.level_of(&peer)).is_ok();
        let Some(link) = self.links.get_mut(&id) else { return };
        let hello = link.session.handshake().hello().filter(|_| asks);
        let Some(hello) = hello else { return self.let_in(id, peer, cx) };
        if !core::mem::replace(&mut link.asked, true) {
            let metadata = hello.metadata.clone();
            cx.emit(Output::Event(Event::Admission { peer, metadata }));
        }
    }

    /// The application has spoken about a peer and what it said of itself.
    pub(super) fn admitted(&mut self, peer: PeerId, admitted: bool, cx: &mut Cx<'_>) {
        let waiting = |link: &Link| link.peer == Some(peer) && link.asked && link.session.is_asking();
        let ids: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| waiting(link)).map(|(id, _)| *id).collect();
        for id in ids {
            if let Some(link) = self.links.get_mut(&id) {
                link.asked = false;
            }
            if admitted {
                self.let_in(id, peer, cx);
            } else {
                self.answer(id, peer, Err(Motive::Application.into()), cx);
            }
        }
    }

    fn let_in(&mut self, id: LinkId, peer: PeerId, cx: &mut Cx<'_>) {
        let decision = self.admission.admit(id, self.config.level_of(&peer));
        let verdict = self.apply(id, decision, cx).map_err(|reason| self.refusal(reason));
        self.answer(id, peer, verdict, cx);
    }

    fn answer(&mut self, id: LinkId, peer: PeerId, verdict: Result<(), Refusal>, cx: &mut Cx<'_>) {
        self.session(id, session::Input::Answer { peer, verdict }, cx);
    }

    /// Carries out a decision of the table: others may have to go for this link.
    pub(super) fn apply(&mut self, id: LinkId, decision: Decision, cx: &mut Cx<'_>) -> Result<(), Reason> {
        match decision {
            Decision::Accept { evicted } => {
                for Evicted { link, reason } in evicted.into_iter().filter(|evicted| evicted.link != id) {
                    let motive = Some(motive_of(reason));
                    match reason {
                        Reason::Duplicate => self.linger(link, motive, cx),
                        // There is nobody to say a word to, and its descriptor is needed now (T-20, T-21).
                        Reason::Handshake => self.close(link, motive, Closing::Abort, cx),
                        Reason::Own
                        | Reason::Forgotten
                        | Reason::Rate
                        | Reason::Level
                        | Reason::Range
                        | Reason::Quota
                        | Reason::ShuttingDown => self.close(link, motive, Closing::Flush, cx),
                    }
                }
                Ok(())
            }
            Decision::Refuse(reason) => Err(reason),
        }
    }

    /// One of two links to a peer goes: it lingers until the link that replaces it is established, so that the peer stays
    /// linked (E4).
    pub(super) fn linger(&mut self, id: LinkId, motive: Option<Motive>, cx: &mut Cx<'_>) {
        self.session(id, session::Input::Busy(true), cx);
        self.close(id, motive, Closing::Linger, cx);
    }

    fn refusal(&self, reason: Reason) -> Refusal {
        debug!("a link is refused: {reason:?}");
        let motive = motive_of(reason);
        let alternatives = if motive == Motive::Quota { self.alternatives() } else { Vec::new() };
        Refusal { motive, alternatives }
    }
}

const fn motive_of(reason: Reason) -> Motive {
    match reason {
        Reason::Duplicate => Motive::Duplicate,
        Reason::Level => Motive::PrivilegedOnly,
        Reason::Quota | Reason::Range | Reason::Rate | Reason::Handshake => Motive::Quota,
        Reason::ShuttingDown => Motive::ShuttingDown,
        Reason::Own | Reason::Forgotten => Motive::Unspecified,
    }
}
