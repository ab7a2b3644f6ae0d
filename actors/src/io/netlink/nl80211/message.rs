//! The messages of generic netlink's controller and of nl80211 that are used (linux/genetlink.h, linux/nl80211.h).

use std::io::Cursor;
use std::time::Duration;

use arpherd_core::LinkAddr;
use neli::FromBytesWithInput;
use neli::consts::genl::{CtrlAttr, CtrlAttrMcastGrp, CtrlCmd, Index};
use neli::genl::{AttrTypeBuilder, Genlmsghdr, GenlmsghdrBuilder, Nlattr, NlattrBuilder, NoUserHeader};
use neli::types::{Buffer, GenlBuffer};

use super::{RadioInfo, RadioNews};
use crate::io::netlink::compose::Unwritable;
use crate::io::netlink::decode::{Decoded, Malformed, number, text};

/// The family's name.
const NL80211: &str = "nl80211";
/// The group in which stations come and go.
const MLME: &str = "mlme";
/// Version of the controller's messages.
const CONTROLLER_VERSION: u8 = 2;

/// `enum nl80211_commands`, as far as it concerns us.
#[neli::neli_enum(serialized_type = "u8")]
pub(super) enum Command {
    GetInterface = 5,
    NewInterface = 7,
    GetStation = 17,
    NewStation = 19,
    DelStation = 20,
    Connect = 46,
    Roam = 47,
    Disconnect = 48,
}
impl neli::consts::genl::Cmd for Command {}

/// `enum nl80211_attrs`, likewise.
#[neli::neli_enum(serialized_type = "u16")]
pub(super) enum Attr {
    Ifindex = 3,
    Iftype = 5,
    Mac = 6,
    StaInfo = 21,
    StatusCode = 72,
    FourAddress = 83,
}
impl neli::consts::genl::NlAttrType for Attr {}

/// `enum nl80211_sta_info`, likewise.
#[neli::neli_enum(serialized_type = "u16")]
enum StaInfo {
    InactiveTime = 1,
}
impl neli::consts::genl::NlAttrType for StaInfo {}

/// nl80211 as the kernel numbered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Family {
    /// Type of its messages.
    pub(super) id: u16,
    /// Number of its group `mlme`; often, but not always, below 32.
    pub(super) mlme: u32,
}

/// What the controller reports of the family nl80211.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FamilyNews {
    Present(Family),
    Gone,
}

pub(super) type Request<C, A> = Genlmsghdr<C, A>;

/// Requests all families. A request for one by name would have the kernel load its module (`ctrl_getfamily`).
pub(super) fn request_families() -> Result<Request<CtrlCmd, CtrlAttr>, Unwritable> {
    GenlmsghdrBuilder::<CtrlCmd, CtrlAttr, NoUserHeader>::default()
        .cmd(CtrlCmd::Getfamily)
        .version(CONTROLLER_VERSION)
        .attrs(GenlBuffer::new())
        .build()
        .map_err(|_| Unwritable)
}

/// Requests something of one interface.
pub(super) fn request_of(command: Command, interface: u32) -> Result<Request<Command, Attr>, Unwritable> {
    let kind = AttrTypeBuilder::default().nla_type(Attr::Ifindex).build().map_err(|_| Unwritable)?;
    let index = NlattrBuilder::default().nla_type(kind).nla_payload(interface);
    let mut attributes = GenlBuffer::new();
    attributes.push(index.build().map_err(|_| Unwritable)?);
    GenlmsghdrBuilder::<Command, Attr, NoUserHeader>::default()
        .cmd(command)
        .version(0)
        .attrs(attributes)
        .build()
        .map_err(|_| Unwritable)
}

fn controller(bytes: &[u8]) -> Result<Genlmsghdr<CtrlCmd, CtrlAttr>, Malformed> {
    Genlmsghdr::from_bytes_with_input(&mut Cursor::new(bytes), bytes.len()).map_err(|_| Malformed)
}

fn radio(bytes: &[u8]) -> Result<Genlmsghdr<Command, Attr>, Malformed> {
    Genlmsghdr::from_bytes_with_input(&mut Cursor::new(bytes), bytes.len()).map_err(|_| Malformed)
}

/// Reads what the controller sends, as an answer or as a notification; `None` if it is about another family.
pub(super) fn family_news(bytes: &[u8]) -> Decoded<FamilyNews> {
    let message = controller(bytes)?;
    let attributes = message.attrs().get_attr_handle();
    let name = attributes.get_attribute(CtrlAttr::FamilyName);
    if name.is_none_or(|name| text(name.nla_payload().as_ref()) != NL80211) {
        return Ok(None);
    }
    match message.cmd() {
        CtrlCmd::Delfamily => Ok(Some(FamilyNews::Gone)),
        CtrlCmd::Newfamily => {
            let id = attributes.get_attribute(CtrlAttr::FamilyId).ok_or(Malformed)?;
            let id = <[u8; 2]>::try_from(id.nla_payload().as_ref()).map_err(|_| Malformed)?;
            let groups = attributes.get_attribute(CtrlAttr::McastGroups).ok_or(Malformed)?;
            let mlme = group_named(groups, MLME)?.ok_or(Malformed)?;
            Ok(Some(FamilyNews::Present(Family { id: u16::from_ne_bytes(id), mlme })))
        }
        _ => Ok(None),
    }
}

fn group_named(groups: &Nlattr<CtrlAttr, Buffer>, wanted: &str) -> Decoded<u32> {
    for group in groups.get_attr_handle::<Index>().map_err(|_| Malformed)?.iter() {
        let (mut name, mut id) = (String::new(), None);
        for attribute in group.get_attr_handle::<CtrlAttrMcastGrp>().map_err(|_| Malformed)?.iter() {
            let payload = attribute.nla_payload().as_ref();
            match attribute.nla_type().nla_type() {
                CtrlAttrMcastGrp::Name => name = text(payload),
                CtrlAttrMcastGrp::Id => id = number(payload),
                _ => {}
            }
        }
        if name == wanted {
            return id.map(Some).ok_or(Malformed);
        }
    }
    Ok(None)
}

/// What we read of a message about an interface or a station.
#[derive(Default)]
struct Fields {
    interface: Option<u32>,
    kind: Option<u32>,
    lladdr: LinkAddr,
    inactive: Option<Duration>,
    status: u16,
    four_address: bool,
}

fn fields(message: &Genlmsghdr<Command, Attr>) -> Result<Fields, Malformed> {
    let mut fields = Fields::default();
    for attribute in message.attrs().iter() {
        let payload = attribute.nla_payload().as_ref();
        match attribute.nla_type().nla_type() {
            Attr::Ifindex => fields.interface = number(payload),
            Attr::Iftype => fields.kind = number(payload),
            Attr::Mac => fields.lladdr = LinkAddr::try_new(payload).ok_or(Malformed)?,
            Attr::StatusCode => {
                fields.status = payload.try_into().map(u16::from_ne_bytes).map_err(|_| Malformed)?;
            }
            Attr::FourAddress => fields.four_address = payload.first().is_some_and(|set| *set != 0),
            Attr::StaInfo => {
                let handle = attribute.get_attr_handle::<StaInfo>().map_err(|_| Malformed)?;
                let inactive = handle.get_attribute(StaInfo::InactiveTime);
                let millis = inactive.and_then(|it| number(it.nla_payload().as_ref()));
                fields.inactive = millis.map(|millis| Duration::from_millis(u64::from(millis)));
            }
            _ => {}
        }
    }
    Ok(fields)
}

/// Reads the answer to [`Command::GetInterface`].
pub(super) fn interface(bytes: &[u8]) -> Decoded<RadioInfo> {
    let message = radio(bytes)?;
    if *message.cmd() != Command::NewInterface {
        return Ok(None);
    }
    let Fields { kind, four_address, .. } = fields(&message)?;
    Ok(Some(RadioInfo { kind: kind.ok_or(Malformed)?, four_address }))
}

/// Reads one answer to [`Command::GetStation`]. A driver that does not say when it heard the station last says
/// nothing of use: it is left out.
pub(super) fn station(bytes: &[u8]) -> Decoded<(LinkAddr, Duration)> {
    let message = radio(bytes)?;
    let Fields { lladdr, inactive, .. } = fields(&message)?;
    let is_told = *message.cmd() == Command::NewStation && !lladdr.is_empty();
    Ok(inactive.filter(|_| is_told).map(|inactive| (lladdr, inactive)))
}

/// Reads a message of the group `mlme`. A failed attempt to connect is left out.
pub(super) fn news(bytes: &[u8]) -> Decoded<RadioNews> {
    let message = radio(bytes)?;
    let command = message.cmd();
    if !matches!(
        command,
        Command::NewStation | Command::DelStation | Command::Connect | Command::Roam | Command::Disconnect
    ) {
        return Ok(None);
    }
    let Fields { interface, lladdr, status, .. } = fields(&message)?;
    let interface = interface.ok_or(Malformed)?;
    let station = || if lladdr.is_empty() { Err(Malformed) } else { Ok(lladdr) };
    Ok(match command {
        Command::NewStation => Some(RadioNews::StationJoined { interface, lladdr: station()? }),
        Command::DelStation => Some(RadioNews::StationLeft { interface, lladdr: station()? }),
        Command::Connect if status != 0 => None,
        Command::Connect | Command::Roam => Some(RadioNews::Associated { interface }),
        _ => Some(RadioNews::Disassociated { interface }),
    })
}
