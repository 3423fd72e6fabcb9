//! Machines of several kinds on one network: what one of them hears and says, in the words of all.

use pleach_core::link::{Input, Output};

/// An input of the network for one machine, if its command is one for it.
pub fn lower<C, D, A>(input: Input<C, A>, command: impl FnOnce(C) -> Option<D>) -> Option<Input<D, A>> {
    Some(match input {
        Input::Command(wanted) => Input::Command(command(wanted)?),
        Input::Listening { listener, local } => Input::Listening { listener, local },
        Input::ListenFailed { listener, cause } => Input::ListenFailed { listener, cause },
        Input::Opened { link, via, local, remote } => Input::Opened { link, via, local, remote },
        Input::Received { link, bytes } => Input::Received { link, bytes },
        Input::Message { link, kind, bytes } => Input::Message { link, kind, bytes },
        Input::Written { link, count } => Input::Written { link, count },
        Input::Finished { link } => Input::Finished { link },
        Input::Closed { link, cause } => Input::Closed { link, cause },
        Input::Datagram { socket, from, bytes } => Input::Datagram { socket, from, bytes },
        Input::AddressesChanged => Input::AddressesChanged,
        Input::Answer { query, answer } => Input::Answer { query, answer },
    })
}

/// An output of one machine for the network.
pub fn lift<E, F, Q>(output: Output<E, Q>, event: impl FnOnce(E) -> F) -> Output<F, Q> {
    match output {
        Output::Event(told) => Output::Event(event(told)),
        Output::Listen { listener, address } => Output::Listen { listener, address },
        Output::Unlisten { listener } => Output::Unlisten { listener },
        Output::Dial { link, address, from, role } => Output::Dial { link, address, from, role },
        Output::Send { link, bytes } => Output::Send { link, bytes },
        Output::Message { link, kind, bytes } => Output::Message { link, kind, bytes },
        Output::Finish { link } => Output::Finish { link },
        Output::Close { link, how } => Output::Close { link, how },
        Output::Pause { link } => Output::Pause { link },
        Output::Resume { link } => Output::Resume { link },
        Output::Datagram { socket, to, bytes } => Output::Datagram { socket, to, bytes },
        Output::Query { query, question } => Output::Query { query, question },
    }
}
