//! What a database server says of itself that matters to what is read there.

/// Whether a server has the latest state of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerRole {
    /// It takes the writes. A file is one too.
    Primary,
    /// It copies another server, and may be behind it.
    Replica,
    /// It takes no writes, and does not say why: it may be behind a primary.
    ReadOnly,
    /// It does not say.
    NotKnown,
}

/// The time zone of sessions that choose none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerZone {
    pub name: String,
    /// What SQL calls it.
    pub sql: String,
    /// Seconds that its clocks are ahead of UTC now; negative west of it.
    pub ahead: i64,
    /// Not so where the server does not show it and only some sign of it.
    pub is_known: bool,
}
