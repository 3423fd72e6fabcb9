//! What the operating system reports, in the words of the link vocabulary.

use std::io::{Error, ErrorKind};

use pleach_core::link::Cause;
use rustix::io::Errno;

/// The cause that `error` stands for.
pub(super) fn cause_of(error: &Error) -> Cause {
    if is_exhaustion(error) {
        return Cause::Exhausted;
    }
    if Errno::from_io_error(error) == Some(Errno::AFNOSUPPORT) {
        return Cause::Unsupported;
    }
    #[allow(clippy::wildcard_enum_match_arm)] // the kinds of std grow with every release
    match error.kind() {
        ErrorKind::ConnectionRefused => Cause::Refused,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => Cause::Reset,
        ErrorKind::TimedOut => Cause::TimedOut,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            Cause::Unreachable
        }
        ErrorKind::AddrInUse => Cause::AddressInUse,
        ErrorKind::AddrNotAvailable | ErrorKind::PermissionDenied => Cause::AddressUnusable,
        ErrorKind::Unsupported => Cause::Unsupported,
        _ => Cause::Other,
    }
}

/// Whether the process or the machine has run out of descriptors or of memory for sockets.
pub(super) fn is_exhaustion(error: &Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_can_mend_is_told_from_other_failures() {
        assert_eq!(cause_of(&Error::from(Errno::MFILE)), Cause::Exhausted);
        assert_eq!(cause_of(&Error::from(Errno::CONNREFUSED)), Cause::Refused);
        assert_eq!(cause_of(&Error::from(Errno::ADDRINUSE)), Cause::AddressInUse);
        assert_eq!(cause_of(&Error::from(Errno::NETUNREACH)), Cause::Unreachable);
        assert_eq!(cause_of(&Error::from(Errno::AFNOSUPPORT)), Cause::Unsupported);
        assert_eq!(cause_of(&Error::other("?")), Cause::Other);
    }
}
