//! Bytes of a value on the wire.

pub(super) fn malformed() -> String {
    "the database sent a value of another format than its type has".to_owned()
}

pub(super) fn fixed<const N: usize>(wire: &[u8]) -> Result<[u8; N], String> {
    wire.try_into().map_err(|_| malformed())
}
