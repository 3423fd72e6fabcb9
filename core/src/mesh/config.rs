//! The configuration of a node, and the two presets.

use alloc::string::String;
use alloc::vec::Vec;

use crate::identity::PeerId;
use crate::link::Address;

/// A node of the mesh.
#[derive(Clone, Debug)]
pub struct Config {
    /// The network's name, 1..64 bytes of UTF-8, compared byte for byte. Default `pleach`.
    pub network: String,
    /// Tells nodes of one key apart. Default 0.
    pub node_id: u32,
    /// Where to listen; port 0 takes a free one. Default nowhere.
    pub listen: Vec<Address>,
    /// Where to join through.
    pub bootstrap: Vec<(Address, Option<PeerId>)>,
    /// Whether links must be established by `mesh` 2 before the overlay uses them. `native` yes, `solcial` no.
    pub establishment: bool,
    /// Whether HEADs are spread. `native` yes, `solcial` no.
    pub heads: bool,
    /// Who checks payloads.
    pub validation: Validation,
    /// Who may take part.
    pub registration: Registration,
    /// Estimated number of nodes until a command says otherwise. Default 10 000.
    pub network_size: u64,
}

/// Who checks payloads before they are delivered and relayed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Validation {
    /// Payloads carry author and signature; the node checks them itself. The `native` preset.
    Signed,
    /// The application, through `Event::Validate`. The `solcial` preset.
    Application,
    /// Nobody: everything is good.
    None,
}

/// Who may take part (`identity-and-content` 2.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Registration {
    /// Everybody. The `native` preset.
    Open,
    /// These peers.
    AllowList(Vec<PeerId>),
    /// Whom the application says, through `Event::Registration`. The `solcial` preset.
    Query,
}
