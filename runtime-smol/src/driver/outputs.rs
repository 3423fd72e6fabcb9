//! What the machine wants, done.

use pleach_core::link::{Address, Cause, From, How, Input, LinkId, ListenerId, Output, QueryId, Question};
use pleach_core::stats::count;

use super::LinkMachine;
use super::cause::cause_of;
use super::dial::Dial;
use super::listener::Listener;
use super::runtime::{Due, Place, Runtime};
use super::wake::Token;

impl<N: LinkMachine> Runtime<N> {
    /// Carries out one output. What the machine must hear about it is queued, not fed: outputs keep their order.
    pub(super) fn carry_out(&mut self, output: Output<N::Event, N::Question>) {
        match output {
            Output::Listen { listener, address } => self.listen(listener, &address),
            Output::Unlisten { listener } => {
                self.listeners.remove(&listener);
                self.deadlines.remove(&Due::Accept(listener));
            }
            // Who speaks first in a simultaneous open is the machine's business: the sockets are alike.
            Output::Dial { link, address, from, role: _ } => self.dial(link, address, from),
            Output::Send { link, bytes } => self.send(link, bytes),
            Output::Finish { link } => {
                if let Some(Place::Open(open)) = self.links.get_mut(&link) {
                    open.finish();
                    self.dirty.insert(link);
                }
            }
            Output::Close { link, how } => self.close_on_request(link, how),
            Output::Pause { link } => {
                if let Some(Place::Open(link)) = self.links.get_mut(&link) {
                    link.pause();
                }
            }
            Output::Resume { link } => {
                if let Some(Place::Open(link)) = self.links.get_mut(&link) {
                    link.resume();
                }
            }
            // No socket of this driver carries messages or datagrams: their addresses are refused.
            Output::Message { .. } | Output::Datagram { .. } => count(&mut self.stats.unsupported),
            Output::Query { query, question } => self.ask(query, question),
            // A closed channel means that the embedder listens to nothing any more.
            Output::Event(event) => drop(self.channels.events.try_send(event)),
        }
    }

    fn listen(&mut self, listener: ListenerId, address: &Address) {
        let opened = match self.options.descriptors.for_own() {
            _ if self.is_ending() => Err(Cause::Finished),
            Some(permit) => {
                let waker = self.wakeups.waker(Token::Listener(listener));
                Listener::open(address, self.options.dual_stack, waker, permit)
                    .map_err(|error| cause_of(&error))
            }
            None => {
                count(&mut self.stats.descriptors_exhausted);
                Err(Cause::Exhausted)
            }
        };
        let input = match opened {
            Ok(open) => {
                let local = Address::Socket(open.local());
                self.listeners.insert(listener, open);
                Input::Listening { listener, local }
            }
            Err(cause) => Input::ListenFailed { listener, cause },
        };
        self.inputs.push_back(input);
    }

    fn dial(&mut self, link: LinkId, address: Address, from: From) {
        count(&mut self.stats.dials);
        match self.start_dial(link, address, from) {
            Ok(dial) => {
                self.links.insert(link, Place::Dialling(dial));
            }
            Err(cause) => {
                count(&mut self.stats.dials_failed);
                self.inputs.push_back(Input::Closed { link, cause });
            }
        }
    }

    fn start_dial(&mut self, link: LinkId, address: Address, from: From) -> Result<Dial, Cause> {
        if self.is_ending() {
            return Err(Cause::Finished);
        }
        let local = match from {
            From::Anywhere => None,
            From::Listener(listener) => {
                let listener = self.listeners.get_mut(&listener).ok_or(Cause::AddressUnusable)?;
                Some(listener.share_port().map_err(|error| cause_of(&error))?)
            }
        };
        let waker = self.wakeups.waker(Token::Link(link));
        let dial = Dial::start(address, local, waker, &self.options.descriptors);
        if matches!(dial, Err(Cause::Exhausted)) {
            count(&mut self.stats.descriptors_exhausted);
        }
        dial
    }

    fn send(&mut self, id: LinkId, bytes: bytes::Bytes) {
        let Some(Place::Open(link)) = self.links.get_mut(&id) else { return };
        if link.send(bytes) > self.options.queued_bytes_max {
            link.reset();
            count(&mut self.stats.queue_exceeded);
            self.drop_link(id, Cause::Exhausted);
        } else {
            self.dirty.insert(id);
        }
    }

    fn close_on_request(&mut self, id: LinkId, how: How) {
        match (self.links.get_mut(&id), how) {
            (None, _) => {}
            (Some(Place::Open(link)), How::Flush) => {
                if !link.is_closing() {
                    link.close_after_flush();
                    let deadline = self.now() + self.options.flush_timeout;
                    self.deadlines.set(Due::Close(id), Some(deadline));
                    self.dirty.insert(id);
                }
            }
            (Some(Place::Open(link)), How::Abort) => {
                link.reset();
                self.drop_link(id, Cause::Finished);
            }
            (Some(Place::Dialling(_)), _) => self.drop_link(id, Cause::Finished),
        }
    }

    /// Removes a link while outputs are carried out: the machine hears of it next.
    fn drop_link(&mut self, id: LinkId, cause: Cause) {
        if self.links.remove(&id).is_some() {
            self.deadlines.remove(&Due::Close(id));
            count(&mut self.stats.links_closed);
            self.inputs.push_back(Input::Closed { link: id, cause });
        }
    }

    fn ask(&mut self, query: QueryId, question: Question<N::Question>) {
        let refused = match question {
            Question::Resolve { host } => self.questions.resolve(query, host),
            Question::Load { key } => self.questions.load(query, key),
            Question::Store { key, value } => self.questions.store(query, key, value),
            Question::Verify(work) => self.questions.verify(query, *work),
            Question::Other(question) => match self.channels.questions.try_send((query, question)) {
                Ok(()) => None,
                Err(_) => Some(pleach_core::link::Answer::Failed(Cause::Exhausted)),
            },
        };
        if let Some(answer) = refused {
            count(&mut self.stats.questions_refused);
            self.inputs.push_back(Input::Answer { query, answer });
        }
    }
}
