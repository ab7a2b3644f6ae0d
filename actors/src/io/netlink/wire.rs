//! The framing of netlink messages (netlink(7)); no length in it is trusted.

/// Octets of `nlmsghdr`.
const HEADER: usize = 16;
/// `NLMSGERR_ATTR_MSG`: the text beside an error.
const TEXT: u16 = 1;

/// Rounds up to netlink's alignment.
const fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// One message of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::io) struct Message<'a> {
    /// `nlmsg_type`
    pub(in crate::io) kind: u16,
    /// `nlmsg_flags`
    pub(super) flags: u16,
    /// `nlmsg_seq`
    pub(super) sequence: u32,
    /// What follows the header.
    pub(in crate::io) body: &'a [u8],
}

/// The messages of a datagram, in order; ends at an incomplete header or an impossible length.
pub(in crate::io) struct Messages<'a>(&'a [u8]);

impl<'a> Messages<'a> {
    pub(in crate::io) fn of(datagram: &'a [u8]) -> Self {
        Self(datagram)
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::try_from(word(self.0, 0)?).ok()?;
        let body = self.0.get(HEADER..length)?;
        let message =
            Message { kind: half(self.0, 4)?, flags: half(self.0, 6)?, sequence: word(self.0, 8)?, body };
        self.0 = self.0.get(aligned(length)..).unwrap_or_default();
        Some(message)
    }
}

/// What the kernel said of a request: `nlmsgerr` and what follows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NetlinkAck<'a> {
    /// 0: done. Positive: the error number.
    pub(super) errno: i32,
    /// The text beside it.
    pub(super) text: Option<&'a str>,
}

impl<'a> NetlinkAck<'a> {
    /// Reads the body of an `NLMSG_ERROR`, or of an `NLMSG_DONE` that carries an error number.
    pub(super) fn of(message: &Message<'a>) -> Option<Self> {
        let errno = word(message.body, 0)?.cast_signed().saturating_neg();
        Some(Self { errno, text: text_beside(message) })
    }
}

fn text_beside<'a>(message: &Message<'a>) -> Option<&'a str> {
    if i32::from(message.flags) & libc::NLM_F_ACK_TLVS == 0 {
        return None;
    }
    // An error repeats the request behind its number, its header alone if "capped"; the end of a dump
    // repeats nothing.
    let mut skip = 4;
    if i32::from(message.kind) == libc::NLMSG_ERROR {
        let request = usize::try_from(word(message.body, 4)?).ok()?;
        let capped = i32::from(message.flags) & libc::NLM_F_CAPPED != 0;
        skip += if capped { HEADER } else { aligned(request) };
    }
    let text = attributes(message.body.get(skip..)?).find(|(kind, _)| *kind == TEXT)?.1;
    std::str::from_utf8(text.split(|octet| *octet == 0).next()?).ok()
}

/// The attributes in these bytes as type and payload; ends at an impossible length.
pub(in crate::io) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(half(bytes, 0)?);
        let attribute = (half(bytes, 2)? & !0xc000, bytes.get(4..length)?);
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
        Some(attribute)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + body.len()).expect("a short message");
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([7, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(body);
        bytes.resize(aligned(bytes.len()), 0);
        bytes
    }

    proptest! {
        #[test]
        fn no_bytes_can_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for message in Messages::of(&bytes) {
                let _ = NetlinkAck::of(&message);
            }
        }

        #[test]
        fn no_body_can_make_it_panic(
            kind in 2_u16..4, flags in any::<u16>(), body in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let bytes = message(kind, flags, &body);
            let messages: Vec<_> = Messages::of(&bytes).collect();
            prop_assert_eq!(messages.len(), 1);
            let _ = NetlinkAck::of(&messages[0]);
        }
    }

    #[test]
    fn a_message_that_cannot_be_understood_does_not_hide_the_next() {
        let mut bytes = message(24, 0, &[1, 2, 3]);
        bytes.extend(message(25, 0, &[]));
        let kinds: Vec<_> = Messages::of(&bytes).map(|message| message.kind).collect();
        assert_eq!(kinds, [24, 25]);
        assert_eq!(Messages::of(&[8, 0, 0, 0, 0, 0, 0, 0]).count(), 0, "shorter than a header");
    }

    #[test]
    fn the_text_beside_an_error_is_found_capped_or_not() {
        let number = (-22_i32).to_ne_bytes();
        let mut text = 13_u16.to_ne_bytes().to_vec();
        text.extend(TEXT.to_ne_bytes());
        text.extend(b"no route\0");
        let request = message(24, 0, &[9; 12]);
        let tlvs = u16::try_from(libc::NLM_F_ACK_TLVS).expect("16 bits");
        let capped = tlvs | u16::try_from(libc::NLM_F_CAPPED).expect("16 bits");
        for (flags, repeated) in [(tlvs, &request[..]), (capped, &request[..HEADER])] {
            let bytes = message(2, flags, &[&number, repeated, &text].concat());
            let verdict = Messages::of(&bytes).next().and_then(|message| NetlinkAck::of(&message));
            assert_eq!(verdict, Some(NetlinkAck { errno: 22, text: Some("no route") }));
        }
    }
}
