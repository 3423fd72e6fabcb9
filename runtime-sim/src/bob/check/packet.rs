//! Packets of the handshake port, cut out of a stream by the checker itself: it trusts no decoder of the machines.

use std::collections::VecDeque;

/// A packet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Packet {
    /// Whom it is for, or from.
    pub(super) uid: u16,
    /// 00 to 0f.
    pub(super) kind: u8,
    /// Behind the kind, a NUL at the end included.
    pub(super) body: Vec<u8>,
}

/// A stream, up to its first mistake.
#[derive(Debug, Default)]
pub(super) struct Parser {
    buffer: VecDeque<u8>,
    is_broken: bool,
}

/// The longest name that is read.
const NAME_MAX: usize = 255;
/// Digits of a uid and of a kind.
const HEAD: usize = 6;

impl Parser {
    /// What has become whole.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Packet> {
        self.buffer.extend(bytes);
        let mut packets = Vec::new();
        while !self.is_broken {
            match self.next() {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(()) => self.is_broken = true,
            }
        }
        if self.is_broken {
            self.buffer.clear();
        }
        packets
    }

    /// Whether something in the stream was no packet.
    pub(super) const fn is_broken(&self) -> bool {
        self.is_broken
    }

    fn next(&mut self) -> Result<Option<Packet>, ()> {
        if self.buffer.len() < HEAD {
            return Ok(None);
        }
        let (uid, kind) = (self.number(0, 4)?, self.number(4, 2)?);
        let kind = u8::try_from(kind).map_err(|_| ())?;
        let (fixed, is_named) = match kind {
            0x00 => (34, false),
            0x02 | 0x03 => (0, true),
            0x04 => (38, true),
            0x05 => (64, false),
            0x06 => (96, false),
            0x07 => (32, true),
            0x09 => (4, false),
            0x0c => (5, false),
            0x0d => (1, false),
            0x01 | 0x08 | 0x0a | 0x0b | 0x0e | 0x0f => (0, false),
            _ => return Err(()),
        };
        let named = HEAD + fixed;
        let len = if is_named {
            let name = self.buffer.iter().skip(named);
            match name.take(NAME_MAX + 1).position(|byte| *byte == 0) {
                Some(nul) => named + nul + 1,
                None if self.buffer.len() > named + NAME_MAX => return Err(()),
                None => return Ok(None),
            }
        } else {
            named
        };
        if self.buffer.len() < len {
            return Ok(None);
        }
        let body = self.buffer.drain(..len).skip(HEAD).collect();
        Ok(Some(Packet { uid, kind, body }))
    }

    /// A number of so many hexadecimal digits.
    fn number(&self, from: usize, digits: usize) -> Result<u16, ()> {
        self.buffer.iter().skip(from).take(digits).try_fold(0, |number, digit| hex(number, *digit))
    }
}

fn hex(number: u16, digit: u8) -> Result<u16, ()> {
    let digit = char::from(digit).to_digit(16).ok_or(())?;
    Ok(number << 4 | u16::try_from(digit).map_err(|_| ())?)
}

impl Packet {
    /// A uid in the body.
    pub(super) fn uid_at(&self, from: usize) -> Option<u16> {
        self.body.get(from..from + 4)?.iter().try_fold(0, |number, digit| hex(number, *digit)).ok()
    }

    /// The name that ends it, if it ends with one.
    pub(super) fn name(&self) -> Option<&[u8]> {
        let from = match self.kind {
            0x02 | 0x03 => 0,
            0x04 => 38,
            0x07 => 32,
            _ => return None,
        };
        self.body.get(from..self.body.len().checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_found_however_the_stream_is_cut() {
        let mut stream = b"000003ab:1\0".to_vec();
        stream.extend([b"00d307".as_slice(), &[0; 32], b"1.2.3.4:5\0"].concat());
        stream.extend(b"FFFF08");
        stream.extend(b"0000090012");
        for step in 1..stream.len() {
            let mut parser = Parser::default();
            let found: Vec<_> = stream.chunks(step).flat_map(|chunk| parser.push(chunk)).collect();
            let heads: Vec<_> = found.iter().map(|packet| (packet.uid, packet.kind)).collect();
            assert_eq!(heads, [(0, 3), (0xd3, 7), (0xffff, 8), (0, 9)], "{step}");
            assert_eq!(found[1].name(), Some(b"1.2.3.4:5".as_slice()));
            assert_eq!(found[3].uid_at(0), Some(0x12));
            assert!(!parser.is_broken());
        }
    }

    #[test]
    fn what_is_no_packet_ends_the_stream() {
        for broken in [b"000g08".as_slice(), b"000010", &[b"000002".as_slice(), &[b'1'; 256]].concat()] {
            let mut parser = Parser::default();
            assert_eq!(parser.push(b"000108").len(), 1);
            assert_eq!(parser.push(broken), []);
            assert!(parser.is_broken());
            assert_eq!(parser.push(b"000108"), []);
        }
    }
}
