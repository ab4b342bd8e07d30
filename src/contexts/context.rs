//! A bounded context as it is shipped.

pub struct Context {
    pub name: &'static str,
    /// Its `warmup.toml`.
    pub definitions: &'static str,
}
