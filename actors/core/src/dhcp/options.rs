//! The options of a message (RFC 2132), walked and edited in place: a relay passes on, octet for octet and in order, what
//! it does not understand, so nothing is ever encoded anew.

use super::message::Message;
use crate::address::Address;

/// What a DHCP message begins its options with (RFC 2131, section 3).
pub(super) const COOKIE: [u8; 4] = [99, 130, 83, 99];

const PAD: u8 = 0;
const END: u8 = 255;
/// Address requested by the client.
const REQUESTED_ADDRESS: u8 = 50;
/// Seconds.
const LEASE_TIME: u8 = 51;
const OVERLOAD: u8 = 52;
const MESSAGE_TYPE: u8 = 53;
/// Server identifier.
const SERVER_ID: u8 = 54;
/// Octets of the largest datagram that the client takes.
const MAX_SIZE: u8 = 57;
const CLIENT_ID: u8 = 61;
/// Relay agent information (RFC 3046).
const RELAY_AGENT: u8 = 82;

/// `vendor`, the cookie among it, has at least so many octets: a message of BOOTP has 300, and there are receivers that
/// refuse a shorter one (RFC 1542, section 2.1).
const SHORTEST_VENDOR: usize = 64;

/// Kinds of DHCP messages, option 53 (RFC 2132, section 9.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Discover,
    Offer,
    Request,
    Decline,
    Ack,
    Nak,
    Release,
    Inform,
    /// One that came later; relayed as any other.
    Other,
}

impl Kind {
    fn of(number: u8) -> Self {
        match number {
            1 => Self::Discover,
            2 => Self::Offer,
            3 => Self::Request,
            4 => Self::Decline,
            5 => Self::Ack,
            6 => Self::Nak,
            7 => Self::Release,
            8 => Self::Inform,
            _ => Self::Other,
        }
    }
}

/// An option runs over the end of its field, or has not the length that it must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// The options that a relay looks at, the first of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Options<'m> {
    pub(super) kind: Option<Kind>,
    pub(super) requested: Option<Address>,
    pub(super) lease_seconds: Option<u32>,
    pub(super) server_id: Option<Address>,
    pub(super) max_size: Option<u16>,
    pub(super) client_id: Option<&'m [u8]>,
    pub(super) relay_agent: Option<&'m [u8]>,
    overload: u8,
}

/// Reads a message's options. `None`: it has none that can be told (a message of BOOTP).
///
/// # Errors
/// If they are not well-formed.
pub(super) fn read(message: &Message) -> Result<Option<Options<'_>>, Malformed> {
    let Some(vendor) = message.vendor.strip_prefix(&COOKIE) else { return Ok(None) };
    let mut options = Options::default();
    for option in walk(vendor) {
        options.take(&option?, true)?;
    }
    // RFC 2132, section 9.3. Another option 52 in there means nothing, so there is no circle.
    let overload = options.overload;
    let fields = [(1, &message.names.file[..]), (2, &message.names.server[..])];
    for (_, field) in fields.into_iter().filter(|(bit, _)| overload & bit != 0) {
        for option in walk(field) {
            options.take(&option?, false)?;
        }
    }
    Ok(Some(options))
}

impl<'m> Options<'m> {
    fn take(&mut self, option: &Found<'m>, may_overload: bool) -> Result<(), Malformed> {
        let octets = option.octets;
        match option.code {
            OVERLOAD if may_overload => self.overload = one(octets)?,
            MESSAGE_TYPE => {
                self.kind.get_or_insert(Kind::of(one(octets)?));
            }
            REQUESTED_ADDRESS => {
                self.requested.get_or_insert(four(octets)?.into());
            }
            LEASE_TIME => {
                self.lease_seconds.get_or_insert(u32::from_be_bytes(four(octets)?));
            }
            SERVER_ID => {
                self.server_id.get_or_insert(four(octets)?.into());
            }
            MAX_SIZE => {
                let size = octets.try_into().map_err(|_| Malformed)?;
                self.max_size.get_or_insert(u16::from_be_bytes(size));
            }
            // Of one octet it would be a type and no identifier: RFC 2132 wants two at least, and some clients send one.
            CLIENT_ID if !octets.is_empty() => {
                self.client_id.get_or_insert(octets);
            }
            RELAY_AGENT => {
                self.relay_agent.get_or_insert(octets);
            }
            _ => {}
        }
        Ok(())
    }
}

fn one(octets: &[u8]) -> Result<u8, Malformed> {
    let [octet] = octets else { return Err(Malformed) };
    Ok(*octet)
}

fn four(octets: &[u8]) -> Result<[u8; 4], Malformed> {
    octets.try_into().map_err(|_| Malformed)
}

/// An option in a field.
struct Found<'m> {
    code: u8,
    /// Where its code stands.
    at: usize,
    octets: &'m [u8],
}

impl Found<'_> {
    /// Where the next one begins.
    fn end(&self) -> usize {
        self.at + 2 + self.octets.len()
    }
}

/// The options of a field in their order, up to its end or the end option.
fn walk(field: &[u8]) -> impl Iterator<Item = Result<Found<'_>, Malformed>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while field.get(at) == Some(&PAD) {
            at += 1;
        }
        let code = *field.get(at).filter(|code| **code != END)?;
        let length = field.get(at + 1).copied().map(usize::from);
        let octets = length.and_then(|length| field.get(at + 2..at + 2 + length));
        let found = octets.map(|octets| Found { code, at, octets }).ok_or(Malformed);
        at = found.as_ref().map_or(field.len(), Found::end);
        Some(found)
    })
}

/// Takes the relay agent information out, wherever it stands; every other option stays as and where it is.
pub(super) fn remove_relay_agent(message: &mut Message) {
    let is_overloaded = |message: &Message, bit| {
        read(message).ok().flatten().is_some_and(|options| options.overload & bit != 0)
    };
    let (has_file, has_server) = (is_overloaded(message, 1), is_overloaded(message, 2));
    while let Some((at, end)) = locate(message.vendor.get(COOKIE.len()..).unwrap_or_default(), RELAY_AGENT) {
        message.vendor.drain(COOKIE.len() + at..COOKIE.len() + end);
    }
    // These two have their length for ever.
    for (field, has_options) in
        [(&mut message.names.file[..], has_file), (&mut message.names.server[..], has_server)]
    {
        while let Some((at, end)) = locate(field, RELAY_AGENT).filter(|_| has_options) {
            field[at..end].fill(PAD);
        }
    }
    if message.vendor.len() < SHORTEST_VENDOR {
        message.vendor.resize(SHORTEST_VENDOR, PAD);
    }
}

/// Puts relay agent information behind the last option, where RFC 3046 (section 2.1) wants it. Padding behind the end gives
/// way to it.
pub(super) fn append_relay_agent(message: &mut Message, information: &[u8]) {
    let Ok(length) = u8::try_from(information.len()) else { return };
    let vendor = &mut message.vendor;
    let field = vendor.get(COOKIE.len()..).unwrap_or_default();
    let last = walk(field).map_while(Result::ok).last().map_or(0, |option| option.end());
    let at = COOKIE.len() + last;
    let had_end = vendor.get(at..).is_some_and(|rest| rest.iter().find(|octet| **octet != PAD) == Some(&END));
    let before = vendor.len().max(SHORTEST_VENDOR);
    let option = [RELAY_AGENT, length].into_iter().chain(information.iter().copied());
    vendor.splice(at..at, option.chain((!had_end).then_some(END)));
    while vendor.len() > before && vendor.last() == Some(&PAD) {
        vendor.pop();
    }
}

/// Says another server identifier, where one is said.
pub(super) fn replace_server_id(message: &mut Message, server: Address) {
    let vendor = message.vendor.get_mut(COOKIE.len()..).unwrap_or_default();
    if let Some((at, end)) = locate(vendor, SERVER_ID).filter(|(at, end)| end - at == 6) {
        vendor[at + 2..end].copy_from_slice(&server.octets());
    }
}

/// Where the first option of that code stands in a field.
fn locate(field: &[u8], code: u8) -> Option<(usize, usize)> {
    let mut found = walk(field).map_while(Result::ok);
    found.find(|option| option.code == code).map(|option| (option.at, option.end()))
}

/// One sub-option of relay agent information.
pub(super) fn sub_option(information: &[u8], code: u8) -> Option<&[u8]> {
    // They have neither padding nor an end (RFC 3046, section 2.0).
    let mut rest = information;
    while let [found, length, tail @ ..] = rest {
        let octets = tail.get(..usize::from(*length))?;
        if *found == code {
            return Some(octets);
        }
        rest = &tail[octets.len()..];
    }
    None
}

/// Adds a sub-option to relay agent information. What has more than 255 octets is cut off.
pub(super) fn push_sub_option(information: &mut Vec<u8>, code: u8, octets: &[u8]) {
    let length = u8::try_from(octets.len()).unwrap_or(u8::MAX);
    information.extend([code, length]);
    information.extend_from_slice(&octets[..usize::from(length)]);
}
